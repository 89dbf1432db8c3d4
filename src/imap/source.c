#include "imap/imap.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/bodies.h"
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
	struct imap_pass pass;
	struct imap_bodies bodies;
	struct imap_fetch fetch;
	bool pausing; /* the server asked for a pause that was not told yet */
	struct err pause;
	uint64_t unlisted;
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
	if (is_body || i->pass.flying == NULL)
		return true;
	const struct imap_group *oldest = i->bodies.flying;
	bool head = oldest == NULL || oldest->tag > i->pass.flying->tag;

	return imap_pass_take(
	    &i->pass, &i->fetch, good ? NULL : bad, head, err);
}

static bool
take_tagged(struct imap_source *i, const struct imap_reply *r, struct err *err)
{
	unsigned tag = imap_session_tag(i->s, &r->tag);
	struct imap_group *g = imap_bodies_find(&i->bodies, tag);
	bool announced = i->pass.flying != NULL && i->pass.flying->tag == tag;
	int64_t until = 0;
	if (g == NULL && !announced) {
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s answered a command twice", i->s->where);
		return imap_session_die(i->s, err);
	}
	bool good = announced ? imap_pass_done(&i->pass, r, &until, err)
			      : imap_bodies_done(&i->bodies, g, r, &until, err);
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

	return true;
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

/* Read to the end of all that was asked, as nobody wants it any more. */
static bool
settle(struct imap_source *i, struct err *err)
{
	imap_bodies_drop(&i->bodies);
	while (i->bodies.flying != NULL || i->pass.flying != NULL)
		if (!step(i, err))
			return false;
	imap_pass_reset(&i->pass);
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
		.unlisted = i->options.only_mailbox == NULL ? i->unlisted : 0 };
}

static bool
list(void *data,
    bool (*each)(void *, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct imap_source *i = data;

	return settle(i, err) && imap_list(i->s, &i->unlisted, each, arg, err);
}

static bool
open_mailbox(void *data, const char *name, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct imap_source *i = data;
	if (!settle(i, err) || !imap_mailbox_examine(i->s, name, opened, err))
		return false;
	bool delta = state != NULL && state->uidnext != 0 &&
		     state->uidvalidity == opened->uidvalidity;
	imap_pass_start(&i->pass, i->s, delta ? state->uidnext : 1);

	return true;
}

static bool
recall(void *data, const uint64_t *okeys, size_t n, struct err *err)
{
	struct imap_source *i = data;
	(void)err;
	imap_pass_recall(&i->pass, okeys, n);

	return true;
}

static void
told(struct imap_source *i, const struct source_event *e)
{
	if (e->placement.okey == 0)
		i->bodies.gap = true;
	else if (e->kind != SOURCE_GONE)
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
	return i->pausing || imap_pass_ask(&i->pass, err);
}

static bool
announce(void *data, struct source_event *e, struct err *err)
{
	struct imap_source *i = data;
	bool later;
	if (!probe(i, &later, err))
		return false;
	while (!later) {
		if (!ask_ahead(i, err))
			return false;
		if (imap_pass_tell(&i->pass, e)) {
			/* A failure is told by the next call. */
			struct err kept_by_the_session;
			told(i, e);
			ask_ahead(i, &kept_by_the_session);
			return true;
		}
		if (is_paused(i, err))
			return false;
		if (imap_pass_is_over(&i->pass)) {
			imap_pass_end(&i->pass, e);
			return true;
		}
		if (i->pass.flying == NULL)
			continue;
		later = imap_bodies_ahead(&i->bodies, i->pass.flying->tag);
		if (!later && !step(i, err))
			return false;
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
		if (is_paused(i, err) || !imap_bodies_pump(&i->bodies, err) ||
		    !step(i, err))
			return false;
	}
}

static void
close_source(void **data, bool polite)
{
	struct imap_source *i = *data;
	if (i == NULL)
		return;
	bool idle = i->bodies.flying == NULL && i->pass.flying == NULL;
	imap_bodies_free(&i->bodies);
	imap_pass_reset(&i->pass);
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

	return i->unlisted;
}

bool
imap_source_status(struct source *source, const char *name,
    struct source_opened *opened, uint64_t *size, struct err *err)
{
	struct imap_source *i = source->data;

	return settle(i, err) &&
	       imap_mailbox_status(i->s, name, opened, size, err);
}

bool
imap_source_quota(struct source *source, uint64_t *used, uint64_t *limit)
{
	struct imap_source *i = source->data;
	struct err err;

	return settle(i, &err) && imap_mailbox_quota(i->s, used, limit);
}
