#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "haul/meter.h"
#include "options.h"

/*
 * Shows a meter on standard error until it is stopped: a bar that redraws
 * itself on a terminal, a line now and then, or JSON objects; nothing where
 * standard error is no terminal and nobody asked.
 */
struct progress_screen;
struct progress_screen *progress_start(const struct options *, struct meter *);
void progress_stop(struct progress_screen **);

#endif
