#include "runs.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "haul/haul.h"

enum { LOGS_KEPT = 30, OPEN_VOLUMES_MAX = 256, RUNS_STEP = 64 };

/* ---- lists out of the index ---- */

struct volumes {
	struct index_volume array[OPEN_VOLUMES_MAX];
	size_t n;
};

static bool
add_volume(void *arg, const struct index_volume *v)
{
	struct volumes *volumes = arg;
	volumes->array[volumes->n++] = *v;

	return volumes->n < OPEN_VOLUMES_MAX;
}

static struct volumes *
open_volumes(struct archive_port *p, struct err *err)
{
	struct volumes *volumes = mem_new(sizeof(*volumes));
	if (!index_volumes(p->index, VOLUME_OPEN, add_volume, volumes, err)) {
		free(volumes);
		return NULL;
	}

	return volumes;
}

struct runs {
	struct index_run *array; /* owned */
	size_t n;
};

static bool
add_run(void *arg, const struct index_run *run)
{
	struct runs *runs = arg;
	if (runs->n % RUNS_STEP == 0)
		runs->array = mem_grow(
		    runs->array, runs->n + RUNS_STEP, sizeof(*runs->array));
	runs->array[runs->n++] = *run;

	return true;
}

/* ---- after a kill ---- */

static bool
settle_progress(struct archive_port *p, uint64_t run,
    const struct progress *progress, struct err *err)
{
	if (!index_begin(p->index, err))
		return false;
	if (!index_progress(p->index, run, p->account, progress, err)) {
		index_rollback(p->index);
		return false;
	}

	return index_commit(p->index, err);
}

/* run: the one whose manifest is going to name it. */
static bool
mark_if_sealed(struct archive_port *p, uint64_t run,
    const struct index_volume *v, struct err *err)
{
	bool sealed = false;
	struct progress progress = { 0 };
	struct frame_info *frames = NULL;
	if (!archive_find_sealed(
		p->dir, v->name, &sealed, &progress, &frames, err))
		return false;
	bool ok = !sealed || settle_progress(p, run, &progress, err);
	free(frames);
	if (sealed && ok)
		log_add(LOG_INFO, "volume %s had been sealed", v->name);

	return ok;
}

static bool
mark_sealed_volumes(struct archive_port *p, uint64_t run, struct err *err)
{
	struct volumes *volumes = open_volumes(p, err);
	if (volumes == NULL)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < volumes->n; i++)
		ok = mark_if_sealed(p, run, &volumes->array[i], err);
	free(volumes);

	return ok;
}

bool
runs_mark_sealed(struct archive_port *p, struct err *err)
{
	return mark_sealed_volumes(p, p->run, err);
}

static bool
close_open_runs(
    struct archive_port *p, const struct runs *runs, struct err *err)
{
	for (size_t i = 0; i < runs->n; i++) {
		const struct index_run *run = &runs->array[i];
		if (run->state != RUN_OPEN)
			continue;
		log_add(LOG_INFO, "the run %s was interrupted; going on",
		    run->name);
		if (!index_run_end(p->index, run->id, RUN_INTERRUPTED, err))
			return false;
	}

	return runs_write_manifests(p, err);
}

static bool
is_open(void *arg, const char *name)
{
	const struct volumes *volumes = arg;
	for (size_t i = 0; i < volumes->n; i++)
		if (strcmp(volumes->array[i].name, name) == 0)
			return true;

	return false;
}

static bool
sweep(struct archive_port *p, struct err *err)
{
	struct volumes *volumes = open_volumes(p, err);
	bool ok =
	    volumes != NULL && archive_sweep(p->dir, is_open, volumes, err);
	free(volumes);

	return ok;
}

bool
runs_recover(struct archive_port *p, struct err *err)
{
	struct runs runs = { 0 };
	bool ok = index_runs(p->index, -1, add_run, &runs, err);
	assert(runs.n == 0 || runs.array != NULL);
	/* Sealed by the last run, unless its manifest is written already. */
	const struct index_run *last =
	    runs.n == 0 ? NULL : &runs.array[runs.n - 1];
	if (ok && last != NULL && !last->has_manifest)
		ok = mark_sealed_volumes(p, last->id, err);
	ok = ok && close_open_runs(p, &runs, err) && sweep(p, err);
	free(runs.array);

	return ok;
}

