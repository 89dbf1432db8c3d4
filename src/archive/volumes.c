#include "volumes.h"

#include "archive/reader.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
ends_with(const char *name, const char *ending)
{
	size_t len = strlen(name), tail = strlen(ending);

	return len > tail && strcmp(name + len - tail, ending) == 0;
}

static void
add_name(char ***names, size_t *n, size_t *cap, const char *name, size_t len)
{
	if (*n == *cap) {
		*cap = *cap == 0 ? 16 : 2 * *cap;
		*names = mem_grow(*names, *cap, sizeof(**names));
	}
	(*names)[(*n)++] = mem_strn(name, len);
}

bool
volumes_list(const char *dir, const char *folder, const char *ending,
    char ***names, size_t *n, struct err *err)
{
	size_t cap = 0;
	char *path = mem_fmt("%s/%s", dir, folder);
	DIR *stream = opendir(path);
	*names = NULL;
	*n = 0;
	if (stream == NULL) {
		bool none = errno == ENOENT || errno == ENOTDIR;
		if (!none)
			err_errno(err, ERR_RUN, "%s", path);
		free(path);
		return none;
	}

	struct dirent *e;
	while ((e = readdir(stream)) != NULL)
		if (e->d_name[0] != '.' && ends_with(e->d_name, ending))
			add_name(names, n, &cap, e->d_name,
			    strlen(e->d_name) - strlen(ending));
	closedir(stream);
	free(path);
	if (*n > 0)
		qsort(*names, *n, sizeof(**names), by_name);

	return true;
}

void
volumes_list_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

bool
volumes_file_digest(const char *path, uint8_t sha256[32],
    void (*was_read)(void *arg, uint64_t octets), void *arg, struct err *err)
{
	enum { PIECE = 256 << 10 };
	int fd = file_open(path, O_RDONLY, ERR_RUN, err);
	if (fd < 0)
		return false;

	struct digest *digest = digest_new();
	char *piece = mem_array(PIECE, 1);
	ssize_t n;
	digest_start(digest);
	while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		digest_add(digest, piece, (size_t)n);
		if (was_read != NULL)
			was_read(arg, (uint64_t)n);
	}
	if (n < 0)
		err_errno(err, ERR_RUN, "%s", path);
	digest_end(digest, sha256);
	digest_free(&digest);
	free(piece);
	close(fd);

	return n == 0;
}

bool
archive_volumes(const char *dir, char ***names, size_t *n, struct err *err)
{
	return volumes_list(
	    dir, ARCHIVE_VOLUMES, ARCHIVE_SEALED, names, n, err);
}

bool
archive_volume_digest(
    const char *dir, const char *volume, uint8_t sha256[32], struct err *err)
{
	if (!volume_name_ok(volume))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "impossible volume name %s", volume);

	char *path = volume_path(dir, volume, ARCHIVE_SEALED);
	bool ok = volumes_file_digest(path, sha256, NULL, NULL, err);
	free(path);

	return ok;
}
