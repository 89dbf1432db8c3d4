#include "conf/secret.h"

#include "base/log.h"
#include "base/stop.h"
#include "base/text.h"
#include "base/mem.h"
#include "prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SECRET_MAX = 4096, /* octets; OAuth tokens stay below */
	ROOM = 8192        /* whole pages: SECRET_MAX, CRLF, NUL */
};

static bool
usage(struct err *err, const char *origin, const char *text)
{
	return err_set(err, ERR_RUN, ERR_USAGE, "%s: %s", origin, text);
}

/* Its own pages, so that locking and wiping concern nothing else. */
static void
make_room(struct secret *s)
{
	s->data = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->data == MAP_FAILED)
		mem_out();
	/* Best effort: limits may forbid both. */
	mlock(s->data, ROOM);
	madvise(s->data, ROOM, MADV_DONTDUMP);
}

void
secret_free(struct secret *s)
{
	if (s->data != NULL) {
		explicit_bzero(s->data, ROOM);
		munmap(s->data, ROOM);
	}
	*s = (struct secret){ 0 };
}

void
secret_guard_process(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

/* True once fd has something to read; false with err if a stop was asked. */
static bool
wait_readable(int fd, const char *origin, struct err *err)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = stop_fd(), .events = POLLIN },
		};
		if (stop_asked())
			return err_set(err, ERR_RUN, ERR_STOPPED,
			    "%s: interrupted", origin);
		int n = poll(fds, 2, -1);
		if (n < 0 && errno != EINTR)
			return err_errno(err, ERR_RUN, "%s", origin);
		if (n > 0 && fds[0].revents != 0)
			return true;
	}
}

/* Everything up to the end, straight into the locked pages. */
static bool
read_all(struct secret *s, int fd, const char *origin, struct err *err)
{
	for (;;) {
		if (!wait_readable(fd, origin, err))
			return false;
		ssize_t n = read(fd, s->data + s->len, ROOM - 1 - s->len);
		if (n < 0 && errno == EINTR)
			continue;
		/* Given on the command line, as a folder perhaps. */
		if (n < 0)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "can't read %s: %s", origin, strerror(errno));
		if (n == 0)
			return true;
		s->len += (size_t)n;
		if (s->len > SECRET_MAX + 2)
			return usage(
			    err, origin, "a password has at most 4096 octets");
	}
}

static bool
drop_newline(struct secret *s)
{
	size_t len = s->len;

	if (len > 0 && s->data[len - 1] == '\n')
		len--;
	else
		return false;
	if (len > 0 && s->data[len - 1] == '\r')
		len--;
	memset(s->data + len, 0, s->len - len);
	s->len = len;

	return true;
}

/* What every origin ends in; origin becomes the text for people. */
static bool
accept_secret(struct secret *s, const char *origin, struct err *err)
{
	bool newline = drop_newline(s);

	if (s->len == 0)
		return usage(err, origin, "the password is empty");
	if (memchr(s->data, '\0', s->len) != NULL)
		return usage(err, origin, "the password holds a NUL octet");
	if (memchr(s->data, '\n', s->len) != NULL ||
	    memchr(s->data, '\r', s->len) != NULL)
		return usage(err, origin,
		    "there must be one line with the password and no more");
	if (s->len > SECRET_MAX)
		return usage(err, origin, "a password has at most 4096 octets");
	snprintf(s->origin, sizeof(s->origin), "%.140s (%zu octets%s)", origin,
	    s->len, newline ? "; a final newline was ignored" : "");

	return true;
}

static void
warn_if_shared(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 077) != 0)
		log_add(LOG_WARN,
		    "the password file %s can be read by other users "
		    "(mode %03o): chmod 600 it",
		    path, (unsigned)(st.st_mode & 0777));
}

/* "--source-password-file", "accounts.csv line 12: source_password_file". */
static void
name_origin(char *out, size_t size, const struct secret_from *from,
    const char *side, const char *kind)
{
	if (from->origin == NULL)
		snprintf(out, size, "--%.10s-password-%s", side, kind);
	else
		snprintf(out, size, "%.120s: %.10s_password_%s", from->origin,
		    side, kind);
}

static bool
from_literal(struct secret *s, const struct secret_from *from, struct err *err)
{
	const char *origin = from->origin != NULL ? from->origin : "a literal";
	size_t len = strlen(from->literal);

	if (len > SECRET_MAX)
		return usage(err, origin, "a password has at most 4096 octets");
	memcpy(s->data, from->literal, len);
	s->len = len;

	return accept_secret(s, origin, err);
}

static bool
from_file(struct secret *s, const struct secret_from *from, const char *side,
    struct err *err)
{
	const char *path = from->file;
	char name[160], origin[272], shown[100];
	bool input = strcmp(path, "-") == 0;

	text_escape_to(shown, sizeof(shown), path, strlen(path));
	name_origin(name, sizeof(name), from, side, "file");
	snprintf(origin, sizeof(origin), "%s %s", name, shown);
	int fd =
	    input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		err_set(
		    err, ERR_RUN, ERR_USAGE, "%s: %s", origin, strerror(errno));
		return err_hint(err,
		    "Write the password into that file as its only line, "
		    "readable by you alone: (umask 077; cat > FILE)");
	}
	if (!input)
		warn_if_shared(fd, path);
	bool ok = read_all(s, fd, origin, err);
	if (!input)
		close(fd);

	return ok && accept_secret(s, origin, err);
}

