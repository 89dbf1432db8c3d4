#include "landed.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "mail/msgid.h"

enum {
	BODY_HASH_MIN = 4096, /* smaller bodies are never referred to */
	TEXT_NOTE = 2000      /* octets */
};

void
settle_forget(struct index *ix)
{
	ix->volume.id = 0;
	ix->job.id = 0;
	ix->landed.job = 0;
	for (size_t i = 0; i < KEYWORD_SETS; i++) {
		ix->keywords[i].id = 0;
		buf_free(&ix->keywords[i].list);
	}
}

static void
int_or_null(struct sql *q, int64_t value)
{
	if (value == 0)
		sql_null(q);
	else
		sql_int(q, value);
}

/* ---- content and header ---- */

/* Absent fields are NULL, present but empty ones "". */
static void
bind_header(
    struct sql *q, struct buf *out, struct header_slice field, size_t max)
{
	buf_clear(out);
	if (field.data == NULL) {
		sql_null(q);
		return;
	}
	header_text(out, field, max);
	sql_text(q, out->data == NULL ? "" : out->data);
}

/* Cut at a character's start, so that it stays UTF-8. */
static void
cut(struct buf *text, size_t max)
{
	if (text->len <= max)
		return;
	while (max > 0 && ((unsigned char)text->data[max] & 0xC0) == 0x80)
		max--;
	text->len = max;
	text->data[max] = '\0';
}

void
index_message_id(struct buf *out, const char *canonical, size_t len)
{
	buf_clear(out);
	text_utf8(out, canonical, len);
	cut(out, HEADER_TEXT_MESSAGE_ID);
}

static void
bind_message_id(
    struct sql *q, struct buf *raw, struct buf *out, struct header_slice field)
{
	buf_clear(raw);
	msgid_canonical(raw, field);
	index_message_id(out, raw->data, raw->len);
	sql_text(q, out->len == 0 ? NULL : out->data);
}

static bool
insert_header(struct index *ix, int64_t content,
    const struct header_fields *header, struct err *err)
{
	struct sql q;
	struct buf *text = ix->scratch;
	if (!sql_open(ix, SQL_HEADER_INSERT, &q, err))
		return false;
	sql_int(&q, content);
	bind_message_id(&q, &text[5], &text[0], header->message_id);
	bind_header(&q, &text[1], header->from, HEADER_TEXT_ADDRESSES);
	bind_header(&q, &text[2], header->to, HEADER_TEXT_ADDRESSES);
	bind_header(&q, &text[3], header->cc, HEADER_TEXT_ADDRESSES);
	bind_header(&q, &text[4], header->subject, HEADER_TEXT_SUBJECT);
	/* The raw Message-ID is no longer needed. */
	bind_header(&q, &text[5], header->date, HEADER_TEXT_DATE);

	return sql_run(&q, err);
}

static int64_t
body_hash(struct content *content)
{
	uint64_t body = content_size(content) - content_header_size(content);

	return body < BODY_HASH_MIN ? 0 : content_body_hash(content);
}

static bool
insert_content(struct index *ix, const struct index_delivery *d, int64_t *id,
    struct err *err)
{
	struct sql q;
	const uint8_t *sha256 = content_sha256(d->content);
	if (!sql_open(ix, SQL_CONTENT_INSERT, &q, err))
		return false;
	sql_int(&q, digest_key(sha256));
	sql_blob(&q, sha256, 32);
	sql_int(&q, (int64_t)content_size(d->content));
	sql_int(&q, (int64_t)content_header_size(d->content));
	int_or_null(&q, body_hash(d->content));
	int_or_null(&q, msgid_key(d->header->message_id));
	int_or_null(&q, d->identity);
	if (!sql_run(&q, err))
		return false;
	*id = sqlite3_last_insert_rowid(ix->db);

	return insert_header(ix, *id, d->header, err);
}

bool
settle_content(struct index *ix, const struct index_delivery *d, int64_t *id,
    struct err *err)
{
	if (!index_content_id(ix, content_sha256(d->content), id, err))
		return false;

	return *id != 0 || insert_content(ix, d, id, err);
}

/* ---- where it is kept ---- */

struct settled { /* ids of one delivery's rows */
	int64_t content, volume, survivor;
};

