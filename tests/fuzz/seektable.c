/*
 * The end of a volume and the frames behind it: as a seek table in memory,
 * then as a whole volume that is opened, verified and read.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/inventory.h"
#include "archive/reader.h"
#include "archive/seektable.h"
#include "base/mem.h"

enum { TABLE, CHECKSUMS, REFUSED, OPENED, WALKED, CLEAN, READ };

static const char *const marks[] = {
	[TABLE] = "a table by itself",
	[CHECKSUMS] = "a table with checksums",
	[REFUSED] = "a table that doesn't add up",
	[OPENED] = "a volume with its table",
	[WALKED] = "a volume without a table, read frame by frame",
	[CLEAN] = "a volume without a finding",
	[READ] = "octets of a frame",
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	char *volumes = mem_fmt("%s/volumes", fuzz_dir());
	MUST(mkdir(volumes, S_IRWXU) == 0);
	free(volumes);

	return 0;
}

/* ---- in memory ---- */

static void
check_frames(const struct frame_info *frames, size_t n, uint64_t end)
{
	uint64_t offset = 0, plain = 0;
	for (size_t i = 0; i < n; i++) {
		MUST(frames[i].offset == offset && frames[i].plain == plain);
		MUST(frames[i].csize > 0 &&
		     frames[i].csize <= SEEKTABLE_FRAME_MAX &&
		     frames[i].dsize <= SEEKTABLE_FRAME_MAX);
		offset += frames[i].csize;
		plain += frames[i].dsize;
	}
	MUST(offset == end);
}

/* What the file's frames must be long together; 0: no such file. */
static uint64_t
frames_end(const uint8_t *table, size_t size)
{
	size_t row = size > 5 && table[size - 5] & 0x80 ? 12 : 8;
	uint64_t end = 0;
	for (size_t at = 8; at + row + SEEKTABLE_FOOTER <= size; at += row)
		end += table[at] | (uint64_t)table[at + 1] << 8 |
		       (uint64_t)table[at + 2] << 16 |
		       (uint64_t)table[at + 3] << 24;

	return end;
}

static void
parse(const uint8_t *data, size_t size, uint64_t file_size)
{
	struct frame_info *frames;
	const char *why = NULL;
	size_t n;
	if (!seektable_parse(data, size, file_size, &frames, &n, &why)) {
		MUST(why != NULL && frames == NULL && n == 0);
		fuzz_reach(REFUSED);
		return;
	}
	struct buf again = { 0 };
	bool plain = data[size - 5] == 0;
	check_frames(frames, n, file_size - size);
	seektable_build(&again, frames, n);
	if (plain)
		MUST(again.len == size && memcmp(again.data, data, size) == 0);
	fuzz_reach(plain ? TABLE : CHECKSUMS);
	buf_free(&again);
	free(frames);
}

/* Frames out of the input's octets, written and read. */
static void
build(const uint8_t *data, size_t size)
{
	struct buf table = { 0 };
	struct frame_info *frames, *back;
	size_t n = size / 4, m;
	const char *why;
	uint64_t offset = 0, plain = 0;
	frames = mem_array(n + 1, sizeof(*frames));
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = data + 4 * i;
		frames[i] = (struct frame_info){ .offset = offset,
			.plain = plain,
			.csize = 9u + (p[0] | (uint32_t)p[1] << 8),
			.dsize = p[2] | (uint32_t)p[3] << 16 };
		offset += frames[i].csize;
		plain += frames[i].dsize;
	}
	seektable_build(&table, frames, n);
	MUST(seektable_parse((const uint8_t *)table.data, table.len,
	    offset + table.len, &back, &m, &why));
	MUST(m == n && memcmp(back, frames, n * sizeof(*frames)) == 0);
	free(back);
	free(frames);
	buf_free(&table);
}

/* ---- as a volume ---- */

static bool
count_octets(void *arg, const void *data, size_t n, struct err *err)
{
	(void)data, (void)err;
	*(uint64_t *)arg += n;

	return true;
}

static void
read_octets(struct archive_reader *reader)
{
	struct err err;
	uint64_t octets = 0;
	if (!archive_reader_data(
		reader, "v-0001", 0, 3, 1, 100, count_octets, &octets, &err)) {
		MUST(octets <= 100 && err.scope == ERR_MESSAGE);
		return;
	}
	MUST(octets == 100);
	fuzz_reach(READ);
}

static void
verify(void)
{
	struct err err;
	struct archive_reader *reader;
	struct archive_verified sums;
	const struct frame_info *frames;
	size_t n;
	MUST(archive_reader_open(&reader, fuzz_dir(), &err));
	MUST(archive_verify_volume(
	    reader, "v-0001", NULL, false, NULL, NULL, &sums, &err));
	if (archive_reader_seek_table(reader, "v-0001", &frames, &n, &err))
		fuzz_reach(OPENED);
	else
		MUST(sums.findings > 0 && err.code == ERR_DAMAGED);
	if (sums.findings == 0)
		fuzz_reach(CLEAN);
	read_octets(reader);
	archive_reader_close(&reader);
}

static void
count_finding(void *arg, const struct inventory_finding *f)
{
	MUST(f->what != NULL && f->what[0] != '\0');
	++*(size_t *)arg;
}

static void
take_stock(size_t size)
{
	size_t findings = 0;
	const struct inventory_tell tell = { .arg = &findings,
		.finding = count_finding };
	struct inventory_volume v;
	struct err err;
	bool ok;
	MUST(inventory_sealed(fuzz_dir(), "v-0001", &tell, &v, &ok, &err));
	MUST(ok || findings > 0);
	if (ok) {
		MUST(v.octets == size);
		MUST(inventory_check(fuzz_dir(), &v, NULL, &tell, &err));
		if (findings > 0 && v.count > 0)
			fuzz_reach(WALKED);
	}
	inventory_volume_free(&v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Behind frames of that length, and of another. */
	parse(data, size, size + frames_end(data, size));
	parse(data, size, size + (size > 0 ? data[0] * UINT64_C(977) : 0));
	build(data, size);
	fuzz_put("volumes/v-0001.tar.zst", data, size);
	verify();
	take_stock(size);

	return 0;
}
