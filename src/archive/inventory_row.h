#ifndef ARCHIVE_INVENTORY_ROW_H
#define ARCHIVE_INVENTORY_ROW_H

#include <jansson.h>

#include "archive/inventory.h"
#include "base/buf.h"

/* Texts that a row borrows beside the JSON object. {0} is empty. */
struct row_texts {
	struct buf wire, keywords;
};
void row_texts_free(struct row_texts *);

/* All of a catalog's or manifest's line about a message; borrows from the
 * object and t. volume: where it says its entry is. False: *why. */
bool inventory_row_parse(const json_t *, const char *volume,
    struct row_texts *t, struct inventory_row *, const char **why);
/* Whose message it is, and what the server said of it: account, mailbox,
 * UIDs, flags, keywords, date, as far as the object has them. */
bool inventory_origin_parse(const json_t *, struct row_texts *,
    struct inventory_row *, const char **why);

/* "wire" or "wire_hex", else the display name. False: no safe name. */
bool inventory_wire(
    const json_t *, const char *key, const char *display, struct buf *out);
/* A number of 0 to INT64_MAX; absent: *out stays. False: something else. */
bool inventory_number(const json_t *, const char *key, uint64_t *out);
/* Text; NULL if absent or null. */
const char *inventory_text(const json_t *, const char *key);

#endif
