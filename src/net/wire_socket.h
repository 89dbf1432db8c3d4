#ifndef NET_WIRE_SOCKET_H
#define NET_WIRE_SOCKET_H

#include "net/wire.h"

/* Borrowed: libetpan only looks at it, to tell open from closed. */
int wire_socket(const struct wire *);

#endif
