/* A server as the target: what another generation of a mailbox takes over. */
#include "index_air.h"

Suite *suite_index_landed(void);

/* ---- another generation of the source ---- */

static uint64_t
new_generation(struct air *a, uint64_t uidvalidity)
{
	uint64_t id;
	bool is_new;
	OK(&a->w, index_mailbox(a->w.ix, a->w.source, &inbox, uidvalidity,
		      a->w.run, &id, &is_new, &a->w.err));

	return id;
}

static bool
known_as(struct air *a, uint64_t box, const struct mail *m)
{
	bool known;
	struct placement p = {
		.okey = m->uid,
		.size = a->size,
		.idate = m->idate == 0 ? IDATE : m->idate,
	};
	begin(&a->w);
	OK(&a->w, index_settle_known(a->w.ix, a->w.run, a->job, box, &p,
		      a->sha256, &known, &a->w.err));
	commit(&a->w);

	return known;
}

static uint64_t
twins(struct air *a, uint64_t job, uint64_t box, uint64_t *okey)
{
	uint64_t n;
	uint8_t sha256[32];
	*okey = 0;
	OK(&a->w,
	    index_match_twin(a->w.ix, job, box, a->w.run, a->size, IDATE,
		"one@example.org", NULL, NULL, &n, sha256, okey, &a->w.err));
	if (n > 0)
		ck_assert_mem_eq(sha256, a->sha256, 32);

	return n;
}

static bool
content_there(struct air *a, uint64_t job, const char *name)
{
	bool found;
	OK(&a->w, index_match_content(a->w.ix, job, a->w.source, name, 0,
		      a->sha256, &found, &a->w.err));

	return found;
}

START_TEST(another_generation_takes_over_what_is_there)
{
	static const struct mail old = { .uid = 1, .header = HEADER };
	static const struct mail moved = { .uid = 8, .header = HEADER };
	static const struct mail third = { .uid = 9, .header = HEADER };
	struct air a;
	uint64_t okey;
	air_open(&a);
	deliver(&a, &old, 41);
	/* In the mailbox itself a second one is a second one. */
	ck_assert_uint_eq(twins(&a, a.job, a.w.box, &okey), 0);
	ck_assert(!content_there(&a, a.job, "INBOX"));
	ck_assert(!known_as(&a, a.w.box, &moved));
	uint64_t now = new_generation(&a, 78);
	ck_assert_uint_eq(twins(&a, a.job, a.w.box, &okey), 1);
	ck_assert_uint_eq(okey, 1);
	ck_assert(content_there(&a, a.job, "INBOX"));
	ck_assert(!content_there(&a, a.job, "Other"));
	ck_assert(known_as(&a, now, &moved));
	ck_assert_uint_eq(tuid_of(&a, now, 8), 41);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 0);
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_DELIVERED);
	ck_assert(taken(&a, 41));
	/* It was one: the next has to be delivered. */
	ck_assert_uint_eq(twins(&a, a.job, a.w.box, &okey), 0);
	ck_assert(!content_there(&a, a.job, "INBOX"));
	ck_assert(!known_as(&a, now, &third));
	ck_assert_str_eq(
	    judge(a.w.path, "SELECT count(*) FROM placement WHERE okey = 9"),
	    "0");
	ck_assert(known_as(&a, now, &moved)); /* its own, still */
	world_close(&a.w);
}
END_TEST

START_TEST(the_one_of_the_same_date_is_taken_over)
{
	static const struct mail early = { .uid = 1, .header = HEADER };
	static const struct mail late = {
		.uid = 2, .header = HEADER, .idate = IDATE + 60
	};
	static const struct mail no_date = {
		.uid = 5, .header = HEADER, .idate = IDATE + 99
	};
	struct air a;
	air_open(&a);
	deliver(&a, &early, 41);
	deliver(&a, &late, 0); /* it is there, though nobody told where */
	uint64_t now = new_generation(&a, 78);
	ck_assert(known_as(&a, now, &late));
	ck_assert_uint_eq(tuid_of(&a, now, 2), 0);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 41);
	ck_assert(known_as(&a, now, &no_date));
	ck_assert_uint_eq(tuid_of(&a, now, 5), 41);
	world_close(&a.w);
}
END_TEST

