#ifndef CMD_JOB_H
#define CMD_JOB_H

#include "haul/haul.h"
#include "ports.h"

/* One account's haul, as copy and run see it. */

/* --retry-wait; *ms 0: the default. */
bool job_retry_wait(const struct options *, long *ms, struct err *);
/* The first connection (haul_connect). */
bool job_connect(const struct options *, long retry_wait_ms,
    struct server_port *, struct source *, struct meter *, struct err *);
/* The same of a server as target. */
bool job_connect_target(const struct options *, long retry_wait_ms,
    struct target_port *, struct target *, struct meter *, struct err *);
/* What the options and the source say; ids found or made in the index of
 * state, which may be NULL: 0. server: the target; NULL: an archive. */
bool job_options(struct haul_options *, const struct options *,
    struct server_port *from, struct state_dir *state,
    struct target_port *server, struct err *);
/* Listed, but neither kept nor left out by a rule nor gone. */
uint64_t job_failed_messages(const struct index_counts *);
/* It tells of those mailboxes only that it read or saw end. */
bool job_is_partial(const struct haul_result *, const struct source *);
/* ok, err: of haul_run. */
int job_exit_code(const struct haul_result *, bool ok, const struct err *);

#endif
