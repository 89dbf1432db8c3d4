/* Placements over time: what is told of a message as of each run. */
#include "index_story.h"

Suite *suite_index_history(void);

START_TEST(flags_are_told_as_they_were_in_each_run)
{
	struct world w;
	one_message(&w);
	begin(&w);
	ck_assert(!change(&w, 7, 8, ""));
	ck_assert(change(&w, 7, 9, "$A $B"));
	ck_assert(!change(&w, 7, 9, "$A $B"));
	ck_assert(!change(&w, 8, 9, "$A $B")); /* there is none */
	commit(&w);
	ck_assert_str_eq(as_of(&w, 1), "7:8:");
	ck_assert_str_eq(as_of(&w, 2), "7:9:$A $B");
	begin(&w);
	ck_assert(change(&w, 7, 1, ""));
	commit(&w);
	ck_assert_str_eq(as_of(&w, 2), "7:1:");
	ck_assert_str_eq(now(&w), "7:1:");
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM placement"), "2");
	world_close(&w);
}
END_TEST

START_TEST(what_ended_is_gone_from_now_and_not_from_the_archive)
{
	struct world w;
	struct kept where = one_message(&w);
	begin(&w);
	ck_assert_uint_eq(end_range(&w, 1, 6), 0);
	ck_assert_uint_eq(end_range(&w, 7, UINT64_MAX), 1);
	ck_assert_uint_eq(end_range(&w, 0, UINT64_MAX), 0);
	ck_assert(!change(&w, 7, 0, ""));
	commit(&w);
	ck_assert_str_eq(now(&w), "");
	ck_assert_str_eq(as_of(&w, 1), "7:8:");
	ck_assert_str_eq(as_of(&w, 2), "");
	const struct index_query found[] = {
		{ .outcome = -1, .volume = VOLUME },
		{ .outcome = -1, .sha256 = where.sha256 },
		{ .outcome = -1, .message_id = "one@x" },
		{ .outcome = -1, .ended = true },
	};
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
		ck_assert_str_eq(shown(&w, &found[i]), "7:8: ended run-2");
	world_close(&w);
}
END_TEST

START_TEST(a_message_that_comes_back_begins_anew_with_its_entry)
{
	struct world w;
	bool again;
	struct kept where = one_message(&w);
	struct placement p = as_sent(&where, 7);
	begin(&w);
	end_range(&w, 7, 7);
	commit(&w);
	end_run(&w, RUN_COMPLETE);
	next_run(&w, "run-3");
	begin(&w);
	p.size++; /* another message, then */
	OK(&w,
	    index_settle_again(w.ix, w.run, w.job, w.box, &p, &again, &w.err));
	ck_assert(!again);
	p.size--;
	OK(&w,
	    index_settle_again(w.ix, w.run, w.job, w.box, &p, &again, &w.err));
	ck_assert(again);
	commit(&w);
	ck_assert_str_eq(as_of(&w, 1), "7:8:");
	ck_assert_str_eq(as_of(&w, 2), "");
	ck_assert_str_eq(as_of(&w, 3), "7:2:");
	ck_assert_str_eq(
	    judge(w.path, "SELECT claim, entry, run FROM delivery"),
	    "0|a/INBOX/cur/7|3");
	world_close(&w);
}
END_TEST

START_TEST(what_is_said_again_is_one_version)
{
	struct world w;
	struct kept where = one_message(&w);
	struct placement p = as_sent(&where, 7);
	p.flags = 8;
	begin(&w);
	OK(&w, index_settle_known(w.ix, w.run, w.job, w.box, &p, where.sha256,
		   &w.known, &w.err));
	commit(&w);
	ck_assert_str_eq(
	    judge(w.path, "SELECT count(*), max(from_run) FROM placement"),
	    "1|1");
	world_close(&w);
}
END_TEST

/* "7 begun, 8 ended, ": what a run changed. */
static const char *
changes(struct world *w)
{
	static const char *const words[] = { [CHANGE_NONE] = "none",
		[CHANGE_BEGUN] = "begun",
		[CHANGE_ENDED] = "ended",
		[CHANGE_OUTCOME] = "outcome" };
	static char text[1024];
	struct index_query query = { .outcome = OUTCOME_COUNT,
		.changes = w->run };
	struct index_rows *rows;
	struct index_row row;
	bool end;
	size_t len = 0;
	text[0] = '\0';
	OK(w, index_rows_open(w->ix, &rows, &query, &w->err));
	for (;;) {
		OK(w, index_rows_next(rows, &row, &end, &w->err));
		if (end)
			break;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%llu %s, ", (unsigned long long)row.row.uid,
		    words[row.change]);
	}
	index_rows_close(&rows);

	return text;
}

