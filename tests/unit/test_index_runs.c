/* Runs, accounts, mailbox generations, sums that balance. */
#include "index_world.h"

#include "mail/name.h"

Suite *suite_index_runs(void);

static bool
take_run(void *arg, const struct index_run *run)
{
	struct index_run **next = arg;
	*(*next)++ = *run;

	return true;
}

START_TEST(a_run_goes_from_open_to_its_end)
{
	static const enum index_run_state ends[] = { RUN_COMPLETE,
		RUN_INCOMPLETE, RUN_INTERRUPTED };
	struct world w;
	struct index_run got[4], *next = got;
	uint8_t sha256[32] = { 1, 2, 3 };
	world_open(&w);
	OK(&w, index_runs(w.ix, RUN_OPEN, take_run, &next, &w.err));
	ck_assert_int_eq(next - got, 1);
	ck_assert_uint_eq(got[0].id, w.run);
	ck_assert_str_eq(got[0].name, "run-1");
	ck_assert_str_eq(got[0].command, "copy");
	ck_assert_int_gt(got[0].started, 0);
	ck_assert_int_eq(got[0].ended, 0);
	ck_assert(!got[0].has_manifest);

	OK(&w, index_run_end(w.ix, w.run, ends[_i], &w.err));
	OK(&w, index_run_manifest(w.ix, w.run, sha256, &w.err));
	next = got;
	OK(&w, index_runs(w.ix, RUN_OPEN, take_run, &next, &w.err));
	ck_assert_int_eq(next - got, 0);
	OK(&w, index_runs(w.ix, (int)ends[_i], take_run, &next, &w.err));
	ck_assert_int_eq(next - got, 1);
	ck_assert_int_ge(got[0].ended, got[0].started);
	ck_assert(got[0].has_manifest);
	ck_assert_mem_eq(got[0].manifest, sha256, 32);
	world_close(&w);
}
END_TEST

START_TEST(when_a_killed_run_ended_is_not_told)
{
	struct world w;
	struct index_run got[4], *next = got;
	world_open(&w);
	index_close(&w.ix); /* the next start's connection: */
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	OK(&w, index_run_end(w.ix, w.run, RUN_INTERRUPTED, &w.err));
	OK(&w, index_runs(w.ix, -1, take_run, &next, &w.err));
	ck_assert_int_eq(next - got, 1);
	ck_assert_int_eq(got[0].state, RUN_INTERRUPTED);
	ck_assert_int_eq(got[0].ended, 0);
	world_close(&w);
}
END_TEST

START_TEST(runs_come_in_their_order_and_names_are_unique)
{
	struct world w;
	struct index_run got[4], *next = got;
	uint64_t second, third;
	world_open(&w);
	OK(&w, index_run_begin(w.ix, "run-2", "", &second, &w.err));
	ck_assert(!index_run_begin(w.ix, "run-2", "", &third, &w.err));
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	OK(&w, index_runs(w.ix, -1, take_run, &next, &w.err));
	ck_assert_int_eq(next - got, 2);
	ck_assert_uint_lt(got[0].id, got[1].id);
	ck_assert_uint_eq(got[1].id, second);
	/* The failed one has let go of its transaction. */
	begin(&w);
	index_rollback(w.ix);
	world_close(&w);
}
END_TEST

static bool
ask_again(void *arg, const struct index_run *run)
{
	struct world *w = arg;
	struct index_run got[4], *next = got;
	(void)run;
	OK(w, index_runs(w->ix, -1, take_run, &next, &w->err));
	ck_assert_int_eq(next - got, 1);
	w->frames++;

	return true;
}

START_TEST(a_caller_s_function_may_ask_the_same_again)
{
	struct world w;
	world_open(&w);
	OK(&w, index_runs(w.ix, -1, ask_again, &w, &w.err));
	ck_assert_uint_eq(w.frames, 1);
	world_close(&w);
}
END_TEST

/* ---- who is who ---- */

