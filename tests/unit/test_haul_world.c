/* The invented ends of test_haul_delta.c and test_haul_life.c. */
#include "haul_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

Suite *suite_haul_world(void);

/* ---- the server's side ---- */

struct world *
world_new(enum world_mode mode)
{
	struct world *w = mem_new(sizeof(*w));
	w->mode = mode;

	return w;
}

void
world_free(struct world *w)
{
	free(w);
}

struct world_box *
world_add(struct world *w, const char *name)
{
	static uint64_t ids;
	struct world_box *b = &w->box[w->n++];
	ck_assert_uint_le(w->n, BOXES);
	*b = (struct world_box){
		.uidvalidity = 100 + ++ids, .uidnext = 1, .modseq = 1
	};
	snprintf(b->name, sizeof(b->name), "%s", name);
	snprintf(b->id, sizeof(b->id), "F%" PRIu64, ids);

	return b;
}

struct world_box *
world_find(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->box[i].name, name) == 0)
			return &w->box[i];

	return NULL;
}

struct world_message *
world_arrive(struct world *w, struct world_box *b)
{
	struct world_message *m = &b->m[b->n++];
	ck_assert_uint_le(b->n, MESSAGES);
	*m = (struct world_message){ .uid = b->uidnext++,
		.modseq = ++b->modseq,
		.content = ++w->contents };

	return m;
}

struct world *
world_of(enum world_mode mode, const char *full, const char *empty, int n)
{
	struct world *w = world_new(mode);
	struct world_box *b = world_add(w, full);
	if (empty != NULL)
		world_add(w, empty);
	for (int i = 0; i < n; i++)
		world_arrive(w, b);

	return w;
}

void
world_expunge(struct world_box *b, size_t i)
{
	ck_assert_uint_lt(b->grave_count, GRAVES);
	b->graves[b->grave_count].uid = b->m[i].uid;
	b->graves[b->grave_count++].modseq = ++b->modseq;
	memmove(&b->m[i], &b->m[i + 1], (--b->n - i) * sizeof(b->m[0]));
}

void
world_flag(struct world_box *b, size_t i, uint8_t flags, bool keyword)
{
	b->m[i].flags = flags;
	b->m[i].keyword = keyword;
	b->m[i].modseq = ++b->modseq;
}

void
world_move(
    struct world *w, struct world_box *from, size_t i, struct world_box *to)
{
	struct world_message m = from->m[i];
	world_expunge(from, i);
	struct world_message *new = world_arrive(w, to);
	m.uid = new->uid;
	m.modseq = new->modseq;
	*new = m;
}

void
world_rename(struct world_box *b, const char *name)
{
	snprintf(b->name, sizeof(b->name), "%s", name);
}

void
world_delete(struct world *w, struct world_box *b)
{
	size_t i = (size_t)(b - w->box);
	memmove(b, b + 1, (--w->n - i) * sizeof(*b));
}

void
world_renumber(struct world_box *b, uint64_t uidvalidity)
{
	b->uidvalidity = uidvalidity;
	b->uidnext = 1;
	b->grave_count = 0;
	b->modseq = 1;
	for (size_t i = 0; i < b->n; i++) {
		b->m[i].uid = b->uidnext++;
		b->m[i].modseq = ++b->modseq;
	}
}

/* ---- the source ---- */

struct invented {
	struct world *w;
	struct world_box *box;
	struct source_event events[EVENTS];
	size_t at, n;
	uint64_t expunged;         /* since open */
	struct source_state state; /* as opened */
	struct source_lost lost;
	uint64_t told; /* the last one */
	bool put_off;
	bool message_ids;
	char mid[64], email[32];
	uint64_t queue[MESSAGES];
	size_t head, tail;
};

static bool
lost(struct err *err)
{
	return err_set_transient(
	    err, ERR_ACCOUNT, ERR_NETWORK, "connection lost");
}

