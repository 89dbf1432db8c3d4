#include "deliver.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "claims.h"
#include "mail/identity.h"

enum {
	RECEIPTS = 64,
	/* Outcomes that wait for no message are settled in groups of these. */
	LOOSE_MAX = 500,
	/* A slow source's last messages are made durable after this pause. */
	IDLE_MS = 3000
};

struct deliver {
	const struct haul_options *o;
	struct index *index;
	struct target *target;
	struct meter *meter;
	struct haul_result *result;
	struct claims *claims;
	struct pending *first, **last; /* in belt order, owned */
	size_t waiting;                /* of them without a receipt */
	size_t loose;                  /* of them that need none */
	uint64_t ticket;
	struct receipt *receipts; /* RECEIPTS */
	struct source_mailbox box;
	char *box_name, *box_display; /* owned; box points here */
	uint64_t box_uidvalidity;
	/* The mailbox whose things are being settled; 0: none. */
	uint64_t settling;
	struct index_counts box_counts; /* its sums so far */
	struct index_counts unsaved;    /* of them, not yet in the index */
	struct index_counts durable;    /* the sums as last committed … */
	uint64_t durable_of;            /* … of this mailbox */
	char *settling_name;            /* owned */
};

struct deliver *
deliver_new(const struct haul_options *o, struct index *index,
    struct target *target, struct meter *meter, struct haul_result *result)
{
	struct deliver *d = mem_new(sizeof(*d));
	d->o = o;
	d->index = index;
	d->target = target;
	d->meter = meter;
	d->result = result;
	d->claims = mem_new(sizeof(*d->claims));
	d->receipts = mem_array(RECEIPTS, sizeof(*d->receipts));
	d->last = &d->first;

	return d;
}

void
deliver_free(struct deliver **deliver)
{
	struct deliver *d = *deliver;
	if (d == NULL)
		return;
	while (d->first != NULL) {
		struct pending *p = d->first;
		d->first = p->next;
		pending_free(&p);
	}
	free(d->claims);
	free(d->receipts);
	free(d->box_name);
	free(d->box_display);
	free(d->settling_name);
	free(d);
	*deliver = NULL;
}

static struct pending *
enqueue(struct deliver *d, struct belt **b)
{
	struct pending *p = mem_new(sizeof(*p));
	p->belt = *b;
	*b = NULL;
	p->done = true;
	*d->last = p;
	d->last = &p->next;

	return p;
}

/* ---- what the index is told, in the belt's order ---- */

static bool
settle_message(struct deliver *d, const struct pending *p, struct err *err)
{
	const struct belt *b = p->belt;
	struct header_fields header;
	size_t len;
	const char *octets = content_header(b->content, &len);
	header_scan(octets, len, &header);
	struct kept where, survivor;
	held_get(&p->where, &where);
	held_get(&p->survivor, &survivor);
	struct index_delivery row = {
		.run = d->o->run,
		.job = d->o->job,
		.mailbox = b->mailbox,
		.archive = d->o->target_account,
		.placement = &b->placement.p,
		.content = b->content,
		.header = &header,
		.identity = p->identity,
		.claim = p->claim,
		.where = &where,
		.survivor = p->claim == CLAIM_WHOLE ? NULL : &survivor,
	};
	if (!index_settle(d->index, &row, err))
		return false;
	uint64_t size = content_size(b->content);
	d->result->octets += size;
	atomic_fetch_add(&d->meter->settled, 1);
	atomic_fetch_add(&d->meter->settled_octets, size);

	return true;
}

static bool
settle_outcome(struct deliver *d, const struct belt *b, struct err *err)
{
	return index_settle_outcome(d->index, d->o->run, d->o->job, b->mailbox,
	    &b->placement.p, b->outcome, b->class, b->text, err);
}

static void
count_one(struct deliver *d, enum outcome outcome)
{
	d->box_counts.by[outcome]++;
	d->unsaved.by[outcome]++;
}

/* One row a transaction and mailbox, not one a message. */
static bool
save_counts(struct deliver *d, struct err *err)
{
	if (d->settling == 0)
		return true;
	struct index_counts add = d->unsaved;
	d->unsaved = (struct index_counts){ .scanned = INDEX_ADD_ONLY };

	return index_count(
	    d->index, d->o->run, d->o->job, d->settling, &add, err);
}

static uint64_t
sum_of(const struct index_counts *c)
{
	uint64_t sum = c->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum += c->by[i];

	return sum;
}

static bool
balances(const struct index_counts *c)
{
	return sum_of(c) == c->inventory;
}

static void
add_counts(struct index_counts *sum, const struct index_counts *c)
{
	sum->inventory += c->inventory;
	sum->already += c->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum->by[i] += c->by[i];
}

