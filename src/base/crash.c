#include "base/crash.h"

#ifdef MAILHAUL_CRASH_POINTS
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards reached */
static long reached;

static void
note(const char *path, const char *name)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	if (write(fd, name, strlen(name)) < 0 || write(fd, "\n", 1) < 0)
		abort();
	close(fd);
}

void
crash_point(const char *name)
{
	const char *at = getenv("MAILHAUL_CRASH_AT");
	const char *log = getenv("MAILHAUL_CRASH_LOG");
	if (at == NULL && log == NULL)
		return;
	pthread_mutex_lock(&lock);
	reached++;
	if (log != NULL)
		note(log, name);
	if (at != NULL &&
	    (strtol(at, NULL, 10) == reached || strcmp(at, name) == 0))
		kill(getpid(), SIGKILL);
	pthread_mutex_unlock(&lock);
}
#else
/* ISO C wants a declaration in every unit. */
extern int crash_points_are_off;
#endif
