#include "search_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_SIZE = 4096 };

bool
search_set_add(struct search_set *s, int64_t content)
{
	if (content < 1 || content > SEARCH_ID_MAX)
		return false;
	size_t at = (size_t)content / 8;
	if (at >= s->size) {
		size_t size = s->size == 0 ? FIRST_SIZE : s->size;
		while (size <= at)
			size *= 2;
		s->bits = mem_grow(s->bits, size, 1);
		memset(s->bits + s->size, 0, size - s->size);
		s->size = size;
	}
	s->bits[at] |= (uint8_t)(1 << content % 8);

	return true;
}

bool
search_set_has(const struct search_set *s, int64_t content)
{
	size_t at = (size_t)content / 8;

	return at < s->size && (s->bits[at] >> content % 8 & 1) != 0;
}

void
search_set_and(struct search_set *s, const struct search_set *other)
{
	for (size_t i = 0; i < s->size; i++)
		s->bits[i] &= i < other->size ? other->bits[i] : 0;
}

int64_t
search_set_next(const struct search_set *s, int64_t from)
{
	size_t at = (size_t)from / 8;
	if (at >= s->size)
		return 0;
	uint8_t octet = (uint8_t)(s->bits[at] & 0xFF << from % 8);
	while (octet == 0) {
		if (++at >= s->size)
			return 0;
		octet = s->bits[at];
	}

	return (int64_t)at * 8 + __builtin_ctz(octet);
}

size_t
search_set_count(const struct search_set *s, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < s->size && n < max; i++)
		n += (size_t)__builtin_popcount(s->bits[i]);

	return n;
}

void
search_set_free(struct search_set *s)
{
	free(s->bits);
	*s = (struct search_set){ 0 };
}
