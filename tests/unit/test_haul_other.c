/*
 * Mailboxes and messages that have the name or the looks of others: told apart
 * by MAILBOXID (RFC 8474), by one for one, by octets. And mailboxes that change
 * while they are read.
 */
#include "haul_world.h"

#include <stdio.h>
#include <string.h>

#include "mail/flags.h"
#include "mail/name.h"

Suite *suite_haul_other(void);

/* ---- another MAILBOXID ---- */

/* Deleted, and created anew by a server that counts from the same numbers. */
static void
create_anew(struct world *w, struct world_box *b, size_t n)
{
	snprintf(b->id, sizeof(b->id), "G%u", w->contents);
	b->n = b->grave_count = 0;
	b->uidnext = b->modseq = 1;
	for (size_t i = 0; i < n; i++)
		world_arrive(w, b);
}

START_TEST(another_mailbox_of_the_same_name_is_read)
{
	struct world *w = world_of((enum world_mode)(_i / 2), "Work", NULL, 10);
	w->ids = true;
	w->no_statuses = _i % 2;
	world_complete(w);
	create_anew(w, world_find(w, "Work"), 15);
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->delivered, 15);
	ck_assert_uint_eq(world_shown(w), 15);
	world_run_free(&r);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_free(w);
}
END_TEST

START_TEST(another_mailbox_with_the_same_numbers_is_opened)
{
	struct world *w = world_of((enum world_mode)_i, "Work", NULL, 10);
	w->ids = true;
	world_complete(w);
	create_anew(w, world_find(w, "Work"), 10);
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 10);
	ck_assert_uint_eq(world_shown(w), 10);
	world_free(w);
}
END_TEST

/* By the time the connection is there again. */
static void
replace_meanwhile(struct world *w, unsigned open)
{
	if (open == 2)
		create_anew(w, world_find(w, "Work"), 15);
}

START_TEST(another_mailbox_behind_a_lost_connection_is_read_from_its_start)
{
	struct world *w = world_of((enum world_mode)(_i / 2), "Work", NULL, 20);
	w->ids = true;
	w->meanwhile = replace_meanwhile;
	*(_i % 2 ? &w->break_at : &w->break_tell) = 8;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->dials, 2);
	ck_assert_uint_eq(w->contents, 35);
	ck_assert_uint_eq(r->result.counts.inventory, 15);
	ck_assert_uint_eq(w->delivered, 15 + (_i % 2 ? 7 : 0));
	ck_assert_uint_eq(world_shown(w), 15);
	world_run_free(&r);
	w->break_at = w->break_tell = 0;
	w->meanwhile = NULL;
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(world_shown(w), 15);
	world_free(w);
}
END_TEST

static void
replace_always(struct world *w, unsigned open)
{
	(void)open;
	w->tells = 0;
	create_anew(w, world_find(w, "Work"), 15);
}

START_TEST(other_mailboxes_again_and_again_fail_it_and_end_nothing)
{
	struct world *w = world_of((enum world_mode)_i, "Work", NULL, 15);
	w->ids = true;
	world_complete(w);
	world_arrive(w, world_find(w, "Work"));
	w->meanwhile = replace_always;
	w->break_tell = 8;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_int_eq(r->result.failures[0].err.code, ERR_UIDVALIDITY);
	ck_assert_uint_eq(r->result.gone, 0);
	ck_assert_uint_ge(world_shown(w), 15);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(mailboxes_that_change_names_keep_their_mail)
{
	struct world *w = world_of((enum world_mode)_i, "A", NULL, 12);
	struct world_box *a = world_find(w, "A"), *b = world_add(w, "B");
	w->ids = true;
	b->uidvalidity = a->uidvalidity;
	for (int i = 0; i < 12; i++) {
		world_arrive(w, b);
		world_flag(b, (size_t)i, MAIL_SEEN, true);
		world_flag(a, (size_t)i, 0, false);
	}
	world_complete(w);
	world_rename(a, "B");
	world_rename(b, "A");
	for (int night = 0; night < 2; night++) {
		world_complete(w);
		ck_assert_uint_eq(w->bodies, night == 0 ? 24 : 0);
		ck_assert_uint_eq(world_shown(w), 24);
	}
	world_free(w);
}
END_TEST

START_TEST(a_server_that_stops_telling_ids_changes_nothing)
{
	struct world *w = world_of((enum world_mode)_i, "Work", NULL, 10);
	w->ids = true;
	world_complete(w);
	for (int night = 0; night < 2; night++) {
		w->ids = night > 0;
		world_arrive(w, world_find(w, "Work"));
		world_complete(w);
		ck_assert_uint_eq(w->bodies, 1);
		ck_assert_uint_eq(w->message_ids, 0);
	}
	world_free(w);
}
END_TEST

/* ---- one for one ---- */

START_TEST(what_was_matched_ends_though_one_is_never_listed)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 20);
	world_complete(w);
	world_renumber(world_find(w, "INBOX"), 900);
	w->hide = 1;
	for (int night = 0; night < 3; night++) {
		struct world_run *r = world_haul(w, NULL);
		ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 1);
		ck_assert_uint_eq(w->bodies, 0);
		ck_assert_uint_eq(world_shown(w), 20);
		world_run_free(&r);
	}
	w->hide = 0;
	world_complete(w);
	ck_assert_uint_eq(world_shown(w), 20);
	world_free(w);
}
END_TEST

