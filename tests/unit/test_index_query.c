/* Rows, catalogs and sums of what an archive holds. */
#include "index_world.h"

#include "mail/name.h"

Suite *suite_index_query(void);

#define VOLUME2 "2026-11-21T101500Z-a1b2-0002"

/*
 * Account a: INBOX with 1 whole (frame 1), 2 a link to it, 3 unreadable, 4 a
 * reference to 1's body in VOLUME2, 5 whole in frame 0; Junk with 1 whole.
 * Account b: INBOX with 1 whole, of run 2.
 */
struct house {
	struct world w;
	uint64_t junk, run2;
	struct kept one, four, five;
};

static void
add_mailbox(struct house *h, uint64_t account, const struct source_mailbox *box,
    uint64_t *id)
{
	bool is_new;
	OK(&h->w, index_mailbox(h->w.ix, account, box, 5, h->w.run, id, &is_new,
		      &h->w.err));
}

static void
fill_inbox(struct house *h)
{
	static const char *const words[] = { "$Z", "$A" };
	struct world *w = &h->w;
	h->one = settle(
	    w, &(struct sent){ .uid = 1,
		   .body = 5000,
		   .frame = 1,
		   .header = "Message-ID: <one@x>\r\nFrom: A\r\nSubject: S\r\n",
		   .offset = 512,
		   .keywords = words,
		   .keyword_count = 2 });
	settle(
	    w, &(struct sent){ .uid = 2,
		   .body = 5000,
		   .offset = 9999,
		   .header = "Message-ID: <one@x>\r\nFrom: A\r\nSubject: S\r\n",
		   .claim = CLAIM_LINK,
		   .survivor = &h->one });
	lose(w, 3, OUTCOME_UNREADABLE, "the line ended early");
	h->four = settle(w, &(struct sent){ .uid = 4,
				.body = 5000,
				.volume = VOLUME2,
				.header = "Message-ID: <four@x>\r\n",
				.offset = 77,
				.claim = CLAIM_REFERENCE,
				.survivor = &h->one,
				.idate = IDATE + 100 });
	h->five = settle(w, &(struct sent){ .uid = 5,
				.header = "Message-ID: <five@x>\r\n",
				.offset = 100,
				.idate = DATETIME_NONE });
}

static void
fill_others(struct house *h)
{
	static const struct source_mailbox junk = { .name = "Junk",
		.display = "Junk",
		.separator = '/',
		.attributes = MAILBOX_JUNK };
	struct world *w = &h->w;
	uint64_t b, b_inbox, a_job = w->job;
	add_mailbox(h, w->source, &junk, &h->junk);
	settle(w, &(struct sent){ .uid = 1,
		      .header = "Message-ID: <junk@x>\r\n",
		      .offset = 200,
		      .box = h->junk });
	OK(w, index_account(w->ix, "imap", "b@example", &b, &w->err));
	OK(w, index_job(w->ix, b, w->archive, &w->job, &w->err));
	add_mailbox(h, b, &inbox, &b_inbox);
	settle(w, &(struct sent){ .uid = 1,
		      .header = "Message-ID: <b@x>\r\n",
		      .offset = 300,
		      .box = b_inbox,
		      .run = h->run2 });
	w->job = a_job;
}

static void
build(struct house *h)
{
	*h = (struct house){ 0 };
	world_open(&h->w);
	OK(&h->w, index_run_begin(h->w.ix, "run-2", "", &h->run2, &h->w.err));
	begin(&h->w);
	add_volume(&h->w, VOLUME);
	add_volume(&h->w, VOLUME2);
	fill_inbox(h);
	fill_others(h);
	commit(&h->w);
}

/* "a/INBOX/1 a/INBOX/2 …": what a query gives, in its order. */
static const char *
answer(struct house *h, const struct index_query *query)
{
	static char text[1024];
	struct index_rows *rows;
	struct index_row row;
	bool end;
	size_t len = 0;
	text[0] = '\0';
	OK(&h->w, index_rows_open(h->w.ix, &rows, query, &h->w.err));
	for (;;) {
		OK(&h->w, index_rows_next(rows, &row, &end, &h->w.err));
		if (end)
			break;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%.1s/%s/%llu", len == 0 ? "" : " ", row.row.account,
		    row.row.mailbox, (unsigned long long)row.row.uid);
	}
	OK(&h->w, index_rows_next(rows, &row, &end, &h->w.err));
	ck_assert(end); /* and stays there */
	index_rows_close(&rows);
	ck_assert_ptr_null(rows);

	return text;
}

static const char *const only_junk[] = { "special:junk" };
static const char *const in_glob[] = { "IN*" };
static const char *const none_such[] = { "Nowhere/**" };

