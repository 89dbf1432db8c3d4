#include "volume.h"

#include "base/crash.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "entry.h"
#include "seektable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_MAX = 9999, FIRST_BOXES = 64 };

char *
volume_path(const char *dir, const char *name, const char *ending)
{
	return mem_fmt("%s/%s/%s%s", dir, ARCHIVE_VOLUMES, name, ending);
}

bool
volume_name_ok(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
	       strlen(name) < KEPT_VOLUME_NAME;
}

/* ---- libarchive's end ---- */

static la_ssize_t
on_write(struct archive *a, void *arg, const void *data, size_t n)
{
	struct volume *v = arg;
	if (v->discard)
		return (la_ssize_t)n;
	if (v->why_set)
		return -1;
	if (v->in_header)
		buf_add(&v->header, data, n);
	if (frames_add(v->frames, data, n, &v->why))
		return (la_ssize_t)n;

	v->why_set = true;
	archive_set_error(a, EIO, "the volume can't be written");

	return -1;
}

static bool
tar_failed(struct volume *v, const char *what, struct err *err)
{
	if (v->why_set) {
		*err = v->why;
		return false;
	}

	return err_set(err, ERR_RUN, ERR_OTHER, "%s: %s: %s", v->path, what,
	    archive_error_string(v->tar));
}

static bool
open_tar(struct volume *v, struct err *err)
{
	if (!libarchive_load(err))
		return false;
	v->tar = archive_write_new();
	v->entry = archive_entry_new();
	if (v->tar == NULL || v->entry == NULL)
		mem_out();
	/* No blocks: an entry's octets are in the frames when its header call
	 * returns, so frames can be cut exactly between entries. */
	if (archive_write_set_format_pax(v->tar) != ARCHIVE_OK ||
	    archive_write_set_format_option(
		v->tar, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(v->tar, 0) != ARCHIVE_OK ||
	    archive_write_open2(v->tar, v, NULL, on_write, NULL, NULL) !=
		ARCHIVE_OK)
		return tar_failed(v, "tar", err);

	return true;
}

/* ---- files ---- */

static struct volume *
new_volume(const struct volume_options *o, const char *name, int fd)
{
	struct volume *v = mem_new(sizeof(*v));
	memcpy(v->name, name, strlen(name) + 1);
	v->dir = mem_fmt("%s/%s", o->dir, ARCHIVE_VOLUMES);
	v->path = volume_path(o->dir, name, ARCHIVE_PART);
	v->fd = fd;
	v->frames = frames_new(&(struct frames_options){ .fd = fd,
	    .path = v->path,
	    .dir = v->dir,
	    .level = o->level,
	    .threads = o->threads,
	    .min_free = o->min_free });

	return v;
}

static bool
open_tar_or_close(struct volume **out, struct volume *v, struct err *err)
{
	if (!open_tar(v, err)) {
		volume_close(&v);
		return false;
	}
	*out = v;

	return true;
}

static bool
sync_new(const struct volume *v, struct err *err)
{
	crash_point("archive: before a new volume is synced");
	if (fsync(v->fd) < 0)
		return err_errno(err, ERR_RUN, "%s: fsync", v->path);
	if (!file_sync_dir(v->dir, err)) {
		err->scope = ERR_RUN;
		return false;
	}
	crash_point("archive: after a new volume is synced");

	return true;
}

/* Does either form of this volume exist? */
static bool
is_taken(const char *dir, const char *name)
{
	struct stat st;
	char *sealed = volume_path(dir, name, ARCHIVE_SEALED);
	char *part = volume_path(dir, name, ARCHIVE_PART);
	bool taken = lstat(sealed, &st) == 0 || lstat(part, &st) == 0;
	free(sealed);
	free(part);

	return taken;
}

/* The descriptor's until it is closed, by whatever process. */
static bool
lock(int fd)
{
	int rc;
	do
		rc = flock(fd, LOCK_EX | LOCK_NB);
	while (rc < 0 && errno == EINTR);

	return rc == 0;
}

enum made { MADE, TAKEN, FAILED };

/* Another writer may have come first, and even have sealed it by now: while
 * the .part is there, nobody can begin a volume of this name again. */
static enum made
make_part(const char *dir, const char *name, int *fd, struct err *err)
{
	enum made made = MADE;
	char *part = volume_path(dir, name, ARCHIVE_PART);
	char *sealed = volume_path(dir, name, ARCHIVE_SEALED);
	struct stat st;
	crash_point("archive: before a volume is created");
	*fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    S_IRUSR | S_IWUSR);
	crash_point("archive: after a volume is created");
	if (*fd < 0 && errno == EEXIST) {
		made = TAKEN;
	} else if (*fd < 0 || !lock(*fd)) {
		err_errno(err, ERR_RUN, "%s", part);
		made = FAILED;
	} else if (lstat(sealed, &st) == 0) {
		unlink(part);
		made = TAKEN;
	}
	if (made != MADE && *fd >= 0)
		close(*fd);
	free(part);
	free(sealed);

	return made;
}

