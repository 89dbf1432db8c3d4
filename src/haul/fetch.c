#include "fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "mail/name.h"

enum {
	WINDOW_MAX = 16384,
	WINDOW_DEFAULT = 2000,
	FAILURES_KEPT = 100,
	/* Over mailboxes that move while they are read. */
	PASSES_MAX = 3,
	/* Given up one after the other: it is the server, not they. */
	BROKEN_MAX = 3
};

static bool
is_over(void *arg)
{
	return queue_cancelled(arg);
}

bool
fetch_init(struct fetch *f, struct err *err)
{
	struct source_caps caps = { 0 };
	f->source->ops->capabilities(f->source->data, &caps);
	f->window = caps.window == 0 ? WINDOW_DEFAULT : caps.window;
	if (f->window > WINDOW_MAX)
		f->window = WINDOW_MAX;
	f->allow = f->window;
	f->okeys = mem_array(f->window, sizeof(*f->okeys));
	f->sizes = mem_array(f->window, sizeof(*f->sizes));
	f->connected = true;
	filter_hash(&f->o->filter, f->filter_sha256);
	retry_start(&f->retry, f->o);
	f->retry.over = is_over;
	f->retry.over_arg = f->belt;

	return f->o->index_path == NULL ||
	       index_open(&f->index, f->o->index_path,
		   f->o->dry_run ? INDEX_READ : INDEX_WRITE, err);
}

void
fetch_free(struct fetch *f)
{
	wants_free(&f->wants);
	free(f->okeys);
	free(f->sizes);
	if (f->index != NULL)
		index_close(&f->index);
}

bool
fetch_push(struct fetch *f, struct belt **b)
{
	if (queue_push(f->belt, b))
		return true;
	belt_free(b);
	f->stopped = true;

	return false;
}

bool
fetch_sync(struct fetch *f)
{
	if (f->o->dry_run || queue_sync(f->belt))
		return true;
	f->stopped = true;

	return false;
}

static bool
reconnect(struct fetch *f, struct err *err)
{
	if (f->connected)
		f->source->ops->close(&f->source->data, false);
	f->connected = f->lister = false;
	meter_set_phase(f->meter, METER_CONNECTING);
	f->connected = f->o->connect(f->o->connect_arg, f->source, err);
	if (f->connected)
		log_add(LOG_INFO, "connected again");
	meter_set_phase(f->meter, METER_COPYING);

	return f->connected;
}

bool
fetch_recover(struct fetch *f, bool *reconnected, struct err *err)
{
	*reconnected = false;
	for (;;) {
		if (!retry_wait(&f->retry, err, f->meter, &f->result->parked)) {
			f->stopped = f->stopped || stop_asked() ||
				     queue_cancelled(f->belt);
			return false;
		}
		if (err->scope < ERR_ACCOUNT && f->connected)
			return true;
		if (reconnect(f, err)) {
			*reconnected = true;
			return true;
		}
	}
}

/* ---- the list of mailboxes ---- */

static bool
list(struct fetch *f, struct boxes *boxes, struct err *err)
{
	bool again = false;
	meter_set_phase(f->meter, METER_LISTING);
	while (
	    !f->source->ops->list(f->source->data, boxlist_add, boxes, err)) {
		boxlist_free(boxes);
		if (!fetch_recover(f, &again, err))
			return false;
	}
	f->lister = true;

	return true;
}

void
fetch_note_failure(struct fetch *f, const char *mailbox, const struct err *err)
{
	struct haul_result *r = f->result;
	log_add(LOG_ERROR, "%s: %s%s%s", mailbox, err->text,
	    err->words[0] == '\0' ? "" : "; server: ", err->words);
	r->mailboxes_failed++;
	r->partial = true;
	if (r->failure_count == FAILURES_KEPT)
		return;
	r->failures =
	    mem_grow(r->failures, r->failure_count + 1, sizeof(*r->failures));
	r->failures[r->failure_count++] =
	    (struct haul_failure){ .mailbox = mem_str(mailbox), .err = *err };
}

