#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "imap/session.h"
#include "mail/source.h"

enum { IMAP_MAILBOXES_MAX = 1 << 20 }; /* an account */

/*
 * Every mailbox of the wanted namespaces, INBOX among them, each once.
 * *unlisted: names that cannot be used (control characters), logged.
 */
bool imap_list(struct imap_session *, uint64_t *unlisted,
    bool (*each)(void *arg, const struct source_mailbox *, struct err *),
    void *arg, struct err *);

#endif
