#ifndef CMD_WORKER_H
#define CMD_WORKER_H

#include <signal.h>

#include "haul/haul.h"
#include "tenant.h"

/*
 * A process that copies one account after another for a supervisor, over a
 * socket of whole messages (SOCK_SEQPACKET): an order, then what is told of it.
 * It dies with the supervisor, leaves signals of the terminal to it, and opens
 * an index and a target of its own, for nothing of either survives a fork.
 */

/* Asks a worker to finish and commit what is in flight. */
enum { WORKER_STOP = SIGUSR1 };
enum { WORKER_SECRET_MAX = 4096 };

enum order_kind {
	ORDER_ACCOUNT, /* copy it */
	ORDER_FINISH   /* seal if .seal, and end */
};
struct order {
	enum order_kind kind;
	uint32_t account; /* of tenant.accounts.items */
	bool seal;
	bool has_secret; /* tenant_secret was not NULL */
	char secret[WORKER_SECRET_MAX + 1];
};

enum told_kind {
	TOLD_IN,      /* the server accepted the login */
	TOLD_MAILBOX, /* one that failed: .mailbox, .err */
	TOLD_DONE,    /* the account's end */
	TOLD_END      /* finished: .ok or .err, .readback_ms */
};
struct told {
	enum told_kind kind;
	uint32_t account;
	bool ok; /* else .err */
	bool balanced, interrupted, parked;
	int exit_code; /* as if it had been alone */
	struct index_counts counts;
	uint64_t mailboxes, mailboxes_excluded, mailboxes_failed, octets;
	uint64_t readback_ms;
	char mailbox[512];
	struct err err;
};

/* What a worker needs; all borrowed and unchanged as long as it lives. */
struct worker_plan {
	struct tenant *tenant;
	/* Its paths, run and lock; .index NULL. dir NULL: a dry run that finds
	 * no archive. */
	const struct archive_port *archive;
	long retry_wait_ms; /* 0: the default */
};

/* The life of a worker, from fork to exit. supervisor: its pid. meter: shared
 * with it; the worker's alone to write. */
_Noreturn void worker_main(const struct worker_plan *, int socket,
    struct meter *meter, pid_t supervisor);

#endif
