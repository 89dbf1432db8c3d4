#include "runs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "haul/haul.h"
#include "repack.h"

enum { OPEN_VOLUMES_MAX = 256 };

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
	if (!index_volumes(
		p->state.index, VOLUME_OPEN, add_volume, volumes, err)) {
		free(volumes);
		return NULL;
	}

	return volumes;
}

/* ---- after a kill ---- */

static bool
settle_progress(struct archive_port *p, uint64_t run,
    const struct progress *progress, struct err *err)
{
	if (!index_begin(p->state.index, err))
		return false;
	if (!index_progress(p->state.index, run, p->account, progress, err)) {
		index_rollback(p->state.index);
		return false;
	}

	return index_commit(p->state.index, err);
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
		p->state.dir, v->name, &sealed, &progress, &frames, err))
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
	return mark_sealed_volumes(p, p->state.run, err);
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
	bool ok = volumes != NULL &&
		  archive_sweep(p->state.dir, is_open, volumes, err);
	free(volumes);

	return ok;
}

bool
runs_recover(struct archive_port *p, struct err *err)
{
	struct index_run *runs = NULL;
	size_t n = 0;
	bool ok = state_runs(&p->state, &runs, &n, err);
	assert(n == 0 || runs != NULL);
	/* Sealed by the last run, unless its manifest is written already. */
	const struct index_run *last = n == 0 ? NULL : &runs[n - 1];
	if (ok && last != NULL && !last->has_manifest)
		ok = mark_sealed_volumes(p, last->id, err);
	ok = ok && state_close_runs(&p->state, runs, n, err) &&
	     runs_write_manifests(p, err) && sweep(p, err) &&
	     repack_clean(p, err);
	free(runs);

	return ok;
}

static bool
resume_volume(
    struct archive_port *p, const struct index_volume *v, struct err *err)
{
	struct frame_info *frames = NULL;
	size_t n = 0;
	if (!index_frames(p->state.index, v->name, &frames, &n, err))
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
	bool ok = p->target.ops->resume(p->target.data, &progress, err);
	free(frames);

	return ok;
}

/* Only one volume is written at a time; others that were left are sealed, and
 * one that is not to be gone on with. */
bool
runs_continue_volumes(struct archive_port *p, struct err *err)
{
	if (!mark_sealed_volumes(p, p->state.run, err))
		return false;
	struct volumes *volumes = open_volumes(p, err);
	if (volumes == NULL)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < volumes->n; i++) {
		ok = resume_volume(p, &volumes->array[i], err);
		if (ok && (i + 1 < volumes->n || volumes->array[i].cut))
			ok = haul_seal(p->state.index, &p->target, p->state.run,
			    p->account, err);
	}
	free(volumes);

	return ok;
}
