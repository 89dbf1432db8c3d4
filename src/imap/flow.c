#include "imap/flow.h"

#include <stdlib.h>

#include "imap/codes.h"

static void
note_pause(struct imap_source *i, const struct imap_reply *r, int64_t until)
{
	imap_codes_pause(&i->pause, ERR_MESSAGE, r, until);
	i->pausing = true;
}

static bool
take_fetch(struct imap_source *i, const struct imap_reply *r, struct err *err)
{
	const char *bad = NULL;
	bool good = imap_fetch_parse(&i->fetch, r->rest, &bad);
	bool is_body = i->fetch.bodies > 0 || i->bodies.content != NULL;
	if (!imap_bodies_take(&i->bodies, &i->fetch, good ? NULL : bad, err))
		return false;
	if (is_body)
		return true;
	struct imap_visit *v = i->moved ? &i->ahead : &i->now;
	bool taken = false;
	/* Until EXAMINE is answered it is not known of which mailbox. */
	if (v->tag != 0)
		return true;
	if (!imap_changes_take(
		&v->changes, &i->fetch, good ? NULL : bad, &taken, err))
		return false;
	if (taken || v->pass.flying == NULL)
		return true;
	unsigned mine = v->pass.flying->tag;
	unsigned older = imap_changes_flying(&v->changes);
	const struct imap_group *oldest = i->bodies.flying;
	bool head = (oldest == NULL || oldest->tag > mine) &&
		    (older == 0 || older > mine);

	return imap_pass_take(
	    &v->pass, &i->fetch, good ? NULL : bad, head, err);
}

void
imap_flow_move_on(struct imap_source *i)
{
	if (i->moved || i->ahead.name == NULL || i->bodies.flying != NULL)
		return;
	i->moved = true;
	i->s->selected = (struct imap_selected){ 0 };
}

/* RFC 9051 5.5: not where the answers would be other ones. */
static bool
out_of_order(struct imap_source *i, struct err *err)
{
	err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s opened a mailbox before it had answered for the one before",
	    i->s->where);

	return imap_session_die(i->s, err);
}

static bool
take_tagged(struct imap_source *i, const struct imap_reply *r, struct err *err)
{
	unsigned tag = imap_session_tag(i->s, &r->tag);
	struct imap_group *g = imap_bodies_find(&i->bodies, tag);
	struct imap_visit *v =
	    imap_visit_has(&i->ahead, tag) ? &i->ahead : &i->now;
	bool opening = tag != 0 && tag == v->tag, good = true;
	int64_t until = 0;
	/* Whose body would come then? */
	if (opening && (i->bodies.flying != NULL ||
			   (v == &i->ahead && imap_visit_flying(&i->now))))
		return out_of_order(i, err);
	if (g != NULL) {
		good = imap_bodies_done(&i->bodies, g, r, &until, err);
	} else if (imap_visit_has(v, tag)) {
		good = imap_visit_done(v, tag, r, &until, err);
	} else {
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s answered a command twice", i->s->where);
		return imap_session_die(i->s, err);
	}
	imap_flow_move_on(i);
	/* What EXAMINE was told is told to who opens the mailbox. */
	if (opening || v->refused)
		return good;
	if (until == 0 && r->status == IMAP_OK)
		imap_codes_throttle(r, &until);
	if (until != 0)
		note_pause(i, r, until);

	return good;
}

bool
imap_flow_step(struct imap_source *i, struct err *err)
{
	struct imap_reply r;
	if (!imap_session_read(i->s, &r, err))
		return false;
	if (r.kind == IMAP_TAGGED)
		return take_tagged(i, &r, err);
	if (r.kind == IMAP_NUMBERED && imap_text_is(&r.name, "FETCH"))
		return take_fetch(i, &r, err);
	content_free(&i->bodies.content);
	struct imap_visit *v = i->moved ? &i->ahead : &i->now;

	return v->tag != 0 || imap_changes_take_data(&v->changes, &r, err);
}

bool
imap_flow_is_paused(struct imap_source *i, struct err *err)
{
	if (!i->pausing)
		return false;
	i->pausing = false;
	*err = i->pause;

	return true;
}

bool
imap_flow_is_flying(const struct imap_source *i)
{
	return i->bodies.flying != NULL || imap_visit_flying(&i->now) ||
	       imap_visit_flying(&i->ahead);
}

bool
imap_flow_read_all(struct imap_source *i, struct err *err)
{
	while (imap_flow_is_flying(i))
		if (!imap_flow_step(i, err))
			return false;

	return true;
}

void
imap_flow_forget_ahead(struct imap_source *i)
{
	imap_visit_reset(&i->ahead);
	i->moved = false;
	free(i->coming);
	i->coming = NULL;
}

bool
imap_flow_settle(struct imap_source *i, struct err *err)
{
	imap_bodies_drop(&i->bodies);
	imap_visit_drain(&i->now);
	imap_visit_drain(&i->ahead);
	if (!imap_flow_read_all(i, err))
		return false;
	imap_visit_reset(&i->now);
	imap_flow_forget_ahead(i);
	i->bodies.draining = false;
	i->pausing = false;
	i->ended = i->left = false;

	return true;
}
