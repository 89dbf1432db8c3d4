/*
 * The engine with a server as its target, which fails at each step there is:
 * between a batch's octets and its answers, with and without having taken
 * them, when it is asked what is there, with words that ask for a pause. In the
 * end it holds each message once.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "haul/haul.h"
#include "mail/datetime.h"

Suite *suite_haul_flight(void);

enum { MESSAGES = 400, KEPT_MAX = 1000 };

enum fault {
	NONE,
	LOST,        /* the connection breaks */
	BYE,         /* the same with words that ask for a pause */
	PAUSE,       /* nothing is taken, the connection lives on */
	PAUSED_LOOK, /* the same when it is asked what is there */
	LOST_LOOK
};

struct kept_mail {
	uint8_t sha256[32];
	uint64_t size;
};

/* The account on both servers. */
struct world {
	enum fault fault;
	uint64_t takes;     /* messages of a batch taken before it */
	int every;          /* which calls fail */
	uint64_t strangers; /* that stand there already: the first messages */
	struct kept_mail kept[KEPT_MAX]; /* UID - 1 */
	uint64_t count;
	int calls, faults, connects;
};

struct server {
	struct world *world;
	struct receipt waiting[KEPT_MAX];
	size_t n;
	bool dead;
};

/* ---- the source ---- */

struct client {
	uint64_t next, asked, given;
	uint64_t queue[MESSAGES];
};

static void
source_caps_of(const void *data, struct source_caps *caps)
{
	(void)data;
	caps->window = 64;
}

