#ifndef HAUL_RETRY_H
#define HAUL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "haul/haul.h"

/*
 * How long to wait after a failure that may pass: exponential with jitter, the
 * server's own word first. Progress resets the count of failures.
 */
struct retry {
	int failures, max_failures;
	bool brief; /* the next wait: what broke the connection is looked for */
	long first_ms;
	int64_t paused_ms, max_pause_ms; /* of throttles */
	/* True ends a wait: the delivering thread gave up. NULL: never. */
	bool (*over)(void *arg);
	void *over_arg; /* borrowed */
};
void retry_start(struct retry *, const struct haul_options *);
void retry_progress(struct retry *);
/* So many in a row led to nothing; one more is allowed in any case. */
void retry_count(struct retry *, int failures);
/* The server is there; only one thing breaks its connections: progress, and
 * the next wait is a short one. */
void retry_search(struct retry *);
/*
 * Wait as err asks for. False: not to be tried again (final, too often, paused
 * for too long: then *parked) or a stop was asked for.
 */
bool retry_wait(
    struct retry *, const struct err *, struct meter *, bool *parked);

#endif