static void
capabilities(const void *data, struct source_caps *caps)
{
	const struct invented *s = data;
	*caps = (struct source_caps){ .window = 64,
		.unlisted = s->w->unlisted,
		.partial = s->w->partial };
}

static uint64_t
told_uidnext(const struct world *w, const struct world_box *b)
{
	return w->low_uidnext != 0 ? w->low_uidnext : b->uidnext;
}

static bool
tell_boxes(struct invented *s,
    bool (*each)(void *arg, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct world *w = s->w;
	for (size_t i = 0; i < w->n; i++) {
		const struct world_box *b = &w->box[i];
		struct source_mailbox m = { .name = b->name,
			.display = *b->display != 0 ? b->display : b->name,
			.separator = '/',
			.attributes = b->attributes,
			.mailbox_id = w->ids ? b->id : NULL };
		if (!w->no_statuses && b->attributes == 0) {
			m.messages = b->n;
			m.uidnext = told_uidnext(w, b);
			m.uidvalidity = b->uidvalidity;
			m.modseq = w->mode <= WORLD_CONDSTORE ? b->modseq : 0;
		}
		if (!each(arg, &m, err))
			return false;
	}

	return true;
}

static bool
list(void *data,
    bool (*each)(void *arg, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	return tell_boxes(data, each, arg, err);
}

static bool
statuses(void *data,
    bool (*each)(void *arg, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct invented *s = data;
	s->w->statuses++;

	return s->w->no_statuses || tell_boxes(s, each, arg, err);
}

static bool
is_gone(void *data, const char *name, bool *gone, struct err *err)
{
	struct invented *s = data;
	s->w->asked_gone++;
	if (s->w->gone_fails)
		return err_set(err, ERR_MAILBOX, ERR_REFUSED, "not now");
	if (s->w->gone_waits)
		return err_set_transient(
		    err, ERR_MAILBOX, ERR_THROTTLE, "not now");
	const struct world_box *b = world_find(s->w, name);
	*gone = !s->w->denies_gone && (b == NULL || b->attributes != 0);

	return true;
}

static void
add_event(
    struct invented *s, enum source_event_kind kind, uint64_t lo, uint64_t hi)
{
	ck_assert_uint_lt(s->n, EVENTS);
	s->events[s->n++] = (struct source_event){
		.kind = kind, .placement.okey = lo, .last = hi
	};
}

static uint64_t
gone_since(struct invented *s, const struct source_state *from, bool tell)
{
	const struct world_box *b = s->box;
	uint64_t n = 0;
	for (size_t i = 0; i < b->grave_count; i++) {
		if (b->graves[i].modseq <= from->modseq)
			continue;
		n += b->graves[i].uid < from->uidnext;
		if (tell)
			add_event(
			    s, SOURCE_GONE, b->graves[i].uid, b->graves[i].uid);
	}

	return n;
}

static void
tell_alive(struct invented *s, uint64_t below)
{
	const struct world_box *b = s->box;
	for (size_t i = 0; i < b->n && b->m[i].uid < below; i++)
		add_event(s, SOURCE_ALIVE, b->m[i].uid, b->m[i].uid);
}

/* What lies below state->uidnext; true: all of it was told. */
static bool
tell_known(struct invented *s, const struct source_state *state)
{
	const struct world_box *b = s->box;
	enum world_mode mode = s->w->mode;
	if (state->only_new || mode == WORLD_MUTE)
		return false;
	bool scan = mode == WORLD_SCAN || state->modseq == 0;
	/* The oldest last: an answer to HIGHESTMODSEQ has no order. */
	for (size_t i = b->n; !scan && i > 0; i--)
		if (b->m[i - 1].modseq > state->modseq &&
		    b->m[i - 1].uid < state->uidnext)
			add_event(s, SOURCE_CHANGED, b->m[i - 1].uid, 0);
	for (size_t i = 0; scan && i < b->n; i++)
		if (b->m[i].uid < state->uidnext)
			add_event(s, SOURCE_CHANGED, b->m[i].uid, 0);
	if (scan)
		return true;
	if (mode == WORLD_QRESYNC) {
		gone_since(s, state, true);
		return false;
	}
	if (gone_since(s, state, false) == 0)
		return false;
	tell_alive(s, state->uidnext);

	return true;
}

/* The oldest message becomes the newest, and UIDs count from 1. */
static void
rotate(struct world_box *b)
{
	if (b->n == 0)
		return;
	struct world_message first = b->m[0];
	memmove(b->m, b->m + 1, (b->n - 1) * sizeof(b->m[0]));
	b->m[b->n - 1] = first;
	for (size_t i = 0; i < b->n; i++)
		b->m[i].uid = i + 1;
	b->uidnext = b->n + 1;
	b->grave_count = 0;
}

static bool
open_box(void *data, const char *name, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct invented *s = data;
	struct world *w = s->w;
	w->opens++;
	w->at_hand = world_find(w, name);
	if (w->meanwhile != NULL)
		w->meanwhile(w, w->opens);
	if (w->breaks_open)
		return lost(err);
	if (w->throttles > 0) {
		w->throttles--;
		return err_set_transient(
		    err, ERR_ACCOUNT, ERR_THROTTLE, "later");
	}
	if (w->refuses_open)
		return err_set(err, ERR_MAILBOX, ERR_REFUSED, "no");
	struct world_box *b = world_find(w, name);
	if (b == NULL)
		return err_set(err, ERR_MAILBOX, ERR_GONE, "no such mailbox");
	ck_assert_msg(b->attributes == 0, "%s can't be selected", name);
	if (w->restless)
		b->uidvalidity++;
	if (w->fleeting)
		rotate(b);
	s->box = b;
	s->at = s->n = s->head = s->tail = 0;
	s->expunged = 0;
	s->lost = (struct source_lost){ 0 };
	s->state = *state;
	s->message_ids = state->message_ids;
	*opened = (struct source_opened){ .uidvalidity = b->uidvalidity,
		.uidnext = told_uidnext(w, b),
		.messages = b->n,
		.modseq = w->mode <= WORLD_CONDSTORE ? b->modseq : 0,
		.mailbox_id = w->ids ? b->id : NULL,
		.fleeting = w->fleeting };
	bool delta =
	    state->uidnext != 0 && state->uidvalidity == b->uidvalidity;
	uint64_t from = delta ? state->uidnext : 1;
	s->told = from - 1;
	bool swept = delta ? tell_known(s, state) : w->mode != WORLD_MUTE;
	for (size_t i = delta ? 0 : w->hide; i < b->n; i++)
		if (b->m[i].uid >= from)
			add_event(s, SOURCE_SEEN, b->m[i].uid, 0);
	add_event(s, SOURCE_END, 0, 0);
	struct source_event *end = &s->events[s->n - 1];
	end->complete = !w->incomplete;
	end->swept = swept;
	end->state = (struct source_state){ .uidvalidity = b->uidvalidity,
		.uidnext = b->uidnext,
		.modseq = opened->modseq,
		.messages = b->n };

	return true;
}

static struct world_message *
by_uid(struct world_box *b, uint64_t uid)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->m[i].uid == uid)
			return &b->m[i];

	return NULL;
}

static size_t
text_of(char text[300], const struct world_message *m)
{
	unsigned content = m->content;
	char id[64] = "";
	if (!m->nameless)
		snprintf(id, sizeof(id), "Message-ID: <%u@x>\r\n", content);

	return (size_t)snprintf(text, 300, "%sSubject: %u\r\n\r\n%s %u\r\n", id,
	    content, m->other_octets ? "BODY" : "body", content);
}

static void
describe(struct invented *s, const struct world_message *m, struct placement *p)
{
	static const char *const keyword = "$Important";
	char text[300];
	p->flags = m->flags;
	p->keyword_count = m->keyword;
	p->keywords = &keyword;
	p->modseq = m->modseq;
	p->size = text_of(text, m);
	p->idate = 1000000 + m->content;
	if (s->message_ids && !m->nameless) {
		snprintf(s->mid, sizeof(s->mid), " <%u@x>", m->content);
		p->message_id = s->mid;
		s->w->message_ids++;
	}
	if (m->email) {
		snprintf(s->email, sizeof(s->email), "M%u", m->content);
		p->email_id = s->email;
	}
}

/* The range in which this one is asked for. */
static struct source_lost
asked_with(const struct invented *s, uint64_t uid)
{
	uint64_t lo = s->state.suspect_lo, hi = s->state.suspect_hi;
	uint64_t middle = lo + (hi - lo) / 2;
	struct source_lost all = { .lo = s->told + 1,
		.hi = s->box->uidnext - 1 };
	if (hi == 0)
		return all;
	if (uid < lo)
		all.hi = lo - 1;
	else if (uid <= middle)
		all = (struct source_lost){ .lo = lo, .hi = middle };
	else if (uid <= hi)
		all = (struct source_lost){ .lo = middle + 1, .hi = hi };
	if (all.lo <= s->told)
		all.lo = s->told + 1;
	all.there = hi != 0 && all.lo == all.hi;

	return all;
}

/* Nothing of a range with such a message comes. */
static bool
breaks_list(struct invented *s, uint64_t uid)
{
	struct source_lost asked = asked_with(s, uid);
	const struct world_box *b = s->box;
	for (size_t i = 0; i < b->n; i++)
		if (b->m[i].breaks_list && b->m[i].uid >= asked.lo &&
		    b->m[i].uid <= asked.hi) {
			usleep(s->w->break_ms * 1000);
			s->lost = asked;
			s->w->breaks++;
			return true;
		}

	return false;
}

static void
was_lost(const void *data, struct source_lost *out)
{
	const struct invented *s = data;
	*out = s->lost;
}

static bool
announce(void *data, struct source_event *e, struct err *err)
{
	struct invented *s = data;
	if (++s->w->tells == s->w->break_tell || s->w->breaks_all)
		return lost(err);
	ck_assert_uint_lt(s->at, s->n);
	*e = s->events[s->at];
	if (s->state.suspect_hi != 0 && s->head != s->tail) {
		e->kind = SOURCE_LATER;
		return true;
	}
	if (e->kind == SOURCE_SEEN && breaks_list(s, e->placement.okey))
		return lost(err);
	if (e->kind == SOURCE_SEEN)
		s->told = e->placement.okey;
	s->at += e->kind != SOURCE_END;
	e->expunged = e->kind == SOURCE_END ? s->expunged : 0;
	if (e->kind != SOURCE_SEEN && e->kind != SOURCE_CHANGED)
		return true;
	const struct world_message *m = by_uid(s->box, e->placement.okey);
	if (m == NULL) {
		s->expunged += e->kind == SOURCE_SEEN;
		return announce(data, e, err);
	}
	describe(s, m, &e->placement);

	return true;
}

static bool
request(void *data, const uint64_t *okeys, const uint64_t *sizes, size_t n,
    struct err *err)
{
	struct invented *s = data;
	(void)sizes;
	(void)err;
	for (size_t i = 0; i < n; i++)
		s->queue[s->tail++ % MESSAGES] = okeys[i];

	return true;
}

static bool
body(void *data, struct source_body *out, struct err *err)
{
	struct invented *s = data;
	char text[300];
	ck_assert_uint_ne(s->head, s->tail);
	uint64_t uid = s->queue[s->head++ % MESSAGES];
	if (++s->w->bodies == s->w->break_at)
		return lost(err);
	if (s->w->body_ms > 0)
		usleep(s->w->body_ms * 1000);
	struct world_message *m = by_uid(s->box, uid);
	if (m != NULL && m->puts_off > 0 && !s->put_off) {
		s->put_off = true;
		s->head--;
		return err_set_transient(
		    err, ERR_MAILBOX, ERR_THROTTLE, "later");
	}
	if (m != NULL && m->puts_off > 0) {
		m->puts_off--;
		return lost(err);
	}
	if (m != NULL && m->breaks_body) {
		s->w->breaks++;
		return lost(err);
	}
	*out = (struct source_body){ .okey = uid };
	if (m == NULL) {
		out->kind = SOURCE_VANISHED;
		err_set(&out->why, ERR_MESSAGE, ERR_GONE, "expunged");
		return true;
	}
	if (m->unreadable) {
		out->kind = SOURCE_UNREADABLE;
		err_set(&out->why, ERR_MESSAGE, ERR_REFUSED, "can't be read");
		return true;
	}
	size_t n = text_of(text, m);
	out->content = content_new(NULL, n);
	ck_assert(content_add(out->content, text, n, err));
	content_finish(out->content);

	return true;
}

static void
close_source(void **data, bool polite)
{
	(void)polite;
	free(*data);
	*data = NULL;
}

static const struct source_ops source_ops = {
	.scheme = "invented",
	.capabilities = capabilities,
	.list = list,
	.open = open_box,
	.announce = announce,
	.lost = was_lost,
	.is_gone = is_gone,
	.statuses = statuses,
	.request = request,
	.body = body,
	.close = close_source,
};

static bool
dial(void *arg, struct source *source, struct err *err)
{
	struct world *w = arg;
	if (w->dials++ > 0 && w->no_dial)
		return err_set(err, ERR_ACCOUNT, ERR_NETWORK, "nobody there");
	if (w->no_again)
		return lost(err);
	struct invented *s = mem_new(sizeof(*s));
	s->w = w;
	*source = (struct source){ .ops = &source_ops, .data = s };

	return true;
}

/* ---- the archive ---- */

struct vault {
	struct world *w;
	char volume[KEPT_VOLUME_NAME];
	unsigned number;
	bool open, told, flushed;
	struct receipt waiting[4 * MESSAGES];
	size_t n;
	uint64_t offset;
};

static bool
vault_open(void *data, const char *account, const struct source_mailbox *box,
    uint64_t uidvalidity, struct target_box *out, struct err *err)
{
	(void)data;
	(void)account;
	(void)box;
	(void)uidvalidity;
	(void)err;
	*out = (struct target_box){ 0 };

	return true;
}

static const char *
vault_volume(const void *data)
{
	const struct vault *v = data;

	return v->open ? v->volume : "";
}

static bool
vault_same_body(void *data, const struct kept *kept, struct content *content,
    bool *same, struct err *err)
{
	(void)data;
	(void)kept;
	(void)content;
	(void)err;
	*same = false;

	return true;
}

static bool
vault_deliver(void *data, const struct item *items, size_t n,
    struct kept *where, struct err *err)
{
	struct vault *v = data;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		v->open = true;
		ck_assert_int_ne(items[i].claim, CLAIM_KNOWN);
		ck_assert_uint_lt(v->n, 4 * MESSAGES);
		v->waiting[v->n++] =
		    (struct receipt){ .ticket = items[i].ticket };
		if (v->n > v->w->widest)
			v->w->widest = (unsigned)v->n;
		where[i] = (struct kept){ .offset = ++v->offset,
			.size = content_size(items[i].content),
			.header_size = content_header_size(items[i].content) };
		snprintf(where[i].entry, sizeof(where[i].entry),
		    "entry %" PRIu64, v->offset);
		memcpy(where[i].volume, v->volume, sizeof(v->volume));
		memcpy(where[i].sha256, content_sha256(items[i].content), 32);
		v->w->delivered++;
	}

	return true;
}

