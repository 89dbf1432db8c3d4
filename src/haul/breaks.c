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
 * be reached, so no long wait either. If steps don't lead to a message, the
 * mailbox is given up: by then the server has taken every new connection.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "reading.h"

enum {
	STRIKES_MAX = 2, /* one message, by itself */
	TIMES_MAX = 3,   /* without anything gained */
	SUM_MAX = 400    /* in a mailbox: of its list, some 50 new messages */
};

/* They are escaped already. */
static void
add_words(struct err *err, const char *words)
{
	snprintf(err->words, sizeof(err->words), "%.*s",
	    (int)sizeof(err->words) - 1, words);
}

static bool
strike_body(struct reading *r, struct want *only, const struct err *why)
{
	struct wants *w = &r->f->wants;
	struct kept_placement p;
	if (++only->blame < STRIKES_MAX)
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

/* *gained: fewer are suspect than before, or one is found. */
static bool
narrow(struct reading *r, const struct source_lost *lost, const struct err *why,
    bool *gained, struct err *err)
{
	struct breaks *b = &r->breaks;
	bool same = b->hi != 0 && lost->lo <= b->lo && lost->hi >= b->hi;
	uint64_t bad = 0;
	if (!same && lost->lo < lost->hi && !known_bad(r, lost, &bad, err))
		return false;
	if (!same)
		b->strikes = 0;
	*gained = !same;
	b->lo = bad != 0 ? bad : lost->lo;
	b->hi = bad != 0 ? bad : lost->hi;
	b->known = bad != 0 || (same && b->known);
	b->strikes += lost->there;
	int enough = b->known ? 1 : STRIKES_MAX;
	log_add(LOG_DEBUG,
	    "%s: it broke while UID %" PRIu64 " to %" PRIu64 " were listed",
	    r->box->m.display, lost->lo, lost->hi);
	if (b->strikes < enough || b->lo < r->next_okey)
		return true;
	*gained = true;

	return give_up_line(r, b->lo, why, err);
}

bool
reading_broke(struct reading *r, const struct err *why, struct err *err)
{
	struct fetch *f = r->f;
	struct breaks *b = &r->breaks;
	const struct source_ops *ops = f->source->ops;
	struct source_lost lost = { 0 };
	struct want *only = wants_lost(&f->wants);
	bool first = b->times == 0, gained = false;
	bool went_on = !first && (r->next_okey > b->next_okey ||
				     r->answered > b->answered);
	f->allow = 1;
	if (!why->transient || why->code == ERR_THROTTLE)
		return true;
	if (ops->lost != NULL)
		ops->lost(f->source->data, &lost);
	if (lost.hi != 0 && !narrow(r, &lost, why, &gained, err))
		return false;
	if (lost.hi == 0 && only != NULL)
		gained = strike_body(r, only, why);
	b->times = first || went_on || gained ? 1 : b->times + 1;
	b->sum += !first && !went_on;
	b->next_okey = r->next_okey;
	b->answered = r->answered;
	if ((gained && !first) || (went_on && b->guilty))
		retry_search(&f->retry);
	else if (went_on)
		retry_progress(&f->retry);

	return true;
}

/* The new connection is there: waits begin anew. */
static bool
give_up_mailbox(
    struct reading *r, unsigned times, const struct err *why, struct err *err)
{
	r->f->broken++;
	retry_progress(&r->f->retry);
	err_set(err, ERR_MAILBOX, why->code, "%u connections broke %s: %s",
	    times,
	    times < SUM_MAX ? "one after the other while it was read"
			    : "over its messages, and that is enough for a run",
	    why->text);
	add_words(err, why->words);

	return false;
}

bool
reading_may_go_on(struct reading *r, const struct err *why, struct err *err)
{
	const struct breaks *b = &r->breaks;
	if (b->times < TIMES_MAX && b->sum < SUM_MAX)
		return true;

	return give_up_mailbox(
	    r, b->times < TIMES_MAX ? b->sum : (unsigned)b->times, why, err);
}

bool
reading_may_open(
    struct reading *r, int times, const struct err *why, struct err *err)
{
	return times < TIMES_MAX ||
	       give_up_mailbox(r, (unsigned)times, why, err);
}
