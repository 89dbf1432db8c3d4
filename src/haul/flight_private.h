#ifndef HAUL_FLIGHT_PRIVATE_H
#define HAUL_FLIGHT_PRIVATE_H

#include "flight.h"
#include "index/flight.h"
#include "retry.h"

/* What a server may still be taking in when its connection has ended. */
enum { FLIGHT_GRACE_MS = 10000 };

struct flight {
	const struct haul_options *o;
	struct index *index;
	struct target *target;
	struct meter *meter;
	struct settle *settle;
	struct retry retry;
	bool parked;

	struct source_mailbox *boxes; /* of the plan; owned, names too */
	size_t box_count;

	struct belt *at; /* the mailbox at hand: a copy of its OPEN; NULL */
	struct index_tbox tbox;
	uint64_t uidvalidity; /* of the target's mailbox */
	char *name;           /* its wire name; owned */
	bool adopt;           /* what stands there may be ours */
	struct err *shut;     /* owned: it takes nothing; NULL: it does */

	struct pending **waiting; /* to be sent; owned array */
	size_t waiting_count;
	uint64_t waiting_octets;
	uint32_t batch_items;
	uint64_t batch_octets;
	bool mute;     /* the server tells no UIDs */
	uint64_t kept; /* of settle, when it was looked at last */
	bool failed;   /* the index, while the target was asking: */
	struct err why;
	bool left_out; /* some message of the mailbox at hand isn't there */
};
long flight_grace(const struct flight *);

/* Do a step again and again, over new connections, while its failures are of
 * the kind that passes. */
typedef bool (*flight_step)(struct flight *, struct err *);
bool flight_persist(struct flight *, flight_step, struct err *);

/* Open the mailbox at hand on the target, and know it in the index. */
bool flight_open_there(struct flight *, struct err *);
void flight_forget_plan(struct flight *);

#endif