START_TEST(of_two_copies_one_ends_for_each_that_was_seen)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 20);
	struct world_box *b = world_find(w, "INBOX");
	b->m[0].content = b->m[19].content;
	world_complete(w);
	world_renumber(b, 900);
	w->hide = 1;
	for (int night = 0; night < 3; night++) {
		struct world_run *r = world_haul(w, NULL);
		ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNKNOWN], 1);
		ck_assert_uint_eq(world_shown(w), 20);
		world_run_free(&r);
	}
	world_free(w);
}
END_TEST

START_TEST(the_twin_of_one_that_was_not_kept_is_fetched)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 5);
	struct world_box *b = world_find(w, "INBOX");
	struct world_message *other = world_arrive(w, b);
	other->content = b->m[2].content;
	other->other_octets = other->unreadable = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNREADABLE], 1);
	ck_assert_uint_eq(w->delivered, 5);
	world_run_free(&r);
	other->unreadable = false;
	world_renumber(b, 900);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 2);
	ck_assert_uint_eq(w->delivered, 1);
	world_free(w);
}
END_TEST

/* ---- created, or renamed, while we run ---- */

static void
file_away(struct world *w, unsigned open)
{
	if (open != 1) /* INBOX is about to be read */
		return;
	struct world_box *new = world_add(w, "Filed");
	for (int i = 0; i < 4; i++)
		world_move(w, world_find(w, "INBOX"), 0, new);
}

START_TEST(mail_in_a_mailbox_created_meanwhile_is_found_in_the_same_run)
{
	struct world *w =
	    world_of((enum world_mode)(_i / 2), "INBOX", NULL, 10);
	w->ids = _i % 2;
	w->meanwhile = file_away;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.counts.inventory, 10);
	ck_assert_uint_eq(w->delivered, 10);
	ck_assert_uint_eq(world_live(w, "Filed"), 4);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_mailbox_created_meanwhile_is_held_to_the_filter)
{
	static const char *const none[] = { "Filed" };
	const struct filter filter = { .exclude = none, .exclude_count = 1 };
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 10);
	w->meanwhile = file_away;
	struct world_run *r = world_haul(w, &filter);
	ck_assert(r->ok);
	ck_assert_uint_eq(r->result.mailboxes_excluded, 1);
	ck_assert(!world_knows(w, "Filed"));
	world_run_free(&r);
	world_free(w);
}
END_TEST

/* Three that look the same: one was there, two are created. */
static void
create_alike(struct world *w, unsigned open)
{
	if (open != 1)
		return;
	for (int i = 0; i < 2; i++) {
		struct world_box *b = world_add(w, i == 0 ? "a.b" : "a\\b");
		snprintf(b->display, sizeof(b->display), "a/b");
		world_arrive(w, b);
	}
}

START_TEST(mailboxes_created_meanwhile_that_look_like_others_are_marked)
{
	struct world *w = world_of((enum world_mode)_i, "a/b", NULL, 10);
	w->meanwhile = create_alike;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->delivered, 12);
	ck_assert_str_eq(world_display(w, "a/b"), "a/b");
	ck_assert_str_eq(world_display(w, "a.b"), "a/b%~2e7336dc8eba87ef");
	ck_assert_str_eq(world_display(w, "a\\b"), "a/b%~c62016d0f8ee3333");
	world_run_free(&r);
	world_free(w);
}
END_TEST

static void
create_unnamed(struct world *w, unsigned open)
{
	w->unlisted = open >= 1 ? 3 : 1;
}

START_TEST(a_name_that_cant_be_used_is_told_though_it_came_meanwhile)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 10);
	w->unlisted = 1;
	w->meanwhile = create_unnamed;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(r->ok && r->result.partial);
	ck_assert_uint_eq(w->delivered, 10);
	ck_assert_uint_eq(r->result.mailboxes_failed, 3);
	ck_assert_uint_eq(r->result.failure_count, 2);
	ck_assert_ptr_nonnull(
	    strstr(r->result.failures[1].err.text, "2 left out"));
	world_run_free(&r);
	world_free(w);
}
END_TEST

static void
rename_late(struct world *w, unsigned open)
{
	if (open == 2) /* Old was read */
		world_rename(world_find(w, "Old"), "New");
}

START_TEST(a_mailbox_renamed_meanwhile_is_shown_once)
{
	struct world *w = world_of((enum world_mode)_i, "Old", NULL, 10);
	w->ids = true;
	world_arrive(w, world_add(w, "Other"));
	w->meanwhile = rename_late;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(r->ok && r->result.balanced);
	ck_assert_uint_eq(world_shown(w), 11);
	world_run_free(&r);
	w->meanwhile = NULL;
	r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_renamed, 1);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(world_shown(w), 11);
	world_run_free(&r);
	world_free(w);
}
END_TEST

