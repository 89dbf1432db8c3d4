/* A list that breaks the connection: what is asked, and what is said of it. */
#include "../lib/imap_script.h"
#include "base/buf.h"
#include "imap/imap.h"

Suite *suite_imap_breaks(void);

static struct secret secret = {
	.data = (char *)"pass word", .len = 9, .origin = "a test"
};

#define END                \
	{                  \
		NULL, NULL \
	}
#define EXAMINE(exists, uidnext, more)                                  \
	{                                                               \
		"EXAMINE \"INBOX\"",                                    \
		    "* " exists " EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n" \
		    "* OK [UIDNEXT " uidnext "] n\r\n" more             \
		    "@ OK [READ-ONLY] done\r\n"                         \
	}
#define LINE(n, uid)                                         \
	"* " n " FETCH (UID " uid " FLAGS () RFC822.SIZE 3 " \
	"INTERNALDATE \"01-Jan-2020 00:00:00 +0100\")\r\n"
#define BREAK "* BYE internal error\r\n"

struct talk {
	struct script script;
	struct script_server server;
	struct source source;
	struct source_opened opened;
	struct source_event e;
	struct err err;
};

static struct source_state
suspecting(uint64_t lo, uint64_t hi)
{
	return (struct source_state){ .uidvalidity = 7,
		.uidnext = 50,
		.only_new = true,
		.suspect_lo = lo,
		.suspect_hi = hi };
}

static void
start(struct talk *t, const struct script_step *steps,
    const struct source_state *state)
{
	t->script.steps = steps;
	t->server = script_start(&t->script);
	struct imap_options o = { .wire = { .side = "SOURCE",
				      .host = "127.0.0.1",
				      .port = t->server.port,
				      .tls = WIRE_TLS_NONE,
				      .timeout_ms = 10000 },
		.user = "alice",
		.secret = &secret };
	ck_assert(imap_source_new(&t->source, &o, &t->err));
	ck_assert(t->source.ops->open(
	    t->source.data, "INBOX", state, &t->opened, &t->err));
}

/* The next event that is one; false: it failed. */
static bool
hear(struct talk *t)
{
	for (t->e.kind = SOURCE_LATER; t->e.kind == SOURCE_LATER;)
		if (!t->source.ops->announce(t->source.data, &t->e, &t->err))
			return false;

	return true;
}

static void
heard(struct talk *t, uint64_t okey)
{
	ck_assert_msg(hear(t), "%s", t->err.text);
	ck_assert_int_eq(t->e.kind, SOURCE_SEEN);
	ck_assert_uint_eq(t->e.placement.okey, okey);
}

static void
heard_end(struct talk *t)
{
	ck_assert_msg(hear(t), "%s", t->err.text);
	ck_assert_int_eq(t->e.kind, SOURCE_END);
}

static void
broke_over(struct talk *t, uint64_t lo, uint64_t hi, bool there)
{
	struct source_lost lost;
	ck_assert(!hear(t));
	ck_assert_int_eq(t->err.code, ERR_NETWORK);
	t->source.ops->lost(t->source.data, &lost);
	ck_assert_uint_eq(lost.lo, lo);
	ck_assert_uint_eq(lost.hi, hi);
	ck_assert_int_eq(lost.there, there);
}

static void
stop(struct talk *t)
{
	t->source.ops->close(&t->source.data, true);
	ck_assert_int_eq(script_end(&t->server), 0);
}

