#define SQL_MIGRATIONS
#include "index/private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/mem.h"

enum {
	APPLICATION_ID = 0x4D48494C, /* "MHIL", as 001.sql sets it */
	SCHEMA_VERSION = sizeof(sql_migrations) / sizeof(sql_migrations[0]),
	BUSY_MS = 60000
};

/* WAL's shared memory and flock work between processes of one machine only. */
static const struct {
	uint32_t magic;
	const char *name;
} remote[] = {
	{ 0x00006969, "NFS" },
	{ 0x0000517B, "SMB" },
	{ 0xFE534D42, "SMB2" },
	{ 0xFF534D42, "CIFS" },
	{ 0x01021997, "9p" },
	{ 0x00C36400, "Ceph" },
	{ 0x5346414F, "AFS" },
	{ 0x6B414653, "AFS" },
	{ 0x73757245, "Coda" },
	{ 0x0000564C, "NCP" },
	{ 0x0BD00BD0, "Lustre" },
	{ 0x47504653, "GPFS" },
	{ 0x013111A8, "IBRIX" },
	{ 0xAAD7AAEA, "PanFS" },
};

static const enum sql_name pragmas[] = {
	SQL_PRAGMA_SYNCHRONOUS,
	SQL_PRAGMA_CACHE_SIZE,
	SQL_PRAGMA_MMAP_SIZE,
	SQL_PRAGMA_AUTOCHECKPOINT,
	SQL_PRAGMA_SIZE_LIMIT,
	SQL_PRAGMA_FOREIGN_KEYS,
	SQL_PRAGMA_TRUSTED_SCHEMA,
	SQL_PRAGMA_CELL_SIZE_CHECK,
};

const char *
index_remote_fs(uint32_t magic)
{
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (remote[i].magic == magic)
			return remote[i].name;

	return NULL;
}

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return mem_str(".");

	return slash == path ? mem_str("/")
			     : mem_strn(path, (size_t)(slash - path));
}

static bool
check_disk(const char *path, struct err *err)
{
	char *folder = folder_of(path);
	struct statfs fs;
	bool known = statfs(folder, &fs) == 0;
	if (!known)
		err_errno(err, ERR_RUN, "index %s: folder %s", path, folder);
	free(folder);
	if (!known)
		return false;
	const char *name = index_remote_fs((uint32_t)fs.f_type);
	if (name == NULL)
		return true;
	err_set(err, ERR_RUN, ERR_DISK_FULL,
	    "index %s lies on a network file system (%s), where it would break",
	    path, name);

	return err_hint(err, "Keep the index on a local disk: --index FILE.\n"
			     "The archive's volumes may stay where they are.");
}

/* ---- files ---- */

/*
 * A process that closes any descriptor of a file loses all its POSIX locks on
 * it, those of SQLite's other connections too; then another process takes
 * itself for the last one and deletes the journal under them. So one that is
 * there is only looked at (closing an O_PATH descriptor drops no lock).
 */
static int
make_or_look(const char *path)
{
	int made = open(
	    path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (made < 0 && errno != EEXIST)
		return -1;
	if (made >= 0)
		close(made);

	return open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
}

/* fchmod refuses an O_PATH descriptor. */
static bool
make_private(int fd)
{
	char self[40];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);

	return chmod(self, 0600) == 0;
}

static void
linked(const char *path, struct err *err)
{
	err_set(err, ERR_RUN, ERR_DISK_FULL,
	    "index %s is a symbolic link: name the file itself", path);
	err_hint(err, "Put the file there, or say where it is (--index FILE):");
}

static void
other_user(const char *path, const struct stat *st, struct err *err)
{
	err_set(err, ERR_RUN, ERR_DISK_FULL,
	    "index %s belongs to another user (uid %lu)", path,
	    (unsigned long)st->st_uid);
	err_hint(err, "Go on as that user:");
}

bool
index_make_file(const char *path, struct err *err)
{
	struct stat st;
	bool ok = false;
	int fd = make_or_look(path);
	if (fd < 0)
		return err_errno(err, ERR_RUN, "opening index %s", path);
	if (fstat(fd, &st) != 0)
		err_errno(err, ERR_RUN, "index %s", path);
	else if (S_ISLNK(st.st_mode))
		linked(path, err);
	else if (!S_ISREG(st.st_mode))
		err_set(err, ERR_RUN, ERR_DAMAGED,
		    "index %s is not a regular file", path);
	else if (st.st_uid != geteuid())
		other_user(path, &st, err);
	else if ((st.st_mode & 077) != 0 && !make_private(fd))
		err_errno(err, ERR_RUN, "index %s: mode 0600", path);
	else
		ok = true;
	close(fd);

	return ok;
}

