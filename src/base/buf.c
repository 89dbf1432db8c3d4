#include "base/buf.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_ROOM = 48 };

char *
buf_room(struct buf *b, size_t n)
{
	if (n > SIZE_MAX / 2 - b->len)
		abort();
	size_t need = b->len + n + 1;
	if (need > b->cap) {
		size_t cap = b->cap < 64 ? 64 : b->cap;
		while (cap < need)
			cap *= 2;
		b->data = mem_grow(b->data, cap, 1);
		b->cap = cap;
	}

	return b->data + b->len;
}

void
buf_add(struct buf *b, const void *data, size_t n)
{
	char *at = buf_room(b, n);
	if (n > 0)
		memcpy(at, data, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_base64(struct buf *b, const void *data, size_t n)
{
	if (n > INT_MAX)
		abort();
	unsigned char *at = (unsigned char *)buf_room(b, (n + 2) / 3 * 4);
	b->len += (size_t)EVP_EncodeBlock(at, data, (int)n);
}

void
buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	/* Most texts are short: seldom twice. */
	char *at = buf_room(b, FIRST_ROOM);
	size_t room = b->cap - b->len;
	int n = vsnprintf(at, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room) {
		at = buf_room(b, (size_t)n);
		vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	if (n > 0)
		b->len += (size_t)n;
	b->data[b->len] = '\0';
	va_end(again);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

char *
buf_steal(struct buf *b)
{
	buf_add(b, "", 0);
	char *s = b->data;
	*b = (struct buf){ 0 };

	return s;
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		OPENSSL_cleanse(b->data, b->cap);
	buf_free(b);
}
