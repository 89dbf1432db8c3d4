#ifndef CMD_REPACK_H
#define CMD_REPACK_H

#include "index/repack.h"
#include "ports.h"

/* Under the archive's lock, with every manifest written: drafts and volumes
 * that were replaced go. */
bool repack_clean(struct archive_port *, struct err *);

/* A group of volumes that become one. */
struct repack_group {
	char (*names)[KEPT_VOLUME_NAME]; /* owned */
	uint8_t (*sha256)[32];           /* owned */
	size_t n;
	uint64_t octets;
};
void repack_group_add(struct repack_group *, const struct repack_candidate *);
void repack_group_free(struct repack_group *);

struct repack_merged {
	char volume[KEPT_VOLUME_NAME]; /* "": fewer than two were fit */
	size_t volumes;
	uint64_t messages, before, after; /* octets of files */
	size_t unfit; /* volumes left as they are, told to finding */
};
/*
 * One group: each volume is verified, copied, and the copy verified before it
 * takes their place. Those that differ from what the index says are left as
 * they are. After a failure all is as it was.
 */
bool repack_merge(struct archive_port *, const struct archive_options *,
    const struct repack_group *,
    void (*finding)(
	void *arg, const char *where, const char *entry, const char *what),
    void *arg, struct repack_merged *, struct err *);

#endif
