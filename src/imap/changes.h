#ifndef IMAP_CHANGES_H
#define IMAP_CHANGES_H

#include "imap/search.h"
#include "imap/window.h"
#include "mail/source.h"

/*
 * What has become of the messages below the last pass's UIDNEXT, where the
 * server keeps mod-sequences (RFC 7162): one command tells the changed ones
 * and with QRESYNC the expunged ones; without, and where the count does not
 * add up, a search tells who is left.  The answer of a million lines is told
 * line by line.  What the server refuses is to be scanned: with .no_flags
 * all flags, with .no_search just who is there, from .search.next on.
 */
struct imap_changes {
	struct imap_session *s; /* borrowed */
	uint32_t last;          /* the highest UID asked about */
	uint64_t modseq;        /* of the last pass */
	uint64_t before;        /* messages of the last pass */
	uint64_t exists;        /* messages now */
	bool wanted;            /* UID FETCH … CHANGEDSINCE, to be sent */
	unsigned tag;           /* of it, flying; 0: not */
	unsigned pauses;
	bool no_flags, no_search;
	bool draining;
	uint64_t bad;
	struct imap_window *news; /* lines not told yet */
	struct buf vanished;      /* sets not told yet, from vanished_at on */
	size_t vanished_at;
	uint64_t gone; /* UIDs that VANISHED named */
	bool searched;
	struct imap_search search;
	const char **keywords;
	size_t keywords_cap;
};

/* Can mod-sequences tell what a pass needs to know? */
bool imap_changes_can(const struct imap_session *, const struct source_state *,
    const struct source_opened *);
void imap_changes_start(struct imap_changes *, struct imap_session *,
    const struct source_state *, const struct source_opened *);
void imap_changes_reset(struct imap_changes *);
bool imap_changes_ask(struct imap_changes *, struct err *);

/* A FETCH line without body; true in *taken: it is nobody else's. False: too
 * many lines nobody wants to hear. */
bool imap_changes_take(struct imap_changes *, const struct imap_fetch *,
    const char *bad, bool *taken, struct err *);
/* Any other untagged line. */
bool imap_changes_take_data(
    struct imap_changes *, const struct imap_reply *, struct err *);
/* The tag of a command in flight, the lowest; 0: none. */
unsigned imap_changes_flying(const struct imap_changes *);
/* Its tagged reply; *pause: until when, if the server asks for it. */
void imap_changes_done(struct imap_changes *, unsigned tag,
    const struct imap_reply *, int64_t *pause);
/* The next event at hand. */
bool imap_changes_tell(struct imap_changes *, struct source_event *);
bool imap_changes_is_over(const struct imap_changes *);

#endif
