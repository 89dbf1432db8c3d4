/*
 * One mailbox: announced, compared with the index, fetched.  What is wanted
 * stays in fetch.wants until it is answered, over any number of connections.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "fetch.h"
#include "mail/datetime.h"

enum { BLAME_MAX = 2 };

struct reading {
	struct fetch *f;
	const struct source_mailbox *box;
	uint64_t mailbox; /* index id of the generation */
	bool has_rows;    /* the index may know its messages */
	enum pass pass;
	struct index_delta delta;
	struct source_opened opened; /* at first */
	uint64_t next_okey;          /* all below were announced in this pass */
	/* FULL after a DELTA: this one took all from new_from to below new_to;
	 * what came since is above. */
	uint64_t new_from, new_to;
	uint64_t listed;            /* announced, bad ones too */
	struct index_counts counts; /* not yet on the belt */
	bool nameless;              /* some message had no UID to record */
	bool announced;             /* to its end */
	struct source_state state;  /* of that end */
	uint64_t expunged;
};

static bool
push_counts(struct reading *r)
{
	struct belt *b = belt_new(BELT_COUNT, r->mailbox);
	b->counts = r->counts;
	r->counts = (struct index_counts){ 0 };

	return fetch_push(r->f, &b);
}

static bool
push_outcome(struct reading *r, struct kept_placement *p, enum outcome outcome,
    const char *class, const char *text, const char *words)
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
		log_add(LOG_WARN, "%s UID %" PRIu64 " %s: %s", r->box->display,
		    b->placement.p.okey, outcome_word(outcome), b->text);
	}
	/* Nobody takes anything off a dry run's belt. */
	if (r->f->o->dry_run) {
		r->counts.by[outcome]++;
		belt_free(&b);
		return true;
	}

	return fetch_push(r->f, &b);
}

/* ---- open ---- */

/* Is what the last pass left behind enough to look only at what is new? */
static bool
delta_is_enough(struct reading *r, bool *yes, struct err *err)
{
	struct fetch *f = r->f;
	uint8_t hash[DIGEST_SIZE];
	bool todo = false;
	*yes = false;
	if (!index_delta(f->index, f->o->job, r->mailbox, &r->delta, err))
		return false;
	filter_hash(&f->o->filter, hash);
	if (!r->delta.found || r->delta.state.uidnext == 0 ||
	    memcmp(hash, r->delta.filter_sha256, sizeof(hash)) != 0)
		return true;
	if (!index_todo(f->index, f->o->job, r->mailbox, &todo, err))
		return false;
	*yes = !todo;

	return true;
}

static bool
open_source(struct reading *r, uint64_t uidvalidity, uint64_t uidnext,
    struct source_opened *opened, struct err *err)
{
	struct source *source = r->f->source;
	struct source_state from = { .uidvalidity = uidvalidity,
		.uidnext = uidnext };

	return source->ops->open(
	    source->data, r->box->name, &from, opened, err);
}

/* Opens, through broken connections. */
static bool
open_patiently(struct reading *r, uint64_t uidvalidity, uint64_t uidnext,
    struct source_opened *opened, struct err *err)
{
	bool again = false;
	while (!open_source(r, uidvalidity, uidnext, opened, err))
		if (err->scope < ERR_ACCOUNT && err->code != ERR_THROTTLE)
			return false;
		else if (!fetch_recover(r->f, &again, err))
			return false;

	return true;
}

/* UIDs were given out that the server has forgotten: a restore from a backup
 * that kept UIDVALIDITY. They may name other messages by now. */
static bool
went_back(const struct reading *r, uint64_t uidvalidity)
{
	return r->delta.found && r->opened.uidvalidity == uidvalidity &&
	       r->opened.uidnext != 0 &&
	       r->opened.uidnext < r->delta.state.uidnext;
}

/* uidvalidity: of the live generation; 0: there is none. */
static bool
enter_generation(struct reading *r, uint64_t uidvalidity, struct err *err)
{
	struct fetch *f = r->f;
	bool is_new = true;
	if (went_back(r, uidvalidity)) {
		log_add(LOG_WARN,
		    "%s: UIDNEXT went down from %" PRIu64 " to %" PRIu64
		    ": every message is looked at again, none is stored twice",
		    r->box->display, r->delta.state.uidnext, r->opened.uidnext);
		if (!open_patiently(r, 0, 0, &r->opened, err) ||
		    !index_mailbox_restart(f->index, f->o->source_account,
			r->box, r->opened.uidvalidity, f->o->run, &r->mailbox,
			err))
			return false;
	} else if (!index_mailbox(f->index, f->o->source_account, r->box,
		       r->opened.uidvalidity, f->o->run, &r->mailbox, &is_new,
		       err)) {
		return false;
	}
	if (uidvalidity != 0 && r->opened.uidvalidity != uidvalidity)
		log_add(LOG_WARN,
		    "%s: UIDVALIDITY changed from %" PRIu64 " to %" PRIu64
		    ": every message is looked at again, none is stored twice",
		    r->box->display, uidvalidity, r->opened.uidvalidity);
	r->has_rows = !is_new;

	return true;
}

