#define SQL_STATEMENTS
#include "index/private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	int rc; /* primary result code */
	enum err_code code;
	const char *text;
} failures[] = {
	{ SQLITE_FULL, ERR_DISK_FULL, "no room is left on its disk" },
	{ SQLITE_READONLY, ERR_DISK_FULL, "it can't be written" },
	{ SQLITE_CANTOPEN, ERR_DISK_FULL, "it can't be opened" },
	{ SQLITE_PERM, ERR_DISK_FULL, "it can't be written" },
	{ SQLITE_AUTH, ERR_DISK_FULL, "it can't be written" },
	{ SQLITE_CORRUPT, ERR_DAMAGED, "it is damaged" },
	{ SQLITE_NOTADB, ERR_DAMAGED, "it is not a mailhaul index" },
	{ SQLITE_CONSTRAINT, ERR_DAMAGED, "its rows contradict each other" },
	{ SQLITE_MISMATCH, ERR_DAMAGED, "a row holds what it can't" },
	{ SQLITE_SCHEMA, ERR_DAMAGED, "its schema changed" },
	{ SQLITE_ERROR, ERR_DAMAGED, "its schema isn't the one expected" },
	{ SQLITE_BUSY, ERR_LOCKED, "another program holds it" },
	{ SQLITE_LOCKED, ERR_LOCKED, "another program holds it" },
	{ SQLITE_PROTOCOL, ERR_LOCKED, "another program holds it" },
	{ SQLITE_IOERR, ERR_IO, "reading or writing it failed" },
};

/* A full disk shows as an I/O error where SQLite maps its shared memory. */
static bool
no_room(sqlite3 *db)
{
	int error = sqlite3_system_errno(db);

	return error == ENOSPC || error == EDQUOT;
}

bool
index_fail(struct index *ix, int rc, const char *doing, struct err *err)
{
	enum err_code code = ERR_OTHER;
	const char *text = "it can't be used";
	int primary = rc & 0xff;
	if (primary == SQLITE_NOMEM)
		mem_out();
	if (primary == SQLITE_IOERR && no_room(ix->db))
		primary = SQLITE_FULL;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].rc == primary) {
			code = failures[i].code;
			text = failures[i].text;
		}

	return err_set(err, ERR_RUN, code, "index %s: %s (%s, at %s, code %d)",
	    ix->path, text, sqlite3_errmsg(ix->db), doing, rc);
}

static bool
prepare(struct index *ix, enum sql_name name, unsigned flags,
    sqlite3_stmt **stmt, struct err *err)
{
	int rc = sqlite3_prepare_v3(
	    ix->db, sql_statements[name].text, -1, flags, stmt, NULL);

	return rc == SQLITE_OK ||
	       index_fail(ix, rc, sql_statements[name].name, err);
}

bool
sql_open(struct index *ix, enum sql_name name, struct sql *q, struct err *err)
{
	*q = (struct sql){ .ix = ix, .name = name };
	if (ix->stmts[name] == NULL &&
	    !prepare(
		ix, name, SQLITE_PREPARE_PERSISTENT, &ix->stmts[name], err))
		return false;
	q->stmt = ix->stmts[name];
	assert(!sqlite3_stmt_busy(q->stmt));

	return true;
}

bool
sql_open_own(
    struct index *ix, enum sql_name name, struct sql *q, struct err *err)
{
	*q = (struct sql){ .ix = ix, .name = name, .own = true };

	return prepare(ix, name, 0, &q->stmt, err);
}

void
sql_again(struct sql *q)
{
	sqlite3_reset(q->stmt);
	q->bound = q->column = 0;
	q->rc = SQLITE_OK;
}

void
sql_close(struct sql *q)
{
	if (q->stmt == NULL)
		return;
	if (q->own)
		sqlite3_finalize(q->stmt);
	else
		sqlite3_reset(q->stmt);
	q->stmt = NULL;
}

static void
bound(struct sql *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void
sql_int(struct sql *q, int64_t value)
{
	bound(q, sqlite3_bind_int64(q->stmt, ++q->bound, value));
}

void
sql_null(struct sql *q)
{
	bound(q, sqlite3_bind_null(q->stmt, ++q->bound));
}

void
sql_text(struct sql *q, const char *text)
{
	bound(
	    q, sqlite3_bind_text(q->stmt, ++q->bound, text, -1, SQLITE_STATIC));
}

void
sql_blob(struct sql *q, const void *data, size_t len)
{
	/* A NULL pointer would bind NULL instead of an empty blob. */
	bound(q, sqlite3_bind_blob64(q->stmt, ++q->bound, len == 0 ? "" : data,
		     len, SQLITE_STATIC));
}

bool
sql_step(struct sql *q, bool *row, struct err *err)
{
	assert(q->rc != SQLITE_OK ||
	       q->bound == sqlite3_bind_parameter_count(q->stmt));
	int rc = q->rc == SQLITE_OK ? sqlite3_step(q->stmt) : q->rc;
	*row = rc == SQLITE_ROW;
	q->column = 0;
	if (*row)
		return true;
	bool ok = rc == SQLITE_DONE ||
		  index_fail(q->ix, rc, sql_statements[q->name].name, err);
	sqlite3_reset(q->stmt);

	return ok;
}

bool
sql_run(struct sql *q, struct err *err)
{
	bool row;
	bool ok = sql_step(q, &row, err);
	sql_close(q);

	return ok;
}

int64_t
sql_get_int(struct sql *q)
{
	return sqlite3_column_int64(q->stmt, q->column++);
}

bool
sql_get_null(struct sql *q)
{
	return sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL;
}

const char *
sql_get_text(struct sql *q)
{
	return (const char *)sqlite3_column_text(q->stmt, q->column++);
}

const char *
sql_get_blob(struct sql *q, size_t *len)
{
	const void *data = sqlite3_column_blob(q->stmt, q->column);
	*len = (size_t)sqlite3_column_bytes(q->stmt, q->column++);

	return data;
}

bool
sql_get_octets(struct sql *q, void *out, size_t n)
{
	size_t len;
	const char *data = sql_get_blob(q, &len);
	memset(out, 0, n);
	if (data == NULL || len != n)
		return false;
	memcpy(out, data, n);

	return true;
}

void
sql_get_name(struct sql *q, char *out, size_t size)
{
	const char *text = sql_get_text(q);
	size_t len = text == NULL ? 0 : strnlen(text, size - 1);
	if (len > 0)
		memcpy(out, text, len);
	out[len] = '\0';
}

bool
sql_simple(
    struct index *ix, enum sql_name name, int64_t *value, struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(ix, name, &q, err) || !sql_step(&q, &row, err))
		return false;
	if (row && value != NULL)
		*value = sql_get_int(&q);
	sql_close(&q);

	return true;
}
