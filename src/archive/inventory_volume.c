/* A sealed volume's frames and its catalog. */
#include "archive/archive.h"
#include "base/file.h"
#include "base/mem.h"
#include "entry.h"
#include "inventory_frames.h"
#include "inventory_row.h"
#include "lines.h"
#include "seektable.h"
#include "volume.h"
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
inventory_volume_free(struct inventory_volume *v)
{
	free(v->frames);
	free(v->damaged);
	*v = (struct inventory_volume){ 0 };
}

/* ---- the file ---- */

static bool
take_frames(int fd, const char *path, const struct inventory_tell *tell,
    struct inventory_volume *v)
{
	struct err why;
	if (seektable_read(fd, path, &v->frames, &v->count, &why))
		return true;
	inventory_find(tell, v->name, NULL, why.text);
	inventory_walk_frames(fd, path, v->octets, &v->frames, &v->count);
	if (v->count > 0)
		return true;
	inventory_find(tell, v->name, NULL, "it holds no frame");

	return false;
}

/* Which frames can't be relied upon, of a file that isn't what it was. */
static void
look_for_damage(int fd, const char *path, const struct inventory_tell *tell,
    struct inventory_volume *v)
{
	struct inflate inflate = { 0 };
	v->damaged = mem_array(v->count + 1, sizeof(*v->damaged));
	for (size_t i = 0; i < v->count; i++) {
		struct err why;
		v->damaged[i] =
		    !inflate_frame(&inflate, fd, path, &v->frames[i], &why);
		if (v->damaged[i])
			inventory_find(tell, v->name, NULL, why.text);
	}
	inflate_free(&inflate);
}

/* -1: it can't be opened; *done false: and that is an error. */
static int
open_sealed(const char *path, const char *name,
    const struct inventory_tell *tell, bool *done, struct err *err)
{
	int fd = file_open(path, O_RDONLY, ERR_RUN, err);
	*done = fd >= 0 || err->code == ERR_DAMAGED;
	if (fd < 0 && *done)
		inventory_find(tell, name, NULL, "it is not a file");

	return fd;
}

static bool
open_books(int fd, const char *path, const struct inventory_tell *tell,
    struct inventory_volume *v, bool *ok, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(err, ERR_RUN, "%s", path);
	v->octets = (uint64_t)st.st_size;
	*ok = take_frames(fd, path, tell, v);
	if (v->count > 0)
		v->plain = v->frames[v->count - 1].plain +
			   v->frames[v->count - 1].dsize;

	return true;
}

bool
inventory_sealed(const char *dir, const char *name,
    const struct inventory_tell *tell, struct inventory_volume *v, bool *ok,
    struct err *err)
{
	bool done;
	*v = (struct inventory_volume){ .sealed = true };
	*ok = false;
	if (!volume_name_ok(name)) {
		inventory_find(tell, name, NULL, "it has an impossible name");
		return true;
	}
	memcpy(v->name, name, strlen(name) + 1);
	char *path = volume_path(dir, name, ARCHIVE_SEALED);
	int fd = open_sealed(path, name, tell, &done, err);
	if (fd >= 0) {
		done = open_books(fd, path, tell, v, ok, err);
		close(fd);
	}
	free(path);

	return done;
}

bool
inventory_check(const char *dir, struct inventory_volume *v,
    const uint8_t *expected, const struct inventory_tell *tell, struct err *err)
{
	bool ok;
	char *path = volume_path(dir, v->name, ARCHIVE_SEALED);
	int fd = open_sealed(path, v->name, tell, &ok, err);
	if (fd < 0) {
		free(path);
		return ok;
	}
	ok = volumes_file_digest(path, v->sha256, NULL, NULL, err);
	bool same = ok && expected != NULL &&
		    memcmp(expected, v->sha256, DIGEST_SIZE) == 0;
	if (ok && !same && expected != NULL)
		inventory_find(tell, v->name, NULL,
		    "the file's SHA-256 is not the one in its manifest");
	if (ok && !same)
		look_for_damage(fd, path, tell, v);
	close(fd);
	free(path);

	return ok;
}

/* ---- the catalog ---- */

struct catalog_reading {
	int fd;
	char *path;
	const struct inventory_volume *volume;
	const struct inventory_tell *tell; /* NULL: rows are counted */
	uint64_t rows;
	struct inflate inflate;
	size_t next; /* frame to be fed to libarchive */
	bool fed;    /* the inflated frame was */
	struct row_texts texts;
	struct err *err;
	bool failed; /* kept said so */
};

