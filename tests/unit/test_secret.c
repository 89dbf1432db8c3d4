#include "base/log.h"
#include "base/stop.h"
#include "conf/secret.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_secret(void);

static char dir[64], path[96];

static void
make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/mailhaul-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pw.txt", dir);
}

static void
remove_dir(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
write_file(const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static const struct {
	const char *octets;
	size_t len;
	const char *want; /* NULL: refused, and .says why */
	const char *says;
} contents[] = {
#define ROW(text, ...)                              \
	{                                           \
		text, sizeof(text) - 1, __VA_ARGS__ \
	}
	ROW("hunter2", "hunter2", "(7 octets)"),
	ROW("hunter2\n", "hunter2", "(7 octets; a final newline was ignored)"),
	ROW("hunter2\r\n", "hunter2",
	    "(7 octets; a final newline was ignored)"),
	ROW(" a b ", " a b ", "(5 octets)"),
	ROW("\xc3\xbc", "\xc3\xbc", "(2 octets)"),
	ROW("", NULL, "empty"),
	ROW("\n", NULL, "empty"),
	ROW("\r\n", NULL, "empty"),
	ROW("a\n\n", NULL, "one line"),
	ROW("a\nb", NULL, "one line"),
	ROW("a\rb", NULL, "one line"),
	ROW("a\r", NULL, "one line"),
	ROW("a\0b", NULL, "NUL"),
	ROW("\0", NULL, "NUL"),
#undef ROW
};

static void
assert_outcome(struct secret *s, bool ok, const struct err *err, int row)
{
	ck_assert_msg(ok == (contents[row].want != NULL), "%s", err->text);
	if (!ok) {
		ck_assert_int_eq(err->code, ERR_USAGE);
		ck_assert_ptr_nonnull(strstr(err->text, contents[row].says));
		ck_assert_ptr_null(s->data);
		return;
	}
	ck_assert_str_eq(s->data, contents[row].want);
	ck_assert_uint_eq(s->len, strlen(contents[row].want));
	ck_assert_ptr_nonnull(strstr(s->origin, contents[row].says));
	ck_assert_ptr_null(strstr(s->origin, "hunter2"));
	secret_free(s);
	ck_assert_ptr_null(s->data);
	secret_free(s);
}

START_TEST(a_file_gives_its_only_line)
{
	const struct secret_from from = { .file = path };
	struct secret s;
	struct err err = { 0 };

	write_file(contents[_i].octets, contents[_i].len, 0600);
	bool ok = secret_get(&s, &from, "source", &err);
	if (ok)
		ck_assert_ptr_nonnull(
		    strstr(s.origin, "--source-password-file"));
	assert_outcome(&s, ok, &err, _i);
}
END_TEST

START_TEST(a_command_gives_its_only_line)
{
	char command[128];
	const struct secret_from from = { .command = command };
	struct secret s;
	struct err err = { 0 };

	write_file(contents[_i].octets, contents[_i].len, 0600);
	snprintf(command, sizeof(command), "cat '%s'", path);
	bool ok = secret_get(&s, &from, "target", &err);
	if (ok)
		ck_assert_ptr_nonnull(
		    strstr(s.origin, "--target-password-command"));
	assert_outcome(&s, ok, &err, _i);
}
END_TEST

START_TEST(a_variable_is_taken_and_wiped)
{
	const struct secret_from from = { .variable = "MAILHAUL_TEST_PW" };
	struct secret s;
	struct err err;

	setenv("MAILHAUL_TEST_PW", "hunter2", 1);
	const char *where = getenv("MAILHAUL_TEST_PW");
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "hunter2");
	ck_assert_str_eq(s.origin, "MAILHAUL_TEST_PW (7 octets)");
	ck_assert_ptr_null(getenv("MAILHAUL_TEST_PW"));
	ck_assert_str_eq(where, "");
	secret_free(&s);
	ck_assert(!secret_get(&s, &from, "source", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "no password given"));
}
END_TEST

START_TEST(an_empty_variable_is_told)
{
	const struct secret_from from = { .variable = "MAILHAUL_TEST_PW" };
	struct secret s;
	struct err err;

	setenv("MAILHAUL_TEST_PW", "", 1);
	ck_assert(!secret_get(&s, &from, "source", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "MAILHAUL_TEST_PW"));
	ck_assert_ptr_nonnull(strstr(err.text, "empty"));
}
END_TEST

START_TEST(the_first_origin_that_is_set_wins)
{
	struct secret_from from = {
		.file = path, .command = "echo two", .variable = "MAILHAUL_PW"
	};
	struct secret s;
	struct err err;

	write_file("one", 3, 0600);
	setenv("MAILHAUL_PW", "three", 1);
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "one");
	secret_free(&s);
	from.file = NULL;
	setenv("MAILHAUL_PW", "three", 1);
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "two");
	secret_free(&s);
	from.command = NULL;
	setenv("MAILHAUL_PW", "three", 1);
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "three");
	secret_free(&s);
}
END_TEST

