#define SQL_SEARCH
#include "search_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/mem.h"

enum {
	APPLICATION_ID = 0x4D484644, /* "MHFD", as search.sql sets it */
	SCHEMA_VERSION = 1,
	BUSY_MS = 60000
};

/* "mailhaul.db" -> "mailhaul-find.db": two indexes in a folder have two. */
static char *
path_of(const char *index_path)
{
	size_t len = strlen(index_path);
	if (len > 3 && strcmp(index_path + len - 3, ".db") == 0)
		len -= 3;

	return mem_fmt("%.*s-find.db", (int)len, index_path);
}

/* ---- a store ---- */

static bool
connect_to(struct index *store, const char *name, int flags, struct err *err)
{
	int rc = sqlite3_open_v2(name, &store->db,
	    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | flags, NULL);
	if (rc != SQLITE_OK)
		return index_fail(store, rc, "open", err);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);

	return sql_simple(store, SQL_PRAGMA_TRUSTED_SCHEMA, NULL, err) &&
	       sql_simple(store, SQL_PRAGMA_CELL_SIZE_CHECK, NULL, err) &&
	       sql_simple(store, SQL_SEARCH_SYNCHRONOUS, NULL, err) &&
	       sql_simple(store, SQL_SEARCH_CACHE, NULL, err);
}

/* *ours false: nothing in it, or another's, or another version's. */
static bool
is_ours(struct index *store, bool *ours, bool *empty, struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(store, SQL_WHOSE, &q, err) || !sql_step(&q, &row, err))
		return false;
	int64_t id = sql_get_int(&q);
	int64_t version = sql_get_int(&q);
	*empty = id == 0 && version == 0 && sql_get_int(&q) == 0;
	*ours = id == APPLICATION_ID && version == SCHEMA_VERSION;
	sql_close(&q);

	return true;
}

static bool
make_schema(struct index *store, struct err *err)
{
	bool ours = false, empty = true;
	crash_point("search: before schema");
	if (!sql_simple(store, SQL_BEGIN, NULL, err) ||
	    !is_ours(store, &ours, &empty, err))
		return false;
	/* Another process may have been quicker. */
	if (!ours) {
		int rc = sqlite3_exec(store->db, sql_search, NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return index_fail(store, rc, "schema", err);
	}
	bool ok = sql_simple(store, SQL_COMMIT, NULL, err);
	crash_point("search: after schema");

	return ok;
}

static struct index *
new_store(const char *path)
{
	struct index *store = mem_new(sizeof(*store));
	store->path = mem_str(path);
	store->mode = INDEX_WRITE;
	store->lock = -1;

	return store;
}

bool
search_open_temp(struct search *s, struct err *err)
{
	if (s->temp != NULL)
		return true;
	s->temp = new_store("(temporary)");
	if (connect_to(
		s->temp, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) &&
	    make_schema(s->temp, err))
		return true;
	index_close(&s->temp);

	return false;
}

/* ---- is it this index's? ---- */

/* Content ids mean nothing in another index, and a rebuilt one is another. */
static bool
is_mark_true(
    struct index *ix, int64_t content, int64_t h64, bool *same, struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(ix, SQL_FIND_KEY, &q, err))
		return false;
	sql_int(&q, content);
	if (!sql_step(&q, &row, err))
		return false;
	*same = row && sql_get_int(&q) == h64;
	sql_close(&q);

	return true;
}

static bool
are_marks_true(struct search *s, bool *same, struct err *err)
{
	struct sql q;
	bool row = true;
	*same = true;
	if (!sql_open(s->kept, SQL_SEARCH_MARKS, &q, err))
		return false;
	while (*same) {
		if (!sql_step(&q, &row, err))
			return false;
		if (!row)
			return true;
		int64_t content = sql_get_int(&q);
		int64_t h64 = sql_get_int(&q);
		if (!is_mark_true(s->ix, content, h64, same, err)) {
			sql_close(&q);
			return false;
		}
	}
	sql_close(&q);

	return true;
}

/* Nor does it know of more than the index, which is written before it. */
static bool
is_within(struct search *s, bool *within, struct err *err)
{
	int64_t first, known, run, bodies, top, last;
	if (!sql_simple(s->kept, SQL_SEARCH_BOTTOM, &first, err) ||
	    !search_top(s->kept, &known, err) ||
	    !search_state(s->kept, &run, &bodies, err) ||
	    !sql_simple(s->ix, SQL_FIND_TOP, &top, err) ||
	    !sql_simple(s->ix, SQL_FIND_LAST_RUN, &last, err))
		return false;
	*within = first >= 0 && (first > 0 || known == 0) && known <= top &&
		  bodies >= 0 && bodies <= top && run >= 0 && run <= last;

	return true;
}

/* ---- the file ---- */

bool
search_is_damaged(const struct search *s)
{
	if (s->kept == NULL || s->kept->db == NULL)
		return false;
	int rc = sqlite3_errcode(s->kept->db) & 0xFF;

	return s->forged || rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ||
	       rc == SQLITE_MISMATCH || rc == SQLITE_SCHEMA ||
	       rc == SQLITE_ERROR || rc == SQLITE_CONSTRAINT;
}

static void
forget(struct search *s)
{
	index_close(&s->kept);
	s->body.open = s->body.known = s->forged = false;
}

