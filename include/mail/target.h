#ifndef MAIL_TARGET_H
#define MAIL_TARGET_H

#include "mail/header.h"
#include "mail/source.h"

/* What the role "target" promises. */

enum {
	KEPT_VOLUME_NAME = 64, /* "2026-11-21T101500Z-a1b2-0001", no ending */
	KEPT_ENTRY = 1536      /* a tar path */
};

enum claim_kind {
	CLAIM_WHOLE,     /* nothing like it is kept: store the octets */
	CLAIM_LINK,      /* same content, same volume, same INTERNALDATE */
	CLAIM_REFERENCE, /* its content (or just its body) is kept whole in
			    .survivor; the header's octets are stored */
	CLAIM_KNOWN /* nothing is stored: the message was moved, or its mailbox
		       renamed or given a new UIDVALIDITY. Only the index and
		       the manifest tell; never handed to a target */
};

/* Where a whole copy lies: settled, or earlier in the same volume. */
struct kept {
	char volume[KEPT_VOLUME_NAME];
	char entry[KEPT_ENTRY]; /* "" if not needed (only LINK needs it) */
	uint32_t frame;         /* number in the volume, from 0 */
	uint64_t offset;      /* of the data, from that frame's start, plain */
	uint64_t size;        /* of the whole content */
	uint64_t header_size; /* of the whole content */
	uint8_t sha256[32];   /* of the whole content */
};

/* How a whole message is put together. */
struct message_parts {
	uint8_t sha256[32];
	uint64_t size, header_size;
	char volume[KEPT_VOLUME_NAME]; /* of the whole octets, or of the header
					*/
	uint32_t frame;
	uint64_t offset;
	bool split; /* body elsewhere: */
	char body_volume[KEPT_VOLUME_NAME];
	uint32_t body_frame;
	uint64_t body_offset, body_skip; /* skip: header octets of that copy */
};

struct item {            /* one placement to deliver */
	uint64_t ticket; /* haul's name for it; unique in the run */
	const struct placement *placement;
	struct content *content; /* finished, and content_hash was called;
				    borrowed until its receipt is given */
	enum claim_kind claim;
	struct kept survivor; /* LINK, REFERENCE */
	/* IMAP: a connection broke over it or one beside it: it goes alone, and
	 * its octets only once the server has asked for them. */
	bool careful;
};

enum receipt_kind {
	RECEIPT_KEPT,   /* durable; may be settled */
	RECEIPT_REFUSED /* .why: final for this message */
};

struct receipt {
	enum receipt_kind kind;
	uint64_t ticket;
	uint64_t uidvalidity, uid; /* IMAP; uid 0: kept but not told */
	struct kept where;         /* archive; for a REFERENCE .entry is the
				      .hdr, frame and offset those of its header */
	struct err why;
};

struct frame_info {
	uint64_t offset; /* in the file */
	uint64_t plain;  /* offset of its first octet in the tar stream */
	uint32_t csize, dsize;
};

/* Settled in the same transaction as the receipts given with it. */
struct progress {
	char volume[KEPT_VOLUME_NAME]; /* "" : nothing to tell */
	uint64_t committed, plain;     /* octets of file and of tar, durable */
	uint32_t first_frame;
	const struct frame_info *frames; /* new ones; borrowed till next call */
	size_t frame_count;
	bool opened; /* a new volume: insert its row before anything else */
	bool sealed;
	uint8_t sha256[32]; /* of the file, if sealed */
};

struct target_box {                 /* after open; a server's */
	const char *name, *display; /* borrowed until the next open, plan */
	char separator;
	uint64_t uidvalidity, uidnext, messages;
	bool created;
};

struct resolve_item {
	uint64_t size; /* octets of the content */
	uint8_t sha256[32];
	int64_t idate; /* DATETIME_NONE: none was told at delivery */
	uint8_t flags;
	const char *keywords; /* as flags_keywords; NULL: not known; borrowed */
	bool sent; /* it was on its way there: the target may have altered it */
	/* Out: where it is (0: not there), and its flags there. */
	uint64_t uid;
	uint8_t there_flags;
};

