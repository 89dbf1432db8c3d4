#include "imap/imap.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/bodies.h"
#include "imap/changes.h"
#include "imap/codes.h"
#include "imap/list.h"
#include "imap/mailbox.h"
#include "imap/pass.h"

/*
 * One connection, on which announcing ranges and body commands are pipelined.
 * Replies come in the order of commands, which their tags' numbers tell.
 */
struct imap_source {
	struct imap_options options;
	struct imap_session *s;
	struct imap_listing listing; /* of the last list */
	struct source_state state;   /* what open was given */
	struct source_opened opened; /* .mailbox_id borrowed from .s */
	struct imap_changes changes; /* told before .pass */
	struct imap_pass pass;
	struct imap_bodies bodies;
	struct imap_fetch fetch;
	bool pausing; /* the server asked for a pause that was not told yet */
	struct err pause;
};

/* --- what comes in ----------------------------------------------------- */

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
	bool taken = false;
	if (!imap_changes_take(
		&i->changes, &i->fetch, good ? NULL : bad, &taken, err))
		return false;
	if (taken || i->pass.flying == NULL)
		return true;
	unsigned mine = i->pass.flying->tag;
	unsigned older = imap_changes_flying(&i->changes);
	const struct imap_group *oldest = i->bodies.flying;
	bool head = (oldest == NULL || oldest->tag > mine) &&
		    (older == 0 || older > mine);

	return imap_pass_take(
	    &i->pass, &i->fetch, good ? NULL : bad, head, err);
}

static bool
take_tagged(struct imap_source *i, const struct imap_reply *r, struct err *err)
{
	unsigned tag = imap_session_tag(i->s, &r->tag);
	struct imap_group *g = imap_bodies_find(&i->bodies, tag);
	bool announced = i->pass.flying != NULL && i->pass.flying->tag == tag;
	bool changes =
	    tag != 0 && (tag == i->changes.tag || tag == i->changes.search.tag);
	int64_t until = 0;
	bool good = true;
	if (g == NULL && !announced && !changes) {
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s answered a command twice", i->s->where);
		return imap_session_die(i->s, err);
	}
	if (changes)
		imap_changes_done(&i->changes, tag, r, &until);
	else if (announced)
		good = imap_pass_done(&i->pass, r, &until, err);
	else
		good = imap_bodies_done(&i->bodies, g, r, &until, err);
	if (until == 0 && r->status == IMAP_OK)
		imap_codes_throttle(r, &until);
	if (until != 0)
		note_pause(i, r, until);

	return good;
}

/* Read and place one response. */
static bool
step(struct imap_source *i, struct err *err)
{
	struct imap_reply r;
	if (!imap_session_read(i->s, &r, err))
		return false;
	if (r.kind == IMAP_TAGGED)
		return take_tagged(i, &r, err);
	if (r.kind == IMAP_NUMBERED && imap_text_is(&r.name, "FETCH"))
		return take_fetch(i, &r, err);
	content_free(&i->bodies.content);

	return imap_changes_take_data(&i->changes, &r, err);
}

/* Tell a pause once; what was asked stays asked. */
static bool
is_paused(struct imap_source *i, struct err *err)
{
	if (!i->pausing)
		return false;
	i->pausing = false;
	*err = i->pause;

	return true;
}

static bool
is_flying(const struct imap_source *i)
{
	return i->bodies.flying != NULL || i->pass.flying != NULL ||
	       imap_changes_flying(&i->changes) != 0;
}

/* Read to the end of all that was asked, as nobody wants it any more. */
static bool
settle(struct imap_source *i, struct err *err)
{
	imap_bodies_drop(&i->bodies);
	i->changes.draining = true;
	while (is_flying(i))
		if (!step(i, err))
			return false;
	imap_pass_reset(&i->pass);
	imap_changes_reset(&i->changes);
	i->bodies.draining = false;
	i->pausing = false;

	return true;
}

