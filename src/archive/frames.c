#include "frames.h"

#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "compress.h"
#include "inflate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Frames are numbered from 0: [0, durable) are durable and end at an entry
 * boundary; [0, written) are in the file; [0, cut) are closed; number cut is
 * being filled. durable <= bounded <= written <= cut, where bounded is the
 * end of the last written frame that ends at a boundary.
 */
struct frames {
	struct frames_options set;
	struct compress *pool;
	struct frame_info *infos;
	uint8_t *ends; /* true: frame ends at an entry boundary */
	uint32_t durable, bounded, written, cut;
	uint32_t cap;       /* of infos and ends */
	uint64_t file_size; /* octets written */
	uint64_t plain;     /* octets in frames [0, written) */

	struct inflate_prefix cache; /* of frame number cached */
	uint32_t cached;
	bool has_cached;
};

struct frames *
frames_new(const struct frames_options *options)
{
	struct frames *f = mem_new(sizeof(*f));
	f->set = *options;
	f->pool = compress_new(options->threads, options->level, FRAME_MAX);

	return f;
}

void
frames_free(struct frames **fp)
{
	struct frames *f = *fp;
	if (f == NULL)
		return;

	*fp = NULL;
	compress_free(&f->pool);
	inflate_prefix_free(&f->cache);
	free(f->infos);
	free(f->ends);
	free(f);
}

static void
make_room(struct frames *f, uint32_t n)
{
	if (n <= f->cap)
		return;

	f->cap = n + n / 2 + 64;
	f->infos = mem_grow(f->infos, f->cap, sizeof(*f->infos));
	f->ends = mem_grow(f->ends, f->cap, sizeof(*f->ends));
}

void
frames_resume(struct frames *f, const struct frame_info *infos, size_t n)
{
	assert(f->cut == 0);
	make_room(f, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		f->infos[i] = infos[i];
		/* Old inner boundaries don't matter any more: the index knows
		 * of all these frames. */
		f->ends[i] = i + 1 == n;
		f->file_size += infos[i].csize;
		f->plain += infos[i].dsize;
	}
	f->durable = f->bounded = f->written = f->cut = (uint32_t)n;
}

static bool
disk_full(const struct frames *f, uint64_t need, struct err *err)
{
	char free_text[32], need_text[32];
	uint64_t space = file_space(f->set.dir);
	text_size(free_text, sizeof(free_text), space);
	text_size(need_text, sizeof(need_text), f->set.min_free + need);
	err_set(err, ERR_RUN, ERR_DISK_FULL,
	    "no room in %s: %s free, %s needed to go on", f->set.dir, free_text,
	    need_text);

	return err_hint(err,
	    "Nothing that was reported as kept is lost. Free some space (or "
	    "lower --min-free) and run the same command again.");
}

static bool
write_frame(struct frames *f, const struct compress_frame *c, struct err *err)
{
	uint64_t space = file_space(f->set.dir);
	if (space != 0 && space < f->set.min_free + c->len)
		return disk_full(f, c->len, err);
	if (!file_pwrite(
		f->set.fd, c->data, c->len, f->file_size, f->set.path, err)) {
		err->scope = ERR_RUN;
		return err->code == ERR_DISK_FULL ? disk_full(f, c->len, err)
						  : false;
	}

	f->infos[f->written] = (struct frame_info){ .offset = f->file_size,
		.plain = f->plain,
		.csize = (uint32_t)c->len,
		.dsize = (uint32_t)c->plain };
	f->file_size += c->len;
	f->plain += c->plain;
	f->written++;
	if (f->ends[f->written - 1])
		f->bounded = f->written;

	return true;
}

static bool
write_oldest(struct frames *f, struct err *err)
{
	struct compress_frame *c = compress_oldest(f->pool, true);
	crash_point("archive: before a frame is written");
	bool ok = write_frame(f, c, err);
	crash_point("archive: after a frame is written");
	compress_release(f->pool);

	return ok;
}

bool
frames_write(struct frames *f, bool wait, struct err *err)
{
	while (compress_oldest(f->pool, wait) != NULL)
		if (!write_oldest(f, err))
			return false;

	return true;
}

static void
cut(struct frames *f, bool ends_entry)
{
	make_room(f, f->cut + 1);
	f->ends[f->cut++] = ends_entry;
	compress_submit(f->pool);
}

