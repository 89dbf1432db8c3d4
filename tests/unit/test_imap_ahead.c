/* A mailbox that is asked for before the one before it is done: scripted
 * servers, which answer one command after the other. */
#include <string.h>

#include "conf/secret.h"
#include "imap/imap.h"
#include "../lib/imap_script.h"

static struct imap_options
options_for(const struct script_server *server)
{
	static struct secret secret;
	secret = (struct secret){ .data = (char *)"letmein", .len = 7 };

	return (struct imap_options){ .wire = { .side = "SOURCE",
					  .host = "127.0.0.1",
					  .port = server->port,
					  .tls = WIRE_TLS_NONE,
					  .timeout_ms = 20000 },
		.user = "joe",
		.secret = &secret,
		.spool_dir = "/tmp" };
}

#define CAPS "IMAP4rev1 LIST-EXTENDED LIST-STATUS"
#define LISTED                                                            \
	{                                                                 \
		"LIST \"\" \"*\" RETURN",                                 \
		    "* LIST () \"/\" A\r\n"                               \
		    "* STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n" \
		    "* LIST () \"/\" B\r\n"                               \
		    "* STATUS B (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 8)\r\n" \
		    "@ OK\r\n"                                            \
	}
#define OPENED(name, exists, next, validity)                             \
	{                                                                \
		"EXAMINE \"" name "\"",                                  \
		    "* " exists " EXISTS\r\n* OK [UIDVALIDITY " validity \
		    "]\r\n* OK [UIDNEXT " next "]\r\n@ OK\r\n"           \
	}
#define LINE(uid)                                                           \
	"* " uid " FETCH (UID " uid " FLAGS () RFC822.SIZE 3 INTERNALDATE " \
	"\"01-Feb-2020 00:00:00 +0000\")\r\n"
#define BODY(uid) \
	"* " uid " FETCH (UID " uid " BODY[] {3}\r\n" uid uid uid ")\r\n"
#define TOLD_A                                                 \
	{                                                      \
		"UID FETCH 1 (UID FLAGS", LINE("1") "@ OK\r\n" \
	}
#define END                \
	{                  \
		NULL, NULL \
	}

struct seen {
	uint64_t listed, bodies;
	bool complete;
};

static bool
ignore(void *arg, const struct source_mailbox *m, struct err *err)
{
	(void)m;
	(void)err;
	++*(int *)arg;

	return true;
}

static void
begin(struct source *s, const struct script_server *server,
    struct imap_options *o)
{
	struct err err;
	int n = 0;
	*o = options_for(server);
	ck_assert_msg(imap_source_new(s, o, &err), "%s", err.text);
	ck_assert_msg(s->ops->list(s->data, ignore, &n, &err), "%s", err.text);
	ck_assert_int_ge(n, 2);
}

static bool
open_box(struct source *s, const char *name, struct source_opened *o,
    struct err *err)
{
	static const struct source_state first;

	return s->ops->open(s->data, name, &first, o, err);
}

/* Announce and request all, tell what comes next, then take the bodies. */
static struct seen
read_box(struct source *s, const char *coming)
{
	static const struct source_state first;
	struct seen seen = { 0 };
	struct source_event e;
	struct err err;
	uint64_t okeys[16], sizes[16];
	do {
		ck_assert_msg(
		    s->ops->announce(s->data, &e, &err), "%s", err.text);
		if (e.kind != SOURCE_SEEN)
			continue;
		okeys[seen.listed] = e.placement.okey;
		sizes[seen.listed++] = e.placement.size;
	} while (e.kind != SOURCE_END);
	seen.complete = e.complete;
	if (seen.listed > 0)
		ck_assert(s->ops->request(
		    s->data, okeys, sizes, (size_t)seen.listed, &err));
	if (coming != NULL)
		s->ops->next(s->data, coming, &first);
	for (uint64_t i = 0; i < seen.listed; i++) {
		struct source_body body = { 0 };
		ck_assert_msg(
		    s->ops->body(s->data, &body, &err), "%s", err.text);
		ck_assert_int_eq(body.kind, SOURCE_BODY);
		ck_assert_int_eq(content_size(body.content), 3);
		content_free(&body.content);
		seen.bodies++;
	}

	return seen;
}

