#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

void
placement_keep(struct kept_placement *out, const struct placement *p)
{
	*out = (struct kept_placement){ .p = *p };
	out->p.text = p->text == NULL ? NULL : mem_dup(p->text, p->text_len);
	out->p.email_id = mem_str(p->email_id);
	out->p.message_id = NULL;
	if (p->keyword_count > 0) {
		out->keywords =
		    mem_array(p->keyword_count, sizeof(*out->keywords));
		for (uint32_t i = 0; i < p->keyword_count; i++)
			out->keywords[i] = mem_str(p->keywords[i]);
	}
	out->p.keywords = (const char *const *)out->keywords;
}

void
placement_drop(struct kept_placement *k)
{
	for (uint32_t i = 0; i < k->p.keyword_count; i++)
		free(k->keywords[i]);
	free(k->keywords);
	free((void *)k->p.text);
	free((void *)k->p.email_id);
	*k = (struct kept_placement){ 0 };
}

struct belt *
belt_new(enum belt_kind kind, uint64_t mailbox)
{
	struct belt *b = mem_new(sizeof(*b));
	b->kind = kind;
	b->mailbox = mailbox;

	return b;
}

void
belt_free(struct belt **b)
{
	if (*b == NULL)
		return;
	placement_drop(&(*b)->placement);
	content_free(&(*b)->content);
	ranges_free(&(*b)->ranges);
	for (size_t i = 0; i < (*b)->plan_count; i++) {
		free((char *)(uintptr_t)(*b)->plan[i].name);
		free((char *)(uintptr_t)(*b)->plan[i].display);
	}
	free((*b)->plan);
	free((*b)->before);
	free((*b)->text);
	free((*b)->name);
	free((*b)->display);
	free(*b);
	*b = NULL;
}

struct queue {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t room, more, settled;
	struct belt *first, **last;
	size_t count, max_count;
	uint64_t octets, max_octets;
	uint64_t syncs, synced; /* asked for, answered */
	bool cancelled;
};

static void
must(int error)
{
	if (error != 0)
		abort();
}

struct queue *
queue_new(size_t max_count, uint64_t max_octets)
{
	struct queue *q = mem_new(sizeof(*q));
	pthread_condattr_t monotonic;
	must(pthread_condattr_init(&monotonic));
	must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC));
	must(pthread_mutex_init(&q->lock, NULL));
	must(pthread_cond_init(&q->room, &monotonic));
	must(pthread_cond_init(&q->more, &monotonic));
	must(pthread_cond_init(&q->settled, &monotonic));
	must(pthread_condattr_destroy(&monotonic));
	q->last = &q->first;
	q->max_count = max_count;
	q->max_octets = max_octets;

	return q;
}

void
queue_free(struct queue **queue)
{
	struct queue *q = *queue;
	if (q == NULL)
		return;
	while (q->first != NULL) {
		struct belt *b = q->first;
		q->first = b->next;
		belt_free(&b);
	}
	pthread_cond_destroy(&q->room);
	pthread_cond_destroy(&q->more);
	pthread_cond_destroy(&q->settled);
	pthread_mutex_destroy(&q->lock);
	free(q);
	*queue = NULL;
}

static uint64_t
weight(const struct belt *b)
{
	return b->ranges.octets +
	       (b->content == NULL ? 0 : content_size(b->content));
}

/* An empty belt takes anything, or a message above max_octets would hang. */
static bool
has_room(const struct queue *q, const struct belt *b)
{
	return q->count == 0 || (q->count < q->max_count &&
				    q->octets + weight(b) <= q->max_octets);
}

bool
queue_push(struct queue *q, struct belt **b)
{
	must(pthread_mutex_lock(&q->lock));
	while (!q->cancelled && !has_room(q, *b))
		must(pthread_cond_wait(&q->room, &q->lock));
	bool taken = !q->cancelled;
	if (taken) {
		(*b)->next = NULL;
		*q->last = *b;
		q->last = &(*b)->next;
		q->count++;
		q->octets += weight(*b);
		*b = NULL;
		must(pthread_cond_signal(&q->more));
	}
	must(pthread_mutex_unlock(&q->lock));

	return taken;
}

/* False once the time is over. */
static bool
wait_more(struct queue *q, const struct timespec *until)
{
	if (until == NULL) {
		must(pthread_cond_wait(&q->more, &q->lock));
		return true;
	}
	int error = pthread_cond_timedwait(&q->more, &q->lock, until);
	if (error != ETIMEDOUT)
		must(error);

	return error == 0;
}

struct belt *
queue_pop(struct queue *q, int wait_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (wait_ms > 0) {
		until.tv_sec += wait_ms / 1000;
		until.tv_nsec += wait_ms % 1000 * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
	}
	must(pthread_mutex_lock(&q->lock));
	while (q->first == NULL && wait_more(q, wait_ms < 0 ? NULL : &until))
		;
	struct belt *b = q->first;
	if (b != NULL) {
		q->first = b->next;
		if (q->first == NULL)
			q->last = &q->first;
		b->next = NULL;
		q->count--;
		q->octets -= weight(b);
		must(pthread_cond_signal(&q->room));
	}
	must(pthread_mutex_unlock(&q->lock));

	return b;
}

bool
queue_sync(struct queue *q)
{
	struct belt *b = belt_new(BELT_SYNC, 0);
	must(pthread_mutex_lock(&q->lock));
	uint64_t mine = ++q->syncs;
	must(pthread_mutex_unlock(&q->lock));
	bool ok = queue_push(q, &b);
	belt_free(&b);
	must(pthread_mutex_lock(&q->lock));
	while (ok && !q->cancelled && q->synced < mine)
		must(pthread_cond_wait(&q->settled, &q->lock));
	ok = ok && !q->cancelled;
	must(pthread_mutex_unlock(&q->lock));

	return ok;
}

void
queue_synced(struct queue *q)
{
	must(pthread_mutex_lock(&q->lock));
	q->synced++;
	must(pthread_cond_broadcast(&q->settled));
	must(pthread_mutex_unlock(&q->lock));
}

void
queue_cancel(struct queue *q)
{
	must(pthread_mutex_lock(&q->lock));
	q->cancelled = true;
	must(pthread_cond_broadcast(&q->room));
	must(pthread_cond_broadcast(&q->settled));
	must(pthread_mutex_unlock(&q->lock));
}

bool
queue_cancelled(struct queue *q)
{
	must(pthread_mutex_lock(&q->lock));
	bool cancelled = q->cancelled;
	must(pthread_mutex_unlock(&q->lock));

	return cancelled;
}
