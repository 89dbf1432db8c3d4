#include "box.h"

#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct box *
box_new(const char *path)
{
	struct box *box = mem_new(sizeof(*box));

	box->path = mem_str(path);
	box->dir = box->tmp = box->cur = -1;

	return box;
}

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
box_close(struct box *box)
{
	close_one(&box->cur);
	close_one(&box->tmp);
	close_one(&box->dir);
}

void
box_free(struct box **box)
{
	if (*box == NULL)
		return;
	box_close(*box);
	for (size_t i = 0; i < (*box)->keyword_count; i++)
		free((*box)->keywords[i]);
	free((*box)->path);
	free(*box);
	*box = NULL;
}

/* The folder name in parent, made if it lacks; -1 with err. */
static int
enter(int parent, const char *name, const char *path, struct err *err)
{
	crash_point("maildir: make folder");
	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
		err_errno(err, ERR_RUN, "can't make the folder %s", path);
		return -1;
	}
	crash_point("maildir: folder made");
	int fd = openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		err_errno(err, ERR_RUN, "can't open the folder %s", path);

	return fd;
}

/* Level by level, so that no link leads outside. */
static int
enter_all(int root, const char *path, struct err *err)
{
	char *copy = mem_str(path), *rest = copy, *level;
	int at = fcntl(root, F_DUPFD_CLOEXEC, 0);

	if (at < 0)
		err_errno(err, ERR_RUN, "%s", path);
	while (at >= 0 && (level = strsep(&rest, "/")) != NULL) {
		int next = enter(at, level, path, err);
		close(at);
		at = next;
	}
	free(copy);

	return at;
}

bool
box_open(struct box *box, int root, struct err *err)
{
	if (box->dir >= 0)
		return true;
	box->dir = enter_all(root, box->path, err);
	if (box->dir < 0)
		return false;
	int new = enter(box->dir, "new", box->path, err);
	if (new >= 0) {
		close(new);
		box->tmp = enter(box->dir, "tmp", box->path, err);
	}
	if (box->tmp >= 0)
		box->cur = enter(box->dir, "cur", box->path, err);
	if (box->cur >= 0)
		return true;
	box_close(box);

	return false;
}

/* The keyword's number; BOX_KEYWORDS if there is none left for it. */
static size_t
number_of(struct box *box, const char *keyword, size_t len)
{
	for (size_t i = 0; i < box->keyword_count; i++)
		if (strlen(box->keywords[i]) == len &&
		    memcmp(box->keywords[i], keyword, len) == 0)
			return i;
	if (box->keyword_count == BOX_KEYWORDS)
		return BOX_KEYWORDS;
	box->keywords[box->keyword_count] = mem_strn(keyword, len);

	return box->keyword_count++;
}

/* What may stand in a line of dovecot-keywords. */
static bool
is_usable(const char *keyword, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)keyword[i] <= ' ' || keyword[i] == 127)
			return false;

	return len > 0 && len <= 255;
}

void
box_letters(struct box *box, const char *keywords, struct buf *out)
{
	bool set[BOX_KEYWORDS + 1] = { false };

	while (*keywords != '\0') {
		size_t len = strcspn(keywords, " ");
		if (is_usable(keywords, len))
			set[number_of(box, keywords, len)] = true;
		keywords += len + (keywords[len] == ' ');
	}
	for (size_t i = 0; i < BOX_KEYWORDS; i++)
		if (set[i])
			buf_char(out, (char)('a' + i));
}

bool
box_write_keywords(struct box *box, int root, struct err *err)
{
	struct buf text = { 0 };

	if (box->keyword_count == 0)
		return true;
	if (!box_open(box, root, err))
		return false;
	for (size_t i = 0; i < box->keyword_count; i++)
		buf_fmt(&text, "%zu %s\n", i, box->keywords[i]);
	crash_point("maildir: write keywords");
	int fd = openat(box->dir, "dovecot-keywords",
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0
		      ? file_pwrite(fd, text.data, text.len, 0, box->path, err)
		      : err_errno(err, ERR_RUN,
			    "can't make %s/dovecot-keywords", box->path);
	crash_point("maildir: keywords written");
	if (fd >= 0)
		close(fd);
	buf_free(&text);

	return ok;
}
