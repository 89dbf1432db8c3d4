#include "imap/lookahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/mailbox.h"
#include "mail/name.h"

/* A server that refuses them is asked one by one; each costs it a BAD, too,
 * and some count those. */
enum { MISSES_MAX = 3 };

bool
imap_lookahead_may(const struct imap_source *i, const char *name)
{
	return !i->s->dead && !i->s->selecting && i->s->setup_last == 0 &&
	       i->misses < MISSES_MAX && name_is_safe(name, strlen(name));
}

bool
imap_lookahead_examine(struct imap_source *i, const char *name,
    const struct source_state *state, struct err *err)
{
	const struct imap_found *f =
	    imap_listing_find(&i->listing, name, strlen(name));
	/* Where one was refused, what followed it was, too. */
	bool guess = f != NULL && f->has_status && !i->no_guess;
	imap_visit_start(&i->ahead, i->s, name, state);
	if (!imap_visit_send(&i->ahead, guess ? &f->status : NULL, err))
		return false;
	imap_flow_move_on(i);

	return true;
}

bool
imap_lookahead_send(struct imap_source *i, struct err *err)
{
	if (i->coming == NULL || !i->ended || i->ahead.name != NULL ||
	    i->pausing || imap_bodies_unsent(&i->bodies))
		return true;
	/* Coming back would find its messages under other UIDs. */
	if (i->now.opened.fleeting)
		return true;
	char *name = i->coming;
	i->coming = NULL;
	bool good = !imap_lookahead_may(i, name) ||
		    imap_lookahead_examine(i, name, &i->coming_state, err);
	free(name);

	return good;
}

/* Another one under its name and UIDVALIDITY (RFC 8474), or other UIDs. */
static bool
is_replaced(const struct imap_source *i, const struct source_opened *again,
    struct err *err)
{
	const char *id = again->mailbox_id != NULL ? again->mailbox_id : "";
	if (!again->fleeting && strcmp(id, i->now.mailbox_id) == 0)
		return false;
	err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "another mailbox took its name while it was being read; the next "
	    "run reads it");

	return true;
}

bool
imap_lookahead_come_back(struct imap_source *i, struct err *err)
{
	struct source_opened again;
	imap_visit_drain(&i->ahead);
	if (!imap_flow_read_all(i, err))
		return false;
	imap_flow_forget_ahead(i);
	i->left = true;
	if (!imap_mailbox_open(i->s, i->now.name, &again, err) ||
	    is_replaced(i, &again, err))
		return false;
	i->left = false;

	return true;
}

bool
imap_lookahead_arrive(struct imap_source *i, bool *good, struct err *err)
{
	imap_bodies_drop(&i->bodies);
	while (i->ahead.tag != 0)
		if (!imap_flow_step(i, err))
			return false;
	i->bodies.draining = false;
	*good = i->ahead.good;
	if (!i->ahead.refused)
		return true;
	struct err refusal = i->ahead.refusal;
	i->no_guess = true;
	/* A pause would refuse the mailbox's own EXAMINE, too. */
	i->misses += refusal.code != ERR_THROTTLE;
	if (!imap_flow_settle(i, err))
		return false;
	if (refusal.code != ERR_THROTTLE)
		return true;
	*err = refusal;

	return false;
}

bool
imap_lookahead_take_over(struct imap_source *i, struct err *err)
{
	imap_visit_reset(&i->now);
	i->now = i->ahead;
	i->ahead = (struct imap_visit){ 0 };
	imap_flow_forget_ahead(i);
	i->ended = false;
	if (imap_visit_guess_holds(&i->now)) {
		i->now.pass.modseq = i->now.opened.modseq;
		return true;
	}
	imap_visit_drain(&i->now);
	if (!imap_flow_read_all(i, err))
		return false;
	imap_visit_begin(&i->now, &i->now.opened);
	i->pausing = false;

	return true;
}
