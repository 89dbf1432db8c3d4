/*
 * Which generation of a mailbox the source shows, and how it is to be read.
 *
 * A new UIDVALIDITY, another MAILBOXID, a UIDNEXT that went down, or a UID that
 * names another message than it did, begins a generation. Its messages are
 * listed with their Message-IDs and looked for in the generation before
 * (rematch.c). That one ends with the transaction that stores the new one's
 * state, so a kill before leaves it to be looked into again.
 *
 * UIDVALIDITY may change under us. Then the reading is begun anew, behind a
 * barrier, as the index has to know all that was settled. A server that does
 * it again and again would keep us for ever: CHANGES_MAX times in a run.
 *
 * A mailbox whose UIDs don't last (UIDNOTSTICKY, RFC 4315, 3) is another
 * generation each time it is opened, and no state of it is stored: all of it
 * is listed in one go and looked for in the generation before.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "reading.h"

enum { CHANGES_MAX = 2 };

/* ---- is the last pass enough to look only at what is new? ---- */

/* Some message is to be asked for again, or the index lost count. */
static bool
must_retry(struct reading *r, bool *yes, struct err *err)
{
	struct fetch *f = r->f;
	const struct source_state *state = &r->delta.state;
	uint64_t by[OUTCOME_COUNT];
	bool todo = false;
	*yes = false;
	r->excluded_before = 0;
	if (!index_todo(f->index, f->o->job, r->mailbox, &todo, err))
		return false;
	if (!todo)
		return true;
	if (!index_live_count(f->index, f->o->job, r->mailbox, 0,
		state->uidnext - 1, by, err))
		return false;
	r->excluded_before = by[OUTCOME_EXCLUDED];
	*yes = by[OUTCOME_PENDING] + by[OUTCOME_QUARANTINED] +
		   by[OUTCOME_UNREADABLE] + by[OUTCOME_UNKNOWN] >
	       0;

	return true;
}

bool
reading_delta_is_enough(
    struct reading *r, uint64_t uidvalidity, bool *yes, struct err *err)
{
	struct fetch *f = r->f;
	bool retry = false;
	*yes = false;
	if (!index_delta(f->index, f->o->job, r->mailbox, &r->delta, err))
		return false;
	r->delta.state.uidvalidity = uidvalidity;
	if (!r->delta.found || r->delta.state.uidnext == 0 ||
	    memcmp(f->filter_sha256, r->delta.filter_sha256,
		sizeof(f->filter_sha256)) != 0)
		return true;
	if (!must_retry(r, &retry, err))
		return false;
	*yes = !retry;

	return true;
}

/* ---- opening ---- */

bool
reading_select(struct reading *r, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct fetch *f = r->f;
	bool again = false;
	int times = 0;
	while (!f->source->ops->open(
	    f->source->data, r->box->m.name, state, opened, err)) {
		if (err->scope < ERR_ACCOUNT && err->code != ERR_THROTTLE)
			return false;
		if (!reading_reopen(r, &times, &again, err))
			return false;
	}

	return true;
}

static bool
changes_too_often(const struct reading *r, uint64_t now, struct err *err)
{
	err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "UIDVALIDITY changed %d times during this run, at last to %" PRIu64
	    ": a mailbox whose messages get new numbers on each connection "
	    "can't be followed; what was copied is kept, nothing was ended",
	    r->box->changes, now);

	return err_hint(err, "The server's owner has to mend it.");
}

static bool
note_uidvalidity(
    struct reading *r, uint64_t before, uint64_t now, struct err *err)
{
	struct box *box = r->box;
	uint64_t known = box->uidvalidity != 0 ? box->uidvalidity : before;
	box->uidvalidity = now;
	if (known == 0 || known == now)
		return true;
	log_add(LOG_WARN,
	    "%s: UIDVALIDITY changed from %" PRIu64 " to %" PRIu64
	    ": every message is looked at again, none is stored twice",
	    box->m.display, known, now);

