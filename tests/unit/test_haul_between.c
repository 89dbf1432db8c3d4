/*
 * Generations and mailboxes that a run left half done, or that are not what
 * they seem: what the next run makes of them.
 */
#include "haul_world.h"

#include <stdlib.h>
#include <string.h>

#include "mail/flags.h"

Suite *suite_haul_between(void);

/* The connection is lost for good at this announcement, or at .break_at. */
static void
cut_run(struct world *w, unsigned at)
{
	w->break_tell = at;
	w->no_dial = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(!r->ok);
	world_run_free(&r);
	w->break_at = w->break_tell = 0;
	w->no_dial = false;
}

/* ---- a generation that was never seen whole ---- */

static struct world *
half_rematched(enum world_mode mode, bool ids)
{
	struct world *w = world_of(mode, "Old", "Other", 20);
	w->ids = ids;
	world_complete(w);
	world_renumber(world_find(w, "Old"), 900);
	cut_run(w, 8);
	ck_assert_uint_gt(world_shown(w), 20);

	return w;
}

START_TEST(what_was_half_replaced_goes_with_its_mailbox)
{
	struct world *w = half_rematched((enum world_mode)_i, false);
	world_delete(w, world_find(w, "Old"));
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_gone, 1);
	ck_assert_uint_eq(world_shown(w), 0);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(what_was_half_replaced_is_matched_under_the_new_name)
{
	struct world *w = half_rematched((enum world_mode)(_i / 2), _i % 2);
	world_rename(world_find(w, "Old"), "New");
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_renamed, _i % 2);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(world_shown(w), 20);
	world_run_free(&r);
	world_complete(w);
	ck_assert_uint_eq(world_shown(w), 20);
	world_free(w);
}
END_TEST

START_TEST(a_second_new_uidvalidity_ends_both_before_it)
{
	struct world *w = half_rematched((enum world_mode)_i, true);
	world_rename(world_find(w, "Old"), "New");
	cut_run(w, 8);
	world_renumber(world_find(w, "New"), 901);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(world_shown(w), 20);
	world_free(w);
}
END_TEST

/* Two copies of one message, of which each new generation lists one. */
START_TEST(a_twin_takes_over_one_of_all_that_were_before_it)
{
	struct world *w = world_of((enum world_mode)_i, "Old", NULL, 20);
	struct world_box *b = world_find(w, "Old");
	b->m[0].content = b->m[19].content;
	world_complete(w);
	w->hide = 1;
	for (uint64_t uidvalidity = 900; uidvalidity < 904; uidvalidity++) {
		world_renumber(b, uidvalidity);
		struct world_run *r = world_haul(w, NULL);
		ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 1);
		ck_assert_uint_eq(world_shown(w), 20);
		world_run_free(&r);
	}
	w->hide = 0;
	world_complete(w);
	ck_assert_uint_eq(world_shown(w), 20);
	world_free(w);
}
END_TEST

/* The generation between was killed before it ended its twins. */
START_TEST(what_was_taken_over_is_taken_over_no_more)
{
	struct world *w = half_rematched((enum world_mode)_i, true);
	struct world_box *b = world_find(w, "Old");
	struct world_message *other = world_arrive(w, b);
	other->content = b->m[2].content;
	other->other_octets = true;
	world_renumber(b, 901);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 1);
	ck_assert_uint_eq(w->delivered, 1);
	ck_assert_uint_eq(world_shown(w), 21);
	world_free(w);
}
END_TEST

START_TEST(what_is_between_ends_one_each_though_none_was_seen_whole)
{
	struct world *w = half_rematched((enum world_mode)_i, true);
	struct world_box *b = world_find(w, "Old");
	for (uint64_t uidvalidity = 901; uidvalidity < 904; uidvalidity++) {
		world_renumber(b, uidvalidity);
		cut_run(w, 8);
	}
	w->hide = 1;
	for (int night = 0; night < 2; night++) {
		struct world_run *r = world_haul(w, NULL);
		ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 1);
		ck_assert_uint_eq(w->bodies, 0);
		ck_assert_uint_eq(world_shown(w), 20);
		world_run_free(&r);
	}
	world_free(w);
}
END_TEST

/* ---- UIDs that name other messages ---- */

/* All messages are others, under the same UIDs from first on. */
static void
other_mail(struct world *w, struct world_box *b, size_t n)
{
	b->n = 0;
	b->uidnext = 1;
	b->grave_count = 0;
	b->modseq = 500;
	for (size_t i = 0; i < n; i++)
		world_arrive(w, b);
}

START_TEST(other_mail_under_known_uids_is_copied)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 30);
	/* Rows, but no state. */
	w->break_at = 30;
	cut_run(w, 0);
	ck_assert_uint_eq(w->delivered, 29);
	other_mail(w, world_find(w, "INBOX"), 30);
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->delivered, 30);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 30);
	ck_assert_uint_eq(world_shown(w), 30);
	world_run_free(&r);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_free(w);
}
END_TEST

START_TEST(fewer_uids_than_an_index_without_a_state_holds_begin_anew)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 30);
	struct world_box *b = world_find(w, "INBOX");
	w->break_at = 30;
	cut_run(w, 0);
	b->n = 20;
	b->uidnext = 21;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.counts.already, 20);
	ck_assert_uint_gt(w->message_ids, 0);
	ck_assert_uint_eq(world_shown(w), 20);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_uidnext_that_is_always_too_low_begins_nothing)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 30);
	w->low_uidnext = 12;
	world_complete(w);
	for (int night = 0; night < 3; night++) {
		world_arrive(w, world_find(w, "INBOX"));
		world_complete(w);
		ck_assert_uint_eq(w->bodies, 1);
		ck_assert_uint_eq(w->message_ids, 0);
	}
	ck_assert_uint_eq(world_shown(w), 33);
	world_free(w);
}
END_TEST

Suite *
suite_haul_between(void)
{
	const struct {
		const TTest *test;
		int n; /* loops, mostly enum world_mode */
	} tests[] = {
		{ what_was_half_replaced_goes_with_its_mailbox, WORLD_MUTE },
		{ what_was_half_replaced_is_matched_under_the_new_name,
		    2 * WORLD_MUTE },
		{ a_second_new_uidvalidity_ends_both_before_it, WORLD_MUTE },
		{ a_twin_takes_over_one_of_all_that_were_before_it,
		    WORLD_MUTE },
		{ what_was_taken_over_is_taken_over_no_more, WORLD_MUTE },
		{ what_is_between_ends_one_each_though_none_was_seen_whole,
		    WORLD_MUTE },
		{ other_mail_under_known_uids_is_copied, WORLD_MUTE },
		{ fewer_uids_than_an_index_without_a_state_holds_begin_anew,
		    WORLD_MUTE },
		{ a_uidnext_that_is_always_too_low_begins_nothing, WORLD_MUTE },
	};
	Suite *s = suite_create("haul_between");
	TCase *t = tcase_create("haul_between");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(t, tests[i].test, 0, tests[i].n);
	suite_add_tcase(s, t);

	return s;
}
