#include "net/wire.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/deflated.h"
#include "net/dial.h"
#include "net/guard.h"
#include "net/link.h"
#include "net/tls.h"
#include "net/wire_socket.h"

enum {
	/* Any wire_peek fits, with what mailstream may put back. */
	READ_ROOM = WIRE_READ_AHEAD + (64 << 10),
	WRITE_ROOM = 64 << 10,
	/* A recv below this costs more in the call than in octets: make room
	 * first. */
	LEAST_RECV = 16 << 10,
	TIMEOUT_MS = 120000,
	/* After a stop: enough for a round trip, not for a person. */
	STOP_GRACE_MS = 2000
};

/*
 * in[pos .. pos + len) is the read-ahead; its first `seen` octets passed the
 * guard. last holds the error that a failing call gave; poisoned: it is what
 * every call gives.
 */
struct wire {
	struct peer peer;
	struct link link;
	struct tls *tls;           /* NULL: WIRE_TLS_NONE */
	struct deflated *deflated; /* over the link; NULL: not compressed */
	struct wire_tls_info info;
	struct wire_counters counters;
	char *in;
	size_t pos, len, seen;
	char *out;
	size_t out_len;
	struct guard guard;
	bool guarded, poisoned, failed;
	struct err last;
};

static bool
fail(struct wire *w, const struct err *err)
{
	w->failed = true;
	w->last = *err;

	return false;
}

static bool
usable(struct wire *w, struct err *err)
{
	if (!w->poisoned)
		return true;
	if (!w->failed) {
		err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
		    "the connection to the %s %s was given up", w->peer.side,
		    w->peer.name);
		return fail(w, err);
	}
	*err = w->last;

	return false;
}

static bool
peer_address(const struct wire *w, struct sockaddr_storage *address)
{
	socklen_t len = sizeof(*address);

	return getpeername(w->link.fd, (struct sockaddr *)address, &len) == 0;
}

static bool
may_stay_plain(
    const struct wire *w, const struct wire_options *o, struct err *err)
{
	struct sockaddr_storage address;
	if (!peer_address(w, &address))
		return err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
		    "the %s %s hung up at once", w->peer.side, w->peer.name);

	return dial_allows_plaintext(
	    (struct sockaddr *)&address, o->allow_plaintext, &w->peer, err);
}

static bool
open_wire(struct wire *w, const struct wire_options *o, struct err *err)
{
	if (o->tls != WIRE_TLS_NONE && !tls_new(&w->tls, o, &w->peer, err))
		return false;
	if (!dial(&w->link.fd, o, &w->peer, err))
		return false;
	if (o->tls == WIRE_TLS_NONE)
		return may_stay_plain(w, o, err);

	return o->tls == WIRE_TLS_STARTTLS ||
	       tls_start(w->tls, &w->link, &w->info, err);
}

bool
wire_dial(struct wire **out, const struct wire_options *o, struct err *err)
{
	struct wire *w = mem_new(sizeof(*w));
	peer_set(&w->peer, o);
	w->link = (struct link){
		.fd = -1,
		.timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS,
		.grace_ms = STOP_GRACE_MS,
		.peer = &w->peer,
	};
	if (!open_wire(w, o, err)) {
		wire_close(&w);
		return false;
	}
	w->in = mem_array(READ_ROOM, 1);
	w->out = mem_array(WRITE_ROOM, 1);
	*out = w;

	return true;
}

void
wire_close(struct wire **wire)
{
	struct wire *w = *wire;
	if (w == NULL)
		return;
	deflated_free(&w->deflated);
	link_close(&w->link);
	tls_free(&w->tls);
	peer_free(&w->peer);
	free(w->in);
	/* What was never sent may be a password, too. */
	if (w->out != NULL)
		OPENSSL_cleanse(w->out, w->out_len);
	free(w->out);
	free(w);
	*wire = NULL;
}

/* Whatever comes between the server's "OK, begin" and the handshake was put
 * there by somebody who has no key (CVE-2011-0411 and its kin). */
static bool
nothing_injected(struct wire *w, struct err *err)
{
	if (w->len == 0 && !link_has_octet(&w->link))
		return true;
	err_set(err, ERR_ACCOUNT, ERR_TLS,
	    "the %s %s sent octets in clear after its answer to STARTTLS",
	    w->peer.side, w->peer.name);

	return err_hint(err,
	    "No password was sent. Somebody on the way may be adding commands; "
	    "imaps:// (port 993) has no such phase.");
}

