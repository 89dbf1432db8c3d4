#include "imap/pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/codes.h"
#include "imap/edges.h"

/* A hundred thousand ranges at most, even if EXISTS is 4294967295 (I15). */
enum { EDGES_MAX = 100000 };

void
imap_pass_reset(struct imap_pass *p)
{
	imap_window_free(&p->current);
	imap_window_free(&p->flying);
	imap_window_free(&p->landed);
	free(p->edges);
	free(p->wanted);
	free(p->keywords);
	*p = (struct imap_pass){ .next = 1 };
}

/* --- cutting ranges ---------------------------------------------------- */

static bool
ask_edges(struct imap_pass *p, struct err *err)
{
	struct imap_edges edges = { 0 };
	uint64_t step = p->messages / EDGES_MAX;
	if (step < p->step || p->step < IMAP_PASS_STEP)
		step = p->step;
	if (!imap_edges_find(&edges, p->s, p->next, step, err))
		return false;
	p->edges = edges.uids;
	p->edge_count = edges.count;
	p->blind = !edges.complete;
	uint64_t top = edges.count > 0 ? edges.uids[edges.count - 1] : 0;
	if (p->uidnext != 0 && top >= p->uidnext) {
		log_add(LOG_WARN,
		    "the server's UIDNEXT %llu is not above its last UID %llu",
		    (unsigned long long)p->uidnext, (unsigned long long)top);
		p->uidnext = 0;
	}
	/* Or 65,536 commands would look for what no number leads to. */
	uint32_t last = 0;
	if ((p->uidnext == 0 || p->doubted) && p->blind &&
	    !imap_edges_last(p->s, &last, err))
		return false;
	bool known = p->blind ? last != 0 : top != 0;
	if (p->uidnext != 0 && last >= p->uidnext)
		p->uidnext = 0;
	if (p->uidnext == 0)
		p->last = !known ? UINT32_MAX : top > last ? top : last;

	return true;
}

void
imap_pass_start(struct imap_pass *p, struct imap_session *s,
    const struct source_opened *o, uint64_t lo, uint64_t from)
{
	uint32_t limit = imap_session_message_limit(s);
	imap_pass_reset(p);
	p->s = s;
	p->whole = lo <= 1;
	p->next = lo == 0 ? 1 : lo;
	p->from = from;
	p->messages = o->messages;
	p->uidvalidity = o->uidvalidity;
	p->modseq = o->modseq;
	p->uidnext = o->uidnext;
	p->step = limit < IMAP_PASS_STEP ? limit : IMAP_PASS_STEP;
	p->width = p->step;
	p->width_max =
	    limit < IMAP_PASS_WIDTH_MAX ? limit : IMAP_PASS_WIDTH_MAX;
	p->last = p->uidnext != 0 ? p->uidnext - 1 : UINT32_MAX;
	p->highest = p->next - 1;
	if (p->messages == 0)
		p->last = 0;
	bool small = p->messages <= p->step || p->last < p->next + p->step;
	bool dense = p->messages / EDGES_MAX < p->step &&
		     p->last - p->next <= p->messages + p->messages / 4;
	/* Few gaps: a flight less, and the first range can follow EXAMINE. */
	p->trusting = p->whole && p->uidnext != 0 && (small || dense);
	p->blind = p->trusting && !small;
	p->probed = small || p->trusting;
}

/* What came since EXAMINE must not stand for what lacks. */
static bool
has_grown(const struct imap_pass *p)
{
	const struct imap_selected *m = &p->s->selected;

	return m->exists + m->expunged > p->messages;
}

bool
imap_pass_probe(struct imap_pass *p, struct err *err)
{
	bool probed = p->probed || (p->doubted && has_grown(p));
	p->probed = true;

	return probed || ask_edges(p, err);
}

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void
imap_pass_recall(struct imap_pass *p, const uint64_t *okeys, size_t n)
{
	struct imap_pass old = *p;
	p->edges = NULL;
	p->wanted = mem_array(n > 0 ? n : 1, sizeof(*p->wanted));
	free(old.edges);
	free(old.wanted);
	p->edge_count = p->edge_at = p->again_count = 0;
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (okeys[i] != 0 && okeys[i] <= UINT32_MAX)
			p->wanted[kept++] = (uint32_t)okeys[i];
	qsort(p->wanted, kept, sizeof(*p->wanted), by_number);
	p->wanted_count = 0;
	for (size_t i = 0; i < kept; i++)
		if (i == 0 || p->wanted[i] != p->wanted[i - 1])
			p->wanted[p->wanted_count++] = p->wanted[i];
	p->next = 1; /* of index + 1, so that 0 means "none" as for UIDs */
	p->last = p->wanted_count;
	p->whole = p->trusting = p->doubted = false;
	p->suspect_lo = p->suspect_hi = 0;
	p->probed = true;
	p->blind = true;
	p->width =
	    p->width_max < IMAP_PASS_RECALL ? p->width_max : IMAP_PASS_RECALL;
}