static void
expect_of_b(const struct script_step *steps, uint64_t exists, uint64_t listed)
{
	struct script script = { .capabilities = CAPS, .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o;
	struct source s;
	struct source_opened opened;
	struct err err;
	begin(&s, &server, &o);
	ck_assert_msg(open_box(&s, "A", &opened, &err), "%s", err.text);
	ck_assert_int_eq(opened.uidvalidity, 7);
	struct seen a = read_box(&s, "B");
	ck_assert_int_eq(a.bodies, 1);
	ck_assert(a.complete);
	ck_assert_msg(open_box(&s, "B", &opened, &err), "%s", err.text);
	ck_assert_int_eq(opened.uidvalidity, 8);
	ck_assert_int_eq(opened.messages, exists);
	struct seen b = read_box(&s, NULL);
	ck_assert_int_eq(b.bodies, listed);
	ck_assert(b.complete == (exists == listed));
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}

static void
expect_both(const struct script_step *steps, uint64_t in_b)
{
	expect_of_b(steps, in_b, in_b);
}

START_TEST(a_mailbox_asked_for_ahead_is_read_whole)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") "@ OK\r\n" }, END };
	expect_both(steps, 2);
}
END_TEST

/* Few gaps: no edges are asked, for which the list would have to wait. */
START_TEST(the_first_range_of_a_large_mailbox_is_asked_for_ahead)
{
	static const struct script_step steps[] = {
		{ "LIST \"\" \"*\" RETURN",
		    "* LIST () \"/\" A\r\n"
		    "* STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n"
		    "* LIST () \"/\" B\r\n"
		    "* STATUS B (MESSAGES 1100 UIDNEXT 1200 UIDVALIDITY 8)\r\n"
		    "@ OK\r\n" },
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		OPENED("B", "1100", "1200", "8"),
		{ "UID FETCH 1:1000 (UID FLAGS",
		    LINE("1") LINE("2") "@ OK\r\n" },
		{ "UID FETCH 1001:1199 (UID FLAGS", "@ OK\r\n" },
		{ "FETCH 100,1100 (UID)", "* 100 FETCH (UID 1)\r\n"
					  "* 1100 FETCH (UID 2)\r\n@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") "@ OK\r\n" }, END
	};
	expect_of_b(steps, 1100, 2);
}
END_TEST

/* What was sent by STATUS's word is dropped, and EXAMINE's word counts. */
START_TEST(a_mailbox_that_grew_since_its_status_is_asked_again)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		OPENED("B", "3", "4", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		{ "UID FETCH 1:3 (UID FLAGS",
		    LINE("1") LINE("2") LINE("3") "@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") BODY("3") "@ OK\r\n" },
		END };
	expect_both(steps, 3);
}
END_TEST

/* EXPUNGE and EXISTS before EXAMINE's turn are of the mailbox before. */
START_TEST(lines_are_told_of_the_mailbox_whose_turn_it_is)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "* 9 EXISTS\r\n* 1 EXPUNGE\r\n"
					 "* OK [UIDVALIDITY 7]\r\n@ OK\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") "@ OK\r\n" }, END };
	expect_both(steps, 2);
}
END_TEST

/* OK without its body: it is asked for once more, in its own mailbox. */
START_TEST(a_body_that_did_not_come_is_asked_for_in_its_own_mailbox)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A, { "BODY.PEEK", "@ OK\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		OPENED("A", "1", "2", "7"),
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") "@ OK\r\n" }, END };
	expect_both(steps, 2);
}
END_TEST

/* Its octets must not be taken for those of the one that was there. */
START_TEST(a_mailbox_that_another_replaced_is_not_read_on)
{
#define WITH_ID(id)                                                        \
	{                                                                  \
		"EXAMINE \"A\"",                                           \
		    "* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT " \
		    "2]\r\n* OK [MAILBOXID (" id ")]\r\n@ OK\r\n"          \
	}
	static const struct script_step steps[] = { LISTED, WITH_ID("F1"),
		TOLD_A, { "BODY.PEEK", "@ OK\r\n" }, OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		WITH_ID("F2"), END };
#undef WITH_ID
	struct script script = { .capabilities = CAPS, .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o;
	struct source s;
	struct source_opened opened;
	struct source_event e;
	struct source_body body;
	static const struct source_state first;
	const uint64_t uid = 1, size = 3;
	struct err err;
	begin(&s, &server, &o);
	ck_assert(open_box(&s, "A", &opened, &err));
	ck_assert_str_eq(opened.mailbox_id, "F1");
	do
		ck_assert(s.ops->announce(s.data, &e, &err));
	while (e.kind != SOURCE_END);
	ck_assert(s.ops->request(s.data, &uid, &size, 1, &err));
	s.ops->next(s.data, "B", &first);
	ck_assert(!s.ops->body(s.data, &body, &err));
	ck_assert_int_eq(err.code, ERR_UIDVALIDITY);
	ck_assert_int_eq(err.scope, ERR_MAILBOX);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

/* B is opened before A's body was answered for: whose would be the next? */
START_TEST(answers_out_of_order_end_the_connection)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", "* OK not yet\r\n" }, OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		END };
	struct script script = { .capabilities = CAPS, .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o;
	struct source s;
	struct source_opened opened;
	struct source_event e;
	static const struct source_state first;
	const uint64_t uid = 1, size = 3;
	struct err err;
	begin(&s, &server, &o);
	ck_assert(open_box(&s, "A", &opened, &err));
	do
		ck_assert(s.ops->announce(s.data, &e, &err));
	while (e.kind != SOURCE_END);
	ck_assert(s.ops->request(s.data, &uid, &size, 1, &err));
	s.ops->next(s.data, "B", &first);
	ck_assert(!s.ops->open(s.data, "B", &first, &opened, &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	ck_assert(err.transient);
	s.ops->close(&s.data, false);
}
END_TEST

/* Maybe it can't take two commands at a time. */
START_TEST(a_mailbox_refused_ahead_is_asked_for_alone)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		{ "EXAMINE \"B\"", "@ BAD one at a time\r\n" },
		{ "UID FETCH 1:2 (UID FLAGS", "@ BAD one at a time\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") "@ OK\r\n" }, END };
	expect_both(steps, 2);
}
END_TEST

/* The list alone is refused: its range is asked for again. */
START_TEST(a_list_refused_ahead_is_asked_for_again)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", "@ BAD not so fast\r\n" },
		{ "UID FETCH 1 (UID FLAGS", LINE("1") "@ OK\r\n" },
		{ "UID FETCH 2 (UID FLAGS", LINE("2") "@ OK\r\n" },
		{ "BODY.PEEK", BODY("1") BODY("2") "@ OK\r\n" }, END };
	expect_both(steps, 2);
}
END_TEST

