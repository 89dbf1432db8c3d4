#include "settle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "index/flight.h"
#include "mail/flags.h"

enum {
	RECEIPTS = 64,
	/* Outcomes that wait for no message are settled in groups of these. */
	LOOSE_MAX = 500
};

void
settle_init(struct settle *s, const struct haul_options *o, struct index *index,
    struct target *target, struct meter *meter)
{
	*s = (struct settle){ .o = o,
		.index = index,
		.target = target,
		.meter = meter,
		.claims = mem_new(sizeof(struct claims)),
		.sums = sums_new(o, index),
		.receipts = mem_array(RECEIPTS, sizeof(struct receipt)),
		.server = o->connect_target != NULL,
		.settled_ms = clock_mono_ms() };
	s->last = &s->first;
}

void
settle_free(struct settle *s)
{
	while (s->first != NULL) {
		struct pending *p = s->first;
		s->first = p->next;
		pending_free(&p);
	}
	sums_free(&s->sums);
	free(s->claims);
	free(s->receipts);
	free(s->name);
}

struct pending *
settle_enqueue(struct settle *s, struct belt **b)
{
	struct pending *p = mem_new(sizeof(*p));
	p->belt = *b;
	*b = NULL;
	p->done = true;
	*s->last = p;
	s->last = &p->next;
	s->loose++;

	return p;
}

/* ---- messages ---- */

static bool
put_message(struct settle *s, const struct pending *p, struct err *err)
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
		.run = s->o->run,
		.job = s->o->job,
		.mailbox = b->mailbox,
		.archive = s->o->target_account,
		.placement = &b->placement.p,
		.content = b->content,
		.header = &header,
		.identity = p->identity,
		.claim = p->claim,
		.where = &where,
		.survivor = p->claim == CLAIM_WHOLE ? NULL : &survivor,
	};
	if (!index_settle(s->index, &row, err))
		return false;
	uint64_t size = content_size(b->content);
	s->now.octets += size;
	atomic_fetch_add(&s->meter->settled, 1);
	atomic_fetch_add(&s->meter->settled_octets, size);

	return true;
}

bool
settle_leave_batch(struct index *index, struct pending *p, struct err *err)
{
	struct flight_batch *batch = p->batch;
	p->batch = NULL;
	if (batch == NULL || --batch->left > 0)
		return true;
	uint64_t id = batch->id;
	free(batch);

	return index_fly_end(index, id, err);
}

static bool
put_outcome(struct settle *s, const struct belt *b, enum outcome outcome,
    const char *class, const char *text, struct err *err)
{
	sums_one(s->sums, outcome);

	return index_settle_outcome(s->index, s->o->run, s->o->job, b->mailbox,
	    &b->placement.p, outcome, class, text, err);
}

static bool
put_refused(struct settle *s, const struct pending *p, struct err *err)
{
	struct buf text = { 0 };
	buf_str(&text, p->why->text);
	if (p->why->words[0] != '\0')
		buf_fmt(&text, "; server: %s", p->why->words);
	bool ok = put_outcome(s, p->belt, OUTCOME_QUARANTINED,
	    err_code_word(p->why->code), text.data, err);
	buf_free(&text);

	return ok;
}

static bool
put_landed(struct settle *s, struct pending *p, struct err *err)
{
	const struct belt *b = p->belt;
	uint64_t size = content_size(b->content);
	const struct index_landing landing = { .run = s->o->run,
		.job = s->o->job,
		.mailbox = b->mailbox,
		.okey = b->placement.p.okey,
		.tbox = p->tbox,
		.tuid = p->tuid,
		/* Of one that stood there the source's flags are news. */
		.flags = p->adopted ? p->there_flags : b->placement.p.flags };
	if (!index_land(s->index, &landing, err) ||
	    !settle_leave_batch(s->index, p, err))
		return false;
	if (p->adopted) {
		sums_already(s->sums);
		atomic_fetch_add(&s->meter->known, 1);
		return true;
	}
	sums_one(s->sums, OUTCOME_DELIVERED);
	s->now.octets += size;
	atomic_fetch_add(&s->meter->settled, 1);
	atomic_fetch_add(&s->meter->settled_octets, size);

	return true;
}

/* Two may have been matched to one that a server has, which is the first's. */
static bool
put_known(struct settle *s, const struct belt *b, const uint8_t sha256[32],
    struct err *err)
{
	bool known;
	if (!index_settle_known(s->index, s->o->run, s->o->job, b->mailbox,
		&b->placement.p, sha256, &known, err))
		return false;
	if (!known)
		return put_outcome(s, b, OUTCOME_UNKNOWN, "rematch",
		    "what it was taken for on the target belongs to another "
		    "message; the next run delivers it",
		    err);
	sums_already(s->sums);

	return true;
}

