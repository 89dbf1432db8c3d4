#include "lines.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

/* The log of the largest window accepted (TRUST 9). */
enum { WINDOW_LOG_MAX = 27 };

/* A line that begins before data: its rest is data[0, n). */
static bool
end_part(struct lines *l, const char *data, size_t n)
{
	buf_add(&l->part, data, n);
	bool ok = l->each(l->arg, l->part.data, l->part.len);
	buf_clear(&l->part);

	return ok;
}

bool
lines_add(struct lines *l, const void *data, size_t n)
{
	const char *p = data, *end = p + n;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline == NULL ? end : newline) - p);
		if (l->part.len + len > LINE_LIMIT) {
			l->too_long = true;
			return false;
		}
		if (newline == NULL) {
			buf_add(&l->part, p, len);
			return true;
		}
		if (l->part.len > 0 ? !end_part(l, p, len)
				    : !l->each(l->arg, p, len))
			return false;
		p = newline + 1;
	}

	return true;
}

bool
lines_at_end(const struct lines *l)
{
	return l->part.len == 0;
}

void
lines_free(struct lines *l)
{
	buf_free(&l->part);
}

/* ---- a zstd file ---- */

struct unpack {
	ZSTD_DCtx *context;
	char *in, *out;
	size_t left; /* 0: at a frame's end */
};

static bool
unpack_piece(struct unpack *u, struct lines *l, size_t n, const char **why)
{
	ZSTD_inBuffer in = { .src = u->in, .size = n };
	const size_t room = ZSTD_DStreamOutSize();
	size_t made;
	do {
		ZSTD_outBuffer out = { .dst = u->out, .size = room };
		u->left = ZSTD_decompressStream(u->context, &out, &in);
		if (ZSTD_getErrorCode(u->left) == ZSTD_error_memory_allocation)
			mem_out();
		if (ZSTD_isError(u->left)) {
			*why = "its compressed octets are damaged";
			return false;
		}
		made = out.pos;
		if (!lines_add(l, u->out, made)) {
			*why = l->too_long ? "a line is too long" : NULL;
			return false;
		}
	} while (in.pos < in.size || made == room);

	return true;
}

static bool
unpack_all(struct unpack *u, int fd, struct lines *l, struct digest *digest,
    const char **why)
{
	ssize_t n;
	bool ok = true;
	while ((n = read(fd, u->in, ZSTD_DStreamInSize())) > 0 ||
	       (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		digest_add(digest, u->in, (size_t)n);
		ok = ok && unpack_piece(u, l, (size_t)n, why);
	}
	if (ok && (n < 0 || u->left != 0 || !lines_at_end(l))) {
		*why = "its end is missing";
		ok = false;
	}

	return ok;
}

bool
lines_unpack(int fd, struct lines *l, struct digest *digest, const char **why)
{
	struct unpack u = { .context = ZSTD_createDCtx(),
		.in = mem_array(ZSTD_DStreamInSize(), 1),
		.out = mem_array(ZSTD_DStreamOutSize(), 1),
		.left = 1 };
	if (u.context == NULL)
		abort();
	ZSTD_DCtx_setParameter(u.context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	*why = NULL;
	bool ok = unpack_all(&u, fd, l, digest, why);
	ZSTD_freeDCtx(u.context);
	free(u.in);
	free(u.out);

	return ok;
}
