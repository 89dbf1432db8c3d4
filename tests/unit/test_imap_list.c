/* Names, statuses, and mailboxes that are gone: scripted servers. */
#include "../lib/imap_script.h"
#include "base/buf.h"
#include "imap/imap.h"
#include "mail/name.h"

Suite *suite_imap_list(void);

static struct secret secret = {
	.data = (char *)"pass word", .len = 9, .origin = "a test"
};

static struct imap_options
options_for(const struct script_server *server)
{
	return (struct imap_options){ .wire = { .side = "SOURCE",
					  .host = "127.0.0.1",
					  .port = server->port,
					  .tls = WIRE_TLS_NONE,
					  .timeout_ms = 20000 },
		.user = "alice",
		.secret = &secret };
}

#define END                \
	{                  \
		NULL, NULL \
	}

static bool
hear_status(void *arg, const struct source_mailbox *m, struct err *err)
{
	(void)err;
	buf_fmt(arg, "%s|%s %llu %llu %llu %llu %s\n", m->name, m->display,
	    (unsigned long long)m->messages, (unsigned long long)m->uidnext,
	    (unsigned long long)m->uidvalidity, (unsigned long long)m->modseq,
	    m->mailbox_id != NULL ? m->mailbox_id : "-");

	return true;
}

static const struct {
	const char *name, *capabilities, *enabled;
	struct script_step steps[8];
	const char *listed, *statuses;
	uint64_t unlisted; /* after both */
} rows[] = {
	{ "all in one LIST, twice",
	    "IMAP4rev1 LIST-EXTENDED LIST-STATUS CONDSTORE OBJECTID", NULL,
	    { { "LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT "
		"UIDVALIDITY HIGHESTMODSEQ MAILBOXID))",
		  "* LIST () \"/\" INBOX\r\n* LIST () \"/\" a\r\n"
		  "* STATUS a (MESSAGES 3 MAILBOXID (F1-2_3) UIDNEXT 9 "
		  "UIDVALIDITY 7 HIGHESTMODSEQ 18446744073709551615)\r\n"
		  "* STATUS INBOX (MAILBOXID () MESSAGES 1)\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (",
		    "* LIST () \"/\" fresh\r\n"
		    "* STATUS fresh (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n"
		    "* STATUS a (MESSAGES 4 UIDNEXT 10 UIDVALIDITY 7 "
		    "HIGHESTMODSEQ 5)\r\n@ OK\r\n" },
		END },
	    "INBOX|INBOX 1 0 0 0 -\n"
	    "a|a 3 9 7 18446744073709551615 F1-2_3\n",
	    "a|a 4 10 7 5 -\nfresh|fresh 1 2 3 0 -\n", 0 },
	{ "a STATUS each, in flight together", "IMAP4rev1", NULL,
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" INBOX\r\n* LIST (\\Noselect) \"/\" x\r\n"
		  "* LIST () \"/\" \"a b\"\r\n* LIST () \"/\" c\r\n@ OK\r\n" },
		{ "LSUB", "@ OK\r\n" },
		{ "LIST \"\" \"*\"",
		    "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"a b\"\r\n"
		    "* LIST () \"/\" \"\x01\"\r\n"
		    "* LIST () \"/\" fresh\r\n@ OK\r\n" },
		{ "STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)",
		    "* STATUS inbox (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 4)\r\n"
		    "@ OK\r\n" },
		{ "STATUS \"a b\"", "@ NO [NOPERM] no\r\n" },
		{ "STATUS \"c\"", "* STATUS c (MESSAGES 5 UIDNEXT 6 "
				  "UIDVALIDITY 7)\r\n@ OK\r\n" },
		END },
	    "INBOX|INBOX 0 0 0 0 -\nx|x 0 0 0 0 -\na b|a b 0 0 0 0 -\n"
	    "c|c 0 0 0 0 -\n",
	    "INBOX|INBOX 2 3 4 0 -\nc|c 5 6 7 0 -\n"
	    "fresh|fresh 0 0 0 0 -\n",
	    1 },
	{ "a name without a mailbox is not asked for",
	    "IMAP4rev1 LIST-EXTENDED", NULL,
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" INBOX\r\n"
		  "* LIST (\\NonExistent \\HasChildren) \"/\" a\r\n"
		  "* LIST () \"/\" a/b\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\"",
		    "* LIST () \"/\" INBOX\r\n"
		    "* LIST (\\HasChildren \\nonexistent) \"/\" a\r\n"
		    "* LIST () \"/\" a/b\r\n"
		    "* LIST (\\Subscribed \\NONEXISTENT) \"/\" c\r\n"
		    "@ OK\r\n" },
		{ "STATUS \"INBOX\" (",
		    "* STATUS INBOX (MESSAGES 2)\r\n@ OK\r\n" },
		{ "STATUS \"a/b\" (", "* STATUS a/b (MESSAGES 3)\r\n@ OK\r\n" },
		END },
	    "INBOX|INBOX 0 0 0 0 -\na|a 0 0 0 0 -\na/b|a/b 0 0 0 0 -\n",
	    "INBOX|INBOX 2 0 0 0 -\na/b|a/b 3 0 0 0 -\nc|c 0 0 0 0 -\n", 0 },
	{ "what can't be used is counted once, and what was created too",
	    "IMAP4rev1 LIST-EXTENDED", NULL,
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"b\x01\"\r\n"
		  "* LIST () \"/\"\r\n* LIST () \"/\" \"a\x01\"\r\n"
		  "@ OK\r\n" },
		{ "LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n"
				     "* LIST () \"/\" \"new\x01\"\r\n"
				     "* LIST (\\Marked) \"/\" \"a\x01\"\r\n"
				     "* LIST () \"/\"\r\n* LIST () ( oh\r\n"
				     "* LIST () \"/\" \"b\x01\"\r\n@ OK\r\n" },
		{ "STATUS \"INBOX\" (", "@ NO what\r\n" }, END },
	    "INBOX|INBOX 0 0 0 0 -\n", "", 5 },
	/* One wire form for the index, whatever the server speaks. */
	{ "UTF8=ACCEPT: names cross as UTF-8",
	    "IMAP4rev1 ENABLE UTF8=ACCEPT LIST-EXTENDED", "UTF8=ACCEPT",
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" \"Entw\xc3\xbcrfe & mehr\"\r\n"
		  "* LIST () \"/\" {3}\r\na\xffz\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\"", "@ OK\r\n" },
		{ "STATUS \"Entw\xc3\xbcrfe & mehr\" (",
		    "* STATUS \"Entw\xc3\xbcrfe & mehr\" (MESSAGES 9)\r\n"
		    "@ OK\r\n" },
		{ "STATUS \"a\xffz\" (", "@ NO what\r\n" },
		{ "STATUS \"INBOX\" (", "@ NO what\r\n" }, END },
	    "Entw&APw-rfe &- mehr|Entw\xc3\xbcrfe & mehr 0 0 0 0 -\n"
	    "a\xffz|a%FFz 0 0 0 0 -\nINBOX|INBOX 0 0 0 0 -\n",
	    "Entw&APw-rfe &- mehr|Entw\xc3\xbcrfe & mehr 9 0 0 0 -\n", 0 },
	{ "UTF8=ACCEPT offered and refused: as before",
	    "IMAP4rev1 ENABLE UTF8=ACCEPT LIST-EXTENDED", "QRESYNC",
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" \"Entw&APw-rfe\"\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\"",
		    "* LIST () \"/\" \"Entw&APw-rfe\"\r\n@ OK\r\n" },
		{ "STATUS \"Entw&APw-rfe\" (",
		    "* STATUS \"Entw&APw-rfe\" (MESSAGES 9)\r\n@ OK\r\n" },
		{ "STATUS \"INBOX\" (", "@ NO what\r\n" }, END },
	    "Entw&APw-rfe|Entw\xc3\xbcrfe 0 0 0 0 -\n"
	    "INBOX|INBOX 0 0 0 0 -\n",
	    "Entw&APw-rfe|Entw\xc3\xbcrfe 9 0 0 0 -\n", 0 },
	/* N08, N12, N13, N14: invalid UTF-7, patterns and odd first letters
	 * are names like others, and come back as they were told. */
	{ "odd names", "IMAP4rev1 LIST-EXTENDED", NULL,
	    { { "LIST \"\" \"*\"",
		  "* LIST () \".\" \"&AGE-x\"\r\n* LIST () \".\" "
		  "\"&2AA-\"\r\n* LIST () \".\" \"#news.*\"\r\n"
		  "* LIST () \".\" Inbox\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\"", "@ OK\r\n" },
		{ "STATUS \"&AGE-x\" (", "* STATUS \"&AGE-x\" (MESSAGES 1)\r\n"
					 "@ OK\r\n" },
		{ "STATUS \"&2AA-\" (",
		    "* STATUS \"&2AA-\" (MESSAGES 2)\r\n@ OK\r\n" },
		{ "STATUS \"#news.*\" (",
		    "* STATUS \"#news.*\" (MESSAGES 3)\r\n@ OK\r\n" },
		{ "STATUS \"INBOX\" (", "@ NO what\r\n" }, END },
	    "&AGE-x|&AGE-x 0 0 0 0 -\n&2AA-|&2AA- 0 0 0 0 -\n"
	    "#news.*|#news/* 0 0 0 0 -\nINBOX|INBOX 0 0 0 0 -\n",
	    "&AGE-x|&AGE-x 1 0 0 0 -\n&2AA-|&2AA- 2 0 0 0 -\n"
	    "#news.*|#news/* 3 0 0 0 -\n",
	    0 },
	/* N07: what looks the same stays two, whatever the order. */
	{ "two separators, one look", "IMAP4rev1 LIST-EXTENDED", NULL,
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" \"a/b\"\r\n* LIST () \".\" \"a.b\"\r\n"
		  "* LIST () \"/\" {2}\r\n\xffz\r\n* LIST () \"/\" "
		  "\"%FFz\"\r\n* LIST () \".\" INBOX\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\"", "@ OK\r\n" },
		{ "STATUS \"a/b\" (", "* STATUS \"a/b\" (MESSAGES 1)\r\n"
				      "@ OK\r\n" },
		{ "STATUS \"a.b\" (", "* STATUS \"a.b\" (MESSAGES 2)\r\n"
				      "@ OK\r\n" },
		{ "STATUS", "@ NO what\r\n" }, { "STATUS", "@ NO what\r\n" },
		{ "STATUS \"INBOX\" (", "@ NO what\r\n" }, END },
	    "a/b|a/b%~c14cddc033f64b9d 0 0 0 0 -\na.b|a/b 0 0 0 0 -\n"
	    "\xffz|%FFz%~d26402a445117960 0 0 0 0 -\n%FFz|%FFz 0 0 0 0 -\n"
	    "INBOX|INBOX 0 0 0 0 -\n",
	    "a/b|a/b%~c14cddc033f64b9d 1 0 0 0 -\na.b|a/b 2 0 0 0 -\n", 0 },
};

