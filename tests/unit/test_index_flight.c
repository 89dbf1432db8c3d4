/* A server as the target: what flies, lands or is dropped. */
#include "index_air.h"

Suite *suite_index_flight(void);

static bool
show_flight(void *arg, const struct index_flight *f)
{
	ck_assert_int_gt(f->sent, 0);
	buf_fmt(
	    arg, "%s/%d from %d;", f->name, (int)f->uidvalidity, (int)f->base);

	return true;
}

static const char *
flights(struct air *a)
{
	static char line[256];
	struct buf out = { 0 };
	OK(&a->w, index_flights(a->w.ix, a->job, show_flight, &out, &a->w.err));
	snprintf(line, sizeof(line), "%s", out.len == 0 ? "" : out.data);
	buf_free(&out);

	return line;
}

static const struct mail three[] = { { .uid = 2, .header = OTHER },
	{ .uid = 1, .header = HEADER, .body = 7, .idate = IDATE + 3 },
	{ .uid = 3, .header = SUBJECT } };

/* ---- flying and landing ---- */

START_TEST(a_batch_is_told_until_all_of_it_has_landed)
{
	struct air a;
	uint64_t top;
	air_open(&a);
	ck_assert_str_eq(flights(&a), "");
	uint64_t batch = send(&a, three, 3, 41);
	ck_assert_str_eq(flights(&a), "INBOX/900 from 41;");
	ck_assert_str_eq(flying(&a, batch),
	    "1:one@example.org:40:3:5:8;2:two@example.org:33:0:5:8;"
	    "3:-:27:0:5:8;");
	ck_assert_str_eq(judge(a.w.path, "SELECT count(*) FROM stored"), "0");
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_PENDING);
	begin(&a.w);
	land(&a, 1, 41);
	land(&a, 2, 42);
	land(&a, 3, 43);
	end_batch(&a, batch);
	commit(&a.w);
	ck_assert_str_eq(flights(&a), "");
	ck_assert_str_eq(flying(&a, batch), "");
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_DELIVERED);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 41);
	ck_assert_uint_eq(tuid_of(&a, 0, 3), 43);
	OK(&a.w, index_tuid_top(a.w.ix, a.tbox, &top, &a.w.err));
	ck_assert_uint_eq(top, 43);
	ck_assert(taken(&a, 42));
	ck_assert(!taken(&a, 44));
	ck_assert(!todo(&a));
	world_close(&a.w);
}
END_TEST

START_TEST(batches_are_told_in_the_order_they_left)
{
	struct air a;
	air_open(&a);
	uint64_t first = send(&a, three, 1, 50);
	send(&a, three + 1, 1, 40);
	send(&a, three + 2, 1, 60);
	ck_assert_str_eq(flights(&a),
	    "INBOX/900 from 50;INBOX/900 from 40;INBOX/900 from 60;");
	begin(&a.w);
	drop(&a, 2);
	end_batch(&a, first);
	commit(&a.w);
	ck_assert_str_eq(flights(&a), "INBOX/900 from 40;INBOX/900 from 60;");
	/* Another job's are not this one's. */
	a.job = a.w.job;
	ck_assert_str_eq(flights(&a), "");
	world_close(&a.w);
}
END_TEST

START_TEST(what_did_not_land_is_to_be_done_again)
{
	struct air a;
	uint64_t by[OUTCOME_COUNT], counts[OUTCOME_COUNT];
	struct index_walk *walk;
	struct index_known known;
	bool end;
	air_open(&a);
	uint64_t batch = send(&a, three, 3, 41);
	ck_assert(todo(&a));
	begin(&a.w);
	drop(&a, 1);
	land(&a, 2, 41);
	refuse(&a, 3);
	end_batch(&a, batch);
	commit(&a.w);
	ck_assert(todo(&a));
	OK(&a.w, index_outcomes(a.w.ix, a.job, a.w.box, counts, &a.w.err));
	OK(&a.w, index_live_count(
		     a.w.ix, a.job, a.w.box, 0, UINT64_MAX, by, &a.w.err));
	ck_assert_mem_eq(by, counts, sizeof(by));
	ck_assert_uint_eq(by[OUTCOME_PENDING], 1);
	ck_assert_uint_eq(by[OUTCOME_DELIVERED], 1);
	ck_assert_uint_eq(by[OUTCOME_QUARANTINED], 1);
	OK(&a.w, index_walk_open(a.w.ix, &walk, a.job, a.w.box, 0, &a.w.err));
	OK(&a.w, index_walk_next(walk, &known, &end, &a.w.err));
	ck_assert_uint_eq(known.okey, 1);
	ck_assert_int_eq(known.outcome, OUTCOME_PENDING);
	index_walk_close(&walk);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 0);
	world_close(&a.w);
}
END_TEST