/* What a mailbox that was not seen to its end leaves over: nobody can say what
 * became of it, and the next run looks at all of it. */
static void
name_the_rest(struct deliver *d)
{
	uint64_t sum = sum_of(&d->box_counts);
	if (sum >= d->box_counts.inventory)
		return;
	uint64_t rest = d->box_counts.inventory - sum;
	d->box_counts.by[OUTCOME_UNKNOWN] += rest;
	d->unsaved.by[OUTCOME_UNKNOWN] += rest;
}

/* The mailbox in hand ends here, whether it was seen to its end or not. */
static bool
leave_box(struct deliver *d, struct err *err)
{
	if (d->settling == 0)
		return true;
	name_the_rest(d);
	if (!save_counts(d, err))
		return false;
	if (!balances(&d->box_counts))
		d->result->balanced = false;
	add_counts(&d->result->counts, &d->box_counts);
	d->result->mailboxes++;
	d->settling = 0;

	return true;
}

static bool
settle_open(struct deliver *d, const struct belt *b, struct err *err)
{
	if (!leave_box(d, err))
		return false;
	free(d->settling_name);
	d->settling_name = mem_str(b->display);
	d->settling = b->mailbox;
	d->box_counts = b->counts;
	d->unsaved = (struct index_counts){ .scanned = INDEX_ADD_ONLY };

	return index_count(
	    d->index, d->o->run, d->o->job, b->mailbox, &b->counts, err);
}

static void
settle_count(struct deliver *d, const struct belt *b)
{
	add_counts(&d->box_counts, &b->counts);
	add_counts(&d->unsaved, &b->counts);
}

static bool
settle_close(struct deliver *d, const struct belt *b, struct err *err)
{
	d->box_counts.inventory = b->counts.inventory;
	bool balanced = balances(&d->box_counts);
	if (!balanced)
		log_add(LOG_WARN,
		    "%s does not add up: the server said %" PRIu64
		    " messages and listed another number",
		    d->settling_name, d->box_counts.inventory);
	if (!index_count(
		d->index, d->o->run, d->o->job, b->mailbox, &b->counts, err) ||
	    !leave_box(d, err))
		return false;
	if (!b->advance || !balanced)
		return true;
	uint8_t hash[32];
	filter_hash(&d->o->filter, hash);

	return index_delta_put(
	    d->index, d->o->run, d->o->job, b->mailbox, &b->state, hash, err);
}

static bool
settle_refused(struct deliver *d, struct pending *p, struct err *err)
{
	struct belt *b = p->belt;

	count_one(d, OUTCOME_QUARANTINED);

	return index_settle_outcome(d->index, d->o->run, d->o->job, b->mailbox,
	    &b->placement.p, OUTCOME_QUARANTINED, err_code_word(p->why.code),
	    p->why.text, err);
}

static bool
settle_one(struct deliver *d, struct pending *p, struct err *err)
{
	struct belt *b = p->belt;
	switch (b->kind) {
	case BELT_OPEN:
		return settle_open(d, b, err);
	case BELT_MESSAGE:
		if (p->refused)
			return settle_refused(d, p, err);
		count_one(d, OUTCOME_DELIVERED);
		return settle_message(d, p, err);
	case BELT_OUTCOME:
		count_one(d, b->outcome);
		return settle_outcome(d, b, err);
	case BELT_COUNT:
		settle_count(d, b);
		break;
	case BELT_CLOSE:
		return settle_close(d, b, err);
	case BELT_END:
		return leave_box(d, err);
	}

	return true;
}

/* Everything at the front that waits for nothing more. */
static bool
settle_front(struct deliver *d, struct err *err)
{
	while (d->first != NULL && d->first->done) {
		struct pending *p = d->first;
		if (!settle_one(d, p, err))
			return false;
		d->first = p->next;
		if (d->first == NULL)
			d->last = &d->first;
		if (p->belt->kind == BELT_MESSAGE)
			claims_remove(d->claims, p);
		else
			d->loose--;
		pending_free(&p);
	}

	return true;
}

static void
take_receipts(struct deliver *d, size_t n)
{
	struct pending *p = d->first;
	for (size_t i = 0; i < n; i++) {
		const struct receipt *r = &d->receipts[i];
		while (p != NULL && p->ticket != r->ticket)
			p = p->next;
		if (p == NULL)
			abort(); /* a receipt for nothing we handed over */
		p->done = true;
		p->refused = r->kind == RECEIPT_REFUSED;
		if (p->refused)
			p->why = r->why;
		d->waiting--;
	}
}

/* The rest of what is due belongs into the same transaction: a volume's
 * committed octets and the placements in them are settled together. */
