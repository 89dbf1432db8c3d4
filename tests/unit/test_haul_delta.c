/* What a second haul tells and costs, branch by branch, with the sums. */
#include "haul_world.h"

#include <stdlib.h>
#include <string.h>

#include "mail/flags.h"

Suite *suite_haul_delta(void);

START_TEST(new_flags_are_told_and_nothing_is_fetched)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	struct world_box *b = world_find(w, "INBOX");
	world_flag(b, 3, MAIL_SEEN, true);
	world_flag(b, 4, MAIL_SEEN | MAIL_FLAGGED, false);
	world_flag(b, 39, MAIL_DELETED, true);
	struct world_run *r =
	    _i == WORLD_MUTE ? world_haul(w, NULL) : world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(r->result.counts.already, 40);
	ck_assert_uint_eq(r->result.flags_changed, _i == WORLD_MUTE ? 0 : 3);
	ck_assert(r->result.balanced);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(what_is_expunged_ends)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	struct world_box *b = world_find(w, "INBOX");
	world_expunge(b, 0);
	world_expunge(b, 20);
	world_expunge(b, 37);
	world_arrive(w, b);
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 1);
	ck_assert_uint_eq(r->result.counts.inventory, 38);
	ck_assert_uint_eq(r->result.counts.already, 37);
	ck_assert_uint_eq(r->result.gone, 3);
	ck_assert_int_eq(world_row(w, "INBOX").scanned, 1);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_source_that_is_mute_about_what_is_gone_ends_nothing)
{
	struct world *w = world_hauled(WORLD_MUTE, "INBOX", NULL, 40);
	struct world_box *b = world_find(w, "INBOX");
	world_expunge(b, 0);
	world_flag(b, 5, MAIL_SEEN, false);
	for (int i = 0; i < 2; i++) {
		struct world_run *r = world_haul(w, NULL);
		ck_assert(r->ok && r->result.balanced);
		ck_assert_uint_eq(r->result.counts.inventory, 39);
		ck_assert_uint_eq(r->result.counts.already, 39);
		ck_assert_uint_eq(r->result.gone, 0);
		ck_assert_uint_eq(world_live(w, "INBOX"), 40);
		/* The sum didn't come out: every message was looked at. */
		ck_assert_int_eq(world_row(w, "INBOX").scanned, 2);
		world_run_free(&r);
	}
	world_free(w);
}
END_TEST

/* ---- what must not end a message ---- */

static void
still_there(struct world *w, const struct filter *filter, uint64_t live)
{
	struct world_run *r = world_haul(w, filter);
	ck_assert_uint_eq(r->result.gone, 0);
	ck_assert_uint_eq(world_live(w, "INBOX"), live);
	ck_assert(r->result.balanced);
	world_run_free(&r);
}

START_TEST(an_incomplete_pass_ends_nothing)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	struct world_box *b = world_find(w, "INBOX");
	world_expunge(b, 7);
	w->incomplete = true;
	still_there(w, NULL, 40);
	w->incomplete = false;
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(a_full_pass_that_lacks_some_calls_them_unknown_and_ends_nothing)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	static const struct filter other = { .max_size = 1 << 20 };
	w->hide = 3;
	struct world_run *r = world_haul(w, &other);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 3);
	ck_assert_uint_eq(r->result.counts.already, 37);
	ck_assert_uint_eq(world_live(w, "INBOX"), 40);
	world_run_free(&r);
	w->hide = 0;
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(a_refused_mailbox_ends_nothing)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	world_expunge(world_find(w, "INBOX"), 7);
	w->refuses_open = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_uint_eq(world_live(w, "INBOX"), 40);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(filters_end_nothing_and_wider_ones_find_what_they_left)
{
	struct world *w =
	    world_hauled((enum world_mode)_i, "INBOX", "Sent", 40);
	static const char *const inbox[] = { "INBOX" };
	const struct filter narrow = { .since = 1000021 };
	const struct filter no_inbox = { .exclude = inbox, .exclude_count = 1 };
	still_there(w, &narrow, 40);
	still_there(w, &no_inbox, 40);
	const struct filter only_sent = {
		.include = (const char *const[]){ "Sent" }, .include_count = 1
	};
	still_there(w, &only_sent, 40);
	ck_assert(world_knows(w, "INBOX"));
	world_free(w);

	/* What is excluded at first, under the same rule and a wider one. */
	world_tear_down();
	world_set_up();
	w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "INBOX");
	for (int i = 0; i < 40; i++)
		world_arrive(w, b);
	struct world_run *r = world_completed(w, &narrow);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_EXCLUDED], 20);
	world_run_free(&r);
	world_expunge(b, 2);  /* excluded */
	world_expunge(b, 30); /* copied */
	world_arrive(w, b);
	r = world_completed(w, &narrow);
	ck_assert_uint_eq(w->bodies, 1);
	ck_assert_uint_eq(r->result.counts.inventory, 39);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_EXCLUDED], 19);
	ck_assert_uint_eq(r->result.counts.already, 19);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 1);
	ck_assert_int_eq(world_row(w, "INBOX").scanned, 1);
	world_run_free(&r);
	r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 19);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 19);
	ck_assert_uint_eq(r->result.counts.already, 20);
	world_run_free(&r);
	world_free(w);
}
END_TEST