START_TEST(of_equal_messages_each_takes_the_next)
{
	static const struct {
		uint64_t uid;
		int64_t idate;
		uint64_t tuid;
	} cases[] = { { 13, IDATE + 60, 43 }, { 11, IDATE, 41 },
		{ 12, IDATE, 42 }, { 14, IDATE + 60, 44 } };
	struct air a;
	air_open(&a);
	for (uint64_t uid = 1; uid <= 4; uid++)
		deliver(&a,
		    &(struct mail){ .uid = uid,
			.header = HEADER,
			.idate = uid < 3 ? IDATE : IDATE + 60 },
		    40 + uid);
	uint64_t now = new_generation(&a, 78);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail m = { .uid = cases[i].uid,
			.idate = cases[i].idate };
		ck_assert(content_there(&a, a.job, "INBOX"));
		ck_assert(known_as(&a, now, &m));
		ck_assert_uint_eq(tuid_of(&a, now, m.uid), cases[i].tuid);
	}
	ck_assert(!content_there(&a, a.job, "INBOX"));
	ck_assert(!known_as(&a, now, &(struct mail){ .uid = 15 }));
	world_close(&a.w);
}
END_TEST

START_TEST(what_is_in_flight_or_elsewhere_is_nobodys_to_take)
{
	static const struct source_mailbox other = {
		.name = "Other", .display = "Other", .separator = '/'
	};
	static const struct mail first = { .uid = 1, .header = HEADER };
	struct mail second = { .uid = 2, .header = HEADER };
	struct air a;
	uint64_t okey;
	bool is_new;
	air_open(&a);
	OK(&a.w, index_mailbox(a.w.ix, a.w.source, &other, 5, a.w.run,
		     &second.box, &is_new, &a.w.err));
	send(&a, &first, 1, 41);
	deliver(&a, &second, 40);
	uint64_t now = new_generation(&a, 78);
	ck_assert_uint_eq(twins(&a, a.job, a.w.box, &okey), 0);
	ck_assert(!content_there(&a, a.job, "INBOX"));
	ck_assert(!known_as(&a, now, &first));
	ck_assert_uint_eq(tuid_of(&a, second.box, 2), 40);
	world_close(&a.w);
}
END_TEST

START_TEST(an_emailid_names_what_can_be_taken_over)
{
	static const struct mail old = {
		.uid = 1, .header = HEADER, .email_id = "M1"
	};
	struct air a;
	uint8_t sha256[32];
	bool found;
	air_open(&a);
	deliver(&a, &old, 41);
#define EMAIL(box)                                                       \
	OK(&a.w, index_match_email(a.w.ix, a.job, a.w.source, box, "M1", \
		     a.size, sha256, &found, &a.w.err))
	EMAIL(a.w.box); /* a copy in the mailbox is another message */
	ck_assert(!found);
	EMAIL(0);
	ck_assert(!found);
	uint64_t now = new_generation(&a, 78);
	EMAIL(now);
	ck_assert(found);
	ck_assert_mem_eq(sha256, a.sha256, 32);
	ck_assert(known_as(&a, now, &old));
	EMAIL(now);
	ck_assert(!found);
#undef EMAIL
	world_close(&a.w);
}
END_TEST

START_TEST(a_renamed_mailbox_keeps_each_place)
{
	static const struct source_mailbox other = {
		.name = "Other", .display = "Other", .separator = '/'
	};
	struct mail mails[] = { { .uid = 1, .header = HEADER },
		{ .uid = 2, .header = HEADER }, { .uid = 3, .header = OTHER } };
	struct air a;
	uint64_t to, n;
	bool is_new;
	air_open(&a);
	deliver(&a, &mails[0], 42);
	deliver(&a, &mails[1], 41);
	begin(&a.w);
	refuse(&a, 3);
	OK(&a.w, index_mailbox(a.w.ix, a.w.source, &other, 77, a.w.run, &to,
		     &is_new, &a.w.err));
	OK(&a.w,
	    index_rename(a.w.ix, a.w.run, a.job, a.w.box, to, &n, &a.w.err));
	commit(&a.w);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(tuid_of(&a, to, 1), 42);
	ck_assert_uint_eq(tuid_of(&a, to, 2), 41);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 0);
	world_close(&a.w);
}
END_TEST

