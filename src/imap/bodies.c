#include "imap/bodies.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "imap/codes.h"
#include "imap/group.h"

void
imap_bodies_init(
    struct imap_bodies *b, struct imap_session *s, const struct imap_options *o)
{
	*b = (struct imap_bodies){ .s = s,
		.spool_dir = o->spool_dir,
		.window_messages =
		    o->window_messages != 0 ? o->window_messages : 500,
		.window_octets =
		    o->window_octets != 0 ? o->window_octets : 8 << 20 };
	uint32_t limit = imap_session_message_limit(s);
	if (b->window_messages > limit)
		b->window_messages = limit;
	b->again_end = &b->again;
	b->flying_end = &b->flying;
	b->ready_end = &b->ready;
}

static void
free_groups(struct imap_group **list, struct imap_group ***end)
{
	while (*list != NULL) {
		struct imap_group *g = *list;
		*list = g->next;
		imap_group_free(&g);
	}
	*end = list;
}

void
imap_bodies_drop(struct imap_bodies *b)
{
	struct source_body body;
	free_groups(&b->again, &b->again_end);
	while (imap_bodies_next(b, &body))
		content_free(&body.content);
	b->pending_at = b->pending_count = 0;
	b->announced_at = b->announced_count = 0;
	b->gap = true;
	b->draining = true;
	content_free(&b->content);
}

void
imap_bodies_free(struct imap_bodies *b)
{
	imap_bodies_drop(b);
	free_groups(&b->flying, &b->flying_end);
	free(b->pending);
	free(b->announced);
	b->pending = NULL;
	b->announced = NULL;
}

/* --- requests ---------------------------------------------------------- */

void
imap_bodies_announced(struct imap_bodies *b, uint32_t uid)
{
	if (b->announced == NULL)
		b->announced = mem_array(IMAP_ANNOUNCED_KEPT, sizeof(uid));
	if (b->announced_count == IMAP_ANNOUNCED_KEPT) {
		size_t left = b->announced_count - b->announced_at;
		/* Too many that nobody asked for: ranges just get shorter. */
		if (left > IMAP_ANNOUNCED_KEPT / 2) {
			b->gap = true;
			left = 0;
		}
		memmove(b->announced, b->announced + b->announced_count - left,
		    left * sizeof(uid));
		b->announced_at = 0;
		b->announced_count = left;
	}
	b->announced[b->announced_count++] = uid;
}

/* Nothing announced between the last request and this one? */
static bool
bridges(struct imap_bodies *b, uint32_t uid)
{
	bool gap = b->gap;
	while (b->announced_at < b->announced_count &&
	       b->announced[b->announced_at] < uid) {
		b->announced_at++;
		gap = true;
	}
	bool known = b->announced_at < b->announced_count &&
		     b->announced[b->announced_at] == uid;
	if (known)
		b->announced_at++;
	b->gap = !known;

	return known && !gap;
}

void
imap_bodies_request(struct imap_bodies *b, uint32_t uid, uint64_t size)
{
	if (b->pending_at == b->pending_count)
		b->pending_at = b->pending_count = 0;
	if (b->pending_count == b->pending_cap) {
		b->pending_cap = b->pending_cap == 0 ? 256 : b->pending_cap * 2;
		b->pending =
		    mem_grow(b->pending, b->pending_cap, sizeof(*b->pending));
	}
	b->draining = false;
	b->pending[b->pending_count++] = (struct imap_want){
		.uid = uid, .size = size, .bridge = bridges(b, uid)
	};
}

/* --- sending ----------------------------------------------------------- */

static bool
send_group(struct imap_bodies *b, struct imap_group *g, struct err *err)
{
	struct buf line = { 0 };
	imap_group_command(g, &line);
	g->tag = imap_session_send(b->s, line.data, line.len, err);
	buf_free(&line);
	g->next = NULL;
	*b->flying_end = g;
	b->flying_end = &g->next;
	b->flying_count++;
	b->flying_messages += g->count;
	b->flying_octets += g->octets;

	return g->tag != 0;
}

