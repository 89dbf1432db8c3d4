#ifndef MAIL_LEVELS_H
#define MAIL_LEVELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "mail/place.h"

/* A mailbox's path, apart from how any server writes it. */
struct level {
	char *text; /* owned; UTF-8, or octets where the server sent none */
	bool typed; /* by a person: %XX is meant as it stands */
};

struct levels {
	struct level *array;
	size_t n;
};

/* Each fills {0}. */
void levels_of_wire(
    struct levels *, const char *wire, size_t len, char separator);
/* '/' between levels, %2F within one. Of a typed one empty levels are dropped:
 * a star may have stood for nothing. */
void levels_of_display(struct levels *, const char *display, bool typed);
/* Copies more's levels in before those that are there. */
void levels_prepend(struct levels *, const struct levels *more);
void levels_drop(struct levels *, size_t n); /* the first n */
void levels_free(struct levels *);

/* "INBOX" without regard to case. */
bool levels_inbox(const char *level);
/* Where a personal namespace holds what INBOX has below it: "INBOX.". */
bool levels_inbox_prefix(const struct place_target *);

/* The wire name on the target (escapes: see place_plan), appended. Returns
 * whether anything was escaped. */
bool levels_encode(
    struct buf *wire, const struct levels *, const struct place_target *);
/* That name with all escaped that place_refused says. False: it is the same. */
bool levels_strict(
    struct buf *wire, const char *name, const struct place_target *);

#endif