/* Neither its own side's nor the other's; all else is handed on. */
START_TEST(a_variable_that_is_not_used_is_taken_away_all_the_same)
{
	struct secret_from from = { .file = path,
		.variable = "MAILHAUL_SOURCE_PASSWORD" };
	struct secret s;
	struct err err;
	write_file("one", 3, 0600);
	setenv("MAILHAUL_SOURCE_PASSWORD", "hush", 1);
	setenv("MAILHAUL_TARGET_PASSWORD", "hush too", 1);
	setenv("MAILHAUL_TEST_KEPT", "kept", 1);
	const char *where = getenv("MAILHAUL_SOURCE_PASSWORD");
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "one");
	ck_assert_ptr_null(getenv("MAILHAUL_SOURCE_PASSWORD"));
	ck_assert_str_eq(where, "");
	secret_free(&s);

	setenv("MAILHAUL_SOURCE_PASSWORD", "hush", 1);
	from.file = NULL;
	from.command = "echo \"$MAILHAUL_TEST_KEPT"
		       "${MAILHAUL_SOURCE_PASSWORD-,}"
		       "${MAILHAUL_TARGET_PASSWORD-,}\"";
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "kept,,");
	secret_free(&s);

	/* A command that is asked before its own side's variable is. */
	setenv("MAILHAUL_SOURCE_PASSWORD", "hush", 1);
	from.variable = NULL;
	ck_assert(secret_get(&s, &from, "target", &err));
	ck_assert_str_eq(s.data, "kept,,");
	secret_free(&s);
}
END_TEST

START_TEST(a_missing_file_is_named_with_what_to_do)
{
	const struct secret_from from = { .file = path };
	struct secret s;
	struct err err = { 0 };

	ck_assert(!secret_get(&s, &from, "source", &err));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_uint_gt(strlen(err.hint), 20);
}
END_TEST

START_TEST(an_endless_file_is_refused)
{
	const struct secret_from from = { .file = "/dev/zero" };
	struct secret s;
	struct err err = { 0 };

	ck_assert(!secret_get(&s, &from, "source", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "4096"));
}
END_TEST

START_TEST(the_longest_password_is_taken_whole)
{
	const struct secret_from from = { .file = path };
	char long_one[4098];
	struct secret s;
	struct err err = { 0 };

	memset(long_one, 'x', sizeof(long_one));
	memcpy(long_one + 4096, "\r\n", 2);
	write_file(long_one, 4098, 0600);
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_uint_eq(s.len, 4096);
	secret_free(&s);
	long_one[4096] = 'x';
	write_file(long_one, 4097, 0600);
	ck_assert(!secret_get(&s, &from, "source", &err));
}
END_TEST

START_TEST(standard_input_is_a_file_too)
{
	const struct secret_from from = { .file = "-" };
	struct secret s;
	struct err err;

	write_file("hunter2\n", 8, 0600);
	int fd = open(path, O_RDONLY);
	ck_assert_int_eq(dup2(fd, 0), 0);
	close(fd);
	ck_assert(secret_get(&s, &from, "source", &err));
	ck_assert_str_eq(s.data, "hunter2");
	secret_free(&s);
}
END_TEST

static const struct {
	mode_t mode;
	bool warns;
} modes[] = { { 0600, false }, { 0400, false }, { 0640, true }, { 0604, true },
	{ 0666, true } };

START_TEST(a_file_that_others_can_read_is_warned_of)
{
	const struct secret_from from = { .file = path };
	char log[128], text[1024] = "";
	struct secret s;
	struct err err;

	snprintf(log, sizeof(log), "%s/log", dir);
	ck_assert(log_file(log, LOG_TEXT));
	write_file("x", 1, modes[_i].mode);
	ck_assert(secret_get(&s, &from, "source", &err));
	secret_free(&s);
	log_add(LOG_INFO, "end");
	log_close();
	int fd = open(log, O_RDONLY);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	unlink(log);
	ck_assert((strstr(text, path) != NULL) == modes[_i].warns);
	ck_assert((strstr(text, "chmod 600") != NULL) == modes[_i].warns);
}
END_TEST

static const struct {
	const char *command, *says;
} failures[] = {
	{ "echo hunter2; exit 3", "exit code 3" },
	{ "/nonexistent/program 2>/dev/null", "exit code 127" },
	{ "kill -9 $$", "signal 9" },
	{ "true", "empty" },
	{ "yes", "4096" },
};

START_TEST(a_command_that_fails_gives_no_password)
{
	const struct secret_from from = { .command = failures[_i].command };
	struct secret s;
	struct err err = { 0 };

	ck_assert(!secret_get(&s, &from, "source", &err));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_msg(
	    strstr(err.text, failures[_i].says) != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "--source-password-command"));
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
	/* No child is left behind. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static void
interrupt(int number)
{
	(void)number;
	kill(getpid(), SIGINT);
}

START_TEST(a_command_that_hangs_can_be_interrupted)
{
	const struct secret_from from = { .command = "exec sleep 1000" };
	struct secret s;
	struct err err = { 0 };

	stop_install();
	signal(SIGALRM, interrupt);
	alarm(1);
	ck_assert(!secret_get(&s, &from, "source", &err));
	ck_assert_int_eq(err.code, ERR_STOPPED);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

/* What the child of a prompt test exits with. */
enum { GOT_IT = 0, WRONG = 1, STOPPED = 2, ECHO_IS_OFF = 3 };

