#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "imap/listing.h"

typedef bool (*imap_each_mailbox)(
    void *arg, const struct source_mailbox *, struct err *);

/*
 * Every mailbox of the wanted namespaces, INBOX among them, each once.
 * listing->unlisted: names that cannot be used (control characters, longer than
 * IMAP_NAME_MAX), logged; a later imap_list_statuses adds those that are new.
 */
bool imap_list(struct imap_session *, struct imap_listing *,
    imap_each_mailbox each, void *arg, struct err *);
/* The statuses of those that were told, as far as the server answers: by one
 * LIST (RFC 5819), else by a STATUS each. */
bool imap_list_statuses(struct imap_session *, struct imap_listing *,
    imap_each_mailbox each, void *arg, struct err *);

#endif
