/* Mailboxes and runs over time: names, generations, matches, moments. */
#include "base/buf.h"
#include "index_story.h"
#include "mail/name.h"

Suite *suite_index_mailboxes(void);

static bool
take_id(void *arg, uint64_t id)
{
	*(uint64_t *)arg = id;

	return true;
}

START_TEST(a_replaced_generation_lives_until_it_is_ended)
{
	struct world w;
	uint64_t second, replaced = 0, n;
	bool is_new;
	struct source_state state = { .uidnext = 8, .messages = 1 };
	uint8_t filter[32] = { 0 };
	struct index_delta delta;
	one_message(&w);
	begin(&w);
	OK(&w,
	    index_delta_put(w.ix, w.run, w.job, w.box, &state, filter, &w.err));
	commit(&w);
	OK(&w, index_mailbox(w.ix, w.source, &inbox, 78, w.run, &second,
		   &is_new, &w.err));
	ck_assert_str_eq(now(&w), "7:8:");
	OK(&w, index_replaced(w.ix, second, take_id, &replaced, &w.err));
	ck_assert_uint_eq(replaced, w.box);
	begin(&w);
	OK(&w, index_end_mailbox(w.ix, w.run, w.box, second, &n, &w.err));
	commit(&w);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(now(&w), "");
	ck_assert_str_eq(as_of(&w, 1), "7:8:");
	replaced = 0;
	OK(&w, index_replaced(w.ix, second, take_id, &replaced, &w.err));
	ck_assert_uint_eq(replaced, 0);
	/* Should it come back, nothing of it is taken for granted. */
	OK(&w, index_delta(w.ix, w.job, w.box, &delta, &w.err));
	ck_assert(!delta.found);
	world_close(&w);
}
END_TEST

START_TEST(a_renamed_mailbox_takes_everything_with_it)
{
	static const struct source_mailbox other = {
		.name = "Other", .display = "Other", .separator = '/'
	};
	struct world w;
	uint64_t to, n;
	bool is_new;
	uint64_t by[OUTCOME_COUNT];
	struct source_state state = { .uidnext = 700, .messages = 600 };
	uint8_t filter[32] = { 3 };
	struct index_delta delta;
	one_message(&w);
	begin(&w);
	for (uint64_t uid = 100; uid < 600; uid++)
		settle(&w, &(struct sent){ .uid = uid,
			       .header = "Message-ID: <one@x>\r\n"
					 "Subject: S\r\n",
			       .offset = uid });
	lose(&w, 601, OUTCOME_UNREADABLE, "no");
	OK(&w,
	    index_delta_put(w.ix, w.run, w.job, w.box, &state, filter, &w.err));
	commit(&w);
	next_run(&w, "run-3");
	OK(&w, index_mailbox(
		   w.ix, w.source, &other, 77, w.run, &to, &is_new, &w.err));
	begin(&w);
	OK(&w, index_rename(w.ix, w.run, w.job, w.box, to, &n, &w.err));
	commit(&w);
	ck_assert_uint_eq(n, 502);
	OK(&w, index_live_count(w.ix, w.job, to, 0, UINT64_MAX, by, &w.err));
	ck_assert_uint_eq(by[OUTCOME_DELIVERED], 501);
	ck_assert_uint_eq(by[OUTCOME_UNREADABLE], 1);
	OK(&w, index_live_count(w.ix, w.job, w.box, 0, UINT64_MAX, by, &w.err));
	ck_assert_uint_eq(by[OUTCOME_DELIVERED], 0);
	OK(&w, index_delta(w.ix, w.job, to, &delta, &w.err));
	ck_assert(delta.found);
	ck_assert_uint_eq(delta.state.uidnext, 700);
	ck_assert_mem_eq(delta.filter_sha256, filter, 32);
	/* And back again: the entries are those of before. */
	next_run(&w, "run-4");
	OK(&w, index_mailbox(
		   w.ix, w.source, &inbox, 77, w.run, &w.box, &is_new, &w.err));
	ck_assert(!is_new);
	begin(&w);
	OK(&w, index_rename(w.ix, w.run, w.job, to, w.box, &n, &w.err));
	commit(&w);
	ck_assert_uint_eq(n, 502);
	ck_assert_str_eq(
	    judge(w.path, "SELECT count(*), count(volume) FROM delivery "
			  "WHERE outcome = 1 AND mailbox = 1"),
	    "501|501");
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM former"), "0");
	world_close(&w);
}
END_TEST

