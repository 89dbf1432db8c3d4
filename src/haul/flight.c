#include "flight_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "index/flight.h"
#include "mail/flags.h"
#include "retry.h"

enum {
	/* In the air at most: enough for a long way, little enough for
	 * memory. */
	AIR_MESSAGES_MAX = 1000,
	AIR_OCTETS_MAX = 16 << 20,
	/* Connections that broke while it was in the air: from then on it goes
	 * alone, then only once the server has asked for its octets, and in the
	 * end it is held back. */
	BREAKS_ALONE = 2,
	BREAKS_CAREFUL = 3,
	BREAKS_HOPELESS = 5
};

struct flight *
flight_new(const struct haul_options *o, struct index *index,
    struct target *target, struct meter *meter, struct settle *settle)
{
	struct flight *f = mem_new(sizeof(*f));
	f->o = o;
	f->index = index;
	f->target = target;
	f->meter = meter;
	f->settle = settle;
	retry_start(&f->retry, o);
	target->ops->batch_limits(
	    target->data, &f->batch_items, &f->batch_octets);

	return f;
}

void
flight_free(struct flight **flight)
{
	struct flight *f = *flight;
	if (f == NULL)
		return;
	flight_forget_plan(f);
	belt_free(&f->at);
	free(f->name);
	free(f->shut);
	free(f->waiting);
	free(f);
	*flight = NULL;
}

long
flight_grace(const struct flight *f)
{
	return f->o->grace_ms == 0 ? FLIGHT_GRACE_MS : f->o->grace_ms;
}

bool
flight_is_parked(const struct flight *f)
{
	return f->parked;
}

/* ---- what is in the air ---- */

static bool
is_in_the_air(const struct pending *p)
{
	return p->flying && !p->done;
}

/* Handed over, answered for or not, and not settled: they hold memory. */
static void
count_held(const struct flight *f, size_t *n, uint64_t *octets)
{
	*n = 0;
	*octets = 0;
	for (const struct pending *p = f->settle->first; p != NULL; p = p->next)
		if (p->flying) {
			++*n;
			*octets += content_size(p->belt->content);
		}
}

static bool
anything_in_the_air(const struct flight *f)
{
	for (const struct pending *p = f->settle->first; p != NULL; p = p->next)
		if (is_in_the_air(p))
			return true;

	return false;
}

static void
arrived(struct flight *f, struct pending *p)
{
	p->done = true;
	f->settle->waiting--;
}

/* What the target said it keeps is progress; that it connects is none. */
static bool
take_receipts(struct flight *f, bool wait, bool force, struct err *err)
{
	bool ok = settle_some(f->settle, wait, force, err);
	if (f->settle->kept != f->kept)
		retry_progress(&f->retry);
	f->kept = f->settle->kept;

	return ok;
}

/* ---- looking for them on the target ---- */

static bool
is_taken(void *arg, uint64_t uid)
{
	struct flight *f = arg;
	bool taken = false;
	struct err err;
	if (!index_tuid_taken(f->index, f->tbox.id, uid, &taken, &err)) {
		if (!f->failed)
			f->why = err;
		f->failed = true;
		return true;
	}
	for (const struct pending *p = f->settle->first; !taken && p != NULL;
	     p = p->next)
		taken = p->done && p->tuid == uid;

	return taken;
}

/* Those of n messages that are there from UID base on are done. */
static bool
look_for(struct flight *f, struct pending *const *list, size_t n, uint64_t base,
    bool adopt, struct err *err)
{
	const struct target_box box = { .name = f->name,
		.uidvalidity = f->uidvalidity };
	struct resolve_item *items = mem_array(n + 1, sizeof(*items));
	struct buf *words = mem_array(n + 1, sizeof(*words));
	for (size_t i = 0; i < n; i++) {
		const struct placement *p = &list[i]->belt->placement.p;
		flags_keywords(&words[i], p->keywords, p->keyword_count);
		items[i] = (struct resolve_item){
			.size = content_size(list[i]->belt->content),
			.idate = p->idate,
			.flags = p->flags,
			.keywords = words[i].len == 0 ? "" : words[i].data,
			.sent = !adopt,
		};
		memcpy(items[i].sha256, content_sha256(list[i]->belt->content),
		    sizeof(items[i].sha256));
	}
	bool ok = f->target->ops->resolve(
	    f->target->data, &box, base, items, n, is_taken, f, err);
	if (f->failed) {
		*err = f->why;
		ok = false;
	}
	for (size_t i = 0; ok && i < n; i++)
		if (items[i].uid != 0) {
			list[i]->tuid = items[i].uid;
			list[i]->tbox = f->tbox.id;
			list[i]->adopted = adopt;
			list[i]->there_flags = items[i].there_flags;
			arrived(f, list[i]);
		}
	for (size_t i = 0; i < n; i++)
		buf_free(&words[i]);
	free(words);
	free(items);

	return ok;
}

