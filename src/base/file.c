#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/mem.h"

static bool
check_dir(const char *path, struct err *err)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return err_errno(err, ERR_RUN, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		err_set(
		    err, ERR_RUN, ERR_DISK_FULL, "%s is not a folder", path);
		return err_hint(err, "Choose another place, or move it away:");
	}
	if (st.st_uid != geteuid()) {
		err_set(err, ERR_RUN, ERR_DISK_FULL,
		    "%s belongs to another user (uid %u)", path,
		    (unsigned)st.st_uid);
		return err_hint(
		    err, "Go on as that user, or choose another folder:");
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
	    (st.st_mode & S_ISVTX) == 0) {
		err_set(err, ERR_RUN, ERR_DISK_FULL,
		    "%s can be written by other users (mode %03o)", path,
		    (unsigned)(st.st_mode & 0777));
		return err_hint(err, "Then: chmod go-w '%s'", path);
	}

	return true;
}

static bool
make_parents(char *path, struct err *err)
{
	for (char *p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		int failed = mkdir(path, 0700) != 0 && errno != EEXIST;
		if (failed)
			err_errno(
			    err, ERR_RUN, "can't make the folder %s", path);
		*p = '/';
		if (failed)
			return false;
	}

	return true;
}

bool
file_make_dir(const char *path, struct err *err)
{
	char *copy = mem_str(path);
	bool ok = make_parents(copy, err);
	free(copy);
	if (!ok)
		return false;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(
		    err, ERR_RUN, "can't make the folder %s", path);

	return check_dir(path, err);
}

bool
file_sync_dir(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_RUN, "%s", path);
	bool ok = fsync(fd) == 0;
	if (!ok)
		err_errno(err, ERR_RUN, "fsync of %s", path);
	close(fd);

	return ok;
}

bool
file_pwrite(int fd, const void *data, size_t n, uint64_t offset,
    const char *path, struct err *err)
{
	const char *p = data;
	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (done == 0)
				errno = ENOSPC;
			return err_errno(err, ERR_RUN, "can't write %s", path);
		}
		p += done;
		n -= (size_t)done;
		offset += (uint64_t)done;
	}

	return true;
}

int
file_open(const char *path, int flags, enum err_scope scope, struct err *err)
{
	struct stat st;
	/* Without O_NONBLOCK a FIFO would keep us until somebody writes. */
	int fd =
	    open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	bool other =
	    fd >= 0 || errno == ELOOP || errno == EISDIR || errno == ENXIO;
	int why = other ? EINVAL : errno;
	if (fd >= 0)
		close(fd);
	errno = why;
	if (other)
		err_set(err, scope, ERR_DAMAGED, "%s is not a file", path);
	else
		err_errno(err, scope, "%s", path);
	errno = why;

	return -1;
}

bool
file_pread(int fd, void *out, size_t n, uint64_t offset, const char *path,
    struct err *err)
{
	char *p = out;
	while (n > 0) {
		ssize_t done = pread(fd, p, n, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_errno(err, ERR_RUN, "can't read %s", path);
		if (done == 0)
			return err_set(
			    err, ERR_RUN, ERR_DAMAGED, "%s ends early", path);
		p += done;
		n -= (size_t)done;
		offset += (uint64_t)done;
	}

	return true;
}

static bool
read_all(int fd, const char *path, size_t max, struct buf *out, struct err *err)
{
	for (;;) {
		char *at = buf_room(out, 65536);
		ssize_t n = read(fd, at, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_RUN, "can't read %s", path);
		if (n == 0)
			break;
		out->len += (size_t)n;
		if (out->len > max)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "%s is larger than %zu octets", path, max);
	}
	buf_add(out, "", 0);

	return true;
}

bool
file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_RUN, "can't open %s", path);
	bool ok = read_all(fd, path, max, out, err);
	close(fd);

	return ok;
}

static bool
sync_parent(const char *path, struct err *err)
{
	char *copy = mem_str(path);
	bool ok = file_sync_dir(dirname(copy), err);
	free(copy);

	return ok;
}

/*
 * Whoever replaces the file at the same time has the same name for its new
 * one: the lock lets them take turns. The one before has renamed it meanwhile,
 * so what was opened may have another name by then.
 */
static int
open_beside(const char *path, struct err *err)
{
	struct stat mine, named;
	for (;;) {
		/* O_NONBLOCK: a FIFO of that name is an error, no wait. */
		int fd = open(path,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		    0600);
		if (fd < 0) {
			err_errno(err, ERR_RUN, "can't make %s", path);
			return -1;
		}
		while (flock(fd, LOCK_EX) != 0 && errno == EINTR)
			;
		bool is_named = lstat(path, &named) == 0;
		if (fstat(fd, &mine) != 0 || (!is_named && errno != ENOENT)) {
			err_errno(err, ERR_RUN, "can't make %s", path);
			close(fd);
			return -1;
		}
		if (is_named && mine.st_ino == named.st_ino &&
		    mine.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
}

static bool
write_new(int fd, const char *path, const void *data, size_t n, struct err *err)
{
	/* A killed run may have left some of it. */
	if (ftruncate(fd, 0) != 0)
		return err_errno(err, ERR_RUN, "can't write %s", path);
	if (!file_pwrite(fd, data, n, 0, path, err))
		return false;

	return fsync(fd) == 0 || err_errno(err, ERR_RUN, "fsync of %s", path);
}

bool
file_replace(const char *path, const void *data, size_t n, struct err *err)
{
	char *new = mem_fmt("%s.new", path);
	int fd = open_beside(new, err);
	bool ok = fd >= 0 && write_new(fd, new, data, n, err);
	crash_point("file: written beside");
	if (ok && rename(new, path) != 0)
		ok = err_errno(err, ERR_RUN, "can't rename %s", new);
	crash_point("file: renamed");
	if (!ok && fd >= 0)
		unlink(new);
	if (fd >= 0)
		close(fd);
	free(new);

	return ok && sync_parent(path, err);
}

uint64_t
file_space(const char *path)
{
	struct statvfs st;
	if (statvfs(path, &st) != 0)
		return 0;

	return (uint64_t)st.f_bavail * st.f_frsize;
}
