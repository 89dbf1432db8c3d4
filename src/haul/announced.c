/* What a pass tells, compared with what the index holds. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "reading.h"

static bool
is_kept(enum outcome outcome)
{
	return outcome == OUTCOME_DELIVERED || outcome == OUTCOME_DUPLICATE ||
	       outcome == OUTCOME_REPAIRED;
}

/* ---- flags ---- */

static bool
same_flags(const struct known *row, const struct placement *p)
{
	struct buf words = { 0 };
	flags_keywords(&words, p->keywords, p->keyword_count);
	bool same =
	    row->flags == p->flags &&
	    strcmp(row->keywords, words.len == 0 ? "" : words.data) == 0;
	buf_free(&words);

	return same;
}

static void
push_change(struct reading *r, const struct placement *p)
{
	if (r->f->o->dry_run)
		return;
	struct belt *b = belt_new(BELT_CHANGE, r->mailbox);
	placement_keep(&b->placement, p);
	fetch_push(r->f, &b);
}

/* ---- a message that is listed ---- */

static void
count_already(struct reading *r)
{
	r->counts.already++;
	atomic_fetch_add(&r->f->meter->known, 1);
}

/* It was delivered, had ended, and stands there again under its UID. */
static bool
is_back(
    struct reading *r, const struct placement *p, bool *back, struct err *err)
{
	struct fetch *f = r->f;
	enum outcome outcome;
	bool found = false;
	*back = false;
	if (!r->has_rows)
		return true;
	if (!index_outcome(f->index, f->o->job, r->mailbox, p->okey, &outcome,
		&found, err))
		return false;
	if (!found || outcome != OUTCOME_DELIVERED || f->o->dry_run)
		return true;
	if (!index_begin(f->index, err))
		return false;
	if (!index_settle_again(
		f->index, f->o->run, f->o->job, r->mailbox, p, back, err)) {
		index_rollback(f->index);
		return false;
	}

	return index_commit(f->index, err);
}

static void
push_known(
    struct reading *r, const struct placement *p, const uint8_t sha256[32])
{
	atomic_fetch_add(&r->f->meter->known, 1);
	if (r->f->o->dry_run) {
		r->counts.already++;
		return;
	}
	struct belt *b = belt_new(BELT_KNOWN, r->mailbox);
	placement_keep(&b->placement, p);
	memcpy(b->sha256, sha256, sizeof(b->sha256));
	fetch_push(r->f, &b);
}

static void
exclude(struct reading *r, const struct placement *p, const struct known *row,
    const char *rule)
{
	struct kept_placement kept;
	atomic_fetch_add(&r->f->meter->excluded, 1);
	if (row != NULL && row->outcome == OUTCOME_EXCLUDED) {
		r->counts.by[OUTCOME_EXCLUDED]++;
		if (!same_flags(row, p))
			push_change(r, p);
		return;
	}
	placement_keep(&kept, p);
	reading_push_outcome(r, &kept, OUTCOME_EXCLUDED, "rule", rule, NULL);
}

static void
want(struct reading *r, const struct placement *p, bool unreadable)
{
	wants_add(&r->f->wants, p, unreadable ? 1 : 0);
	atomic_fetch_add(&r->f->meter->wanted, 1);
	atomic_fetch_add(&r->f->meter->wanted_octets, p->size);
}

/* Not kept under this UID. row: what became of it before; NULL: nothing. */
static bool
judge_new(struct reading *r, const struct placement *p, const struct known *row,
    struct err *err)
{
	uint8_t sha256[32];
	char rule[200];
	bool found = false, maybe = false;
	if (row == NULL && !is_back(r, p, &found, err))
		return false;
	if (found) {
		count_already(r);
		return true;
	}
	if (!rematch_find(r, p, sha256, &found, &maybe, err))
		return false;
	const char *by =
	    filter_message(&r->f->o->filter, p, rule, sizeof(rule));
	/* One that may be kept is fetched even if a rule excludes it: or the
	 * rule would end what is kept. */
	if (found)
		push_known(r, p, sha256);
	else if (by != NULL && !maybe)
		exclude(r, p, row, by);
	else
		want(r, p, row != NULL && row->outcome == OUTCOME_UNREADABLE);

	return true;
}

/* A UID's size and INTERNALDATE never change (RFC 9051 2.3.3, 2.3.4). Of the
 * size, what had been announced or what then came. */
static bool
is_other(const struct known *row, const struct placement *p)
{
	bool dated = row->idate != DATETIME_NONE && p->idate != DATETIME_NONE;

	return (dated && row->idate != p->idate) ||
	       (row->size != p->size && row->octets != p->size);
}

