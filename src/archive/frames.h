#ifndef ARCHIVE_FRAMES_H
#define ARCHIVE_FRAMES_H

#include "mail/target.h"

/*
 * A stream of octets into a file of independent zstd frames: cut at the first
 * entry boundary past FRAME_CUT, and inside an entry at FRAME_MAX (2 MiB
 * is the window that zstd's level 3 looks back, so more would hardly compress
 * better; and twice threads + 2 of them may be in memory while a large message
 * or a catalog passes). Frames are compressed by other
 * threads and written in order; they are durable only after frames_sync.
 * One thread.
 */
enum { FRAME_CUT = 1 << 20, FRAME_MAX = 2 << 20 };

struct frames;

struct frames_options {
	int fd;           /* borrowed */
	const char *path; /* of the file; borrowed */
	const char *dir;  /* where space is looked for; borrowed */
	int level, threads;
	uint64_t min_free;
};

struct frames *frames_new(const struct frames_options *);
void frames_free(struct frames **);
/* Continue behind these frames, which are durable. */
void frames_resume(struct frames *, const struct frame_info *, size_t n);

/* All failures are ERR_RUN. */
bool frames_add(struct frames *, const void *, size_t, struct err *);
/* The stream stands between two entries: cut here if the frame is long
 * enough, or in any case if now. */
bool frames_boundary(struct frames *, bool now, struct err *);
/* Where the next octet will be. */
void frames_where(const struct frames *, uint32_t *frame, uint64_t *offset);

/* Write what is compressed; wait: until all that was cut is written. */
bool frames_write(struct frames *, bool wait, struct err *);
/* Plain octets written up to an entry boundary, but not durable yet. */
uint64_t frames_unsynced(const struct frames *);
/* fdatasync. A failure is final: never retried. */
bool frames_sync(struct frames *, struct err *);

/* Frames that are durable and end at an entry boundary. */
uint32_t frames_durable(const struct frames *);
/* The least n > frame such that frames [0, n) end at an entry boundary. Only
 * if frame is durable. */
uint32_t frames_boundary_after(const struct frames *, uint32_t frame);
/* Of written frames; borrowed until the next frames_add or frames_write. */
const struct frame_info *frames_infos(const struct frames *);
/* Octets of file written so far. */
uint64_t frames_file_size(const struct frames *);

/* Octets [skip, skip + n) behind (frame, offset), written or not. */
bool frames_read(struct frames *, uint32_t frame, uint64_t offset,
    uint64_t skip, uint64_t n,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *);

#endif
