#ifndef INDEX_SETTLE_H
#define INDEX_SETTLE_H

#include "placement.h"

struct outcome_key {
	uint64_t run, job, mailbox, okey;
};

/*
 * now->content stands there, and nothing is stored or sent for it. A delivery
 * that has an entry of this content keeps it. On a server the message takes
 * over an earlier place (landed_known); in an archive *known is always true.
 */
bool settle_known(struct index *, const struct outcome_key *, uint64_t from,
    struct version *now, bool *known, struct err *);
/* content, header and email rows, and the placement: all but the delivery.
 * The content's id is told by settle_content. */
bool settle_content(struct index *, const struct index_delivery *,
    int64_t *content, struct err *);
bool settle_placement(struct index *, const struct index_delivery *,
    int64_t content, struct err *);
/* What must be there isn't. */
bool settle_missing(
    struct index *, const char *what, const char *name, struct err *);
bool settle_outcome(struct index *, const struct outcome_key *,
    struct version *now, enum outcome, struct err *);
/* The words beside an outcome, if there are any. */
bool settle_note(struct index *, const struct outcome_key *, const char *class,
    const char *text, struct err *);

#endif
