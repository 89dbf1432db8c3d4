#ifndef INDEX_SEARCH_H
#define INDEX_SEARCH_H

#include "base/buf.h"
#include "index/index.h"

/*
 * Finding messages by their words: a second SQLite database beside the index
 * ("mailhaul-find.db" beside "mailhaul.db", schemas/search.sql), 0600, which
 * holds where each word stands. It can be deleted at any time: it is made from
 * the index, and bodies from the volumes. Where it is missing, damaged or of
 * another index it is begun anew. Where it can't be written, what it lacks is
 * put into a temporary one for the time it is open.
 * One thread. Errors as of the index; ERR_STOPPED never: a stop ends an update
 * early, and what was done stays.
 */
struct search;
/* index: borrowed, for reading it (no transaction may be open in it). */
bool search_open(
    struct search **, struct index *, const char *index_path, struct err *);
void search_close(struct search **);
/* False: what is new lives only as long as this object. */
bool search_is_kept(const struct search *);
/* What became of the file, for people: "" if nothing did. */
const char *search_note(const struct search *);

/*
 * Bring header fields up to date: messages that came since. budget_ms: stop
 * after about so long, and go on the next time; 0: all of them. each is told
 * now and then how many of how many are done; false: stop. May be NULL.
 */
bool search_update(struct search *, int64_t budget_ms,
    bool (*each)(void *arg, uint64_t done, uint64_t all), void *arg,
    struct err *);

/* ---- bodies ---- */

/* The next message whose text isn't in: *end at the end, and where nothing can
 * be kept. Then put it, with its text (UTF-8) and why not (all of) it is there
 * ("": it is). Put by put is committed now and then, the rest by flush. */
bool search_body_next(struct search *, uint8_t sha256[32], uint64_t *size,
    bool *end, struct err *);
bool search_body_put(
    struct search *, const char *text, const char *why, struct err *);
bool search_body_flush(struct search *, struct err *);
/* Messages whose text isn't in (not yet), those that were tried and left out
 * or cut, and all. */
bool search_body_counts(struct search *, uint64_t *left, uint64_t *unread,
    uint64_t *all, struct err *);

/* ---- looking ---- */

/*
 * All borrowed; NULL, 0 or empty means any. Words are parted by blanks and
 * must all be there, in any case and without accents; "words in quotes" stand
 * in this order, and a star at the end of a word stands for its rest. No word
 * is an error.
 */
struct search_query {
	const char *const *words; /* in From, To, Cc or Subject */
	size_t word_count;
	const char *from, *to, *cc, *subject, *body;
	const char *message_id; /* canonical */
	/* which placements */
	const char *account, *mailbox; /* exactly; mailbox: display name */
	const char *const *include, *const *exclude; /* name_matches globs */
	size_t include_count, exclude_count;
	int64_t since, before;    /* INTERNALDATE */
	uint64_t larger, smaller; /* octets: > larger, < smaller */
	uint8_t flags_set, flags_clear;
	const char *const *keywords, *const *no_keywords;
	size_t keyword_count, no_keyword_count;
	uint64_t as_of_run; /* as in index_query */
	int64_t as_of;
	uint64_t limit; /* 0: none */
	/* Counting: found.messages isn't asked for, which may save half of it;
	 * then 0. */
	bool placements_alone;
};

struct search_hit { /* a placement; all borrowed until the next */
	uint8_t sha256[32];
	uint64_t size;
	const char *account, *mailbox; /* mailbox: display name */
	bool many_accounts;            /* are asked for: name it */
	uint64_t uidvalidity, uid;
	uint8_t flags;
	const char *keywords; /* blanks between; "" if none */
	int64_t idate;        /* DATETIME_NONE: none */
	int16_t zone;
	const char *from, *to, *cc, *subject, *date, *message_id;
};
struct search_found {
	uint64_t messages, placements;
	bool more; /* than the limit */
};
/* Placements of what matches, newest INTERNALDATE first (a message with
 * several: by its newest). each false: stop; NULL: only counted. It may use the
 * index, but not the search. */
bool search_run(struct search *, const struct search_query *,
    bool (*each)(void *arg, const struct search_hit *), void *arg,
    struct search_found *, struct err *);

#endif
