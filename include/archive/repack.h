#ifndef ARCHIVE_REPACK_H
#define ARCHIVE_REPACK_H

#include "archive/archive.h"
#include "archive/reader.h"

/*
 * A volume made of the entries of others: every entry under the path that it
 * had, whole ones whole, headers as headers, links as links, in the order in
 * which they are added. After a failure only archive_merge_close is allowed.
 */
struct archive_merge;

/* Takes the next free name of o->run. Nobody is told of it. */
bool archive_merge_begin(
    struct archive_merge **, const struct archive_options *o, struct err *);
const char *archive_merge_volume(const struct archive_merge *);

struct archive_merge_entry {
	const struct catalog_row *row; /* as its volume has it */
	const char *volume;            /* where it lies; not with a link */
	char separator;                /* of its mailbox; 0: none */
	const struct kept *body;       /* REFERENCE: where its body is now:
					  .header_size octets before it */
};
/* *frame, *offset: where its data is; a LINK's isn't told. */
bool archive_merge_add(struct archive_merge *, struct archive_reader *from,
    const struct archive_merge_entry *, uint32_t *frame, uint64_t *offset,
    struct err *);
/* Catalog, seek table, read back, renamed. p borrows until close. */
bool archive_merge_seal(struct archive_merge *, catalog_next, void *arg,
    struct progress *p, struct err *);
/* remove: its file too, whatever its name is by now. */
void archive_merge_close(struct archive_merge **, bool remove);

/* A volume's file, sealed or not; true if there is none. The folder is synced
 * if one went. */
bool archive_remove_volume(const char *dir, const char *name, struct err *);
/* Octets of a sealed volume's file; 0: there is none. */
uint64_t archive_volume_octets(const char *dir, const char *name);

/* Paths met: in one volume each must be another. */
struct archive_paths;
struct archive_paths *archive_paths_new(void);
/* False: it was met before, or there are too many. */
bool archive_paths_add(struct archive_paths *, const char *path);
void archive_paths_free(struct archive_paths **);

#endif
