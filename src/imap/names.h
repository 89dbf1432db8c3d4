#ifndef IMAP_NAMES_H
#define IMAP_NAMES_H

#include "imap/session.h"

/*
 * One wire form of a mailbox name for everybody outside of this room: modified
 * UTF-7 (RFC 3501 5.1.3), whatever this server speaks.  With UTF8=ACCEPT (RFC
 * 6855) names cross the wire as UTF-8; would the index know them so, every
 * mailbox were doubled on the day that a server begins to offer it.  What is
 * no valid UTF-8 or UTF-7 stays as it is, both ways.
 */

/* The name of a LIST or STATUS line in that form. False: no such token. */
bool imap_name_read(
    const struct imap_session *, const struct imap_token *, struct buf *);
/* "\"name\"" as this server wants it; behind: appended inside ("*"). Call
 * imap_session_settle first. */
void imap_name_add(const struct imap_session *, struct buf *, const char *name,
    const char *behind);

#endif