	return ++box->changes <= CHANGES_MAX || changes_too_often(r, now, err);
}

/* What was read of it is settled and will be known again. */
static bool
lost_its_uids(struct reading *r, struct err *err)
{
	struct box *box = r->box;
	if (++box->changes > CHANGES_MAX)
		return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		    "its UIDs don't outlast a connection (UIDNOTSTICKY), and "
		    "%d were lost while it was read; what was copied is kept, "
		    "nothing was ended",
		    box->changes);
	r->another = true;

	return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "its UIDs were lost with the connection");
}

static bool
is_another_mailbox(struct reading *r, struct err *err)
{
	struct box *box = r->box;
	if (++box->changes > CHANGES_MAX)
		return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		    "%d times during this run another mailbox had its name "
		    "(MAILBOXID); what was copied is kept, nothing was ended",
		    box->changes);
	log_add(LOG_WARN,
	    "%s: another mailbox has this name now (MAILBOXID): it is read "
	    "from its beginning",
	    box->m.display);
	r->another = true;

	return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "another mailbox got its name during the run");
}

bool
reading_is_same(
    struct reading *r, const struct source_opened *opened, struct err *err)
{
	if (r->opened.fleeting || opened->fleeting)
		return lost_its_uids(r, err);
	if (opened->uidvalidity == r->opened.uidvalidity)
		return r->mailbox_id == NULL || opened->mailbox_id == NULL ||
		       strcmp(r->mailbox_id, opened->mailbox_id) == 0 ||
		       is_another_mailbox(r, err);
	if (!note_uidvalidity(r, 0, opened->uidvalidity, err))
		return false;
	r->another = true;

	return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "UIDVALIDITY changed during the run");
}

/* ---- the generation's row ---- */

/* UIDs were given out that the server has forgotten: a restore from a backup
 * that kept UIDVALIDITY. They may name other messages by now. */
static bool
went_back(const struct reading *r)
{
	return !r->lies && r->opened.uidnext != 0 &&
	       r->opened.uidnext < r->known_uidnext;
}

bool
reading_restart(struct reading *r, uint64_t okey, struct err *err)
{
	struct box *box = r->box;
	if (++box->changes > CHANGES_MAX)
		return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		    "its UIDs name other messages again and again during this "
		    "run; what was copied is kept, nothing was ended");
	log_add(LOG_WARN,
	    "%s: UID %" PRIu64 " names another message than it did: every "
	    "message is looked at again, none is stored twice",
	    box->m.display, okey);
	box->restart = r->another = true;

	return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "UID %" PRIu64 " names another message by now", okey);
}

static bool
restart(struct reading *r, const struct source_mailbox *m, struct err *err)
{
	struct fetch *f = r->f;
	if (!r->box->restart)
		log_add(LOG_WARN,
		    "%s: UIDNEXT went down from %" PRIu64 " to %" PRIu64
		    ": every message is looked at again, none is stored twice",
		    m->display, r->known_uidnext, r->opened.uidnext);
	r->box->restart = false;
	r->fresh_volume = true;

	return index_mailbox_restart(f->index, f->o->source_account, m,
	    r->opened.uidvalidity, f->o->run, &r->mailbox, err);
}

/* ---- a UIDNEXT that went down ---- */

/* The first UID that the server lists though it is not below its own UIDNEXT;
 * 0: there is none. */
static bool
listed_above(struct reading *r, uint64_t *okey, struct err *err)
{
	struct source *source = r->f->source;
	struct source_opened now;
	struct source_event e = { .kind = SOURCE_LATER };
	const struct source_state above = {
		.uidvalidity = r->opened.uidvalidity,
		.uidnext = r->opened.uidnext,
		.only_new = true,
	};
	bool reconnected = true, told;
	int times = 0;
	*okey = 0;
	while (*okey == 0 && e.kind != SOURCE_END) {
		if (reconnected && (!reading_select(r, &above, &now, err) ||
				       !reading_is_same(r, &now, err)))
			return false;
		reconnected = false;
		told = source->ops->announce(source->data, &e, err);
		if (!told) {
			if (!reading_reopen(r, &times, &reconnected, err))
				return false;
			e.kind = SOURCE_LATER; /* it isn't over yet */
		} else if (e.kind == SOURCE_SEEN && now.uidnext != 0 &&
			   e.placement.okey >= now.uidnext) {
			*okey = e.placement.okey;
		}
	}

	return true;
}

