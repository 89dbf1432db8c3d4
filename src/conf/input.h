#ifndef CONF_INPUT_H
#define CONF_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

/* Files that a person wrote for us, and who else may touch them. */

/* A descriptor to a regular file that others may not write; -1 with ERR_USAGE.
 * *st is of what was opened. */
int input_open(const char *path, struct stat *st, struct err *);
/*
 * False with the chmod that helps if group or others have any right of bits:
 * S_IRWXG | S_IRWXO for what must be read by nobody else, S_IWGRP | S_IWOTH
 * for what nobody else may write, which must then be ours or root's. why: "it
 * holds passwords".
 */
bool input_is_ours(const char *path, const struct stat *, mode_t bits,
    const char *why, struct err *);
/* The path as one word of a shell, owned by the caller. */
char *input_shell_word(const char *path);

/* False, naming FILE:LINE, at a NUL octet or one that is no UTF-8. first: the
 * line on which text begins. */
bool input_is_text(const char *path, const char *text, size_t len,
    unsigned first, struct err *);
/* "2026-01-31", a day of the calendar. */
bool input_is_day(const char *text);

/* path joined to the folder of `file`, owned by the caller. */
char *input_beside(const char *file, const char *path);

#endif
