#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "imap/session.h"
#include "mail/source.h"

struct imap_box_status {
	struct source_opened opened; /* .mailbox_id NULL */
	uint64_t size;               /* UINT64_MAX: not told */
	char mailbox_id[256];        /* "": not told */
};

/* "(MESSAGES UIDNEXT UIDVALIDITY …)": what this server can tell of a mailbox
 * that is not open (RFC 9051 6.3.11, RFC 7162, RFC 8474). */
void imap_status_items(const struct imap_session *, bool size, struct buf *);
/* A STATUS line: false if it is none that can be read; name: appended, in the
 * wire form for outside. */
bool imap_status_read(const struct imap_session *, const struct imap_reply *,
    struct buf *name, struct imap_box_status *);

/* STATUS, with SIZE where offered (RFC 8438). */
bool imap_status_ask(struct imap_session *, const char *name,
    struct source_opened *, uint64_t *size, struct err *);
/* source_ops.is_gone: true in *gone only if the server says that there is no
 * such mailbox, while it says something of another. */
bool imap_status_is_gone(
    struct imap_session *, const char *name, bool *gone, struct err *);

struct imap_listing;
/* One STATUS for each mailbox that the listing has told, many in flight; the
 * answers are in the listing. */
bool imap_status_of_all(
    struct imap_session *, struct imap_listing *, struct err *);

/* STORAGE of INBOX's quota roots, the tightest one (RFC 9208), in octets. */
bool imap_status_quota(struct imap_session *, uint64_t *used, uint64_t *limit);

#endif
