#include "index/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/datetime.h"

/*
 * Rows come in two steps: a statement yields the keys of deliveries in the
 * order of the answer (that of the narrowest term of the query), and "row"
 * fetches each by key if the other terms hold.  So every plan is a walk along
 * an index, and memory doesn't grow with the answer.
 */
struct index_rows {
	struct index *ix;
	const struct index_query *query; /* borrowed */
	struct index_filter filter;
	enum sql_name driver;
	bool by_box;    /* keys are asked for mailbox by mailbox */
	bool keys_open; /* keys of a mailbox are being read */
	bool ended;
	int64_t told_late[2]; /* the mailbox and okey that was late last */
	struct sql boxes, keys, row, former, box, linked, body, note;

	struct {            /* the mailbox of the last row */
		int64_t id; /* 0: none yet */
		bool wanted;
		uint64_t uidvalidity, generation;
		struct index_span span;
		struct buf account, display, wire;
	} in;
	struct index_row out; /* texts borrowed from in and the statements */
};

struct key {
	int64_t job, mailbox, okey;
	int64_t former; /* row of an entry given up for another one; 0: none */
	bool late;      /* a version of it ended in the run looked at */
};

/* ---- open and close ---- */

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

static void
choose_driver(struct index_rows *rows)
{
	const struct index_query *query = rows->query;
	rows->by_box = false;
	if (query->changes != 0)
		rows->driver = SQL_ROWS_OF_CHANGES;
	else if (is_set(query->volume))
		rows->driver = SQL_ROWS_OF_VOLUME;
	else if (query->sha256 != NULL)
		rows->driver = SQL_ROWS_OF_CONTENT;
	else if (rows->filter.mid64 != 0)
		rows->driver = SQL_ROWS_OF_MSGID;
	else {
		rows->by_box = true;
		rows->driver =
		    query->run != 0 ? SQL_ROWS_OF_RUN : SQL_ROWS_OF_BOX;
	}
}

static void
bind_driver(struct index_rows *rows)
{
	const struct index_query *query = rows->query;
	struct sql *q = rows->by_box ? &rows->boxes : &rows->keys;
	if (rows->by_box) {
		sql_text(q, query->account);
	} else if (rows->driver == SQL_ROWS_OF_CHANGES) {
		sql_int(q, (int64_t)query->changes);
	} else if (rows->driver == SQL_ROWS_OF_VOLUME) {
		sql_text(q, query->volume);
	} else if (rows->driver == SQL_ROWS_OF_CONTENT) {
		sql_int(q, digest_key(query->sha256));
		sql_blob(q, query->sha256, 32);
	} else {
		sql_int(q, rows->filter.mid64);
		sql_text(q, rows->filter.message_id.data);
	}
}

static bool
open_statements(struct index_rows *rows, struct err *err)
{
	struct index *ix = rows->ix;

	return (!rows->by_box ||
		   sql_open_own(ix, SQL_ROWS_BOXES, &rows->boxes, err)) &&
	       sql_open_own(ix, rows->driver, &rows->keys, err) &&
	       sql_open_own(ix, SQL_ROW, &rows->row, err) &&
	       sql_open_own(ix, SQL_ROW_FORMER, &rows->former, err) &&
	       sql_open_own(ix, SQL_ROW_MAILBOX, &rows->box, err) &&
	       sql_open_own(ix, SQL_ROW_LINKED, &rows->linked, err) &&
	       sql_open_own(ix, SQL_ROW_BODY, &rows->body, err) &&
	       sql_open_own(ix, SQL_ROW_NOTE, &rows->note, err);
}

bool
index_rows_open(struct index *ix, struct index_rows **out,
    const struct index_query *query, struct err *err)
{
	struct index_rows *rows = mem_new(sizeof(*rows));
	rows->ix = ix;
	rows->query = query;
	rows_filter_open(&rows->filter, query);
	choose_driver(rows);
	bool ok = open_statements(rows, err);
	if (ok)
		bind_driver(rows);
	else
		index_rows_close(&rows);
	*out = rows;

	return ok;
}

