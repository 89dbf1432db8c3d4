#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { MARKS_MAX = 64 };

static struct {
	const char *const *names;
	size_t n;
	bool reached[MARKS_MAX];
} marks;

static char *dir;

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* ---- seeds ---- */

static void
tell_marks(void)
{
	size_t missing = 0;
	for (size_t i = 0; i < marks.n; i++)
		if (!marks.reached[i]) {
			fprintf(
			    stderr, "no seed reaches: %s\n", marks.names[i]);
			missing++;
		}
	printf("seeds reach %zu of %zu\n", marks.n - missing, marks.n);
	fflush(stdout);
	if (missing > 0)
		_exit(1);
}

void
fuzz_marks(const char *const *names, size_t n)
{
	MUST(n <= MARKS_MAX && marks.n == 0);
	marks.names = names;
	marks.n = n;
	/* Warnings about each input would be all that is seen. */
	log_stderr(LOG_ERROR, LOG_TEXT);
	MUST(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	if (getenv("FUZZ_SEEDS") != NULL)
		atexit(tell_marks);
}

void
fuzz_reach(unsigned mark)
{
	marks.reached[mark] = true;
}

/* ---- files ---- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;

	return remove(path);
}

static void
remove_dir(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(dir);
	dir = NULL;
}

const char *
fuzz_dir(void)
{
	const char *base = getenv("TMPDIR");
	if (dir != NULL)
		return dir;
	dir = mem_fmt("%s/mailhaul-fuzz-XXXXXX", base != NULL ? base : "/tmp");
	MUST(mkdtemp(dir) != NULL);
	atexit(remove_dir);

	return dir;
}

void
fuzz_put(const char *name, const void *data, size_t n)
{
	struct err err;
	char *path = mem_fmt("%s/%s", fuzz_dir(), name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	MUST(n == 0 || file_pwrite(fd, data, n, 0, path, &err));
	close(fd);
	free(path);
}

/* ---- inputs ---- */

bool
fuzz_part(struct fuzz_part *rest, char mark, struct fuzz_part *part)
{
	if (rest->data == NULL)
		return false;
	const char *end = memchr(rest->data, mark, rest->len);
	*part = *rest;
	if (end == NULL) {
		*rest = (struct fuzz_part){ NULL, 0 };
		return true;
	}
	part->len = (size_t)(end - part->data);
	rest->data += part->len + 1;
	rest->len -= part->len + 1;

	return true;
}

unsigned
fuzz_choose(struct fuzz_part *rest, unsigned limit)
{
	if (rest->len == 0)
		return 0;
	unsigned n = (unsigned char)rest->data[0];
	rest->data++;
	rest->len--;

	return n % limit;
}

static bool
memory_peek(
    void *arg, size_t min, const char **data, size_t *len, struct err *err)
{
	struct fuzz_memory *m = arg;
	size_t left = m->len - m->at;
	*len = left < m->step ? left : m->step;
	*data = m->data + m->at;

	return *len >= min ||
	       err_set(err, ERR_ACCOUNT, ERR_NETWORK, "end of memory");
}

static void
memory_take(void *arg, size_t n)
{
	((struct fuzz_memory *)arg)->at += n;
}

struct imap_input
fuzz_input(struct fuzz_memory *m)
{
	return (struct imap_input){ m, memory_peek, memory_take };
}
