#ifndef ARCHIVE_INFLATE_H
#define ARCHIVE_INFLATE_H

#include <zstd.h>

#include "base/buf.h"
#include "mail/target.h"

/*
 * One frame at a time, checksum verified. The plain octets stay until the
 * next call; memory is that of the largest frame, at most
 * SEEKTABLE_FRAME_MAX each for both forms. {0} is ready for use.
 */
struct inflate {
	ZSTD_DCtx *context;
	struct buf packed, plain;
};

/* Frame at info->offset of fd → i->plain. info's sizes must be the frame's
 * own: else ERR_MESSAGE, ERR_DAMAGED. i->packed holds the compressed octets
 * then, also after a failure to inflate (.len is 0 if they can't be read). */
bool inflate_frame(struct inflate *, int fd, const char *path,
    const struct frame_info *info, struct err *);
void inflate_free(struct inflate *);

/*
 * The first octets of one frame, no more of them than were asked for: what
 * lies behind is neither read nor inflated. Whoever asks later for more of
 * the same frame pays only for the difference. {0} is ready for use.
 */
struct inflate_prefix {
	ZSTD_DCtx *context;
	struct buf packed; /* the piece being inflated */
	struct buf plain;  /* octets [0, .len) of the frame */
	size_t read;       /* octets of the frame read so far */
	size_t fed;        /* octets of packed inflated so far */
	bool ended;        /* all is inflated, its checksum is good */
};

/* The next octets asked for are those of another frame. */
void inflate_prefix_restart(struct inflate_prefix *);
/*
 * At least octets [0, n) of the frame at info->offset of fd → p->plain; n <=
 * info->dsize. Only n == info->dsize looks at the frame's checksum. Errors as
 * of inflate_frame; restart after one.
 */
bool inflate_prefix_reach(struct inflate_prefix *, int fd, const char *path,
    const struct frame_info *info, size_t n, struct err *);
void inflate_prefix_free(struct inflate_prefix *);

#endif