/* A placement as a volume's catalog states it; all borrowed. */
struct catalog_row {
	const char *account, *mailbox; /* UTF-8 display name */
	const void *wire;              /* the mailbox's wire name */
	size_t wire_len;
	uint64_t uidvalidity, uid;
	uint64_t generation; /* how often UIDNEXT went down under it */
	uint8_t flags;
	const char *keywords; /* blanks between; "" if none */
	int64_t idate;        /* DATETIME_NONE: none */
	int16_t zone;
	uint8_t sha256[32];
	uint64_t size, header_size;
	uint64_t announced;          /* RFC822.SIZE: may be wrong */
	int64_t body_hash, identity; /* content_body_hash, identity_key; 0:
					none. For the index alone. */
	const char *entry; /* this placement's own entry in this volume */
	enum claim_kind claim;
	uint32_t frame; /* of this entry's data; LINK: of the survivor's */
	uint64_t offset;
	/* LINK: the entry linked to. REFERENCE: where the body's whole copy is.
	 */
	const char *body_volume, *body_entry;
	uint32_t body_frame;
	uint64_t body_offset, body_skip; /* octets of it before the body */
	const char *from, *to, *cc, *subject, *date, *message_id; /* UTF-8 */
};

/* Next row in a fixed order; false with *end, or an error. */
typedef bool (*catalog_next)(
    void *arg, struct catalog_row *, bool *end, struct err *);

/*
 * One target belongs to one thread; a target mailbox to one lane at a time.
 * open -> base -> index transaction "in flight" -> deliver* -> flush, collect
 * -> index transaction "settled".  Nothing is promised by deliver.
 */
struct target_ops {
	const char *scheme;
	/* A server: where the mailboxes go, before the first open, and again
	 * when others have appeared. ERR_USAGE: two would meet in one. */
	bool (*plan)(
	    void *, const struct source_mailbox *, size_t n, struct err *);
	/* Map, create, select. account: whose mailbox it is. */
	bool (*open)(void *, const char *account, const struct source_mailbox *,
	    uint64_t uidvalidity, struct target_box *, struct err *);
	/* Lower bound of every UID a later deliver can get; 0 where the target
	 * has no ambiguity (archive, files) and needs no in-flight row. */
	uint64_t (*base)(const void *);
	/* How many items and octets one batch should hold. */
	void (*batch_limits)(const void *, uint32_t *items, uint64_t *octets);
	/* The volume that the next item will go to; "" if not open yet. A LINK
	 * must name a survivor in it. NULL op: not an archive. */
	const char *(*volume)(const void *);
	/* True in *same if the octets behind the header section of *kept equal
	 * those of content. kept may lie in a frame not yet durable. */
	bool (*same_body)(void *, const struct kept *, struct content *,
	    bool *same, struct err *);
	/* Hand over one batch; it may stay in buffers or on the wire. *where of
	 * each is told at once (archive), so that later items may refer to it
	 * in the same volume. where: NULL, or n rows. */
	bool (*deliver)(void *, const struct item *, size_t n,
	    struct kept *where, struct err *);
	/* Give receipts that are due; wait: until at least one or an error.
	 * *n in: room, out: given.  Each ticket gets one receipt, errors too.
	 */
	bool (*collect)(void *, bool wait, struct receipt *, size_t *n,
	    struct progress *, struct err *);
	/* Make durable all that was delivered (cut the frame, drain the wire);
	 * then collect until *n is 0 and progress is empty. */
	bool (*flush)(void *, struct err *);
	/* True if the open volume has reached its limit: flush, settle, seal.
	 */
	bool (*full)(const void *);
	/* An archive, after a crash: go on with a volume of which *p is the
	 * index's word; its .part is cut to it. */
	bool (*resume)(void *, const struct progress *p, struct err *);
	/*
	 * A server: which of these are there? Joint one-to-one match of all
	 * items with the messages of box from UID base on that .taken doesn't
	 * hold: octets of this size and SHA-256, of equal ones first those of
	 * the same INTERNALDATE and flags. box: .name and .uidvalidity as open
	 * gave them; another UIDVALIDITY by now, or no such mailbox: none is
	 * there. Whatever was delivered before
	 * must have its receipt.
	 */
	bool (*resolve)(void *, const struct target_box *box, uint64_t base,
	    struct resolve_item *, size_t n,
	    bool (*taken)(void *, uint64_t uid), void *arg, struct err *);
	/* Flags after delivery (delta, and servers that lose them on APPEND).
	 */
	bool (*store)(void *, const uint64_t *uids, const struct placement *,
	    size_t n, bool *done, struct err *);
	/* Read back; true: octets with this hash are there now. */
	bool (*prove)(void *, const struct kept *, const uint8_t sha256[32],
	    uint64_t size, struct err *);
	/* Volume limit or end of run, after flush and its collects.  Archive:
	 * catalog (rows from next), seek table, read back, rename. progress:
	 * sealed. A target with nothing open succeeds with an empty *p. */
	bool (*seal)(void *, catalog_next next, void *arg, struct progress *,
	    struct err *);
	void (*close)(void **, bool polite);
};

struct target {
	const struct target_ops *ops;
	void *data;
};

#endif
