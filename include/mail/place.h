#ifndef MAIL_PLACE_H
#define MAIL_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/source.h"

/*
 * Which mailbox of an IMAP target each mailbox of a source goes to. Pure: the
 * same lists and options give the same plan.
 */

/* --map FROM=TO, both as display names ('/' between levels). */
struct place_rule {
	/* One mailbox (not its children; INBOX without regard to case), or a
	 * glob: '*' within a level, '**' across; earlier stars take as little
	 * as they can. */
	const char *from;
	/* Without a star: that mailbox, for all that FROM matches. Else as many
	 * stars as FROM has; each is what the same one of FROM stood for. A
	 * mailbox that the target shows under this name is that one; %XX stays
	 * as it is written here. */
	const char *to;
};

struct place_options {
	const struct place_rule *rules;
	size_t rule_count;
	const char *into; /* --into PREFIX, display; NULL: none */
	/* The source's personal namespace, wire: "INBOX." is no part of a
	 * mailbox's path. NULL or "": none. */
	const char *source_prefix;
	/* n; where earlier runs put each one, wire; NULL: nowhere yet. NULL: no
	 * earlier run. */
	const char *const *before;
};

struct place_target {
	char separator;     /* 0: flat */
	const char *prefix; /* personal namespace, wire: "INBOX."; NULL: "" */
	const struct source_mailbox *boxes; /* all that LIST shows, wanted or
					       not, \Noselect too */
	size_t n;
	bool create_special_use; /* CREATE-SPECIAL-USE (RFC 6154) */
};

struct place {
	char *name;    /* owned; wire, modified UTF-7 */
	char *display; /* owned; as the target will show it */
	uint32_t role; /* special use to ask for at CREATE; 0: none */
	/* Its wire name as listed, borrowed from the target's boxes or static;
	 * NULL: to be created. */
	const char *existing;
	/* Static: "the same name", "special use", "by its name", "as before",
	 * "--map", "--into". */
	const char *why;
	const struct place_rule *rule; /* that decided; borrowed; NULL: none */
	bool strict;                   /* the name is one of place_refused's */
	bool escaped; /* %XX or =XX stands for what can't be there */
};

/*
 * One place for each of n mailboxes (no \Noselect, no \NonExistent among them),
 * in their order. What decides, first that applies:
 *
 * 1. --map: FROM is this name; else the glob with most characters that are no
 *    stars, of equals the one given first.
 * 2. INBOX is INBOX, however it is spelled and whatever is listed.
 * 3. "as before": what .before names, if the target still has it.
 * 4. "special use": the source's \Sent (\Drafts, \Junk, \Trash, \Archive) goes
 *    to the target's \Sent. Where one side has none by attribute, place_role
 *    finds it "by its name", unless the target has the same name already, or
 *    another mailbox is to go there. Both must stand at the root: just below
 *    the namespace's prefix; by attribute also below "[Gmail]". One mailbox a
 *    role: of several the one that has the other side's name, then the first
 *    by place_role's order or by wire name. Where the target has none at all
 *    the role is asked for at CREATE.
 * 5. The same path: levels joined by the target's separator below its prefix.
 *    INBOX/Work is INBOX.Work, whether INBOX is prefix or parent.
 *
 * With .into everything, what --map moved too, lies below PREFIX; INBOX becomes
 * PREFIX/INBOX; 3 and 4 are left out.
 *
 * A mailbox is the listed one of exactly that wire name, unless that can't be
 * selected; one that differs in case, or in Unicode's composition, is another.
 * (A server that disagrees answers CREATE with ALREADYEXISTS: whoever adopts
 * that mailbox must see that no other place has it.)
 *
 * Levels come from the wire name; where .display isn't what name_display makes
 * of it (marks, sources without wire names), from the display, %2F being '/'.
 * What a level can't have is %XX for each octet: the target's separator,
 * controls, invalid UTF-8, the first '.' of "." and "..", a '#' that would
 * begin the name, and a '%' that would look like this; an empty level is
 * "%empty". So different paths stay different, over runs and servers.
 *
 * Two mailboxes that meet in one: ERR_RUN, ERR_USAGE, with both, the target and
 * the --map that would do; not an error if each of them was mapped there by a
 * rule whose TO has no star. Rules that can't be meant (empty names or levels,
 * other counts of stars, one FROM with two TOs): the same codes. On failure out
 * holds nothing to free.
 */
bool place_plan(struct place *out, const struct source_mailbox *from, size_t n,
    const struct place_options *, const struct place_target *, struct err *);

/*
 * The server refused to create this mailbox: now under a name with all escaped
 * that some server or other refuses, as =XX, for Cyrus refuses '%' itself: of
 * ASCII all but letters, digits, "-_+=@,()'$" and single blanks inside; beyond
 * it all but letters, marks and digits. place_plan takes a mailbox of that name
 * where it exists and the plain one doesn't. Another place can have the name
 * only where a source's own name looks like it, as after ALREADYEXISTS. False
 * if there is no other name to try.
 */
bool place_refused(struct place *, const struct place_target *);

/* Frees what it owns, and zeroes it. */
void place_free(struct place *);

/*
 * Of MAILBOX_SENT, _DRAFTS, _JUNK, _TRASH, _ARCHIVE the one that a mailbox of
 * this name (UTF-8, one level) serves in the usual servers and clients, in
 * eleven languages, without regard to case; 0: none. *rank: smaller is more
 * usual.
 */
uint32_t place_role(const char *level, unsigned *rank);
/* The name of this rank, as it is compared; NULL: there are no more. */
const char *place_role_name(unsigned rank);

#endif