/* ---- what can't have changed ---- */

START_TEST(a_mailbox_with_the_same_numbers_is_not_opened)
{
	struct world *w =
	    world_hauled((enum world_mode)_i, "INBOX", "Sent", 40);
	const struct filter narrow = { .since = 1000021 };
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->opens, 0);
	ck_assert_uint_eq(w->statuses, 0);
	ck_assert_uint_eq(r->result.mailboxes_same, 2);
	ck_assert_uint_eq(r->result.mailboxes, 2);
	ck_assert_uint_eq(r->result.counts.inventory, 40);
	ck_assert_uint_eq(r->result.counts.already, 40);
	ck_assert_uint_eq(world_row(w, "INBOX").already, 40);
	ck_assert_int_eq(world_row(w, "INBOX").scanned, 1);
	world_run_free(&r);
	/* Another filter: it is. */
	r = world_completed(w, &narrow);
	ck_assert_uint_ge(w->opens, 2);
	ck_assert_uint_eq(r->result.counts.already, 40);
	world_run_free(&r);
	/* A flag moves HIGHESTMODSEQ. */
	world_flag(world_find(w, "INBOX"), 0, MAIL_SEEN, false);
	r = world_completed(w, &narrow);
	ck_assert_uint_eq(w->opens, 1);
	ck_assert_uint_eq(r->result.mailboxes_same, 1);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(what_was_excluded_is_counted_without_opening)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "INBOX");
	const struct filter narrow = { .since = 1000021 };
	for (int i = 0; i < 40; i++)
		world_arrive(w, b);
	struct world_run *r = world_completed(w, &narrow);
	world_run_free(&r);
	r = world_completed(w, &narrow);
	ck_assert_uint_eq(w->opens, 0);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_EXCLUDED], 20);
	ck_assert_uint_eq(r->result.counts.already, 20);
	world_run_free(&r);
	world_free(w);
}
END_TEST

/* ---- mail that moves while we run ---- */

static void
move_early(struct world *w, unsigned open)
{
	if (open == 2) /* INBOX was read, and Sent is about to be */
		world_move(w, world_find(w, "Sent"), 0, world_find(w, "INBOX"));
}

START_TEST(mail_that_moves_behind_our_back_is_found_in_the_same_run)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *a = world_add(w, "INBOX"), *b = world_add(w, "Sent");
	for (int i = 0; i < 10; i++) {
		world_arrive(w, a);
		world_arrive(w, b);
	}
	w->meanwhile = move_early;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.counts.inventory, 20);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 20);
	ck_assert_uint_eq(r->result.mailboxes, 2);
	ck_assert_uint_eq(w->statuses, 2);
	struct index_counts row = world_row(w, "INBOX");
	ck_assert_uint_eq(row.inventory, 11);
	ck_assert_uint_eq(row.by[OUTCOME_DELIVERED], 11);
	ck_assert_uint_eq(row.already, 0);
	world_run_free(&r);
	world_free(w);
}
END_TEST

static void
arrive_always(struct world *w, unsigned open)
{
	(void)open;
	world_arrive(w, world_find(w, "Other"));
	world_arrive(w, world_find(w, "INBOX"));
	world_find(w, "INBOX")->n--; /* UIDNEXT moves on at least */
}

START_TEST(a_mailbox_that_never_rests_is_read_three_times)
{
	struct world *w = world_new((enum world_mode)_i);
	world_arrive(w, world_add(w, "INBOX"));
	world_arrive(w, world_add(w, "Other"));
	w->meanwhile = arrive_always;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(r->ok && r->result.balanced);
	ck_assert_uint_eq(w->statuses, 2);
	ck_assert_uint_le(w->opens, 6);
	world_run_free(&r);
	world_free(w);
}
END_TEST

