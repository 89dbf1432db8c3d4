/* Finding messages by words, dates, sizes and flags, and the file behind it. */
#include "index_world.h"

#include <sys/stat.h>

#include "index/search.h"
#include "mail/flags.h"

Suite *suite_search(void);

#define DAY 86400

struct house {
	struct world w;
	struct search *search;
	char find[128]; /* the file's path */
	uint64_t sent_box;
	struct search_found found;
};

static void
look(struct house *h)
{
	search_close(&h->search);
	OK(&h->w, search_open(&h->search, h->w.ix, h->w.path, &h->w.err));
	OK(&h->w, search_update(h->search, 0, NULL, NULL, &h->w.err));
}

/* UIDs (those of Sent with an s), as they come. */
static bool
add_uid(void *arg, const struct search_hit *hit)
{
	struct buf *text = arg;
	ck_assert_str_eq(hit->account, "a@example");
	ck_assert(!hit->many_accounts);
	buf_fmt(text, "%s%s%llu", text->len == 0 ? "" : " ",
	    strcmp(hit->mailbox, "Sent") == 0 ? "s" : "",
	    (unsigned long long)hit->uid);

	return true;
}

static const char *
answer(struct house *h, const struct search_query *query)
{
	static char text[4096];
	struct buf out = { 0 };
	OK(&h->w,
	    search_run(h->search, query, add_uid, &out, &h->found, &h->w.err));
	snprintf(text, sizeof(text), "%s", out.data == NULL ? "" : out.data);
	buf_free(&out);

	return text;
}

static const char *
by_word(struct house *h, const char *word)
{
	return answer(
	    h, &(struct search_query){ .words = &word, .word_count = 1 });
}

/* Newer UIDs have newer dates, so answers come from 7 down to 1. */
static void
fill(struct house *h)
{
	static const char *const todo[] = { "$label1", "Todo" };
	static const struct sent sent[] = {
		{ .uid = 1,
		    .header =
			"Message-ID: <one@x>\r\n"
			"From: Zoë Ångström <zoe@quay.example>\r\n"
			"To: tom@dock.example\r\nSubject: Pier four\r\n" },
		{ .uid = 2,
		    .header = "From: Tom <tom@dock.example>\r\n"
			      "To: zoe@quay.example\r\nCc: ivo@dock.example\r\n"
			      "Subject: Re: the PIER, number four\r\n",
		    .keywords = todo,
		    .keyword_count = 2 },
		{ .uid = 3,
		    .header = "From: a@x\r\nSubject: "
			      "=?utf-8?q?Gr=C3=B6=C3=9Fen=C3=A4nderung?=\r\n" },
		{ .uid = 4,
		    .header = "From: b@x\r\nSubject: "
			      "=?utf-8?b?6KuL5rGC5pu444Gu5Lu2?= 2026\r\n" },
		{ .uid = 5,
		    .header = "From: c@x\r\nSubject: invoice 2026-118\r\n",
		    .body = 9000 },
		{ .uid = 6, .header = "From: NEAR OR\r\nSubject: AND NOT\r\n" },
	};
	begin(&h->w);
	add_volume(&h->w, VOLUME);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		struct sent s = sent[i];
		s.idate = IDATE + (int64_t)s.uid * DAY;
		s.offset = s.uid * 100;
		settle(&h->w, &s);
	}
	settle(&h->w, &(struct sent){ .uid = 7,
			  .header = "From: d@x\r\nSubject: pier in sent\r\n",
			  .offset = 700,
			  .box = h->sent_box,
			  .idate = IDATE + 7 * DAY });
	commit(&h->w);
}

static void
build(struct house *h)
{
	static const struct source_mailbox sent = {
		.name = "Sent", .display = "Sent", .separator = '/'
	};
	bool is_new;
	*h = (struct house){ 0 };
	world_open(&h->w);
	snprintf(h->find, sizeof(h->find), "%s/mailhaul-find.db", h->w.dir);
	OK(&h->w, index_mailbox(h->w.ix, h->w.source, &sent, 5, h->w.run,
		      &h->sent_box, &is_new, &h->w.err));
	fill(h);
	look(h);
}

static void
leave(struct house *h)
{
	search_close(&h->search);
	ck_assert_ptr_null(h->search);
	world_close(&h->w);
}

/* ---- words ---- */

