#ifndef NET_TLS_H
#define NET_TLS_H

#include "net/link.h"

/*
 * What a server must prove, from the options: TLS 1.2 or later, a certificate
 * of the system's or the added authorities for exactly this name, or exactly
 * the pinned key. Never resumed, never renegotiated.
 */
struct tls;

/* Reads all files now, before anything is dialled. ERR_USAGE if one can't be
 * used or the pin isn't one. */
bool tls_new(struct tls **, const struct wire_options *, const struct peer *,
    struct err *);
/* Puts TLS on the link, which must not move in memory from now on. */
bool tls_start(
    struct tls *, struct link *, struct wire_tls_info *, struct err *);
void tls_free(struct tls **);

/* OpenSSL's error queue or the socket's end as an err; returns false. doing:
 * "during the TLS handshake", or NULL. */
bool tls_failure(const struct link *, const char *doing, struct err *);

#endif