static void
ask_again(struct imap_bodies *b, struct imap_group *g)
{
	g->next = NULL;
	*b->again_end = g;
	b->again_end = &g->next;
}

static bool
send_again(struct imap_bodies *b, struct err *err)
{
	while (b->again != NULL && b->flying_count < IMAP_FLYING_COMMANDS) {
		struct imap_group *g = b->again;
		b->again = g->next;
		if (b->again == NULL)
			b->again_end = &b->again;
		if (!send_group(b, g, err))
			return false;
	}

	return true;
}

/* How many of the pending ones make the next command; *full: it can't grow. */
static size_t
next_window(const struct imap_bodies *b, bool *full)
{
	const struct imap_want *w = b->pending + b->pending_at;
	size_t left = b->pending_count - b->pending_at, n = 0, len = 64;
	uint64_t octets = 0;
	*full = false;
	while (n < left && !*full) {
		len += n > 0 && w[n].bridge ? 0 : 12;
		*full = n > 0 && (n >= b->window_messages ||
				     w[n].size > b->window_octets - octets ||
				     len > IMAP_BODY_LINE_MAX - 12 ||
				     w[n].uid <= w[n - 1].uid);
		if (*full)
			break;
		octets += w[n].size < b->window_octets - octets
			      ? w[n].size
			      : b->window_octets - octets;
		n++;
	}

	return n;
}

static bool
has_room(const struct imap_bodies *b, const struct imap_group *g)
{
	/* Nothing flying takes anything, or a huge mail would hang. */
	return b->flying_count == 0 ||
	       (b->flying_count < IMAP_FLYING_COMMANDS &&
		   b->flying_messages + g->count <= IMAP_FLYING_MESSAGES &&
		   b->flying_octets < IMAP_FLYING_OCTETS &&
		   g->octets <= IMAP_FLYING_OCTETS - b->flying_octets);
}

bool
imap_bodies_pump(struct imap_bodies *b, struct err *err)
{
	/* A few small commands keep the server busy; more requests would
	 * only cut what comes later into small windows. */
	enum { ENOUGH = 4 };
	if (!send_again(b, err))
		return false;
	while (b->pending_at < b->pending_count) {
		bool full;
		size_t n = next_window(b, &full);
		if (!full && n < b->window_messages &&
		    b->flying_count >= ENOUGH)
			return true;
		struct imap_group *g = imap_group_new(
		    IMAP_STAGE_FIRST, b->pending + b->pending_at, n);
		if (!has_room(b, g)) {
			imap_group_free(&g);
			return true;
		}
		b->pending_at += n;
		if (!send_group(b, g, err))
			return false;
	}

	return true;
}

/* --- bodies arriving --------------------------------------------------- */

static struct imap_want *
find_want(struct imap_bodies *b, uint64_t uid, struct imap_group **group)
{
	for (struct imap_group *g = b->flying; g != NULL; g = g->next) {
		struct imap_want *w = g->stage == IMAP_STAGE_CHECK
					  ? NULL
					  : imap_group_find(g, uid);
		if (w != NULL) {
			*group = g;
			return w;
		}
	}

	return NULL;
}

/* "* 5 FETCH (UID 7 BODY[]": the UID if it stands first, else 0. */
static uint64_t
leading_uid(const char *text, size_t len)
{
	static const char head[] = "(UID ";
	const char *open = memchr(text, '(', len);
	if (open == NULL)
		return 0;
	size_t left = len - (size_t)(open - text), n = sizeof(head) - 1;
	if (left <= n || memcmp(open, head, n) != 0)
		return 0;
	struct imap_text rest = { open + n, left - n };
	uint64_t uid;

	return imap_text_number(&rest, &uid) ? uid : 0;
}

static bool
sink_begin(
    void *arg, const char *text, size_t len, uint64_t size, struct err *err)
{
	struct imap_bodies *b = arg;
	struct imap_group *g;
	uint64_t uid = leading_uid(text, len);
	(void)err;

	/* A body nobody asked for, or a second one in a line, is skipped. */
	b->s->frame.sink.add = NULL;
	if (b->content != NULL || b->draining ||
	    (uid != 0 && find_want(b, uid, &g) == NULL))
		return true;
	b->content = content_new(b->spool_dir, size);
	b->s->frame.sink = imap_bodies_sink(b);

	return true;
}

