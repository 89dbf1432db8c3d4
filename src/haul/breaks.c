/*
 * What breaks the connection each time it is asked for. A server may hang up
 * over one message that it can't read (Dovecot does where a Maildir file name
 * tells a wrong size): then that one is unreadable and the others go on.
 *
 * A body: after a break, bodies are asked for one at a time and then more and
 * more. One that was asked for alone is to blame.
 *
 * A line of the list: the source tells which okeys it had asked for; the next
 * connection lists them in halves, until a single one is left. One that could
 * not be read before is looked at first.
 *
 * Each step is a new connection that came about at once: no server that can't
 * be reached, so no long wait either. If as many steps as --retries allows lead
 * nowhere, or all of them take too long (a server that falls silent costs a
 * timeout each), the mailbox is given up: by then the server has taken every
 * new connection.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "reading.h"

enum {
	BODY_STRIKES = 2, /* one message, by itself */
	LINE_STRIKES = 3,
	SUM_MAX = 400 /* in a mailbox: of its list, some 50 new messages */
};

/* They are escaped already. */
static void
add_words(struct err *err, const char *words)
{
	snprintf(err->words, sizeof(err->words), "%.*s",
	    (int)sizeof(err->words) - 1, words);
}

/* True: that was one too many, and it is recorded. */
static bool
strike_body(struct reading *r, struct want *only, const struct err *why)
{
	struct wants *w = &r->f->wants;
	struct kept_placement p;
	if (++only->blame < BODY_STRIKES)
		return false;
	only->requested = true;
	w->requested++;
	w->fresh--;
	wants_answer(w, only, &p);
	r->answered++;
	r->breaks.guilty = true;
	reading_push_outcome(r, &p, OUTCOME_UNREADABLE,
	    err_code_word(why->code),
	    "the connection broke each time it was asked for",
	    why->words[0] != '\0' ? why->words : why->text);
	placement_drop(&p);

	return true;
}

static bool
give_up_line(
    struct reading *r, uint64_t okey, const struct err *why, struct err *err)
{
	struct err said;
	err_set(&said, ERR_MESSAGE, why->code,
	    "the connection broke each time it was listed");
	add_words(&said, why->words[0] != '\0' ? why->words : why->text);
	r->breaks.found = r->breaks.guilty = true;
	r->breaks.hi = 0;
	r->breaks.strikes = 0;

	return reading_take_bad(r, okey, &said, err);
}

/* The first in the range that an earlier run could not read; 0: none. */
static bool
known_bad(struct reading *r, const struct source_lost *lost, uint64_t *okey,
    struct err *err)
{
	const struct known *row;
	struct ahead *rows = mem_new(sizeof(*rows));
	bool ok = true, end = r->ahead.index == NULL;
	*okey = 0;
	if (!end)
		ahead_start(rows, r->ahead.index, r->f->o->job, r->mailbox);
	ahead_seek(rows, lost->lo);
	while (!end) {
		ok = ahead_peek(rows, &row, err);
		end = !ok || row == NULL || row->okey > lost->hi;
		if (!end && row->outcome == OUTCOME_UNREADABLE) {
			*okey = row->okey;
			end = true;
		}
		ahead_pop(rows);
	}
	ahead_free(rows);
	free(rows);

	return ok;
}

/* *narrower: fewer are suspect than before; *found: one was to blame. */
static bool
narrow(struct reading *r, const struct source_lost *lost, const struct err *why,
    bool *narrower, bool *found, struct err *err)
{
	struct breaks *b = &r->breaks;
	bool same = b->hi != 0 && lost->lo <= b->lo && lost->hi >= b->hi;
	uint64_t bad = 0;
	if (!same && lost->lo < lost->hi && !known_bad(r, lost, &bad, err))
		return false;
	if (!same)
		b->strikes = 0;
	*narrower = !same;
	b->lo = bad != 0 ? bad : lost->lo;
	b->hi = bad != 0 ? bad : lost->hi;
	b->known = bad != 0 || (same && b->known);
	b->strikes += lost->there;
	int enough = b->known ? 1 : LINE_STRIKES;
	log_add(LOG_DEBUG,
	    "%s: it broke while UID %" PRIu64 " to %" PRIu64 " were listed",
	    r->box->m.display, lost->lo, lost->hi);
	*found = b->strikes >= enough && b->lo >= r->next_okey;

	return !*found || give_up_line(r, b->lo, why, err);
}

