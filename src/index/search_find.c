#include "search_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/datetime.h"
#include "mail/msgid.h"

/*
 * What may match is a set of contents, a bit each: what the words hit, and
 * what stands in the mailboxes asked for.  Few of them are sorted by date; of
 * many the newest are met by walking along all dates.  Either way what comes
 * is ordered, and each candidate's placements are judged exactly, until the
 * limit.  Memory: a bit a content.
 */
enum {
	FEW = 20000, /* a lookup each costs less than walking a million */
	STORES = 2
};

struct candidate {
	int64_t content, newest;
};

struct walk { /* along a store's dates */
	struct sql q;
	bool open;
	struct candidate head; /* content 0: at the end */
};

struct finding {
	struct search *s;
	const struct search_query *query;
	bool (*each)(void *, const struct search_hit *);
	void *arg;
	struct search_found *found;
	struct buf headers, body, message_id;

	struct search_boxes boxes;

	struct search_set set;
	bool has_set; /* false: everything */
	bool trust_dates;
	struct candidate *few; /* sorted */
	size_t few_count, few_at;
	struct walk walks[STORES];
	bool stopped;
};

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

/* ---- sets ---- */

/* The set takes what is in *with; the first is taken as it is. */
static void
narrow(struct finding *f, struct search_set *with)
{
	if (f->has_set) {
		search_set_and(&f->set, with);
		search_set_free(with);
	} else {
		f->set = *with;
	}
	f->has_set = true;
}

static bool
match(struct index *store, enum sql_name name, const char *words,
    struct search_set *set, struct err *err)
{
	struct sql q;
	bool row, ok;
	if (store == NULL)
		return true;
	if (!sql_open(store, name, &q, err))
		return false;
	sql_text(&q, words);
	while ((ok = sql_step(&q, &row, err)) && row)
		search_set_add(set, sql_get_int(&q));
	sql_close(&q);

	return ok;
}

static bool
by_words(struct finding *f, struct err *err)
{
	struct search_set hits = { 0 };
	if (f->headers.len > 0) {
		bool ok = match(f->s->kept, SQL_SEARCH_HEADERS, f->headers.data,
			      &hits, err) &&
			  match(f->s->temp, SQL_SEARCH_HEADERS, f->headers.data,
			      &hits, err);
		narrow(f, &hits);
		if (!ok)
			return false;
	}
	if (f->body.len == 0)
		return true;
	hits = (struct search_set){ 0 };
	bool ok =
	    match(f->s->kept, SQL_SEARCH_BODIES, f->body.data, &hits, err);
	narrow(f, &hits);

	return ok;
}

static bool
by_message_id(struct finding *f, struct err *err)
{
	struct search_set hits = { 0 };
	struct sql q;
	bool row, ok;
	if (!is_set(f->query->message_id))
		return true;
	buf_fmt(&f->message_id, "<%s>", f->query->message_id);
	int64_t key = msgid_key((struct header_slice){
	    .data = f->message_id.data, .len = f->message_id.len });
	buf_clear(&f->message_id);
	text_utf8(
	    &f->message_id, f->query->message_id, strlen(f->query->message_id));
	if (!sql_open(f->s->ix, SQL_FIND_MESSAGE_ID, &q, err))
		return false;
	sql_int(&q, key);
	sql_text(&q, f->message_id.data);
	while ((ok = sql_step(&q, &row, err)) && row)
		search_set_add(&hits, sql_get_int(&q));
	sql_close(&q);
	narrow(f, &hits);

	return ok;
}

static bool
add_box(struct finding *f, const struct search_box *box, struct search_set *set,
    struct err *err)
{
	const struct search_query *query = f->query;
	struct sql q;
	bool row, ok;
	if (!sql_open(f->s->ix, SQL_FIND_IN_MAILBOX, &q, err))
		return false;
	sql_int(&q, box->id);
	sql_int(&q, query->flags_set | query->flags_clear);
	sql_int(&q, query->flags_set);
	sql_int(&q, box->run != 0);
	while ((ok = sql_step(&q, &row, err)) && row)
		search_set_add(set, sql_get_int(&q));
	sql_close(&q);

	return ok;
}

/* Not where few are left, whose placements are judged anyway. */
static bool
by_mailbox(struct finding *f, struct err *err)
{
	struct search_set hits = { 0 };
	bool flags = (f->query->flags_set | f->query->flags_clear) != 0;
	if ((f->boxes.all && !flags) ||
	    (f->has_set && search_set_count(&f->set, FEW) < FEW))
		return true;
	bool ok = true;
	for (size_t i = 0; ok && i < f->boxes.n; i++)
		if (f->boxes.array[i].wanted)
			ok = add_box(f, &f->boxes.array[i], &hits, err);
	narrow(f, &hits);

	return ok;
}