/* --- the role ---------------------------------------------------------- */

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

	return settle(i, err) && imap_list(i->s, &i->listing, each, arg, err);
}

static bool
statuses(void *data,
    bool (*each)(void *, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct imap_source *i = data;

	return settle(i, err) &&
	       imap_list_statuses(i->s, &i->listing, each, arg, err);
}

static bool
is_gone(void *data, const char *name, bool *gone, struct err *err)
{
	struct imap_source *i = data;

	return settle(i, err) && imap_status_is_gone(i->s, name, gone, err);
}

/* Full, only what is new, changes by mod-sequence, or all flags. */
static void
start_pass(struct imap_source *i)
{
	const struct source_state *state = &i->state;
	bool delta =
	    state->uidnext != 0 && state->uidvalidity == i->opened.uidvalidity;
	uint64_t from = delta ? state->uidnext : 1, lo = 1;
	if (delta && !state->only_new &&
	    imap_changes_can(i->s, state, &i->opened)) {
		imap_changes_start(&i->changes, i->s, state, &i->opened);
		lo = from;
	} else if (delta && state->only_new) {
		lo = from;
	}
	imap_pass_start(&i->pass, i->s, &i->opened, lo, from);
	i->pass.message_ids = state->message_ids;
}

static bool
open_mailbox(void *data, const char *name, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct imap_source *i = data;
	i->opened = (struct source_opened){ 0 };
	if (!settle(i, err) || !imap_mailbox_open(i->s, name, &i->opened, err))
		return false;
	*opened = i->opened;
	i->state = state != NULL ? *state : (struct source_state){ 0 };
	start_pass(i);

	return true;
}

static bool
recall(void *data, const uint64_t *okeys, size_t n, struct err *err)
{
	struct imap_source *i = data;
	(void)err;
	imap_changes_reset(&i->changes);
	imap_pass_recall(&i->pass, okeys, n);

	return true;
}

static void
told(struct imap_source *i, const struct source_event *e)
{
	if (e->placement.okey == 0)
		i->bodies.gap = true;
	else if (e->kind == SOURCE_SEEN || e->kind == SOURCE_BAD)
		imap_bodies_announced(&i->bodies, (uint32_t)e->placement.okey);
}

/* Edges are asked by a command of their own, when nothing else is asked. */
static bool
probe(struct imap_source *i, bool *later, struct err *err)
{
	*later = !i->pass.probed && imap_bodies_outstanding(&i->bodies);
	if (i->pass.probed || *later)
		return true;
	while (i->bodies.flying != NULL)
		if (!step(i, err))
			return false;

	return imap_pass_probe(&i->pass, err);
}

/* A range is asked before the one at hand is told, so that it stands before
 * that one's bodies. */
static bool
ask_ahead(struct imap_source *i, struct err *err)
{
	return i->pausing || (imap_changes_ask(&i->changes, err) &&
				 imap_pass_ask(&i->pass, err));
}

/*
 * What mod-sequences could not tell is scanned; the new messages, which may
 * have been asked for already, are asked for once more behind that.
 */
static bool
scan_instead(struct imap_source *i, struct err *err)
{
	struct imap_changes *c = &i->changes;
	bool flags = c->no_flags;
	uint64_t known = c->search.sum, next = c->search.next;
	while (i->pass.flying != NULL)
		if (!step(i, err))
			return false;
	imap_changes_reset(c);
	imap_pass_start(&i->pass, i->s, &i->opened, 1, i->state.uidnext);
	i->pass.message_ids = i->state.message_ids;
	if (flags)
		return true;
	i->pass.alive = true;
	i->pass.known = known;
	if (next > 1)
		i->pass.next = next;

	return true;
}

/* I24: what was told of this mailbox is told of another one from now on. */
static bool
is_another(const struct imap_source *i, struct err *err)
{
	if (i->s->dead || i->s->selected.uidvalidity == i->opened.uidvalidity)
		return false;
	err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
	    "the mailbox's UIDVALIDITY changed from %llu to %llu while it was "
	    "being read; the next run reads it again",
	    (unsigned long long)i->opened.uidvalidity,
	    (unsigned long long)i->s->selected.uidvalidity);

	return true;
}