START_TEST(accounts_and_jobs_are_found_or_made)
{
	struct world w;
	uint64_t id;
	world_open(&w);
	OK(&w, index_account(w.ix, "imap", "a@example", &id, &w.err));
	ck_assert_uint_eq(id, w.source);
	OK(&w, index_account(w.ix, "archive", "a@example", &id, &w.err));
	ck_assert_uint_ne(id, w.source);
	OK(&w, index_job(w.ix, w.source, w.archive, &id, &w.err));
	ck_assert_uint_eq(id, w.job);
	begin(&w);
	OK(&w, index_account(w.ix, "imap", "b@example", &id, &w.err));
	index_rollback(w.ix);
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM account"), "3");
	ck_assert(!index_account(w.ix, "smoke", "b@example", &id, &w.err));
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	world_close(&w);
}
END_TEST

START_TEST(a_new_uidvalidity_ends_the_older_generation)
{
	struct world w;
	uint64_t second, again, other;
	bool is_new;
	world_open(&w);
	OK(&w, index_mailbox(
		   w.ix, w.source, &inbox, 77, w.run, &again, &is_new, &w.err));
	ck_assert_uint_eq(again, w.box);
	ck_assert(!is_new);
	struct source_mailbox sent = { .name = "Sent",
		.display = "Sent",
		.separator = '/',
		.attributes = MAILBOX_SENT,
		.subscribed = true,
		.mailbox_id = "M1" };
	OK(&w, index_mailbox(
		   w.ix, w.source, &sent, 77, w.run, &other, &is_new, &w.err));
	ck_assert(is_new);
	OK(&w, index_mailbox(w.ix, w.source, &inbox, 78, w.run, &second,
		   &is_new, &w.err));
	ck_assert(is_new);
	char row[64];
	snprintf(row, sizeof(row), "%llu|%llu", (unsigned long long)w.run,
	    (unsigned long long)second);
	ck_assert_str_eq(
	    judge(w.path, "SELECT last_run, replaced_by FROM mailbox "
			  "WHERE uidvalidity = 77 AND name = x'494e424f58'"),
	    row);
	ck_assert_str_eq(
	    judge(w.path, "SELECT special_use, subscribed, mailbox_id, "
			  "last_run IS NULL FROM mailbox "
			  "WHERE display = 'Sent'"),
	    "sent|1|M1|1");
	world_close(&w);
}
END_TEST

START_TEST(a_generation_that_came_back_lives_again)
{
	struct world w;
	uint64_t second, first;
	bool is_new;
	world_open(&w);
	OK(&w, index_mailbox(w.ix, w.source, &inbox, 78, w.run, &second,
		   &is_new, &w.err));
	OK(&w, index_mailbox(
		   w.ix, w.source, &inbox, 77, w.run, &first, &is_new, &w.err));
	ck_assert(!is_new);
	ck_assert_uint_eq(first, w.box);
	ck_assert_str_eq(
	    judge(w.path, "SELECT group_concat(uidvalidity) FROM mailbox "
			  "WHERE last_run IS NULL"),
	    "77");
	world_close(&w);
}
END_TEST

START_TEST(what_list_says_of_a_mailbox_is_kept_up_to_date)
{
	struct world w;
	uint64_t id;
	bool is_new;
	world_open(&w);
	struct source_mailbox now = inbox;
	now.subscribed = true;
	now.attributes = MAILBOX_ARCHIVE;
	OK(&w, index_mailbox(
		   w.ix, w.source, &now, 77, w.run, &id, &is_new, &w.err));
	ck_assert(!is_new);
	ck_assert_str_eq(
	    judge(w.path, "SELECT special_use, subscribed FROM mailbox"),
	    "archive|1");
	world_close(&w);
}
END_TEST

/* ---- state and sums ---- */

