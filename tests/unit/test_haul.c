/*
 * The engine between invented ends and a real index: a source that loses
 * connections, breaks at one message, lists less than it counts or throttles,
 * and a target that answers late and refuses some.
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

Suite *suite_haul(void);

enum { UIDS_MAX = 4000 };

/* What the invented server does. */
struct world {
	uint64_t messages; /* UIDs 1 … messages */
	uint64_t hidden;   /* counted in EXISTS, but not listed */
	uint64_t
	    break_every; /* bodies between two lost connections; 0: never */
	uint64_t poison; /* this UID always breaks the connection */
	uint64_t vanished, unreadable, bad; /* these UIDs */
	uint64_t refused;                   /* by the target */
	bool refuse_reconnect;
	uint64_t uidvalidity;
	bool throttle_once;
	bool parks;        /* announces nothing for hours */
	uint64_t nameless; /* listed without its UID */
	int late_open;     /* one more message stands there from this open on,
			      and nothing is hidden any more; 0: never */
	bool dry_run;
	/* what happened */
	int connects, opens;
	uint64_t bodies, announced;
	uint64_t delivered[UIDS_MAX];
};

struct invented_source {
	struct world *world;
	uint64_t next; /* to announce */
	uint64_t queue[UIDS_MAX];
	size_t head, tail;
	uint64_t since_break;
};

static void
capabilities(const void *data, struct source_caps *caps)
{
	(void)data;
	caps->window = 64;
}