/* What B saw of A before it was renamed has ended its twin already. */
START_TEST(a_renamed_generation_ends_no_twin_a_second_time)
{
	static const struct source_mailbox other = {
		.name = "Other", .display = "Other", .separator = '/'
	};
	static const char same[] = "Message-ID: <one@x>\r\nSubject: S\r\n";
	struct world w;
	uint64_t b, renamed, n;
	bool is_new;
	one_message(&w);
	begin(&w);
	settle(&w, &(struct sent){ .uid = 8, .header = same, .offset = 8 });
	commit(&w);
	next_run(&w, "run-3");
	OK(&w, index_mailbox(
		   w.ix, w.source, &inbox, 78, w.run, &b, &is_new, &w.err));
	begin(&w);
	settle(&w,
	    &(struct sent){ .uid = 1, .header = same, .box = b, .offset = 9 });
	OK(&w, index_end_twins(w.ix, w.run, b, 0, &n, &w.err));
	commit(&w);
	ck_assert_uint_eq(n, 1);
	next_run(&w, "run-4");
	OK(&w, index_mailbox(w.ix, w.source, &other, 78, w.run, &renamed,
		   &is_new, &w.err));
	begin(&w);
	OK(&w, index_rename(w.ix, w.run, w.job, b, renamed, &n, &w.err));
	ck_assert_uint_eq(n, 1);
	OK(&w, index_end_twins(w.ix, w.run, renamed, 0, &n, &w.err));
	commit(&w);
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(
	    judge(
		w.path, "SELECT count(*) FROM placement WHERE to_run IS NULL"),
	    "2");
	world_close(&w);
}
END_TEST

START_TEST(a_mailbox_is_walked_in_order_with_outcomes)
{
	static const char *const words[] = { "$B", "$A" };
	struct world w;
	struct index_walk *walk;
	struct index_known known;
	struct buf told = { 0 };
	bool end = false, any;
	one_message(&w);
	begin(&w);
	settle(&w, &(struct sent){ .uid = 20,
		       .header = "Subject: 20\r\n",
		       .offset = 20,
		       .keywords = words,
		       .keyword_count = 2 });
	lose(&w, 10, OUTCOME_UNREADABLE, "no");
	lose(&w, 11, OUTCOME_UNREADABLE, "no");
	end_range(&w, 11, 11);
	commit(&w);
	OK(&w, index_walk_open(w.ix, &walk, w.job, w.box, 7, &w.err));
	while (index_walk_next(walk, &known, &end, &w.err))
		buf_fmt(&told, "%llu %s %u [%s], ",
		    (unsigned long long)known.okey, outcome_word(known.outcome),
		    known.flags, known.keywords);
	ck_assert(end);
	index_walk_close(&walk);
	ck_assert_ptr_null(walk);
	ck_assert_str_eq(told.data, "7 delivered 8 [], 10 unreadable 0 [], "
				    "20 delivered 8 [$A $B], ");
	buf_free(&told);
	OK(&w, index_todo(w.ix, w.job, w.box, &any, &w.err));
	ck_assert(any);
	begin(&w);
	end_range(&w, 10, 10);
	commit(&w);
	OK(&w, index_todo(w.ix, w.job, w.box, &any, &w.err));
	ck_assert(!any); /* nobody asks for what is gone */
	world_close(&w);
}
END_TEST

static bool
is_seven(void *arg, uint64_t okey)
{
	(void)arg;

	return okey == 7;
}

