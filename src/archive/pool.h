#ifndef ARCHIVE_POOL_H
#define ARCHIVE_POOL_H

#include "writer.h"

/*
 * The volumes of all writers of an archive: who holds the lock on a .part
 * owns it, and the index's word (archive_word) says what is in it.
 */

/* Go on with an open volume that nobody holds: w->volume, or NULL if there is
 * none. A failure is final for the writer. */
bool pool_adopt(struct writer *, struct err *);
/* w->reader, which also reads what other writers have settled. */
bool pool_reader(struct writer *, struct err *);

#endif
