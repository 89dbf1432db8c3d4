/*
 * One mailbox: announced, compared with the index, fetched.  What is wanted
 * stays in fetch.wants until it is answered, over any number of connections.
 * reading.h says what must hold.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "reading.h"

/* ---- over the belt ---- */

bool
reading_push_counts(struct reading *r)
{
	struct belt *b = belt_new(BELT_COUNT, r->mailbox);
	b->counts = r->counts;
	r->counts = (struct index_counts){ 0 };

	return fetch_push(r->f, &b);
}

bool
reading_push_outcome(struct reading *r, struct kept_placement *p,
    enum outcome outcome, const char *class, const char *text,
    const char *words)
{
	struct belt *b = belt_new(BELT_OUTCOME, r->mailbox);
	b->placement = *p;
	*p = (struct kept_placement){ 0 };
	b->outcome = outcome;
	b->class = class;
	b->text = words == NULL || words[0] == '\0'
		      ? mem_str(text)
		      : mem_fmt("%s; server: %s", text, words);
	if (outcome != OUTCOME_EXCLUDED) {
		atomic_fetch_add(&r->f->meter->failed, 1);
		log_add(LOG_WARN, "%s UID %" PRIu64 " %s: %s",
		    r->box->m.display, b->placement.p.okey,
		    outcome_word(outcome), b->text);
	}
	/* Nobody takes anything off a dry run's belt. */
	if (r->f->o->dry_run) {
		r->counts.by[outcome]++;
		belt_free(&b);
		return true;
	}

	return fetch_push(r->f, &b);
}

static bool
push_message(
    struct reading *r, struct kept_placement *p, struct content **content)
{
	struct belt *b = belt_new(BELT_MESSAGE, r->mailbox);
	uint64_t size = content_size(*content);
	char rule[200];
	if (size != p->p.size)
		log_add(LOG_INFO,
		    "%s UID %" PRIu64 ": %" PRIu64 " octets arrived, %" PRIu64
		    " were announced; what arrived counts",
		    r->box->m.display, p->p.okey, size, p->p.size);
	b->rematch = r->rematch.on;
	b->earlier = r->box->earlier;
	if (b->rematch)
		b->text = mem_str(filter_message(
		    &r->f->o->filter, &p->p, rule, sizeof(rule)));
	b->placement = *p;
	*p = (struct kept_placement){ 0 };
	b->content = *content;
	*content = NULL;
	atomic_fetch_add(&r->f->meter->fetched, 1);
	atomic_fetch_add(&r->f->meter->fetched_octets, size);

	return fetch_push(r->f, &b);
}

/* ---- bodies ---- */

static bool
announce_some(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	bool later = false;
	while (!r->announced && !later && f->wants.count < f->window &&
	       !f->stopped && !stop_asked())
		if (!reading_announce(r, &later, err))
			return false;

	return true;
}

/* In portions, or every answer would send a command for one message. */
static bool
request_some(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	struct wants *w = &f->wants;
	size_t portion = f->allow < 4 ? 1 : f->allow / 4;
	if (w->fresh == 0 || w->requested + portion > f->allow)
		return true;
	if (w->fresh < portion && !r->announced && w->requested > 0)
		return true;
	size_t n =
	    wants_request(w, f->allow - w->requested, f->okeys, f->sizes);

	return f->source->ops->request(
	    f->source->data, f->okeys, f->sizes, n, err);
}

static bool
take_body(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	struct source_body body = { 0 };
	if (!f->source->ops->body(f->source->data, &body, err))
		return false;
	struct want *want = wants_find(&f->wants, body.okey);
	if (want == NULL) {
		content_free(&body.content);
		return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "%s: an answer for UID %" PRIu64
		    ", which was not asked for",
		    r->box->m.display, body.okey);
	}
	struct kept_placement p;
	wants_answer(&f->wants, want, &p);
	retry_progress(&f->retry);
	r->answered++;
	f->allow = f->allow * 2 < f->window ? f->allow * 2 : f->window;
	if (body.kind == SOURCE_BODY)
		push_message(r, &p, &body.content);
	else
		reading_push_outcome(r, &p,
		    body.kind == SOURCE_VANISHED ? OUTCOME_VANISHED
						 : OUTCOME_UNREADABLE,
		    err_code_word(body.why.code), body.why.text,
		    body.why.words);
	placement_drop(&p);

	return true;
}

/* ---- the whole of it ---- */

/* A delta pass told less or more than there is: look at all of them. */
static bool
widen(struct reading *r, struct err *err)
{
	struct source_opened opened;
	const struct source_state all = { .message_ids = r->rematch.n > 0 };
	log_add(
	    LOG_INFO, "%s: looking at every message again", r->box->m.display);
	ranges_free(&r->told);
	ranges_free(&r->gone);
	ranges_free(&r->missed);
	r->missed_count = r->missed_last = r->gone_count = 0;
	/* They are told again, and nothing tells them apart. */
	r->listed -= r->nameless;
	r->counts.by[OUTCOME_UNREADABLE] -= r->nameless;
	r->nameless = 0;
	r->pass = PASS_FULL;
	r->new_from = r->delta.state.uidnext;
	r->new_to = r->next_okey;
	r->next_okey = 1;
	r->expunged = 0;
	r->announced = r->cut = false;
	r->breaks = (struct breaks){ .sum = r->breaks.sum };
	ahead_seek(&r->ahead, 1);
	if (!reading_select(r, &all, &opened, err) ||
	    !reading_is_same(r, &opened, err))
		return false;
	r->opened.messages = opened.messages;
	r->opened.uidnext = opened.uidnext;
	r->last = opened;

	return true;
}

