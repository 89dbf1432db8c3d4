/* How each account fared in the runs, and which run tells of a moment. */
#include "base/clock.h"
#include "index/private.h"

static bool
put_begin(struct index *ix, uint64_t run, uint64_t job, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_RUN_JOB_BEGIN, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)job);
	sql_int(&q, clock_unix());

	return sql_run(&q, err);
}

bool
index_run_job_begin(
    struct index *ix, uint64_t run, uint64_t job, struct err *err)
{
	bool own;
	if (!index_own_begin(ix, &own, err))
		return false;

	return index_own_end(ix, own, put_begin(ix, run, job, err), err);
}

static bool
put_end(struct index *ix, uint64_t run, uint64_t job,
    enum index_run_state state, bool partial, int exit_code, const char *text,
    struct err *err)
{
	struct sql q;
	struct buf *words = &ix->scratch[0];
	if (!sql_open(ix, SQL_RUN_JOB_END, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)job);
	sql_int(&q, state);
	sql_int(&q, exit_code);
	sql_text(&q, index_words(words, text));
	sql_int(&q, clock_unix());
	sql_int(&q, partial);

	return sql_run(&q, err);
}

bool
index_run_job_end(struct index *ix, uint64_t run, uint64_t job,
    enum index_run_state state, bool partial, int exit_code, const char *text,
    struct err *err)
{
	bool own;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok = put_end(ix, run, job, state, partial, exit_code, text, err);

	return index_own_end(ix, own, ok, err);
}

static void
read_job(struct sql *q, struct index_run_job *job)
{
	*job = (struct index_run_job){ .run = (uint64_t)sql_get_int(q) };
	job->job = (uint64_t)sql_get_int(q);
	job->run_name = sql_get_text(q);
	job->kind = sql_get_text(q);
	job->source = sql_get_text(q);
	job->target = sql_get_text(q);
	job->state = (enum index_run_state)sql_get_int(q);
	job->started = sql_get_int(q);
	job->ended = sql_get_int(q);
	job->exit_code = (int)sql_get_int(q);
	const char *text = sql_get_text(q);
	job->text = text == NULL ? "" : text;
	job->partial = sql_get_int(q) != 0;
}

bool
index_run_jobs(struct index *ix, uint64_t run, const char *source,
    bool (*each)(void *arg, const struct index_run_job *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	/* A run's own rows lie together; an account's are found by its job. */
	enum sql_name name = run == 0 ? SQL_RUN_JOBS : SQL_RUN_JOBS_OF_RUN;
	if (!sql_open_own(ix, name, &q, err))
		return false;
	if (name == SQL_RUN_JOBS_OF_RUN)
		sql_int(&q, (int64_t)run);
	sql_text(&q, source);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_run_job job;
		read_job(&q, &job);
		if (!each(arg, &job))
			break;
	}
	sql_close(&q);

	return ok;
}

bool
index_as_of(struct index *ix, uint64_t mailbox, int64_t when, uint64_t *run,
    struct err *err)
{
	struct sql q;
	bool row;
	*run = 0;
	if (!sql_open(ix, SQL_AS_OF, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, when);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		*run = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}
