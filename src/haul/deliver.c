#include "deliver.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "flight.h"
#include "mail/identity.h"
#include "settle.h"

enum {
	LOOSE_MAX = 500, /* as settle.c's */
	/* A slow source's last messages are made durable after this pause. */
	IDLE_MS = 3000,
	/* And at least so often: less than a frame may have come, and a job
	 * that is killed each minute must get on. */
	FLUSH_MS = 10000
};

struct deliver {
	const struct haul_options *o;
	struct index *index;
	struct target *target;
	struct queue *belt; /* borrowed */
	struct haul_result *result;
	struct settle settle;
	struct flight *flight; /* owned; NULL: the target is an archive */
	uint64_t ticket;
	struct source_mailbox box;
	char *box_name, *box_display; /* owned; box points here */
};

struct deliver *
deliver_new(const struct haul_options *o, struct index *index,
    struct target *target, struct meter *meter, struct haul_result *result)
{
	struct deliver *d = mem_new(sizeof(*d));
	d->o = o;
	d->index = index;
	d->target = target;
	d->result = result;
	settle_init(&d->settle, o, index, target, meter);
	if (o->connect_target != NULL)
		d->flight = flight_new(o, index, target, meter, &d->settle);

	return d;
}

bool
deliver_resume(struct deliver *d, struct err *err)
{
	return d->flight == NULL || flight_resume(d->flight, err);
}

void
deliver_free(struct deliver **deliver)
{
	struct deliver *d = *deliver;
	if (d == NULL)
		return;
	flight_free(&d->flight);
	settle_free(&d->settle);
	free(d->box_name);
	free(d->box_display);
	free(d);
	*deliver = NULL;
}

static bool
flush(struct deliver *d, struct err *err)
{
	if (d->flight != NULL)
		return flight_drain(d->flight, err);
	if (!d->target->ops->flush(d->target->data, err))
		return false;
	do
		if (!settle_some(&d->settle, false, true, err))
			return false;
	while (d->settle.waiting > 0);

	return true;
}

static bool
seal(struct deliver *d, struct err *err)
{
	return flush(d, err) && haul_seal(d->index, d->target, d->o->run,
				    d->o->target_account, err);
}

static bool
seal_if_full(struct deliver *d, struct err *err)
{
	const struct target_ops *ops = d->target->ops;

	return ops->full == NULL || !ops->full(d->target->data) || seal(d, err);
}

/* ---- one thing from the belt ---- */

/* An old UIDVALIDITY with other messages makes names that the open volume may
 * hold already: an entry would hide another one, or link to itself. */
static bool
open_box(struct deliver *d, const struct belt *b, struct err *err)
{
	free(d->box_name);
	d->box_name = mem_str(b->name);
	if (d->flight != NULL)
		return flight_open(d->flight, b, err);
	if (b->fresh_volume && !seal(d, err))
		return false;
	free(d->box_display);
	d->box_display = mem_str(b->display);
	d->box = (struct source_mailbox){
		.name = d->box_name,
		.display = d->box_display,
		.separator = b->separator,
		.attributes = b->attributes,
	};
	struct target_box box;

	return d->target->ops->open(
	    d->target->data, d->o->account, &d->box, b->uidvalidity, &box, err);
}

static int64_t
body_hash(const struct belt *b)
{
	uint64_t body =
	    content_size(b->content) - content_header_size(b->content);

	return body < CLAIMS_BODY_MIN ? 0 : content_body_hash(b->content);
}

/* An archive has made its copy by now: many messages wait for their receipts,
 * and their bodies would fill the memory. */
static void
lighten(struct deliver *d, struct pending *p)
{
	struct header_fields header;
	size_t len;
	const char *octets = content_header(p->belt->content, &len);
	header_scan(octets, len, &header);
	p->identity = identity_key(p->belt->content, &header);
	if (d->target->ops->volume != NULL)
		content_forget_body(p->belt->content);
}

static bool
deliver_message(struct deliver *d, struct pending *p, struct err *err)
{
	if (d->flight != NULL) {
		lighten(d, p);
		return flight_add(d->flight, p, err);
	}
	struct belt *b = p->belt;
	struct claims *claims = d->settle.claims;
	struct kept *survivor = mem_new(sizeof(*survivor));
	struct kept *where = mem_new(sizeof(*where));
	bool ok =
	    d->o->self_contained ||
	    claims_decide(claims, d->index, d->target, d->o->target_account, b,
		p->body_hash, &p->claim, survivor, err);
	struct item item = {
		.ticket = p->ticket,
		.placement = &b->placement.p,
		.content = b->content,
		.claim = p->claim,
		.survivor = *survivor,
	};
	ok = ok &&
	     d->target->ops->deliver(d->target->data, &item, 1, where, err);
	if (ok) {
		held_set(&p->where, where);
		held_set(&p->survivor, survivor);
		claims_add(claims, p);
		lighten(d, p);
	}
	free(survivor);
	free(where);

	return ok;
}

