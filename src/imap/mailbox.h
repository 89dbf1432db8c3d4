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

/* SELECT, to write into it. Otherwise the same. */
bool imap_mailbox_select(struct imap_session *, const char *name,
    struct source_opened *, struct err *);

/* The parts of it, for commands that are sent ahead: "EXAMINE name"; */
void imap_mailbox_command(const struct imap_session *, const char *verb,
    const char *name, struct buf *line);
/* an answer that is not OK (false); */
bool imap_mailbox_refused(const struct imap_reply *, const char *verb,
    const char *name, struct err *);
/* what s->selected says after OK.  False: no UIDVALIDITY. */
bool imap_mailbox_opened(struct imap_session *, struct source_opened *);

#endif
