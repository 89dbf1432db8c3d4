#ifndef ARCHIVE_INVENTORY_H
#define ARCHIVE_INVENTORY_H

#include "archive/reader.h"
#include "mail/content.h"
#include "mail/target.h"

/*
 * What an archive says about itself where its index is gone: manifests line by
 * line, catalogs of sealed volumes, entries of volumes without one. Archives
 * may be hostile: nothing that they say is trusted to be of sense, lines and
 * frames are bounded, memory doesn't grow with what there is. Whatever can't
 * be used is told as a finding and left out. All text is UTF-8; wire names are
 * name_is_safe.
 */

/* Where a finding is, and what it is; entry NULL: all of it. */
struct inventory_finding {
	const char *where; /* a run's or volume's name */
	const char *entry;
	const char *what; /* a sentence */
};

/* ---- manifests ---- */

struct inventory_run { /* the first line of a manifest */
	const char *name, *command, *state;
	int64_t started, ended; /* 0: never told */
	const char *previous;   /* NULL: the first */
	uint8_t previous_sha256[32];
};
struct inventory_mailbox {
	const char *kind, *account;
	const char *display, *wire;
	size_t wire_len;
	uint64_t uidvalidity, generation; /* generation: index's restart */
	char separator;
	const char *special_use, *mailbox_id; /* NULL: none */
	bool subscribed;
	/* It is not there any more; nothing stands in it since this run;
	 * replaced_by: wire name of what took its place; NULL: nothing. */
	bool ended, emptied;
	const char *replaced_by;
	size_t replaced_by_len;
	uint64_t replaced_by_uidvalidity, replaced_by_generation;
	/* Sums of the run; has_sums false: only the mailbox is told. */
	bool has_sums;
	int scanned;
	uint64_t inventory, already, delivered, duplicate, excluded, repaired,
	    quarantined, unreadable, vanished, unknown;
};
struct inventory_account { /* how an account fared in the run */
	const char *kind, *account, *target, *state;
	int64_t started, ended; /* 0: never told */
	int exit_code;
	const char *text; /* why it failed; "": it didn't */
	bool partial;     /* mailboxes were left out */
};
struct inventory_row {
	struct catalog_row row; /* claim KNOWN: no entry, frame, offset */
	uint64_t generation;
	const char *volume; /* where its entry was put; "": nowhere */
	bool unplaced;      /* a LINK: frame and offset aren't told */
};
struct inventory_outcome {
	struct inventory_row at; /* what is known of the message */
	const char *outcome, *class, *why;
};

struct inventory_moved {
	const char *volume, *to;
	uint64_t frame, offset, to_frame, to_offset;
};

/* Each false: stop, with *err set. NULL: not asked for. */
struct inventory_tell {
	void *arg;
	bool (*run)(void *arg, const struct inventory_run *, struct err *);
	bool (*account)(
	    void *arg, const struct inventory_account *, struct err *);
	bool (*mailbox)(
	    void *arg, const struct inventory_mailbox *, struct err *);
	bool (*begun)(void *arg, const struct inventory_row *, struct err *);
	bool (*ended)(void *arg, const struct inventory_row *, struct err *);
	bool (*outcome)(
	    void *arg, const struct inventory_outcome *, struct err *);
	bool (*volume)(void *arg, const char *name, const uint8_t sha256[32],
	    uint64_t octets, struct err *);
	/* A repack put all of it into another; and where what it held lies
	 * now, as far as other volumes name it. */
	bool (*replaced)(
	    void *arg, const char *name, const char *by, struct err *);
	bool (*moved)(void *arg, const struct inventory_moved *, struct err *);
	/* A row of a catalog, or of a volume's entry. */
	bool (*kept)(void *arg, const struct inventory_row *, struct err *);
	void (*finding)(void *arg, const struct inventory_finding *);
};

/* One manifest, in the order of its lines. Its hashes and the chain are
 * manifest_chain's business. */
bool inventory_manifest(const char *dir, const char *run,
    const struct inventory_tell *, struct err *);

/* ---- volumes ---- */

struct inventory_volume {
	char name[KEPT_VOLUME_NAME];
	bool sealed;
	/* Of the file; of a .part: up to where it may be continued, and the
	 * frames up to there only. */
	uint64_t octets, plain;
	struct frame_info *frames;
	size_t count;
	uint8_t sha256[32]; /* of the file, if sealed */
	bool *damaged;      /* frames that don't inflate; NULL: none */
};
/*
 * Open the books of NAME.tar.zst: frames from its seek table, or one by one
 * where that is damaged. *ok false: nothing of it can be used (told).
 */
bool inventory_sealed(const char *dir, const char *name,
    const struct inventory_tell *, struct inventory_volume *, bool *ok,
    struct err *);
/* v->sha256; where that isn't the expected (NULL: nobody knows), every frame is
 * inflated and v->damaged says which can't be. */
bool inventory_check(const char *dir, struct inventory_volume *v,
    const uint8_t *expected, const struct inventory_tell *, struct err *);
void inventory_volume_free(struct inventory_volume *);
/* How many rows its catalog has. *found false: it has none that can be read to
 * its end. */
bool inventory_catalog_count(const char *dir, const struct inventory_volume *,
    uint64_t *rows, bool *found, struct err *);
/* Those rows to kept, in their order. */
bool inventory_catalog(const char *dir, const struct inventory_volume *,
    const struct inventory_tell *, bool *found, struct err *);

/*
 * Open the books of NAME.tar.zst.part, which is synced first: its octets and
 * frames are those up to the last frame that ends where an entry does, in front
 * of any catalog. *ok false: no entry of it is whole.
 */
bool inventory_part(const char *dir, const char *name,
    const struct inventory_tell *, struct inventory_volume *, bool *ok,
    struct err *err);
/*
 * The entries of a volume to kept, in their order, up to the first damage, as
 * far as their octets have the SHA-256 that they state: of a .part, or of a
 * sealed one whose catalog can't be read. Of a link, frame and offset are not
 * told (unplaced). reader: for the bodies of references; it is given this
 * volume's frames, and has to know those of other .parts.
 */
bool inventory_entries(struct archive_reader *, const struct inventory_volume *,
    const struct inventory_tell *, struct err *);

/* Names of NAME.tar.zst.part in volumes/, sorted; free each and the array. */
bool inventory_parts(const char *dir, char ***names, size_t *n, struct err *);

#endif
