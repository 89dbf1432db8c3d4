/* mailhaul run: every account of a file, by a pool of processes. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "commands.h"
#include "job.h"
#include "pool.h"
#include "runs.h"
#include "screen.h"
#include "summary.h"
#include "supervisor.h"

struct running {
	const struct options *line;
	struct tenant tenant;
	struct archive_port archive;
	struct supervision out;
	struct haul_result sums; /* of all accounts */
	struct buf again;        /* the command, to be pasted */
	uint64_t readback_ms;    /* of volumes sealed by this process */
	int64_t started, began;  /* unix s, clock_mono_ms */
	bool failed;             /* as a whole: */
	struct err err;
};

/* ---- before ---- */

struct last_fares {
	char **well; /* accounts whose last run was complete; owned */
	size_t n;
	char *source; /* of the row before; owned */
	bool complete;
};

static void
end_source(struct last_fares *l)
{
	if (l->source == NULL)
		return;
	if (l->complete) {
		l->well = mem_grow(l->well, l->n + 1, sizeof(*l->well));
		l->well[l->n++] = l->source;
	} else {
		free(l->source);
	}
	l->source = NULL;
}

/* By account, and within it by run. */
static bool
add_fare(void *arg, const struct index_run_job *row)
{
	struct last_fares *l = arg;
	if (l->source == NULL || strcmp(l->source, row->source) != 0) {
		end_source(l);
		l->source = mem_str(row->source);
	}
	l->complete = row->state == RUN_COMPLETE;

	return true;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
did_not_end_well(void *arg, const struct account *a)
{
	const struct last_fares *l = arg;

	return l->n == 0 || bsearch(&a->name, l->well, l->n, sizeof(*l->well),
				by_text) == NULL;
}

static bool
keep_failed(struct running *r, struct err *err)
{
	struct last_fares l = { 0 };
	if (!r->line->failed || r->archive.state.index == NULL)
		return true;
	bool ok =
	    index_run_jobs(r->archive.state.index, 0, NULL, add_fare, &l, err);
	end_source(&l);
	if (l.n > 0)
		qsort(l.well, l.n, sizeof(*l.well), by_text);
	if (ok)
		tenant_keep(&r->tenant, did_not_end_well, &l);
	for (size_t i = 0; i < l.n; i++)
		free(l.well[i]);
	free(l.well);

	return ok;
}

/* "run -c FILE --account NAME", as the run is remembered. */
static void
describe(const struct running *r, struct buf *out)
{
	const struct list *names = &r->line->accounts;
	buf_fmt(out, "run -c %s", r->tenant.config->path);
	for (size_t i = 0; i < names->n; i++)
		buf_fmt(out, " --account %s", names->items[i]);
	if (r->line->failed)
		buf_str(out, " --failed");
}

static void
close_target(struct running *r)
{
	struct archive_port *p = &r->archive;
	if (p->target.data == NULL)
		return;
	r->readback_ms += archive_target_readback_ms(&p->target);
	p->target.ops->close(&p->target.data, true);
}

/* With a target for as long as it takes: its threads don't live over a fork.
 */
static bool
seal_left(struct running *r, size_t keep, struct err *err)
{
	struct archive_port *p = &r->archive;
	struct meter meter;
	meter_start(&meter);
	bool ok =
	    runs_mark_sealed(p, err) &&
	    archive_port_target(p, &r->tenant.options, &meter, NULL, err) &&
	    pool_seal(p, keep, err);
	close_target(r);

	return ok;
}

/* The connection ends here: SQLite's must not be open over a fork. */
static void
close_index(struct running *r)
{
	if (r->archive.state.index != NULL)
		index_close(&r->archive.state.index);
}

/* A dry run asks an archive that is there, and makes none. */
static bool
look_at_archive(struct running *r, struct err *err)
{
	struct archive_port *p = &r->archive;
	if (archive_port_read(p, &r->tenant.options, r->tenant.target, err))
		return keep_failed(r, err);
	if (err->code != ERR_USAGE || p->state.index_path == NULL ||
	    access(p->state.index_path, F_OK) == 0)
		return false;
	archive_port_close(p);

	return true;
}

static bool
open_archive(struct running *r, struct err *err)
{
	struct archive_port *p = &r->archive;
	const struct options *o = &r->tenant.options;
	struct buf command = { 0 };
	if (o->dry_run)
		return look_at_archive(r, err);
	if (!archive_port_lock(p, o, r->tenant.target, err) ||
	    !keep_failed(r, err))
		return false;
	/* A run of nobody is none. */
	if (r->tenant.n == 0)
		return true;
	describe(r, &command);
	bool ok = state_begin_run(&p->state, command.data, err) &&
		  seal_left(r, o->jobs, err);
	buf_free(&command);

	return ok;
}

/* ---- after ---- */

static void
add_counts(struct index_counts *to, const struct index_counts *c)
{
	to->inventory += c->inventory;
	to->already += c->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		to->by[i] += c->by[i];
}

/* What it came to in all its tries only the index knows. */
static bool
needs_index(const struct fate *f)
{
	return f->tries > 1 || (f->tries > 0 && !f->told);
}

struct named {
	const char *name;
	struct fate *fate;
};
struct naming {
	struct named *rows;
	size_t n;
};

static int
by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool
add_row(void *arg, const struct index_run_row *row)
{
	struct naming *all = arg;
	struct named key = { .name = row->source };
	struct named *found =
	    bsearch(&key, all->rows, all->n, sizeof(key), by_name);
	if (found == NULL)
		return true;
	add_counts(&found->fate->counts, &row->counts);
	found->fate->mailboxes++;

	return true;
}

/* Listed, and no word of it since: the process that knew it died. */
static void
name_the_rest(struct index_counts *c)
{
	uint64_t sum = c->already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum += c->by[i];
	if (sum < c->inventory)
		c->by[OUTCOME_UNKNOWN] += c->inventory - sum;
}

static bool
read_sums(struct running *r, struct err *err)
{
	struct lineup *l = &r->out.lineup;
	/* A dry run has no rows: the last try's word is all there is. */
	if (r->archive.state.run == 0)
		return true;
	struct naming all = { .rows = mem_array(l->n + 1, sizeof(*all.rows)) };
	for (size_t i = 0; i < l->n; i++) {
		struct fate *f = &l->fates[i];
		if (!needs_index(f))
			continue;
		f->counts = (struct index_counts){ 0 };
		f->mailboxes = 0;
		all.rows[all.n++] = (struct named){
			.name = r->tenant.accounts.items[f->account].name,
			.fate = f,
		};
	}
	qsort(all.rows, all.n, sizeof(*all.rows), by_name);
	bool ok = all.n == 0 || index_run_rows(r->archive.state.index,
				    r->archive.state.run, add_row, &all, err);
	for (size_t i = 0; i < all.n; i++)
		name_the_rest(&all.rows[i].fate->counts);
	free(all.rows);

	return ok;
}

static void
add_up(struct running *r)
{
	const struct lineup *l = &r->out.lineup;
	r->sums.balanced = true;
	r->sums.interrupted = stop_asked();
	for (size_t i = 0; i < l->n; i++) {
		const struct fate *f = &l->fates[i];
		add_counts(&r->sums.counts, &f->counts);
		r->sums.mailboxes += f->mailboxes;
		r->sums.mailboxes_excluded += f->mailboxes_excluded;
		r->sums.mailboxes_failed += f->mailboxes_failed;
		r->sums.octets += f->octets;
	}
}

/* Whatever a try said of itself: the sums of all of them decide. */
static void
judge_sums(struct lineup *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct fate *f = &l->fates[i];
		if (f->state == FATE_ENDED && f->exit_code == EXIT_OK &&
		    job_failed_messages(&f->counts) > 0)
			f->exit_code = EXIT_SOME_FAILED;
	}
}

