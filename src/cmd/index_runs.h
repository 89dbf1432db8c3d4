#ifndef CMD_INDEX_RUNS_H
#define CMD_INDEX_RUNS_H

#include "archive/inventory.h"

/* The runs that an archive tells of, in the order in which they were. */
struct known_run {
	char *name;    /* owned */
	bool readable; /* its manifest is there and whole */
	bool manifest; /* it has, or had, one with this hash */
	uint8_t sha256[32];
};
struct known_runs {
	struct known_run *rows; /* owned */
	size_t n;
};

/* By the chain of manifests; those that are missing in it too. */
bool known_runs_read(struct known_runs *, const char *dir,
    void (*finding)(void *arg, const char *where, const char *what), void *arg,
    struct err *);
/* The run that began a volume: one more, in its place by name, if no manifest
 * tells of it. */
const struct known_run *known_runs_of_volume(
    struct known_runs *, const char *volume);
/* The run that was killed last: whose messages in open volumes no manifest
 * knows. out: its name, 40 octets; *is_new: it isn't among runs. */
void known_runs_open(const struct known_runs *, const char *dir,
    const char *volume, char out[40], bool *is_new);
void known_runs_free(struct known_runs *);

#endif