void
index_rows_close(struct index_rows **p)
{
	struct index_rows *rows = *p;
	if (rows == NULL)
		return;
	*p = NULL;
	struct sql *all[] = { &rows->boxes, &rows->keys, &rows->row,
		&rows->former, &rows->box, &rows->linked, &rows->body,
		&rows->note };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sql_close(all[i]);
	rows_filter_close(&rows->filter);
	buf_free(&rows->in.account);
	buf_free(&rows->in.display);
	buf_free(&rows->in.wire);
	free(rows);
}

/* ---- the mailbox of a row ---- */

static void
copy_text(struct buf *out, struct sql *q)
{
	size_t len;
	const char *text = sql_get_blob(q, &len);
	buf_clear(out);
	buf_add(out, len == 0 ? "" : text, len);
	buf_str(out, "");
}

/* Did a mailbox hold anything then? */
static bool
had_placements(struct sql *q, const struct index_span *span)
{
	bool begun = sql_get_int(q) <= span->by;
	sql_get_int(q); /* last_run: its placements may have outlived it */
	bool ended = !sql_get_null(q) && sql_get_int(q) <= span->beyond;

	return begun && !ended;
}

static bool
read_box(struct index_rows *rows, struct err *err)
{
	struct sql *q = &rows->box;
	const struct index_query *query = rows->query;
	copy_text(&rows->in.account, q);
	copy_text(&rows->in.display, q);
	copy_text(&rows->in.wire, q);
	const char *special_use = sql_get_text(q);
	bool wanted =
	    (query->account == NULL ||
		strcmp(query->account, rows->in.account.data) == 0) &&
	    rows_want_mailbox(query, rows->in.display.data, special_use);
	rows->in.uidvalidity = (uint64_t)sql_get_int(q);
	rows->in.generation = (uint64_t)sql_get_int(q);
	sql_get_int(q); /* its account */
	if (!rows_span(rows->ix, query, rows->in.id, &rows->in.span, err))
		return false;
	rows->in.wanted = wanted && had_placements(q, &rows->in.span);

	return true;
}

static bool
enter_box(struct index_rows *rows, int64_t id, struct err *err)
{
	bool row;
	if (rows->in.id == id)
		return true;
	sql_again(&rows->box);
	sql_int(&rows->box, id);
	if (!sql_step(&rows->box, &row, err))
		return false;
	rows->in.id = id;
	rows->in.wanted = false;

	return !row || read_box(rows, err);
}

/* ---- keys ---- */

static void
bind_keys(struct index_rows *rows, int64_t job, int64_t mailbox)
{
	uint64_t uid = rows->query->uid;
	struct sql *q = &rows->keys;
	sql_again(q);
	sql_int(q, job);
	sql_int(q, mailbox);
	sql_int(q, (int64_t)uid);
	sql_int(q, uid == 0 ? INT64_MAX : (int64_t)uid);
	if (rows->driver == SQL_ROWS_OF_RUN)
		sql_int(q, (int64_t)rows->query->run);
	rows->keys_open = true;
}

/* Open the keys of the next mailbox that is wanted. */
static bool
next_box(struct index_rows *rows, bool *end, struct err *err)
{
	bool row;
	for (;;) {
		if (!sql_step(&rows->boxes, &row, err))
			return false;
		*end = !row;
		if (*end)
			return true;
		int64_t job = sql_get_int(&rows->boxes);
		int64_t mailbox = sql_get_int(&rows->boxes);
		if (!enter_box(rows, mailbox, err))
			return false;
		if (rows->in.wanted) {
			bind_keys(rows, job, mailbox);
			return true;
		}
	}
}

static bool
next_key(struct index_rows *rows, struct key *key, bool *end, struct err *err)
{
	bool row;
	for (;;) {
		if (rows->by_box && !rows->keys_open) {
			if (!next_box(rows, end, err))
				return false;
			if (*end)
				return true;
		}
		if (!sql_step(&rows->keys, &row, err))
			return false;
		if (row)
			break;
		rows->keys_open = false;
		*end = !rows->by_box;
		if (*end)
			return true;
	}
	key->job = sql_get_int(&rows->keys);
	key->mailbox = sql_get_int(&rows->keys);
	key->okey = sql_get_int(&rows->keys);
	key->former =
	    rows->driver == SQL_ROWS_OF_VOLUME ? sql_get_int(&rows->keys) : 0;
	key->late = rows->driver == SQL_ROWS_OF_CHANGES &&
		    sql_get_int(&rows->keys) != 0;
	*end = false;

	return true;
}

