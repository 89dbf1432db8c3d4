#ifndef INDEX_PRIVATE_H
#define INDEX_PRIVATE_H

#include <sqlite3.h>

#include "base/buf.h"
#include "index/index.h"
#include "sql.h"

enum { KEYWORD_SETS = 8, INDEX_SCRATCH = 6 };

struct index {
	sqlite3 *db;
	char *path;
	enum index_mode mode;
	int lock;       /* PATH.lock; -1: opened for reading */
	bool open_tx;   /* between begin and commit or rollback: flock held */
	uint64_t begun; /* the run that this connection began; 0: none */
	sqlite3_stmt *stmts[SQL_COUNT];

	/* Rows met last, so that settling needn't look for them again; emptied
	 * by a rollback, which may have taken the rows away. */
	struct {
		char name[KEPT_VOLUME_NAME];
		int64_t id; /* 0: none */
	} volume;
	struct {
		struct buf list;
		int64_t id; /* 0: none */
	} keywords[KEYWORD_SETS];
	unsigned keywords_next;
	struct {
		uint64_t id; /* 0: none */
		bool server; /* it delivers to one */
	} job;
	/* What was found last on a server: where many messages are the same,
	 * the next one lies behind it. */
	struct {
		uint64_t job, mailbox; /* job 0: nothing */
		int64_t content;
		uint64_t from, okey; /* there it was */
	} landed;

	struct buf scratch[INDEX_SCRATCH]; /* texts being bound */
};

/* ---- sql.c: one named statement being used ---- */

/*
 * Open, bind the parameters in order, step, read the columns in order, close.
 * Bound octets are borrowed until close; columns live until the next step.
 * Closing is needed after a row and for a statement of one's own; at the end
 * of the rows and after an error it is harmless, and so is closing twice.
 */
struct sql {
	struct index *ix;
	sqlite3_stmt *stmt;
	enum sql_name name;
	bool own;          /* not the connection's cached one */
	int bound, column; /* how many so far */
	int rc;            /* first failure of a bind */
};

bool sql_open(struct index *, enum sql_name, struct sql *, struct err *);
/* With a statement of its own: a caller's function runs between steps. */
bool sql_open_own(struct index *, enum sql_name, struct sql *, struct err *);
void sql_close(struct sql *);

void sql_int(struct sql *, int64_t);
void sql_null(struct sql *);
void sql_text(struct sql *, const char *); /* NULL: NULL */
void sql_blob(struct sql *, const void *, size_t);

/* *row: false at the end. */
bool sql_step(struct sql *, bool *row, struct err *);
/* Step a statement that gives no rows, and close it. */
bool sql_run(struct sql *, struct err *);
/* Start over: bind anew from the first parameter. */
void sql_again(struct sql *);

int64_t sql_get_int(struct sql *);
bool sql_get_null(struct sql *);        /* looks, doesn't move on */
const char *sql_get_text(struct sql *); /* NULL: NULL */
const char *sql_get_blob(struct sql *, size_t *len);
/* False if it isn't n octets; out is then zeroed. */
bool sql_get_octets(struct sql *, void *out, size_t n);
void sql_get_name(struct sql *, char *out, size_t size); /* NULL: "" */

/* A statement without parameters, for its first column. */
bool sql_simple(struct index *, enum sql_name, int64_t *value, struct err *);

/* The connection's last failure as an error. */
/* *same: tables and indexes are those that our own schema makes. */
bool index_schema_check(struct index *, bool *same, struct err *);
bool index_fail(struct index *, int rc, const char *doing, struct err *);

/* ---- open.c ---- */

/* "NFS" …: why an index can't be written there; NULL: it can. magic: statfs's
 * f_type. */
const char *index_remote_fs(uint32_t magic);
/* Made before SQLite sees it, so that it and its journal are 0600 from the
 * start whatever the umask; ours, and no link. */
bool index_make_file(const char *path, struct err *);
/* Nothing but files under a database's name and those of its journals, or
 * ERR_DAMAGED: SQLite would wait for a FIFO and write through a link. */
bool index_look_beside(const char *path, struct err *);

/* ---- lock.c ---- */

/* *own: a transaction was begun, so index_own_end has to end it. */
bool index_own_begin(struct index *, bool *own, struct err *);
/* Commit if ok, else roll back; ok's value if both went well. */
bool index_own_end(struct index *, bool own, bool ok, struct err *);
bool index_flock(int fd, int operation);

/* ---- consult.c ---- */

/* v.name, s.frame, s.off, c.size, c.header_size, c.sha256 */
void kept_read(struct sql *, struct kept *);
bool index_content_id(
    struct index *, const uint8_t sha256[32], int64_t *id, struct err *);

/* ---- volumes.c ---- */

/* 0 in *id: no such volume. */
bool index_volume_id(
    struct index *, const char *name, int64_t *id, struct err *);

/* ---- settle.c ---- */
void settle_forget(struct index *);
/* A canonical Message-ID as the header row holds it. */
void index_message_id(struct buf *out, const char *canonical, size_t len);
/* Words for people as a row holds them: UTF-8, not too long; NULL: "". */
const char *index_words(struct buf *out, const char *text);

/* ---- query.c ---- */

/* The words of a query that "row" and "mailbox_sum" have in common, bound as
 * parameters 3 to 11. */
struct index_filter {
	const struct index_query *query; /* borrowed */
	int64_t run, mid64;
	struct buf message_id;
};
/* Which version of a placement is looked at: the last that began at or before
 * the run .by and had not ended by the run .beyond. 0 beyond: ended or not. */
struct index_span {
	int64_t by, beyond;
};
bool rows_span(struct index *, const struct index_query *, int64_t mailbox,
    struct index_span *, struct err *);
void rows_filter_open(struct index_filter *, const struct index_query *);
void rows_filter_bind(struct sql *, const struct index_filter *);
void rows_filter_close(struct index_filter *);
/* A query's globs over one mailbox. */
bool rows_want_mailbox(
    const struct index_query *, const char *display, const char *special_use);

#endif
