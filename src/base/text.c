#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s (RFC 3629), 0 if none. */
static size_t
sequence(const unsigned char *s, size_t len, uint32_t *point)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 0x0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	for (size_t n = 0; n < 4; n++) {
		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (n >= len)
			return 0;
		uint32_t c = s[0] & (unsigned char)~forms[n].mask;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < forms[n].least || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*point = c;
		return n + 1;
	}

	return 0;
}

/* Controls and the bidi and line separators that can forge a screen. */
static bool
is_dangerous(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e ||
	       c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0x61c || c == 0xfeff;
}

void
text_escape(struct buf *out, const void *data, size_t len)
{
	const unsigned char *s = data;
	while (len > 0) {
		uint32_t c = 0;
		size_t n = sequence(s, len, &c);
		if (n == 0) {
			n = 1;
			buf_fmt(out, "\\x%02x", s[0]);
		} else if (!is_dangerous(c)) {
			buf_add(out, s, n);
		} else if (c < 0x80) {
			buf_fmt(out, "\\x%02x", (unsigned)c);
		} else {
			buf_fmt(out, "\\u{%04x}", (unsigned)c);
		}
		s += n;
		len -= n;
	}
	buf_add(out, "", 0);
}

char *
text_escape_to(char *out, size_t size, const void *data, size_t len)
{
	static const char more[] = "\xe2\x80\xa6";
	struct buf b = { 0 };
	text_escape(&b, data, len);
	if (b.len < size) {
		memcpy(out, b.data, b.len + 1);
	} else {
		size_t keep = size - sizeof(more);
		while (keep > 0 && ((unsigned char)b.data[keep] & 0xc0) == 0x80)
			keep--;
		memcpy(out, b.data, keep);
		memcpy(out + keep, more, sizeof(more));
	}
	buf_free(&b);

	return out;
}

void
text_utf8(struct buf *out, const void *data, size_t len)
{
	const unsigned char *s = data;
	while (len > 0) {
		uint32_t c = 0;
		size_t n = sequence(s, len, &c);
		if (n == 0) {
			n = 1;
			buf_str(out, "\xef\xbf\xbd");
		} else if (c != 0) {
			buf_add(out, s, n);
		}
		s += n;
		len -= n;
	}
	buf_add(out, "", 0);
}

void
text_shell(struct buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._/:@%+=,";
	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		buf_str(out, word);
		return;
	}
	buf_char(out, '\'');
	while (*word != '\0') {
		size_t n = strcspn(word, "'");
		text_escape(out, word, n);
		word += n;
		if (*word == '\'') {
			buf_str(out, "'\\''");
			word++;
		}
	}
	buf_char(out, '\'');
}

bool
text_is_utf8(const void *data, size_t len)
{
	const unsigned char *s = data;
	while (len > 0) {
		uint32_t c = 0;
		size_t n = sequence(s, len, &c);
		if (n == 0)
			return false;
		s += n;
		len -= n;
	}

	return true;
}

char *
text_size(char *out, size_t size, uint64_t octets)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB",
		"EiB" };
	if (octets < 1024) {
		snprintf(out, size, "%" PRIu64 " B", octets);
		return out;
	}
	double value = (double)octets / 1024;
	size_t unit = 0;
	while (value >= 1023.95 && unit + 1 < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(out, size, "%.1f %s", value, units[unit]);

	return out;
}

char *
text_duration(char *out, size_t size, int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		snprintf(out, size, "%ds", (int)seconds);
	else if (seconds < 3600)
		snprintf(out, size, "%dm %02ds", (int)(seconds / 60),
		    (int)(seconds % 60));
	else if (seconds < 86400)
		snprintf(out, size, "%dh %02dm", (int)(seconds / 3600),
		    (int)(seconds / 60 % 60));
	else
		snprintf(out, size, "%" PRId64 "d %02dh", seconds / 86400,
		    (int)(seconds / 3600 % 24));

	return out;
}

char *
text_count(char *out, size_t size, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t used = 0;
	for (int i = 0; i < len && used + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = '\0';

	return out;
}

bool
text_parse_u64(const char *s, size_t len, uint64_t *out)
{
	uint64_t value = 0;
	if (len == 0 || len > 20)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;

	return true;
}

bool
text_parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "kmgt";
	size_t digits = strspn(s, "0123456789");
	uint64_t value;
	if (!text_parse_u64(s, digits, &value))
		return false;
	const char *rest = s + digits;
	if (*rest != '\0') {
		const char *unit = strchr(units, *rest | 0x20);
		if (unit == NULL || *unit == '\0')
			return false;
		unsigned shift = 10 * (unsigned)(unit - units + 1);
		if (value > UINT64_MAX >> shift)
			return false;
		value <<= shift;
		rest++;
		if (strcmp(rest, "iB") == 0 || strcmp(rest, "B") == 0)
			rest += strlen(rest);
	}
	*out = value;

	return *rest == '\0';
}
