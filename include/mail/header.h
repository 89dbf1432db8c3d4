#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A field's body as it stands (folded, undecoded); NULL if absent. Borrowed
 * from the scanned octets. The first field of a name counts. */
struct header_slice {
	const char *data;
	size_t len;
};

struct header_fields {
	struct header_slice message_id, from, to, cc, subject, date;
};

/*
 * One memchr pass over a header section (RFC 5322 2.2): never fails, never
 * allocates, tolerates bare LF, a leading mbox "From " line, lines that are
 * no field, NUL, and sections cut anywhere.
 */
void header_scan(const char *, size_t len, struct header_fields *);

/* Octets kept of each field's text, in the index and the catalogs. */
enum {
	HEADER_TEXT_MESSAGE_ID = 998,
	HEADER_TEXT_ADDRESSES = 2000,
	HEADER_TEXT_SUBJECT = 998,
	HEADER_TEXT_DATE = 100
};

/* Unfold, decode RFC 2047 encoded words (iconv), collapse runs of white
 * space, end as valid UTF-8 of at most max octets: for catalog, index and
 * screens. 8-bit octets that aren't UTF-8 are taken as Windows-1252. */
void header_text(struct buf *, struct header_slice, size_t max);

#endif