static const struct {
	struct index_query query;
	const char *answer;
} queries[] = {
	{ { .outcome = -1 },
	    "a/INBOX/1 a/INBOX/2 a/INBOX/4 a/INBOX/5 a/Junk/1 b/INBOX/1" },
	{ { .outcome = OUTCOME_COUNT },
	    "a/INBOX/1 a/INBOX/2 a/INBOX/3 a/INBOX/4 a/INBOX/5 a/Junk/1 "
	    "b/INBOX/1" },
	{ { .outcome = OUTCOME_UNREADABLE }, "a/INBOX/3" },
	{ { .outcome = OUTCOME_VANISHED }, "" },
	{ { .outcome = -1, .account = "b@example" }, "b/INBOX/1" },
	{ { .outcome = -1, .account = "c@example" }, "" },
	{ { .outcome = -1, .include = only_junk, .include_count = 1 },
	    "a/Junk/1" },
	{ { .outcome = -1,
	      .exclude = only_junk,
	      .exclude_count = 1,
	      .account = "a@example" },
	    "a/INBOX/1 a/INBOX/2 a/INBOX/4 a/INBOX/5" },
	{ { .outcome = -1, .include = in_glob, .include_count = 1, .uid = 1 },
	    "a/INBOX/1 b/INBOX/1" },
	{ { .outcome = -1, .include = none_such, .include_count = 1 }, "" },
	{ { .outcome = -1, .uid = 1 }, "a/INBOX/1 a/Junk/1 b/INBOX/1" },
	{ { .outcome = -1, .since = IDATE + 1 }, "a/INBOX/4" },
	{ { .outcome = -1, .before = IDATE + 1, .account = "a@example" },
	    "a/INBOX/1 a/INBOX/2 a/Junk/1" },
	{ { .outcome = -1, .message_id = "one@x" }, "a/INBOX/1 a/INBOX/2" },
	{ { .outcome = -1, .message_id = "ONE@x" }, "" },
	{ { .outcome = -1, .message_id = "b@x", .account = "a@example" }, "" },
	{ { .outcome = -1, .run = 2 }, "b/INBOX/1" },
	{ { .outcome = OUTCOME_COUNT, .run = 1, .uid = 3 }, "a/INBOX/3" },
	{ { .outcome = -1, .run = 3 }, "" },
	/* by frame and offset; a link stands where its data is */
	{ { .outcome = -1, .volume = VOLUME },
	    "a/INBOX/5 a/Junk/1 b/INBOX/1 a/INBOX/1 a/INBOX/2" },
	{ { .outcome = -1, .volume = VOLUME2 }, "a/INBOX/4" },
	{ { .outcome = -1, .volume = VOLUME, .message_id = "junk@x" },
	    "a/Junk/1" },
	{ { .outcome = -1, .volume = VOLUME, .account = "b@example" },
	    "b/INBOX/1" },
	{ { .outcome = -1, .volume = "none" }, "" },
};
enum { QUERIES = sizeof(queries) / sizeof(queries[0]) };

START_TEST(a_query_gives_its_rows_in_order)
{
	struct house h;
	build(&h);
	ck_assert_str_eq(answer(&h, &queries[_i].query), queries[_i].answer);
	world_close(&h.w);
}
END_TEST

struct summed {
	uint64_t messages, mailboxes;
};

static bool
take_sum(void *arg, const struct index_mailbox_sum *sum)
{
	struct summed *s = arg;
	s->messages += sum->messages;
	s->mailboxes++;

	return true;
}

/* The sums of a query count exactly its rows. */
START_TEST(sums_agree_with_rows)
{
	struct house h;
	struct summed sum = { 0 };
	uint64_t rows = 0;
	build(&h);
	const char *text = answer(&h, &queries[_i].query);
	for (const char *p = text; *p != '\0'; p++)
		rows += *p == '/';
	OK(&h.w, index_mailbox_sums(
		     h.w.ix, &queries[_i].query, take_sum, &sum, &h.w.err));
	ck_assert_uint_eq(sum.messages, rows / 2);
	world_close(&h.w);
}
END_TEST

START_TEST(a_content_is_found_wherever_it_lies)
{
	struct house h;
	build(&h);
	ck_assert_str_eq(answer(&h, &(struct index_query){ .outcome = -1,
					.sha256 = h.one.sha256 }),
	    "a/INBOX/1 a/INBOX/2");
	ck_assert_str_eq(answer(&h, &(struct index_query){ .outcome = -1,
					.uid = 2,
					.sha256 = h.one.sha256 }),
	    "a/INBOX/2");
	uint8_t none[32] = { 0 };
	ck_assert_str_eq(
	    answer(&h, &(struct index_query){ .outcome = -1, .sha256 = none }),
	    "");
	world_close(&h.w);
}
END_TEST

/* ---- a row's parts ---- */

struct one_row {
	struct index_rows *rows;
	struct index_row row;
};

