/* Messages and mailboxes that break the connection each time they are asked
 * for: what is lost is one message, or one mailbox, and it is told. */
#include <string.h>

#include "haul_world.h"

Suite *suite_haul_breaks(void);

enum { MANY = 40, PLACES = 5 };

/* Before and behind it is another mailbox. */
static struct world *
three_boxes(enum world_mode mode)
{
	struct world *w = world_new(mode);
	static const char *const names[] = { "A", "Drafts", "Z" };
	for (size_t i = 0; i < 3; i++) {
		struct world_box *b = world_add(w, names[i]);
		for (int k = 0; k < MANY; k++)
			world_arrive(w, b);
	}
	/* UIDs with gaps. */
	for (int k = 0; k < 10; k++)
		world_expunge(world_find(w, "Drafts"), 12);

	return w;
}

static const size_t places[PLACES] = { 0, 1, 11, 12, MANY - 11 };

static void
copied_but(struct world *w, struct world_run *r, uint64_t bad)
{
	const uint64_t *by = r->result.counts.by;
	uint64_t there = 0;
	for (size_t i = 0; i < w->n; i++)
		there += w->box[i].n;
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert(r->result.balanced);
	ck_assert_uint_eq(r->result.mailboxes_failed, 0);
	ck_assert_uint_eq(r->result.counts.inventory, there);
	ck_assert_uint_eq(by[OUTCOME_UNREADABLE], bad);
	ck_assert_uint_eq(by[OUTCOME_UNKNOWN] + by[OUTCOME_VANISHED], 0);
	ck_assert_uint_eq(
	    by[OUTCOME_DELIVERED] + r->result.counts.already, there - bad);
}

static void
hauled_but(struct world *w, uint64_t bad)
{
	struct world_run *r = world_haul(w, NULL);
	copied_but(w, r, bad);
	world_run_free(&r);
}

START_TEST(a_message_that_breaks_its_list_is_found_and_the_others_are_copied)
{
	struct world *w = three_boxes((enum world_mode)(_i / PLACES));
	struct world_message *m =
	    &world_find(w, "Drafts")->m[places[_i % PLACES]];
	m->breaks_list = true;
	hauled_but(w, 1);
	/* It was asked for by itself, and halves led there. */
	ck_assert_uint_ge(w->breaks, 3);
	ck_assert_uint_le(w->breaks, 10);
	ck_assert_uint_eq(w->delivered, 3 * MANY - 11);
	hauled_but(w, 1);
	/* It is known where to look. */
	ck_assert_uint_eq(w->breaks, 2);
	ck_assert_uint_eq(w->delivered, 0);
	m->breaks_list = false;
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 1);
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(one_that_is_new_breaks_no_later_pass)
{
	struct world *w = three_boxes((enum world_mode)_i);
	world_complete(w);
	struct world_box *b = world_find(w, "Drafts");
	for (int i = 0; i < 5; i++)
		world_arrive(w, b)->breaks_list = i % 2 == 0;
	world_expunge(b, 3);
	world_arrive(w, world_find(w, "Z"));
	hauled_but(w, 3);
	ck_assert_uint_eq(w->delivered, 3);
	for (size_t i = 0; i < b->n; i++)
		b->m[i].breaks_list = false;
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 3);
	world_free(w);
}
END_TEST

START_TEST(a_message_whose_body_breaks_the_connection_is_unreadable)
{
	struct world *w = three_boxes((enum world_mode)(_i / PLACES));
	size_t place = places[_i % PLACES];
	struct world_message *m = world_find(w, "Drafts")->m;
	m[place].breaks_body = true;
	m[place == 0 ? 20 : place - 1].breaks_list = true;
	hauled_but(w, 2);
	ck_assert_uint_eq(w->delivered, 3 * MANY - 12);
	m[place].breaks_body = false;
	m[place == 0 ? 20 : place - 1].breaks_list = false;
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 2);
	world_free(w);
}
END_TEST

