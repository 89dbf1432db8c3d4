#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/edges.h"

/*
 * "FETCH 1000,2000,3000 (UID)" tells where ranges of a thousand messages end,
 * whatever the gaps between UIDs.  Message numbers may shift at any time; an
 * edge is a hint only, as the ranges between edges leave nothing out.
 */
struct probe {
	const uint64_t *numbers;
	uint32_t *uids; /* 0: not answered */
	size_t count;
	struct imap_fetch fetch;
};

static bool
take_edge(void *arg, const struct imap_reply *r, struct err *err)
{
	struct probe *p = arg;
	const char *why;
	(void)err;
	if (r->kind != IMAP_NUMBERED || !imap_text_is(&r->name, "FETCH") ||
	    !imap_fetch_parse(&p->fetch, r->rest, &why) || p->fetch.uid == 0)
		return true;
	for (size_t i = 0; i < p->count; i++)
		if (p->numbers[i] == r->number)
			p->uids[i] = (uint32_t)p->fetch.uid;

	return true;
}

/* True in *good if every number was answered. */
static bool
probe_numbers(struct imap_session *s, const uint64_t *numbers, size_t n,
    uint32_t *uids, bool *good, struct err *err)
{
	struct probe p = { .numbers = numbers, .uids = uids, .count = n };
	struct imap_reply done;
	struct buf line = { 0 };
	buf_str(&line, "FETCH ");
	for (size_t i = n; i > 0; i--)
		buf_fmt(&line, "%s%llu", i == n ? "" : ",",
		    (unsigned long long)numbers[i - 1]);
	buf_str(&line, " (UID)");
	bool alive = imap_session_command(s, &line, take_edge, &p, &done, err);
	*good = alive && done.status == IMAP_OK;
	for (size_t i = 0; i < n; i++)
		*good = *good && uids[i] != 0;
	buf_free(&line);
	imap_fetch_free(&p.fetch);

	return alive;
}

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
add_edges(struct imap_edges *e, const uint32_t *uids, size_t n)
{
	e->uids = mem_grow(e->uids, e->count + n, sizeof(*e->uids));
	for (size_t i = 0; i < n; i++)
		if (uids[i] != 0)
			e->uids[e->count++] = uids[i];
}

bool
imap_edges_find(struct imap_edges *e, struct imap_session *s, uint64_t lo,
    uint64_t step, struct err *err)
{
	/* 80 numbers of 10 digits and a comma are below IMAP_PASS_SET_MAX. */
	enum { CHUNK = 80, FIRST = 8 };
	uint64_t number = s->selected.exists;
	uint32_t limit = imap_session_message_limit(s);
	bool good = true, below = false;
	for (size_t most = lo > 1 ? FIRST : CHUNK; good && !below && number > 0;
	     most = CHUNK) {
		uint64_t numbers[CHUNK];
		uint32_t uids[CHUNK] = { 0 };
		size_t n = 0;
		if (most > limit)
			most = limit;
		for (; n < most && number > 0;
		     number = number > step ? number - step : 0)
			numbers[n++] = number;
		if (!probe_numbers(s, numbers, n, uids, &good, err))
			return false;
		add_edges(e, uids, n);
		below = uids[n - 1] != 0 && uids[n - 1] < lo;
	}
	e->complete = good;
	if (!good)
		log_add(LOG_DEBUG, "the server would not tell UIDs by number");
	if (e->count > 1)
		qsort(e->uids, e->count, sizeof(*e->uids), by_number);

	return true;
}

static bool
take_last(void *arg, const struct imap_reply *r, struct err *err)
{
	struct probe *p = arg;
	const char *why;
	(void)err;
	if (r->kind == IMAP_NUMBERED && imap_text_is(&r->name, "FETCH") &&
	    imap_fetch_parse(&p->fetch, r->rest, &why) &&
	    p->fetch.uid > p->uids[0])
		p->uids[0] = (uint32_t)p->fetch.uid;

	return true;
}

bool
imap_edges_last(struct imap_session *s, uint32_t *uid, struct err *err)
{
	struct probe p = { .uids = uid, .count = 1 };
	struct imap_reply done;
	*uid = 0;
	bool alive =
	    imap_session_ask(s, "UID FETCH * (UID)", take_last, &p, &done, err);
	imap_fetch_free(&p.fetch);

	return alive;
}