/* A mailbox that can't even be named is still mail that was not copied. Those
 * that were created meanwhile are told by the last list. */
static void
count_unlisted(struct fetch *f)
{
	struct source_caps caps = { 0 };
	struct err err;
	f->source->ops->capabilities(f->source->data, &caps);
	if (caps.unlisted <= f->unlisted)
		return;
	uint64_t n = caps.unlisted - f->unlisted;
	f->unlisted = caps.unlisted;
	err_set(&err, ERR_MAILBOX, ERR_PROTOCOL,
	    "%" PRIu64 " left out: names with control characters or longer "
	    "than 16 KiB, or lines that can't be read (the log has each)",
	    n);
	fetch_note_failure(f, "mailboxes of the list", &err);
	f->result->mailboxes_failed += n - 1;
}

bool
fetch_wants(struct fetch *f, const struct source_mailbox *box)
{
	char rule[300];
	if (!box_selectable(box)) {
		f->result->mailboxes_unselectable++;
		return false;
	}
	if (filter_mailbox(&f->o->filter, box, rule, sizeof(rule)) != NULL) {
		log_add(LOG_INFO, "%s skipped by rule: %s", box->display, rule);
		f->result->mailboxes_excluded++;
		f->result->partial = true;
		return false;
	}

	return true;
}

static void
choose(struct fetch *f, struct boxes *boxes)
{
	uint64_t expected = 0;
	bool all_known = true;
	size_t n = 0;
	for (size_t i = 0; i < boxes->n; i++) {
		struct box *box = &boxes->array[i];
		box->wanted = fetch_wants(f, &box->m);
		if (!box->wanted)
			continue;
		n++;
		expected += box->m.messages;
		all_known = all_known && box->m.uidvalidity != 0;
	}
	if (n == 0 && f->o->filter.include_count > 0)
		log_add(LOG_WARN, "no mailbox matches --include");
	atomic_store(&f->meter->mailboxes, n);
	if (all_known)
		atomic_store(&f->meter->expected, expected);
}

/* Where they go is decided for all at once. */
static bool
push_plan(struct fetch *f, const struct boxes *boxes, struct err *err)
{
	if (f->o->connect_target == NULL)
		return true;
	struct belt *b = belt_new(BELT_PLAN, 0);
	b->plan = mem_array(boxes->n + 1, sizeof(*b->plan));
	for (size_t i = 0; i < boxes->n; i++) {
		const struct source_mailbox *m = &boxes->array[i].m;
		if (!boxes->array[i].wanted)
			continue;
		b->plan[b->plan_count] = *m;
		b->plan[b->plan_count].mailbox_id = NULL;
		b->plan[b->plan_count].name = mem_str(m->name);
		b->plan[b->plan_count++].display = mem_str(m->display);
	}
	if (!f->o->dry_run)
		return fetch_push(f, &b);
	/* Nobody else has the target then. */
	bool ok =
	    f->target->ops->plan(f->target->data, b->plan, b->plan_count, err);
	belt_free(&b);

	return ok;
}

static bool
read_box(
    struct fetch *f, struct box *box, bool first, bool *opened, struct err *err)
{
	bool same = false;
	if (f->o->dry_run)
		return fetch_mailbox_dry(f, box, err);
	if (first && !fetch_same(f, box, &same, err))
		return false;
	f->result->mailboxes_same += same;
	*opened = *opened || !same;

	return same || fetch_mailbox(f, box, err);
}

/* The account is given up: where, and what is left. */
static void
tell_where(struct fetch *f, const struct box *box, struct err *err)
{
	struct err was = *err;
	uint64_t left = f->result->mailboxes_unreached;
	if (left == 0)
		err_set(err, was.scope, was.code, "%s; in %s", was.text,
		    box->m.display);
	else
		err_set(err, was.scope, was.code,
		    "%s; in %s, and %" PRIu64 " mailbox%s behind it %s not "
		    "reached",
		    was.text, box->m.display, left, left == 1 ? "" : "es",
		    left == 1 ? "was" : "were");
	memcpy(was.text, err->text, sizeof(was.text));
	*err = was;
}

