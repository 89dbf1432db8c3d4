#ifndef CONF_PROMPT_H
#define CONF_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* True if there is a terminal to ask on. */
bool prompt_possible(void);
/*
 * Ask on /dev/tty and read one line into out[size] without echo, its newline
 * included. The terminal is put back before any signal takes effect; a signal
 * that the process survives is ERR_STOPPED (after SIGTSTP it asks again).
 */
bool prompt_read(
    const char *text, char *out, size_t size, size_t *len, struct err *err);

#endif