static bool
inflate_next(struct catalog_reading *c)
{
	struct err why;

	return inflate_frame(
	    &c->inflate, c->fd, c->path, &c->volume->frames[c->next], &why);
}

static la_ssize_t
on_read(struct archive *a, void *arg, const void **out)
{
	struct catalog_reading *c = arg;
	if (c->fed) {
		if (++c->next >= c->volume->count)
			return 0;
		if (!inflate_next(c)) {
			archive_set_error(a, EIO, "a frame is damaged");
			return -1;
		}
	}
	c->fed = true;
	*out = c->inflate.plain.data;

	return (la_ssize_t)c->inflate.plain.len;
}

static bool
take_line(void *arg, const char *data, size_t len)
{
	struct catalog_reading *c = arg;
	struct inventory_row row;
	const char *why = "a catalog line is no JSON object";
	c->rows++;
	if (c->tell == NULL)
		return true;
	json_t *line = json_loadb(data, len, 0, NULL);
	if (!json_is_object(line) ||
	    !inventory_row_parse(
		line, c->volume->name, &c->texts, &row, &why) ||
	    row.row.claim == CLAIM_KNOWN)
		inventory_find(c->tell, c->volume->name, NULL, why);
	else if (c->tell->kept != NULL)
		c->failed = !c->tell->kept(c->tell->arg, &row, c->err);
	json_decref(line);

	return !c->failed;
}

static bool
read_lines(struct catalog_reading *c, struct archive *a)
{
	struct lines lines = { .each = take_line, .arg = c };
	const void *data;
	size_t n;
	la_int64_t offset;
	uint64_t at = 0;
	int rc;
	bool ok = true;
	while (ok && (rc = archive_read_data_block(a, &data, &n, &offset)) ==
			 ARCHIVE_OK) {
		ok = (uint64_t)offset == at && lines_add(&lines, data, n);
		at += n;
	}
	ok = ok && rc == ARCHIVE_EOF && lines_at_end(&lines);
	lines_free(&lines);

	return ok;
}

/* A tar stream that starts with the frame inflated last. */
static bool
read_from_here(struct catalog_reading *c)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	bool ok = false;
	if (a == NULL)
		abort();
	c->fed = false;
	archive_read_support_filter_none(a);
	archive_read_support_format_tar(a);
	if (archive_read_open(a, c, NULL, on_read, NULL) == ARCHIVE_OK &&
	    archive_read_next_header(a, &e) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(e);
		ok = name != NULL && strcmp(name, ENTRY_CATALOG_JSON) == 0 &&
		     read_lines(c, a);
	}
	archive_read_free(a);

	return ok;
}

/*
 * The catalog starts a frame, behind all that mail may look like: so the last
 * frame that starts with its name is the one, and it is looked for from the
 * end.
 */
static bool
find_catalog(struct catalog_reading *c)
{
	for (size_t i = c->volume->count; i-- > 0;) {
		c->next = i;
		if (inflate_next(c) &&
		    inventory_starts_entry(&c->inflate, ENTRY_CATALOG_JSON))
			return true;
	}

	return false;
}

static bool
read_catalog(struct catalog_reading *c, const char *dir, bool *found)
{
	*found = false;
	if (!libarchive_load(c->err))
		return false;
	c->path = volume_path(dir, c->volume->name, ARCHIVE_SEALED);
	c->fd = file_open(c->path, O_RDONLY, ERR_RUN, c->err);
	bool opened = c->fd >= 0;
	*found = opened && find_catalog(c) && read_from_here(c);
	inflate_free(&c->inflate);
	row_texts_free(&c->texts);
	free(c->path);
	if (opened)
		close(c->fd);

	return opened && !c->failed;
}

bool
inventory_catalog_count(const char *dir, const struct inventory_volume *v,
    uint64_t *rows, bool *found, struct err *err)
{
	struct catalog_reading c = { .volume = v, .err = err };
	bool ok = read_catalog(&c, dir, found);
	*rows = c.rows;

	return ok;
}

bool
inventory_catalog(const char *dir, const struct inventory_volume *v,
    const struct inventory_tell *tell, bool *found, struct err *err)
{
	struct catalog_reading c = { .volume = v, .tell = tell, .err = err };
	bool ok = read_catalog(&c, dir, found);
	if (ok && !*found)
		inventory_find(
		    tell, v->name, NULL, "its catalog can't be read");

	return ok;
}
