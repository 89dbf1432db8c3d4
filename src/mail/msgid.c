#include "mail/msgid.h"

#include "base/digest.h"

#include <string.h>

/* The octet behind a quoted string or comment that starts at p; NULL if it
 * is not closed. Both may hold quoted pairs; comments nest (RFC 5322 3.2). */
static const char *
skip_quoted(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			return p + 1;
	}

	return NULL;
}

static const char *
skip_comment(const char *p, const char *end)
{
	size_t depth = 0;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}

	return NULL;
}

static void
add_visible(struct buf *out, const char *p, const char *end)
{
	for (; p < end; p++)
		if ((unsigned char)*p > ' ' && *p != 127)
			buf_char(out, *p);
}

/* Octets without comments, white space and controls. A comment or string
 * that never closes is text, and so is what follows: each octet is looked at
 * a few times at most. */
static void
add_bare(struct buf *out, const char *p, const char *end)
{
	bool comments = true, strings = true;

	while (p < end) {
		const char *next = NULL;
		if (*p == '(' && comments) {
			next = skip_comment(p, end);
			comments = next != NULL;
		} else if (*p == '"' && strings) {
			next = skip_quoted(p, end);
			strings = next != NULL;
			if (strings)
				add_visible(out, p, next);
		}
		if (next == NULL) {
			next = p + 1;
			add_visible(out, p, next);
		}
		p = next;
	}
}

/* Keep what stands between the first < and the next >. */
static void
keep_bracketed(struct buf *out, size_t start)
{
	char *text = out->data + start;
	size_t len = out->len - start;
	const char *open = memchr(text, '<', len);

	if (open == NULL)
		return;
	const char *end = text + len;
	while (open < end && *open == '<')
		open++;
	const char *close = memchr(open, '>', (size_t)(end - open));
	if (close != NULL)
		end = close;
	len = (size_t)(end - open);
	memmove(text, open, len);
	text[len] = '\0';
	out->len = start + len;
}

static void
lower_domain(char *text, size_t len)
{
	char *at = memrchr(text, '@', len);

	if (at == NULL)
		return;
	for (; at < text + len; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
}

void
msgid_canonical(struct buf *out, struct header_slice field)
{
	size_t start = out->len;

	if (field.data == NULL)
		return;
	add_bare(out, field.data, field.data + field.len);
	if (out->len == start)
		return;
	keep_bracketed(out, start);
	lower_domain(out->data + start, out->len - start);
}

int64_t
msgid_key(struct header_slice field)
{
	struct buf id = { 0 };

	msgid_canonical(&id, field);
	int64_t key = id.len > 0 ? hash64_of(id.data, id.len) : 0;
	buf_free(&id);

	return key;
}
