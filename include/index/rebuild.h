#ifndef INDEX_REBUILD_H
#define INDEX_REBUILD_H

#include "index/index.h"

/*
 * A new index beside the old one, filled from what an archive says about
 * itself, then put in its place. Told in this order: all runs, all volumes that
 * are there; run by run, in the order of the chain, its accounts, mailboxes and
 * messages; what volumes' catalogs say; what is damaged; the end. Whatever is
 * told twice stands once. Under the archive's lock only. Failures are as of the
 * index, but a row that can't be is left out and told to finding.
 */
struct rebuild;

struct rebuild_options {
	const char *path; /* of the index that is to be */
	/* Where: a volume's or a mailbox's name. Borrowed. */
	void (*finding)(void *arg, const char *where, const char *what);
	void *arg;
};
/* PATH.rebuild, empty; one that a killed rebuild left is removed. */
bool rebuild_open(
    struct rebuild **, const struct rebuild_options *, struct err *);
/* Gives the new index up; harmless after rebuild_put. */
void rebuild_abandon(struct rebuild **);

/* ---- who and when ---- */

struct rebuild_run {
	const char *name, *command; /* command NULL: not told yet */
	enum index_run_state state;
	int64_t started, ended;  /* 0: never told */
	const uint8_t *manifest; /* SHA-256; NULL: none */
};
/* Runs in the order in which they were. A second call tells more of it. */
bool rebuild_run(struct rebuild *, const struct rebuild_run *, struct err *);

struct rebuild_account {
	const char *run, *kind, *account, *target;
	enum index_run_state state;
	int64_t started, ended; /* 0: never told */
	int exit_code;
	const char *text; /* "": none */
	bool partial;
};
bool rebuild_account(
    struct rebuild *, const struct rebuild_account *, struct err *);

struct rebuild_box { /* a mailbox's generation; wire: no NUL in it */
	const char *kind, *account, *wire, *display;
	uint64_t uidvalidity, generation;
};
struct rebuild_mailbox {
	const char *run;
	struct rebuild_box box;
	char separator;
	const char *special_use, *mailbox_id; /* NULL: none */
	bool subscribed, ended, emptied;
	const struct rebuild_box *replaced_by; /* .wire, .uidvalidity,
						  .generation; NULL: nothing */
	const struct index_counts *counts;     /* NULL: none */
};
bool rebuild_mailbox(
    struct rebuild *, const struct rebuild_mailbox *, struct err *);

/* ---- volumes ---- */

/* One that is there, p as of archive_find_sealed, or the whole part of one
 * still open. run: who began it. */
bool rebuild_volume(
    struct rebuild *, const char *run, const struct progress *p, struct err *);
/* run sealed it, with this hash. One that isn't there is LOST from now on. */
bool rebuild_sealed(struct rebuild *, const char *run, const char *name,
    const uint8_t sha256[32], uint64_t octets, struct err *);
/* A repack put all of it into another volume, which was told. One that is
 * there all the same stays. */
bool rebuild_replaced(
    struct rebuild *, const char *name, const char *by, struct err *);
/* Where a repack put octets that references elsewhere name. */
bool rebuild_moved(struct rebuild *, const char *volume, uint64_t frame,
    uint64_t offset, const char *to, uint64_t to_frame, uint64_t to_offset,
    struct err *);
/* index_moved, of what was told so far. */
bool rebuild_where(struct rebuild *, const char *volume, uint32_t frame,
    uint64_t offset, struct kept *to, bool *found, struct err *);
/* What rebuild_sealed told. */
bool rebuild_expected(struct rebuild *, const char *name, uint8_t sha256[32],
    bool *told, struct err *);

/* ---- messages ---- */

struct rebuild_row {
	const struct catalog_row *row;
	const char *kind;
	uint64_t generation;
	const char *volume; /* where its entry is; "": nowhere */
	bool unplaced;      /* a LINK whose frame and offset aren't told */
};
bool rebuild_begun(struct rebuild *, const char *run,
    const struct rebuild_row *, struct err *);
bool rebuild_ended(struct rebuild *, const char *run,
    const struct rebuild_row *, struct err *);
bool rebuild_outcome(struct rebuild *, const char *run,
    const struct rebuild_row *, enum outcome, const char *class,
    const char *why, struct err *);
/* How many messages have their entries in a volume, as far as was told. */
bool rebuild_count(
    struct rebuild *, const char *volume, uint64_t *n, struct err *);
/* A volume's own word. run: whose message it is if no manifest knew it.
 * *is_new: none did. */
bool rebuild_kept(struct rebuild *, const char *run, const struct rebuild_row *,
    bool *is_new, struct err *);
/* Manifests told of places behind the end of one that was still open: it lost
 * its end, and index_volume.cut says so. */
bool rebuild_is_cut(
    struct rebuild *, const char *volume, bool *cut, struct err *);
/* What was told of places in this volume is not true: it will tell itself. */
bool rebuild_forget(struct rebuild *, const char *volume, struct err *);
/* Nothing that lies in these frames of a volume is kept. */
bool rebuild_damaged(struct rebuild *, const char *volume, const bool *damaged,
    size_t n, struct err *);

/* ---- the end ---- */

struct rebuild_lost {
	const char *account, *mailbox; /* display */
	uint64_t uidvalidity, uid;
	const uint8_t *sha256;
	bool gone; /* at the source too, as far as manifests tell */
};
/*
 * References are resolved. A message of which no copy is there becomes unknown,
 * so that the next run asks for it again (vanished, where it had gone since),
 * and is told to lost.
 */
bool rebuild_finish(struct rebuild *,
    void (*lost)(void *arg, const struct rebuild_lost *), void *arg,
    struct err *);
/*
 * Made durable and put in the old index's place, which stays as
 * PATH.before-WHEN (kept, "" if there was none). At any instant either the old
 * or the new one is there. ERR_LOCKED if another program uses the old one.
 */
bool rebuild_put(
    struct rebuild **, int64_t now, char *kept, size_t size, struct err *);

#endif