/* The database itself may be reached by a link; what SQLite looks for beside it
 * is its own. */
bool
index_look_beside(const char *path, struct err *err)
{
	static const char *const endings[] = { "", "-wal", "-journal", "-shm" };
	struct stat st;
	bool ok = true;
	for (size_t i = 0; ok && i < sizeof(endings) / sizeof(endings[0]);
	     i++) {
		char *name = mem_fmt("%s%s", path, endings[i]);
		bool there = (i == 0 ? stat : lstat)(name, &st) == 0;
		if (there && !S_ISREG(st.st_mode))
			ok = err_set(err, ERR_RUN, ERR_DAMAGED,
			    "index %s is not a regular file", name);
		free(name);
	}

	return ok;
}

static bool
open_lock(struct index *ix, struct err *err)
{
	char *name = mem_fmt("%s.lock", ix->path);
	ix->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ix->lock < 0)
		err_errno(err, ERR_RUN, "opening %s", name);
	free(name);

	return ix->lock >= 0;
}

/* A reader needs the -shm file unless it may take the file as frozen. */
static bool
is_frozen(const char *path)
{
	char *folder = folder_of(path);
	bool writable = access(folder, W_OK) == 0;
	free(folder);
	if (writable)
		return false;
	char *wal = mem_fmt("%s-wal", path);
	struct stat st;
	bool empty = stat(wal, &st) != 0 || st.st_size == 0;
	free(wal);

	return empty;
}

/* "file:///path?immutable=1" with all but plain characters as %XX. */
static char *
frozen_uri(const char *path)
{
	struct buf uri = { 0 };
	buf_str(&uri, *path == '/' ? "file://" : "file:");
	for (const char *p = path; *p != '\0'; p++)
		if (strchr("%?#", *p) != NULL)
			buf_fmt(&uri, "%%%02X", (unsigned)*p);
		else
			buf_char(&uri, *p);
	buf_str(&uri, "?immutable=1");

	return buf_steal(&uri);
}

/* SQLite's count of allocations costs a mutex for each. Only the first call
 * in a process counts, and a refusal does no harm. */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static bool
connect_to(struct index *ix, struct err *err)
{
	bool writing = ix->mode == INDEX_WRITE;
	bool frozen = !writing && is_frozen(ix->path);
	char *name = frozen ? frozen_uri(ix->path) : mem_str(ix->path);
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		    (writing ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
		    (frozen ? SQLITE_OPEN_URI : 0);
	int rc = sqlite3_open_v2(name, &ix->db, flags, NULL);
	free(name);
	if (rc != SQLITE_OK)
		return index_fail(ix, rc, "open", err);
	sqlite3_busy_timeout(ix->db, BUSY_MS);
	sqlite3_db_config(ix->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(ix->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_limit(ix->db, SQLITE_LIMIT_ATTACHED, 0);

	return true;
}

/* ---- schema ---- */

static bool
foreign(struct index *ix, struct err *err)
{
	return err_set(err, ERR_RUN, ERR_DAMAGED,
	    "%s is a database, but not a mailhaul index", ix->path);
}

static bool
newer(struct index *ix, int64_t version, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE,
	    "index %s was made by a newer mailhaul (schema %lld; this one "
	    "knows %d)",
	    ix->path, (long long)version, (int)SCHEMA_VERSION);

	return err_hint(err, "Use that mailhaul. Nothing was changed.");
}

/* *version 0: an empty file, which a first open may have left. */
static bool
read_version(struct index *ix, int64_t *version, struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(ix, SQL_WHOSE, &q, err) || !sql_step(&q, &row, err))
		return false;
	assert(row);
	int64_t id = sql_get_int(&q);
	*version = sql_get_int(&q);
	int64_t objects = sql_get_int(&q);
	sql_close(&q);
	if (id == 0 && *version == 0 && objects == 0)
		return true;
	if (id != APPLICATION_ID || *version < 1)
		return foreign(ix, err);
	if (*version > SCHEMA_VERSION)
		return newer(ix, *version, err);

	return true;
}

static bool
migrate_from(struct index *ix, int64_t version, struct err *err)
{
	for (; version < SCHEMA_VERSION; version++) {
		int rc = sqlite3_exec(
		    ix->db, sql_migrations[version], NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return index_fail(ix, rc, "migration", err);
	}
	int64_t now = 0;
	if (!read_version(ix, &now, err))
		return false;
	assert(now == SCHEMA_VERSION);

	return true;
}

/* All migrations in one transaction: an old index or a new one, never one
 * between. Two processes may open at once: the second finds it done. */
static bool
migrate(struct index *ix, struct err *err)
{
	int64_t version = 0;
	bool own;
	crash_point("index: before migration");
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok =
	    read_version(ix, &version, err) && migrate_from(ix, version, err);
	ok = index_own_end(ix, own, ok, err);
	crash_point("index: after migration");

	return ok;
}

/* The journal's mode is a property of the file; SQLite answers with the mode
 * that it has in the end. */
static bool
use_wal(struct index *ix, struct err *err)
{
	struct sql q;
	bool row;
	if (!index_flock(ix->lock, LOCK_EX))
		return err_errno(err, ERR_RUN, "locking %s.lock", ix->path);
	bool ok =
	    sql_open(ix, SQL_PRAGMA_WAL, &q, err) && sql_step(&q, &row, err);
	const char *mode = ok && row ? sql_get_text(&q) : NULL;
	if (ok && (mode == NULL || strcmp(mode, "wal") != 0))
		ok = err_set(err, ERR_RUN, ERR_DISK_FULL,
		    "index %s: no write-ahead log is possible on this disk",
		    ix->path);
	if (ok)
		sql_close(&q);
	index_flock(ix->lock, LOCK_UN);

	return ok;
}

static bool
set_pragmas(struct index *ix, struct err *err)
{
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++)
		if (!sql_simple(ix, pragmas[i], NULL, err))
			return false;

	return true;
}

static bool
open_writer(struct index *ix, struct err *err)
{
	int64_t version = 0;

	/* Looked at before anything is written to a file that may be foreign.
	 */
	return check_disk(ix->path, err) && index_make_file(ix->path, err) &&
	       index_look_beside(ix->path, err) && open_lock(ix, err) &&
	       connect_to(ix, err) && read_version(ix, &version, err) &&
	       use_wal(ix, err) && set_pragmas(ix, err) &&
	       (version == SCHEMA_VERSION || migrate(ix, err));
}

static bool
missing(const char *path, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE, "there is no index %s", path);

	return err_hint(err, "Name the archive's folder, or its index with "
			     "--index FILE.");
}

