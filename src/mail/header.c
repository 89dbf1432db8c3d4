#include "mail/header.h"

#include "sink.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
	/* More of one field isn't read for people: bounds the work that many
	 * tiny encoded words make. */
	FIELD_MAX = 64 << 10
};

static const struct {
	const char *name;
	size_t len, slice;
} fields[] = {
	{ "from", 4, offsetof(struct header_fields, from) },
	{ "to", 2, offsetof(struct header_fields, to) },
	{ "cc", 2, offsetof(struct header_fields, cc) },
	{ "date", 4, offsetof(struct header_fields, date) },
	{ "subject", 7, offsetof(struct header_fields, subject) },
	{ "message-id", 10, offsetof(struct header_fields, message_id) },
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The body's first octet if the line is the field name; blanks may stand
 * before the colon (RFC 5322 4.5.3). */
static const char *
field_body(const char *line, const char *end, size_t field)
{
	size_t n = fields[field].len;

	if ((size_t)(end - line) <= n ||
	    strncasecmp(line, fields[field].name, n) != 0)
		return NULL;
	line += n;
	while (line < end && is_blank(*line))
		line++;

	return line < end && *line == ':' ? line + 1 : NULL;
}

static const char *
line_end(const char *line, const char *end)
{
	const char *lf = memchr(line, '\n', (size_t)(end - line));

	return lf != NULL ? lf + 1 : end;
}

static bool
is_empty_line(const char *line, const char *end)
{
	return *line == '\n' ||
	       (*line == '\r' && end - line > 1 && line[1] == '\n');
}

/* The field's last octet's successor: continuation lines start with blanks. */
static const char *
field_end(const char *next, const char *end)
{
	while (next < end && is_blank(*next))
		next = line_end(next, end);

	return next;
}

static void
keep_field(
    struct header_fields *out, size_t field, const char *body, const char *end)
{
	struct header_slice *slice =
	    (struct header_slice *)((char *)out + fields[field].slice);

	if (slice->data != NULL)
		return;
	if (end > body && end[-1] == '\n')
		end--;
	if (end > body && end[-1] == '\r')
		end--;
	slice->data = body;
	slice->len = (size_t)(end - body);
}

/* True if a wanted field may start with this octet: most lines stop here. */
static bool
may_start(char c)
{
	switch (c | 0x20) {
	case 'f':
	case 't':
	case 'c':
	case 'd':
	case 's':
	case 'm':
		return true;
	default:
		return false;
	}
}

void
header_scan(const char *data, size_t len, struct header_fields *out)
{
	*out = (struct header_fields){ 0 };
	if (len == 0)
		return;
	const char *line = data, *end = data + len;
	if (len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	while (line < end && !is_empty_line(line, end)) {
		const char *next = line_end(line, end);
		const char *body = NULL;
		size_t i = 0;
		if (may_start(*line))
			for (; body == NULL &&
			       i < sizeof(fields) / sizeof(fields[0]);
			     i++)
				body = field_body(line, next, i);
		if (body != NULL) {
			next = field_end(next, end);
			keep_field(out, i - 1, body, next);
		}
		line = next;
	}
}

/* An encoded word (RFC 2047 2). */
struct word {
	const char *charset, *text, *end;
	size_t charset_len, text_len;
	char encoding; /* 'B' or 'Q' */
};

/* The part up to the next '?', which must come before white space. */
static const char *
word_part(const char *p, const char *end, size_t max)
{
	if ((size_t)(end - p) > max)
		end = p + max;
	for (; p < end && *p != '?'; p++)
		if (is_blank(*p) || *p == '\r' || *p == '\n')
			return NULL;

	return p < end ? p : NULL;
}

/*
 * p stands on "=?". Each search ends at a '?', so a field of nothing but
 * beginnings costs no more than its length. Blanks inside the text are a
 * frequent sin, and tolerated.
 */
static bool
parse_word(const char *p, const char *end, struct word *w)
{
	if (end - p < 2 || p[0] != '=' || p[1] != '?')
		return false;
	w->charset = p + 2;
	p = word_part(w->charset, end, 64);
	if (p == NULL || p == w->charset || end - p < 3 || p[2] != '?')
		return false;
	/* A language may follow the charset (RFC 2231 5). */
	const char *star = memchr(w->charset, '*', (size_t)(p - w->charset));
	w->charset_len = (size_t)((star != NULL ? star : p) - w->charset);
	w->encoding = p[1] & ~0x20;
	if (w->encoding != 'B' && w->encoding != 'Q')
		return false;
	w->text = p + 3;
	p = memchr(w->text, '?', (size_t)(end - w->text));
	if (p == NULL || end - p < 2 || p[1] != '=')
		return false;
	w->text_len = (size_t)(p - w->text);
	w->end = p + 2;

	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;

	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
decode_q(struct buf *out, const char *p, size_t len)
{
	char *to = buf_room(out, len);
	const char *end = p + len;

	while (p < end) {
		char c = *p++;
		if (c == '_')
			c = ' ';
		if (c == '=' && end - p >= 2 && hex_digit(p[0]) >= 0 &&
		    hex_digit(p[1]) >= 0) {
			c = (char)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
			p += 2;
		}
		*to++ = c;
	}
	out->len = (size_t)(to - out->data);
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;

	return c == '/' ? 63 : -1;
}

static void
decode_b(struct buf *out, const char *p, size_t len)
{
	char *to = buf_room(out, len);
	uint32_t bits = 0;
	unsigned count = 0;

	for (const char *end = p + len; p < end && *p != '='; p++) {
		int digit = base64_digit(*p);
		if (digit < 0)
			continue;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			*to++ = (char)(bits >> count);
		}
	}
	out->len = (size_t)(to - out->data);
}

static const char *
skip_white(const char *p, const char *end)
{
	while (p < end && (is_blank(*p) || *p == '\r' || *p == '\n'))
		p++;

	return p;
}

static bool
same_charset(const struct word *a, const struct word *b)
{
	return a->charset_len == b->charset_len &&
	       strncasecmp(a->charset, b->charset, a->charset_len) == 0;
}

/*
 * Decode the words from *w on that share its charset as one text, because
 * writers cut inside characters, into *octets (scratch). White space between
 * encoded words is no text (RFC 2047 6.2). Returns where reading goes on.
 */
static const char *
decode_words(struct sink *s, const char *start, const struct word *w,
    const char *end, struct buf *octets)
{
	struct word now = *w, next;
	const char *after;
	bool adjacent;

	buf_clear(octets);
	for (;;) {
		if (now.encoding == 'Q')
			decode_q(octets, now.text, now.text_len);
		else
			decode_b(octets, now.text, now.text_len);
		after = skip_white(now.end, end);
		adjacent = parse_word(after, end, &next);
		if (!adjacent || !same_charset(w, &next))
			break;
		now = next;
	}
	if (!sink_charset(
		s, w->charset, w->charset_len, octets->data, octets->len)) {
		sink_mixed(s, start, (size_t)(now.end - start));
		return now.end;
	}

	return adjacent ? after : now.end;
}

/* The next "=?" in [p, end), or end. */
static const char *
find_word(const char *p, const char *end)
{
	while (p < end) {
		p = memchr(p, '=', (size_t)(end - p));
		if (p == NULL)
			return end;
		if (end - p > 1 && p[1] == '?')
			return p;
		p++;
	}

	return end;
}

void
header_text(struct buf *out, struct header_slice field, size_t max)
{
	struct sink sink = { .data = buf_room(out, max), .max = max };
	struct buf octets = { 0 };
	struct word word;

	if (field.len > FIELD_MAX)
		field.len = FIELD_MAX;
	const char *p = field.data;
	const char *end = p != NULL ? p + field.len : p;
	while (p < end && !sink.full) {
		const char *start = find_word(p, end);
		sink_mixed(&sink, p, (size_t)(start - p));
		if (start == end)
			break;
		if (parse_word(start, end, &word)) {
			p = decode_words(&sink, start, &word, end, &octets);
		} else {
			sink_mixed(&sink, start, 2);
			p = start + 2;
		}
	}
	buf_free(&octets);
	out->len += sink.len;
	out->data[out->len] = '\0';
}
