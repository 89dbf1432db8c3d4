#ifndef CMD_POOL_H
#define CMD_POOL_H

#include "ports.h"

/* The volumes that the processes of a run have open (archive_word). */

/* The index's word, from p->index, which must outlive its user. */
struct archive_word pool_word(struct archive_port *p);
/* Seal all but the last keep volumes that the index calls open, and those that
 * are cut; there are no other writers. Needs p->target. */
bool pool_seal(struct archive_port *p, size_t keep, struct err *);
/* Remove parts that neither the index nor a writer knows. */
bool pool_sweep(struct archive_port *p, struct err *);

#endif
