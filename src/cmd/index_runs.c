#include "index_runs.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/archive.h"
#include "archive/manifest.h"
#include "base/clock.h"
#include "base/mem.h"

enum { RUN_NAME_MAX = 39 };

struct reading_chain {
	struct known_runs *runs;
	void (*finding)(void *arg, const char *where, const char *what);
	void *arg;
};

static struct known_run *
find(const struct known_runs *runs, const char *name)
{
	for (size_t i = runs->n; i-- > 0;)
		if (strcmp(runs->rows[i].name, name) == 0)
			return &runs->rows[i];

	return NULL;
}

static struct known_run *
insert(struct known_runs *runs, size_t at, const char *name)
{
	runs->rows = mem_grow(runs->rows, runs->n + 1, sizeof(*runs->rows));
	memmove(&runs->rows[at + 1], &runs->rows[at],
	    (runs->n - at) * sizeof(*runs->rows));
	runs->n++;
	runs->rows[at] = (struct known_run){ .name = mem_str(name) };

	return &runs->rows[at];
}

static void
add_missing(struct reading_chain *c, const struct manifest_link *link)
{
	if (link->previous == NULL || strlen(link->previous) > RUN_NAME_MAX ||
	    find(c->runs, link->previous) != NULL)
		return;
	struct known_run *run = insert(c->runs, c->runs->n, link->previous);
	run->manifest = true;
	memcpy(run->sha256, link->previous_sha256, sizeof(run->sha256));
}

static void
add_link(void *arg, const struct manifest_link *link)
{
	struct reading_chain *c = arg;
	if (strlen(link->name) > RUN_NAME_MAX) {
		c->finding(c->arg, link->name, "no run has such a name");
		return;
	}
	add_missing(c, link);
	/* A ring of manifests would name it twice. */
	struct known_run *run = find(c->runs, link->name);
	if (run == NULL)
		run = insert(c->runs, c->runs->n, link->name);
	run->readable = link->readable;
	run->manifest = true;
	memcpy(run->sha256, link->sha256, sizeof(run->sha256));
}

static void
chain_finding(void *arg, const char *run, const char *what)
{
	struct reading_chain *c = arg;
	c->finding(c->arg, run, what);
}

bool
known_runs_read(struct known_runs *runs, const char *dir,
    void (*finding)(void *arg, const char *where, const char *what), void *arg,
    struct err *err)
{
	struct reading_chain c = {
		.runs = runs, .finding = finding, .arg = arg
	};

	return manifest_chain(dir, add_link, chain_finding, &c, err);
}

/* "RUN-0001" → "RUN". */
static void
run_of_volume(const char *volume, char out[RUN_NAME_MAX + 1])
{
	const char *dash = strrchr(volume, '-');
	size_t n = dash == NULL ? 0 : (size_t)(dash - volume);
	if (n == 0 || n > RUN_NAME_MAX) {
		snprintf(out, RUN_NAME_MAX + 1, "0000-no-run");
		return;
	}
	memcpy(out, volume, n);
	out[n] = '\0';
}

const struct known_run *
known_runs_of_volume(struct known_runs *runs, const char *volume)
{
	char name[RUN_NAME_MAX + 1];
	size_t at = 0;
	run_of_volume(volume, name);
	struct known_run *run = find(runs, name);
	if (run != NULL)
		return run;
	/* Names begin with the time: behind the last that is earlier. */
	for (size_t i = 0; i < runs->n; i++)
		if (strcmp(runs->rows[i].name, name) < 0)
			at = i + 1;

	return insert(runs, at, name);
}

static bool
is_log(const char *name, char out[RUN_NAME_MAX + 1])
{
	size_t len = strlen(name);
	if (len < 5 || len - 4 > RUN_NAME_MAX || name[0] == '.' ||
	    strcmp(name + len - 4, ".log") != 0)
		return false;
	memcpy(out, name, len - 4);
	out[len - 4] = '\0';

	return true;
}

/* The newest log of a run behind the last one that is known. Those of one
 * second stand in no order: it may be of one that is known, too. */
static bool
find_log(
    const struct known_runs *runs, const char *dir, char out[RUN_NAME_MAX + 1])
{
	char *path = mem_fmt("%s/" ARCHIVE_RUNS, dir);
	const char *last = runs->n == 0 ? "" : runs->rows[runs->n - 1].name;
	char name[RUN_NAME_MAX + 1];
	DIR *stream = opendir(path);
	out[0] = '\0';
	free(path);
	if (stream == NULL)
		return false;
	for (struct dirent *e; (e = readdir(stream)) != NULL;)
		if (is_log(e->d_name, name) && strcmp(name, last) > 0 &&
		    strcmp(name, out) > 0 && find(runs, name) == NULL)
			memcpy(out, name, sizeof(name));
	closedir(stream);

	return out[0] != '\0';
}

void
known_runs_open(const struct known_runs *runs, const char *dir,
    const char *volume, char out[40], bool *is_new)
{
	run_of_volume(volume, out);
	const struct known_run *run = find(runs, out);
	*is_new = run == NULL;
	if (run == NULL || !run->manifest)
		return;
	/* It was killed and continued by one that was killed too. */
	*is_new = true;
	if (find_log(runs, dir, out))
		return;
	time_t now = (time_t)clock_unix();
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(out, RUN_NAME_MAX + 1, "%Y-%m-%dT%H%M%SZ-0000", &tm);
}

void
known_runs_free(struct known_runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		free(runs->rows[i].name);
	free(runs->rows);
	*runs = (struct known_runs){ 0 };
}