static bool
list(void *data,
    bool (*each)(void *arg, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	(void)data;
	struct source_mailbox box = {
		.name = "INBOX", .display = "INBOX", .separator = '/'
	};

	return each(arg, &box, err);
}

static bool
open_box(void *data, const char *name, const struct source_state *state,
    struct source_opened *opened, struct err *err)
{
	struct invented_source *s = data;
	(void)name;
	(void)err;
	if (++s->world->opens == s->world->late_open) {
		s->world->messages++;
		s->world->hidden = 0;
	}
	*opened = (struct source_opened){
		.uidvalidity = s->world->uidvalidity,
		.uidnext = s->world->messages + 1,
		.messages = s->world->messages + s->world->hidden,
	};
	bool same = state->uidvalidity == s->world->uidvalidity;
	s->next = same && state->uidnext > 0 ? state->uidnext : 1;
	s->head = s->tail = 0;

	return true;
}

static bool
announce(void *data, struct source_event *e, struct err *err)
{
	struct invented_source *s = data;
	struct world *w = s->world;
	*e = (struct source_event){ 0 };
	if (w->throttle_once) {
		w->throttle_once = false;
		err_set(err, ERR_MAILBOX, ERR_THROTTLE, "slow down");
		err->until = clock_unix_ms() + 10;
		return false;
	}
	if (w->parks) {
		err_set(err, ERR_MAILBOX, ERR_THROTTLE, "come back later");
		err->until = clock_unix_ms() + 2 * 3600000;
		return false;
	}
	if (s->next > w->messages) {
		e->kind = SOURCE_END;
		e->complete = true;
		e->state = (struct source_state){
			.uidvalidity = w->uidvalidity,
			.uidnext = w->messages + 1,
			.messages = w->messages + w->hidden,
		};
		return true;
	}
	w->announced++;
	e->kind = s->next == w->bad || s->next == w->nameless ? SOURCE_BAD
							      : SOURCE_SEEN;
	if (e->kind == SOURCE_BAD)
		err_set(&e->why, ERR_MESSAGE, ERR_PROTOCOL, "garbage");
	e->placement = (struct placement){
		.okey = s->next,
		.size = 10,
		.idate = 1000000 + (int64_t)s->next,
	};
	if (s->next == w->nameless)
		e->placement.okey = 0;
	s->next++;

	return true;
}

static bool
request(void *data, const uint64_t *okeys, const uint64_t *sizes, size_t n,
    struct err *err)
{
	struct invented_source *s = data;
	(void)sizes;
	(void)err;
	for (size_t i = 0; i < n; i++)
		s->queue[s->tail++ % UIDS_MAX] = okeys[i];

	return true;
}

static bool
lost(struct err *err)
{
	return err_set_transient(
	    err, ERR_ACCOUNT, ERR_NETWORK, "connection lost");
}

static bool
body(void *data, struct source_body *out, struct err *err)
{
	struct invented_source *s = data;
	struct world *w = s->world;
	ck_assert_uint_ne(s->head, s->tail);
	uint64_t uid = s->queue[s->head++ % UIDS_MAX];
	if (uid == w->poison)
		return lost(err);
	if (w->break_every != 0 && ++s->since_break > w->break_every)
		return lost(err);
	*out = (struct source_body){ .okey = uid };
	w->bodies++;
	if (uid == w->vanished || uid == w->unreadable) {
		out->kind =
		    uid == w->vanished ? SOURCE_VANISHED : SOURCE_UNREADABLE;
		err_set(&out->why, ERR_MESSAGE, ERR_GONE, "not there");
		return true;
	}
	char text[80];
	int len = snprintf(text, sizeof(text),
	    "Message-ID: <%" PRIu64 "@x>\r\n\r\nbody %" PRIu64 "\r\n", uid,
	    uid);
	out->content = content_new(NULL, (uint64_t)len);
	ck_assert(content_add(out->content, text, (size_t)len, err));
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
	.request = request,
	.body = body,
	.close = close_source,
};

static bool
dial(void *arg, struct source *source, struct err *err)
{
	struct world *w = arg;
	if (w->connects++ > 0 && w->refuse_reconnect)
		return err_set(err, ERR_ACCOUNT, ERR_LOGIN, "login refused");
	struct invented_source *s = mem_new(sizeof(*s));
	s->world = w;
	*source = (struct source){ .ops = &source_ops, .data = s };

	return true;
}

/* ---- a target that keeps what it is given, and answers some calls later ----
 */

struct invented_target {
	struct world *world;
	struct receipt waiting[256];
	size_t n;
	bool flushed, opened;
	const char *volume;
};

static bool
target_open(void *data, const char *account, const struct source_mailbox *box,
    uint64_t uidvalidity, struct target_box *out, struct err *err)
{
	struct invented_target *t = data;
	(void)err;
	ck_assert_str_eq(account, "alice@invented");
	ck_assert_str_eq(box->display, "INBOX");
	ck_assert_uint_eq(uidvalidity, t->world->uidvalidity);
	*out = (struct target_box){ 0 };

	return true;
}

static bool
deliver(void *data, const struct item *items, size_t n, struct kept *where,
    struct err *err)
{
	struct invented_target *t = data;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		uint64_t uid = items[i].placement->okey;
		struct receipt *r = &t->waiting[t->n++];
		ck_assert_uint_le(t->n, 256);
		*r = (struct receipt){ .ticket = items[i].ticket };
		if (uid == t->world->refused) {
			r->kind = RECEIPT_REFUSED;
			err_set(&r->why, ERR_MESSAGE, ERR_REFUSED, "no");
		} else {
			t->world->delivered[uid]++;
		}
		where[i] = (struct kept){ 0 };
		snprintf(
		    where[i].volume, sizeof(where[i].volume), "%s", t->volume);
		memcpy(where[i].sha256, content_sha256(items[i].content), 32);
	}

	return true;
}

static bool
collect(void *data, bool wait, struct receipt *out, size_t *n,
    struct progress *progress, struct err *err)
{
	struct invented_target *t = data;
	(void)wait;
	(void)err;
	*progress = (struct progress){ 0 };
	size_t room = *n;
	*n = 0;
	if (t->n < 100 && !t->flushed)
		return true;
	if (t->n > 0)
		snprintf(progress->volume, sizeof(progress->volume), "%s",
		    t->volume);
	progress->opened = t->n > 0 && !t->opened;
	t->opened = t->opened || t->n > 0;
	*n = t->n < room ? t->n : room;
	memcpy(out, t->waiting, *n * sizeof(*out));
	memmove(t->waiting, t->waiting + *n, (t->n - *n) * sizeof(*out));
	t->n -= *n;
	if (t->n == 0)
		t->flushed = false;

	return true;
}

static bool
flush(void *data, struct err *err)
{
	struct invented_target *t = data;
	(void)err;
	t->flushed = true;

	return true;
}

static const struct target_ops target_ops = {
	.scheme = "invented",
	.open = target_open,
	.deliver = deliver,
	.collect = collect,
	.flush = flush,
};

/* ---- one run ---- */

static char top[64];
static char path[96];

