#include "ahead.h"

enum { FIRST_PORTION = 8 };

void
ahead_start(
    struct ahead *a, struct index *index, uint64_t job, uint64_t mailbox)
{
	buf_free(&a->text);
	a->index = index;
	a->job = job;
	a->mailbox = mailbox;
	a->at = a->n = 0;
	a->portion = FIRST_PORTION;
	a->next = 0;
	a->end = index == NULL;
}

void
ahead_free(struct ahead *a)
{
	buf_free(&a->text);
}

static void
add_row(struct ahead *a, const struct index_known *k)
{
	a->rows[a->n].okey = k->okey;
	a->rows[a->n].size = k->size;
	a->rows[a->n].octets = k->octets;
	a->rows[a->n].idate = k->idate;
	a->rows[a->n].words = a->text.len;
	a->rows[a->n].outcome = (uint8_t)k->outcome;
	a->rows[a->n++].flags = k->flags;
	buf_str(&a->text, k->keywords);
	buf_char(&a->text, '\0');
	a->next = k->okey + 1;
}

static bool
read_rows(struct ahead *a, struct index_walk *walk, struct err *err)
{
	struct index_known k;
	bool end = false;
	while (a->n < a->portion) {
		if (!index_walk_next(walk, &k, &end, err) && !end)
			return false;
		if (end)
			break;
		add_row(a, &k);
	}
	a->end = end;

	return true;
}

/* Portions grow while they are used up: a lone look-up stays cheap. */
static bool
read_more(struct ahead *a, struct err *err)
{
	struct index_walk *walk;
	a->at = a->n = 0;
	buf_clear(&a->text);
	if (!index_walk_open(a->index, &walk, a->job, a->mailbox, a->next, err))
		return false;
	bool ok = read_rows(a, walk, err);
	index_walk_close(&walk);
	if (a->portion < AHEAD_ROWS)
		a->portion *= 2;

	return ok;
}

void
ahead_seek(struct ahead *a, uint64_t okey)
{
	if (a->index == NULL)
		return;
	bool behind = a->n == 0 || okey < a->rows[0].okey;
	if (behind || okey > a->next) {
		/* Behind the rows in hand nothing is known to be missing. */
		a->at = a->n = 0;
		a->portion = FIRST_PORTION;
		a->next = okey;
		a->end = false;
		return;
	}
	if (a->at > 0 && okey <= a->rows[a->at - 1].okey)
		a->at = 0;
	while (a->at < a->n && a->rows[a->at].okey < okey)
		a->at++;
}

bool
ahead_peek(struct ahead *a, const struct known **row, struct err *err)
{
	*row = NULL;
	if (a->at == a->n && !a->end && !read_more(a, err))
		return false;
	if (a->at == a->n)
		return true;
	a->row = (struct known){
		.okey = a->rows[a->at].okey,
		.outcome = (enum outcome)a->rows[a->at].outcome,
		.flags = a->rows[a->at].flags,
		.idate = a->rows[a->at].idate,
		.size = a->rows[a->at].size,
		.octets = a->rows[a->at].octets,
		.keywords = a->text.data + a->rows[a->at].words,
	};
	*row = &a->row;

	return true;
}

void
ahead_pop(struct ahead *a)
{
	if (a->at < a->n)
		a->at++;
}

bool
ahead_find(
    struct ahead *a, uint64_t okey, const struct known **row, struct err *err)
{
	ahead_seek(a, okey);
	if (!ahead_peek(a, row, err))
		return false;
	if (*row != NULL && (*row)->okey != okey)
		*row = NULL;

	return true;
}
