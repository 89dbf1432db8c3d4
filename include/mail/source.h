#ifndef MAIL_SOURCE_H
#define MAIL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/content.h"

/*
 * What the role "source" promises.  Valid until the next call on the same
 * source, unless copied.
 */
struct placement {
	uint64_t okey;    /* UID; else the number the index gave to .text */
	const void *text; /* UIDL, file name …; borrowed; NULL for IMAP */
	size_t text_len;
	uint64_t size; /* RFC822.SIZE as announced: a hint, never trusted */
	int64_t idate; /* INTERNALDATE, s UTC; DATETIME_NONE: NIL or bad */
	int16_t zone;  /* minutes east of UTC */
	uint8_t flags; /* enum mail_flag bits; \Recent never */
	uint32_t keyword_count;
	const char *const
	    *keywords;        /* borrowed; atoms, in the server's order */
	const char *email_id; /* RFC 8474; borrowed; NULL: not offered */
	/* The field's octets as they arrived; only where state.message_ids
	 * asked for it; borrowed; NULL: none. */
	const char *message_id;
	uint64_t modseq;
};

struct source_mailbox {
	const char *name;    /* wire octets, no CR LF NUL; borrowed */
	const char *display; /* UTF-8, '/' between levels; borrowed */
	char separator;      /* 0: flat */
	uint32_t attributes; /* enum mailbox_attribute */
	bool subscribed;
	const char *mailbox_id; /* RFC 8474; borrowed; NULL: not offered */
	/* From LIST-STATUS, 0 where unknown: lets haul skip what can't have
	 * changed. */
	uint64_t messages, uidnext, uidvalidity, modseq;
};

/* What the index holds of the last complete pass; all 0: full pass. */
struct source_state {
	uint64_t uidvalidity, uidnext;
	uint64_t modseq;   /* HIGHESTMODSEQ (RFC 7162); 0: none kept */
	uint64_t messages; /* that pass's inventory: all below uidnext */
	bool message_ids;  /* in: announce .message_id too (a re-match) */
	/* In: nothing of what lies below uidnext is told (a pass that a broken
	 * connection cut goes on). */
	bool only_new;
	/* In: a connection broke while these okeys were being listed; _hi 0:
	 * none. They are listed in two halves, apart from all others, and not
	 * while bodies are outstanding; a single one is first asked whether it
	 * is there. */
	uint64_t suspect_lo, suspect_hi;
	bool suspect_there; /* in: it is; it is not asked */
};

/* What a source had asked its list for when the connection broke. */
struct source_lost {
	uint64_t lo, hi; /* all below lo was told; hi 0: nothing was asked */
	bool there;      /* lo == hi, and the message exists */
};

/* What the source says of a mailbox once it is open. */
struct source_opened {
	uint64_t uidvalidity;   /* 0: none (POP3, files) */
	uint64_t uidnext;       /* 0: not told */
	uint64_t messages;      /* EXISTS at that moment: the inventory */
	uint64_t modseq;        /* HIGHESTMODSEQ; 0: none */
	const char *mailbox_id; /* borrowed; NULL: none */
	bool fleeting; /* after this open no okey means anything, even under
			  the same uidvalidity (UIDNOTSTICKY) */
};

enum source_event_kind {
	SOURCE_SEEN, /* a placement, new or not: haul compares with the index */
	SOURCE_CHANGED, /* a known okey with its flags and keywords (and modseq)
			   as they are now, changed or not; nothing else set */
	SOURCE_ALIVE, /* okeys .placement.okey … .last that exist are exactly
			 these: still there, nothing else said */
	SOURCE_GONE,  /* none of okeys .placement.okey … .last is there (any
			 more; some may never have been known) */
	SOURCE_LATER, /* nothing more yet: request what is wanted of what was
			 told and take bodies, if any is outstanding; then go
			 on here, which waits if there is nothing else */
	SOURCE_BAD,   /* the server listed a message but its line can't be used
			 (no UID, garbage): .why says what; okey 0 or the UID */
	SOURCE_END
};

struct source_event {
	enum source_event_kind kind;
	struct placement placement;
	uint64_t last;             /* ALIVE, GONE: the range's end */
	struct source_state state; /* END: to be stored once all is settled */
	bool complete; /* END: every okey that the pass looked for was told */
	/* END: every live okey below the state's uidnext that open was given
	 * (full pass: every one at all) was SEEN, CHANGED or ALIVE: a known one
	 * that was not told is gone. False after a delta pass: GONE told all.
	 */
	bool swept;
	uint64_t expunged; /* END: messages the server said were expunged since
			      open; inventory may be short by so many */
	struct err why;    /* BAD */
};

enum source_body_kind { SOURCE_BODY, SOURCE_VANISHED, SOURCE_UNREADABLE };

