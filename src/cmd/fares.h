#ifndef CMD_FARES_H
#define CMD_FARES_H

#include <jansson.h>

#include "base/buf.h"
#include "lineup.h"

/* How the accounts of a run fared, for the end of its summary and report. */

/* "complete", "failed", "interrupted" …: a stable word for JSON too. */
const char *fares_word(const struct fate *);
/* A line an account; of very many only those that are not complete. */
void fares_table(struct buf *, const struct lineup *);
/* Of each that failed the reason, the server's words and the next command. */
void fares_failures(
    struct buf *, const struct lineup *, const struct options *);
/* An array of objects (schemas/report.schema.json, "accounts"). */
json_t *fares_json(const struct lineup *);

#endif
