/*
 * The tar stream inside of a volume, which is put into sound frames here, so
 * that hostile entries, attributes and catalogs are what is read: as a sealed
 * volume by the verification and by the rebuild, and as an open one. The first
 * octet may cut a frame more; checksums of headers are made right.
 */
#include "lib/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "archive/entry.h"
#include "archive/inventory.h"
#include "archive/reader.h"
#include "archive/seektable.h"
#include "base/digest.h"
#include "base/mem.h"

enum { BLOCK = 512, FRAMES_MAX = 16, CHECKSUM_AT = 148, MAGIC_AT = 257 };

enum {
	CLEAN,
	CATALOG,
	ROW_WHOLE,
	ROW_LINK,
	ROW_REFERENCE,
	ENTRY_WHOLE,
	ENTRY_LINK,
	ENTRY_REFERENCE,
	PART,
	PART_ENTRY,
	UNSAFE,
	LIES
};

static const char *const marks[] = {
	[CLEAN] = "a volume without a finding",
	[CATALOG] = "a catalog that is read to its end",
	[ROW_WHOLE] = "a row of a whole message",
	[ROW_LINK] = "a row of a link",
	[ROW_REFERENCE] = "a row of a reference",
	[ENTRY_WHOLE] = "an entry of a whole message",
	[ENTRY_LINK] = "an entry of a link",
	[ENTRY_REFERENCE] = "an entry of a reference, joined",
	[PART] = "an open volume that can be continued",
	[PART_ENTRY] = "a message of an open volume",
	[UNSAFE] = "a name that leads outside",
	[LIES] = "octets that aren't what they say",
};

static struct buf file;
static struct frame_info frames[FRAMES_MAX];
static size_t frame_count;
static ZSTD_CCtx *context;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	char *volumes = mem_fmt("%s/volumes", fuzz_dir());
	MUST(mkdir(volumes, S_IRWXU) == 0);
	free(volumes);
	context = ZSTD_createCCtx();
	MUST(context != NULL);
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);

	return 0;
}

/* ---- the volume ---- */

static bool
is_header(const char *block)
{
	return memcmp(block + MAGIC_AT, "ustar", 5) == 0;
}

