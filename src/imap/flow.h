#ifndef IMAP_FLOW_H
#define IMAP_FLOW_H

#include "imap/bodies.h"
#include "imap/listing.h"
#include "imap/visit.h"

/*
 * One connection, on which announcing ranges and body commands are pipelined.
 * Replies come in the order of commands, which their tags' numbers tell.
 */
struct imap_source {
	struct imap_options options;
	struct imap_session *s;
	struct imap_listing listing; /* of the last list */
	struct imap_visit now;
	/* The next mailbox, EXAMINE being sent behind the last bodies of this
	 * one; .name NULL: not sent. */
	struct imap_visit ahead;
	bool moved;   /* what is told is told of .ahead */
	bool left;    /* .now must be opened again before it is asked more */
	bool ended;   /* END was told: .now asks for bodies alone */
	bool offered; /* messages were told since the last request, or LATER */
	char *coming; /* the caller's hint; NULL: none */
	struct source_state coming_state;
	unsigned misses; /* EXAMINEs sent ahead that were refused */
	bool no_guess;   /* what followed such a one was refused, too */
	struct imap_bodies bodies;
	struct imap_fetch fetch;
	bool pausing; /* the server asked for a pause that was not told yet */
	struct err pause;
};

/* Read and place one response. */
bool imap_flow_step(struct imap_source *, struct err *);
/* Tell a pause once; what was asked stays asked. */
bool imap_flow_is_paused(struct imap_source *, struct err *);
bool imap_flow_is_flying(const struct imap_source *);
bool imap_flow_read_all(struct imap_source *, struct err *);
/* Read to the end of all that was asked, as nobody wants it any more. */
bool imap_flow_settle(struct imap_source *, struct err *);
void imap_flow_forget_ahead(struct imap_source *);
/* If all that was asked of this mailbox is answered, what follows is of the
 * one ahead. */
void imap_flow_move_on(struct imap_source *);

#endif
