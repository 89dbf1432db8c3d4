#include "mail/name.h"

#include "base/digest.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

static const struct {
	const char *name;
	uint32_t bit;
	const char *role; /* NULL: no special use */
} attributes[] = {
	{ "\\Noselect", MAILBOX_NOSELECT, NULL },
	{ "\\NonExistent", MAILBOX_NONEXISTENT, NULL },
	{ "\\Noinferiors", MAILBOX_NOINFERIORS, NULL },
	{ "\\HasChildren", MAILBOX_HAS_CHILDREN, NULL },
	{ "\\HasNoChildren", MAILBOX_HAS_NO_CHILDREN, NULL },
	{ "\\Marked", MAILBOX_MARKED, NULL },
	{ "\\Unmarked", MAILBOX_UNMARKED, NULL },
	{ "\\Subscribed", MAILBOX_SUBSCRIBED, NULL },
	{ "\\Remote", MAILBOX_REMOTE, NULL },
	{ "\\All", MAILBOX_ALL, "all" },
	{ "\\Archive", MAILBOX_ARCHIVE, "archive" },
	{ "\\Drafts", MAILBOX_DRAFTS, "drafts" },
	{ "\\Flagged", MAILBOX_FLAGGED, "flagged" },
	{ "\\Junk", MAILBOX_JUNK, "junk" },
	{ "\\Sent", MAILBOX_SENT, "sent" },
	{ "\\Trash", MAILBOX_TRASH, "trash" },
	{ "\\Important", MAILBOX_IMPORTANT, "important" },
	/* Names from before RFC 6154 that servers still use. */
	{ "\\AllMail", MAILBOX_ALL, NULL },
	{ "\\Spam", MAILBOX_JUNK, NULL },
	{ "\\Starred", MAILBOX_FLAGGED, NULL },
};

enum { ATTRIBUTE_COUNT = sizeof(attributes) / sizeof(attributes[0]) };

static const char special[] = "special:";

uint32_t
name_attribute(const char *text, size_t len)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (strlen(attributes[i].name) == len &&
		    strncasecmp(attributes[i].name, text, len) == 0)
			return attributes[i].bit;

	return 0;
}

const char *
name_special_use(uint32_t set)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (attributes[i].role != NULL &&
		    (set & attributes[i].bit) != 0)
			return attributes[i].role;

	return NULL;
}

static bool
is_special(const char *pattern)
{
	return strncasecmp(pattern, special, sizeof(special) - 1) == 0;
}

uint32_t
name_role(const char *role)
{
	if (!is_special(role))
		return 0;
	role += sizeof(special) - 1;
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (attributes[i].role != NULL &&
		    strcasecmp(attributes[i].role, role) == 0)
			return attributes[i].bit;

	return 0;
}

void
name_mark(struct buf *display, const char *wire, size_t len)
{
	enum { DIGITS = 8 }; /* octets of the hash; as long paths have them */
	uint8_t sha256[DIGEST_SIZE];
	char hex[2 * DIGITS + 1];
	digest_of(wire, len, sha256);
	buf_fmt(display, "%%~%s", digest_hex(hex, sha256, DIGITS));
}

bool
name_is_safe(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 127)
			return false;

	return len > 0;
}

/* The base64 of modified UTF-7: ',' for '/', no padding. */
static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;

	return c == ',' ? 63 : -1;
}

static bool
is_printable(uint32_t c)
{
	return c >= ' ' && c < 127;
}

static void
add_character(struct buf *out, uint32_t c)
{
	utf8proc_uint8_t octets[4];
	utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, octets);

	buf_add(out, octets, (size_t)n);
}

/*
 * One UTF-16 unit of a shift; *high: a high surrogate that waits for its low
 * one. What can stand for itself mustn't be shifted (RFC 3501 5.1.3), and NUL
 * is no character of a name.
 */