static const struct {
	const char *words, *uids;
} words[] = {
	{ "pier", "s7 2 1" },
	{ "PIER", "s7 2 1" },
	{ "pier four", "2 1" },
	{ "\"pier four\"", "1" },
	{ "\"four pier\"", "" },
	{ "pie", "" },
	{ "pie*", "s7 2 1" },
	{ "\"pier fo\"*", "1" },
	{ "number pier", "2" },
	{ "zoe", "2 1" },
	{ "zoë", "2 1" },
	{ "angstrom", "1" },
	{ "größenänderung", "3" },
	{ "groß*", "3" },
	{ "請求書", "4" },
	{ "求書", "4" },
	{ "請*", "4" },
	{ "請書", "" },
	{ "2026", "5 4" },
	{ "2026-118", "5" },
	{ "tom@dock.example", "2 1" },
	{ "@dock.example", "2 1" },
	/* What is syntax to the database is a word to us, or nothing. */
	{ "AND", "6" },
	{ "near or", "6" },
	{ "NOT AND", "6" },
	{ "from_:pier", "" },
	{ "pier OR four", "" },
	{ "(pier", "s7 2 1" },
	{ "pier)", "s7 2 1" },
	{ "\"pier", "s7 2 1" },
	{ "pier\"four", "2 1" },
	{ "'pier' -", "s7 2 1" },
	{ "^pier {x} :", "s7" },
	{ "!!!", "" },
	{ "\"\"", "" },
	{ "*", "" },
	{ "pier *", "s7 2 1" },
	{ "\xff\xfe", "" },
	{ "pier \\", "s7 2 1" },
	{ "pier; DROP TABLE headers", "" },
};

START_TEST(words_find_their_messages)
{
	struct house h;
	build(&h);
	ck_assert_msg(strcmp(by_word(&h, words[_i].words), words[_i].uids) == 0,
	    "%s: \"%s\", not \"%s\"", words[_i].words,
	    by_word(&h, words[_i].words), words[_i].uids);
	leave(&h);
}
END_TEST

START_TEST(too_many_words_are_refused)
{
	struct house h;
	struct buf many = { 0 };
	build(&h);
	for (int i = 0; i < 101; i++)
		buf_str(&many, "w ");
	const char *word = many.data;
	struct search_query q = { .words = &word, .word_count = 1 };
	ck_assert(!search_run(h.search, &q, add_uid, NULL, &h.found, &h.w.err));
	ck_assert_int_eq(h.w.err.code, ERR_USAGE);
	buf_free(&many);
	leave(&h);
}
END_TEST

/* ---- the other terms ---- */

static const char *const sent_only[] = { "Sent" };
static const char *const label[] = { "$LABEL1" };
static const struct {
	struct search_query query;
	const char *uids;
} queries[] = {
	{ { 0 }, "s7 6 5 4 3 2 1" },
	{ { .from = "tom" }, "2" },
	{ { .to = "tom" }, "1" },
	{ { .cc = "ivo" }, "2" },
	{ { .subject = "four", .from = "zoe" }, "1" },
	{ { .subject = "tom" }, "" },
	{ { .subject = "!!!", .from = "tom" }, "2" },
	{ { .message_id = "one@x" }, "1" },
	{ { .message_id = "two@x" }, "" },
	{ { .message_id = "one@x", .subject = "invoice" }, "" },
	{ { .since = IDATE + 6 * DAY }, "s7 6" },
	{ { .before = IDATE + 3 * DAY }, "2 1" },
	{ { .since = IDATE + 2 * DAY, .before = IDATE + 4 * DAY }, "3 2" },
	{ { .larger = 9000 }, "5" },
	{ { .smaller = 9000 }, "s7 6 4 3 2 1" },
	{ { .flags_set = MAIL_SEEN, .smaller = 9000 }, "s7 6 4 3 2 1" },
	{ { .flags_clear = MAIL_SEEN }, "" },
	{ { .flags_set = MAIL_FLAGGED }, "" },
	{ { .keywords = label, .keyword_count = 1 }, "2" },
	{ { .no_keywords = label, .no_keyword_count = 1, .to = "zoe tom" },
	    "" },
	{ { .no_keywords = label, .no_keyword_count = 1, .to = "tom" }, "1" },
	{ { .include = sent_only, .include_count = 1 }, "s7" },
	{ { .exclude = sent_only, .exclude_count = 1, .subject = "pier" },
	    "2 1" },
	{ { .mailbox = "Sent" }, "s7" },
	{ { .mailbox = "Sen" }, "" },
	{ { .mailbox = "inbox", .subject = "pier" }, "2 1" },
	{ { .account = "a@example", .subject = "pier" }, "s7 2 1" },
	{ { .account = "b@example" }, "" },
	{ { .limit = 2 }, "s7 6" },
	{ { .limit = 2, .subject = "four" }, "2 1" },
	{ { .body = "b" }, "" },
};

