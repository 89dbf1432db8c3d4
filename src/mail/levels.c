#include "levels.h"

#include "base/mem.h"
#include "mail/name.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

/* What an empty level is called. No escape: 'm' is no hex digit. */
static const char empty[] = "%empty";

static void
add(struct levels *l, struct buf *text, bool typed)
{
	l->array = mem_grow(l->array, l->n + 1, sizeof(*l->array));
	buf_add(text, "", 0);
	l->array[l->n++] = (struct level){ buf_steal(text), typed };
}

void
levels_of_wire(struct levels *l, const char *wire, size_t len, char separator)
{
	for (;;) {
		size_t n = name_level(wire, len, separator);
		struct buf text = { 0 };
		if (!name_decode(&text, wire, n)) {
			buf_clear(&text);
			buf_add(&text, wire, n);
		}
		add(l, &text, false);
		if (n == len)
			return;
		wire += n + 1;
		len -= n + 1;
	}
}

void
levels_of_display(struct levels *l, const char *display, bool typed)
{
	for (;;) {
		struct buf text = { 0 };
		while (*display != '\0' && *display != '/') {
			bool slash = strncmp(display, "%2F", 3) == 0;
			buf_char(&text, slash ? '/' : *display);
			display += slash ? 3 : 1;
		}
		if (typed && text.len == 0)
			buf_free(&text);
		else
			add(l, &text, typed);
		if (*display == '\0')
			return;
		display++;
	}
}

void
levels_prepend(struct levels *l, const struct levels *more)
{
	if (more->n == 0)
		return;
	l->array = mem_grow(l->array, l->n + more->n, sizeof(*l->array));
	memmove(l->array + more->n, l->array, l->n * sizeof(*l->array));
	for (size_t i = 0; i < more->n; i++)
		l->array[i] = (struct level){ mem_str(more->array[i].text),
			more->array[i].typed };
	l->n += more->n;
}

void
levels_drop(struct levels *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(l->array[i].text);
	l->n -= n;
	memmove(l->array, l->array + n, l->n * sizeof(*l->array));
}

void
levels_free(struct levels *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->array[i].text);
	free(l->array);
	*l = (struct levels){ 0 };
}

bool
levels_inbox(const char *level)
{
	return strcasecmp(level, "INBOX") == 0;
}

