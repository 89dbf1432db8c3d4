#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"

/* libcyaml's part: data by the rows of keys.h into a new struct config.
 * rows_inline: accounts is a list. ERR_USAGE. */
bool load_yaml(struct config **out, const struct buf *data, bool rows_inline,
    const char *path, struct err *);
/* What libcyaml allocated. */
void load_free(struct config *, bool rows_inline);

#endif