/* ---- a row ---- */

struct place { /* where a row's data lies, as ids */
	int64_t volume, survivor;
	int64_t to, settled; /* runs: its version's end, its delivery's */
};

static const char *
text_or_empty(struct sql *q)
{
	const char *text = sql_get_text(q);

	return text == NULL ? "" : text;
}

static void
read_placement(struct sql *q, struct catalog_row *row)
{
	size_t len;
	row->flags = (uint8_t)sql_get_int(q);
	row->keywords = text_or_empty(q);
	bool none = sql_get_null(q);
	row->idate = sql_get_int(q);
	if (none)
		row->idate = DATETIME_NONE;
	row->zone = (int16_t)sql_get_int(q);
	row->announced = row->size = (uint64_t)sql_get_int(q);
	const char *sha256 = sql_get_blob(q, &len);
	if (sha256 != NULL && len == 32)
		memcpy(row->sha256, sha256, 32);
	bool known = !sql_get_null(q);
	uint64_t size = (uint64_t)sql_get_int(q);
	if (known)
		row->size = size;
	row->header_size = (uint64_t)sql_get_int(q);
}

static void
read_delivery(struct sql *q, struct index_row *out, struct place *place)
{
	struct catalog_row *row = &out->row;
	out->outcome = (enum outcome)sql_get_int(q);
	out->run = text_or_empty(q);
	place->volume = sql_get_int(q);
	out->volume = text_or_empty(q);
	row->entry = text_or_empty(q);
	row->claim = (enum claim_kind)sql_get_int(q);
	row->frame = (uint32_t)sql_get_int(q);
	row->offset = (uint64_t)sql_get_int(q);
	place->survivor = sql_get_int(q);
}

static void
read_header(struct sql *q, struct catalog_row *row)
{
	row->from = text_or_empty(q);
	row->to = text_or_empty(q);
	row->cc = text_or_empty(q);
	row->subject = text_or_empty(q);
	row->date = text_or_empty(q);
	row->message_id = text_or_empty(q);
	row->body_hash = sql_get_int(q);
	row->identity = sql_get_int(q);
}

/* Any version but the last ends where the next begins: only where the last
 * one is looked for does its end mean that the message has gone. */
static void
read_end(struct index_rows *rows, struct sql *q, struct place *place)
{
	const char *ended = text_or_empty(q);
	rows->out.ended = rows->in.span.beyond == 0 ? ended : "";
	place->to = sql_get_int(q);
	place->settled = sql_get_int(q);
}

static void
read_row(struct index_rows *rows, struct sql *q, const struct key *key,
    struct place *place)
{
	struct index_row *out = &rows->out;
	*out = (struct index_row){ .note_class = "",
		.note_text = "",
		.row = { .account = rows->in.account.data,
		    .mailbox = rows->in.display.data,
		    .wire = rows->in.wire.data,
		    .wire_len = rows->in.wire.len,
		    .uidvalidity = rows->in.uidvalidity,
		    .generation = rows->in.generation,
		    .uid = (uint64_t)key->okey,
		    .body_volume = "",
		    .body_entry = "" } };
	read_placement(q, &out->row);
	read_delivery(q, out, place);
	read_header(q, &out->row);
	read_end(rows, q, place);
}

/* The entry of the whole message whose data lies there; "" if none. */
static bool
entry_at(struct index_rows *rows, int64_t volume, uint32_t frame,
    uint64_t offset, const char **entry, struct err *err)
{
	struct sql *q = &rows->linked;
	bool row;
	*entry = "";
	sql_again(q);
	sql_int(q, volume);
	sql_int(q, frame);
	sql_int(q, (int64_t)offset);
	if (!sql_step(q, &row, err))
		return false;
	if (row)
		*entry = text_or_empty(q);

	return true;
}

static bool
read_link(struct index_rows *rows, const struct place *place, struct err *err)
{
	struct catalog_row *row = &rows->out.row;
	row->body_volume = rows->out.volume;
	row->body_frame = row->frame;
	row->body_offset = row->offset;

	return entry_at(rows, place->volume, row->frame, row->offset,
	    &row->body_entry, err);
}

