#ifndef INDEX_FLIGHT_H
#define INDEX_FLIGHT_H

#include "index/index.h"

/*
 * What a job knows of a server that it delivers to.  A target mailbox is a row
 * of the target's account (index_mailbox), so another UIDVALIDITY is another
 * tbox.  Octets leave only after a transaction with index_fly and an
 * index_fly_one for each message; what became of them is told in another one,
 * with the sums: index_land, index_land_none or index_settle_outcome (refused)
 * for each, then index_fly_end.  After a crash index_flights tells which
 * batches nobody heard of again.
 *
 * One message on the target belongs to one placement: (tbox, tuid) is unique.
 */

struct index_tbox {
	uint64_t id;         /* mailbox row */
	uint64_t base0;      /* lowest UID of ours ever possible there, > 0 */
	uint64_t reconciled; /* UIDs below were looked through, > 0; at first
				none was */
	bool doubt;          /* UIDs from base0 on may hold what nobody knows */
};
/*
 * Found or made for (job, source name): base0 is UIDNEXT then (0: not told, so
 * 1, doubt). Another tbox than before (its UIDVALIDITY changed, or the name is
 * mapped to another one): base0 and reconciled 1, without doubt: nobody knows
 * which of its messages are those that were delivered, so none may be taken for
 * a new one. A UIDNEXT below base0: base0 goes down to it. In or outside a
 * transaction, as is the next.
 */
bool index_tbox(struct index *, uint64_t job, const char *source_name,
    uint64_t tbox, uint64_t uidnext, struct index_tbox *out, struct err *);
/* ERR_DAMAGED: index_tbox never made it. */
bool index_tbox_doubt(struct index *, uint64_t job, const char *source_name,
    bool doubt, uint64_t reconciled, struct err *);

/* ---- in flight: only inside a transaction ---- */

/* base: no UID that this batch gets can be lower. */
bool index_fly(struct index *, uint64_t run, uint64_t tbox, uint64_t base,
    uint64_t *batch, struct err *);
/*
 * content, header, placement (with its content), email and delivery rows; no
 * stored row: nothing of it lies in an archive. The outcome stays what it was,
 * a new one is PENDING; so is one that was DELIVERED: a message that came back
 * as another one, whose place on the target is forgotten. batch 0: it isn't
 * sent but was found there, and index_land follows. claim, where, survivor and
 * archive are not looked at.
 */
bool index_fly_one(struct index *, const struct index_delivery *,
    uint64_t batch, struct err *);

struct index_landing {
	uint64_t run, job, mailbox, okey, tbox;
	uint64_t tuid; /* 0: it is there, but its UID was not told */
	uint8_t flags; /* on both sides now: the base of later merges */
};
/* DELIVERED, no longer in flight; its notes stay. Also of one that was not in
 * flight, but was found on the target. ERR_DAMAGED: the job doesn't know the
 * message, or another one has this UID. */
bool index_land(struct index *, const struct index_landing *, struct err *);
/* It isn't there: no longer in flight, its outcome is what it was. */
bool index_land_none(struct index *, uint64_t run, uint64_t job,
    uint64_t mailbox, uint64_t okey, struct err *);
/* ERR_DAMAGED: messages of it are in flight still, or there is no such batch.
 */
bool index_fly_end(struct index *, uint64_t batch, struct err *);

/* ---- what nobody heard of ---- */

/* Borrowed texts are valid while each runs; each false: stop, still true. It
 * may ask the index, but not change it. */
struct index_flight {
	uint64_t batch, tbox, uidvalidity, base;
	const char *name; /* the target's, as on the wire */
	int64_t sent;     /* unix s */
};
/* Oldest first. */
bool index_flights(struct index *, uint64_t job,
    bool (*each)(void *arg, const struct index_flight *), void *arg,
    struct err *);
struct index_flying {
	uint64_t mailbox, okey;
	uint64_t size; /* octets of the content */
	uint8_t sha256[32];
	int64_t idate;    /* DATETIME_NONE: none */
	int64_t identity; /* 0: none */
	uint8_t flags;
	const char *message_id; /* canonical; NULL: none */
};
/* By mailbox and okey. */
bool index_flying(struct index *, uint64_t batch,
    bool (*each)(void *arg, const struct index_flying *), void *arg,
    struct err *);

/* ---- what is there ---- */

/* Some message of ours has this UID. */
bool index_tuid_taken(
    struct index *, uint64_t tbox, uint64_t tuid, bool *taken, struct err *);
/* The highest UID of ours there; 0: none. */
bool index_tuid_top(
    struct index *, uint64_t tbox, uint64_t *tuid, struct err *);
/* *found false: it isn't delivered, its UID was not told, or another placement
 * has taken its place over. */
bool index_target_of(struct index *, uint64_t job, uint64_t mailbox,
    uint64_t okey, uint64_t *tbox, uint64_t *tuid, uint8_t *sflags,
    uint8_t *tflags, bool *found, struct err *);

#endif