static bool
vault_collect(void *data, bool wait, struct receipt *out, size_t *n,
    struct progress *progress, struct err *err)
{
	struct vault *v = data;
	(void)wait;
	(void)err;
	*progress = (struct progress){ 0 };
	size_t room = *n;
	*n = 0;
	if (!v->flushed || v->n == 0)
		return true;
	memcpy(progress->volume, v->volume, sizeof(v->volume));
	progress->opened = !v->told;
	v->told = true;
	*n = v->n < room ? v->n : room;
	memcpy(out, v->waiting, *n * sizeof(*out));
	memmove(v->waiting, v->waiting + *n, (v->n - *n) * sizeof(*out));
	v->n -= *n;
	v->flushed = v->n > 0;

	return true;
}

static bool
vault_flush(void *data, struct err *err)
{
	struct vault *v = data;
	(void)err;
	v->flushed = v->n > 0;
	v->w->flushes += v->flushed;

	return true;
}

static bool
vault_seal(void *data, catalog_next next, void *arg, struct progress *progress,
    struct err *err)
{
	struct vault *v = data;
	(void)next;
	(void)arg;
	(void)err;
	*progress = (struct progress){ .sealed = true };
	memcpy(progress->volume, v->volume, sizeof(v->volume));
	v->w->seals++;
	snprintf(v->volume + strlen(v->volume) - 2, 3, "%02u", ++v->number);
	v->open = v->told = false;