static bool
make_next(const char *dir, const char *run, char name[KEPT_VOLUME_NAME],
    int *fd, struct err *err)
{
	for (int i = 1; i <= NUMBER_MAX; i++) {
		char *candidate = mem_fmt("%s-%04d", run, i);
		bool ok = volume_name_ok(candidate);
		enum made made = TAKEN;
		if (ok && !is_taken(dir, candidate))
			made = make_part(dir, candidate, fd, err);
		if (made == MADE)
			memcpy(name, candidate, strlen(candidate) + 1);
		free(candidate);
		if (made != TAKEN)
			return made == MADE;
		if (!ok)
			break;
	}

	return err_set(err, ERR_RUN, ERR_OTHER,
	    "no name left in %s/%s for a volume of run %s", dir,
	    ARCHIVE_VOLUMES, run);
}

/* A volume that the index knows, but of which nothing was committed. */
static bool
make_again(const char *dir, const char *name, int *fd, struct err *err)
{
	char *path = volume_path(dir, name, ARCHIVE_PART);
	crash_point("archive: before a volume is made again");
	*fd = open(
	    path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	bool ok = *fd >= 0 && lock(*fd) && ftruncate(*fd, 0) == 0;
	crash_point("archive: after a volume is made again");
	if (!ok) {
		err_errno(err, ERR_RUN, "%s", path);
		if (*fd >= 0)
			close(*fd);
	}
	free(path);

	return ok;
}

bool
volume_create(struct volume **out, const struct volume_options *o,
    const char *run, const char *name, struct err *err)
{
	char chosen[KEPT_VOLUME_NAME];
	int fd;
	if (name != NULL)
		memcpy(chosen, name, strlen(name) + 1);
	if (!(name != NULL ? make_again(o->dir, name, &fd, err)
			   : make_next(o->dir, run, chosen, &fd, err)))
		return false;

	struct volume *v = new_volume(o, chosen, fd);
	if (!sync_new(v, err)) {
		volume_close(&v);
		return false;
	}

	return open_tar_or_close(out, v, err);
}

static bool
frames_add_up(const struct progress *p)
{
	uint64_t offset = 0, plain = 0;
	for (size_t i = 0; i < p->frame_count; i++) {
		if (p->frames[i].offset != offset ||
		    p->frames[i].plain != plain)
			return false;
		offset += p->frames[i].csize;
		plain += p->frames[i].dsize;
	}

	return offset == p->committed && plain == p->plain;
}

static bool
cut_back(int fd, const char *path, uint64_t committed, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(err, ERR_RUN, "%s", path);
	if ((uint64_t)st.st_size < committed)
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "%s holds %llu octets, but %llu were committed", path,
		    (unsigned long long)st.st_size,
		    (unsigned long long)committed);

	crash_point("archive: before a volume is cut back");
	if (ftruncate(fd, (off_t)committed) < 0)
		return err_errno(err, ERR_RUN, "%s: ftruncate", path);
	crash_point("archive: after a volume is cut back");
	if (fsync(fd) < 0)
		return err_errno(err, ERR_RUN, "%s: fsync", path);
	crash_point("archive: after a cut volume is synced");

	return true;
}

