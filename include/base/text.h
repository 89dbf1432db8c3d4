#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Octets made safe for a terminal, a log line or an error: control
 * characters, bidi controls and invalid UTF-8 become \xHH or \u{HHHH}.
 */
void text_escape(struct buf *, const void *, size_t len);
/* The same into out[size], cut with "…" if too long; returns out. */
char *text_escape_to(char *out, size_t size, const void *, size_t len);
/* Invalid UTF-8 becomes U+FFFD and NUL is dropped: for JSON strings. */
void text_utf8(struct buf *, const void *, size_t len);
/* As one word of a shell's command, quoted where it has to be; control
 * characters are escaped as above, and then it isn't the same word. */
void text_shell(struct buf *, const char *word);
bool text_is_utf8(const void *, size_t len);

/* "3.1 GiB", "512 B": for people. */
char *text_size(char *out, size_t size, uint64_t octets);
/* "42m 11s", "2h 03m". */
char *text_duration(char *out, size_t size, int64_t seconds);
/* "12,345". */
char *text_count(char *out, size_t size, uint64_t);

/* "35M", "1g", "500": octets, powers of 1024. False if not a size. */
bool text_parse_size(const char *, uint64_t *);
/* A decimal of 1-20 digits that fits; no sign, no blank. */
bool text_parse_u64(const char *, size_t len, uint64_t *);

#endif
