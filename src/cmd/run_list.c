/* runs: what each run copied, and what it saw go. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "as_of.h"
#include "base/mem.h"
#include "base/text.h"
#include "commands.h"
#include "mail/datetime.h"
#include "ports.h"
#include "rows.h"
#include "screen.h"

enum { LIST_STEP = 64 };

static const char *const states[] = {
	[RUN_OPEN] = "running or killed",
	[RUN_COMPLETE] = "complete",
	[RUN_INCOMPLETE] = "INCOMPLETE",
	[RUN_INTERRUPTED] = "interrupted",
};
static const char *const state_words[] = {
	[RUN_OPEN] = "open",
	[RUN_COMPLETE] = "complete",
	[RUN_INCOMPLETE] = "incomplete",
	[RUN_INTERRUPTED] = "interrupted",
};

struct list_of_runs {
	const struct options *o;
	struct archive_port archive;
	struct index_run *runs; /* owned, in their order */
	size_t n;
};

static struct index_run *
add_room(struct list_of_runs *l)
{
	if (l->n % LIST_STEP == 0)
		l->runs = mem_grow(l->runs, l->n + LIST_STEP, sizeof(*l->runs));

	return &l->runs[l->n++];
}

static bool
add_run(void *arg, const struct index_run *run)
{
	*add_room(arg) = *run;

	return true;
}

/* An account's part of a run: its own state and hours. */
static bool
add_part(void *arg, const struct index_run_job *job)
{
	struct index_run *run = add_room(arg);
	*run = (struct index_run){ .id = job->run,
		.started = job->started,
		.ended = job->ended,
		.state = job->state };
	snprintf(run->name, sizeof(run->name), "%s", job->run_name);

	return true;
}

static bool
read_runs(struct list_of_runs *l, struct err *err)
{
	struct index *index = l->archive.state.index;
	const char *account = l->o->account;
	if (account == NULL)
		return index_runs(index, -1, add_run, l, err);
	if (!index_run_jobs(index, 0, account, add_part, l, err))
		return false;
	if (l->n > 0)
		return true;
	err_set(
	    err, ERR_RUN, ERR_USAGE, "no run knows the account %s", account);

	return err_hint(err, "Then: mailhaul runs %s", l->o->args[0]);
}

static void
set_time(json_t *row, const char *key, int64_t when)
{
	char text[36];
	json_object_set_new(row, key,
	    when == 0 ? json_null()
		      : json_string(datetime_rfc3339(text, when, 0)));
}

static void
set_number(json_t *row, const char *key, uint64_t n)
{
	json_object_set_new(row, key, json_integer((json_int_t)n));
}

static void
print_json(const struct index_run *run, const struct index_run_total *t)
{
	json_t *row = json_object();
	json_object_set_new(row, "run", json_string(run->name));
	json_object_set_new(row, "state", json_string(state_words[run->state]));
	set_time(row, "started", run->started);
	set_time(row, "ended", run->ended);
	set_number(row, "accounts_complete", t->complete);
	set_number(row, "accounts_failed", t->failed);
	set_number(row, "delivered", t->delivered);
	set_number(row, "gone", t->ended);
	set_number(row, "octets_added", t->octets);
	rows_print_json(row);
}

static void
print_text(const struct index_run *run, const struct index_run_total *t)
{
	char when[LOCAL_TIME], copied[32], gone[32], size[32], accounts[48];
	if (t->failed > 0)
		snprintf(accounts, sizeof(accounts), "%" PRIu64 " of %" PRIu64,
		    t->complete, t->complete + t->failed);
	else
		snprintf(accounts, sizeof(accounts), "%" PRIu64, t->complete);
	printf("%-24s %-16s  %-17s %9s %10s %9s %11s\n", run->name,
	    as_of_local(when, run->started), states[run->state], accounts,
	    text_count(copied, sizeof(copied), t->delivered),
	    text_count(gone, sizeof(gone), t->ended),
	    text_size(size, sizeof(size), t->octets));
}

static bool
print_runs(const struct list_of_runs *l, struct err *err)
{
	uint64_t limit = l->o->limit;
	size_t first = limit > 0 && l->n > limit ? l->n - (size_t)limit : 0;
	if (!l->o->json && l->n == 0)
		printf("no run yet\n");
	if (!l->o->json && first > 0)
		printf("%zu older runs are not shown: --limit 0\n", first);
	if (!l->o->json && l->n > 0)
		printf("%-24s %-16s  %-17s %9s %10s %9s %11s\n", "run",
		    "started", "state", "accounts", "copied", "gone", "added");
	for (size_t i = first; i < l->n; i++) {
		struct index_run_total total;
		if (!index_run_total(l->archive.state.index, l->runs[i].id,
			l->o->account, &total, err))
			return false;
		if (l->o->json)
			print_json(&l->runs[i], &total);
		else
			print_text(&l->runs[i], &total);
	}

	return true;
}

int
command_runs(const struct options *o)
{
	struct list_of_runs l = { .o = o };
	struct err err;
	bool ok = archive_port_read(&l.archive, o, o->args[0], &err) &&
		  read_runs(&l, &err) && print_runs(&l, &err);
	archive_port_close(&l.archive);
	free(l.runs);

	return ok ? EXIT_OK : screen_error(&err);
}