START_TEST(a_message_that_comes_back_keeps_its_place_or_loses_it)
{
	static const struct mail old = { .uid = 1, .header = HEADER };
	static const struct mail now = { .uid = 1, .header = OTHER };
	struct air a;
	uint64_t n;
	bool again;
	air_open(&a);
	deliver(&a, &old, 41);
	struct placement p = { .okey = 1, .size = a.size, .idate = IDATE };
	begin(&a.w);
	OK(&a.w, index_end(a.w.ix, a.w.run, a.w.box, 1, 1, &n, &a.w.err));
	OK(&a.w, index_settle_again(
		     a.w.ix, a.w.run, a.job, a.w.box, &p, &again, &a.w.err));
	commit(&a.w);
	ck_assert(again);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 41);
	uint64_t batch = send(&a, &now, 1, 50); /* as another one */
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_PENDING);
	ck_assert(todo(&a));
	ck_assert_str_eq(flying(&a, batch), "1:two@example.org:33:0:5:8;");
	begin(&a.w);
	land(&a, 1, 50);
	end_batch(&a, batch);
	commit(&a.w);
	ck_assert_uint_eq(tuid_of(&a, 0, 1), 50);
	ck_assert(!taken(&a, 41));
	/* Its place went on: the message is to be delivered if it returns. */
	uint64_t next = new_generation(&a, 78);
	ck_assert(known_as(&a, next, &now));
	begin(&a.w);
	OK(&a.w, index_end(a.w.ix, a.w.run, a.w.box, 1, 1, &n, &a.w.err));
	refuse(&a, 1);
	commit(&a.w);
	ck_assert_int_eq(outcome_of(&a, 1), OUTCOME_QUARANTINED);
	world_close(&a.w);
}
END_TEST

/* ---- an archive in the same index ---- */

#define ARCHIVED                                                           \
	"SELECT group_concat(quote(job) || quote(okey) || quote(outcome) " \
	"|| quote(run) || quote(volume) || quote(entry) || quote(claim) "  \
	"|| quote(frame) || quote(off) || quote(tbox)) FROM delivery "     \
	"WHERE job = 1"

static bool
no_box(void *arg, const struct index_run_box *box)
{
	ck_assert_str_eq(box->target, "x");
	++*(int *)arg;

	return true;
}

START_TEST(an_archive_beside_it_stays_as_it_is)
{
	static const struct mail old = { .uid = 1, .header = HEADER };
	struct air a;
	char before[512];
	uint64_t okey, rows = 0;
	int boxes = 0;
	bool end = false;
	struct index_rows *changes;
	struct index_row row;
	air_open(&a);
	begin(&a.w);
	add_volume(&a.w, VOLUME);
	struct kept where =
	    settle(&a.w, &(struct sent){ .uid = 1, .header = HEADER });
	commit(&a.w);
	snprintf(before, sizeof(before), "%s", judge(a.w.path, ARCHIVED));
	ck_assert_str_ne(before, "");
	/* Its copy is none on the server. */
	memcpy(a.sha256, where.sha256, 32);
	a.size = where.size;
	uint64_t now = new_generation(&a, 78);
	ck_assert_uint_eq(twins(&a, a.w.job, a.w.box, &okey), 1);
	ck_assert_uint_eq(twins(&a, a.job, a.w.box, &okey), 0);
	ck_assert(content_there(&a, a.w.job, "INBOX"));
	ck_assert(!content_there(&a, a.job, "INBOX"));
	ck_assert(!known_as(&a, now, &old));
	deliver(&a, &old, 41);
	ck_assert(known_as(&a, now, &old));
	ck_assert_uint_eq(twins(&a, a.w.job, a.w.box, &okey), 1);
	ck_assert_uint_eq(twins(&a, a.job, a.w.box, &okey), 0);
	ck_assert_str_eq(judge(a.w.path, ARCHIVED), before);
	/* Nor does its manifest tell of it. */
	OK(&a.w, index_run_end(a.w.ix, a.w.run, RUN_COMPLETE, &a.w.err));
	struct index_query query = { .changes = a.w.run,
		.outcome = OUTCOME_COUNT };
	OK(&a.w, index_rows_open(a.w.ix, &changes, &query, &a.w.err));
	for (; index_rows_next(changes, &row, &end, &a.w.err) && !end; rows++)
		ck_assert_str_eq(row.volume, VOLUME);
	ck_assert(end);
	index_rows_close(&changes);
	ck_assert_uint_eq(rows, 1);
	OK(&a.w, index_run_boxes(a.w.ix, a.w.run, no_box, &boxes, &a.w.err));
	ck_assert_int_eq(boxes, 2);
	world_close(&a.w);
}
END_TEST

Suite *
suite_index_landed(void)
{
	Suite *s = suite_create("index landed");
	TCase *t = tcase_create("index landed");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, another_generation_takes_over_what_is_there);
	tcase_add_test(t, the_one_of_the_same_date_is_taken_over);
	tcase_add_test(t, of_equal_messages_each_takes_the_next);
	tcase_add_test(t, what_is_in_flight_or_elsewhere_is_nobodys_to_take);
	tcase_add_test(t, an_emailid_names_what_can_be_taken_over);
	tcase_add_test(t, a_renamed_mailbox_keeps_each_place);
	tcase_add_test(
	    t, a_message_that_comes_back_keeps_its_place_or_loses_it);
	tcase_add_test(t, an_archive_beside_it_stays_as_it_is);
	suite_add_tcase(s, t);

	return s;
}
