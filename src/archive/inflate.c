#include "inflate.h"

#include "base/file.h"
#include "base/mem.h"
#include "seektable.h"

#include <stdlib.h>

/* The log of the largest window accepted (TRUST 9). */
enum { WINDOW_LOG_MAX = 27 };

static bool
sizes_agree(const struct inflate *i, const struct frame_info *info)
{
	const char *p = i->packed.data;

	return ZSTD_getFrameContentSize(p, info->csize) == info->dsize &&
	       ZSTD_findFrameCompressedSize(p, info->csize) == info->csize;
}

static bool
inflate(struct inflate *i, const struct frame_info *info)
{
	if (i->context == NULL) {
		i->context = ZSTD_createDCtx();
		if (i->context == NULL)
			mem_out();
		ZSTD_DCtx_setParameter(
		    i->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	}
	if (!sizes_agree(i, info))
		return false;

	buf_clear(&i->plain);
	buf_room(&i->plain, info->dsize);
	size_t n = ZSTD_decompressDCtx(i->context, i->plain.data, info->dsize,
	    i->packed.data, info->csize);
	if (ZSTD_isError(n) || n != info->dsize)
		return false;
	i->plain.len = n;

	return true;
}

bool
inflate_frame(struct inflate *i, int fd, const char *path,
    const struct frame_info *info, struct err *err)
{
	buf_clear(&i->packed);
	buf_clear(&i->plain);
	if (info->csize > SEEKTABLE_FRAME_MAX ||
	    info->dsize > SEEKTABLE_FRAME_MAX)
		return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
		    "%s: a frame of %u octets at %llu is too large", path,
		    info->dsize, (unsigned long long)info->offset);

	buf_room(&i->packed, info->csize);
	if (!file_pread(
		fd, i->packed.data, info->csize, info->offset, path, err)) {
		err->scope = ERR_MESSAGE;
		return false;
	}
	i->packed.len = info->csize;
	if (!inflate(i, info))
		return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
		    "%s: the frame at %llu is damaged", path,
		    (unsigned long long)info->offset);

	return true;
}

void
inflate_free(struct inflate *i)
{
	ZSTD_freeDCtx(i->context);
	buf_free(&i->packed);
	buf_free(&i->plain);
	*i = (struct inflate){ 0 };
}
