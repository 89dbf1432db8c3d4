#include "retry.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/text.h"

enum { LONGEST_WAIT_MS = 60000, SLICE_MS = 200 };

void
retry_start(struct retry *r, const struct haul_options *o)
{
	*r = (struct retry){
		.max_failures = o->retries == 0 ? 6 : o->retries,
		.first_ms = o->retry_wait_ms == 0 ? 1000 : o->retry_wait_ms,
		.max_pause_ms =
		    o->max_pause_ms == 0 ? 3600000 : o->max_pause_ms,
	};
}

void
retry_progress(struct retry *r)
{
	r->failures = 0;
}

void
retry_count(struct retry *r, int failures)
{
	if (r->max_failures > 0)
		r->failures =
		    failures < r->max_failures ? failures : r->max_failures - 1;
}

void
retry_search(struct retry *r)
{
	r->failures = 0;
	r->brief = true;
}

/* 50 % to 150 % of ms: clients that lost one server must not come back
 * together. */
static long
jittered(long ms)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	unsigned seed = (unsigned)now.tv_nsec;
	double factor = 0.5 + (double)(rand_r(&seed) % 1000) / 1000;

	return (long)((double)ms * factor);
}

static bool
rest(const struct retry *r, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	for (;;) {
		int64_t left = until - clock_mono_ms();
		if (left <= 0)
			return true;
		if (!stop_sleep_ms(left < SLICE_MS ? (long)left : SLICE_MS) ||
		    (r->over != NULL && r->over(r->over_arg)))
			return false;
	}
}

static bool
throttle_wait(
    struct retry *r, const struct err *err, struct meter *m, bool *parked)
{
	int64_t ms = err->until - clock_unix_ms();
	if (ms < 1000)
		ms = 1000;
	if (r->paused_ms + ms > r->max_pause_ms) {
		*parked = true;
		return false;
	}
	char text[40];
	log_add(LOG_WARN, "paused for %s: %s %s",
	    text_duration(text, sizeof(text), ms / 1000), err->text,
	    err->words);
	r->paused_ms += ms;
	atomic_store(&m->paused_until, clock_unix_ms() + ms);
	meter_set_phase(m, METER_PAUSED);
	bool ok = rest(r, ms);
	meter_set_phase(m, METER_COPYING);

	return ok;
}

/* The first try of a search costs little; one that can't even connect is a
 * failure like any other. */
static bool
brief_wait(struct retry *r, const struct err *err)
{
	r->brief = false;
	log_add(LOG_INFO, "%s; connecting again", err->text);

	return rest(r, jittered(r->first_ms / 4));
}

bool
retry_wait(
    struct retry *r, const struct err *err, struct meter *m, bool *parked)
{
	if (err->code == ERR_THROTTLE)
		return throttle_wait(r, err, m, parked);
	if (!err->transient || r->failures >= r->max_failures)
		return false;
	if (r->brief)
		return brief_wait(r, err);
	long ms = r->first_ms;
	for (int i = 0; i < r->failures && ms < LONGEST_WAIT_MS; i++)
		ms *= 2;
	if (ms > LONGEST_WAIT_MS)
		ms = LONGEST_WAIT_MS;
	ms = jittered(ms);
	r->failures++;
	log_add(LOG_WARN, "%s; trying again in %ld.%ld s (%d of %d)", err->text,
	    ms / 1000, ms % 1000 / 100, r->failures, r->max_failures);

	return rest(r, ms);
}
