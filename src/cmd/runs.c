#include "runs.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "haul/haul.h"
#include "repack.h"

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
	ok = ok && close_open_runs(p, &runs, err) && sweep(p, err) &&
	     repack_clean(p, err);
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

/* Only one volume is written at a time; others that were left are sealed, and
 * one that is not to be gone on with. */
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
		if (ok && (i + 1 < volumes->n || volumes->array[i].cut))
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
