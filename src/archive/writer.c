#include "writer.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "entry.h"
#include "pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	DEFAULT_LEVEL = 3,
	/* Each costs a frame in memory and a compressor's context. */
	DEFAULT_THREADS_MAX = 4,
	BATCH_ITEMS = 256,
	BATCH_OCTETS = 4 << 20,
	/* One fdatasync for so much plain input or after so long: it costs
	 * 5 ms on a disk, and what isn't durable is fetched again. */
	GROUP_OCTETS = 16 << 20,
	GROUP_MS = 1000,
	/* The first groups are smaller, each twice as long as the one before:
	 * a job that is killed early again and again still gets on. */
	FIRST_GROUP_MS = 30
};
static const uint64_t default_limit = UINT64_C(1) << 30;
static const uint64_t default_min_free = UINT64_C(64) << 20;

bool
writer_fail(struct writer *w, struct err *err)
{
	w->failed = true;
	w->why = *err;
	/* A full disk is given back what nobody was promised. */
	if (err->code == ERR_DISK_FULL && w->volume != NULL) {
		const struct frames *f = w->volume->frames;
		uint32_t n = frames_durable(f);
		uint64_t end = n == 0 ? 0
				      : frames_infos(f)[n - 1].offset +
					    frames_infos(f)[n - 1].csize;
		if (ftruncate(w->volume->fd, (off_t)end) < 0)
			log_add(
			    LOG_WARN, "%s can't be cut back", w->volume->path);
	}

	return false;
}

static bool
is_usable(const struct writer *w, struct err *err)
{
	if (w->failed)
		*err = w->why;

	return !w->failed;
}

/* ---- open, deliver ---- */

static bool
open_box(void *data, const char *account, const struct source_mailbox *box,
    uint64_t uidvalidity, struct target_box *out, struct err *err)
{
	struct writer *w = data;
	struct buf path = { 0 };
	if (!is_usable(w, err))
		return false;

	free(w->account);
	free(w->display);
	free(w->wire);
	free(w->box);
	w->account = mem_str(account);
	w->display = mem_str(box->display);
	w->wire = mem_str(box->name);
	w->separator = box->separator;
	entry_mailbox(&path, account, box->display);
	w->box = buf_steal(&path);
	w->uidvalidity = uidvalidity;

	*out = (struct target_box){ .name = w->box };

	return true;
}

static uint64_t
base(const void *data)
{
	(void)data;

	return 0;
}

static void
batch_limits(const void *data, uint32_t *items, uint64_t *octets)
{
	(void)data;
	*items = BATCH_ITEMS;
	*octets = BATCH_OCTETS;
}

static const char *
volume_name(const void *data)
{
	const struct writer *w = data;

	return w->volume == NULL ? "" : w->volume->name;
}

static bool
need_volume(struct writer *w, struct err *err)
{
	if (w->volume != NULL)
		return true;

	const char *name = w->reserved[0] == '\0' ? NULL : w->reserved;
	if (name == NULL && !pool_adopt(w, err))
		return false;
	if (w->volume != NULL)
		return true;
	w->known = name != NULL;
	w->told = 0;
	w->synced = clock_mono_ms();
	if (!volume_create(&w->volume, &w->set, w->run, name, err))
		return false;
	w->reserved[0] = '\0';

	return true;
}

static bool
pass_on(void *arg, const void *data, size_t n, struct err *err)
{
	return volume_data(arg, data, n, err);
}

/* The header of v->entry, n octets of the content, the end. */
static bool
add_octets(struct writer *w, const struct content *c, uint64_t n,
    struct kept *where, struct err *err)
{
	struct volume *v = w->volume;
	if (!volume_entry(v, err))
		return false;
	frames_where(v->frames, &where->frame, &where->offset);

	return (n == 0 || content_each(c, 0, n, pass_on, v, err)) &&
	       volume_entry_end(v, err);
}

static bool
add_link(struct writer *w, const struct item *item, struct kept *where,
    struct err *err)
{
	const struct kept *to = &item->survivor;
	if (strcmp(to->volume, w->volume->name) != 0)
		return err_set(err, ERR_RUN, ERR_OTHER,
		    "a link from volume %s into volume %s was asked for",
		    w->volume->name, to->volume);

	archive_entry_set_hardlink(w->volume->entry, to->entry);
	if (!volume_entry(w->volume, err))
		return false;
	where->frame = to->frame;
	where->offset = to->offset;

	return volume_entry_end(w->volume, err);
}

static bool
add_item(struct writer *w, const struct item *item, struct kept *where,
    struct err *err)
{
	struct content *c = item->content;
	struct archive_entry *e = w->volume->entry;
	bool header_only = item->claim == CLAIM_REFERENCE;
	uint64_t n = header_only ? content_header_size(c) : content_size(c);
	if (item->claim == CLAIM_LINK)
		n = 0;