START_TEST(a_twin_is_told_if_it_is_the_only_one)
{
	struct world w;
	uint64_t n, okey = 0;
	uint8_t hash[32];
	struct kept where = one_message(&w);
	uint64_t size = where.size + 1;
#define TWIN(size, idate, mid, taken)                                        \
	OK(&w, index_match_twin(w.ix, w.job, w.box, w.run, size, idate, mid, \
		   taken, NULL, &n, hash, &okey, &w.err))
	TWIN(size, IDATE, "one@x", NULL);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(okey, 7);
	ck_assert_mem_eq(hash, where.sha256, 32);
	TWIN(size + 1, IDATE, "one@x", NULL);
	ck_assert_uint_eq(n, 0);
	TWIN(size, IDATE + 1, "one@x", NULL);
	ck_assert_uint_eq(n, 0);
	TWIN(size, IDATE, "two@x", NULL);
	ck_assert_uint_eq(n, 0);
	TWIN(size, IDATE, "", NULL);
	ck_assert_uint_eq(n, 0);
	TWIN(size, IDATE, "one@x", is_seven);
	ck_assert_uint_eq(n, 0);
	begin(&w);
	change(&w, 7, 1, ""); /* two versions are one message */
	commit(&w);
	TWIN(size, IDATE, "one@x", NULL);
	ck_assert_uint_eq(n, 1);
	begin(&w);
	end_range(&w, 7, 7);
	commit(&w);
	TWIN(size, IDATE, "one@x", NULL);
	ck_assert_uint_eq(n, 1); /* ended in this run: it was moved */
	struct placement p = as_sent(&where, 8);
	begin(&w);
	OK(&w, index_settle_known(w.ix, w.run, w.job, w.box, &p, where.sha256,
		   &w.known, &w.err));
	commit(&w);
	TWIN(size, IDATE, "one@x", NULL);
	ck_assert_uint_eq(n, 2);
	next_run(&w, "run-3");
	TWIN(size, IDATE, "one@x", NULL);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(okey, 8);
#undef TWIN
	world_close(&w);
}
END_TEST

/* Contents of other mailboxes with this Message-ID. */
static void
add_namesakes(struct world *w, int n)
{
	char command[400];
	index_close(&w->ix);
	snprintf(command, sizeof(command),
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
	    "WHERE i < %d) INSERT INTO content (h64, sha256, size, "
	    "header_size, mid64) SELECT i, randomblob(32), 9, 9, "
	    "(SELECT mid64 FROM content LIMIT 1) FROM n; SELECT changes()",
	    n);
	ck_assert_str_ne(judge(w->path, command), "0");
	OK(w, index_open(&w->ix, w->path, INDEX_WRITE, &w->err));
}

START_TEST(of_very_many_namesakes_none_is_the_twin)
{
	struct world w;
	uint64_t n, okey = 0;
	uint8_t hash[32];
	struct kept where = one_message(&w);
#define TWINS()                                                            \
	OK(&w, index_match_twin(w.ix, w.job, w.box, w.run, where.size + 1, \
		   IDATE, "one@x", NULL, NULL, &n, hash, &okey, &w.err))
	add_namesakes(&w, INDEX_TWINS_LOOK - 1);
	TWINS();
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(okey, 7);
	add_namesakes(&w, 1);
	TWINS();
	ck_assert_uint_eq(n, INDEX_TWINS_MANY);
#undef TWINS
	world_close(&w);
}
END_TEST

START_TEST(a_content_is_matched_under_its_mailbox_name_alone)
{
	static const struct source_mailbox other = {
		.name = "Other", .display = "Other", .separator = '/'
	};
	struct world w;
	bool found, is_new;
	uint64_t second, id;
	uint8_t none[32] = { 0 };
	struct kept where = one_message(&w);
#define MATCH(name, mailbox, hash)                                             \
	OK(&w, index_match_content(w.ix, w.job, w.source, name, mailbox, hash, \
		   &found, &w.err))
	OK(&w, index_mailbox(w.ix, w.source, &inbox, 78, w.run, &second,
		   &is_new, &w.err));
	OK(&w, index_mailbox(
		   w.ix, w.source, &other, 5, w.run, &id, &is_new, &w.err));
	MATCH("INBOX", 0, where.sha256);
	ck_assert(found);
	MATCH("INBOX", 0, none);
	ck_assert(!found);
	MATCH("Other", 0, where.sha256);
	ck_assert(!found);
	MATCH("Other", w.box, where.sha256);
	ck_assert(found);
	begin(&w); /* where no copy is left, there is nothing to know */
	OK(&w, index_commit(w.ix, &w.err));
	OK(&w, index_volume_abandon(w.ix, VOLUME, &w.err));
	MATCH("INBOX", 0, where.sha256);
	ck_assert(!found);
#undef MATCH
	world_close(&w);
}
END_TEST