START_TEST(a_run_s_changes_are_told_once)
{
	struct world w;
	one_message(&w);
	ck_assert_str_eq(changes(&w), "");
	begin(&w);
	settle(&w, &(struct sent){
		       .uid = 9, .header = "Subject: 9\r\n", .offset = 9 });
	lose(&w, 10, OUTCOME_UNREADABLE, "no");
	commit(&w);
	ck_assert_str_eq(changes(&w), "9 begun, 10 outcome, ");
	begin(&w);
	change(&w, 7, 1, "");
	commit(&w);
	ck_assert_str_eq(changes(&w), "9 begun, 10 outcome, 7 begun, ");
	begin(&w); /* two versions of each end here */
	end_range(&w, 7, 9);
	commit(&w);
	ck_assert_str_eq(
	    changes(&w), "9 begun, 10 outcome, 7 ended, 9 ended, ");
	next_run(&w, "run-3");
	begin(&w); /* what was left out and is taken in */
	settle(&w, &(struct sent){
		       .uid = 10, .header = "Subject: 10\r\n", .offset = 10 });
	commit(&w);
	ck_assert_str_eq(changes(&w), "10 begun, ");
	world_close(&w);
}
END_TEST

START_TEST(a_message_that_comes_back_unreadable_is_kept_still)
{
	struct world w;
	one_message(&w);
	begin(&w);
	end_range(&w, 7, 7);
	commit(&w);
	next_run(&w, "run-3");
	begin(&w);
	lose(&w, 7, OUTCOME_UNREADABLE, "no");
	commit(&w);
	ck_assert_str_eq(as_of(&w, 2), "");
	ck_assert_str_eq(now(&w), "7:0:");
	ck_assert_str_eq(changes(&w), "7 begun, ");
	world_close(&w);
}
END_TEST

START_TEST(an_entry_that_was_given_up_stays_in_its_volume)
{
	struct world w;
	one_message(&w);
	begin(&w);
	end_range(&w, 7, 7);
	add_volume(&w, "v-2");
	settle(&w,
	    &(struct sent){
		.uid = 7, .header = "Subject: another\r\n", .volume = "v-2" });
	commit(&w);
	ck_assert_str_eq(
	    shown(&w, &(struct index_query){ .outcome = -1, .volume = VOLUME }),
	    "7:8:");
	ck_assert_str_eq(
	    shown(&w, &(struct index_query){ .outcome = -1, .volume = "v-2" }),
	    "7:8:");
	ck_assert_str_eq(now(&w), "7:8:");
	ck_assert_str_eq(
	    judge(w.path, "SELECT count(*), count(DISTINCT content) FROM "
			  "(SELECT content FROM former UNION ALL "
			  "SELECT content FROM placement WHERE to_run IS "
			  "NULL)"),
	    "2|2");
	world_close(&w);
}
END_TEST

START_TEST(what_is_known_already_has_no_entry)
{
	struct world w;
	struct kept where = one_message(&w);
	struct placement p = as_sent(&where, 8);
	uint8_t none[32] = { 1 };
	begin(&w);
	OK(&w, index_settle_known(w.ix, w.run, w.job, w.box, &p, where.sha256,
		   &w.known, &w.err));
	ck_assert(!index_settle_known(
	    w.ix, w.run, w.job, w.box, &p, none, &w.known, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	commit(&w);
	ck_assert_str_eq(now(&w), "7:8: 8:2:");
	ck_assert_str_eq(
	    shown(&w, &(struct index_query){ .outcome = -1, .volume = VOLUME }),
	    "7:8:");
	ck_assert_str_eq(
	    judge(w.path, "SELECT outcome, claim, volume IS NULL, "
			  "entry IS NULL FROM delivery WHERE okey = 8"),
	    "1|3|1|1");
	world_close(&w);
}
END_TEST

START_TEST(what_was_left_out_is_not_told_of_the_time_before_it_came)
{
	struct world w;
	one_message(&w);
	begin(&w);
	lose(&w, 9, OUTCOME_EXCLUDED, "--max-size");
	commit(&w);
	next_run(&w, "run-3");
	begin(&w);
	settle(
	    &w, &(struct sent){
		    .uid = 9, .header = "Subject: late\r\n", .offset = 700 });
	commit(&w);
	ck_assert_str_eq(as_of(&w, 2), "7:8:");
	ck_assert_str_eq(as_of(&w, 3), "7:8: 9:8:");
	world_close(&w);
}
END_TEST

Suite *
suite_index_history(void)
{
	Suite *s = suite_create("index history");
	TCase *t = tcase_create("functions");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, flags_are_told_as_they_were_in_each_run);
	tcase_add_test(t, what_ended_is_gone_from_now_and_not_from_the_archive);
	tcase_add_test(t, a_message_that_comes_back_begins_anew_with_its_entry);
	tcase_add_test(t, what_is_said_again_is_one_version);
	tcase_add_test(t, a_run_s_changes_are_told_once);
	tcase_add_test(t, a_message_that_comes_back_unreadable_is_kept_still);
	tcase_add_test(t, an_entry_that_was_given_up_stays_in_its_volume);
	tcase_add_test(t, what_is_known_already_has_no_entry);
	tcase_add_test(
	    t, what_was_left_out_is_not_told_of_the_time_before_it_came);
	suite_add_tcase(s, t);

	return s;
}
