#ifndef HAUL_QUEUE_H
#define HAUL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/name.h"
#include "mail/source.h"
#include "index/index.h"
#include "ranges.h"

/* A placement that outlives the source's next call: owns its keywords and its
 * EMAILID; its Message-ID is not kept. */
struct kept_placement {
	struct placement p;
	char **keywords; /* p.keywords points here */
};
void placement_keep(struct kept_placement *, const struct placement *);
void placement_drop(struct kept_placement *);

enum belt_kind {
	BELT_PLAN,    /* all mailboxes that are to be read: .plan; only where a
			 server is the target */
	BELT_OPEN,    /* a mailbox begins: .box, .mailbox, .counts.inventory */
	BELT_SAME,    /* a mailbox that can't have changed: .box, .mailbox and
			 all its .counts; it is not opened */
	BELT_MESSAGE, /* .placement, .content, .rematch, .text */
	BELT_KNOWN,   /* .placement, .sha256: kept already, under another UID */
	BELT_OUTCOME, /* .placement, .outcome, .class, .text */
	BELT_CHANGE,  /* .placement's flags and keywords are these now */
	BELT_GONE,    /* .ranges of okeys are not there any more; .gone of them
			 were messages */
	BELT_COUNT,   /* only .counts to add: rows that exist already, or
			 messages without any UID to hang a row on */
	BELT_CLOSE,   /* the mailbox was seen to its end: .counts, .state,
			 .before */
	BELT_GONE_BOX, /* .mailbox is not there any more */
	BELT_SYNC,     /* tell queue_synced once all before is settled */
	BELT_END
};

/* Generations before the one at hand that are looked into, the newest ones. */
enum { REMATCH_BOXES = 4 };

/* One thing that the fetching thread hands to the delivering one. */
struct belt {
	enum belt_kind kind;
	uint64_t mailbox; /* index id */
	struct kept_placement placement;
	struct content *content; /* owned */
	uint8_t sha256[32];
	enum outcome outcome;
	const char *class; /* static */
	/* Owned. MESSAGE: the rule that excludes it unless it turns out to be
	 * kept already; NULL: none. */
	char *text;
	/* MESSAGE: may be kept already for an older generation of the mailbox,
	 * or for the mailbox .earlier (0: none), which CLOSE tells as well. */
	bool rematch;
	uint64_t earlier;
	struct index_counts counts;
	struct source_state state;
	struct ranges ranges; /* owned */
	uint64_t gone;
	bool advance;     /* CLOSE: the delta's state may be stored */
	bool whole;       /* CLOSE: all of .before may end */
	uint64_t *before; /* owned; mailboxes that this one follows, the newest
			     is the last */
	size_t before_count;
	size_t box;           /* which mailbox of the account, from 0 */
	char *name, *display; /* OPEN: owned */
	char separator;
	uint32_t attributes;
	uint64_t uidvalidity;
	struct source_mailbox *plan; /* owned, and .name, .display of each */
	size_t plan_count;
	bool fresh_volume; /* OPEN: its entries' names may be used already */
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
/* Wait until the taking side has settled all that was put on the belt. False
 * if it has cancelled. */
bool queue_sync(struct queue *);
/* The taking side's answer to BELT_SYNC. */
void queue_synced(struct queue *);
/* The taking side gives up: every push fails from now on. */
void queue_cancel(struct queue *);
bool queue_cancelled(struct queue *);

#endif
