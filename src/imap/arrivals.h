#ifndef IMAP_ARRIVALS_H
#define IMAP_ARRIVALS_H

#include "imap/session.h"
#include "mail/target.h"

/* A message of the selected mailbox: its RFC822.SIZE, as far as it was told. */
struct imap_arrival {
	uint32_t uid;
	uint64_t size;
};

/*
 * What stands in the selected mailbox from some UID on: asked for once, and
 * then only what came since.
 */
struct imap_arrivals {
	struct imap_arrival *array; /* owned; ascending UIDs */
	size_t count, cap;
	uint64_t from, next; /* told: UIDs from <= UID < next; from 0: none */
};
void imap_arrivals_forget(struct imap_arrivals *);

/*
 * target_ops.resolve of the mailbox that is selected: items with the size and
 * the octets of a message from UID base on that isn't taken. Two equal items
 * need two messages. Nothing else is outstanding.
 */
bool imap_arrivals_find(struct imap_arrivals *, struct imap_session *,
    uint64_t base, struct resolve_item *, size_t n,
    bool (*taken)(void *, uint64_t uid), void *arg, struct err *);

#endif
