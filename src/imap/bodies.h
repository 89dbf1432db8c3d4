#ifndef IMAP_BODIES_H
#define IMAP_BODIES_H

#include "imap/session.h"
#include "mail/content.h"
#include "mail/source.h"

/*
 * Bodies in flight (WIRE 4).  A requested UID is answered by its body, or, if
 * its command ends without, by another look: OK without it: asked once more
 * alone; NO and BAD: in halves down to one; then "is it still listed?"
 * decides between vanished and unreadable.
 */
enum {
	IMAP_FLYING_COMMANDS = 16, /* 272 → 514 MB/s from 4 to 16 at 50 ms */
	IMAP_FLYING_MESSAGES = 2048,
	IMAP_FLYING_OCTETS = 32 << 20,
	IMAP_BODY_LINE_MAX = 8000,    /* octets of a command */
	IMAP_PATIENCE = 5,            /* pauses for one command */
	IMAP_ANNOUNCED_KEPT = 1 << 16 /* UIDs, to know what a range spans */
};

enum imap_stage {
	IMAP_STAGE_FIRST,
	IMAP_STAGE_ALONE, /* once more, alone */
	IMAP_STAGE_CHECK  /* is it still listed? */
};

struct imap_want {
	uint32_t uid;
	uint64_t size; /* as announced */
	bool bridge;   /* nothing was announced between the last one and it */
	bool answered;
};

struct imap_group {
	struct imap_group *next;
	unsigned tag;
	enum imap_stage stage;
	struct imap_want *wants; /* ascending */
	size_t count, waiting;   /* waiting: not answered */
	size_t cursor;           /* where the next answer is likely */
	uint64_t octets;
	unsigned pauses;
	bool listed;    /* CHECK: seen */
	struct err why; /* CHECK: what the server said to the body */
};

struct imap_ready {
	struct imap_ready *next;
	struct source_body body;
};

struct imap_bodies {
	struct imap_session *s; /* borrowed */
	const char *spool_dir;  /* borrowed */
	uint32_t window_messages;
	uint64_t window_octets;
	struct imap_want *pending; /* requested, not sent: [at, count) */
	size_t pending_at, pending_count, pending_cap;
	struct imap_group *again, **again_end;   /* to be sent first */
	struct imap_group *flying, **flying_end; /* by tag */
	size_t flying_count, flying_messages;
	uint64_t flying_octets;
	struct imap_ready *ready, **ready_end;
	uint32_t *announced; /* told, neither requested nor passed over */
	size_t announced_at, announced_count;
	bool gap;                /* something announced was passed over */
	struct content *content; /* of the line being read */
	bool draining;           /* nobody wants what still comes */
};

void imap_bodies_init(
    struct imap_bodies *, struct imap_session *, const struct imap_options *);
/* Forget all that was requested; what still comes is skipped. */
void imap_bodies_drop(struct imap_bodies *);
void imap_bodies_free(struct imap_bodies *);

/* A UID was told to the caller: no range spans it unless it is requested. */
void imap_bodies_announced(struct imap_bodies *, uint32_t uid);
void imap_bodies_request(struct imap_bodies *, uint32_t uid, uint64_t size);
/* Send what there is room for. */
bool imap_bodies_pump(struct imap_bodies *, struct err *);

/* The sink for the framer. */
struct imap_sink imap_bodies_sink(struct imap_bodies *);
/* A FETCH line; bad: NULL, or why it can't be used. */
bool imap_bodies_take(struct imap_bodies *, const struct imap_fetch *,
    const char *bad, struct err *);
/* The flying group with this tag, or NULL. */
struct imap_group *imap_bodies_find(struct imap_bodies *, unsigned tag);
/* Its tagged reply; *pause: until when, if the server asks for it. */
bool imap_bodies_done(struct imap_bodies *, struct imap_group *,
    const struct imap_reply *, int64_t *pause, struct err *);

/* The next answer at hand, if any. */
bool imap_bodies_next(struct imap_bodies *, struct source_body *);
/* Requested, but still to be sent, or sent again? */
bool imap_bodies_unsent(const struct imap_bodies *);
/* Requested and not answered? */
bool imap_bodies_outstanding(const struct imap_bodies *);
/* Answers that must come before the reply to that tag. */
bool imap_bodies_ahead(const struct imap_bodies *, unsigned tag);

#endif