static void
open_row(struct house *h, struct one_row *one, const char *volume, uint64_t uid,
    int outcome)
{
	static struct index_query query;
	bool end;
	query = (struct index_query){ .account = "a@example",
		.include = in_glob,
		.include_count = 1,
		.volume = volume,
		.uid = uid,
		.outcome = outcome };
	OK(&h->w, index_rows_open(h->w.ix, &one->rows, &query, &h->w.err));
	OK(&h->w, index_rows_next(one->rows, &one->row, &end, &h->w.err));
	ck_assert(!end);
}

START_TEST(a_whole_row_has_all_of_it)
{
	struct house h;
	struct one_row one;
	build(&h);
	open_row(&h, &one, VOLUME, 1, -1);
	const struct catalog_row *row = &one.row.row;
	ck_assert_str_eq(row->account, "a@example");
	ck_assert_str_eq(row->mailbox, "INBOX");
	ck_assert_uint_eq(row->wire_len, 5);
	ck_assert_mem_eq(row->wire, "INBOX", 5);
	ck_assert_uint_eq(row->uidvalidity, 77);
	ck_assert_uint_eq(row->flags, 8);
	ck_assert_str_eq(row->keywords, "$A $Z");
	ck_assert_int_eq(row->idate, IDATE);
	ck_assert_int_eq(row->zone, 60);
	ck_assert_mem_eq(row->sha256, h.one.sha256, 32);
	ck_assert_uint_eq(row->size, h.one.size); /* not as announced */
	ck_assert_uint_eq(row->header_size, h.one.header_size);
	ck_assert_str_eq(row->entry, "a/INBOX/cur/1");
	ck_assert_int_eq(row->claim, CLAIM_WHOLE);
	ck_assert_uint_eq(row->frame, 1);
	ck_assert_uint_eq(row->offset, 512);
	ck_assert_str_eq(row->body_volume, "");
	ck_assert_str_eq(row->body_entry, "");
	ck_assert_str_eq(row->from, "A");
	ck_assert_str_eq(row->to, "");
	ck_assert_str_eq(row->subject, "S");
	ck_assert_str_eq(row->message_id, "one@x");
	ck_assert_str_eq(one.row.volume, VOLUME);
	ck_assert_str_eq(one.row.run, "run-1");
	ck_assert_int_eq(one.row.outcome, OUTCOME_DELIVERED);
	ck_assert_str_eq(one.row.note_class, "");
	index_rows_close(&one.rows);
	world_close(&h.w);
}
END_TEST

START_TEST(a_link_s_row_names_the_entry_it_links_to)
{
	struct house h;
	struct one_row one;
	build(&h);
	open_row(&h, &one, VOLUME, 2, -1);
	ck_assert_str_eq(one.row.row.entry, "a/INBOX/cur/2");
	ck_assert_int_eq(one.row.row.claim, CLAIM_LINK);
	ck_assert_str_eq(one.row.row.body_entry, "a/INBOX/cur/1");
	ck_assert_str_eq(one.row.row.body_volume, VOLUME);
	ck_assert_uint_eq(one.row.row.frame, 1);
	ck_assert_uint_eq(one.row.row.offset, 512);
	index_rows_close(&one.rows);
	world_close(&h.w);
}
END_TEST

START_TEST(a_reference_s_row_names_the_body)
{
	struct house h;
	struct one_row one;
	build(&h);
	open_row(&h, &one, VOLUME2, 4, -1);
	ck_assert_int_eq(one.row.row.claim, CLAIM_REFERENCE);
	ck_assert_mem_eq(one.row.row.sha256, h.four.sha256, 32);
	ck_assert_uint_eq(one.row.row.offset, 77);
	ck_assert_str_eq(one.row.row.body_volume, VOLUME);
	ck_assert_str_eq(one.row.row.body_entry, "a/INBOX/cur/1");
	ck_assert_uint_eq(one.row.row.body_frame, 1);
	ck_assert_uint_eq(one.row.row.body_offset, 512);
	ck_assert_uint_eq(one.row.row.body_skip, h.one.header_size);
	index_rows_close(&one.rows);
	world_close(&h.w);
}
END_TEST

START_TEST(a_failed_row_says_why)
{
	struct house h;
	struct one_row one;
	build(&h);
	open_row(&h, &one, NULL, 3, OUTCOME_COUNT);
	ck_assert_int_eq(one.row.outcome, OUTCOME_UNREADABLE);
	ck_assert_str_eq(one.row.note_class, "protocol");
	ck_assert_str_eq(one.row.note_text, "the line ended early");
	ck_assert_str_eq(one.row.volume, "");
	ck_assert_str_eq(one.row.row.entry, "");
	ck_assert_uint_eq(one.row.row.size, 10);
	ck_assert(one.row.row.idate == DATETIME_NONE);
	index_rows_close(&one.rows);
	world_close(&h.w);
}
END_TEST

