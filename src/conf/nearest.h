#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

#include <stddef.h>

/*
 * What somebody who wrote `word` may have meant: offer each known name, in
 * order, and best is the nearest, or NULL if none is near. '-' counts as '_',
 * capitals as small letters. word is borrowed.
 */
struct nearest {
	const char *word;
	const char *best; /* borrowed from nearest_offer */
	size_t distance;
};

void nearest_offer(struct nearest *, const char *name);

#endif
