#ifndef HAUL_READING_H
#define HAUL_READING_H

#include "ahead.h"
#include "fetch.h"
#include "okeys.h"

/*
 * A mailbox being read.  What holds for every pass over it:
 *
 * 1. Nothing ends but by a pass that told everything it looked for and whose
 *    sums came out. What seems gone is only noted until then (.gone, .missed);
 *    a filter, a failure, a lost connection in the middle of a full pass or a
 *    missing answer therefore never end a message. But what was matched ends
 *    in the generation before, or it would stand there twice.
 * 2. The state is stored only if the index then holds as many live messages
 *    below its UIDNEXT as it says (.messages, less those that vanished while
 *    they were fetched). So the next delta pass may count on: live before -
 *    gone + new = EXISTS. If that doesn't come out, the pass is widened to a
 *    full one, once; there, what the server counts and doesn't list is
 *    unknown.
 * 3. The stored HIGHESTMODSEQ is the one of the first EXAMINE: what changes
 *    behind it is told again.
 * 4. Everything goes over the belt in the order in which it was told, so a
 *    change can't overtake the message it is of.
 */

/* How a mailbox is read: only what is new, or all of it. */
enum pass { PASS_DELTA = 1, PASS_FULL = 2 };

/* Where messages of a new generation may be kept already. */
struct rematch {
	uint64_t *ends; /* owned: all that end once this one was seen whole */
	size_t end_count;
	/* The newest of them: looked into, one to one. */
	struct {
		uint64_t mailbox;
		struct okeys taken;
	} in[REMATCH_BOXES];
	size_t n;
	struct okeys common; /* hashes of Message-IDs that too many have */
	/* By size and INTERNALDATE: one of them is not kept; or NULL. */
	uint8_t *unkept; /* owned; UNKEPT_BITS of them, by a hash */
	bool doubtful;   /* one is not kept whose size nobody knows */
	bool on; /* even if n is 0: octets may be kept under this name */
};

/* Connections that broke while it was read (breaks.c). */
struct breaks {
	uint64_t lo, hi; /* of the list: it broke there; hi 0: not known */
	int strikes;     /* at lo == hi, a message that is there */
	bool known;      /* which an earlier run could not read */
	int times;       /* one after the other with nothing gained by it */
	unsigned sum;    /* of all by which nothing was told or answered */
	int64_t spent_ms, since; /* on them; the last one's time */
	uint64_t paused_at; /* where it stood when it had to wait; 0: didn't */
	bool found;         /* a message whose line can't be listed … */
	bool guilty;        /* … or any that breaks connections */
	uint64_t next_okey, answered; /* the reading's, at the last one */
};

struct reading {
	struct fetch *f;
	struct box *box;
	uint64_t mailbox;  /* index id of the generation */
	bool has_rows;     /* the index may know its messages */
	bool fresh_volume; /* see BELT_OPEN */
	bool another;      /* UIDVALIDITY, MAILBOXID or what UIDs name changed:
			      begin anew */
	enum pass pass;
	struct index_delta delta;
	uint64_t known_uidnext;   /* all below were given out */
	bool lies;                /* UIDNEXT is below what the server lists */
	uint64_t excluded_before; /* of the live ones a delta begins with */
	char *mailbox_id; /* owned; as it was first opened; NULL: not told */
	struct source_opened opened; /* at first; its .mailbox_id isn't kept */
	struct source_opened last;   /* by the connection at hand */
	uint64_t modseq;             /* of the first EXAMINE */
	uint64_t next_okey;          /* all below were announced in this pass */
	bool started;                /* DELTA: what is new has begun */
	/* FULL after a DELTA: this one took all from new_from to below new_to;
	 * what came since is above. */
	uint64_t new_from, new_to;
	uint64_t listed;  /* announced as new or by a full pass, bad ones too */
	uint64_t arrived; /* of them, above the UIDNEXT of the EXAMINE */
	struct index_counts counts; /* not yet on the belt */
	uint64_t nameless;          /* messages without a UID to record */
	bool cut;                   /* a connection broke in the middle */
	bool widened;
	bool strange; /* the source knows messages below UIDNEXT that the index
			 doesn't */
	struct ahead ahead;
	struct ranges told;    /* DELTA: CHANGED and ALIVE */
	struct ranges gone;    /* DELTA: as told */
	struct ranges missed;  /* passed over: live and not SEEN … */
	uint64_t missed_count; /* … but for those that had vanished */
	uint64_t missed_last;  /* the last one, if nothing was told since; 0 */
	uint64_t gone_count;   /* of .gone, messages of the index */
	struct rematch rematch;
	/* the end, as told: */
	bool announced, complete, swept;
	struct source_state state;
	uint64_t expunged;
	uint64_t answered; /* bodies, and what stands for them */
	bool given_up;     /* it breaks too many connections */
	struct breaks breaks;
};

