#ifndef HAUL_BOXES_H
#define HAUL_BOXES_H

#include "haul/filter.h"
#include "mail/source.h"

/* A mailbox of the source, and what this run knows of it. */
struct box {
	struct source_mailbox m; /* strings owned */
	size_t number;           /* in the list, from 0 */
	bool wanted;             /* selectable, and no rule skips it */
	/* A mailbox that is gone and may have been this one: index id; 0: none.
	 * Its messages are looked for in it. */
	uint64_t earlier;
	/* UIDVALIDITY as last seen in this run, 0: not yet; and how often it
	 * was another one than before. */
	uint64_t uidvalidity;
	int changes;
	bool restart; /* its UIDs name other messages than they did */
	/* It was seen to its end, or can't have changed: what the source said
	 * of it then. */
	bool seen;
	struct source_opened then;
	/* A lost connection cut a full pass by which something seemed gone:
	 * listed anew, it can be said. */
	bool doubtful;
	bool again; /* it moved since, or is doubtful */
};
struct boxes {
	struct box *array; /* owned */
	size_t n;
};

/* An each of source_ops.list; arg: struct boxes *. */
bool boxlist_add(void *arg, const struct source_mailbox *, struct err *);
void boxlist_free(struct boxes *);
bool box_selectable(const struct source_mailbox *);

/* For looking names up: those that can be opened, by wire name. */
struct boxlist_by_name {
	struct box **array; /* owned; to borrowed boxes */
	size_t n;
};
void boxlist_by_name(struct boxlist_by_name *, const struct boxes *);
struct box *boxlist_named(const struct boxlist_by_name *, const char *name);
void boxlist_by_name_free(struct boxlist_by_name *);

#endif
