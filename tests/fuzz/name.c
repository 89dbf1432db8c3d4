/*
 * Mailbox names: both directions of modified UTF-7, display names, globs and
 * paths. The first octet is the separator; two names apart by a newline are
 * two.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mail/name.h"
#include "mail/path.h"

enum { DECODED, INVALID, LEVELS, HASHED, ESCAPED, TWO, MATCHED };

static const char *const marks[] = {
	[DECODED] = "a name in modified UTF-7",
	[INVALID] = "a name that is none",
	[LEVELS] = "a name of levels",
	[HASHED] = "a path that is cut",
	[ESCAPED] = "a path with %XX",
	[TWO] = "two names with two paths",
	[MATCHED] = "a pattern that matches another name",
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));

	return 0;
}

static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 128)
			return false;

	return true;
}

/* What decodes comes back as it was; the text comes back in any case. */
static void
check_coding(const char *wire, size_t len)
{
	struct buf utf8 = { 0 }, again = { 0 }, back = { 0 };

	bool valid = name_decode(&utf8, wire, len);
	MUST(text_is_utf8(utf8.data, utf8.len));
	MUST(strlen(utf8.data) == utf8.len);
	name_encode(&again, utf8.data, utf8.len);
	MUST(is_ascii(again.data, again.len));
	MUST(again.len == 0 || name_is_safe(again.data, again.len));
	if (valid && is_ascii(wire, len))
		MUST(again.len == len && memcmp(again.data, wire, len) == 0);
	MUST(name_decode(&back, again.data, again.len));
	MUST(back.len == utf8.len &&
	     memcmp(back.data, utf8.data, utf8.len) == 0);
	if (valid && !is_ascii(utf8.data, utf8.len))
		fuzz_reach(DECODED);
	if (!valid)
		fuzz_reach(INVALID);
	buf_free(&utf8);
	buf_free(&again);
	buf_free(&back);
}

/* ---- paths ---- */

static void
check_component(const char *path, size_t len)
{
	MUST(len > 0 && len <= PATH_COMPONENT_MAX);
	MUST(strchr(".-~", path[0]) == NULL);
	MUST(path[len - 1] != '.' && path[len - 1] != ' ');
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)path[i] >= ' ' &&
		     strchr("\\:*?[]\"<>|/", path[i]) == NULL);
	MUST(text_is_utf8(path, len));
	if (memmem(path, len, "%~", 2) != NULL)
		fuzz_reach(HASHED);
	else if (memchr(path, '%', len) != NULL)
		fuzz_reach(ESCAPED);
}

static void
check_mailbox(const char *display)
{
	struct buf path = { 0 };

	path_mailbox(&path, display);
	MUST(path.len <= PATH_MAILBOX_MAX);
	for (const char *p = path.data;;) {
		size_t len = strcspn(p, "/");
		check_component(p, len);
		if (p[len] == '\0')
			break;
		p += len + 1;
		fuzz_reach(LEVELS);
	}
	buf_free(&path);
}

/* Injective, so that no mail is put over another's, nor where a file system
 * doesn't tell capitals from small letters apart within ASCII. */
static void
check_two(const struct fuzz_part *a, const struct fuzz_part *b)
{
	struct buf one = { 0 }, two = { 0 };
	path_component(&one, a->data, a->len);
	path_component(&two, b->data, b->len);
	check_component(one.data, one.len);
	check_component(two.data, two.len);
	bool same = a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
	MUST(same == (strcmp(one.data, two.data) == 0));
	if (!same)
		fuzz_reach(TWO);
	buf_free(&one);
	buf_free(&two);
}

/* ---- patterns ---- */

static void
check_matching(const struct buf *display)
{
	/* Without stars a name matches itself, and two stars match all. */
	if (display->len < 200 && strpbrk(display->data, "*") == NULL &&
	    strspn(display->data, "/") != display->len &&
	    strncasecmp(display->data, "special:", 8) != 0)
		MUST(name_matches(display->data, display->data, 0));
	MUST(name_matches("**", display->data, 0));
	if (name_matches(display->data, "a/b/INBOX/c", 0))
		fuzz_reach(MATCHED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct buf display = { 0 };
	struct fuzz_part rest, wire, other = { "", 0 };
	if (size == 0)
		return 0;
	rest = (struct fuzz_part){ (const char *)input + 1, size - 1 };
	fuzz_part(&rest, '\n', &wire);
	check_coding(wire.data, wire.len);
	name_display(&display, wire.data, wire.len, (char)input[0]);
	MUST(text_is_utf8(display.data, display.len));
	MUST(strlen(display.data) == display.len);
	check_mailbox(display.data);
	if (fuzz_part(&rest, '\n', &other))
		check_two(&wire, &other);
	else
		check_two(&wire, &wire);
	check_matching(&display);
	buf_free(&display);

	return 0;
}
