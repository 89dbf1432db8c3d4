/* What a second haul makes of a mailbox with another UIDVALIDITY or name. */
#include "haul_world.h"

#include <stdlib.h>
#include <string.h>

#include "mail/flags.h"

Suite *suite_haul_generation(void);

/* ---- another UIDVALIDITY ---- */

START_TEST(a_new_uidvalidity_is_re_matched_without_a_body)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 40);
	struct world_box *b = world_find(w, "INBOX");
	world_expunge(b, 4);
	world_renumber(b, 900);
	world_arrive(w, b);
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 1);
	ck_assert_uint_eq(w->delivered, 1);
	ck_assert_uint_eq(w->message_ids, 40);
	ck_assert_uint_eq(r->result.counts.already, 39);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 1);
	ck_assert_uint_eq(r->result.gone, 1);
	world_run_free(&r);
	/* And it goes on as any other. */
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_free(w);
}
END_TEST

START_TEST(without_a_message_id_the_octets_decide)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "INBOX");
	for (int i = 0; i < 10; i++)
		world_arrive(w, b)->nameless = i % 2 == 0;
	/* Two that can't be told apart. */
	world_arrive(w, b)->content = 2;
	world_complete(w);
	world_renumber(b, 900);
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 7);
	ck_assert_uint_eq(w->delivered, 0);
	ck_assert_uint_eq(r->result.counts.already, 11);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_filter_does_not_end_what_a_new_uidvalidity_moved)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "INBOX");
	const struct filter narrow = { .since = 1000100 };
	for (int i = 0; i < 10; i++)
		world_arrive(w, b)->nameless = i % 2 == 0;
	world_complete(w);
	world_renumber(b, 900);
	world_arrive(w, b)->nameless = true;
	world_arrive(w, b);
	struct world_run *r = world_completed(w, &narrow);
	ck_assert_uint_eq(w->delivered, 0);
	ck_assert_uint_eq(r->result.counts.already, 10);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_EXCLUDED], 2);
	ck_assert_uint_eq(r->result.gone, 0);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(an_old_uidvalidity_that_comes_back_costs_no_body)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", NULL, 20);
	struct world_box *b = world_find(w, "INBOX");
	uint64_t old = b->uidvalidity;
	world_renumber(b, 900);
	world_complete(w);
	world_renumber(b, old);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_complete(w);
	world_free(w);
}
END_TEST

/* From a backup: 15 of 20 messages are there, and UID 16 names another one. */
static struct world *
world_restored(enum world_mode mode)
{
	struct world *w = world_hauled(mode, "INBOX", NULL, 20);
	struct world_box *b = world_find(w, "INBOX");
	for (int i = 0; i < 5; i++)
		world_expunge(b, b->n - 1);
	b->grave_count = 0;
	b->uidnext = 16;
	b->modseq = 50;
	world_arrive(w, b);

	return w;
}

START_TEST(a_uidnext_that_went_down_starts_another_volume)
{
	struct world *w = world_restored((enum world_mode)_i);
	struct world_box *other = world_add(w, "Archive");
	for (int i = 0; i < 3; i++)
		world_arrive(w, other);
	/* Archive comes first here, so that a volume is open by then. */
	struct world_box swap = w->box[0];
	w->box[0] = w->box[1];
	w->box[1] = swap;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 4);
	ck_assert_uint_eq(w->delivered, 4);
	ck_assert_uint_eq(w->seals, 2);
	ck_assert_uint_eq(r->result.counts.already, 15);
	ck_assert_uint_eq(r->result.gone, 5);
	world_run_free(&r);
	world_free(w);
}
END_TEST

static void
arrive_while_asked(struct world *w, unsigned open)
{
	struct world_box *b = world_find(w, "INBOX");
	w->low_uidnext = 0;
	if (open != 2)
		return;
	w->low_uidnext = b->uidnext;
	world_arrive(w, b);
}

/* What comes between EXAMINE and the list has a UID from UIDNEXT on, too. */
START_TEST(mail_that_just_came_is_no_wrong_uidnext)
{
	struct world *w = world_restored((enum world_mode)_i);
	w->meanwhile = arrive_while_asked;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->delivered, 2);
	ck_assert_uint_eq(r->result.counts.already, 15);
	ck_assert_uint_eq(r->result.gone, 5);
	world_run_free(&r);
	world_free(w);
}
END_TEST

static void
renumber_late(struct world *w, unsigned open)
{
	if (open == 2)
		world_renumber(world_find(w, "INBOX"), 901);
}

START_TEST(uidvalidity_that_changes_in_a_run_is_begun_anew)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "INBOX");
	for (int i = 0; i < 100; i++)
		world_arrive(w, b);
	w->break_at = 50;
	w->meanwhile = renumber_late;
	struct world_run *r = world_completed(w, NULL);
	/* What came before the break is known by its Message-ID. */
	ck_assert_uint_eq(w->delivered, 100);
	ck_assert_uint_eq(r->result.counts.inventory, 100);
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_DELIVERED], 100);
	ck_assert_uint_eq(r->result.mailboxes, 1);
	struct index_counts row = world_row(w, "INBOX");
	ck_assert_uint_eq(row.inventory, 100);
	ck_assert_uint_eq(row.by[OUTCOME_DELIVERED], 100);
	world_run_free(&r);
	w->break_at = 0;
	w->meanwhile = NULL;
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(a_restless_uidvalidity_fails_the_mailbox_after_two)
{
	struct world *w =
	    world_hauled((enum world_mode)_i, "INBOX", "Sent", 20);
	w->restless = true;
	world_flag(world_find(w, "INBOX"), 0, 0, false);
	struct world_run *r = world_haul(w, NULL);
	ck_assert_uint_ge(r->result.mailboxes_failed, 1);
	ck_assert_int_eq(r->result.failures[0].err.code, ERR_UIDVALIDITY);
	ck_assert_ptr_nonnull(
	    strstr(r->result.failures[0].err.text, "can't be followed"));
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_lt(w->opens, 16);
	world_run_free(&r);
	/* It calmed down: nothing is copied again. */
	w->restless = false;
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_free(w);
}
END_TEST

