#include "imap/changes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/codes.h"
#include "imap/pass.h"

/* Octets of VANISHED lines that nobody has heard yet. */
enum { VANISHED_MAX = 16 << 20 };

/* All that is new are all UIDs given out since, and nothing is missing? */
static bool
adds_up(const struct source_state *state, const struct source_opened *opened)
{
	return opened->uidnext >= state->uidnext &&
	       opened->messages ==
		   state->messages + (opened->uidnext - state->uidnext);
}

bool
imap_changes_can(const struct imap_session *s, const struct source_state *state,
    const struct source_opened *opened)
{
	bool offered = s->condstore || imap_session_can(s, "CONDSTORE") ||
		       imap_session_can(s, "QRESYNC");

	/* A HIGHESTMODSEQ that went back says nothing (I30). */
	if (!offered || state->modseq == 0 || opened->modseq < state->modseq ||
	    opened->messages == 0)
		return false;
	if (opened->modseq == state->modseq && adds_up(state, opened))
		return true;

	/* RFC 9738: one command may not name all of them. */
	return opened->messages <= imap_session_message_limit(s);
}

void
imap_changes_reset(struct imap_changes *c)
{
	imap_window_free(&c->news);
	buf_free(&c->vanished);
	imap_search_reset(&c->search);
	free(c->keywords);
	*c = (struct imap_changes){ 0 };
}

static void
search(struct imap_changes *c)
{
	c->searched = true;
	imap_search_start(&c->search, c->s, c->last, c->exists);
}

void
imap_changes_start(struct imap_changes *c, struct imap_session *s,
    const struct source_state *state, const struct source_opened *opened)
{
	imap_changes_reset(c);
	c->s = s;
	c->last = state->uidnext > UINT32_MAX ? UINT32_MAX
					      : (uint32_t)state->uidnext - 1;
	c->modseq = state->modseq;
	c->before = state->messages;
	c->exists = opened->messages;
	c->news = imap_window_new(1, c->last);
	c->wanted = opened->modseq > state->modseq && c->last > 0;
	/* An expunge raises HIGHESTMODSEQ only with QRESYNC. */
	if (!adds_up(state, opened) && !(s->qresync && c->wanted))
		search(c);
}

/* RFC 7162 3.2.6: VANISHED only with QRESYNC. */
bool
imap_changes_ask(struct imap_changes *c, struct err *err)
{
	if (c->wanted) {
		struct buf line = { 0 };
		buf_fmt(&line,
		    "UID FETCH 1:%u (UID FLAGS) (CHANGEDSINCE %" PRIu64 "%s)",
		    c->last, c->modseq, c->s->qresync ? " VANISHED" : "");
		c->wanted = false;
		c->tag = imap_session_send(c->s, line.data, line.len, err);
		buf_free(&line);
		if (c->tag == 0)
			return false;
	}

	return imap_search_ask(&c->search, err);
}

unsigned
imap_changes_flying(const struct imap_changes *c)
{
	if (c->tag == 0 || c->search.tag == 0)
		return c->tag + c->search.tag;

	return c->tag < c->search.tag ? c->tag : c->search.tag;
}

/* --- answers ----------------------------------------------------------- */

static bool
too_much(struct imap_changes *c, struct err *err)
{
	err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s sent far more changes than can be kept in answer to one "
	    "command",
	    c->s->where);

	return imap_session_die(c->s, err);
}

/*
 * Any line of flags is the truth about them, asked for or not.  A line of a
 * mod-sequence alone is not: it says nothing that is kept.
 */
bool
imap_changes_take(struct imap_changes *c, const struct imap_fetch *f,
    const char *bad, bool *taken, struct err *err)
{
	*taken =
	    c->tag != 0 && f->uid <= c->last && (f->uid != 0 || bad != NULL);
	if (!*taken || c->draining || (bad == NULL && !f->has_flags))
		return true;
	struct imap_window *w = c->news;
	if (f->uid == 0) {
		imap_window_add_nameless(w, c->s);
		return true;
	}
	if (w->at == w->count) {
		w->at = w->count = 0;
		buf_clear(&w->arena);
	}
	if (w->count == IMAP_WINDOW_ITEMS || !imap_window_add(w, f, bad))
		return too_much(c, err);

	return true;
}

/* * VANISHED (EARLIER) 300:310,405 (RFC 7162 3.2.10) */
static bool
take_vanished(struct imap_changes *c, struct imap_tokens t, struct err *err)
{
	struct imap_token open = imap_token_next(&t);
	struct imap_token earlier = imap_token_next(&t);
	if (c->tag == 0 || c->draining || open.kind != IMAP_OPEN ||
	    !imap_token_is(&earlier, "EARLIER") || !imap_token_skip_list(&t))
		return true;
	struct imap_token set = imap_token_next(&t);
	if (set.kind != IMAP_ATOM)
		return true;
	if (c->vanished_at == c->vanished.len) {
		buf_clear(&c->vanished);
		c->vanished_at = 0;
	}
	if (c->vanished.len + set.len > VANISHED_MAX)
		return too_much(c, err);
	buf_add(&c->vanished, set.data, set.len);
	buf_char(&c->vanished, ',');
	c->gone += imap_range_count(set.data, set.len, c->last);

	return true;
}

