/*
 * Preloaded into a program under test: makes chosen file operations fail, be
 * short or slow, and the clock jump. Operations count across all threads, and
 * only on paths that hold INJECT_WHERE; sockets and pipes never count.
 *
 *   INJECT_CALL   write, open, sync, truncate, rename, unlink, mkdir, read,
 *                 lock, map, clock; without it nothing happens
 *   INJECT_AT     the first call that is hurt, from 1; without it: none
 *   INJECT_LAST   the last one; without it: none after the first
 *   INJECT_HOW    an errno's number, "short" (half of it is written), "flip"
 *                 (a bit of what was read), "delay" (then done as asked)
 *   INJECT_BY     milliseconds of a delay, seconds that the clock jumps
 *   INJECT_WHERE  part of the path
 *   INJECT_LOG    gets a line "hurt CALL N PATH" for each that was hurt, and
 *                 "count CALL N" from a program that ends by itself
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The next definition behind ours, found at each call: they are few. */
#define REAL(name) ((__typeof__(&name))real(#name))

enum how { FAIL, SHORT, FLIP, DELAY };

static struct {
	const char *call, *where, *log;
	long first, last, by;
	enum how how;
	int error;
} o; /* set once, before main */
static atomic_long calls;

static void *
real(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	if (found == NULL)
		abort();

	return found;
}

static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}

__attribute__((constructor)) static void
start(void)
{
	const char *how = getenv("INJECT_HOW");
	o.call = getenv("INJECT_CALL");
	o.where = getenv("INJECT_WHERE");
	o.log = getenv("INJECT_LOG");
	o.first = number("INJECT_AT", LONG_MAX);
	o.last = number("INJECT_LAST", o.first);
	o.by = number("INJECT_BY", 0);
	if (how == NULL || strcmp(how, "delay") == 0)
		o.how = DELAY;
	else if (strcmp(how, "short") == 0)
		o.how = SHORT;
	else if (strcmp(how, "flip") == 0)
		o.how = FLIP;
	else
		o.error = (int)strtol(how, NULL, 10);
}

/* Straight to the kernel, so that our own words are never hurt. */
static void
note(const char *word, const char *call, long n, const char *path)
{
	char line[PATH_MAX + 100];
	if (o.log == NULL)
		return;
	int len =
	    snprintf(line, sizeof(line), "%s %s %ld %s\n", word, call, n, path);
	int fd = (int)syscall(SYS_openat, AT_FDCWD, o.log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || syscall(SYS_write, fd, line, (size_t)len) != len)
		abort();
	syscall(SYS_close, fd);
}

__attribute__((destructor)) static void
end(void)
{
	if (o.call != NULL)
		note("count", o.call, atomic_load(&calls), "");
}

/* Count a call, and say whether it is one to hurt. */
static bool
counted(const char *call, const char *path)
{
	long n = atomic_fetch_add(&calls, 1) + 1;
	if (n < o.first || n > o.last)
		return false;
	note("hurt", call, n, path);
	if (o.how != DELAY)
		return true;
	struct timespec wait = { o.by / 1000, o.by % 1000 * 1000000 };
	while (nanosleep(&wait, &wait) != 0)
		;

	return false;
}

static bool
hurts_path(const char *call, const char *path)
{
	if (o.call == NULL || strcmp(o.call, call) != 0 || path == NULL)
		return false;
	if (o.where != NULL && strstr(path, o.where) == NULL)
		return false;

	return counted(call, path);
}

static bool
hurts_fd(const char *call, int fd)
{
	char link[40], path[PATH_MAX];
	if (o.call == NULL || strcmp(o.call, call) != 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return false;
	path[n] = '\0';

	return hurts_path(call, path);
}

static int
failed(void)
{
	errno = o.error;

	return -1;
}

/* ---- writing ---- */

static size_t
part(size_t n)
{
	return n > 1 ? n / 2 : n;
}

ssize_t
write(int fd, const void *data, size_t n)
{
	if (hurts_fd("write", fd)) {
		if (o.how == FAIL)
			return failed();
		n = part(n);
	}

	return REAL(write)(fd, data, n);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	if (hurts_fd("write", fd)) {
		if (o.how == FAIL)
			return failed();
		return REAL(write)(
		    fd, parts[0].iov_base, part(parts[0].iov_len));
	}

	return REAL(writev)(fd, parts, count);
}

/* Each call has two names where off_t may have two sizes. */
#define PWRITE(name)                                               \
	ssize_t name(int fd, const void *data, size_t n, off_t at) \
	{                                                          \
		if (hurts_fd("write", fd)) {                       \
			if (o.how == FAIL)                         \
				return failed();                   \
			n = part(n);                               \
		}                                                  \
		return REAL(name)(fd, data, n, at);                \
	}

PWRITE(pwrite)
PWRITE(pwrite64)

int
fsync(int fd)
{
	return hurts_fd("sync", fd) ? failed() : REAL(fsync)(fd);
}

int
fdatasync(int fd)
{
	return hurts_fd("sync", fd) ? failed() : REAL(fdatasync)(fd);
}

#define TRUNCATE(name)                                                  \
	int name(int fd, off_t size)                                    \
	{                                                               \
		return hurts_fd("truncate", fd) ? failed()              \
						: REAL(name)(fd, size); \
	}

TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/* ---- reading ---- */

static ssize_t
flipped(void *data, ssize_t n)
{
	if (n > 0)
		((unsigned char *)data)[n / 2] ^= 1;

	return n;
}

ssize_t
read(int fd, void *data, size_t n)
{
	if (!hurts_fd("read", fd))
		return REAL(read)(fd, data, n);

	return o.how == FAIL ? failed()
			     : flipped(data, REAL(read)(fd, data, n));
}

#define PREAD(name)                                                      \
	ssize_t name(int fd, void *data, size_t n, off_t at)             \
	{                                                                \
		if (!hurts_fd("read", fd))                               \
			return REAL(name)(fd, data, n, at);              \
		return o.how == FAIL                                     \
			   ? failed()                                    \
			   : flipped(data, REAL(name)(fd, data, n, at)); \
	}

PREAD(pread)
PREAD(pread64)

/* ---- names ---- */

static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name)                                          \
	int name(const char *path, int flags, ...)          \
	{                                                   \
		va_list ap;                                 \
		va_start(ap, flags);                        \
		mode_t mode = mode_of(flags, ap);           \
		va_end(ap);                                 \
		return hurts_path("open", path)             \
			   ? failed()                       \
			   : REAL(name)(path, flags, mode); \
	}