START_TEST(a_refused_mailbox_costs_only_itself)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		{ "EXAMINE \"B\"", "@ NO [NOPERM] not yours\r\n" },
		/* A server that stays where it was must not be believed. */
		{ "UID FETCH 1:2 (UID FLAGS",
		    LINE("1") "@ BAD no mailbox is selected\r\n" },
		{ "EXAMINE \"B\"", "@ NO [NOPERM] not yours\r\n" },
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" }, END };
	struct script script = { .capabilities = CAPS, .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o;
	struct source s;
	struct source_opened opened;
	struct err err;
	begin(&s, &server, &o);
	ck_assert(open_box(&s, "A", &opened, &err));
	ck_assert_int_eq(read_box(&s, "B").bodies, 1);
	ck_assert(!open_box(&s, "B", &opened, &err));
	ck_assert_int_eq(err.scope, ERR_MAILBOX);
	ck_assert_msg(strstr(err.words, "not yours") != NULL, "%s", err.words);
	ck_assert_msg(open_box(&s, "A", &opened, &err), "%s", err.text);
	ck_assert_int_eq(read_box(&s, NULL).bodies, 1);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

/* Another one is opened than was said: nothing of the hint is left. */
START_TEST(a_hint_that_was_wrong_is_forgotten)
{
	static const struct script_step steps[] = { LISTED,
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" },
		OPENED("B", "2", "3", "8"),
		{ "UID FETCH 1:2 (UID FLAGS", LINE("1") LINE("2") "@ OK\r\n" },
		OPENED("A", "1", "2", "7"), TOLD_A,
		{ "BODY.PEEK", BODY("1") "@ OK\r\n" }, END };
	struct script script = { .capabilities = CAPS, .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o;
	struct source s;
	struct source_opened opened;
	struct err err;
	begin(&s, &server, &o);
	ck_assert(open_box(&s, "A", &opened, &err));
	ck_assert_int_eq(read_box(&s, "B").bodies, 1);
	ck_assert_msg(open_box(&s, "A", &opened, &err), "%s", err.text);
	struct seen again = read_box(&s, NULL);
	ck_assert_int_eq(again.listed, 1);
	ck_assert(again.complete);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

Suite *suite_imap_ahead(void);

Suite *
suite_imap_ahead(void)
{
	Suite *suite = suite_create("imap ahead");
	TCase *tests = tcase_create("ahead");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_mailbox_asked_for_ahead_is_read_whole);
	tcase_add_test(
	    tests, the_first_range_of_a_large_mailbox_is_asked_for_ahead);
	tcase_add_test(
	    tests, a_mailbox_that_grew_since_its_status_is_asked_again);
	tcase_add_test(tests, lines_are_told_of_the_mailbox_whose_turn_it_is);
	tcase_add_test(
	    tests, a_body_that_did_not_come_is_asked_for_in_its_own_mailbox);
	tcase_add_test(tests, a_mailbox_that_another_replaced_is_not_read_on);
	tcase_add_test(tests, answers_out_of_order_end_the_connection);
	tcase_add_test(tests, a_mailbox_refused_ahead_is_asked_for_alone);
	tcase_add_test(tests, a_list_refused_ahead_is_asked_for_again);
	tcase_add_test(tests, a_refused_mailbox_costs_only_itself);
	tcase_add_test(tests, a_hint_that_was_wrong_is_forgotten);
	suite_add_tcase(suite, tests);

	return suite;
}
