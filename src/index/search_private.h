#ifndef INDEX_SEARCH_PRIVATE_H
#define INDEX_SEARCH_PRIVATE_H

#include "index/private.h"
#include "index/search.h"

/*
 * The file's user holds LOCK_SH on FILE.lock; who begins it anew has LOCK_EX,
 * so that no file is taken away from under another's SQLite.
 */
struct search {
	struct index *ix;   /* borrowed */
	struct index *kept; /* the file; NULL: can't be used */
	struct index *temp; /* what kept lacks and can't get; NULL: nothing */
	char *path;
	int lock; /* FILE.lock; -1: none */
	char note[200];

	struct {                 /* bodies */
		int64_t at;      /* the last content that was looked at */
		bool known;      /* at is set */
		bool open;       /* a transaction of kept is */
		uint64_t octets; /* put in it */
		int64_t since;   /* clock_mono_ms */
	} body;
};

/* ---- search.c ---- */

/* kept is thrown away and begun anew; without it where that can't be. */
bool search_renew(struct search *, const char *why, struct err *);
/* kept itself is what failed last. */
bool search_is_damaged(const struct search *);
/* A database in a temporary file of SQLite's, for what kept lacks. */
bool search_open_temp(struct search *, struct err *);
/* The last content that a store knows. */
bool search_top(struct index *store, int64_t *content, struct err *);
bool search_state(
    struct index *store, int64_t *run, int64_t *bodies, struct err *);

/* ---- search_words.c ---- */

/* Text as it is indexed: characters of scripts that are written without
 * blanks each stand alone, so that parts of a sentence are phrases. */
void search_words_split(struct buf *, const char *text);
/* A query's words as FTS5 reads them; "" if there are none. ERR_USAGE: too
 * many. */
bool search_words_headers(
    struct buf *, const struct search_query *, struct err *);
bool search_words_body(struct buf *, const char *words, struct err *);

/* ---- search_boxes.c: the mailboxes, and which of them are asked for ---- */

struct search_box {
	int64_t id;
	bool wanted;
	int64_t run; /* as of; 0: now */
	uint64_t uidvalidity;
	char *account, *display; /* owned */
};
struct search_boxes {
	struct search_box *array; /* owned; by id */
	size_t n;
	bool all;           /* are wanted */
	bool many_accounts; /* among those wanted */
};
bool search_boxes_load(struct search_boxes *, struct index *,
    const struct search_query *, struct err *);
const struct search_box *search_boxes_find(
    const struct search_boxes *, int64_t id);
void search_boxes_free(struct search_boxes *);

/* ---- search_set.c: contents, a bit each ---- */

struct search_set {
	uint8_t *bits; /* owned */
	size_t size;   /* octets */
};
void search_set_add(struct search_set *, int64_t content);
bool search_set_has(const struct search_set *, int64_t content);
void search_set_and(struct search_set *, const struct search_set *);
/* How many, counted up to max. */
size_t search_set_count(const struct search_set *, size_t max);
/* The next from this one on; 0: none. */
int64_t search_set_next(const struct search_set *, int64_t from);
void search_set_free(struct search_set *);

#endif
