#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void
mem_out(void)
{
	static const char text[] = "mailhaul: out of memory\n";
	fwrite(text, 1, sizeof(text) - 1, stderr);
	abort();
}

static void *
or_abort(void *p)
{
	if (p == NULL)
		mem_out();

	return p;
}

void *
mem_new(size_t size)
{
	return or_abort(calloc(1, size == 0 ? 1 : size));
}

void *
mem_array(size_t count, size_t size)
{
	return or_abort(calloc(count == 0 ? 1 : count, size));
}

void *
mem_grow(void *p, size_t count, size_t size)
{
	return or_abort(reallocarray(p, count == 0 ? 1 : count, size));
}

char *
mem_str(const char *s)
{
	return s == NULL ? NULL : or_abort(strdup(s));
}

char *
mem_strn(const char *s, size_t len)
{
	char *copy = mem_new(len + 1);
	if (len > 0)
		memcpy(copy, s, len);

	return copy;
}

void *
mem_dup(const void *p, size_t len)
{
	void *copy = mem_new(len);
	if (len > 0)
		memcpy(copy, p, len);

	return copy;
}

char *
mem_fmt(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);

	return or_abort(n < 0 ? NULL : out);
}
