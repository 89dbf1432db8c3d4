#include "imap/reply.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *const statuses[] = { [IMAP_OK] = "OK",
	[IMAP_NO] = "NO",
	[IMAP_BAD] = "BAD",
	[IMAP_BYE] = "BYE",
	[IMAP_PREAUTH] = "PREAUTH" };

bool
imap_text_is(const struct imap_text *text, const char *word)
{
	return text->len == strlen(word) &&
	       strncasecmp(text->data, word, text->len) == 0;
}

bool
imap_text_has(const struct imap_text *text, const char *words)
{
	size_t n = strlen(words);
	for (size_t i = 0; i + n <= text->len; i++)
		if (strncasecmp(text->data + i, words, n) == 0)
			return true;

	return false;
}

bool
imap_text_number(const struct imap_text *text, uint64_t *number)
{
	size_t n = 0;
	while (n < text->len && text->data[n] >= '0' && text->data[n] <= '9')
		n++;

	return text_parse_u64(text->data, n, number);
}

/* Cut the next word off; "" at the end. */
static struct imap_text
word(struct imap_text *from)
{
	const char *blank =
	    from->len > 0 ? memchr(from->data, ' ', from->len) : NULL;
	struct imap_text first = *from;
	if (blank != NULL)
		first.len = (size_t)(blank - from->data);
	size_t n = blank != NULL ? first.len + 1 : first.len;
	from->data += n;
	from->len -= n;

	return first;
}

static bool
find_status(const struct imap_text *name, enum imap_status *status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (imap_text_is(name, statuses[i])) {
			*status = (enum imap_status)i;
			return true;
		}

	return false;
}

/* RFC 9051 7.1: resp-text = ["[" code [SP args] "]" SP] text */
static void
split_code(struct imap_reply *r, struct imap_text text)
{
	r->text = text;
	const char *close = text.len > 0 && text.data[0] == '['
				? memchr(text.data, ']', text.len)
				: NULL;
	if (close == NULL)
		return;
	r->args = (struct imap_text){ text.data + 1,
		(size_t)(close - text.data) - 1 };
	r->code = word(&r->args);
	r->text = (struct imap_text){ close + 1,
		text.len - (size_t)(close + 1 - text.data) };
	if (r->text.len > 0 && r->text.data[0] == ' ') {
		r->text.data++;
		r->text.len--;
	}
}

static void
parse_untagged(
    struct imap_reply *r, const struct imap_frame *f, struct imap_text line)
{
	r->words = line;
	r->name = word(&line);
	if (find_status(&r->name, &r->status)) {
		r->kind = IMAP_STATUS;
		split_code(r, line);
		return;
	}
	r->kind = IMAP_DATA;
	if (text_parse_u64(r->name.data, r->name.len, &r->number)) {
		r->kind = IMAP_NUMBERED;
		r->name = word(&line);
	}
	/* "FETCH(UID 5)": a blank may be missing. */
	const char *open =
	    r->name.len > 0 ? memchr(r->name.data, '(', r->name.len) : NULL;
	if (open != NULL) {
		r->name.len = (size_t)(open - r->name.data);
		line.data = open;
	}
	if (r->name.len == 0)
		r->kind = IMAP_JUNK;
	r->rest = imap_tokens(f, (size_t)(line.data - f->text.data));
}

static bool
is_tag(const struct imap_text *tag)
{
	for (size_t i = 0; i < tag->len; i++)
		if ((unsigned char)tag->data[i] <= ' ')
			return false;

	return tag->len > 0;
}

void
imap_reply_parse(struct imap_reply *r, const struct imap_frame *f)
{
	static const struct imap_text none = { "", 0 };
	*r = (struct imap_reply){ .kind = IMAP_JUNK,
		.tag = none,
		.name = none,
		.words = none,
		.said = none,
		.code = none,
		.args = none,
		.text = none };
	struct imap_text line = { f->text.data, f->text.len };
	if (line.data == NULL || line.len == 0)
		return;
	struct imap_text first = word(&line);
	if (imap_text_is(&first, "*")) {
		parse_untagged(r, f, line);
		return;
	}
	if (imap_text_is(&first, "+")) {
		r->kind = IMAP_CONTINUE;
		r->text = line;
		return;
	}
	struct imap_text words = line, name = word(&line);
	if (is_tag(&first) && find_status(&name, &r->status) &&
	    r->status <= IMAP_BAD) {
		r->kind = IMAP_TAGGED;
		r->tag = first;
		r->words = words;
		split_code(r, line);
	}
}
