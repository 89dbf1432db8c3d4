#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "imap/token.h"

enum {
	IMAP_KEYWORD_MAX = 1024, /* octets; longer ones are dropped and named */
	IMAP_KEYWORDS_MAX = 4096, /* a message … */
	/* … and octets of them in all: an archive's line has room for 1 MiB. */
	IMAP_KEYWORDS_OCTETS = 256 << 10,
	IMAP_MESSAGE_ID_MAX = 2000 /* octets; longer ones are none */
};

enum imap_body_kind {
	IMAP_BODY_NONE, /* the item is not in this line */
	IMAP_BODY_NIL,
	IMAP_BODY_STREAMED, /* went to the sink */
	IMAP_BODY_STRING    /* stands in .body */
};

/* One FETCH response, read leniently: items in any order, unknown ones
 * skipped, values that make no sense left out. */
struct imap_fetch {
	uint64_t uid; /* 0: not in the line */
	uint64_t size, modseq;
	int64_t idate; /* DATETIME_NONE: not told, NIL or no date */
	int16_t zone;
	uint8_t flags;
	bool has_flags, has_size, has_date, has_email_id, has_message_id;
	unsigned bodies;               /* how many BODY[] the line has */
	enum imap_body_kind body_kind; /* of the first */
	struct imap_token body;        /* STRING */
	struct buf keywords;           /* each followed by NUL */
	uint32_t keyword_count;
	uint32_t keywords_dropped; /* too long, too many or no atoms */
	struct buf email_id;
	struct buf message_id; /* the field's body as it stands, no NUL */
};

/*
 * items stands behind the word FETCH.  Buffers of *fetch are used again.
 * False: the line is garbage from some point on; why: a constant text; what
 * was read before it (the UID often) is there.
 */
bool imap_fetch_parse(
    struct imap_fetch *, struct imap_tokens items, const char **why);
void imap_fetch_free(struct imap_fetch *);

#endif
