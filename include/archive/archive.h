#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include <stdio.h>

#include "mail/target.h"

/* The folders and names of an archive (DESIGN 6). */
#define ARCHIVE_INDEX "mailhaul.db"
#define ARCHIVE_VOLUMES "volumes"
#define ARCHIVE_RUNS "runs"
#define ARCHIVE_SEALED ".tar.zst"
#define ARCHIVE_PART ".tar.zst.part"

/* Make the folders (0700) and README.txt if they lack. */
bool archive_create(const char *dir, struct err *);
/* True if dir holds sealed volumes or .part files: an index must exist. */
bool archive_has_volumes(const char *dir, bool *yes, struct err *);

/*
 * Writers that share an archive, one a process: each holds flock on the .part
 * that it writes, until it is sealed. What a writer must know of the volumes
 * of others, dead or alive, is the index's word, asked for through these.
 */
struct archive_word {
	/* Names of the volumes that the index calls open, in order: *names is
	 * the caller's to free. */
	bool (*open)(void *arg, char (**names)[KEPT_VOLUME_NAME], size_t *n,
	    struct err *);
	/* One volume as settled by now, and whether it is still called open;
	 * *frames, to which p points, is the caller's to free. */
	bool (*volume)(void *arg, const char *name, bool *open,
	    struct progress *p, struct frame_info **frames, struct err *);
	void *arg;
};

struct archive_options {
	const char *dir;
	const char *run;       /* run name: volumes are RUN-0001 … */
	int level;             /* zstd; 0: 3 */
	uint64_t volume_limit; /* octets of file; 0: 1 GiB */
	int threads;           /* compressors; 0: one per processor */
	uint64_t min_free;     /* octets of disk to leave; 0: 64 MiB */
	/* Called with octets read back so far while a volume is being sealed.
	 */
	void (*sealing)(void *arg, uint64_t done, uint64_t of);
	void *sealing_arg;
	/* Before a volume is begun, one that nobody holds any more is
	 * continued; and bodies are read out of volumes that others write.
	 * NULL: this writer is alone. Copied. */
	const struct archive_word *word;
};

/*
 * The writer, a target. Nothing is opened before the first deliver. resume:
 * continue this volume, which a run left open, through target_ops.resume
 * with the index's word (volume, committed, plain, first_frame =
 * frames, and all its frames in .frames). Orphans (a .part the index doesn't
 * know) are removed by archive_sweep.
 */
bool archive_target_new(
    struct target *, const struct archive_options *, struct err *);
/* Milliseconds spent reading sealed volumes back, so far. */
uint64_t archive_target_readback_ms(const struct target *);

/*
 * For each NAME.part in volumes/ for which known says no and that no writer
 * holds: remove it (nothing in it was ever promised). Under the archive's lock
 * only.
 */
bool archive_sweep(const char *dir, bool (*known)(void *arg, const char *name),
    void *arg, struct err *);
/*
 * A volume that the index holds open, but that was already renamed when the
 * run died: *sealed, its octets' SHA-256 and frames (free() them).
 */
bool archive_find_sealed(const char *dir, const char *volume, bool *sealed,
    struct progress *, struct frame_info **frames, struct err *);

#endif
