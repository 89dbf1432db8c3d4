#ifndef HAUL_HAUL_H
#define HAUL_HAUL_H

#include "base/err.h"
#include "haul/filter.h"
#include "haul/meter.h"
#include "index/index.h"
#include "mail/source.h"
#include "mail/target.h"

/*
 * One job: everything a source lists ends in the target or in a recorded
 * outcome (DESIGN 4). haul knows the two roles and the index, never a kind of
 * endpoint.
 */
struct haul_options {
	const char *index_path; /* opened once more, for the fetching thread */
	uint64_t run, job, source_account, target_account;
	const char *account; /* the source's key, as the archive shows it */

	/* A new, logged-in source: at the start and after a lost connection. */
	bool (*connect)(void *arg, struct source *, struct err *);
	void *connect_arg;

	/* A server as the target: a new one, logged in, after a lost
	 * connection; NULL: the target is an archive. Then each placement is
	 * delivered by itself: what was moved or renamed at the source is not
	 * recognised. */
	bool (*connect_target)(void *arg, struct target *, struct err *);
	void *connect_target_arg;
	bool assume_empty; /* nothing that stands in the target is ours */
	long grace_ms;     /* a server may still take in what a lost connection
			      had brought; 0: 10,000 */

	struct filter filter;
	bool dry_run;         /* nothing is fetched, no row is written */
	bool self_contained;  /* everything whole */
	bool keep_open;       /* flushed, but not sealed at the end: the target
				 goes on with another account */
	int retries;          /* without progress in between; 0: 6;
				  negative: none */
	long retry_wait_ms;   /* the first wait, then doubled; 0: 1,000 */
	int64_t max_pause_ms; /* of a throttle; 0: one hour */
	long flush_ms;        /* what came is made durable at least so often;
				 0: 10,000 */
};

struct haul_failure {
	char *mailbox; /* display; NULL: the account */
	struct err err;
};

struct haul_result {
	struct index_counts counts;  /* the sums of all mailboxes */
	uint64_t mailboxes;          /* read, or the same as before */
	uint64_t mailboxes_same;     /* of them: not opened, can't be other */
	uint64_t mailboxes_renamed;  /* under another name since the last run */
	uint64_t mailboxes_gone;     /* the server says that there is none */
	uint64_t mailboxes_excluded; /* by --include, --exclude */
	uint64_t mailboxes_unselectable;
	uint64_t mailboxes_failed;
	uint64_t mailboxes_unreached; /* the account was given up before */
	uint64_t octets;              /* of messages delivered */
	uint64_t flags_changed;       /* of messages that are kept */
	uint64_t gone; /* not at the source any more; they stay in the target */
	struct haul_failure *failures; /* the first of them */
	size_t failure_count;
	bool balanced;    /* outcomes sum to the inventory everywhere */
	bool interrupted; /* a stop was asked for */
	bool parked;      /* a throttle outlasted max_pause_ms */
	bool partial;     /* some mailbox of the account was neither read nor
			     known to be gone, or was left out by a rule */
};

/*
 * The first connection, by .connect: lost on its way, it is tried again as one
 * that is lost later is, by .retries and .retry_wait_ms. But where nobody was
 * ever reached (ERR_STAGE_DIAL) and at a throttle it fails at once: a typo
 * must not wait, and nothing was begun that would be lost.
 */
bool haul_connect(
    const struct haul_options *, struct source *, struct meter *, struct err *);

/*
 * Run the job to its end: the target is flushed and sealed (not if
 * interrupted: the open volume is continued by the next run; nor with
 * keep_open). Called twice for a job in one run, the second time replaces what
 * the first counted. The caller tells index_run_job_begin and _end. False: the
 * account or the run failed as a whole; what was settled stays settled, and
 * the result tells how far it came. source: connected; replaced after a loss;
 * closed by the caller.
 */
bool haul_run(const struct haul_options *, struct index *, struct source *,
    struct target *, struct meter *, struct haul_result *, struct err *);
void haul_result_free(struct haul_result *);

/*
 * Settle what is in the target and seal its volume: end of a run, and for
 * volumes that an earlier run left behind.
 */
bool haul_seal(struct index *, struct target *, uint64_t run,
    uint64_t target_account, struct err *);

#endif
