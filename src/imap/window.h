#ifndef IMAP_WINDOW_H
#define IMAP_WINDOW_H

#include "imap/fetch.h"
#include "mail/source.h"

struct imap_session;

enum {
	IMAP_ARENA_MAX = 8 << 20,   /* keywords of a window */
	IMAP_WINDOW_ITEMS = 1 << 18 /* lines of a window, repeats included */
};

struct imap_item {
	uint32_t uid;
	uint8_t flags;
	bool full;      /* date or size stood in the line: it answers us */
	uint32_t order; /* of arrival */
	int16_t zone;
	int64_t idate;
	uint64_t size, modseq;
	uint32_t keyword_count;
	size_t keywords;             /* offset in the arena */
	size_t email_id, message_id; /* offset + 1; 0: none */
	const char *bad;             /* constant; NULL: good */
};

/* The answers to one announcing command.  [lo, hi]: UIDs, or indexes of a
 * recall's list. */
struct imap_window {
	uint32_t lo, hi;
	unsigned tag;
	struct imap_item *items; /* in order and without repeats once done */
	size_t count, cap, at;
	uint32_t arrived;
	uint32_t wanted_at; /* recall: next index to be told of */
	struct buf arena;
	uint64_t nameless; /* lines that no message can be told from */
	char nameless_line[160];
	bool refused; /* [lo, lo] is one UID and the server said NO */
	struct err refusal;
};

struct imap_window *imap_window_new(uint32_t lo, uint32_t hi);
void imap_window_free(struct imap_window **);
/* bad: NULL, or why the line can't be used. False: far too many lines. */
bool imap_window_add(
    struct imap_window *, const struct imap_fetch *, const char *bad);
/* The session's last response. */
void imap_window_add_nameless(
    struct imap_window *, const struct imap_session *);
/* Sort, drop repeats: of two lines for one UID the fuller stays, of two full
 * ones the first, of two with flags alone the last. */
void imap_window_finish(struct imap_window *);
/* keywords: grown as needed, borrowed by the placement. */
void imap_window_placement(const struct imap_window *, const struct imap_item *,
    struct placement *, const char ***keywords, size_t *keywords_cap);

#endif
