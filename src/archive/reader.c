#include "archive/reader.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "inflate.h"
#include "seektable.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Volumes kept open: a message and its body may alternate between two. */
enum { SHELVES = 8 };

struct shelf {
	char name[KEPT_VOLUME_NAME]; /* "": free */
	char *path;
	int fd;
	struct frame_info *frames;
	size_t count;
	bool part;  /* it was not sealed when it was opened */
	bool given; /* the frames are the caller's word, not the file's */
	uint64_t used;
};

struct archive_reader {
	char *dir;
	struct shelf shelves[SHELVES];
	uint64_t clock;
	bool (*ask)(void *arg, const char *volume, struct frame_info **frames,
	    size_t *n, struct err *); /* NULL: nobody knows */
	void *ask_arg;
	bool (*moved)(void *arg, const char *volume, uint32_t frame,
	    uint64_t offset, struct kept *to, bool *found,
	    struct err *); /* NULL: nothing was */
	void *moved_arg;
	void (*was_read)(void *arg, uint64_t octets); /* NULL: nobody */
	void *was_read_arg;

	struct inflate inflate;
	const struct shelf *cached; /* whose frame is inflated; NULL: none */
	uint32_t cached_frame;
};

bool
archive_reader_open(
    struct archive_reader **out, const char *dir, struct err *err)
{
	if (access(dir, R_OK | X_OK) < 0)
		return err_errno(err, ERR_RUN, "%s", dir);

	*out = mem_new(sizeof(**out));
	(*out)->dir = mem_str(dir);

	return true;
}

void
archive_reader_watch(struct archive_reader *r,
    void (*was_read)(void *arg, uint64_t octets), void *arg)
{
	r->was_read = was_read;
	r->was_read_arg = arg;
}

void
archive_reader_was_read(const struct archive_reader *r, uint64_t octets)
{
	if (r->was_read != NULL)
		r->was_read(r->was_read_arg, octets);
}

static void
clear_shelf(struct archive_reader *r, struct shelf *s)
{
	if (s->name[0] == '\0')
		return;
	if (r->cached == s)
		r->cached = NULL;

	close(s->fd);
	free(s->frames);
	free(s->path);
	*s = (struct shelf){ 0 };
}

void
archive_reader_close(struct archive_reader **rp)
{
	struct archive_reader *r = *rp;
	if (r == NULL)
		return;

	*rp = NULL;
	for (size_t i = 0; i < SHELVES; i++)
		clear_shelf(r, &r->shelves[i]);
	inflate_free(&r->inflate);
	free(r->dir);
	free(r);
}

const char *
archive_reader_dir(const struct archive_reader *r)
{
	return r->dir;
}

void
archive_reader_ask(struct archive_reader *r,
    bool (*frames)(void *arg, const char *volume, struct frame_info **frames,
	size_t *n, struct err *),
    void *arg)
{
	r->ask = frames;
	r->ask_arg = arg;
}

void
archive_reader_moved(struct archive_reader *r,
    bool (*moved)(void *arg, const char *volume, uint32_t frame,
	uint64_t offset, struct kept *to, bool *found, struct err *),
    void *arg)
{
	r->moved = moved;
	r->moved_arg = arg;
}

void
archive_reader_follow(
    struct archive_reader *r, const struct archive_reader *other)
{
	archive_reader_moved(r, other->moved, other->moved_arg);
}

/* A free shelf, or the one unused for longest: one whose frames can be had
 * again from the file goes first. */
static struct shelf *
pick_shelf(struct archive_reader *r)
{
	struct shelf *best = NULL;
	for (size_t i = 0; i < SHELVES; i++) {
		struct shelf *s = &r->shelves[i];
		if (s->name[0] == '\0')
			return s;
		if (best == NULL || s->given < best->given ||
		    (s->given == best->given && s->used < best->used))
			best = s;
	}
	clear_shelf(r, best);

	return best;
}

