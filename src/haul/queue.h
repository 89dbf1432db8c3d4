#ifndef HAUL_QUEUE_H
#define HAUL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/name.h"
#include "mail/source.h"
#include "index/index.h"

/* A placement that outlives the source's next call: owns its keywords. */
struct kept_placement {
	struct placement p;
	char **keywords; /* p.keywords points here */
};
void placement_keep(struct kept_placement *, const struct placement *);
void placement_drop(struct kept_placement *);

enum belt_kind {
	BELT_OPEN,    /* a mailbox begins: .box, .mailbox, .counts.inventory */
	BELT_MESSAGE, /* .placement, .content */
	BELT_OUTCOME, /* .placement, .outcome, .class, .text */
	BELT_COUNT,   /* only .counts to add: rows that exist already, or
			 messages without any UID to hang a row on */
	BELT_CLOSE,   /* the mailbox was seen to its end: .counts, .state */
	BELT_END
};

/* One thing that the fetching thread hands to the delivering one. */
struct belt {
	enum belt_kind kind;
	uint64_t mailbox; /* index id */
	struct kept_placement placement;
	struct content *content; /* owned */
	enum outcome outcome;
	const char *class; /* static */
	char *text;        /* owned */
	struct index_counts counts;
	struct source_state state;
	bool advance;         /* CLOSE: the delta's state may be stored */
	char *name, *display; /* OPEN: owned */
	char separator;
	uint32_t attributes;
	uint64_t uidvalidity;
	struct belt *next;
};
struct belt *belt_new(enum belt_kind, uint64_t mailbox);
void belt_free(struct belt **);

enum {
	/* The belt: enough to keep the delivering thread busy while the
	 * network pauses, little enough for 64 MiB in all. */
	BELT_COUNT_MAX = 512,
	BELT_OCTETS_MAX = 6 << 20
};

/* The belt between the two threads of a lane, bounded by things and octets. */
struct queue;
struct queue *queue_new(size_t max_count, uint64_t max_octets);
void queue_free(struct queue **);
/*
 * Put *b on the belt, waiting for room, and clear the caller's pointer.
 * False if the other side has cancelled; *b is then still the caller's.
 */
bool queue_push(struct queue *, struct belt **b);
/* The next thing, or NULL after wait_ms without one (-1: for ever). */
struct belt *queue_pop(struct queue *, int wait_ms);
/* The taking side gives up: every push fails from now on. */
void queue_cancel(struct queue *);
bool queue_cancelled(struct queue *);

#endif
