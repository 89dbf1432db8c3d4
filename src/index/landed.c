#include "landed.h"

#include <string.h>

#include "mail/datetime.h"

bool
landed_server(struct index *ix, uint64_t job, bool *server, struct err *err)
{
	struct sql q;
	bool row;
	*server = ix->job.server;
	if (job != 0 && ix->job.id == job)
		return true;
	*server = false;
	if (!sql_open(ix, SQL_JOB_TARGET, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		const char *kind = sql_get_text(&q);
		*server = kind != NULL && strcmp(kind, "imap") == 0;
		ix->job.id = job;
		ix->job.server = *server;
	}
	sql_close(&q);

	return true;
}

static bool
read_landed(struct sql *q, struct landed *at, bool *found, struct err *err)
{
	if (!sql_step(q, found, err))
		return false;
	*at = (struct landed){ 0 };
	if (*found) {
		at->mailbox = (uint64_t)sql_get_int(q);
		at->okey = (uint64_t)sql_get_int(q);
		at->tbox = sql_get_int(q);
		at->tuid = sql_get_int(q);
		at->sflags = (uint8_t)sql_get_int(q);
		at->tflags = (uint8_t)sql_get_int(q);
	}
	sql_close(q);

	return true;
}

static void
bind_key(struct sql *q, uint64_t job, uint64_t mailbox, uint64_t okey)
{
	sql_int(q, (int64_t)job);
	sql_int(q, (int64_t)mailbox);
	sql_int(q, (int64_t)okey);
}

static void
bind_date(struct sql *q, int64_t idate)
{
	if (idate == DATETIME_NONE)
		sql_null(q);
	else
		sql_int(q, idate);
}

/* Looking through all of very many each time would take hours. */
static bool
find_next(struct index *ix, const struct landed_wanted *wanted,
    struct landed *at, bool *found, struct err *err)
{
	struct sql q;
	*found = false;
	if (ix->landed.job != wanted->job ||
	    ix->landed.mailbox != wanted->mailbox ||
	    ix->landed.content != wanted->content)
		return true;
	if (!sql_open(ix, SQL_LANDED_NEXT, &q, err))
		return false;
	sql_int(&q, (int64_t)wanted->job);
	sql_int(&q, (int64_t)ix->landed.from);
	sql_int(&q, wanted->content);
	sql_int(&q, (int64_t)ix->landed.okey);
	bind_date(&q, wanted->idate);
	sql_int(&q, wanted->any);

	return read_landed(&q, at, found, err);
}

static bool
find_best(struct index *ix, const struct landed_wanted *wanted,
    struct landed *at, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LANDED_FIND, &q, err))
		return false;
	sql_int(&q, (int64_t)wanted->job);
	sql_int(&q, (int64_t)wanted->mailbox);
	sql_int(&q, wanted->content);
	bind_date(&q, wanted->idate);

	return read_landed(&q, at, found, err);
}

bool
landed_find(struct index *ix, const struct landed_wanted *wanted,
    struct landed *at, bool *found, struct err *err)
{
	return find_next(ix, wanted, at, found, err) &&
	       (*found || find_best(ix, wanted, at, found, err));
}

bool
landed_at(struct index *ix, uint64_t job, uint64_t mailbox, uint64_t okey,
    struct landed *at, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LANDED_AT, &q, err))
		return false;
	bind_key(&q, job, mailbox, okey);

	return read_landed(&q, at, found, err);
}

/* ---- another generation's ---- */

/* *there: the message has its place, and this run says so. */
static bool
is_there(struct index *ix, const struct outcome_key *key, bool *there,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LANDED_AGAIN, &q, err))
		return false;
	bind_key(&q, key->job, key->mailbox, key->okey);
	sql_int(&q, (int64_t)key->run);
	if (!sql_run(&q, err))
		return false;
	*there = sqlite3_changes(ix->db) > 0;

	return true;
}

static bool
leave(struct index *ix, uint64_t job, const struct landed *at, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LANDED_LEAVE, &q, err))
		return false;
	bind_key(&q, job, at->mailbox, at->okey);

	return sql_run(&q, err);
}

static bool
make_row(struct index *ix, const struct outcome_key *key, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_FLY_INSERT, &q, err))
		return false;
	bind_key(&q, key->job, key->mailbox, key->okey);
	sql_int(&q, (int64_t)key->run);
	sql_null(&q);

	return sql_run(&q, err);
}

static bool
take(struct index *ix, const struct outcome_key *key, const struct landed *at,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LANDED_TAKE, &q, err))
		return false;
	bind_key(&q, key->job, key->mailbox, key->okey);
	sql_int(&q, (int64_t)key->run);
	sql_int(&q, at->tbox);
	if (at->tuid == 0)
		sql_null(&q);
	else
		sql_int(&q, at->tuid);
	sql_int(&q, at->sflags);
	sql_int(&q, at->tflags);

	return sql_run(&q, err);
}

static void
remember(struct index *ix, const struct outcome_key *key, int64_t content,
    const struct landed *at)
{
	ix->landed.job = key->job;
	ix->landed.mailbox = key->mailbox;
	ix->landed.content = content;
	ix->landed.from = at->mailbox;
	ix->landed.okey = at->okey;
}

static bool
find_place(struct index *ix, const struct outcome_key *key, uint64_t from,
    const struct version *now, struct landed *at, bool *found, struct err *err)
{
	struct landed_wanted wanted = { .job = key->job,
		.mailbox = key->mailbox,
		.content = now->content,
		.idate = now->idate };

	return from != 0
		   ? landed_at(ix, key->job, from, key->okey, at, found, err)
		   : landed_find(ix, &wanted, at, found, err);
}

bool
landed_known(struct index *ix, const struct outcome_key *key, uint64_t from,
    struct version *now, bool *known, struct err *err)
{
	struct version last;
	struct landed at;
	*known = false;
	if (!placement_last(ix, key->mailbox, key->okey, &last, err))
		return false;
	if (last.content == now->content && !is_there(ix, key, known, err))
		return false;
	if (!*known) {
		if (!find_place(ix, key, from, now, &at, known, err))
			return false;
		if (!*known)
			return true;
		if (!leave(ix, key->job, &at, err) || !make_row(ix, key, err) ||
		    !take(ix, key, &at, err))
			return false;
		if (from == 0)
			remember(ix, key, now->content, &at);
	}

	return placement_put(ix, key->mailbox, key->okey, &last, now, err);
}