START_TEST(a_refused_one_that_did_not_land_stays_refused)
{
	struct air a;
	air_open(&a);
	begin(&a.w);
	refuse(&a, 1);
	commit(&a.w);
	uint64_t batch = send(&a, three + 1, 1, 41);
	ck_assert_str_eq(flights(&a), "INBOX/900 from 41;");
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_QUARANTINED);
	begin(&a.w);
	drop(&a, 1);
	end_batch(&a, batch);
	commit(&a.w);
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_QUARANTINED);
	batch = send(&a, three + 1, 1, 41);
	begin(&a.w);
	land(&a, 1, 0);
	end_batch(&a, batch);
	commit(&a.w);
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_DELIVERED);
	ck_assert_str_eq(judge(a.w.path, "SELECT class, text FROM note"),
	    "refused|NUL isn't mail");
	world_close(&a.w);
}
END_TEST

START_TEST(a_batch_does_not_end_before_its_messages_are_settled)
{
	struct air a;
	air_open(&a);
	uint64_t batch = send(&a, three, 2, 41);
	begin(&a.w);
	land(&a, 1, 41);
	ck_assert(!index_fly_end(a.w.ix, batch, &a.w.err));
	ck_assert_int_eq(a.w.err.code, ERR_DAMAGED);
	ck_assert(!index_fly_end(a.w.ix, batch + 1, &a.w.err));
	ck_assert_int_eq(a.w.err.code, ERR_DAMAGED);
	index_rollback(a.w.ix);
	/* Nothing of that counts, and nothing of what was never committed. */
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_PENDING);
	begin(&a.w);
	fly(&a, three + 2, batch_of(&a, 99));
	index_rollback(a.w.ix);
	ck_assert_str_eq(flights(&a), "INBOX/900 from 41;");
	world_close(&a.w);
}
END_TEST

START_TEST(equal_messages_of_one_mailbox_stay_two)
{
	static const struct mail twins[] = { { .uid = 1, .header = HEADER },
		{ .uid = 2, .header = HEADER } };
	struct air a;
	air_open(&a);
	uint64_t batch = send(&a, twins, 2, 41);
	ck_assert_str_eq(flying(&a, batch),
	    "1:one@example.org:33:0:5:8;2:one@example.org:33:0:5:8;");
	begin(&a.w);
	land(&a, 1, 42);
	land(&a, 2, 41);
	end_batch(&a, batch);
	commit(&a.w);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 42);
	ck_assert_uint_eq(tuid_of(&a, 0, 2), 41);
	ck_assert_str_eq(judge(a.w.path, "SELECT count(*) FROM content"), "1");
	world_close(&a.w);
}
END_TEST

