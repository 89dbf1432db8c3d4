#ifndef MAIL_CONTENT_H
#define MAIL_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

enum {
	CONTENT_MEMORY = 1 << 20,       /* up to here in memory, else a file */
	CONTENT_HEADER_MAX = 256 << 10, /* header octets kept for scanning */
	/* A message in a file of up to so many octets is hashed by whoever
	 * takes it over, while the next ones are fetched. */
	CONTENT_HASH_LATER = 32 << 20
};

/*
 * The octets of one message, exactly as the source sent them: in memory up
 * to CONTENT_MEMORY, else in an unnamed file (O_TMPFILE) in a spool folder.
 * Written once from front to end (the end of the header section is found on
 * the way), then read any number of times by one thread at a
 * time.
 */
struct content;

/* expected: how many octets are likely to come (a hint). dir: borrowed for
 * the call; where to spool; NULL: $TMPDIR or /tmp. */
struct content *content_new(const char *dir, uint64_t expected);
bool content_add(struct content *, const void *, size_t, struct err *);
/* No more octets. Must be called before any of the readers below. */
void content_finish(struct content *);
void content_free(struct content **);

uint64_t content_size(const struct content *);
/*
 * Compute the SHA-256 of a spooled message if it is not known yet (and then the
 * body hash with it). Due before content_sha256 is asked for; nothing happens
 * for one in memory. False: reading the spool failed, ERR_RUN.
 */
bool content_hash(struct content *, struct err *);
/* Of a message in memory computed on the first call: the thread that takes a
 * content over shares the work with the one that fetches it. Of a spooled one
 * only after content_hash. */
const uint8_t *content_sha256(struct content *);
/*
 * Octets up to and including the empty line that ends the header section
 * (RFC 5322 2.1); the first of CRLF CRLF, LF LF or mixed; an empty line at
 * the very start counts. The whole size if there is none.
 */
uint64_t content_header_size(const struct content *);
/* The header section's first octets, at most CONTENT_HEADER_MAX. Borrowed. */
const char *content_header(const struct content *, size_t *len);
/* XXH3 of everything behind the header section; computed on first call. 0 if
 * reading the spool failed. */
int64_t content_body_hash(struct content *);

/*
 * Give the body's memory or file back: what is known of the content stays
 * (size, SHA-256, header section, a body hash that was asked for before); its
 * octets must not be read any more.
 */
void content_forget_body(struct content *);

/* Octets [offset, offset + n) into out; fails if they are not all there. */
bool content_read(
    const struct content *, uint64_t offset, void *out, size_t n, struct err *);
/* The octets of [offset, offset + n) in order, piece by piece, until each
 * returns false (which it must explain in err). */
bool content_each(const struct content *, uint64_t offset, uint64_t n,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *);

#endif
