#include "base/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

static atomic_int asked; /* the first signal */
static int event = -1;   /* set once, before any thread */

static void
on_signal(int number)
{
	int none = 0;
	if (!atomic_compare_exchange_strong(&asked, &none, number))
		_exit(128 + number);
	int saved = errno;
	uint64_t one = 1;
	/* Nothing can be done in a handler if the counter were full. */
	ssize_t written = write(event, &one, sizeof(one));
	(void)written;
	errno = saved;
}

void
stop_install(void)
{
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct sigaction action = { .sa_handler = on_signal };
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static void
on_order(int number)
{
	int none = 0, saved = errno;
	uint64_t one = 1;
	if (atomic_compare_exchange_strong(&asked, &none, number)) {
		ssize_t written = write(event, &one, sizeof(one));
		(void)written;
	}
	errno = saved;
}

/* Not SIG_IGN, which programs would inherit. */
static void
on_nothing(int number)
{
	(void)number;
}

void
stop_follow(int signal)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (event >= 0)
		close(event); /* the parent's, which it would wake */
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_store(&asked, 0);
	struct sigaction action = { .sa_handler = on_order };
	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
	action.sa_handler = on_nothing;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

int
stop_signal(void)
{
	return atomic_load_explicit(&asked, memory_order_relaxed);
}

int
stop_fd(void)
{
	return event;
}

bool
stop_sleep_ms(long ms)
{
	int64_t until = clock_mono_ms() + ms;
	while (!stop_asked()) {
		int64_t left = until - clock_mono_ms();
		if (left <= 0)
			return true;
		struct pollfd fd = { .fd = event, .events = POLLIN };
		poll(&fd, 1, left > 1000000 ? 1000000 : (int)left);
	}

	return false;
}
