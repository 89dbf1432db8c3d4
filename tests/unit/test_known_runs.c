#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/index_runs.h"

#define SECOND "2026-11-22T154159Z"

/* Of two runs that begin in one second the first may have the greater name. */
static char first[] = SECOND "-e9d2", second[] = SECOND "-0a17";
static struct known_run both[] = {
	{ .name = first, .readable = true, .manifest = true },
	{ .name = second, .readable = true, .manifest = true },
};
static const struct known_runs runs = { .rows = both, .n = 2 };

static void
write_log(const char *dir, const char *run)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/runs/%s.log", dir, run);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fclose(f), 0);
}

static void
remove_all(const char *dir, const char *const *names, size_t n)
{
	char path[160];
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/runs/%s.log", dir, names[i]);
		ck_assert_int_eq(unlink(path), 0);
	}
	snprintf(path, sizeof(path), "%s/runs", dir);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(a_run_with_a_manifest_is_not_the_one_that_was_killed)
{
	static const char *const logs[] = { SECOND "-e9d2", SECOND "-0a17",
		"2026-11-22T154203Z-0001" };
	const size_t n = _i == 0 ? 2 : 3;
	char dir[] = "/tmp/mailhaul-runs-XXXXXX", path[100], out[40];
	bool is_new = false;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/runs", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	for (size_t i = 0; i < n; i++)
		write_log(dir, logs[i]);
	known_runs_open(&runs, dir, SECOND "-e9d2-0001", out, &is_new);
	ck_assert(is_new);
	for (size_t i = 0; i < runs.n; i++)
		ck_assert_str_ne(out, runs.rows[i].name);
	if (n == 3)
		ck_assert_str_eq(out, logs[2]);
	remove_all(dir, logs, n);
}
END_TEST

Suite *suite_known_runs(void);

Suite *
suite_known_runs(void)
{
	Suite *s = suite_create("known_runs");
	TCase *t = tcase_create("open");
	tcase_add_loop_test(
	    t, a_run_with_a_manifest_is_not_the_one_that_was_killed, 0, 2);
	suite_add_tcase(s, t);

	return s;
}