/*
 * In a new generation, or a mailbox that was renamed: what is kept for the old
 * one is not stored again. And what a rule excludes was fetched only to find
 * that out. *over: nothing is left to deliver.
 */
static bool
rematch(struct deliver *d, struct belt **b, bool *over, struct err *err)
{
	struct belt *m = *b;
	*over = false;
	if (!m->rematch)
		return true;
	if (!index_match_content(d->index, d->o->job, d->o->source_account,
		d->box_name, m->earlier, content_sha256(m->content), over, err))
		return false;
	if (*over) {
		struct pending *p = settle_enqueue(&d->settle, b);
		p->claim = CLAIM_KNOWN;
		content_forget_body(m->content);
	} else if (m->text != NULL) {
		*over = true;
		m->kind = BELT_OUTCOME;
		m->outcome = OUTCOME_EXCLUDED;
		m->class = "rule";
		content_free(&m->content);
		settle_enqueue(&d->settle, b);
	}

	return true;
}

static bool
take_message(struct deliver *d, struct belt **b, struct err *err)
{
	struct settle *s = &d->settle;
	bool over = false;
	if (!content_hash((*b)->content, err) || !rematch(d, b, &over, err))
		return false;
	if (over)
		return s->loose < LOOSE_MAX ||
		       settle_some(s, false, false, err);
	int64_t hash = d->o->self_contained ? 0 : body_hash(*b);
	struct pending *p = settle_enqueue(s, b);
	s->loose--;
	p->done = false;
	p->ticket = ++d->ticket;
	p->body_hash = hash;
	s->waiting++;

	return deliver_message(d, p, err) &&
	       settle_some(s, false, false, err) && seal_if_full(d, err);
}

static bool
take(struct deliver *d, struct belt **b, struct err *err)
{
	struct settle *s = &d->settle;
	if ((*b)->kind == BELT_MESSAGE)
		return take_message(d, b, err);
	if ((*b)->kind == BELT_SYNC) {
		if (!flush(d, err))
			return false;
		queue_synced(d->belt);
		return true;
	}
	if ((*b)->kind == BELT_PLAN)
		return flight_plan(d->flight, *b, err);
	if ((*b)->kind == BELT_OPEN && !open_box(d, *b, err))
		return false;
	if ((*b)->kind == BELT_CLOSE && d->flight != NULL &&
	    !flight_close(d->flight, *b, err))
		return false;
	if ((*b)->kind == BELT_OUTCOME && d->flight != NULL)
		flight_left_out(d->flight);
	settle_enqueue(s, b);

	return s->loose < LOOSE_MAX || settle_some(s, false, false, err);
}

static bool
is_due(const struct deliver *d)
{
	long ms = d->o->flush_ms == 0 ? FLUSH_MS : d->o->flush_ms;

	return d->settle.waiting > 0 &&
	       clock_mono_ms() - d->settle.settled_ms >= ms;
}

static bool
until_end(struct deliver *d, struct err *err)
{
	for (bool end = false; !end;) {
		struct belt *b = queue_pop(d->belt, IDLE_MS);
		bool idle = b == NULL && d->settle.first != NULL;
		end = b != NULL && b->kind == BELT_END;
		bool ok = b == NULL || take(d, &b, err);
		belt_free(&b);
		if (!ok || ((idle || is_due(d)) && !flush(d, err)))
			return false;
	}

	return flush(d, err);
}

bool
deliver_run(struct deliver *d, struct queue *q, struct err *err)
{
	d->belt = q;
	struct err last;
	bool ok = sums_load(d->settle.sums, err) && until_end(d, err);
	/* What a server said before it was full, or lost, is still true. */
	if (!ok && d->flight != NULL && err->scope == ERR_ACCOUNT)
		settle_some(&d->settle, false, true, &last);
	if (!ok)
		queue_cancel(q);
	settle_result(&d->settle, !ok, d->result);
	if (d->flight != NULL && flight_is_parked(d->flight))
		d->result->parked = true;

	return ok;
}
