#ifndef IMAP_INITIAL_H
#define IMAP_INITIAL_H

#include <libetpan/mailstream.h>

#include "net/wire.h"

/*
 * SASL-IR (RFC 4959), which libetpan does not know: it says AUTHENTICATE and
 * waits for "+".  This transport keeps that line back, says "+" itself and
 * sends the line with the first response behind it, which saves a round trip.
 * For mechanisms in which the client speaks first.
 */
mailstream_low *imap_initial_low(struct wire *);

#endif
