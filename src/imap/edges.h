#ifndef IMAP_EDGES_H
#define IMAP_EDGES_H

#include "imap/session.h"

struct imap_edges {
	uint32_t *uids; /* ascending, maybe with repeats; free() */
	size_t count;
	bool complete; /* every one asked for was answered */
};

/*
 * UIDs of the messages EXISTS, EXISTS - step, EXISTS - 2 * step … down to the
 * first below lo.  What the server refuses is left out. False: the
 * connection is lost.
 */
bool imap_edges_find(struct imap_edges *, struct imap_session *, uint64_t lo,
    uint64_t step, struct err *);

/* The highest UID, by "*", where numbers lead nowhere; 0: not told. */
bool imap_edges_last(struct imap_session *, uint32_t *uid, struct err *);

#endif