	return true;
}

static const struct target_ops target_ops = {
	.scheme = "invented",
	.open = vault_open,
	.volume = vault_volume,
	.same_body = vault_same_body,
	.deliver = vault_deliver,
	.collect = vault_collect,
	.flush = vault_flush,
	.seal = vault_seal,
};

/* ---- runs ---- */

static char top[64], path[96];
static unsigned runs;
static uint64_t last_run;

void
world_set_up(void)
{
	snprintf(top, sizeof(top), "/tmp/mailhaul-world-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/index.db", top);
	runs = 0;
	log_stderr(LOG_ERROR, LOG_TEXT);
	if (getenv("MAILHAUL_TEST_LOG") != NULL)
		log_stderr(LOG_DEBUG, LOG_TEXT);
}

void
world_tear_down(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", ".lock",
		".run" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char file[128];
		snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		unlink(file);
	}
	ck_assert_int_eq(rmdir(top), 0);
}

static struct index *
index_of(struct world *w, uint64_t *account, uint64_t *job)
{
	struct index *ix;
	struct err err;
	uint64_t archive;
	(void)w;
	ck_assert_msg(index_open(&ix, path, INDEX_WRITE, &err), "%s", err.text);
	ck_assert(index_account(ix, "imap", "alice@invented", account, &err));
	ck_assert(index_account(ix, "archive", "archive", &archive, &err));
	ck_assert(index_job(ix, *account, archive, job, &err));

	return ix;
}

