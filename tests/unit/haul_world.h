#ifndef TESTS_HAUL_WORLD_H
#define TESTS_HAUL_WORLD_H

#include <check.h>

#include "haul/haul.h"

/*
 * An invented server with mailboxes that change between and in runs, and an
 * invented archive. What a source must promise (mail/source.h) it keeps, in
 * the way that its mode says.
 */
enum { BOXES = 8, MESSAGES = 600, EVENTS = 8 * MESSAGES, GRAVES = 2000 };

enum world_mode {
	WORLD_QRESYNC,   /* CHANGED, GONE */
	WORLD_CONDSTORE, /* CHANGED; ALIVE where the sum doesn't come out */
	WORLD_SCAN,      /* CHANGED for each that is there */
	WORLD_MUTE,      /* tells only what is new, and never sweeps */
	WORLD_MODES
};

struct world_message {
	uint64_t uid, modseq;
	unsigned content; /* which octets; its Message-ID too */
	uint8_t flags;
	bool keyword, nameless; /* nameless: without Message-ID */
	bool email;             /* its EMAILID is told */
	bool other_octets;      /* same size and Message-ID as its content's */
	bool unreadable;        /* its body is refused */
	/* Breaks the connection each time its body is asked for, or a range of
	 * the list that it is in. */
	bool breaks_body, breaks_list;
	unsigned puts_off; /* so often the server asks to wait for its body, and
			      hangs up when it is asked for again */
};

struct world_box {
	char name[40], id[16];
	char display[40];    /* "": as its name */
	uint32_t attributes; /* of LIST; not 0: it can't be selected */
	uint64_t uidvalidity, uidnext, modseq;
	struct world_message m[MESSAGES];
	size_t n;
	struct {
		uint64_t uid, modseq;
	} graves[GRAVES];
	size_t grave_count;
};

struct world {
	enum world_mode mode;
	struct world_box box[BOXES];
	size_t n;
	unsigned contents;    /* given out so far */
	bool ids;             /* MAILBOXID is told */
	bool no_statuses;     /* not in LIST, not at the end */
	bool partial;         /* the list is of one mailbox only */
	bool denies_gone;     /* is_gone says no */
	bool gone_fails;      /* is_gone is refused */
	bool gone_waits;      /* is_gone is refused for now (throttled) */
	bool refuses_open;    /* EXAMINE is refused */
	bool incomplete;      /* END says that not all was told */
	bool restless;        /* another UIDVALIDITY at each open */
	uint64_t unlisted;    /* mailboxes that can't be named */
	bool fleeting;        /* UIDNOTSTICKY: they name others at each */
	uint64_t low_uidnext; /* what UIDNEXT is said to be; 0: the truth */
	uint64_t hide;        /* so many of the oldest are not listed */
	unsigned break_at;    /* the n-th body breaks the connection; 0: none */
	unsigned break_tell;  /* the n-th announcement does */
	bool breaks_all;      /* each announcement does, whatever was asked */
	bool breaks_open;     /* each open does */
	const struct world_box *at_hand; /* the last one that was opened */
	/* Before the n-th open of a run, from 1. */
	void (*meanwhile)(struct world *, unsigned open);
	/* what a run did */
	unsigned opens, bodies, tells, message_ids, asked_gone, dials, statuses;
	unsigned breaks; /* by a message */
	unsigned delivered, seals, flushes, widest;
	/* options */
	bool keep_open, dry_run, same_run;
	bool no_dial;  /* a lost connection is lost for good */
	bool no_again; /* the same, but so that it is worth a retry */
	unsigned
	    throttles; /* so many opens are put off, by a lost connection */
	int retries;   /* 0: the default */
	int64_t max_pause_ms;
	unsigned break_ms; /* before a message breaks a connection */
	long flush_ms;
	unsigned body_ms;
};

void world_set_up(void);
void world_tear_down(void);
struct world *world_new(enum world_mode);
/* With one mailbox that holds n messages and, unless NULL, an empty one. */
struct world *world_of(
    enum world_mode, const char *full, const char *empty, int n);
/* The same, hauled once. */
struct world *world_hauled(
    enum world_mode, const char *full, const char *empty, int n);
void world_free(struct world *);

struct world_box *world_add(struct world *, const char *name);
struct world_box *world_find(struct world *, const char *name);
struct world_message *world_arrive(struct world *, struct world_box *);
void world_expunge(struct world_box *, size_t i);
void world_flag(struct world_box *, size_t i, uint8_t flags, bool keyword);
void world_move(
    struct world *, struct world_box *from, size_t i, struct world_box *to);
void world_rename(struct world_box *, const char *name);
void world_delete(struct world *, struct world_box *);
/* All messages get new UIDs under a new UIDVALIDITY. */
void world_renumber(struct world_box *, uint64_t uidvalidity);

/* One run: ok as haul_run; what it did is in the world and here. */
struct world_run {
	bool ok;
	struct err err;
	struct haul_result result;
	enum index_run_state state;
	uint64_t run, job, account;
};
struct world_run *world_haul(struct world *, const struct filter *);
void world_run_free(struct world_run **);
/* It must be complete, and the index agree with the world. */
void world_complete(struct world *);
struct world_run *world_completed(struct world *, const struct filter *);
/* The index's live messages and flags are those of the server. */
void world_agrees(struct world *);
/* Live messages of a mailbox in the index. */
uint64_t world_live(struct world *, const char *name);
/* Messages that stand in the archive, in whatever generation: what ls shows. */
uint64_t world_shown(struct world *);
/* The row of run_mailbox of a mailbox, of the last run. */
struct index_counts world_row(struct world *, const char *name);
/* An index_live_mailbox. */
bool world_knows(struct world *, const char *name);
/* How the index shows that mailbox: "" if it doesn't; static. */
const char *world_display(struct world *, const char *name);

#endif
