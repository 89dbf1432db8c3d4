#include "search_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "mail/datetime.h"

/*
 * What may match is a set of contents, a bit each: what the words hit, and
 * what stands in the mailboxes asked for.  Few of them are sorted by date; of
 * many the newest are met by walking along all dates.  Either way what comes
 * is ordered, and each candidate's placements are judged exactly, until the
 * limit.  Memory: a bit a content.
 */
enum {
	/* So many candidates are judged before it is worth while to look for
	 * those that stand in the right place: what is common fills the limit
	 * at once, and these cost some ten milliseconds. */
	TRY_FIRST = 2000
};

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

/* ---- what the index holds ---- */

/* A run may have added to both since the index was asked. */
bool
search_check_id(struct search_finding *f, int64_t content, struct err *err)
{
	if (content > f->top &&
	    !sql_simple(f->s->ix, SQL_FIND_TOP, &f->top, err))
		return false;
	if (content >= 1 && content <= f->top)
		return true;
	f->s->forged = true;
	err_set(err, ERR_RUN, ERR_DAMAGED,
	    "%s is damaged: it names messages that the index never held",
	    f->s->path);

	return err_hint(err, "Remove it: the next search makes it anew.");
}

/* ---- candidates in order ---- */

/* newest, oldest, size: the next columns. */
static bool
may_match(const struct search_finding *f, struct sql *q,
    struct search_candidate *candidate)
{
	const struct search_query *query = f->query;
	candidate->newest = sql_get_int(q);
	int64_t oldest = sql_get_int(q);
	uint64_t size = (uint64_t)sql_get_int(q);
	bool then = !f->trust_dates ||
		    ((query->since == 0 || candidate->newest >= query->since) &&
			(query->before == 0 || oldest < query->before));

	return then && (query->larger == 0 || size > query->larger) &&
	       (query->smaller == 0 || size < query->smaller);
}

static bool
look_up(struct search_finding *f, struct index *store,
    struct search_candidate *candidate, bool *found, struct err *err)
{
	struct sql q;
	bool row;
	*found = false;
	if (store == NULL)
		return true;
	if (!sql_open(store, SQL_SEARCH_DOC, &q, err))
		return false;
	sql_int(&q, candidate->content);
	if (!sql_step(&q, &row, err))
		return false;
	*found = row;
	if (row && may_match(f, &q, candidate))
		f->few[f->few_count++] = *candidate;
	sql_close(&q);

	return true;
}

static int
newest_first(const void *a, const void *b)
{
	const struct search_candidate *x = a, *y = b;
	if (x->newest != y->newest)
		return x->newest > y->newest ? -1 : 1;

	return x->content > y->content ? -1 : x->content < y->content;
}

static bool
sort_few(struct search_finding *f, size_t n, struct err *err)
{
	struct search_candidate c = { 0 };
	f->few = mem_array(n + 1, sizeof(*f->few));
	while ((c.content = search_set_next(&f->set, c.content + 1)) != 0) {
		bool found;
		if (!look_up(f, f->s->kept, &c, &found, err) ||
		    (!found && !look_up(f, f->s->temp, &c, &found, err)))
			return false;
	}
	qsort(f->few, f->few_count, sizeof(*f->few), newest_first);

	return true;
}

static bool
walk_on(struct search_finding *f, struct search_walk *w, struct err *err)
{
	bool row;
	for (;;) {
		if (!sql_step(&w->q, &row, err))
			return false;
		if (!row) {
			w->head.content = 0;
			return true;
		}
		w->head.content = sql_get_int(&w->q);
		if (!search_check_id(f, w->head.content, err))
			return false;
		if (may_match(f, &w->q, &w->head) &&
		    (!f->has_set || search_set_has(&f->set, w->head.content)))
			return true;
	}
}

void
search_bind_docs(struct sql *q, const struct search_query *query, bool dates)
{
	bool since = dates && query->since != 0;
	bool before = dates && query->before != 0;
	sql_int(q, since ? query->since : INT64_MIN);
	sql_int(q, query->larger == 0 ? -1 : (int64_t)query->larger);
	sql_int(q, query->smaller == 0 ? INT64_MAX : (int64_t)query->smaller);
	sql_int(q, before ? query->before : INT64_MAX);
}

static bool
walk_open(struct search_finding *f, size_t i, struct err *err)
{
	struct search_walk *w = &f->walks[i];
	struct index *store = i == 0 ? f->s->kept : f->s->temp;
	if (store == NULL)
		return true;
	if (!sql_open(store, SQL_SEARCH_DOCS, &w->q, err))
		return false;
	w->open = true;
	search_bind_docs(&w->q, f->query, f->trust_dates);

	return walk_on(f, w, err);
}