static void
forget(struct world *w)
{
	w->opens = w->bodies = w->tells = w->message_ids = 0;
	w->asked_gone = w->dials = w->statuses = w->breaks = 0;
	w->delivered = w->seals = w->flushes = w->widest = 0;
}

static void
set_options(struct world *w, struct world_run *r, const struct filter *filter,
    struct haul_options *o)
{
	*o = (struct haul_options){ .index_path = path,
		.run = r->run,
		.job = r->job,
		.source_account = r->account,
		.account = "alice@invented",
		.connect = dial,
		.connect_arg = w,
		.retries = w->retries,
		.retry_wait_ms = 1,
		.max_pause_ms = w->max_pause_ms,
		.keep_open = w->keep_open,
		.dry_run = w->dry_run,
		.flush_ms = w->flush_ms };
	if (filter != NULL)
		o->filter = *filter;
}

struct world_run *
world_haul(struct world *w, const struct filter *filter)
{
	struct world_run *r = mem_new(sizeof(*r));
	struct vault *v = mem_new(sizeof(*v));
	struct target target = { .ops = &target_ops, .data = v };
	struct source source = { 0 };
	struct haul_options o;
	struct meter meter;
	struct err err;
	char name[40];
	forget(w);
	v->w = w;
	snprintf(name, sizeof(name), "run%u", ++runs);
	snprintf(v->volume, sizeof(v->volume), "%s-00", name);
	meter_start(&meter);
	struct index *ix = index_of(w, &r->account, &r->job);
	if (w->same_run)
		r->run = last_run;
	else
		ck_assert(index_run_begin(ix, name, "test", &r->run, &err));
	last_run = r->run;
	set_options(w, r, filter, &o);
	ck_assert(
	    index_account(ix, "archive", "archive", &o.target_account, &err));
	ck_assert(dial(w, &source, &err));
	r->ok = haul_run(&o, ix, &source, &target, &meter, &r->result, &r->err);
	if (source.data != NULL)
		source.ops->close(&source.data, true);
	ck_assert(index_run_end(ix, r->run, RUN_COMPLETE, &err));
	index_close(&ix);
	free(v);

	return r;
}

