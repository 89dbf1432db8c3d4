#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "job.h"
#include "pool.h"
#include "screen.h"

/* What a parser that was led astray may take: far above what a haul needs
 * (64 MiB and its threads' stacks), far below the machine. */
enum { MEMORY_GIB = 2 };

struct worker {
	const struct worker_plan *plan;
	int socket;
	struct meter *meter;
	struct archive_port archive;
	struct archive_word word;
	bool failed; /* the run's archive or index: nothing more is done */
};

/* ---- talking to the supervisor ---- */

/* Without it there is nobody to work for. */
static void
tell(const struct worker *w, const struct told *told)
{
	ssize_t n;
	do
		n = send(w->socket, told, sizeof(*told), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*told))
		_exit(EXIT_SOME_FAILED);
}

/* False: the supervisor wants nothing more. */
static bool
hear(const struct worker *w, struct order *order)
{
	ssize_t n;
	do
		n = recv(w->socket, order, sizeof(*order), 0);
	while (n < 0 && errno == EINTR);

	return n == (ssize_t)sizeof(*order);
}

/* ---- the process ---- */

static void
limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit limit;
	const rlim_t most = (rlim_t)MEMORY_GIB << 30;
	if (getrlimit(RLIMIT_AS, &limit) == 0 &&
	    (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > most)) {
		limit.rlim_cur = most;
		setrlimit(RLIMIT_AS, &limit);
	}
#endif
}

static void
settle_in(pid_t supervisor)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before that. */
	if (getppid() != supervisor)
		_exit(EXIT_SOME_FAILED);
	stop_follow(WORKER_STOP);
	secret_guard_process();
	limit_memory();
}

/* ---- an archive of its own ---- */

static bool
open_archive(struct worker *w, struct err *err)
{
	const struct archive_port *of = w->plan->archive;
	const struct options *o = &w->plan->tenant->options;
	struct archive_port *p = &w->archive;
	*p = *of;
	p->state.index = NULL;
	p->target = (struct target){ 0 };
	if (p->state.dir == NULL)
		return true;
	if (!index_open(&p->state.index, p->state.index_path,
		o->dry_run ? INDEX_READ : INDEX_WRITE, err))
		return false;
	if (o->dry_run)
		return true;
	w->word = pool_word(p);

	return archive_port_target(p, o, w->meter, &w->word, err);
}

/* ---- one account ---- */

struct job {
	struct options options;
	struct server_port from;
	struct source source;
	struct haul_options haul;
	struct haul_result result;
	bool begun; /* its run_job row */
};

/* What goes wrong before the first message is the account's own, unless the
 * archive or the index is what failed. */
static bool
as_account(struct err *err)
{
	if (err->scope == ERR_RUN && err->code != ERR_DAMAGED &&
	    err->code != ERR_DISK_FULL && err->code != ERR_IO)
		err->scope = ERR_ACCOUNT;

	return false;
}

static bool
begin_job(struct worker *w, struct job *j, struct err *err)
{
	struct archive_port *p = &w->archive;
	if (!job_options(&j->haul, &j->options, &j->from, &p->state, NULL, err))
		return false;
	j->haul.retry_wait_ms = w->plan->retry_wait_ms;
	j->haul.keep_open = true;
	if (p->state.run == 0)
		return true;
	j->begun =
	    index_run_job_begin(p->state.index, p->state.run, j->haul.job, err);

	return j->begun;
}

static bool
copy_account(
    struct worker *w, struct job *j, const struct order *order, struct err *err)
{
	struct told in = { .kind = TOLD_IN, .account = order->account };
	if (!tenant_source(w->plan->tenant, order->account,
		order->has_secret ? order->secret : NULL, &j->options, &j->from,
		err))
		return as_account(err);
	if (!begin_job(w, j, err))
		return false;
	if (!job_connect(&j->options, w->plan->retry_wait_ms, &j->from,
		&j->source, w->meter, err))
		return as_account(err);
	tell(w, &in);

	return haul_run(&j->haul, w->archive.state.index, &j->source,
	    &w->archive.target, w->meter, &j->result, err);
}

static enum index_run_state
state_of(const struct told *told)
{
	if (told->interrupted)
		return RUN_INTERRUPTED;

	return told->exit_code == EXIT_OK ? RUN_COMPLETE : RUN_INCOMPLETE;
}