static bool
read_reference(
    struct index_rows *rows, const struct place *place, struct err *err)
{
	struct catalog_row *row = &rows->out.row;
	struct sql *q = &rows->body;
	bool found;
	sql_again(q);
	sql_int(q, place->survivor);
	sql_int(q, place->volume);
	if (!sql_step(q, &found, err))
		return false;
	if (!found)
		return true; /* a lost volume: "" says so */
	int64_t volume = sql_get_int(q);
	row->body_volume = text_or_empty(q);
	row->body_frame = (uint32_t)sql_get_int(q);
	row->body_offset = (uint64_t)sql_get_int(q);
	row->body_skip = (uint64_t)sql_get_int(q);

	return entry_at(rows, volume, row->body_frame, row->body_offset,
	    &row->body_entry, err);
}

static bool
read_note(struct index_rows *rows, const struct key *key, struct err *err)
{
	struct sql *q = &rows->note;
	bool row;
	sql_again(q);
	sql_int(q, key->job);
	sql_int(q, key->mailbox);
	sql_int(q, key->okey);
	if (!sql_step(q, &row, err))
		return false;
	if (row) {
		rows->out.note_class = text_or_empty(q);
		rows->out.note_text = text_or_empty(q);
	}

	return true;
}

/* What the row's own columns only point to. */
static bool
read_more(struct index_rows *rows, const struct key *key,
    const struct place *place, struct err *err)
{
	if (rows->out.outcome != OUTCOME_DELIVERED)
		return read_note(rows, key, err);
	if (rows->out.row.claim == CLAIM_LINK)
		return read_link(rows, place, err);
	if (rows->out.row.claim == CLAIM_REFERENCE)
		return read_reference(rows, place, err);

	return true;
}

/*
 * What became of a message in the run that query.changes names; NONE: it is
 * told elsewhere. What the run settled comes first, what ended comes late; a
 * message whose flags changed has a version that ended too.
 */
static enum index_change
change_of(
    struct index_rows *rows, const struct key *key, const struct place *place)
{
	int64_t run = (int64_t)rows->query->changes;
	bool delivered = rows->out.outcome == OUTCOME_DELIVERED;
	if (!key->late)
		return delivered ? CHANGE_BEGUN : CHANGE_OUTCOME;
	bool again = rows->told_late[0] == key->mailbox &&
		     rows->told_late[1] == key->okey;
	rows->told_late[0] = key->mailbox;
	rows->told_late[1] = key->okey;
	if (again)
		return CHANGE_NONE;
	if (place->to == run)
		return CHANGE_ENDED;

	return delivered && place->settled != run ? CHANGE_BEGUN : CHANGE_NONE;
}

/* *met false: the query's other terms don't hold. */
static bool
fetch_row(
    struct index_rows *rows, const struct key *key, bool *met, struct err *err)
{
	struct place place = { 0 };
	struct sql *q = key->former != 0 ? &rows->former : &rows->row;
	*met = false;
	if (!enter_box(rows, key->mailbox, err))
		return false;
	if (!rows->in.wanted)
		return true;
	sql_again(q);
	sql_int(q, key->job);
	sql_int(q, key->mailbox);
	rows_filter_bind(q, &rows->filter);
	sql_int(q, rows->in.span.by);
	sql_int(q, rows->in.span.beyond);
	sql_int(q, key->former != 0 ? key->former : key->okey);
	if (!sql_step(q, met, err))
		return false;
	if (!*met)
		return true;
	read_row(rows, q, key, &place);
	if (rows->query->changes != 0) {
		rows->out.change = change_of(rows, key, &place);
		*met = rows->out.change != CHANGE_NONE;
	}

	return read_more(rows, key, &place, err);
}

bool
index_rows_next(
    struct index_rows *rows, struct index_row *out, bool *end, struct err *err)
{
	struct key key = { 0 };
	bool met = false;
	*end = rows->ended;
	while (!met && !*end) {
		if (!next_key(rows, &key, end, err))
			return false;
		rows->ended = *end;
		if (*end)
			return true;
		if (!fetch_row(rows, &key, &met, err))
			return false;
	}
	*out = rows->out;

	return true;
}

bool
index_rows_catalog(
    void *index_rows, struct catalog_row *row, bool *end, struct err *err)
{
	struct index_row out;
	if (!index_rows_next(index_rows, &out, end, err) || *end)
		return false;
	*row = out.row;

	return true;
}
