/* What is gone, and whether the sums come out (reading.h, 1 and 2). */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "reading.h"

enum { PIECE_OCTETS = 8192 }; /* of ranges on the belt */

/* What a delta pass leaves of the messages that were there before. */
struct left {
	uint64_t gone, gone_excluded;
};

bool
reading_pass_over(struct reading *r, uint64_t okey, struct err *err)
{
	for (;;) {
		const struct known *row;
		if (!ahead_peek(&r->ahead, &row, err))
			return false;
		if (row == NULL || row->okey >= okey)
			return true;
		/* Nothing stands between two that follow each other here, so
		 * one range may hold both. */
		ranges_add(&r->missed,
		    r->missed_last != 0 ? r->missed_last : row->okey,
		    row->okey);
		r->missed_last = row->okey;
		r->missed_count += row->outcome != OUTCOME_VANISHED;
		ahead_pop(&r->ahead);
	}
}

/* ---- DELTA: what is gone below UIDNEXT ---- */

static void
count_gone(struct left *left, enum outcome outcome, uint64_t n)
{
	if (outcome != OUTCOME_VANISHED)
		left->gone += n;
	if (outcome == OUTCOME_EXCLUDED)
		left->gone_excluded += n;
}

/* The source told what is gone: how much of it was known? */
static bool
count_told(struct reading *r, struct left *left, struct err *err)
{
	struct fetch *f = r->f;
	uint64_t top = r->delta.state.uidnext - 1;
	uint64_t by[OUTCOME_COUNT];
	struct ranges sure = { 0 };
	struct ranges_cursor c;
	struct range range;
	ranges_start(&c, &r->gone);
	while (ranges_next(&c, &range) && range.lo <= top) {
		uint64_t hi = range.hi < top ? range.hi : top, n = 0;
		if (!index_live_count(f->index, f->o->job, r->mailbox, range.lo,
			hi, by, err)) {
			ranges_free(&sure);
			return false;
		}
		for (int i = 0; i < OUTCOME_COUNT; i++) {
			count_gone(left, (enum outcome)i, by[i]);
			n += by[i];
		}
		if (n > 0)
			ranges_add(&sure, range.lo, hi);
	}
	ranges_free(&r->gone);
	r->gone = sure;

	return true;
}

struct sweep {
	struct ranges_cursor told;
	struct range alive; /* the range at hand; hi 0: none is left */
	uint64_t told_count, matched;
	uint64_t top;
};

static void
next_alive(struct sweep *s)
{
	if (!ranges_next(&s->told, &s->alive) || s->alive.lo > s->top) {
		s->alive = (struct range){ 0 };
		return;
	}
	if (s->alive.hi > s->top)
		s->alive.hi = s->top;
	s->told_count += s->alive.hi - s->alive.lo + 1;
}

static bool
is_alive(struct sweep *s, uint64_t okey)
{
	while (s->alive.hi != 0 && s->alive.hi < okey)
		next_alive(s);

	return s->alive.hi != 0 && s->alive.lo <= okey;
}

/* The source told all that is left: what else the index holds is gone. */
static bool
sweep(struct reading *r, struct left *left, struct err *err)
{
	struct sweep s = { .top = r->delta.state.uidnext - 1 };
	uint64_t last = 0; /* gone, with nothing alive behind it */
	ranges_start(&s.told, &r->told);
	next_alive(&s);
	ahead_seek(&r->ahead, 1);
	for (;;) {
		const struct known *row;
		if (!ahead_peek(&r->ahead, &row, err))
			return false;
		if (row == NULL || row->okey > s.top)
			break;
		if (is_alive(&s, row->okey)) {
			s.matched++;
			last = 0;
		} else {
			ranges_add(
			    &r->gone, last != 0 ? last : row->okey, row->okey);
			last = row->okey;
			count_gone(left, row->outcome, 1);
		}
		ahead_pop(&r->ahead);
	}
	while (s.alive.hi != 0)
		next_alive(&s);
	r->strange = r->strange || s.told_count > s.matched;

	return true;
}