static bool
too_often(const struct reading *r)
{
	return r->breaks.times > r->f->retry.max_failures;
}

static bool
too_much(const struct reading *r)
{
	return r->breaks.sum >= SUM_MAX ||
	       r->breaks.spent_ms > r->f->retry.max_pause_ms;
}

/* Where it stands, to be compared. */
static uint64_t
place(const struct reading *r)
{
	return r->next_okey + r->answered + 1;
}

void
reading_was_paused(struct reading *r)
{
	r->breaks.paused_at = place(r);
	r->breaks.since = clock_mono_ms();
}

void
reading_tell_suspects(const struct reading *r, struct source_state *state)
{
	const struct breaks *b = &r->breaks;
	state->suspect_lo = b->lo;
	state->suspect_hi = b->hi;
	/* By the check that broke before, too, or by any second command? */
	state->suspect_there = b->strikes == 1;
}

/* Did it break as the server had asked to wait, or without having been
 * connected, so that nothing follows from it? */
static bool
is_excused(struct reading *r, const struct err *why)
{
	struct breaks *b = &r->breaks;
	bool paused = b->paused_at == place(r);
	b->paused_at = 0;

	return paused || !r->f->connected || !why->transient ||
	       why->code == ERR_THROTTLE;
}

/* How long the next connection is to be waited for. */
static void
set_wait(struct reading *r, bool brief, int strikes)
{
	struct retry *retry = &r->f->retry;
	if (brief || too_often(r))
		retry_search(retry);
	else
		/* A blame may be due to a server that just starts again. */
		retry_count(retry, r->breaks.times - 1 + strikes);
}

bool
reading_broke(struct reading *r, const struct err *why, struct err *err)
{
	struct fetch *f = r->f;
	struct breaks *b = &r->breaks;
	const struct source_ops *ops = f->source->ops;
	struct source_lost lost = { 0 };
	struct want *only = wants_lost(&f->wants);
	bool first = b->times == 0, found = false, narrower = false;
	bool went_on = !first && (r->next_okey > b->next_okey ||
				     r->answered > b->answered);
	f->allow = 1;
	if (is_excused(r, why))
		return true;
	if (ops->lost != NULL)
		ops->lost(f->source->data, &lost);
	if (lost.hi != 0) {
		only = NULL;
		if (!narrow(r, &lost, why, &narrower, &found, err))
			return false;
	} else if (only != NULL) {
		found = strike_body(r, only, why);
	}
	bool struck = lost.there || only != NULL;
	bool gained = went_on || narrower || found || struck;
	bool brief =
	    found ||
	    (!struck && ((narrower && !first) || (went_on && b->guilty)));
	b->times = first || gained ? 1 : b->times + 1;
	b->sum += !first && !went_on;
	b->spent_ms += first || went_on ? 0 : clock_mono_ms() - b->since;
	b->since = clock_mono_ms();
	b->next_okey = r->next_okey;
	b->answered = r->answered;
	set_wait(r, brief, lost.there ? b->strikes : only != NULL);

	return true;
}

/* The new connection is there: waits begin anew. */
static bool
give_up_mailbox(struct reading *r, unsigned times, const char *how,
    const struct err *why, struct err *err)
{
	r->f->broken++;
	r->given_up = true;
	retry_progress(&r->f->retry);
	err_set(err, ERR_MAILBOX, why->code, "%u connections broke %s: %s",
	    times, how, why->text);
	add_words(err, why->words);

	return false;
}

bool
reading_may_go_on(struct reading *r, const struct err *why, struct err *err)
{
	const struct breaks *b = &r->breaks;
	if (too_often(r))
		return give_up_mailbox(r, (unsigned)b->times,
		    "one after the other while it was read", why, err);

	return !too_much(r) ||
	       give_up_mailbox(r, b->sum,
		   "over its messages, and that is enough for a run", why, err);
}

bool
reading_reopen(
    struct reading *r, int *times, bool *reconnected, struct err *err)
{
	struct fetch *f = r->f;
	struct err why = *err;
	bool broke = f->connected && why.scope >= ERR_ACCOUNT &&
		     why.transient && why.code != ERR_THROTTLE;
	if (broke)
		retry_count(&f->retry, *times);
	if (!fetch_recover(f, reconnected, err))
		return false;
	*times += broke;

	return *times <= f->retry.max_failures ||
	       give_up_mailbox(r, (unsigned)*times,
		   "one after the other while it was opened", &why, err);
}
