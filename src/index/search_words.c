#include "search_private.h"

#include <string.h>

#include "base/text.h"

enum { WORDS_MAX = 100 };

/* ---- scripts without blanks ---- */

/* Han, kana and what goes with them: a run of them would be one word. */
static const struct {
	uint32_t first, last;
} unparted[] = {
	{ 0x2E80, 0x2FDF },
	{ 0x3005, 0x3007 },
	{ 0x3031, 0x30FF },
	{ 0x31A0, 0x31BF },
	{ 0x31F0, 0x31FF },
	{ 0x3400, 0x4DBF },
	{ 0x4E00, 0x9FFF },
	{ 0xF900, 0xFAFF },
	{ 0xFF66, 0xFF9F },
	{ 0x20000, 0x3FFFD },
};

static bool
is_unparted(uint32_t c)
{
	for (size_t i = 0; i < sizeof(unparted) / sizeof(unparted[0]); i++)
		if (c >= unparted[i].first && c <= unparted[i].last)
			return true;

	return false;
}

/* One character of three octets or more (valid UTF-8). */
static uint32_t
character(const char *p, size_t *len)
{
	const unsigned char *u = (const unsigned char *)p;
	if (u[0] < 0xF0) {
		*len = 3;
		return (uint32_t)(u[0] & 0x0F) << 12 |
		       (uint32_t)(u[1] & 0x3F) << 6 | (u[2] & 0x3F);
	}
	*len = 4;

	return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3F) << 12 |
	       (uint32_t)(u[2] & 0x3F) << 6 | (u[3] & 0x3F);
}

void
search_words_split(struct buf *out, const char *text)
{
	struct buf clean = { 0 };
	buf_clear(out);
	text_utf8(&clean, text, strlen(text));
	const char *start = clean.data == NULL ? "" : clean.data;
	for (const char *p = start; *p != '\0';) {
		size_t len = 1;
		if ((unsigned char)*p < 0xE0 ||
		    !is_unparted(character(p, &len))) {
			p += len;
			continue;
		}
		buf_add(out, start, (size_t)(p - start));
		buf_char(out, ' ');
		buf_add(out, p, len);
		buf_char(out, ' ');
		start = p += len;
	}
	buf_str(out, start);
	buf_free(&clean);
}

/* ---- queries ---- */

struct words {
	struct buf *out;
	const char *column; /* "from_ : "; "": any */
	size_t n;           /* so far */
};

/* "…" is a string to FTS5, whatever stands in it. Strings side by side must
 * all be there; unlike with AND, one without a letter or digit is ignored. */
static bool
add_string(struct words *w, const char *text, size_t len, struct err *err)
{
	bool prefix = len > 0 && text[len - 1] == '*';
	if (++w->n > WORDS_MAX)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "more than %d words to look for", WORDS_MAX);
	buf_fmt(w->out, "%s%s\"", w->out->len == 0 ? "" : " ", w->column);
	for (size_t i = 0; i < len; i++)
		if (text[i] != '"')
			buf_char(w->out, text[i]);
	buf_str(w->out, prefix ? "\" *" : "\"");

	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A phrase in quotes, with what follows up to a blank; or a word. */
static const char *
string_end(const char *p)
{
	if (*p == '"') {
		const char *close = strchr(p + 1, '"');
		if (close == NULL)
			return p + strlen(p);
		p = close + 1;
	}
	while (*p != '\0' && !is_blank(*p) && *p != '"')
		p++;

	return p;
}

/* Parted before scripts are: a phrase of theirs is one word here. */
static bool
add_words(struct words *w, const char *text, struct err *err)
{
	struct buf split = { 0 };
	bool ok = true;
	while (ok && *text != '\0') {
		if (is_blank(*text)) {
			text++;
			continue;
		}
		const char *end = string_end(text);
		struct buf one = { 0 };
		buf_add(&one, text, (size_t)(end - text));
		search_words_split(&split, one.data);
		/* The blank behind a character would hide the star. */
		while (split.len > 0 && split.data[split.len - 1] == ' ')
			split.len--;
		ok = add_string(w, split.data, split.len, err);
		buf_free(&one);
		text = end;
	}
	buf_free(&split);

	return ok;
}

bool
search_words_headers(
    struct buf *out, const struct search_query *q, struct err *err)
{
	const struct {
		const char *column, *text;
	} columns[] = {
		{ "from_ : ", q->from },
		{ "to_ : ", q->to },
		{ "cc : ", q->cc },
		{ "subject : ", q->subject },
	};
	struct words w = { .out = out, .column = "" };
	bool ok = true;
	buf_clear(out);
	for (size_t i = 0; ok && i < q->word_count; i++)
		ok = add_words(&w, q->words[i], err);
	for (size_t i = 0; ok && i < sizeof(columns) / sizeof(columns[0]);
	     i++) {
		w.column = columns[i].column;
		if (columns[i].text != NULL)
			ok = add_words(&w, columns[i].text, err);
	}

	return ok;
}

bool
search_words_body(struct buf *out, const char *text, struct err *err)
{
	struct words w = { .out = out, .column = "" };
	buf_clear(out);

	return add_words(&w, text, err);
}
