#include "imap/imap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/list.h"
#include "imap/lookahead.h"
#include "imap/mailbox.h"

static void
capabilities(const void *data, struct source_caps *caps)
{
	const struct imap_source *i = data;
	/* Where one mailbox was asked for by name, others are no loss. */
	*caps = (struct source_caps){ .window = IMAP_FLYING_MESSAGES,
		.partial = i->options.only_mailbox != NULL,
		.unlisted =
		    i->options.only_mailbox == NULL ? i->listing.unlisted : 0 };
}

static bool
list(void *data,
    bool (*each)(void *, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct imap_source *i = data;

	return imap_flow_settle(i, err) &&
	       imap_list(i->s, &i->listing, each, arg, err);
}

static bool
statuses(void *data,
    bool (*each)(void *, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct imap_source *i = data;

	return imap_flow_settle(i, err) &&
	       imap_list_statuses(i->s, &i->listing, each, arg, err);
}

static bool
is_gone(void *data, const char *name, bool *gone, struct err *err)
{
	struct imap_source *i = data;

	return imap_flow_settle(i, err) &&
	       imap_status_is_gone(i->s, name, gone, err);
}

static void
next(void *data, const char *name, const struct source_state *state)
{
	struct imap_source *i = data;
	struct err told_by_the_next_call;
	char *copy = mem_str(name);
	free(i->coming);
	i->coming = copy;
	i->coming_state = state != NULL ? *state : (struct source_state){ 0 };
	imap_lookahead_send(i, &told_by_the_next_call);
}

static bool
open_now(struct imap_source *i, const char *name,
    const struct source_state *state, struct err *err)
{
	struct source_opened opened;
	if (!imap_flow_settle(i, err) ||
	    !imap_mailbox_open(i->s, name, &opened, err))
		return false;
	imap_visit_start(&i->now, i->s, name, state);
	imap_visit_opened(&i->now, &opened);
	imap_visit_begin(&i->now, &opened);

	return true;
}

static bool
open_mailbox(void *data, const char *name, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct imap_source *i = data;
	bool good = false;
	if (!imap_visit_is(&i->ahead, name, state)) {
		if (!imap_flow_settle(i, err))
			return false;
		if (imap_lookahead_may(i, name) && i->listing.count > 0 &&
		    !imap_lookahead_examine(i, name, state, err))
			return false;
	}
	if (i->ahead.name != NULL && !imap_lookahead_arrive(i, &good, err))
		return false;
	if (!(good ? imap_lookahead_take_over(i, err)
		   : open_now(i, name, state, err)))
		return false;
	*opened = i->now.opened;

	return true;
}

static bool
recall(void *data, const uint64_t *okeys, size_t n, struct err *err)
{
	struct imap_source *i = data;
	/* The pass may have begun by itself. */
	if (((i->left || i->ahead.name != NULL) &&
		!imap_lookahead_come_back(i, err)) ||
	    !imap_flow_read_all(i, err))
		return false;
	i->ended = false;
	imap_visit_begin(&i->now, &i->now.opened);
	imap_changes_reset(&i->now.changes);
	imap_pass_recall(&i->now.pass, okeys, n);

	return true;
}

static void
told(struct imap_source *i, const struct source_event *e)
{
	i->offered = i->offered || e->kind == SOURCE_SEEN;
	if (e->placement.okey == 0)
		i->bodies.gap = true;
	else if (e->kind == SOURCE_SEEN || e->kind == SOURCE_BAD)
		imap_bodies_announced(&i->bodies, (uint32_t)e->placement.okey);
}

/* Edges are asked by a command of their own, when nothing else is asked. */
static bool
probe(struct imap_source *i, bool *later, struct err *err)
{
	*later = !i->now.pass.probed && imap_bodies_outstanding(&i->bodies);
	if (i->now.pass.probed || *later)
		return true;
	while (i->bodies.flying != NULL)
		if (!imap_flow_step(i, err))
			return false;

	return imap_pass_probe(&i->now.pass, err);
}

/* What breaks the connection must be one thing: a list, or bodies. */
static bool
must_wait(const struct imap_source *i)
{
	return imap_pass_is_suspect(&i->now.pass) &&
	       imap_bodies_outstanding(&i->bodies);
}

/* A range is asked before the one at hand is told, so that it stands before
 * that one's bodies; but one that may break the connection by itself. */
static bool
ask_ahead(struct imap_source *i, struct err *err)
{
	const struct imap_pass *pass = &i->now.pass;
	bool alone = imap_pass_is_suspect(pass) && imap_pass_is_telling(pass);

	return i->pausing ||
	       (imap_changes_ask(&i->now.changes, err) &&
		   (alone || must_wait(i) || imap_pass_ask(&i->now.pass, err)));
}

/*
 * What mod-sequences could not tell is scanned; the new messages, which may
 * have been asked for already, are asked for once more behind that.
 */
static bool
scan_instead(struct imap_source *i, struct err *err)
{
	struct imap_changes *c = &i->now.changes;
	bool flags = c->no_flags;
	uint64_t known = c->search.sum, next = c->search.next;
	while (i->now.pass.flying != NULL)
		if (!imap_flow_step(i, err))
			return false;
	imap_changes_reset(c);
	imap_pass_start(
	    &i->now.pass, i->s, &i->now.opened, 1, i->now.state.uidnext);
	imap_visit_tell_pass(&i->now);
	if (flags)
		return true;
	i->now.pass.alive = true;
	i->now.pass.known = known;
	if (next > 1)
		i->now.pass.next = next;

	return true;
}

/* I24: what was told of this mailbox is told of another one from now on. */
static bool
is_another(const struct imap_source *i, struct err *err)
{
	if (i->s->dead || i->moved ||
	    i->s->selected.uidvalidity == i->now.opened.uidvalidity)
		return false;
	err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "the mailbox's UIDVALIDITY changed from %llu to %llu while it was "
	    "being read; the next run reads it again",
	    (unsigned long long)i->now.opened.uidvalidity,
	    (unsigned long long)i->s->selected.uidvalidity);

	return true;
}

static void
end(const struct imap_source *i, struct source_event *e)
{
	const struct imap_changes *c = &i->now.changes;
	imap_pass_end(&i->now.pass, e);
	if (c->s == NULL)
		return;
	bool all = c->search.sum + i->now.pass.seen + e->expunged >=
		   i->now.pass.messages;
	e->swept = c->searched && all && c->bad == 0 && i->now.pass.bad == 0;
	e->complete = e->complete && c->bad == 0 && (e->swept || !c->searched);
}

/* What is at hand, without reading: true if *e is told. */
static bool
tell(struct imap_source *i, struct source_event *e)
{
	if (imap_changes_tell(&i->now.changes, e))
		return true;
	if (!imap_changes_is_over(&i->now.changes) || i->now.changes.no_flags ||
	    i->now.changes.no_search)
		return false;

	return imap_pass_tell(&i->now.pass, e);
}

/* Read one response, or see that bodies must be taken first, or can be asked
 * for meanwhile. */
static bool
read_more(struct imap_source *i, bool *later, struct err *err)
{
	unsigned tag = imap_changes_flying(&i->now.changes);
	if (tag == 0 && i->now.pass.flying != NULL)
		tag = i->now.pass.flying->tag;
	*later =
	    must_wait(i) ||
	    (tag != 0 && (i->offered || imap_bodies_ahead(&i->bodies, tag)));

	return tag == 0 || *later || imap_flow_step(i, err);
}

static bool
must_scan(const struct imap_source *i)
{
	return (i->now.changes.no_flags || i->now.changes.no_search) &&
	       imap_changes_is_over(&i->now.changes);
}

static bool
announce(void *data, struct source_event *e, struct err *err)
{
	struct imap_source *i = data;
	bool later = false;
	if ((i->left || i->ahead.name != NULL) &&
	    !imap_lookahead_come_back(i, err))
		return false;
	while (!later) {
		if (is_another(i, err) || !probe(i, &later, err))
			return false;
		if (later)
			break;
		if (!ask_ahead(i, err))
			return false;
		if (tell(i, e)) {
			/* A failure is told by the next call. */
			struct err kept_by_the_session;
			told(i, e);
			ask_ahead(i, &kept_by_the_session);
			return true;
		}
		if (imap_flow_is_paused(i, err))
			return false;
		if (must_scan(i)) {
			if (!scan_instead(i, err))
				return false;
		} else if (imap_changes_is_over(&i->now.changes) &&
			   imap_pass_is_over(&i->now.pass)) {
			end(i, e);
			i->ended = true;
			return true;
		} else if (!read_more(i, &later, err)) {
			return false;
		}
	}
	*e = (struct source_event){ .kind = SOURCE_LATER };
	i->offered = false;

	return true;
}

static void
lost(const void *data, struct source_lost *out)
{
	const struct imap_source *i = data;
	unsigned older = imap_changes_flying(&i->now.changes);
	*out = (struct source_lost){ 0 };
	if (i->ahead.name == NULL && i->now.name != NULL && !i->ended &&
	    older == 0)
		imap_pass_lost(&i->now.pass, out);
}

static bool
request(void *data, const uint64_t *okeys, const uint64_t *sizes, size_t n,
    struct err *err)
{
	struct imap_source *i = data;
	i->offered = false;
	for (size_t k = 0; k < n; k++) {
		if (okeys[k] == 0 || okeys[k] > UINT32_MAX)
			return err_set(err, ERR_MESSAGE, ERR_OTHER,
			    "%llu is no UID", (unsigned long long)okeys[k]);
		imap_bodies_request(&i->bodies, (uint32_t)okeys[k], sizes[k]);
	}

	return i->pausing || i->left || i->ahead.name != NULL ||
	       imap_bodies_pump(&i->bodies, err);
}

/* Send what there is room for, and read one response. */
static bool
go_on(struct imap_source *i, struct err *err)
{
	if (i->ahead.name != NULL && i->bodies.flying == NULL)
		return imap_lookahead_come_back(i, err);
	if (i->ahead.name == NULL && (!imap_bodies_pump(&i->bodies, err) ||
					 !imap_lookahead_send(i, err)))
		return false;

	return imap_flow_step(i, err);
}

static bool
body(void *data, struct source_body *out, struct err *err)
{
	struct imap_source *i = data;
	for (;;) {
		if (imap_bodies_next(&i->bodies, out))
			return true;
		if (!imap_bodies_outstanding(&i->bodies))
			return err_set(err, ERR_MESSAGE, ERR_OTHER,
			    "no body is outstanding");
		if ((i->left && !imap_lookahead_come_back(i, err)) ||
		    is_another(i, err) || imap_flow_is_paused(i, err) ||
		    !go_on(i, err))
			return false;
	}
}

static void
close_source(void **data, bool polite)
{
	struct imap_source *i = *data;
	if (i == NULL)
		return;
	bool idle = !imap_flow_is_flying(i);
	imap_bodies_free(&i->bodies);
	imap_visit_reset(&i->now);
	imap_flow_forget_ahead(i);
	imap_listing_free(&i->listing);
	imap_fetch_free(&i->fetch);
	imap_session_close(&i->s, polite && idle);
	free(i);
	*data = NULL;
}

static const struct source_ops ops = { .scheme = "imap",
	.capabilities = capabilities,
	.list = list,
	.open = open_mailbox,
	.announce = announce,
	.lost = lost,
	.is_gone = is_gone,
	.statuses = statuses,
	.recall = recall,
	.request = request,
	.next = next,
	.body = body,
	.close = close_source };

bool
imap_source_new(
    struct source *source, const struct imap_options *o, struct err *err)
{
	struct imap_session *s;
	struct imap_source *i = mem_new(sizeof(*i));
	i->options = *o;
	if (!imap_session_new(&s, &i->options, err)) {
		free(i);
		return false;
	}
	i->s = s;
	imap_visit_reset(&i->now);
	imap_bodies_init(&i->bodies, s, &i->options);
	s->frame.sink = imap_bodies_sink(&i->bodies);
	*source = (struct source){ .ops = &ops, .data = i };

	return true;
}

const struct imap_facts *
imap_source_facts(const struct source *source)
{
	const struct imap_source *i = source->data;
	struct err kept_by_the_session;
	imap_session_settle(i->s, &kept_by_the_session);

	return &i->s->facts;
}

const struct wire_counters *
imap_source_counters(const struct source *source)
{
	const struct imap_source *i = source->data;

	return wire_counters(i->s->wire);
}

uint64_t
imap_source_unlisted(const struct source *source)
{
	const struct imap_source *i = source->data;

	return i->listing.unlisted;
}

bool
imap_source_status(struct source *source, const char *name,
    struct source_opened *opened, uint64_t *size, struct err *err)
{
	struct imap_source *i = source->data;

	return imap_flow_settle(i, err) &&
	       imap_status_ask(i->s, name, opened, size, err);
}

bool
imap_source_quota(struct source *source, uint64_t *used, uint64_t *limit)
{
	struct imap_source *i = source->data;
	struct err err;

	return imap_flow_settle(i, &err) &&
	       imap_status_quota(i->s, used, limit);
}