/* DESIGN 8. A run of one account says why, as copy would. */
static int
code_of_accounts(const struct lineup *l)
{
	size_t failed = 0, parked = 0, some = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct fate *f = &l->fates[i];
		failed +=
		    f->state != FATE_ENDED || (f->err != NULL && !f->parked);
		parked += f->parked;
		some += f->err == NULL && f->exit_code == EXIT_SOME_FAILED;
	}
	if (l->n == 1 && l->fates[0].state == FATE_ENDED)
		return l->fates[0].exit_code;
	if (failed > 0)
		return EXIT_ACCOUNTS_FAILED;
	if (some > 0)
		return EXIT_SOME_FAILED;

	return parked > 0 ? EXIT_PARKED : EXIT_OK;
}

static int
code_of(const struct running *r)
{
	if (stop_asked())
		return 128 + stop_signal();
	if (r->out.failed)
		return exit_of(&r->out.err);

	return code_of_accounts(&r->out.lineup);
}

static enum index_run_state
state_of(int code)
{
	if (stop_asked())
		return RUN_INTERRUPTED;

	return code == EXIT_OK ? RUN_COMPLETE : RUN_INCOMPLETE;
}

/* The index is this process's again: what workers left is put in order, and
 * the run ends. Stopped, the open volumes are left for the next run. */
static bool
end_run(struct running *r, int code, struct err *err)
{
	struct archive_port *p = &r->archive;
	bool leave = stop_asked() || r->out.failed;
	if (!leave && !seal_left(r, 0, err))
		return false;

	return pool_sweep(p, err) &&
	       archive_port_end_run(p, state_of(code), err);
}

