#include "index/private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/stop.h"

/* Until the processes of a run that was killed are gone. */
enum { ENDING_MS = 10000, ENDING_STEP_MS = 20 };

bool
index_flock(int fd, int operation)
{
	int rc;
	do
		rc = flock(fd, operation);
	while (rc != 0 && errno == EINTR);

	return rc == 0;
}

/* Who holds the lock by its own word: the file is never trusted. */
static long
holder(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

static bool
held(const char *path, int fd, struct err *err)
{
	long pid = holder(fd);
	if (pid > 0)
		err_set(err, ERR_RUN, ERR_LOCKED,
		    "another run (process %ld) holds %s", pid, path);
	else
		err_set(err, ERR_RUN, ERR_LOCKED, "another run holds %s", path);

	return err_hint(err, "Wait for it to end, or stop it with Ctrl-C.");
}

/* A run that was killed leaves processes, which hold its lock until the kernel
 * has ended them. */
static bool
lock_or_outlive(int fd)
{
	int64_t until = clock_mono_ms() + ENDING_MS;
	for (;;) {
		if (index_flock(fd, LOCK_EX | LOCK_NB))
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		long pid = holder(fd);
		bool gone =
		    pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
		if (!gone || clock_mono_ms() > until ||
		    !stop_sleep_ms(ENDING_STEP_MS)) {
			errno = EWOULDBLOCK;
			return false;
		}
	}
}

static bool
take_run(const char *path, int fd, struct err *err)
{
	if (!lock_or_outlive(fd))
		return errno == EWOULDBLOCK
			   ? held(path, fd, err)
			   : err_errno(err, ERR_RUN, "locking %s", path);
	char pid[24];
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* For people only; a full disk must not keep a run from starting. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return true;

	return true;
}

bool
index_lock_run(const char *path, int *lock, struct err *err)
{
	char *name = mem_fmt("%s.run", path);
	bool ok = false;
	*lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*lock < 0)
		err_errno(err, ERR_RUN, "opening %s", name);
	else
		ok = take_run(name, *lock, err);
	if (!ok && *lock >= 0) {
		close(*lock);
		*lock = -1;
	}
	free(name);

	return ok;
}

/* ---- transactions ---- */

static void
unlock(struct index *ix)
{
	ix->open_tx = false;
	index_flock(ix->lock, LOCK_UN);
}

/* Waiting in flock's queue is fair and quick; SQLite's busy handler sleeps and
 * polls, which starved writers for seconds. */
bool
index_begin(struct index *ix, struct err *err)
{
	assert(!ix->open_tx);
	if (ix->lock < 0)
		return err_set(err, ERR_RUN, ERR_DISK_FULL,
		    "index %s is open for reading only", ix->path);
	if (!index_flock(ix->lock, LOCK_EX))
		return err_errno(err, ERR_RUN, "locking %s.lock", ix->path);
	if (!sql_simple(ix, SQL_BEGIN, NULL, err)) {
		unlock(ix);
		return false;
	}
	ix->open_tx = true;

	return true;
}

bool
index_commit(struct index *ix, struct err *err)
{
	assert(ix->open_tx);
	crash_point("index: before commit");
	if (!sql_simple(ix, SQL_COMMIT, NULL, err)) {
		index_rollback(ix);
		return false;
	}
	crash_point("index: after commit");
	unlock(ix);

	return true;
}

void
index_rollback(struct index *ix)
{
	if (!ix->open_tx)
		return;
	struct err ignored;
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(ix->db))
		sql_simple(ix, SQL_ROLLBACK, NULL, &ignored);
	settle_forget(ix);
	unlock(ix);
}

bool
index_own_begin(struct index *ix, bool *own, struct err *err)
{
	*own = !ix->open_tx;

	return !*own || index_begin(ix, err);
}

bool
index_own_end(struct index *ix, bool own, bool ok, struct err *err)
{
	if (!own)
		return ok;
	if (ok)
		return index_commit(ix, err);
	index_rollback(ix);

	return false;
}