/* ---- candidates in order ---- */

/* newest, oldest, size: the next columns. */
static bool
may_match(const struct finding *f, struct sql *q, struct candidate *candidate)
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
look_up(struct finding *f, struct index *store, struct candidate *candidate,
    bool *found, struct err *err)
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
	const struct candidate *x = a, *y = b;
	if (x->newest != y->newest)
		return x->newest > y->newest ? -1 : 1;

	return x->content > y->content ? -1 : x->content < y->content;
}

static bool
sort_few(struct finding *f, size_t n, struct err *err)
{
	struct candidate c = { 0 };
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
walk_on(struct finding *f, struct walk *w, struct err *err)
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
		if (may_match(f, &w->q, &w->head) &&
		    (!f->has_set || search_set_has(&f->set, w->head.content)))
			return true;
	}
}

static bool
walk_open(struct finding *f, size_t i, struct err *err)
{
	struct walk *w = &f->walks[i];
	struct index *store = i == 0 ? f->s->kept : f->s->temp;
	bool since = f->trust_dates && f->query->since != 0;
	if (store == NULL)
		return true;
	if (!sql_open(store, SQL_SEARCH_DOCS, &w->q, err))
		return false;
	w->open = true;
	sql_int(&w->q, since ? f->query->since : INT64_MIN);
	sql_int(&w->q, f->query->larger == 0 ? -1 : (int64_t)f->query->larger);
	sql_int(&w->q,
	    f->query->smaller == 0 ? INT64_MAX : (int64_t)f->query->smaller);

	return walk_on(f, w, err);
}

static bool
order(struct finding *f, struct err *err)
{
	size_t n = f->has_set ? search_set_count(&f->set, FEW) : FEW;
	if (n < FEW)
		return sort_few(f, n, err);

	return walk_open(f, 0, err) && walk_open(f, 1, err);
}

/* content 0: the end. */
static bool
next_candidate(struct finding *f, struct candidate *c, struct err *err)
{
	struct walk *best = NULL;
	*c = (struct candidate){ 0 };
	if (f->few_at < f->few_count) {
		*c = f->few[f->few_at++];
		return true;
	}
	for (size_t i = 0; i < STORES; i++) {
		struct walk *w = &f->walks[i];
		if (w->open && w->head.content != 0 &&
		    (best == NULL || newest_first(&w->head, &best->head) < 0))
			best = w;
	}
	if (best == NULL)
		return true;
	*c = best->head;

	return walk_on(f, best, err);
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

static bool
flags_match(const struct search_query *q, uint8_t flags, const char *keywords)
{
	if ((flags & q->flags_set) != q->flags_set ||
	    (flags & q->flags_clear) != 0)
		return false;
	for (size_t i = 0; i < q->keyword_count; i++)
		if (!has_keyword(keywords, q->keywords[i]))
			return false;
	for (size_t i = 0; i < q->no_keyword_count; i++)
		if (has_keyword(keywords, q->no_keywords[i]))
			return false;

	return true;
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
place_matches(const struct finding *f, struct sql *q, struct search_hit *hit)
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
read_content(struct finding *f, int64_t content, struct sql *q,
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
tell(struct finding *f, const struct search_hit *hit)
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
judge(struct finding *f, int64_t content, struct err *err)
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

static bool
find(struct finding *f, struct err *err)
{
	struct candidate c;
	if (!search_words_headers(&f->headers, f->query, err) ||
	    (is_set(f->query->body) &&
		!search_words_body(&f->body, f->query->body, err)) ||
	    !search_boxes_load(&f->boxes, f->s->ix, f->query, err) ||
	    !by_words(f, err) || !by_message_id(f, err) ||
	    !by_mailbox(f, err) || !order(f, err))
		return false;
	while (!f->stopped) {
		if (!next_candidate(f, &c, err))
			return false;
		if (c.content == 0)
			return true;
		if (!judge(f, c.content, err))
			return false;
	}

	return true;
}

static void
finish(struct finding *f)
{
	search_boxes_free(&f->boxes);
	free(f->few);
	search_set_free(&f->set);
	for (size_t i = 0; i < STORES; i++)
		sql_close(&f->walks[i].q);
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
	struct finding f = { .s = s,
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