bool
settle_missing(
    struct index *ix, const char *what, const char *name, struct err *err)
{
	return err_set(err, ERR_RUN, ERR_DAMAGED,
	    "index %s: %s %s is not in it", ix->path, what, name);
}

/* A link or a header may only name what is settled, or was settled earlier in
 * this transaction. */
static bool
survivor_row(struct index *ix, const struct index_delivery *d, int64_t *id,
    struct err *err)
{
	*id = 0;
	if (d->claim == CLAIM_WHOLE)
		return true;
	assert(d->survivor != NULL);
	if (!index_content_id(ix, d->survivor->sha256, id, err))
		return false;
	char hex[65];

	return *id != 0 || settle_missing(ix, "the survivor",
			       digest_hex(hex, d->survivor->sha256, 32), err);
}

static bool
put_stored(struct index *ix, enum sql_name name, const struct index_delivery *d,
    const struct settled *row, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, row->content);
	sql_int(&q, row->volume);
	sql_int(&q, d->where->frame);
	sql_int(&q, (int64_t)d->where->offset);
	if (name == SQL_STORED_INSERT)
		int_or_null(&q, row->survivor);

	return sql_run(&q, err);
}

static bool
stored_row(struct index *ix, const struct index_delivery *d,
    const struct settled *row, struct err *err)
{
	if (d->claim == CLAIM_LINK)
		return true;
	if (!put_stored(ix, SQL_STORED_INSERT, d, row, err))
		return false;

	return d->claim != CLAIM_WHOLE || sqlite3_changes(ix->db) > 0 ||
	       put_stored(ix, SQL_STORED_WHOLE, d, row, err);
}

/* ---- delivery ---- */

/* Where the octets are: a link has none of its own. */
static const struct kept *
data_of(const struct index_delivery *d)
{
	return d->claim == CLAIM_LINK ? d->survivor : d->where;
}

/* KNOWN has no place of its own. */
static void
bind_place(
    struct sql *q, const struct index_delivery *d, const struct settled *row)
{
	if (d->claim == CLAIM_KNOWN) {
		sql_null(q);
		sql_null(q);
		sql_int(q, CLAIM_KNOWN);
		sql_null(q);
		sql_null(q);
		sql_null(q);
		return;
	}
	const struct kept *data = data_of(d);
	sql_int(q, row->volume);
	sql_text(q, d->where->entry);
	sql_int(q, d->claim);
	sql_int(q, data->frame);
	sql_int(q, (int64_t)data->offset);
	int_or_null(q, row->survivor);
}

static void
bind_key(struct sql *q, uint64_t job, uint64_t mailbox, uint64_t okey)
{
	sql_int(q, (int64_t)job);
	sql_int(q, (int64_t)mailbox);
	sql_int(q, (int64_t)okey);
}

static bool
put_delivery(struct index *ix, enum sql_name name,
    const struct index_delivery *d, const struct settled *row, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	bind_key(&q, d->job, d->mailbox, d->placement->okey);
	sql_int(&q, (int64_t)d->run);
	bind_place(&q, d, row);

	return sql_run(&q, err);
}

/* Before the placement's new version begins: the entry that the old one has
 * goes on being that content's. */
static bool
put_former(struct index *ix, const struct index_delivery *d,
    const struct settled *row, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_DELIVERY_FORMER, &q, err))
		return false;
	bind_key(&q, d->job, d->mailbox, d->placement->okey);
	if (d->claim == CLAIM_KNOWN) {
		sql_null(&q);
		sql_null(&q);
		sql_null(&q);
	} else {
		const struct kept *data = data_of(d);
		sql_int(&q, row->volume);
		sql_int(&q, data->frame);
		sql_int(&q, (int64_t)data->offset);
	}
	sql_int(&q, d->claim);

	return sql_run(&q, err);
}

static bool
delivery_row(struct index *ix, const struct index_delivery *d,
    const struct settled *row, struct err *err)
{
	if (!put_delivery(ix, SQL_DELIVERY_INSERT, d, row, err))
		return false;

	return sqlite3_changes(ix->db) > 0 ||
	       (put_former(ix, d, row, err) &&
		   put_delivery(ix, SQL_DELIVERY_UPDATE, d, row, err));
}

