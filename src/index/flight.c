/* A server as the target: mailboxes there, batches in flight, receipts. */
#include "index/flight.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "landed.h"
#include "mail/datetime.h"

/* ---- target mailboxes ---- */

static bool
find_tbox(struct index *ix, uint64_t job, const char *source_name,
    struct index_tbox *tbox, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_TBOX_FIND, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_blob(&q, source_name, strlen(source_name));
	if (!sql_step(&q, found, err))
		return false;
	if (*found) {
		tbox->id = (uint64_t)sql_get_int(&q);
		tbox->base0 = (uint64_t)sql_get_int(&q);
		tbox->reconciled = (uint64_t)sql_get_int(&q);
		tbox->doubt = sql_get_int(&q) != 0;
	}
	sql_close(&q);

	return true;
}

static bool
write_tbox(struct index *ix, enum sql_name name, uint64_t job,
    const char *source_name, const struct index_tbox *tbox, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_blob(&q, source_name, strlen(source_name));
	sql_int(&q, (int64_t)tbox->id);
	sql_int(&q, (int64_t)tbox->base0);
	sql_int(&q, (int64_t)tbox->reconciled);
	sql_int(&q, tbox->doubt);

	return sql_run(&q, err);
}

/* What is told of it now, in place of what was known. */
static void
compare_tbox(const struct index_tbox *was, uint64_t tbox, uint64_t uidnext,
    struct index_tbox *now)
{
	*now = *was;
	if (was->id != tbox)
		*now = (struct index_tbox){
			.id = tbox, .base0 = 1, .reconciled = 1
		};
	else if (uidnext != 0 && uidnext < was->base0) {
		now->base0 = now->reconciled = uidnext;
	}
}

static bool
make_tbox(struct index *ix, uint64_t job, const char *source_name,
    uint64_t tbox, uint64_t uidnext, struct index_tbox *out, struct err *err)
{
	struct index_tbox was;
	bool found;
	if (!find_tbox(ix, job, source_name, &was, &found, err))
		return false;
	if (!found) {
		uint64_t base0 = uidnext == 0 ? 1 : uidnext;
		*out = (struct index_tbox){ .id = tbox,
			.base0 = base0,
			.reconciled = 1,
			.doubt = uidnext == 0 };
		return write_tbox(
		    ix, SQL_TBOX_INSERT, job, source_name, out, err);
	}
	compare_tbox(&was, tbox, uidnext, out);
	bool same = out->id == was.id && out->base0 == was.base0;

	return same ||
	       write_tbox(ix, SQL_TBOX_UPDATE, job, source_name, out, err);
}

bool
index_tbox(struct index *ix, uint64_t job, const char *source_name,
    uint64_t tbox, uint64_t uidnext, struct index_tbox *out, struct err *err)
{
	bool own;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok = make_tbox(ix, job, source_name, tbox, uidnext, out, err);

	return index_own_end(ix, own, ok, err);
}

static bool
set_doubt(struct index *ix, uint64_t job, const char *source_name, bool doubt,
    uint64_t reconciled, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_TBOX_DOUBT, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_blob(&q, source_name, strlen(source_name));
	sql_int(&q, doubt);
	sql_int(&q, (int64_t)reconciled);
	if (!sql_run(&q, err))
		return false;

	return sqlite3_changes(ix->db) > 0 ||
	       settle_missing(ix, "the target of mailbox", source_name, err);
}

bool
index_tbox_doubt(struct index *ix, uint64_t job, const char *source_name,
    bool doubt, uint64_t reconciled, struct err *err)
{
	bool own;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok = set_doubt(ix, job, source_name, doubt, reconciled, err);

	return index_own_end(ix, own, ok, err);
}

/* ---- in flight ---- */

bool
index_fly(struct index *ix, uint64_t run, uint64_t tbox, uint64_t base,
    uint64_t *batch, struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_BATCH_INSERT, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)tbox);
	sql_int(&q, (int64_t)base);
	sql_int(&q, clock_unix());
	if (!sql_run(&q, err))
		return false;
	*batch = (uint64_t)sqlite3_last_insert_rowid(ix->db);

	return true;
}

static void
bind_key(struct sql *q, uint64_t job, uint64_t mailbox, uint64_t okey)
{
	sql_int(q, (int64_t)job);
	sql_int(q, (int64_t)mailbox);
	sql_int(q, (int64_t)okey);
}

static bool
put_flying(struct index *ix, enum sql_name name, const struct index_delivery *d,
    uint64_t batch, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	bind_key(&q, d->job, d->mailbox, d->placement->okey);
	sql_int(&q, (int64_t)d->run);
	if (batch == 0)
		sql_null(&q);
	else
		sql_int(&q, (int64_t)batch);

	return sql_run(&q, err);
}

bool
index_fly_one(struct index *ix, const struct index_delivery *d, uint64_t batch,
    struct err *err)
{
	int64_t content;
	assert(ix->open_tx);
	if (!settle_content(ix, d, &content, err) ||
	    !put_flying(ix, SQL_FLY_INSERT, d, batch, err))
		return false;
	if (sqlite3_changes(ix->db) == 0 &&
	    !put_flying(ix, SQL_FLY_UPDATE, d, batch, err))
		return false;

