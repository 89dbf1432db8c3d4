#include "imap/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/mailbox.h"

void
imap_visit_start(struct imap_visit *v, struct imap_session *s, const char *name,
    const struct source_state *state)
{
	char *copy = mem_str(name);
	imap_visit_reset(v);
	v->s = s;
	v->name = copy;
	v->state = state != NULL ? *state : (struct source_state){ 0 };
}

void
imap_visit_reset(struct imap_visit *v)
{
	imap_pass_reset(&v->pass);
	imap_changes_reset(&v->changes);
	free(v->name);
	*v = (struct imap_visit){ .pass = v->pass };
}

static bool
same_state(const struct source_state *a, const struct source_state *b)
{
	return a->uidvalidity == b->uidvalidity && a->uidnext == b->uidnext &&
	       a->modseq == b->modseq && a->messages == b->messages &&
	       a->message_ids == b->message_ids && a->only_new == b->only_new &&
	       a->suspect_lo == b->suspect_lo &&
	       a->suspect_hi == b->suspect_hi &&
	       a->suspect_there == b->suspect_there;
}

bool
imap_visit_is(const struct imap_visit *v, const char *name,
    const struct source_state *state)
{
	static const struct source_state none;

	return v->name != NULL && strcmp(v->name, name) == 0 &&
	       same_state(&v->state, state != NULL ? state : &none);
}

/* --- what is asked ----------------------------------------------------- */

void
imap_visit_tell_pass(struct imap_visit *v)
{
	v->pass.message_ids = v->state.message_ids;
	v->pass.suspect_lo = v->state.suspect_lo;
	v->pass.suspect_hi = v->state.suspect_hi;
	if (v->state.suspect_there)
		v->pass.there = v->state.suspect_lo;
}

void
imap_visit_begin(struct imap_visit *v, const struct source_opened *opened)
{
	const struct source_state *state = &v->state;
	bool delta =
	    state->uidnext != 0 && state->uidvalidity == opened->uidvalidity;
	uint64_t from = delta ? state->uidnext : 1, lo = 1;
	struct source_opened o = *opened;
	imap_changes_reset(&v->changes);
	if (delta && !state->only_new &&
	    imap_changes_can(v->s, state, opened)) {
		imap_changes_start(&v->changes, v->s, state, opened);
		lo = from;
	} else if (delta && state->only_new) {
		lo = from;
		/* By its UIDNEXT nothing is there: is that true? */
		if (from >= o.uidnext)
			o.uidnext = 0;
	}
	imap_pass_start(&v->pass, v->s, &o, lo, from);
	imap_visit_tell_pass(v);
}

/* Does STATUS tell all that the first commands hang on, and is no command
 * needed that others hang on (the edges)? */
static bool
guess(struct imap_visit *v, const struct source_opened *status)
{
	if (status == NULL || status->uidvalidity == 0 ||
	    status->uidnext <= status->messages)
		return false;
	v->guess = *status;
	v->guess.mailbox_id = NULL;
	imap_visit_begin(v, &v->guess);
	v->guessed = v->pass.probed;
	if (!v->guessed) {
		imap_pass_reset(&v->pass);
		imap_changes_reset(&v->changes);
	}

	return v->guessed;
}

bool
imap_visit_send(
    struct imap_visit *v, const struct source_opened *status, struct err *err)
{
	struct buf line = { 0 };
	imap_mailbox_command(v->s, "EXAMINE", v->name, &line);
	bool more = guess(v, status);
	v->tag = imap_session_queue(v->s, line.data, line.len, err);
	buf_free(&line);
	if (v->tag == 0)
		return false;
	if (more && (!imap_changes_ask(&v->changes, err) ||
			!imap_pass_ask(&v->pass, err)))
		return false;

	return wire_flush(v->s->wire, err) || imap_session_die(v->s, err);
}

/* --- answers ----------------------------------------------------------- */

void
imap_visit_drain(struct imap_visit *v)
{
	v->changes.draining = true;
}

void
imap_visit_opened(struct imap_visit *v, const struct source_opened *opened)
{
	v->opened = *opened;
	snprintf(v->mailbox_id, sizeof(v->mailbox_id), "%s",
	    opened->mailbox_id != NULL ? opened->mailbox_id : "");
}

void
imap_visit_examined(struct imap_visit *v, const struct imap_reply *r)
{
	struct source_opened opened;
	v->tag = 0;
	v->s->selected.cut = false;
	if (r->status == IMAP_OK) {
		v->good = imap_mailbox_opened(v->s, &opened);
		if (v->good)
			imap_visit_opened(v, &opened);
		return;
	}
	v->refused = true;
	imap_mailbox_refused(r, "EXAMINE", v->name, &v->refusal);
	imap_visit_drain(v);
}

bool
imap_visit_guess_holds(const struct imap_visit *v)
{
	const struct source_opened *a = &v->guess, *b = &v->opened;

	return v->guessed && a->uidvalidity == b->uidvalidity &&
	       a->uidnext == b->uidnext && a->messages == b->messages &&
	       (a->modseq == b->modseq || v->state.uidnext == 0);
}

bool
imap_visit_flying(const struct imap_visit *v)
{
	return v->tag != 0 || v->pass.flying != NULL ||
	       imap_changes_flying(&v->changes) != 0;
}

bool
imap_visit_has(const struct imap_visit *v, unsigned tag)
{
	return tag != 0 &&
	       (tag == v->tag || tag == v->changes.tag ||
		   tag == v->changes.search.tag ||
		   (v->pass.flying != NULL && v->pass.flying->tag == tag));
}

bool
imap_visit_done(struct imap_visit *v, unsigned tag, const struct imap_reply *r,
    int64_t *pause, struct err *err)
{
	if (tag == v->tag) {
		imap_visit_examined(v, r);
		return true;
	}
	if (v->pass.flying == NULL || v->pass.flying->tag != tag) {
		imap_changes_done(&v->changes, tag, r, pause);
		return true;
	}
	if (!v->refused)
		return imap_pass_done(&v->pass, r, pause, err);
	imap_window_free(&v->pass.flying);

	return true;
}
