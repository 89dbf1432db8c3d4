#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "base/err.h"
#include "mail/header.h"
#include "mail/source.h"
#include "mail/target.h"

/*
 * The SQLite index (DESIGN 7, schemas/).  A connection belongs to one thread;
 * two threads open two.  All ids are > 0.  Every failure is ERR_RUN:
 * ERR_DAMAGED (not a database, wrong application_id, corrupt), ERR_USAGE (none
 * there to read, or another version's), ERR_DISK_FULL (full or not writable),
 * ERR_LOCKED, ERR_IO; text borrowed by a row is valid until the next row of the
 * same rows, or while each runs.
 */
struct index;

enum index_mode {
	INDEX_WRITE, /* create and migrate; refuses network file systems */
	INDEX_READ   /* immutable if the file or its folder is not writable */
};
bool index_open(
    struct index **, const char *path, enum index_mode, struct err *);
/* Last writer: truncating checkpoint. */
void index_close(struct index **);

/* One run at a time (flock on PATH.run): ERR_LOCKED if another holds it; if
 * that one was killed, only after 10 s in which its processes may end.
 * *lock: an fd to close at the end. */
bool index_lock_run(const char *path, int *lock, struct err *);

/* ---- transactions: flock on PATH.lock, BEGIN IMMEDIATE … COMMIT ---- */
bool index_begin(struct index *, struct err *);
bool index_commit(struct index *, struct err *);
void index_rollback(struct index *);

/* ---- runs ---- */
enum index_run_state {
	RUN_OPEN,
	RUN_COMPLETE,
	RUN_INCOMPLETE,
	RUN_INTERRUPTED
};
struct index_run {
	uint64_t id;
	char name[40];          /* "2026-11-21T101500Z-a1b2" */
	int64_t started, ended; /* unix s; ended 0: never told */
	enum index_run_state state;
	char command[512];
	bool has_manifest;
	uint8_t manifest[32];
};
/* These four are transactions of their own. */
bool index_run_begin(struct index *, const char *name, const char *command,
    uint64_t *run, struct err *);
/* The run that another connection of this process began is this one's: it
 * knows the hour when it ends, however it ends. No transaction. */
void index_run_take(struct index *, uint64_t run);
/* What a mailbox listed and nobody settled counts as unknown from then on. */
bool index_run_end(
    struct index *, uint64_t run, enum index_run_state, struct err *);
bool index_run_manifest(
    struct index *, uint64_t run, const uint8_t sha256[32], struct err *);
/* A volume the run that opened it never used again: ABANDONED. */
bool index_volume_abandon(struct index *, const char *name, struct err *);
/* Ascending by id; state -1: all. each false: stop, still true. */
bool index_runs(struct index *, int state,
    bool (*each)(void *arg, const struct index_run *), void *arg, struct err *);

/*
 * How each account fared in a run: what "as of", coverage and --failed look
 * at. begin and end are transactions of their own; begun again in the same run
 * (tried once more), the row starts anew. Rows of a run that was killed read
 * as RUN_INTERRUPTED.
 */
struct index_run_job {
	uint64_t run, job;
	const char *run_name;
	const char *kind;            /* "imap": the source's */
	const char *source, *target; /* account keys */
	enum index_run_state state;
	int64_t started, ended; /* unix s; ended 0: never told */
	int exit_code;
	const char *text; /* why it failed; "": it didn't */
	/* Mailboxes were left out by a rule, or nobody knows what became of
	 * them: it tells of those that it read, or saw end. */
	bool partial;
};
bool index_run_job_begin(
    struct index *, uint64_t run, uint64_t job, struct err *);
bool index_run_job_end(struct index *, uint64_t run, uint64_t job,
    enum index_run_state, bool partial, int exit_code, const char *text,
    struct err *);
/* Ordered by source, run; run 0: all; source NULL: all. each false: stop. */
bool index_run_jobs(struct index *, uint64_t run, const char *source,
    bool (*each)(void *arg, const struct index_run_job *), void *arg,
    struct err *);

/* ---- who is who: found or made; inside or outside a transaction. Opened for
 * reading: *id 0 for an account or job that is not there. ---- */
bool index_account(struct index *, const char *kind, const char *key,
    uint64_t *id, struct err *);
bool index_job(struct index *, uint64_t source, uint64_t target, uint64_t *id,
    struct err *);
/* The generation (name × UIDVALIDITY; and MAILBOXID, where both are known).
 * *is_new: no row existed. An older live generation of the same name gets
 * last_run and replaced_by. */