START_TEST(mailboxes_and_their_statuses_are_told_under_one_name)
{
	struct script script = { .steps = rows[_i].steps,
		.capabilities = rows[_i].capabilities,
		.enabled = rows[_i].enabled };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct buf listed = { 0 }, statuses = { 0 };
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->list(s.data, hear_status, &listed, &err));
	ck_assert_msg(s.ops->statuses(s.data, hear_status, &statuses, &err),
	    "%s: %s", rows[_i].name, err.text);
	ck_assert_msg(imap_source_unlisted(&s) == rows[_i].unlisted,
	    "%s: %llu left out", rows[_i].name,
	    (unsigned long long)imap_source_unlisted(&s));
	s.ops->close(&s.data, true);
	int code = script_end(&server);
	ck_assert_msg(code == 0, "%s: %d", rows[_i].name, code);
	ck_assert_str_eq(listed.data, rows[_i].listed);
	ck_assert_str_eq(
	    statuses.data == NULL ? "" : statuses.data, rows[_i].statuses);
	buf_free(&listed);
	buf_free(&statuses);
}
END_TEST

START_TEST(a_name_that_no_reader_would_take_is_left_out)
{
	enum { LIMIT = 16 << 10 };
	struct buf list = { 0 }, listed = { 0 };
	for (size_t len = LIMIT; len <= LIMIT + 1; len++) {
		buf_fmt(&list, "* LIST () \"/\" {%zu}\r\n", len);
		for (size_t i = 0; i < len; i++)
			buf_char(&list, '\xff');
		buf_str(&list, "\r\n");
	}
	buf_str(&list, "@ OK\r\n");
	struct script_step steps[] = { { "LIST \"\" \"*\"", list.data }, END };
	struct script script = { .steps = steps,
		.capabilities = "IMAP4rev1 LIST-EXTENDED" };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->list(s.data, hear_status, &listed, &err));
	ck_assert_uint_eq(imap_source_unlisted(&s), 1);
	ck_assert_uint_gt(listed.len, 4 * LIMIT);
	ck_assert_uint_lt(listed.len, 5 * LIMIT);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	buf_free(&listed);
	buf_free(&list);
}
END_TEST

