#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <sys/socket.h>

#include "net/peer.h"

/*
 * A connected, non-blocking TCP socket, or ERR_NETWORK. Every address in turn;
 * connect_timeout_ms bounds all of them together. A stop ends it at once,
 * since nothing is in flight yet.
 */
bool dial(
    int *fd, const struct wire_options *, const struct peer *, struct err *);

/* 127.0.0.0/8 or ::1, also as an IPv4-mapped address. */
bool dial_is_loopback(const struct sockaddr *);

/* May this connected socket carry mail and passwords in clear? */
bool dial_allows_plaintext(const struct sockaddr *, bool allow_plaintext,
    const struct peer *, struct err *);

#endif
