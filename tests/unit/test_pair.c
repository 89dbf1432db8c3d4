/* What is known of a copy between two servers: where it lies, and its runs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/pair.h"

Suite *suite_pair(void);

static const struct command copy = { .name = "copy", .bit = IN_COPY };

static char home[64];
static struct options options;
static struct err err;
static struct endpoint from, to;

static void
set_up(void)
{
	snprintf(home, sizeof(home), "/tmp/mailhaul-pair-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	ck_assert_int_eq(setenv("XDG_STATE_HOME", home, 1), 0);
	ck_assert_int_eq(setenv("HOME", "/nonexistent", 1), 0);
	options = (struct options){ .command = &copy };
	ck_assert(endpoint_parse(&from, "imaps://alice@old.example/", &err));
	ck_assert(endpoint_parse(&to, "imaps://Alice@new.example:1993/", &err));
}

static void
tear_down(void)
{
	endpoint_free(&from);
	endpoint_free(&to);
	char *command = mem_fmt("%s", home);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", command, (char *)NULL);
		_exit(127);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	free(command);
}

static const struct {
	const char *state, *home, *source, *target, *dir;
} places[] = {
	{ "/s", "/h", "a@b", "c@d", "/s/mailhaul/a@b--c@d" },
	{ NULL, "/h", "a@b", "c@d", "/h/.local/state/mailhaul/a@b--c@d" },
	{ "", "/h", "a@b", "c@d", "/h/.local/state/mailhaul/a@b--c@d" },
	{ "s", "/h", "a@b", "c@d", "/h/.local/state/mailhaul/a@b--c@d" },
	{ "/s", NULL, "../x/y", "c@d", "/s/mailhaul/%2E.%2Fx%2Fy--c@d" },
	{ "/s", NULL, "a@b", "a@b:1993", "/s/mailhaul/a@b--a@b%3A1993" },
	{ NULL, NULL, "a@b", "c@d", NULL },
	{ NULL, "h", "a@b", "c@d", NULL },
};

static void
set_variable(const char *name, const char *value)
{
	if (value == NULL)
		ck_assert_int_eq(unsetenv(name), 0);
	else
		ck_assert_int_eq(setenv(name, value, 1), 0);
}

START_TEST(each_pair_has_a_folder_where_state_is_kept)
{
	set_variable("XDG_STATE_HOME", places[_i].state);
	set_variable("HOME", places[_i].home);
	char *dir = pair_dir(places[_i].source, places[_i].target, &err);
	if (places[_i].dir == NULL) {
		ck_assert_ptr_null(dir);
		ck_assert_int_eq(err.code, ERR_USAGE);
		ck_assert_ptr_nonnull(strstr(err.hint, "--index FILE"));
	} else {
		ck_assert_str_eq(dir, places[_i].dir);
	}
	free(dir);
}
END_TEST

START_TEST(two_long_names_fit_into_a_folder_name_and_stay_two)
{
	char *a = mem_new(301), *b = mem_new(301);
	memset(a, 'a', 300);
	memset(b, 'a', 300);
	b[299] = 'b';
	char *x = pair_dir(a, a, &err), *y = pair_dir(a, b, &err);
	ck_assert_str_ne(x, y);
	ck_assert_uint_le(strlen(strrchr(x, '/') + 1), 255);
	free(a);
	free(b);
	free(x);
	free(y);
}
END_TEST

static void
check_mode(const char *path)
{
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
}

static void
write_run(struct state_dir *s)
{
	ck_assert_msg(pair_write(s, &options, &from, &to, "copy A B", &err),
	    "%s", err.text);
	ck_assert_uint_ne(s->run, 0);
	ck_assert_int_eq(access(s->log_path, F_OK), 0);
}

START_TEST(a_first_run_makes_folders_index_and_log)
{
	struct state_dir s;
	bool there = true;
	ck_assert(pair_look(&s, &options, &from, &to, &there, &err));
	ck_assert(!there);
	ck_assert_int_ne(access(s.dir, F_OK), 0);
	state_close(&s);
	write_run(&s);
	char *wanted =
	    mem_fmt("%s/mailhaul/alice@old.example--alice@new.example", home);
	char *runs = mem_fmt("%s/runs/", wanted);
	ck_assert_str_eq(s.dir, wanted);
	ck_assert_ptr_eq(strstr(s.log_path, runs), s.log_path);
	check_mode(wanted);
	check_mode(runs);
	ck_assert(index_run_end(s.index, s.run, RUN_COMPLETE, &err));
	state_close(&s);
	ck_assert(pair_look(&s, &options, &from, &to, &there, &err));
	ck_assert(there);
	state_close(&s);
	free(wanted);
	free(runs);
}
END_TEST

START_TEST(a_run_that_was_killed_becomes_interrupted)
{
	struct state_dir s;
	struct index_run *runs = NULL;
	size_t n = 0;
	write_run(&s);
	state_close(&s);
	write_run(&s);
	ck_assert(state_runs(&s, &runs, &n, &err));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(runs[0].state, RUN_INTERRUPTED);
	ck_assert_int_eq(runs[1].state, RUN_OPEN);
	ck_assert_str_eq(runs[1].command, "copy A B");
	free(runs);
	state_close(&s);
}
END_TEST

START_TEST(an_index_may_lie_elsewhere)
{
	struct state_dir s;
	char *path = mem_fmt("%s/here.db", home);
	char *runs = mem_fmt("%s/runs/", home);
	options.index = path;
	write_run(&s);
	ck_assert_str_eq(s.index_path, path);
	ck_assert_ptr_eq(strstr(s.log_path, runs), s.log_path);
	state_close(&s);
	free(path);
	free(runs);
}
END_TEST

START_TEST(an_archives_index_is_not_taken_for_a_pairs)
{
	struct state_dir s;
	struct index *index;
	uint64_t run, archive;
	const struct progress opened = { .volume = "V-0001", .opened = true };
	char *path = mem_fmt("%s/mailhaul.db", home);
	ck_assert(index_open(&index, path, INDEX_WRITE, &err));
	ck_assert(index_account(index, "archive", "archive", &archive, &err));
	ck_assert(index_run_begin(index, "R", "copy", &run, &err));
	ck_assert(index_begin(index, &err));
	ck_assert(index_progress(index, run, archive, &opened, &err));
	ck_assert(index_commit(index, &err));
	index_close(&index);
	options.index = path;
	ck_assert(!pair_write(&s, &options, &from, &to, "copy", &err));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "is an archive's"));
	state_close(&s);
	free(path);
}
END_TEST

START_TEST(a_damaged_index_is_told_with_what_to_do)
{
	struct state_dir s;
	char *path = mem_fmt("%s/mailhaul.db", home);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", f);
	ck_assert_int_eq(fclose(f), 0);
	options.index = path;
	ck_assert(!pair_write(&s, &options, &from, &to, "copy", &err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(err.hint, "Then: mv "));
	state_close(&s);
	free(path);
}
END_TEST

static const struct {
	const char *source, *target;
	bool same;
} pairs[] = {
	{ "imaps://a@h/", "imaps://a@H/", true },
	{ "imaps://a@h/", "imap://A@h/", true },
	{ "imaps://a@h/", "imaps://a%40h@h/", true },
	{ "imaps://a@h:1/", "imap://a@h:1/", true },
	{ "imaps://a@h/Sent", "imaps://a@h/", true },
	{ "imaps://a@h/", "imaps://a@h:1993/", false },
	{ "imaps://a@h/", "imaps://b@h/", false },
	{ "imaps://a@h/", "imaps://a@k/", false },
};

START_TEST(a_mailbox_is_not_copied_into_itself)
{
	struct server_port source;
	struct target_port target;
	options.timeout = 0;
	ck_assert(source_port_read(&source, &options, pairs[_i].source, &err));
	bool ok = target_port_read(
	    &target, &options, pairs[_i].target, &source, &err);
	ck_assert(ok == !pairs[_i].same);
	if (!ok)
		ck_assert_ptr_nonnull(strstr(err.text, "the same mailbox"));
	else
		ck_assert_str_ne(
		    source.account.data, target.server.account.data);
	target_port_close(&target);
	server_port_close(&source);
}
END_TEST

START_TEST(the_target_is_told_its_side_of_the_options)
{
	const char *maps[] = { "Sent Items=Sent", "A=B=C" };
	struct server_port source;
	struct target_port target;
	options.map = (struct list){ .items = maps, .n = 2 };
	options.into = "Old";
	options.assume_empty = true;
	options.source.tls_pin = "sha256:1";
	options.target.tls_pin = "sha256:2";
	options.target.connect = "there:44";
	ck_assert(source_port_read(
	    &source, &options, "imaps://a@old.example/", &err));
	ck_assert(target_port_read(
	    &target, &options, "imaps://b@new.example/", &source, &err));
	const struct imap_target_options *o = &target.imap;
	ck_assert_str_eq(source.imap.wire.side, "SOURCE");
	ck_assert_str_eq(o->imap.wire.side, "TARGET");
	ck_assert_str_eq(source.imap.wire.pin, "sha256:1");
	ck_assert_str_eq(o->imap.wire.pin, "sha256:2");
	ck_assert_str_eq(o->imap.wire.host, "new.example");
	ck_assert_str_eq(o->imap.wire.connect_host, "there");
	ck_assert_uint_eq(o->imap.wire.connect_port, 44);
	ck_assert_str_eq(o->imap.user, "b");
	ck_assert(o->assume_empty);
	ck_assert_str_eq(o->place.into, "Old");
	ck_assert_uint_eq(o->place.rule_count, 2);
	ck_assert_str_eq(o->place.rules[0].from, "Sent Items");
	ck_assert_str_eq(o->place.rules[0].to, "Sent");
	ck_assert_str_eq(o->place.rules[1].from, "A");
	ck_assert_str_eq(o->place.rules[1].to, "B=C");
	target_port_close(&target);
	server_port_close(&source);
}
END_TEST

Suite *
suite_pair(void)
{
	Suite *s = suite_create("pair");
	TCase *t = tcase_create("index");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, each_pair_has_a_folder_where_state_is_kept, 0,
	    sizeof(places) / sizeof(places[0]));
	tcase_add_test(t, two_long_names_fit_into_a_folder_name_and_stay_two);
	tcase_add_test(t, a_first_run_makes_folders_index_and_log);
	tcase_add_test(t, a_run_that_was_killed_becomes_interrupted);
	tcase_add_test(t, an_index_may_lie_elsewhere);
	tcase_add_test(t, an_archives_index_is_not_taken_for_a_pairs);
	tcase_add_test(t, a_damaged_index_is_told_with_what_to_do);
	suite_add_tcase(s, t);
	t = tcase_create("ports");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_mailbox_is_not_copied_into_itself, 0,
	    sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(t, the_target_is_told_its_side_of_the_options);
	suite_add_tcase(s, t);

	return s;
}