bool index_mailbox(struct index *, uint64_t account,
    const struct source_mailbox *, uint64_t uidvalidity, uint64_t run,
    uint64_t *id, bool *is_new, struct err *);

/* Another generation under the same UIDVALIDITY: its UIDNEXT went down, as
 * after a restore from a backup, so its UIDs may name other messages now. */
bool index_mailbox_restart(struct index *, uint64_t account,
    const struct source_mailbox *, uint64_t uidvalidity, uint64_t run,
    uint64_t *id, struct err *);

/* *other: it is known by another MAILBOXID than this one (NULL: not told). */
bool index_is_other(struct index *, uint64_t mailbox, const char *mailbox_id,
    bool *other, struct err *);

/* Live mailboxes of an account, by name; the job's delta, if it has one. */
struct index_live {
	uint64_t id;
	const char *name, *display; /* wire, UTF-8 */
	const char *mailbox_id;     /* NULL: none */
	char separator;
	uint32_t attributes;
	uint64_t uidvalidity;
	bool has_delta;
	struct source_state state;
};
bool index_live_mailboxes(struct index *, uint64_t account, uint64_t job,
    bool (*each)(void *arg, const struct index_live *), void *arg,
    struct err *);

/* Generations that this one replaced, by one or more steps, under its name or
 * an earlier one, and whose placements have not all ended: index_end_mailbox is
 * due once it was seen whole or is gone. The newest is the last. each false:
 * stop. */
bool index_replaced(struct index *, uint64_t mailbox,
    bool (*each)(void *arg, uint64_t id), void *arg, struct err *);

/* ---- consult ---- */
enum outcome { /* stored numbers */
	OUTCOME_PENDING,
	OUTCOME_DELIVERED,
	OUTCOME_DUPLICATE,
	OUTCOME_EXCLUDED,
	OUTCOME_REPAIRED,
	OUTCOME_QUARANTINED,
	OUTCOME_UNREADABLE,
	OUTCOME_VANISHED,
	OUTCOME_UNKNOWN,
	OUTCOME_COUNT
};
const char *outcome_word(enum outcome); /* "delivered" … */

struct index_delta {
	bool found;
	struct source_state state; /* uidvalidity not set */
	uint8_t filter_sha256[32];
};
bool index_delta(struct index *, uint64_t job, uint64_t mailbox,
    struct index_delta *, struct err *);
/* The live generation of a mailbox, to ask the source for what is new in it. */
bool index_live_mailbox(struct index *, uint64_t account, const char *name,
    uint64_t *id, uint64_t *uidvalidity, bool *found, struct err *);
/* Some message of the mailbox is pending, excluded, refused, unreadable or
 * unknown, so that it has to be listed again. */
bool index_todo(
    struct index *, uint64_t job, uint64_t mailbox, bool *any, struct err *);
/* Rows of a mailbox by outcome. */
bool index_outcomes(struct index *, uint64_t job, uint64_t mailbox,
    uint64_t counts[OUTCOME_COUNT], struct err *);
/* *found false: never seen. */
bool index_outcome(struct index *, uint64_t job, uint64_t mailbox,
    uint64_t okey, enum outcome *, bool *found, struct err *);
/* The live placements of a mailbox with their outcome for a job, ascending
 * from okey on, to be merged with what a source tells: one statement, memory
 * independent of their number. */
struct index_known {
	uint64_t okey;
	enum outcome outcome;
	uint8_t flags;
	int64_t idate;         /* DATETIME_NONE: none */
	uint64_t size, octets; /* announced; of what is kept, 0: nothing */
	const char *keywords;  /* as flags_keywords; borrowed till the next */
};
struct index_walk;
bool index_walk_open(struct index *, struct index_walk **, uint64_t job,
    uint64_t mailbox, uint64_t okey, struct err *);
/* False with *end at the end, or with an error. */
bool index_walk_next(
    struct index_walk *, struct index_known *, bool *end, struct err *);
void index_walk_close(struct index_walk **);
/* The highest okey that a placement of the mailbox ever had; 0: none did. */
bool index_top_okey(
    struct index *, uint64_t mailbox, uint64_t *okey, struct err *);
/* Live placements with lo <= okey <= hi; by outcome for the job. */
bool index_live_count(struct index *, uint64_t job, uint64_t mailbox,
    uint64_t lo, uint64_t hi, uint64_t by[OUTCOME_COUNT], struct err *);

