#ifndef IMAP_RANGES_H
#define IMAP_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UIDs lo … hi. */
struct imap_range {
	uint32_t lo, hi;
};

/*
 * Cut the next range off a sequence set ("3,7:9", RFC 9051 9), from *at on;
 * "9:7" is 7:9; what is no number and "*" are passed over.  False: the end.
 */
bool imap_range_next(
    const char *set, size_t len, size_t *at, struct imap_range *);
/* How many UIDs the set names, of those in [1, last]. */
uint64_t imap_range_count(const char *set, size_t len, uint32_t last);

/* Ranges in any order and with repeats, until they are joined. */
enum { IMAP_RANGES_MAX = 1 << 20 };
struct imap_ranges {
	struct imap_range *array;
	size_t count, cap;
};

/* False: more than IMAP_RANGES_MAX that do not join. */
bool imap_ranges_add(struct imap_ranges *, struct imap_range);
/* Ascending, disjoint, none touching the next; the sum of their UIDs. */
uint64_t imap_ranges_join(struct imap_ranges *);
void imap_ranges_free(struct imap_ranges *);

#endif
