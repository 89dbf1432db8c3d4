#include "state.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { LOGS_KEPT = 30, RUNS_STEP = 64 };

/* ---- what earlier runs left ---- */

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

bool
state_runs(
    struct state_dir *s, struct index_run **array, size_t *n, struct err *err)
{
	struct runs runs = { 0 };
	bool ok = index_runs(s->index, -1, add_run, &runs, err);
	*array = runs.array;
	*n = runs.n;

	return ok;
}

bool
state_close_runs(struct state_dir *s, const struct index_run *runs, size_t n,
    struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (runs[i].state != RUN_OPEN)
			continue;
		log_add(LOG_INFO, "the run %s was interrupted; going on",
		    runs[i].name);
		if (!index_run_end(s->index, runs[i].id, RUN_INTERRUPTED, err))
			return false;
	}

	return true;
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
state_begin_run(struct state_dir *s, const char *command, struct err *err)
{
	time_t now = (time_t)clock_unix();
	struct tm tm;
	unsigned char random[2];
	gmtime_r(&now, &tm);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_errno(err, ERR_RUN, "getrandom");
	size_t n =
	    strftime(s->run_name, sizeof(s->run_name), "%Y-%m-%dT%H%M%SZ", &tm);
	snprintf(s->run_name + n, sizeof(s->run_name) - n, "-%02x%02x",
	    random[0], random[1]);
	if (!index_run_begin(s->index, s->run_name, command, &s->run, err))
		return false;

	char *dir = mem_fmt("%s/" ARCHIVE_RUNS, s->dir);
	snprintf(
	    s->log_path, sizeof(s->log_path), "%s/%s.log", dir, s->run_name);
	if (!log_file(s->log_path, LOG_TEXT))
		log_add(LOG_WARN, "can't write the log %s", s->log_path);
	remove_old_logs(dir);
	free(dir);
	log_add(LOG_INFO, "run %s: %s", s->run_name, command);

	return true;
}

void
state_close(struct state_dir *s)
{
	if (s->index != NULL)
		index_close(&s->index);
	if (s->lock >= 0)
		close(s->lock);
	s->lock = -1;
	free(s->dir);
	free(s->index_path);
	s->dir = s->index_path = NULL;
}
