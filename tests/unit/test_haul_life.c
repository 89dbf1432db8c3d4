/*
 * Mailboxes that live: random arrivals, flags, moves, expunges, renames,
 * deletions and new UIDVALIDITYs, between runs and in the middle of them, with
 * connections that break. After each run the index holds what the server
 * holds, the sums balance, and nothing that was kept is stored again.
 */
#include "haul_world.h"

#include <stdio.h>

Suite *suite_haul_life(void);

enum { SEEDS = 6, DAYS = 12, DEEDS = 25 };

static unsigned state;

/* Numerical Recipes' generator: the same on every machine. */
static unsigned
below(unsigned n)
{
	state = state * 1664525 + 1013904223;

	return (state >> 8) % n;
}

static void
new_box(struct world *w)
{
	static unsigned names;
	char name[40];
	if (w->n == BOXES)
		return;
	snprintf(name, sizeof(name), "Box %u", ++names);
	world_add(w, name);
}

static void
new_name(struct world *w)
{
	static unsigned names;
	char name[40];
	snprintf(name, sizeof(name), "Renamed %u", ++names);
	world_rename(&w->box[below((unsigned)w->n)], name);
}

static void
arrive(struct world *w, struct world_box *b)
{
	if (b->n == MESSAGES)
		return;
	struct world_message *m = world_arrive(w, b);
	m->email = below(3) == 0;
	m->nameless = below(5) == 0;
}

static void
deed(struct world *w)
{
	struct world_box *b = &w->box[below((unsigned)w->n)];
	struct world_box *to = &w->box[below((unsigned)w->n)];
	size_t i = b->n == 0 ? 0 : below((unsigned)b->n);
	unsigned what = below(100);
	if (what < 45 || b->n == 0)
		arrive(w, b);
	else if (what < 65)
		world_flag(b, i, (uint8_t)below(32), below(2) == 0);
	else if (what < 80)
		world_expunge(b, i);
	else if (what < 92 && to->n < MESSAGES)
		world_move(w, b, i, to);
	else if (what < 94)
		new_box(w);
	else if (what < 96)
		new_name(w);
	else if (what < 97 && w->n > 2)
		world_delete(w, b);
	else if (what < 98)
		world_renumber(b, b->uidvalidity + 1000 + below(5));
}

static void
deeds_meanwhile(struct world *w, unsigned open)
{
	/* Flags alone, and mail that comes and goes; no mailbox. */
	struct world_box *b = &w->box[below((unsigned)w->n)];
	if (open > 6 || b->n == 0)
		return;
	if (below(2) == 0)
		arrive(w, b);
	else
		world_expunge(b, below((unsigned)b->n));
}

static void
live_a_day(struct world *w, const struct filter *filter)
{
	unsigned kept = w->contents;
	for (unsigned n = below(DEEDS); n > 0; n--)
		deed(w);
	kept = w->contents - kept;
	w->break_at = below(3) == 0 ? 1 + below(20) : 0;
	w->break_tell = below(3) == 0 ? 1 + below(60) : 0;
	bool unquiet = below(4) == 0;
	w->meanwhile = unquiet ? deeds_meanwhile : NULL;
	struct world_run *r = world_haul(w, filter);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert(r->result.balanced);
	ck_assert_uint_eq(r->result.mailboxes_failed, 0);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 0);
	world_run_free(&r);
	w->meanwhile = NULL;
	w->break_at = w->break_tell = 0;
	if (unquiet || w->mode == WORLD_MUTE)
		return;
	world_agrees(w);
}

START_TEST(mailboxes_that_live_are_followed)
{
	const struct filter dates = { .since = 1000200 };
	enum world_mode mode = (enum world_mode)(_i % WORLD_MUTE);
	struct world *w = world_new(mode);
	state = (unsigned)_i + 1;
	w->ids = _i % 2 == 0;
	w->no_statuses = _i % 5 == 4;
	for (int i = 0; i < 3; i++)
		new_box(w);
	for (int i = 0; i < 60; i++)
		arrive(w, &w->box[below(3)]);
	for (int day = 0; day < DAYS; day++)
		live_a_day(w, below(4) == 0 ? &dates : NULL);
	/* Two quiet runs: what is there is known, and nothing is asked for. */
	world_complete(w);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_free(w);
}
END_TEST

Suite *
suite_haul_life(void)
{
	Suite *s = suite_create("haul_life");
	TCase *t = tcase_create("haul_life");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	tcase_add_loop_test(
	    t, mailboxes_that_live_are_followed, 0, SEEDS * WORLD_MUTE);
	suite_add_tcase(s, t);

	return s;
}