/* "MAILHAUL_SOURCE_PASSWORD=…", of any side. */
static bool
is_password(const char *variable)
{
	static const char head[] = "MAILHAUL_", tail[] = "_PASSWORD=";
	const char *end = strchr(variable, '=');
	size_t len = end == NULL ? 0 : (size_t)(end + 1 - variable);

	return len >= sizeof(head) + sizeof(tail) - 2 &&
	       memcmp(variable, head, sizeof(head) - 1) == 0 &&
	       memcmp(end + 2 - sizeof(tail), tail, sizeof(tail) - 1) == 0;
}

/* What a command inherits; the texts stay environ's. */
static char **
safe_environment(void)
{
	size_t n = 0, kept = 0;
	while (environ[n] != NULL)
		n++;
	char **safe = mem_array(n + 1, sizeof(*safe));
	for (size_t i = 0; i < n; i++)
		if (!is_password(environ[i]))
			safe[kept++] = environ[i];

	return safe;
}

/* Between fork and exec only calls that are safe in a signal handler. */
__attribute__((noreturn)) static void
run_command(const char *command, int out, char **variables)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execle("/bin/sh", "sh", "-c", command, (char *)NULL, variables);
	_exit(127);
}

static bool
check_status(pid_t pid, const char *origin, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(err, ERR_RUN, "%s", origin);
	if (WIFSIGNALED(status))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: the command was ended by signal %d", origin,
		    WTERMSIG(status));
	if (WEXITSTATUS(status) != 0) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: the command failed with exit code %d", origin,
		    WEXITSTATUS(status));
		return err_hint(err,
		    "It must print the password as its only line and exit "
		    "with 0. Try it in a shell.");
	}

	return true;
}

static bool
from_command(struct secret *s, const struct secret_from *from, const char *side,
    struct err *err)
{
	char origin[160];
	int ends[2];

	/* The command's text isn't shown: it may hold a secret. */
	name_origin(origin, sizeof(origin), from, side, "command");
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, ERR_RUN, "%s", origin);
	char **variables = safe_environment();
	pid_t pid = fork();
	if (pid == 0)
		run_command(from->command, ends[1], variables);
	if (pid < 0)
		err_errno(err, ERR_RUN, "%s", origin);
	free(variables);
	close(ends[1]);
	bool ok = pid > 0 && read_all(s, ends[0], origin, err);
	close(ends[0]);
	if (pid < 0)
		return false;
	struct err unused;
	if (!ok) {
		kill(pid, SIGTERM);
		check_status(pid, origin, &unused);
		return false;
	}

	return check_status(pid, origin, err) && accept_secret(s, origin, err);
}

/* Wiped where it stands: /proc shows a process's own. */
static void
forget_variable(const char *name)
{
	char *value = name != NULL ? getenv(name) : NULL;
	if (value == NULL)
		return;
	explicit_bzero(value, strlen(value));
	unsetenv(name);
}

static bool
from_variable(
    struct secret *s, const char *name, const char *value, struct err *err)
{
	size_t len = strlen(value);
	bool fits = len <= SECRET_MAX + 2;

	if (fits) {
		memcpy(s->data, value, len);
		s->len = len;
	}
	forget_variable(name);

	return fits ? accept_secret(s, name, err)
		    : usage(err, name, "a password has at most 4096 octets");
}

static bool
from_prompt(struct secret *s, const char *text, struct err *err)
{
	if (!prompt_read(text, s->data, ROOM - 1, &s->len, err))
		return false;
	if (!accept_secret(s, "the password typed", err))
		return false;
	snprintf(s->origin, sizeof(s->origin), "typed (%zu octets)", s->len);

	return true;
}

static bool
no_secret(const char *side, struct err *err)
{
	char upper[11] = "";

	for (size_t i = 0; i < sizeof(upper) - 1 && side[i] != '\0'; i++)
		upper[i] = side[i] >= 'a' && side[i] <= 'z' ? side[i] & ~0x20
							    : side[i];
	err_set(err, ERR_RUN, ERR_USAGE, "no password given for the %s", upper);

	return err_hint(err,
	    "Give it by --%s-password-file FILE, --%s-password-command "
	    "COMMAND or the variable MAILHAUL_%s_PASSWORD; on a terminal it "
	    "is asked for.",
	    side, side, upper);
}

bool
secret_get(struct secret *s, const struct secret_from *from, const char *side,
    struct err *err)
{
	if (from->literal != NULL || from->file != NULL ||
	    from->command != NULL)
		forget_variable(from->variable);
	const char *value =
	    from->variable != NULL ? getenv(from->variable) : NULL;
	bool ok;

	*s = (struct secret){ 0 };
	make_room(s);
	if (from->literal != NULL)
		ok = from_literal(s, from, err);
	else if (from->file != NULL)
		ok = from_file(s, from, side, err);
	else if (from->command != NULL)
		ok = from_command(s, from, side, err);
	else if (value != NULL)
		ok = from_variable(s, from->variable, value, err);
	else if (from->prompt != NULL && prompt_possible())
		ok = from_prompt(s, from->prompt, err);
	else
		ok = no_secret(side, err);
	if (!ok)
		secret_free(s);

	return ok;
}
