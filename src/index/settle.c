#include "index/private.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/msgid.h"

enum {
	BODY_HASH_MIN = 4096,  /* smaller bodies are never referred to */
	TEXT_MESSAGE_ID = 998, /* octets kept of each header text */
	TEXT_ADDRESSES = 2000,
	TEXT_SUBJECT = 998,
	TEXT_DATE = 100,
	TEXT_NOTE = 2000
};

void
settle_forget(struct index *ix)
{
	ix->volume.id = 0;
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

static void
bind_message_id(
    struct sql *q, struct buf *raw, struct buf *out, struct header_slice field)
{
	buf_clear(raw);
	buf_clear(out);
	msgid_canonical(raw, field);
	text_utf8(out, raw->data, raw->len);
	cut(out, TEXT_MESSAGE_ID);
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
	bind_header(&q, &text[1], header->from, TEXT_ADDRESSES);
	bind_header(&q, &text[2], header->to, TEXT_ADDRESSES);
	bind_header(&q, &text[3], header->cc, TEXT_ADDRESSES);
	bind_header(&q, &text[4], header->subject, TEXT_SUBJECT);
	/* The raw Message-ID is no longer needed. */
	bind_header(&q, &text[5], header->date, TEXT_DATE);

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

static bool
content_row(struct index *ix, const struct index_delivery *d, int64_t *id,
    struct err *err)
{
	if (!index_content_id(ix, content_sha256(d->content), id, err))
		return false;

	return *id != 0 || insert_content(ix, d, id, err);
}

/* ---- where it is kept ---- */

struct settled { /* ids of one delivery's rows */
	int64_t content, volume, survivor, keywords;
};

static bool
missing(struct index *ix, const char *what, const char *name, struct err *err)
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

	return *id != 0 || missing(ix, "the survivor",
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

/* ---- keywords ---- */

static bool
keywords_make(
    struct index *ix, const struct buf *list, int64_t *id, struct err *err)
{
	struct sql find, insert;
	bool row;
	if (!sql_open(ix, SQL_KEYWORDS_FIND, &find, err) ||
	    !sql_open(ix, SQL_KEYWORDS_INSERT, &insert, err))
		return false;
	sql_blob(&find, list->data, list->len);
	if (!sql_step(&find, &row, err))
		return false;
	if (row)
		*id = sql_get_int(&find);
	sql_close(&find);
	if (row)
		return true;
	sql_blob(&insert, list->data, list->len);
	if (!sql_run(&insert, err))
		return false;
	*id = sqlite3_last_insert_rowid(ix->db);

	return true;
}

static void
keywords_remember(struct index *ix, const struct buf *list, int64_t id)
{
	unsigned slot = ix->keywords_next++ % KEYWORD_SETS;
	buf_clear(&ix->keywords[slot].list);
	buf_add(&ix->keywords[slot].list, list->data, list->len);
	ix->keywords[slot].id = id;
}

/* *id 0: no keywords. */
static bool
keywords_row(
    struct index *ix, const struct placement *p, int64_t *id, struct err *err)
{
	struct buf *list = &ix->scratch[0];
	*id = 0;
	buf_clear(list);
	flags_keywords(list, p->keywords, p->keyword_count);
	if (list->len == 0)
		return true;
	for (size_t i = 0; i < KEYWORD_SETS; i++) {
		const struct buf *seen = &ix->keywords[i].list;
		if (ix->keywords[i].id != 0 && seen->len == list->len &&
		    memcmp(seen->data, list->data, list->len) == 0) {
			*id = ix->keywords[i].id;
			return true;
		}
	}
	if (!keywords_make(ix, list, id, err))
		return false;
	keywords_remember(ix, list, *id);

	return true;
}

/* ---- placement and delivery ---- */

static void
bind_placement(struct sql *q, uint64_t mailbox, const struct placement *p,
    const struct settled *row)
{
	sql_int(q, (int64_t)mailbox);
	sql_int(q, (int64_t)p->okey);
	int_or_null(q, row->content);
	sql_int(q, p->flags);
	int_or_null(q, row->keywords);
	if (p->idate == DATETIME_NONE) {
		sql_null(q);
		sql_null(q);
	} else {
		sql_int(q, p->idate);
		sql_int(q, p->zone);
	}
	sql_int(q, (int64_t)p->size);
}

static bool
is_placed(struct index *ix, uint64_t mailbox, uint64_t okey, bool *yes,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_PLACEMENT_FIND, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)okey);
	bool ok = sql_step(&q, yes, err);
	sql_close(&q);

	return ok;
}

static bool
placement_row(struct index *ix, uint64_t run, uint64_t mailbox,
    const struct placement *p, struct settled *row, struct err *err)
{
	struct sql q;
	bool again;
	if (!keywords_row(ix, p, &row->keywords, err) ||
	    !is_placed(ix, mailbox, p->okey, &again, err) ||
	    !sql_open(ix, again ? SQL_PLACEMENT_UPDATE : SQL_PLACEMENT_INSERT,
		&q, err))
		return false;
	bind_placement(&q, mailbox, p, row);
	if (!again)
		sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

static bool
put_delivery(struct index *ix, enum sql_name name,
    const struct index_delivery *d, const struct settled *row, struct err *err)
{
	struct sql q;
	/* Where the octets are: a link has none of its own. */
	const struct kept *data =
	    d->claim == CLAIM_LINK ? d->survivor : d->where;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, (int64_t)d->job);
	sql_int(&q, (int64_t)d->mailbox);
	sql_int(&q, (int64_t)d->placement->okey);
	sql_int(&q, (int64_t)d->run);
	sql_int(&q, row->volume);
	sql_text(&q, d->where->entry);
	sql_int(&q, d->claim);
	sql_int(&q, data->frame);
	sql_int(&q, (int64_t)data->offset);
	int_or_null(&q, row->survivor);

	return sql_run(&q, err);
}

static bool
delivery_row(struct index *ix, const struct index_delivery *d,
    const struct settled *row, struct err *err)
{
	if (!put_delivery(ix, SQL_DELIVERY_INSERT, d, row, err))
		return false;

	return sqlite3_changes(ix->db) > 0 ||
	       put_delivery(ix, SQL_DELIVERY_UPDATE, d, row, err);
}

static bool
volume_row(struct index *ix, const char *name, int64_t *id, struct err *err)
{
	if (!index_volume_id(ix, name, id, err))
		return false;

	return *id != 0 || missing(ix, "volume", name, err);
}

bool
index_settle(struct index *ix, const struct index_delivery *d, struct err *err)
{
	struct settled row = { 0 };
	assert(ix->open_tx);

	return volume_row(ix, d->where->volume, &row.volume, err) &&
	       content_row(ix, d, &row.content, err) &&
	       survivor_row(ix, d, &row.survivor, err) &&
	       stored_row(ix, d, &row, err) &&
	       placement_row(ix, d->run, d->mailbox, d->placement, &row, err) &&
	       delivery_row(ix, d, &row, err);
}

/* ---- what did not get there ---- */

struct outcome_key {
	uint64_t run, job, mailbox, okey;
};

static bool
outcome_row(struct index *ix, const struct outcome_key *key,
    enum outcome outcome, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_DELIVERY_OUTCOME, &q, err))
		return false;
	sql_int(&q, (int64_t)key->job);
	sql_int(&q, (int64_t)key->mailbox);
	sql_int(&q, (int64_t)key->okey);
	sql_int(&q, outcome);
	sql_int(&q, (int64_t)key->run);

	return sql_run(&q, err);
}

