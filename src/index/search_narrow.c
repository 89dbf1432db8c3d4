#include "search_private.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "mail/msgid.h"

/*
 * What may match, as a set of contents: what words hit, and what stands where
 * and as it is asked for. The latter looks at each placement of the mailboxes
 * once, which takes a tenth of a second for a million of them.
 */

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

/* An id of the index. */
static bool
add(struct search_finding *f, struct search_set *set, int64_t id,
    struct err *err)
{
	if (search_set_add(set, id))
		return true;
	err_set(err, ERR_RUN, ERR_DAMAGED,
	    "%s is damaged: it holds the number %" PRId64
	    ", which it never gave out",
	    f->s->ix->path, id);

	return err_hint(err,
	    "mailhaul index --rebuild ARCHIVE makes it anew from the volumes.");
}

/* A content of a store. */
static bool
add_known(struct search_finding *f, struct search_set *set, int64_t content,
    struct err *err)
{
	return search_check_id(f, content, err) && add(f, set, content, err);
}

/* ---- words ---- */

/* The set takes what is in *with; the first is taken as it is. */
static void
narrow(struct search_finding *f, struct search_set *with)
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
match(struct search_finding *f, struct index *store, enum sql_name name,
    const char *words, struct search_set *set, struct err *err)
{
	struct sql q;
	bool row, ok;
	if (store == NULL)
		return true;
	if (!sql_open(store, name, &q, err))
		return false;
	sql_text(&q, words);
	while ((ok = sql_step(&q, &row, err)) && row) {
		ok = add_known(f, set, sql_get_int(&q), err);
		if (!ok)
			break;
	}
	sql_close(&q);

	return ok;
}

static bool
by_words(struct search_finding *f, struct err *err)
{
	struct search_set hits = { 0 };
	if (f->headers.len > 0) {
		bool ok = match(f, f->s->kept, SQL_SEARCH_HEADERS,
			      f->headers.data, &hits, err) &&
			  match(f, f->s->temp, SQL_SEARCH_HEADERS,
			      f->headers.data, &hits, err);
		narrow(f, &hits);
		if (!ok)
			return false;
	}
	if (f->body.len == 0)
		return true;
	hits = (struct search_set){ 0 };
	bool ok =
	    match(f, f->s->kept, SQL_SEARCH_BODIES, f->body.data, &hits, err);
	narrow(f, &hits);

	return ok;
}

static bool
by_message_id(struct search_finding *f, struct err *err)
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
	while ((ok = sql_step(&q, &row, err)) && row) {
		ok = add(f, &hits, sql_get_int(&q), err);
		if (!ok)
			break;
	}
	sql_close(&q);
	narrow(f, &hits);

	return ok;
}

bool
search_narrow_words(struct search_finding *f, struct err *err)
{
	return by_words(f, err) && by_message_id(f, err);
}

/* ---- keywords ---- */

/* Which lists of keywords have what is asked for: there are few of them beside
 * the messages. */
struct lists {
	bool asked;
	struct search_set ids;
};

static bool
read_lists(struct search_finding *f, struct lists *l, struct err *err)
{
	struct sql q;
	bool row, ok;
	*l = (struct lists){ .asked = f->query->keyword_count +
					  f->query->no_keyword_count >
				      0 };
	if (!l->asked)
		return true;
	if (!sql_open(f->s->ix, SQL_FIND_KEYWORDS, &q, err))
		return false;
	while ((ok = sql_step(&q, &row, err)) && row) {
		int64_t id = sql_get_int(&q);
		const char *list = sql_get_text(&q);
		if (search_keywords_match(f->query, list == NULL ? "" : list))
			ok = add(f, &l->ids, id, err);
		if (!ok)
			break;
	}
	sql_close(&q);

	return ok;
}

/* kw: the next column. */
static bool
has_list(const struct search_finding *f, const struct lists *l, struct sql *q)
{
	if (!l->asked)
		return true;
	if (sql_get_null(q))
		return f->query->keyword_count == 0;

	return search_set_has(&l->ids, sql_get_int(q));
}

/* ---- placements ---- */

struct places {
	struct search_finding *f;
	struct lists lists;
	int64_t top; /* the last content that find knows */
	struct search_set hits;
	uint64_t n;
};