/* On the other end of the terminal. */
static void
ask_in_child(void)
{
	const struct secret_from from = { .prompt = "Password: " };
	struct secret s;
	struct termios now;
	struct err err = { 0 };

	bool ok = secret_get(&s, &from, "source", &err);
	tcgetattr(0, &now);
	if ((now.c_lflag & ECHO) == 0)
		_exit(ECHO_IS_OFF);
	if (!ok)
		_exit(err.code == ERR_STOPPED ? STOPPED : WRONG);
	_exit(strcmp(s.data, "hunter2") == 0 &&
		      strcmp(s.origin, "typed (7 octets)") == 0
		  ? GOT_IT
		  : WRONG);
}

/* Until want has come, or the end. */
static void
read_until(int fd, char *text, size_t size, const char *want)
{
	size_t len = strlen(text);

	while (strstr(text, want) == NULL && len + 1 < size) {
		ssize_t n = read(fd, text + len, size - 1 - len);
		if (n <= 0)
			return;
		len += (size_t)n;
		text[len] = '\0';
	}
}

static int
converse(const char *type, bool install_stop, char *text, size_t size)
{
	int terminal, status;
	pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* The test runner has its own idea of this signal. */
		signal(SIGINT, SIG_DFL);
		if (install_stop)
			stop_install();
		ask_in_child();
	}
	text[0] = '\0';
	read_until(terminal, text, size, "Password: ");
	ck_assert_str_eq(text, "Password: ");
	ck_assert_int_eq(
	    write(terminal, type, strlen(type)), (ssize_t)strlen(type));
	read_until(terminal, text, size, "never comes");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(terminal);

	return status;
}

START_TEST(a_prompt_reads_without_echo)
{
	char text[256];
	int status = converse("hunter2\n", false, text, sizeof(text));

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), GOT_IT);
	ck_assert_ptr_null(strstr(text, "hunter2"));
}
END_TEST

START_TEST(an_interrupted_prompt_puts_the_terminal_back)
{
	char text[256];
	int status = converse("hun\003", true, text, sizeof(text));

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), STOPPED);
	status = converse("hun\003", false, text, sizeof(text));
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGINT);
}
END_TEST

START_TEST(without_a_terminal_the_ways_are_told)
{
	const struct secret_from from = { .prompt = "Password: " };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct secret s;
		struct err err = { 0 };
		setsid();
		bool ok = secret_get(&s, &from, "target", &err);
		_exit(!ok && err.code == ERR_USAGE &&
			      strstr(err.text, "TARGET") != NULL &&
			      strstr(err.hint, "--target-password-file") &&
			      strstr(err.hint, "--target-password-command") &&
			      strstr(err.hint, "MAILHAUL_TARGET_PASSWORD")
			  ? 0
			  : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_guarded_process_leaves_no_core)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit core;
		secret_guard_process();
		getrlimit(RLIMIT_CORE, &core);
		_exit(
		    core.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

Suite *
suite_secret(void)
{
	Suite *suite = suite_create("secret");
	TCase *tcase = tcase_create("secret");

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, make_dir, remove_dir);
	tcase_add_loop_test(tcase, a_file_gives_its_only_line, 0,
	    sizeof(contents) / sizeof(contents[0]));
	tcase_add_loop_test(tcase, a_command_gives_its_only_line, 0,
	    sizeof(contents) / sizeof(contents[0]));
	tcase_add_test(tcase, a_variable_is_taken_and_wiped);
	tcase_add_test(tcase, an_empty_variable_is_told);
	tcase_add_test(tcase, the_first_origin_that_is_set_wins);
	tcase_add_test(
	    tcase, a_variable_that_is_not_used_is_taken_away_all_the_same);
	tcase_add_test(tcase, a_missing_file_is_named_with_what_to_do);
	tcase_add_test(tcase, an_endless_file_is_refused);
	tcase_add_test(tcase, the_longest_password_is_taken_whole);
	tcase_add_test(tcase, standard_input_is_a_file_too);
	tcase_add_loop_test(tcase, a_file_that_others_can_read_is_warned_of, 0,
	    sizeof(modes) / sizeof(modes[0]));
	tcase_add_loop_test(tcase, a_command_that_fails_gives_no_password, 0,
	    sizeof(failures) / sizeof(failures[0]));
	tcase_add_test(tcase, a_command_that_hangs_can_be_interrupted);
	tcase_add_test(tcase, a_prompt_reads_without_echo);
	tcase_add_test(tcase, an_interrupted_prompt_puts_the_terminal_back);
	tcase_add_test(tcase, without_a_terminal_the_ways_are_told);
	tcase_add_test(tcase, a_guarded_process_leaves_no_core);
	suite_add_tcase(suite, tcase);

	return suite;
}