static void
bind_words(struct sql *q, struct buf *out, const char *text)
{
	buf_clear(out);
	if (text != NULL)
		text_utf8(out, text, strlen(text));
	cut(out, TEXT_NOTE);
	sql_text(q, out->len == 0 ? "" : out->data);
}

static bool
note_row(struct index *ix, const struct outcome_key *key, const char *class,
    const char *text, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_NOTE_PUT, &q, err))
		return false;
	sql_int(&q, (int64_t)key->job);
	sql_int(&q, (int64_t)key->mailbox);
	sql_int(&q, (int64_t)key->okey);
	sql_int(&q, (int64_t)key->run);
	bind_words(&q, &ix->scratch[0], class);
	bind_words(&q, &ix->scratch[1], text);

	return sql_run(&q, err);
}

bool
index_settle_outcome(struct index *ix, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *p, enum outcome outcome,
    const char *class, const char *text, struct err *err)
{
	struct settled row = { 0 };
	struct outcome_key key = { run, job, mailbox, p->okey };
	bool silent = (class == NULL || *class == '\0') &&
		      (text == NULL || *text == '\0');
	assert(ix->open_tx && outcome != OUTCOME_DELIVERED);

	return placement_row(ix, run, mailbox, p, &row, err) &&
	       outcome_row(ix, &key, outcome, err) &&
	       (silent || note_row(ix, &key, class, text, err));
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
