#ifndef CONF_OUTLINE_H
#define CONF_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A first reading of the config file, event by event, because libcyaml stops
 * at the first thing that it doesn't like without saying what would be right,
 * takes "maybe" for a true and "010" for an eight. What outline_read accepts,
 * libcyaml loads by the schema of the same rows.
 */

/* Where keys and rows stand. */
struct config_places {
	struct place {
		char *key; /* "source.url" */
		unsigned line;
	} * items;
	size_t n;
	unsigned *rows; /* lines of the inline accounts */
	size_t row_count;
	bool rows_inline;
};

/* All of data, held to keys_top. path: for texts. *places is the caller's to
 * free also after a failure. ERR_USAGE. */
bool outline_read(struct config_places *places, const char *path,
    const struct buf *data, struct err *);
void outline_free(struct config_places *);

#endif
