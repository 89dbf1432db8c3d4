#include "job.h"

#include <stdlib.h>

#include "base/stop.h"
#include "screen.h"

/* 0: not given. */
static bool
read_seconds(const char *name, const char *text, long *ms, struct err *err)
{
	char *end;
	*ms = 0;
	if (text == NULL)
		return true;
	double seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !(seconds >= 0 && seconds <= 3600))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--%s: \"%s\" is not a number of seconds", name, text);
	*ms = seconds < 0.001 ? 1 : (long)(seconds * 1000);

	return true;
}

bool
job_retry_wait(const struct options *o, long *ms, struct err *err)
{
	return read_seconds("retry-wait", o->retry_wait, ms, err);
}

static struct filter
filter_of(const struct options *o)
{
	return (struct filter){
		.include = o->include.items,
		.include_count = o->include.n,
		.exclude = o->exclude.items,
		.exclude_count = o->exclude.n,
		.since = o->since,
		.before = o->before,
		.max_size = o->max_size,
	};
}

static int
retries_of(const struct options *o)
{
	return o->retries == 0 ? -1 : (int)o->retries;
}

static struct haul_options
patience_of(const struct options *o, long retry_wait_ms)
{
	return (struct haul_options){
		.retries = retries_of(o),
		.retry_wait_ms = retry_wait_ms,
	};
}

bool
job_connect(const struct options *o, long retry_wait_ms,
    struct server_port *from, struct source *source, struct meter *meter,
    struct err *err)
{
	struct haul_options haul = patience_of(o, retry_wait_ms);
	haul.connect = source_port_connect;
	haul.connect_arg = from;

	return haul_connect(&haul, source, meter, err);
}

struct dialling {
	struct target_port *to;
	struct target *target;
};

/* In the place of a source: who waits and dials again is the same. */
static bool
dial_target(void *arg, struct source *none, struct err *err)
{
	const struct dialling *d = arg;
	(void)none;

	return target_port_connect(d->to, d->target, err);
}

bool
job_connect_target(const struct options *o, long retry_wait_ms,
    struct target_port *to, struct target *target, struct meter *meter,
    struct err *err)
{
	struct haul_options haul = patience_of(o, retry_wait_ms);
	struct dialling dialling = { .to = to, .target = target };
	struct source none = { 0 };
	haul.connect = dial_target;
	haul.connect_arg = &dialling;

	return haul_connect(&haul, &none, meter, err);
}

bool
job_options(struct haul_options *haul, const struct options *o,
    struct server_port *from, struct state_dir *state,
    struct target_port *server, struct err *err)
{
	*haul = (struct haul_options){
		.index_path = state->index_path,
		.run = state->run,
		.account = from->account.data,
		.connect = source_port_connect,
		.connect_arg = from,
		.connect_target = server == NULL ? NULL : target_port_connect,
		.connect_target_arg = server,
		.assume_empty = o->assume_empty,
		.filter = filter_of(o),
		.dry_run = o->dry_run,
		.self_contained = o->self_contained,
		.retries = retries_of(o),
	};
	if (!read_seconds("grace", o->grace, &haul->grace_ms, err))
		return false;
	if (state->index == NULL)
		return true;
	const char *kind = server == NULL ? "archive" : "imap";
	const char *key =
	    server == NULL ? "archive" : server->server.account.data;

	/* A dry run only looks them up: 0 for what is not there yet. */
	return index_account(state->index, "imap", haul->account,
		   &haul->source_account, err) &&
	       index_account(
		   state->index, kind, key, &haul->target_account, err) &&
	       index_job(state->index, haul->source_account,
		   haul->target_account, &haul->job, err);
}

uint64_t
job_failed_messages(const struct index_counts *c)
{
	return c->by[OUTCOME_QUARANTINED] + c->by[OUTCOME_UNREADABLE] +
	       c->by[OUTCOME_UNKNOWN];
}

bool
job_is_partial(const struct haul_result *r, const struct source *source)
{
	struct source_caps caps = { 0 };
	if (source->data != NULL)
		source->ops->capabilities(source->data, &caps);

	return r->partial || r->mailboxes_excluded > 0 || caps.partial;
}

int
job_exit_code(const struct haul_result *r, bool ok, const struct err *err)
{
	if (r->interrupted)
		return 128 + stop_signal();
	if (!ok && r->parked)
		return EXIT_PARKED;
	if (!ok)
		return exit_of(err);
	if (r->mailboxes_failed > 0 || !r->balanced ||
	    job_failed_messages(&r->counts) > 0)
		return EXIT_SOME_FAILED;

	return EXIT_OK;
}
