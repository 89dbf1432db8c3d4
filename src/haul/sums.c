#include "sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct sum {
	uint64_t mailbox; /* index id; 0: not read yet */
	/* The passes before, in this run. */
	bool repeated, before_whole;
	struct index_counts before;
	struct index_counts here;    /* of this pass */
	bool closed;                 /* seen to its end */
	bool left;                   /* nothing more comes of it */
	struct index_counts saved;   /* what the row says */
	struct index_counts durable; /* the same, committed */
	bool touched;                /* since the last commit */
};

struct earlier { /* of another try of the account in this run */
	uint64_t mailbox;
	struct index_counts counts;
};

struct sums {
	const struct haul_options *o; /* borrowed */
	struct index *index;          /* borrowed */
	struct sum *array;            /* owned; by the number of the mailbox */
	size_t n;
	size_t at_hand;  /* + 1; 0: none */
	size_t *touched; /* owned */
	size_t touched_count;
	struct earlier *earlier; /* owned */
	size_t earlier_count;
};

struct sums *
sums_new(const struct haul_options *o, struct index *index)
{
	struct sums *s = mem_new(sizeof(*s));
	s->o = o;
	s->index = index;

	return s;
}

void
sums_free(struct sums **sums)
{
	struct sums *s = *sums;
	if (s == NULL)
		return;
	free(s->earlier);
	free(s->touched);
	free(s->array);
	free(s);
	*sums = NULL;
}

static bool
add_earlier(void *arg, const struct index_run_row *row)
{
	struct sums *s = arg;
	if (strcmp(row->source, s->o->account) != 0)
		return true;
	s->earlier =
	    mem_grow(s->earlier, s->earlier_count + 1, sizeof(*s->earlier));
	s->earlier[s->earlier_count++] = (struct earlier){
		.mailbox = row->id,
		.counts = row->counts,
	};

	return true;
}

bool
sums_load(struct sums *s, struct err *err)
{
	return index_run_rows(s->index, s->o->run, add_earlier, s, err);
}

/* ---- arithmetic ---- */

static uint64_t
sum_of(const struct index_counts *c)
{
	uint64_t sum = c->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum += c->by[i];

	return sum;
}

static void
add(struct index_counts *to, const struct index_counts *c)
{
	to->inventory += c->inventory;
	to->already += c->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		to->by[i] += c->by[i];
}

