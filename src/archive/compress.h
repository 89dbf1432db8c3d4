#ifndef ARCHIVE_COMPRESS_H
#define ARCHIVE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Worker threads that turn plain frames into zstd frames (content size and
 * checksum in each), a ring of slots between them and one owner thread. The
 * owner fills a slot, submits it, and takes results back in the order of
 * submission. Nothing is allocated beyond the ring's slots and one spare
 * buffer per thread, and a slot takes memory only for what is in it.
 */
struct compress;

struct compress_frame {
	uint8_t *data; /* owned by the ring; room for the largest frame */
	size_t len;
	size_t plain; /* octets before compression */
};

/* largest: plain octets of a frame at most. */
struct compress *compress_new(int threads, int level, size_t largest);
/* Ends the threads; what is in the ring is lost. */
void compress_free(struct compress **);

/* The frame being filled, all the owner's. Only if !compress_is_full. */
struct compress_frame *compress_filling(struct compress *);
void compress_submit(struct compress *);
/* No room for a frame to fill: take one back first. */
bool compress_is_full(const struct compress *);
/* How many are submitted and not yet released. */
size_t compress_pending(const struct compress *);
/* The oldest submitted frame, compressed; NULL if none, or if it isn't ready
 * and !wait. Stays valid until compress_release. */
struct compress_frame *compress_oldest(struct compress *, bool wait);
void compress_release(struct compress *);

#endif
