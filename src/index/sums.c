#include "index/private.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mail/datetime.h"

/* ---- mailboxes ---- */

struct sums {
	struct index *ix;
	const struct index_query *query;
	struct index_filter filter;
	struct sql boxes, box, sum;
	bool (*each)(void *, const struct index_mailbox_sum *);
	void *arg;
	bool stopped; /* each said so */
};

static bool
read_sum(struct sums *s, struct index_mailbox_sum *sum, int64_t job,
    int64_t mailbox, const struct index_span *span, struct err *err)
{
	struct sql *q = &s->sum;
	bool row;
	sql_again(q);
	sql_int(q, job);
	sql_int(q, mailbox);
	rows_filter_bind(q, &s->filter);
	sql_int(q, span->by);
	sql_int(q, span->beyond);
	if (!sql_step(q, &row, err))
		return false;
	sum->messages = (uint64_t)sql_get_int(q);
	sum->octets = (uint64_t)sql_get_int(q);
	bool dated = !sql_get_null(q);
	sum->first = dated ? sql_get_int(q) : DATETIME_NONE;
	sum->last = dated ? sql_get_int(q) : DATETIME_NONE;

	return true;
}

struct lifetime { /* runs; 0: not yet */
	int64_t first, last, ended;
};

/* An empty mailbox is shown while it is there, one that has gone while
 * something of it is. */
static bool
is_there(const struct lifetime *life, const struct index_span *span)
{
	return life->first <= span->by &&
	       (life->last == 0 || life->last > span->beyond);
}

static bool
may_hold(const struct lifetime *life, const struct index_span *span)
{
	return life->first <= span->by &&
	       (life->ended == 0 || life->ended > span->beyond);
}

static bool
sum_mailbox(struct sums *s, int64_t job, int64_t mailbox, struct err *err)
{
	struct index_mailbox_sum sum = { 0 };
	struct index_span span;
	struct lifetime life;
	size_t wire_len;
	bool row;
	struct sql *q = &s->box;
	sql_again(q);
	sql_int(q, mailbox);
	if (!sql_step(q, &row, err))
		return false;
	if (!row)
		return true;
	sum.account = sql_get_text(q);
	sum.mailbox = sql_get_text(q);
	sql_get_blob(q, &wire_len);
	sum.special_use = sql_get_text(q);
	sum.uidvalidity = (uint64_t)sql_get_int(q);
	sql_get_int(q); /* restart */
	sql_get_int(q); /* its account */
	life.first = sql_get_int(q);
	life.last = sql_get_int(q);
	life.ended = sql_get_int(q);
	if (!rows_want_mailbox(s->query, sum.mailbox, sum.special_use))
		return true;
	if (!rows_span(s->ix, s->query, mailbox, &span, err))
		return false;
	if (!may_hold(&life, &span))
		return true;
	if (!read_sum(s, &sum, job, mailbox, &span, err))
		return false;
	if (sum.messages > 0 || is_there(&life, &span))
		s->stopped = !s->each(s->arg, &sum);

	return true;
}

static bool
sum_all(struct sums *s, struct err *err)
{
	bool ok, row;
	sql_text(&s->boxes, s->query->account);
	while ((ok = sql_step(&s->boxes, &row, err)) && row && !s->stopped) {
		int64_t job = sql_get_int(&s->boxes);
		int64_t mailbox = sql_get_int(&s->boxes);
		if (!sum_mailbox(s, job, mailbox, err))
			return false;
	}

	return ok;
}

bool
index_mailbox_sums(struct index *ix, const struct index_query *query,
    bool (*each)(void *arg, const struct index_mailbox_sum *), void *arg,
    struct err *err)
{
	struct sums s = { .ix = ix, .query = query, .each = each, .arg = arg };
	rows_filter_open(&s.filter, query);
	bool ok = sql_open_own(ix, SQL_ROWS_BOXES, &s.boxes, err) &&
		  sql_open_own(ix, SQL_ROW_MAILBOX, &s.box, err) &&
		  sql_open_own(ix, SQL_MAILBOX_SUM, &s.sum, err) &&
		  sum_all(&s, err);
	sql_close(&s.boxes);
	sql_close(&s.box);
	sql_close(&s.sum);
	rows_filter_close(&s.filter);

	return ok;
}

/* ---- runs ---- */

static const enum outcome columns[] = { OUTCOME_DELIVERED, OUTCOME_DUPLICATE,
	OUTCOME_EXCLUDED, OUTCOME_REPAIRED, OUTCOME_QUARANTINED,
	OUTCOME_UNREADABLE, OUTCOME_VANISHED, OUTCOME_UNKNOWN };

