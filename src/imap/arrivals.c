#include "imap/arrivals.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "imap/codes.h"
#include "mail/datetime.h"
#include "mail/flags.h"

enum { ASKED_MAX = 200 }; /* messages that are read back by one command */

void
imap_arrivals_forget(struct imap_arrivals *a)
{
	free(a->array);
	*a = (struct imap_arrivals){ 0 };
}

/* ---- the list ---- */

struct listing {
	struct imap_arrivals *a;
	uint64_t from;
	struct imap_fetch fetch;
};

static int
by_uid(const void *x, const void *y)
{
	uint32_t a = ((const struct imap_arrival *)x)->uid;
	uint32_t b = ((const struct imap_arrival *)y)->uid;

	return (a > b) - (a < b);
}

static void
sort(struct imap_arrivals *a)
{
	size_t kept = 0;
	if (a->count > 1)
		qsort(a->array, a->count, sizeof(*a->array), by_uid);
	for (size_t i = 0; i < a->count; i++)
		if (kept == 0 || a->array[kept - 1].uid != a->array[i].uid)
			a->array[kept++] = a->array[i];
	a->count = kept;
}

static bool
take_size(void *arg, const struct imap_reply *r, struct err *err)
{
	struct listing *l = arg;
	struct imap_arrivals *a = l->a;
	const char *why;
	(void)err;
	if (r->kind != IMAP_NUMBERED || !imap_text_is(&r->name, "FETCH"))
		return true;
	imap_fetch_parse(&l->fetch, r->rest, &why);
	/* "n:*" names the last message, too, if n is above it. */
	if (l->fetch.uid < l->from || l->fetch.uid > UINT32_MAX ||
	    !l->fetch.has_size)
		return true;
	if (a->count == a->cap) {
		a->cap = a->cap == 0 ? 256 : a->cap * 2;
		a->array = mem_grow(a->array, a->cap, sizeof(*a->array));
	}
	a->array[a->count++] =
	    (struct imap_arrival){ .uid = (uint32_t)l->fetch.uid,
		    .size = l->fetch.size };

	return true;
}

/* An OK may end half of the list (RFC 9738): then the rest is asked for. */
static bool
list_from(struct imap_arrivals *a, struct imap_session *s, uint64_t from,
    bool *more, struct err *err)
{
	struct listing l = { .a = a, .from = from };
	struct imap_reply done;
	struct buf command = { 0 };
	size_t before = a->count;
	buf_fmt(&command, "UID FETCH %llu:* (UID RFC822.SIZE)",
	    (unsigned long long)from);
	bool ok = imap_session_command(s, &command, take_size, &l, &done, err);
	buf_free(&command);
	imap_fetch_free(&l.fetch);
	if (!ok)
		return false;
	*more = imap_session_was_cut(s, &done) && a->count > before;

	return done.status == IMAP_OK ||
	       imap_codes_refused(
		   err, ERR_MAILBOX, &done, "the list of what is there");
}

static bool
update(struct imap_arrivals *a, struct imap_session *s, uint64_t base,
    struct err *err)
{
	struct imap_reply done;
	if (base == 0)
		base = 1;
	/* What another connection left unfinished may just have arrived. */
	if (!imap_session_ask(s, "NOOP", NULL, NULL, &done, err))
		return false;
	if (a->from == 0 || base < a->from) {
		imap_arrivals_forget(a);
		a->from = a->next = base;
	}
	for (bool more = true; more && a->next <= UINT32_MAX;) {
		if (!list_from(a, s, a->next, &more, err))
			return false;
		sort(a);
		if (a->count > 0)
			a->next = (uint64_t)a->array[a->count - 1].uid + 1;
	}

	return true;
}

/* ---- their octets ---- */

/* A message of a size that is looked for. */
struct candidate {
	uint32_t uid;
	uint64_t size; /* RFC822.SIZE */
	bool read, used;
	uint8_t flags;
	int64_t idate;
	char *keywords; /* owned; as flags_keywords */
	uint8_t sha256[DIGEST_SIZE];
};

struct reading {
	struct candidate *array; /* ascending UIDs */
	size_t count;
	struct imap_fetch fetch;
	struct digest *digest;
	bool streamed;
};

static bool
sink_begin(
    void *arg, const char *text, size_t len, uint64_t size, struct err *err)
{
	struct reading *r = arg;
	(void)text, (void)len, (void)size, (void)err;
	digest_start(r->digest);
	r->streamed = true;

	return true;
}

static bool
sink_add(void *arg, const void *data, size_t len, struct err *err)
{
	struct reading *r = arg;
	(void)err;
	digest_add(r->digest, data, len);

	return true;
}

