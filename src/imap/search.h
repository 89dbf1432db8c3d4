#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "imap/ranges.h"
#include "imap/session.h"

/*
 * Which of the UIDs 1 … last are there: UID SEARCH (RFC 9051 6.4.4, RFC 4731),
 * in ranges of so many UIDs that neither a line nor the answer grows with the
 * mailbox.
 */
enum { IMAP_SEARCH_UIDS = 500000 };

struct imap_search {
	struct imap_session *s; /* borrowed */
	bool wanted;            /* to be asked (again) */
	unsigned tag;           /* flying; 0: not */
	struct imap_range asked;
	uint64_t next, last; /* not asked yet: [next, last] */
	uint64_t width;
	bool answered; /* a SEARCH or ESEARCH line came */
	bool crowded;  /* more ranges than are kept */
	struct imap_ranges found;
	bool ready; /* .found is joined and to be told, from .at on */
	size_t at;
	uint64_t sum; /* UIDs of all answers */
};

/* messages: of the mailbox. */
void imap_search_start(struct imap_search *, struct imap_session *,
    uint32_t last, uint64_t messages);
void imap_search_reset(struct imap_search *);
/* Send what is wanted if nothing is flying or untold. */
bool imap_search_ask(struct imap_search *, struct err *);
/* A line that is no FETCH. */
void imap_search_take(struct imap_search *, const struct imap_reply *);
/* OK, and all was answered? */
bool imap_search_done(struct imap_search *, bool ok);
/* The next range at hand. */
bool imap_search_tell(struct imap_search *, struct imap_range *);
bool imap_search_is_over(const struct imap_search *);

#endif
