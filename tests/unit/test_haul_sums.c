/* What a mailbox comes to in a run that reads it more than once. */
#include "haul/sums.h"
#include "index_world.h"

Suite *suite_haul_sums(void);

/* A try of the account: what it says is in the rows, as if it died then. */
struct
try {
	struct world *w;
	struct haul_options o;
	struct sums *sums;
};

static void
try_begin(struct try *t, struct world *w, uint64_t listed)
{
	*t = (struct try){ .w = w,
		.o = { .run = w->run, .job = w->job, .account = "a@example" } };
	t->sums = sums_new(&t->o, w->ix);
	OK(w, sums_load(t->sums, &w->err));
	begin(w);
	OK(w, sums_open(t->sums, 0, w->box, listed, &w->err));
	commit(w);
	sums_committed(t->sums);
}

static void
try_more(struct try *t, uint64_t already, uint64_t delivered)
{
	struct index_counts c = { .already = already };
	c.by[OUTCOME_DELIVERED] = delivered;
	begin(t->w);
	sums_add(t->sums, &c);
	OK(t->w, sums_save(t->sums, &t->w->err));
	commit(t->w);
	sums_committed(t->sums);
}

static void
try_close(struct try *t, uint64_t listed)
{
	bool balanced;
	struct haul_result result = { 0 };
	begin(t->w);
	sums_close(t->sums, listed, 2, &balanced);
	ck_assert(balanced);
	OK(t->w, sums_leave(t->sums, &t->w->err));
	commit(t->w);
	sums_committed(t->sums);
	sums_result(t->sums, false, &result);
	ck_assert(result.balanced);
}

static void
try_die(struct try *t)
{
	sums_free(&t->sums);
}

/* "listed = delivered + already + unknown, scanned", and that it adds up. */
static const char *
row(struct world *w)
{
	ck_assert_str_eq(
	    judge(w->path, "SELECT count(*) FROM run_mailbox WHERE already < 0 "
			   "OR delivered < 0 OR unknown < 0"),
	    "0");

	return judge(w->path,
	    "SELECT printf('%d = %d + %d + %d, %d', inventory, delivered, "
	    "already, unknown, scanned) FROM run_mailbox");
}

/* 30 old, 60 new; the first try dies at 40 of the new and 10 of the old. */
static void
first_try(struct world *w)
{
	world_open(w);
	struct try t;
	try_begin(&t, w, 90);
	try_more(&t, 10, 40);
	ck_assert_str_eq(row(w), "90 = 40 + 10 + 0, 0");
	try_die(&t);
}

START_TEST(a_second_try_counts_what_the_first_copied_once)
{
	struct world w;
	first_try(&w);
	struct try t;
	try_begin(&t, &w, 90);
	try_more(&t, 70, 20);
	try_close(&t, 90);
	try_die(&t);
	ck_assert_str_eq(row(&w), "90 = 60 + 30 + 0, 2");
	OK(&w, index_run_end(w.ix, w.run, RUN_COMPLETE, &w.err));
	ck_assert_str_eq(row(&w), "90 = 60 + 30 + 0, 2");
	world_close(&w);
}
END_TEST

/* However far the second one comes, the row says what was copied. */
START_TEST(a_second_try_that_dies_too_takes_nothing_back)
{
	static const struct {
		uint64_t already, delivered;
		const char *row, *ended;
	} deaths[] = {
		{ 0, 0, "90 = 40 + 0 + 0, 0", "90 = 40 + 0 + 50, 0" },
		{ 30, 0, "90 = 40 + 0 + 0, 0", "90 = 40 + 0 + 50, 0" },
		{ 50, 5, "90 = 45 + 10 + 0, 0", "90 = 45 + 10 + 35, 0" },
		{ 70, 20, "90 = 60 + 30 + 0, 0", "90 = 60 + 30 + 0, 0" },
	};
	struct world w;
	first_try(&w);
	struct try t;
	try_begin(&t, &w, 90);
	try_more(&t, deaths[_i].already, deaths[_i].delivered);
	try_die(&t);
	ck_assert_str_eq(row(&w), deaths[_i].row);
	OK(&w, index_run_end(w.ix, w.run, RUN_INCOMPLETE, &w.err));
	ck_assert_str_eq(row(&w), deaths[_i].ended);
	world_close(&w);
}
END_TEST

START_TEST(a_second_try_that_breaks_off_says_what_it_lacks)
{
	struct world w;
	struct haul_result result = { 0 };
	first_try(&w);
	struct try t;
	try_begin(&t, &w, 90);
	try_more(&t, 50, 5);
	begin(&w);
	OK(&w, sums_leave(t.sums, &w.err));
	commit(&w);
	sums_committed(t.sums);
	sums_result(t.sums, false, &result);
	ck_assert_uint_eq(result.counts.by[OUTCOME_UNKNOWN], 35);
	ck_assert_uint_eq(result.counts.by[OUTCOME_DELIVERED], 45);
	ck_assert(result.balanced);
	try_die(&t);
	ck_assert_str_eq(row(&w), "90 = 45 + 10 + 35, 0");
	world_close(&w);
}
END_TEST

/* The first try had read it to its end; the second one dies in it. */
START_TEST(what_a_first_try_saw_whole_stays_so)
{
	struct world w;
	world_open(&w);
	struct try t;
	try_begin(&t, &w, 90);
	try_more(&t, 30, 60);
	try_close(&t, 90);
	try_die(&t);
	try_begin(&t, &w, 92);
	try_more(&t, 3, 2);
	try_die(&t);
	ck_assert_str_eq(row(&w), "92 = 62 + 30 + 0, 2");
	world_close(&w);
}
END_TEST

/* Some of what the first try copied was expunged meanwhile. */
START_TEST(a_second_try_counts_what_is_there)
{
	struct world w;
	first_try(&w);
	struct try t;
	try_begin(&t, &w, 30);
	try_more(&t, 10, 20);
	try_close(&t, 30);
	try_die(&t);
	ck_assert_str_eq(row(&w), "30 = 30 + 0 + 0, 2");
	world_close(&w);
}
END_TEST

Suite *
suite_haul_sums(void)
{
	Suite *s = suite_create("haul sums");
	TCase *t = tcase_create("tries");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_second_try_counts_what_the_first_copied_once);
	tcase_add_loop_test(
	    t, a_second_try_that_dies_too_takes_nothing_back, 0, 4);
	tcase_add_test(t, a_second_try_that_breaks_off_says_what_it_lacks);
	tcase_add_test(t, what_a_first_try_saw_whole_stays_so);
	tcase_add_test(t, a_second_try_counts_what_is_there);
	suite_add_tcase(s, t);

	return s;
}
