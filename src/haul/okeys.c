#include "okeys.h"

#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_SIZE = 64 };

/* The word of that place, or the free one where it belongs. */
static struct okeys_word *
find(const struct okeys *s, uint64_t place)
{
	/* Fibonacci hashing: neighbours spread over the table. */
	uint64_t hash = place * UINT64_C(0x9E3779B97F4A7C15);
	size_t at = (size_t)(hash >> 20) & (s->size - 1);
	while (s->words[at].place != 0 && s->words[at].place != place)
		at = (at + 1) & (s->size - 1);

	return &s->words[at];
}

static void
grow(struct okeys *s)
{
	struct okeys bigger = { .used = s->used,
		.size = s->size == 0 ? FIRST_SIZE : s->size * 2 };
	bigger.words = mem_array(bigger.size, sizeof(*bigger.words));
	for (size_t i = 0; i < s->size; i++)
		if (s->words[i].place != 0)
			*find(&bigger, s->words[i].place) = s->words[i];
	free(s->words);
	*s = bigger;
}

void
okeys_add(struct okeys *s, uint64_t okey)
{
	if (s->used >= s->size / 2)
		grow(s);
	struct okeys_word *word = find(s, okey / 64 + 1);
	if (word->place == 0)
		s->used++;
	word->place = okey / 64 + 1;
	word->bits |= UINT64_C(1) << okey % 64;
}

bool
okeys_has(const struct okeys *s, uint64_t okey)
{
	if (s->size == 0)
		return false;

	return (find(s, okey / 64 + 1)->bits >> okey % 64 & 1) != 0;
}

void
okeys_free(struct okeys *s)
{
	free(s->words);
	*s = (struct okeys){ 0 };
}
