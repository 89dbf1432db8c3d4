#include "pool.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The index is asked only now: until the lock was taken, its last holder may
 * have written, settled and sealed. */
static bool
resume_held(struct writer *w, const char *name, int fd, struct err *err)
{
	struct progress p = { 0 };
	struct frame_info *frames = NULL;
	bool open = false;
	if (!w->word.volume(w->word.arg, name, &open, &p, &frames, err)) {
		close(fd);
		return false;
	}
	bool ok = true;
	if (!open || p.committed == 0) {
		close(fd);
	} else {
		log_add(LOG_INFO, "going on with volume %s", name);
		ok = volume_resume(&w->volume, &w->set, &p, fd, err);
		w->known = true;
		w->told = (uint32_t)p.frame_count;
		w->synced = clock_mono_ms();
	}
	free(frames);

	return ok;
}

bool
pool_adopt(struct writer *w, struct err *err)
{
	char(*names)[KEPT_VOLUME_NAME] = NULL;
	size_t n = 0;
	if (w->word.open == NULL)
		return true;

	bool ok = w->word.open(w->word.arg, &names, &n, err);
	for (size_t i = 0; ok && w->volume == NULL && i < n; i++) {
		int fd = -1;
		ok = volume_name_ok(names[i])
			 ? volume_hold(w->dir, names[i], &fd, err)
			 : err_set(err, ERR_RUN, ERR_DAMAGED,
			       "the index names an impossible volume: %s",
			       names[i]);
		if (ok && fd >= 0)
			ok = resume_held(w, names[i], fd, err);
	}
	free(names);

	return ok;
}

static bool
frames_of(void *arg, const char *volume, struct frame_info **frames, size_t *n,
    struct err *err)
{
	struct writer *w = arg;
	struct progress p = { 0 };
	bool open = false;
	if (!w->word.volume(w->word.arg, volume, &open, &p, frames, err))
		return false;
	*n = p.frame_count;

	return true;
}

bool
pool_reader(struct writer *w, struct err *err)
{
	if (!archive_reader_open(&w->reader, w->dir, err))
		return false;
	if (w->word.volume != NULL)
		archive_reader_ask(w->reader, frames_of, w);

	return true;
}
