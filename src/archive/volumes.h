#ifndef ARCHIVE_VOLUMES_H
#define ARCHIVE_VOLUMES_H

#include "archive/archive.h"

/* Names in DIR/folder that end so, without the ending, sorted by octets. A
 * folder that doesn't exist holds none. */
bool volumes_list(const char *dir, const char *folder, const char *ending,
    char ***names, size_t *n, struct err *);
void volumes_list_free(char **names, size_t n);
/* SHA-256 of a whole file. was_read: told of its octets piece by piece; may be
 * NULL. */
bool volumes_file_digest(const char *path, uint8_t sha256[32],
    void (*was_read)(void *arg, uint64_t octets), void *arg, struct err *);

#endif
