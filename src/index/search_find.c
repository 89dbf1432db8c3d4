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

struct box {
	int64_t id;
	bool wanted;
	int64_t run; /* as of; 0: now */
	uint64_t uidvalidity;
	char *account, *display;
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

	struct box *boxes; /* by id */
	size_t box_count;
	bool all_boxes;
	bool many_accounts; /* among those wanted */

	struct set set;
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

/* ---- mailboxes ---- */

static bool
judge_box(struct finding *f, struct box *box, uint64_t account,
    const char *special_use, struct err *err)
{
	const struct search_query *q = f->query;
	const struct index_query globs = { .include = q->include,
		.include_count = q->include_count,
		.exclude = q->exclude,
		.exclude_count = q->exclude_count };
	bool inbox = q->mailbox != NULL && strcasecmp(q->mailbox, "INBOX") == 0;
	box->wanted =
	    (!is_set(q->account) || strcmp(q->account, box->account) == 0) &&
	    (!is_set(q->mailbox) || strcmp(q->mailbox, box->display) == 0 ||
		(inbox && strcasecmp(box->display, "INBOX") == 0)) &&
	    rows_want_mailbox(&globs, box->display, special_use);
	box->run = (int64_t)q->as_of_run;
	if (!box->wanted || q->as_of == 0)
		return true;
	uint64_t run = 0;
	if (!index_as_of(f->s->ix, account, q->as_of, &run, err))
		return false;
	box->run = (int64_t)run;
	box->wanted = run != 0;

	return true;
}

static bool
load_boxes(struct finding *f, struct err *err)
{
	struct sql q;
	bool row, ok;
	f->all_boxes = true;
	if (!sql_open(f->s->ix, SQL_FIND_MAILBOXES, &q, err))
		return false;
	while ((ok = sql_step(&q, &row, err)) && row) {
		if ((f->box_count & (f->box_count - 1)) == 0)
			f->boxes = mem_grow(f->boxes,
			    f->box_count == 0 ? 1 : f->box_count * 2,
			    sizeof(*f->boxes));
		struct box *box = &f->boxes[f->box_count++];
		*box = (struct box){ .id = sql_get_int(&q) };
		uint64_t account = (uint64_t)sql_get_int(&q);
		box->account = mem_str(sql_get_text(&q));
		box->display = mem_str(sql_get_text(&q));
		const char *special_use = sql_get_text(&q);
		box->uidvalidity = (uint64_t)sql_get_int(&q);
		ok = judge_box(f, box, account, special_use, err);
		if (!ok)
			break;
		f->all_boxes = f->all_boxes && box->wanted;
	}
	sql_close(&q);

	return ok;
}

static void
count_accounts(struct finding *f)
{
	const char *first = NULL;
	for (size_t i = 0; i < f->box_count; i++) {
		const struct box *box = &f->boxes[i];
		if (!box->wanted)
			continue;
		if (first == NULL)
			first = box->account;
		else if (strcmp(first, box->account) != 0)
			f->many_accounts = true;
	}
}

static int
by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = ((const struct box *)b)->id;

	return x < y ? -1 : x > y;
}

static const struct box *
box_of(const struct finding *f, int64_t id)
{
	return f->box_count == 0 ? NULL
				 : bsearch(&id, f->boxes, f->box_count,
				       sizeof(*f->boxes), by_id);
}

/* ---- sets ---- */

/* The set takes what is in *with; the first is taken as it is. */
static void
narrow(struct finding *f, struct set *with)
{
	if (f->has_set) {
		set_and(&f->set, with);
		set_free(with);
	} else {
		f->set = *with;
	}
	f->has_set = true;
}

static bool
match(struct index *store, enum sql_name name, const char *words,
    struct set *set, struct err *err)
{
	struct sql q;
	bool row, ok;
	if (store == NULL)
		return true;
	if (!sql_open(store, name, &q, err))
		return false;
	sql_text(&q, words);
	while ((ok = sql_step(&q, &row, err)) && row)
		set_add(set, sql_get_int(&q));
	sql_close(&q);

	return ok;
}

static bool
by_words(struct finding *f, struct err *err)
{
	struct set hits = { 0 };
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
	hits = (struct set){ 0 };
	bool ok =
	    match(f->s->kept, SQL_SEARCH_BODIES, f->body.data, &hits, err);
	narrow(f, &hits);

	return ok;
}

static bool
by_message_id(struct finding *f, struct err *err)
{
	struct set hits = { 0 };
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
		set_add(&hits, sql_get_int(&q));
	sql_close(&q);
	narrow(f, &hits);

	return ok;
}

static bool
add_box(
    struct finding *f, const struct box *box, struct set *set, struct err *err)
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
		set_add(set, sql_get_int(&q));
	sql_close(&q);

	return ok;
}

/* Not where few are left, whose placements are judged anyway. */
static bool
by_mailbox(struct finding *f, struct err *err)
{
	struct set hits = { 0 };
	bool flags = (f->query->flags_set | f->query->flags_clear) != 0;
	if ((f->all_boxes && !flags) ||
	    (f->has_set && set_count(&f->set, FEW) < FEW))
		return true;
	bool ok = true;
	for (size_t i = 0; ok && i < f->box_count; i++)
		if (f->boxes[i].wanted)
			ok = add_box(f, &f->boxes[i], &hits, err);
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
	while ((c.content = set_next(&f->set, c.content + 1)) != 0) {
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
		    (!f->has_set || set_has(&f->set, w->head.content)))
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
	size_t n = f->has_set ? set_count(&f->set, FEW) : FEW;
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
	const struct box *box = box_of(f, sql_get_int(q));
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
	hit->many_accounts = f->many_accounts;
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
	if (!words_headers(&f->headers, f->query, err) ||
	    (is_set(f->query->body) &&
		!words_body(&f->body, f->query->body, err)) ||
	    !load_boxes(f, err) || !by_words(f, err) ||
	    !by_message_id(f, err) || !by_mailbox(f, err) || !order(f, err))
		return false;
	count_accounts(f);
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
	for (size_t i = 0; i < f->box_count; i++) {
		free(f->boxes[i].account);
		free(f->boxes[i].display);
	}
	free(f->boxes);
	free(f->few);
	set_free(&f->set);
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
