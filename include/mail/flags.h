#ifndef MAIL_FLAGS_H
#define MAIL_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* System flags (RFC 9051 2.3.2); the numbers are stored in the index. */
enum mail_flag {
	MAIL_ANSWERED = 1,
	MAIL_FLAGGED = 2,
	MAIL_DELETED = 4,
	MAIL_SEEN = 8,
	MAIL_DRAFT = 16
};

/* "\Seen" without regard to case; 0 if not one of the five (\Recent too). */
uint8_t flags_parse(const char *, size_t len);
/* "\Answered \Seen": system flags in a fixed order, blanks between. */
void flags_text(struct buf *, uint8_t flags);
/* Maildir info letters "DFRST" in ASCII order. */
char *flags_maildir(char out[8], uint8_t flags);
uint8_t flags_from_maildir(const char *letters);
/* The catalog's and index's form of a keyword set: sorted by octets without
 * repeats, joined by one blank (a keyword is an atom and holds none). */
void flags_keywords(struct buf *, const char *const *keywords, size_t n);

#endif
