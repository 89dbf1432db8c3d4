#ifndef MAIL_PLACE_RULES_H
#define MAIL_PLACE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "mail/place.h"

/* The --map rules of a plan, ready to be asked. */
struct place_rules;

/* The rules stay borrowed. False: ERR_RUN, ERR_USAGE. */
bool place_rules_new(
    struct place_rules **, const struct place_rule *, size_t n, struct err *);
void place_rules_free(struct place_rules **);

/* Tell of each display name before the first is asked for: a rule whose FROM is
 * one's octets is for that one only, not for another that composes to it. */
void place_rules_see(struct place_rules *, const char *display);
/* The rule that decides, and in *to, which is cleared, where to; NULL: none. */
const struct place_rule *place_rules_find(
    const struct place_rules *, const char *display, struct buf *to);
/* Does it send all that it matches to one mailbox? */
bool place_rule_fixed(const struct place_rule *);

#endif