static bool
resume_volume(
    struct archive_port *p, const struct index_volume *v, struct err *err)
{
	struct frame_info *frames = NULL;
	size_t n = 0;
	if (!index_frames(p->index, v->name, &frames, &n, err))
		return false;
	struct progress progress = {
		.committed = v->committed,
		.plain = v->plain,
		.first_frame = (uint32_t)v->frames,
		.frames = frames,
		.frame_count = n,
	};
	memcpy(progress.volume, v->name, sizeof(progress.volume));
	log_add(LOG_INFO, "going on with volume %s", v->name);
	bool ok = p->target.ops->resolve(
	    p->target.data, 0, NULL, 0, NULL, NULL, NULL, &progress, err);
	free(frames);

	return ok;
}

/* Only one volume is written at a time; others that were left are sealed. */
bool
runs_continue_volumes(struct archive_port *p, struct err *err)
{
	if (!mark_sealed_volumes(p, p->run, err))
		return false;
	struct volumes *volumes = open_volumes(p, err);
	if (volumes == NULL)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < volumes->n; i++) {
		ok = resume_volume(p, &volumes->array[i], err);
		if (ok && i + 1 < volumes->n)
			ok = haul_seal(
			    p->index, &p->target, p->run, p->account, err);
	}
	free(volumes);

	return ok;
}

/* ---- a new run ---- */

static int
newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

static void
remove_old_logs(const char *dir)
{
	DIR *d = opendir(dir);
	if (d == NULL)
		return;
	char **names = NULL;
	size_t n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t len = strlen(e->d_name);
		if (len < 5 || strcmp(e->d_name + len - 4, ".log") != 0)
			continue;
		names = mem_grow(names, n + 1, sizeof(*names));
		names[n++] = mem_str(e->d_name);
	}
	if (n > 0)
		qsort(names, n, sizeof(*names), newest_first);
	for (size_t i = 0; i < n; i++) {
		if (i >= LOGS_KEPT)
			unlinkat(dirfd(d), names[i], 0);
		free(names[i]);
	}
	free(names);
	closedir(d);
}

bool
runs_begin(struct archive_port *p, const char *command, struct err *err)
{
	time_t now = (time_t)clock_unix();
	struct tm tm;
	unsigned char random[2];
	gmtime_r(&now, &tm);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_errno(err, ERR_RUN, "getrandom");
	size_t n =
	    strftime(p->run_name, sizeof(p->run_name), "%Y-%m-%dT%H%M%SZ", &tm);
	snprintf(p->run_name + n, sizeof(p->run_name) - n, "-%02x%02x",
	    random[0], random[1]);
	if (!index_run_begin(p->index, p->run_name, command, &p->run, err))
		return false;

	char *dir = mem_fmt("%s/" ARCHIVE_RUNS, p->dir);
	snprintf(
	    p->log_path, sizeof(p->log_path), "%s/%s.log", dir, p->run_name);
	if (!log_file(p->log_path, LOG_TEXT))
		log_add(LOG_WARN, "can't write the log %s", p->log_path);
	remove_old_logs(dir);
	free(dir);
	log_add(LOG_INFO, "run %s: %s", p->run_name, command);

	return true;
}

/* ---- manifests ---- */

static const char *const states[] = {
	[RUN_OPEN] = "open",
	[RUN_COMPLETE] = "complete",
	[RUN_INCOMPLETE] = "incomplete",
	[RUN_INTERRUPTED] = "interrupted",
};

struct writing {
	struct manifest *manifest;
	const struct index_run *run;
	struct err *err;
	bool ok;
};

static bool
write_account(void *arg, const struct index_run_job *job)
{
	struct writing *w = arg;
	struct manifest_account account = {
		.kind = job->kind,
		.account = job->source,
		.target = job->target,
		.state = states[job->state],
		.started = job->started,
		.ended = job->ended,
		.exit_code = job->exit_code,
		.text = job->text,
	};
	w->ok = manifest_account(w->manifest, &account, w->err);

	return w->ok;
}

static void
set_sums(struct manifest_mailbox *box, const struct index_counts *counts)
{
	const uint64_t *by = counts->by;
	box->scanned = counts->scanned;
	box->inventory = counts->inventory;
	box->already = counts->already;
	box->delivered = by[OUTCOME_DELIVERED];
	box->duplicate = by[OUTCOME_DUPLICATE];
	box->excluded = by[OUTCOME_EXCLUDED];
	box->repaired = by[OUTCOME_REPAIRED];
	box->quarantined = by[OUTCOME_QUARANTINED];
	box->unreadable = by[OUTCOME_UNREADABLE];
	box->vanished = by[OUTCOME_VANISHED];
	box->unknown = by[OUTCOME_UNKNOWN];
}

