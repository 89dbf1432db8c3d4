#include "local/maildir.h"

#include "base/crash.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "box.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_NAME "mailhaul.jsonl"

enum { LIST_PIECE = 256 << 10 }; /* lines are written in pieces of this */

/*
 * boxes are sorted by path; box is the current one. While message >= 0, tmp
 * and cur hold the names and line the object of what is being written.
 */
struct maildir_export {
	char *dir;
	int root, list, message; /* -1: not open */
	uint64_t list_size, size;
	struct box **boxes;
	size_t count, room;
	struct box *box; /* borrowed from boxes */
	uint64_t serial;
	int64_t idate;
	json_t *line;
	struct buf tmp, cur, path, lines;
};

static bool
is_empty(const char *dir, bool *empty, struct err *err)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (d == NULL)
		return err_errno(err, ERR_RUN, "can't read the folder %s", dir);
	*empty = true;
	while ((entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			*empty = false;
	closedir(d);

	return true;
}

static bool
open_root(struct maildir_export *e, struct err *err)
{
	bool empty = false;

	if (!file_make_dir(e->dir, err) || !is_empty(e->dir, &empty, err))
		return false;
	if (!empty) {
		err_set(err, ERR_RUN, ERR_USAGE, "%s is not empty", e->dir);
		return err_hint(
		    err, "An export is written into a new or an empty folder.");
	}
	e->root = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->root < 0)
		return err_errno(err, ERR_RUN, "can't open %s", e->dir);
	e->list = openat(e->root, LIST_NAME,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (e->list < 0)
		return err_errno(
		    err, ERR_RUN, "can't make %s/%s", e->dir, LIST_NAME);

	return true;
}

static void
free_export(struct maildir_export **export)
{
	struct maildir_export *e = *export;

	for (size_t i = 0; i < e->count; i++)
		box_free(&e->boxes[i]);
	free(e->boxes);
	if (e->message >= 0)
		close(e->message);
	if (e->list >= 0)
		close(e->list);
	if (e->root >= 0)
		close(e->root);
	json_decref(e->line);
	buf_free(&e->tmp);
	buf_free(&e->cur);
	buf_free(&e->path);
	buf_free(&e->lines);
	free(e->dir);
	free(e);
	*export = NULL;
}

bool
maildir_export_open(
    struct maildir_export **export, const char *dir, struct err *err)
{
	struct maildir_export *e = mem_new(sizeof(*e));

	e->dir = mem_str(dir);
	e->root = e->list = e->message = -1;
	*export = e;
	if (open_root(e, err))
		return true;
	free_export(export);

	return false;
}

/* Where path is in boxes, or ought to be. */
static size_t
find_box(const struct maildir_export *e, const char *path, bool *found)
{
	size_t low = 0, high = e->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(e->boxes[middle]->path, path);
		if (order == 0)
			*found = true;
		if (order >= 0)
			high = middle;
		else
			low = middle + 1;
	}

	return low;
}

static struct box *
take_box(struct maildir_export *e, const char *path)
{
	bool found;
	size_t at = find_box(e, path, &found);

	if (found)
		return e->boxes[at];
	if (e->count == e->room) {
		e->room = e->room == 0 ? 16 : e->room * 2;
		e->boxes = mem_grow(e->boxes, e->room, sizeof(*e->boxes));
	}
	memmove(e->boxes + at + 1, e->boxes + at,
	    (e->count - at) * sizeof(*e->boxes));
	e->boxes[at] = box_new(path);
	e->count++;

	return e->boxes[at];
}

static bool
enter_box(struct maildir_export *e, const char *mailbox, struct err *err)
{
	struct buf path = { 0 };

	path_mailbox(&path, mailbox);
	if (e->box == NULL || strcmp(e->box->path, path.data) != 0) {
		if (e->box != NULL)
			box_close(e->box);
		e->box = take_box(e, path.data);
	}
	buf_free(&path);

	return box_open(e->box, e->root, err);
}

static void
set_text(json_t *object, const char *key, const char *text)
{
	struct buf clean = { 0 };

	if (text == NULL)
		return;
	text_utf8(&clean, text, strlen(text));
	json_object_set_new(object, key,
	    json_stringn(clean.data != NULL ? clean.data : "", clean.len));
	buf_free(&clean);
}

/* "a b" as ["a", "b"]. */
static void
set_words(json_t *object, const char *key, const char *words)
{
	json_t *array = json_array();
	struct buf clean = { 0 };

	text_utf8(&clean, words, strlen(words));
	const char *p = clean.data != NULL ? clean.data : "";
	while (*p != '\0') {
		size_t len = strcspn(p, " ");
		if (len > 0)
			json_array_append_new(array, json_stringn(p, len));
		p += len + (p[len] == ' ');
	}
	buf_free(&clean);
	json_object_set_new(object, key, array);
}

static void
set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void
describe_placement(json_t *line, const struct catalog_row *row)
{
	struct buf flags = { 0 };
	char date[36];

	set_text(line, "account", row->account);
	set_text(line, "mailbox", row->mailbox);
	set_number(line, "uidvalidity", row->uidvalidity);
	set_number(line, "uid", row->uid);
	flags_text(&flags, row->flags);
	set_words(line, "flags", flags.data != NULL ? flags.data : "");
	buf_free(&flags);
	set_words(line, "keywords", row->keywords != NULL ? row->keywords : "");
	if (row->idate != DATETIME_NONE)
		set_text(line, "internaldate",
		    datetime_rfc3339(date, row->idate, row->zone));
}