	return settle_placement(ix, d, content, err);
}

/* The row that was to be changed has to be there. */
static bool
changed(struct index *ix, uint64_t okey, struct err *err)
{
	char uid[24];
	snprintf(uid, sizeof(uid), "%" PRIu64, okey);

	return sqlite3_changes(ix->db) > 0 ||
	       settle_missing(ix, "the delivery of UID", uid, err);
}

bool
index_land(
    struct index *ix, const struct index_landing *landing, struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_LAND, &q, err))
		return false;
	bind_key(&q, landing->job, landing->mailbox, landing->okey);
	sql_int(&q, (int64_t)landing->run);
	sql_int(&q, (int64_t)landing->tbox);
	if (landing->tuid == 0)
		sql_null(&q);
	else
		sql_int(&q, (int64_t)landing->tuid);
	sql_int(&q, landing->flags);

	return sql_run(&q, err) && changed(ix, landing->okey, err);
}

bool
index_land_none(struct index *ix, uint64_t run, uint64_t job, uint64_t mailbox,
    uint64_t okey, struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_LAND_NONE, &q, err))
		return false;
	bind_key(&q, job, mailbox, okey);
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err) && changed(ix, okey, err);
}

bool
index_fly_end(struct index *ix, uint64_t batch, struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_BATCH_END, &q, err))
		return false;
	sql_int(&q, (int64_t)batch);
	if (!sql_run(&q, err))
		return false;

	return sqlite3_changes(ix->db) > 0 ||
	       err_set(err, ERR_RUN, ERR_DAMAGED,
		   "index %s: batch %" PRIu64 " can't end: messages of it are "
		   "in flight, or it isn't there",
		   ix->path, batch);
}

/* ---- what nobody heard of ---- */

static void
read_flight(struct sql *q, struct index_flight *flight, struct buf *name)
{
	size_t len;
	*flight = (struct index_flight){ .batch = (uint64_t)sql_get_int(q) };
	flight->tbox = (uint64_t)sql_get_int(q);
	flight->uidvalidity = (uint64_t)sql_get_int(q);
	flight->base = (uint64_t)sql_get_int(q);
	const char *octets = sql_get_blob(q, &len);
	buf_clear(name);
	buf_add(name, len == 0 ? "" : octets, len);
	flight->name = len == 0 ? "" : name->data;
	flight->sent = sql_get_int(q);
}

bool
index_flights(struct index *ix, uint64_t job,
    bool (*each)(void *arg, const struct index_flight *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	struct buf name = { 0 };
	if (!sql_open_own(ix, SQL_FLIGHTS, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_flight flight;
		read_flight(&q, &flight, &name);
		if (!each(arg, &flight))
			break;
	}
	sql_close(&q);
	buf_free(&name);

	return ok;
}

static void
read_flying(struct sql *q, struct index_flying *flying)
{
	*flying = (struct index_flying){ .mailbox = (uint64_t)sql_get_int(q) };
	flying->okey = (uint64_t)sql_get_int(q);
	flying->size = (uint64_t)sql_get_int(q);
	sql_get_octets(q, flying->sha256, sizeof(flying->sha256));
	bool none = sql_get_null(q);
	flying->idate = sql_get_int(q);
	if (none)
		flying->idate = DATETIME_NONE;
	flying->identity = sql_get_int(q);
	flying->flags = (uint8_t)sql_get_int(q);
	flying->message_id = sql_get_text(q);
}

bool
index_flying(struct index *ix, uint64_t batch,
    bool (*each)(void *arg, const struct index_flying *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_FLYING, &q, err))
		return false;
	sql_int(&q, (int64_t)batch);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_flying flying;
		read_flying(&q, &flying);
		if (!each(arg, &flying))
			break;
	}
	sql_close(&q);

	return ok;
}

/* ---- what is there ---- */

bool
index_tuid_taken(struct index *ix, uint64_t tbox, uint64_t tuid, bool *taken,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_TUID_TAKEN, &q, err))
		return false;
	sql_int(&q, (int64_t)tbox);
	sql_int(&q, (int64_t)tuid);
	bool ok = sql_step(&q, taken, err);
	sql_close(&q);

	return ok;
}

bool
index_tuid_top(struct index *ix, uint64_t tbox, uint64_t *tuid, struct err *err)
{
	struct sql q;
	bool row;
	*tuid = 0;
	if (!sql_open(ix, SQL_TUID_TOP, &q, err))
		return false;
	sql_int(&q, (int64_t)tbox);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		*tuid = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}

bool
index_target_of(struct index *ix, uint64_t job, uint64_t mailbox, uint64_t okey,
    uint64_t *tbox, uint64_t *tuid, uint8_t *sflags, uint8_t *tflags,
    bool *found, struct err *err)
{
	struct landed at;
	if (!landed_at(ix, job, mailbox, okey, &at, found, err))
		return false;
	*found = *found && at.tuid != 0;
	*tbox = (uint64_t)at.tbox;
	*tuid = (uint64_t)at.tuid;
	*sflags = at.sflags;
	*tflags = at.tflags;

	return true;
}
