#ifndef CMD_AS_OF_H
#define CMD_AS_OF_H

#include "index/index.h"
#include "options.h"

/*
 * --as-of DATE or RUN as the terms of a query (struct index_query); both 0
 * without it. Says on standard error which run that is, for a date of each
 * account. ERR_USAGE: no such run, several, or no date; ERR_GONE: no account
 * had a complete run by then.
 */
bool as_of_set(struct index *, const struct options *, uint64_t *run,
    int64_t *when, struct err *);

/* "2026-11-21 10:15" in local time, "-" for 0. */
enum { LOCAL_TIME = 20 };
char *as_of_local(char out[LOCAL_TIME], int64_t unix_s);

#endif
