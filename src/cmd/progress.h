#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "base/buf.h"
#include "haul/meter.h"
#include "options.h"

enum progress_how {
	PROGRESS_NONE,
	PROGRESS_BAR,
	PROGRESS_LINES,
	PROGRESS_JSON
};
/* As the options and the terminal say. */
enum progress_how progress_how(const struct options *);
/* Milliseconds between two looks. */
long progress_interval(enum progress_how);
/* Show text, one line without newline, which may be cut. */
void progress_put(enum progress_how, struct buf *text);
/* The bar's own line has to go before another line is printed. */
void progress_clear_bar(void);

/*
 * Shows a meter on standard error until it is stopped: a bar that redraws
 * itself on a terminal, a line now and then, or JSON objects; nothing where
 * standard error is no terminal and nobody asked.
 */
struct progress_screen;
struct progress_screen *progress_start(const struct options *, struct meter *);
void progress_stop(struct progress_screen **);

#endif
