#ifndef CMD_RUNS_H
#define CMD_RUNS_H

#include "ports.h"

/* What happens around a run of an archive. */

/* After a kill: volumes that were renamed but not marked are marked, runs left
 * open become interrupted and get their manifests, orphans go, and what a
 * repack left. */
bool runs_recover(struct archive_port *, struct err *);
/* Volumes that were renamed but not marked, when a writer died, are marked. */
bool runs_mark_sealed(struct archive_port *, struct err *);
/* The target goes on with the volume that an earlier run left open. */
bool runs_continue_volumes(struct archive_port *, struct err *);
/* Every ended run without a manifest gets one, in order. */
bool runs_write_manifests(struct archive_port *, struct err *);

#endif
