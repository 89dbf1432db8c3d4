#ifndef CONF_SHEET_H
#define CONF_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* CSV by libcsv, a row at a time, with lines and limits. */

enum {
	SHEET_CELLS_MAX = 64,  /* that a row keeps; n counts on */
	SHEET_CELL_MAX = 4096, /* octets */
	SHEET_ROW_MAX = 65536  /* octets as they stand in the file */
};

struct sheet_row {
	/* UTF-8 without NUL; wiped when the reading is done. */
	const char *cells[SHEET_CELLS_MAX];
	size_t n;      /* fields in the row, which may be more */
	unsigned line; /* on which it begins, from 1 */
};

/*
 * Give each row of fd, the header too, to `take`, which stops the reading by
 * returning false with *err. Blank lines and '#' lines are no rows. Texts
 * never show a cell: it may be a password. ERR_USAGE with "PATH:LINE: …".
 */
bool sheet_read(int fd, const char *path,
    bool (*take)(void *arg, const struct sheet_row *, struct err *), void *arg,
    struct err *);

#endif
