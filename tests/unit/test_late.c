/* Libraries that are loaded when they are needed. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/late.h"

Suite *suite_late(void);

/* In a library that is always there. */
double ldexp(double, int);
#define MATHS_CALLS(DO) DO(ldexp)
LATE_DECLARE(maths, MATHS_CALLS)
LATE_DEFINE(maths, "libm.so.6", "libc6", MATHS_CALLS)

START_TEST(a_library_is_loaded_once_and_called)
{
	struct err err;
	ck_assert_ptr_null(maths.calls.ldexp);
	ck_assert(maths_load(&err));
	ck_assert_double_eq(maths.calls.ldexp(3, 2), 12);
	/* A second filling would die: the table is read-only. */
	ck_assert(maths_load(&err));
}
END_TEST

static void *
load_too(void *arg)
{
	struct err err;
	(void)arg;

	return maths_load(&err) && maths.calls.ldexp(1, 3) == 8 ? &maths : NULL;
}

START_TEST(threads_may_load_it_at_once)
{
	pthread_t threads[8];
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, load_too, NULL), 0);
	for (int i = 0; i < 8; i++) {
		void *good = NULL;
		pthread_join(threads[i], &good);
		ck_assert_ptr_nonnull(good);
	}
}
END_TEST

/* The kernel is asked, as a write of our own would end the test. */
START_TEST(a_filled_table_can_not_be_written)
{
	struct err err;
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "xy", 2), 2);
	ck_assert_int_eq(read(ends[0], maths.page + LATE_PAGE - 1, 1), 1);
	ck_assert(maths_load(&err));
	for (size_t i = 0; i < LATE_PAGE; i += LATE_PAGE - 1) {
		ck_assert_int_eq(read(ends[0], maths.page + i, 1), -1);
		ck_assert_int_eq(errno, EFAULT);
	}
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static const struct {
	const char *soname, *call, *said;
} absent[] = {
	{ "libnowhere.so.7", "anything", "libnowhere.so.7: cannot open" },
	{ "libm.so.6", "nowhere_call", "undefined symbol: nowhere_call" },
};

START_TEST(what_is_missing_is_named_with_its_package)
{
	static _Alignas(LATE_PAGE) char table[LATE_PAGE];
	struct late late = { .soname = absent[_i].soname,
		.package = "libnowhere7",
		.names = &absent[_i].call,
		.count = 1,
		.table = table };
	for (int again = 0; again < 2; again++) {
		struct err err = { 0 };
		ck_assert(!late_load(&late, &err));
		ck_assert_int_eq(err.scope, ERR_RUN);
		ck_assert_ptr_nonnull(strstr(err.text, absent[_i].said));
		ck_assert_ptr_nonnull(strstr(err.text, "package libnowhere7"));
		ck_assert_ptr_nonnull(
		    strstr(err.hint, "apt install libnowhere7"));
	}
}
END_TEST

Suite *
suite_late(void)
{
	Suite *s = suite_create("late");
	TCase *tc = tcase_create("late");
	tcase_add_test(tc, a_library_is_loaded_once_and_called);
	tcase_add_test(tc, threads_may_load_it_at_once);
	tcase_add_test(tc, a_filled_table_can_not_be_written);
	tcase_add_loop_test(tc, what_is_missing_is_named_with_its_package, 0,
	    sizeof(absent) / sizeof(absent[0]));
	suite_add_tcase(s, tc);

	return s;
}