static void
tell_mailboxes(struct worker *w, const struct job *j, uint32_t account)
{
	for (size_t i = 0; i < j->result.failure_count; i++) {
		const struct haul_failure *f = &j->result.failures[i];
		struct told told = {
			.kind = TOLD_MAILBOX, .account = account, .err = f->err
		};
		snprintf(told.mailbox, sizeof(told.mailbox), "%s",
		    f->mailbox == NULL ? "" : f->mailbox);
		tell(w, &told);
	}
}

static void
end_job(struct worker *w, struct job *j, struct told *told)
{
	struct archive_port *p = &w->archive;
	struct err err;
	if (j->begun &&
	    !index_run_job_end(p->state.index, p->state.run, j->haul.job,
		state_of(told), job_is_partial(&j->result, &j->source),
		told->exit_code, told->ok ? "" : told->err.text, &err)) {
		told->ok = false;
		told->err = err;
		told->exit_code = exit_of(&err);
	}
	/* Whatever is in doubt there stays in doubt. */
	if (!told->ok && told->err.scope == ERR_RUN)
		w->failed = true;
}

static void
do_account(struct worker *w, struct order *order)
{
	struct job *j = mem_new(sizeof(*j));
	struct told told = { .kind = TOLD_DONE, .account = order->account };
	meter_start(w->meter);
	log_about(w->plan->tenant->accounts.items[order->account].name);
	j->result.balanced = true;
	told.ok = copy_account(w, j, order, &told.err);
	explicit_bzero(order->secret, sizeof(order->secret));
	const struct haul_result *r = &j->result;
	told.balanced = r->balanced;
	told.interrupted = r->interrupted || (!told.ok && stop_asked());
	told.parked = r->parked;
	told.counts = r->counts;
	told.mailboxes = r->mailboxes;
	told.mailboxes_excluded = r->mailboxes_excluded;
	told.mailboxes_failed = r->mailboxes_failed;
	told.octets = r->octets;
	told.exit_code = told.interrupted
			     ? 128 + SIGINT
			     : job_exit_code(r, told.ok, &told.err);
	end_job(w, j, &told);
	if (j->source.data != NULL)
		j->source.ops->close(&j->source.data, told.ok);
	server_port_close(&j->from);
	tell_mailboxes(w, j, order->account);
	meter_set_phase(w->meter, METER_DONE);
	tell(w, &told);
	haul_result_free(&j->result);
	free(j);
	log_about(NULL);
}

/* ---- from the first order to the last ---- */

/* What an order to end leaves: the volume sealed, or open for the next. */
static bool
finish(struct worker *w, bool seal, struct err *err)
{
	struct archive_port *p = &w->archive;
	if (!seal || w->failed || p->target.data == NULL)
		return true;
	meter_set_phase(w->meter, METER_SEALING);

	return haul_seal(
	    p->state.index, &p->target, p->state.run, p->account, err);
}

static void
serve(struct worker *w)
{
	struct told end = { .kind = TOLD_END, .ok = true };
	struct order order;
	bool seal = false;
	while (hear(w, &order)) {
		if (order.kind == ORDER_FINISH) {
			seal = order.seal;
			break;
		}
		do_account(w, &order);
	}
	end.ok = finish(w, seal, &end.err);
	meter_set_phase(w->meter, METER_DONE);
	if (w->archive.target.data != NULL)
		end.readback_ms =
		    archive_target_readback_ms(&w->archive.target);
	tell(w, &end);
}

void
worker_main(const struct worker_plan *plan, int socket, struct meter *meter,
    pid_t supervisor)
{
	struct worker w = { .plan = plan, .socket = socket, .meter = meter };
	struct err err;
	settle_in(supervisor);
	tenant_wipe_all(plan->tenant);
	meter_start(meter);
	if (open_archive(&w, &err)) {
		serve(&w);
	} else {
		struct told end = { .kind = TOLD_END, .err = err };
		tell(&w, &end);
	}
	if (w.archive.target.data != NULL)
		w.archive.target.ops->close(&w.archive.target.data, true);
	if (w.archive.state.index != NULL)
		index_close(&w.archive.state.index);
	/* What the supervisor has buffered for its screen is not ours. */
	_exit(EXIT_OK);
}
