#ifndef HAUL_SETTLE_H
#define HAUL_SETTLE_H

#include "claims.h"
#include "sums.h"

/*
 * What the index is told, in the belt's order: things wait here until the
 * target has promised to keep them and all before them, and are then settled
 * in one transaction with the volume's committed octets.
 */
struct tally {
	uint64_t octets, flags_changed, gone;
};

struct settle {
	const struct haul_options *o;
	struct index *index;           /* borrowed */
	struct target *target;         /* borrowed */
	struct meter *meter;           /* borrowed */
	struct claims *claims;         /* owned */
	struct sums *sums;             /* owned */
	struct pending *first, **last; /* in belt order, owned */
	size_t waiting;                /* of them without a receipt */
	size_t loose;                  /* of them that need none */
	int64_t settled_ms;            /* of the last transaction, monotonic */
	struct receipt *receipts;      /* owned */
	char *name;                    /* of the mailbox at hand; owned */
	bool server;                   /* the target: see flight.h */
	uint64_t kept;                 /* receipts of messages that it keeps */
	struct tally now, durable;
};
void settle_init(struct settle *, const struct haul_options *, struct index *,
    struct target *, struct meter *);
void settle_free(struct settle *);
/* The end of the line; done until it is handed to the target. */
struct pending *settle_enqueue(struct settle *, struct belt **);
/* Take receipts and settle what is due. wait: for one at least; force: even if
 * it is little. */
bool settle_some(struct settle *, bool wait, bool force, struct err *);
/* It leaves its batch, which ends with the last. In a transaction. */
bool settle_leave_batch(struct index *, struct pending *, struct err *);
void settle_result(struct settle *, bool rolled_back, struct haul_result *);

#endif
