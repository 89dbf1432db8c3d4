/* What an earlier run left in the air: asked for before anything is read. */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "flight_private.h"

struct left { /* a batch */
	uint64_t batch, tbox, uidvalidity, base;
	char *name; /* owned */
	int64_t sent;
	struct index_flying *items; /* owned; .message_id unset */
	size_t n;
	struct resolve_item *found; /* owned: where each one is */
};

struct lefts {
	struct left *array; /* owned */
	size_t n;
};

static bool
add_left(void *arg, const struct index_flight *flight)
{
	struct lefts *l = arg;
	l->array = mem_grow(l->array, l->n + 1, sizeof(*l->array));
	l->array[l->n++] = (struct left){ .batch = flight->batch,
		.tbox = flight->tbox,
		.uidvalidity = flight->uidvalidity,
		.base = flight->base,
		.name = mem_str(flight->name),
		.sent = flight->sent };

	return true;
}

static bool
add_flying(void *arg, const struct index_flying *item)
{
	struct left *l = arg;
	l->items = mem_grow(l->items, l->n + 1, sizeof(*l->items));
	l->items[l->n] = *item;
	l->items[l->n++].message_id = NULL;

	return true;
}

static void
free_lefts(struct lefts *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->array[i].name);
		free(l->array[i].items);
		free(l->array[i].found);
	}
	free(l->array);
}

struct asking {
	struct flight *f;
	uint64_t tbox;
	bool failed; /* the index: */
	struct err why;
};

static bool
is_claimed(void *arg, uint64_t uid)
{
	struct asking *asking = arg;
	bool taken = true;
	if (!asking->failed && !index_tuid_taken(asking->f->index, asking->tbox,
				   uid, &taken, &asking->why))
		asking->failed = taken = true;

	return taken;
}

static bool
settle_left(struct flight *f, const struct left *l, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct index_flying *item = &l->items[i];
		const struct index_landing landing = { .run = f->o->run,
			.job = f->o->job,
			.mailbox = item->mailbox,
			.okey = item->okey,
			.tbox = l->tbox,
			.tuid = l->found[i].uid,
			.flags = item->flags };
		bool ok = l->found[i].uid != 0
			      ? index_land(f->index, &landing, err)
			      : index_land_none(f->index, f->o->run, f->o->job,
				    item->mailbox, item->okey, err);
		if (!ok)
			return false;
	}

	return index_fly_end(f->index, l->batch, err);
}

/* Those of a mailbox are looked for together, from the lowest base on: one
 * batch may have got ahead of another, and twins may lie in two. */
static size_t
join(const struct lefts *all, uint64_t tbox, struct resolve_item **items,
    uint64_t *base)
{
	size_t n = 0;
	*items = NULL;
	*base = UINT64_MAX;
	for (const struct left *l = all->array; l < all->array + all->n; l++) {
		if (l->tbox != tbox)
			continue;
		*base = l->base < *base ? l->base : *base;
		*items = mem_grow(*items, n + l->n + 1, sizeof(**items));
		for (size_t i = 0; i < l->n; i++) {
			struct resolve_item *item = &(*items)[n++];
			*item = (struct resolve_item){
				.size = l->items[i].size,
				.idate = l->items[i].idate,
				.flags = l->items[i].flags,
				.sent = true,
			};
			memcpy(item->sha256, l->items[i].sha256,
			    sizeof(item->sha256));
		}
	}

	return n;
}

static void
share_out(struct lefts *all, uint64_t tbox, const struct resolve_item *items)
{
	size_t n = 0;
	for (struct left *l = all->array; l < all->array + all->n; l++) {
		if (l->tbox != tbox)
			continue;
		l->found = mem_array(l->n + 1, sizeof(*l->found));
		if (l->n > 0)
			memcpy(l->found, items + n, l->n * sizeof(*l->found));
		n += l->n;
	}
}

/* One mailbox that can't be looked into must not stop the others: what was on
 * its way there stays so. */
static bool
is_shut(const struct left *l, const struct err *err)
{
	if (err->scope != ERR_MAILBOX || err->code == ERR_THROTTLE)
		return false;
	log_add(LOG_WARN, "%s: %s; what was on its way there is not known",
	    l->name, err->text);

	return true;
}

static bool
ask_for(
    struct flight *f, struct lefts *all, const struct left *l, struct err *err)
{
	const struct target_box box = { .name = l->name,
		.uidvalidity = l->uidvalidity };
	struct asking asking = { .f = f, .tbox = l->tbox };
	struct resolve_item *items;
	uint64_t base;
	size_t n = join(all, l->tbox, &items, &base);
	bool ok = f->target->ops->resolve(
	    f->target->data, &box, base, items, n, is_claimed, &asking, err);
	if (asking.failed) {
		*err = asking.why;
		ok = false;
	}
	if (ok)
		share_out(all, l->tbox, items);
	free(items);

	return ok || (!asking.failed && is_shut(l, err));
}

static bool
is_first(const struct lefts *all, const struct left *at)
{
	for (const struct left *l = all->array; l < at; l++)
		if (l->tbox == at->tbox)
			return false;

	return true;
}

static bool
settle_lefts(struct flight *f, const struct lefts *l, struct err *err)
{
	size_t there = 0, n = 0;
	if (!index_begin(f->index, err))
		return false;
	for (size_t i = 0; i < l->n; i++) {
		if (l->array[i].found == NULL)
			continue;
		if (!settle_left(f, &l->array[i], err)) {
			index_rollback(f->index);
			return false;
		}
		n += l->array[i].n;
		for (size_t k = 0; k < l->array[i].n; k++)
			there += l->array[i].found[k].uid != 0;
	}
	crash_point("haul: before settling what was left in the air");
	log_add(LOG_INFO,
	    "an earlier run left %zu messages in the air: %zu are there", n,
	    there);

	return index_commit(f->index, err);
}

static bool
resume_step(struct flight *f, struct err *err)
{
	struct lefts l = { 0 };
	bool ok = index_flights(f->index, f->o->job, add_left, &l, err);
	for (size_t i = 0; ok && i < l.n; i++)
		ok = index_flying(
		    f->index, l.array[i].batch, add_flying, &l.array[i], err);
	/* The server may be reading still what a dead process left it. */
	if (ok && l.n > 0 && !stop_sleep_ms(flight_grace(f)))
		ok = err_set(err, ERR_ACCOUNT, ERR_STOPPED,
		    "stopped while waiting for what is in the air");
	for (size_t i = 0; ok && i < l.n; i++)
		ok = !is_first(&l, &l.array[i]) ||
		     ask_for(f, &l, &l.array[i], err);
	ok = ok && (l.n == 0 || settle_lefts(f, &l, err));
	free_lefts(&l);

	return ok;
}

bool
flight_resume(struct flight *f, struct err *err)
{
	return flight_persist(f, resume_step, err);
}