/* *yes false: it was not delivered yet. */
static bool
delivered_again(
    struct index *ix, const struct outcome_key *key, bool *yes, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_DELIVERY_AGAIN, &q, err))
		return false;
	bind_key(&q, key->job, key->mailbox, key->okey);
	sql_int(&q, (int64_t)key->run);
	if (!sql_run(&q, err))
		return false;
	*yes = sqlite3_changes(ix->db) > 0;

	return true;
}

/* ---- RFC 8474 ---- */

static bool
email_row(struct index *ix, uint64_t mailbox, const char *email_id,
    int64_t content, struct err *err)
{
	struct sql q;
	if (email_id == NULL || *email_id == '\0')
		return true;
	if (!sql_open(ix, SQL_EMAIL_PUT, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_text(&q, email_id);
	sql_int(&q, content);

	return sql_run(&q, err);
}

/* ---- one message ---- */

bool
settle_placement(struct index *ix, const struct index_delivery *d,
    int64_t content, struct err *err)
{
	const struct placement *p = d->placement;
	struct version last, now;

	return placement_last(ix, d->mailbox, p->okey, &last, err) &&
	       placement_version(ix, d->run, p, content, &now, err) &&
	       placement_put(ix, d->mailbox, p->okey, &last, &now, err) &&
	       email_row(ix, d->mailbox, p->email_id, content, err);
}

static bool
volume_row(struct index *ix, const char *name, int64_t *id, struct err *err)
{
	if (!index_volume_id(ix, name, id, err))
		return false;

	return *id != 0 || settle_missing(ix, "volume", name, err);
}

bool
index_settle(struct index *ix, const struct index_delivery *d, struct err *err)
{
	struct settled row = { 0 };
	assert(ix->open_tx);

	return volume_row(ix, d->where->volume, &row.volume, err) &&
	       settle_content(ix, d, &row.content, err) &&
	       survivor_row(ix, d, &row.survivor, err) &&
	       stored_row(ix, d, &row, err) && delivery_row(ix, d, &row, err) &&
	       settle_placement(ix, d, row.content, err);
}

/* ---- what is kept already ---- */

static bool
known_stored(struct index *ix, const struct outcome_key *key,
    struct version *now, struct err *err)
{
	struct version last;
	bool again = false;
	struct placement p = { .okey = key->okey };
	struct index_delivery d = { .run = key->run,
		.job = key->job,
		.mailbox = key->mailbox,
		.placement = &p,
		.claim = CLAIM_KNOWN };
	struct settled row = { .content = now->content };
	if (!placement_last(ix, key->mailbox, key->okey, &last, err))
		return false;
	/* The entry that it has, if it has one, is still its own. */
	if (last.content == now->content &&
	    !delivered_again(ix, key, &again, err))
		return false;

	return (again || delivery_row(ix, &d, &row, err)) &&
	       placement_put(ix, key->mailbox, key->okey, &last, now, err);
}

bool
settle_known(struct index *ix, const struct outcome_key *key, uint64_t from,
    struct version *now, bool *known, struct err *err)
{
	bool server;
	if (!landed_server(ix, key->job, &server, err))
		return false;
	*known = true;

	return server ? landed_known(ix, key, from, now, known, err)
		      : known_stored(ix, key, now, err);
}

bool
index_settle_known(struct index *ix, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *p, const uint8_t sha256[32],
    bool *known, struct err *err)
{
	struct outcome_key key = { run, job, mailbox, p->okey };
	struct version now;
	int64_t content;
	char hex[65];
	assert(ix->open_tx);
	if (!index_content_id(ix, sha256, &content, err))
		return false;
	if (content == 0)
		return settle_missing(
		    ix, "the content", digest_hex(hex, sha256, 32), err);

	return placement_version(ix, run, p, content, &now, err) &&
	       settle_known(ix, &key, 0, &now, known, err) &&
	       (!*known || email_row(ix, mailbox, p->email_id, content, err));
}

static bool
is_that_message(const struct version *last, const struct placement *p)
{
	return last->content != 0 && last->size == (int64_t)p->size &&
	       last->idate == p->idate;
}

bool
index_settle_again(struct index *ix, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *p, bool *again, struct err *err)
{
	struct outcome_key key = { run, job, mailbox, p->okey };
	struct version last, now;
	enum outcome outcome;
	bool found;
	assert(ix->open_tx);
	*again = false;
	if (!placement_last(ix, mailbox, p->okey, &last, err) ||
	    !index_outcome(ix, job, mailbox, p->okey, &outcome, &found, err))
		return false;
	if (!found || outcome != OUTCOME_DELIVERED ||
	    !is_that_message(&last, p))
		return true;

	return placement_version(ix, run, p, last.content, &now, err) &&
	       settle_known(ix, &key, 0, &now, again, err) &&
	       (!*again ||
		   email_row(ix, mailbox, p->email_id, last.content, err));
}

/* ---- what did not get there ---- */

static bool
outcome_row(struct index *ix, const struct outcome_key *key,
    enum outcome outcome, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_DELIVERY_OUTCOME, &q, err))
		return false;
	bind_key(&q, key->job, key->mailbox, key->okey);
	sql_int(&q, outcome);
	sql_int(&q, (int64_t)key->run);

	return sql_run(&q, err);
}