static bool
open_file(struct archive_reader *r, const char *volume, struct shelf *s,
    struct err *err)
{
	/* Sealed between the first two looks, it has its last name by now. */
	static const char *const endings[] = { ARCHIVE_SEALED, ARCHIVE_PART,
		ARCHIVE_SEALED };
	if (!volume_name_ok(volume))
		return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
		    "impossible volume name %s", volume);

	for (size_t i = 0; i < 3; i++) {
		s->path = volume_path(r->dir, volume, endings[i]);
		s->fd = file_open(s->path, O_RDONLY, ERR_MESSAGE, err);
		if (s->fd >= 0) {
			memcpy(s->name, volume, strlen(volume) + 1);
			s->part = i == 1;
			return true;
		}
		bool missing = errno == ENOENT;
		free(s->path);
		s->path = NULL;
		if (!missing)
			return false;
	}

	return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
	    "volume %s is missing in %s", volume, r->dir);
}

/* The seek table of a sealed volume; the index's word on one that isn't. */
static bool
read_frames(struct archive_reader *r, struct shelf *s, struct err *err)
{
	if (!s->part || r->ask == NULL)
		return seektable_read(
		    s->fd, s->path, &s->frames, &s->count, err);

	free(s->frames);
	s->frames = NULL;
	s->count = 0;
	if (r->ask(r->ask_arg, s->name, &s->frames, &s->count, err))
		return true;
	err->scope = ERR_MESSAGE;

	return false;
}

static struct shelf *
find_shelf(struct archive_reader *r, const char *volume)
{
	for (size_t i = 0; i < SHELVES; i++)
		if (volume[0] != '\0' &&
		    strcmp(r->shelves[i].name, volume) == 0) {
			r->shelves[i].used = ++r->clock;
			return &r->shelves[i];
		}

	return NULL;
}

static bool
get_shelf(struct archive_reader *r, const char *volume, struct shelf **out,
    struct err *err)
{
	struct shelf *s = find_shelf(r, volume);
	*out = s;
	if (s != NULL)
		return true;

	s = pick_shelf(r);
	if (!open_file(r, volume, s, err))
		return false;
	if (!read_frames(r, s, err)) {
		clear_shelf(r, s);
		return false;
	}
	s->used = ++r->clock;
	*out = s;

	return true;
}

bool
archive_reader_frames(struct archive_reader *r, const char *volume,
    const struct frame_info *frames, size_t n, struct err *err)
{
	struct shelf *s = find_shelf(r, volume);
	if (s == NULL) {
		s = pick_shelf(r);
		if (!open_file(r, volume, s, err))
			return false;
	}
	if (r->cached == s)
		r->cached = NULL;
	free(s->frames);
	s->frames = mem_array(n + 1, sizeof(*frames));
	if (n > 0)
		memcpy(s->frames, frames, n * sizeof(*frames));
	s->count = n;
	s->given = true;
	s->used = ++r->clock;

	return true;
}

bool
archive_reader_seek_table(struct archive_reader *r, const char *volume,
    const struct frame_info **frames, size_t *n, struct err *err)
{
	struct shelf *s = find_shelf(r, volume);
	if (s != NULL && s->given)
		clear_shelf(r, s);
	if (!get_shelf(r, volume, &s, err))
		return false;
	*frames = s->frames;
	*n = s->count;

	return true;
}

static bool
get_frame(struct archive_reader *r, const struct shelf *s, uint32_t frame,
    struct err *err)
{
	if (r->cached == s && r->cached_frame == frame)
		return true;

	r->cached = NULL;
	if (!inflate_frame(&r->inflate, s->fd, s->path, &s->frames[frame], err))
		return false;
	r->cached = s;
	r->cached_frame = frame;

	return true;
}

