#ifndef HAUL_FETCH_H
#define HAUL_FETCH_H

#include "boxes.h"
#include "haul/haul.h"
#include "queue.h"
#include "retry.h"
#include "wants.h"

/*
 * The fetching thread of a lane: lists the source's mailboxes, compares what
 * they announce with the index, fetches what is missing and puts everything on
 * the belt. It alone talks to the source, and reconnects it.
 */
struct fetch {
	const struct haul_options *o;
	struct index *index;   /* its own connection; NULL in a dry run without
				  an index */
	struct target *target; /* borrowed; of a dry run alone */
	struct source *source; /* borrowed; replaced after a loss */
	bool connected;
	bool lister; /* this connection is the one that listed the mailboxes */
	uint64_t unlisted;  /* of the list, told so far as failures */
	struct queue *belt; /* borrowed */
	struct meter *meter;
	struct haul_result *result;
	struct retry retry;
	struct wants wants;
	uint8_t filter_sha256[32];
	uint32_t window; /* announced and unanswered at most */
	size_t allow;    /* requested at most: 1 after a loss, then doubled */
	uint64_t *okeys, *sizes; /* window of each, for requests */
	/* The round over all mailboxes, and which is being read, while the
	 * next one is still to be told to the source; else NULL. */
	const struct boxes *boxes;
	size_t at;
	/* Mailboxes given up one after the other as they break connections. */
	unsigned broken;
	bool fine;    /* some mailbox was read to its end */
	bool stopped; /* by the user, or by the delivering thread */
};

bool fetch_init(struct fetch *, struct err *);
void fetch_free(struct fetch *);
/* Every mailbox. False: the account or the run is over. Always ends with
 * BELT_END unless the belt was cancelled. */
bool fetch_run(struct fetch *, struct err *);

/* One mailbox (mailbox.c). False: *err, scope MAILBOX or wider. */
bool fetch_mailbox(struct fetch *, struct box *, struct err *);
/* The same, only counted (dry.c). */
bool fetch_mailbox_dry(struct fetch *, struct box *, struct err *);
/* A mailbox of which the list says that nothing changed is told as it was
 * (same.c); *same: so it is done. */
bool fetch_same(struct fetch *, struct box *, bool *same, struct err *);
/* Does the list tell what the last complete pass was told? */
bool fetch_is_unmoved(const struct source_mailbox *, uint64_t uidvalidity,
    const struct source_state *);
/* All of this mailbox is asked for: tell the source which comes next, once
 * (next.c). */
void fetch_hint_next(struct fetch *);
/* Mailboxes that the index holds and the list doesn't: renamed ones go on
 * under their new names, others end if the server says that they are gone
 * (names.c). */
bool fetch_names(struct fetch *, struct boxes *, struct err *);
/* A mailbox that could not be read, or asked for: counted, and told. */
void fetch_note_failure(
    struct fetch *, const char *mailbox, const struct err *);
/* Selectable, and no rule skips it; one that a rule skips is counted. */
bool fetch_wants(struct fetch *, const struct source_mailbox *);
/* Which mailboxes moved since they were read: .again; those that exist
 * since are added (moved.c). */
bool fetch_moved(struct fetch *, struct boxes *, size_t *n, struct err *);

/* After a failure: wait, and connect again if the connection is gone.
 * *reconnected: the mailbox has to be opened again. False: give up, *err says
 * why. */
bool fetch_recover(struct fetch *, bool *reconnected, struct err *);
/* Hand over; false if the delivering thread gave up (stopped is set then). */
bool fetch_push(struct fetch *, struct belt **);
/* Wait until all that was handed over is settled; false as fetch_push. */
bool fetch_sync(struct fetch *);

#endif