/* Where a connection broke, each half is asked by itself. */
static uint64_t
cut_at_suspects(const struct imap_pass *p, uint64_t hi)
{
	uint64_t middle = p->suspect_lo + (p->suspect_hi - p->suspect_lo) / 2;
	uint64_t end = p->next < p->suspect_lo ? p->suspect_lo - 1
		       : p->next <= middle     ? middle
					       : p->suspect_hi;

	return p->next <= p->suspect_hi && hi > end ? end : hi;
}

static bool
next_range(struct imap_pass *p, struct imap_range *r)
{
	if (p->again_count > 0) {
		*r = p->again[--p->again_count];
		return true;
	}
	if (p->next > p->last)
		return false;
	uint64_t hi = p->last;
	while (p->edge_at < p->edge_count && p->edges[p->edge_at] < p->next)
		p->edge_at++;
	if (p->edge_at < p->edge_count && p->edges[p->edge_at] < hi)
		hi = p->edges[p->edge_at];
	if (p->wanted == NULL && p->next < p->from && hi >= p->from)
		hi = p->from - 1;
	if (p->blind && hi - p->next >= p->width)
		hi = p->next + p->width - 1;
	hi = cut_at_suspects(p, hi);
	*r = (struct imap_range){ (uint32_t)p->next, (uint32_t)hi };
	p->next = hi + 1;

	return true;
}

static void
add_set(const struct imap_pass *p, const struct imap_range *r, struct buf *line)
{
	if (p->wanted != NULL)
		for (uint32_t i = r->lo; i <= r->hi; i++)
			buf_fmt(line, "%s%u", i == r->lo ? "" : ",",
			    p->wanted[i - 1]);
	else if (r->hi == UINT32_MAX && p->suspect_hi == 0)
		/* Not of suspects: "*" is the last one, wherever it is. */
		buf_fmt(line, "%u:*", r->lo);
	else if (r->lo == r->hi)
		buf_fmt(line, "%u", r->lo);
	else
		buf_fmt(line, "%u:%u", r->lo, r->hi);
}

static bool
is_old(const struct imap_pass *p, uint64_t uid)
{
	return p->wanted == NULL && uid < p->from;
}

static void
add_items(
    const struct imap_pass *p, const struct imap_range *r, struct buf *line)
{
	if (p->checking) {
		buf_str(line, " (UID)");
		return;
	}
	if (is_old(p, r->lo)) {
		buf_str(line, p->alive ? " (UID)" : " (UID FLAGS)");
		return;
	}
	buf_str(line, " (UID FLAGS INTERNALDATE RFC822.SIZE");
	if (imap_session_can(p->s, "OBJECTID"))
		buf_str(line, " EMAILID");
	if (p->message_ids)
		buf_str(line, " BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]");
	buf_char(line, ')');
}

bool
imap_pass_ask(struct imap_pass *p, struct err *err)
{
	struct imap_range r;
	if (p->flying != NULL || p->landed != NULL || !next_range(p, &r))
		return true;
	struct buf line = { 0 };
	p->checking = r.lo == r.hi && r.lo >= p->suspect_lo &&
		      r.lo <= p->suspect_hi && r.lo != p->there;
	buf_str(&line, "UID FETCH ");
	add_set(p, &r, &line);
	add_items(p, &r, &line);
	p->flying = imap_window_new(r.lo, r.hi);
	p->flying->tag = imap_session_send(p->s, line.data, line.len, err);
	buf_free(&line);
	if (p->flying->tag != 0)
		return true;
	/* Nothing is on its way: whoever asks again hears of the failure. */
	imap_window_free(&p->flying);
	p->again[p->again_count++] = r;

	return false;
}

/* --- answers ----------------------------------------------------------- */

static bool
is_asked(const struct imap_pass *p, const struct imap_window *w, uint64_t uid)
{
	if (p->wanted == NULL)
		return uid >= w->lo && uid <= w->hi;
	uint32_t key = (uint32_t)uid;

	return bsearch(&key, p->wanted + w->lo - 1, w->hi - w->lo + 1,
		   sizeof(key), by_number) != NULL;
}

/*
 * Flags alone are what a server says unasked when another client changes
 * them; only as an answer to the oldest command may they count.
 */
