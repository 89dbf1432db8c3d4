#ifndef HAUL_CLAIMS_H
#define HAUL_CLAIMS_H

#include "mail/target.h"
#include "index/index.h"
#include "queue.h"

/* struct kept without its large arrays: many are held at a time. */
struct held {
	char volume[KEPT_VOLUME_NAME];
	char *entry; /* owned */
	uint32_t frame;
	uint64_t offset, size, header_size;
	uint8_t sha256[32];
};
void held_set(struct held *, const struct kept *);
void held_get(const struct held *, struct kept *);
void held_free(struct held *);

/* Messages that took off together; freed when the last has left it. */
struct flight_batch {
	uint64_t id, base;
	size_t left;
};

/* A message that the target has, but has not promised to keep. */
struct pending {
	struct belt *belt; /* owned */
	uint64_t ticket;
	enum claim_kind claim;
	struct held where, survivor;
	int64_t body_hash; /* 0: too small to be worth a look */
	int64_t identity;  /* identity_key */
	bool done;         /* its receipt came */
	/* Owned: of a receipt REFUSED. NULL: it is kept. Thousands wait at a
	 * time, and an err is large. */
	struct err *why;
	/* On its way to a server (flight.h). */
	struct flight_batch *batch; /* it is in flight in the index */
	bool flying;                /* handed over, not answered for */
	bool untold;                /* kept, but the UID isn't known */
	bool adopted;               /* it stood there already, … */
	uint8_t there_flags;        /* … with these flags */
	int breaks;                 /* of connections, while it was flying */
	uint64_t tbox, tuid;        /* where it is; tuid 0: not told */
	struct pending *next;       /* in order of delivery */
	struct pending *by_sha, *by_body; /* chains of claims */
};
void pending_free(struct pending **);

enum {
	CLAIMS_BUCKETS = 4096,
	/* Below this a reference costs about what the body costs. */
	CLAIMS_BODY_MIN = 4096,
	/* Bodies with an equal hash that are compared before storing whole. */
	CLAIMS_BODY_TRIES = 4
};

/*
 * Claims live in memory only (DESIGN 4, invariant 2): what a later message may
 * refer to before it is settled. Chains hold pending messages, not owned.
 */
struct claims {
	struct pending *sha[CLAIMS_BUCKETS], *body[CLAIMS_BUCKETS];
};
void claims_add(struct claims *, struct pending *);
void claims_remove(struct claims *, struct pending *);

/*
 * Decide how the message is to be stored: whole, or as a link or reference to
 * a survivor that is settled or stands earlier in the same volume.
 */
bool claims_decide(struct claims *, struct index *, struct target *,
    uint64_t archive, const struct belt *, int64_t body_hash, enum claim_kind *,
    struct kept *survivor, struct err *);

#endif
