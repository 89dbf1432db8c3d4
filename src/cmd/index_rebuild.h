#ifndef CMD_INDEX_REBUILD_H
#define CMD_INDEX_REBUILD_H

#include "archive/inventory.h"
#include "index/rebuild.h"
#include "index_runs.h"
#include "ports.h"

/* A new index being made out of what an archive says about itself. */
struct rebuilding {
	const struct options *o;
	struct archive_port archive; /* its paths and lock */
	struct rebuild *rebuild;
	struct known_runs runs;
	struct inventory_volume *volumes; /* owned */
	size_t volume_count;
	struct archive_reader *reader;
	struct inventory_tell tell;
	const char *run; /* whose manifest, or volume, is being read */
	char open_run[40];
	/* Accounts that aren't imap's. */
	struct kind {
		char *account, *kind; /* owned */
	} * kinds;
	size_t kind_count;
	struct replacement {
		char name[KEPT_VOLUME_NAME], by[KEPT_VOLUME_NAME];
	} * replaced; /* owned; as manifests say */
	size_t replaced_count;

	uint64_t findings, lost, adopted;
	char kept[4096]; /* the old index's new name */
};

/* b->tell: from the archive's words to the index's; what is wrong is printed.
 */
void rebuilding_listen(struct rebuilding *b);
/* As a finding: where, a run's or volume's name. */
void rebuilding_found(void *rebuilding, const char *where, const char *what);
void rebuilding_lost(void *rebuilding, const struct rebuild_lost *);
/* True with ERR_STOPPED if a signal asked. */
bool rebuilding_stopped(struct err *);

#endif
