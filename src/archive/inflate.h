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

#endif