START_TEST(terms_narrow_the_answer)
{
	struct house h;
	build(&h);
	ck_assert_str_eq(answer(&h, &queries[_i].query), queries[_i].uids);
	bool more =
	    queries[_i].query.limit == 2 && queries[_i].query.subject == NULL;
	ck_assert_int_eq(h.found.more, more);
	leave(&h);
}
END_TEST

START_TEST(counting_needs_no_listener)
{
	struct house h;
	struct search_query q = { .subject = "pier" };
	build(&h);
	OK(&h.w, search_run(h.search, &q, NULL, NULL, &h.found, &h.w.err));
	ck_assert_uint_eq(h.found.placements, 3);
	ck_assert_uint_eq(h.found.messages, 3);
	leave(&h);
}
END_TEST

static void
end_run(struct house *h, uint64_t run)
{
	OK(&h->w, index_run_end(h->w.ix, run, RUN_COMPLETE, &h->w.err));
}

START_TEST(a_past_state_is_searched_as_it_was)
{
	struct house h;
	uint64_t run2, n;
	build(&h);
	end_run(&h, h.w.run);
	OK(&h.w, index_run_begin(h.w.ix, "run-2", "", &run2, &h.w.err));
	begin(&h.w);
	OK(&h.w, index_end(h.w.ix, run2, h.w.box, 1, 1, &n, &h.w.err));
	ck_assert_uint_eq(n, 1);
	commit(&h.w);
	look(&h);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2");
	struct search_query then = { .subject = "pier", .as_of_run = h.w.run };
	ck_assert_str_eq(answer(&h, &then), "s7 2 1");
	then.as_of_run = run2;
	ck_assert_str_eq(answer(&h, &then), "s7 2");
	leave(&h);
}
END_TEST

/* ---- many ---- */

enum { MANY = 21000 }; /* more than are looked up one by one */

static void
fill_many(struct house *h)
{
	char header[200];
	begin(&h->w);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(header, sizeof(header),
		    "From: common%s\r\nSubject: number%u\r\n",
		    i % 1000 == 0 ? " rare" : "", i);
		/* Dates run against the order of archiving. */
		settle(&h->w, &(struct sent){ .uid = 1000 + i,
				  .header = header,
				  .offset = 10000 + i,
				  .idate = IDATE + (MANY - i) * 10 });
	}
	commit(&h->w);
}

START_TEST(of_very_many_the_newest_come_first)
{
	struct house h;
	build(&h);
	fill_many(&h);
	look(&h);
	struct search_query q = { .from = "common", .limit = 3 };
	ck_assert_str_eq(answer(&h, &q), "1000 1001 1002");
	ck_assert(h.found.more);
	q.before = IDATE + 25;
	ck_assert_str_eq(answer(&h, &q), "21998 21999");
	q.before = 0;
	q.mailbox = "Sent";
	ck_assert_str_eq(answer(&h, &q), "");
	q.mailbox = "INBOX";
	ck_assert_str_eq(answer(&h, &q), "1000 1001 1002");
	q.from = "common rare";
	ck_assert_str_eq(answer(&h, &q), "1000 2000 3000");
	q = (struct search_query){ .from = "common" };
	OK(&h.w, search_run(h.search, &q, NULL, NULL, &h.found, &h.w.err));
	ck_assert_uint_eq(h.found.placements, MANY);
	leave(&h);
}
END_TEST

/* Of very many, some of which changed or went in a second run. */
static uint8_t
flags_of(unsigned uid)
{
	if (uid >= 21000 && uid <= 21010)
		return MAIL_SEEN | MAIL_FLAGGED;

	return uid % 7 == 0 ? 0 : MAIL_SEEN;
}

static const char *
keywords_of(unsigned uid)
{
	if (uid >= 21500 && uid <= 21520)
		return "$Rare";

	return uid % 5 == 0 ? "Common Other" : "";
}

static void
vary(struct house *h)
{
	uint64_t run2, n;
	bool changed;
	end_run(h, h->w.run);
	OK(&h->w, index_run_begin(h->w.ix, "run-2", "", &run2, &h->w.err));
	begin(&h->w);
	for (unsigned uid = 1000; uid < 1000 + MANY; uid++)
		OK(&h->w,
		    index_change(h->w.ix, run2, h->w.box, uid, flags_of(uid),
			keywords_of(uid), &changed, &h->w.err));
	OK(&h->w,
	    index_end(h->w.ix, run2, h->w.box, 1000, 1009, &n, &h->w.err));
	ck_assert_uint_eq(n, 10);
	commit(&h->w);
}

static bool
any(unsigned uid)
{
	return uid > 1009;
}