START_TEST(a_mailbox_that_breaks_too_many_is_given_up_and_the_others_go_on)
{
	struct world *w = three_boxes((enum world_mode)_i);
	struct world_box *b = world_find(w, "Drafts");
	for (int i = 0; i < 200; i++)
		world_arrive(w, b);
	for (size_t i = 0; i < b->n; i++)
		b->m[i].breaks_list = i % 2 == 0;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert(r->result.balanced);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_str_eq(r->result.failures[0].mailbox, "Drafts");
	ck_assert_int_eq(r->result.failures[0].err.code, ERR_NETWORK);
	ck_assert_uint_eq(r->result.mailboxes_unreached, 0);
	ck_assert_uint_gt(r->result.counts.by[OUTCOME_UNREADABLE], 0);
	ck_assert_uint_gt(r->result.counts.by[OUTCOME_UNKNOWN], 0);
	ck_assert_uint_eq(world_live(w, "A"), MANY);
	ck_assert_uint_eq(world_live(w, "Z"), MANY);
	ck_assert_uint_le(w->dials, 900);
	world_run_free(&r);
	/* Each run knows more of them, until one gets through. */
	bool through = false;
	for (int run = 0; run < 6 && !through; run++) {
		r = world_haul(w, NULL);
		ck_assert_msg(r->ok, "%s", r->err.text);
		through = r->result.mailboxes_failed == 0;
		world_run_free(&r);
	}
	ck_assert(through);
	hauled_but(w, (b->n + 1) / 2);
	for (size_t i = 0; i < b->n; i++)
		b->m[i].breaks_list = false;
	world_complete(w);
	world_free(w);
}
END_TEST

/* Those of the mailbox at hand; nothing tells what was asked. */
static void
break_drafts(struct world *w, unsigned open)
{
	(void)open;
	w->breaks_all =
	    w->at_hand != NULL && strcmp(w->at_hand->name, "Drafts") == 0;
}

static void
break_drafts_open(struct world *w, unsigned open)
{
	(void)open;
	w->breaks_open = strcmp(w->at_hand->name, "Drafts") == 0;
}

START_TEST(a_mailbox_that_breaks_whatever_is_asked_is_given_up_alone)
{
	struct world *w = three_boxes((enum world_mode)(_i / 2));
	w->meanwhile = _i % 2 ? break_drafts_open : break_drafts;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert(r->result.balanced);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_str_eq(r->result.failures[0].mailbox, "Drafts");
	ck_assert_uint_eq(world_live(w, "A"), MANY);
	ck_assert_uint_eq(world_live(w, "Z"), MANY);
	ck_assert_uint_le(w->dials, 8);
	world_run_free(&r);
	w->meanwhile = NULL;
	w->breaks_all = w->breaks_open = false;
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(as_often_as_retries_allow_it_is_tried)
{
	struct world *w = three_boxes((enum world_mode)(_i / 4));
	w->retries = 1 + _i % 2;
	w->meanwhile = _i % 4 < 2 ? break_drafts : break_drafts_open;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_uint_eq(w->dials, 2 + (unsigned)w->retries);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_throttle_at_opening_is_no_break)
{
	struct world *w = three_boxes((enum world_mode)_i);
	w->retries = 1;
	w->throttles = 1;
	world_complete(w);
	ck_assert_uint_eq(w->throttles, 0);
	world_free(w);
}
END_TEST

START_TEST(who_hangs_up_while_he_has_us_wait_tells_nothing_of_a_message)
{
	struct world *w = world_of(WORLD_QRESYNC, "INBOX", NULL, 1);
	world_find(w, "INBOX")->m[0].puts_off = 2;
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 1);
	ck_assert_uint_eq(world_find(w, "INBOX")->m[0].puts_off, 0);
	world_free(w);
}
END_TEST