static bool
is_few(const struct search_finding *f)
{
	return f->has_set && search_set_count(&f->set, SEARCH_FEW) < SEARCH_FEW;
}

static bool
order(struct search_finding *f, struct err *err)
{
	if (is_few(f))
		return sort_few(f, search_set_count(&f->set, SEARCH_FEW), err);

	return walk_open(f, 0, err) && walk_open(f, 1, err);
}

/* content 0: the end. */
static bool
pick(struct search_finding *f, struct search_candidate *c, struct err *err)
{
	struct search_walk *best = NULL;
	*c = (struct search_candidate){ 0 };
	if (f->few_at < f->few_count) {
		*c = f->few[f->few_at++];
		return true;
	}
	for (size_t i = 0; i < SEARCH_STORES; i++) {
		struct search_walk *w = &f->walks[i];
		if (w->open && w->head.content != 0 &&
		    (best == NULL || newest_first(&w->head, &best->head) < 0))
			best = w;
	}
	if (best == NULL)
		return true;
	*c = best->head;

	return walk_on(f, best, err);
}

/* After a new start those come again that were judged. */
static bool
next_candidate(
    struct search_finding *f, struct search_candidate *c, struct err *err)
{
	do
		if (!pick(f, c, err))
			return false;
	while (c->content != 0 && f->last.content != 0 &&
	       newest_first(c, &f->last) <= 0);

	return true;
}

/* ---- a candidate's placements ---- */

static bool
has_keyword(const char *list, const char *wanted)
{
	size_t len = strlen(wanted);
	while (*list != '\0') {
		size_t n = strcspn(list, " ");
		if (n == len && strncasecmp(list, wanted, n) == 0)
			return true;
		list += n + (list[n] == ' ');
	}

	return false;
}

bool
search_keywords_match(const struct search_query *q, const char *keywords)
{
	for (size_t i = 0; i < q->keyword_count; i++)
		if (!has_keyword(keywords, q->keywords[i]))
			return false;
	for (size_t i = 0; i < q->no_keyword_count; i++)
		if (has_keyword(keywords, q->no_keywords[i]))
			return false;

	return true;
}

static bool
flags_match(const struct search_query *q, uint8_t flags, const char *keywords)
{
	return (flags & q->flags_set) == q->flags_set &&
	       (flags & q->flags_clear) == 0 &&
	       search_keywords_match(q, keywords);
}

static bool
date_matches(const struct search_query *q, int64_t idate)
{
	if (q->since == 0 && q->before == 0)
		return true;

	return idate != DATETIME_NONE && (q->since == 0 || idate >= q->since) &&
	       (q->before == 0 || idate < q->before);
}

/* The row of a placement into *hit, if it is one that is asked for. */
static bool
place_matches(
    const struct search_finding *f, struct sql *q, struct search_hit *hit)
{
	const struct search_box *box =
	    search_boxes_find(&f->boxes, sql_get_int(q));
	hit->uid = (uint64_t)sql_get_int(q);
	int64_t from = sql_get_int(q);
	bool lives = sql_get_null(q);
	int64_t to = sql_get_int(q);
	hit->flags = (uint8_t)sql_get_int(q);
	const char *keywords = sql_get_text(q);
	hit->keywords = keywords == NULL ? "" : keywords;
	bool undated = sql_get_null(q);
	hit->idate = sql_get_int(q);
	hit->zone = (int16_t)sql_get_int(q);
	if (undated)
		hit->idate = DATETIME_NONE;
	if (box == NULL || !box->wanted)
		return false;
	hit->account = box->account;
	hit->mailbox = box->display;
	hit->many_accounts = f->boxes.many_accounts;
	hit->uidvalidity = box->uidvalidity;
	bool then = box->run == 0
			? lives
			: from <= box->run && (lives || to > box->run);

	return then && date_matches(f->query, hit->idate) &&
	       flags_match(f->query, hit->flags, hit->keywords);
}

static const char *
text_or_empty(struct sql *q)
{
	const char *text = sql_get_text(q);

	return text == NULL ? "" : text;
}

/* q stays open: the hit borrows from it. */
static bool
read_content(struct search_finding *f, int64_t content, struct sql *q,
    struct search_hit *hit, struct err *err)
{
	bool row;
	if (!sql_open(f->s->ix, SQL_FIND_CONTENT, q, err))
		return false;
	sql_int(q, content);
	if (!sql_step(q, &row, err))
		return false;
	if (!row)
		return true;
	sql_get_octets(q, hit->sha256, 32);
	hit->size = (uint64_t)sql_get_int(q);
	hit->from = text_or_empty(q);
	hit->to = text_or_empty(q);
	hit->cc = text_or_empty(q);
	hit->subject = text_or_empty(q);
	hit->date = text_or_empty(q);
	hit->message_id = text_or_empty(q);