bool
imap_changes_take_data(
    struct imap_changes *c, const struct imap_reply *r, struct err *err)
{
	if (c->s == NULL)
		return true;
	imap_search_take(&c->search, r);

	return r->kind != IMAP_DATA || !imap_text_is(&r->name, "VANISHED") ||
	       take_vanished(c, r->rest, err);
}

/* NO or BAD, or an answer that stopped half-way. */
static void
give_up(struct imap_changes *c, bool flags, const struct imap_reply *r)
{
	log_add(LOG_INFO,
	    "the server would not tell by mod-sequence what has changed, so "
	    "the mailbox is read through: %.*s",
	    (int)(r->said.len < 200 ? r->said.len : 200), r->said.data);
	if (flags)
		c->no_flags = true;
	else
		c->no_search = true;
}

static bool
is_paused(struct imap_changes *c, const struct imap_reply *r, int64_t *pause)
{
	return r->status != IMAP_OK && c->pauses++ < IMAP_PASS_PATIENCE &&
	       imap_codes_throttle(r, pause);
}

static void
search_done(
    struct imap_changes *c, bool ok, const struct imap_reply *r, int64_t *pause)
{
	if (imap_search_done(&c->search, ok) || c->draining)
		return;
	if (is_paused(c, r, pause))
		c->search.wanted = true;
	else
		give_up(c, false, r);
}

static void
since_done(
    struct imap_changes *c, bool ok, const struct imap_reply *r, int64_t *pause)
{
	uint64_t missing = c->before > c->exists ? c->before - c->exists : 0;
	c->tag = 0;
	if (c->draining)
		return;
	/* A VANISHED may leave out what must be gone. */
	if (ok && c->s->qresync && !c->searched && c->gone < missing)
		search(c);
	else if (!ok && is_paused(c, r, pause))
		c->wanted = true;
	else if (!ok)
		give_up(c, true, r);
}

void
imap_changes_done(struct imap_changes *c, unsigned tag,
    const struct imap_reply *r, int64_t *pause)
{
	bool ok = r->status == IMAP_OK && !imap_session_was_cut(c->s, r);
	if (tag == c->search.tag)
		search_done(c, ok, r, pause);
	else
		since_done(c, ok, r, pause);
	if (c->no_flags) {
		c->search.wanted = c->search.ready = false;
		c->searched = false;
	}
}

/* --- telling ----------------------------------------------------------- */

static bool
tell_line(struct imap_changes *c, struct source_event *e)
{
	struct imap_window *w = c->news;
	if (w->at == w->count)
		return false;
	const struct imap_item *item = &w->items[w->at++];
	if (item->bad != NULL) {
		c->bad++;
		e->kind = SOURCE_BAD;
		e->placement.okey = item->uid;
		err_set(&e->why, ERR_MESSAGE, ERR_PROTOCOL,
		    "the server listed the message by %s", item->bad);
		return true;
	}
	e->kind = SOURCE_CHANGED;
	imap_window_placement(
	    w, item, &e->placement, &c->keywords, &c->keywords_cap);

	return true;
}

static bool
tell_nameless(struct imap_changes *c, struct source_event *e)
{
	struct imap_window *w = c->news;
	if (w->nameless == 0)
		return false;
	w->nameless--;
	c->bad++;
	e->kind = SOURCE_BAD;
	err_set(&e->why, ERR_MESSAGE, ERR_PROTOCOL,
	    "the server listed a message without its UID");
	err_words(&e->why, w->nameless_line, strlen(w->nameless_line));

	return true;
}

static void
set_range(struct source_event *e, enum source_event_kind kind,
    const struct imap_range *r)
{
	e->kind = kind;
	e->placement.okey = r->lo;
	e->last = r->hi;
}

static bool
tell_gone(struct imap_changes *c, struct source_event *e)
{
	struct imap_range r;
	while (imap_range_next(
	    c->vanished.data, c->vanished.len, &c->vanished_at, &r))
		if (r.lo <= c->last) {
			if (r.hi > c->last)
				r.hi = c->last;
			set_range(e, SOURCE_GONE, &r);
			return true;
		}

	return false;
}

bool
imap_changes_tell(struct imap_changes *c, struct source_event *e)
{
	struct imap_range r;
	*e = (struct source_event){ .kind = SOURCE_END };
	if (c->s == NULL)
		return false;
	if (tell_line(c, e) || tell_nameless(c, e) || tell_gone(c, e))
		return true;
	if (!imap_search_tell(&c->search, &r))
		return false;
	set_range(e, SOURCE_ALIVE, &r);

	return true;
}

/* Call imap_changes_tell first: all at hand was told. */
bool
imap_changes_is_over(const struct imap_changes *c)
{
	return !c->wanted && c->tag == 0 && imap_search_is_over(&c->search);
}
