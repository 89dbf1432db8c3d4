#ifndef IMAP_CODES_H
#define IMAP_CODES_H

#include "imap/reply.h"

/*
 * This room's one table from what servers and libetpan say to struct err.
 * The server's words are added to each error.
 */

/* Does the reply ask for a pause (PROVIDERS)?  *until: unix ms. */
bool imap_codes_throttle(const struct imap_reply *, int64_t *until);
/* "paused: …", ERR_THROTTLE of that scope. Returns false. */
bool imap_codes_pause(
    struct err *, enum err_scope, const struct imap_reply *, int64_t until);
/*
 * A NO or BAD to what ("EXAMINE of …"): ERR_THROTTLE, else what the response
 * code says, else ERR_REFUSED. Returns false.
 */
bool imap_codes_refused(
    struct err *, enum err_scope, const struct imap_reply *, const char *what);
/* The same of what the account hangs on: says who refused it. */
bool imap_codes_refused_by(struct err *, const char *where,
    const struct imap_reply *, const char *what);
/* "* BYE" or a tagged reply to a login: ERR_ACCOUNT. Returns false. */
bool imap_codes_bye(struct err *, const struct imap_reply *, const char *where);
/* The same, but a pause was granted often enough: just refused. */
bool imap_codes_refused_for_good(
    struct err *, enum err_scope, const struct imap_reply *, const char *what);
/*
 * A NO to APPEND or CREATE (RFC 9051 6.3.12, 7.1): ERR_THROTTLE (a pause),
 * ERR_QUOTA (ERR_ACCOUNT: the target is full), ERR_TOO_BIG, ERR_GONE
 * (no such mailbox any more), else ERR_REFUSED of the message.
 * Returns false.
 */
bool imap_codes_append(
    struct err *, const char *where, const struct imap_reply *);
/* What mailimap_authenticate returned, where the wire is not to blame. */
bool imap_codes_etpan(struct err *, int code, const char *what);

#endif