START_TEST(a_uid_on_the_target_belongs_to_one_message)
{
	struct air a;
	air_open(&a);
	uint64_t batch = send(&a, three, 3, 41);
	begin(&a.w);
	land(&a, 1, 41);
	ck_assert(!try_land(&a, 0, 2, 41));
	ck_assert_int_eq(a.w.err.code, ERR_DAMAGED);
	index_rollback(a.w.ix);
	begin(&a.w);
	land(&a, 1, 41);
	land(&a, 2, 0); /* not told: of as many as like */
	land(&a, 3, 0);
	end_batch(&a, batch);
	ck_assert(!try_land(&a, 0, 17, 99)); /* nobody knows it */
	ck_assert_int_eq(a.w.err.code, ERR_DAMAGED);
	commit(&a.w);
	ck_assert_int_eq(outcome_of(&a, 2), OUTCOME_DELIVERED);
	ck_assert_uint_eq(tuid_of(&a, 0, 2), 0);
	/* Another generation there counts anew. */
	a.tbox = target_mailbox(&a, 901);
	ck_assert(!taken(&a, 41));
	begin(&a.w);
	land(&a, 2, 41);
	commit(&a.w);
	ck_assert_uint_eq(tuid_of(&a, 0, 2), 41);
	world_close(&a.w);
}
END_TEST

START_TEST(what_lies_there_already_lands_without_a_flight)
{
	struct air a;
	air_open(&a);
	begin(&a.w);
	fly(&a, three, 0);
	land(&a, 2, 7);
	commit(&a.w);
	ck_assert_str_eq(flights(&a), "");
	ck_assert_uint_eq(tuid_of(&a, 0, 2), 7);
	world_close(&a.w);
}
END_TEST

/* ---- target mailboxes ---- */

START_TEST(a_target_mailbox_is_in_doubt_under_another_uidvalidity)
{
	struct air a;
	struct index_tbox t;
	air_open(&a);
#define TBOX(id, uidnext) \
	OK(&a.w, index_tbox(a.w.ix, a.job, "INBOX", id, uidnext, &t, &a.w.err))
#define IS(base, done, doubtful)               \
	ck_assert_uint_eq(t.base0, base);      \
	ck_assert_uint_eq(t.reconciled, done); \
	ck_assert_int_eq(t.doubt, doubtful)
	TBOX(a.tbox, 30);
	IS(30, 1, false);
	TBOX(a.tbox, 77);
	ck_assert_uint_eq(t.id, a.tbox);
	IS(30, 1, false);
	OK(&a.w, index_tbox_doubt(a.w.ix, a.job, "INBOX", true, 70, &a.w.err));
	TBOX(a.tbox, 77);
	IS(30, 70, true);
	OK(&a.w, index_tbox_doubt(a.w.ix, a.job, "INBOX", false, 77, &a.w.err));
	TBOX(a.tbox, 20); /* it went down */
	IS(20, 20, false);
	OK(&a.w, index_tbox_doubt(a.w.ix, a.job, "INBOX", false, 77, &a.w.err));
	uint64_t next = target_mailbox(&a, 901);
	ck_assert_uint_ne(next, a.tbox);
	TBOX(next, 500);
	ck_assert_uint_eq(t.id, next);
	IS(1, 1, false);
	TBOX(next, 0); /* as it was left */
	IS(1, 1, false);
	ck_assert(
	    !index_tbox_doubt(a.w.ix, a.job, "Other", false, 1, &a.w.err));
	ck_assert_int_eq(a.w.err.code, ERR_DAMAGED);
	ck_assert_str_eq(
	    judge(a.w.path, "SELECT count(*) FROM target_box"), "1");
#undef IS
#undef TBOX
	world_close(&a.w);
}
END_TEST

Suite *
suite_index_flight(void)
{
	Suite *s = suite_create("index flight");
	TCase *t = tcase_create("index flight");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_batch_is_told_until_all_of_it_has_landed);
	tcase_add_test(t, batches_are_told_in_the_order_they_left);
	tcase_add_test(t, what_did_not_land_is_to_be_done_again);
	tcase_add_test(t, a_refused_one_that_did_not_land_stays_refused);
	tcase_add_test(t, a_batch_does_not_end_before_its_messages_are_settled);
	tcase_add_test(t, equal_messages_of_one_mailbox_stay_two);
	tcase_add_test(t, a_uid_on_the_target_belongs_to_one_message);
	tcase_add_test(t, what_lies_there_already_lands_without_a_flight);
	tcase_add_test(
	    t, a_target_mailbox_is_in_doubt_under_another_uidvalidity);
	suite_add_tcase(s, t);

	return s;
}
