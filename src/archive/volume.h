#ifndef ARCHIVE_VOLUME_H
#define ARCHIVE_VOLUME_H

#include "archive/archive.h"
#include "frames.h"
#include "libarchive.h"

/*
 * A volume being written: libarchive's pax tar over frames, in NAME.part.
 * Between two calls the tar stream stands between two entries. After any
 * failure only volume_close is allowed. All failures are ERR_RUN.
 */
struct volume {
	char name[KEPT_VOLUME_NAME];
	char *dir;  /* the folder of volumes */
	char *path; /* of the .part */
	int fd;
	struct frames *frames;
	struct archive *tar;
	struct archive_entry *entry; /* reused */
	struct err why;              /* of a failed write inside libarchive */
	bool why_set;
	bool discard;   /* being closed: what libarchive writes goes nowhere */
	bool in_header; /* .header is being written */
	struct buf header; /* as it went out last */

	/* Mailboxes whose folders are in this volume: hashes, open addressed,
	 * 0 is free. A collision costs an empty folder. */
	int64_t *boxes;
	size_t box_count, box_cap;
};

struct volume_options {
	const char *dir; /* of the archive */
	int level, threads;
	uint64_t min_free;
};

/* "DIR/volumes/NAME" + ending; the caller's to free. */
char *volume_path(const char *dir, const char *name, const char *ending);
/* No '/', no leading '.', not empty, fits KEPT_VOLUME_NAME. */
bool volume_name_ok(const char *name);

/* A new RUN-NNNN, the first number that is free: file and folder synced.
 * name: use exactly this one, whatever lies there; NULL: choose. Its .part is
 * held (flock) until volume_close: it is one writer's alone. */
bool volume_create(struct volume **, const struct volume_options *,
    const char *run, const char *name, struct err *);
/* Hold NAME.part. *fd -1: another writer does, or there is none (any more). */
bool volume_hold(const char *dir, const char *name, int *fd, struct err *);
/* Cut NAME.part back to p->committed and continue it. fd: of volume_hold, now
 * the volume's, or closed if this fails; -1: says why it can't be had. */
bool volume_resume(struct volume **, const struct volume_options *,
    const struct progress *p, int fd, struct err *);
/* Frees; the file stays as it is. */
void volume_close(struct volume **);

/* cur, new and tmp of a mailbox ("ACCOUNT/MAILBOX"), once. */
bool volume_folders(
    struct volume *, const char *mailbox, int64_t mtime, struct err *);
/* Start v->entry, which the caller has filled; then its data; then end. */
bool volume_entry(struct volume *, struct err *);
bool volume_data(struct volume *, const void *, size_t, struct err *);
bool volume_entry_end(struct volume *, struct err *);

/* Tar's end, its last frame, the seek table, fsync. */
bool volume_finish(struct volume *, struct err *);

#endif