static bool
judge(struct reading *r, const struct placement *p, const struct known *row,
    struct err *err)
{
	if (row == NULL || !is_kept(row->outcome))
		return judge_new(r, p, row, err);
	if (is_other(row, p))
		return r->f->o->dry_run ? judge_new(r, p, NULL, err)
					: reading_restart(r, p->okey, err);
	count_already(r);
	if (!same_flags(row, p))
		push_change(r, p);

	return rematch_reserve(r, p, err);
}

/* By the delta pass before this one. */
static bool
is_taken(const struct reading *r, uint64_t okey)
{
	return okey >= r->new_from && okey < r->new_to;
}

/* Everything below is told by now. *row: what the index holds of this one. */
static bool
come_to(
    struct reading *r, uint64_t okey, const struct known **row, struct err *err)
{
	if (r->pass == PASS_DELTA && !r->started)
		ahead_seek(&r->ahead, r->delta.state.uidnext);
	r->started = true;
	if (!reading_pass_over(r, okey, err) ||
	    !ahead_peek(&r->ahead, row, err))
		return false;
	r->missed_last = 0;
	if (*row != NULL && (*row)->okey == okey)
		ahead_pop(&r->ahead);
	else
		*row = NULL;

	return true;
}

static bool
seen(struct reading *r, const struct placement *p, struct err *err)
{
	const struct known *row;
	if (p->okey < r->next_okey)
		return true; /* again after a new connection */
	if (!come_to(r, p->okey, &row, err))
		return false;
	r->next_okey = p->okey + 1;
	if (is_taken(r, p->okey))
		return true;
	r->listed++;
	if (r->opened.uidnext != 0 && p->okey >= r->opened.uidnext)
		r->arrived++;
	atomic_fetch_add(&r->f->meter->listed, 1);

	return judge(r, p, row, err);
}

/* ---- a message that is listed, but not so that it can be used ---- */

bool
reading_take_bad(
    struct reading *r, uint64_t okey, const struct err *why, struct err *err)
{
	struct kept_placement kept;
	struct placement p = { .okey = okey, .idate = DATETIME_NONE };
	const struct known *row;
	if (p.okey < r->next_okey)
		return true;
	if (!come_to(r, p.okey, &row, err))
		return false;
	r->next_okey = p.okey + 1;
	if (is_taken(r, p.okey))
		return true;
	r->listed++;
	if (row != NULL && is_kept(row->outcome)) {
		count_already(r);
		return true;
	}
	placement_keep(&kept, &p);
	reading_push_outcome(r, &kept, OUTCOME_UNREADABLE,
	    err_code_word(why->code), why->text, why->words);

	return true;
}

static bool
bad(struct reading *r, const struct source_event *e, struct err *err)
{
	if (e->placement.okey != 0)
		return reading_take_bad(r, e->placement.okey, &e->why, err);
	log_add(LOG_WARN, "%s: a message without UID: %s", r->box->m.display,
	    e->why.text);
	r->listed++;
	r->counts.by[OUTCOME_UNREADABLE]++;
	r->nameless++;

	return true;
}

/* ---- what a delta pass says of messages that are known ---- */

/*
 * An answer to HIGHESTMODSEQ may say a message twice, so it can't be compared
 * with a row that the first time is about to change: the index compares.
 */
static bool
changed(struct reading *r, const struct placement *p, struct err *err)
{
	const struct known *row;
	if (r->pass == PASS_FULL || p->okey >= r->delta.state.uidnext)
		return true;
	ranges_add(&r->told, p->okey, p->okey);
	if (!ahead_find(&r->ahead, p->okey, &row, err))
		return false;
	if (row == NULL)
		r->strange = true;
	else if (r->delta.state.modseq != 0 || !same_flags(row, p))
		push_change(r, p);

	return true;
}

static void
end(struct reading *r, const struct source_event *e)
{
	r->announced = true;
	r->complete = e->complete;
	r->swept = e->swept && !r->cut;
	r->state = e->state;
	r->expunged += e->expunged;
}

bool
reading_announce(struct reading *r, bool *later, struct err *err)
{
	struct source *source = r->f->source;
	struct source_event e;
	if (!source->ops->announce(source->data, &e, err))
		return false;
	switch (e.kind) {
	case SOURCE_SEEN:
		return seen(r, &e.placement, err);
	case SOURCE_BAD:
		return bad(r, &e, err);
	case SOURCE_CHANGED:
		return changed(r, &e.placement, err);
	case SOURCE_ALIVE:
		ranges_add(&r->told, e.placement.okey, e.last);
		break;
	case SOURCE_GONE:
		ranges_add(&r->gone, e.placement.okey, e.last);
		break;
	case SOURCE_LATER:
		*later = true;
		break;
	case SOURCE_END:
		end(r, &e);
		break;
	}

	return true;
}
