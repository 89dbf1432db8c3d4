#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Whole-file and durable helpers; every path error names the path. */

/* mkdir -p, 0700. An existing folder must be ours and not writable by group
 * or others (unless sticky), or ERR_DISK_FULL (not writable) says why. */
bool file_make_dir(const char *path, struct err *);
/* fsync of a folder, so that names in it are durable. */
bool file_sync_dir(const char *path, struct err *);
/* All n octets at offset, through short writes and EINTR. */
bool file_pwrite(int fd, const void *, size_t n, uint64_t offset,
    const char *path, struct err *);
/*
 * A regular file that is there, for reading (flags: O_RDONLY or O_RDWR);
 * waits for nobody. -1: *err is set: ERR_DAMAGED for anything else under that
 * name (a link, a FIFO, a folder …); errno is ENOENT if there is nothing.
 */
int file_open(const char *path, int flags, enum err_scope, struct err *);
/* Exactly n octets, or ERR_DAMAGED ("ends early"). */
bool file_pread(
    int fd, void *, size_t n, uint64_t offset, const char *path, struct err *);
/* Whole file, at most max octets. */
bool file_read(const char *path, size_t max, struct buf *, struct err *);
/* Write beside, fsync, rename, fsync the folder: all or nothing, 0600. */
bool file_replace(const char *path, const void *, size_t n, struct err *);
/* Octets that a user may still write there; 0 if unknown. */
uint64_t file_space(const char *path);

#endif