static bool
add_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		add_character(
		    out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
		return true;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if (unit == 0 || is_printable(unit) ||
	    (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	add_character(out, unit);

	return true;
}

/* p stands behind '&'. Behind the closing '-', or NULL if it isn't valid. */
static const char *
decode_shift(struct buf *out, const char *p, const char *end)
{
	uint32_t bits = 0, high = 0;
	unsigned count = 0;

	if (p < end && *p == '-') {
		buf_char(out, '&');
		return p + 1;
	}
	const char *start = p;
	for (; p < end && *p != '-'; p++) {
		int value = base64_value(*p);
		if (value < 0)
			return NULL;
		bits = (bits << 6 | (uint32_t)value) & 0x3fffff;
		count += 6;
		if (count < 16)
			continue;
		count -= 16;
		if (!add_unit(out, bits >> count & 0xffff, &high))
			return NULL;
	}
	/* Whole units, zero bits after the last one, and no digit too many. */
	if (p == start || p == end || high != 0 || count >= 6 ||
	    (bits & ((1U << count) - 1)) != 0)
		return NULL;
	p++;
	/* Two shifts in a row ought to be one. */
	if (end - p >= 2 && p[0] == '&' && p[1] != '-')
		return NULL;

	return p;
}

/* Length of the UTF-8 character at p; 0 if there is none. */
static size_t
utf8_length(const char *p, const char *end)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t n =
	    utf8proc_iterate((const utf8proc_uint8_t *)p, end - p, &c);

	return n > 0 ? (size_t)n : 0;
}

static bool
decode(struct buf *out, const char *p, const char *end)
{
	while (p < end) {
		if (*p == '&') {
			p = decode_shift(out, p + 1, end);
			if (p == NULL)
				return false;
			continue;
		}
		size_t n = utf8_length(p, end);
		if (n == 0 || (unsigned char)*p < ' ' || *p == 127)
			return false;
		buf_add(out, p, n);
		p += n;
	}

	return true;
}

/* As they are, but what is no UTF-8 (and NUL) as %XX. */
static void
add_raw(struct buf *out, const char *p, const char *end)
{
	while (p < end) {
		size_t n = *p == '\0' ? 0 : utf8_length(p, end);
		if (n > 0) {
			buf_add(out, p, n);
			p += n;
		} else {
			buf_fmt(out, "%%%02X", (unsigned char)*p++);
		}
	}
}

bool
name_decode(struct buf *out, const char *wire, size_t len)
{
	size_t start = out->len;

	buf_add(out, "", 0);
	if (decode(out, wire, wire + len))
		return true;
	out->len = start;
	out->data[start] = '\0';
	add_raw(out, wire, wire + len);

	return false;
}

/* The bits of a shift that don't fill a digit yet. */
struct shift {
	uint32_t bits;
	unsigned count;
	bool open;
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+,";

static void
shift_unit(struct buf *out, struct shift *s, uint32_t unit)
{
	if (!s->open)
		buf_char(out, '&');
	s->open = true;
	s->bits = s->bits << 16 | unit;
	s->count += 16;
	for (; s->count >= 6; s->count -= 6)
		buf_char(out, digits[s->bits >> (s->count - 6) & 63]);
	s->bits &= (1U << s->count) - 1;
}

static void
shift_end(struct buf *out, struct shift *s)
{
	if (!s->open)
		return;
	if (s->count > 0)
		buf_char(out, digits[s->bits << (6 - s->count) & 63]);
	buf_char(out, '-');
	*s = (struct shift){ 0 };
}

static void
encode_character(struct buf *out, struct shift *s, uint32_t c)
{
	if (is_printable(c)) {
		shift_end(out, s);
		buf_char(out, (char)c);
		if (c == '&')
			buf_char(out, '-');
	} else if (c >= 0x10000) {
		shift_unit(out, s, 0xd800 + ((c - 0x10000) >> 10));
		shift_unit(out, s, 0xdc00 + ((c - 0x10000) & 0x3ff));
	} else {
		shift_unit(out, s, c);
	}
}

void
name_encode(struct buf *out, const char *utf8, size_t len)
{
	const char *end = utf8 + len;
	struct shift shift = { 0 };

	buf_add(out, "", 0);
	while (utf8 < end) {
		utf8proc_int32_t c;
		utf8proc_ssize_t n = utf8proc_iterate(
		    (const utf8proc_uint8_t *)utf8, end - utf8, &c);
		if (n > 0) {
			encode_character(out, &shift, (uint32_t)c);
			utf8 += n;
		} else {
			shift_end(out, &shift);
			buf_fmt(out, "%%%02X", (unsigned char)*utf8++);
		}
	}
	shift_end(out, &shift);
}

/* A separator may also be a digit of an open shift. */
size_t
name_level(const char *wire, size_t len, char separator)
{
	const char *p = wire, *end = wire + len;
	bool shifted = false;

	for (; p < end; p++) {
		if (separator != '\0' && *p == separator &&
		    !(shifted && base64_value(*p) >= 0))
			break;
		if (*p == '&')
			shifted = true;
		else if (*p == '-' || base64_value(*p) < 0)
			shifted = false;
	}

	return (size_t)(p - wire);
}

static void
add_level(struct buf *out, const char *level, size_t len)
{
	struct buf text = { 0 };

	name_decode(&text, level, len);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '/')
			buf_str(out, "%2F");
		else
			buf_char(out, text.data[i]);
	}
	buf_free(&text);
}

