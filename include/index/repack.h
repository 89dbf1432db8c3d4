#ifndef INDEX_REPACK_H
#define INDEX_REPACK_H

#include "index/index.h"

/*
 * Small sealed volumes whose entries are written anew into one larger volume.
 * The new one is a draft (VOLUME_DRAFT: nothing points into it, its file may go
 * at any time) until one transaction lets all that pointed into the old ones
 * point into it. The old ones are VOLUME_REPLACED then. Catalogs of other
 * volumes go on naming the old places: index_moved tells where they are now.
 */

struct repack_candidate {
	char name[KEPT_VOLUME_NAME];
	uint64_t octets; /* of file */
	uint8_t sha256[32];
};
/* Sealed volumes below so many octets, oldest first, but for those that hold
 * an entry that was given up for a later one. each false: stop. */
bool repack_candidates(struct index *, uint64_t below,
    bool (*each)(void *arg, const struct repack_candidate *), void *arg,
    struct err *);

/* A new draft. A transaction of its own. */
bool repack_draft(struct index *, uint64_t run, uint64_t archive,
    const char *volume, struct err *);
/* The draft is forgotten. A transaction of its own. */
bool repack_undraft(struct index *, const char *volume, struct err *);

struct repack_place {
	const char *volume;
	uint32_t frame;
	uint64_t offset;
};
/* The data of a content, or its header section alone (whole false), was copied
 * into the draft. Inside a transaction. */
bool repack_put(struct index *, const uint8_t sha256[32], bool whole,
    const struct repack_place *from, const struct repack_place *to,
    struct err *);
/* Where a place was copied to in a draft: what is there, or (body) the first
 * copy of it in that draft. *found false: not at all. */
bool repack_find(struct index *, const struct repack_place *from, bool body,
    struct kept *to, bool *found, struct err *);

/*
 * The draft is sealed, as p says, and takes the place of n volumes, all of
 * whose copies and deliveries were put: ERR_DAMAGED if not, and nothing has
 * happened. A transaction of its own.
 */
bool repack_swap(struct index *, uint64_t run, uint64_t archive,
    const struct progress *p, const char (*old)[KEPT_VOLUME_NAME], size_t n,
    struct err *);

/* Where the octets lie now that lay in a volume that was replaced. *found
 * false: they never moved, or nobody elsewhere named them. */
bool index_moved(struct index *, const char *volume, uint32_t frame,
    uint64_t offset, struct kept *to, bool *found, struct err *);

struct repack_replaced {
	const char *name, *by, *run; /* run: that replaced it */
	uint64_t octets, by_octets;
	uint8_t sha256[32];
};
/* Replaced volumes in order; each false: stop. */
bool index_replaced_volumes(struct index *,
    bool (*each)(void *arg, const struct repack_replaced *), void *arg,
    struct err *);
/* What a run moved, as far as anything names the old place. */
bool index_moves(struct index *, uint64_t run,
    bool (*each)(void *arg, const struct repack_place *from,
	const struct repack_place *to),
    void *arg, struct err *);

/* The hierarchy separator of a row's mailbox; 0: none is known. */
bool index_separator(
    struct index *, const struct catalog_row *, char *separator, struct err *);

#endif