static void
set_up(void)
{
	snprintf(top, sizeof(top), "/tmp/mailhaul-haul-XXXXXX");
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

static bool
run(struct world *w, const char *name, struct haul_result *result,
    struct err *err, const struct filter *filter)
{
	struct index *index;
	struct source source = { 0 };
	struct invented_target data = { .world = w, .volume = name };
	struct target target = { .ops = &target_ops, .data = &data };
	struct meter meter;
	meter_start(&meter);
	struct haul_options o = {
		.index_path = path,
		.account = "alice@invented",
		.connect = dial,
		.connect_arg = w,
		.retry_wait_ms = 1,
		.dry_run = w->dry_run,
	};
	if (filter != NULL)
		o.filter = *filter;
	ck_assert_msg(
	    index_open(&index, path, INDEX_WRITE, err), "%s", err->text);
	ck_assert(index_run_begin(index, name, "test", &o.run, err));
	ck_assert(
	    index_account(index, "imap", o.account, &o.source_account, err));
	ck_assert(
	    index_account(index, "archive", "archive", &o.target_account, err));
	ck_assert(
	    index_job(index, o.source_account, o.target_account, &o.job, err));
	ck_assert(dial(w, &source, err));
	bool ok = haul_run(&o, index, &source, &target, &meter, result, err);
	if (source.data != NULL)
		source.ops->close(&source.data, true);
	struct err end;
	ck_assert_msg(
	    index_run_end(index, o.run, RUN_COMPLETE, &end), "%s", end.text);
	index_close(&index);

	return ok;
}

static void
each_once(const struct world *w, uint64_t except)
{
	for (uint64_t uid = 1; uid <= w->messages; uid++)
		ck_assert_msg(w->delivered[uid] == (uid == except ? 0 : 1),
		    "UID %" PRIu64 " delivered %" PRIu64 " times", uid,
		    w->delivered[uid]);
}

START_TEST(every_message_arrives_once_and_the_sums_balance)
{
	struct world w = { .messages = 1000, .uidvalidity = 7 };
	struct haul_result r;
	struct err err;
	ck_assert_msg(run(&w, "r1", &r, &err, NULL), "%s", err.text);
	each_once(&w, 0);
	ck_assert(r.balanced);
	ck_assert_uint_eq(r.counts.inventory, 1000);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 1000);
	haul_result_free(&r);

	/* Again: nothing new, nothing listed. */
	uint64_t bodies = w.bodies, announced = w.announced;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	ck_assert_uint_eq(w.bodies, bodies);
	ck_assert_uint_eq(w.announced, announced);
	ck_assert_uint_eq(r.counts.already, 1000);
	ck_assert(r.balanced);
	haul_result_free(&r);

	/* Ten more. */
	w.messages += 10;
	ck_assert(run(&w, "r3", &r, &err, NULL));
	ck_assert_uint_eq(w.bodies, bodies + 10);
	ck_assert_uint_eq(r.counts.already, 1000);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 10);
	each_once(&w, 0);
	haul_result_free(&r);
}
END_TEST

START_TEST(lost_connections_cost_nothing_but_time)
{
	struct world w = {
		.messages = 500, .uidvalidity = 7, .break_every = 37
	};
	struct haul_result r;
	struct err err;
	ck_assert_msg(run(&w, "r1", &r, &err, NULL), "%s", err.text);
	ck_assert_int_gt(w.connects, 10);
	each_once(&w, 0);
	ck_assert(r.balanced);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 500);
	haul_result_free(&r);
}
END_TEST

START_TEST(one_message_that_breaks_every_connection_costs_one_message)
{
	struct world w = { .messages = 300, .uidvalidity = 7, .poison = 123 };
	struct haul_result r;
	struct err err;
	ck_assert_msg(run(&w, "r1", &r, &err, NULL), "%s", err.text);
	each_once(&w, 123);
	ck_assert(r.balanced);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 299);
	ck_assert_uint_eq(r.counts.by[OUTCOME_UNREADABLE], 1);
	haul_result_free(&r);

	/* The server was mended: the next run has it. */
	w.poison = 0;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	each_once(&w, 0);
	ck_assert_uint_eq(r.counts.already, 299);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 1);
	haul_result_free(&r);
}
END_TEST

