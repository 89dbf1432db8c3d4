#include "net/deflated.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

enum {
	PIECE = 64 << 10,
	/* RFC 4978, 4: raw deflate (no header, no checksum), 32 KiB back. */
	WINDOW_BITS = -15,
	MEMORY_LEVEL = 8,
	/* More than one call of zlib could count. */
	OCTETS_MAX = 1 << 30
};

/*
 * in.next_in stands in .first or .raw.  allowance: octets that may still come
 * out above DEFLATED_RATIO.  broken: why is what every read gives.
 */
struct deflated {
	struct link *link;              /* borrowed */
	struct wire_counters *counters; /* borrowed */
	z_stream in, out;
	void *first; /* owned */
	uint64_t allowance;
	size_t idle; /* octets in since one came out */
	bool broken;
	struct err why;
	unsigned char raw[PIECE], packed[PIECE];
};

struct deflated *
deflated_new(struct link *link, struct wire_counters *counters,
    const void *data, size_t n)
{
	struct deflated *d = mem_new(sizeof(*d));
	assert(n <= OCTETS_MAX);
	d->link = link;
	d->counters = counters;
	d->allowance = DEFLATED_BURST;
	if (inflateInit2(&d->in, WINDOW_BITS) != Z_OK ||
	    deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		mem_out();
	if (n > 0)
		d->first = mem_dup(data, n);
	d->in.next_in = d->first;
	d->in.avail_in = (uInt)n;

	return d;
}

void
deflated_free(struct deflated **deflated)
{
	struct deflated *d = *deflated;
	if (d == NULL)
		return;
	inflateEnd(&d->in);
	deflateEnd(&d->out);
	free(d->first);
	free(d);
	*deflated = NULL;
}

/* ---- what the peer may do to us ---- */

static bool
hint(const struct peer *p, struct err *err)
{
	return err_hint(err,
	    "What was copied is kept. Without compression it may come:\n"
	    "Then: the same command with --%s-compress=never",
	    p->prefix);
}

static bool
bomb(const struct deflated *d, struct err *err)
{
	const struct peer *p = d->link->peer;
	err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s %s sent compressed data that goes on swelling to more "
	    "than %d times its size, as no mail does (a decompression bomb)",
	    p->side, p->name, DEFLATED_RATIO);

	return hint(p, err);
}

/* Broken on its way, where there is no TLS, or by a server's bug: the next
 * connection may be better. */
static bool
garbage(const struct deflated *d, const char *what, struct err *err)
{
	const struct peer *p = d->link->peer;
	err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s %s agreed to compress and sent %s", p->side, p->name, what);

	return hint(p, err);
}

static bool
ended(const struct deflated *d, struct err *err)
{
	const struct peer *p = d->link->peer;

	return err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
	    "the %s %s ended its compressed stream", p->side, p->name);
}

/* Octets in earn what octets out may cost. */
static bool
is_paid(struct deflated *d, size_t in, size_t out)
{
	d->allowance += (uint64_t)in * DEFLATED_RATIO;
	if (d->allowance > DEFLATED_BURST)
		d->allowance = DEFLATED_BURST;
	if (d->allowance < out)
		return false;
	d->allowance -= out;

	return true;
}

/* ---- in ---- */

/* What the octets at hand give; *got is 0 if more are needed. An error is
 * zlib's again in the next call: what came before it is handed out first. */
static bool
swell(struct deflated *d, void *out, size_t n, size_t *got, struct err *err)
{
	z_stream *z = &d->in;
	uInt had = z->avail_in, room = n < OCTETS_MAX ? (uInt)n : OCTETS_MAX;
	z->next_out = out;
	z->avail_out = room;
	int code = inflate(z, Z_SYNC_FLUSH);
	*got = room - z->avail_out;
	if (code == Z_MEM_ERROR)
		mem_out();
	if (!is_paid(d, had - z->avail_in, *got))
		return bomb(d, err);
	d->idle = *got > 0 ? 0 : d->idle + (had - z->avail_in);
	if (*got > 0)
		return true;
	if (code == Z_STREAM_END)
		return ended(d, err);
	if (code != Z_OK && code != Z_BUF_ERROR)
		return garbage(d, "what is no deflate stream", err);
	if (d->idle > DEFLATED_IDLE_MAX)
		return garbage(d, "blocks that hold nothing", err);

	return true;
}

static ssize_t
more_from_link(struct deflated *d, bool wait, struct err *err)
{
	ssize_t n;
	if (wait)
		n = (ssize_t)link_read(d->link, d->raw, sizeof(d->raw), err);
	else
		n = link_try(d->link, d->raw, sizeof(d->raw), err);
	if (wait && n == 0)
		n = -1;
	if (n > 0) {
		d->in.next_in = d->raw;
		d->in.avail_in = (uInt)n;
		d->counters->carried_in += (uint64_t)n;
	}

	return n;
}

/* As link_try; wait: never 0. */
static ssize_t
get(struct deflated *d, void *out, size_t n, bool wait, struct err *err)
{
	assert(n > 0);
	for (;;) {
		size_t got = 0;
		if (!swell(d, out, n, &got, err))
			return -1;
		if (got > 0)
			return (ssize_t)got;
		/* There was room: zlib has taken all there is. */
		assert(d->in.avail_in == 0);
		ssize_t more = more_from_link(d, wait, err);
		if (more <= 0)
			return more;
	}
}

static ssize_t
get_unbroken(
    struct deflated *d, void *out, size_t n, bool wait, struct err *err)
{
	ssize_t got = -1;
	if (d->broken)
		*err = d->why;
	else
		got = get(d, out, n, wait, err);
	if (got < 0 && !d->broken) {
		d->broken = true;
		d->why = *err;
	}

	return got;
}

size_t
deflated_read(struct deflated *d, void *out, size_t n, struct err *err)
{
	ssize_t got = get_unbroken(d, out, n, true, err);

	return got > 0 ? (size_t)got : 0;
}

ssize_t
deflated_try(struct deflated *d, void *out, size_t n, struct err *err)
{
	return get_unbroken(d, out, n, false, err);
}

/* ---- out ---- */

bool
deflated_write(struct deflated *d, const void *data, size_t n, struct err *err)
{
	z_stream *z = &d->out;
	assert(n > 0 && n <= OCTETS_MAX);
	z->next_in = (z_const Bytef *)data;
	z->avail_in = (uInt)n;
	do {
		z->next_out = d->packed;
		z->avail_out = sizeof(d->packed);
		/* All of it must leave now: the peer is to answer. */
		int code = deflate(z, Z_SYNC_FLUSH);
		assert(code == Z_OK || code == Z_BUF_ERROR);
		(void)code;
		size_t made = sizeof(d->packed) - z->avail_out;
		if (made > 0 && !link_write(d->link, d->packed, made, err))
			return false;
		d->counters->carried_out += made;
	} while (z->avail_out == 0);

	return true;
}