/* A is read to its end, by a second connection that brings no body. */
START_TEST(a_break_in_one_mailbox_does_not_count_for_the_next)
{
	struct world *w = three_boxes((enum world_mode)_i);
	world_complete(w);
	w->no_statuses = true;
	w->break_tell = 1;
	w->meanwhile = break_drafts;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_uint_eq(w->dials, 1 + 1 + 7);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(so_is_a_mailbox_that_breaks_while_its_uidnext_is_looked_at)
{
	struct world *w = three_boxes((enum world_mode)_i);
	world_complete(w);
	w->low_uidnext = 5;
	w->meanwhile = break_drafts;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_str_eq(r->result.failures[0].mailbox, "Drafts");
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_search_that_takes_too_long_gives_up_the_mailbox)
{
	struct world *w = three_boxes((enum world_mode)_i);
	world_find(w, "Drafts")->m[12].breaks_list = true;
	w->break_ms = 20;
	w->max_pause_ms = 10;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert_uint_eq(r->result.mailboxes_failed, 1);
	ck_assert_uint_le(w->breaks, 3);
	ck_assert_uint_eq(world_live(w, "Z"), MANY);
	world_run_free(&r);
	w->max_pause_ms = 0;
	hauled_but(w, 1);
	world_free(w);
}
END_TEST

static void
no_second_open(struct world *w, unsigned open)
{
	w->breaks_open = w->no_again = open > 1;
}

/* A delta that told too little: all is looked at, but nobody answers. */
START_TEST(a_connection_lost_for_good_before_a_second_look_fails_the_account)
{
	struct world *w = world_hauled(WORLD_MUTE, "INBOX", NULL, 10);
	world_expunge(world_find(w, "INBOX"), 3);
	w->meanwhile = no_second_open;
	struct world_run *r = world_haul(w, NULL);
	ck_assert_uint_eq(w->opens, 2);
	ck_assert(!r->ok);
	ck_assert_int_eq(r->err.scope, ERR_ACCOUNT);
	world_run_free(&r);
	world_free(w);
}
END_TEST

START_TEST(a_server_that_breaks_every_connection_fails_the_account)
{
	struct world *w = three_boxes((enum world_mode)_i);
	world_add(w, "ZZ");
	w->breaks_all = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(!r->ok);
	ck_assert_int_eq(r->err.scope, ERR_ACCOUNT);
	ck_assert_int_eq(r->err.code, ERR_NETWORK);
	ck_assert(r->err.transient);
	ck_assert_uint_eq(r->result.mailboxes_unreached, 1);
	ck_assert_ptr_nonnull(strstr(
	    r->err.text, "in Z, and 1 mailbox behind it was not reached"));
	ck_assert_uint_le(w->dials, 22);
	world_run_free(&r);
	w->breaks_all = false;
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(so_it_does_where_there_is_one_mailbox)
{
	struct world *w = world_of((enum world_mode)_i, "INBOX", NULL, 10);
	w->breaks_all = true;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(!r->ok);
	ck_assert_int_eq(r->err.scope, ERR_ACCOUNT);
	ck_assert_int_eq(r->err.code, ERR_NETWORK);
	ck_assert_uint_eq(r->result.mailboxes_unreached, 0);
	ck_assert_ptr_nonnull(strstr(r->err.text, "; in INBOX"));
	world_run_free(&r);
	w->breaks_all = false;
	world_complete(w);
	world_free(w);
}
END_TEST

START_TEST(a_network_that_is_gone_fails_the_account_and_tells_where)
{
	struct world *w = three_boxes((enum world_mode)_i);
	w->no_dial = true;
	w->break_at = MANY + 10;
	struct world_run *r = world_haul(w, NULL);
	ck_assert(!r->ok);
	ck_assert_int_eq(r->err.scope, ERR_ACCOUNT);
	ck_assert_int_eq(r->err.code, ERR_NETWORK);
	ck_assert_uint_eq(r->result.mailboxes_unreached, 1);
	ck_assert_str_eq(r->result.failures[0].mailbox, "Drafts");
	ck_assert_uint_eq(r->result.counts.by[OUTCOME_UNREADABLE], 0);
	world_run_free(&r);
	w->no_dial = false;
	w->break_at = 0;
	world_complete(w);
	world_free(w);
}
END_TEST

Suite *
suite_haul_breaks(void)
{
	const struct {
		const TTest *test;
		int ways;
	} tests[] = {
		{ a_message_that_breaks_its_list_is_found_and_the_others_are_copied,
		    WORLD_MODES * PLACES },
		{ one_that_is_new_breaks_no_later_pass, WORLD_MUTE },
		{ a_message_whose_body_breaks_the_connection_is_unreadable,
		    WORLD_MODES * PLACES },
		{ a_mailbox_that_breaks_too_many_is_given_up_and_the_others_go_on,
		    WORLD_MODES },
		{ a_mailbox_that_breaks_whatever_is_asked_is_given_up_alone,
		    WORLD_MODES * 2 },
		{ as_often_as_retries_allow_it_is_tried, WORLD_MODES * 4 },
		{ a_throttle_at_opening_is_no_break, WORLD_MODES },
		{ who_hangs_up_while_he_has_us_wait_tells_nothing_of_a_message,
		    1 },
		{ a_break_in_one_mailbox_does_not_count_for_the_next,
		    WORLD_MODES },
		{ so_is_a_mailbox_that_breaks_while_its_uidnext_is_looked_at,
		    WORLD_MODES },
		{ a_search_that_takes_too_long_gives_up_the_mailbox,
		    WORLD_MODES },
		{ a_connection_lost_for_good_before_a_second_look_fails_the_account,
		    1 },
		{ a_server_that_breaks_every_connection_fails_the_account,
		    WORLD_MODES },
		{ so_it_does_where_there_is_one_mailbox, WORLD_MODES },
		{ a_network_that_is_gone_fails_the_account_and_tells_where,
		    WORLD_MODES },
	};
	Suite *s = suite_create("haul_breaks");
	TCase *t = tcase_create("haul_breaks");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(t, tests[i].test, 0, tests[i].ways);
	suite_add_tcase(s, t);

	return s;
}