/* ---- accidents ---- */

START_TEST(a_connection_lost_while_changes_are_told_costs_nothing)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	struct world_box *b = world_find(w, "INBOX");
	for (int i = 0; i < 10; i++)
		world_flag(b, (size_t)i, MAIL_SEEN, true);
	world_expunge(b, 12);
	world_expunge(b, 12);
	for (int i = 0; i < 10; i++)
		world_arrive(w, b);
	for (w->break_tell = 1; w->break_tell < 60; w->break_tell += 3) {
		world_complete(w);
		world_flag(b, 20, (uint8_t)(w->break_tell & 31), true);
		world_expunge(b, 5);
		world_arrive(w, b);
	}
	world_free(w);
}
END_TEST

START_TEST(rows_of_a_run_that_broke_off_and_are_gone_now_end)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 10);
	struct world_box *b = world_find(w, "INBOX");
	for (int i = 0; i < 10; i++)
		world_arrive(w, b);
	/* Ten are settled, the state isn't. */
	w->incomplete = true;
	w->hide = 0;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(r->ok);
	world_run_free(&r);
	w->incomplete = false;
	world_expunge(b, 15);
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(an_account_tried_again_in_the_same_run_replaces_its_sums)
{
	struct world *w = world_new(WORLD_QRESYNC);
	struct world_box *b = world_add(w, "INBOX");
	for (int i = 0; i < 50; i++)
		world_arrive(w, b);
	w->keep_open = true;
	w->break_at = 30;
	w->no_dial = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(!r->ok);
	ck_assert_uint_eq(w->seals, 0);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 29);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 21);
	ck_assert(r->result.balanced);
	world_run_free(&r);
	w->break_at = 0;
	w->no_dial = false;
	w->same_run = true;
	r = world_completed(w, NULL);
	ck_assert_uint_eq(w->delivered, 21);
	ck_assert_uint_eq(r->result.counts.inventory, 50);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 50);
	struct index_counts row = world_row(w, "INBOX");
	ck_assert_uint_eq(row.inventory, 50);
	ck_assert_uint_eq(row.by[OUTCOME_DELIVERED], 50);
	ck_assert_uint_eq(row.by[OUTCOME_UNKNOWN], 0);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_slow_source_is_made_durable_now_and_then)
{
	struct world *w = world_new(WORLD_QRESYNC);
	struct world_box *b = world_add(w, "INBOX");
	for (int i = 0; i < 60; i++)
		world_arrive(w, b);
	w->flush_ms = 10;
	w->body_ms = 2;
	world_complete(w);
	ck_assert_uint_gt(w->flushes, 2);
	ck_assert_uint_lt(w->widest, 60);
	world_free(w);
}
END_TEST

Suite *
suite_haul_delta(void)
{
	const struct {
		const TTest *test;
		int modes; /* the first so many of enum world_mode */
	} tests[] = {
		{ new_flags_are_told_and_nothing_is_fetched, WORLD_MODES },
		{ what_is_expunged_ends, WORLD_MUTE },
		{ a_source_that_is_mute_about_what_is_gone_ends_nothing, 1 },
		{ an_incomplete_pass_ends_nothing, WORLD_MUTE },
		{ a_full_pass_that_lacks_some_calls_them_unknown_and_ends_nothing,
		    WORLD_MUTE },
		{ a_refused_mailbox_ends_nothing, WORLD_MUTE },
		{ filters_end_nothing_and_wider_ones_find_what_they_left,
		    WORLD_MUTE },
		{ a_mailbox_with_the_same_numbers_is_not_opened, WORLD_SCAN },
		{ what_was_excluded_is_counted_without_opening, WORLD_SCAN },
		{ mail_that_moves_behind_our_back_is_found_in_the_same_run,
		    WORLD_MUTE },
		{ a_mailbox_that_never_rests_is_read_three_times, WORLD_MODES },
		{ a_connection_lost_while_changes_are_told_costs_nothing,
		    WORLD_MUTE },
		{ rows_of_a_run_that_broke_off_and_are_gone_now_end,
		    WORLD_MUTE },
		{ an_account_tried_again_in_the_same_run_replaces_its_sums, 1 },
		{ a_slow_source_is_made_durable_now_and_then, 1 },
	};
	Suite *s = suite_create("haul_delta");
	TCase *t = tcase_create("haul_delta");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(t, tests[i].test, 0, tests[i].modes);
	suite_add_tcase(s, t);

	return s;
}