void
world_run_free(struct world_run **r)
{
	haul_result_free(&(*r)->result);
	free(*r);
	*r = NULL;
}

struct world_run *
world_completed(struct world *w, const struct filter *filter)
{
	struct world_run *r = world_haul(w, filter);
	const uint64_t *by = r->result.counts.by;
	ck_assert_msg(r->ok, "%s", r->err.text);
	ck_assert(r->result.balanced);
	ck_assert_uint_eq(r->result.mailboxes_failed, 0);
	ck_assert_uint_eq(by[OUTCOME_UNKNOWN] + by[OUTCOME_UNREADABLE], 0);
	world_agrees(w);

	return r;
}

void
world_complete(struct world *w)
{
	struct world_run *r = world_completed(w, NULL);
	uint64_t there = 0;
	for (size_t i = 0; i < w->n; i++)
		there += w->box[i].n;
	ck_assert_uint_eq(r->result.counts.inventory, there);
	world_run_free(&r);
}

struct world *
world_hauled(enum world_mode mode, const char *full, const char *empty, int n)
{
	struct world *w = world_of(mode, full, empty, n);
	world_complete(w);

	return w;
}

/* ---- what the index says ---- */

/* The next live row of a message that had not vanished when it was fetched. */
static bool
next_there(struct index_walk *walk, struct index_known *k)
{
	struct err err;
	bool end = false;
	while (index_walk_next(walk, k, &end, &err))
		if (k->outcome != OUTCOME_VANISHED)
			return true;
	ck_assert(end);

	return false;
}

