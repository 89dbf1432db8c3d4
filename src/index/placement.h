#ifndef INDEX_PLACEMENT_H
#define INDEX_PLACEMENT_H

#include "index/private.h"

/* One version of a placement, as its row. */
struct version {
	int64_t from, to; /* runs; from 0: there is none; to 0: it lives */
	int64_t content;  /* 0: nothing kept */
	uint8_t flags;
	int64_t keywords; /* 0: none */
	int64_t idate;    /* DATETIME_NONE: none */
	int16_t zone;
	int64_t size; /* as announced */
};

/* The last one of a message; .from 0: never seen. */
bool placement_last(struct index *, uint64_t mailbox, uint64_t okey,
    struct version *, struct err *);
/* A source's placement as a version that begins in run. */
bool placement_version(struct index *, uint64_t run, const struct placement *,
    int64_t content, struct version *, struct err *);
/*
 * *now lives from now on, in place of *last: that one ends if it differs, and
 * lends its content if *now has none. *now is told back as it stands.
 */
bool placement_put(struct index *, uint64_t mailbox, uint64_t okey,
    const struct version *last, struct version *now, struct err *);
/* Live ones with lo <= okey <= hi end; *n of them. */
bool placement_end(struct index *, uint64_t run, uint64_t mailbox, uint64_t lo,
    uint64_t hi, uint64_t *n, struct err *);

#endif
