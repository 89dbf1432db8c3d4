#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "imap/session.h"
#include "mail/target.h"

enum {
	/* Replies that the server may hold back while we only write. */
	IMAP_APPENDS_FLYING = 256,
	IMAP_APPEND_MESSAGES = 100,   /* a MULTIAPPEND */
	IMAP_APPEND_OCTETS = 4 << 20, /* the same; one message may be more */
	IMAP_APPEND_FLAG_LISTS_MAX = 4096 /* known to be taken, a connection */
};

/* Literals that are sent without waiting for "+" (RFC 7888). */
enum imap_literals {
	IMAP_LITERALS_WAIT,
	IMAP_LITERALS_SMALL, /* LITERAL-: of at most 4,096 octets */
	IMAP_LITERALS_PLUS
};

struct imap_append_command;

/*
 * Messages on their way into one mailbox (RFC 9051 6.3.12, RFC 3502, RFC 4315).
 * A literal that isn't waited for is taken for commands by a server that
 * refuses what stands before it (BAD). So flags are only such as the grammar
 * knows, each list of them goes first with a literal that is waited for, and
 * after a BAD the connection is given up.
 */
struct imap_append {
	struct imap_session *s; /* borrowed */
	bool multi;
	enum imap_literals literals;
	uint64_t limit;  /* APPENDLIMIT (RFC 7889); UINT64_MAX: none told */
	struct buf name; /* quoted */
	/* highest: UID that came back, or that was there before. Below it no
	 * receipt is believed: servers give UIDs in ascending order. */
	uint64_t uidvalidity, highest;
	char **taken; /* flag lists; owned */
	size_t taken_count;
	struct imap_append_command *flying, **flying_end; /* owned */
	struct imap_append_command *again, **again_end; /* to be sent singly */
	size_t flying_count;
	struct receipt *ready; /* owned */
	size_t ready_at, ready_count;
	bool asked; /* "+" came */
	bool paused;
	struct err pause; /* of a throttle, told once */
};
void imap_append_init(struct imap_append *, struct imap_session *);
void imap_append_free(struct imap_append *);
/* Another mailbox; nothing is on its way, and what a server put off is dropped
 * without a receipt. name: wire form for outside. uidnext:
 * 0 where it isn't told. */
void imap_append_into(struct imap_append *, const char *name,
    uint64_t uidvalidity, uint64_t uidnext);
/*
 * Send n messages, in their order. Contents and keywords are borrowed, the
 * contents until their receipts are given. False: the connection is lost, or
 * ERR_QUOTA: the target is full, or ERR_THROTTLE: none of them was taken.
 */
bool imap_append_send(
    struct imap_append *, const struct item *, size_t n, struct err *);
/* Read what is there; wait: until a receipt is there or nothing flies.
 * ERR_THROTTLE: go on with this after the pause. */
bool imap_append_read(struct imap_append *, bool wait, struct err *);
/* Receipts that are due: at most n; returns how many. */
size_t imap_append_receipts(struct imap_append *, struct receipt *, size_t n);
bool imap_append_is_flying(const struct imap_append *);

/*
 * RFC 4315 3: "[APPENDUID 38505 3955:3957]", n UIDs in the order of the
 * messages. False: none was told, or it doesn't add up, and then tells nothing
 * at all: another mailbox, other than n, not ascending from .highest on.
 */
bool imap_append_uids(const struct imap_append *, const struct imap_reply *,
    uint64_t *uids, size_t n);

/* "(\Seen $Forwarded) \"17-Jul-1996 02:44:25 -0700\" "; the length of the list
 * of flags alone. Flags that no server need take are left out. */
size_t imap_append_head(struct buf *, const struct placement *);

#endif
