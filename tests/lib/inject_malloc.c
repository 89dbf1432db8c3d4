/*
 * Preloaded into a program under test: the INJECT_AT-th allocation of memory
 * and those up to INJECT_LAST (without it: only that one) fail. INJECT_LOG
 * gets "hurt malloc N STACK" for each, "crash malloc 0 STACK" where a program
 * uses what it didn't get, and "count malloc N" from one that ends by itself.
 * With INJECT_STACKS=FILE, the number of the first allocation of each different
 * stack goes there, so that a loop can visit each place in the code without
 * failing each allocation.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEPTH = 12, SLOTS = 1 << 16 };

/* The C library's own, whatever stands before them. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static const char *log_path;
static long first = LONG_MAX, last;
static bool started; /* set once, before main */
static int stacks = -1;
static atomic_long calls;
static _Atomic uint64_t seen[SLOTS]; /* hashes of stacks; 0: free */
/* Unwinding may allocate: that neither counts nor fails. */
static _Thread_local bool inside;

static int
open_for_notes(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void
say(int fd, const char *text, size_t len)
{
	if (fd < 0 || syscall(SYS_write, fd, text, len) != (long)len)
		abort();
}

/* Addresses as MODULE+OFFSET, which are the same in each run. */
static int
describe(char *out, size_t size, void *const *stack, int depth)
{
	int len = 0;
	for (int i = 2; i < depth && len < (int)size - 200; i++) {
		Dl_info found;
		if (dladdr(stack[i], &found) == 0 || found.dli_fname == NULL)
			continue;
		const char *slash = strrchr(found.dli_fname, '/');
		const char *name = slash ? slash + 1 : found.dli_fname;
		len += snprintf(out + len, size - (size_t)len, " %.60s+%#tx",
		    name, (char *)stack[i] - (char *)found.dli_fbase);
	}

	return len;
}

static void
note(const char *what, long n)
{
	char line[4096];
	void *stack[DEPTH];
	if (log_path == NULL)
		return;
	int depth = backtrace(stack, DEPTH);
	int len = snprintf(line, 100, "%s malloc %ld", what, n);
	len +=
	    describe(line + len, sizeof(line) - 1 - (size_t)len, stack, depth);
	line[len++] = '\n';
	int fd = open_for_notes(log_path);
	say(fd, line, (size_t)len);
	syscall(SYS_close, fd);
}

/* Whether no allocation before had this stack. */
static bool
is_new(void)
{
	void *stack[DEPTH];
	int depth = backtrace(stack, DEPTH);
	uint64_t hash = 14695981039346656037U; /* FNV-1a */
	for (int i = 2; i < depth; i++)
		hash = (hash ^ (uint64_t)(uintptr_t)stack[i]) * 1099511628211U;
	hash |= 1;
	for (size_t i = hash >> 32;; i++) {
		uint64_t old = 0;
		_Atomic uint64_t *slot = &seen[i % SLOTS];
		if (atomic_compare_exchange_strong(slot, &old, hash))
			return true;
		if (old == hash)
			return false;
	}
}

static void
note_stack(long n)
{
	char line[40];
	if (!is_new())
		return;
	int len = snprintf(line, sizeof(line), "%ld\n", n);
	say(stacks, line, (size_t)len);
}

static bool
fails(void)
{
	if (!started || inside)
		return false;
	long n = atomic_fetch_add(&calls, 1) + 1;
	bool hurt = n >= first && n <= last;
	if (!hurt && stacks < 0)
		return false;
	int error = errno;
	inside = true;
	if (stacks >= 0)
		note_stack(n);
	/* For good is said once. */
	if (hurt && (n == first || last - first < 1000))
		note("hurt", n);
	inside = false;
	errno = hurt ? ENOMEM : error;

	return hurt;
}

/* Innermost comes who stumbled. The signal's own action follows: it is reset,
 * and the instruction is tried again. */
static void
note_crash(int signal)
{
	(void)signal;
	inside = true;
	note("crash", 0);
}

__attribute__((constructor)) static void
start(void)
{
	struct sigaction on_crash = { .sa_handler = note_crash,
		.sa_flags = (int)SA_RESETHAND };
	void *stack[DEPTH];
	const char *at = getenv("INJECT_AT"), *to = getenv("INJECT_LAST");
	const char *survey = getenv("INJECT_STACKS");
	log_path = getenv("INJECT_LOG");
	if (at != NULL)
		first = strtol(at, NULL, 10);
	last = to != NULL ? strtol(to, NULL, 10) : first;
	if (survey != NULL)
		stacks = open_for_notes(survey);
	/* Loads the unwinder. */
	backtrace(stack, DEPTH);
	if (log_path != NULL)
		sigaction(SIGSEGV, &on_crash, NULL);
	started = true;
}

__attribute__((destructor)) static void
end(void)
{
	char line[60];
	started = false;
	if (log_path == NULL)
		return;
	int len = snprintf(
	    line, sizeof(line), "count malloc %ld\n", atomic_load(&calls));
	int fd = open_for_notes(log_path);
	say(fd, line, (size_t)len);
	syscall(SYS_close, fd);
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t count, size_t n)
{
	return fails() ? NULL : __libc_calloc(count, n);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *
memalign(size_t alignment, size_t n)
{
	return fails() ? NULL : __libc_memalign(alignment, n);
}

void *
aligned_alloc(size_t alignment, size_t n)
{
	return memalign(alignment, n);
}

int
posix_memalign(void **out, size_t alignment, size_t n)
{
	int error = errno;
	*out = memalign(alignment, n);
	errno = error;

	return *out == NULL ? ENOMEM : 0;
}