static bool
source_list(void *data,
    bool (*each)(void *arg, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	const struct source_mailbox box = {
		.name = "INBOX", .display = "INBOX", .separator = '/'
	};
	(void)data;

	return each(arg, &box, err);
}

static bool
source_open(void *data, const char *name, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct client *c = data;
	(void)name, (void)err;
	c->next = state->uidnext > 0 ? state->uidnext : 1;
	*opened = (struct source_opened){
		.uidvalidity = 7, .uidnext = MESSAGES + 1, .messages = MESSAGES
	};

	return true;
}

static bool
source_announce(void *data, struct source_event *e, struct err *err)
{
	struct client *c = data;
	(void)err;
	*e = (struct source_event){ .kind = SOURCE_SEEN };
	if (c->next > MESSAGES) {
		e->kind = SOURCE_END;
		e->complete = true;
		e->state = (struct source_state){ .uidvalidity = 7,
			.uidnext = MESSAGES + 1,
			.messages = MESSAGES };
		return true;
	}
	e->placement = (struct placement){ .okey = c->next,
		.size = 100,
		.idate = 1000000 + (int64_t)c->next };
	c->next++;

	return true;
}

static bool
source_request(void *data, const uint64_t *okeys, const uint64_t *sizes,
    size_t n, struct err *err)
{
	struct client *c = data;
	(void)sizes, (void)err;
	for (size_t i = 0; i < n; i++)
		c->queue[c->asked++ % MESSAGES] = okeys[i];

	return true;
}

/* Each fifth is its neighbour's twin. */
static struct content *
content_of(uint64_t okey)
{
	char text[120];
	struct err err;
	int len = snprintf(text, sizeof(text),
	    "Message-ID: <%" PRIu64 "@x>\r\n\r\nbody\r\n",
	    okey % 5 == 0 ? okey - 1 : okey);
	struct content *c = content_new(NULL, (uint64_t)len);
	ck_assert(content_add(c, text, (size_t)len, &err));
	content_finish(c);

	return c;
}

static bool
source_body(void *data, struct source_body *out, struct err *err)
{
	struct client *c = data;
	(void)err;
	ck_assert_uint_lt(c->given, c->asked);
	uint64_t okey = c->queue[c->given++ % MESSAGES];
	*out =
	    (struct source_body){ .okey = okey, .content = content_of(okey) };

	return true;
}

static void
source_close(void **data, bool polite)
{
	(void)polite;
	free(*data);
	*data = NULL;
}

static const struct source_ops source_ops = {
	.scheme = "invented",
	.capabilities = source_caps_of,
	.list = source_list,
	.open = source_open,
	.announce = source_announce,
	.request = source_request,
	.body = source_body,
	.close = source_close,
};

static bool
dial_source(void *arg, struct source *source, struct err *err)
{
	(void)arg, (void)err;
	*source = (struct source){ .ops = &source_ops,
		.data = mem_new(sizeof(struct client)) };

	return true;
}

/* ---- the target ---- */

static bool
plan(void *data, const struct source_mailbox *boxes, size_t n, struct err *err)
{
	(void)data, (void)boxes, (void)err;
	ck_assert_uint_eq(n, 1);

	return true;
}

static bool
lost(struct server *s, struct err *err)
{
	s->dead = true;

	return err_set_transient(
	    err, ERR_ACCOUNT, ERR_NETWORK, "the target hung up");
}

static bool
pause_for(enum err_scope scope, struct err *err)
{
	err_set_transient(err, scope, ERR_THROTTLE, "slow down");
	err->until = clock_unix_ms() + 1;

	return false;
}

static bool
is_due(struct world *w)
{
	bool due = w->fault != NONE && ++w->calls % w->every == 0;
	w->faults += due;

	return due;
}

static bool
target_open(void *data, const char *account, const struct source_mailbox *from,
    uint64_t uidvalidity, struct target_box *out, struct err *err)
{
	struct server *s = data;
	(void)account, (void)uidvalidity;
	if (s->dead)
		return lost(s, err);
	*out = (struct target_box){ .name = from->name,
		.display = from->display,
		.separator = '/',
		.uidvalidity = 9,
		.uidnext = s->world->count + 1,
		.messages = s->world->count };

	return true;
}

static uint64_t
base(const void *data)
{
	const struct server *s = data;

	return s->world->count + 1;
}

static void
batch_limits(const void *data, uint32_t *items, uint64_t *octets)
{
	(void)data;
	*items = 30;
	*octets = 1 << 20;
}

static void
keep(struct world *w, struct content *content)
{
	ck_assert_uint_lt(w->count, KEPT_MAX);
	struct kept_mail *mail = &w->kept[w->count++];
	mail->size = content_size(content);
	memcpy(mail->sha256, content_sha256(content), sizeof(mail->sha256));
}

static bool
deliver(void *data, const struct item *items, size_t n, struct kept *where,
    struct err *err)
{
	struct server *s = data;
	struct world *w = s->world;
	(void)where;
	if (s->dead)
		return lost(s, err);
	bool breaks =
	    w->fault != PAUSED_LOOK && w->fault != LOST_LOOK && is_due(w);
	if (breaks && w->fault == PAUSE)
		return pause_for(ERR_MESSAGE, err);
	for (size_t i = 0; i < n && (!breaks || i < w->takes); i++) {
		keep(w, items[i].content);
		s->waiting[s->n++] = (struct receipt){ .kind = RECEIPT_KEPT,
			.ticket = items[i].ticket,
			.uidvalidity = 9,
			.uid = w->count };
	}
	if (!breaks)
		return true;
	/* What it took it never says. */
	s->n = 0;
	s->dead = true;

	return w->fault == BYE ? pause_for(ERR_ACCOUNT, err) : lost(s, err);
}

static bool
collect(void *data, bool wait, struct receipt *out, size_t *n,
    struct progress *progress, struct err *err)
{
	struct server *s = data;
	size_t room = *n;
	*progress = (struct progress){ 0 };
	*n = s->n < room ? s->n : room;
	memcpy(out, s->waiting, *n * sizeof(*out));
	memmove(s->waiting, s->waiting + *n, (s->n - *n) * sizeof(*out));
	s->n -= *n;

	return !wait || *n > 0 || !s->dead || lost(s, err);
}

static bool
flush(void *data, struct err *err)
{
	struct server *s = data;

	return !s->dead || lost(s, err);
}

static bool
resolve(void *data, const struct target_box *box, uint64_t from,
    struct resolve_item *items, size_t n, bool (*taken)(void *, uint64_t uid),
    void *arg, struct err *err)
{
	struct server *s = data;
	struct world *w = s->world;
	(void)box;
	if (s->dead)
		return lost(s, err);
	bool breaks =
	    (w->fault == PAUSED_LOOK || w->fault == LOST_LOOK) && is_due(w);
	if (breaks)
		return w->fault == LOST_LOOK ? lost(s, err)
					     : pause_for(ERR_MAILBOX, err);
	/* Nobody may ask while answers are outstanding. */
	ck_assert_uint_eq(s->n, 0);
	for (size_t i = 0; i < n; i++)
		items[i].uid = 0;
	for (uint64_t uid = from; uid <= w->count; uid++) {
		const struct kept_mail *mail = &w->kept[uid - 1];
		for (size_t i = 0; i < n && !taken(arg, uid); i++)
			if (items[i].uid == 0 &&
			    memcmp(items[i].sha256, mail->sha256, 32) == 0) {
				items[i].uid = uid;
				break;
			}
	}

	return true;
}

static void
close_target(void **data, bool polite)
{
	(void)polite;
	free(*data);
	*data = NULL;
}

static const struct target_ops target_ops = {
	.scheme = "invented",
	.plan = plan,
	.open = target_open,
	.base = base,
	.batch_limits = batch_limits,
	.deliver = deliver,
	.collect = collect,
	.flush = flush,
	.resolve = resolve,
	.close = close_target,
};

static bool
dial_target(void *arg, struct target *target, struct err *err)
{
	struct world *w = arg;
	struct server *s = mem_new(sizeof(*s));
	(void)err;
	s->world = w;
	w->connects++;
	*target = (struct target){ .ops = &target_ops, .data = s };

	return true;
}

/* ---- one run ---- */

static char top[64], path[96];

static void
set_up(void)
{
	snprintf(top, sizeof(top), "/tmp/mailhaul-flight-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/index.db", top);
	log_stderr(LOG_ERROR, LOG_TEXT);
}

static void
tear_down(void)
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

static void
run(struct world *w, const char *name, struct haul_result *result)
{
	struct index *index;
	struct source source;
	struct target target;
	struct meter meter;
	struct err err;
	struct haul_options o = { .index_path = path,
		.account = "alice@old",
		.connect = dial_source,
		.connect_target = dial_target,
		.connect_target_arg = w,
		.retries = 30,
		.retry_wait_ms = 1,
		.grace_ms = 1 };
	meter_start(&meter);
	ck_assert(index_open(&index, path, INDEX_WRITE, &err));
	ck_assert(index_run_begin(index, name, "test", &o.run, &err));
	ck_assert(
	    index_account(index, "imap", o.account, &o.source_account, &err));
	ck_assert(
	    index_account(index, "imap", "alice@new", &o.target_account, &err));
	ck_assert(
	    index_job(index, o.source_account, o.target_account, &o.job, &err));
	ck_assert(dial_source(NULL, &source, &err));
	ck_assert(dial_target(w, &target, &err));
	ck_assert_msg(
	    haul_run(&o, index, &source, &target, &meter, result, &err), "%s",
	    err.text);
	source.ops->close(&source.data, true);
	target.ops->close(&target.data, true);
	ck_assert(index_run_end(index, o.run, RUN_COMPLETE, &err));
	index_close(&index);
}

static int
by_octets(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct kept_mail));
}

