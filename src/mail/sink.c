#include "sink.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

enum { REPLACEMENT = 0xfffd, NAME_MAX_LEN = 32 };

/* Windows-1252, octets 80 to 9F; the five that mean nothing are U+FFFD. */
static const uint16_t windows_1252[32] = { 0x20ac, 0xfffd, 0x201a, 0x0192,
	0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152,
	0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e,
	0x0178 };

/*
 * Names that mail uses, and what iconv is asked for: the superset that
 * writers meant. Only names in these two tables ever reach iconv_open, which
 * takes paths and options in a name and loads code by it.
 */
static const struct {
	const char *name, *meant;
} aliases[] = {
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "x-gbk", "GB18030" },
	{ "gb_2312-80", "GB18030" },
	{ "ks_c_5601-1987", "CP949" },
	{ "ks_c_5601", "CP949" },
	{ "euc-kr", "CP949" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "x-sjis", "CP932" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "unicode-1-1-utf-7", "UTF-7" },
	{ "x-mac-roman", "MACINTOSH" },
	{ "x-windows-949", "CP949" },
	{ "tis-620", "CP874" },
};

static const char *const families[] = { "iso-8859-", "iso8859-", "windows-",
	"cp", "koi8-", "iso-2022-", "euc-", "gb18030", "big5", "utf-7",
	"utf-16", "macintosh", "viscii", "hz-gb-2312", "georgian-" };

static const char *const western[] = { "iso-8859-1", "iso8859-1", "latin1",
	"windows-1252", "cp1252" };
static const char *const unicode[] = { "utf-8", "utf8", "us-ascii", "ascii",
	"unicode-1-1-utf-8", "ansi_x3.4-1968", "8bit", "7bit" };

static bool
is_space(uint32_t c)
{
	return c <= ' ' || c == 127;
}

void
sink_char(struct sink *s, uint32_t c)
{
	utf8proc_uint8_t octets[4];

	if (is_space(c)) {
		s->blank = s->len > 0;
		return;
	}
	utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, octets);
	if (s->full || n <= 0)
		return;
	if (s->max - s->len < (size_t)n + s->blank) {
		s->full = true;
		return;
	}
	if (s->blank)
		s->data[s->len++] = ' ';
	s->blank = false;
	memcpy(s->data + s->len, octets, (size_t)n);
	s->len += (size_t)n;
}

static void
sink_western_octet(struct sink *s, unsigned char c)
{
	sink_char(s, c >= 0x80 && c < 0xa0 ? windows_1252[c - 0x80] : c);
}

void
sink_mixed(struct sink *s, const char *text, size_t len)
{
	const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text;
	const utf8proc_uint8_t *end = p + len;

	while (p < end && !s->full) {
		utf8proc_int32_t c = *p;
		utf8proc_ssize_t n = 1;
		if (c >= 0x80)
			n = utf8proc_iterate(p, end - p, &c);
		if (n > 0) {
			sink_char(s, (uint32_t)c);
			p += n;
		} else {
			sink_western_octet(s, *p++);
		}
	}
}

static bool
listed(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(name, list[i]) == 0)
			return true;

	return false;
}

/* What iconv is to be asked for; NULL if this is no charset of mail. */
static const char *
iconv_name(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcasecmp(name, aliases[i].name) == 0)
			return aliases[i].meant;
	if (strspn(name,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(name))
		return NULL;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (strncasecmp(name, families[i], strlen(families[i])) == 0)
			return name;

	return NULL;
}

/* One piece of input; false once no more of it can be converted. */
static bool
convert(struct sink *s, iconv_t cd, char **in, size_t *left)
{
	char piece[512], *out = piece;
	size_t room = sizeof(piece);

	/* Without input: what the converter still holds back. */
	size_t done = *left > 0 ? iconv(cd, in, left, &out, &room)
				: iconv(cd, NULL, NULL, &out, &room);
	int error = done == (size_t)-1 ? errno : 0;
	sink_mixed(s, piece, (size_t)(out - piece));
	if (error == EILSEQ && *left > 0) {
		sink_char(s, REPLACEMENT);
		(*in)++;
		(*left)--;
	} else if (error == EINVAL) {
		sink_char(s, REPLACEMENT);
		*left = 0;
	} else if (error != 0 && error != E2BIG) {
		return false;
	}

	return !s->full;
}

static bool
sink_iconv(struct sink *s, const char *name, const char *text, size_t len)
{
	iconv_t cd = iconv_open("UTF-8", name);
	/* iconv takes its input without const, and leaves it alone. */
	union {
		const char *from;
		char *in;
	} input = { text };
	size_t left = len;

	if (cd == (iconv_t)-1)
		return false;
	bool more = true;
	while (more && left > 0)
		more = convert(s, cd, &input.in, &left);
	if (more)
		convert(s, cd, &input.in, &left);
	iconv_close(cd);

	return true;
}

bool
sink_charset(struct sink *s, const char *charset, size_t charset_len,
    const char *text, size_t len)
{
	char name[NAME_MAX_LEN + 1];

	if (charset_len == 0 || charset_len > NAME_MAX_LEN ||
	    memchr(charset, '\0', charset_len) != NULL)
		return false;
	memcpy(name, charset, charset_len);
	name[charset_len] = '\0';
	if (listed(name, unicode, sizeof(unicode) / sizeof(unicode[0]))) {
		sink_mixed(s, text, len);
		return true;
	}
	if (listed(name, western, sizeof(western) / sizeof(western[0]))) {
		for (size_t i = 0; i < len && !s->full; i++)
			sink_western_octet(s, (unsigned char)text[i]);
		return true;
	}
	const char *known = iconv_name(name);

	return known != NULL && sink_iconv(s, known, text, len);
}