	return true;
}

static void
tell(struct search_finding *f, const struct search_hit *hit)
{
	struct search_found *found = f->found;
	if (f->query->limit != 0 && found->placements == f->query->limit) {
		found->more = f->stopped = true;
		return;
	}
	found->placements++;
	f->stopped = f->each != NULL && !f->each(f->arg, hit);
}

static bool
judge(struct search_finding *f, int64_t content, struct err *err)
{
	struct search_hit hit = { 0 };
	struct sql places, columns = { 0 };
	bool row, ok;
	uint64_t before = f->found->placements;
	if (!sql_open(f->s->ix, SQL_FIND_PLACES, &places, err))
		return false;
	sql_int(&places, content);
	while ((ok = sql_step(&places, &row, err)) && row && !f->stopped) {
		if (!place_matches(f, &places, &hit))
			continue;
		ok = f->each == NULL || columns.stmt != NULL ||
		     read_content(f, content, &columns, &hit, err);
		if (!ok)
			break;
		tell(f, &hit);
	}
	sql_close(&places);
	sql_close(&columns);
	f->found->messages += f->found->placements > before;

	return ok;
}

/* ---- all of it ---- */

/* Up to max candidates. *end: there are no more, or they aren't wanted. */
static bool
judge_some(struct search_finding *f, uint64_t max, bool *end, struct err *err)
{
	struct search_candidate c;
	*end = f->stopped;
	for (uint64_t n = 0; !*end && n < max; n++) {
		if (!next_candidate(f, &c, err))
			return false;
		*end = c.content == 0;
		if (*end)
			break;
		f->last = c;
		if (!judge(f, c.content, err))
			return false;
		*end = f->stopped;
	}

	return true;
}

static void
forget_order(struct search_finding *f)
{
	for (size_t i = 0; i < SEARCH_STORES; i++) {
		sql_close(&f->walks[i].q);
		f->walks[i].open = false;
	}
	free(f->few);
	f->few = NULL;
	f->few_count = f->few_at = 0;
}

/* Those in the right place are looked for if they are not among the first. */
static bool
tell_in_order(struct search_finding *f, struct err *err)
{
	bool end = false;
	bool narrow = search_has_box_terms(f) && !is_few(f);
	if (narrow && f->query->limit != 0) {
		if (!order(f, err) || !judge_some(f, TRY_FIRST, &end, err))
			return false;
		if (end)
			return true;
		forget_order(f);
	}
	if (narrow && !search_narrow_boxes(f, err))
		return false;

	return order(f, err) && judge_some(f, UINT64_MAX, &end, err);
}

static bool
find(struct search_finding *f, struct err *err)
{
	if (!search_words_headers(&f->headers, f->query, err) ||
	    (is_set(f->query->body) &&
		!search_words_body(&f->body, f->query->body, err)) ||
	    !search_boxes_load(&f->boxes, f->s->ix, f->query, err) ||
	    !search_narrow_words(f, err))
		return false;
	/* Asked for and excluded: no message is both. */
	if ((f->query->flags_set & f->query->flags_clear) != 0)
		return true;
	if (f->each == NULL && f->query->limit == 0 && !is_few(f))
		return search_count(f, err);

	return tell_in_order(f, err);
}

static void
finish(struct search_finding *f)
{
	forget_order(f);
	search_boxes_free(&f->boxes);
	search_set_free(&f->set);
	buf_free(&f->headers);
	buf_free(&f->body);
	buf_free(&f->message_id);
}

static bool
run_once(struct search *s, const struct search_query *query,
    bool (*each)(void *, const struct search_hit *), void *arg,
    struct search_found *found, struct err *err)
{
	*found = (struct search_found){ 0 };
	struct search_finding f = { .s = s,
		.query = query,
		.each = each,
		.arg = arg,
		.found = found,
		/* Those of a file that can't be written are of the past. */
		.trust_dates = s->kept == NULL || search_is_kept(s) };
	bool ok = find(&f, err);
	finish(&f);

	return ok;
}

bool
search_run(struct search *s, const struct search_query *query,
    bool (*each)(void *arg, const struct search_hit *), void *arg,
    struct search_found *found, struct err *err)
{
	if (run_once(s, query, each, arg, found, err))
		return true;
	if (err->code == ERR_USAGE || !search_is_damaged(s) ||
	    found->placements > 0)
		return false;

	return search_renew(s, "was damaged", err) &&
	       search_update(s, 0, NULL, NULL, err) &&
	       run_once(s, query, each, arg, found, err);
}