static bool
open_file(struct search *s, bool writing, struct err *err)
{
	s->kept = new_store(s->path);
	s->kept->mode = writing ? INDEX_WRITE : INDEX_READ;

	return connect_to(s->kept, s->path,
	    writing ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, err);
}

static bool
remove_file(const char *path, const char *ending)
{
	char *name = mem_fmt("%s%s", path, ending);
	bool ok = unlink(name) == 0 || errno == ENOENT;
	free(name);

	return ok;
}

/* Only with LOCK_EX, which nobody gets while another uses the file. */
static bool
start_anew(struct search *s, struct err *err)
{
	if (s->lock < 0 || !index_flock(s->lock, LOCK_EX | LOCK_NB))
		return err_set(err, ERR_RUN, ERR_LOCKED,
		    "%s is in use by another process", s->path);
	crash_point("search: before unlink");
	bool ok = remove_file(s->path, "-journal") && remove_file(s->path, "");
	if (!ok)
		err_errno(err, ERR_RUN, "removing %s", s->path);
	crash_point("search: after unlink");
	ok = ok && index_make_file(s->path, err) && open_file(s, true, err) &&
	     make_schema(s->kept, err);
	if (!ok)
		forget(s);
	index_flock(s->lock, LOCK_SH);

	return ok;
}

bool
search_renew(struct search *s, const char *why, struct err *err)
{
	bool writing = s->kept == NULL || s->kept->mode == INDEX_WRITE;
	forget(s);
	index_close(&s->temp);
	if (!writing || !start_anew(s, err)) {
		snprintf(s->note, sizeof(s->note),
		    "%.100s %s, and can't be made anew now: it is not used",
		    s->path, why);
		return search_open_temp(s, err);
	}
	snprintf(s->note, sizeof(s->note), "%.100s %s: it is made anew",
	    s->path, why);

	return true;
}

static bool
judge_file(struct search *s, struct err *err)
{
	bool ours = false, empty = false, same = true;
	bool writing = s->kept->mode == INDEX_WRITE;
	bool readable = is_ours(s->kept, &ours, &empty, err);
	if (readable && empty && writing)
		return make_schema(s->kept, err);
	if (readable && ours &&
	    (!are_marks_true(s, &same, err) ||
		(same && !is_within(s, &same, err)))) {
		if (!search_is_damaged(s))
			return false; /* the index's own failure */
		readable = false;
	}
	if (readable && ours && same)
		return true;
	if (!readable && !search_is_damaged(s))
		return false; /* held by another for too long, no room … */

	return search_renew(s,
	    !readable ? "was damaged"
	    : !ours   ? "is another version's"
		      : "was made from another index",
	    err);
}

/* Where the folder can't be written a file that is there is still read. */
static bool
open_lock(struct search *s)
{
	char *name = mem_fmt("%s.lock", s->path);
	s->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	free(name);

	return s->lock >= 0 && index_flock(s->lock, LOCK_SH);
}

static bool
open_kept(struct search *s, struct err *err)
{
	struct err why;
	if (!index_look_beside(s->path, &why)) {
		snprintf(s->note, sizeof(s->note), "%.160s: it is not used",
		    why.text);
		return search_open_temp(s, err);
	}
	bool writing = open_lock(s) && index_make_file(s->path, &why);
	if (!writing && access(s->path, R_OK) != 0) {
		snprintf(s->note, sizeof(s->note),
		    "%.100s can't be written: what it would hold is put "
		    "together for this time only",
		    s->path);
		return search_open_temp(s, err);
	}
	if (open_file(s, writing, err) && judge_file(s, err))
		return true;
	if (s->kept != NULL && search_is_damaged(s))
		return search_renew(s, "was damaged", err);
	if (writing)
		return false;
	/* Its journal may be waiting for somebody who may write. */
	forget(s);
	snprintf(s->note, sizeof(s->note),
	    "%.100s can't be read: it is not used", s->path);

	return search_open_temp(s, err);
}

bool
search_open(struct search **out, struct index *ix, const char *index_path,
    struct err *err)
{
	struct search *s = mem_new(sizeof(*s));
	s->ix = ix;
	s->path = path_of(index_path);
	s->lock = -1;
	*out = s;
	if (open_kept(s, err))
		return true;
	search_close(out);

	return false;
}

void
search_close(struct search **p)
{
	struct search *s = *p;
	if (s == NULL)
		return;
	*p = NULL;
	forget(s);
	index_close(&s->temp);
	if (s->lock >= 0)
		close(s->lock);
	free(s->path);
	free(s);
}

bool
search_is_kept(const struct search *s)
{
	return s->kept != NULL && s->kept->mode == INDEX_WRITE;
}

const char *
search_note(const struct search *s)
{
	return s->note;
}

bool
search_top(struct index *store, int64_t *content, struct err *err)
{
	*content = 0;

	return store == NULL || sql_simple(store, SQL_SEARCH_TOP, content, err);
}

bool
search_state(
    struct index *store, int64_t *run, int64_t *bodies, struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(store, SQL_SEARCH_STATE, &q, err) ||
	    !sql_step(&q, &row, err))
		return false;
	*run = row ? sql_get_int(&q) : 0;
	*bodies = row ? sql_get_int(&q) : 0;
	sql_close(&q);

	return true;
}