START_TEST(an_emailid_names_a_content)
{
	struct world w;
	bool found;
	uint8_t hash[32];
	struct kept where = one_message(&w);
	struct placement p = as_sent(&where, 8);
	p.email_id = "M6d99ac3275bb4e";
	begin(&w);
	OK(&w, index_settle_known(w.ix, w.run, w.job, w.box, &p, where.sha256,
		   &w.known, &w.err));
	OK(&w, index_settle_known(w.ix, w.run, w.job, w.box, &p, where.sha256,
		   &w.known, &w.err));
	commit(&w);
	OK(&w, index_match_email(w.ix, w.job, w.source, w.box, p.email_id,
		   where.size, hash, &found, &w.err));
	ck_assert(found);
	ck_assert_mem_eq(hash, where.sha256, 32);
	OK(&w, index_match_email(w.ix, w.job, w.source, w.box, p.email_id,
		   where.size + 9, hash, &found, &w.err));
	ck_assert(!found);
	OK(&w, index_match_email(w.ix, w.job, w.archive, w.box, p.email_id,
		   where.size, hash, &found, &w.err));
	ck_assert(!found);
	world_close(&w);
}
END_TEST

static bool
take_live(void *arg, const struct index_live *live)
{
	buf_fmt(arg, "%s %s %s %c %x %llu %d %llu, ", live->name, live->display,
	    live->mailbox_id == NULL ? "-" : live->mailbox_id, live->separator,
	    live->attributes, (unsigned long long)live->uidvalidity,
	    live->has_delta, (unsigned long long)live->state.uidnext);

	return true;
}

START_TEST(live_mailboxes_come_by_name_with_their_state)
{
	static const struct source_mailbox drafts = { .name = "D&AOk-",
		.display = "D\303\251",
		.separator = '.',
		.attributes = MAILBOX_DRAFTS,
		.subscribed = true,
		.mailbox_id = "F1" };
	struct world w;
	uint64_t id, n;
	bool is_new;
	struct source_state state = { .uidnext = 8, .messages = 1 };
	uint8_t filter[32] = { 0 };
	struct buf told = { 0 };
	one_message(&w);
	OK(&w, index_mailbox(
		   w.ix, w.source, &drafts, 5, w.run, &id, &is_new, &w.err));
	begin(&w);
	OK(&w,
	    index_delta_put(w.ix, w.run, w.job, w.box, &state, filter, &w.err));
	commit(&w);
	OK(&w, index_live_mailboxes(
		   w.ix, w.source, w.job, take_live, &told, &w.err));
	char expected[160];
	snprintf(expected, sizeof(expected),
	    "D&AOk- D\303\251 F1 . %x 5 0 0, INBOX INBOX - / 0 77 1 8, ",
	    (unsigned)(MAILBOX_DRAFTS | MAILBOX_SUBSCRIBED));
	ck_assert_str_eq(told.data, expected);
	begin(&w);
	OK(&w, index_end_mailbox(w.ix, w.run, id, 0, &n, &w.err));
	OK(&w, index_end_mailbox(w.ix, w.run, w.box, 0, &n, &w.err));
	commit(&w);
	buf_clear(&told);
	OK(&w, index_live_mailboxes(
		   w.ix, w.source, w.job, take_live, &told, &w.err));
	ck_assert_uint_eq(told.len, 0);
	buf_free(&told);
	world_close(&w);
}
END_TEST

static bool
take_job(void *arg, const struct index_run_job *job)
{
	buf_fmt(arg, "%s %s %s %s %d %d %d %s, ", job->run_name, job->kind,
	    job->source, job->target, (int)job->state, job->ended != 0,
	    job->exit_code, job->text);

	return true;
}

START_TEST(a_killed_run_leaves_its_accounts_interrupted)
{
	struct world w;
	struct buf told = { 0 };
	one_message(&w);
	OK(&w, index_run_jobs(w.ix, w.run, NULL, take_job, &told, &w.err));
	ck_assert_str_eq(told.data, "run-2 imap a@example x 0 0 0 , ");
	OK(&w, index_run_end(w.ix, w.run, RUN_INTERRUPTED, &w.err));
	buf_clear(&told);
	OK(&w, index_run_jobs(w.ix, 0, "a@example", take_job, &told, &w.err));
	ck_assert_str_eq(told.data, "run-1 imap a@example x 1 1 0 , "
				    "run-2 imap a@example x 3 0 0 , ");
	buf_clear(&told);
	OK(&w, index_run_jobs(w.ix, 0, "nobody", take_job, &told, &w.err));
	ck_assert_uint_eq(told.len, 0);
	/* Tried once more, the row starts anew. */
	next_run(&w, "run-3");
	end_run(&w, RUN_INCOMPLETE);
	OK(&w, index_run_job_begin(w.ix, w.run, w.job, &w.err));
	OK(&w, index_run_jobs(w.ix, w.run, NULL, take_job, &told, &w.err));
	ck_assert_str_eq(told.data, "run-3 imap a@example x 3 0 0 , ");
	buf_free(&told);
	world_close(&w);
}
END_TEST

