#ifndef IMAP_SETUP_H
#define IMAP_SETUP_H

#include "imap/session.h"

/*
 * COMPRESS=DEFLATE, if it is offered and wanted; a refusal is no failure.
 * Only while nothing is in flight, and before anything else is said: nothing
 * may be sent until the answer was read (RFC 4978, 3).
 */
bool imap_setup_compress(struct imap_session *, struct err *);

/*
 * What is said right after the login: ID, ENABLE, NAMESPACE, in one flight
 * whose answers are read when the first of them is needed, or before the
 * answer to the next command, so that a login costs no round trip for it.
 */
bool imap_setup_say(struct imap_session *, struct err *);
/* True if the response answers one of them: nobody else's business. */
bool imap_setup_takes(struct imap_session *, const struct imap_reply *);
void imap_setup_free(struct imap_session *);

/* " IMAP4REV1 … " as told by a line or a response code. */
void imap_setup_capabilities(struct imap_session *, const char *, size_t len);

/* Warn of hosts that do not show the whole mailbox (PROVIDERS). */
void imap_setup_warn(const struct imap_session *);

#endif