bool
frames_add(struct frames *f, const void *data, size_t n, struct err *err)
{
	const uint8_t *p = data;
	while (n > 0) {
		if (compress_is_full(f->pool) && !write_oldest(f, err))
			return false;
		struct compress_frame *c = compress_filling(f->pool);
		size_t room = FRAME_MAX - c->len;
		size_t part = n < room ? n : room;
		memcpy(c->data + c->len, p, part);
		c->len += part;
		p += part;
		n -= part;
		if (c->len == FRAME_MAX)
			cut(f, false);
	}

	return true;
}

/* Octets in the frame being filled; a slot not yet taken back holds none. */
static size_t
filled(const struct frames *f)
{
	return compress_is_full(f->pool) ? 0 : compress_filling(f->pool)->len;
}

bool
frames_boundary(struct frames *f, bool now, struct err *err)
{
	size_t n = filled(f);
	if (n >= FRAME_CUT || (now && n > 0)) {
		cut(f, true);
	} else if (n == 0 && f->cut > 0 && !f->ends[f->cut - 1]) {
		f->ends[f->cut - 1] = true;
		if (f->written == f->cut)
			f->bounded = f->cut;
	}

	return frames_write(f, false, err);
}

void
frames_where(const struct frames *f, uint32_t *frame, uint64_t *offset)
{
	*frame = f->cut;
	*offset = filled(f);
}

static uint64_t
plain_end(const struct frames *f, uint32_t n)
{
	return n == 0 ? 0 : f->infos[n - 1].plain + f->infos[n - 1].dsize;
}

uint64_t
frames_unsynced(const struct frames *f)
{
	return plain_end(f, f->bounded) - plain_end(f, f->durable);
}

bool
frames_sync(struct frames *f, struct err *err)
{
	if (f->durable == f->bounded)
		return true;

	crash_point("archive: before fdatasync of frames");
	if (fdatasync(f->set.fd) < 0) {
		err_errno(err, ERR_RUN, "%s: fdatasync", f->set.path);
		return err_hint(err,
		    "What is on the disk is in doubt, so this volume is given "
		    "up. Check the disk, then run the same command again.");
	}
	crash_point("archive: after fdatasync of frames");
	f->durable = f->bounded;

	return true;
}

uint32_t
frames_durable(const struct frames *f)
{
	return f->durable;
}

uint32_t
frames_boundary_after(const struct frames *f, uint32_t frame)
{
	assert(frame < f->durable);
	while (!f->ends[frame])
		frame++;

	return frame + 1;
}

const struct frame_info *
frames_infos(const struct frames *f)
{
	return f->infos;
}

uint64_t
frames_file_size(const struct frames *f)
{
	return f->file_size;
}

static bool
write_until(struct frames *f, uint32_t frame, struct err *err)
{
	while (frame >= f->written)
		if (!write_oldest(f, err))
			return false;

	return true;
}

/*
 * Octets [0, n) of a written frame. What lies behind them is not looked at:
 * sealing reads every frame of this file back, with its checksum.
 */
static bool
inflate_to(struct frames *f, uint32_t frame, size_t n, struct err *err)
{
	if (!f->has_cached || f->cached != frame)
		inflate_prefix_restart(&f->cache);
	f->cached = frame;
	f->has_cached = inflate_prefix_reach(
	    &f->cache, f->set.fd, f->set.path, &f->infos[frame], n, err);
	if (!f->has_cached)
		err->scope = ERR_RUN;

	return f->has_cached;
}

/* Octets [0, n) of a frame: borrowed until the next call on f. */
static bool
plain_of(struct frames *f, uint32_t frame, size_t n, const uint8_t **p,
    struct err *err)
{
	if (frame == f->cut) {
		*p = compress_filling(f->pool)->data;
		return true;
	}
	if (!inflate_to(f, frame, n, err))
		return false;
	*p = (const uint8_t *)f->cache.plain.data;

	return true;
}

bool
frames_read(struct frames *f, uint32_t frame, uint64_t offset, uint64_t skip,
    uint64_t n, bool (*each)(void *arg, const void *, size_t, struct err *),
    void *arg, struct err *err)
{
	uint64_t at = offset + skip;
	for (; n > 0 && frame <= f->cut; frame++) {
		const uint8_t *p;
		if (frame < f->cut && !write_until(f, frame, err))
			return false;
		size_t size =
		    frame == f->cut ? filled(f) : f->infos[frame].dsize;
		if (at >= size) {
			at -= size;
			continue;
		}
		size_t part = n < size - at ? (size_t)n : size - (size_t)at;
		if (!plain_of(f, frame, (size_t)at + part, &p, err) ||
		    !each(arg, p + at, part, err))
			return false;
		n -= part;
		at = 0;
	}

	return n == 0 || err_set(err, ERR_RUN, ERR_DAMAGED,
			     "%s: a kept message ends early", f->set.path);
}
