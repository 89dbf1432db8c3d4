#include "mail/path.h"

#include "base/digest.h"
#include "mail/datetime.h"
#include "mail/flags.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

enum {
	HASH_DIGITS = 16,
	HASH_TAIL = 2 + HASH_DIGITS /* "%~" and the digits */
};

/* Names that mean something to Maildir, Dovecot, archives or Windows. */
enum rule {
	WHOLE, /* the component is this name */
	START, /* it begins with it */
	STEM   /* it is this name, or this name and an ending */
};

static const struct {
	const char *name;
	enum rule rule;
} reserved[] = {
	{ "cur", WHOLE },
	{ "new", WHOLE },
	{ "tmp", WHOLE },
	{ "dovecot", START },
	{ "subscriptions", WHOLE },
	{ "mailhaul.jsonl", WHOLE },
	{ "con", STEM },
	{ "prn", STEM },
	{ "aux", STEM },
	{ "nul", STEM },
	{ "com1", STEM },
	{ "com2", STEM },
	{ "com3", STEM },
	{ "com4", STEM },
	{ "com5", STEM },
	{ "com6", STEM },
	{ "com7", STEM },
	{ "com8", STEM },
	{ "com9", STEM },
	{ "lpt1", STEM },
	{ "lpt2", STEM },
	{ "lpt3", STEM },
	{ "lpt4", STEM },
	{ "lpt5", STEM },
	{ "lpt6", STEM },
	{ "lpt7", STEM },
	{ "lpt8", STEM },
	{ "lpt9", STEM },
};

static bool
is_reserved(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		size_t n = strlen(reserved[i].name);
		if (len < n || strncasecmp(name, reserved[i].name, n) != 0)
			continue;
		if (len == n || reserved[i].rule == START ||
		    (reserved[i].rule == STEM && name[n] == '.'))
			return true;
	}

	return false;
}

static bool
is_nfc(const char *text, size_t len)
{
	const utf8proc_uint8_t *octets = (const utf8proc_uint8_t *)text;
	utf8proc_uint8_t *made = NULL;
	size_t ascii = 0;
	while (ascii < len && octets[ascii] < 128)
		ascii++;
	if (ascii == len)
		return true;
	utf8proc_ssize_t n = utf8proc_map(octets, (utf8proc_ssize_t)len, &made,
	    UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	bool same = n >= 0 && (size_t)n == len && memcmp(made, text, len) == 0;
	free(made);

	return same;
}

/* May NFC change this character, or join it to the one before? */
static bool
composes(utf8proc_int32_t c, const char *octets, size_t len)
{
	utf8proc_category_t category = utf8proc_category(c);
	bool mark = category == UTF8PROC_CATEGORY_MN ||
		    category == UTF8PROC_CATEGORY_MC ||
		    category == UTF8PROC_CATEGORY_ME;
	bool jamo = c >= 0x1100 && c <= 0x11ff;

	return mark || jamo || !is_nfc(octets, len);
}

/* Octets of the character at name that may stand as they are; 0: none. */
static size_t
plain(const char *name, size_t len, bool composed)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t n = utf8proc_iterate(
	    (const utf8proc_uint8_t *)name, (utf8proc_ssize_t)len, &c);

	if (n <= 0 || c < ' ' || (c >= 127 && c < 160))
		return 0;
	/* The line and paragraph separators end lines on some screens. */
	if (c == 0x2028 || c == 0x2029)
		return 0;
	if (c < 127 && strchr("%\\:*?[]\"<>|/", c) != NULL)
		return 0;
	if (composed && c >= 128 && composes(c, name, (size_t)n))
		return 0;

	return (size_t)n;
}

/* A leading '~' is a home folder to Dovecot, a leading '-' an option. */
static bool
must_hide(const char *name, size_t len, size_t at)
{
	if (at == 0 &&
	    (strchr("-.~", name[0]) != NULL || is_reserved(name, len)))
		return true;

	return at == len - 1 && (name[at] == '.' || name[at] == ' ');
}

static void
add_hash(struct buf *out, const char *name, size_t len)
{
	uint8_t sha256[DIGEST_SIZE];
	char hex[HASH_DIGITS + 1];

	digest_of(name, len, sha256);
	digest_hex(hex, sha256, HASH_DIGITS / 2);
	buf_fmt(out, "%%~%s", hex);
}

static void
add_component(struct buf *out, const char *name, size_t len, bool composed)
{
	size_t start = out->len;
	size_t cut = start; /* where a hash may follow and still fit */

	for (size_t at = 0; at < len;) {
		size_t n = must_hide(name, len, at)
			       ? 0
			       : plain(name + at, len - at, composed);
		if (n > 0) {
			buf_add(out, name + at, n);
		} else {
			buf_fmt(out, "%%%02X", (unsigned char)name[at]);
			n = 1;
		}
		at += n;
		if (out->len - start <= PATH_COMPONENT_MAX - HASH_TAIL)
			cut = out->len;
		if (out->len - start > PATH_COMPONENT_MAX) {
			out->len = cut;
			add_hash(out, name, len);
			return;
		}
	}
}

void
path_component(struct buf *out, const char *name, size_t len)
{
	size_t start = out->len;

	if (len == 0) {
		buf_str(out, "%empty");
		return;
	}
	add_component(out, name, len, false);
	/* libarchive and some file systems would compose it behind our back. */
	if (is_nfc(out->data + start, out->len - start))
		return;
	out->len = start;
	add_component(out, name, len, true);
}

void
path_mailbox(struct buf *out, const char *display)
{
	size_t start = out->len;
	size_t cut = start;
	const char *level = display;

	for (;;) {
		const char *end = strchrnul(level, '/');
		if (level != display)
			buf_char(out, '/');
		path_component(out, level, (size_t)(end - level));
		if (out->len - start <= PATH_MAILBOX_MAX - 1 - HASH_TAIL)
			cut = out->len;
		if (out->len - start > PATH_MAILBOX_MAX) {
			out->len = cut;
			buf_char(out, '/');
			add_hash(out, display, strlen(display));
			return;
		}
		if (*end == '\0')
			return;
		level = end + 1;
	}
}

void
path_message(struct buf *out, int64_t idate, uint64_t uidvalidity, uint64_t uid,
    uint64_t size, uint8_t flags)
{
	char letters[8];

	/* DATETIME_NONE is below 0 too. */
	buf_fmt(out, "%lld.V%lluU%llu.mailhaul,S=%llu:2,%s",
	    (long long)(idate < 0 ? 0 : idate), (unsigned long long)uidvalidity,
	    (unsigned long long)uid, (unsigned long long)size,
	    flags_maildir(letters, flags));
}
