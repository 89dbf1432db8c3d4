#include "wants.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void
make_room(struct wants *w)
{
	if (w->first + w->count < w->cap)
		return;
	if (w->first > w->cap / 2) {
		memmove(w->array, w->array + w->first,
		    w->count * sizeof(*w->array));
		w->first = 0;
		return;
	}
	w->cap = w->cap == 0 ? 256 : w->cap * 2;
	w->array = mem_grow(w->array, w->cap, sizeof(*w->array));
}

void
wants_add(struct wants *w, const struct placement *p, int blame)
{
	make_room(w);
	struct want *new = &w->array[w->first + w->count++];
	*new = (struct want){ .blame = blame };
	placement_keep(&new->placement, p);
	w->fresh++;
}

struct want *
wants_find(struct wants *w, uint64_t okey)
{
	size_t low = w->first, high = w->first + w->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct want *at = &w->array[middle];
		if (at->placement.p.okey == okey)
			return at->requested && !at->answered ? at : NULL;
		if (at->placement.p.okey < okey)
			low = middle + 1;
		else
			high = middle;
	}

	return NULL;
}

void
wants_answer(struct wants *w, struct want *at, struct kept_placement *out)
{
	uint64_t okey = at->placement.p.okey;
	*out = at->placement;
	/* The okey stays for wants_find's order. */
	at->placement = (struct kept_placement){ .p.okey = okey };
	at->answered = true;
	w->requested--;
	while (w->count > 0 && w->array[w->first].answered) {
		w->first++;
		w->count--;
	}
	if (w->count == 0)
		w->first = 0;
}

size_t
wants_request(struct wants *w, size_t n, uint64_t *okeys, uint64_t *sizes)
{
	size_t done = 0;
	for (size_t i = w->first; i < w->first + w->count && done < n; i++) {
		struct want *at = &w->array[i];
		if (at->requested || at->answered)
			continue;
		at->requested = true;
		okeys[done] = at->placement.p.okey;
		sizes[done++] = at->placement.p.size;
	}
	w->requested += done;
	w->fresh -= done;

	return done;
}

struct want *
wants_lost(struct wants *w)
{
	struct want *only = NULL;
	size_t n = w->requested;
	for (size_t i = w->first; i < w->first + w->count; i++) {
		struct want *at = &w->array[i];
		if (!at->requested || at->answered)
			continue;
		at->requested = false;
		only = at;
	}
	w->fresh += n;
	w->requested = 0;

	return n == 1 ? only : NULL;
}

void
wants_clear(struct wants *w)
{
	for (size_t i = w->first; i < w->first + w->count; i++)
		placement_drop(&w->array[i].placement);
	w->first = w->count = w->requested = w->fresh = 0;
}

void
wants_free(struct wants *w)
{
	wants_clear(w);
	free(w->array);
	*w = (struct wants){ 0 };
}