/* All is announced and answered: *done unless it must be looked at again. */
static bool
reckon(struct reading *r, bool *done, struct err *err)
{
	bool more = false;
	if (r->pass == PASS_DELTA) {
		if (!reading_reckon_delta(r, &more, err))
			return false;
		*done = !more;
		return *done || widen(r, err);
	}
	if (!reading_pass_over(r, UINT64_MAX, err))
		return false;
	reading_reckon_full(r);
	*done = true;

	return true;
}

/* Until all is announced and answered, or a call fails. */
static bool
pump(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	for (bool done = false; !done;) {
		if (!announce_some(r, err) || !request_some(r, err))
			return false;
		if (f->stopped || stop_asked()) {
			f->stopped = true;
			return true;
		}
		if (r->announced && f->wants.fresh == 0)
			fetch_hint_next(f);
		if (f->wants.requested > 0) {
			if (!take_body(r, err))
				return false;
		} else if (r->announced && f->wants.count == 0 &&
			   !reckon(r, &done, err)) {
			return false;
		}
	}

	return true;
}

/* Where a new connection goes on. */
static struct source_state
where_it_was(struct reading *r)
{
	struct source_state state = { .message_ids = r->rematch.n > 0 };
	if (r->pass == PASS_DELTA && !r->started && !r->announced) {
		ranges_free(&r->told);
		ranges_free(&r->gone);
		r->strange = false;
		state = r->delta.state;
		reading_tell_suspects(r, &state);
		return state;
	}
	reading_tell_suspects(r, &state);
	if (r->next_okey == 1 && !r->announced)
		return state;
	r->cut = r->cut || !r->announced;
	state.uidvalidity = r->opened.uidvalidity;
	state.uidnext = r->next_okey;
	state.only_new = true;

	return state;
}

/* What two EXAMINEs say of the time between them: how many were expunged, if
 * each new UID is a message. */
static void
compare_counts(struct reading *r, const struct source_opened *now)
{
	const struct source_opened *last = &r->last;
	uint64_t had = last->messages;
	if (last->uidnext != 0 && now->uidnext > last->uidnext)
		had += now->uidnext - last->uidnext;
	if (had > now->messages)
		r->expunged += had - now->messages;
	r->last = *now;
}

static void
go_on(struct reading *r, const struct source_opened *now, bool anew)
{
	if (!anew) {
		compare_counts(r, now);
		return;
	}
	r->opened = r->last = *now;
	r->modseq = now->modseq;
}

/* After a failed call: everything again that is needed to go on. */
static bool
resume(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	struct err why = *err;
	bool reconnected = false;
	if (r->another || r->given_up ||
	    (err->scope >= ERR_ACCOUNT && !stop_asked() &&
		!reading_broke(r, &why, err)))
		return false;
	if (!fetch_recover(f, &reconnected, err))
		return false;
	if (why.code == ERR_THROTTLE)
		reading_was_paused(r);
	if (!reconnected)
		return true;
	if (!reading_may_go_on(r, &why, err))
		return false;
	struct source_opened opened;
	struct source_state state = where_it_was(r);

	if (!reading_select(r, &state, &opened, err) ||
	    !reading_is_same(r, &opened, err))
		return false;
	go_on(r, &opened, !state.only_new);

	return true;
}

/* ---- its end ---- */

static void
remember(struct reading *r)
{
	struct box *box = r->box;
	box->seen = true;
	box->then = r->opened;
	box->then.uidnext = r->state.uidnext;
	box->then.mailbox_id = NULL;
}

static void
push_close(struct reading *r, bool advance, bool whole)
{
	struct belt *b = belt_new(BELT_CLOSE, r->mailbox);
	b->box = r->box->number;
	b->counts.inventory = r->opened.messages;
	b->counts.scanned = (int)r->pass;
	b->state = r->state;
	b->state.messages = r->opened.messages;
	if (r->modseq < b->state.modseq)
		b->state.modseq = r->modseq;
	b->advance = advance;
	b->whole = whole;
	b->earlier = r->box->earlier;
	b->before = r->rematch.ends;
	b->before_count = r->rematch.end_count;
	r->rematch.ends = NULL;
	r->rematch.end_count = 0;
	fetch_push(r->f, &b);
}

static bool
finish(struct reading *r)
{
	/* A message without a row would be "already there" the next time. */
	bool all_known = r->counts.by[OUTCOME_UNKNOWN] == 0 && r->nameless == 0;
	bool full = r->pass == PASS_FULL;
	bool whole = r->complete && all_known && !r->breaks.found;
	bool gone = r->gone_count + r->missed_count > 0;
	bool may_end = whole && (!full || (r->swept && !r->cut));
	remember(r);
	r->box->doubtful = full && whole && gone && r->cut;
	if (may_end && !reading_push_gone(r))
		return true;
	if (reading_push_counts(r))
		push_close(r,
		    all_known && (may_end || !gone) && !r->opened.fleeting,
		    full && whole);

	return true;
}

static bool
read_once(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	meter_set_phase(f->meter, METER_LISTING);
	if (!reading_begin(r, err))
		return f->stopped && !r->another;
	meter_set_phase(f->meter, METER_COPYING);
	while (!pump(r, err))
		if (!resume(r, err)) {
			reading_push_counts(r);
			return f->stopped && !r->another;
		}
	if (f->stopped) {
		reading_push_counts(r);
		return true;
	}

	return finish(r);
}

bool
fetch_mailbox(struct fetch *f, struct box *box, struct err *err)
{
	for (;;) {
		struct reading *r = mem_new(sizeof(*r));
		r->f = f;
		r->box = box;
		bool ok = read_once(r, err);
		bool another = r->another;
		reading_free(r);
		free(r);
		if (ok || !another)
			return ok;
		wants_clear(&f->wants);
		if (!fetch_sync(f))
			return true;
	}
}