/* *base: the lowest that any of them can have. */
static struct pending **
list_air(const struct flight *f, bool only_mute, size_t *n, uint64_t *base)
{
	struct pending **list = NULL;
	*n = 0;
	*base = UINT64_MAX;
	for (struct pending *p = f->settle->first; p != NULL; p = p->next) {
		if (!is_in_the_air(p) || (only_mute && !p->untold))
			continue;
		list = mem_grow(list, *n + 1, sizeof(*list));
		list[(*n)++] = p;
		if (p->batch->base < *base)
			*base = p->batch->base;
	}

	return list;
}

/* Kept, as the server said, but it didn't say where. */
static bool
find_untold(struct flight *f, struct err *err)
{
	size_t n;
	uint64_t base;
	struct pending **list = list_air(f, true, &n, &base);
	bool ok = n == 0 || look_for(f, list, n, base, false, err);
	for (size_t i = 0; ok && i < n; i++)
		if (!list[i]->done)
			arrived(f, list[i]);
	f->mute = f->mute || n > 0;
	free(list);

	return ok;
}

/* ---- a connection that broke ---- */

static void
wait_again(struct flight *f, struct pending *const *list, size_t n)
{
	f->waiting =
	    mem_grow(f->waiting, f->waiting_count + n + 1, sizeof(*f->waiting));
	struct pending **again = mem_array(n + 1, sizeof(*again));
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		if (list[i]->done)
			continue;
		list[i]->flying = list[i]->untold = false;
		f->waiting_octets += content_size(list[i]->belt->content);
		again[count++] = list[i];
	}
	memmove(f->waiting + count, f->waiting,
	    f->waiting_count * sizeof(*f->waiting));
	memcpy(f->waiting, again, count * sizeof(*again));
	f->waiting_count += count;
	free(again);
}

static void
hold_back(struct flight *f, struct pending *p, const struct err *why)
{
	p->why = mem_dup(why, sizeof(*why));
	p->why->scope = ERR_MESSAGE;
	f->left_out = true;
	arrived(f, p);
}

/* The mailbox has another UIDVALIDITY since they took off: which of its
 * messages are ours already, nobody knows, so none can be taken for them. */
static bool
is_stranger(const struct flight *f, struct pending *const *list, size_t n)
{
	return n > 0 && list[0]->tbox != f->tbox.id;
}

static bool
bring_back(struct flight *f, const struct err *why, struct err *err)
{
	size_t n, left = 0;
	uint64_t base;
	struct pending **list = list_air(f, false, &n, &base);
	if (n == 0)
		return true;
	log_add(LOG_INFO,
	    "%zu messages are in the air: looking for them on the target", n);
	if (!stop_sleep_ms(flight_grace(f))) {
		free(list);
		return err_set(err, ERR_ACCOUNT, ERR_STOPPED,
		    "stopped while waiting for what is in the air");
	}
	bool ok =
	    is_stranger(f, list, n) || look_for(f, list, n, base, false, err);
	for (size_t i = 0; ok && i < n; i++) {
		struct pending *p = list[i];
		if (p->done)
			continue;
		/* The server said that it keeps it. */
		if (p->untold)
			arrived(f, p);
		else if (++p->breaks >= BREAKS_HOPELESS)
			hold_back(f, p, why);
		else
			list[left++] = p;
	}
	if (ok)
		wait_again(f, list, left);
	crash_point("haul: looked for what was in the air");
	free(list);

	return ok;
}

