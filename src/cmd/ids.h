#ifndef CMD_IDS_H
#define CMD_IDS_H

#include "index/index.h"
#include "options.h"

/* The messages that --id and --ids-from name: content hashes, or their first
 * 8 or more digits. Sorted, each once. */
struct ids {
	uint8_t (*sha256)[32]; /* owned */
	size_t n;
};
/* from: a file with an ID at the start of each line, "-": standard input, NULL:
 * none. ERR_USAGE, ERR_GONE: one of them names nothing, or several. */
bool ids_read(struct ids *, struct index *, const struct list *given,
    const char *from, struct err *);
void ids_free(struct ids *);

enum { ID_TEXT = 65 };
/* The first 12 digits, or as many more as tell this message from others. */
bool ids_text(
    struct index *, const uint8_t sha256[32], char out[ID_TEXT], struct err *);

#endif
