#ifndef CMD_ROWS_H
#define CMD_ROWS_H

#include <jansson.h>

#include "index/index.h"

/* An index row as JSON (the catalog's keys, and outcome, run, why). */
json_t *rows_json(const struct index_row *);
/* One object a line on standard output; takes the reference. */
void rows_print_json(json_t *);
/* Safe on a terminal. */
void rows_print_escaped(const char *);

#endif
