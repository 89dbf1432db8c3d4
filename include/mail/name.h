#ifndef MAIL_NAME_H
#define MAIL_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* LIST attributes (RFC 9051 7.3.1, RFC 6154); bits. */
enum mailbox_attribute {
	MAILBOX_NOSELECT = 1 << 0,
	MAILBOX_NONEXISTENT = 1 << 1,
	MAILBOX_NOINFERIORS = 1 << 2,
	MAILBOX_HAS_CHILDREN = 1 << 3,
	MAILBOX_HAS_NO_CHILDREN = 1 << 4,
	MAILBOX_MARKED = 1 << 5,
	MAILBOX_UNMARKED = 1 << 6,
	MAILBOX_SUBSCRIBED = 1 << 7,
	MAILBOX_REMOTE = 1 << 8,
	MAILBOX_ALL = 1 << 9,
	MAILBOX_ARCHIVE = 1 << 10,
	MAILBOX_DRAFTS = 1 << 11,
	MAILBOX_FLAGGED = 1 << 12,
	MAILBOX_JUNK = 1 << 13,
	MAILBOX_SENT = 1 << 14,
	MAILBOX_TRASH = 1 << 15,
	MAILBOX_IMPORTANT = 1 << 16
};

/* "\Sent" without regard to case; 0 if unknown. */
uint32_t name_attribute(const char *, size_t len);
/* "sent", "junk" … of the first special-use bit; NULL if none. */
const char *name_special_use(uint32_t attributes);
/* "special:junk" → MAILBOX_JUNK; 0 if no such role. */
uint32_t name_role(const char *role);

/*
 * Modified UTF-7 (RFC 3501 5.1.3) → UTF-8. False if it isn't valid (lone
 * surrogates, non-canonical shifts, raw 8-bit octets that are no UTF-8);
 * out then holds the octets as they are with invalid UTF-8 as %XX, so that
 * the mailbox still has a name to show.
 */
bool name_decode(struct buf *out, const char *wire, size_t len);
void name_encode(struct buf *out, const char *utf8, size_t len);

/* Octets of a wire name's first level; separator 0: all. */
size_t name_level(const char *wire, size_t len, char separator);

/* The display name: decoded, with '/' between levels; a '/' inside a level
 * of a server with another separator becomes %2F ('%' itself stays). */
void name_display(
    struct buf *out, const char *wire, size_t len, char separator);

/* What tells a display name from another one that looks the same, appended:
 * "%~" and 16 digits of the wire name's SHA-256. */
void name_mark(struct buf *display, const char *wire, size_t len);

/* True if a wire name may be sent to a server: no CR, LF, NUL, other
 * controls (RFC 9051 5.1), and not empty. */
bool name_is_safe(const char *, size_t len);

/* Glob over display names: '*' within a level, '**' across levels, '?' one
 * character; a pattern that matches a parent matches its children; INBOX
 * without regard to case. "special:ROLE" is judged by attributes. */
bool name_matches(
    const char *pattern, const char *display, uint32_t attributes);

#endif