static bool
ever(unsigned uid)
{
	(void)uid;

	return true;
}

static bool
is_seen(unsigned uid)
{
	return uid > 1009 && (flags_of(uid) & MAIL_SEEN) != 0;
}

static bool
is_unseen(unsigned uid)
{
	return uid > 1009 && flags_of(uid) == 0;
}

static bool
is_flagged(unsigned uid)
{
	return (flags_of(uid) & MAIL_FLAGGED) != 0;
}

static bool
is_rare(unsigned uid)
{
	return *keywords_of(uid) == '$';
}

static bool
is_common(unsigned uid)
{
	return uid > 1009 && *keywords_of(uid) == 'C';
}

static bool
isnt_common(unsigned uid)
{
	return uid > 1009 && *keywords_of(uid) != 'C';
}

static bool
is_old(unsigned uid)
{
	unsigned k = 1000 + MANY - uid;

	return k >= 50 && k <= 100;
}

static bool
is_old_and_seen(unsigned uid)
{
	return is_old(uid) && is_seen(uid);
}

static bool
none(unsigned uid)
{
	(void)uid;

	return false;
}

static const char *const rare[] = { "$rare" };
static const char *const common[] = { "common" };
static const struct {
	struct search_query query;
	bool before; /* the second run */
	bool (*is)(unsigned uid);
	uint64_t others; /* of the first few */
} varied[] = {
	{ { 0 }, false, any, 7 },
	{ { 0 }, true, ever, 7 },
	{ { .from = "common" }, false, any, 0 },
	{ { .from = "common" }, true, ever, 0 },
	{ { .mailbox = "INBOX" }, false, any, 6 },
	{ { .flags_set = MAIL_SEEN }, false, is_seen, 7 },
	{ { .flags_set = MAIL_SEEN }, true, ever, 7 },
	{ { .flags_clear = MAIL_SEEN }, false, is_unseen, 0 },
	{ { .flags_clear = MAIL_SEEN }, true, none, 0 },
	{ { .flags_set = MAIL_SEEN, .flags_clear = MAIL_SEEN }, false, none,
	    0 },
	{ { .flags_set = MAIL_FLAGGED }, false, is_flagged, 0 },
	{ { .flags_set = MAIL_FLAGGED }, true, none, 0 },
	{ { .from = "common", .flags_set = MAIL_FLAGGED }, false, is_flagged,
	    0 },
	{ { .keywords = rare, .keyword_count = 1 }, false, is_rare, 0 },
	{ { .keywords = rare, .keyword_count = 1 }, true, none, 0 },
	{ { .keywords = common, .keyword_count = 1 }, false, is_common, 0 },
	{ { .no_keywords = common, .no_keyword_count = 1 }, false, isnt_common,
	    7 },
	{ { .since = IDATE + 500, .before = IDATE + 1005 }, false, is_old, 0 },
	{ { .since = IDATE + 500,
	      .before = IDATE + 1005,
	      .flags_set = MAIL_SEEN },
	    false, is_old_and_seen, 0 },
	{ { .from = "common", .larger = 100000 }, false, none, 0 },
	{ { .from = "common", .smaller = 100000 }, false, any, 0 },
};

struct listed {
	uint64_t uids[MANY + 7];
	size_t n;
};

static bool
list_uid(void *arg, const struct search_hit *hit)
{
	struct listed *l = arg;
	ck_assert_uint_lt(l->n, MANY + 7);
	l->uids[l->n++] = hit->uid;

	return true;
}

/* As all of them are listed, so are the first, and so many are counted. */
static void
assert_told(struct house *h, struct search_query q, uint64_t n)
{
	static struct listed all, first;
	all.n = 0;
	OK(&h->w,
	    search_run(h->search, &q, list_uid, &all, &h->found, &h->w.err));
	ck_assert_uint_eq(all.n, n);
	ck_assert_uint_eq(h->found.placements, n);
	ck_assert_uint_eq(h->found.messages, n);
	OK(&h->w, search_run(h->search, &q, NULL, NULL, &h->found, &h->w.err));
	ck_assert_uint_eq(h->found.placements, n);
	ck_assert_uint_eq(h->found.messages, n);
	q.placements_alone = true;
	OK(&h->w, search_run(h->search, &q, NULL, NULL, &h->found, &h->w.err));
	ck_assert_uint_eq(h->found.placements, n);
	q.placements_alone = false;
	for (q.limit = 5; q.limit <= 5000; q.limit *= 1000) {
		first.n = 0;
		OK(&h->w, search_run(h->search, &q, list_uid, &first, &h->found,
			      &h->w.err));
		ck_assert_uint_eq(first.n, n < q.limit ? n : q.limit);
		ck_assert_int_eq(h->found.more, n > q.limit);
		ck_assert(memcmp(first.uids, all.uids,
			      first.n * sizeof(*all.uids)) == 0);
	}
}

