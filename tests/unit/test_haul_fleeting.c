/* Mailboxes whose UIDs don't last (UIDNOTSTICKY, RFC 4315): at each open they
 * name other messages, under the same UIDVALIDITY or under another. */
#include <string.h>

#include "haul_world.h"
#include "mail/flags.h"

Suite *suite_haul_fleeting(void);

enum { MANY = 40, WAYS = WORLD_MODES * 2 };

/* Each mode with both kinds of UIDVALIDITY. */
static struct world *
fleeting(int way)
{
	struct world *w = world_new((enum world_mode)(way / 2));
	struct world_box *b = world_add(w, "INBOX");
	w->fleeting = true;
	w->restless = way % 2 != 0;
	for (int i = 0; i < MANY; i++)
		world_arrive(w, b);

	return w;
}

START_TEST(each_run_follows_it_and_stores_nothing_twice)
{
	struct world *w = fleeting(_i);
	struct world_box *b = world_find(w, "INBOX");
	world_complete(w);
	ck_assert_uint_eq(w->bodies, MANY);
	for (int night = 0; night < 4; night++) {
		world_complete(w);
		ck_assert_uint_eq(w->bodies, 0);
		/* Once to see what it is, once to be told Message-IDs. */
		ck_assert_uint_le(w->opens, 2);
		ck_assert_uint_eq(world_live(w, "INBOX"), MANY);
	}
	world_arrive(w, b);
	world_expunge(b, 7);
	world_expunge(b, 3);
	world_flag(b, 5, MAIL_SEEN | MAIL_ANSWERED, true);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 1);
	ck_assert_uint_eq(world_live(w, "INBOX"), MANY - 1);
	world_free(w);
}
END_TEST

START_TEST(without_a_message_id_the_octets_decide_there_too)
{
	struct world *w = fleeting(_i);
	struct world_box *b = world_find(w, "INBOX");
	b->m[4].nameless = b->m[9].nameless = true;
	world_complete(w);
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 2);
	ck_assert_uint_eq(world_live(w, "INBOX"), MANY);
	world_free(w);
}
END_TEST

START_TEST(a_lost_connection_begins_it_anew)
{
	struct world *w = fleeting(_i);
	w->break_at = MANY / 2;
	struct world_run *r = world_completed(w, NULL);
	ck_assert_uint_ge(w->dials, 1);
	/* What was settled before is not asked for again. */
	ck_assert_uint_lt(w->bodies, 2 * MANY);
	ck_assert_uint_eq(world_live(w, "INBOX"), MANY);
	world_run_free(&r);
	w->break_at = 0;
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_free(w);
}
END_TEST

/* So that each open's third announcement breaks the connection. */
static void
count_anew(struct world *w, unsigned opens)
{
	(void)opens;
	w->tells = 0;
}

START_TEST(connections_lost_again_and_again_fail_it_and_end_nothing)
{
	struct world *w = fleeting(_i);
	world_complete(w);
	struct world_box *b = world_find(w, "INBOX");
	for (int i = 0; i < 5; i++)
		world_arrive(w, b);
	w->break_tell = 3;
	w->meanwhile = count_anew;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_int_eq(r->result.failures[0].err.code, ERR_UIDVALIDITY);
	ck_assert_ptr_nonnull(
	    strstr(r->result.failures[0].err.text, "UIDNOTSTICKY"));
	ck_assert_uint_eq(r->result.gone, 0);
	world_run_free(&r);
	w->break_tell = 0;
	w->meanwhile = NULL;
	world_complete(w);
	ck_assert_uint_eq(world_live(w, "INBOX"), MANY + 5);
	world_free(w);
}
END_TEST

START_TEST(uids_that_last_again_are_followed_as_usual)
{
	struct world *w = fleeting(_i);
	world_complete(w);
	w->fleeting = w->restless = false;
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	world_arrive(w, world_find(w, "INBOX"));
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 1);
	ck_assert_uint_eq(w->message_ids, 0);
	world_free(w);
}
END_TEST

START_TEST(one_that_was_followed_loses_nothing_when_its_uids_stop_to_last)
{
	struct world *w = fleeting(_i);
	w->fleeting = w->restless = false;
	world_complete(w);
	world_flag(world_find(w, "INBOX"), 2, MAIL_SEEN, false);
	w->fleeting = true;
	w->restless = _i % 2 != 0;
	world_complete(w);
	ck_assert_uint_eq(w->bodies, 0);
	ck_assert_uint_eq(world_live(w, "INBOX"), MANY);
	world_free(w);
}
END_TEST

Suite *
suite_haul_fleeting(void)
{
	const TTest *tests[] = {
		each_run_follows_it_and_stores_nothing_twice,
		without_a_message_id_the_octets_decide_there_too,
		a_lost_connection_begins_it_anew,
		connections_lost_again_and_again_fail_it_and_end_nothing,
		uids_that_last_again_are_followed_as_usual,
		one_that_was_followed_loses_nothing_when_its_uids_stop_to_last
	};
	Suite *s = suite_create("haul_fleeting");
	TCase *t = tcase_create("haul_fleeting");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(t, tests[i], 0, WAYS);
	suite_add_tcase(s, t);

	return s;
}
