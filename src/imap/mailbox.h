#ifndef IMAP_MAILBOX_H
#define IMAP_MAILBOX_H

#include "imap/session.h"
#include "mail/source.h"

/* EXAMINE; what it says is in s->selected too. ERR_MAILBOX if refused or
 * without UIDVALIDITY. */
bool imap_mailbox_examine(struct imap_session *, const char *name,
    struct source_opened *, struct err *);
/* STATUS, with SIZE where offered (RFC 8438); *size: UINT64_MAX if not. */
/* The items behind the parenthesis of a STATUS line; others are passed over. */
void imap_read_status(
    struct imap_tokens *, struct source_opened *, uint64_t *size);
bool imap_mailbox_status(struct imap_session *, const char *name,
    struct source_opened *, uint64_t *size, struct err *);
/* STORAGE of INBOX's quota roots, the tightest one (RFC 9208), in octets. */
bool imap_mailbox_quota(struct imap_session *, uint64_t *used, uint64_t *limit);

#endif
