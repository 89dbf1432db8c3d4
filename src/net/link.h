#ifndef NET_LINK_H
#define NET_LINK_H

#include <openssl/types.h>
#include <sys/types.h>

#include "net/peer.h"

/*
 * The pipe of octets below the wire: a non-blocking socket, later perhaps TLS
 * on it. An error stays: each direction, once broken, gives its error for
 * ever.
 */
struct link {
	int fd;
	SSL *ssl;                /* NULL: plain */
	int timeout_ms;          /* patience without a single octet */
	int grace_ms;            /* the same once a stop was asked for */
	const struct peer *peer; /* borrowed from the wire */
	bool eof;                /* the socket said FIN (below TLS) */
	int sock_errno;          /* the socket's last error (below TLS) */
	bool in_broken, out_broken;
	struct err in_err, out_err;
};

/* At least 1, at most n octets; waits. 0: *err. */
size_t link_read(struct link *, void *, size_t n, struct err *);
/* The same without waiting: 0 means none are there, -1: *err. */
ssize_t link_try(struct link *, void *, size_t n, struct err *);
/* All n octets. */
bool link_write(struct link *, const void *, size_t n, struct err *);
/* Wait for POLLIN or POLLOUT: false after time-out or stop. */
bool link_wait(struct link *, short events, struct err *);
/* An octet from the peer that nobody read yet; for STARTTLS. */
bool link_has_octet(struct link *);
/* close_notify if TLS, then close. */
void link_close(struct link *);

/* Octets of the socket for OpenSSL, which itself would risk SIGPIPE. */
BIO *link_bio(struct link *);

/* "the SOURCE mail.example:993 …" from errno. */
bool link_errno(const struct link *, int code, struct err *);

#endif
