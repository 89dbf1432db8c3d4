/* What is gone: messages, mailboxes, and mailboxes that have another name. */
#include <assert.h>

#include "mail/datetime.h"
#include "settle.h"

enum { RENAME_PART = 256 }; /* placements in hand at a time */

bool
index_end(struct index *ix, uint64_t run, uint64_t mailbox, uint64_t lo,
    uint64_t hi, uint64_t *n, struct err *err)
{
	assert(ix->open_tx);

	return placement_end(ix, run, mailbox, lo, hi, n, err);
}

static bool
end_box(struct index *ix, uint64_t run, uint64_t mailbox, uint64_t replaced_by,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_MAILBOX_END, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)run);
	if (replaced_by == 0)
		sql_null(&q);
	else
		sql_int(&q, (int64_t)replaced_by);

	return sql_run(&q, err);
}

static bool
drop_delta(struct index *ix, uint64_t mailbox, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_DELTA_DROP, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);

	return sql_run(&q, err);
}

bool
index_end_mailbox(struct index *ix, uint64_t run, uint64_t mailbox,
    uint64_t replaced_by, uint64_t *n, struct err *err)
{
	assert(ix->open_tx);

	return placement_end(ix, run, mailbox, 0, UINT64_MAX, n, err) &&
	       drop_delta(ix, mailbox, err) &&
	       end_box(ix, run, mailbox, replaced_by, err);
}

bool
index_end_twins(struct index *ix, uint64_t run, uint64_t mailbox,
    uint64_t earlier, uint64_t *n, struct err *err)
{
	struct sql q;
	assert(ix->open_tx);
	if (!sql_open(ix, SQL_PLACEMENT_END_TWINS, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)earlier);
	if (!sql_run(&q, err))
		return false;
	*n = (uint64_t)sqlite3_changes(ix->db);

	return true;
}

/* ---- another name ---- */

struct renaming {
	struct index *ix;
	uint64_t run, job, from, to;
	struct {
		uint64_t okey;
		struct version version;
		enum outcome outcome;
	} part[RENAME_PART];
	size_t n;
};

static void
read_moved(struct renaming *r, struct sql *q)
{
	struct version *v = &r->part[r->n].version;
	*v = (struct version){ .from = (int64_t)r->run };
	r->part[r->n].okey = (uint64_t)sql_get_int(q);
	v->content = sql_get_int(q);
	v->flags = (uint8_t)sql_get_int(q);
	v->keywords = sql_get_int(q);
	bool none = sql_get_null(q);
	v->idate = sql_get_int(q);
	if (none)
		v->idate = DATETIME_NONE;
	v->zone = (int16_t)sql_get_int(q);
	v->size = sql_get_int(q);
	r->part[r->n].outcome = (enum outcome)sql_get_int(q);
	r->n++;
}

static bool
read_part(struct renaming *r, uint64_t behind, struct err *err)
{
	struct sql q;
	bool ok, row;
	r->n = 0;
	if (!sql_open(r->ix, SQL_RENAME_PART, &q, err))
		return false;
	sql_int(&q, (int64_t)r->job);
	sql_int(&q, (int64_t)r->from);
	sql_int(&q, (int64_t)behind);
	sql_int(&q, RENAME_PART);
	while ((ok = sql_step(&q, &row, err)) && row)
		read_moved(r, &q);
	sql_close(&q);

	return ok;
}

static bool
move_one(struct renaming *r, size_t i, struct err *err)
{
	struct outcome_key key = { r->run, r->job, r->to, r->part[i].okey };
	struct version *v = &r->part[i].version;
	enum outcome outcome = r->part[i].outcome;
	if (outcome == OUTCOME_DELIVERED && v->content != 0) {
		bool known;
		if (!settle_known(r->ix, &key, r->from, v, &known, err))
			return false;
		if (known)
			return true;
		outcome = OUTCOME_PENDING;
	}
	v->content = 0;

	return settle_outcome(r->ix, &key, v, outcome, err);
}

static bool
move_delta(struct renaming *r, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_DELTA_MOVE, &q, err))
		return false;
	sql_int(&q, (int64_t)r->job);
	sql_int(&q, (int64_t)r->from);
	sql_int(&q, (int64_t)r->to);
	sql_int(&q, (int64_t)r->run);

	return sql_run(&q, err);
}

bool
index_rename(struct index *ix, uint64_t run, uint64_t job, uint64_t from,
    uint64_t to, uint64_t *n, struct err *err)
{
	struct renaming r = {
		.ix = ix, .run = run, .job = job, .from = from, .to = to
	};
	uint64_t behind = 0, ended;
	assert(ix->open_tx && from != to);
	*n = 0;
	do {
		if (!read_part(&r, behind, err))
			return false;
		for (size_t i = 0; i < r.n; i++)
			if (!move_one(&r, i, err))
				return false;
		if (r.n > 0)
			behind = r.part[r.n - 1].okey;
		*n += r.n;
	} while (r.n == RENAME_PART);

	return move_delta(&r, err) &&
	       index_end_mailbox(ix, run, from, to, &ended, err);
}