static bool
begin(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	uint64_t live = 0, uidvalidity = 0;
	bool found = false, enough = false;
	if (!index_live_mailbox(f->index, f->o->source_account, r->box->name,
		&live, &uidvalidity, &found, err))
		return false;
	r->mailbox = live;
	if (found && !delta_is_enough(r, &enough, err))
		return false;
	if (!open_patiently(r, enough ? uidvalidity : 0,
		enough ? r->delta.state.uidnext : 0, &r->opened, err))
		return false;
	if (!enter_generation(r, found ? uidvalidity : 0, err))
		return false;
	enough = enough && r->mailbox == live;
	r->pass = enough ? PASS_DELTA : PASS_FULL;
	r->next_okey = enough ? r->delta.state.uidnext : 1;
	r->new_from = UINT64_MAX;

	struct belt *b = belt_new(BELT_OPEN, r->mailbox);
	b->name = mem_str(r->box->name);
	b->display = mem_str(r->box->display);
	b->separator = r->box->separator;
	b->attributes = r->box->attributes;
	b->uidvalidity = r->opened.uidvalidity;
	b->counts.inventory = r->opened.messages;

	return fetch_push(f, &b);
}

/* ---- announce ---- */

static bool
known(struct reading *r, const struct placement *p, enum outcome *outcome,
    bool *found, struct err *err)
{
	*found = false;
	*outcome = OUTCOME_PENDING;

	return !r->has_rows || index_outcome(r->f->index, r->f->o->job,
				   r->mailbox, p->okey, outcome, found, err);
}

/* By the delta pass before this one. */
static bool
taken(const struct reading *r, uint64_t okey)
{
	return okey >= r->new_from && okey < r->new_to;
}

/* Already there, excluded, or wanted. */
static bool
judge(struct reading *r, const struct placement *p, struct err *err)
{
	struct meter *m = r->f->meter;
	enum outcome outcome;
	bool found;
	if (!known(r, p, &outcome, &found, err))
		return false;
	if (found &&
	    (outcome == OUTCOME_DELIVERED || outcome == OUTCOME_DUPLICATE ||
		outcome == OUTCOME_REPAIRED)) {
		r->counts.already++;
		atomic_fetch_add(&m->known, 1);
		return true;
	}
	char rule[200];
	if (filter_message(&r->f->o->filter, p, rule, sizeof(rule)) != NULL) {
		atomic_fetch_add(&m->excluded, 1);
		if (found && outcome == OUTCOME_EXCLUDED) {
			r->counts.by[OUTCOME_EXCLUDED]++;
			return true;
		}
		struct kept_placement kept;
		placement_keep(&kept, p);
		push_outcome(r, &kept, OUTCOME_EXCLUDED, "rule", rule, NULL);
		return true;
	}
	wants_add(&r->f->wants, p);
	atomic_fetch_add(&m->wanted, 1);
	atomic_fetch_add(&m->wanted_octets, p->size);

	return true;
}

static bool
seen(struct reading *r, const struct placement *p, struct err *err)
{
	if (taken(r, p->okey))
		return true;
	if (p->okey < r->next_okey)
		return true; /* again after a new connection */
	r->next_okey = p->okey + 1;
	r->listed++;
	atomic_fetch_add(&r->f->meter->listed, 1);

	return judge(r, p, err);
}

static bool
bad(struct reading *r, struct source_event *e, struct err *err)
{
	struct placement p = { .okey = e->placement.okey,
		.idate = DATETIME_NONE };
	enum outcome outcome;
	bool found = false;
	if (p.okey != 0 && !known(r, &p, &outcome, &found, err))
		return false;
	if (p.okey != 0 && (p.okey < r->next_okey || taken(r, p.okey)))
		return true;
	r->listed++;
	if (found && outcome == OUTCOME_DELIVERED) {
		r->counts.already++;
	} else if (p.okey != 0) {
		struct kept_placement kept;
		placement_keep(&kept, &p);
		push_outcome(r, &kept, OUTCOME_UNREADABLE,
		    err_code_word(e->why.code), e->why.text, e->why.words);
	} else {
		log_add(LOG_WARN, "%s: a message without UID: %s",
		    r->box->display, e->why.text);
		r->counts.by[OUTCOME_UNREADABLE]++;
		r->nameless = true;
	}
	if (p.okey != 0)
		r->next_okey = p.okey + 1;

	return true;
}

