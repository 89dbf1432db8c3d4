#ifndef IMAP_REPLY_H
#define IMAP_REPLY_H

#include "imap/token.h"

enum imap_reply_kind {
	IMAP_TAGGED,   /* "A1 OK …" */
	IMAP_STATUS,   /* "* OK …" */
	IMAP_DATA,     /* "* LIST …": .name */
	IMAP_NUMBERED, /* "* 5 EXISTS": .number and .name */
	IMAP_CONTINUE, /* "+ …" */
	IMAP_JUNK      /* anything else: to be skipped */
};

enum imap_status { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

/* Text borrowed from a frame. */
struct imap_text {
	const char *data;
	size_t len;
};

/* A framed response, told apart by its first words only. */
struct imap_reply {
	enum imap_reply_kind kind;
	enum imap_status status;     /* TAGGED, STATUS */
	struct imap_text tag;        /* TAGGED */
	uint64_t number;             /* NUMBERED */
	struct imap_text name;       /* DATA, NUMBERED */
	struct imap_text words;      /* TAGGED, STATUS: from "OK" to the end;
				      * DATA: behind "*".  To look at, not
				      * to show: */
	struct imap_text said;       /* the same for people; see words.h */
	struct imap_text code, args; /* "[CODE ARGS]" of TAGGED and STATUS */
	struct imap_text text;       /* behind the code */
	struct imap_tokens rest;     /* DATA, NUMBERED: behind the name */
};

void imap_reply_parse(struct imap_reply *, const struct imap_frame *);
/* Without regard to case. */
bool imap_text_is(const struct imap_text *, const char *word);
bool imap_text_has(const struct imap_text *, const char *words);
/* The number that a code's argument starts with ("[UIDNEXT 5]"). */
bool imap_text_number(const struct imap_text *, uint64_t *);

#endif