/* ---- re-match: is a message that seems new one that is kept? ---- */
/*
 * Kept is what has a copy in a volume. A server's copy (index/flight.h) belongs
 * to one placement, so there only one counts that can be taken over: of an
 * earlier generation of the mailbox, under its name. As often as it is told,
 * index_settle_known has the last word.
 */
/* What this EMAILID was seen to name in the account, if its size is this.
 * mailbox: where the message is now; 0: nobody knows it yet. */
bool index_match_email(struct index *, uint64_t job, uint64_t account,
    uint64_t mailbox, const char *email_id, uint64_t size, uint8_t sha256[32],
    bool *found, struct err *);
/* Delivered placements of another generation or mailbox (live, or ended in
 * run) with this size, INTERNALDATE and canonical Message-ID (must not be
 * empty): *n of them up to 2, the first's content and okey. taken: okeys that
 * a message was matched to already, skipped; NULL: none. INDEX_TWINS_MANY: so
 * many share the Message-ID that looking through them each time would take
 * hours, and it is not worth while to ask for it again. */
enum { INDEX_TWINS_LOOK = 1000, INDEX_TWINS_MANY = 3 };
bool index_match_twin(struct index *, uint64_t job, uint64_t mailbox,
    uint64_t run, uint64_t size, int64_t idate, const char *message_id,
    bool (*taken)(void *arg, uint64_t okey), void *arg, uint64_t *n,
    uint8_t sha256[32], uint64_t *okey, struct err *);
/* A delivered placement with this content in another generation of this
 * mailbox name, or in that mailbox (0: none). */
bool index_match_content(struct index *, uint64_t job, uint64_t account,
    const char *name, uint64_t mailbox, const uint8_t sha256[32], bool *found,
    struct err *);

/* A settled whole copy of this content in the archive. volume: prefer this
 * one; NULL: any. */
bool index_find_content(struct index *, uint64_t archive,
    const uint8_t sha256[32], const char *volume, struct kept *, bool *found,
    struct err *);
/* An entry in that volume with that content and INTERNALDATE: a hardlink can
 * name it. out: KEPT_ENTRY octets. */
bool index_find_link(struct index *, const uint8_t sha256[32],
    const char *volume, int64_t idate, char *out, bool *found, struct err *);
/* Settled whole copies whose body has this hash; each false: stop. */
bool index_find_body(struct index *, uint64_t archive, int64_t body_hash,
    bool (*each)(void *arg, const struct kept *), void *arg, struct err *);

/* ---- settle: only inside a transaction ---- */
struct index_delivery {
	uint64_t run, job, mailbox, archive;
	const struct placement *placement;
	struct content *content; /* finished, and content_hash was called */
	const struct header_fields *header;
	int64_t identity; /* identity_key */
	enum claim_kind claim;
	const struct kept *where;    /* own entry */
	const struct kept *survivor; /* LINK, REFERENCE; else NULL */
};
/* content, header, stored, placement and delivery rows, outcome DELIVERED. */
bool index_settle(struct index *, const struct index_delivery *, struct err *);
/* A message that did not get there: placement (no content) + delivery + note
 * (class: err_code_word or rule; text: the words). */
bool index_settle_outcome(struct index *, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *, enum outcome, const char *class,
    const char *text, struct err *);

/*
 * A placement of a content that is stored already, for which nothing was
 * stored: placement and delivery rows (DELIVERED, CLAIM_KNOWN), and an email
 * row if placement->email_id is set. index_settle writes email rows as well.
 * On a server the placement takes over where that content lies; *known false:
 * none is left to take over, and nothing was written.
 */
bool index_settle_known(struct index *, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *, const uint8_t sha256[32],
    bool *known, struct err *);
/*
 * A message that had ended and is listed again under its okey: if it was
 * delivered, with this size and INTERNALDATE, a version begins with the
 * content it had. *again false: nothing was done, it has to be looked at as
 * any other.
 */
bool index_settle_again(struct index *, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct placement *, bool *again, struct err *);
/* A live placement's flags and keywords are these now: its version ends and
 * another begins (the same row if it began in this run). *changed: they were
 * others. Nothing happens where there is no live placement. */
bool index_change(struct index *, uint64_t run, uint64_t mailbox, uint64_t okey,
    uint8_t flags, const char *keywords, bool *changed, struct err *);
/* Live placements with lo <= okey <= hi end; *n of them. */
bool index_end(struct index *, uint64_t run, uint64_t mailbox, uint64_t lo,
    uint64_t hi, uint64_t *n, struct err *);
