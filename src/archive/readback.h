#ifndef ARCHIVE_READBACK_H
#define ARCHIVE_READBACK_H

#include "mail/target.h"

/*
 * Read a finished volume from the disk (not from the page cache): every frame
 * inflates to its size with a good checksum, and the tail octets behind them
 * are their seek table and nothing else. sha256: of the whole file. ERR_DAMAGED
 * if not. progress is called after each frame; NULL allowed.
 */
bool readback(int fd, const char *path, const struct frame_info *, size_t n,
    uint64_t tail, uint8_t sha256[32],
    void (*progress)(void *arg, uint64_t done, uint64_t of), void *arg,
    struct err *);

#endif