const char *
index_words(struct buf *out, const char *text)
{
	buf_clear(out);
	if (text != NULL)
		text_utf8(out, text, strlen(text));
	cut(out, TEXT_NOTE);

	return out->len == 0 ? "" : out->data;
}

bool
settle_note(struct index *ix, const struct outcome_key *key, const char *class,
    const char *text, struct err *err)
{
	struct sql q;
	if ((class == NULL || *class == '\0') &&
	    (text == NULL || *text == '\0'))
		return true;
	if (!sql_open(ix, SQL_NOTE_PUT, &q, err))
		return false;
	bind_key(&q, key->job, key->mailbox, key->okey);
	sql_int(&q, (int64_t)key->run);
	sql_text(&q, index_words(&ix->scratch[0], class));
	sql_text(&q, index_words(&ix->scratch[1], text));

	return sql_run(&q, err);
}

/* A message that came back, though it can't be had now: what was kept of it
 * stands again, and this run says so. */
static bool
came_back(struct index *ix, const struct outcome_key *key,
    const struct version *last, const struct version *now, struct err *err)
{
	bool again;
	if (last->content == 0 || last->to == 0 || now->content == 0)
		return true;

	return delivered_again(ix, key, &again, err);
}

bool
settle_outcome(struct index *ix, const struct outcome_key *key,
    struct version *now, enum outcome outcome, struct err *err)
{
	struct version last;

	return placement_last(ix, key->mailbox, key->okey, &last, err) &&
	       placement_put(ix, key->mailbox, key->okey, &last, now, err) &&
	       outcome_row(ix, key, outcome, err) &&
	       came_back(ix, key, &last, now, err);
}

bool
index_settle_outcome(struct index *ix, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *p, enum outcome outcome,
    const char *class, const char *text, struct err *err)
{
	struct version now;
	struct outcome_key key = { run, job, mailbox, p->okey };
	assert(ix->open_tx && outcome != OUTCOME_DELIVERED);

	return placement_version(ix, run, p, 0, &now, err) &&
	       settle_outcome(ix, &key, &now, outcome, err) &&
	       settle_note(ix, &key, class, text, err);
}

/* ---- a mailbox's sums and state ---- */

/* The order of "count_add" behind inventory and already. */
static const enum outcome counted[] = { OUTCOME_DELIVERED, OUTCOME_DUPLICATE,
	OUTCOME_EXCLUDED, OUTCOME_REPAIRED, OUTCOME_QUARANTINED,
	OUTCOME_UNREADABLE, OUTCOME_VANISHED, OUTCOME_UNKNOWN };

bool
index_count(struct index *ix, uint64_t run, uint64_t job, uint64_t mailbox,
    const struct index_counts *counts, struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_COUNT_ADD, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, counts->scanned);
	sql_int(&q, (int64_t)counts->inventory);
	sql_int(&q, (int64_t)counts->already);
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		sql_int(&q, (int64_t)counts->by[counted[i]]);

	return sql_run(&q, err);
}

bool
index_delta_put(struct index *ix, uint64_t run, uint64_t job, uint64_t mailbox,
    const struct source_state *state, const uint8_t filter_sha256[32],
    struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_DELTA_PUT, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)state->uidnext);
	sql_int(&q, (int64_t)state->modseq);
	sql_int(&q, (int64_t)state->messages);
	sql_blob(&q, filter_sha256, 32);
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}
