#include "seektable.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/stat.h>

enum {
	SKIPPABLE_MAGIC = 0x184D2A5E,
	SKIPPABLE_HEADER = 8,
	CHECKSUM_FLAG = 0x80,
	RESERVED_FLAGS = 0x7c,
	ROW = 8,
	ROW_WITH_CHECKSUM = 12,
	/* Header 2, block header 3, checksum 4: no zstd frame is smaller. */
	FRAME_MIN = 9
};

static const uint32_t footer_magic = 0x8F92EAB1;

static void
put32(struct buf *out, uint32_t value)
{
	const uint8_t octets[4] = { value & 0xff, value >> 8 & 0xff,
		value >> 16 & 0xff, value >> 24 & 0xff };
	buf_add(out, octets, sizeof(octets));
}

static uint32_t
get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static bool
no(const char **why, const char *what)
{
	*why = what;

	return false;
}

void
seektable_build(struct buf *out, const struct frame_info *frames, size_t n)
{
	put32(out, SKIPPABLE_MAGIC);
	put32(out, (uint32_t)(n * ROW + SEEKTABLE_FOOTER));
	for (size_t i = 0; i < n; i++) {
		put32(out, frames[i].csize);
		put32(out, frames[i].dsize);
	}
	put32(out, (uint32_t)n);
	buf_char(out, 0);
	put32(out, footer_magic);
}

bool
seektable_footer(const uint8_t footer[SEEKTABLE_FOOTER], uint64_t file_size,
    uint64_t *octets, const char **why)
{
	if (get32(footer + 5) != footer_magic)
		return no(why, "it has no seek table at its end");
	if (footer[4] & RESERVED_FLAGS)
		return no(why, "its seek table is of an unknown kind");

	uint64_t count = get32(footer);
	uint64_t row = footer[4] & CHECKSUM_FLAG ? ROW_WITH_CHECKSUM : ROW;
	*octets = SKIPPABLE_HEADER + count * row + SEEKTABLE_FOOTER;
	if (count > SEEKTABLE_COUNT_MAX ||
	    *octets + count * FRAME_MIN > file_size)
		return no(
		    why, "its seek table names more frames than it holds");

	return true;
}

static bool
add_rows(const uint8_t *row, size_t step, uint64_t end,
    struct frame_info *frames, size_t n, const char **why)
{
	uint64_t offset = 0, plain = 0;
	for (size_t i = 0; i < n; i++, row += step) {
		frames[i] = (struct frame_info){ .offset = offset,
			.plain = plain,
			.csize = get32(row),
			.dsize = get32(row + 4) };
		if (frames[i].csize < FRAME_MIN)
			return no(why, "its seek table names an empty frame");
		if (frames[i].dsize > SEEKTABLE_FRAME_MAX ||
		    frames[i].csize > SEEKTABLE_FRAME_MAX)
			return no(
			    why, "its seek table names a frame too large");
		offset += frames[i].csize;
		plain += frames[i].dsize;
	}
	if (offset != end)
		return no(why, "its seek table doesn't add up to its size");

	return true;
}

bool
seektable_parse(const uint8_t *table, size_t len, uint64_t file_size,
    struct frame_info **frames, size_t *n, const char **why)
{
	uint64_t octets;
	*frames = NULL;
	*n = 0;
	if (len < SKIPPABLE_HEADER + SEEKTABLE_FOOTER || len > file_size)
		return no(why, "its seek table is cut short");

	const uint8_t *footer = table + len - SEEKTABLE_FOOTER;
	if (!seektable_footer(footer, file_size, &octets, why))
		return false;
	if (octets != len || get32(table) != SKIPPABLE_MAGIC ||
	    get32(table + 4) != len - SKIPPABLE_HEADER)
		return no(why, "its seek table has a wrong head");

	size_t count = get32(footer);
	size_t step = footer[4] & CHECKSUM_FLAG ? ROW_WITH_CHECKSUM : ROW;
	*frames = mem_array(count + 1, sizeof(**frames));
	if (!add_rows(table + SKIPPABLE_HEADER, step, file_size - len, *frames,
		count, why)) {
		free(*frames);
		*frames = NULL;
		return false;
	}
	*n = count;

	return true;
}

static bool
read_table(int fd, const char *path, uint64_t file_size, struct buf *table,
    const char **why, struct err *err)
{
	uint8_t footer[SEEKTABLE_FOOTER];
	uint64_t octets;
	*why = "it is too short for a volume";
	if (file_size < SKIPPABLE_HEADER + SEEKTABLE_FOOTER)
		return false;

	*why = NULL;
	if (!file_pread(fd, footer, sizeof(footer), file_size - sizeof(footer),
		path, err) ||
	    !seektable_footer(footer, file_size, &octets, why))
		return false;

	buf_room(table, octets);
	table->len = octets;

	return file_pread(
	    fd, table->data, octets, file_size - octets, path, err);
}

bool
seektable_read(int fd, const char *path, struct frame_info **frames, size_t *n,
    struct err *err)
{
	struct stat st;
	struct buf table = { 0 };
	const char *why = NULL;
	*frames = NULL;
	*n = 0;
	if (fstat(fd, &st) < 0)
		return err_errno(err, ERR_MESSAGE, "%s", path);

	uint64_t size = (uint64_t)st.st_size;
	bool ok = read_table(fd, path, size, &table, &why, err) &&
		  seektable_parse((const uint8_t *)table.data, table.len, size,
		      frames, n, &why);
	buf_free(&table);
	if (!ok && why != NULL)
		err_set(err, ERR_MESSAGE, ERR_DAMAGED, "%s: %s", path, why);
	if (!ok)
		err->scope = ERR_MESSAGE;

	return ok;
}
