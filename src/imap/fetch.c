#include "imap/fetch.h"

#include <stdint.h>
#include <string.h>

#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/header.h"

typedef bool (*item_reader)(struct imap_fetch *, struct imap_tokens *);

/* RFC 9051 9, ATOM-CHAR and not ']' (flag-keyword): what a target accepts. */
static bool
is_keyword(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\", c) != NULL)
			return false;
	}

	return len > 0 && len <= IMAP_KEYWORD_MAX;
}

/* One flag: "foo(bar)" is none, nor is "\Whatever" of a server's own. */
static void
add_flag(struct imap_fetch *f, const struct imap_token *token)
{
	if (token->len > 0 && token->data[0] == '\\') {
		f->flags |= flags_parse(token->data, token->len);
		return;
	}
	if (token->glued || !is_keyword(token->data, token->len) ||
	    f->keyword_count == IMAP_KEYWORDS_MAX ||
	    f->keywords.len + token->len >= IMAP_KEYWORDS_OCTETS) {
		f->keywords_dropped++;
		return;
	}
	buf_add(&f->keywords, token->data, token->len);
	buf_char(&f->keywords, 0);
	f->keyword_count++;
}

static bool
read_flags(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token = imap_token_next(t);
	f->has_flags = true;
	f->flags = 0;
	f->keyword_count = f->keywords_dropped = 0;
	buf_clear(&f->keywords);
	if (token.kind != IMAP_OPEN)
		return imap_token_nil(&token);
	for (;;) {
		token = imap_token_next(t);
		switch (token.kind) {
		case IMAP_ATOM:
			add_flag(f, &token);
			break;
		case IMAP_CLOSE:
			return true;
		case IMAP_OPEN:
			if (!imap_token_skip_list(t))
				return false;
			break;
		case IMAP_STRING:
		case IMAP_HOLE:
			f->keywords_dropped++;
			break;
		default:
			return false;
		}
	}
}

static bool
read_uid(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token = imap_token_next(t);
	uint64_t uid;

	/* RFC 9051 9, uniqueid: 32 bits, not 0. */
	if (!imap_token_number(&token, &uid) || uid == 0 || uid > UINT32_MAX)
		return false;
	f->uid = uid;

	return true;
}

