#ifndef CMD_LINEUP_H
#define CMD_LINEUP_H

#include "haul/haul.h"
#include "tenant.h"

/*
 * Who is next: the accounts of a run, each tried once; those that failed for a
 * while only, or whose process died, once more when all others have had their
 * turn. A host that has refused so many logins in a row is asked no more; one
 * that hangs up on a password has refused it.
 */

enum { LINEUP_TRIES = 2 };

enum fate_state {
	FATE_WAITING, /* not begun; or, with .again, to be tried once more */
	FATE_RUNNING,
	FATE_ENDED
};
/* How an account fares. */
struct fate {
	uint32_t account; /* of tenant.accounts.items */
	uint32_t host;
	enum fate_state state;
	unsigned tries;
	bool again;
	bool connecting; /* running, and its login not accepted yet */
	bool told; /* the sums below are what its worker told at the end */
	bool balanced, interrupted, parked;
	int exit_code; /* as if it had been alone; ended only */
	struct index_counts counts;
	uint64_t mailboxes, mailboxes_excluded, mailboxes_failed, octets;
	struct err *err; /* owned; NULL: it has not failed */
	struct haul_failure
	    *failures; /* owned: of mailboxes, in the last try */
	size_t failure_count;
};

struct host {
	char *name;
	unsigned refusals; /* of logins, in a row */
	unsigned connecting;
};

struct lineup {
	struct tenant *tenant; /* borrowed */
	struct fate *fates;    /* owned; in tenant.chosen's order */
	size_t n;
	struct host *hosts; /* owned */
	size_t host_count;
	size_t first;   /* no fate before it waits for its first try */
	size_t begun;   /* fates that had their first try */
	size_t to_come; /* that wait for a second */
	size_t ended, failed;
	bool quiet; /* failures are told by somebody else, not logged */
};

void lineup_set_up(struct lineup *, struct tenant *);
void lineup_free(struct lineup *);
/* An account to begin now; NULL: none, or only such as must wait for a host's
 * answers to others. Those whose host refuses end here. */
struct fate *lineup_first(struct lineup *);
/* The same of second tries; NULL until all had their first. */
struct fate *lineup_second(struct lineup *);
/* All had a first try, or are having it. */
bool lineup_all_begun(const struct lineup *);

/* What becomes of one: it is begun, its login is accepted, it ends or is lined
 * up once more (if may_again and that is of use). err: NULL, or why it failed.
 */
void lineup_begin(struct lineup *, struct fate *);
void lineup_logged_in(struct lineup *, struct fate *);
void lineup_end(
    struct lineup *, struct fate *, const struct err *err, bool may_again);

#endif