	entry_file(e, where->entry, n, item->placement->idate);
	entry_attributes(e,
	    &(struct entry_origin){ .account = w->account,
		.mailbox = w->display,
		.wire = w->wire,
		.separator = w->separator,
		.uidvalidity = w->uidvalidity,
		.placement = item->placement },
	    content_sha256(c), header_only ? &item->survivor : NULL);

	return item->claim == CLAIM_LINK ? add_link(w, item, where, err)
					 : add_octets(w, c, n, where, err);
}

static bool
deliver_one(struct writer *w, const struct item *item, struct kept *where,
    struct err *err)
{
	struct content *c = item->content;
	assert(w->volume != NULL);
	*where = (struct kept){ .size = content_size(c),
		.header_size = content_header_size(c) };
	memcpy(where->sha256, content_sha256(c), sizeof(where->sha256));
	memcpy(where->volume, w->volume->name, sizeof(where->volume));
	if (!entry_message(where->entry, w->box, item->placement,
		w->uidvalidity, where->size, item->claim == CLAIM_REFERENCE))
		return err_set(err, ERR_RUN, ERR_OTHER,
		    "the path of a message in %s is too long", w->display);
	if (!volume_folders(w->volume, w->box, item->placement->idate, err) ||
	    !add_item(w, item, where, err))
		return false;

	uint32_t frame;
	uint64_t offset;
	frames_where(w->volume->frames, &frame, &offset);
	receipts_push(
	    &w->receipts, item->ticket, offset == 0 ? frame - 1 : frame, where);

	return true;
}

static bool
deliver(void *data, const struct item *items, size_t n, struct kept *where,
    struct err *err)
{
	struct writer *w = data;
	struct kept own;
	if (!is_usable(w, err))
		return false;

	assert(w->box != NULL);
	bool ok = n == 0 || need_volume(w, err);
	for (size_t i = 0; i < n && ok; i++)
		ok = deliver_one(
		    w, &items[i], where == NULL ? &own : &where[i], err);
	if (!ok)
		err->scope = ERR_RUN;

	return ok || writer_fail(w, err);
}

/* ---- collect, flush ---- */

static bool
make_durable(struct writer *w, struct err *err)
{
	struct frames *f = w->volume->frames;
	if (!frames_boundary(f, true, err) || !frames_write(f, true, err) ||
	    !frames_sync(f, err))
		return writer_fail(w, err);
	w->synced = clock_mono_ms();

	return true;
}

static bool
is_oldest_due(const struct writer *w)
{
	const struct due *due = receipts_oldest(&w->receipts);

	return due != NULL && due->last < frames_durable(w->volume->frames);
}

static bool
sync_group(struct writer *w, struct err *err)
{
	struct frames *f = w->volume->frames;
	if (!frames_write(f, false, err))
		return writer_fail(w, err);

	uint64_t octets = frames_unsynced(f);
	if (octets == 0 ||
	    (octets < GROUP_OCTETS && clock_mono_ms() - w->synced < w->pace_ms))
		return true;
	if (!frames_sync(f, err))
		return writer_fail(w, err);
	w->synced = clock_mono_ms();
	w->pace_ms = w->pace_ms * 2 < GROUP_MS ? w->pace_ms * 2 : GROUP_MS;

	return true;
}

static void
tell(struct writer *w, uint32_t end, struct progress *p)
{
	if (end == w->told)
		return;

	const struct frame_info *infos = frames_infos(w->volume->frames);
	const struct frame_info *last = &infos[end - 1];
	memcpy(p->volume, w->volume->name, sizeof(p->volume));
	p->committed = last->offset + last->csize;
	p->plain = last->plain + last->dsize;
	p->first_frame = w->told;
	p->frames = infos + w->told;
	p->frame_count = end - w->told;
	p->opened = !w->known;
	w->known = true;
	w->told = end;
}

/* Progress covers no more than the receipts given need, so that a crash
 * between two collects leaves few entries that the index doesn't know. */
static void
give(struct writer *w, struct receipt *out, size_t room, size_t *n,
    struct progress *p)
{
	uint32_t last = 0;
	while (*n < room && is_oldest_due(w)) {
		last = receipts_oldest(&w->receipts)->last;
		receipts_pop(&w->receipts, w->volume->name, &out[(*n)++]);
	}
	if (!is_oldest_due(w)) {
		tell(w, frames_durable(w->volume->frames), p);
	} else if (*n > 0) {
		uint32_t end = frames_boundary_after(w->volume->frames, last);
		tell(w, end > w->told ? end : w->told, p);
	}
}

static bool
collect(void *data, bool wait, struct receipt *out, size_t *n,
    struct progress *p, struct err *err)
{
	struct writer *w = data;
	size_t room = *n;
	*n = 0;
	*p = (struct progress){ 0 };
	if (!is_usable(w, err))
		return false;
	if (w->volume == NULL)
		return true;

