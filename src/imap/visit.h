#ifndef IMAP_VISIT_H
#define IMAP_VISIT_H

#include "imap/changes.h"
#include "imap/pass.h"

/*
 * One mailbox being read, or about to be.  EXAMINE may be sent ahead, behind
 * the last commands of the mailbox before; where STATUS has told what EXAMINE
 * will, the first commands of the pass follow it in the same flight.  They
 * count only if EXAMINE says the same: else their answers are read and
 * dropped.  If it is refused, they are too (BAD: no mailbox is selected).
 */
struct imap_visit {
	struct imap_session *s;      /* borrowed */
	char *name;                  /* NULL: none */
	struct source_state state;   /* what open was given, or will be */
	struct source_opened opened; /* .mailbox_id borrowed from .s */
	char mailbox_id[256];        /* of that open; "": not told */
	bool guessed;                /* commands were sent by .guess */
	struct source_opened guess;
	unsigned tag; /* EXAMINE, sent ahead and not answered; 0: none */
	bool good;    /* EXAMINE said OK, with UIDVALIDITY */
	bool refused; /* it did not: .refusal */
	struct err refusal;
	struct imap_changes changes; /* told before .pass */
	struct imap_pass pass;
};

/* state: NULL: all 0. */
void imap_visit_start(struct imap_visit *, struct imap_session *,
    const char *name, const struct source_state *);
void imap_visit_reset(struct imap_visit *);
bool imap_visit_is(
    const struct imap_visit *, const char *name, const struct source_state *);

/* After EXAMINE: full, only what is new, changes by mod-sequence, or all
 * flags; nothing is sent. */
void imap_visit_begin(struct imap_visit *, const struct source_opened *);
/* A pass that was just started: what it has to know of .state besides. */
void imap_visit_tell_pass(struct imap_visit *);
/* EXAMINE, and the pass's first commands if status (NULL: unknown) tells
 * enough.  Only where what ENABLE answered is known. */
bool imap_visit_send(
    struct imap_visit *, const struct source_opened *status, struct err *);
/* It was opened by a command of its own. */
void imap_visit_opened(struct imap_visit *, const struct source_opened *);
/* The answer to EXAMINE. */
void imap_visit_examined(struct imap_visit *, const struct imap_reply *);
/* What was sent by a guess is what is wanted; else it must be read to its end
 * (drain) before imap_visit_begin. */
bool imap_visit_guess_holds(const struct imap_visit *);
void imap_visit_drain(struct imap_visit *);

bool imap_visit_flying(const struct imap_visit *);
/* Is it one of the visit's tags, EXAMINE's too? */
bool imap_visit_has(const struct imap_visit *, unsigned tag);
/* The tagged reply to one of them; *pause as in imap_pass_done. */
bool imap_visit_done(struct imap_visit *, unsigned tag,
    const struct imap_reply *, int64_t *pause, struct err *);

#endif
