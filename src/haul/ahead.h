#ifndef HAUL_AHEAD_H
#define HAUL_AHEAD_H

#include "base/buf.h"
#include "index/index.h"

/*
 * The index's live placements of a mailbox, read ahead in portions to be
 * merged with what a source tells. A portion at a time and not one statement:
 * a pass lasts as long as its bodies take, and a statement open for so long
 * would keep the write-ahead log from ever being taken back.
 */
enum { AHEAD_ROWS = 512 };

struct known {
	uint64_t okey;
	enum outcome outcome;
	uint8_t flags;
	int64_t idate;
	uint64_t size, octets; /* as index_known's */
	const char *keywords;  /* as flags_keywords; borrowed till the next
				  call */
};

struct ahead {
	struct index *index; /* borrowed; NULL: there is nothing */
	uint64_t job, mailbox;
	struct {
		uint64_t okey, size, octets;
		int64_t idate;
		size_t words; /* in text */
		uint8_t outcome, flags;
	} rows[AHEAD_ROWS];
	struct buf text;
	size_t at, n;   /* rows[at … n) are still to come */
	size_t portion; /* the next one's length */
	uint64_t next;  /* first okey not read yet */
	bool end;       /* there is none */
	struct known row;
};
void ahead_start(
    struct ahead *, struct index *, uint64_t job, uint64_t mailbox);
void ahead_free(struct ahead *);
/* What comes next is the first row at or above okey. */
void ahead_seek(struct ahead *, uint64_t okey);
/* *row NULL: no more. */
bool ahead_peek(struct ahead *, const struct known **row, struct err *);
void ahead_pop(struct ahead *);
/* Seek; *row NULL: no live row has this okey. */
bool ahead_find(
    struct ahead *, uint64_t okey, const struct known **row, struct err *);

#endif