/* ---- names ---- */

START_TEST(a_renamed_mailbox_is_the_same_by_its_mailboxid)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "Old");
	w->ids = true;
	for (int i = 0; i < 30; i++)
		world_arrive(w, b);
	world_complete(w);
	world_rename(b, "New");
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies + w->message_ids + w->asked_gone, 0);
	ck_assert_uint_eq(r->result.mailboxes_renamed, 1);
	ck_assert_uint_eq(r->result.counts.already, 30);
	if (_i <= WORLD_CONDSTORE)
		ck_assert_uint_eq(w->opens, 0);
	ck_assert(!world_knows(w, "Old"));
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(without_mailboxid_a_renamed_mailbox_is_re_matched)
{
	struct world *w = world_hauled((enum world_mode)_i, "Old", "Other", 30);
	world_rename(world_find(w, "Old"), "New");
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(w->asked_gone, 1);
	ck_assert_uint_eq(r->result.counts.already, 30);
	ck_assert_uint_eq(r->result.gone, 0);
	ck_assert(!world_knows(w, "Old"));
	world_run_free(&r);
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(a_deleted_mailbox_ends_when_the_server_says_so)
{
	struct world *w = world_hauled((enum world_mode)_i, "INBOX", "Junk", 5);
	struct world_box *junk = world_find(w, "Junk");
	for (int i = 0; i < 9; i++)
		world_arrive(w, junk);
	world_complete(w);
	struct world_box kept = *junk;
	world_delete(w, junk);
	w->denies_gone = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(r->ok && r->result.balanced);
	ck_assert_uint_eq(world_live(w, "Junk"), 9);
	world_run_free(&r);
	w->denies_gone = false;
	w->gone_fails = true;
	r = world_haul(w, NULL);
	ck_assert(r->ok);
	ck_assert_uint_eq(world_live(w, "Junk"), 9);
	world_run_free(&r);
	w->gone_fails = false;
	w->partial = true;
	r = world_haul(w, NULL);
	ck_assert_uint_eq(w->asked_gone, 0);
	ck_assert_uint_eq(world_live(w, "Junk"), 9);
	world_run_free(&r);
	w->partial = false;
	r = world_completed(w, NULL);
	ck_assert_uint_eq(r->result.gone, 9);
	ck_assert_uint_eq(r->result.mailboxes_gone, 1);
	ck_assert_uint_eq(r->result.counts.inventory, 5);
	world_run_free(&r);
	/* It comes back: nothing is fetched. */
	w->box[w->n++] = kept;
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 0);
	world_free(w);
}
END_TEST

START_TEST(a_move_is_known_by_its_emailid)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *a = world_add(w, "INBOX"), *b = world_add(w, "Sent");
	for (int i = 0; i < 20; i++)
		world_arrive(w, a)->email = true;
	world_complete(w);
	for (int i = 0; i < 7; i++)
		world_move(w, a, (size_t)i, b);
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(r->result.counts.already, 20);
	ck_assert_uint_eq(r->result.gone, 7);
	world_run_free(&r);
	world_free(w);
}
END_TEST

Suite *
suite_haul_generation(void)
{
	const struct {
		const TTest *test;
		int modes; /* the first so many of enum world_mode */
	} tests[] = {
		{ a_new_uidvalidity_is_re_matched_without_a_body, WORLD_MODES },
		{ without_a_message_id_the_octets_decide, WORLD_MODES },
		{ a_filter_does_not_end_what_a_new_uidvalidity_moved,
		    WORLD_MODES },
		{ an_old_uidvalidity_that_comes_back_costs_no_body,
		    WORLD_MODES },
		{ a_uidnext_that_went_down_starts_another_volume, WORLD_MODES },
		{ mail_that_just_came_is_no_wrong_uidnext, WORLD_MODES },
		{ uidvalidity_that_changes_in_a_run_is_begun_anew,
		    WORLD_MODES },
		{ a_restless_uidvalidity_fails_the_mailbox_after_two,
		    WORLD_MODES },
		{ a_renamed_mailbox_is_the_same_by_its_mailboxid, WORLD_MODES },
		{ without_mailboxid_a_renamed_mailbox_is_re_matched,
		    WORLD_MODES },
		{ a_deleted_mailbox_ends_when_the_server_says_so, WORLD_MODES },
		{ a_move_is_known_by_its_emailid, WORLD_MUTE },
	};
	Suite *s = suite_create("haul_generation");
	TCase *t = tcase_create("haul_generation");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(t, tests[i].test, 0, tests[i].modes);
	suite_add_tcase(s, t);

	return s;
}
