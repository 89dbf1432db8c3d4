#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <libetpan/mailstream.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * One connection: TCP, optionally TLS (OpenSSL), 256 KiB of read-ahead,
 * coalesced writes, deadline, counters. poll + the stop eventfd; never SIGPIPE.
 * One thread. Every error is ERR_ACCOUNT; broken connections and time-outs
 * are ERR_NETWORK transient; certificate and TLS failures ERR_TLS, final;
 * files and pins that can't be used ERR_USAGE. A read that failed fails for
 * ever, with the same error; so does a write.
 *
 * After a stop (base/stop.h) octets are still read and written, so that what
 * is in flight can be finished; silence of 2 s then ends it: ERR_STOPPED.
 * Nothing new is dialled.
 */
enum wire_tls {
	WIRE_TLS_IMPLICIT,
	WIRE_TLS_STARTTLS, /* plain until wire_start_tls */
	WIRE_TLS_NONE      /* loopback addresses only, or allow_plaintext */
};

struct wire_options {
	const char *side; /* "SOURCE": for error texts */
	const char *host; /* verified name and SNI; an IP literal too */
	uint16_t port;
	const char *connect_host; /* --source-connect; NULL: host */
	uint16_t connect_port;    /* 0: port */
	enum wire_tls tls;
	bool allow_plaintext;
	const char *ca_file;      /* added to the system store; NULL: none */
	const char *ca_file_side; /* a second one; NULL: none */
	const char *pin;          /* "sha256:HEX" of the SubjectPublicKeyInfo:
				     exactly this key, whatever name or date */
	const char *cert_file, *key_file; /* client certificate; NULL: none */
	int connect_timeout_ms;           /* 0: 30,000 */
	int timeout_ms; /* without a single octet; 0: 120,000 */
};

struct wire_tls_info {
	char version[16], cipher[64];
	char key_sha256[72]; /* "sha256:…" */
	char subject[160], issuer[160];
	int64_t not_after; /* unix s */
	bool pinned;
};

struct wire_counters {
	uint64_t octets_in, octets_out;   /* of the protocol, without TLS */
	uint64_t carried_in, carried_out; /* the same, compressed or not */
};

struct wire;

/* Resolve, connect (every address in turn), TLS if implicit. Without a TCP
 * connection err.stage is ERR_STAGE_DIAL. A certificate error names subject,
 * issuer, dates, key and --SIDE-tls-pin (DESIGN 8). */
bool wire_dial(struct wire **, const struct wire_options *, struct err *);
/* STARTTLS: refuses (ERR_TLS) if the read-ahead or the socket holds a single
 * octet. The wire must be WIRE_TLS_STARTTLS; failure poisons it. */
bool wire_start_tls(struct wire *, struct err *);
bool wire_is_tls(const struct wire *);
/* NULL if not TLS. */
const struct wire_tls_info *wire_tls_info(const struct wire *);
/* The peer's address is this machine's own. */
bool wire_is_loopback(const struct wire *);
/*
 * COMPRESS=DEFLATE (RFC 4978), once the peer's OK was taken: what the
 * read-ahead holds is compressed already. Nothing may wait to be written. A
 * peer that sends no deflate stream, or one that swells without end, is
 * ERR_PROTOCOL.
 */
bool wire_start_deflate(struct wire *, struct err *);
const struct wire_counters *wire_counters(const struct wire *);

/*
 * Data plane. *data: octets at hand, at least one more than before the call
 * unless min octets are there already; min <= 256 KiB (WIRE_READ_AHEAD).
 * Borrowed until the next call. False: EOF, time-out, stop, error.
 */
enum { WIRE_READ_AHEAD = 256 << 10 };
bool wire_peek(
    struct wire *, size_t min, const char **data, size_t *len, struct err *);
void wire_take(struct wire *, size_t n); /* n <= len of the last peek */
/* Read at least 1 and at most n octets straight into out: read-ahead first.
 * Returns 0 with *err set on failure. */
size_t wire_read(struct wire *, void *out, size_t n, struct err *);
/* Put octets back in front of the read-ahead (mailstream's leftovers): at
 * least 64 KiB always fit. */
bool wire_unread(struct wire *, const void *, size_t n, struct err *);
/* True if a read would not block (octets at hand or on the socket). */
bool wire_ready(struct wire *);
/* Coalesced until wire_flush or 64 KiB; any read that must ask the socket
 * flushes first. If that fails, what the peer said before is still given. */
bool wire_write(struct wire *, const void *, size_t n, struct err *);
bool wire_flush(struct wire *, struct err *);

/*
 * The guard: limits on what the control plane (libetpan) may read, so that
 * no response can hurt its parser (WIRE 1.3, 8): octets of a line, depth of
 * parentheses, a literal's size, octets of a command's answer, NUL octets,
 * "[BADCHARSET". A breach poisons the wire: ERR_PROTOCOL. Literal-blind by
 * design, so it must be off while bodies flow. Each guard call starts a new
 * count. It inspects octets when they are first shown or handed over, by any
 * function.
 */
void wire_guard(struct wire *, bool on);
/* From now on every read and write fails at once (before mailimap_free). */
void wire_poison(struct wire *);
bool wire_poisoned(const struct wire *);
/* The error behind a libetpan MAILIMAP_ERROR_STREAM; NULL: none. */
const struct err *wire_last_error(const struct wire *);

/* A mailstream_low over this wire for libetpan (after etpan_load); owned by the
 * mailstream that is made of it, which does not close the wire. */
mailstream_low *wire_low(struct wire *);

void wire_close(struct wire **);

#endif
