#include "decode.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 10, ENTITY_MAX = 12 };

struct html {
	struct buf *out;
	size_t end; /* where out must not grow beyond */
	bool full;
	bool blank; /* a blank is due before the next character */
};

/* Tags that stand inside words; all others part them. */
static const char *const inlines[] = { "a", "abbr", "acronym", "b", "bdi",
	"bdo", "big", "em", "font", "i", "ins", "mark", "s", "small", "span",
	"strike", "strong", "sub", "sup", "tt", "u", "wbr" };

/* Elements whose content is no text. */
static const char *const silent[] = { "script", "style", "title", "template" };

/* ISO 8859-1's upper half from 160 on (HTML 4.01, 24.2.1). */
static const char *const latin1[] = { "nbsp", "iexcl", "cent", "pound",
	"curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo",
	"not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute",
	"micro", "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14",
	"frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde",
	"Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml",
	"Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
	"Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave",
	"Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave",
	"aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
	"egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
	"iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
	"divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute",
	"thorn", "yuml" };

static const struct {
	const char *name;
	uint32_t code;
} others[] = {
	{ "amp", '&' },
	{ "lt", '<' },
	{ "gt", '>' },
	{ "quot", '"' },
	{ "apos", '\'' },
	{ "euro", 0x20AC },
	{ "ndash", 0x2013 },
	{ "mdash", 0x2014 },
	{ "lsquo", 0x2018 },
	{ "rsquo", 0x2019 },
	{ "sbquo", 0x201A },
	{ "ldquo", 0x201C },
	{ "rdquo", 0x201D },
	{ "bdquo", 0x201E },
	{ "hellip", 0x2026 },
	{ "bull", 0x2022 },
	{ "trade", 0x2122 },
	{ "OElig", 0x0152 },
	{ "oelig", 0x0153 },
	{ "Scaron", 0x0160 },
	{ "scaron", 0x0161 },
	{ "Yuml", 0x0178 },
};

/* ---- output ---- */

static void
put(struct html *h, const char *octets, size_t n)
{
	size_t need = n + (h->blank ? 1 : 0);
	if (h->full || need > h->end - h->out->len) {
		h->full = true;
		return;
	}
	if (h->blank)
		buf_char(h->out, ' ');
	h->blank = false;
	buf_add(h->out, octets, n);
}

static void
put_code(struct html *h, uint32_t c)
{
	char out[4];
	size_t n = 0;
	if (c == 0xAD) /* a soft hyphen stands inside a word */
		return;
	if (c <= ' ' || c == 0xA0 || c > 0x10FFFF || (c >> 11) == 0x1B) {
		h->blank = h->out->len > 0;
		return;
	}
	if (c < 0x80) {
		out[n++] = (char)c;
	} else if (c < 0x800) {
		out[n++] = (char)(0xC0 | c >> 6);
		out[n++] = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		out[n++] = (char)(0xE0 | c >> 12);
		out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
		out[n++] = (char)(0x80 | (c & 0x3F));
	} else {
		out[n++] = (char)(0xF0 | c >> 18);
		out[n++] = (char)(0x80 | (c >> 12 & 0x3F));
		out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
		out[n++] = (char)(0x80 | (c & 0x3F));
	}
	put(h, out, n);
}

/* ---- entities ---- */

static bool
is_digit(char c, bool hex)
{
	return (c >= '0' && c <= '9') ||
	       (hex && ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'));
}

/* Behind "&#": the character's number. */
static const char *
number(const char *p, const char *end, uint32_t *code)
{
	bool hex = p < end && (*p | 0x20) == 'x';
	uint32_t value = 0;
	p += hex ? 1 : 0;
	const char *first = p;
	for (; p < end && is_digit(*p, hex); p++) {
		uint32_t digit = *p <= '9' ? (uint32_t)(*p - '0')
					   : (uint32_t)((*p | 0x20) - 'a' + 10);
		if (value < 0x110000)
			value = value * (hex ? 16 : 10) + digit;
	}
	if (p == first)
		return NULL;
	*code = value;

	return p < end && *p == ';' ? p + 1 : p;
}

static bool
named(const char *name, size_t len, uint32_t *code)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strlen(others[i].name) == len &&
		    memcmp(others[i].name, name, len) == 0) {
			*code = others[i].code;
			return true;
		}
	for (size_t i = 0; i < sizeof(latin1) / sizeof(latin1[0]); i++)
		if (strlen(latin1[i]) == len &&
		    memcmp(latin1[i], name, len) == 0) {
			*code = 160 + (uint32_t)i;
			return true;
		}

	return false;
}

