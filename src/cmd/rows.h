#ifndef CMD_ROWS_H
#define CMD_ROWS_H

#include <jansson.h>

#include "index/index.h"

/* An index row as JSON (the catalog's keys, and outcome, run, why). */
json_t *rows_json(const struct index_row *);
/* Valid in JSON, whatever the octets; NULL: null. */
json_t *rows_utf8(const char *);
/* "s" behind a noun, where there is not one of it. */
const char *rows_s(uint64_t n);
json_t *rows_number(uint64_t);
json_t *rows_when(int64_t unix_s);
/* "listed", "already" and each outcome by its word. */
void rows_set_counts(json_t *to, const struct index_counts *);
/* One object a line on standard output; takes the reference. */
void rows_print_json(json_t *);
/* Is the n-th thing that is wrong (from 1) to be shown? Somebody may have made
 * an archive that has millions: from a number on they are only counted, and
 * the first of those is announced (as text). */
bool rows_shows(uint64_t n, bool json);
/* Safe on a terminal. */
void rows_print_escaped(const char *);

#endif