bool
wire_start_tls(struct wire *w, struct err *err)
{
	if (!usable(w, err))
		return false;
	assert(w->tls != NULL && w->link.ssl == NULL && w->deflated == NULL);
	if (wire_flush(w, err) && nothing_injected(w, err) &&
	    tls_start(w->tls, &w->link, &w->info, err))
		return true;
	fail(w, err);
	wire_poison(w);

	return false;
}

bool
wire_is_tls(const struct wire *w)
{
	return w->link.ssl != NULL;
}

const struct wire_tls_info *
wire_tls_info(const struct wire *w)
{
	return wire_is_tls(w) ? &w->info : NULL;
}

bool
wire_is_loopback(const struct wire *w)
{
	struct sockaddr_storage address;

	return peer_address(w, &address) &&
	       dial_is_loopback((struct sockaddr *)&address);
}

bool
wire_start_deflate(struct wire *w, struct err *err)
{
	if (!usable(w, err))
		return false;
	assert(w->deflated == NULL && w->out_len == 0);
	w->deflated =
	    deflated_new(&w->link, &w->counters, w->in + w->pos, w->len);
	w->counters.octets_in -= w->len;
	w->len = w->seen = 0;

	return true;
}

const struct wire_counters *
wire_counters(const struct wire *w)
{
	return &w->counters;
}

static bool
inspect(struct wire *w, const void *data, size_t n, struct err *err)
{
	const char *breach = guard_scan(&w->guard, data, n);
	if (breach == NULL)
		return true;
	err_set(err, ERR_ACCOUNT, ERR_PROTOCOL, "the %s %s sent %s",
	    w->peer.side, w->peer.name, breach);
	fail(w, err);
	wire_poison(w);

	return false;
}

/* The first n octets of the read-ahead are about to be shown. */
static bool
show(struct wire *w, size_t n, struct err *err)
{
	if (!w->guarded || n <= w->seen)
		return true;
	const char *unseen = w->in + w->pos + w->seen;
	size_t more = n - w->seen;
	w->seen = n;

	return inspect(w, unseen, more, err);
}

/* As link_read; what came is counted. */
static size_t
read_in(struct wire *w, void *out, size_t n, struct err *err)
{
	if (w->deflated != NULL)
		return deflated_read(w->deflated, out, n, err);
	size_t got = link_read(&w->link, out, n, err);
	w->counters.carried_in += got;

	return got;
}

/* As link_try; what came is counted. */
static ssize_t
try_in(struct wire *w, void *out, size_t n, struct err *err)
{
	if (w->deflated != NULL)
		return deflated_try(w->deflated, out, n, err);
	ssize_t got = link_try(&w->link, out, n, err);
	if (got > 0)
		w->counters.carried_in += (uint64_t)got;

	return got;
}

/*
 * Octets from the peer; our own pending ones leave first. If they can't, what
 * the peer said before it hung up is still worth reading ("* BYE …", an
 * alert).
 */
static size_t
receive(struct wire *w, void *out, size_t n, struct err *err)
{
	size_t got;
	if (wire_flush(w, err)) {
		got = read_in(w, out, n, err);
	} else {
		struct err last_words;
		ssize_t r = try_in(w, out, n, &last_words);
		if (r < 0 && last_words.code == ERR_TLS)
			*err = last_words;
		got = r > 0 ? (size_t)r : 0;
	}
	if (got == 0)
		fail(w, err);
	w->counters.octets_in += got;

	return got;
}

/* Room behind the read-ahead for at most WIRE_READ_AHEAD octets in all: the
 * rest of the room is for what is put back. */
static size_t
tail_room(struct wire *w)
{
	assert(w->len < WIRE_READ_AHEAD);
	if (w->len == 0)
		w->pos = 0;
	if (READ_ROOM - w->pos - w->len < LEAST_RECV) {
		memmove(w->in, w->in + w->pos, w->len);
		w->pos = 0;
	}

	size_t room = READ_ROOM - w->pos - w->len;
	size_t wanted = WIRE_READ_AHEAD - w->len;

	return room < wanted ? room : wanted;
}

