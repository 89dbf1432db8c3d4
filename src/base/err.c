#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

__attribute__((format(printf, 5, 0))) static void
fill(struct err *e, enum err_scope scope, enum err_code code, bool transient,
    const char *fmt, va_list ap)
{
	struct buf raw = { 0 };
	buf_vfmt(&raw, fmt, ap);
	/* e may hold what an argument points to: format first, then clear. */
	*e = (struct err){
		.scope = scope, .code = code, .transient = transient
	};
	text_escape_to(e->text, sizeof(e->text),
	    raw.data == NULL ? "" : raw.data, raw.len);
	buf_free(&raw);
}

void
err_fill(struct err *e, enum err_scope scope, enum err_code code,
    const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(e, scope, code, false, fmt, ap);
	va_end(ap);
}

void
err_fill_transient(struct err *e, enum err_scope scope, enum err_code code,
    const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(e, scope, code, true, fmt, ap);
	va_end(ap);
}

static enum err_code
code_of_errno(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EACCES:
	case EPERM:
	case EFBIG:
		return ERR_DISK_FULL;
	default:
		return ERR_IO;
	}
}

void
err_fill_errno(struct err *e, enum err_scope scope, const char *fmt, ...)
{
	int error = errno;
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_vfmt(&text, fmt, ap);
	va_end(ap);
	err_fill(e, scope, code_of_errno(error), "%s: %s", text.data,
	    strerror(error));
	buf_free(&text);
}

bool
err_words(struct err *e, const char *words, uint64_t len)
{
	text_escape_to(e->words, sizeof(e->words), words, (size_t)len);

	return false;
}

bool
err_hint(struct err *e, const char *fmt, ...)
{
	size_t used = strlen(e->hint);
	if (used > 0 && used + 1 < sizeof(e->hint))
		e->hint[used++] = '\n';
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->hint + used, sizeof(e->hint) - used, fmt, ap);
	va_end(ap);

	return false;
}

const char *
err_code_word(enum err_code code)
{
	static const char *const words[] = {
		[ERR_OTHER] = "other",
		[ERR_USAGE] = "usage",
		[ERR_LOGIN] = "login",
		[ERR_NETWORK] = "network",
		[ERR_TLS] = "tls",
		[ERR_PROTOCOL] = "protocol",
		[ERR_THROTTLE] = "throttle",
		[ERR_QUOTA] = "quota",
		[ERR_TOO_BIG] = "too_big",
		[ERR_REFUSED] = "refused",
		[ERR_GONE] = "gone",
		[ERR_UIDVALIDITY] = "uidvalidity",
		[ERR_DISK_FULL] = "disk_full",
		[ERR_IO] = "io",
		[ERR_LOCKED] = "locked",
		[ERR_DAMAGED] = "damaged",
		[ERR_STOPPED] = "stopped",
		[ERR_AMBIGUOUS] = "ambiguous",
		[ERR_MISMATCH] = "mismatch",
	};

	return words[code];
}
