/* The live placements of a mailbox, one after another. */
#include <stdlib.h>

#include "base/mem.h"
#include "index/private.h"

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

bool
index_live_count(struct index *ix, uint64_t job, uint64_t mailbox, uint64_t lo,
    uint64_t hi, uint64_t by[OUTCOME_COUNT], struct err *err)
{
	struct sql q;
	bool row;
	if (!sql_open(ix, SQL_LIVE_COUNT, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, lo > INT64_MAX ? INT64_MAX : (int64_t)lo);
	sql_int(&q, hi > INT64_MAX ? INT64_MAX : (int64_t)hi);
	if (!sql_step(&q, &row, err))
		return false;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		by[i] = row ? (uint64_t)sql_get_int(&q) : 0;
	sql_close(&q);

	return true;
}