static void
box_agrees(
    struct index *ix, uint64_t account, uint64_t job, const struct world_box *b)
{
	uint64_t id = 0, uidvalidity = 0;
	bool found = false;
	struct index_walk *walk;
	struct index_known k;
	struct err err;
	ck_assert(index_live_mailbox(
	    ix, account, b->name, &id, &uidvalidity, &found, &err));
	ck_assert_msg(found, "%s is not live", b->name);
	ck_assert_uint_eq(uidvalidity, b->uidvalidity);
	ck_assert(index_walk_open(ix, &walk, job, id, 0, &err));
	for (size_t i = 0; i < b->n; i++) {
		const struct world_message *m = &b->m[i];
		ck_assert_msg(next_there(walk, &k),
		    "%s UID %" PRIu64 " is missing", b->name, m->uid);
		ck_assert_msg(k.okey == m->uid,
		    "%s UID %" PRIu64 " (%s), not %" PRIu64, b->name, k.okey,
		    outcome_word(k.outcome), m->uid);
		ck_assert_msg(k.flags == m->flags, "%s UID %" PRIu64 " flags",
		    b->name, m->uid);
		ck_assert_str_eq(k.keywords, m->keyword ? "$Important" : "");
	}
	ck_assert_msg(!next_there(walk, &k),
	    "%s UID %" PRIu64 " is still there", b->name, k.okey);
	index_walk_close(&walk);
}

static bool
is_listed(void *arg, const struct index_live *live)
{
	const struct world_box *b = world_find(arg, live->name);
	ck_assert_msg(
	    b != NULL && b->attributes == 0, "%s is still live", live->name);

	return true;
}

