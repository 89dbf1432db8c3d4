#ifndef ARCHIVE_INVENTORY_FRAMES_H
#define ARCHIVE_INVENTORY_FRAMES_H

#include "archive/inventory.h"
#include "inflate.h"

/*
 * The frames at the start of a file, one after the other by their own headers,
 * up to whatever is no whole frame of ours. free() *frames.
 */
void inventory_walk_frames(int fd, const char *path, uint64_t file_size,
    struct frame_info **frames, size_t *n);

/* Does an inflated frame start with the tar header of an entry of this name?
 * NULL: of any name. */
bool inventory_starts_entry(const struct inflate *, const char *name);

void inventory_find(const struct inventory_tell *, const char *where,
    const char *entry, const char *what);

#endif