static void
name_the_rest(struct index_counts *c)
{
	uint64_t sum = sum_of(c);
	if (sum < c->inventory)
		c->by[OUTCOME_UNKNOWN] += c->inventory - sum;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What the passes before copied is found as already there. Until this one has
 * come to all of it, the rest is taken to be there too: a process may die at
 * any moment, and then this is what is known. */
static void
take_copied(struct index_counts *c, uint64_t copied, bool closed)
{
	uint64_t found = least(copied, c->already);
	c->already -= found;
	uint64_t room = c->inventory - least(sum_of(c), c->inventory);
	uint64_t more = closed ? found : least(copied, room);
	c->by[OUTCOME_DELIVERED] += more > found ? more : found;
}

/* What this mailbox comes to in the run, by now. */
static struct index_counts
total(const struct sum *sum)
{
	struct index_counts c = sum->here;
	if (sum->repeated && sum->before_whole && !sum->closed) {
		c = sum->before;
		c.inventory += sum->here.by[OUTCOME_DELIVERED];
		c.by[OUTCOME_DELIVERED] += sum->here.by[OUTCOME_DELIVERED];
		return c;
	}
	if (sum->repeated)
		take_copied(&c, sum->before.by[OUTCOME_DELIVERED], sum->closed);
	if (sum->left && !sum->closed)
		name_the_rest(&c);

	return c;
}

/* ---- rows ---- */

static void
touch(struct sums *s, struct sum *sum)
{
	if (sum->touched)
		return;
	sum->touched = true;
	s->touched =
	    mem_grow(s->touched, s->touched_count + 1, sizeof(*s->touched));
	s->touched[s->touched_count++] = (size_t)(sum - s->array);
}

/* index_count adds: what is to be added may be less than nothing. */
static bool
put(struct sums *s, uint64_t mailbox, const struct index_counts *old,
    const struct index_counts *new, struct err *err)
{
	struct index_counts c = *new;
	c.already -= old->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		c.by[i] -= old->by[i];

	return index_count(s->index, s->o->run, s->o->job, mailbox, &c, err);
}

/* Not by memcmp: there is padding behind .scanned. */
static bool
is_saved(const struct sum *sum, const struct index_counts *c)
{
	const struct index_counts *saved = &sum->saved;
	bool same = saved->inventory == c->inventory &&
		    saved->already == c->already &&
		    saved->scanned == c->scanned;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		same = same && saved->by[i] == c->by[i];

	return same;
}

static bool
save(struct sums *s, struct sum *sum, struct err *err)
{
	struct index_counts c = total(sum);
	if (is_saved(sum, &c))
		return true;
	if (!put(s, sum->mailbox, &sum->saved, &c, err))
		return false;
	sum->saved = c;
	touch(s, sum);

	return true;
}

bool
sums_save(struct sums *s, struct err *err)
{
	return s->at_hand == 0 || save(s, &s->array[s->at_hand - 1], err);
}

/* ---- one mailbox ---- */

static struct sum *
sum_of_box(struct sums *s, size_t box)
{
	if (box >= s->n) {
		size_t n = s->n == 0 ? 64 : s->n;
		while (n <= box)
			n *= 2;
		s->array = mem_grow(s->array, n, sizeof(*s->array));
		memset(s->array + s->n, 0, (n - s->n) * sizeof(*s->array));
		s->n = n;
	}

	return &s->array[box];
}

static void
take_earlier(struct sums *s, struct sum *sum, uint64_t mailbox)
{
	for (size_t i = 0; i < s->earlier_count; i++) {
		const struct index_counts *c = &s->earlier[i].counts;
		if (s->earlier[i].mailbox != mailbox)
			continue;
		sum->repeated = true;
		sum->before = sum->saved = sum->durable = *c;
		sum->before_whole =
		    c->scanned != 0 && sum_of(c) == c->inventory;
	}
}

static bool
begin_again(struct sums *s, struct sum *sum, uint64_t mailbox, struct err *err)
{
	struct index_counts none = { 0 };
	sum->before = total(sum);
	sum->before_whole =
	    sum->mailbox == mailbox && (sum->closed || sum->before_whole);
	sum->repeated = true;
	if (sum->mailbox == mailbox)
		return true;
	if (!put(s, sum->mailbox, &sum->saved, &none, err))
		return false;
	sum->saved = none;

	return true;
}

bool
sums_open(struct sums *s, size_t box, uint64_t mailbox, uint64_t inventory,
    struct err *err)
{
	if (!sums_leave(s, err))
		return false;
	struct sum *sum = sum_of_box(s, box);
	if (sum->mailbox == 0)
		take_earlier(s, sum, mailbox);
	else if (!begin_again(s, sum, mailbox, err))
		return false;
	sum->mailbox = mailbox;
	sum->here = (struct index_counts){ .inventory = inventory };
	sum->closed = sum->left = false;
	s->at_hand = box + 1;
	touch(s, sum);

	return save(s, sum, err);
}

void
sums_add(struct sums *s, const struct index_counts *c)
{
	if (s->at_hand != 0)
		add(&s->array[s->at_hand - 1].here, c);
}

void
sums_one(struct sums *s, enum outcome outcome)
{
	if (s->at_hand != 0)
		s->array[s->at_hand - 1].here.by[outcome]++;
}

void
sums_already(struct sums *s)
{
	if (s->at_hand != 0)
		s->array[s->at_hand - 1].here.already++;
}

void
sums_close(struct sums *s, uint64_t inventory, int scanned, bool *balanced)
{
	struct sum *sum = &s->array[s->at_hand - 1];
	sum->here.inventory = inventory;
	sum->here.scanned = scanned;
	sum->closed = true;
	*balanced = sum_of(&sum->here) == inventory;
}

const struct index_counts *
sums_at_hand(const struct sums *s)
{
	return &s->array[s->at_hand - 1].here;
}

bool
sums_leave(struct sums *s, struct err *err)
{
	if (s->at_hand == 0)
		return true;
	struct sum *sum = &s->array[s->at_hand - 1];
	s->at_hand = 0;
	sum->left = true;

	return save(s, sum, err);
}

/* ---- the end ---- */

void
sums_committed(struct sums *s)
{
	for (size_t i = 0; i < s->touched_count; i++) {
		struct sum *sum = &s->array[s->touched[i]];
		sum->durable = sum->saved;
		sum->touched = false;
	}
	s->touched_count = 0;
}

/* Of a transaction that was rolled back nothing is told but that there were
 * messages. */
static struct index_counts
committed(const struct sum *sum)
{
	struct index_counts c = sum->durable;
	if (sum->touched)
		c.inventory = total(sum).inventory;
	name_the_rest(&c);

	return c;
}

void
sums_result(struct sums *s, bool rolled_back, struct haul_result *result)
{
	result->balanced = true;
	for (size_t i = 0; i < s->n; i++) {
		const struct sum *sum = &s->array[i];
		if (sum->mailbox == 0)
			continue;
		struct index_counts c =
		    rolled_back ? committed(sum) : total(sum);
		if (sum_of(&c) != c.inventory)
			result->balanced = false;
		add(&result->counts, &c);
		result->mailboxes++;
	}
}
