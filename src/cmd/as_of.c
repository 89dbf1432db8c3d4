#include "as_of.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mail/datetime.h"

enum { ACCOUNTS_NAMED = 20 };

char *
as_of_local(char out[LOCAL_TIME], int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	if (unix_s == 0 || localtime_r(&t, &tm) == NULL ||
	    strftime(out, LOCAL_TIME, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(out, LOCAL_TIME, "-");

	return out;
}

/* ---- a run ---- */

struct named { /* runs whose names begin with this */
	const char *prefix;
	struct index_run first;
	uint64_t n;
};

static bool
match_run(void *arg, const struct index_run *run)
{
	struct named *m = arg;
	if (strncmp(run->name, m->prefix, strlen(m->prefix)) != 0)
		return true;
	bool same = strcmp(run->name, m->prefix) == 0;
	if (same || m->n == 0)
		m->first = *run;
	m->n = same ? 1 : m->n + 1;

	return !same;
}

static bool
is_no_run(const char *text, uint64_t n, const char *archive, struct err *err)
{
	if (n == 0)
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--as-of: \"%s\" is neither a run nor a date like "
		    "2026-01-31 or 2026-01-31T10:00",
		    text);
	else
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--as-of: the names of %" PRIu64
		    " runs begin with \"%s\": give more of it",
		    n, text);

	return err_hint(err, "Then: mailhaul runs %s", archive);
}

static bool
as_of_run(
    struct index *index, const struct options *o, uint64_t *id, struct err *err)
{
	static const char *const states[] = {
		[RUN_OPEN] = "it has not ended",
		[RUN_COMPLETE] = "complete",
		[RUN_INCOMPLETE] = "incomplete",
		[RUN_INTERRUPTED] = "interrupted",
	};
	char when[LOCAL_TIME];
	struct named m = { .prefix = o->as_of };
	if (!index_runs(index, -1, match_run, &m, err))
		return false;
	if (m.n != 1)
		return is_no_run(o->as_of, m.n, o->args[0], err);
	*id = m.first.id;
	if (!o->quiet)
		fprintf(stderr, "as of the run %s (%s, %s)\n", m.first.name,
		    as_of_local(when, m.first.started), states[m.first.state]);

	return true;
}

/* ---- a moment ---- */

struct resolving { /* rows come by account, then by run */
	const struct options *o;
	int64_t when;
	char account[256], run[40];
	int64_t ended; /* of that run; 0: none yet */
	bool partial;  /* it left mailboxes out */
	uint64_t accounts, found;
};

static void
tell(struct resolving *r)
{
	char when[LOCAL_TIME];
	r->accounts++;
	r->found += r->ended != 0;
	if (r->o->quiet || r->accounts > ACCOUNTS_NAMED)
		return;
	if (r->ended == 0)
		fprintf(stderr, "%s: no complete run by then\n", r->account);
	else
		fprintf(stderr, "%s: as of the run %s (%s)%s\n", r->account,
		    r->run, as_of_local(when, r->ended),
		    r->partial ? "; mailboxes that it left out are as of the "
				 "last complete run that read them"
			       : "");
}

static bool
take_job(void *arg, const struct index_run_job *job)
{
	struct resolving *r = arg;
	if (strcmp(r->account, job->source) != 0) {
		if (r->account[0] != '\0')
			tell(r);
		snprintf(r->account, sizeof(r->account), "%s", job->source);
		r->ended = 0;
	}
	if (job->state == RUN_COMPLETE && job->ended <= r->when) {
		snprintf(r->run, sizeof(r->run), "%s", job->run_name);
		r->ended = job->ended;
		r->partial = job->partial;
	}

	return true;
}

static bool
as_of_moment(
    struct index *index, const struct options *o, int64_t when, struct err *err)
{
	struct resolving r = { .o = o, .when = when };
	char text[LOCAL_TIME];
	if (!index_run_jobs(index, 0, o->account, take_job, &r, err))
		return false;
	if (r.account[0] != '\0')
		tell(&r);
	if (!o->quiet && r.accounts > ACCOUNTS_NAMED)
		fprintf(stderr,
		    "… %" PRIu64 " accounts, of which %" PRIu64
		    " have a complete run by then\n",
		    r.accounts, r.found);
	if (r.found > 0)
		return true;
	err_set(err, ERR_RUN, ERR_GONE,
	    "%s had a complete run by %s: nobody can say what stood then",
	    o->account != NULL ? "the account never" : "no account",
	    as_of_local(text, when));

	return err_hint(err, "Then: mailhaul runs %s", o->args[0]);
}

bool
as_of_set(struct index *index, const struct options *o, uint64_t *run,
    int64_t *when, struct err *err)
{
	*run = 0;
	*when = 0;
	if (o->as_of == NULL)
		return true;
	if (datetime_parse_moment(o->as_of, when))
		return as_of_moment(index, o, *when, err);

	return as_of_run(index, o, run, err);
}
