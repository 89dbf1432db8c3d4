#ifndef ARCHIVE_MANIFEST_H
#define ARCHIVE_MANIFEST_H

#include "mail/target.h"

/*
 * runs/NAME.jsonl.zst: what a run changed, one JSON object a line
 * (schemas/manifest.schema.json), each run naming the SHA-256 of the one
 * before. Written from the index's word, so writing it twice gives the same
 * octets. The file's SHA-256 is of the compressed file.
 */
struct manifest;

struct manifest_run {
	const char *name, *command,
	    *state; /* complete incomplete interrupted */
	int64_t started, ended;
	const char *previous;           /* run name; NULL: the first */
	const uint8_t *previous_sha256; /* NULL: the first */
};
struct manifest_account { /* how an account fared */
	const char *kind, *account, *target;
	const char *state; /* as the run's */
	int64_t started, ended;
	int exit_code;
	const char *text; /* why it failed; "" */
	bool partial;     /* mailboxes were left out */
};
struct manifest_mailbox {
	const char *account, *kind, *mailbox;
	const void *wire;
	size_t wire_len;
	uint64_t uidvalidity, generation;
	char separator;
	const char *special_use, *mailbox_id; /* NULL: none */
	bool subscribed;
	bool ended;          /* gone, or something took its place: */
	const void *by_wire; /* NULL: nothing did */
	size_t by_wire_len;
	uint64_t by_uidvalidity, by_generation;
	bool emptied; /* nothing stands in it since this run */
	bool counted; /* the sums below are told */
	int scanned;
	uint64_t inventory, already, delivered, duplicate, excluded, repaired,
	    quarantined, unreadable, vanished, unknown;
};
struct manifest_volume {
	const char *name;
	uint8_t sha256[32];
	uint64_t octets, frames;
	const char *replaced_by; /* NULL: it was sealed; else all of it lies in
				    that volume since this run */
};
/* What lay in a volume that was replaced lies there now. */
struct manifest_moved {
	const char *volume, *to;
	uint32_t frame, to_frame;
	uint64_t offset, to_offset;
};
/* Something that did not end as delivered. */
struct manifest_outcome {
	const struct catalog_row *row; /* origin, flags, date, size */
	const char *outcome, *class, *why;
};

bool manifest_begin(struct manifest **, const char *dir,
    const struct manifest_run *, struct err *);
bool manifest_account(
    struct manifest *, const struct manifest_account *, struct err *);
bool manifest_mailbox(
    struct manifest *, const struct manifest_mailbox *, struct err *);
/* A placement that began in this run or has other flags since, or that ended
 * (of which only the origin is told). volume: where its own entry lies; NULL or
 * "": it has none. */
bool manifest_placement(struct manifest *, const struct catalog_row *,
    const char *volume, bool ended, struct err *);
bool manifest_outcome(
    struct manifest *, const struct manifest_outcome *, struct err *);
bool manifest_volume(
    struct manifest *, const struct manifest_volume *, struct err *);
bool manifest_moved(
    struct manifest *, const struct manifest_moved *, struct err *);
/* fsync, rename, fsync folder; *m is freed and cleared either way. */
bool manifest_end(struct manifest **m, uint8_t sha256[32], struct err *);
void manifest_abandon(struct manifest **);

/* Walk the chain: every file in runs/ is parsed, its lines are valid JSON, its
 * previous hash is that of the file before. volume: each volume and replaced
 * line; run: each file with its own SHA-256. NULLs allowed. */
bool manifest_check(const char *dir,
    void (*volume)(void *arg, const char *run, const struct manifest_volume *),
    void (*run)(void *arg, const char *name, const uint8_t sha256[32]),
    void (*finding)(void *arg, const char *run, const char *what), void *arg,
    struct err *);

/* A manifest's place in the chain. */
struct manifest_link {
	const char *name;
	bool readable; /* to its end line, and all of its lines */
	uint8_t sha256[32];
	const char *previous; /* run name; NULL: the first, or not told */
	uint8_t previous_sha256[32];
};
/* The manifests in the order of the chain; findings as manifest_check's. */
bool manifest_chain(const char *dir,
    void (*each)(void *arg, const struct manifest_link *),
    void (*finding)(void *arg, const char *run, const char *what), void *arg,
    struct err *err);

#endif
