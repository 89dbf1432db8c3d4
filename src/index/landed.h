#ifndef INDEX_LANDED_H
#define INDEX_LANDED_H

#include "settle.h"

/*
 * What a job has on a server.  There the copy of a message is not a stored row
 * but the delivery that says where it lies, and it belongs to one placement: a
 * generation of a mailbox that replaces another one takes it over, one by one.
 * A delivery whose place went to another placement stays DELIVERED, without
 * tbox and claim.
 */
struct landed {
	uint64_t mailbox, okey; /* of the delivery that has it */
	int64_t tbox, tuid;     /* tuid 0: not told */
	uint8_t sflags, tflags;
};

/* *server: the job delivers to a server, not into an archive. */
bool landed_server(struct index *, uint64_t job, bool *server, struct err *);
struct landed_wanted {
	uint64_t job, mailbox;
	int64_t content, idate;
	bool any; /* whichever is found first */
};
/* One with this content in an earlier generation of the mailbox, under its
 * name: of this date rather than of another, live rather than ended. */
bool landed_find(struct index *, const struct landed_wanted *, struct landed *,
    bool *found, struct err *);
/* Where a message is. */
bool landed_at(struct index *, uint64_t job, uint64_t mailbox, uint64_t okey,
    struct landed *, bool *found, struct err *);
/*
 * settle_known for a server: the message has its place, or takes over that of
 * the same okey in the mailbox from (0: of the one that landed_find finds).
 * *known false: there is none, and nothing was written.
 */
bool landed_known(struct index *, const struct outcome_key *, uint64_t from,
    struct version *now, bool *known, struct err *);

#endif