START_TEST(the_delta_state_is_told_back)
{
	struct world w;
	struct index_delta delta;
	struct source_state state = {
		.uidnext = 5, .modseq = INT64_MAX, .messages = 4
	};
	uint8_t filter[32] = { 7 };
	world_open(&w);
	OK(&w, index_delta(w.ix, w.job, w.box, &delta, &w.err));
	ck_assert(!delta.found);
	for (int i = 0; i < 2; i++) {
		state.uidnext += 10;
		begin(&w);
		OK(&w, index_delta_put(
			   w.ix, w.run, w.job, w.box, &state, filter, &w.err));
		commit(&w);
	}
	OK(&w, index_delta(w.ix, w.job, w.box, &delta, &w.err));
	ck_assert(delta.found);
	ck_assert_uint_eq(delta.state.uidnext, 25);
	ck_assert_uint_eq(delta.state.modseq, INT64_MAX);
	ck_assert_uint_eq(delta.state.messages, 4);
	ck_assert_uint_eq(delta.state.uidvalidity, 0);
	ck_assert_mem_eq(delta.filter_sha256, filter, 32);
	world_close(&w);
}
END_TEST

static bool
take_counts(void *arg, const struct index_run_row *row)
{
	struct index_counts *sum = arg;
	ck_assert_str_eq(row->source, "a@example");
	ck_assert_str_eq(row->target, "x");
	ck_assert_str_eq(row->mailbox, "INBOX");
	ck_assert_uint_eq(row->uidvalidity, 77);
	*sum = row->counts;

	return true;
}

START_TEST(counts_add_up_and_balance)
{
	struct world w;
	struct index_counts sum = { 0 };
	world_open(&w);
	for (uint64_t round = 1; round <= 2; round++) {
		struct index_counts counts = {
			.inventory = 100, .already = 10, .scanned = (int)round
		};
		for (uint64_t i = 1; i < OUTCOME_COUNT; i++)
			counts.by[i] = i;
		begin(&w);
		OK(&w, index_count(w.ix, w.run, w.job, w.box, &counts, &w.err));
		commit(&w);
	}
	OK(&w, index_run_rows(w.ix, w.run, take_counts, &sum, &w.err));
	ck_assert_uint_eq(sum.inventory, 100);
	ck_assert_int_eq(sum.scanned, 2);
	ck_assert_uint_eq(sum.already, 20);
	for (uint64_t i = 1; i < OUTCOME_COUNT; i++)
		ck_assert_uint_eq(sum.by[i], 2 * i);
	ck_assert_str_eq(
	    judge(w.path,
		"SELECT inventory - already - delivered - duplicate - "
		"excluded - repaired - quarantined - unreadable - vanished - "
		"unknown FROM run_mailbox"),
	    "8"); /* 100 - 20 - 2 * 36 */
	world_close(&w);
}
END_TEST

START_TEST(every_outcome_has_a_word)
{
	static const char *const words[] = { "pending", "delivered",
		"duplicate", "excluded", "repaired", "quarantined",
		"unreadable", "vanished", "unknown" };
	ck_assert_str_eq(outcome_word((enum outcome)_i), words[_i]);
}
END_TEST

Suite *
suite_index_runs(void)
{
	Suite *s = suite_create("index runs");
	TCase *t = tcase_create("runs");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_run_goes_from_open_to_its_end, 0, 3);
	tcase_add_test(t, when_a_killed_run_ended_is_not_told);
	tcase_add_test(t, runs_come_in_their_order_and_names_are_unique);
	tcase_add_test(t, a_caller_s_function_may_ask_the_same_again);
	suite_add_tcase(s, t);

	t = tcase_create("who");
	tcase_add_test(t, accounts_and_jobs_are_found_or_made);
	tcase_add_test(t, a_new_uidvalidity_ends_the_older_generation);
	tcase_add_test(t, a_generation_that_came_back_lives_again);
	tcase_add_test(t, what_list_says_of_a_mailbox_is_kept_up_to_date);
	suite_add_tcase(s, t);

	t = tcase_create("sums");
	tcase_add_test(t, the_delta_state_is_told_back);
	tcase_add_test(t, counts_add_up_and_balance);
	tcase_add_loop_test(t, every_outcome_has_a_word, 0, OUTCOME_COUNT);
	suite_add_tcase(s, t);

	return s;
}
