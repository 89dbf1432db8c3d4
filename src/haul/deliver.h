#ifndef HAUL_DELIVER_H
#define HAUL_DELIVER_H

#include "haul/haul.h"
#include "queue.h"

/*
 * The delivering thread of a lane: takes the belt in order, decides how each
 * message is stored, hands it to the target, and has the index settle what the
 * target promises, everything in the belt's order.
 */
struct deliver;
struct deliver *deliver_new(const struct haul_options *, struct index *,
    struct target *, struct meter *, struct haul_result *);
/* What earlier runs left on its way to a server; before the source is read. */
bool deliver_resume(struct deliver *, struct err *);
/* Until BELT_END. False: the run is over; *q is cancelled. On success all is
 * settled. */
bool deliver_run(struct deliver *, struct queue *q, struct err *);
void deliver_free(struct deliver **);

#endif