/* It is the server, not a mailbox: worth another try, later. */
static void
fail_account(struct err *err)
{
	err->scope = ERR_ACCOUNT;
	err->transient = true;
}

/* False: no other mailbox can be read either. */
static bool
one(struct fetch *f, struct box *box, bool first, bool *opened, struct err *err)
{
	meter_set_mailbox(f->meter, box->m.display);
	box->seen = box->again = box->doubtful = false;
	unsigned broken = f->broken;
	uint64_t same = f->result->mailboxes_same;
	bool ok = read_box(f, box, first, opened, err);
	bool asked = f->result->mailboxes_same == same;
	wants_clear(&f->wants);
	atomic_fetch_add(&f->meter->mailboxes_done, 1);
	/* A refusal is an answer, too. */
	if (asked && f->broken == broken)
		f->broken = 0;
	f->fine = f->fine || ok;
	if (ok || f->stopped)
		return true;
	if (f->broken >= BROKEN_MAX)
		fail_account(err);
	/* The other mailboxes would only be told to wait as well. */
	if (f->result->parked && err->scope < ERR_ACCOUNT)
		err->scope = ERR_ACCOUNT;
	if (err->scope <= ERR_ACCOUNT)
		fetch_note_failure(f, box->m.display, err);

	return err->scope < ERR_ACCOUNT;
}

static bool
once(struct fetch *f, struct boxes *boxes, bool *opened, struct err *err)
{
	bool ok = true;
	struct box *last = NULL;
	for (size_t i = 0; i < boxes->n && !f->stopped; i++) {
		struct box *box = &boxes->array[i];
		f->boxes = boxes;
		f->at = i;
		if (!box->wanted)
			continue;
		if (!ok) {
			f->result->mailboxes_unreached++;
			continue;
		}
		last = box;
		ok = one(f, box, true, opened, err);
	}
	f->boxes = NULL;
	/* *err is still theirs: nothing else was called. */
	if (ok && !f->stopped && f->broken > 0 && !f->fine) {
		fail_account(err);
		ok = false;
	}
	if (!ok && last != NULL && err->scope == ERR_ACCOUNT)
		tell_where(f, last, err);

	return ok;
}

/* Behind a barrier: the index must know what was settled. */
static bool
again(struct fetch *f, struct boxes *boxes, size_t n, struct err *err)
{
	bool ok = fetch_sync(f) && push_plan(f, boxes, err), opened = false;
	atomic_fetch_add(&f->meter->mailboxes, n);
	for (size_t i = 0; ok && i < boxes->n && !f->stopped; i++)
		if (boxes->array[i].again)
			ok = one(f, &boxes->array[i], false, &opened, err);

	return ok || f->stopped;
}

static bool
each_mailbox(struct fetch *f, struct boxes *boxes, struct err *err)
{
	bool opened = false;
	size_t moved = 1;
	if (!list(f, boxes, err))
		return false;
	count_unlisted(f);
	choose(f, boxes);
	if (!push_plan(f, boxes, err))
		return f->stopped;
	if (!fetch_names(f, boxes, err) || !once(f, boxes, &opened, err))
		return f->stopped;
	for (int pass = 1; opened && moved > 0 && pass < PASSES_MAX; pass++) {
		if (f->stopped)
			return true;
		if (!fetch_moved(f, boxes, &moved, err))
			return f->stopped;
		count_unlisted(f);
		if (moved > 0 && !again(f, boxes, moved, err))
			return f->stopped;
	}

	return true;
}

bool
fetch_run(struct fetch *f, struct err *err)
{
	struct boxes boxes = { 0 };
	bool ok = each_mailbox(f, &boxes, err);
	boxlist_free(&boxes);
	if (f->stopped && stop_asked()) {
		f->result->interrupted = true;
		ok = true;
	}
	struct belt *end = belt_new(BELT_END, 0);
	fetch_push(f, &end);

	return ok;
}
