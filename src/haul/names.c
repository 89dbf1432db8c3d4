/*
 * Mailboxes that the index holds and a complete list doesn't show.
 *
 * A listed mailbox that the index doesn't know, with the MAILBOXID (RFC 8474)
 * and UIDVALIDITY of exactly one of them, is that one under a new name. All
 * others are asked for by name, and nothing ends unless the server says that
 * there is none. Without MAILBOXID, a new mailbox with the same UIDVALIDITY,
 * whose UIDNEXT isn't lower, may be it: its messages are looked for there
 * (rematch.c), and the old one ends once the new one was seen whole.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch.h"

enum { ASK_MAX = 2 }; /* connections that a question may cost */

struct lost { /* a live mailbox that is not in the list */
	uint64_t id, uidvalidity;
	char *name, *display, *mailbox_id; /* owned */
	struct source_state state;
};

struct names {
	struct fetch *f;
	struct boxes *boxes; /* borrowed */
	struct boxlist_by_name by;
	bool *known;       /* owned; by number: the index has a state of it */
	struct lost *lost; /* owned */
	size_t n;
};

static bool
compare(void *arg, const struct index_live *live)
{
	struct names *s = arg;
	struct box *box = boxlist_named(&s->by, live->name);
	if (box != NULL) {
		s->known[box->number] =
		    s->known[box->number] || live->has_delta;
		return true;
	}
	s->lost = mem_grow(s->lost, s->n + 1, sizeof(*s->lost));
	s->lost[s->n++] = (struct lost){
		.id = live->id,
		.uidvalidity = live->uidvalidity,
		.name = mem_str(live->name),
		.display = mem_str(live->display),
		.mailbox_id = mem_str(live->mailbox_id),
		.state = live->state,
	};

	return true;
}

/* ---- renamed ---- */

static bool
has_id(const struct box *box, const struct lost *lost)
{
	return box->m.mailbox_id != NULL && lost->mailbox_id != NULL &&
	       strcmp(box->m.mailbox_id, lost->mailbox_id) == 0 &&
	       box->m.uidvalidity == lost->uidvalidity;
}

/* NULL: none, or more than one. */
static struct box *
new_name(const struct names *s, const struct lost *lost)
{
	struct box *found = NULL;
	for (size_t i = 0; i < s->by.n; i++) {
		struct box *box = s->by.array[i];
		if (s->known[box->number] || !has_id(box, lost))
			continue;
		if (found != NULL)
			return NULL;
		found = box;
	}

	return found;
}

static bool
move_rows(struct fetch *f, const struct lost *lost, const struct box *box,
    bool *moved, struct err *err)
{
	uint64_t to = 0, n = 0, by[OUTCOME_COUNT], live = 0;
	bool is_new;
	if (!index_mailbox(f->index, f->o->source_account, &box->m,
		lost->uidvalidity, f->o->run, &to, &is_new, err) ||
	    !index_live_count(f->index, f->o->job, to, 0, UINT64_MAX, by, err))
		return false;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		live += by[i];
	/* It was read under this name before. */
	*moved = live == 0;

	return !*moved || index_rename(f->index, f->o->run, f->o->job, lost->id,
			      to, &n, err);
}

static bool
rename_box(struct names *s, struct lost *lost, struct box *box, bool *moved,
    struct err *err)
{
	struct fetch *f = s->f;
	crash_point("haul: before renaming");
	if (!index_begin(f->index, err))
		return false;
	if (!move_rows(f, lost, box, moved, err)) {
		index_rollback(f->index);
		return false;
	}
	if (!index_commit(f->index, err))
		return false;
	crash_point("haul: renamed");
	if (!*moved)
		return true;
	log_add(LOG_INFO, "%s is %s now", lost->display, box->m.display);
	s->known[box->number] = true;
	f->result->mailboxes_renamed++;

	return true;
}

/* ---- gone ---- */

/* No failure here is worth more than this one name: others are to be read. */
static bool
ask(struct fetch *f, const struct lost *lost, bool *gone, struct err *err)
{
	bool again = false;
	*gone = false;
	if (f->source->ops->is_gone == NULL)
		return true;
	for (int tries = 1;
	     !f->source->ops->is_gone(f->source->data, lost->name, gone, err);
	     tries++) {
		*gone = false;
		if (err->scope < ERR_ACCOUNT) {
			fetch_note_failure(f, lost->display, err);
			return true;
		}
		if (!fetch_recover(f, &again, err))
			return false;
		if (tries < ASK_MAX)
			continue;
		fetch_note_failure(f, lost->display, err);
		return true;
	}

	return true;
}

/* The new mailbox that it may be by now: the one it fits best. */
static struct box *
successor(const struct names *s, const struct lost *lost)
{
	struct box *best = NULL;
	for (size_t i = 0; i < s->by.n; i++) {
		struct box *box = s->by.array[i];
		if (s->known[box->number] || !box->wanted ||
		    box->earlier != 0 ||
		    box->m.uidvalidity != lost->uidvalidity ||
		    box->m.uidnext < lost->state.uidnext)
			continue;
		if (best == NULL || box->m.uidnext < best->m.uidnext)
			best = box;
	}

	return best;
}

static bool
end_box(struct names *s, const struct lost *lost)
{
	struct belt *b = belt_new(BELT_GONE_BOX, lost->id);
	log_add(LOG_INFO, "%s is gone", lost->display);
	s->f->result->mailboxes_gone++;

	return fetch_push(s->f, &b);
}

static bool
one(struct names *s, struct lost *lost, struct err *err)
{
	bool moved = false, gone;
	bool server = s->f->o->connect_target != NULL;
	struct box *box = server ? NULL : new_name(s, lost);
	if (box != NULL && !rename_box(s, lost, box, &moved, err))
		return false;
	if (moved)
		return true;
	if (!ask(s->f, lost, &gone, err))
		return false;
	if (!gone) {
		s->f->result->partial = true;
		log_add(LOG_WARN,
		    "%s is not listed, but the server doesn't say that it is "
		    "gone: it stays as it was",
		    lost->display);
		return true;
	}
	box = server ? NULL : successor(s, lost);
	if (box == NULL)
		return end_box(s, lost);
	log_add(LOG_INFO, "%s is gone; %s may be it", lost->display,
	    box->m.display);
	box->earlier = lost->id;

	return true;
}

/* ---- all of them ---- */

static void
free_names(struct names *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->lost[i].name);
		free(s->lost[i].display);
		free(s->lost[i].mailbox_id);
	}
	free(s->lost);
	free(s->known);
	boxlist_by_name_free(&s->by);
}

bool
fetch_names(struct fetch *f, struct boxes *boxes, struct err *err)
{
	struct source_caps caps = { 0 };
	f->source->ops->capabilities(f->source->data, &caps);
	bool listed = !caps.partial && caps.unlisted == 0;
	f->result->partial = f->result->partial || !listed;
	if (f->o->dry_run || f->index == NULL || !listed)
		return true;
	struct names s = { .f = f, .boxes = boxes };
	boxlist_by_name(&s.by, boxes);
	s.known = mem_array(boxes->n == 0 ? 1 : boxes->n, sizeof(*s.known));
	bool ok = index_live_mailboxes(
	    f->index, f->o->source_account, f->o->job, compare, &s, err);
	for (size_t i = 0; ok && i < s.n && !f->stopped; i++)
		ok = one(&s, &s.lost[i], err);
	free_names(&s);

	return ok;
}
