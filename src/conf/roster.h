#ifndef CONF_ROSTER_H
#define CONF_ROSTER_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/accounts.h"

/* From rows, of a CSV or of the config, to accounts. */

/* One row as it stands; NULL: empty. */
struct entry {
	struct config_row row;
	const char *password;
	const char *path; /* of the file it stands in */
	unsigned line;
	bool joined; /* paths are joined to that file's folder already */
};

struct roster {
	struct accounts *accounts; /* the caller's; what was taken so far */
	const struct config *config;
	bool password_elsewhere;
	size_t room; /* for items */
};

/* Judge the entry and append it. ERR_USAGE with "PATH:LINE: …". */
bool roster_take(struct roster *, const struct entry *, struct err *);
/* Once all are there: no two of one name. */
bool roster_check(const struct roster *, struct err *);

#endif
