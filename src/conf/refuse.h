#ifndef CONF_REFUSE_H
#define CONF_REFUSE_H

#include <stdbool.h>

#include "base/err.h"
#include "keys.h"

/*
 * Why a key that table doesn't have is refused, with what to write instead:
 * passwords, later versions' keys, keys of another level, misspelt ones.
 * where: "acme.yaml:3"; full: "source.urll"; name: its last part.
 * Always false.
 */
bool refuse_key(const struct key_table *, const char *where, const char *full,
    const char *name, struct err *);

/* The same for a column of the accounts CSV. where: "accounts.csv:1". */
bool refuse_column(const char *where, const char *name, struct err *err);

#endif
