#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "haul/haul.h"

struct names {
	char (*array)[KEPT_VOLUME_NAME];
	size_t n;
};

static bool
add_name(void *arg, const struct index_volume *v)
{
	struct names *names = arg;
	names->array =
	    mem_grow(names->array, names->n + 1, sizeof(*names->array));
	memcpy(names->array[names->n++], v->name, sizeof(v->name));

	return true;
}

static bool
add_cut(void *arg, const struct index_volume *v)
{
	return !v->cut || add_name(arg, v);
}

static bool
add_usable(void *arg, const struct index_volume *v)
{
	return v->cut || add_name(arg, v);
}

static bool
list(struct archive_port *p,
    bool (*each)(void *arg, const struct index_volume *),
    char (**out)[KEPT_VOLUME_NAME], size_t *n, struct err *err)
{
	struct names names = { 0 };
	bool ok = index_volumes(p->state.index, VOLUME_OPEN, each, &names, err);
	if (!ok) {
		free(names.array);
		names = (struct names){ 0 };
	}
	*out = names.array;
	*n = names.n;

	return ok;
}

/* Those that can be gone on with. */
static bool
open_names(
    void *arg, char (**out)[KEPT_VOLUME_NAME], size_t *n, struct err *err)
{
	return list(arg, add_usable, out, n, err);
}

struct looking {
	const char *name;
	struct index_volume volume;
	bool found;
};

static bool
look(void *arg, const struct index_volume *v)
{
	struct looking *l = arg;
	l->found = strcmp(v->name, l->name) == 0;
	if (l->found)
		l->volume = *v;

	return !l->found;
}

static bool
volume_word(void *arg, const char *name, bool *open, struct progress *p,
    struct frame_info **frames, struct err *err)
{
	struct archive_port *port = arg;
	struct looking l = { .name = name };
	size_t n = 0;
	*frames = NULL;
	*p = (struct progress){ 0 };
	if (!index_volumes(port->state.index, VOLUME_OPEN, look, &l, err) ||
	    !index_frames(port->state.index, name, frames, &n, err))
		return false;
	*open = l.found;
	p->frames = *frames;
	p->frame_count = n;
	p->first_frame = (uint32_t)n;
	p->committed = l.volume.committed;
	p->plain = l.volume.plain;
	memcpy(p->volume, l.volume.name, sizeof(p->volume));

	return true;
}

struct archive_word
pool_word(struct archive_port *p)
{
	return (struct archive_word){
		.open = open_names, .volume = volume_word, .arg = p
	};
}

static bool
seal_one(struct archive_port *p, const char *name, struct err *err)
{
	struct progress progress;
	struct frame_info *frames;
	bool open = false;
	if (!volume_word(p, name, &open, &progress, &frames, err))
		return false;
	log_add(LOG_INFO, "sealing volume %s", name);
	bool ok = p->target.ops->resume(p->target.data, &progress, err) &&
		  haul_seal(p->state.index, &p->target, p->state.run,
		      p->account, err);
	free(frames);

	return ok;
}

static bool
seal_but(struct archive_port *p,
    bool (*each)(void *arg, const struct index_volume *), size_t keep,
    struct err *err)
{
	char(*names)[KEPT_VOLUME_NAME];
	size_t n;
	if (!list(p, each, &names, &n, err))
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i + keep < n; i++)
		ok = seal_one(p, names[i], err);
	free(names);

	return ok;
}

bool
pool_seal(struct archive_port *p, size_t keep, struct err *err)
{
	return seal_but(p, add_cut, 0, err) &&
	       seal_but(p, add_usable, keep, err);
}

static bool
is_known(void *arg, const char *name)
{
	const struct names *names = arg;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->array[i], name) == 0)
			return true;

	return false;
}

bool
pool_sweep(struct archive_port *p, struct err *err)
{
	struct names names;
	if (!list(p, add_name, &names.array, &names.n, err))
		return false;
	bool ok = archive_sweep(p->state.dir, is_known, &names, err);
	free(names.array);

	return ok;
}
