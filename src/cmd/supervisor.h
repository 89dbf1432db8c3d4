#ifndef CMD_SUPERVISOR_H
#define CMD_SUPERVISOR_H

#include "lineup.h"
#include "worker.h"

/*
 * Watches over the worker processes of a run: each takes one account after
 * another, as they are lined up; a second try has a process of its own. A
 * worker that dies costs its account, and another takes its place and its
 * volume. One thread, and no index open: it forks.
 */

struct supervision {
	struct lineup lineup; /* lineup_free */
	bool failed; /* archive or index: .err; nothing more was begun */
	struct err err;
	uint64_t readback_ms;
};

/* All accounts to their end, or as far as a stop or a failure lets them. No
 * worker is left when it returns. */
void supervise(const struct worker_plan *, struct supervision *);

#endif