/*
 * A UIDNEXT below one that was told before, or below the UIDs of an index
 * without a state, is that of a restored mailbox; unless it is wrong anyway:
 * then nothing follows from it.
 */
static bool
look_at_uidnext(struct reading *r, const struct source_state *state,
    uint64_t uidvalidity, struct err *err)
{
	struct source_opened now;
	uint64_t top = 0, above = 0;
	if (r->opened.uidvalidity != uidvalidity || r->opened.uidnext == 0)
		return true;
	if (!r->delta.found &&
	    !index_top_okey(r->f->index, r->mailbox, &top, err))
		return false;
	r->known_uidnext = r->delta.found ? r->delta.state.uidnext : top + 1;
	if (r->opened.uidnext >= r->known_uidnext)
		return true;
	if (!listed_above(r, &above, err))
		return false;
	if (!reading_select(r, state, &now, err) ||
	    !reading_is_same(r, &now, err))
		return false;
	r->opened = now;
	/* A message that just came has moved UIDNEXT on by now. */
	r->lies = above != 0 && now.uidnext != 0 && now.uidnext <= above;
	if (r->lies)
		r->opened.uidnext = 0;

	return true;
}

/* live: the generation that the index knew; 0: none. */
static bool
enter_generation(struct reading *r, uint64_t live, struct err *err)
{
	struct fetch *f = r->f;
	struct source_mailbox m = r->box->m;
	bool is_new = true;
	if (r->box->restart || went_back(r))
		return restart(r, &m, err);
	if (!index_mailbox(f->index, f->o->source_account, &m,
		r->opened.uidvalidity, f->o->run, &r->mailbox, &is_new, err))
		return false;
	r->has_rows = !is_new;
	/* An old generation came back: the names of its entries are taken, and
	 * octets may be kept for the very same UIDs. */
	bool revived = r->mailbox != live && !is_new;
	/* The same for another mailbox with this name and UIDVALIDITY. */
	r->fresh_volume =
	    revived || (is_new && live != 0 &&
			   r->delta.state.uidvalidity == r->opened.uidvalidity);
	if (r->fresh_volume && is_new)
		log_add(LOG_WARN,
		    "%s: another mailbox has this name now (MAILBOXID)",
		    m.display);
	r->rematch.on = r->rematch.on || revived;

	return true;
}

/* It is opened once more if it was not opened for all that is wanted; that
 * names the UIDs, and nothing was read by the others. */
static bool
enter_fleeting(
    struct reading *r, const struct source_state *asked, struct err *err)
{
	struct fetch *f = r->f;
	struct source_mailbox m = r->box->m;
	bool known = r->mailbox != 0;
	const struct source_state all = {
		.message_ids = known || r->rematch.n > 0,
	};
	bool enough =
	    asked->uidnext == 0 && asked->message_ids == all.message_ids;
	if (!enough && !reading_select(r, &all, &r->opened, err))
		return false;
	r->opened.fleeting = true;
	r->box->restart = false;
	r->box->uidvalidity = r->opened.uidvalidity;
	/* Entries are called by UIDVALIDITY and UID. */
	r->fresh_volume = known;
	log_add(LOG_WARN,
	    "%s: its UIDs don't last (UIDNOTSTICKY): every message is looked "
	    "at in each run, none is stored twice",
	    m.display);