static bool
reconnect(struct flight *f, const struct err *why, struct err *err)
{
	if (f->target->data != NULL) {
		/* Receipts that came before it broke. */
		if (!take_receipts(f, false, true, err))
			return false;
		f->target->ops->close(&f->target->data, false);
	}
	meter_set_phase(f->meter, METER_CONNECTING);
	bool ok =
	    f->o->connect_target(f->o->connect_target_arg, f->target, err);
	meter_set_phase(f->meter, METER_COPYING);
	if (!ok)
		return false;
	log_add(LOG_INFO, "connected to the target again");
	if (f->box_count > 0 &&
	    !f->target->ops->plan(f->target->data, f->boxes, f->box_count, err))
		return false;

	return f->at == NULL || f->shut != NULL ||
	       (flight_open_there(f, err) && bring_back(f, why, err));
}

/* The connection lives on. One that ended with such words (BYE) is lost like
 * any other, and with it perhaps what was sent. */
static bool
is_pause(const struct err *err)
{
	return err->code == ERR_THROTTLE && err->scope < ERR_ACCOUNT;
}

/* True: what failed may be done once more. */
static bool
recover(struct flight *f, struct err *err)
{
	struct err why = *err;
	if (err->scope > ERR_ACCOUNT ||
	    (err->code != ERR_THROTTLE && !err->transient))
		return false;
	if (is_pause(err) && f->target->data != NULL)
		return retry_wait(&f->retry, err, f->meter, &f->parked);
	do
		if (!retry_wait(&f->retry, err, f->meter, &f->parked))
			return false;
	while (!reconnect(f, &why, err));

	return true;
}

bool
flight_persist(struct flight *f, flight_step step, struct err *err)
{
	while (!step(f, err))
		if (!recover(f, err))
			return false;

	return true;
}

/* ---- a batch ---- */

static struct index_delivery
delivery_of(const struct flight *f, const struct pending *p,
    const struct header_fields *header)
{
	return (struct index_delivery){ .run = f->o->run,
		.job = f->o->job,
		.mailbox = p->belt->mailbox,
		.placement = &p->belt->placement.p,
		.content = p->belt->content,
		.header = header,
		.identity = p->identity };
}

static bool
leave_batch(struct flight *f, struct pending *p, struct err *err)
{
	return p->batch == NULL || settle_leave_batch(f->index, p, err);
}

static bool
put_in_the_air(
    struct flight *f, struct flight_batch *batch, size_t n, struct err *err)
{
	if (!index_fly(
		f->index, f->o->run, f->tbox.id, batch->base, &batch->id, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = f->waiting[i];
		struct header_fields header;
		size_t len;
		const char *octets = content_header(p->belt->content, &len);
		header_scan(octets, len, &header);
		struct index_delivery row = delivery_of(f, p, &header);
		/* It leaves an earlier batch by standing in this one. */
		if (!index_fly_one(f->index, &row, batch->id, err) ||
		    !leave_batch(f, p, err))
			return false;
		p->batch = batch;
		batch->left++;
	}

	return true;
}

/* Durable before octets leave. */
static bool
take_off(struct flight *f, size_t n, struct err *err)
{
	struct flight_batch *batch = mem_new(sizeof(*batch));
	batch->base = f->target->ops->base(f->target->data);
	crash_point("haul: before taking off");
	bool ok = index_begin(f->index, err);
	if (ok && !put_in_the_air(f, batch, n, err)) {
		index_rollback(f->index);
		ok = false;
	}
	ok = ok && index_commit(f->index, err);
	crash_point("haul: took off");
	if (!ok)
		return false; /* the run is over, and all that it holds */
	for (size_t i = 0; i < n; i++) {
		struct pending *p = f->waiting[i];
		p->flying = true;
		p->tbox = f->tbox.id;
		f->waiting_octets -= content_size(p->belt->content);
	}

	return true;
}

/* How many of those that wait go together. */
static size_t
next_batch(const struct flight *f)
{
	uint64_t octets = 0;
	size_t n = 0;
	while (n < f->waiting_count && n < f->batch_items) {
		const struct pending *p = f->waiting[n];
		octets += content_size(p->belt->content);
		if (n > 0 &&
		    (octets > f->batch_octets || p->breaks >= BREAKS_ALONE))
			break;
		n++;
		if (p->breaks >= BREAKS_ALONE)
			break;
	}

	return n;
}

static bool
hand_over(
    struct flight *f, struct pending *const *list, size_t n, struct err *err)
{
	struct item *items = mem_array(n + 1, sizeof(*items));
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		if (!list[i]->done)
			items[count++] = (struct item){ .ticket =
							    list[i]->ticket,
				.placement = &list[i]->belt->placement.p,
				.content = list[i]->belt->content,
				.claim = CLAIM_WHOLE,
				.careful = list[i]->breaks >= BREAKS_CAREFUL };
	bool ok = count == 0 || f->target->ops->deliver(
				    f->target->data, items, count, NULL, err);
	free(items);