struct source_body {
	enum source_body_kind kind;
	uint64_t okey;
	struct content *content; /* owned by the caller on SOURCE_BODY */
	struct err why;          /* SOURCE_VANISHED, SOURCE_UNREADABLE */
};

struct source_caps {
	uint32_t window; /* most okeys worth having requested at a time */
	/* Mailboxes that the last list had to leave out (names with control
	 * characters or too long, lines that can't be read), and those that
	 * statuses has found since: each is a failed one. */
	uint64_t unlisted;
	/* The last list showed only the mailboxes that were asked for: one that
	 * lacks is not gone. */
	bool partial;
};

/*
 * One source belongs to one thread.  Order:
 * list* (open (announce* request* body*)* )* close.
 *
 * A pass tells the messages of the mailbox that open selected:
 * - state all 0 (or another UIDVALIDITY): a full pass. SEEN for each.
 * - state.uidnext: what is new is SEEN, and of what lies below
 *   - with state.modseq and CONDSTORE: CHANGED where something changed since;
 *     expunges as GONE (QRESYNC), or, where MESSAGES doesn't add up without
 *     them, ALIVE for all that is left (swept);
 *   - else a scan: CHANGED for each that is there (swept).
 *   With state.only_new nothing is said of it.
 * SEEN, CHANGED and ALIVE ascend in okey, each kind by itself; CHANGED, ALIVE
 * and GONE come before the first SEEN of a delta pass. But a CHANGED that
 * answers state.modseq is as the server sends it: out of order from a server
 * that likes it so, and once more if another client changes it meanwhile; the
 * last one counts.
 * False: *err is set; scope MESSAGE and MAILBOX leave the source usable,
 * ACCOUNT and RUN allow only close.  ERR_THROTTLE: call again after .until.
 * A connection that breaks is ERR_ACCOUNT, ERR_NETWORK, transient: haul makes
 * a new source, opens the mailbox with .uidnext = where it was, and requests
 * what was not answered, a few at a time.
 */
struct source_ops {
	const char *scheme;
	void (*capabilities)(const void *, struct source_caps *);
	bool (*list)(void *,
	    bool (*each)(
		void *arg, const struct source_mailbox *, struct err *),
	    void *arg, struct err *);
	/* Read-only select.  state: all 0 for a first or a full pass; else a
	 * delta pass, if uidvalidity is still the same (a full pass if it
	 * isn't: look at opened). */
	bool (*open)(void *, const char *name, const struct source_state *,
	    struct source_opened *, struct err *);
	/* Next event; SEEN and ALIVE ascend in okey; memory independent of the
	 * mailbox's size. May be interleaved with request and body. */
	bool (*announce)(void *, struct source_event *, struct err *);
	/* After a connection broke in any call, before close. NULL: not
	 * offered, nothing was asked. */
	void (*lost)(const void *, struct source_lost *);
	/* A mailbox that list no longer shows, asked for by its wire name:
	 * *gone only if the server says that there is none. NULL: not offered,
	 * nothing is ever called gone. */
	bool (*is_gone)(void *, const char *name, bool *gone, struct err *);
	/* MESSAGES, UIDNEXT, UIDVALIDITY, HIGHESTMODSEQ of all mailboxes again,
	 * in as few round trips as it takes: of those that the last list showed
	 * as far as the server answers, and of those that exist since (0 where
	 * it says nothing; they may look like one that was listed: name_mark).
	 * NULL: not offered. */
	bool (*statuses)(void *,
	    bool (*each)(
		void *arg, const struct source_mailbox *, struct err *),
	    void *arg, struct err *);
	/* Announce just these okeys again: follows open instead of a pass;
	 * those that are gone come as SOURCE_GONE. NULL: not offered. */
	bool (*recall)(void *, const uint64_t *okeys, size_t n, struct err *);
	/* Queue bodies to be fetched, ascending, each announced before; sends
	 * at once if the window has room. sizes: as announced. */
	bool (*request)(void *, const uint64_t *okeys, const uint64_t *sizes,
	    size_t n, struct err *);
	/* A hint, once END was told and all that is wanted is requested: this
	 * mailbox is to be opened next, with this state, so that it may be
	 * asked for before this one's bodies have come. Nothing fails if it
	 * isn't. NULL: not offered. */
	void (*next)(void *, const char *name, const struct source_state *);
	/* One answer per requested okey, any order; false only if none can
	 * come: then every unanswered okey is neither vanished nor unreadable.
	 */
	bool (*body)(void *, struct source_body *, struct err *);
	/* Delete these, which haul has proven kept.  done[i]: server confirmed.
	 * NULL: the source can't.  IMAP: \Deleted + UID EXPUNGE only. */
	bool (*erase)(
	    void *, const uint64_t *okeys, size_t n, bool *done, struct err *);
	void (*close)(void **, bool polite);
};

struct source {
	const struct source_ops *ops;
	void *data;
};

#endif