static bool
fill(struct wire *w, struct err *err)
{
	size_t room = tail_room(w);
	size_t got = receive(w, w->in + w->pos + w->len, room, err);
	w->len += got;

	return got > 0;
}

bool
wire_peek(
    struct wire *w, size_t min, const char **data, size_t *len, struct err *err)
{
	assert(min <= WIRE_READ_AHEAD);
	if (!usable(w, err) || (w->len < min && !fill(w, err)) ||
	    !show(w, w->len, err))
		return false;
	*data = w->in + w->pos;
	*len = w->len;

	return true;
}

void
wire_take(struct wire *w, size_t n)
{
	assert(n <= w->len);
	w->pos += n;
	w->len -= n;
	w->seen -= n < w->seen ? n : w->seen;
}

size_t
wire_read(struct wire *w, void *out, size_t n, struct err *err)
{
	assert(n > 0);
	if (!usable(w, err))
		return 0;
	if (w->len == 0 && n >= LEAST_RECV) {
		size_t got = receive(w, out, n, err);
		bool good = !w->guarded || inspect(w, out, got, err);
		return good ? got : 0;
	}
	if (w->len == 0 && !fill(w, err))
		return 0;

	size_t got = n < w->len ? n : w->len;
	if (!show(w, got, err))
		return 0;
	memcpy(out, w->in + w->pos, got);
	wire_take(w, got);

	return got;
}

bool
wire_unread(struct wire *w, const void *data, size_t n, struct err *err)
{
	if (!usable(w, err))
		return false;
	if (n > READ_ROOM - w->len)
		return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "%zu octets of the %s can't be put back", n, w->peer.side);
	if (n == 0)
		return true;
	if (w->pos < n) {
		/* All the way to the right: the next ones fit without this. */
		size_t pos = READ_ROOM - w->len;
		memmove(w->in + pos, w->in + w->pos, w->len);
		w->pos = pos;
	}
	w->pos -= n;
	w->len += n;
	w->seen += n;
	memcpy(w->in + w->pos, data, n);

	return true;
}

bool
wire_ready(struct wire *w)
{
	if (w->poisoned || w->len > 0)
		return true;
	size_t room = tail_room(w);
	struct err kept_by_the_link;
	ssize_t r = try_in(w, w->in, room, &kept_by_the_link);
	if (r > 0) {
		w->len = (size_t)r;
		w->counters.octets_in += (uint64_t)r;
	}

	return r != 0;
}

static bool
write_out(struct wire *w, const void *data, size_t n, struct err *err)
{
	if (w->deflated != NULL)
		return deflated_write(w->deflated, data, n, err);
	if (!link_write(&w->link, data, n, err))
		return false;
	w->counters.carried_out += n;

	return true;
}

static bool
send_out(struct wire *w, const void *data, size_t n, struct err *err)
{
	if (!write_out(w, data, n, err))
		return fail(w, err);
	w->counters.octets_out += n;

	return true;
}

bool
wire_flush(struct wire *w, struct err *err)
{
	if (!usable(w, err))
		return false;
	if (w->out_len == 0)
		return true;
	if (!send_out(w, w->out, w->out_len, err))
		return false;
	/* A login went this way. */
	OPENSSL_cleanse(w->out, w->out_len);
	w->out_len = 0;

	return true;
}

bool
wire_write(struct wire *w, const void *data, size_t n, struct err *err)
{
	if (!usable(w, err))
		return false;
	if (n > WRITE_ROOM - w->out_len && !wire_flush(w, err))
		return false;
	if (n > WRITE_ROOM)
		return send_out(w, data, n, err);
	memcpy(w->out + w->out_len, data, n);
	w->out_len += n;

	return true;
}

void
wire_guard(struct wire *w, bool on)
{
	w->guarded = on;
	w->guard = (struct guard){ 0 };
	w->seen = 0;
}

void
wire_poison(struct wire *w)
{
	w->poisoned = true;
}

bool
wire_poisoned(const struct wire *w)
{
	return w->poisoned;
}

const struct err *
wire_last_error(const struct wire *w)
{
	return w->failed ? &w->last : NULL;
}

int
wire_socket(const struct wire *w)
{
	return w->link.fd;
}