static void
each_once(const struct world *w)
{
	struct world wanted = { 0 };
	struct kept_mail *there = mem_dup(w->kept, sizeof(w->kept));
	for (uint64_t okey = 1; okey <= MESSAGES; okey++) {
		struct content *c = content_of(okey);
		keep(&wanted, c);
		content_free(&c);
	}
	ck_assert_uint_eq(w->count, MESSAGES);
	qsort(wanted.kept, MESSAGES, sizeof(*there), by_octets);
	qsort(there, MESSAGES, sizeof(*there), by_octets);
	ck_assert_mem_eq(there, wanted.kept, MESSAGES * sizeof(*there));
	free(there);
}

static const struct world worlds[] = {
	{ .fault = NONE },
	{ .fault = LOST, .every = 3 },
	{ .fault = LOST, .every = 3, .takes = 11 },
	{ .fault = LOST, .every = 2, .takes = 30 },
	{ .fault = BYE, .every = 3 },
	{ .fault = BYE, .every = 3, .takes = 11 },
	{ .fault = BYE, .every = 2, .takes = 30 },
	{ .fault = PAUSE, .every = 2 },
	{ .fault = NONE, .strangers = 200 },
	{ .fault = LOST, .every = 3, .takes = 11, .strangers = 200 },
	{ .fault = BYE, .every = 3, .takes = 11, .strangers = 200 },
	{ .fault = PAUSED_LOOK, .every = 2, .strangers = 200 },
	{ .fault = LOST_LOOK, .every = 3, .strangers = 200 },
};

START_TEST(each_message_stands_there_once_whatever_fails)
{
	struct world *w = mem_dup(&worlds[_i], sizeof(*w));
	struct haul_result r;
	for (uint64_t okey = 1; okey <= w->strangers; okey++) {
		struct content *c = content_of(okey);
		keep(w, c);
		content_free(&c);
	}
	run(w, "r1", &r);
	each_once(w);
	ck_assert(r.balanced);
	ck_assert_uint_eq(
	    r.counts.by[OUTCOME_DELIVERED] + r.counts.already, MESSAGES);
	if (w->fault == NONE)
		ck_assert_uint_eq(r.counts.already, w->strangers);
	else
		ck_assert_int_ge(w->faults, 3);
	bool lives =
	    w->fault == NONE || w->fault == PAUSE || w->fault == PAUSED_LOOK;
	ck_assert_int_eq(w->connects > 1, !lives);
	haul_result_free(&r);

	/* Again: nothing is sent. */
	w->fault = NONE;
	run(w, "r2", &r);
	each_once(w);
	ck_assert_uint_eq(r.counts.already, MESSAGES);
	haul_result_free(&r);
	free(w);
}
END_TEST

Suite *
suite_haul_flight(void)
{
	Suite *s = suite_create("haul flight");
	TCase *t = tcase_create("haul flight");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, each_message_stands_there_once_whatever_fails, 0,
	    (int)(sizeof(worlds) / sizeof(worlds[0])));
	suite_add_tcase(s, t);

	return s;
}