static void
read_run_row(struct sql *q, struct index_run_row *row)
{
	*row = (struct index_run_row){ .id = (uint64_t)sql_get_int(q) };
	row->source = sql_get_text(q);
	row->target = sql_get_text(q);
	row->mailbox = sql_get_text(q);
	row->uidvalidity = (uint64_t)sql_get_int(q);
	row->counts.scanned = (int)sql_get_int(q);
	row->counts.inventory = (uint64_t)sql_get_int(q);
	row->counts.already = (uint64_t)sql_get_int(q);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		row->counts.by[columns[i]] = (uint64_t)sql_get_int(q);
}

bool
index_run_rows(struct index *ix, uint64_t run,
    bool (*each)(void *arg, const struct index_run_row *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_RUN_ROWS, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_run_row out;
		read_run_row(&q, &out);
		if (!each(arg, &out))
			break;
	}
	sql_close(&q);

	return ok;
}

/* ---- everything ---- */

static bool
total(struct index *ix, enum sql_name name, uint64_t *const out[], size_t n,
    struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(ix, name, &q, err) || !sql_step(&q, &row, err))
		return false;
	for (size_t i = 0; row && i < n; i++)
		*out[i] = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}

bool
index_run_total(struct index *ix, uint64_t run, const char *source,
    struct index_run_total *t, struct err *err)
{
	struct sql q;
	bool row;
	*t = (struct index_run_total){ 0 };
	if (!sql_open(ix, SQL_RUN_TOTAL, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_text(&q, source);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		t->complete = (uint64_t)sql_get_int(&q);
		t->failed = (uint64_t)sql_get_int(&q);
		t->delivered = (uint64_t)sql_get_int(&q);
		t->ended = (uint64_t)sql_get_int(&q);
		t->octets = (uint64_t)sql_get_int(&q);
	}
	sql_close(&q);

	return true;
}

bool
index_totals(struct index *ix, struct index_totals *t, struct err *err)
{
	*t = (struct index_totals){ 0 };
	uint64_t *const contents[] = { &t->contents, &t->octets_unique };
	uint64_t *const placements[] = { &t->placements, &t->octets_placed };
	uint64_t *const volumes[] = { &t->volumes_sealed, &t->volumes_open,
		&t->octets_volumes };

	return total(ix, SQL_TOTAL_CONTENTS, contents, 2, err) &&
	       total(ix, SQL_TOTAL_PLACEMENTS, placements, 2, err) &&
	       total(ix, SQL_TOTAL_VOLUMES, volumes, 3, err);
}

/* ---- is it sound ---- */

enum { CHECK_TEXT = 200 };

/* A damaged file may show as a line of the check or as its failure: both are
 * an answer, not an error of asking. */
static bool
answer(bool stepped, struct err *err, bool *ok, char text[CHECK_TEXT])
{
	if (stepped)
		return true;
	if (err->code != ERR_DAMAGED)
		return false;
	*ok = false;
	text_escape_to(text, CHECK_TEXT, err->text, strlen(err->text));

	return true;
}

static bool
check_pages(struct index *ix, bool full, bool *ok, char text[CHECK_TEXT],
    struct err *err)
{
	struct sql q;
	bool row = false;
	bool stepped =
	    sql_open(
		ix, full ? SQL_INTEGRITY_CHECK : SQL_QUICK_CHECK, &q, err) &&
	    sql_step(&q, &row, err);
	if (row) {
		const char *line = sql_get_text(&q);
		*ok = line != NULL && strcmp(line, "ok") == 0;
		if (!*ok && line != NULL)
			text_escape_to(text, CHECK_TEXT, line, strlen(line));
		sql_close(&q);
	}

	return answer(stepped, err, ok, text);
}

static bool
check_keys(struct index *ix, bool *ok, char text[CHECK_TEXT], struct err *err)
{
	struct sql q;
	bool row = false;
	bool stepped = sql_open(ix, SQL_FOREIGN_KEY_CHECK, &q, err) &&
		       sql_step(&q, &row, err);
	if (row) {
		*ok = false;
		const char *table = sql_get_text(&q);
		snprintf(text, CHECK_TEXT,
		    "a row of table %s names a row that is not there",
		    table == NULL ? "?" : table);
		sql_close(&q);
	}

	return answer(stepped, err, ok, text);
}

/* A constraint that went would be missed by nobody until it is needed. */
static bool
check_schema(struct index *ix, bool *ok, char text[CHECK_TEXT], struct err *err)
{
	bool same = true;
	bool read = index_schema_check(ix, &same, err);
	if (read && !same) {
		*ok = false;
		snprintf(text, CHECK_TEXT, "its schema isn't the one expected");
	}

	return answer(read, err, ok, text);
}

bool
index_check(struct index *ix, bool full, bool *ok, char text[CHECK_TEXT],
    struct err *err)
{
	*ok = true;
	text[0] = '\0';
	if (!check_pages(ix, full, ok, text, err))
		return false;

	return (!*ok || check_keys(ix, ok, text, err)) &&
	       (!*ok || check_schema(ix, ok, text, err));
}
