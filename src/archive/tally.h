#ifndef ARCHIVE_TALLY_H
#define ARCHIVE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a tar stream held, 16 octets an entry: a hash of the path and one of
 * all that a catalog row can state of it. {0} is empty.
 */
struct tally_row {
	int64_t path, facts; /* path 0: free */
};
struct tally {
	struct tally_row *rows;
	size_t count, cap;
};

/* More than a volume holds; only a hostile one asks for more memory. */
enum { TALLY_MAX = 4 << 20 };

/* Facts of a file's entry; sha256 NULL: not known to rows (a .hdr). */
int64_t tally_file(
    const char *path, uint64_t plain, uint64_t size, const uint8_t *sha256);
int64_t tally_link(const char *path, const char *target);

/* The last word on a path counts. False: full. */
bool tally_put(struct tally *, const char *path, int64_t facts);
/* 0: no such path. */
int64_t tally_get(const struct tally *, const char *path);
void tally_free(struct tally *);

#endif
