#include "job.h"

#include <stdlib.h>

#include "base/stop.h"
#include "screen.h"

bool
job_retry_wait(const struct options *o, long *ms, struct err *err)
{
	const char *text = o->retry_wait;
	char *end;
	*ms = 0;
	if (text == NULL)
		return true;
	double seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !(seconds >= 0 && seconds <= 3600))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--retry-wait: \"%s\" is not a number of seconds", text);
	*ms = seconds < 0.001 ? 1 : (long)(seconds * 1000);

	return true;
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

bool
job_connect(const struct options *o, long retry_wait_ms,
    struct source_port *from, struct source *source, struct meter *meter,
    struct err *err)
{
	const struct haul_options haul = {
		.connect = source_port_connect,
		.connect_arg = from,
		.retries = retries_of(o),
		.retry_wait_ms = retry_wait_ms,
	};

	return haul_connect(&haul, source, meter, err);
}

bool
job_options(struct haul_options *haul, const struct options *o,
    struct source_port *from, struct archive_port *to, struct err *err)
{
	*haul = (struct haul_options){
		.index_path = to->index_path,
		.run = to->run,
		.target_account = to->account,
		.account = from->account.data,
		.connect = source_port_connect,
		.connect_arg = from,
		.filter = filter_of(o),
		.dry_run = o->dry_run,
		.self_contained = o->self_contained,
		.retries = retries_of(o),
	};
	if (to->index == NULL)
		return true;

	/* A dry run only looks them up: 0 for what is not there yet. */
	return index_account(to->index, "imap", haul->account,
		   &haul->source_account, err) &&
	       index_account(to->index, "archive", "archive",
		   &haul->target_account, err) &&
	       index_job(to->index, haul->source_account, haul->target_account,
		   &haul->job, err);
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