START_TEST(what_the_server_counts_but_does_not_list_is_unknown)
{
	struct world w = { .messages = 50, .hidden = 3, .uidvalidity = 7 };
	struct haul_result r;
	struct err err;
	ck_assert(run(&w, "r1", &r, &err, NULL));
	ck_assert_uint_eq(r.counts.inventory, 53);
	ck_assert_uint_eq(r.counts.by[OUTCOME_UNKNOWN], 3);
	ck_assert(r.balanced);
	haul_result_free(&r);
	uint64_t announced = w.announced;
	w.hidden = 0;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	ck_assert_uint_gt(w.announced, announced); /* all of it again */
	ck_assert_uint_eq(r.counts.already, 50);
	ck_assert_uint_eq(r.counts.by[OUTCOME_UNKNOWN], 0);
	haul_result_free(&r);
}
END_TEST

START_TEST(vanished_unreadable_bad_and_refused_messages_are_named)
{
	struct world w = { .messages = 50,
		.uidvalidity = 7,
		.vanished = 5,
		.unreadable = 6,
		.bad = 7,
		.refused = 8,
		.throttle_once = true };
	struct haul_result r;
	struct err err;
	ck_assert_msg(run(&w, "r1", &r, &err, NULL), "%s", err.text);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 46);
	ck_assert_uint_eq(r.counts.by[OUTCOME_VANISHED], 1);
	ck_assert_uint_eq(r.counts.by[OUTCOME_UNREADABLE], 2);
	ck_assert_uint_eq(r.counts.by[OUTCOME_QUARANTINED], 1);
	ck_assert(r.balanced);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_login_refused_on_reconnecting_ends_the_account_and_keeps_the_rest)
{
	struct world w = { .messages = 300,
		.uidvalidity = 7,
		.break_every = 100,
		.refuse_reconnect = true };
	struct haul_result r;
	struct err err;
	ck_assert(!run(&w, "r1", &r, &err, NULL));
	ck_assert_int_eq(err.code, ERR_LOGIN);
	ck_assert_int_eq(w.connects, 2);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 100);
	haul_result_free(&r);
	w.refuse_reconnect = false;
	w.break_every = 0;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	each_once(&w, 0);
	ck_assert_uint_eq(r.counts.already, 100);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_filter_excludes_and_a_wider_one_takes_what_it_left)
{
	struct world w = { .messages = 40, .uidvalidity = 7 };
	struct filter filter = { .since = 1000021 };
	struct haul_result r;
	struct err err;
	ck_assert(run(&w, "r1", &r, &err, &filter));
	ck_assert_uint_eq(r.counts.by[OUTCOME_EXCLUDED], 20);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 20);
	ck_assert(r.balanced);
	haul_result_free(&r);
	ck_assert(run(&w, "r2", &r, &err, &filter));
	ck_assert_uint_eq(r.counts.by[OUTCOME_EXCLUDED], 20);
	ck_assert_uint_eq(r.counts.already, 20);
	haul_result_free(&r);
	ck_assert(run(&w, "r3", &r, &err, NULL));
	each_once(&w, 0);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 20);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_uidnext_that_went_down_is_a_new_generation)
{
	struct world w = { .messages = 40, .uidvalidity = 7 };
	struct haul_result r;
	struct err err;
	ck_assert(run(&w, "r1", &r, &err, NULL));
	haul_result_free(&r);
	/* Restored from an old backup. No Message-ID is told, so the octets
	 * have to prove that nothing is new. */
	uint64_t bodies = w.bodies;
	w.messages = 30;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	ck_assert_uint_eq(w.bodies, bodies + 30);
	ck_assert_uint_eq(r.counts.already, 30);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 0);
	ck_assert(r.balanced);
	haul_result_free(&r);
	for (uint64_t uid = 1; uid <= 40; uid++)
		ck_assert_uint_eq(w.delivered[uid], 1);
	/* It stays one: the next run is a delta of it. */
	w.messages = 50;
	memset(w.delivered, 0, sizeof(w.delivered));
	ck_assert(run(&w, "r3", &r, &err, NULL));
	ck_assert_uint_eq(w.delivered[30], 0);
	ck_assert_uint_eq(w.delivered[31], 1);
	ck_assert_uint_eq(r.counts.already, 30);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 20);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_new_uidvalidity_is_a_new_generation)
{
	struct world w = { .messages = 20, .uidvalidity = 7 };
	struct haul_result r;
	struct err err;
	ck_assert(run(&w, "r1", &r, &err, NULL));
	haul_result_free(&r);
	w.uidvalidity = 8;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	each_once(&w, 0);
	ck_assert_uint_eq(w.bodies, 40);
	ck_assert_uint_eq(r.counts.already, 20);
	ck_assert(r.balanced);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_message_without_uid_is_not_already_there_the_next_time)
{
	struct world w = { .messages = 30, .uidvalidity = 7, .nameless = 11 };
	struct haul_result r;
	struct err err;
	for (int i = 0; i < 2; i++) {
		ck_assert(run(&w, i == 0 ? "r1" : "r2", &r, &err, NULL));
		ck_assert_uint_eq(r.counts.by[OUTCOME_UNREADABLE], 1);
		ck_assert(r.balanced);
		haul_result_free(&r);
	}
	w.nameless = 0;
	ck_assert(run(&w, "r3", &r, &err, NULL));
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 1);
	each_once(&w, 0);
	haul_result_free(&r);
}
END_TEST