/* The whole mailbox ends: it is gone, or replaced_by (0: nothing). */
bool index_end_mailbox(struct index *, uint64_t run, uint64_t mailbox,
    uint64_t replaced_by, uint64_t *n, struct err *);
/* Of all that this mailbox replaced (index_replaced), and that earlier one (0:
 * none) with what it replaced, live placements end whose content stands in this
 * one since: one placement here ends one of them all, of the newest first; *n
 * of them. */
bool index_end_twins(struct index *, uint64_t run, uint64_t mailbox,
    uint64_t earlier, uint64_t *n, struct err *);
/* A renamed mailbox (same MAILBOXID and UIDVALIDITY): each live placement of
 * from begins in to with the same okey and outcome, CLAIM_KNOWN where it is
 * delivered; the job's delta goes with them; from ends, replaced by to. */
bool index_rename(struct index *, uint64_t run, uint64_t job, uint64_t from,
    uint64_t to, uint64_t *n, struct err *);

struct index_counts {
	uint64_t inventory, already;
	uint64_t by[OUTCOME_COUNT]; /* PENDING unused */
	int scanned;                /* 0 not seen, 1 delta, 2 full */
};
enum { INDEX_ADD_ONLY = -1 };
/* Add to the run's sums; inventory and scanned are set, not added, and left
 * alone if scanned is INDEX_ADD_ONLY. */
bool index_count(struct index *, uint64_t run, uint64_t job, uint64_t mailbox,
    const struct index_counts *, struct err *);
/* volume and frame rows; archive: the target account. */
bool index_progress(struct index *, uint64_t run, uint64_t archive,
    const struct progress *, struct err *);
bool index_delta_put(struct index *, uint64_t run, uint64_t job,
    uint64_t mailbox, const struct source_state *,
    const uint8_t filter_sha256[32], struct err *);

/* ---- volumes ---- */
enum index_volume_state {
	VOLUME_OPEN,
	VOLUME_SEALED,
	VOLUME_ABANDONED,
	VOLUME_LOST,
	VOLUME_REPLACED, /* repack: all of it lies in another one */
	VOLUME_DRAFT     /* of a repack: nothing points into it yet */
};
struct index_volume {
	char name[KEPT_VOLUME_NAME];
	char run[40], sealed_run[40];
	enum index_volume_state state;
	uint64_t committed, frames, plain;
	/* OPEN: what lay behind its end was lost. It must be sealed as it is:
	 * manifests name places there, which must stay empty. */
	bool cut;
	uint8_t sha256[32]; /* SEALED */
};
bool index_volumes(struct index *, int state,
    bool (*each)(void *arg, const struct index_volume *), void *arg,
    struct err *);
/* All frames of a volume in order; free() the array. */
bool index_frames(struct index *, const char *volume, struct frame_info **,
    size_t *n, struct err *);

/* ---- what an archive holds ---- */
struct index_query { /* all borrowed; NULL, 0 or "" means any */
	const char *account;
	const char *const *include, *const *exclude; /* name_matches globs */
	size_t include_count, exclude_count;
	const char *volume; /* placements whose entry lies there */
	const uint8_t *sha256;
	const char *message_id; /* canonical */
	uint64_t uid;
	int64_t since, before; /* INTERNALDATE; 0: any */
	int outcome;           /* -1: delivered only; else enum outcome, or
				  OUTCOME_COUNT: everything */
	uint64_t run;          /* whose outcome, as it is now, is of that run */
	/*
	 * The state of a past moment: 0: as it is now. as_of_run: what stood
	 * after that run; as_of: unix s, for each mailbox what stood after the
	 * account's last complete run that told of it and had ended by then
	 * (index_as_of). A mailbox without one has no rows.
	 */
	uint64_t as_of_run;
	int64_t as_of;
	/* Messages that have gone too, as they were last. So it is anyway
	 * with volume, sha256, message_id and run, unless as of a moment. */
	bool ended;
	/* What this run changed in archives, in no order that people would
	 * want; every other term but account is left alone. Costs what there
	 * is of it. */
	uint64_t changes;
};
/* The account's last complete run that ended at or before a moment and tells of
 * the mailbox: it wasn't partial, or read this one, or saw it end; *run 0:
 * none. */
bool index_as_of(struct index *, uint64_t mailbox, int64_t when, uint64_t *run,
    struct err *);
