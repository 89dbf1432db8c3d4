#ifndef CMD_OPTIONS_ROWS_H
#define CMD_OPTIONS_ROWS_H

#include "options.h"

/* The table behind options.h, for those who read and write command lines. */

enum kind { TEXT, LIST, FLAG, COUNT, NUMBER, SIZE, DATE };

#define AT(field) offsetof(struct options, field)

/* One row is an option: how it is read, and what --help says. */
struct row {
	const char *name;
	char letter;
	enum kind kind;
	size_t at;
	unsigned commands; /* and the kinds of target */
	const char *value; /* NULL: takes none */
	const char *help;
};

extern const struct row option_rows[];
extern const size_t option_row_count;

#endif
