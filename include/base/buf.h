#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Growing octets.  {0} is an empty buffer.  data[len] is always NUL once
 * something was added, but NULs may stand inside.  Out of memory aborts.
 */
struct buf {
	char *data;
	size_t len, cap;
};

void buf_add(struct buf *, const void *, size_t);
void buf_str(struct buf *, const char *);
void buf_char(struct buf *, char);
void buf_fmt(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));
/* In base64 (RFC 4648, 4), padded; at most INT_MAX octets. */
void buf_base64(struct buf *, const void *, size_t);
/* At least n octets of room behind len; returns where they start. */
char *buf_room(struct buf *, size_t n);
void buf_clear(struct buf *);             /* len = 0, memory kept */
void buf_consume(struct buf *, size_t n); /* drop the first n octets */
void buf_free(struct buf *);              /* back to {0} */
char *buf_steal(struct buf *); /* the string, now the caller's; buf {0} */
/* The same, after overwriting the octets: for secrets. */
void buf_wipe(struct buf *);

#endif
