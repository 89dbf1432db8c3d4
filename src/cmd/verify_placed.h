#ifndef CMD_VERIFY_PLACED_H
#define CMD_VERIFY_PLACED_H

#include "archive/reader.h"
#include "index/index.h"

/*
 * Where the index looks for the messages of a sealed volume, against the
 * volume, which was verified by itself and found whole.
 */
struct placed {
	struct index *index;           /* borrowed, as all of these */
	struct archive_reader *reader; /* knows the volume's own seek table */
	struct archive_reader *again;  /* of messages, by the index's word */
	const char *volume;
	uint64_t frames; /* with messages, as the index says */
	const struct archive_verified *catalog;
	uint64_t *octets; /* grows by what was read once more */
	void (*found)(
	    void *arg, const char *volume, const char *entry, const char *what);
	void *arg;
};
bool placed_check(const struct placed *, struct err *);

#endif