static void
bind_flags(const struct places *p, struct sql *q)
{
	const struct search_query *query = p->f->query;
	sql_int(q, query->flags_set | query->flags_clear);
	sql_int(q, query->flags_set);
}

static void
bind_box(const struct places *p, const struct search_box *box, struct sql *q)
{
	const struct search_query *query = p->f->query;
	sql_int(q, box->id);
	sql_int(q, p->top);
	bind_flags(p, q);
	sql_int(q, query->keyword_count > 0);
	/* Now: without an end, which is after any run. */
	sql_int(q, box->run == 0 ? INT64_MAX : box->run);
	sql_int(q, box->run == 0 ? INT64_MAX - 1 : box->run);
	sql_int(q, query->since != 0 || query->before != 0);
	sql_int(q, query->since == 0 ? INT64_MIN : query->since);
	sql_int(q, query->before == 0 ? INT64_MAX : query->before);
}

static bool
needs_flags_alone(const struct places *p, const struct search_box *box)
{
	const struct search_query *query = p->f->query;

	return box->run == 0 && query->since == 0 && query->before == 0 &&
	       !p->lists.asked;
}

static bool
open_box(const struct places *p, const struct search_box *box, struct sql *q,
    struct err *err)
{
	struct index *ix = p->f->s->ix;
	if (!needs_flags_alone(p, box)) {
		if (!sql_open(ix, SQL_FIND_IN_MAILBOX, q, err))
			return false;
		bind_box(p, box, q);
		return true;
	}
	if (!sql_open(ix, SQL_FIND_LIVE_IN_MAILBOX, q, err))
		return false;
	sql_int(q, box->id);
	bind_flags(p, q);

	return true;
}

static bool
read_places(struct places *p, const struct search_box *box, struct err *err)
{
	struct search_finding *f = p->f;
	struct sql q;
	bool row, ok;
	if (!open_box(p, box, &q, err))
		return false;
	while ((ok = sql_step(&q, &row, err)) && row) {
		int64_t content = sql_get_int(&q);
		/* 0: it was never kept. */
		if (content == 0 || content > p->top ||
		    (f->has_set && !search_set_has(&f->set, content)) ||
		    !has_list(f, &p->lists, &q))
			continue;
		ok = add(f, &p->hits, content, err);
		if (!ok)
			break;
		p->n++;
	}
	sql_close(&q);

	return ok;
}

static bool
read_boxes(struct places *p, struct err *err)
{
	const struct search_boxes *boxes = &p->f->boxes;
	int64_t kept = 0;
	bool ok = search_top(p->f->s->kept, &kept, err) &&
		  search_top(p->f->s->temp, &p->top, err) &&
		  read_lists(p->f, &p->lists, err);
	if (kept > p->top)
		p->top = kept;
	for (size_t i = 0; ok && i < boxes->n; i++)
		if (boxes->array[i].wanted)
			ok = read_places(p, &boxes->array[i], err);
	search_set_free(&p->lists.ids);

	return ok;
}

bool
search_has_box_terms(const struct search_finding *f)
{
	const struct search_query *q = f->query;

	return !f->boxes.all || (q->flags_set | q->flags_clear) != 0 ||
	       q->keyword_count + q->no_keyword_count > 0;
}

bool
search_narrow_boxes(struct search_finding *f, struct err *err)
{
	struct places p = { .f = f };
	bool ok = read_boxes(&p, err);
	narrow(f, &p.hits);

	return ok;
}

/* ---- how many ---- */

static bool
add_sizes(struct search_finding *f, struct index *store, struct search_set *set,
    struct err *err)
{
	const struct search_query *query = f->query;
	struct sql q;
	bool row, ok;
	if (store == NULL)
		return true;
	if (!sql_open(store, SQL_SEARCH_DOCS, &q, err))
		return false;
	search_bind_docs(&q, query, false);
	while ((ok = sql_step(&q, &row, err)) && row) {
		ok = add_known(f, set, sql_get_int(&q), err);
		if (!ok)
			break;
	}
	sql_close(&q);

	return ok;
}