bool
imap_pass_take(struct imap_pass *p, const struct imap_fetch *f, const char *bad,
    bool head, struct err *err)
{
	struct imap_window *w = p->flying;
	bool full = f->has_date || f->has_size || f->has_email_id;
	if (w == NULL || (!full && !head))
		return true;
	if (f->uid == 0) {
		if (full || bad != NULL)
			imap_window_add_nameless(w, p->s);
		return true;
	}
	if (!is_asked(p, w, f->uid))
		return true;
	/* No flags is not "none set": a mod-sequence that nobody asked for. */
	if (is_old(p, f->uid) && !p->alive && !p->checking && bad == NULL &&
	    !f->has_flags)
		return true;
	if (imap_window_add(w, f, bad))
		return true;
	err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s sent more than %d messages in answer to one command",
	    p->s->where, IMAP_WINDOW_ITEMS);

	return imap_session_die(p->s, err);
}

static void
adapt_width(struct imap_pass *p, size_t got)
{
	if (!p->blind || p->wanted != NULL)
		return;
	if (got < p->step / 4 && p->width < p->width_max)
		p->width *= 2;
	else if (got > 2 * (size_t)p->step && p->width > 1)
		p->width /= 2;
	if (p->width > p->width_max)
		p->width = p->width_max;
}

static void
halve(struct imap_pass *p, struct imap_window *w)
{
	/* A stack of at most two entries a level, 32 levels. */
	uint32_t middle = w->lo + (w->hi - w->lo) / 2;
	p->again[p->again_count++] = (struct imap_range){ middle + 1, w->hi };
	p->again[p->again_count++] = (struct imap_range){ w->lo, middle };
}

/* NO or BAD: one bad message must not cost its neighbours. */
static bool
range_refused(struct imap_pass *p, struct imap_window *w,
    const struct imap_reply *r, struct err *err)
{
	if (w->lo < w->hi && ++p->refusals > IMAP_PASS_REFUSALS)
		return imap_codes_refused_for_good(
		    err, ERR_MAILBOX, r, "listing the mailbox's messages");
	log_add(LOG_DEBUG, "messages %u to %u: the server says %.*s", w->lo,
	    w->hi, (int)(r->said.len < 200 ? r->said.len : 200), r->said.data);
	if (w->lo < w->hi) {
		halve(p, w);
		return true;
	}
	w->refused = true;
	w->count = 0;
	imap_codes_refused_for_good(
	    &w->refusal, ERR_MESSAGE, r, "listing the message");
	p->landed = w;
	p->flying = NULL;

	return true;
}

bool
imap_pass_done(struct imap_pass *p, const struct imap_reply *r, int64_t *pause,
    struct err *err)
{
	struct imap_window *w = p->flying;
	bool good = true, cut = imap_session_was_cut(p->s, r);
	if (cut && w->lo < w->hi) {
		halve(p, w);
	} else if (r->status == IMAP_OK && p->checking && w->count > 0) {
		p->there = w->lo;
		p->again[p->again_count++] =
		    (struct imap_range){ w->lo, w->hi };
	} else if (r->status == IMAP_OK) {
		imap_window_finish(w);
		adapt_width(p, w->count);
		p->refusals = p->pauses = 0;
		p->landed = w;
		p->flying = NULL;
	} else if (p->pauses < IMAP_PASS_PATIENCE &&
		   imap_codes_throttle(r, pause)) {
		p->pauses++;
		p->again[p->again_count++] =
		    (struct imap_range){ w->lo, w->hi };
	} else {
		good = range_refused(p, w, r, err);
	}
	imap_window_free(&p->flying);

	return good;
}

/* --- telling ----------------------------------------------------------- */

static bool
tell_item(struct imap_pass *p, struct imap_window *w, struct source_event *e)
{
	const struct imap_item *item = &w->items[w->at++];
	if (item->uid > p->highest)
		p->highest = item->uid;
	if (item->bad != NULL) {
		p->bad++;
		e->kind = SOURCE_BAD;
		e->placement.okey = item->uid;
		err_set(&e->why, ERR_MESSAGE, ERR_PROTOCOL,
		    "the server listed the message by %s", item->bad);
		return true;
	}
	p->seen++;
	e->kind = !is_old(p, item->uid) ? SOURCE_SEEN
		  : p->alive            ? SOURCE_ALIVE
					: SOURCE_CHANGED;
	imap_window_placement(
	    w, item, &e->placement, &p->keywords, &p->keywords_cap);
	e->last = item->uid;

	return true;
}

