#include "input.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *
input_shell_word(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/-";
	struct buf word = { 0 };

	/* Else chmod would take it for an option. */
	if (path[0] == '-')
		buf_str(&word, "./");
	if (path[0] != '\0' && path[strspn(path, plain)] == '\0') {
		buf_str(&word, path);
		return buf_steal(&word);
	}
	buf_char(&word, '\'');
	for (; *path != '\0'; path++) {
		if (*path == '\'')
			buf_str(&word, "'\\''");
		else
			buf_char(&word, *path);
	}
	buf_char(&word, '\'');

	return buf_steal(&word);
}

/* rights: what chmod takes away, "go-w". */
static bool
refuse_mode(const char *path, const struct stat *st, const char *who,
    const char *rights, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE, "%s: %s (mode %03o)", path, who,
	    (unsigned)(st->st_mode & 0777));
	char *word = input_shell_word(path);
	err_hint(err, "Then: chmod %s %s", rights, word);
	free(word);

	return false;
}

bool
input_is_ours(const char *path, const struct stat *st, mode_t bits,
    const char *why, struct err *err)
{
	bool reads = (bits & (S_IRGRP | S_IROTH)) != 0;

	if (!reads && st->st_uid != geteuid() && st->st_uid != 0)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: belongs to another user, and %s", path, why);
	if ((st->st_mode & bits & (S_IRWXG | S_IRWXO)) == 0)
		return true;

	char *who = mem_fmt("group or others may %s this file, and %s",
	    reads ? "read" : "write", why);
	refuse_mode(path, st, who, reads ? "600" : "go-w", err);
	free(who);

	return false;
}

int
input_open(const char *path, struct stat *st, struct err *err)
{
	/* Not to wait for the other end of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *wrong = NULL;

	if (fd < 0 || fstat(fd, st) != 0)
		wrong = strerror(errno);
	else if (S_ISDIR(st->st_mode))
		wrong = "is a folder; a file is needed";
	else if (!S_ISREG(st->st_mode))
		wrong = "is no regular file";
	if (wrong != NULL)
		err_set(err, ERR_RUN, ERR_USAGE, "%s: %s", path, wrong);
	else if ((st->st_mode & S_IWOTH) != 0)
		refuse_mode(path, st,
		    "any user may write this file, and so say what is done",
		    "o-w", err);
	else
		return fd;
	if (fd >= 0)
		close(fd);

	return -1;
}

bool
input_is_text(const char *path, const char *text, size_t len, unsigned first,
    struct err *err)
{
	unsigned line = first;
	const char *at = text, *end = text + len;

	if (memchr(text, '\0', len) == NULL && text_is_utf8(text, len))
		return true;
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 ||
			    memcmp(text, "\xfe\xff", 2) == 0))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: is UTF-16; save it as UTF-8", path);
	for (; at < end; line++) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf != NULL ? lf : end) - at);
		if (memchr(at, '\0', n) != NULL)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "%s:%u: holds a NUL octet", path, line);
		if (!text_is_utf8(at, n))
			break;
		at += n + 1;
	}

	return err_set(err, ERR_RUN, ERR_USAGE,
	    "%s:%u: holds octets that are no UTF-8; save it as UTF-8", path,
	    line);
}

bool
input_is_day(const char *text)
{
	struct tm day = { 0 };
	char again[16];
	const char *end = strptime(text, "%Y-%m-%d", &day);

	if (end == NULL || *end != '\0' || timegm(&day) == -1)
		return false;

	/* timegm made the 30th of February a day of March. */
	return strftime(again, sizeof(again), "%Y-%m-%d", &day) == 10 &&
	       strcmp(again, text) == 0;
}

char *
input_beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || slash == NULL)
		return mem_str(path);

	return mem_fmt("%.*s%s", (int)(slash - file) + 1, file, path);
}
