#include "jsonl.h"

#include "base/text.h"

#include <string.h>

enum { INT64_DIGITS = 20 };

/* ---- values ---- */

/* Octets that stand in a string as they are: neither controls nor quotes, and
 * none that may be no UTF-8. */
static size_t
plain(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && (unsigned char)text[n] >= ' ' &&
	       (unsigned char)text[n] < 0x80 && text[n] != '"' &&
	       text[n] != '\\')
		n++;

	return n;
}

static void
add_escaped(struct buf *out, char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (size_t i = 0; i + 1 < sizeof(letters); i += 2)
		if (letters[i] == c) {
			buf_char(out, '\\');
			buf_char(out, letters[i + 1]);
			return;
		}
	buf_fmt(out, "\\u%04X", (unsigned)(unsigned char)c);
}

/* text: valid UTF-8. */
static void
add_valid(struct buf *out, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = plain(text, len);
		while (n < len && (unsigned char)text[n] >= 0x80)
			n++;
		buf_add(out, text, n);
		if (n == 0) {
			add_escaped(out, *text);
			n = 1;
		}
		text += n;
		len -= n;
	}
}

static void
add_string(struct buf *out, const char *text, size_t len)
{
	size_t n = plain(text, len);
	buf_char(out, '"');
	buf_add(out, text, n);
	if (n < len) {
		struct buf clean = { 0 };
		text_utf8(&clean, text + n, len - n);
		add_valid(out, clean.data, clean.len);
		buf_free(&clean);
	}
	buf_char(out, '"');
}

static void
add_int(struct buf *out, int64_t value)
{
	char digits[INT64_DIGITS];
	size_t at = sizeof(digits);
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (value < 0)
		digits[--at] = '-';
	buf_add(out, digits + at, sizeof(digits) - at);
}

/* ---- keys ---- */

static void
add_key(struct jsonl *l, const char *key)
{
	size_t len = strlen(key);
	char *at = buf_room(l->out, len + 4);
	char *p = at;
	if (l->more)
		*p++ = ',';
	*p++ = '"';
	memcpy(p, key, len);
	p += len;
	*p++ = '"';
	*p++ = ':';
	l->out->len += (size_t)(p - at);
	l->more = true;
}

void
jsonl_begin(struct jsonl *l, struct buf *out)
{
	*l = (struct jsonl){ .out = out };
	buf_char(out, '{');
}

void
jsonl_end(struct jsonl *l)
{
	buf_str(l->out, "}\n");
}

void
jsonl_octets(struct jsonl *l, const char *key, const char *text, size_t len)
{
	add_key(l, key);
	add_string(l->out, text, len);
}

void
jsonl_text(struct jsonl *l, const char *key, const char *text)
{
	if (text == NULL)
		jsonl_null(l, key);
	else
		jsonl_octets(l, key, text, strlen(text));
}

void
jsonl_number(struct jsonl *l, const char *key, uint64_t value)
{
	add_key(l, key);
	add_int(l->out, (int64_t)value);
}

void
jsonl_bool(struct jsonl *l, const char *key, bool value)
{
	add_key(l, key);
	buf_str(l->out, value ? "true" : "false");
}

void
jsonl_null(struct jsonl *l, const char *key)
{
	add_key(l, key);
	buf_str(l->out, "null");
}

void
jsonl_words(struct jsonl *l, const char *key, const char *words)
{
	bool more = false;
	add_key(l, key);
	buf_char(l->out, '[');
	for (size_t len; *words != '\0'; words += len) {
		len = strcspn(words, " ");
		if (len > 0) {
			if (more)
				buf_char(l->out, ',');
			add_string(l->out, words, len);
			more = true;
		}
		len += words[len] == ' ';
	}
	buf_char(l->out, ']');
}

void
jsonl_list(struct jsonl *l, const char *key, const char *const *texts, size_t n)
{
	add_key(l, key);
	buf_char(l->out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_char(l->out, ',');
		add_string(l->out, texts[i], strlen(texts[i]));
	}
	buf_char(l->out, ']');
}

void
jsonl_open(struct jsonl *l, const char *key)
{
	add_key(l, key);
	buf_char(l->out, '{');
	l->more = false;
}

void
jsonl_close(struct jsonl *l)
{
	buf_char(l->out, '}');
	l->more = true;
}
