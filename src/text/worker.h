#ifndef TEXT_WORKER_H
#define TEXT_WORKER_H

#include "text/extract.h"

/* A worker with another decoder in its child, for tests. */
struct text_worker *text_worker_with(void (*start)(void),
    void (*decode)(const char *, size_t, struct buf *, bool *cut));
/* How many children it has started. */
unsigned text_worker_started(const struct text_worker *);

#endif