/* A mutation would break it each time. */
static void
mend(char *tar, size_t len)
{
	for (size_t at = 0; at + BLOCK <= len; at += BLOCK) {
		unsigned long sum = 0;
		char digits[8];
		if (!is_header(tar + at))
			continue;
		memset(tar + at + CHECKSUM_AT, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += (unsigned char)tar[at + i];
		snprintf(digits, sizeof(digits), "%06lo", sum & 0777777);
		memcpy(tar + at + CHECKSUM_AT, digits, 7);
	}
}

static void
add_frame(const char *plain, size_t n)
{
	if (n == 0 || frame_count == FRAMES_MAX)
		return;
	char *room = buf_room(&file, ZSTD_compressBound(n));
	size_t size =
	    ZSTD_compress2(context, room, ZSTD_compressBound(n), plain, n);
	MUST(!ZSTD_isError(size));
	const struct frame_info *last =
	    frame_count > 0 ? &frames[frame_count - 1] : NULL;
	frames[frame_count++] = (struct frame_info){ .offset = file.len,
		.plain = last != NULL ? last->plain + last->dsize : 0,
		.csize = (uint32_t)size,
		.dsize = (uint32_t)n };
	file.len += size;
}

/* As a writer cuts it: the catalog begins a frame; and where the caller wants
 * one more. */
static void
make_frames(const char *tar, size_t len, size_t extra)
{
	size_t start = 0;
	buf_clear(&file);
	frame_count = 0;
	for (size_t at = BLOCK; at + BLOCK <= len; at += BLOCK) {
		bool catalog =
		    is_header(tar + at) && strncmp(tar + at, ENTRY_CATALOG_JSON,
					       sizeof(ENTRY_CATALOG_JSON)) == 0;
		if (!catalog && (extra == 0 || at != extra))
			continue;
		add_frame(tar + start, at - start);
		start = at;
	}
	add_frame(tar + start, len - start);
}

/* ---- reading ---- */

struct reading {
	struct archive_reader *reader;
	bool clean;   /* every row must be readable then */
	bool entries; /* not the catalog's rows */
	size_t kept, findings;
};

static void
parts_of(const struct inventory_row *in, struct message_parts *m)
{
	const struct catalog_row *row = &in->row;
	*m = (struct message_parts){ .size = row->size,
		.header_size = row->header_size,
		.frame = row->frame,
		.offset = row->offset,
		.split = row->claim == CLAIM_REFERENCE,
		.body_frame = row->body_frame,
		.body_offset = row->body_offset,
		.body_skip = row->body_skip };
	memcpy(m->sha256, row->sha256, DIGEST_SIZE);
	MUST(strlen(in->volume) < sizeof(m->volume));
	memcpy(m->volume, in->volume, strlen(in->volume) + 1);
	if (!m->split)
		return;
	MUST(strlen(row->body_volume) < sizeof(m->body_volume));
	memcpy(m->body_volume, row->body_volume, strlen(row->body_volume) + 1);
}

/* What is told of an entry has been seen; a row of a clean volume is true. */
static bool
on_kept(void *arg, const struct inventory_row *row, struct err *err)
{
	struct reading *r = arg;
	struct message_parts m;
	struct err why;
	(void)err;
	r->kept++;
	MUST(row->row.claim != CLAIM_KNOWN);
	MUST(entry_is_safe(row->row.entry));
	fuzz_reach((r->entries ? ENTRY_WHOLE : ROW_WHOLE) + row->row.claim);
	if (row->unplaced || (!r->entries && !r->clean))
		return true;
	parts_of(row, &m);
	if (!archive_reader_message(r->reader, &m, NULL, NULL, &why))
		fuzz_fail(row->row.entry, (int)row->row.claim, why.text);

	return true;
}

static void
on_finding(void *arg, const struct inventory_finding *f)
{
	struct reading *r = arg;
	MUST(f->what != NULL && f->what[0] != '\0');
	r->findings++;
	if (strstr(f->what, "another SHA-256") != NULL)
		fuzz_reach(LIES);
}

static void
on_verified(void *arg, const struct archive_finding *f)
{
	(void)arg;
	if (strstr(f->what, "outside") != NULL)
		fuzz_reach(UNSAFE);
}

/* ---- sealed ---- */

static bool
verify(struct archive_verified *sums)
{
	struct archive_reader *reader;
	struct err err;
	MUST(archive_reader_open(&reader, fuzz_dir(), &err));
	MUST(archive_verify_volume(
	    reader, "v-0001", NULL, false, on_verified, NULL, sums, &err));
	archive_reader_close(&reader);
	MUST(sums->frames == frame_count);
	if (sums->findings == 0)
		fuzz_reach(CLEAN);

	return sums->findings == 0;
}

static void
read_rows(const struct inventory_volume *v, bool clean,
    const struct archive_verified *sums)
{
	struct reading r = { .clean = clean };
	struct inventory_tell tell = {
		.arg = &r, .kept = on_kept, .finding = on_finding
	};
	uint64_t rows;
	bool found, again;
	struct err err;
	MUST(archive_reader_open(&r.reader, fuzz_dir(), &err));
	MUST(inventory_catalog(fuzz_dir(), v, &tell, &found, &err));
	MUST(inventory_catalog_count(fuzz_dir(), v, &rows, &again, &err));
	MUST(found == again);
	/* Each row is told, or why it can't be. */
	if (found) {
		MUST(r.kept + r.findings == rows);
		fuzz_reach(CATALOG);
	}
	if (clean)
		MUST(found && r.kept == rows && rows == sums->catalog_rows);
	r.entries = true;
	MUST(inventory_entries(r.reader, v, &tell, &err));
	archive_reader_close(&r.reader);
}

static void
sealed(void)
{
	struct reading r = { 0 };
	const struct inventory_tell tell = { .arg = &r, .finding = on_finding };
	struct archive_verified sums;
	struct inventory_volume v;
	struct buf table = { 0 };
	struct err err;
	bool ok;
	buf_add(&table, file.data, file.len);
	seektable_build(&table, frames, frame_count);
	fuzz_put("volumes/v-0001.tar.zst", table.data, table.len);
	buf_free(&table);
	bool clean = verify(&sums);
	MUST(inventory_sealed(fuzz_dir(), "v-0001", &tell, &v, &ok, &err));
	MUST(ok && v.count == frame_count && r.findings == 0);
	read_rows(&v, clean, &sums);
	inventory_volume_free(&v);
}

/* ---- open ---- */

static void
part(void)
{
	struct reading r = { .entries = true };
	const struct inventory_tell tell = {
		.arg = &r, .kept = on_kept, .finding = on_finding
	};
	struct inventory_volume v;
	struct err err;
	bool ok;
	fuzz_put("volumes/p-0001.tar.zst.part", file.data, file.len);
	MUST(inventory_part(fuzz_dir(), "p-0001", &tell, &v, &ok, &err));
	MUST(v.count <= frame_count && v.plain % BLOCK == 0);
	MUST(ok == (v.count > 0));
	if (ok) {
		fuzz_reach(PART);
		MUST(archive_reader_open(&r.reader, fuzz_dir(), &err));
		MUST(inventory_entries(r.reader, &v, &tell, &err));
		archive_reader_close(&r.reader);
		if (r.kept > 0)
			fuzz_reach(PART_ENTRY);
	}
	inventory_volume_free(&v);
}

/* References name volumes of this input only. */
static void
forget(const char *name)
{
	char *path = mem_fmt("%s/volumes/%s", fuzz_dir(), name);
	unlink(path);
	free(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	size_t extra = (size_t)fuzz_choose(&rest, 256) * BLOCK;
	if (rest.len == 0)
		return 0;
	char *tar = mem_dup(rest.data, rest.len);
	mend(tar, rest.len);
	make_frames(tar, rest.len, extra);
	forget("v-0001.tar.zst");
	forget("p-0001.tar.zst.part");
	sealed();
	part();
	free(tar);

	return 0;
}
