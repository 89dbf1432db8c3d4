/* Frames and their first octets, where no table can be relied upon. */
#include "inventory_frames.h"

#include "base/file.h"
#include "base/mem.h"
#include "seektable.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_READ = 512 << 10, /* most frames are smaller */
	TAR_BLOCK = 512,
	TAR_NAME = 100,
	TAR_CHECKSUM = 148,
	TAR_MAGIC = 257
};

void
inventory_find(const struct inventory_tell *tell, const char *where,
    const char *entry, const char *what)
{
	if (tell->finding != NULL)
		tell->finding(tell->arg,
		    &(struct inventory_finding){
			.where = where, .entry = entry, .what = what });
}

/* Octets of the frame at offset; 0: no whole frame, or one that isn't ours. */
static size_t
measure(
    int fd, const char *path, uint64_t offset, uint64_t left, struct buf *room)
{
	for (size_t n = FIRST_READ; n <= SEEKTABLE_FRAME_MAX; n *= 2) {
		struct err err;
		size_t part = left < n ? (size_t)left : n;
		buf_clear(room);
		buf_room(room, part);
		if (!file_pread(fd, room->data, part, offset, path, &err))
			return 0;
		room->len = part;
		size_t size = ZSTD_findFrameCompressedSize(room->data, part);
		if (!ZSTD_isError(size))
			return size;
		if (part == left)
			return 0;
	}

	return 0;
}

static bool
read_frame(const struct buf *room, size_t size, uint64_t offset, uint64_t plain,
    struct frame_info *out)
{
	unsigned long long dsize = ZSTD_getFrameContentSize(room->data, size);
	/* A skippable frame has none: that is the seek table. */
	if (dsize == 0 || dsize == ZSTD_CONTENTSIZE_UNKNOWN ||
	    dsize == ZSTD_CONTENTSIZE_ERROR || dsize > SEEKTABLE_FRAME_MAX ||
	    size > SEEKTABLE_FRAME_MAX)
		return false;
	*out = (struct frame_info){ .offset = offset,
		.plain = plain,
		.csize = (uint32_t)size,
		.dsize = (uint32_t)dsize };

	return true;
}

void
inventory_walk_frames(int fd, const char *path, uint64_t file_size,
    struct frame_info **frames, size_t *n)
{
	struct buf room = { 0 };
	uint64_t offset = 0, plain = 0;
	size_t cap = 0, size;
	*frames = NULL;
	*n = 0;
	while (
	    offset < file_size && *n < SEEKTABLE_COUNT_MAX &&
	    (size = measure(fd, path, offset, file_size - offset, &room)) > 0) {
		struct frame_info info;
		if (!read_frame(&room, size, offset, plain, &info))
			break;
		if (*n == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			*frames = mem_grow(*frames, cap, sizeof(**frames));
		}
		(*frames)[(*n)++] = info;
		offset += info.csize;
		plain += info.dsize;
	}
	buf_free(&room);
}

bool
inventory_starts_entry(const struct inflate *i, const char *name)
{
	const unsigned char *p = (const unsigned char *)i->plain.data;
	unsigned long sum = 0;
	char digits[9] = { 0 };
	if (i->plain.len < TAR_BLOCK || memcmp(p + TAR_MAGIC, "ustar", 5) != 0)
		return false;
	for (size_t k = 0; k < TAR_BLOCK; k++)
		sum += k >= TAR_CHECKSUM && k < TAR_CHECKSUM + 8 ? ' ' : p[k];
	memcpy(digits, p + TAR_CHECKSUM, 8);
	if (sum != strtoul(digits, NULL, 8))
		return false;

	return name == NULL || (strlen(name) < TAR_NAME &&
				   memcmp(p, name, strlen(name) + 1) == 0);
}
