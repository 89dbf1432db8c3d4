#ifndef MAIL_PLACE_PLAN_H
#define MAIL_PLACE_PLAN_H

#include "levels.h"
#include "mail/name.h"
#include "mail/place.h"
#include "place_rules.h"

/* What can't be opened has nothing and takes nothing. */
enum { UNSELECTABLE = MAILBOX_NOSELECT | MAILBOX_NONEXISTENT };

/* What a mailbox at the root serves as. */
struct service {
	uint32_t by_attribute; /* roles */
	uint32_t by_name;
	unsigned rank; /* of that name; 0 by attribute */
};

/* One mailbox of the source. */
struct origin {
	struct levels path; /* without the source's prefix, with .into */
	char *same;         /* owned; wire: the same path on the target */
	bool same_escaped;
	struct service service;
};

struct plan {
	struct place *out;
	const struct source_mailbox *from;
	size_t n;
	const struct place_options *options;
	const struct place_target *target;
	struct levels into;
	struct place_rules *rules;
	struct origin *origins; /* n */
	/* The target's, those that can be opened; two orders. */
	const struct source_mailbox **by_wire, **by_display;
	size_t listed;
	const char *inbox;        /* as listed */
	struct service *services; /* of target->boxes */
};

/* The target's mailbox of this wire name, if it can be opened; NULL: none. */
const struct source_mailbox *place_listed(
    const struct plan *, const char *name);
/* It goes to this one. */
void place_settle_listed(
    struct place *, const struct source_mailbox *, const char *why);

/* What a mailbox with this path, its namespace's prefix left out, serves as. */
struct service place_service(const struct levels *, uint32_t attributes);
/* The same of one that the target lists. */
struct service place_target_service(
    const struct place_target *, const struct source_mailbox *);
/* One mailbox of the source for each role: settles those that go to the
 * target's by special use or by name, and asks for the role where there is
 * none. */
void place_settle_roles(struct plan *);

/* All are settled: do two meet in one mailbox? False: ERR_RUN, ERR_USAGE. */
bool place_check_meetings(const struct plan *, struct err *);

#endif