static struct candidate *
find_candidate(struct reading *r, uint64_t uid)
{
	size_t low = 0, high = r->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->array[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}

	return low < r->count && r->array[low].uid == uid ? &r->array[low]
							  : NULL;
}

static void
hash_string(struct reading *r, uint8_t out[DIGEST_SIZE])
{
	struct buf text = { 0 };
	imap_token_text(&text, &r->fetch.body);
	digest_of(text.data != NULL ? text.data : "", text.len, out);
	buf_free(&text);
}

static char *
keywords_of(const struct imap_fetch *f)
{
	const char **words = mem_array(f->keyword_count + 1U, sizeof(*words));
	struct buf text = { 0 };
	const char *at = f->keywords.data;
	for (uint32_t i = 0; i < f->keyword_count; i++) {
		words[i] = at;
		at += strlen(at) + 1;
	}
	flags_keywords(&text, words, f->keyword_count);
	free(words);

	return text.len == 0 ? mem_str("") : buf_steal(&text);
}

static bool
take_body(void *arg, const struct imap_reply *reply, struct err *err)
{
	struct reading *r = arg;
	const char *why;
	bool streamed = r->streamed;
	(void)err;
	r->streamed = false;
	if (reply->kind != IMAP_NUMBERED ||
	    !imap_text_is(&reply->name, "FETCH") ||
	    !imap_fetch_parse(&r->fetch, reply->rest, &why))
		return true;
	struct candidate *c = find_candidate(r, r->fetch.uid);
	if (c == NULL || c->read || r->fetch.bodies != 1)
		return true;
	if (r->fetch.body_kind == IMAP_BODY_STRING)
		hash_string(r, c->sha256);
	else if (r->fetch.body_kind == IMAP_BODY_STREAMED && streamed)
		digest_end(r->digest, c->sha256);
	else
		return true;
	c->read = true;
	c->flags = r->fetch.flags;
	c->idate = r->fetch.idate;
	c->keywords = keywords_of(&r->fetch);

	return true;
}

/* From *at on, as many as one command may name; none: nothing is asked. */
static void
name_unread(const struct reading *r, size_t most, size_t *at, struct buf *set)
{
	for (size_t n = 0; *at < r->count && n < most; ++*at)
		if (!r->array[*at].read)
			buf_fmt(
			    set, "%s%u", n++ > 0 ? "," : "", r->array[*at].uid);
}

static bool
read_some(struct reading *r, struct imap_session *s, const struct buf *set,
    struct err *err)
{
	struct imap_reply done;
	struct buf command = { 0 };
	buf_fmt(&command, "UID FETCH %s (UID FLAGS INTERNALDATE BODY.PEEK[])",
	    set->data);
	bool ok = imap_session_command(s, &command, take_body, r, &done, err);
	buf_free(&command);

	return ok && (done.status == IMAP_OK ||
			 imap_codes_refused(err, ERR_MAILBOX, &done,
			     "reading back what is there"));
}

static bool
read_round(struct reading *r, struct imap_session *s, struct err *err)
{
	uint32_t limit = imap_session_message_limit(s);
	bool ok = true;
	for (size_t at = 0; ok && at < r->count;) {
		struct buf set = { 0 };
		name_unread(
		    r, limit < ASKED_MAX ? limit : ASKED_MAX, &at, &set);
		ok = set.len == 0 || read_some(r, s, &set, err);
		buf_free(&set);
	}

	return ok;
}

static size_t
count_unread(const struct reading *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->count; i++)
		n += !r->array[i].read;

	return n;
}

/* An OK may leave some out: taken for gone they would be sent a second time.
 * So they are asked for again, until one round brings none. */
static bool
read_all(struct reading *r, struct imap_session *s, struct err *err)
{
	bool ok = true;
	r->digest = digest_new();
	s->frame.sink = (struct imap_sink){
		.arg = r, .begin = sink_begin, .add = sink_add
	};
	for (size_t left = r->count, before = left + 1; ok && left > 0;) {
		bool first = before > r->count;
		before = left;
		ok = read_round(r, s, err);
		left = count_unread(r);
		if (left == before && !first)
			break;
	}
	s->frame.sink = (struct imap_sink){ 0 };
	digest_free(&r->digest);
	imap_fetch_free(&r->fetch);

	return ok;
}

/* ---- one to one ---- */

static int
by_size(const void *x, const void *y)
{
	uint64_t a = (*(const struct resolve_item *const *)x)->size;
	uint64_t b = (*(const struct resolve_item *const *)y)->size;
	ptrdiff_t order = *(const struct resolve_item *const *)x -
			  *(const struct resolve_item *const *)y;

	return a != b ? (a > b) - (a < b) : (order > 0) - (order < 0);
}

