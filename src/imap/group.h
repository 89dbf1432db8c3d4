#ifndef IMAP_GROUP_H
#define IMAP_GROUP_H

#include "imap/bodies.h"

/* Copies the wants, none of them answered. */
struct imap_group *imap_group_new(
    enum imap_stage, const struct imap_want *, size_t n);
/* A new group of those not answered; ranges no longer span what was. */
struct imap_group *imap_group_unanswered(const struct imap_group *);
void imap_group_free(struct imap_group **);
/* "UID FETCH 3:9,12 (UID BODY.PEEK[])": a range spans a gap only where
 * nothing was announced in it. */
void imap_group_command(const struct imap_group *, struct buf *);
/* Binary search, first where the last answer was found. */
struct imap_want *imap_group_find(struct imap_group *, uint64_t uid);

#endif