/* A value that may be senseless without harm to the rest of the line. */
static bool
plain_value(struct imap_tokens *t, struct imap_token *token)
{
	*token = imap_token_next(t);
	switch (token->kind) {
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

static bool
read_size(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token;
	if (!plain_value(t, &token))
		return false;
	f->has_size = imap_token_number(&token, &f->size);

	return true;
}

static bool
read_date(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token;
	if (!plain_value(t, &token))
		return false;
	f->has_date = true;
	if (token.kind != IMAP_STRING ||
	    !datetime_parse(token.data, token.len, &f->idate, &f->zone)) {
		f->idate = DATETIME_NONE;
		f->zone = 0;
	}

	return true;
}

/* "EMAILID (M6d99ac3275bb4e)" (RFC 8474 5.1), "MODSEQ (624140003)" (7162). */
static bool
read_in_list(struct imap_tokens *t, struct imap_token *token)
{
	*token = imap_token_next(t);
	if (token->kind != IMAP_OPEN)
		return token->kind == IMAP_ATOM || token->kind == IMAP_STRING;
	*token = imap_token_next(t);
	if (token->kind == IMAP_CLOSE)
		return true;

	return token->kind != IMAP_END && token->kind != IMAP_GARBAGE &&
	       token->kind != IMAP_OPEN && imap_token_skip_list(t);
}

static bool
read_email_id(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token;
	if (!read_in_list(t, &token))
		return false;
	buf_clear(&f->email_id);
	f->has_email_id = !imap_token_nil(&token) && token.len > 0 &&
			  token.len <= 255 && !token.escaped &&
			  is_keyword(token.data, token.len);
	if (f->has_email_id)
		buf_add(&f->email_id, token.data, token.len);

	return true;
}

static bool
read_modseq(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token;
	if (!read_in_list(t, &token))
		return false;
	if (!imap_token_number(&token, &f->modseq))
		f->modseq = 0;

	return true;
}

static bool
read_body(struct imap_fetch *f, struct imap_tokens *t)
{
	struct imap_token token = imap_token_next(t);
	enum imap_body_kind kind;
	switch (token.kind) {
	case IMAP_HOLE:
		/* A body without a sink was too long to be kept. */
		kind = token.body ? IMAP_BODY_STREAMED : IMAP_BODY_NIL;
		break;
	case IMAP_STRING:
		kind = IMAP_BODY_STRING;
		break;
	case IMAP_ATOM:
		if (!imap_token_nil(&token))
			return false;
		kind = IMAP_BODY_NIL;
		break;
	default:
		return false;
	}
	if (f->bodies++ == 0) {
		f->body_kind = kind;
		f->body = token;
	}

	return true;
}

/*
 * "BODY[HEADER.FIELDS (MESSAGE-ID)] {37}" and a header section of that field
 * alone, or of none.
 */
static bool
read_fields(struct imap_fetch *f, struct imap_tokens *t)
{
	struct header_fields fields = { 0 };
	struct buf text = { 0 };
	struct imap_token token;
	if (!plain_value(t, &token))
		return false;
	buf_clear(&f->message_id);
	f->has_message_id = false;
	if (token.kind == IMAP_STRING && imap_token_text(&text, &token) &&
	    text.len > 0)
		header_scan(text.data, text.len, &fields);
	const struct header_slice *id = &fields.message_id;
	if (id->data != NULL && id->len > 0 && id->len <= IMAP_MESSAGE_ID_MAX &&
	    memchr(id->data, 0, id->len) == NULL) {
		buf_add(&f->message_id, id->data, id->len);
		f->has_message_id = true;
	}
	buf_free(&text);

	return true;
}

static const struct {
	const char *name;
	item_reader read;
} items[] = {
	{ "UID", read_uid },
	{ "FLAGS", read_flags },
	{ "INTERNALDATE", read_date },
	{ "RFC822.SIZE", read_size },
	{ "BODY[]", read_body },
	{ "EMAILID", read_email_id },
	{ "MODSEQ", read_modseq },
};

static item_reader
reader_of(const struct imap_token *name)
{
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (imap_token_is(name, items[i].name))
			return items[i].read;

	static const char fields[] = "BODY[HEADER.FIELDS";
	if (name->len >= sizeof(fields) - 1 &&
	    strncasecmp(name->data, fields, sizeof(fields) - 1) == 0)
		return read_fields;

	/* "BODY[]<0>": an answer to a partial fetch nobody asked for. */
	return name->len > 6 && name->data[6] == '<' &&
		       strncasecmp(name->data, "BODY[]", 6) == 0
		   ? read_body
		   : NULL;
}

/*
 * Skip an unknown item's value.  A name that we know right behind it means
 * that the item had none ("X-MARK UID 5").
 */
static bool
skip_value(struct imap_tokens *t)
{
	struct imap_tokens ahead = *t;
	struct imap_token next = imap_token_next(&ahead);
	if (next.kind == IMAP_CLOSE ||
	    (next.kind == IMAP_ATOM && reader_of(&next) != NULL))
		return true;

	return imap_token_skip(t);
}

static void
start(struct imap_fetch *f)
{
	struct buf keywords = f->keywords, email_id = f->email_id;
	struct buf message_id = f->message_id;
	buf_clear(&keywords);
	buf_clear(&email_id);
	buf_clear(&message_id);
	*f = (struct imap_fetch){ .idate = DATETIME_NONE,
		.keywords = keywords,
		.email_id = email_id,
		.message_id = message_id };
}

static bool
fail(const char **why, const char *text)
{
	*why = text;

	return false;
}

bool
imap_fetch_parse(struct imap_fetch *f, struct imap_tokens t, const char **why)
{
	start(f);
	if (t.frame != NULL && t.frame->crowded)
		return fail(why, "too many long literals in one FETCH line");
	if (imap_token_next(&t).kind != IMAP_OPEN)
		return fail(why, "a FETCH line without a list of items");
	for (;;) {
		struct imap_token name = imap_token_next(&t);
		if (name.kind == IMAP_CLOSE)
			return true;
		if (name.kind == IMAP_END)
			return fail(why, "a FETCH line that does not end");
		if (name.kind != IMAP_ATOM)
			return fail(why, "a FETCH line with a value in the "
					 "place of an item's name");
		item_reader read = reader_of(&name);
		if (!(read != NULL ? read(f, &t) : skip_value(&t)))
			return fail(why, "a FETCH line with an item that "
					 "cannot be read");
	}
}

void
imap_fetch_free(struct imap_fetch *f)
{
	buf_free(&f->keywords);
	buf_free(&f->email_id);
	buf_free(&f->message_id);
}