/* The first of sorted items with this size; n: none. */
static size_t
first_of_size(const struct resolve_item **sorted, size_t n, uint64_t size)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sorted[middle]->size < size)
			low = middle + 1;
		else
			high = middle;
	}

	return low < n && sorted[low]->size == size ? low : n;
}

static void
choose(struct reading *r, const struct imap_arrivals *a, uint64_t base,
    const struct resolve_item **sorted, size_t n,
    bool (*taken)(void *, uint64_t uid), void *arg)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct imap_arrival *m = &a->array[i];
		if (m->uid < base || first_of_size(sorted, n, m->size) == n ||
		    taken(arg, m->uid))
			continue;
		r->array = mem_grow(r->array, r->count + 1, sizeof(*r->array));
		r->array[r->count++] =
		    (struct candidate){ .uid = m->uid, .size = m->size };
	}
}

enum likeness { SAME_ALL, SAME_DATE, NO_DATE, SAME_OCTETS };

static bool
is_like(const struct resolve_item *item, const struct candidate *c,
    enum likeness likeness)
{
	bool dated = item->idate == c->idate;
	if (item->uid != 0 || memcmp(item->sha256, c->sha256, DIGEST_SIZE) != 0)
		return false;
	if (likeness == SAME_ALL)
		return dated && item->flags == c->flags &&
		       (item->keywords == NULL ||
			   strcmp(item->keywords, c->keywords) == 0);

	/* One without a date was given the hour of its arrival: it takes what
	 * those with a date leave. */
	return dated || (likeness >= NO_DATE && item->idate == DATETIME_NONE) ||
	       likeness == SAME_OCTETS;
}

static void
assign(struct reading *r, struct resolve_item *items, size_t n,
    enum likeness likeness)
{
	for (size_t k = 0; k < r->count; k++) {
		struct candidate *c = &r->array[k];
		for (size_t i = 0; c->read && !c->used && i < n; i++) {
			if (!is_like(&items[i], c, likeness))
				continue;
			items[i].uid = c->uid;
			items[i].there_flags = c->flags;
			c->used = true;
		}
	}
}

static bool
is_alike(const struct resolve_item *item, uint64_t size, int64_t idate)
{
	return item->uid == 0 && item->sent && item->idate != DATETIME_NONE &&
	       item->size == size && item->idate == idate;
}

/*
 * Some servers rewrite what they are given (Dovecot a NUL, Cyrus a lone CR) and
 * say OK. What came since, of this size and INTERNALDATE, is that one where one
 * alone is looked for and one alone is there.
 */
static void
assign_altered(struct reading *r, struct resolve_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct candidate *only = NULL;
		size_t there = 0, wanted = 0;
		if (!is_alike(&items[i], items[i].size, items[i].idate))
			continue;
		for (size_t k = 0; k < n; k++)
			wanted +=
			    is_alike(&items[k], items[i].size, items[i].idate);
		for (size_t k = 0; k < r->count; k++) {
			struct candidate *c = &r->array[k];
			if (!c->read || c->used || c->size != items[i].size ||
			    c->idate != items[i].idate)
				continue;
			only = c;
			there++;
		}
		if (wanted != 1 || there != 1)
			continue;
		log_add(LOG_WARN,
		    "UID %u on the target is taken for a message that it "
		    "altered: only size and INTERNALDATE are the same",
		    only->uid);
		items[i].uid = only->uid;
		items[i].there_flags = only->flags;
		only->used = true;
	}
}

bool
imap_arrivals_find(struct imap_arrivals *a, struct imap_session *s,
    uint64_t base, struct resolve_item *items, size_t n,
    bool (*taken)(void *, uint64_t uid), void *arg, struct err *err)
{
	struct reading r = { 0 };
	for (size_t i = 0; i < n; i++)
		items[i].uid = 0;
	if (n == 0)
		return true;
	if (!update(a, s, base, err))
		return false;
	const struct resolve_item **sorted = mem_array(n, sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i] = &items[i];
	qsort(sorted, n, sizeof(*sorted), by_size);
	choose(&r, a, base, sorted, n, taken, arg);
	free(sorted);
	bool ok = read_all(&r, s, err);
	for (int like = SAME_ALL; ok && like <= SAME_OCTETS; like++)
		assign(&r, items, n, (enum likeness)like);
	if (ok)
		assign_altered(&r, items, n);
	for (size_t i = 0; i < r.count; i++)
		free(r.array[i].keywords);
	free(r.array);

	return ok;
}
