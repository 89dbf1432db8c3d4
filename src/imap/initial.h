#ifndef IMAP_INITIAL_H
#define IMAP_INITIAL_H

#include <libetpan/mailstream.h>

#include "net/wire.h"

/*
 * libetpan's transport for a login.  It wants a greeting to read, and ours has
 * been read: it is told one, alone.  Whatever the server sent behind its own
 * must not come with it, or it would be read for the answer to AUTHENTICATE.
 *
 * response: SASL-IR (RFC 4959), which libetpan does not know: it says
 * AUTHENTICATE and waits for "+".  This transport keeps that line back, says
 * "+" itself and sends the line with the first response behind it, which saves
 * a round trip.  For mechanisms in which the client speaks first.
 */
mailstream_low *imap_initial_low(struct wire *, bool response);

#endif