	return index_mailbox_restart(f->index, f->o->source_account, &m,
		   r->opened.uidvalidity, f->o->run, &r->mailbox, err) &&
	       rematch_collect(r, err);
}

/* full: the source tells all messages; with_ids: with their Message-IDs. */
static bool
look_back(struct reading *r, bool full, bool with_ids, struct err *err)
{
	struct source_opened again;
	bool revived = r->rematch.on;
	if (!rematch_collect(r, err))
		return false;
	r->rematch.on = r->rematch.on || revived;
	if (full && (with_ids || r->rematch.n == 0))
		return true;
	struct source_state state = { .message_ids = r->rematch.n > 0 };
	if (!reading_select(r, &state, &again, err) ||
	    !reading_is_same(r, &again, err))
		return false;
	r->opened = again;

	return true;
}

/* ---- the beginning of a reading ---- */

/* What was opened counts: it may be another one than was listed. */
static void
know_id(struct reading *r)
{
	struct source_mailbox *m = &r->box->m;
	const char *told = r->opened.mailbox_id;
	if (told != NULL &&
	    (m->mailbox_id == NULL || strcmp(told, m->mailbox_id) != 0)) {
		free((void *)m->mailbox_id);
		m->mailbox_id = mem_str(told);
	}
	r->mailbox_id = mem_str(told);
}

static bool
push_open(struct reading *r)
{
	struct belt *b = belt_new(BELT_OPEN, r->mailbox);
	b->box = r->box->number;
	b->name = mem_str(r->box->m.name);
	b->display = mem_str(r->box->m.display);
	b->separator = r->box->m.separator;
	b->attributes = r->box->m.attributes;
	b->uidvalidity = r->opened.uidvalidity;
	b->counts.inventory = r->opened.messages;
	b->fresh_volume = r->fresh_volume;

	return fetch_push(r->f, &b);
}

static void
set_pass(struct reading *r, bool delta)
{
	r->pass = delta ? PASS_DELTA : PASS_FULL;
	r->next_okey = delta ? r->delta.state.uidnext : 1;
	r->new_from = UINT64_MAX;
	r->modseq = r->opened.modseq;
	r->last = r->opened;
	ahead_start(&r->ahead, r->has_rows ? r->f->index : NULL, r->f->o->job,
	    r->mailbox);
	ahead_seek(&r->ahead, r->next_okey);
}

bool
reading_begin(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	uint64_t live = 0, uidvalidity = 0;
	bool found = false, enough = false;
	if (!index_live_mailbox(f->index, f->o->source_account, r->box->m.name,
		&live, &uidvalidity, &found, err))
		return false;
	r->mailbox = live;
	if (!rematch_collect(r, err) ||
	    (found && !reading_delta_is_enough(r, uidvalidity, &enough, err)))
		return false;
	enough = enough && !r->rematch.on;
	bool with_ids = r->rematch.n > 0;
	struct source_state state = { .message_ids = with_ids };
	if (enough)
		state = r->delta.state;
	if (!reading_select(r, &state, &r->opened, err))
		return false;
	know_id(r);
	if (r->opened.fleeting) {
		if (!enter_fleeting(r, &state, err))
			return false;
		set_pass(r, false);
		return push_open(r);
	}
	if (!note_uidvalidity(
		r, found ? uidvalidity : 0, r->opened.uidvalidity, err) ||
	    (found && !look_at_uidnext(r, &state, uidvalidity, err)) ||
	    !enter_generation(r, live, err))
		return false;
	if (found && r->mailbox != live) {
		bool full = !enough || r->opened.uidvalidity != uidvalidity;
		enough = false;
		if (!look_back(r, full, with_ids, err))
			return false;
	}
	set_pass(r, enough);

	return push_open(r);
}

void
reading_free(struct reading *r)
{
	ahead_free(&r->ahead);
	ranges_free(&r->told);
	ranges_free(&r->gone);
	ranges_free(&r->missed);
	rematch_free(&r->rematch);
	free(r->mailbox_id);
}
