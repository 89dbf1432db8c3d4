#ifndef IMAP_LOOKAHEAD_H
#define IMAP_LOOKAHEAD_H

#include "imap/flow.h"

/*
 * The mailbox that comes next, asked for before the present one is done: one
 * round trip a mailbox, where EXAMINE, the list of messages and the bodies
 * would each cost one.
 */
bool imap_lookahead_may(const struct imap_source *, const char *name);
/* EXAMINE, and what can be asked behind it. */
bool imap_lookahead_examine(struct imap_source *, const char *name,
    const struct source_state *, struct err *);
/* The same of the mailbox that the caller has named, once nothing more is to
 * be asked of this one. */
bool imap_lookahead_send(struct imap_source *, struct err *);
/* Some body must be asked for once more, but the server is at the next
 * mailbox already. False: a pause or a loss; if .left, come back again. */
bool imap_lookahead_come_back(struct imap_source *, struct err *);
/* EXAMINE's answer, once what was asked before is read. *good false: it was
 * refused, maybe only for what was in flight with it, or has no UIDVALIDITY:
 * the mailbox must be opened as usual. False: a pause, or a lost connection. */
bool imap_lookahead_arrive(struct imap_source *, bool *good, struct err *);
/* It is the present one: what was asked by a guess is what is wanted, or is
 * dropped. */
bool imap_lookahead_take_over(struct imap_source *, struct err *);

#endif
