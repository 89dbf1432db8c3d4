/* Mailbox names: both directions of modified UTF-7, display names, globs and
 * paths. The first octet is the separator. */
#include "base/text.h"
#include "mail/name.h"
#include "mail/path.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

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
	if (!text_is_utf8(utf8.data, utf8.len) || strlen(utf8.data) != utf8.len)
		abort();
	name_encode(&again, utf8.data, utf8.len);
	if (!is_ascii(again.data, again.len) ||
	    (again.len > 0 && !name_is_safe(again.data, again.len)))
		abort();
	if (valid && is_ascii(wire, len) &&
	    (again.len != len || memcmp(again.data, wire, len) != 0))
		abort();
	if (!name_decode(&back, again.data, again.len) ||
	    back.len != utf8.len || memcmp(back.data, utf8.data, utf8.len) != 0)
		abort();
	buf_free(&utf8);
	buf_free(&again);
	buf_free(&back);
}

static void
check_component(const char *path, size_t len)
{
	if (len == 0 || len > PATH_COMPONENT_MAX || path[0] == '.' ||
	    path[0] == '-' || path[0] == '~' || path[len - 1] == '.' ||
	    path[len - 1] == ' ')
		abort();
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] < ' ' ||
		    strchr("\\:*?[]\"<>|/", path[i]) != NULL)
			abort();
	if (!text_is_utf8(path, len))
		abort();
}

static void
check_paths(const char *display)
{
	struct buf path = { 0 };

	path_mailbox(&path, display);
	if (path.len > PATH_MAILBOX_MAX)
		abort();
	for (const char *p = path.data;;) {
		size_t len = strcspn(p, "/");
		check_component(p, len);
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	buf_free(&path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct buf display = { 0 }, path = { 0 };

	if (size == 0)
		return 0;
	const char *wire = (const char *)input + 1;
	size_t len = size - 1;
	check_coding(wire, len);
	name_display(&display, wire, len, (char)input[0]);
	if (!text_is_utf8(display.data, display.len) ||
	    strlen(display.data) != display.len)
		abort();
	check_paths(display.data);
	path_component(&path, wire, len);
	check_component(path.data, path.len);
	/* Without stars a name matches itself, and two stars match all. */
	if (display.len < 2000 && strpbrk(display.data, "*") == NULL &&
	    strspn(display.data, "/") != display.len &&
	    strncasecmp(display.data, "special:", 8) != 0 &&
	    !name_matches(display.data, display.data, 0))
		abort();
	if (!name_matches("**", display.data, 0))
		abort();
	name_matches(display.data, "a/b/INBOX/c", 0);
	buf_free(&display);
	buf_free(&path);

	return 0;
}