START_TEST(what_broke_the_connection_is_listed_in_halves)
{
	static const struct script_step steps[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 50:59 (UID FLAGS", "@ OK\r\n" },
		{ "UID FETCH 60:61 (UID FLAGS", LINE("2", "60") "@ OK\r\n" },
		{ "UID FETCH 62:63 (UID FLAGS", LINE("2", "62") BREAK }, END };
	const struct source_state state = suspecting(60, 63);
	struct talk t = { 0 };
	start(&t, steps, &state);
	heard(&t, 60);
	broke_over(&t, 62, 63, false);
	stop(&t);
}
END_TEST

START_TEST(a_single_suspect_is_first_asked_whether_it_is_there)
{
	static const struct script_step there[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 50:59 (UID FLAGS", "@ OK\r\n" },
		{ "UID FETCH 60 (UID)", "* 2 FETCH (UID 60)\r\n@ OK\r\n" },
		{ "UID FETCH 60 (UID FLAGS", BREAK }, END };
	static const struct script_step broken[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 50:59 (UID FLAGS", "@ OK\r\n" },
		{ "UID FETCH 60 (UID)", BREAK }, END };
	static const struct script_step known[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 50:59 (UID FLAGS", "@ OK\r\n" },
		{ "UID FETCH 60 (UID FLAGS", BREAK }, END };
	static const struct script_step *const all[] = { there, broken, known };
	struct source_state state = suspecting(60, 60);
	struct talk t = { 0 };
	state.suspect_there = _i == 2;
	start(&t, all[_i], &state);
	broke_over(&t, 60, 60, _i != 1);
	stop(&t);
}
END_TEST

START_TEST(a_suspect_that_is_gone_is_no_more_to_be_told)
{
	static const struct script_step steps[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 50:59 (UID FLAGS", "@ OK\r\n" },
		{ "UID FETCH 60 (UID)", "@ OK\r\n" },
		{ "UID FETCH 61:99 (UID FLAGS", LINE("3", "70") "@ OK\r\n" },
		END };
	const struct source_state state = suspecting(60, 60);
	struct talk t = { 0 };
	start(&t, steps, &state);
	heard(&t, 70);
	heard_end(&t);
	stop(&t);
}
END_TEST

/* Its flags were known; that it is there is told without them. */
START_TEST(so_is_one_asked_that_earlier_runs_knew)
{
	static const struct script_step steps[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 1:9 (UID FLAGS)", "@ OK\r\n" },
		{ "UID FETCH 10 (UID)", "* 2 FETCH (UID 10)\r\n@ OK\r\n" },
		{ "UID FETCH 10 (UID FLAGS)", BREAK }, END };
	struct source_state state = suspecting(10, 10);
	struct talk t = { 0 };
	state.only_new = false;
	start(&t, steps, &state);
	broke_over(&t, 10, 10, true);
	stop(&t);
}
END_TEST

START_TEST(a_suspect_is_asked_when_all_before_it_was_told)
{
	static const struct script_step steps[] = { EXAMINE("3", "100", ""),
		{ "UID FETCH 50:59 (UID FLAGS",
		    LINE("1", "52") LINE("2", "55") "@ OK\r\n" },
		{ "UID FETCH 52 (UID BODY.PEEK[])",
		    "* 1 FETCH (UID 52 BODY[] {3}\r\nabc)\r\n@ OK\r\n" },
		{ "UID FETCH 60 (UID)", "@ OK\r\n" },
		{ "UID FETCH 61:99 (UID FLAGS", "@ OK\r\n" }, END };
	const struct source_state state = suspecting(60, 60);
	const uint64_t okey = 52, size = 3;
	struct source_body body = { 0 };
	struct talk t = { 0 };
	start(&t, steps, &state);
	heard(&t, 52);
	ck_assert(
	    t.source.ops->request(t.source.data, &okey, &size, 1, &t.err));
	ck_assert(t.source.ops->body(t.source.data, &body, &t.err));
	content_free(&body.content);
	heard(&t, 55);
	heard_end(&t);
	stop(&t);
}
END_TEST

/* "*" is the last one, wherever it is. */
START_TEST(behind_suspects_no_star_asks_for_one_again)
{
	static const struct script_step steps[] = { EXAMINE("3", "50", ""),
		{ "UID FETCH 50:2147483672 (UID FLAGS", "@ OK\r\n" },
		{ "UID FETCH 2147483673:4294967295 (UID FLAGS", "@ OK\r\n" },
		END };
	const struct source_state state = suspecting(50, UINT32_MAX);
	struct talk t = { 0 };
	start(&t, steps, &state);
	heard_end(&t);
	ck_assert(t.e.complete);
	stop(&t);
}
END_TEST

/* What has to be asked again comes before the pass, suspects or not. */
START_TEST(a_throttled_search_is_asked_again_where_suspects_wait)
{
	static const struct script_step steps[] = {
		EXAMINE("8", "60", "* OK [HIGHESTMODSEQ 90] m\r\n"),
		{ "UID FETCH 1:49 (UID FLAGS) (CHANGEDSINCE 80 VANISHED)",
		    "@ OK\r\n" },
		{ "UID FETCH 50:54", LINE("8", "52") "@ OK\r\n" },
		{ "UID SEARCH", "@ NO [THROTTLED] later\r\n" },
		{ "UID SEARCH", "* SEARCH 1 2 3 4 5 6 7\r\n@ OK\r\n" },
		{ "UID FETCH 55:59", "@ OK\r\n" }, END
	};
	struct source_state state = suspecting(50, 59);
	struct talk t = { .script = { .capabilities =
					  "IMAP4rev1 ENABLE CONDSTORE QRESYNC",
			      .enabled = "QRESYNC" } };
	unsigned pauses = 0;
	state.only_new = false;
	state.modseq = 80;
	state.messages = 10;
	start(&t, steps, &state);
	do {
		if (hear(&t))
			continue;
		ck_assert_int_eq(t.err.code, ERR_THROTTLE);
		pauses++;
		t.e.kind = SOURCE_LATER;
	} while (t.e.kind != SOURCE_END);
	ck_assert_uint_eq(pauses, 1);
	stop(&t);
}
END_TEST

START_TEST(a_range_that_could_not_be_sent_fails_the_next_call)
{
	static const struct script_step steps[] = { EXAMINE(
							"20000", "20001", ""),
		{ "UID FETCH 1:", LINE("1", "1") "@ OK\r\n" },
		{ "UID FETCH ", LINE("1001", "1001") "@ OK\r\n" },
		{ NULL, "* RESET" }, END };
	const struct source_state all = { 0 };
	struct talk t = { 0 };
	start(&t, steps, &all);
	heard(&t, 1);
	usleep(500000);
	heard(&t, 1001);
	broke_over(&t, 0, 0, false);
	stop(&t);
}
END_TEST

Suite *
suite_imap_breaks(void)
{
	Suite *s = suite_create("imap breaks");
	TCase *t = tcase_create("imap breaks");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, what_broke_the_connection_is_listed_in_halves);
	tcase_add_loop_test(
	    t, a_single_suspect_is_first_asked_whether_it_is_there, 0, 3);
	tcase_add_test(t, a_suspect_that_is_gone_is_no_more_to_be_told);
	tcase_add_test(t, so_is_one_asked_that_earlier_runs_knew);
	tcase_add_test(t, a_suspect_is_asked_when_all_before_it_was_told);
	tcase_add_test(t, behind_suspects_no_star_asks_for_one_again);
	tcase_add_test(
	    t, a_throttled_search_is_asked_again_where_suspects_wait);
	tcase_add_test(t, a_range_that_could_not_be_sent_fails_the_next_call);
	suite_add_tcase(s, t);

	return s;
}