START_TEST(of_very_many_what_is_counted_is_what_is_listed)
{
	struct house h;
	build(&h);
	fill_many(&h);
	vary(&h);
	look(&h);
	for (size_t i = 0; i < sizeof(varied) / sizeof(varied[0]); i++) {
		struct search_query q = varied[i].query;
		uint64_t n = varied[i].others;
		q.as_of_run = varied[i].before ? h.w.run : 0;
		for (unsigned uid = 1000; uid < 1000 + MANY; uid++)
			n += varied[i].is(uid);
		assert_told(&h, q, n);
	}
	leave(&h);
}
END_TEST

/* ---- the file ---- */

static void
add_one(struct house *h, uint64_t uid, const char *header)
{
	begin(&h->w);
	settle(&h->w, &(struct sent){ .uid = uid,
			  .header = header,
			  .offset = uid * 100,
			  .idate = IDATE + (int64_t)uid * DAY });
	commit(&h->w);
}

/* Neither what is gone, nor mail without octets, nor what find has not read
 * yet. */
START_TEST(only_what_is_there_and_known_is_counted)
{
	static const struct {
		struct search_query query;
		uint64_t n;
	} counts[] = {
		{ { .placements_alone = true }, MANY + 2 },
		{ { .placements_alone = true, .flags_clear = MAIL_DELETED },
		    MANY + 2 },
		{ { .placements_alone = true, .mailbox = "INBOX" }, MANY + 1 },
		{ { .placements_alone = true, .from = "common" }, MANY - 5 },
	};
	struct house h;
	uint64_t run2, n;
	build(&h);
	fill_many(&h);
	end_run(&h, h.w.run);
	OK(&h.w, index_run_begin(h.w.ix, "run-2", "", &run2, &h.w.err));
	h.w.run = run2;
	begin(&h.w);
	OK(&h.w, index_end(h.w.ix, run2, h.w.box, 1000, 1004, &n, &h.w.err));
	ck_assert_uint_eq(n, 5);
	commit(&h.w);
	look(&h);
	begin(&h.w);
	OK(&h.w, index_settle_outcome(h.w.ix, h.w.run, h.w.job, h.w.box,
		     &(struct placement){ .okey = 40000 }, OUTCOME_EXCLUDED,
		     "size", NULL, &h.w.err));
	commit(&h.w);
	add_one(&h, 40001, "From: common\r\nSubject: later\r\n");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		OK(&h.w, search_run(h.search, &counts[i].query, NULL, NULL,
			     &h.found, &h.w.err));
		ck_assert_uint_eq(h.found.placements, counts[i].n);
	}
	leave(&h);
}
END_TEST

