#ifndef NET_DEFLATED_H
#define NET_DEFLATED_H

#include "net/link.h"
#include "net/wire.h"

/*
 * COMPRESS=DEFLATE (RFC 4978) between a wire and its link: a raw deflate
 * stream each way.  A peer whose octets swell a hundredfold for longer than
 * any message (DEFLATED_BURST), that sends what is no deflate, or blocks that
 * hold nothing, is given up: ERR_PROTOCOL, for ever.  A stream that ends is a
 * connection that ends.
 */
enum {
	DEFLATED_RATIO = 100,         /* real mail stays below 20 */
	DEFLATED_BURST = 256 << 20,   /* octets that may be above it at once */
	DEFLATED_IDLE_MAX = 128 << 10 /* octets in that give none */
};

struct deflated;

/* data: what has been read from the link since the peer began to compress.
 * Link and counters (.carried_*) are borrowed. */
struct deflated *deflated_new(
    struct link *, struct wire_counters *, const void *data, size_t n);
void deflated_free(struct deflated **);
/* As link_read, link_try and link_write; what is written can all be inflated
 * by the peer at once. */
size_t deflated_read(struct deflated *, void *, size_t n, struct err *);
ssize_t deflated_try(struct deflated *, void *, size_t n, struct err *);
bool deflated_write(struct deflated *, const void *, size_t n, struct err *);

#endif