/* A volume being written has got more frames since they were asked for. */
static bool
enough_frames(struct archive_reader *r, struct shelf *s, uint32_t frame,
    uint64_t offset, uint64_t n, struct err *err)
{
	if (!s->part || s->given || r->ask == NULL)
		return true;

	uint64_t there = 0;
	for (size_t i = frame; i < s->count && there < offset + n; i++)
		there += s->frames[i].dsize;
	if (there >= offset + n && frame < s->count)
		return true;
	if (read_frames(r, s, err))
		return true;
	clear_shelf(r, s);

	return false;
}

/* The volume, or that into which its octets were moved. */
static bool
get_place(struct archive_reader *r, const char *volume, uint32_t *frame,
    uint64_t *offset, struct shelf **s, struct err *err)
{
	struct kept to;
	struct err why;
	bool found = false;
	if (get_shelf(r, volume, s, err))
		return true;
	if (r->moved == NULL ||
	    !r->moved(
		r->moved_arg, volume, *frame, *offset, &to, &found, &why) ||
	    !found || !get_shelf(r, to.volume, s, &why))
		return false;
	*frame = to.frame;
	*offset = to.offset;

	return true;
}

bool
archive_reader_data(struct archive_reader *r, const char *volume,
    uint32_t frame, uint64_t offset, uint64_t skip, uint64_t n,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	struct shelf *s;
	if (!get_place(r, volume, &frame, &offset, &s, err) ||
	    !enough_frames(r, s, frame, offset, skip + n, err))
		return false;

	uint64_t at = offset + skip;
	bool wrapped = at < offset;
	for (size_t i = frame; n > 0 && !wrapped && i < s->count; i++) {
		uint32_t dsize = s->frames[i].dsize;
		if (at >= dsize) {
			at -= dsize;
			continue;
		}
		if (!get_frame(r, s, (uint32_t)i, err))
			return false;
		uint64_t part = n < dsize - at ? n : dsize - at;
		if (!each(arg, r->inflate.plain.data + at, part, err))
			return false;
		n -= part;
		at = 0;
	}

	return n == 0 || err_set(err, ERR_MESSAGE, ERR_DAMAGED,
			     "%s ends before frame %u, octet %llu", s->path,
			     frame, (unsigned long long)offset);
}

struct check {
	struct digest *digest;
	bool (*each)(void *arg, const void *, size_t, struct err *);
	void *arg;
};

static bool
check_piece(void *arg, const void *data, size_t n, struct err *err)
{
	struct check *c = arg;
	digest_add(c->digest, data, n);

	return c->each == NULL || c->each(c->arg, data, n, err);
}

static bool
read_parts(struct archive_reader *r, const struct message_parts *m,
    struct check *c, struct err *err)
{
	if (m->header_size > m->size)
		return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
		    "volume %s: a header larger than its message", m->volume);
	if (!m->split)
		return archive_reader_data(r, m->volume, m->frame, m->offset, 0,
		    m->size, check_piece, c, err);

	return archive_reader_data(r, m->volume, m->frame, m->offset, 0,
		   m->header_size, check_piece, c, err) &&
	       archive_reader_data(r, m->body_volume, m->body_frame,
		   m->body_offset, m->body_skip, m->size - m->header_size,
		   check_piece, c, err);
}

bool
archive_reader_message(struct archive_reader *r, const struct message_parts *m,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	uint8_t sha256[DIGEST_SIZE];
	struct check c = { .digest = digest_new(), .each = each, .arg = arg };
	digest_start(c.digest);
	bool ok = read_parts(r, m, &c, err);
	digest_end(c.digest, sha256);
	digest_free(&c.digest);
	if (ok && memcmp(sha256, m->sha256, sizeof(sha256)) != 0)
		ok = err_set(err, ERR_MESSAGE, ERR_MISMATCH,
		    "volume %s, frame %u, offset %llu: other octets than those "
		    "that were archived",
		    m->volume, m->frame, (unsigned long long)m->offset);

	return ok;
}
