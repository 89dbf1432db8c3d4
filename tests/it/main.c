/*
 * Runs each scenario tests/it/NAME.sh as a test of its own, or those named in
 * argv or IT_ONLY (globs, blanks between). A scenario is a bash script; it
 * fails by its exit status. It has a new folder $W, which goes away afterwards
 * (IT_KEEP=1: stays), and a process group, which is ended with it. What it
 * says is shown if it fails (IT_VERBOSE=1: always).
 */
#include <check.h>
#include <dirent.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SECONDS = 900,       /* a scenario; the slowest takes a fifth of it */
	SECONDS_SOAK = 7200, /* the same under MAILHAUL_SOAK */
	GRACE_SECONDS = 10,  /* from SIGTERM to SIGKILL */
	SHOWN = 64 << 10     /* octets of a scenario's last words */
};

static struct dirent **scenarios;
static int scenario_count;
static const char *top;

/* ---- the scenario's surroundings ---- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	if (remove(path) != 0)
		perror(path);

	return 0;
}

static void
make_folder(char *out, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(
	    out, size, "%s/mailhaul-it.XXXXXX", tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(out));
	/* A server that gave up root must find its way to its mail. */
	ck_assert_int_eq(chmod(out, 0711), 0);
}

static void
remove_folder(const char *path)
{
	if (getenv("IT_KEEP") != NULL)
		fprintf(stderr, "kept: %s\n", path);
	else
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
show(FILE *output, const char *name)
{
	char line[4096];

	if (fseek(output, 0, SEEK_END) == 0 && ftell(output) > SHOWN)
		fseek(output, -SHOWN, SEEK_END);
	else
		rewind(output);
	fprintf(stderr, "---- %s says:\n", name);
	while (fgets(line, sizeof(line), output) != NULL)
		fputs(line, stderr);
	fprintf(stderr, "---- end of %s\n", name);
}

/* ---- its processes ---- */

static _Noreturn void
become_scenario(
    const char *script, const char *folder, FILE *output, const sigset_t *mask)
{
	setpgid(0, 0);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (dup2(fileno(output), STDOUT_FILENO) < 0 ||
	    dup2(fileno(output), STDERR_FILENO) < 0 ||
	    setenv("W", folder, 1) != 0 || chdir(folder) != 0)
		_exit(126);
	if (freopen("/dev/null", "r", stdin) != NULL)
		execlp("bash", "bash", script, (char *)NULL);
	_exit(127);
}

/*
 * Wait until the process has ended or the monotonic second has come. False:
 * it is still there, for the time is up or we are being ended ourselves.
 */
static bool
wait_until(pid_t pid, time_t deadline, const sigset_t *awaited, int *status)
{
	struct timespec now;

	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= deadline)
			return false;
		struct timespec left = { .tv_sec = deadline - now.tv_sec };
		int sig = sigtimedwait(awaited, NULL, &left);
		if (sig == SIGTERM || sig == SIGINT)
			return false;
	}
}

static time_t
seconds_from_now(time_t seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + seconds;
}

static time_t
allowed_seconds(void)
{
	return getenv("MAILHAUL_SOAK") != NULL ? SECONDS_SOAK : SECONDS;
}

/* Exit status as waitpid gives it; *in_time tells who ended it. */
static int
run(const char *script, const char *folder, FILE *output, bool *in_time)
{
	int status = 0;
	sigset_t awaited, mask;
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGCHLD);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGINT);
	sigprocmask(SIG_BLOCK, &awaited, &mask);

	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		become_scenario(script, folder, output, &mask);
	setpgid(pid, pid);

	*in_time = wait_until(
	    pid, seconds_from_now(allowed_seconds()), &awaited, &status);
	if (!*in_time) {
		/* SIGTERM lets its traps end the servers. */
		kill(-pid, SIGTERM);
		if (!wait_until(pid, seconds_from_now(GRACE_SECONDS), &awaited,
			&status)) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
	}
	kill(-pid, SIGKILL);
	sigprocmask(SIG_SETMASK, &mask, NULL);

	return status;
}

