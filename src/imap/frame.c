#include "imap/frame.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

enum literal { LITERAL_NONE, LITERAL_FOUND, LITERAL_TOO_BIG };

void
imap_frame_init(struct imap_frame *f, struct imap_input in)
{
	*f = (struct imap_frame){ .in = in,
		.line_max = IMAP_LINE_MAX,
		.literal_max = IMAP_LITERAL_MAX };
}

void
imap_frame_free(struct imap_frame *f)
{
	buf_free(&f->text);
}

const struct imap_hole *
imap_frame_hole(const struct imap_frame *f, size_t at)
{
	for (unsigned i = 0; i < f->hole_count; i++)
		if (f->holes[i].at == at)
			return &f->holes[i];

	return NULL;
}

static bool
too_long(const struct imap_frame *f, struct err *err)
{
	return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the server sent a response line of more than %zu octets",
	    f->line_max);
}

/* Add octets up to and including LF; the text then ends without CRLF. */
static bool
read_line(struct imap_frame *f, struct err *err)
{
	size_t start = f->text.len;
	for (;;) {
		const char *data;
		size_t len;
		if (!f->in.peek(f->in.arg, 1, &data, &len, err))
			return false;
		const char *lf = memchr(data, '\n', len);
		size_t n = lf != NULL ? (size_t)(lf - data) : len;
		/* The line end before a literal may have crossed the limit. */
		if (f->text.len + n > f->line_max)
			return too_long(f, err);
		buf_add(&f->text, data, n);
		f->in.take(f->in.arg, lf != NULL ? n + 1 : n);
		if (lf != NULL)
			break;
	}
	if (f->text.len > start && f->text.data[f->text.len - 1] == '\r')
		f->text.data[--f->text.len] = 0;

	return true;
}

/*
 * Only untagged data has literals.  What people read (OK, NO, BAD, BYE, "+")
 * may end in "{5}" and means nothing by it (RFC 9051 7.1: text).
 */
static bool
may_have_literals(const struct buf *text)
{
	static const char *const words[] = { "OK", "NO", "BAD", "BYE",
		"PREAUTH" };
	if (text->len < 2 || text->data[0] != '*' || text->data[1] != ' ')
		return false;
	const char *word = text->data + 2;
	size_t left = text->len - 2;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);
		if (left >= n && strncasecmp(word, words[i], n) == 0 &&
		    (left == n || word[n] == ' '))
			return false;
	}

	return true;
}

/* "{123}" or "{123+}" at the end; *open: where the brace stands. */
static enum literal
ends_in_literal(
    const struct buf *text, size_t from, uint64_t *size, size_t *open)
{
	size_t end = text->len;
	if (end < from + 3 || text->data[end - 1] != '}')
		return LITERAL_NONE;
	end--;
	if (text->data[end - 1] == '+')
		end--;
	size_t digits = end;
	while (digits > from && text->data[digits - 1] >= '0' &&
	       text->data[digits - 1] <= '9')
		digits--;
	if (digits == end || digits == from || text->data[digits - 1] != '{')
		return LITERAL_NONE;
	*open = digits - 1;

	return text_parse_u64(text->data + digits, end - digits, size)
		   ? LITERAL_FOUND
		   : LITERAL_TOO_BIG;
}

/* True if the text before a literal ends in BODY[], or BODY[]<0>, of FETCH. */
static bool
is_body(const struct buf *text, size_t open)
{
	static const char item[] = "BODY[]";
	const char *data = text->data;
	size_t n = open;
	if (n > 0 && data[n - 1] == '~')
		n--;
	while (n > 0 && data[n - 1] == ' ')
		n--;
	if (n > 0 && data[n - 1] == '>') {
		n--;
		while (n > 0 && data[n - 1] >= '0' && data[n - 1] <= '9')
			n--;
		if (n == 0 || data[--n] != '<')
			return false;
	}

	return n >= sizeof(item) - 1 &&
	       strncasecmp(
		   data + n - (sizeof(item) - 1), item, sizeof(item) - 1) == 0;
}

/* Hand size octets to add, or to nobody. */
static bool
stream(struct imap_frame *f, uint64_t size,
    bool (*add)(void *, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	while (size > 0) {
		const char *data;
		size_t len;
		if (!f->in.peek(f->in.arg, 1, &data, &len, err))
			return false;
		if (len > size)
			len = (size_t)size;
		if (add != NULL && !add(arg, data, len, err))
			return false;
		f->in.take(f->in.arg, len);
		size -= len;
	}

	return true;
}

static bool
keep(void *text, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(text, data, len);

	return true;
}

static void
note_hole(struct imap_frame *f, bool body)
{
	if (f->hole_count == IMAP_HOLES)
		f->crowded = true;
	else
		f->holes[f->hole_count++] =
		    (struct imap_hole){ .at = f->text.len, .body = body };
}

static bool
read_literal(struct imap_frame *f, uint64_t size, size_t open, struct err *err)
{
	bool body = f->sink.begin != NULL && is_body(&f->text, open) &&
		    f->hole_count < IMAP_HOLES;
	buf_str(&f->text, "\r\n");
	if (body) {
		note_hole(f, true);
		return f->sink.begin(
			   f->sink.arg, f->text.data, open, size, err) &&
		       stream(f, size, f->sink.add, f->sink.arg, err);
	}
	if (size > f->literal_max) {
		note_hole(f, false);
		return stream(f, size, NULL, NULL, err);
	}
	if (f->text.len + size > f->line_max)
		return too_long(f, err);

	return stream(f, size, keep, &f->text, err);
}

bool
imap_frame_read(struct imap_frame *f, struct err *err)
{
	buf_clear(&f->text);
	f->hole_count = 0;
	f->crowded = false;
	bool literals = false;
	for (size_t from = 0;; from = f->text.len) {
		uint64_t size = 0;
		size_t open = 0;
		if (!read_line(f, err))
			return false;
		if (from == 0)
			literals = may_have_literals(&f->text);
		enum literal found =
		    literals ? ends_in_literal(&f->text, from, &size, &open)
			     : LITERAL_NONE;
		if (found == LITERAL_NONE)
			return true;
		if (found == LITERAL_TOO_BIG)
			return err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
			    "the server announced a literal that no 64-bit "
			    "number counts");
		if (!read_literal(f, size, open, err))
			return false;
	}
}