static bool
by_size(struct search_finding *f, struct err *err)
{
	struct search_set hits = { 0 };
	if (f->query->larger == 0 && f->query->smaller == 0)
		return true;
	bool ok = add_sizes(f, f->s->kept, &hits, err) &&
		  add_sizes(f, f->s->temp, &hits, err);
	narrow(f, &hits);

	return ok;
}

/* The only column of the only row. */
static bool
add_count(struct places *p, struct sql *q, struct err *err)
{
	bool row;
	if (!sql_step(q, &row, err))
		return false;
	p->n += row ? (uint64_t)sql_get_int(q) : 0;
	sql_close(q);

	return true;
}

static bool
count_box(struct places *p, const struct search_box *box, struct err *err)
{
	struct sql q;
	if (!sql_open(p->f->s->ix, SQL_COUNT_LIVE_IN_MAILBOX, &q, err))
		return false;
	sql_int(&q, box->id);
	bind_flags(p, &q);
	sql_int(&q, p->top);

	return add_count(p, &q, err);
}

static bool
count_all(struct places *p, struct err *err)
{
	const struct search_query *query = p->f->query;
	bool flags = (query->flags_set | query->flags_clear) != 0;
	struct sql q;
	if (!sql_open(p->f->s->ix,
		flags ? SQL_COUNT_LIVE_FLAGS : SQL_COUNT_LIVE, &q, err))
		return false;
	sql_int(&q, p->top);
	if (flags)
		bind_flags(p, &q);

	return add_count(p, &q, err);
}

/* Everywhere, of the contents of a set. */
static bool
count_set(struct places *p, struct err *err)
{
	const struct search_set *set = &p->f->set;
	struct sql q;
	bool row, ok;
	if (!sql_open(p->f->s->ix, SQL_FIND_ALL_PLACES, &q, err))
		return false;
	while ((ok = sql_step(&q, &row, err)) && row) {
		int64_t content = sql_get_int(&q);
		if (content > p->top)
			continue;
		if (content > 0)
			p->n += search_set_has(set, content);
		else if (-content <= p->top)
			p->n -= search_set_has(set, -content);
	}
	sql_close(&q);

	return ok;
}

static bool
count_boxes(struct places *p, struct err *err)
{
	const struct search_boxes *boxes = &p->f->boxes;
	for (size_t i = 0; i < boxes->n; i++)
		if (boxes->array[i].wanted &&
		    !count_box(p, &boxes->array[i], err))
			return false;

	return true;
}

/* A set is only looked up where nothing else is asked for, and few ended. */
static bool
can_count_set(struct search_finding *f, bool *can, struct err *err)
{
	int64_t few = 1;
	*can = !f->has_set;
	if (*can || search_has_box_terms(f))
		return true;
	bool ok = sql_simple(f->s->ix, SQL_FEW_ENDED, &few, err);
	*can = few != 0;

	return ok;
}

static bool
needs_placements_alone(struct search_finding *f)
{
	const struct search_query *query = f->query;
	struct places p = { .f = f };
	if (!query->placements_alone ||
	    query->keyword_count + query->no_keyword_count > 0)
		return false;
	for (size_t i = 0; i < f->boxes.n; i++)
		if (!needs_flags_alone(&p, &f->boxes.array[i]))
			return false;

	return true;
}

/* Where SQLite can do it nearly alone. */
static bool
count_live(struct search_finding *f, struct err *err)
{
	struct places p = { .f = f };
	int64_t kept = 0;
	if (!search_top(f->s->kept, &kept, err) ||
	    !search_top(f->s->temp, &p.top, err))
		return false;
	if (kept > p.top)
		p.top = kept;
	bool ok = f->has_set     ? count_set(&p, err)
		  : f->boxes.all ? count_all(&p, err)
				 : count_boxes(&p, err);
	f->found->placements = p.n;

	return ok;
}

bool
search_count(struct search_finding *f, struct err *err)
{
	struct places p = { .f = f };
	bool live = false;
	if (!by_size(f, err) ||
	    (needs_placements_alone(f) && !can_count_set(f, &live, err)))
		return false;
	if (live)
		return count_live(f, err);
	bool ok = read_boxes(&p, err);
	f->found->placements = p.n;
	f->found->messages = search_set_count(&p.hits, SIZE_MAX);
	search_set_free(&p.hits);

	return ok;
}
