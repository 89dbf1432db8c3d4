#ifndef HAUL_RANGES_H
#define HAUL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of okeys as ranges. Those added in ascending order are packed: a range
 * is the gap before it, shifted left by one, the low bit saying that a length
 * follows, both as varints: one octet each for ten million messages of which
 * every second is gone. Others wait in a small array of their own.
 * {0} is an empty set.
 */
struct ranges_block;
struct range {
	uint64_t lo, hi;
};
struct ranges {
	struct ranges_block *first, *last; /* owned */
	struct range tail; /* the highest one, not packed yet; hi 0: none */
	uint64_t packed;   /* end of the last packed range */
	struct range *odd; /* owned; that came out of order */
	size_t odd_count, odd_sorted;
	bool overflown; /* too many of those: the set lacks some */
	size_t octets;  /* of memory, about */
};
enum { RANGES_ODD_MAX = 65536 };

/* lo > 0. Overlaps are welcome. */
void ranges_add(struct ranges *, uint64_t lo, uint64_t hi);
bool ranges_empty(const struct ranges *);
void ranges_free(struct ranges *);

/* Ascending, disjoint, not touching each other. The set must not change
 * meanwhile. */
struct ranges_cursor {
	const struct ranges *set; /* borrowed */
	const struct ranges_block *block;
	size_t at; /* in block */
	uint64_t packed;
	bool tail_told;
	size_t odd_at;
	struct range ahead; /* of the packed ones; hi 0: none */
};
void ranges_start(struct ranges_cursor *, struct ranges *);
bool ranges_next(struct ranges_cursor *, struct range *);

#endif