START_TEST(a_moment_is_told_by_the_last_complete_run_before_it)
{
	struct world w;
	uint64_t run;
	one_message(&w);
	begin(&w);
	change(&w, 7, 1, "");
	commit(&w);
	end_run(&w, RUN_COMPLETE);
	next_run(&w, "run-3");
	begin(&w);
	end_range(&w, 7, 7);
	commit(&w);
	end_run(&w, RUN_INCOMPLETE);
	index_close(&w.ix);
	judge(w.path, "UPDATE run_job SET ended = 1000 * run");
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	static const struct {
		int64_t when;
		uint64_t run;
		const char *shown;
	} moments[] = { { 999, 0, "" }, { 1000, 1, "7:8:" },
		{ 1999, 1, "7:8:" }, { 2000, 2, "7:1:" }, { 3000, 2, "7:1:" } };
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		OK(&w, index_as_of(w.ix, w.box, moments[i].when, &run, &w.err));
		ck_assert_uint_eq(run, moments[i].run);
		ck_assert_str_eq(shown(&w, &(struct index_query){ .outcome = -1,
					       .as_of = moments[i].when }),
		    moments[i].shown);
	}
	world_close(&w);
}
END_TEST

/* The first run tells of all, the second one leaves Work out, the third not. */
START_TEST(a_run_that_left_mailboxes_out_tells_of_those_it_read)
{
	static const struct source_mailbox work = {
		.name = "Work", .display = "Work", .separator = '/'
	};
	struct world w;
	struct index_counts none = { .scanned = 2 };
	uint64_t run, box, gone, n;
	bool is_new;
	one_message(&w);
	OK(&w, index_mailbox(
		   w.ix, w.source, &work, 5, w.run, &box, &is_new, &w.err));
	OK(&w, index_mailbox(w.ix, w.source,
		   &(struct source_mailbox){
		       .name = "Gone", .display = "Gone", .separator = '/' },
		   5, w.run, &gone, &is_new, &w.err));
	begin(&w);
	OK(&w, index_count(w.ix, w.run, w.job, w.box, &none, &w.err));
	OK(&w, index_end_mailbox(w.ix, w.run, gone, 0, &n, &w.err));
	commit(&w);
	OK(&w, index_run_job_end(
		   w.ix, w.run, w.job, RUN_COMPLETE, true, 0, "", &w.err));
	OK(&w, index_run_end(w.ix, w.run, RUN_COMPLETE, &w.err));
	uint64_t partial = w.run;
	index_close(&w.ix);
	judge(w.path, "UPDATE run_job SET ended = 1000 * run");
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	const struct {
		uint64_t box, run;
	} rows[] = { { w.box, partial }, { gone, partial },
		{ box, partial - 1 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		OK(&w, index_as_of(w.ix, rows[i].box, 9000, &run, &w.err));
		ck_assert_uint_eq(run, rows[i].run);
	}
	next_run(&w, "run-3");
	end_run(&w, RUN_COMPLETE);
	OK(&w, index_as_of(w.ix, box, INT64_MAX, &run, &w.err));
	ck_assert_uint_eq(run, w.run);
	world_close(&w);
}
END_TEST

Suite *
suite_index_mailboxes(void)
{
	Suite *s = suite_create("index mailboxes");
	TCase *t = tcase_create("mailboxes");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_replaced_generation_lives_until_it_is_ended);
	tcase_add_test(t, a_renamed_mailbox_takes_everything_with_it);
	tcase_add_test(t, a_renamed_generation_ends_no_twin_a_second_time);
	tcase_add_test(t, a_mailbox_is_walked_in_order_with_outcomes);
	tcase_add_test(t, a_twin_is_told_if_it_is_the_only_one);
	tcase_add_test(t, of_very_many_namesakes_none_is_the_twin);
	tcase_add_test(t, a_content_is_matched_under_its_mailbox_name_alone);
	tcase_add_test(t, an_emailid_names_a_content);
	tcase_add_test(t, live_mailboxes_come_by_name_with_their_state);
	tcase_add_test(t, a_killed_run_leaves_its_accounts_interrupted);
	tcase_add_test(t, a_moment_is_told_by_the_last_complete_run_before_it);
	tcase_add_test(t, a_run_that_left_mailboxes_out_tells_of_those_it_read);
	suite_add_tcase(s, t);

	return s;
}