static json_t *
describe(const struct catalog_row *row)
{
	json_t *line = json_object();
	char sha256[2 * DIGEST_SIZE + 1];

	describe_placement(line, row);
	set_text(line, "sha256", digest_hex(sha256, row->sha256, DIGEST_SIZE));
	set_number(line, "size", row->size);
	set_text(line, "from", row->from);
	set_text(line, "to", row->to);
	set_text(line, "cc", row->cc);
	set_text(line, "subject", row->subject);
	set_text(line, "date", row->date);
	set_text(line, "message_id", row->message_id);

	return line;
}

bool
maildir_export_begin(
    struct maildir_export *e, const struct catalog_row *row, struct err *err)
{
	if (!enter_box(e, row->mailbox, err))
		return false;
	buf_clear(&e->tmp);
	buf_fmt(&e->tmp, "%llu.mailhaul", (unsigned long long)++e->serial);
	buf_clear(&e->cur);
	path_message(&e->cur, row->idate, row->uidvalidity, row->uid, row->size,
	    row->flags);
	if (row->keywords != NULL)
		box_letters(e->box, row->keywords, &e->cur);
	e->idate = row->idate;
	e->size = 0;
	e->message = openat(e->box->tmp, e->tmp.data,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (e->message < 0)
		return err_errno(err, ERR_RUN, "can't make a file in %s/%s/tmp",
		    e->dir, e->box->path);
	json_decref(e->line);
	e->line = describe(row);

	return true;
}

bool
maildir_export_add(void *export, const void *data, size_t n, struct err *err)
{
	struct maildir_export *e = export;

	if (!file_pwrite(e->message, data, n, e->size, e->dir, err))
		return false;
	e->size += n;

	return true;
}

static bool
write_lines(struct maildir_export *e, struct err *err)
{
	crash_point("maildir: write list");
	if (!file_pwrite(e->list, e->lines.data, e->lines.len, e->list_size,
		e->dir, err))
		return false;
	crash_point("maildir: list written");
	e->list_size += e->lines.len;
	buf_clear(&e->lines);

	return true;
}

static bool
add_line(struct maildir_export *e, struct err *err)
{
	set_text(e->line, "file", e->path.data);
	char *text = json_dumps(e->line, JSON_COMPACT);
	if (text == NULL)
		mem_out(); /* every string is UTF-8 */
	buf_str(&e->lines, text);
	buf_char(&e->lines, '\n');
	free(text);

	return e->lines.len < LIST_PIECE || write_lines(e, err);
}

/* A number before ",S=", where it is part of what makes the name unique. */
static void
number_name(struct maildir_export *e)
{
	struct buf name = { 0 };
	const char *size = strchr(e->cur.data, ',');

	buf_add(&name, e->cur.data, (size_t)(size - e->cur.data));
	buf_fmt(&name, "-%llu", (unsigned long long)e->serial);
	buf_str(&name, size);
	buf_free(&e->cur);
	e->cur = name;
}

/* As rename, but never over another file; NFS knows only the older way. */
static int
rename_new(const struct maildir_export *e)
{
	const struct box *box = e->box;

	if (renameat2(box->tmp, e->tmp.data, box->cur, e->cur.data,
		RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;

	return linkat(box->tmp, e->tmp.data, box->cur, e->cur.data, 0);
}

static bool
move(struct maildir_export *e, struct err *err)
{
	crash_point("maildir: rename");
	int failed = rename_new(e);
	if (failed != 0 && errno == EEXIST) {
		number_name(e);
		failed = rename_new(e);
	}
	if (failed != 0)
		return err_errno(err, ERR_RUN, "can't name a file in %s/%s/cur",
		    e->dir, e->box->path);
	crash_point("maildir: renamed");

	return true;
}

static bool
keep_message(struct maildir_export *e, struct err *err)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = (time_t)e->idate },
	};

	if (e->idate != DATETIME_NONE && futimens(e->message, times) != 0)
		return err_errno(err, ERR_RUN, "can't date a file in %s/%s",
		    e->dir, e->box->path);
	if (!move(e, err))
		return false;
	buf_clear(&e->path);
	buf_fmt(&e->path, "%s/cur/%s", e->box->path, e->cur.data);

	return add_line(e, err);
}

bool
maildir_export_end(
    struct maildir_export *e, bool keep, const char **path, struct err *err)
{
	bool ok = !keep || keep_message(e, err);

	unlinkat(e->box->tmp, e->tmp.data, 0);
	if (close(e->message) != 0 && ok)
		ok = err_errno(err, ERR_RUN, "can't write in %s", e->dir);
	e->message = -1;
	if (path != NULL)
		*path = keep && ok ? e->path.data : NULL;

	return ok;
}

static bool
write_all_keywords(struct maildir_export *e, struct err *err)
{
	bool ok = true;

	for (size_t i = 0; i < e->count && ok; i++) {
		ok = box_write_keywords(e->boxes[i], e->root, err);
		box_close(e->boxes[i]);
	}

	return ok;
}

/* One call for files and folders alike: an fsync for each message would cost
 * more than writing it. */
static bool
sync_all(struct maildir_export *e, struct err *err)
{
	crash_point("maildir: sync");
	if (syncfs(e->root) != 0)
		return err_errno(err, ERR_RUN, "syncing %s", e->dir);
	crash_point("maildir: synced");

	return true;
}

bool
maildir_export_close(struct maildir_export **export, struct err *err)
{
	struct maildir_export *e = *export;
	bool ok = true;

	if (e == NULL)
		return true;
	if (e->message >= 0)
		ok = maildir_export_end(e, false, NULL, err);
	ok = ok && write_all_keywords(e, err) && write_lines(e, err) &&
	     sync_all(e, err);
	free_export(export);

	return ok;
}
