#include "inflate.h"

#include "base/file.h"
#include "base/mem.h"
#include "frames.h"
#include "seektable.h"

#include <stdlib.h>
#include <zstd_errors.h>

enum {
	/* The log of the largest window accepted (TRUST 9). */
	WINDOW_LOG_MAX = 27,
	/* Read at a time for a prefix: zstd's largest block. */
	PIECE = 128 << 10
};

static ZSTD_DCtx *
new_context(void)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	if (context == NULL)
		mem_out();
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);

	return context;
}

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
	if (i->context == NULL)
		i->context = new_context();
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

static bool
is_too_large(const char *path, const struct frame_info *info, struct err *err)
{
	if (info->csize <= SEEKTABLE_FRAME_MAX &&
	    info->dsize <= SEEKTABLE_FRAME_MAX)
		return false;
	err_set(err, ERR_MESSAGE, ERR_DAMAGED,
	    "%s: a frame of %u octets at %llu is too large", path, info->dsize,
	    (unsigned long long)info->offset);

	return true;
}

static bool
damaged(const char *path, const struct frame_info *info, struct err *err)
{
	return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
	    "%s: the frame at %llu is damaged", path,
	    (unsigned long long)info->offset);
}

bool
inflate_frame(struct inflate *i, int fd, const char *path,
    const struct frame_info *info, struct err *err)
{
	buf_clear(&i->packed);
	buf_clear(&i->plain);
	if (is_too_large(path, info, err))
		return false;
	buf_room(&i->packed, info->csize);
	if (!file_pread(
		fd, i->packed.data, info->csize, info->offset, path, err)) {
		err->scope = ERR_MESSAGE;
		return false;
	}
	i->packed.len = info->csize;

	return inflate(i, info) || damaged(path, info, err);
}

void
inflate_free(struct inflate *i)
{
	ZSTD_freeDCtx(i->context);
	buf_free(&i->packed);
	buf_free(&i->plain);
	*i = (struct inflate){ 0 };
}

/* ---- the first octets of a frame ---- */

void
inflate_prefix_restart(struct inflate_prefix *p)
{
	buf_clear(&p->packed);
	buf_clear(&p->plain);
	p->read = p->fed = 0;
	p->ended = false;
}

static bool
read_piece(struct inflate_prefix *p, int fd, const char *path,
    const struct frame_info *info, struct err *err)
{
	size_t left = info->csize - p->read;
	size_t n = left < PIECE ? left : PIECE;
	buf_clear(&p->packed);
	p->fed = 0;
	if (n == 0)
		return damaged(path, info, err);
	if (!file_pread(fd, buf_room(&p->packed, n), n, info->offset + p->read,
		path, err)) {
		err->scope = ERR_MESSAGE;
		return false;
	}
	p->packed.len = n;
	p->read += n;

	return true;
}

/*
 * zstd makes its window as large as the first header says, and anew for each
 * larger one. What grows in steps leaves holes in the heap that nobody else
 * fits into (6 MiB in a haul), so it is shown the largest at once: nothing but
 * the header of a frame of one segment (RFC 8878 3.1.1.1).
 */
static void
take_room(struct inflate_prefix *p)
{
	const unsigned char header[] = { 0x28, 0xb5, 0x2f, 0xfd, 0xa0,
		FRAME_MAX & 0xff, FRAME_MAX >> 8 & 0xff, FRAME_MAX >> 16 & 0xff,
		FRAME_MAX >> 24 };
	char nothing[1];
	ZSTD_inBuffer in = { header, sizeof(header), 0 };
	ZSTD_outBuffer out = { nothing, 0, 0 };
	p->context = new_context();
	if (ZSTD_isError(ZSTD_decompressStream(p->context, &out, &in)))
		mem_out();
	buf_room(&p->plain, FRAME_MAX);
}

static bool
begin(struct inflate_prefix *p, const struct frame_info *info)
{
	if (p->context == NULL)
		take_room(p);
	ZSTD_DCtx_reset(p->context, ZSTD_reset_session_only);
	buf_room(&p->plain, info->dsize);

	return ZSTD_getFrameContentSize(p->packed.data, p->packed.len) ==
	       info->dsize;
}

/* Until n octets are there or the piece is used up. */
static bool
inflate_piece(struct inflate_prefix *p, const struct frame_info *info, size_t n)
{
	ZSTD_inBuffer in = { p->packed.data, p->packed.len, p->fed };
	ZSTD_outBuffer out = { p->plain.data, n, p->plain.len };
	size_t left = ZSTD_decompressStream(p->context, &out, &in);
	/* A window that was large for long without need is made anew. */
	if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
		mem_out();
	if (ZSTD_isError(left))
		return false;
	p->fed = in.pos;
	p->plain.len = out.pos;
	p->ended = left == 0;

	/* What ends must end where the frame does. */
	return !p->ended ||
	       (p->plain.len == info->dsize && p->read == info->csize &&
		   p->fed == p->packed.len);
}

bool
inflate_prefix_reach(struct inflate_prefix *p, int fd, const char *path,
    const struct frame_info *info, size_t n, struct err *err)
{
	if (is_too_large(path, info, err))
		return false;
	while (!p->ended && (p->plain.len < n || n == info->dsize)) {
		bool first = p->read == 0;
		if (p->fed == p->packed.len &&
		    !read_piece(p, fd, path, info, err))
			return false;
		if ((first && !begin(p, info)) || !inflate_piece(p, info, n))
			return damaged(path, info, err);
	}

	return true;
}

void
inflate_prefix_free(struct inflate_prefix *p)
{
	ZSTD_freeDCtx(p->context);
	buf_free(&p->packed);
	buf_free(&p->plain);
	*p = (struct inflate_prefix){ 0 };
}