/* p stands on '&'. Where reading goes on; an '&' alone is itself. */
static const char *
entity(struct html *h, const char *p, const char *end)
{
	uint32_t code = '&';
	const char *next = NULL;
	const char *start = p + 1;
	if (start < end && *start == '#') {
		next = number(start + 1, end, &code);
	} else {
		size_t max = (size_t)(end - start);
		const char *stop =
		    memchr(start, ';', max < ENTITY_MAX ? max : ENTITY_MAX);
		if (stop != NULL && named(start, (size_t)(stop - start), &code))
			next = stop + 1;
	}
	put_code(h, code);

	return next != NULL ? next : start;
}

/* ---- tags ---- */

static bool
is_among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(names[i], name) == 0)
			return true;

	return false;
}

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Behind the '>' that ends a tag; a '>' in quotes doesn't. Where quotes are
 * not closed the first '>' counts. */
static const char *
tag_end(const char *p, const char *end)
{
	const char *first = memchr(p, '>', (size_t)(end - p));
	if (first == NULL)
		return end;
	char quote = 0;
	for (const char *q = p; q < end && q - p < 4096; q++) {
		if (quote != 0)
			quote = *q == quote ? 0 : quote;
		else if (*q == '"' || *q == '\'')
			quote = *q;
		else if (*q == '>')
			return q + 1;
	}

	return first + 1;
}

/* Behind "</NAME…>", or the end of all. Each octet is looked at once. */
static const char *
element_end(const char *p, const char *end, const char *name)
{
	size_t len = strlen(name);
	while ((p = memchr(p, '<', (size_t)(end - p))) != NULL) {
		p++;
		if ((size_t)(end - p) > len && *p == '/' &&
		    strncasecmp(p + 1, name, len) == 0)
			return tag_end(p, end);
	}

	return end;
}

/* Behind the "-->" of a comment, or the '>' of what else begins so. */
static const char *
declaration_end(const char *p, const char *end)
{
	if (end - p < 4 || memcmp(p, "<!--", 4) != 0)
		return tag_end(p, end);
	const char *close = memmem(p + 4, (size_t)(end - p - 4), "-->", 3);

	return close == NULL ? end : close + 3;
}

/* p stands on '<'. */
static const char *
tag(struct html *h, const char *p, const char *end)
{
	char name[NAME_MAX_LEN + 1];
	size_t n = 0;
	const char *q = p + 1;
	if (q < end && (*q == '!' || *q == '?'))
		return declaration_end(p, end);
	bool closing = q < end && *q == '/';
	q += closing ? 1 : 0;
	if (q >= end || !is_letter(*q)) {
		put_code(h, '<');
		return p + 1;
	}
	while (q < end && n < NAME_MAX_LEN &&
	       (is_letter(*q) || is_digit(*q, false)))
		name[n++] = *q++;
	name[n] = '\0';
	if (!is_among(inlines, sizeof(inlines) / sizeof(inlines[0]), name))
		h->blank = h->out->len > 0;
	q = tag_end(q, end);
	if (!closing &&
	    is_among(silent, sizeof(silent) / sizeof(silent[0]), name))
		q = element_end(q, end, name);

	return q;
}

bool
text_html(struct buf *out, const char *html, size_t len, size_t max)
{
	struct html h = { .out = out, .end = out->len + max };
	const char *p = html, *end = html + len;
	while (p < end && !h.full) {
		if (*p == '<') {
			p = tag(&h, p, end);
		} else if (*p == '&') {
			p = entity(&h, p, end);
		} else if ((unsigned char)*p <= ' ') {
			h.blank = out->len > 0;
			p++;
		} else {
			size_t n = 1;
			while (
			    p + n < end && ((unsigned char)p[n] & 0xC0) == 0x80)
				n++;
			put(&h, p, n);
			p += n;
		}
	}

	return !h.full;
}