/* What the listing lacks of what the server counted, or has too much. */
static void
reckon(struct reading *r)
{
	uint64_t said = r->opened.messages;
	if (r->listed >= said) {
		r->opened.messages = r->listed;
		return;
	}
	uint64_t missing = said - r->listed;
	if (r->pass == PASS_DELTA) {
		r->counts.already += missing;
		atomic_fetch_add(&r->f->meter->known, missing);
		return;
	}
	uint64_t gone = missing < r->expunged ? missing : r->expunged;
	r->counts.by[OUTCOME_VANISHED] += gone;
	r->counts.by[OUTCOME_UNKNOWN] += missing - gone;
	if (missing > gone)
		log_add(LOG_WARN,
		    "%s: the server says %" PRIu64 " messages and listed "
		    "%" PRIu64 "; %" PRIu64 " are unknown",
		    r->box->display, said, r->listed, missing - gone);
}

/* A mailbox that was opened again may be another one by now. */
static bool
same_generation(const struct reading *r, const struct source_opened *opened,
    struct err *err)
{
	return opened->uidvalidity == r->opened.uidvalidity ||
	       err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		   "UIDVALIDITY changed from %" PRIu64 " to %" PRIu64
		   " during the run; the next run reads it again",
		   r->opened.uidvalidity, opened->uidvalidity);
}

/* More old messages than the last pass knew: look at all of them. */
static bool
must_widen(const struct reading *r)
{
	return r->pass == PASS_DELTA && r->opened.messages > r->listed &&
	       r->opened.messages - r->listed > r->delta.state.messages;
}

static bool
widen(struct reading *r, struct err *err)
{
	log_add(
	    LOG_INFO, "%s: looking at every message again", r->box->display);
	struct source_opened opened;
	r->pass = PASS_FULL;
	r->new_from = r->delta.state.uidnext;
	r->new_to = r->next_okey;
	r->next_okey = 1;
	r->announced = false;

	return open_patiently(r, 0, 0, &opened, err) &&
	       same_generation(r, &opened, err);
}

static bool
announce_one(struct reading *r, bool *later, struct err *err)
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
	case SOURCE_LATER:
		*later = true;
		break;
	case SOURCE_END:
		r->announced = true;
		r->state = e.state;
		r->expunged += e.expunged;
		break;
	case SOURCE_CHANGED:
	case SOURCE_ALIVE:
	case SOURCE_GONE:
		break;
	}

	return true;
}

static bool
announce_some(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	bool later = false;
	while (!r->announced && !later && f->wants.count < f->window &&
	       !f->stopped && !stop_asked())
		if (!announce_one(r, &later, err))
			return false;

	return true;
}

/* ---- bodies ---- */

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
push_message(
    struct reading *r, struct kept_placement *p, struct content **content)
{
	struct belt *b = belt_new(BELT_MESSAGE, r->mailbox);
	uint64_t size = content_size(*content);
	if (size != p->p.size)
		log_add(LOG_INFO,
		    "%s UID %" PRIu64 ": %" PRIu64 " octets arrived, %" PRIu64
		    " were announced; what arrived counts",
		    r->box->display, p->p.okey, size, p->p.size);
	b->placement = *p;
	*p = (struct kept_placement){ 0 };
	b->content = *content;
	*content = NULL;
	atomic_fetch_add(&r->f->meter->fetched, 1);
	atomic_fetch_add(&r->f->meter->fetched_octets, size);

	return fetch_push(r->f, &b);
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
		    r->box->display, body.okey);
	}
	struct kept_placement p;
	wants_answer(&f->wants, want, &p);
	retry_progress(&f->retry);
	f->allow = f->allow * 2 < f->window ? f->allow * 2 : f->window;
	if (body.kind == SOURCE_BODY)
		push_message(r, &p, &body.content);
	else
		push_outcome(r, &p,
		    body.kind == SOURCE_VANISHED ? OUTCOME_VANISHED
						 : OUTCOME_UNREADABLE,
		    err_code_word(body.why.code), body.why.text,
		    body.why.words);
	placement_drop(&p);

	return true;
}

