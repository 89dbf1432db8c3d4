#ifndef HAUL_OKEYS_H
#define HAUL_OKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of okeys in any order, 64 neighbours a word. {0} is empty. */
struct okeys {
	struct okeys_word {
		uint64_t place; /* okey / 64 + 1; 0: free */
		uint64_t bits;
	} * words; /* owned */
	size_t used, size;
};
void okeys_add(struct okeys *, uint64_t okey);
bool okeys_has(const struct okeys *, uint64_t okey);
void okeys_free(struct okeys *);

#endif