/* Is what fd has open still called path? */
static bool
is_still(int fd, const char *path)
{
	struct stat open, named;

	return fstat(fd, &open) == 0 && lstat(path, &named) == 0 &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

bool
volume_hold(const char *dir, const char *name, int *fd, struct err *err)
{
	char *path = volume_path(dir, name, ARCHIVE_PART);
	*fd = file_open(path, O_RDWR, ERR_RUN, err);
	bool ok = *fd >= 0 || errno == ENOENT;
	/* Its holder may have sealed it between open and lock. */
	if (*fd >= 0 && (!lock(*fd) || !is_still(*fd, path))) {
		close(*fd);
		*fd = -1;
	}
	free(path);

	return ok;
}

bool
volume_resume(struct volume **out, const struct volume_options *o,
    const struct progress *p, int fd, struct err *err)
{
	char *path = volume_path(o->dir, p->volume, ARCHIVE_PART);
	bool ok = fd >= 0;
	if (!ok && access(path, F_OK) == 0)
		err_set(err, ERR_RUN, ERR_LOCKED,
		    "another process is writing %s", path);
	else if (!ok)
		err_set(err, ERR_RUN, ERR_DAMAGED,
		    "%s is missing, but %llu octets of it were committed", path,
		    (unsigned long long)p->committed);
	else if (!frames_add_up(p))
		ok = err_set(err, ERR_RUN, ERR_DAMAGED,
		    "%s: the index's frames don't add up to its %llu octets",
		    path, (unsigned long long)p->committed);
	else
		ok = cut_back(fd, path, p->committed, err);
	free(path);
	if (!ok) {
		if (fd >= 0)
			close(fd);
		return false;
	}

	struct volume *v = new_volume(o, p->volume, fd);
	frames_resume(v->frames, p->frames, p->frame_count);

	return open_tar_or_close(out, v, err);
}

void
volume_close(struct volume **vp)
{
	struct volume *v = *vp;
	if (v == NULL)
		return;

	*vp = NULL;
	if (v->tar != NULL) {
		/* Closing writes the end of a tar stream: not into this file,
		 * which another run may continue. (archive_write_fail would
		 * do too, but leaks libarchive's buffer.) */
		v->discard = true;
		archive_write_close(v->tar);
		archive_write_free(v->tar);
	}
	if (v->entry != NULL)
		archive_entry_free(v->entry);
	frames_free(&v->frames);
	if (v->fd >= 0)
		close(v->fd);
	buf_free(&v->header);
	free(v->boxes);
	free(v->path);
	free(v->dir);
	free(v);
}

/* ---- entries ---- */

/* libarchive writes a copy of the entry, and one that it makes without memory
 * lacks attributes without a word. */
static void
check_header(struct volume *v)
{
	struct buf attribute = { 0 };
	const char *name;
	const void *value;
	size_t size;
	archive_entry_xattr_reset(v->entry);
	while (archive_entry_xattr_next(v->entry, &name, &value, &size) ==
	       ARCHIVE_OK) {
		buf_clear(&attribute);
		buf_fmt(&attribute, "%s=", name);
		buf_add(&attribute, value, size);
		if (memmem(v->header.data, v->header.len, attribute.data,
			attribute.len) == NULL)
			mem_out();
	}
	buf_free(&attribute);
}

bool
volume_entry(struct volume *v, struct err *err)
{
	buf_clear(&v->header);
	v->in_header = true;
	int done = archive_write_header(v->tar, v->entry);
	v->in_header = false;
	if (done != ARCHIVE_OK)
		return tar_failed(v, "tar header", err);
	check_header(v);

	return true;
}

bool
volume_data(struct volume *v, const void *data, size_t n, struct err *err)
{
	if (n > 0 && archive_write_data(v->tar, data, n) != (la_ssize_t)n)
		return tar_failed(v, "tar data", err);

	return true;
}

bool
volume_entry_end(struct volume *v, struct err *err)
{
	if (archive_write_finish_entry(v->tar) != ARCHIVE_OK)
		return tar_failed(v, "tar entry", err);

	return frames_boundary(v->frames, false, err);
}

static bool
add_box(int64_t *boxes, size_t cap, int64_t key)
{
	size_t i = (uint64_t)key % cap;
	while (boxes[i] != 0 && boxes[i] != key)
		i = (i + 1) % cap;
	if (boxes[i] == key)
		return false;
	boxes[i] = key;

	return true;
}

/* True if this mailbox was not there yet. */
static bool
is_new_box(struct volume *v, const char *mailbox)
{
	if (2 * (v->box_count + 1) > v->box_cap) {
		size_t cap = v->box_cap == 0 ? FIRST_BOXES : 2 * v->box_cap;
		int64_t *boxes = mem_array(cap, sizeof(*boxes));
		for (size_t i = 0; i < v->box_cap; i++)
			if (v->boxes[i] != 0)
				add_box(boxes, cap, v->boxes[i]);
		free(v->boxes);
		v->boxes = boxes;
		v->box_cap = cap;
	}
	bool is_new =
	    add_box(v->boxes, v->box_cap, hash64_of(mailbox, strlen(mailbox)));
	v->box_count += is_new;

	return is_new;
}

bool
volume_folders(
    struct volume *v, const char *mailbox, int64_t mtime, struct err *err)
{
	static const char *const folders[] = { "cur", "new", "tmp" };
	if (!is_new_box(v, mailbox))
		return true;

	for (size_t i = 0; i < 3; i++) {
		char *path = mem_fmt("%s/%s/", mailbox, folders[i]);
		entry_directory(v->entry, path, mtime);
		free(path);
		if (!volume_entry(v, err) || !volume_entry_end(v, err))
			return false;
	}

	return true;
}

/* ---- the end ---- */

static bool
write_table(struct volume *v, struct err *err)
{
	struct buf table = { 0 };
	uint64_t end = frames_file_size(v->frames);
	seektable_build(
	    &table, frames_infos(v->frames), frames_durable(v->frames));
	crash_point("archive: before the seek table");
	bool ok = file_pwrite(v->fd, table.data, table.len, end, v->path, err);
	crash_point("archive: after the seek table");
	buf_free(&table);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}

bool
volume_finish(struct volume *v, struct err *err)
{
	if (archive_write_close(v->tar) != ARCHIVE_OK)
		return tar_failed(v, "tar end", err);
	if (!frames_boundary(v->frames, true, err) ||
	    !frames_write(v->frames, true, err) ||
	    !frames_sync(v->frames, err) || !write_table(v, err))
		return false;
	if (fsync(v->fd) < 0)
		return err_errno(err, ERR_RUN, "%s: fsync", v->path);
	crash_point("archive: after a finished volume is synced");

	return true;
}