void
world_agrees(struct world *w)
{
	uint64_t account, job;
	struct err err;
	struct index *ix = index_of(w, &account, &job);
	ck_assert(index_live_mailboxes(ix, account, job, is_listed, w, &err));
	for (size_t i = 0; i < w->n; i++)
		if (w->box[i].attributes == 0)
			box_agrees(ix, account, job, &w->box[i]);
	index_close(&ix);
}

uint64_t
world_live(struct world *w, const char *name)
{
	uint64_t account, job, id, uidvalidity, by[OUTCOME_COUNT], n = 0;
	bool found = false;
	struct err err;
	struct index *ix = index_of(w, &account, &job);
	ck_assert(index_live_mailbox(
	    ix, account, name, &id, &uidvalidity, &found, &err));
	if (found)
		ck_assert(
		    index_live_count(ix, job, id, 0, UINT64_MAX, by, &err));
	for (int i = 0; found && i < OUTCOME_COUNT; i++)
		n += by[i];
	index_close(&ix);

	return n;
}

uint64_t
world_shown(struct world *w)
{
	uint64_t account, job, n = 0;
	const struct index_query all = { .outcome = -1 };
	struct index_rows *rows;
	struct index_row row;
	struct err err;
	bool end = false;
	struct index *ix = index_of(w, &account, &job);
	ck_assert(index_rows_open(ix, &rows, &all, &err));
	while (!end) {
		ck_assert(index_rows_next(rows, &row, &end, &err));
		n += !end;
	}
	index_rows_close(&rows);
	index_close(&ix);

	return n;
}

bool
world_knows(struct world *w, const char *name)
{
	uint64_t account, job, id, uidvalidity;
	bool found = false;
	struct err err;
	struct index *ix = index_of(w, &account, &job);
	ck_assert(index_live_mailbox(
	    ix, account, name, &id, &uidvalidity, &found, &err));
	index_close(&ix);

	return found;
}

struct shown {
	const char *name;
	char display[80];
};

static bool
keep_display(void *arg, const struct index_live *live)
{
	struct shown *s = arg;
	if (strcmp(live->name, s->name) == 0)
		snprintf(s->display, sizeof(s->display), "%s", live->display);

	return true;
}

const char *
world_display(struct world *w, const char *name)
{
	static struct shown shown;
	uint64_t account, job;
	struct err err;
	shown = (struct shown){ .name = name };
	struct index *ix = index_of(w, &account, &job);
	ck_assert(
	    index_live_mailboxes(ix, account, job, keep_display, &shown, &err));
	index_close(&ix);

	return shown.display;
}

struct row {
	const char *name;
	struct index_counts sum;
};

static bool
add_row(void *arg, const struct index_run_row *row)
{
	struct row *r = arg;
	if (strcmp(row->mailbox, r->name) != 0)
		return true;
	r->sum.inventory += row->counts.inventory;
	r->sum.already += row->counts.already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		r->sum.by[i] += row->counts.by[i];
	r->sum.scanned = row->counts.scanned;

	return true;
}

struct index_counts
world_row(struct world *w, const char *name)
{
	uint64_t account, job;
	struct row r = { .name = name };
	struct err err;
	struct index *ix = index_of(w, &account, &job);
	ck_assert(index_run_rows(ix, last_run, add_row, &r, &err));
	index_close(&ix);

	return r.sum;
}

/* ---- the world itself ---- */

START_TEST(an_invented_server_is_hauled_and_agrees)
{
	struct world *w = world_new((enum world_mode)_i);
	struct world_box *b = world_add(w, "INBOX");
	for (int i = 0; i < 50; i++)
		world_arrive(w, b);
	world_complete(w);
	ck_assert_uint_eq(w->delivered, 50);
	world_free(w);
}
END_TEST

Suite *
suite_haul_world(void)
{
	Suite *s = suite_create("haul_world");
	TCase *t = tcase_create("haul_world");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, world_set_up, world_tear_down);
	tcase_add_loop_test(
	    t, an_invented_server_is_hauled_and_agrees, 0, WORLD_MODES);
	suite_add_tcase(s, t);

	return s;
}