START_TEST(the_file_is_private_and_sound)
{
	struct house h;
	struct stat st;
	build(&h);
	ck_assert(search_is_kept(h.search));
	ck_assert_str_eq(search_note(h.search), "");
	search_close(&h.search);
	ck_assert_int_eq(stat(h.find, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_str_eq(judge(h.find, "PRAGMA integrity_check"), "ok");
	ck_assert_str_eq(judge(h.find, "SELECT count(*) FROM doc"), "7");
	leave(&h);
}
END_TEST

START_TEST(new_mail_is_added_to_what_is_there)
{
	struct house h;
	build(&h);
	add_one(&h, 8, "Subject: a later pier\r\n");
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	look(&h);
	ck_assert_str_eq(by_word(&h, "pier"), "8 s7 2 1");
	ck_assert_str_eq(search_note(h.search), "");
	leave(&h);
}
END_TEST

static bool
never_again(void *arg, uint64_t done, uint64_t all)
{
	++*(int *)arg;
	ck_assert_uint_eq(done, 0);
	ck_assert_uint_eq(all, 1);

	return false;
}

START_TEST(an_update_that_was_stopped_is_continued)
{
	struct house h;
	int calls = 0;
	build(&h);
	add_one(&h, 8, "Subject: a later pier\r\n");
	OK(&h.w, search_update(h.search, 0, never_again, &calls, &h.w.err));
	ck_assert_int_eq(calls, 1);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	OK(&h.w, search_update(h.search, 0, NULL, NULL, &h.w.err));
	ck_assert_str_eq(by_word(&h, "pier"), "8 s7 2 1");
	leave(&h);
}
END_TEST

/* The same octets again, in another mailbox and under a much newer date. */
START_TEST(a_known_message_that_comes_again_is_found_by_both_dates)
{
	struct house h;
	uint64_t run2;
	build(&h);
	end_run(&h, h.w.run);
	look(&h);
	OK(&h.w, index_run_begin(h.w.ix, "run-2", "", &run2, &h.w.err));
	begin(&h.w);
	settle(&h.w, &(struct sent){ .uid = 50,
			 .run = run2,
			 .box = h.sent_box,
			 .offset = 5000,
			 .header = "From: c@x\r\nSubject: invoice 2026-118\r\n",
			 .body = 9000,
			 .idate = IDATE + 100 * DAY });
	commit(&h.w);
	look(&h);
	struct search_query q = { .subject = "invoice" };
	ck_assert_str_eq(answer(&h, &q), "s50 5");
	q.since = IDATE + 50 * DAY;
	ck_assert_str_eq(answer(&h, &q), "s50");
	q.since = 0;
	q.before = IDATE + 50 * DAY;
	ck_assert_str_eq(answer(&h, &q), "5");
	q = (struct search_query){ .limit = 1 };
	ck_assert_str_eq(answer(&h, &q), "s50");
	ck_assert_uint_eq(h.found.messages, 1);
	leave(&h);
}
END_TEST

START_TEST(a_deleted_file_is_made_again)
{
	struct house h;
	build(&h);
	search_close(&h.search);
	ck_assert_int_eq(unlink(h.find), 0);
	look(&h);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	ck_assert_str_eq(search_note(h.search), "");
	leave(&h);
}
END_TEST

static void
overwrite(const struct house *h, off_t at, size_t n)
{
	int fd = open(h->find, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	struct stat st;
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_gt(st.st_size, at);
	char *noise = malloc(n);
	ck_assert_ptr_nonnull(noise);
	memset(noise, 0xA5, n);
	ck_assert_int_eq(pwrite(fd, noise, n, at), (ssize_t)n);
	free(noise);
	close(fd);
}

static void
run_sql(const struct house *h, const char *sql)
{
	ck_assert_str_eq(judge(h->find, sql), "");
}

static void
harm_start(struct house *h)
{
	overwrite(h, 0, 4096);
}

static void
harm_rest(struct house *h)
{
	struct stat st;
	ck_assert_int_eq(stat(h->find, &st), 0);
	overwrite(h, 4096, (size_t)st.st_size - 4096);
}

static void
harm_text(struct house *h)
{
	FILE *file = fopen(h->find, "w");
	ck_assert_ptr_nonnull(file);
	fputs("not a database at all, but long enough to be looked at as one, "
	      "which takes more than one hundred octets of text",
	    file);
	fclose(file);
}

static void
harm_owner(struct house *h)
{
	run_sql(h, "PRAGMA application_id = 1");
}

static void
harm_version(struct house *h)
{
	run_sql(h, "PRAGMA user_version = 99");
}

static void
harm_tables(struct house *h)
{
	run_sql(h, "DROP TABLE doc");
}

static void
harm_marks(struct house *h)
{
	run_sql(h, "UPDATE mark SET h64 = h64 + 1");
}

/* Numbers that no index gave out: a bit for each would be all memory. */
static void
harm_doc(struct house *h)
{
	judge(h->find, "INSERT INTO doc VALUES (1 << 60, 0, 0, 1)");
}

static void
harm_first(struct house *h)
{
	judge(h->find, "INSERT INTO doc VALUES (-1, 0, 0, 1)");
}

static void
harm_zero(struct house *h)
{
	judge(h->find, "INSERT INTO doc VALUES (0, 0, 0, 1)");
}

static void
harm_run(struct house *h)
{
	judge(h->find, "UPDATE state SET run = 1 << 60");
}

static void
harm_bodies(struct house *h)
{
	judge(h->find, "UPDATE state SET bodies = -1");
}

static const struct {
	void (*harm)(struct house *);
	const char *note;
} harms[] = {
	{ harm_start, "was damaged" },
	{ harm_rest, "was damaged" },
	{ harm_text, "was damaged" },
	{ harm_owner, "another version" },
	{ harm_version, "another version" },
	{ harm_tables, "was damaged" },
	{ harm_marks, "another index" },
	{ harm_doc, "another index" },
	{ harm_first, "another index" },
	{ harm_zero, "another index" },
	{ harm_run, "another index" },
	{ harm_bodies, "another index" },
};

START_TEST(a_harmed_file_is_made_anew_and_says_so)
{
	struct house h;
	build(&h);
	search_close(&h.search);
	harms[_i].harm(&h);
	look(&h);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	ck_assert(search_is_kept(h.search));
	ck_assert_msg(strstr(search_note(h.search), harms[_i].note) != NULL,
	    "%s", search_note(h.search));
	search_close(&h.search);
	ck_assert_str_eq(judge(h.find, "PRAGMA integrity_check"), "ok");
	leave(&h);
}
END_TEST

/* What can't be told when it is opened shows when it is read. */
START_TEST(damage_met_while_searching_is_mended_too)
{
	struct house h;
	build(&h);
	fill_many(&h);
	look(&h);
	search_close(&h.search);
	ck_assert_str_ne(judge(h.find, "PRAGMA writable_schema = 1; "
				       "UPDATE headers_data SET block = x'00' "
				       "WHERE id > 100000; SELECT changes()"),
	    "0");
	look(&h);
	struct search_query q = { .from = "common", .limit = 2 };
	ck_assert_str_eq(answer(&h, &q), "1000 1001");
	ck_assert_ptr_nonnull(strstr(search_note(h.search), "was damaged"));
	leave(&h);
}
END_TEST

static const char *const forged[] = {
	"INSERT INTO headers (rowid, subject) VALUES (1 << 60, 'pier')",
	"INSERT INTO headers (rowid, subject) VALUES (-(1 << 60), 'pier')",
	"INSERT INTO headers (rowid, subject) VALUES (0, 'pier')",
};

START_TEST(forged_numbers_cost_the_file_and_no_memory)
{
	struct house h;
	build(&h);
	search_close(&h.search);
	judge(h.find, forged[_i]);
	look(&h);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	ck_assert_str_eq(
	    answer(&h, &(struct search_query){ .limit = 9 }), "s7 6 5 4 3 2 1");
	ck_assert_msg(strstr(search_note(h.search), "was damaged") != NULL,
	    "%s", search_note(h.search));
	leave(&h);
}
END_TEST

START_TEST(another_index_under_the_same_name_gets_its_own)
{
	struct house h, other;
	char command[256];
	build(&h);
	search_close(&h.search);
	build(&other);
	add_one(&other, 9, "Subject: only in the other pier\r\n");
	look(&other);
	search_close(&other.search);
	/* A file with more, and other contents, than this index has. */
	ck_assert_int_eq(unlink(h.find), 0);
	ck_assert_int_eq(rename(other.find, h.find), 0);
	snprintf(command, sizeof(command), "SELECT count(*) FROM doc");
	ck_assert_str_eq(judge(h.find, command), "8");
	look(&h);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	ck_assert_ptr_nonnull(strstr(search_note(h.search), "another index"));
	world_close(&other.w);
	leave(&h);
}
END_TEST

START_TEST(where_no_file_can_be_the_search_works_all_the_same)
{
	struct house h;
	build(&h);
	search_close(&h.search);
	ck_assert_int_eq(unlink(h.find), 0);
	ck_assert_int_eq(mkdir(h.find, 0700), 0);
	look(&h);
	ck_assert(!search_is_kept(h.search));
	ck_assert_str_ne(search_note(h.search), "");
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	ck_assert_int_eq(rmdir(h.find), 0);
	leave(&h);
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	struct house h;
	char target[160];
	struct stat st;
	build(&h);
	search_close(&h.search);
	snprintf(target, sizeof(target), "%s/elsewhere", h.w.dir);
	ck_assert_int_eq(unlink(h.find), 0);
	ck_assert_int_eq(symlink(target, h.find), 0);
	look(&h);
	ck_assert(!search_is_kept(h.search));
	ck_assert_int_ne(stat(target, &st), 0);
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	leave(&h);
}
END_TEST

START_TEST(a_fifo_in_its_place_is_not_waited_for)
{
	struct house h;
	char name[160];
	build(&h);
	search_close(&h.search);
	snprintf(name, sizeof(name), "%s%s", h.find, _i == 0 ? "" : "-journal");
	unlink(name);
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	look(&h);
	ck_assert(!search_is_kept(h.search));
	ck_assert_ptr_nonnull(
	    strstr(search_note(h.search), "is not a regular file"));
	ck_assert_str_eq(by_word(&h, "pier"), "s7 2 1");
	leave(&h);
}
END_TEST

/* ---- bodies ---- */

static const char *const texts[] = { "the crane stands on the quay",
	"der Kran steht, die Größe stimmt", "請求書を添付します", "", "crane",
	"the quay", "last" };

static void
put_bodies(struct house *h, size_t n)
{
	uint8_t sha256[32];
	uint64_t size;
	bool end;
	static size_t at;
	for (size_t i = 0; i < n; i++) {
		OK(&h->w, search_body_next(
			      h->search, sha256, &size, &end, &h->w.err));
		ck_assert(!end);
		ck_assert_uint_gt(size, 0);
		OK(&h->w, search_body_put(h->search, texts[at % 7],
			      at % 7 == 3 ? "was torn" : "", &h->w.err));
		at++;
	}
}

START_TEST(bodies_are_found_and_indexing_goes_on_where_it_stopped)
{
	struct house h;
	uint64_t left, unread, all;
	uint8_t sha256[32];
	bool end;
	build(&h);
	struct search_query q = { .body = "crane" };
	ck_assert_str_eq(answer(&h, &q), "");
	put_bodies(&h, 3);
	OK(&h.w, search_body_flush(h.search, &h.w.err));
	OK(&h.w, search_body_counts(h.search, &left, &unread, &all, &h.w.err));
	ck_assert_uint_eq(left, 4);
	ck_assert_uint_eq(all, 7);
	look(&h);
	put_bodies(&h, 4);
	OK(&h.w, search_body_next(h.search, sha256, &left, &end, &h.w.err));
	ck_assert(end);
	OK(&h.w, search_body_flush(h.search, &h.w.err));
	ck_assert_str_eq(answer(&h, &q), "5 1");
	q.body = "grosse größe";
	ck_assert_str_eq(answer(&h, &q), "");
	q.body = "größe kran";
	ck_assert_str_eq(answer(&h, &q), "2");
	q.body = "添付";
	ck_assert_str_eq(answer(&h, &q), "3");
	q = (struct search_query){ .body = "\"the quay\"", .from = "near" };
	ck_assert_str_eq(answer(&h, &q), "6");
	OK(&h.w, search_body_counts(h.search, &left, &unread, &all, &h.w.err));
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(unread, 1);
	leave(&h);
}
END_TEST

/* What was put and not flushed is put again. */
START_TEST(bodies_that_were_not_committed_come_again)
{
	struct house h;
	uint8_t first[32], again[32];
	uint64_t size;
	bool end;
	build(&h);
	OK(&h.w, search_body_next(h.search, first, &size, &end, &h.w.err));
	OK(&h.w, search_body_put(h.search, "lost", "", &h.w.err));
	look(&h);
	OK(&h.w, search_body_next(h.search, again, &size, &end, &h.w.err));
	ck_assert(!end);
	ck_assert_mem_eq(first, again, 32);
	leave(&h);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);

	return t;
}

Suite *
suite_search(void)
{
	Suite *s = suite_create("search");
	TCase *t = add_case(s, "queries");
	tcase_add_loop_test(
	    t, words_find_their_messages, 0, sizeof(words) / sizeof(words[0]));
	tcase_add_test(t, too_many_words_are_refused);
	tcase_add_loop_test(t, terms_narrow_the_answer, 0,
	    sizeof(queries) / sizeof(queries[0]));
	tcase_add_test(t, counting_needs_no_listener);
	tcase_add_test(t, a_past_state_is_searched_as_it_was);
	tcase_add_test(t, of_very_many_the_newest_come_first);
	tcase_add_test(t, of_very_many_what_is_counted_is_what_is_listed);
	tcase_add_test(t, only_what_is_there_and_known_is_counted);

	t = add_case(s, "file");
	tcase_add_test(t, the_file_is_private_and_sound);
	tcase_add_test(t, new_mail_is_added_to_what_is_there);
	tcase_add_test(t, an_update_that_was_stopped_is_continued);
	tcase_add_test(
	    t, a_known_message_that_comes_again_is_found_by_both_dates);
	tcase_add_test(t, a_deleted_file_is_made_again);
	tcase_add_loop_test(t, a_harmed_file_is_made_anew_and_says_so, 0,
	    sizeof(harms) / sizeof(harms[0]));
	tcase_add_test(t, damage_met_while_searching_is_mended_too);
	tcase_add_loop_test(t, forged_numbers_cost_the_file_and_no_memory, 0,
	    sizeof(forged) / sizeof(forged[0]));
	tcase_add_test(t, another_index_under_the_same_name_gets_its_own);
	tcase_add_test(t, where_no_file_can_be_the_search_works_all_the_same);
	tcase_add_test(t, a_symbolic_link_is_not_followed);
	tcase_add_loop_test(t, a_fifo_in_its_place_is_not_waited_for, 0, 2);

	t = add_case(s, "bodies");
	tcase_add_test(
	    t, bodies_are_found_and_indexing_goes_on_where_it_stopped);
	tcase_add_test(t, bodies_that_were_not_committed_come_again);

	return s;
}
