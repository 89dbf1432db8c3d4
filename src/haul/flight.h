#ifndef HAUL_FLIGHT_H
#define HAUL_FLIGHT_H

#include "settle.h"

/*
 * Messages on their way to a server. A batch is in the index, with the lowest
 * UID that it can get, before its first octet leaves; what becomes of it is
 * settled in another transaction. What nobody has answered for when a
 * connection breaks or a run dies is looked for on the target before anything
 * is sent again (TRUST 5), so that no lost OK makes a second copy.
 */
struct flight;
struct flight *flight_new(const struct haul_options *, struct index *,
    struct target *, struct meter *, struct settle *);
void flight_free(struct flight **);

/* What earlier runs left in the air; before the source is listed. */
bool flight_resume(struct flight *, struct err *);
/* Where the mailboxes of the belt's PLAN go. */
bool flight_plan(struct flight *, const struct belt *, struct err *);
/* A mailbox begins (OPEN); the one before is settled. One that the target
 * refuses is shut: its messages are held back with the target's words. */
bool flight_open(struct flight *, const struct belt *, struct err *);
/* The mailbox at hand was seen to its end: nothing in it is unknown. */
bool flight_close(struct flight *, const struct belt *, struct err *);
/* Some message of it was not to be had, or not to be copied. */
void flight_left_out(struct flight *);
/* A message, enqueued; it is sent with the batch that it fills. */
bool flight_add(struct flight *, struct pending *, struct err *);
/* Send what waits, and have all that is in the air settled. */
bool flight_drain(struct flight *, struct err *);
/* A throttle outlasted the patience. */
bool flight_is_parked(const struct flight *);

#endif