void
name_display(struct buf *out, const char *wire, size_t len, char separator)
{
	const char *end = wire + len;

	buf_add(out, "", 0);
	for (;;) {
		const char *stop =
		    wire + name_level(wire, (size_t)(end - wire), separator);
		add_level(out, wire, (size_t)(stop - wire));
		if (stop == end)
			return;
		buf_char(out, '/');
		wire = stop + 1;
	}
}

/* A glob's parts; a pattern is an array of them, ended by PART_END. */
enum part_kind { PART_END, PART_LITERAL, PART_ONE, PART_LEVEL, PART_ALL };

struct part {
	enum part_kind kind;
	uint32_t character; /* PART_LITERAL */
	bool here;          /* a way to match leads to this part */
};

static bool
begins_with_inbox(const char *name)
{
	return strncasecmp(name, "INBOX", 5) == 0 &&
	       (name[5] == '\0' || name[5] == '/');
}

/* Composed, because a macOS client writes what nobody types. NULL if it is
 * no UTF-8; to be freed. */
static char *
composed(const char *text)
{
	return (char *)utf8proc_NFC((const utf8proc_uint8_t *)text);
}

/* The next character; an octet that is none stands for itself. */
static uint32_t
next_character(const char **p)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t n =
	    utf8proc_iterate((const utf8proc_uint8_t *)*p, -1, &c);

	if (n > 0) {
		*p += n;
		return (uint32_t)c;
	}

	return 0x110000 + (unsigned char)*(*p)++;
}

static struct part *
compile(const char *pattern)
{
	struct part *parts = mem_array(strlen(pattern) + 1, sizeof(*parts));
	struct part *part = parts;

	while (*pattern != '\0') {
		uint32_t c = next_character(&pattern);
		if (c == '/' && *pattern == '\0')
			break;
		part->character = c;
		part->kind = PART_LITERAL;
		if (c == '?')
			part->kind = PART_ONE;
		if (c == '*') {
			part->kind = *pattern == '*' ? PART_ALL : PART_LEVEL;
			while (*pattern == '*')
				pattern++;
		}
		part++;
	}

	return parts;
}

/* A star may also stand for nothing. */
static void
pass_stars(struct part *parts)
{
	for (; parts->kind != PART_END; parts++)
		if (parts->here && parts->kind >= PART_LEVEL)
			parts[1].here = true;
}

static bool
same_character(uint32_t a, uint32_t b, bool fold)
{
	if (fold && a < 128 && b < 128 && (a | 0x20) >= 'a' &&
	    (a | 0x20) <= 'z')
		return (a | 0x20) == (b | 0x20);

	return a == b;
}

/*
 * All ways to match advance by one character together: characters times parts
 * steps whatever the pattern. Returns whether the end is reached.
 */
static bool
advance(struct part *parts, uint32_t c, bool fold)
{
	bool into = false; /* the part before leads here */

	for (;; parts++) {
		bool here = parts->here, on = false, stay = false;
		switch (parts->kind) {
		case PART_LITERAL:
			on = same_character(parts->character, c, fold);
			break;
		case PART_ONE:
			on = c != '/';
			break;
		case PART_LEVEL:
			stay = c != '/';
			break;
		case PART_ALL:
			stay = true;
			break;
		case PART_END:
			parts->here = into;
			return into;
		}
		parts->here = into || (here && stay);
		into = here && on;
	}
}

static bool
matches(struct part *parts, const char *display)
{
	bool inbox = begins_with_inbox(display);
	const char *at = display;
	struct part *last = parts;

	while (last->kind != PART_END)
		last++;
	parts->here = last != parts;
	pass_stars(parts);
	while (*at != '\0') {
		/* What matches a parent matches its children. */
		if (last->here && *at == '/')
			return true;
		bool fold = inbox && at - display < 5;
		advance(parts, next_character(&at), fold);
		pass_stars(parts);
	}

	return last->here;
}

bool
name_matches(const char *pattern, const char *display, uint32_t set)
{
	if (is_special(pattern))
		return (set & name_role(pattern)) != 0;
	char *name = composed(display);
	char *glob = composed(pattern);
	struct part *parts = compile(glob != NULL ? glob : pattern);
	bool yes = matches(parts, name != NULL ? name : display);
	free(parts);
	free(glob);
	free(name);

	return yes;
}
