#include "prompt.h"

#include "base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

enum { CAUGHT = sizeof(caught) / sizeof(caught[0]) };

/* The signal that came while the echo was off; one prompt at a time. */
static volatile sig_atomic_t came;

static void
note(int number)
{
	came = number;
}

/* What has to be put back. */
struct quiet {
	int tty;
	struct termios before;
	struct sigaction actions[CAUGHT];
	sigset_t mask;
};

/* Signals stay blocked but while ppoll waits, so none is missed. */
static bool
quiet_begin(struct quiet *q, struct err *err)
{
	struct sigaction action = { .sa_handler = note };
	struct termios silent;
	sigset_t block;

	if (tcgetattr(q->tty, &q->before) != 0)
		return err_errno(err, ERR_RUN, "/dev/tty");
	sigemptyset(&block);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < CAUGHT; i++)
		sigaddset(&block, caught[i]);
	pthread_sigmask(SIG_BLOCK, &block, &q->mask);
	came = 0;
	for (size_t i = 0; i < CAUGHT; i++) {
		sigaction(caught[i], NULL, &q->actions[i]);
		/* What is ignored stays so (nohup). */
		if (q->actions[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
	}
	silent = q->before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ICANON | ECHONL | ISIG;
	while (tcsetattr(q->tty, TCSAFLUSH, &silent) != 0 && errno == EINTR)
		continue;

	return true;
}

static void
quiet_end(struct quiet *q)
{
	while (tcsetattr(q->tty, TCSAFLUSH, &q->before) != 0 && errno == EINTR)
		continue;
	for (size_t i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &q->actions[i], NULL);
	pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
}

/* True if a line (or the end) can be read; false if a signal came. */
static bool
wait_line(const struct quiet *q)
{
	sigset_t open = q->mask;

	for (size_t i = 0; i < CAUGHT; i++)
		sigdelset(&open, caught[i]);
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = q->tty, .events = POLLIN },
			{ .fd = stop_fd(), .events = POLLIN },
		};
		if (came != 0 || stop_asked())
			return false;
		if (ppoll(fds, 2, NULL, &open) > 0 && fds[0].revents != 0)
			return true;
	}
}

static bool
write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}

	return true;
}

/* One try. came tells whether a signal ended it. */
static bool
ask(struct quiet *q, const char *text, char *out, size_t size, size_t *len,
    struct err *err)
{
	ssize_t n = 0;

	if (!quiet_begin(q, err))
		return false;
	bool ready = write_all(q->tty, text) && wait_line(q);
	if (ready)
		n = read(q->tty, out, size);
	int error = errno;
	quiet_end(q);
	if (!ready || (n < 0 && error == EINTR))
		return err_set(err, ERR_RUN, ERR_STOPPED,
		    "interrupted while asking for a password");
	errno = error;
	if (n < 0)
		return err_errno(err, ERR_RUN, "/dev/tty");
	*len = (size_t)n;

	return true;
}

bool
prompt_possible(void)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty >= 0)
		close(tty);

	return tty >= 0;
}

bool
prompt_read(
    const char *text, char *out, size_t size, size_t *len, struct err *err)
{
	struct quiet q = { .tty = open(
			       "/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) };
	bool ok;

	if (q.tty < 0)
		return err_errno(err, ERR_RUN, "/dev/tty");
	do {
		ok = ask(&q, text, out, size, len, err);
		/* The terminal is itself again: now let it happen. */
		if (came != 0)
			raise(came);
	} while (!ok && came == SIGTSTP);
	close(q.tty);

	return ok;
}
