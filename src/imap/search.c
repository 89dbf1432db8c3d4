#include "imap/search.h"

#include <stdio.h>
#include <string.h>

void
imap_search_reset(struct imap_search *q)
{
	imap_ranges_free(&q->found);
	*q = (struct imap_search){ 0 };
}

void
imap_search_start(struct imap_search *q, struct imap_session *s, uint32_t last,
    uint64_t messages)
{
	imap_search_reset(q);
	q->s = s;
	q->wanted = last > 0;
	q->next = 1;
	q->last = last;
	/* An answer names each message in 11 octets at most, so with few
	 * messages one command does, however far apart their UIDs are. */
	q->width = messages > IMAP_SEARCH_UIDS ? IMAP_SEARCH_UIDS : UINT32_MAX;
}

bool
imap_search_ask(struct imap_search *q, struct err *err)
{
	char line[96];
	if (!q->wanted || q->tag != 0 || q->ready)
		return true;
	uint64_t hi =
	    q->last - q->next < q->width ? q->last : q->next + q->width - 1;
	q->asked = (struct imap_range){ (uint32_t)q->next, (uint32_t)hi };
	q->answered = false;
	int n = snprintf(line, sizeof(line), "UID SEARCH %sUID %u:%u",
	    imap_session_can(q->s, "ESEARCH") ||
		    imap_session_can(q->s, "IMAP4REV2")
		? "RETURN (ALL) "
		: "",
	    q->asked.lo, q->asked.hi);
	q->wanted = false;
	q->tag = imap_session_send(q->s, line, (size_t)n, err);

	return q->tag != 0;
}

/* --- answers ----------------------------------------------------------- */

static void
add(struct imap_search *q, struct imap_range r)
{
	if (r.hi < q->asked.lo || r.lo > q->asked.hi)
		return;
	if (r.lo < q->asked.lo)
		r.lo = q->asked.lo;
	if (r.hi > q->asked.hi)
		r.hi = q->asked.hi;
	if (!q->crowded && !imap_ranges_add(&q->found, r))
		q->crowded = true;
}

static void
add_set(struct imap_search *q, const struct imap_token *set)
{
	struct imap_range r;
	for (size_t at = 0; imap_range_next(set->data, set->len, &at, &r);)
		add(q, r);
}

/* "(TAG "A5")": an answer to this command? None at all counts as one. */
static bool
is_ours(const struct imap_search *q, struct imap_tokens *t)
{
	struct imap_tokens ahead = *t;
	char tag[32];
	if (imap_token_next(&ahead).kind != IMAP_OPEN)
		return true;
	struct imap_token name = imap_token_next(&ahead);
	struct imap_token value = imap_token_next(&ahead);
	int n = snprintf(tag, sizeof(tag), "%s%u", q->s->tag_head, q->tag);

	return imap_token_skip(t) && imap_token_is(&name, "TAG") &&
	       value.len == (size_t)n &&
	       memcmp(value.data, tag, (size_t)n) == 0;
}

/* * ESEARCH (TAG "A5") UID ALL 2,10:15 */
static void
take_esearch(struct imap_search *q, struct imap_tokens t)
{
	if (!is_ours(q, &t))
		return;
	q->answered = true;
	for (struct imap_token name = imap_token_next(&t);
	     name.kind == IMAP_ATOM; name = imap_token_next(&t)) {
		if (imap_token_is(&name, "UID"))
			continue;
		struct imap_tokens ahead = t;
		struct imap_token value = imap_token_next(&ahead);
		if (imap_token_is(&name, "ALL") && value.kind == IMAP_ATOM)
			add_set(q, &value);
		if (!imap_token_skip(&t))
			return;
	}
}

/* * SEARCH 2 84 882 */
static void
take_search(struct imap_search *q, struct imap_tokens t)
{
	q->answered = true;
	for (struct imap_token uid = imap_token_next(&t); uid.kind == IMAP_ATOM;
	     uid = imap_token_next(&t))
		add_set(q, &uid);
}

void
imap_search_take(struct imap_search *q, const struct imap_reply *r)
{
	if (q->tag == 0 || r->kind != IMAP_DATA)
		return;
	if (imap_text_is(&r->name, "ESEARCH"))
		take_esearch(q, r->rest);
	else if (imap_text_is(&r->name, "SEARCH"))
		take_search(q, r->rest);
}

bool
imap_search_done(struct imap_search *q, bool ok)
{
	q->tag = 0;
	/* An empty answer is a line too (RFC 9051 7.3.4). */
	if (!ok || !q->answered || q->crowded)
		return false;
	q->sum += imap_ranges_join(&q->found);
	q->ready = true;
	q->at = 0;
	q->next = (uint64_t)q->asked.hi + 1;
	q->wanted = q->next <= q->last;

	return true;
}

bool
imap_search_tell(struct imap_search *q, struct imap_range *r)
{
	if (!q->ready)
		return false;
	if (q->at < q->found.count) {
		*r = q->found.array[q->at++];
		return true;
	}
	q->ready = false;
	q->found.count = 0;

	return false;
}

bool
imap_search_is_over(const struct imap_search *q)
{
	return !q->wanted && q->tag == 0 && !q->ready;
}