static bool
open_reader(struct index *ix, struct err *err)
{
	int64_t version = 0;
	if (access(ix->path, F_OK) != 0 && errno == ENOENT)
		return missing(ix->path, err);
	if (access(ix->path, R_OK) != 0)
		return err_errno(err, ERR_RUN, "reading index %s", ix->path);
	if (!index_look_beside(ix->path, err) || !connect_to(ix, err) ||
	    !read_version(ix, &version, err) || !set_pragmas(ix, err))
		return false;
	if (version == 0)
		return err_set(
		    err, ERR_RUN, ERR_DAMAGED, "index %s is empty", ix->path);
	if (version < SCHEMA_VERSION)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "index %s was made by an older mailhaul (schema %lld): a "
		    "run brings it up to date",
		    ix->path, (long long)version);

	return true;
}

bool
index_open(
    struct index **out, const char *path, enum index_mode mode, struct err *err)
{
	struct index *ix = mem_new(sizeof(*ix));
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, configure);
	ix->path = mem_str(path);
	ix->mode = mode;
	ix->lock = -1;
	bool ok =
	    mode == INDEX_WRITE ? open_writer(ix, err) : open_reader(ix, err);
	if (!ok)
		index_close(&ix);
	*out = ix;

	return ok;
}

/* ---- close ---- */

/* So that the archive at rest is one file. Another writer will do it if there
 * is one, and a reader is not waited for: both are harmless. */
static void
checkpoint(struct index *ix)
{
	struct err ignored;
	sqlite3_busy_timeout(ix->db, 0);
	if (!index_flock(ix->lock, LOCK_EX | LOCK_NB))
		return;
	crash_point("index: before checkpoint");
	sql_simple(ix, SQL_CHECKPOINT, NULL, &ignored);
	crash_point("index: after checkpoint");
	index_flock(ix->lock, LOCK_UN);
}

void
index_close(struct index **p)
{
	struct index *ix = *p;
	if (ix == NULL)
		return;
	*p = NULL;
	index_rollback(ix);
	if (ix->db != NULL && ix->lock >= 0)
		checkpoint(ix);
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(ix->stmts[i]);
	int rc = sqlite3_close(ix->db);
	assert(rc == SQLITE_OK); /* every statement has been finalized */
	(void)rc;
	if (ix->lock >= 0)
		close(ix->lock);
	settle_forget(ix);
	for (size_t i = 0; i < INDEX_SCRATCH; i++)
		buf_free(&ix->scratch[i]);
	free(ix->path);
	free(ix);
}
