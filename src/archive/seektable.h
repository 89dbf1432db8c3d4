#ifndef ARCHIVE_SEEKTABLE_H
#define ARCHIVE_SEEKTABLE_H

#include "base/buf.h"
#include "mail/target.h"

/*
 * The zstd seekable format's table: a skippable frame at the end of a volume
 * that lists each frame's compressed and plain size, little-endian:
 * magic, octets that follow, (csize, dsize[, checksum])*, count, descriptor,
 * footer magic. Readers that don't know it skip it.
 */
enum {
	SEEKTABLE_FOOTER = 9,
	/* No frame that we write is larger than 4 MiB (frames.h;
	 * 2 MiB now); whoever
	 * claims more wants our memory. */
	SEEKTABLE_FRAME_MAX = 16 << 20,
	/* 96 MiB of frame_info: a volume of a terabyte. */
	SEEKTABLE_COUNT_MAX = 4 << 20
};

void seektable_build(struct buf *, const struct frame_info *, size_t n);

/*
 * From the last SEEKTABLE_FOOTER octets of a file: octets of the whole
 * skippable frame. False: no footer, or it can't be right in such a file;
 * *why says what.
 */
bool seektable_footer(const uint8_t footer[SEEKTABLE_FOOTER],
    uint64_t file_size, uint64_t *octets, const char **why);
/*
 * The whole skippable frame → frames, which must lie end to end from the
 * file's start up to the table. free() *frames. False: *why.
 */
bool seektable_parse(const uint8_t *table, size_t len, uint64_t file_size,
    struct frame_info **frames, size_t *n, const char **why);
/* Both, from a file; ERR_MESSAGE, ERR_DAMAGED if there is no good table. */
bool seektable_read(int fd, const char *path, struct frame_info **frames,
    size_t *n, struct err *);

#endif