static bool
write_mailbox(void *arg, const struct index_run_box *row)
{
	struct writing *w = arg;
	struct manifest_mailbox box = {
		.account = row->source,
		.kind = row->kind,
		.mailbox = row->mailbox,
		.wire = row->wire,
		.wire_len = row->wire_len,
		.uidvalidity = row->uidvalidity,
		.generation = row->generation,
		.separator = row->separator,
		.special_use = row->special_use,
		.mailbox_id = row->mailbox_id,
		.subscribed = row->subscribed,
		.ended = row->ended,
		.by_wire = row->by_wire,
		.by_wire_len = row->by_wire_len,
		.by_uidvalidity = row->by_uidvalidity,
		.by_generation = row->by_generation,
		.emptied = row->emptied,
		.counted = row->counted,
	};
	set_sums(&box, &row->counts);
	w->ok = manifest_mailbox(w->manifest, &box, w->err);

	return w->ok;
}

static bool
write_volume(void *arg, const struct index_volume *v)
{
	struct writing *w = arg;
	if (strcmp(v->sealed_run, w->run->name) != 0)
		return true;
	struct manifest_volume volume = {
		.name = v->name,
		.octets = v->committed,
		.frames = v->frames,
	};
	memcpy(volume.sha256, v->sha256, sizeof(volume.sha256));
	w->ok = manifest_volume(w->manifest, &volume, w->err);

	return w->ok;
}

static bool
write_row(struct writing *w, const struct index_row *row)
{
	struct manifest_outcome outcome = {
		.row = &row->row,
		.outcome = outcome_word(row->outcome),
		.class = row->note_class,
		.why = row->note_text,
	};
	if (row->change == CHANGE_OUTCOME)
		return manifest_outcome(w->manifest, &outcome, w->err);

	return manifest_placement(w->manifest, &row->row, row->volume,
	    row->change == CHANGE_ENDED, w->err);
}

static bool
write_rows(struct archive_port *p, struct writing *w)
{
	struct index_query query = { .changes = w->run->id,
		.outcome = OUTCOME_COUNT };
	struct index_rows *rows;
	if (!index_rows_open(p->index, &rows, &query, w->err))
		return false;
	bool ok = true;
	for (;;) {
		struct index_row row;
		bool end = false;
		ok = index_rows_next(rows, &row, &end, w->err);
		if (!ok || end)
			break;
		ok = write_row(w, &row);
		if (!ok)
			break;
	}
	index_rows_close(&rows);

	return ok;
}

static bool
write_manifest(struct archive_port *p, const struct index_run *run,
    const struct index_run *previous, uint8_t sha256[32], struct err *err)
{
	struct manifest_run head = {
		.name = run->name,
		.command = run->command,
		.state = states[run->state],
		.started = run->started,
		.ended = run->ended,
		.previous = previous == NULL ? NULL : previous->name,
		.previous_sha256 = previous == NULL ? NULL : previous->manifest,
	};
	struct writing w = { .run = run, .err = err, .ok = true };
	if (!manifest_begin(&w.manifest, p->dir, &head, err))
		return false;
	bool ok =
	    index_run_jobs(p->index, run->id, NULL, write_account, &w, err) &&
	    w.ok &&
	    index_run_boxes(p->index, run->id, write_mailbox, &w, err) &&
	    w.ok && write_rows(p, &w) &&
	    index_volumes(p->index, VOLUME_SEALED, write_volume, &w, err) &&
	    w.ok;
	if (!ok) {
		manifest_abandon(&w.manifest);
		return false;
	}

	return manifest_end(&w.manifest, sha256, err) &&
	       index_run_manifest(p->index, run->id, sha256, err);
}

bool
runs_write_manifests(struct archive_port *p, struct err *err)
{
	struct runs runs = { 0 };
	bool ok = index_runs(p->index, -1, add_run, &runs, err);
	const struct index_run *previous = NULL;
	for (size_t i = 0; ok && i < runs.n; i++) {
		struct index_run *run = &runs.array[i];
		if (run->state == RUN_OPEN)
			continue;
		if (!run->has_manifest)
			ok = write_manifest(
			    p, run, previous, run->manifest, err);
		previous = run;
	}
	free(runs.array);

	return ok;
}