static bool
take_index_back(struct running *r, struct err *err)
{
	struct archive_port *p = &r->archive;
	bool dry = r->tenant.options.dry_run;
	if (p->state.dir == NULL)
		return true;
	if (!index_open(&p->state.index, p->state.index_path,
		dry ? INDEX_READ : INDEX_WRITE, err))
		return false;
	if (!dry)
		index_run_take(p->state.index, p->state.run);

	return read_sums(r, err);
}

/* The first failure of the run as a whole is the one that a report tells. */
static int
fail_run(struct running *r, const struct err *err)
{
	if (!r->failed)
		r->err = *err;
	r->failed = true;

	return screen_error(err);
}

static int
end(struct running *r)
{
	struct err err;
	if (r->out.failed)
		fail_run(r, &r->out.err);
	bool ok = take_index_back(r, &err);
	judge_sums(&r->out.lineup);
	int code = code_of(r);
	ok = ok && (r->archive.state.run == 0 || end_run(r, code, &err));
	if (!ok) {
		int worse = fail_run(r, &err);
		code = r->out.failed ? code : worse;
	}
	add_up(r);
	log_note(LOG_INFO, "ended with exit code %d", code);

	return code;
}

static struct summary
summary_of(const struct running *r, int code)
{
	const struct tenant *t = &r->tenant;
	const struct archive_port *p = &r->archive;
	const char *named = t->line->config;
	const char *path = t->config != NULL ? t->config->path
			   : named != NULL   ? named
					     : TENANT_FILE;
	return (struct summary){
		.source = path,
		.target = t->target,
		.run = p->state.run == 0 ? NULL : p->state.run_name,
		.log = p->state.run == 0 ? NULL : p->state.log_path,
		.options = &t->options,
		.result = &r->sums,
		.started = r->started,
		.ended = clock_unix(),
		.wall_ms = clock_mono_ms() - r->began,
		.readback_ms = r->readback_ms + r->out.readback_ms,
		.failed = r->failed ? &r->err : NULL,
		.exit_code = code,
		.lineup = &r->out.lineup,
		.again = r->again.data,
	};
}

static int
report(struct running *r, const struct summary *s)
{
	struct archive_port *p = &r->archive;
	const char *path = s->options->report;
	struct err err;
	bool rows = p->state.run != 0 && p->state.index != NULL;
	if (path != NULL &&
	    !summary_report(path, s, rows ? &p->state : NULL, &err)) {
		int code = screen_error(&err);
		return s->exit_code == EXIT_OK ? code : s->exit_code;
	}

	return s->exit_code;
}

static void
show(const struct summary *s)
{
	struct buf text = { 0 };
	if (s->options->quiet && s->exit_code == EXIT_OK)
		return;
	summary_text(&text, s);
	fputs(text.data, stdout);
	buf_free(&text);
}

/* ---- all of it ---- */

/* Nothing was begun: there is no more to tell on a screen than why. */
static int
give_up(struct running *r, struct err *err)
{
	struct err ignored;
	if (err->code != ERR_USAGE && strstr(err->hint, "Then: ") == NULL)
		err_hint(err, "Then: mailhaul %s", r->again.data);
	int code = fail_run(r, err);
	add_up(r);
	if (r->archive.state.run != 0 && r->archive.state.index != NULL)
		archive_port_end_run(&r->archive, state_of(code), &ignored);
	const struct summary s = summary_of(r, code);

	return report(r, &s);
}

/* --failed, and all ended well. */
static int
nothing_failed(struct running *r)
{
	if (!r->line->quiet)
		printf("The last run of every account was complete: nothing "
		       "is to be done.\n");
	add_up(r);
	const struct summary s = summary_of(r, EXIT_OK);

	return report(r, &s);
}

static int
copy_all(struct running *r)
{
	struct worker_plan plan = { .tenant = &r->tenant,
		.archive = &r->archive };
	struct err err;
	if (!job_retry_wait(&r->tenant.options, &plan.retry_wait_ms, &err))
		return give_up(r, &err);
	if (!open_archive(r, &err)) {
		lineup_set_up(&r->out.lineup, &r->tenant);
		return give_up(r, &err);
	}
	if (r->tenant.n == 0)
		return nothing_failed(r);
	close_index(r);
	supervise(&plan, &r->out);
	const struct summary s = summary_of(r, end(r));
	show(&s);

	return report(r, &s);
}

int
command_run(const struct options *o)
{
	struct running r = { .line = o,
		.archive.state.lock = -1,
		.started = clock_unix(),
		.began = clock_mono_ms() };
	struct err err;
	buf_str(&r.again, "run");
	options_again(&r.again, o, IN_RUN, true);
	int code =
	    tenant_read(&r.tenant, o, &err) ? copy_all(&r) : give_up(&r, &err);
	lineup_free(&r.out.lineup);
	archive_port_close(&r.archive);
	tenant_free(&r.tenant);
	buf_free(&r.again);

	return code;
}