START_TEST(what_comes_between_a_delta_and_the_full_pass_after_it_is_taken)
{
	struct world w = { .messages = 20, .uidvalidity = 7 };
	struct haul_result r;
	struct err err;
	ck_assert(run(&w, "r1", &r, &err, NULL));
	haul_result_free(&r);
	w.hidden = 1;
	w.late_open = w.opens + 2;
	ck_assert(run(&w, "r2", &r, &err, NULL));
	ck_assert_int_eq(w.opens, w.late_open);
	ck_assert_uint_eq(w.messages, 21);
	each_once(&w, 0);
	ck_assert_uint_eq(r.counts.already, 20);
	ck_assert(r.balanced);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_throttle_that_lasts_parks_the_account)
{
	struct world w = { .messages = 20, .uidvalidity = 7, .parks = true };
	struct haul_result r;
	struct err err;
	ck_assert(!run(&w, "r1", &r, &err, NULL));
	ck_assert(r.parked);
	ck_assert_int_eq(err.code, ERR_THROTTLE);
	ck_assert_int_eq(err.scope, ERR_ACCOUNT);
	haul_result_free(&r);
}
END_TEST

START_TEST(a_dry_run_counts_more_excluded_messages_than_its_belt_holds)
{
	struct world w = {
		.messages = 1000, .uidvalidity = 7, .bad = 3, .dry_run = true
	};
	struct filter filter = { .since = 1000901 };
	struct haul_result r;
	struct err err;
	ck_assert(run(&w, "r1", &r, &err, &filter));
	ck_assert_uint_eq(r.counts.inventory, 1000);
	ck_assert_uint_eq(r.counts.by[OUTCOME_EXCLUDED], 899);
	ck_assert_uint_eq(r.counts.by[OUTCOME_UNREADABLE], 1);
	ck_assert_uint_eq(r.counts.by[OUTCOME_DELIVERED], 100);
	haul_result_free(&r);
}
END_TEST

Suite *
suite_haul(void)
{
	Suite *s = suite_create("haul");
	TCase *t = tcase_create("haul");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, every_message_arrives_once_and_the_sums_balance);
	tcase_add_test(t, lost_connections_cost_nothing_but_time);
	tcase_add_test(
	    t, one_message_that_breaks_every_connection_costs_one_message);
	tcase_add_test(t, what_the_server_counts_but_does_not_list_is_unknown);
	tcase_add_test(
	    t, vanished_unreadable_bad_and_refused_messages_are_named);
	tcase_add_test(t,
	    a_login_refused_on_reconnecting_ends_the_account_and_keeps_the_rest);
	tcase_add_test(t, a_filter_excludes_and_a_wider_one_takes_what_it_left);
	tcase_add_test(t, a_new_uidvalidity_is_a_new_generation);
	tcase_add_test(t, a_uidnext_that_went_down_is_a_new_generation);
	tcase_add_test(
	    t, a_message_without_uid_is_not_already_there_the_next_time);
	tcase_add_test(
	    t, what_comes_between_a_delta_and_the_full_pass_after_it_is_taken);
	tcase_add_test(t, a_throttle_that_lasts_parks_the_account);
	tcase_add_test(
	    t, a_dry_run_counts_more_excluded_messages_than_its_belt_holds);
	suite_add_tcase(s, t);

	return s;
}
