/* The archive's folders, and what a killed run may have left in them. */
#include "base/crash.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "readback.h"
#include "readme_txt.h"
#include "seektable.h"
#include "volume.h"
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is copied must lie where who copies or guards the archive looks. */
static bool
is_no_link(const char *path, struct err *err)
{
	struct stat st;
	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return true;
	err_set(err, ERR_RUN, ERR_DISK_FULL,
	    "%s is a link: what it leads to is outside the archive", path);

	return err_hint(
	    err, "Put a folder there; one of another disk with mount --bind.");
}

bool
archive_create(const char *dir, struct err *err)
{
	static const char *const folders[] = { "", "/" ARCHIVE_VOLUMES,
		"/" ARCHIVE_RUNS };
	struct stat st;
	bool ok = true;
	for (size_t i = 0; i < 3 && ok; i++) {
		char *path = mem_fmt("%s%s", dir, folders[i]);
		/* The archive itself may be reached by a link. */
		ok = (i == 0 || is_no_link(path, err)) &&
		     file_make_dir(path, err);
		free(path);
	}
	if (!ok)
		return false;

	char *readme = mem_fmt("%s/README.txt", dir);
	if (lstat(readme, &st) < 0)
		ok = file_replace(readme, readme_txt, strlen(readme_txt), err);
	free(readme);

	return ok;
}

bool
archive_has_volumes(const char *dir, bool *yes, struct err *err)
{
	static const char *const endings[] = { ARCHIVE_SEALED, ARCHIVE_PART };
	*yes = false;
	for (size_t i = 0; i < 2 && !*yes; i++) {
		char **names;
		size_t n;
		if (!volumes_list(
			dir, ARCHIVE_VOLUMES, endings[i], &names, &n, err))
			return false;
		*yes = n > 0;
		volumes_list_free(names, n);
	}

	return true;
}

static bool
remove_part(const char *dir, const char *name, struct err *err)
{
	int fd;
	if (!volume_hold(dir, name, &fd, err))
		return false;
	if (fd < 0) /* a writer's that has not told the index yet */
		return true;

	char *path = volume_path(dir, name, ARCHIVE_PART);
	crash_point("archive: before an orphan is removed");
	bool ok = unlink(path) == 0 || errno == ENOENT;
	crash_point("archive: after an orphan is removed");
	close(fd);
	if (ok)
		log_add(
		    LOG_INFO, "removed %s: nothing in it was promised", path);
	else
		err_errno(err, ERR_RUN, "%s", path);
	free(path);

	return ok;
}

bool
archive_sweep(const char *dir, bool (*known)(void *arg, const char *name),
    void *arg, struct err *err)
{
	char **names;
	size_t n;
	if (!volumes_list(dir, ARCHIVE_VOLUMES, ARCHIVE_PART, &names, &n, err))
		return false;

	bool ok = true;
	for (size_t i = 0; i < n && ok; i++)
		if (!known(arg, names[i]))
			ok = remove_part(dir, names[i], err);
	volumes_list_free(names, n);

	return ok;
}

static bool
read_sealed(int fd, const char *path, struct progress *p,
    struct frame_info **frames, struct err *err)
{
	struct stat st;
	size_t n;
	if (fstat(fd, &st) < 0)
		return err_errno(err, ERR_RUN, "%s", path);
	if (!seektable_read(fd, path, frames, &n, err))
		return false;

	const struct frame_info *last = n == 0 ? NULL : &(*frames)[n - 1];
	uint64_t end = n == 0 ? 0 : last->offset + last->csize;
	p->committed = (uint64_t)st.st_size;
	p->plain = n == 0 ? 0 : last->plain + last->dsize;
	p->frames = *frames;
	p->frame_count = n;
	p->sealed = true;

	return readback(fd, path, *frames, n, p->committed - end, p->sha256,
	    NULL, NULL, err);
}

bool
archive_find_sealed(const char *dir, const char *volume, bool *sealed,
    struct progress *p, struct frame_info **frames, struct err *err)
{
	*sealed = false;
	*p = (struct progress){ 0 };
	*frames = NULL;
	if (!volume_name_ok(volume))
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "impossible volume name %s", volume);

	char *path = volume_path(dir, volume, ARCHIVE_SEALED);
	int fd = file_open(path, O_RDONLY, ERR_RUN, err);
	bool ok = fd >= 0 || errno == ENOENT;
	if (fd >= 0) {
		ok = read_sealed(fd, path, p, frames, err);
		close(fd);
		*sealed = ok;
		memcpy(p->volume, volume, strlen(volume) + 1);
	}
	free(path);
	if (!ok) {
		free(*frames);
		*frames = NULL;
		err->scope = ERR_RUN;
	}

	return ok;
}
