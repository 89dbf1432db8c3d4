#ifndef ARCHIVE_JSONL_H
#define ARCHIVE_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A line of JSON, written from front to back: what jansson would dump with
 * JSON_COMPACT, without building an object of some forty allocations for each
 * of a million messages first. Keys are ours: plain ASCII, each once.
 */
struct jsonl {
	struct buf *out; /* borrowed */
	bool more;       /* something stands before: a comma is due */
};
void jsonl_begin(struct jsonl *, struct buf *out);
void jsonl_end(struct jsonl *); /* with a newline */

/* NULL: null. Invalid UTF-8 becomes U+FFFD, a NUL is dropped. */
void jsonl_text(struct jsonl *, const char *key, const char *text);
void jsonl_octets(struct jsonl *, const char *key, const char *, size_t);
/* Signed, as SQLite and JSON's readers have them. */
void jsonl_number(struct jsonl *, const char *key, uint64_t);
void jsonl_bool(struct jsonl *, const char *key, bool);
void jsonl_null(struct jsonl *, const char *key);
/* Words with blanks between as an array of them. */
void jsonl_words(struct jsonl *, const char *key, const char *words);
void jsonl_list(
    struct jsonl *, const char *key, const char *const *texts, size_t n);
/* An object inside; its keys; its end. */
void jsonl_open(struct jsonl *, const char *key);
void jsonl_close(struct jsonl *); /* or, of the whole, without a newline */

#endif