bool
levels_inbox_prefix(const struct place_target *t)
{
	return t->prefix != NULL && t->separator != '\0' &&
	       strncasecmp(t->prefix, "INBOX", 5) == 0 &&
	       t->prefix[5] == t->separator && t->prefix[6] == '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;

	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind an escape's first character: its octet; -1: it is none. */
static int
escaped_octet(const char *digits)
{
	int high = hex_value(digits[0]);
	int low = high < 0 ? -1 : hex_value(digits[1]);

	return low < 0 ? -1 : high << 4 | low;
}

static void
escape(struct buf *out, char sign, const char *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_fmt(out, "%c%02X", sign, (unsigned char)octets[i]);
}

/* Octets of the character at p, in *c; 0: it is no UTF-8. */
static size_t
character(const char *p, utf8proc_int32_t *c)
{
	utf8proc_ssize_t n =
	    utf8proc_iterate((const utf8proc_uint8_t *)p, -1, c);

	return n > 0 ? (size_t)n : 0;
}

/* C0, DEL, C1, and what ends lines on some screens. */
static bool
is_control(utf8proc_int32_t c)
{
	return c < ' ' || (c >= 127 && c < 160) || c == 0x2028 || c == 0x2029;
}

static bool
is_dots(const char *level)
{
	return strcmp(level, ".") == 0 || strcmp(level, "..") == 0;
}

/* Appended to text; at_start: the name begins with this level. */
static bool
escape_level(
    struct buf *text, const struct level *l, char separator, bool at_start)
{
	bool escaped = false;

	if (l->text[0] == '\0') {
		buf_str(text, empty);
		return true;
	}
	for (const char *p = l->text; *p != '\0';) {
		bool first = p == l->text;
		utf8proc_int32_t c = 0;
		size_t n = character(p, &c);
		bool bad = n == 0 || is_control(c) ||
			   (separator != '\0' && *p == separator);
		if (*p == '%' && !l->typed)
			bad |= escaped_octet(p + 1) >= 0 ||
			       (first && strcmp(p, empty) == 0);
		if (first)
			bad |= is_dots(p) || (at_start && *p == '#');
		n = n == 0 ? 1 : n;
		if (bad)
			escape(text, '%', p, n);
		else
			buf_add(text, p, n);
		escaped |= bad;
		p += n;
	}

	return escaped;
}

bool
levels_encode(
    struct buf *wire, const struct levels *l, const struct place_target *t)
{
	const char *prefix = t->prefix == NULL ? "" : t->prefix;
	bool inbox = l->n > 0 && levels_inbox(l->array[0].text);
	bool escaped = false;

	if (inbox && l->n == 1) {
		buf_str(wire, "INBOX");
		return false;
	}
	buf_str(wire, prefix);
	for (size_t i = 0; i < l->n; i++) {
		struct buf text = { 0 };
		/* Its parent is the prefix. */
		if (i == 0 && inbox && levels_inbox_prefix(t))
			continue;
		if (i == 0 && inbox && prefix[0] == '\0')
			buf_str(&text, "INBOX");
		else
			escaped |= escape_level(&text, &l->array[i],
			    t->separator, i == 0 && prefix[0] == '\0');
		name_encode(wire, text.data, text.len);
		buf_free(&text);
		if (i + 1 == l->n)
			break;
		/* A flat server has one level for all. */
		if (t->separator == '\0')
			buf_str(wire, "%2F");
		else
			buf_char(wire, t->separator);
		escaped |= t->separator == '\0';
	}

	return escaped;
}

/*
 * No server that was asked refuses these: Cyrus takes no % ! " ; < > \ ^ ` { |
 * }, Dovecot no leading ~ and, in Maildir++, no '.' and '/', Gmail no ^ and no
 * blanks at the end or in a row.
 */
static bool
is_safe(const char *start, const char *p, utf8proc_int32_t c, char separator)
{
	if (c == (unsigned char)separator)
		return false;
	if (c == ' ')
		return p > start && p[-1] != ' ' && p[1] != '\0';
	if (c < 128)
		return isalnum(c) || (c > ' ' && strchr("-_+=@,()'$", c));

	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ND:
		return true;
	default:
		return false;
	}
}

/*
 * The sign is '=', because Cyrus refuses '%'. What was escaped before stands
 * for its octet, unless that could have stood for itself.
 */
static void
strict_level(struct buf *out, const char *level, char separator)
{
	const char *p = level;

	if (strcmp(level, empty) == 0) {
		buf_fmt(out, "=%s", empty + 1);
		return;
	}
	while (*p != '\0') {
		utf8proc_int32_t c = 0;
		size_t n = character(p, &c);
		int octet = *p == '%' ? escaped_octet(p + 1) : -1;
		char one = (char)octet;
		if (octet >= 128 ||
		    (octet > 0 && !is_safe(level, level, octet, separator))) {
			escape(out, '=', &one, 1);
			p += 3;
			continue;
		}
		bool safe = n > 0 && is_safe(level, p, c, separator);
		if (*p == '=')
			safe &= escaped_octet(p + 1) < 0 &&
				(p > level || strcmp(p + 1, empty + 1) != 0);
		n = n == 0 ? 1 : n;
		if (safe)
			buf_add(out, p, n);
		else
			escape(out, '=', p, n);
		p += n;
	}
}

bool
levels_strict(struct buf *wire, const char *name, const struct place_target *t)
{
	const char *prefix = t->prefix == NULL ? "" : t->prefix;
	size_t start = wire->len;
	const char *at = name, *end = name + strlen(name);

	if (levels_inbox(name))
		return false;
	if (strncmp(name, prefix, strlen(prefix)) == 0)
		at += strlen(prefix);
	buf_add(wire, name, (size_t)(at - name));
	for (;;) {
		size_t n = name_level(at, (size_t)(end - at), t->separator);
		struct buf text = { 0 }, strict = { 0 };
		name_decode(&text, at, n);
		strict_level(&strict, text.data, t->separator);
		name_encode(wire, strict.data, strict.len);
		buf_free(&strict);
		buf_free(&text);
		at += n;
		if (at == end)
			break;
		buf_char(wire, *at++);
	}

	return strcmp(wire->data + start, name) != 0;
}
