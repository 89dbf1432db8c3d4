#ifndef HAUL_WANTS_H
#define HAUL_WANTS_H

#include "queue.h"

/* A message that was announced and is to be fetched. */
struct want {
	struct kept_placement placement;
	bool requested, answered;
	/* Connections that broke while it alone was asked for; one more if it
	 * was unreadable before. */
	int blame;
};

/* Announced, not yet answered, ascending by okey. */
struct wants {
	struct want *array;       /* owned */
	size_t first, count, cap; /* array[first .. first + count) */
	size_t requested;         /* asked for and not answered */
	size_t fresh;             /* not asked for yet: the last ones */
};
/* blame: see struct want. */
void wants_add(struct wants *, const struct placement *, int blame);
/* The unanswered, requested one of this okey; NULL: nobody asked. */
struct want *wants_find(struct wants *, uint64_t okey);
/* Answered: its placement goes to *out. */
void wants_answer(struct wants *, struct want *, struct kept_placement *out);
/* The next n that were not asked for become requested: their okeys and sizes
 * into the arrays; returns how many. */
size_t wants_request(
    struct wants *, size_t n, uint64_t *okeys, uint64_t *sizes);
/* The connection is lost: nothing is requested any more. The only one that
 * was, or NULL. */
struct want *wants_lost(struct wants *);
void wants_clear(struct wants *);
void wants_free(struct wants *);

#endif