/* --- gone? ------------------------------------------------------------- */

#define ASK(reply)                    \
	{                             \
		"STATUS \"a\"", reply \
	}
#define INBOX(reply)                      \
	{                                 \
		"STATUS \"INBOX\"", reply \
	}
#define FINE "* STATUS INBOX (MESSAGES 1)\r\n@ OK\r\n"

static const struct {
	struct script_step steps[4];
	bool known, gone;
	int code; /* of the error where it is not known */
} verdicts[] = {
	{ { ASK("* STATUS a (MESSAGES 1)\r\n@ OK\r\n"), END }, true, false, 0 },
	{ { ASK("@ OK\r\n"), END }, true, false, 0 },
	{ { ASK("@ NO [NONEXISTENT] none\r\n"), END }, true, true, 0 },
	{ { ASK("@ NO none\r\n"), INBOX(FINE), END }, true, true, 0 },
	{ { ASK("@ NO none\r\n"), INBOX("@ NO none\r\n"), END }, false, false,
	    ERR_REFUSED },
	{ { ASK("@ NO none\r\n"), INBOX("@ OK\r\n"), END }, false, false,
	    ERR_REFUSED },
	{ { ASK("@ NO none\r\n"), INBOX("* BYE\r\n"), END }, false, false,
	    ERR_NETWORK },
	{ { ASK("@ NO [UNAVAILABLE] x\r\n"), END }, false, false,
	    ERR_THROTTLE },
	{ { ASK("@ NO [INUSE] x\r\n"), END }, false, false, ERR_THROTTLE },
	{ { ASK("@ NO Request is throttled\r\n"), END }, false, false,
	    ERR_THROTTLE },
	{ { ASK("@ NO [SERVERBUG] x\r\n"), END }, false, false, ERR_REFUSED },
	{ { ASK("@ NO [NOPERM] x\r\n"), END }, false, false, ERR_REFUSED },
	{ { ASK("@ BAD [NONEXISTENT] x\r\n"), END }, false, false, ERR_GONE },
	{ { ASK("* BYE [UNAVAILABLE] x\r\n"), END }, false, false,
	    ERR_THROTTLE },
};

