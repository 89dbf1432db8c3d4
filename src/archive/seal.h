#ifndef ARCHIVE_SEAL_H
#define ARCHIVE_SEAL_H

#include "volume.h"

/* What the read-back tells on its way, and how long it took. */
struct seal_watch {
	void (*sealing)(void *arg, uint64_t done, uint64_t of);
	void *arg;
	uint64_t readback_ms; /* added to */
};

/*
 * Catalog, unpack.sh, tar's end and seek table into v, all of whose frames
 * are durable; read back; rename; fsync the folder. v remains the caller's.
 */
bool seal_volume(struct volume *v, catalog_next next, void *arg,
    struct seal_watch *, uint64_t *octets, uint8_t sha256[32], struct err *);

#endif
