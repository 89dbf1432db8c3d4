#include "ranges.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
	BLOCK = 4096 - 16,
	/* Of 64 bits, seven an octet. */
	VARINT_MAX = 10
};

struct ranges_block {
	struct ranges_block *next;
	size_t used;
	uint8_t octets[BLOCK];
};

bool
ranges_empty(const struct ranges *s)
{
	return s->tail.hi == 0 && s->odd_count == 0;
}

static void
put(struct ranges_block *b, uint64_t value)
{
	while (value > 0x7f) {
		b->octets[b->used++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	b->octets[b->used++] = (uint8_t)value;
}

static uint64_t
get(const struct ranges_block *b, size_t *at)
{
	uint64_t value = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint8_t octet = b->octets[(*at)++];
		value |= (uint64_t)(octet & 0x7f) << shift;
		if ((octet & 0x80) == 0)
			return value;
	}
}

static struct ranges_block *
room(struct ranges *s)
{
	if (s->last != NULL && s->last->used + 2 * VARINT_MAX <= BLOCK)
		return s->last;
	struct ranges_block *b = mem_new(sizeof(*b));
	if (s->last == NULL)
		s->first = b;
	else
		s->last->next = b;
	s->last = b;
	s->octets += sizeof(*b);

	return b;
}

static void
pack_tail(struct ranges *s)
{
	if (s->tail.hi == 0)
		return;
	struct ranges_block *b = room(s);
	uint64_t gap = s->tail.lo - s->packed, more = s->tail.hi - s->tail.lo;
	put(b, gap << 1 | (more > 0));
	if (more > 0)
		put(b, more);
	s->packed = s->tail.hi;
}

static void
add_odd(struct ranges *s, uint64_t lo, uint64_t hi)
{
	if (s->odd_count == RANGES_ODD_MAX) {
		s->overflown = true;
		return;
	}
	if (s->odd_count % 64 == 0) {
		s->odd = mem_grow(s->odd, s->odd_count + 64, sizeof(*s->odd));
		s->octets += 64 * sizeof(*s->odd);
	}
	s->odd[s->odd_count++] = (struct range){ lo, hi };
}

void
ranges_add(struct ranges *s, uint64_t lo, uint64_t hi)
{
	/* Gaps are shifted by one bit; no UID comes near. */
	if (hi > INT64_MAX)
		hi = INT64_MAX;
	if (lo == 0)
		lo = 1;
	if (lo > hi)
		return;
	if (s->tail.hi != 0 && lo >= s->tail.lo && lo <= s->tail.hi + 1) {
		if (hi > s->tail.hi)
			s->tail.hi = hi;
	} else if (lo > s->tail.hi) {
		pack_tail(s);
		s->tail = (struct range){ lo, hi };
	} else {
		add_odd(s, lo, hi);
	}
}

void
ranges_free(struct ranges *s)
{
	while (s->first != NULL) {
		struct ranges_block *b = s->first;
		s->first = b->next;
		free(b);
	}
	free(s->odd);
	*s = (struct ranges){ 0 };
}

/* ---- reading ---- */

static int
by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void
step(struct ranges_cursor *c)
{
	c->ahead = (struct range){ 0 };
	while (c->block != NULL && c->at == c->block->used) {
		c->block = c->block->next;
		c->at = 0;
	}
	if (c->block != NULL) {
		uint64_t code = get(c->block, &c->at);
		c->ahead.lo = c->packed + (code >> 1);
		c->ahead.hi = c->ahead.lo;
		if ((code & 1) != 0)
			c->ahead.hi += get(c->block, &c->at);
		c->packed = c->ahead.hi;
	} else if (!c->tail_told) {
		c->tail_told = true;
		c->ahead = c->set->tail;
	}
}

void
ranges_start(struct ranges_cursor *c, struct ranges *s)
{
	if (s->odd_sorted != s->odd_count)
		qsort(s->odd, s->odd_count, sizeof(*s->odd), by_start);
	s->odd_sorted = s->odd_count;
	*c = (struct ranges_cursor){ .set = s, .block = s->first };
	step(c);
}

/* The lower of the two fronts; false: both are at their end. */
static bool
take(struct ranges_cursor *c, uint64_t up_to, struct range *r)
{
	const struct range *odd =
	    c->odd_at < c->set->odd_count ? &c->set->odd[c->odd_at] : NULL;
	bool packed =
	    c->ahead.hi != 0 && (odd == NULL || c->ahead.lo <= odd->lo);
	if (!packed && odd == NULL)
		return false;
	struct range front = packed ? c->ahead : *odd;
	if (front.lo > up_to)
		return false;
	if (packed)
		step(c);
	else
		c->odd_at++;
	*r = front;

	return true;
}

bool
ranges_next(struct ranges_cursor *c, struct range *r)
{
	struct range more;
	if (!take(c, UINT64_MAX, r))
		return false;
	while (take(c, r->hi + 1, &more))
		if (more.hi > r->hi)
			r->hi = more.hi;

	return true;
}
