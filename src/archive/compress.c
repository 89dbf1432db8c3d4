#include "compress.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zstd.h>

/* Pages of a buffer above this served a large message and are given back at
 * once. */
enum { KEEP = 3 << 19 };

struct slot {
	struct compress_frame frame;
	bool done;
};

/*
 * Sequence numbers: released <= taken <= submitted <= released + slots - 1;
 * slot n % slots. The slot of number `submitted` is being filled.
 */
struct compress {
	int level;
	size_t cap; /* of each buffer */
	size_t threads, slots;
	pthread_t *thread;
	struct slot *ring;

	pthread_mutex_t lock; /* guards all below and slot.done */
	pthread_cond_t work, ready;
	uint64_t submitted, taken, released;
	bool stop;
};

static void
must(int rc)
{
	if (rc != 0)
		abort();
}

static ZSTD_CCtx *
new_context(int level)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	if (context == NULL)
		mem_out();
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1);

	return context;
}

/*
 * Address space for the largest frame; memory only for what is used of it.
 * Not from malloc, which keeps what large messages made it take.
 */
static uint8_t *
map_buffer(size_t cap)
{
	void *p = mmap(NULL, cap, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		mem_out();

	return p;
}

static void
empty_buffer(struct compress_frame *f, size_t cap)
{
	if (f->len > KEEP)
		madvise(f->data + KEEP, cap - KEEP, MADV_DONTNEED);
	f->len = 0;
}

/* Compress into the spare buffer and swap: the plain one becomes the spare. */
static void
squeeze(ZSTD_CCtx *context, struct compress_frame *f,
    struct compress_frame *spare, size_t cap)
{
	size_t n = ZSTD_compress2(context, spare->data, cap, f->data, f->len);
	if (ZSTD_isError(n))
		mem_out();

	struct compress_frame plain = *f;
	*f = *spare;
	f->plain = plain.len;
	f->len = n;
	*spare = plain;
	empty_buffer(spare, cap);
}

static void *
worker(void *arg)
{
	struct compress *c = arg;
	ZSTD_CCtx *context = new_context(c->level);
	struct compress_frame spare = { .data = map_buffer(c->cap) };

	must(pthread_mutex_lock(&c->lock));
	for (;;) {
		while (c->taken == c->submitted && !c->stop)
			must(pthread_cond_wait(&c->work, &c->lock));
		if (c->stop)
			break;
		struct slot *slot = &c->ring[c->taken++ % c->slots];
		must(pthread_mutex_unlock(&c->lock));
		squeeze(context, &slot->frame, &spare, c->cap);
		must(pthread_mutex_lock(&c->lock));
		slot->done = true;
		must(pthread_cond_signal(&c->ready));
	}
	must(pthread_mutex_unlock(&c->lock));
	munmap(spare.data, c->cap);
	ZSTD_freeCCtx(context);

	return NULL;
}

/* Signals belong to the threads that know what to do with them. */
static void
start_threads(struct compress *c)
{
	sigset_t all, before;
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before));
	for (size_t i = 0; i < c->threads; i++)
		must(pthread_create(&c->thread[i], NULL, worker, c));
	must(pthread_sigmask(SIG_SETMASK, &before, NULL));
}

struct compress *
compress_new(int threads, int level, size_t largest)
{
	struct compress *c = mem_new(sizeof(*c));
	c->level = level;
	c->cap = (ZSTD_compressBound(largest) + 0xffff) & ~(size_t)0xffff;
	c->threads = (size_t)threads;
	/* One is being filled, one may wait while all threads work. */
	c->slots = c->threads + 2;
	c->thread = mem_array(c->threads, sizeof(*c->thread));
	c->ring = mem_array(c->slots, sizeof(*c->ring));
	for (size_t i = 0; i < c->slots; i++)
		c->ring[i].frame.data = map_buffer(c->cap);
	must(pthread_mutex_init(&c->lock, NULL));
	must(pthread_cond_init(&c->work, NULL));
	must(pthread_cond_init(&c->ready, NULL));
	start_threads(c);

	return c;
}

void
compress_free(struct compress **cp)
{
	struct compress *c = *cp;
	if (c == NULL)
		return;
	*cp = NULL;

	must(pthread_mutex_lock(&c->lock));
	c->stop = true;
	must(pthread_cond_broadcast(&c->work));
	must(pthread_mutex_unlock(&c->lock));
	for (size_t i = 0; i < c->threads; i++)
		must(pthread_join(c->thread[i], NULL));
	for (size_t i = 0; i < c->slots; i++)
		munmap(c->ring[i].frame.data, c->cap);
	pthread_cond_destroy(&c->ready);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
	free(c->ring);
	free(c->thread);
	free(c);
}

struct compress_frame *
compress_filling(struct compress *c)
{
	return &c->ring[c->submitted % c->slots].frame;
}

void
compress_submit(struct compress *c)
{
	must(pthread_mutex_lock(&c->lock));
	c->ring[c->submitted % c->slots].done = false;
	c->submitted++;
	must(pthread_cond_signal(&c->work));
	must(pthread_mutex_unlock(&c->lock));
}

size_t
compress_pending(const struct compress *c)
{
	return c->submitted - c->released;
}

bool
compress_is_full(const struct compress *c)
{
	return compress_pending(c) == c->slots;
}

struct compress_frame *
compress_oldest(struct compress *c, bool wait)
{
	if (c->released == c->submitted)
		return NULL;

	struct slot *slot = &c->ring[c->released % c->slots];
	must(pthread_mutex_lock(&c->lock));
	while (!slot->done && wait)
		must(pthread_cond_wait(&c->ready, &c->lock));
	bool done = slot->done;
	must(pthread_mutex_unlock(&c->lock));

	return done ? &slot->frame : NULL;
}

void
compress_release(struct compress *c)
{
	empty_buffer(&c->ring[c->released % c->slots].frame, c->cap);
	must(pthread_mutex_lock(&c->lock));
	c->released++;
	must(pthread_mutex_unlock(&c->lock));
}
