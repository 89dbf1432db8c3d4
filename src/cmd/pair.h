#ifndef CMD_PAIR_H
#define CMD_PAIR_H

#include "conf/endpoint.h"
#include "ports.h"
#include "state.h"

/*
 * Two servers, and what is known of the copies from one to the other: an index
 * and logs in --index FILE's folder, or in one of their own,
 * ${XDG_STATE_HOME:-$HOME/.local/state}/mailhaul/SOURCE--TARGET.
 */

/* That folder; NULL with ERR_USAGE if nobody says where state is kept. source,
 * target: account keys. free() it. */
char *pair_dir(const char *source, const char *target, struct err *);
/* For looking; *there false: nothing was copied yet. Only the endpoints of the
 * ports are looked at. */
bool pair_look(struct state_dir *, const struct options *,
    const struct endpoint *source, const struct endpoint *target, bool *there,
    struct err *);
/* For writing: made if it lacks, locked; runs that were killed are closed, and
 * a new one begins. */
bool pair_write(struct state_dir *, const struct options *,
    const struct endpoint *source, const struct endpoint *target,
    const char *command, struct err *);

/* What to do about an index that is damaged. */
void pair_repair(const struct state_dir *, struct err *);

/* What a command looks into: "ARCHIVE" or "SOURCE TARGET"; *used of the
 * arguments. ERR_USAGE if there is nothing. */
bool pair_or_archive_read(
    struct archive_port *, const struct options *, size_t *used, struct err *);

#endif
