#include "index/private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Batch after batch goes to one volume: its id is looked up once. */
bool
index_volume_id(
    struct index *ix, const char *name, int64_t *id, struct err *err)
{
	struct sql q;
	bool row;
	*id = ix->volume.id;
	if (*id != 0 && strcmp(ix->volume.name, name) == 0)
		return true;
	*id = 0;
	if (!sql_open(ix, SQL_VOLUME_FIND, &q, err))
		return false;
	sql_text(&q, name);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		*id = ix->volume.id = sql_get_int(&q);
		snprintf(ix->volume.name, sizeof(ix->volume.name), "%s", name);
	}
	sql_close(&q);

	return true;
}

static bool
insert_volume(struct index *ix, uint64_t run, uint64_t archive,
    const char *name, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_VOLUME_INSERT, &q, err))
		return false;
	sql_int(&q, (int64_t)archive);
	sql_text(&q, name);
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

static bool
put_frames(
    struct index *ix, int64_t volume, const struct progress *p, struct err *err)
{
	for (size_t i = 0; i < p->frame_count; i++) {
		const struct frame_info *frame = &p->frames[i];
		struct sql q;
		if (!sql_open(ix, SQL_FRAME_PUT, &q, err))
			return false;
		sql_int(&q, volume);
		sql_int(&q, (int64_t)(p->first_frame + i));
		sql_int(&q, (int64_t)frame->offset);
		sql_int(&q, frame->csize);
		sql_int(&q, (int64_t)frame->plain);
		sql_int(&q, frame->dsize);
		if (!sql_run(&q, err))
			return false;
	}

	return true;
}

static bool
put_progress(
    struct index *ix, int64_t volume, const struct progress *p, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_VOLUME_PROGRESS, &q, err))
		return false;
	sql_int(&q, volume);
	sql_int(&q, (int64_t)p->committed);
	sql_int(&q, (int64_t)p->plain);
	if (p->frame_count == 0)
		sql_null(&q);
	else
		sql_int(&q, (int64_t)(p->first_frame + p->frame_count));

	return sql_run(&q, err);
}

static bool
put_seal(struct index *ix, uint64_t run, int64_t volume,
    const struct progress *p, struct err *err)
{
	struct sql q;
	if (!p->sealed)
		return true;
	if (!sql_open(ix, SQL_VOLUME_SEAL, &q, err))
		return false;
	sql_int(&q, volume);
	sql_blob(&q, p->sha256, sizeof(p->sha256));
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

bool
index_progress(struct index *ix, uint64_t run, uint64_t archive,
    const struct progress *p, struct err *err)
{
	int64_t volume;
	assert(ix->open_tx);
	if (p->volume[0] == '\0')
		return true;
	if (p->opened && !insert_volume(ix, run, archive, p->volume, err))
		return false;
	if (!index_volume_id(ix, p->volume, &volume, err))
		return false;
	if (volume == 0)
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "index %s: volume %s is not in it", ix->path, p->volume);

	return put_frames(ix, volume, p, err) &&
	       put_progress(ix, volume, p, err) &&
	       put_seal(ix, run, volume, p, err);
}

static void
read_volume(struct sql *q, struct index_volume *volume)
{
	sql_get_name(q, volume->name, sizeof(volume->name));
	sql_get_name(q, volume->run, sizeof(volume->run));
	sql_get_name(q, volume->sealed_run, sizeof(volume->sealed_run));
	volume->state = (enum index_volume_state)sql_get_int(q);
	volume->committed = (uint64_t)sql_get_int(q);
	volume->frames = (uint64_t)sql_get_int(q);
	volume->plain = (uint64_t)sql_get_int(q);
	volume->cut = sql_get_int(q) != 0;
	sql_get_octets(q, volume->sha256, sizeof(volume->sha256));
}

bool
index_volumes(struct index *ix, int state,
    bool (*each)(void *arg, const struct index_volume *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_VOLUMES, &q, err))
		return false;
	sql_int(&q, state);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_volume volume;
		read_volume(&q, &volume);
		if (!each(arg, &volume))
			break;
	}
	sql_close(&q);

	return ok;
}

struct frames {
	struct frame_info *data;
	size_t n, cap;
};

/* Frames are numbered without gaps, or the array's places would lie. */
static bool
add_frame(struct frames *frames, struct sql *q)
{
	if (sql_get_int(q) != (int64_t)frames->n)
		return false;
	if (frames->n == frames->cap) {
		frames->cap = frames->cap == 0 ? 64 : frames->cap * 2;
		frames->data =
		    mem_grow(frames->data, frames->cap, sizeof(*frames->data));
	}
	struct frame_info *frame = &frames->data[frames->n++];
	frame->offset = (uint64_t)sql_get_int(q);
	frame->csize = (uint32_t)sql_get_int(q);
	frame->plain = (uint64_t)sql_get_int(q);
	frame->dsize = (uint32_t)sql_get_int(q);

	return true;
}

bool
index_frames(struct index *ix, const char *volume, struct frame_info **out,
    size_t *n, struct err *err)
{
	struct frames frames = { 0 };
	struct sql q;
	bool row;
	if (!sql_open(ix, SQL_FRAMES, &q, err))
		return false;
	sql_text(&q, volume);
	while (sql_step(&q, &row, err)) {
		if (!row) {
			*out = frames.data;
			*n = frames.n;
			return true;
		}
		if (!add_frame(&frames, &q)) {
			sql_close(&q);
			err_set(err, ERR_RUN, ERR_DAMAGED,
			    "index %s: frame %zu of volume %s is missing",
			    ix->path, frames.n, volume);
			break;
		}
	}
	free(frames.data);

	return false;
}
