/* The live placements of a mailbox, one after another. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "index/private.h"
#include "mail/datetime.h"

struct index_walk {
	struct sql q;
	struct buf keywords; /* of the last one told */
};

bool
index_walk_open(struct index *ix, struct index_walk **out, uint64_t job,
    uint64_t mailbox, uint64_t okey, struct err *err)
{
	struct index_walk *walk = mem_new(sizeof(*walk));
	*out = walk;
	if (!sql_open_own(ix, SQL_WALK, &walk->q, err)) {
		index_walk_close(out);
		return false;
	}
	sql_int(&walk->q, (int64_t)job);
	sql_int(&walk->q, (int64_t)mailbox);
	sql_int(&walk->q, okey > INT64_MAX ? INT64_MAX : (int64_t)okey);

	return true;
}

bool
index_walk_next(struct index_walk *walk, struct index_known *known, bool *end,
    struct err *err)
{
	struct sql *q = &walk->q;
	bool row;
	*end = false;
	if (!sql_step(q, &row, err))
		return false;
	*end = !row;
	if (!row)
		return false;
	known->okey = (uint64_t)sql_get_int(q);
	known->outcome = (enum outcome)sql_get_int(q);
	known->flags = (uint8_t)sql_get_int(q);
	bool none = sql_get_null(q);
	known->idate = sql_get_int(q);
	if (none)
		known->idate = DATETIME_NONE;
	known->size = (uint64_t)sql_get_int(q);
	known->octets = (uint64_t)sql_get_int(q);
	const char *keywords = NULL;
	size_t len = 0;
	if (!sql_get_null(q))
		keywords = sql_get_blob(q, &len);
	buf_clear(&walk->keywords);
	buf_add(&walk->keywords, len == 0 ? "" : keywords, len);
	known->keywords = len == 0 ? "" : walk->keywords.data;

	return true;
}

void
index_walk_close(struct index_walk **p)
{
	struct index_walk *walk = *p;
	if (walk == NULL)
		return;
	sql_close(&walk->q);
	buf_free(&walk->keywords);
	free(walk);
	*p = NULL;
}

/* ---- counting ---- */

bool
index_top_okey(
    struct index *ix, uint64_t mailbox, uint64_t *okey, struct err *err)
{
	struct sql q;
	bool row;
	*okey = 0;
	if (!sql_open(ix, SQL_TOP_OKEY, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		*okey = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}

static int64_t
bounded(uint64_t okey)
{
	return okey > INT64_MAX ? INT64_MAX : (int64_t)okey;
}

/* The outcome of a placement: both are read in ascending order. */
static bool
outcome_at(struct sql *deliveries, int64_t okey, int64_t *next,
    enum outcome *last, enum outcome *outcome, struct err *err)
{
	bool row = true;
	while (*next < okey) {
		if (!sql_step(deliveries, &row, err))
			return false;
		*next = row ? sql_get_int(deliveries) : INT64_MAX;
		*last = row ? (enum outcome)sql_get_int(deliveries)
			    : OUTCOME_PENDING;
	}
	*outcome = *next == okey ? *last : OUTCOME_PENDING;

	return true;
}

/* While the first one is open, both read the same moment. */
static bool
count_side_by_side(struct sql *placements, struct sql *deliveries,
    uint64_t by[OUTCOME_COUNT], struct err *err)
{
	int64_t next = -1;
	enum outcome last = OUTCOME_PENDING, outcome;
	bool ok, row;
	while ((ok = sql_step(placements, &row, err)) && row) {
		if (!outcome_at(deliveries, sql_get_int(placements), &next,
			&last, &outcome, err))
			return false;
		if ((unsigned)outcome < OUTCOME_COUNT)
			by[outcome]++;
	}

	return ok;
}

bool
index_live_count(struct index *ix, uint64_t job, uint64_t mailbox, uint64_t lo,
    uint64_t hi, uint64_t by[OUTCOME_COUNT], struct err *err)
{
	struct sql placements, deliveries;
	memset(by, 0, OUTCOME_COUNT * sizeof(*by));
	if (!sql_open(ix, SQL_COUNT_PLACEMENTS, &placements, err) ||
	    !sql_open(ix, SQL_COUNT_DELIVERIES, &deliveries, err))
		return false;
	sql_int(&placements, (int64_t)mailbox);
	sql_int(&placements, bounded(lo));
	sql_int(&placements, bounded(hi));
	sql_int(&deliveries, (int64_t)job);
	sql_int(&deliveries, (int64_t)mailbox);
	sql_int(&deliveries, bounded(lo));
	sql_int(&deliveries, bounded(hi));
	bool ok = count_side_by_side(&placements, &deliveries, by, err);
	sql_close(&placements);
	sql_close(&deliveries);

	return ok;
}
