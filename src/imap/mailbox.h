#ifndef IMAP_MAILBOX_H
#define IMAP_MAILBOX_H

#include "imap/session.h"
#include "mail/source.h"

/*
 * EXAMINE; what it says is in s->selected too. ERR_MAILBOX if refused or
 * without UIDVALIDITY. A server that tells UIDVALIDITY only to SELECT
 * (Courier) is asked so; still nothing is changed: no CLOSE, no EXPUNGE, no
 * STORE, and bodies are only peeked at.
 */
bool imap_mailbox_open(struct imap_session *, const char *name,
    struct source_opened *, struct err *);

#endif