START_TEST(a_scenario_ends_well)
{
	const char *name = scenarios[_i]->d_name;
	char script[PATH_MAX], folder[PATH_MAX];
	bool in_time;

	snprintf(script, sizeof(script), "%s/tests/it/%s", top, name);
	make_folder(folder, sizeof(folder));
	FILE *output = tmpfile();
	ck_assert_ptr_nonnull(output);

	int status = run(script, folder, output, &in_time);
	bool well = in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!well || getenv("IT_VERBOSE") != NULL)
		show(output, name);
	fclose(output);
	remove_folder(folder);

	ck_assert_msg(in_time, "%s took more than %lld s and was ended", name,
	    (long long)allowed_seconds());
	ck_assert_msg(WIFEXITED(status), "%s was ended by signal %d", name,
	    WTERMSIG(status));
	ck_assert_msg(WEXITSTATUS(status) == 0, "%s ended with status %d", name,
	    WEXITSTATUS(status));
}
END_TEST

/* ---- choosing ---- */

static int
is_script(const struct dirent *entry)
{
	return fnmatch("*.sh", entry->d_name, FNM_PERIOD) == 0;
}

static bool
name_is(const char *pattern, const char *name)
{
	char with_ending[NAME_MAX + 4];

	snprintf(with_ending, sizeof(with_ending), "%s.sh", pattern);
	return fnmatch(pattern, name, 0) == 0 ||
	       fnmatch(with_ending, name, 0) == 0;
}

/* Patterns of argv, or else of IT_ONLY; without any all are wanted. */
static bool
wanted(const char *name, int argc, char **argv)
{
	const char *only = getenv("IT_ONLY");
	char *copy, *next, *word;
	bool yes = false;

	for (int i = 1; i < argc; i++)
		if (name_is(argv[i], name))
			return true;
	if (argc > 1 || only == NULL || *only == '\0')
		return argc <= 1;

	next = copy = strdup(only);
	while (!yes && (word = strsep(&next, " ")) != NULL)
		yes = *word != '\0' && name_is(word, name);
	free(copy);

	return yes;
}

static Suite *
suite(int argc, char **argv, int *chosen)
{
	Suite *s = suite_create("scenarios");

	for (int i = 0; i < scenario_count; i++) {
		if (!wanted(scenarios[i]->d_name, argc, argv))
			continue;
		TCase *tc = tcase_create(scenarios[i]->d_name);
		/* Ours comes first, so that a scenario's words are shown. */
		tcase_set_timeout(
		    tc, (double)(allowed_seconds() + 3 * GRACE_SECONDS));
		tcase_add_loop_test(tc, a_scenario_ends_well, i, i + 1);
		suite_add_tcase(s, tc);
		(*chosen)++;
	}

	return s;
}

int
main(int argc, char **argv)
{
	char here[PATH_MAX], folder[PATH_MAX];
	int chosen = 0;

	if (getenv("TOP") == NULL && getcwd(here, sizeof(here)) != NULL)
		setenv("TOP", here, 1);
	top = getenv("TOP");
	snprintf(folder, sizeof(folder), "%s/tests/it", top);
	scenario_count = scandir(folder, &scenarios, is_script, alphasort);
	if (scenario_count < 0) {
		perror(folder);
		return EXIT_FAILURE;
	}

	SRunner *runner = srunner_create(suite(argc, argv, &chosen));
	/* Under a debugger CK_FORK=no would leave scenarios unkilled. Of a
	 * child Check can't hear that it took more than 35 minutes. */
	srunner_set_fork_status(
	    runner, getenv("MAILHAUL_SOAK") != NULL ? CK_NOFORK : CK_FORK);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (int i = 0; i < scenario_count; i++)
		free(scenarios[i]);
	free(scenarios);
	if (chosen == 0)
		fprintf(stderr, "no scenario of that name in %s\n", folder);

	return failed > 0 || chosen == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
