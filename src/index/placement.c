/*
 * Placements over time.  A message in a mailbox is a row of versions: one ends
 * in the run that saw it otherwise, and the next begins there, so that what
 * stood after any run can be told.  A version that nobody kept a content of
 * has no history and is changed in place.
 */
#include "placement.h"

#include <assert.h>
#include <string.h>

#include "mail/datetime.h"
#include "mail/flags.h"

static void
int_or_null(struct sql *q, int64_t value)
{
	if (value == 0)
		sql_null(q);
	else
		sql_int(q, value);
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

static bool
keywords_id(
    struct index *ix, const struct buf *list, int64_t *id, struct err *err)
{
	*id = 0;
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

static bool
keywords_of(
    struct index *ix, const struct placement *p, int64_t *id, struct err *err)
{
	struct buf *list = &ix->scratch[0];
	buf_clear(list);
	flags_keywords(list, p->keywords, p->keyword_count);

	return keywords_id(ix, list, id, err);
}

/* ---- versions ---- */

static bool
is_live(const struct version *v)
{
	return v->from != 0 && v->to == 0;
}

bool
placement_last(struct index *ix, uint64_t mailbox, uint64_t okey,
    struct version *v, struct err *err)
{
	struct sql q;
	bool row;
	*v = (struct version){ 0 };
	if (!sql_open(ix, SQL_PLACEMENT_LAST, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)okey);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		v->from = sql_get_int(&q);
		v->to = sql_get_int(&q);
		v->content = sql_get_int(&q);
		v->flags = (uint8_t)sql_get_int(&q);
		v->keywords = sql_get_int(&q);
		bool none = sql_get_null(&q);
		v->idate = sql_get_int(&q);
		if (none)
			v->idate = DATETIME_NONE;
		v->zone = (int16_t)sql_get_int(&q);
		v->size = sql_get_int(&q);
	}
	sql_close(&q);

	return true;
}

static bool
write_version(struct index *ix, enum sql_name name, uint64_t mailbox,
    uint64_t okey, const struct version *v, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)okey);
	int_or_null(&q, v->content);
	sql_int(&q, v->flags);
	int_or_null(&q, v->keywords);
	if (v->idate == DATETIME_NONE) {
		sql_null(&q);
		sql_null(&q);
	} else {
		sql_int(&q, v->idate);
		sql_int(&q, v->zone);
	}
	sql_int(&q, v->size);
	sql_int(&q, v->from);

	return sql_run(&q, err);
}

bool
placement_end(struct index *ix, uint64_t run, uint64_t mailbox, uint64_t lo,
    uint64_t hi, uint64_t *n, struct err *err)
{
	struct sql q;
	*n = 0;
	if (lo > INT64_MAX)
		return true;
	if (!sql_open(ix, SQL_PLACEMENT_END, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)lo);
	sql_int(&q, hi > INT64_MAX ? INT64_MAX : (int64_t)hi);
	sql_int(&q, (int64_t)run);
	if (!sql_run(&q, err))
		return false;
	*n = (uint64_t)sqlite3_changes(ix->db);

	return true;
}

static bool
same_version(const struct version *a, const struct version *b)
{
	return a->content == b->content && a->flags == b->flags &&
	       a->keywords == b->keywords && a->idate == b->idate &&
	       (a->idate == DATETIME_NONE || a->zone == b->zone);
}

bool
placement_put(struct index *ix, uint64_t mailbox, uint64_t okey,
    const struct version *last, struct version *now, struct err *err)
{
	uint64_t n;
	bool kept = last->content != 0;
	/* A later failure knows less than what is kept. */
	if (is_live(last) && kept && now->content == 0) {
		*now = *last;
		return true;
	}
	if (now->content == 0)
		now->content = last->content;
	/* Rows of the same run, and those without history, are written over. */
	bool over = last->from == now->from ||
		    (is_live(last) && !kept && now->content == 0);
	if (over) {
		now->from = last->from;
		return write_version(
		    ix, SQL_PLACEMENT_UPDATE, mailbox, okey, now, err);
	}
	if (is_live(last)) {
		if (same_version(last, now))
			return true;
		if (!placement_end(
			ix, (uint64_t)now->from, mailbox, okey, okey, &n, err))
			return false;
	}

	return write_version(ix, SQL_PLACEMENT_INSERT, mailbox, okey, now, err);
}

bool
placement_version(struct index *ix, uint64_t run, const struct placement *p,
    int64_t content, struct version *v, struct err *err)
{
	*v = (struct version){ .from = (int64_t)run,
		.content = content,
		.flags = p->flags,
		.idate = p->idate,
		.zone = p->zone,
		.size = (int64_t)p->size };

	return keywords_of(ix, p, &v->keywords, err);
}

bool
index_change(struct index *ix, uint64_t run, uint64_t mailbox, uint64_t okey,
    uint8_t flags, const char *keywords, bool *changed, struct err *err)
{
	struct version last, now;
	struct buf *list = &ix->scratch[0];
	assert(ix->open_tx);
	*changed = false;
	if (!placement_last(ix, mailbox, okey, &last, err))
		return false;
	if (!is_live(&last))
		return true;
	now = last;
	now.from = (int64_t)run;
	now.flags = flags;
	buf_clear(list);
	buf_str(list, keywords == NULL ? "" : keywords);
	if (!keywords_id(ix, list, &now.keywords, err))
		return false;
	*changed = !same_version(&last, &now);

	return !*changed || placement_put(ix, mailbox, okey, &last, &now, err);
}