/* Until all is announced and answered, or a call fails. */
static bool
pump(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	for (;;) {
		if (!announce_some(r, err) || !request_some(r, err))
			return false;
		if (f->stopped || stop_asked()) {
			f->stopped = true;
			return true;
		}
		if (f->wants.requested > 0) {
			if (!take_body(r, err))
				return false;
		} else if (r->announced && f->wants.count == 0) {
			if (!must_widen(r))
				return true;
			if (!widen(r, err))
				return false;
		}
	}
}

/* The message that alone was asked for when the connection broke, again and
 * again, is given up; the mailbox is not. */
static void
lay_blame(struct reading *r, const struct err *why)
{
	struct want *only = wants_lost(&r->f->wants);
	if (only == NULL || ++only->blame < BLAME_MAX)
		return;
	struct kept_placement p;
	only->requested = true;
	r->f->wants.requested++;
	r->f->wants.fresh--;
	wants_answer(&r->f->wants, only, &p);
	push_outcome(r, &p, OUTCOME_UNREADABLE, err_code_word(why->code),
	    "the connection broke each time it was asked for", why->text);
	retry_progress(&r->f->retry);
}

/* After a failed call: everything again that is needed to go on. */
static bool
resume(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	bool reconnected = false;
	if (err->scope >= ERR_ACCOUNT && !stop_asked()) {
		lay_blame(r, err);
		f->allow = 1;
	}
	if (!fetch_recover(f, &reconnected, err))
		return false;
	if (!reconnected)
		return true;
	struct source_opened opened;

	return open_patiently(
		   r, r->opened.uidvalidity, r->next_okey, &opened, err) &&
	       same_generation(r, &opened, err);
}

static bool
finish(struct reading *r)
{
	reckon(r);
	/* A message without a row would be "already there" the next time. */
	bool all_known = r->counts.by[OUTCOME_UNKNOWN] == 0 && !r->nameless;
	if (!push_counts(r))
		return true;
	struct belt *b = belt_new(BELT_CLOSE, r->mailbox);
	b->counts.inventory = r->opened.messages;
	b->counts.scanned = (int)r->pass;
	b->state = r->state;
	/* What the next delta may assume to lie below its UIDNEXT. */
	b->state.messages = r->opened.messages;
	b->advance = all_known;
	fetch_push(r->f, &b);

	return true;
}

bool
fetch_mailbox(
    struct fetch *f, const struct source_mailbox *box, struct err *err)
{
	struct reading r = { .f = f, .box = box };
	meter_set_phase(f->meter, METER_LISTING);
	if (!begin(&r, err))
		return f->stopped;
	meter_set_phase(f->meter, METER_COPYING);
	while (!pump(&r, err))
		if (!resume(&r, err)) {
			push_counts(&r);
			return f->stopped;
		}
	if (f->stopped) {
		push_counts(&r);
		return true;
	}

	return finish(&r);
}

/* ---- dry run ---- */

static void
count_dry(struct reading *r)
{
	struct index_counts *sum = &r->f->result->counts;
	r->counts.by[OUTCOME_DELIVERED] += r->f->wants.count;
	wants_clear(&r->f->wants);
	sum->already += r->counts.already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum->by[i] += r->counts.by[i];
	r->counts = (struct index_counts){ 0 };
}

bool
fetch_mailbox_dry(
    struct fetch *f, const struct source_mailbox *box, struct err *err)
{
	struct reading r = { .f = f,
		.box = box,
		.pass = PASS_FULL,
		.next_okey = 1,
		.new_from = UINT64_MAX };
	uint64_t uidvalidity = 0;
	if (f->index != NULL &&
	    !index_live_mailbox(f->index, f->o->source_account, box->name,
		&r.mailbox, &uidvalidity, &r.has_rows, err))
		return false;
	if (!open_patiently(&r, 0, 0, &r.opened, err))
		return f->stopped;
	r.has_rows = r.has_rows && r.opened.uidvalidity == uidvalidity;
	bool ok = true, later = false;
	while (ok && !r.announced && !f->stopped) {
		ok = announce_one(&r, &later, err);
		if (f->wants.count >= f->window || r.announced)
			count_dry(&r);
		f->stopped = f->stopped || stop_asked();
	}
	if (!ok)
		return false;
	reckon(&r);
	count_dry(&r);
	f->result->counts.inventory += r.opened.messages;
	f->result->mailboxes++;

	return true;
}