#define OPENAT(name)                                             \
	int name(int dir, const char *path, int flags, ...)      \
	{                                                        \
		va_list ap;                                      \
		va_start(ap, flags);                             \
		mode_t mode = mode_of(flags, ap);                \
		va_end(ap);                                      \
		return hurts_path("open", path)                  \
			   ? failed()                            \
			   : REAL(name)(dir, path, flags, mode); \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* What open becomes in a program with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

int
__open_2(const char *path, int flags)
{
	return open(path, flags);
}

int
__open64_2(const char *path, int flags)
{
	return open64(path, flags);
}

#define FOPEN(name)                                    \
	FILE *name(const char *path, const char *mode) \
	{                                              \
		if (!hurts_path("open", path))         \
			return REAL(name)(path, mode); \
		errno = o.error;                       \
		return NULL;                           \
	}

FOPEN(fopen)
FOPEN(fopen64)

int
rename(const char *from, const char *to)
{
	return hurts_path("rename", to) ? failed() : REAL(rename)(from, to);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return hurts_path("rename", to)
		   ? failed()
		   : REAL(renameat)(from_dir, from, to_dir, to);
}

int
link(const char *from, const char *to)
{
	return hurts_path("rename", to) ? failed() : REAL(link)(from, to);
}

int
unlink(const char *path)
{
	return hurts_path("unlink", path) ? failed() : REAL(unlink)(path);
}

int
unlinkat(int dir, const char *path, int flags)
{
	return hurts_path("unlink", path) ? failed()
					  : REAL(unlinkat)(dir, path, flags);
}

int
mkdir(const char *path, mode_t mode)
{
	return hurts_path("mkdir", path) ? failed() : REAL(mkdir)(path, mode);
}

/* ---- locks and memory of files ---- */

int
flock(int fd, int operation)
{
	if ((operation & LOCK_UN) == 0 && hurts_fd("lock", fd))
		return failed();

	return REAL(flock)(fd, operation);
}

/* To give a lock back never fails. */
static bool
takes_lock(int command, const struct flock *lock)
{
	return command == F_SETLK && lock->l_type != F_UNLCK;
}

#define FCNTL(name)                                                        \
	int name(int fd, int command, ...)                                 \
	{                                                                  \
		va_list ap;                                                \
		va_start(ap, command);                                     \
		void *argument = va_arg(ap, void *);                       \
		va_end(ap);                                                \
		if (takes_lock(command, argument) && hurts_fd("lock", fd)) \
			return failed();                                   \
		return REAL(name)(fd, command, argument);                  \
	}

FCNTL(fcntl)
FCNTL(fcntl64)

#define MMAP(name)                                                        \
	void *name(void *at, size_t n, int protection, int flags, int fd, \
	    off_t offset)                                                 \
	{                                                                 \
		if (fd < 0 || !hurts_fd("map", fd))                       \
			return REAL(name)(                                \
			    at, n, protection, flags, fd, offset);        \
		failed();                                                 \
		return MAP_FAILED;                                        \
	}

MMAP(mmap)
MMAP(mmap64)

/* ---- the clock ---- */

/* From its n-th reading on it is INJECT_BY seconds off. */
static long
jump(void)
{
	if (o.call == NULL || strcmp(o.call, "clock") != 0)
		return 0;
	long n = atomic_fetch_add(&calls, 1) + 1;
	if (n < o.first)
		return 0;
	if (n == o.first)
		note("hurt", "clock", n, "");

	return o.by;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = REAL(clock_gettime)(clock, now);
	if (rc == 0 && clock == CLOCK_REALTIME)
		now->tv_sec += jump();

	return rc;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int rc = REAL(gettimeofday)(now, zone);
	if (rc == 0)
		now->tv_sec += jump();

	return rc;
}

time_t
time(time_t *out)
{
	time_t now = REAL(time)(NULL) + jump();
	if (out != NULL)
		*out = now;

	return now;
}