static bool
settle_in_transaction(
    struct deliver *d, size_t n, struct progress *progress, struct err *err)
{
	const struct haul_options *o = d->o;
	for (;;) {
		if (progress->volume[0] != '\0' &&
		    !index_progress(
			d->index, o->run, o->target_account, progress, err))
			return false;
		take_receipts(d, n);
		if (n < RECEIPTS)
			break;
		n = RECEIPTS;
		*progress = (struct progress){ 0 };
		if (!d->target->ops->collect(
			d->target->data, false, d->receipts, &n, progress, err))
			return false;
	}

	return settle_front(d, err) && save_counts(d, err);
}

static bool
settle(struct deliver *d, bool wait, bool force, struct err *err)
{
	size_t n = RECEIPTS;
	struct progress progress = { 0 };
	if (!d->target->ops->collect(
		d->target->data, wait, d->receipts, &n, &progress, err))
		return false;
	bool nothing = n == 0 && progress.volume[0] == '\0';
	if (nothing && !force && d->loose < LOOSE_MAX)
		return true;
	if (nothing && (d->first == NULL || !d->first->done))
		return true;
	crash_point("haul: before settling");
	if (!index_begin(d->index, err))
		return false;
	if (!settle_in_transaction(d, n, &progress, err)) {
		index_rollback(d->index);
		return false;
	}
	bool ok = index_commit(d->index, err);
	crash_point("haul: settled");
	if (ok) {
		d->durable = d->box_counts;
		d->durable_of = d->settling;
	}

	return ok;
}

static bool
flush(struct deliver *d, struct err *err)
{
	if (!d->target->ops->flush(d->target->data, err))
		return false;
	do
		if (!settle(d, false, true, err))
			return false;
	while (d->waiting > 0);

	return true;
}

static bool
seal_if_full(struct deliver *d, struct err *err)
{
	const struct target_ops *ops = d->target->ops;
	if (ops->full == NULL || !ops->full(d->target->data))
		return true;

	return flush(d, err) && haul_seal(d->index, d->target, d->o->run,
				    d->o->target_account, err);
}

/* ---- one thing from the belt ---- */

static bool
open_box(struct deliver *d, const struct belt *b, struct err *err)
{
	free(d->box_name);
	free(d->box_display);
	d->box_name = mem_str(b->name);
	d->box_display = mem_str(b->display);
	d->box_uidvalidity = b->uidvalidity;
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
	struct belt *b = p->belt;
	struct kept *survivor = mem_new(sizeof(*survivor));
	struct kept *where = mem_new(sizeof(*where));
	bool ok =
	    d->o->self_contained ||
	    claims_decide(d->claims, d->index, d->target, d->o->target_account,
		b, p->body_hash, &p->claim, survivor, err);
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
		claims_add(d->claims, p);
		lighten(d, p);
	}
	free(survivor);
	free(where);

	return ok;
}

static bool
take_message(struct deliver *d, struct belt **b, struct err *err)
{
	int64_t hash = d->o->self_contained ? 0 : body_hash(*b);
	struct pending *p = enqueue(d, b);
	p->done = false;
	p->ticket = ++d->ticket;
	p->body_hash = hash;
	d->waiting++;

	return deliver_message(d, p, err) && settle(d, false, false, err) &&
	       seal_if_full(d, err);
}

static bool
take(struct deliver *d, struct belt **b, struct err *err)
{
	switch ((*b)->kind) {
	case BELT_MESSAGE:
		return take_message(d, b, err);
	case BELT_OPEN:
		if (!open_box(d, *b, err))
			return false;
		break;
	case BELT_OUTCOME:
	case BELT_COUNT:
	case BELT_CLOSE:
	case BELT_END:
		break;
	}
	enqueue(d, b);
	d->loose++;

	return d->loose < LOOSE_MAX || settle(d, false, false, err);
}

static bool
until_end(struct deliver *d, struct queue *q, struct err *err)
{
	for (bool end = false; !end;) {
		struct belt *b = queue_pop(q, IDLE_MS);
		if (b == NULL) {
			if ((d->waiting > 0 || d->loose > 0) && !flush(d, err))
				return false;
			continue;
		}
		end = b->kind == BELT_END;
		bool ok = take(d, &b, err);
		belt_free(&b);
		if (!ok)
			return false;
	}

	return flush(d, err);
}

/* The run's sums hold only what is durable; the rest was not reached. */
static void
leave_undone(struct deliver *d)
{
	if (d->settling == 0)
		return;
	struct index_counts none = { .inventory = d->box_counts.inventory };
	d->box_counts = d->durable_of == d->settling ? d->durable : none;
	name_the_rest(d);
	add_counts(&d->result->counts, &d->box_counts);
	d->result->mailboxes++;
}

bool
deliver_run(struct deliver *d, struct queue *q, struct err *err)
{
	bool ok = until_end(d, q, err);
	if (!ok) {
		queue_cancel(q);
		leave_undone(d);
	}

	return ok;
}