static bool
settle_message(struct settle *s, struct pending *p, struct err *err)
{
	const struct belt *b = p->belt;
	if (p->why != NULL)
		return put_refused(s, p, err) &&
		       settle_leave_batch(s->index, p, err);
	if (p->claim == CLAIM_KNOWN)
		return put_known(s, b, content_sha256(b->content), err);
	if (s->server)
		return put_landed(s, p, err);
	sums_one(s->sums, OUTCOME_DELIVERED);

	return put_message(s, p, err);
}

/* ---- what became of those that were there ---- */

static bool
settle_change(struct settle *s, const struct belt *b, struct err *err)
{
	const struct placement *p = &b->placement.p;
	struct buf words = { 0 };
	bool changed = false;
	flags_keywords(&words, p->keywords, p->keyword_count);
	bool ok = index_change(s->index, s->o->run, b->mailbox, p->okey,
	    p->flags, words.len == 0 ? "" : words.data, &changed, err);
	buf_free(&words);
	s->now.flags_changed += changed;

	return ok;
}

static bool
settle_gone(struct settle *s, struct belt *b, struct err *err)
{
	struct ranges_cursor c;
	struct range range;
	uint64_t n;
	ranges_start(&c, &b->ranges);
	while (ranges_next(&c, &range))
		if (!index_end(s->index, s->o->run, b->mailbox, range.lo,
			range.hi, &n, err))
			return false;
	s->now.gone += b->gone;

	return true;
}

struct gone_boxes {
	uint64_t *array; /* owned */
	size_t n;
};

static bool
add_gone_box(void *arg, uint64_t mailbox)
{
	struct gone_boxes *g = arg;
	g->array = mem_grow(g->array, g->n + 1, sizeof(*g->array));
	g->array[g->n++] = mailbox;

	return true;
}

/* And with it what it replaced, if it was never seen whole. */
static bool
settle_gone_box(struct settle *s, const struct belt *b, struct err *err)
{
	struct gone_boxes g = { 0 };
	bool ok = index_replaced(s->index, b->mailbox, add_gone_box, &g, err);
	add_gone_box(&g, b->mailbox);
	for (size_t i = 0; ok && i < g.n; i++) {
		uint64_t n = 0;
		ok = index_end_mailbox(
		    s->index, s->o->run, g.array[i], 0, &n, err);
		s->now.gone += n;
	}
	free(g.array);

	return ok;
}

/* ---- mailboxes ---- */

static bool
settle_open(struct settle *s, const struct belt *b, struct err *err)
{
	free(s->name);
	s->name = mem_str(b->display);

	return sums_open(s->sums, b->box, b->mailbox, b->counts.inventory, err);
}

static bool
settle_same(struct settle *s, const struct belt *b, struct err *err)
{
	bool balanced;
	if (!sums_open(s->sums, b->box, b->mailbox, b->counts.inventory, err))
		return false;
	struct index_counts c = b->counts;
	c.inventory = 0;
	sums_add(s->sums, &c);
	sums_close(s->sums, b->counts.inventory, b->counts.scanned, &balanced);

	return sums_leave(s->sums, err);
}

/*
 * A run that was killed in one of those before didn't end what that one had
 * taken over: it is ended first, in their order, or a message that was seen in
 * each would stand for two.
 */
static bool
end_twins(struct settle *s, const struct belt *b, struct err *err)
{
	size_t i = 0;
	uint64_t n;
	if (b->before_count > REMATCH_BOXES)
		i = b->before_count - REMATCH_BOXES;
	for (; i < b->before_count; i++)
		if (!index_end_twins(
			s->index, s->o->run, b->before[i], 0, &n, err))
			return false;

	return b->before_count == 0 || index_end_twins(s->index, s->o->run,
					   b->mailbox, b->earlier, &n, err);
}

/* Of the generations before ends what this one has of them; the rest only if
 * this one was seen whole: it is gone. */
static bool
end_before(struct settle *s, const struct belt *b, bool whole, struct err *err)
{
	if (!end_twins(s, b, err))
		return false;
	for (size_t i = 0; whole && i < b->before_count; i++) {
		uint64_t n = 0;
		if (!index_end_mailbox(
			s->index, s->o->run, b->before[i], b->mailbox, &n, err))
			return false;
		s->now.gone += n;
	}

	return true;
}

static bool
put_state(struct settle *s, const struct belt *b,
    const struct index_counts *here, struct err *err)
{
	uint8_t hash[32];
	struct source_state state = b->state;
	/* Those that vanished are in the inventory, and not there any more. */
	state.messages -= here->by[OUTCOME_VANISHED];
	filter_hash(&s->o->filter, hash);

	return index_delta_put(
	    s->index, s->o->run, s->o->job, b->mailbox, &state, hash, err);
}

static bool
settle_close(struct settle *s, const struct belt *b, struct err *err)
{
	bool balanced;
	sums_close(s->sums, b->counts.inventory, b->counts.scanned, &balanced);
	if (!balanced)
		log_add(LOG_WARN,
		    "%s does not add up: the server said %" PRIu64
		    " messages and listed another number",
		    s->name, b->counts.inventory);
	struct index_counts here = *sums_at_hand(s->sums);
	if (!end_before(s, b, balanced && b->whole, err))
		return false;
	if (balanced && b->advance && !put_state(s, b, &here, err))
		return false;

	return sums_leave(s->sums, err);
}