static bool
sink_add(void *arg, const void *data, size_t len, struct err *err)
{
	struct imap_bodies *b = arg;

	return content_add(b->content, data, len, err);
}

struct imap_sink
imap_bodies_sink(struct imap_bodies *b)
{
	return (
	    struct imap_sink){ .arg = b, .begin = sink_begin, .add = sink_add };
}

static void
answer(struct imap_bodies *b, enum source_body_kind kind, uint32_t uid,
    struct content *content, const struct err *why)
{
	struct imap_ready *ready = mem_new(sizeof(*ready));
	ready->body = (struct source_body){
		.kind = kind, .okey = uid, .content = content
	};
	if (why != NULL)
		ready->body.why = *why;
	*b->ready_end = ready;
	b->ready_end = &ready->next;
}

/* A quoted body: short, and maybe with escapes. */
static bool
content_of_string(
    struct imap_bodies *b, const struct imap_token *body, struct err *err)
{
	struct buf text = { 0 };
	content_free(&b->content);
	b->content = content_new(b->spool_dir, body->len);
	imap_token_text(&text, body);
	bool good =
	    text.len == 0 || content_add(b->content, text.data, text.len, err);
	buf_free(&text);

	return good;
}

/* Why the body of a line is not taken; NULL: it is. */
static const char *
reason_to_skip(struct imap_bodies *b, const struct imap_fetch *f,
    const char *bad, struct imap_group **g, struct imap_want **w)
{
	*w = f->uid != 0 ? find_want(b, f->uid, g) : NULL;
	if (bad != NULL)
		return bad;
	if (f->uid == 0)
		return "its line has no UID";
	if (*w == NULL)
		return "it was not asked for";
	if ((*w)->answered)
		return "the message came before";
	if (f->body_kind == IMAP_BODY_NIL)
		return "the server says NIL";

	return f->body_kind == IMAP_BODY_STREAMED && b->content == NULL
		   ? "its line is confused"
		   : NULL;
}

static void
note_listed(struct imap_bodies *b, uint64_t uid)
{
	for (struct imap_group *g = b->flying; g != NULL; g = g->next)
		if (g->stage == IMAP_STAGE_CHECK && g->wants[0].uid == uid)
			g->listed = true;
}

bool
imap_bodies_take(struct imap_bodies *b, const struct imap_fetch *f,
    const char *bad, struct err *err)
{
	struct imap_group *g = NULL;
	struct imap_want *w;
	if (f->uid != 0 && f->bodies == 0)
		note_listed(b, f->uid);
	if (b->draining || (f->bodies == 0 && b->content == NULL)) {
		content_free(&b->content);
		return true;
	}
	const char *why = reason_to_skip(b, f, bad, &g, &w);
	if (why != NULL) {
		log_add(LOG_INFO, "a body of UID %llu is skipped: %s",
		    (unsigned long long)f->uid, why);
		content_free(&b->content);
		return true;
	}
	if (f->body_kind == IMAP_BODY_STRING &&
	    !content_of_string(b, &f->body, err))
		return imap_session_die(b->s, err);
	content_finish(b->content);
	w->answered = true;
	g->waiting--;
	answer(b, SOURCE_BODY, w->uid, b->content, NULL);
	b->content = NULL;

	return true;
}

/* --- ends of commands -------------------------------------------------- */

struct imap_group *
imap_bodies_find(struct imap_bodies *b, unsigned tag)
{
	struct imap_group *g = b->flying;
	while (g != NULL && g->tag != tag)
		g = g->next;

	return g;
}

static void
land(struct imap_bodies *b, struct imap_group *g)
{
	struct imap_group **link = &b->flying;
	while (*link != g)
		link = &(*link)->next;
	*link = g->next;
	if (*link == NULL)
		b->flying_end = link;
	b->flying_count--;
	b->flying_messages -= g->count;
	b->flying_octets -= g->octets;
}