static bool
find_gone(struct reading *r, struct left *left, struct err *err)
{
	if (!r->swept)
		return count_told(r, left, err);
	ranges_free(&r->gone);

	return sweep(r, left, err);
}

/* ---- DELTA: do the sums come out? ---- */

static bool
add_up(struct reading *r, const struct left *left)
{
	struct meter *m = r->f->meter;
	uint64_t before = r->delta.state.messages;
	uint64_t there = r->opened.messages + r->arrived;
	if (left->gone > before || left->gone_excluded > r->excluded_before)
		return false;
	uint64_t old = before - left->gone;
	uint64_t excluded = r->excluded_before - left->gone_excluded;
	uint64_t have = old + r->listed;
	if (excluded > old || have > there || there - have > r->expunged)
		return false;
	r->counts.by[OUTCOME_VANISHED] += there - have;
	r->counts.by[OUTCOME_EXCLUDED] += excluded;
	r->counts.already += old - excluded;
	atomic_fetch_add(&m->listed, old);
	atomic_fetch_add(&m->excluded, excluded);
	atomic_fetch_add(&m->known, old - excluded);
	r->opened.messages = there;

	return true;
}

bool
reading_reckon_delta(struct reading *r, bool *widen, struct err *err)
{
	struct left left = { 0 };
	*widen = true;
	/* The rows above UIDNEXT, of a run that was killed. */
	if (!r->started)
		ahead_seek(&r->ahead, r->delta.state.uidnext);
	if (!reading_pass_over(r, r->state.uidnext, err))
		return false;
	if (r->strange || r->told.overflown || r->gone.overflown)
		return true;
	if (!find_gone(r, &left, err))
		return false;
	/* A list that was too short may add up by chance. */
	*widen = r->strange || !r->complete || !add_up(r, &left);
	r->gone_count = left.gone;

	return true;
}

/* ---- FULL ---- */

/* What the listing lacks of what the server counted, or has too much. */
void
reading_reckon_full(struct reading *r)
{
	uint64_t said = r->opened.messages;
	if (r->listed >= said) {
		r->opened.messages = r->listed;
		return;
	}
	uint64_t missing = said - r->listed;
	uint64_t gone = missing < r->expunged ? missing : r->expunged;
	r->counts.by[OUTCOME_VANISHED] += gone;
	r->counts.by[OUTCOME_UNKNOWN] += missing - gone;
	if (missing > gone)
		log_add(LOG_WARN,
		    "%s: the server says %" PRIu64 " messages and listed "
		    "%" PRIu64 "; %" PRIu64 " are unknown",
		    r->box->m.display, said, r->listed, missing - gone);
}

/* ---- over the belt ---- */

static bool
push_piece(struct reading *r, struct ranges *piece, uint64_t n)
{
	if (ranges_empty(piece))
		return true;
	struct belt *b = belt_new(BELT_GONE, r->mailbox);
	b->ranges = *piece;
	b->gone = n;
	*piece = (struct ranges){ 0 };

	return fetch_push(r->f, &b);
}

static bool
push_ranges(struct reading *r, struct ranges *set, uint64_t n)
{
	struct ranges piece = { 0 };
	struct ranges_cursor c;
	struct range range;
	bool ok = true;
	ranges_start(&c, set);
	while (ok && ranges_next(&c, &range)) {
		ranges_add(&piece, range.lo, range.hi);
		if (piece.octets < PIECE_OCTETS)
			continue;
		ok = push_piece(r, &piece, n);
		n = 0;
	}
	ok = ok && push_piece(r, &piece, n);
	ranges_free(&piece);

	return ok;
}

bool
reading_push_gone(struct reading *r)
{
	return push_ranges(r, &r->gone, r->gone_count) &&
	       push_ranges(r, &r->missed, r->missed_count);
}