/* Recall: what was asked and not answered is gone. */
static bool
tell_wanted(struct imap_pass *p, struct imap_window *w, struct source_event *e)
{
	if (w->wanted_at > w->hi)
		return false;
	uint32_t uid = p->wanted[w->wanted_at++ - 1];
	while (w->at < w->count && w->items[w->at].uid < uid)
		w->at++;
	if (w->at < w->count && w->items[w->at].uid == uid)
		return tell_item(p, w, e);
	e->kind = SOURCE_GONE;
	e->placement.okey = uid;

	return true;
}

static bool
tell_refused(struct imap_pass *p, struct imap_window *w, struct source_event *e)
{
	uint32_t uid = p->wanted != NULL ? p->wanted[w->lo - 1] : w->lo;
	e->kind = SOURCE_BAD;
	e->placement.okey = uid;
	e->why = w->refusal;
	p->bad++;
	w->refused = false;
	w->wanted_at = w->hi + 1;
	if (uid > p->highest)
		p->highest = uid;

	return true;
}

static bool
tell_nameless(
    struct imap_pass *p, struct imap_window *w, struct source_event *e)
{
	w->nameless--;
	p->bad++;
	e->kind = SOURCE_BAD;
	e->placement.okey = 0;
	err_set(&e->why, ERR_MESSAGE, ERR_PROTOCOL,
	    "the server listed a message without its UID");
	err_words(&e->why, w->nameless_line, strlen(w->nameless_line));

	return true;
}

static bool
tell_window(struct imap_pass *p, struct imap_window *w, struct source_event *e)
{
	if (w->refused)
		return tell_refused(p, w, e);
	if (p->wanted != NULL && tell_wanted(p, w, e))
		return true;
	if (p->wanted == NULL && w->at < w->count)
		return tell_item(p, w, e);

	return w->nameless > 0 && tell_nameless(p, w, e);
}

/* Fewer than EXISTS: UIDNEXT may be below UIDs that are there. Where the last
 * message stands is asked then. */
static void
doubt_uidnext(struct imap_pass *p)
{
	if (!p->trusting || !imap_pass_is_over(p) ||
	    p->known + p->seen + p->bad >= p->messages || has_grown(p))
		return;
	p->trusting = p->blind = p->probed = false;
	p->doubted = true;
}

bool
imap_pass_tell(struct imap_pass *p, struct source_event *e)
{
	*e = (struct source_event){ .kind = SOURCE_END };
	for (;;) {
		if (p->current != NULL && tell_window(p, p->current, e))
			return true;
		if (p->landed == NULL) {
			doubt_uidnext(p);
			return false;
		}
		imap_window_free(&p->current);
		p->current = p->landed;
		p->landed = NULL;
	}
}

bool
imap_pass_is_over(const struct imap_pass *p)
{
	return p->probed && p->flying == NULL && p->landed == NULL &&
	       p->again_count == 0 && p->next > p->last;
}

bool
imap_pass_is_telling(const struct imap_pass *p)
{
	const struct imap_window *w = p->current;

	return p->landed != NULL ||
	       (w != NULL &&
		   (w->at < w->count || w->refused || w->nameless > 0));
}

bool
imap_pass_is_suspect(const struct imap_pass *p)
{
	return p->suspect_hi != 0 && p->flying == NULL &&
	       (p->next <= p->suspect_hi || p->again_count > 0);
}

void
imap_pass_lost(const struct imap_pass *p, struct source_lost *lost)
{
	const struct imap_window *w = p->flying, *told = p->current;
	*lost = (struct source_lost){ 0 };
	if (w == NULL || p->wanted != NULL)
		return;
	lost->lo = w->lo;
	lost->hi = w->hi;
	if (told != NULL && told->at < told->count &&
	    told->items[told->at].uid < lost->lo)
		lost->lo = told->items[told->at].uid;
	/* Not if a good one that was listed is still to be told. */
	lost->there = lost->lo == lost->hi && p->there == w->lo && !p->checking;
}

void
imap_pass_end(const struct imap_pass *p, struct source_event *e)
{
	uint64_t expunged = p->s->selected.expunged;
	bool all = p->known + p->seen + expunged >= p->messages;
	*e = (struct source_event){ .kind = SOURCE_END,
		.expunged = expunged,
		.complete = p->bad == 0 && (!p->whole || all),
		/* A list that is too short must not end what it left out. */
		.swept = p->bad == 0 && p->whole && all,
		.state = { .uidvalidity = p->uidvalidity,
		    .uidnext =
			p->uidnext > p->highest ? p->uidnext : p->highest + 1,
		    .modseq = p->modseq,
		    .messages = p->messages } };
}
