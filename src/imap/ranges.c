#include "imap/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* 1 … 2^32-1; 0: no such number. */
static uint32_t
number(const char *digits, size_t len)
{
	uint64_t n;

	return text_parse_u64(digits, len, &n) && n <= UINT32_MAX ? (uint32_t)n
								  : 0;
}

static bool
read_range(const char *part, size_t len, struct imap_range *r)
{
	const char *colon = memchr(part, ':', len);
	size_t first = colon != NULL ? (size_t)(colon - part) : len;
	uint32_t a = number(part, first);
	uint32_t b = colon != NULL ? number(colon + 1, len - first - 1) : a;
	*r = (struct imap_range){ a < b ? a : b, a < b ? b : a };

	return a != 0 && b != 0;
}

bool
imap_range_next(const char *set, size_t len, size_t *at, struct imap_range *r)
{
	while (*at < len) {
		const char *part = set + *at;
		const char *comma = memchr(part, ',', len - *at);
		size_t n = comma != NULL ? (size_t)(comma - part) : len - *at;
		*at += comma != NULL ? n + 1 : n;
		if (read_range(part, n, r))
			return true;
	}

	return false;
}

uint64_t
imap_range_count(const char *set, size_t len, uint32_t last)
{
	struct imap_range r;
	uint64_t sum = 0;
	for (size_t at = 0; imap_range_next(set, len, &at, &r);)
		if (r.lo <= last)
			sum += (uint64_t)(r.hi < last ? r.hi : last) - r.lo + 1;

	return sum;
}

bool
imap_ranges_add(struct imap_ranges *all, struct imap_range r)
{
	struct imap_range *last =
	    all->count > 0 ? &all->array[all->count - 1] : NULL;
	if (last != NULL && r.lo > last->lo && r.lo - 1 <= last->hi) {
		if (r.hi > last->hi)
			last->hi = r.hi;
		return true;
	}
	if (all->count == IMAP_RANGES_MAX) {
		imap_ranges_join(all);
		/* Joining for every few more would take time without end. */
		if (all->count > IMAP_RANGES_MAX / 2)
			return false;
	}
	if (all->array == NULL || all->count == all->cap) {
		all->cap = all->cap == 0 ? 64 : all->cap * 2;
		all->array =
		    mem_grow(all->array, all->cap, sizeof(*all->array));
	}
	all->array[all->count++] = r;

	return true;
}

static int
by_start(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

uint64_t
imap_ranges_join(struct imap_ranges *all)
{
	uint64_t sum = 0;
	size_t kept = 0;
	if (all->array == NULL)
		return 0;
	if (all->count > 1)
		qsort(all->array, all->count, sizeof(*all->array), by_start);
	for (size_t i = 0; i < all->count; i++) {
		struct imap_range *last =
		    kept > 0 ? &all->array[kept - 1] : NULL;
		const struct imap_range *r = &all->array[i];
		if (last != NULL &&
		    (r->lo <= last->hi || r->lo - 1 == last->hi))
			last->hi = r->hi > last->hi ? r->hi : last->hi;
		else
			all->array[kept++] = *r;
	}
	all->count = kept;
	for (size_t i = 0; i < kept; i++)
		sum += (uint64_t)all->array[i].hi - all->array[i].lo + 1;

	return sum;
}

void
imap_ranges_free(struct imap_ranges *all)
{
	free(all->array);
	*all = (struct imap_ranges){ 0 };
}