/* Tagged OK, but not every message came. */
static void
not_all_came(struct imap_bodies *b, const struct imap_group *g)
{
	struct err why;
	for (size_t i = 0; i < g->count; i++) {
		if (g->wants[i].answered)
			continue;
		enum imap_stage stage = g->stage == IMAP_STAGE_FIRST
					    ? IMAP_STAGE_ALONE
					    : IMAP_STAGE_CHECK;
		struct imap_group *one = imap_group_new(stage, &g->wants[i], 1);
		err_set(&why, ERR_MESSAGE, ERR_PROTOCOL,
		    "the server says OK but sends no body");
		one->why = why;
		ask_again(b, one);
	}
}

static void
halve(struct imap_bodies *b, const struct imap_group *g)
{
	struct imap_group *rest = imap_group_unanswered(g);
	size_t half = rest->count / 2;
	ask_again(b, imap_group_new(g->stage, rest->wants, half));
	ask_again(b,
	    imap_group_new(g->stage, rest->wants + half, rest->count - half));
	imap_group_free(&rest);
}

static void
group_refused(struct imap_bodies *b, const struct imap_group *g,
    const struct imap_reply *r)
{
	if (g->waiting > 1) {
		halve(b, g);
		return;
	}
	struct imap_group *rest = imap_group_unanswered(g);
	rest->stage = IMAP_STAGE_CHECK;
	imap_codes_refused_for_good(&rest->why, ERR_MESSAGE, r, "the message");
	ask_again(b, rest);
}

static void
checked(struct imap_bodies *b, const struct imap_group *g, bool ok)
{
	struct err gone;
	if (g->listed || !ok) {
		answer(b, SOURCE_UNREADABLE, g->wants[0].uid, NULL, &g->why);
		return;
	}
	err_set(&gone, ERR_MESSAGE, ERR_GONE,
	    "the server does not list the message any more");
	answer(b, SOURCE_VANISHED, g->wants[0].uid, NULL, &gone);
}

bool
imap_bodies_done(struct imap_bodies *b, struct imap_group *g,
    const struct imap_reply *r, int64_t *pause, struct err *err)
{
	bool cut = imap_session_was_cut(b->s, r), ok = r->status == IMAP_OK;
	(void)err;
	land(b, g);
	if (b->draining || g->waiting == 0) {
		imap_group_free(&g);
		return true;
	}
	if (!ok && g->pauses < IMAP_PATIENCE && imap_codes_throttle(r, pause)) {
		struct imap_group *rest = imap_group_unanswered(g);
		rest->pauses = g->pauses + 1;
		ask_again(b, rest);
	} else if (cut && g->waiting > 1) {
		halve(b, g);
	} else if (g->stage == IMAP_STAGE_CHECK) {
		checked(b, g, ok);
	} else if (ok) {
		not_all_came(b, g);
	} else {
		group_refused(b, g, r);
	}
	imap_group_free(&g);

	return true;
}

/* --- answers ----------------------------------------------------------- */

bool
imap_bodies_next(struct imap_bodies *b, struct source_body *body)
{
	struct imap_ready *ready = b->ready;
	if (ready == NULL)
		return false;
	b->ready = ready->next;
	if (b->ready == NULL)
		b->ready_end = &b->ready;
	*body = ready->body;
	free(ready);

	return true;
}

bool
imap_bodies_unsent(const struct imap_bodies *b)
{
	return b->again != NULL || b->pending_at < b->pending_count;
}

bool
imap_bodies_outstanding(const struct imap_bodies *b)
{
	if (b->ready != NULL || imap_bodies_unsent(b))
		return true;
	for (const struct imap_group *g = b->flying; g != NULL; g = g->next)
		if (g->waiting > 0)
			return true;

	return false;
}

bool
imap_bodies_ahead(const struct imap_bodies *b, unsigned tag)
{
	for (const struct imap_group *g = b->flying; g != NULL && g->tag < tag;
	     g = g->next)
		if (g->waiting > 0)
			return true;

	return false;
}