enum index_change { /* with query.changes */
	CHANGE_NONE,
	CHANGE_BEGUN,  /* stands there since that run, or with other flags */
	CHANGE_ENDED,  /* no longer stands there; may follow its CHANGE_BEGUN */
	CHANGE_OUTCOME /* nothing is kept of it: row.outcome */
};
struct index_row {
	struct catalog_row row;
	const char *volume; /* "" if not delivered */
	enum outcome outcome;
	const char *run;                    /* of the outcome */
	const char *note_class, *note_text; /* "" if none */
	const char *ended; /* the run that no longer saw it; "" if it lives,
			      or as of a moment */
	enum index_change change;
};
struct index_rows;
/* Rows ordered by account, mailbox, UID; with volume set: by frame, offset. */
bool index_rows_open(struct index *, struct index_rows **,
    const struct index_query *, struct err *);
/* A catalog_next over arg = struct index_rows *: false at the end too. */
bool index_rows_catalog(
    void *index_rows, struct catalog_row *, bool *end, struct err *);
bool index_rows_next(
    struct index_rows *, struct index_row *, bool *end, struct err *);
void index_rows_close(struct index_rows **);
/* How to put a row's message together. */
bool index_parts(struct index *, const uint8_t sha256[32],
    struct message_parts *, bool *found, struct err *);

/*
 * What stood under a message's origin (account, wire, uidvalidity, generation,
 * uid of at) last in a run, to be compared with what its manifest told: flags,
 * keywords, date, sizes, hash and header texts of the row given to each, texts
 * "" where there are none; ended: it ended in that run. Not called: nothing
 * stood there.
 */
bool index_version(struct index *, uint64_t run, const struct catalog_row *at,
    void (*each)(void *arg, const struct catalog_row *, bool ended), void *arg,
    struct err *);
/* Messages that ended in a run and don't stand after it. */
bool index_ended(struct index *, uint64_t run, uint64_t *n, struct err *);

/* Content hashes that begin with these 8 to 63 hex digits: *n of them, the
 * first in sha256. */
bool index_hash_by_prefix(struct index *, const char *hex, uint8_t sha256[32],
    size_t *n, struct err *);

struct index_mailbox_sum {
	const char *account, *mailbox; /* display */
	const char *special_use;       /* NULL: none */
	uint64_t uidvalidity, messages, octets;
	int64_t first, last; /* INTERNALDATE of the oldest and newest */
};
bool index_mailbox_sums(struct index *, const struct index_query *,
    bool (*each)(void *arg, const struct index_mailbox_sum *), void *arg,
    struct err *);
/* run_mailbox rows of a run, with names; each also gets the job's ends. */
struct index_run_row {
	uint64_t id;                 /* of the mailbox */
	const char *source, *target; /* account keys */
	const char *mailbox;         /* display */
	uint64_t uidvalidity;
	struct index_counts counts;
};
bool index_run_rows(struct index *, uint64_t run,
    bool (*each)(void *arg, const struct index_run_row *), void *arg,
    struct err *);
/* What a run came to; source: one account's part of it (but for the octets);
 * NULL: all. */
struct index_run_total {
	uint64_t complete, failed; /* accounts */
	uint64_t delivered, ended; /* messages */
	uint64_t octets;           /* of the volumes that it opened */
};
bool index_run_total(struct index *, uint64_t run, const char *source,
    struct index_run_total *, struct err *);
/* A mailbox that a run looked at for an archive, began or ended, and what it
 * counted. */
struct index_run_box {
	const char *source, *kind, *target; /* account keys */
	const char *mailbox;                /* display */
	const void *wire;
	size_t wire_len;
	uint64_t uidvalidity, generation;
	char separator;
	const char *special_use, *mailbox_id; /* NULL: none */
	bool subscribed;
	bool ended;          /* it isn't live (any more) */
	bool emptied;        /* nothing stands in it since this run */
	const void *by_wire; /* what took its place; NULL: nothing */
	size_t by_wire_len;
	uint64_t by_uidvalidity, by_generation;
	bool counted;
	struct index_counts counts;
};
bool index_run_boxes(struct index *, uint64_t run,
    bool (*each)(void *arg, const struct index_run_box *), void *arg,
    struct err *);
struct index_totals {
	uint64_t contents, placements, volumes_sealed, volumes_open;
	uint64_t octets_placed;  /* sum of sizes of live placements */
	uint64_t octets_unique;  /* sum of sizes of contents */
	uint64_t octets_volumes; /* of sealed files and durable parts */
};
bool index_totals(struct index *, struct index_totals *, struct err *);
/* PRAGMA quick_check or integrity_check, foreign_key_check. ok false: text. */
bool index_check(
    struct index *, bool full, bool *ok, char text[200], struct err *);

#endif