	if (!sync_group(w, err))
		return false;
	if (wait && receipts_oldest(&w->receipts) != NULL &&
	    !is_oldest_due(w) && !make_durable(w, err))
		return false;
	give(w, out, room, n, p);

	return true;
}

static bool
flush(void *data, struct err *err)
{
	struct writer *w = data;
	if (!is_usable(w, err))
		return false;

	return w->volume == NULL || make_durable(w, err);
}

static bool
is_full(const void *data)
{
	const struct writer *w = data;

	return w->volume != NULL &&
	       frames_file_size(w->volume->frames) >= w->limit;
}

/* ---- resume, seal, close ---- */

static bool
resume(void *data, const struct progress *p, struct err *err)
{
	struct writer *w = data;
	if (!is_usable(w, err))
		return false;

	assert(w->volume == NULL);
	if (!volume_name_ok(p->volume))
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "the index names an impossible volume: %s", p->volume);
	if (p->committed == 0) {
		memcpy(w->reserved, p->volume, sizeof(w->reserved));
		return true;
	}
	int fd;
	if (!volume_hold(w->dir, p->volume, &fd, err) ||
	    !volume_resume(&w->volume, &w->set, p, fd, err))
		return writer_fail(w, err);
	w->known = true;
	w->told = (uint32_t)p->frame_count;
	w->synced = clock_mono_ms();

	return true;
}

static void
tell_sealed(struct writer *w, uint64_t octets, struct progress *p)
{
	tell(w, frames_durable(w->volume->frames), p);
	free(w->sealed_frames);
	w->sealed_frames =
	    mem_dup(p->frames, p->frame_count * sizeof(*p->frames));
	p->frames = w->sealed_frames;
	p->committed = octets;
	p->sealed = true;
}

static bool
seal(void *data, catalog_next next, void *arg, struct progress *p,
    struct err *err)
{
	struct writer *w = data;
	uint64_t octets;
	*p = (struct progress){ 0 };
	if (!is_usable(w, err))
		return false;
	if (w->volume == NULL)
		return true;

	assert(w->receipts.count == 0);
	if (!make_durable(w, err))
		return false;
	if (!seal_volume(
		w->volume, next, arg, &w->watch, &octets, p->sha256, err))
		return writer_fail(w, err);
	tell_sealed(w, octets, p);
	volume_close(&w->volume);

	return true;
}

static void
close_writer(void **data, bool polite)
{
	struct writer *w = *data;
	(void)polite;
	if (w == NULL)
		return;

	*data = NULL;
	/* Nobody knows of it and nothing in it was promised. */
	if (w->volume != NULL && !w->known) {
		crash_point("archive: before an unknown volume is removed");
		unlink(w->volume->path);
		crash_point("archive: after an unknown volume is removed");
	}
	volume_close(&w->volume);
	archive_reader_close(&w->reader);
	receipts_free(&w->receipts);
	free(w->sealed_frames);
	free(w->account);
	free(w->display);
	free(w->wire);
	free(w->box);
	free(w->dir);
	free(w->run);
	free(w);
}

static const struct target_ops ops = {
	.scheme = "archive",
	.open = open_box,
	.base = base,
	.batch_limits = batch_limits,
	.volume = volume_name,
	.same_body = writer_same_body,
	.deliver = deliver,
	.collect = collect,
	.flush = flush,
	.full = is_full,
	.resume = resume,
	.store = NULL,
	.prove = writer_prove,
	.seal = seal,
	.close = close_writer,
};

static int
default_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n > DEFAULT_THREADS_MAX)
		return DEFAULT_THREADS_MAX;

	return n < 1 ? 1 : (int)n;
}

bool
archive_target_new(
    struct target *t, const struct archive_options *o, struct err *err)
{
	if (!archive_create(o->dir, err))
		return false;

	struct writer *w = mem_new(sizeof(*w));
	w->dir = mem_str(o->dir);
	w->run = mem_str(o->run);
	w->pace_ms = FIRST_GROUP_MS;
	w->limit = o->volume_limit == 0 ? default_limit : o->volume_limit;
	w->set = (struct volume_options){ .dir = w->dir,
		.level = o->level == 0 ? DEFAULT_LEVEL : o->level,
		.threads = o->threads > 0 ? o->threads : default_threads(),
		.min_free = o->min_free == 0 ? default_min_free : o->min_free };
	w->watch.sealing = o->sealing;
	w->watch.arg = o->sealing_arg;
	if (o->word != NULL)
		w->word = *o->word;
	t->ops = &ops;
	t->data = w;

	return true;
}

uint64_t
archive_target_readback_ms(const struct target *t)
{
	const struct writer *w = t->data;

	return w->watch.readback_ms;
}
