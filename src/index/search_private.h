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
	bool forged; /* kept names what the index never held */

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
/* A bit for each costs half a GiB: no archive has so many. */
#define SEARCH_ID_MAX (INT64_C(1) << 32)
/* False: it is not in 1 … SEARCH_ID_MAX. */
bool search_set_add(struct search_set *, int64_t content);
bool search_set_has(const struct search_set *, int64_t content);
void search_set_and(struct search_set *, const struct search_set *);
/* How many, counted up to max. */
size_t search_set_count(const struct search_set *, size_t max);
/* The next from this one on; 0: none. */
int64_t search_set_next(const struct search_set *, int64_t from);
void search_set_free(struct search_set *);

/* ---- search_find.c: an answer being put together ---- */

enum {
	SEARCH_FEW = 20000, /* a lookup each costs less than walking a million
			     */
	SEARCH_STORES = 2
};

struct search_candidate {
	int64_t content, newest;
};

struct search_walk { /* along a store's dates */
	struct sql q;
	bool open;
	struct search_candidate head; /* content 0: at the end */
};

struct search_finding {
	struct search *s;
	const struct search_query *query;
	bool (*each)(void *, const struct search_hit *);
	void *arg;
	struct search_found *found;
	struct buf headers, body, message_id;

	struct search_boxes boxes;

	struct search_set set;
	bool has_set; /* false: everything */
	int64_t top;  /* the index's last content, when it was last asked */
	bool trust_dates;
	struct search_candidate *few; /* sorted */
	size_t few_count, few_at;
	struct search_walk walks[SEARCH_STORES];
	struct search_candidate last; /* judged; content 0: none yet */
	bool stopped;
};
/* The parameters of search_docs; dates: by date too. */
void search_bind_docs(struct sql *, const struct search_query *, bool dates);
/* Are all keywords there that are asked for, and none of the others? */
bool search_keywords_match(const struct search_query *, const char *list);

/* A store's content is one that the index has. Otherwise ERR_DAMAGED, and kept
 * is damaged. */
bool search_check_id(struct search_finding *, int64_t content, struct err *);

/* ---- search_narrow.c: what may match, as a set ---- */

/* By words and Message-ID. */
bool search_narrow_words(struct search_finding *, struct err *);
/* By what stands where and as it is asked for; worth while only if there are
 * such terms. */
bool search_has_box_terms(const struct search_finding *);
bool search_narrow_boxes(struct search_finding *, struct err *);
/* How much there is of it, without order or limit. */
bool search_count(struct search_finding *, struct err *);

#endif
