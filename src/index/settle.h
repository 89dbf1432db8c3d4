#ifndef INDEX_SETTLE_H
#define INDEX_SETTLE_H

#include "placement.h"

struct outcome_key {
	uint64_t run, job, mailbox, okey;
};

/* now->content stands there, and nothing is stored for it. A delivery that
 * has an entry of this content keeps it. */
bool settle_known(struct index *, uint64_t run, uint64_t job, uint64_t mailbox,
    uint64_t okey, struct version *now, struct err *);
bool settle_outcome(struct index *, const struct outcome_key *,
    struct version *now, enum outcome, struct err *);
/* The words beside an outcome, if there are any. */
bool settle_note(struct index *, const struct outcome_key *, const char *class,
    const char *text, struct err *);

#endif
