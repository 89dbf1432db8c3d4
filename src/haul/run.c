#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "deliver.h"
#include "base/log.h"
#include "base/stop.h"
#include "fetch.h"
#include "haul/haul.h"
#include "retry.h"

struct delivering {
	struct deliver *deliver;
	struct queue *belt;
	struct err err;
	bool ok;
};

static void *
deliver_main(void *arg)
{
	struct delivering *d = arg;
	d->ok = deliver_run(d->deliver, d->belt, &d->err);

	return NULL;
}

static bool
count_only(struct fetch *f, struct err *err)
{
	/* A dry run puts nothing on its belt but the end. */
	bool ok = fetch_run(f, err);
	f->result->balanced = true;

	return ok;
}

static bool
two_threads(struct fetch *f, struct index *index, struct target *target,
    struct err *err)
{
	struct delivering d = { .belt = f->belt };
	d.deliver = deliver_new(f->o, index, target, f->meter, f->result);
	if (!deliver_resume(d.deliver, err)) {
		deliver_free(&d.deliver);
		f->result->interrupted = stop_asked();
		return false;
	}
	pthread_t thread;
	if (pthread_create(&thread, NULL, deliver_main, &d) != 0)
		abort();
	bool ok = fetch_run(f, err);
	if (pthread_join(thread, NULL) != 0)
		abort();
	deliver_free(&d.deliver);
	if (!d.ok)
		*err = d.err;

	return ok && d.ok;
}

bool
haul_connect(const struct haul_options *o, struct source *source,
    struct meter *meter, struct err *err)
{
	struct retry retry;
	bool reached = false, parked;
	retry_start(&retry, o);
	for (;;) {
		meter_set_phase(meter, METER_CONNECTING);
		if (o->connect(o->connect_arg, source, err))
			break;
		reached = reached || err->stage != ERR_STAGE_DIAL;
		if (!reached || err->code == ERR_THROTTLE)
			return false;
		if (retry_wait(&retry, err, meter, &parked))
			continue;
		return stop_asked() ? err_set(err, ERR_ACCOUNT, ERR_STOPPED,
					  "stopped while waiting to connect "
					  "again: %s",
					  err->text)
				    : false;
	}
	if (retry.failures > 0)
		log_add(LOG_INFO, "connected after all");

	return true;
}

bool
haul_seal(struct index *index, struct target *target, uint64_t run,
    uint64_t target_account, struct err *err)
{
	const struct target_ops *ops = target->ops;
	const char *volume =
	    ops->volume == NULL ? "" : ops->volume(target->data);
	if (ops->seal == NULL || volume[0] == '\0')
		return true;
	struct index_query query = { .volume = volume, .outcome = -1 };
	struct index_rows *rows;
	if (!index_rows_open(index, &rows, &query, err))
		return false;
	struct progress progress = { 0 };
	bool ok =
	    ops->seal(target->data, index_rows_catalog, rows, &progress, err);
	index_rows_close(&rows);
	if (!ok || progress.volume[0] == '\0')
		return ok;
	if (!index_begin(index, err))
		return false;
	if (!index_progress(index, run, target_account, &progress, err)) {
		index_rollback(index);
		return false;
	}

	return index_commit(index, err);
}

bool
haul_run(const struct haul_options *o, struct index *index,
    struct source *source, struct target *target, struct meter *meter,
    struct haul_result *result, struct err *err)
{
	*result = (struct haul_result){ .balanced = true };
	struct fetch f = {
		.o = o,
		.source = source,
		.target = target,
		.meter = meter,
		.result = result,
		.belt = queue_new(BELT_COUNT_MAX, BELT_OCTETS_MAX),
	};
	bool ok = fetch_init(&f, err) &&
		  (o->dry_run ? count_only(&f, err)
			      : two_threads(&f, index, target, err));
	fetch_free(&f);
	queue_free(&f.belt);
	/* Even if the account failed: what is there is worth a sealed volume,
	 * unless it is the target that failed. */
	bool sealable = ok || err->scope == ERR_ACCOUNT;
	if (sealable && !o->dry_run && !o->keep_open && !result->interrupted) {
		struct err seal;
		meter_set_phase(meter, METER_SEALING);
		if (!haul_seal(
			index, target, o->run, o->target_account, &seal)) {
			*err = seal;
			ok = false;
		}
	}
	meter_set_phase(meter, METER_DONE);

	return ok;
}

void
haul_result_free(struct haul_result *r)
{
	for (size_t i = 0; i < r->failure_count; i++)
		free(r->failures[i].mailbox);
	free(r->failures);
	r->failures = NULL;
	r->failure_count = 0;
}