START_TEST(other_calls_may_be_made_between_rows)
{
	struct house h;
	struct one_row one;
	struct message_parts parts;
	struct index_totals totals;
	bool end, found;
	int n = 1;
	build(&h);
	static struct index_query all = { .outcome = -1 };
	OK(&h.w, index_rows_open(h.w.ix, &one.rows, &all, &h.w.err));
	OK(&h.w, index_rows_next(one.rows, &one.row, &end, &h.w.err));
	for (; !end; n++) {
		ck_assert_str_eq(
		    answer(
			&h, &(struct index_query){ .outcome = -1, .uid = 5 }),
		    "a/INBOX/5");
		begin(&h.w);
		seal_volume(&h.w, VOLUME2);
		commit(&h.w);
		OK(&h.w, index_parts(h.w.ix, one.row.row.sha256, &parts, &found,
			     &h.w.err));
		ck_assert(found);
		OK(&h.w, index_totals(h.w.ix, &totals, &h.w.err));
		OK(&h.w, index_rows_next(one.rows, &one.row, &end, &h.w.err));
	}
	ck_assert_int_eq(n, 7);
	index_rows_close(&one.rows);
	world_close(&h.w);
}
END_TEST

START_TEST(a_catalog_is_the_rows_of_a_volume)
{
	static struct index_query query = { .volume = VOLUME, .outcome = -1 };
	struct house h;
	struct index_rows *rows;
	struct catalog_row row;
	bool end = false;
	int n = 0;
	build(&h);
	OK(&h.w, index_rows_open(h.w.ix, &rows, &query, &h.w.err));
	while (index_rows_catalog(rows, &row, &end, &h.w.err)) {
		ck_assert_str_ne(row.entry, "");
		n++;
	}
	ck_assert(end);
	ck_assert_int_eq(n, 5);
	index_rows_close(&rows);
	world_close(&h.w);
}
END_TEST

/* ---- sums ---- */

static bool
check_inbox(void *arg, const struct index_mailbox_sum *sum)
{
	const struct house *h = arg;
	ck_assert_str_eq(sum->account, "a@example");
	ck_assert_str_eq(sum->mailbox, "INBOX");
	ck_assert_ptr_null(sum->special_use);
	ck_assert_uint_eq(sum->uidvalidity, 77);
	ck_assert_uint_eq(sum->messages, 4);
	ck_assert_uint_eq(
	    sum->octets, 2 * h->one.size + h->four.size + h->five.size);
	ck_assert_int_eq(sum->first, IDATE);
	ck_assert_int_eq(sum->last, IDATE + 100);

	return false; /* the first is enough */
}

START_TEST(a_mailbox_s_sum_has_its_ends)
{
	static struct index_query all = { .outcome = -1 };
	struct house h;
	build(&h);
	OK(&h.w, index_mailbox_sums(h.w.ix, &all, check_inbox, &h, &h.w.err));
	world_close(&h.w);
}
END_TEST

START_TEST(totals_count_what_is_kept)
{
	struct house h;
	struct index_totals totals;
	build(&h);
	begin(&h.w);
	seal_volume(&h.w, VOLUME2);
	commit(&h.w);
	OK(&h.w, index_totals(h.w.ix, &totals, &h.w.err));
	ck_assert_uint_eq(totals.contents, 5);
	ck_assert_uint_eq(totals.placements, 6); /* not the unreadable one */
	ck_assert_uint_eq(
	    totals.octets_placed, totals.octets_unique + h.one.size);
	ck_assert_uint_eq(totals.volumes_sealed, 1);
	ck_assert_uint_eq(totals.volumes_open, 1);
	ck_assert_uint_eq(totals.octets_volumes, 150 + 200);
	world_close(&h.w);
}
END_TEST

Suite *
suite_index_query(void)
{
	Suite *s = suite_create("index query");
	TCase *t = tcase_create("rows");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_query_gives_its_rows_in_order, 0, QUERIES);
	tcase_add_test(t, a_content_is_found_wherever_it_lies);
	tcase_add_test(t, a_whole_row_has_all_of_it);
	tcase_add_test(t, a_link_s_row_names_the_entry_it_links_to);
	tcase_add_test(t, a_reference_s_row_names_the_body);
	tcase_add_test(t, a_failed_row_says_why);
	tcase_add_test(t, other_calls_may_be_made_between_rows);
	tcase_add_test(t, a_catalog_is_the_rows_of_a_volume);
	suite_add_tcase(s, t);

	t = tcase_create("sums");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, sums_agree_with_rows, 0, QUERIES);
	tcase_add_test(t, a_mailbox_s_sum_has_its_ends);
	tcase_add_test(t, totals_count_what_is_kept);
	suite_add_tcase(s, t);

	return s;
}
