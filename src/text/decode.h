#ifndef TEXT_DECODE_H
#define TEXT_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* What the child needs, loaded before it is started. */
bool text_decode_load(struct err *);
/* What the child does: a message's text parts as UTF-8, blanks between them,
 * at most TEXT_MAX octets. *cut: a limit was reached. Before the first. */
void text_decode_start(void);
void text_decode(const char *, size_t, struct buf *text, bool *cut);

/* HTML in UTF-8 as text: no tags, comments, scripts and styles; entities
 * decoded; a blank where a block ends. Adds at most max octets; false: more
 * would have come. */
bool text_html(struct buf *, const char *, size_t, size_t max);

#endif
