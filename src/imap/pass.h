#ifndef IMAP_PASS_H
#define IMAP_PASS_H

#include "imap/ranges.h"
#include "imap/session.h"
#include "imap/window.h"

/*
 * One pass over a mailbox: contiguous UID ranges of about IMAP_PASS_STEP
 * messages, so that memory does not depend on the mailbox.  Where UIDNEXT is
 * far above EXISTS their edges are found first, so that sparse UIDs cost
 * nothing.  At most one range is asked ahead of the one that is being told.
 */
enum {
	IMAP_PASS_STEP = 1000,
	IMAP_PASS_SET_MAX = 900,     /* octets of the edges' set (Exchange) */
	IMAP_PASS_WIDTH_MAX = 65536, /* UIDs, where no edges are known */
	IMAP_PASS_PATIENCE = 5,      /* pauses one after the other */
	IMAP_PASS_RECALL = 500,      /* okeys a command */
	IMAP_PASS_REFUSALS = 256     /* of ranges, one after the other */
};

struct imap_pass {
	struct imap_session *s; /* borrowed */
	bool probed;            /* edges were asked, or need not be */
	bool whole;             /* EXISTS is to be accounted for */
	bool alive;             /* of old ones just say that they are there */
	bool message_ids;
	uint64_t from;  /* the first new UID: below it, flags are enough */
	uint64_t known; /* messages that were told by other means */
	uint32_t step, width_max; /* messages a range; UIDs where it's blind */
	uint64_t messages, modseq, uidvalidity;
	uint64_t uidnext;    /* 0: not told, or a lie */
	uint64_t next, last; /* ranges still to be cut: [next, last] */
	uint32_t *edges;     /* ascending UIDs at which ranges end */
	size_t edge_count, edge_at;
	bool blind;    /* no edges: cut by width */
	bool trusting; /* none were asked for: UIDNEXT is taken at its word */
	bool doubted;  /* and they are, in the end */
	uint64_t width;
	struct imap_range again[72]; /* halves of refused ranges, a stack */
	size_t again_count;
	/* source_state's; hi 0: none. */
	uint64_t suspect_lo, suspect_hi;
	bool checking;    /* flying: is it there at all? */
	uint64_t there;   /* a suspect one that is; 0: none */
	uint32_t *wanted; /* recall: ascending UIDs; NULL: a pass */
	size_t wanted_count;
	struct imap_window *current; /* being told; NULL: none */
	struct imap_window *flying;  /* asked, not answered; NULL: none */
	struct imap_window *landed;  /* answered, to be told next */
	unsigned refusals, pauses;   /* one after the other */
	uint64_t seen, bad, highest;
	const char **keywords;
	size_t keywords_cap;
};

/* After EXAMINE; lo: lowest UID to be told, from: the first that is new. */
void imap_pass_start(struct imap_pass *, struct imap_session *,
    const struct source_opened *, uint64_t lo, uint64_t from);
/* Ask for the edges unless .probed; only while nothing is outstanding. */
bool imap_pass_probe(struct imap_pass *, struct err *);
/* Only these UIDs (sorted here). */
void imap_pass_recall(struct imap_pass *, const uint64_t *okeys, size_t n);
void imap_pass_reset(struct imap_pass *);

/* Send the next range, if one is left and none is flying or landed. */
bool imap_pass_ask(struct imap_pass *, struct err *);
/* A FETCH line without body.  good: it could be parsed; head: nothing older
 * than the flying range is outstanding. False: too many lines. */
bool imap_pass_take(struct imap_pass *, const struct imap_fetch *,
    const char *bad, bool head, struct err *);
/* The tagged reply to the flying range.  *pause: until when, if the server
 * asks for it (the range is asked again). */
bool imap_pass_done(struct imap_pass *, const struct imap_reply *,
    int64_t *pause, struct err *);
/* The next event at hand; false: none (then is_over says if there will be). */
bool imap_pass_tell(struct imap_pass *, struct source_event *);
bool imap_pass_is_over(const struct imap_pass *);
/* Something that was answered is still to be told. */
bool imap_pass_is_telling(const struct imap_pass *);
/* A range in which a connection broke comes next. */
bool imap_pass_is_suspect(const struct imap_pass *);
/* What is asked and not told, once the connection is gone. */
void imap_pass_lost(const struct imap_pass *, struct source_lost *);
void imap_pass_end(const struct imap_pass *, struct source_event *);

#endif