/* ---- a question that is refused ---- */

START_TEST(a_refused_question_costs_one_name)
{
	struct world *w = world_of((enum world_mode)(_i / 2), "INBOX", NULL, 5);
	struct world_box *lost = world_add(w, "Lost");
	world_arrive(w, lost);
	world_complete(w);
	world_delete(w, lost);
	world_arrive(w, world_find(w, "INBOX"));
	*(_i % 2 ? &w->gone_waits : &w->gone_fails) = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert_uint_gt(w->asked_gone, 0);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert(r->result.partial);
	ck_assert_uint_eq(w->delivered, 1);
	ck_assert_uint_eq(world_live(w, "Lost"), 1);
	world_run_free(&r);
	w->gone_waits = w->gone_fails = false;
	world_complete(w);
	ck_assert_uint_eq(world_shown(w), 6);
	world_free(w);
}
END_TEST

/* ---- names without a mailbox ---- */

static void
a_name_appears(struct world *w, unsigned open)
{
	if (open == 1)
		world_add(w, "Late")->attributes = MAILBOX_NONEXISTENT;
}

/* RFC 9051, 7.3.1: listed for their children's sake, or by a subscription. */
START_TEST(a_name_without_a_mailbox_is_not_opened_and_fails_nothing)
{
	const uint32_t without =
	    _i % 2 ? MAILBOX_NONEXISTENT : MAILBOX_NOSELECT;
	struct world *w = world_of(_i / 2, "INBOX", "Parent", 3);
	world_find(w, "Parent")->attributes = without;
	w->meanwhile = a_name_appears;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_ptr_nonnull(world_find(w, "Late"));
	ck_assert_uint_eq(r->result.mailboxes, 1);
	ck_assert_uint_eq(r->result.mailboxes_unselectable, 1);
	ck_assert_uint_eq(r->result.mailboxes_failed, 0);
	ck_assert(!r->result.partial);
	ck_assert_uint_eq(w->opens, 1);
	ck_assert_uint_eq(w->delivered, 3);
	ck_assert(!world_knows(w, "Parent"));
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_deleted_mailbox_whose_name_stays_for_its_children_is_gone)
{
	const uint32_t without =
	    _i % 2 ? MAILBOX_NONEXISTENT : MAILBOX_NOSELECT;
	struct world *w = world_hauled(_i / 2, "Parent", "Parent/child", 3);
	ck_assert_uint_eq(world_live(w, "Parent"), 3);
	world_find(w, "Parent")->attributes = without;
	world_find(w, "Parent")->n = 0;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_gone, 1);
	ck_assert_uint_eq(r->result.mailboxes_unselectable, 1);
	ck_assert_uint_eq(r->result.mailboxes_failed, 0);
	ck_assert_uint_eq(r->result.gone, 3);
	ck_assert_uint_eq(world_live(w, "Parent"), 0);
	world_run_free(&r);
	world_free(w);
}
END_TEST

Suite *
suite_haul_other(void)
{
	const struct {
		const TTest *test;
		int n; /* loops, mostly enum world_mode */
	} tests[] = {
		{ another_mailbox_of_the_same_name_is_read, 2 * WORLD_MUTE },
		{ another_mailbox_with_the_same_numbers_is_opened, WORLD_MUTE },
		{ another_mailbox_behind_a_lost_connection_is_read_from_its_start,
		    2 * WORLD_MUTE },
		{ other_mailboxes_again_and_again_fail_it_and_end_nothing,
		    WORLD_MUTE },
		{ mailboxes_that_change_names_keep_their_mail, WORLD_MUTE },
		{ a_server_that_stops_telling_ids_changes_nothing, WORLD_MUTE },
		{ what_was_matched_ends_though_one_is_never_listed,
		    WORLD_MUTE },
		{ of_two_copies_one_ends_for_each_that_was_seen, WORLD_MUTE },
		{ the_twin_of_one_that_was_not_kept_is_fetched, WORLD_MUTE },
		{ mail_in_a_mailbox_created_meanwhile_is_found_in_the_same_run,
		    2 * WORLD_MUTE },
		{ a_mailbox_created_meanwhile_is_held_to_the_filter,
		    WORLD_MUTE },
		{ mailboxes_created_meanwhile_that_look_like_others_are_marked,
		    WORLD_MUTE },
		{ a_name_that_cant_be_used_is_told_though_it_came_meanwhile,
		    WORLD_MUTE },
		{ a_mailbox_renamed_meanwhile_is_shown_once, WORLD_MUTE },
		{ a_refused_question_costs_one_name, 2 * WORLD_MUTE },
		{ a_name_without_a_mailbox_is_not_opened_and_fails_nothing,
		    2 * WORLD_MUTE },
		{ a_deleted_mailbox_whose_name_stays_for_its_children_is_gone,
		    2 * WORLD_MUTE },
	};
	Suite *s = suite_create("haul_other");
	TCase *t = tcase_create("haul_other");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(t, tests[i].test, 0, tests[i].n);
	suite_add_tcase(s, t);

	return s;
}
