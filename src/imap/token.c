#include "imap/token.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

struct imap_tokens
imap_tokens(const struct imap_frame *f, size_t offset)
{
	const char *data = f->text.data != NULL ? f->text.data : "";

	return (struct imap_tokens){ .start = data,
		.at = data + offset,
		.end = data + f->text.len,
		.frame = f };
}

static struct imap_token
garbage(struct imap_tokens *t)
{
	t->at = t->end;

	return (struct imap_token){ .kind = IMAP_GARBAGE };
}

static struct imap_token
quoted(struct imap_tokens *t)
{
	struct imap_token token = { .kind = IMAP_STRING, .data = t->at + 1 };
	for (const char *p = t->at + 1; p < t->end; p++)
		if (*p == '\\' && p + 1 < t->end) {
			token.escaped = true;
			p++;
		} else if (*p == '"') {
			token.len = (size_t)(p - token.data);
			t->at = p + 1;
			return token;
		}

	return garbage(t);
}

/*
 * t->at stands on '{' (behind '~' of a literal8).  False: not "{n}" CRLF, or
 * its octets are not all there; t->at is then as before.
 */
static bool
literal(struct imap_tokens *t, struct imap_token *token)
{
	const char *digits = t->at + 1, *p = digits;
	while (p < t->end && *p >= '0' && *p <= '9')
		p++;
	const char *after = p < t->end && *p == '+' ? p + 1 : p;
	uint64_t size;
	if (t->end - after < 3 || memcmp(after, "}\r\n", 3) != 0 ||
	    !text_parse_u64(digits, (size_t)(p - digits), &size))
		return false;
	after += 3;
	const struct imap_hole *hole =
	    t->frame == NULL
		? NULL
		: imap_frame_hole(t->frame, (size_t)(after - t->start));
	if (hole != NULL) {
		t->at = after;
		*token = (struct imap_token){ .kind = IMAP_HOLE,
			.body = hole->body };
		return true;
	}
	if (size > (uint64_t)(t->end - after))
		return false;
	*token = (struct imap_token){
		.kind = IMAP_STRING, .data = after, .len = (size_t)size
	};
	t->at = after + size;

	return true;
}

static struct imap_token
atom(struct imap_tokens *t)
{
	const char *p = t->at;
	while (p < t->end && *p != ' ' && *p != '(' && *p != ')' && *p != '"') {
		if (*p == '[') {
			const char *close =
			    memchr(p, ']', (size_t)(t->end - p));
			if (close != NULL)
				p = close;
		}
		p++;
	}
	struct imap_token token = { .kind = IMAP_ATOM,
		.data = t->at,
		.len = (size_t)(p - t->at),
		.glued = p < t->end && (*p == '(' || *p == '"') };
	t->at = p;

	return token;
}

struct imap_token
imap_token_next(struct imap_tokens *t)
{
	while (t->at < t->end && *t->at == ' ')
		t->at++;
	if (t->at == t->end)
		return (struct imap_token){ .kind = IMAP_END };

	struct imap_token token;
	switch (*t->at) {
	case '(':
		return (struct imap_token){
			.kind = IMAP_OPEN, .data = t->at++, .len = 1
		};
	case ')':
		return (struct imap_token){
			.kind = IMAP_CLOSE, .data = t->at++, .len = 1
		};
	case '"':
		return quoted(t);
	case '~':
		if (t->end - t->at > 1 && t->at[1] == '{') {
			t->at++;
			return literal(t, &token) ? token : garbage(t);
		}
		return atom(t);
	case '{':
		/* "{10}x" is no literal: the framer has read on. */
		return literal(t, &token) ? token : atom(t);
	default:
		return atom(t);
	}
}

bool
imap_token_skip_list(struct imap_tokens *t)
{
	for (int depth = 1; depth > 0;)
		switch (imap_token_next(t).kind) {
		case IMAP_OPEN:
			if (++depth > IMAP_DEPTH_MAX)
				return false;
			break;
		case IMAP_CLOSE:
			depth--;
			break;
		case IMAP_END:
		case IMAP_GARBAGE:
			return false;
		default:
			break;
		}

	return true;
}

bool
imap_token_skip(struct imap_tokens *t)
{
	switch (imap_token_next(t).kind) {
	case IMAP_OPEN:
		return imap_token_skip_list(t);
	case IMAP_CLOSE:
	case IMAP_END:
	case IMAP_GARBAGE:
		return false;
	default:
		return true;
	}
}

bool
imap_token_is(const struct imap_token *token, const char *word)
{
	return token->kind == IMAP_ATOM && token->len == strlen(word) &&
	       strncasecmp(token->data, word, token->len) == 0;
}

bool
imap_token_nil(const struct imap_token *token)
{
	return imap_token_is(token, "NIL");
}

bool
imap_token_number(const struct imap_token *token, uint64_t *number)
{
	return token->kind == IMAP_ATOM &&
	       text_parse_u64(token->data, token->len, number);
}

bool
imap_token_text(struct buf *out, const struct imap_token *token)
{
	if (token->kind != IMAP_ATOM && token->kind != IMAP_STRING)
		return false;
	if (!token->escaped) {
		buf_add(out, token->data, token->len);
		return true;
	}
	for (size_t i = 0; i < token->len; i++) {
		if (token->data[i] == '\\' && i + 1 < token->len)
			i++;
		buf_char(out, token->data[i]);
	}

	return true;
}