static void
end(const struct imap_source *i, struct source_event *e)
{
	const struct imap_changes *c = &i->changes;
	imap_pass_end(&i->pass, e);
	if (c->s == NULL)
		return;
	bool all =
	    c->search.sum + i->pass.seen + e->expunged >= i->pass.messages;
	e->swept = c->searched && all && c->bad == 0 && i->pass.bad == 0;
	e->complete = e->complete && c->bad == 0 && (e->swept || !c->searched);
}

/* What is at hand, without reading: true if *e is told. */
static bool
tell(struct imap_source *i, struct source_event *e)
{
	if (imap_changes_tell(&i->changes, e))
		return true;
	if (!imap_changes_is_over(&i->changes) || i->changes.no_flags ||
	    i->changes.no_search)
		return false;

	return imap_pass_tell(&i->pass, e);
}

/* Read one response, or see that bodies must be taken first. */
static bool
read_more(struct imap_source *i, bool *later, struct err *err)
{
	unsigned tag = imap_changes_flying(&i->changes);
	if (tag == 0 && i->pass.flying != NULL)
		tag = i->pass.flying->tag;
	*later = tag != 0 && imap_bodies_ahead(&i->bodies, tag);

	return tag == 0 || *later || step(i, err);
}

static bool
must_scan(const struct imap_source *i)
{
	return (i->changes.no_flags || i->changes.no_search) &&
	       imap_changes_is_over(&i->changes);
}

static bool
announce(void *data, struct source_event *e, struct err *err)
{
	struct imap_source *i = data;
	bool later = false;
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
		if (is_paused(i, err))
			return false;
		if (must_scan(i)) {
			if (!scan_instead(i, err))
				return false;
		} else if (imap_changes_is_over(&i->changes) &&
			   imap_pass_is_over(&i->pass)) {
			end(i, e);
			return true;
		} else if (!read_more(i, &later, err)) {
			return false;
		}
	}
	*e = (struct source_event){ .kind = SOURCE_LATER };

	return true;
}

static bool
request(void *data, const uint64_t *okeys, const uint64_t *sizes, size_t n,
    struct err *err)
{
	struct imap_source *i = data;
	for (size_t k = 0; k < n; k++) {
		if (okeys[k] == 0 || okeys[k] > UINT32_MAX)
			return err_set(err, ERR_MESSAGE, ERR_OTHER,
			    "%llu is no UID", (unsigned long long)okeys[k]);
		imap_bodies_request(&i->bodies, (uint32_t)okeys[k], sizes[k]);
	}

	return i->pausing || imap_bodies_pump(&i->bodies, err);
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
		if (is_another(i, err) || is_paused(i, err) ||
		    !imap_bodies_pump(&i->bodies, err) || !step(i, err))
			return false;
	}
}

static void
close_source(void **data, bool polite)
{
	struct imap_source *i = *data;
	if (i == NULL)
		return;
	bool idle = !is_flying(i);
	imap_bodies_free(&i->bodies);
	imap_pass_reset(&i->pass);
	imap_changes_reset(&i->changes);
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
	.is_gone = is_gone,
	.statuses = statuses,
	.recall = recall,
	.request = request,
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
	imap_pass_reset(&i->pass);
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

	return settle(i, err) && imap_status_ask(i->s, name, opened, size, err);
}

bool
imap_source_quota(struct source *source, uint64_t *used, uint64_t *limit)
{
	struct imap_source *i = source->data;
	struct err err;

	return settle(i, &err) && imap_status_quota(i->s, used, limit);
}