/* ---- in the belt's order ---- */

static bool
settle_one(struct settle *s, struct pending *p, struct err *err)
{
	struct belt *b = p->belt;
	switch (b->kind) {
	case BELT_OPEN:
		return settle_open(s, b, err);
	case BELT_SAME:
		return settle_same(s, b, err);
	case BELT_MESSAGE:
		return settle_message(s, p, err);
	case BELT_KNOWN:
		return put_known(s, b, b->sha256, err);
	case BELT_OUTCOME:
		return put_outcome(s, b, b->outcome, b->class, b->text, err);
	case BELT_CHANGE:
		return settle_change(s, b, err);
	case BELT_GONE:
		return settle_gone(s, b, err);
	case BELT_COUNT:
		sums_add(s->sums, &b->counts);
		break;
	case BELT_CLOSE:
		return settle_close(s, b, err);
	case BELT_GONE_BOX:
		return settle_gone_box(s, b, err);
	case BELT_PLAN:
	case BELT_SYNC:
		break;
	case BELT_END:
		return sums_leave(s->sums, err);
	}

	return true;
}

/* Everything at the front that waits for nothing more. */
static bool
settle_front(struct settle *s, struct err *err)
{
	while (s->first != NULL && s->first->done) {
		struct pending *p = s->first;
		if (!settle_one(s, p, err))
			return false;
		s->first = p->next;
		if (s->first == NULL)
			s->last = &s->first;
		if (p->ticket != 0)
			claims_remove(s->claims, p);
		else
			s->loose--;
		pending_free(&p);
	}

	return true;
}

static struct pending *
find_ticket(const struct settle *s, uint64_t ticket)
{
	struct pending *p = s->first;
	while (p != NULL && p->ticket != ticket)
		p = p->next;
	if (p == NULL)
		abort(); /* a receipt for nothing we handed over */

	return p;
}

static void
take_receipts(struct settle *s, size_t n)
{
	struct pending *p = s->first;
	for (size_t i = 0; i < n; i++) {
		const struct receipt *r = &s->receipts[i];
		while (p != NULL && p->ticket != r->ticket)
			p = p->next;
		/* A server answers in its own order. */
		if (p == NULL)
			p = find_ticket(s, r->ticket);
		p->tuid = r->uid;
		s->kept += r->kind == RECEIPT_KEPT;
		p->untold = s->server && r->kind == RECEIPT_KEPT && r->uid == 0;
		/* It is asked for before it is settled. */
		if (p->untold)
			continue;
		p->done = true;
		if (r->kind == RECEIPT_REFUSED)
			p->why = mem_dup(&r->why, sizeof(r->why));
		s->waiting--;
	}
}

/* The rest of what is due belongs into the same transaction: a volume's
 * committed octets and the placements in them are settled together. */
static bool
in_transaction(
    struct settle *s, size_t n, struct progress *progress, struct err *err)
{
	const struct haul_options *o = s->o;
	for (;;) {
		if (progress->volume[0] != '\0' &&
		    !index_progress(
			s->index, o->run, o->target_account, progress, err))
			return false;
		take_receipts(s, n);
		if (n < RECEIPTS)
			break;
		n = RECEIPTS;
		*progress = (struct progress){ 0 };
		if (!s->target->ops->collect(
			s->target->data, false, s->receipts, &n, progress, err))
			return false;
	}

	return settle_front(s, err) && sums_save(s->sums, err);
}

bool
settle_some(struct settle *s, bool wait, bool force, struct err *err)
{
	size_t n = RECEIPTS;
	struct progress progress = { 0 };
	if (!s->target->ops->collect(
		s->target->data, wait, s->receipts, &n, &progress, err))
		return false;
	bool nothing = n == 0 && progress.volume[0] == '\0';
	if (nothing && !force && s->loose < LOOSE_MAX)
		return true;
	if (nothing && (s->first == NULL || !s->first->done))
		return true;
	crash_point("haul: before settling");
	if (!index_begin(s->index, err))
		return false;
	if (!in_transaction(s, n, &progress, err)) {
		index_rollback(s->index);
		return false;
	}
	bool ok = index_commit(s->index, err);
	crash_point("haul: settled");
	if (ok) {
		sums_committed(s->sums);
		s->durable = s->now;
		s->settled_ms = clock_mono_ms();
	}

	return ok;
}

void
settle_result(struct settle *s, bool rolled_back, struct haul_result *result)
{
	const struct tally *t = rolled_back ? &s->durable : &s->now;
	result->octets = t->octets;
	result->flags_changed = t->flags_changed;
	result->gone = t->gone;
	sums_result(s->sums, rolled_back, result);
}
