#ifndef IMAP_TOKEN_H
#define IMAP_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "imap/frame.h"

enum { IMAP_DEPTH_MAX = 32 };

enum imap_token_kind {
	IMAP_END,
	IMAP_ATOM,   /* anything without blanks, quotes, parentheses; with its
			[section], in which blanks and parentheses may stand */
	IMAP_STRING, /* quoted (maybe with escapes) or literal */
	IMAP_OPEN,
	IMAP_CLOSE,
	IMAP_HOLE,   /* a literal whose octets are not here */
	IMAP_GARBAGE /* a quote or literal that does not end */
};

/* Borrowed from the text it was cut of. */
struct imap_token {
	enum imap_token_kind kind;
	const char *data;
	size_t len;
	bool escaped; /* backslashes stand before '"' and '\\' */
	bool body;    /* HOLE: it went to the sink */
	bool glued;   /* '(' or '"' follows without a blank: "foo(bar)" */
};

struct imap_tokens {
	const char *start, *at, *end;
	const struct imap_frame *frame; /* NULL: no holes */
};

/* Tokens of a frame's text from offset on. */
struct imap_tokens imap_tokens(const struct imap_frame *, size_t offset);
struct imap_token imap_token_next(struct imap_tokens *);
/* Skip one value: a token, or a list with all that is in it. False at the
 * end, at ')', on garbage, and beyond IMAP_DEPTH_MAX. */
bool imap_token_skip(struct imap_tokens *);
/* What is left after an OPEN was read, up to its CLOSE. */
bool imap_token_skip_list(struct imap_tokens *);

/* An atom, without regard to case. */
bool imap_token_is(const struct imap_token *, const char *word);
/* An atom "NIL" (a string "NIL" is three octets). */
bool imap_token_nil(const struct imap_token *);
/* An atom of digits. */
bool imap_token_number(const struct imap_token *, uint64_t *);
/* ATOM or STRING, unescaped. False for anything else. */
bool imap_token_text(struct buf *, const struct imap_token *);

#endif