	return ok;
}

static bool
land(struct flight *f, struct err *err)
{
	if (!f->target->ops->flush(f->target->data, err))
		return false;
	/* What it told is taken before anything is asked. */
	return take_receipts(f, false, true, err) && find_untold(f, err) &&
	       take_receipts(f, false, true, err);
}

/* Messages that were answered for wait behind the first that was not. */
static bool
wait_for_room(struct flight *f, struct err *err)
{
	for (size_t before = SIZE_MAX;;) {
		size_t n;
		uint64_t octets;
		count_held(f, &n, &octets);
		if (n < AIR_MESSAGES_MAX && octets < AIR_OCTETS_MAX)
			return true;
		/* None of them came free: all answers are needed. */
		if (n >= before)
			return land(f, err);
		before = n;
		if (!take_receipts(f, true, false, err))
			return false;
	}
}

static bool
send_one_batch(struct flight *f, struct err *err)
{
	/* The target is asked only when it owes no answer. */
	if (!(f->adopt ? land(f, err) : wait_for_room(f, err)))
		return false;
	size_t n = next_batch(f);
	bool alone = f->waiting[0]->breaks >= BREAKS_ALONE;
	struct pending **list = mem_dup(f->waiting, n * sizeof(*list));
	bool ok = take_off(f, n, err);
	if (ok) {
		f->waiting_count -= n;
		memmove(f->waiting, f->waiting + n,
		    f->waiting_count * sizeof(*f->waiting));
		ok = !f->adopt || look_for(f, list, n, 1, true, err);
		/* A pause keeps the connection: nothing brings them back. */
		if (!ok && f->target->data != NULL)
			wait_again(f, list, n);
		/* Nor does one before anything was handed over. */
		if (ok && !(ok = hand_over(f, list, n, err)) && is_pause(err))
			wait_again(f, list, n);
	}
	free(list);

	return ok && (!(alone || f->mute) || land(f, err));
}

static bool
send_all(struct flight *f, struct err *err)
{
	while (f->waiting_count > 0)
		if (!send_one_batch(f, err))
			return false;

	return take_receipts(f, false, false, err);
}

bool
flight_add(struct flight *f, struct pending *p, struct err *err)
{
	if (f->shut != NULL) {
		hold_back(f, p, f->shut);
		return take_receipts(f, false, false, err);
	}
	f->waiting =
	    mem_grow(f->waiting, f->waiting_count + 1, sizeof(*f->waiting));
	f->waiting[f->waiting_count++] = p;
	f->waiting_octets += content_size(p->belt->content);

	return (f->waiting_count < f->batch_items &&
		   f->waiting_octets < f->batch_octets) ||
	       flight_persist(f, send_all, err);
}

static bool
land_all(struct flight *f, struct err *err)
{
	/* A connection that broke may have brought some back. */
	return send_all(f, err) && land(f, err);
}

bool
flight_drain(struct flight *f, struct err *err)
{
	if (f->waiting_count == 0 && !anything_in_the_air(f))
		return take_receipts(f, false, true, err);

	return flight_persist(f, land_all, err);
}
