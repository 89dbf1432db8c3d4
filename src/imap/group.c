#include "imap/group.h"

#include <stdlib.h>

#include "base/mem.h"

struct imap_group *
imap_group_new(enum imap_stage stage, const struct imap_want *wants, size_t n)
{
	struct imap_group *g = mem_new(sizeof(*g));
	g->stage = stage;
	g->wants = mem_dup(wants, n * sizeof(*wants));
	g->count = g->waiting = n;
	for (size_t i = 0; i < n; i++) {
		g->wants[i].answered = false;
		g->octets = wants[i].size < UINT64_MAX - g->octets
				? g->octets + wants[i].size
				: UINT64_MAX;
	}
	/* The sum of what is flying must not overflow either. */
	if (g->octets > UINT64_MAX / 64)
		g->octets = UINT64_MAX / 64;

	return g;
}

struct imap_group *
imap_group_unanswered(const struct imap_group *g)
{
	struct imap_want *left = mem_array(g->waiting, sizeof(*left));
	size_t n = 0;
	bool after_gap = false;
	for (size_t i = 0; i < g->count; i++) {
		if (!g->wants[i].answered) {
			left[n] = g->wants[i];
			left[n].bridge = left[n].bridge && !after_gap;
			n++;
		}
		after_gap = g->wants[i].answered;
	}
	struct imap_group *rest = imap_group_new(g->stage, left, n);
	rest->pauses = g->pauses;
	rest->why = g->why;
	free(left);

	return rest;
}

void
imap_group_free(struct imap_group **group)
{
	if (*group == NULL)
		return;
	free((*group)->wants);
	free(*group);
	*group = NULL;
}

void
imap_group_command(const struct imap_group *g, struct buf *line)
{
	buf_str(line, "UID FETCH ");
	for (size_t i = 0, last; i < g->count; i = last + 1) {
		const struct imap_want *w = g->wants;
		last = i;
		while (
		    last + 1 < g->count &&
		    (w[last + 1].bridge || w[last + 1].uid == w[last].uid + 1))
			last++;
		buf_fmt(line, "%s%u", i == 0 ? "" : ",", w[i].uid);
		if (last > i)
			buf_fmt(line, ":%u", w[last].uid);
	}
	buf_str(line,
	    g->stage == IMAP_STAGE_CHECK ? " (UID)" : " (UID BODY.PEEK[])");
}

struct imap_want *
imap_group_find(struct imap_group *g, uint64_t uid)
{
	if (g->cursor < g->count && g->wants[g->cursor].uid == uid)
		return &g->wants[g->cursor++];
	size_t low = 0, high = g->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (g->wants[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == g->count || g->wants[low].uid != uid)
		return NULL;
	g->cursor = low + 1;

	return &g->wants[low];
}