START_TEST(a_mailbox_is_gone_only_if_the_server_says_so)
{
	struct script script = { .steps = verdicts[_i].steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct err err;
	bool gone = true;
	ck_assert(imap_source_new(&s, &o, &err));
	bool known = s.ops->is_gone(s.data, "a", &gone, &err);
	ck_assert_int_eq(known, verdicts[_i].known);
	ck_assert_int_eq(gone, verdicts[_i].gone);
	if (!known)
		ck_assert_int_eq((int)err.code, verdicts[_i].code);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

START_TEST(there_is_always_an_inbox)
{
	static const struct script_step steps[] = { END };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct err err;
	bool gone = true;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->is_gone(s.data, "Inbox", &gone, &err));
	ck_assert(!gone);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

/* --- what is said after the login -------------------------------------- */

static const struct {
	const char *greeting, *capabilities;
	struct script_step steps[8];
} openings[] = {
	/* Capabilities of the greeting and of the login spare two questions,
	 * the first response one more; the rest is one flight. */
	{ "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n", NULL,
	    { { "AUTHENTICATE PLAIN AGFsaWNlAHBhc3Mgd29yZA==",
		  "1 OK [CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC ID "
		  "NAMESPACE UIDONLY] in\r\n" },
		{ "ID (", "" }, { "ENABLE QRESYNC", "" }, { "NAMESPACE", "" },
		{ "EXAMINE", "* BYE enough\r\n" }, END } },
	/* A greeting that tells no mechanism is not enough. */
	{ "* OK [CAPABILITY IMAP4rev1] ready\r\n",
	    "IMAP4rev1 AUTH=PLAIN ENABLE",
	    { { "CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n@ OK\r\n" },
		{ "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNl", "1 OK in\r\n" },
		{ "CAPABILITY", "* CAPABILITY IMAP4rev1\r\n@ OK\r\n" },
		{ "EXAMINE", "* BYE enough\r\n" }, END } },
};

/* The script answers nothing of the flight: a client that waited for one of
 * its answers would never come to say EXAMINE, to which the answer is BYE. */
START_TEST(what_is_said_after_the_login_is_one_flight)
{
	struct script script = { .greeting = openings[_i].greeting,
		.capabilities = openings[_i].capabilities,
		.steps = openings[_i].steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct err err;
	ck_assert_msg(
	    imap_source_new(&s, &o, &err), "%s (%s)", err.text, err.words);
	ck_assert(!s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	ck_assert_int_eq(err.code, ERR_NETWORK);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

/* --- COMPRESS ---------------------------------------------------------- */

#define OFFERED "IMAP4rev1 LIST-EXTENDED COMPRESS=DEFLATE"
#define LISTED                                                   \
	{                                                        \
		"LIST", "* LIST () \"/\" INBOX\r\n@ OK done\r\n" \
	}

static const struct {
	enum imap_compress how;
	const char *capabilities;
	struct script_step steps[4];
} asked[] = {
	/* This machine is not far enough, and who does not offer is not asked:
	 * the script does not expect it. */
	{ IMAP_COMPRESS_AUTO, OFFERED, { LISTED, END } },
	{ IMAP_COMPRESS_NEVER, OFFERED, { LISTED, END } },
	{ IMAP_COMPRESS_ALWAYS, "IMAP4rev1 LIST-EXTENDED COMPRESS=GZIP",
	    { LISTED, END } },
	/* Refused: all goes on in clear. */
	{ IMAP_COMPRESS_ALWAYS, OFFERED,
	    { { "COMPRESS DEFLATE", "@ NO [COMPRESSIONACTIVE] by TLS\r\n" },
		LISTED, END } },
	{ IMAP_COMPRESS_ALWAYS, OFFERED,
	    { { "COMPRESS DEFLATE", "* OK hm\r\n@ BAD what\r\n" }, LISTED,
		END } },
};

START_TEST(compression_is_asked_for_where_it_helps_and_may_be_refused)
{
	struct script script = { .capabilities = asked[_i].capabilities,
		.steps = asked[_i].steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct buf heard = { 0 };
	struct err err;
	o.compress = asked[_i].how;
	ck_assert_msg(
	    imap_source_new(&s, &o, &err), "%s (%s)", err.text, err.words);
	ck_assert(!imap_source_facts(&s)->compressed);
	ck_assert(s.ops->list(s.data, hear_status, &heard, &err));
	ck_assert_str_eq(heard.data, "INBOX|INBOX 0 0 0 0 -\n");
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	buf_free(&heard);
}
END_TEST

/* Nothing may be sent behind COMPRESS until it is answered (RFC 4978, 3); the
 * script says BYE instead. */
START_TEST(a_goodbye_instead_of_an_answer_to_compress_is_told)
{
	static const struct script_step steps[] = {
		{ "COMPRESS DEFLATE", "* BYE going down\r\n" }, END
	};
	struct script script = { .capabilities = OFFERED, .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct err err = { 0 };
	o.compress = IMAP_COMPRESS_ALWAYS;
	ck_assert(!imap_source_new(&s, &o, &err));
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert(err.transient);
	ck_assert_ptr_nonnull(strstr(err.words, "going down"));
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

Suite *
suite_imap_list(void)
{
	Suite *s = suite_create("imap list");
	TCase *t = tcase_create("list");
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t,
	    mailboxes_and_their_statuses_are_told_under_one_name, 0,
	    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, a_name_that_no_reader_would_take_is_left_out);
	tcase_add_loop_test(t, a_mailbox_is_gone_only_if_the_server_says_so, 0,
	    sizeof(verdicts) / sizeof(verdicts[0]));
	tcase_add_test(t, there_is_always_an_inbox);
	tcase_add_loop_test(t, what_is_said_after_the_login_is_one_flight, 0,
	    sizeof(openings) / sizeof(openings[0]));
	tcase_add_loop_test(t,
	    compression_is_asked_for_where_it_helps_and_may_be_refused, 0,
	    sizeof(asked) / sizeof(asked[0]));
	tcase_add_test(t, a_goodbye_instead_of_an_answer_to_compress_is_told);

	return s;
}
