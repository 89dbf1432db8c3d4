#include "index/private.h"

#include <assert.h>

#include "base/clock.h"

/* One statement as a transaction of its own. */
static bool
run_alone(struct index *ix, struct sql *q, struct err *err)
{
	assert(ix->open_tx);
	bool ok = sql_run(q, err);

	return index_own_end(ix, true, ok, err);
}

static bool
open_alone(struct index *ix, enum sql_name name, struct sql *q, struct err *err)
{
	if (!index_begin(ix, err))
		return false;
	if (sql_open(ix, name, q, err))
		return true;
	index_rollback(ix);

	return false;
}

bool
index_run_begin(struct index *ix, const char *name, const char *command,
    uint64_t *run, struct err *err)
{
	struct sql q;
	if (!open_alone(ix, SQL_RUN_BEGIN, &q, err))
		return false;
	sql_text(&q, name);
	sql_int(&q, clock_unix());
	sql_text(&q, command);
	if (!sql_run(&q, err)) {
		index_rollback(ix);
		return false;
	}
	*run = (uint64_t)sqlite3_last_insert_rowid(ix->db);
	ix->begun = *run;

	return index_commit(ix, err);
}

void
index_run_take(struct index *ix, uint64_t run)
{
	ix->begun = run;
}

static bool
of_run(struct index *ix, enum sql_name name, uint64_t run, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

static bool
close_jobs(struct index *ix, uint64_t run, struct err *err)
{
	return of_run(ix, SQL_RUN_JOBS_CLOSE, run, err) &&
	       of_run(ix, SQL_RUN_COUNTS_CLOSE, run, err);
}

/* When a run that was killed ended, nobody can tell: only the connection that
 * began a run knows the hour of its interruption. */
bool
index_run_end(
    struct index *ix, uint64_t run, enum index_run_state state, struct err *err)
{
	struct sql q;
	if (!open_alone(ix, SQL_RUN_END, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, state);
	if (state == RUN_OPEN || (state == RUN_INTERRUPTED && run != ix->begun))
		sql_null(&q);
	else
		sql_int(&q, clock_unix());
	bool ok =
	    sql_run(&q, err) && (state == RUN_OPEN || close_jobs(ix, run, err));

	return index_own_end(ix, true, ok, err);
}

bool
index_run_manifest(
    struct index *ix, uint64_t run, const uint8_t sha256[32], struct err *err)
{
	struct sql q;
	if (!open_alone(ix, SQL_RUN_MANIFEST, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_blob(&q, sha256, 32);

	return run_alone(ix, &q, err);
}

bool
index_volume_abandon(struct index *ix, const char *name, struct err *err)
{
	struct sql q;
	if (!open_alone(ix, SQL_VOLUME_ABANDON, &q, err))
		return false;
	sql_text(&q, name);

	return run_alone(ix, &q, err);
}

static void
read_run(struct sql *q, struct index_run *run)
{
	*run = (struct index_run){ .id = (uint64_t)sql_get_int(q) };
	sql_get_name(q, run->name, sizeof(run->name));
	run->started = sql_get_int(q);
	run->ended = sql_get_int(q);
	run->state = (enum index_run_state)sql_get_int(q);
	sql_get_name(q, run->command, sizeof(run->command));
	run->has_manifest =
	    sql_get_octets(q, run->manifest, sizeof(run->manifest));
}

bool
index_runs(struct index *ix, int state,
    bool (*each)(void *arg, const struct index_run *), void *arg,
    struct err *err)
{
	struct sql q;
	/* Every start asks for open runs: they have an index of their own. */
	enum sql_name name = state == RUN_OPEN ? SQL_RUNS_OPEN : SQL_RUNS;
	if (!sql_open_own(ix, name, &q, err))
		return false;
	if (name == SQL_RUNS)
		sql_int(&q, state);
	bool ok, row;
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_run run;
		read_run(&q, &run);
		if (!each(arg, &run))
			break;
	}
	sql_close(&q);

	return ok;
}