/* ---- generation.c: which generation it is, and how it is to be read ---- */
bool reading_begin(struct reading *, struct err *);
/* Of a mailbox whose index id is .mailbox; .delta is read. */
bool reading_delta_is_enough(
    struct reading *, uint64_t uidvalidity, bool *yes, struct err *);
/* Opens, through broken connections. */
bool reading_select(struct reading *, const struct source_state *,
    struct source_opened *, struct err *);
/* False, with .another set, if it has another UIDVALIDITY or MAILBOXID by now:
 * for each open but the first. */
bool reading_is_same(
    struct reading *, const struct source_opened *, struct err *);
/* False, with .another set: this UID names another message by now, so all of
 * them may. */
bool reading_restart(struct reading *, uint64_t okey, struct err *);
void reading_free(struct reading *);

/* ---- announced.c: what a pass tells ---- */
bool reading_announce(struct reading *, bool *later, struct err *);
/* A message that is listed, but not so that it can be used. */
bool reading_take_bad(
    struct reading *, uint64_t okey, const struct err *why, struct err *);

/* ---- breaks.c: what breaks the connection each time it is asked for ---- */
/* After a call that broke it, before another one is made. *err: it may be the
 * index that fails. */
bool reading_broke(struct reading *, const struct err *why, struct err *);
/* There is a new one. False, *err of scope MAILBOX: but not for this mailbox,
 * which broke too many. why: the last one's end. */
bool reading_may_go_on(struct reading *, const struct err *why, struct err *);
/* A reply asked to wait, and it is over: a break that follows is no wonder. */
void reading_was_paused(struct reading *);
/* What the next connection has to list by itself. */
void reading_tell_suspects(const struct reading *, struct source_state *);
/* fetch_recover for calls behind which no list is looked for: EXAMINE.
 * *times: how often it broke, in a row. False as reading_may_go_on, too. */
bool reading_reopen(
    struct reading *, int *times, bool *reconnected, struct err *);

/* ---- sweep.c: what is gone, and whether the sums come out ---- */
/* All live rows below okey that were not told are noted. */
bool reading_pass_over(struct reading *, uint64_t okey, struct err *);
/* After END of a delta pass. *widen: look at all of them. */
bool reading_reckon_delta(struct reading *, bool *widen, struct err *);
void reading_reckon_full(struct reading *);
bool reading_push_gone(struct reading *);

/* ---- rematch.c ---- */
bool rematch_collect(struct reading *, struct err *);
/* Is this new message kept already? *maybe: only its octets can tell. */
bool rematch_find(struct reading *, const struct placement *,
    uint8_t sha256[32], bool *found, bool *maybe, struct err *);
/* A message of this generation that is settled has taken its twin. */
bool rematch_reserve(struct reading *, const struct placement *, struct err *);
void rematch_free(struct rematch *);

/* ---- mailbox.c ---- */
bool reading_push_counts(struct reading *);
bool reading_push_outcome(struct reading *, struct kept_placement *,
    enum outcome, const char *class, const char *text, const char *words);

#endif
