/* APPEND: what goes over the wire, octet by octet, and what a target's replies
 * are taken for. */
#include "../lib/append_script.h"
#include "base/buf.h"
#include "base/clock.h"
#include "imap/imap.h"
#include "mail/datetime.h"
#include "mail/flags.h"

Suite *suite_imap_append(void);

static struct secret secret = {
	.data = (char *)"pass word", .len = 9, .origin = "a test"
};

#define END                \
	{                  \
		NULL, NULL \
	}
#define ALL "IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+"
#define HEAD "APPEND \"INBOX\" "
#define DATE "\"01-Feb-2020 02:04:05 +0100\" "
#define ASKED "+ go\r\n"

enum { MAILS_MAX = 300 };

struct mail {
	const char *text; /* \1: NUL */
	uint8_t flags;
	const char *const *keywords;
	uint32_t keyword_count;
	bool dateless, careful;
};

struct talk {
	struct append_play play;
	struct append_server server;
	struct imap_target_options options;
	struct target target;
	struct content *contents[MAILS_MAX];
	struct placement placements[MAILS_MAX];
	size_t delivered;
	struct receipt receipts[MAILS_MAX]; /* by ticket */
	unsigned given[MAILS_MAX];
	struct err err;
};

/* ---- a talk ---- */

static void
start(struct talk *t, const struct append_step *steps)
{
	static const struct source_mailbox inbox = {
		.name = "INBOX", .display = "INBOX", .separator = '/'
	};
	struct target_box box;
	t->play.steps = steps;
	if (t->play.capabilities == NULL)
		t->play.capabilities = ALL;
	t->server = append_start(&t->play);
	t->options.imap = (struct imap_options){ .wire = { .side = "TARGET",
						     .host = "127.0.0.1",
						     .port = t->server.port,
						     .tls = WIRE_TLS_NONE,
						     .timeout_ms = 10000 },
		.user = "alice",
		.secret = &secret };
	ck_assert_msg(imap_target_new(&t->target, &t->options, &t->err), "%s",
	    t->err.text);
	ck_assert_msg(t->target.ops->plan(t->target.data, &inbox, 1, &t->err),
	    "%s", t->err.text);
	ck_assert_msg(t->target.ops->open(
			  t->target.data, "alice", &inbox, 1, &box, &t->err),
	    "%s", t->err.text);
}

static struct content *
content_of(const char *text)
{
	struct content *c = content_new("/tmp", strlen(text));
	struct err err;
	for (; *text != 0; text++) {
		char octet = *text == 1 ? 0 : *text;
		ck_assert(content_add(c, &octet, 1, &err));
	}
	content_finish(c);

	return c;
}

/* Tickets are numbers from 0. */
static bool
send_mails(struct talk *t, const struct mail *mails, size_t n)
{
	struct item items[MAILS_MAX];
	for (size_t i = 0; i < n; i++) {
		size_t ticket = t->delivered++;
		struct placement *p = &t->placements[ticket];
		ck_assert_uint_lt(ticket, MAILS_MAX);
		t->contents[ticket] = content_of(mails[i].text);
		*p = (struct placement){ .okey = ticket + 1,
			.flags = mails[i].flags,
			.keywords = mails[i].keywords,
			.keyword_count = mails[i].keyword_count,
			.idate = mails[i].dateless ? DATETIME_NONE : 1580519045,
			.zone = 60 };
		items[i] = (struct item){ .ticket = ticket,
			.placement = p,
			.content = t->contents[ticket],
			.careful = mails[i].careful };
	}

	return t->target.ops->deliver(t->target.data, items, n, NULL, &t->err);
}

static void
take_receipts(struct talk *t)
{
	struct receipt got[8];
	struct progress progress;
	for (size_t n = 8; n > 0;) {
		n = 8;
		ck_assert(t->target.ops->collect(
		    t->target.data, false, got, &n, &progress, &t->err));
		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_lt(got[i].ticket, t->delivered);
			ck_assert_uint_eq(t->given[got[i].ticket]++, 0);
			t->receipts[got[i].ticket] = got[i];
		}
	}
}

static bool
land(struct talk *t)
{
	bool ok = t->target.ops->flush(t->target.data, &t->err);
	take_receipts(t);

	return ok;
}

static void
deliver(struct talk *t, const struct mail *mails, size_t n)
{
	ck_assert_msg(send_mails(t, mails, n), "%s", t->err.text);
}

static void
land_all(struct talk *t)
{
	ck_assert_msg(land(t), "%s", t->err.text);
	for (size_t i = 0; i < t->delivered; i++)
		ck_assert_uint_eq(t->given[i], 1);
}

/* Now or when it is waited for. */
static void
fails(struct talk *t, const struct mail *mails, size_t n, enum err_code code)
{
	ck_assert(!send_mails(t, mails, n) || !land(t));
	ck_assert_int_eq(t->err.code, code);
	take_receipts(t);
}

/* Nothing can be sent any more. */
static void
is_over(struct talk *t)
{
	static const struct mail mail = { .text = "late" };
	t->err.code = ERR_OTHER;
	ck_assert(!send_mails(t, &mail, 1));
	ck_assert(t->err.transient);
	ck_assert_uint_eq(t->given[t->delivered - 1], 0);
}

static void
kept(const struct talk *t, size_t ticket, uint64_t uid)
{
	ck_assert_uint_eq(t->given[ticket], 1);
	ck_assert_int_eq(t->receipts[ticket].kind, RECEIPT_KEPT);
	ck_assert_uint_eq(t->receipts[ticket].uid, uid);
	ck_assert_uint_eq(t->receipts[ticket].uidvalidity, 7);
}

static void
refused(
    const struct talk *t, size_t ticket, enum err_code code, const char *words)
{
	ck_assert_uint_eq(t->given[ticket], 1);
	ck_assert_int_eq(t->receipts[ticket].kind, RECEIPT_REFUSED);
	ck_assert_int_eq(t->receipts[ticket].why.code, code);
	ck_assert_int_eq(t->receipts[ticket].why.scope, ERR_MESSAGE);
	ck_assert_msg(strstr(t->receipts[ticket].why.words, words) != NULL,
	    "%s", t->receipts[ticket].why.words);
}

static void
stop(struct talk *t)
{
	t->target.ops->close(&t->target.data, true);
	for (size_t i = 0; i < t->delivered; i++)
		content_free(&t->contents[i]);
	ck_assert_int_eq(append_end(&t->server), 0);
}

/* ---- what goes over the wire ---- */

static const struct mail plain[] = { { .text = "one" }, { .text = "two\r\n" },
	{ .text = "\1\nx\r\n." }, { .text = "four" } };

START_TEST(mails_go_as_one_command_behind_the_first_of_their_flags)
{
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{3}\r\n", ASKED },
		{ "one\r\n@b " HEAD "() " DATE "{5+}\r\ntwo\r\n () " DATE
		  "{6+}\r\n\1\nx\r\n. () " DATE "{4+}\r\nfour\r\n",
		    "@a OK [APPENDUID 7 10] a\r\n"
		    "@b OK [APPENDUID 7 11:13] b\r\n" },
		END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, plain, 4);
	land_all(&t);
	for (size_t i = 0; i < 4; i++)
		kept(&t, i, 10 + i);
	ck_assert_uint_eq(t.target.ops->base(t.target.data), 14);
	stop(&t);
}
END_TEST

START_TEST(each_list_of_flags_waits_for_plus_once)
{
	static const char *const words[] = { "$Forwarded", "b" };
	static const struct mail mails[] = { { .text = "A",
						 .flags = MAIL_SEEN },
		{ .text = "B", .flags = MAIL_SEEN | MAIL_FLAGGED },
		{ .text = "C", .keywords = words, .keyword_count = 1 },
		{ .text = "D", .keywords = words, .keyword_count = 2 },
		{ .text = "E", .flags = MAIL_SEEN },
		{ .text = "F", .keywords = words, .keyword_count = 1 } };
	static const struct append_step steps[] = {
		{ "@a " HEAD "(\\Seen) " DATE "{1}\r\n", ASKED },
		{ "A\r\n@b " HEAD "(\\Flagged \\Seen) " DATE "{1}\r\n",
		    "@a OK\r\n" ASKED },
		{ "B\r\n@c " HEAD "($Forwarded) " DATE "{1}\r\n",
		    "@b OK\r\n" ASKED },
		{ "C\r\n@d " HEAD "($Forwarded b) " DATE "{1}\r\n",
		    "@c OK\r\n" ASKED },
		{ "D\r\n@e " HEAD "(\\Seen) " DATE
		  "{1+}\r\nE ($Forwarded) " DATE "{1+}\r\nF\r\n",
		    "@d OK\r\n@e OK\r\n" },
		END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, mails, 6);
	land_all(&t);
	stop(&t);
}
END_TEST

START_TEST(flags_that_a_grammar_does_not_know_stay_behind)
{
	static const char *const words[] = { "\\Recent", "foo(bar)",
		"gr\xc3\xbcn", "", "a b", "$Ok", "x\"y", "l\\b", "a]b", "{3}",
		"p%", "s*", "\\Bogus", "o(", "c)", "NonJunk" };
	static const struct mail mail = { .text = "A",
		.flags = 0xE0 | MAIL_ANSWERED | MAIL_DELETED | MAIL_DRAFT,
		.keywords = words,
		.keyword_count = sizeof(words) / sizeof(words[0]) };
	static const struct append_step steps[] = {
		{ "@a " HEAD "(\\Answered \\Deleted \\Draft $Ok NonJunk) " DATE
		  "{1}\r\n",
		    ASKED },
		{ "A\r\n", "@a OK [APPENDUID 7 10]\r\n" }, END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, &mail, 1);
	land_all(&t);
	kept(&t, 0, 10);
	stop(&t);
}
END_TEST

START_TEST(a_mail_without_a_date_is_sent_without_one)
{
	static const struct mail mail = { .text = "A", .dateless = true };
	static const struct append_step steps[] = { { "@a " HEAD "() {1}\r\n",
							ASKED },
		{ "A\r\n", "@a OK\r\n" }, END };
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, &mail, 1);
	land_all(&t);
	kept(&t, 0, 0);
	stop(&t);
}
END_TEST

START_TEST(literal_minus_goes_up_to_4096_octets)
{
	static char small[4097], large[4098];
	struct buf first = { 0 }, second = { 0 };
	memset(small, 's', 4096);
	memset(large, 'l', 4097);
	buf_fmt(&first, "A\r\n@b " HEAD "() " DATE "{4096+}\r\n%s\r\n", small);
	buf_str(&first, "@d " HEAD "() " DATE "{1+}\r\nA\r\n");
	buf_fmt(&second, "%s\r\n", large);
	const struct append_step steps[] = { { "@a " HEAD "() " DATE "{1}\r\n",
						 ASKED },
		{ first.data, "@a OK\r\n@b OK\r\n@d OK\r\n" },
		{ "@c " HEAD "() " DATE "{4097}\r\n", ASKED },
		{ second.data, "@c OK\r\n" }, END };
	static const char *const offers[] = { "IMAP4rev1 MULTIAPPEND LITERAL-",
		"IMAP4rev2 MULTIAPPEND" };
	const struct mail mails[] = { { .text = "A" }, { .text = small },
		{ .text = "A" }, { .text = large } };
	struct talk t = { .play = { .capabilities = offers[_i] } };
	start(&t, steps);
	deliver(&t, mails, 4);
	land_all(&t);
	stop(&t);
	buf_free(&first);
	buf_free(&second);
}
END_TEST

START_TEST(without_an_offer_each_literal_is_waited_for)
{
	/* The next head goes with the octets: one round trip a message. */
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{3}\r\n", ASKED },
		{ "one\r\n@b " HEAD "() " DATE "{5}\r\n", "@a OK\r\n" ASKED },
		{ "two\r\n\r\n@c " HEAD "() " DATE "{6}\r\n",
		    "@b OK\r\n" ASKED },
		{ "\1\nx\r\n.\r\n", "@c OK\r\n" }, END
	};
	struct talk t = { .play = { .capabilities = "IMAP4rev1 MULTIAPPEND" } };
	start(&t, steps);
	deliver(&t, plain, 3);
	land_all(&t);
	stop(&t);
}
END_TEST

START_TEST(more_than_appendlimit_is_not_sent)
{
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{3}\r\n", ASKED },
		{ "one\r\n@b " HEAD "() " DATE "{4+}\r\nfour\r\n",
		    "@a OK [APPENDUID 7 10]\r\n@b OK [APPENDUID 7 11]\r\n" },
		END
	};
	struct talk t = { .play = { .capabilities = ALL " APPENDLIMIT=4" } };
	start(&t, steps);
	deliver(&t, plain, 4);
	land_all(&t);
	kept(&t, 0, 10);
	refused(&t, 1, ERR_TOO_BIG, "");
	refused(&t, 2, ERR_TOO_BIG, "");
	kept(&t, 3, 11);
	stop(&t);
}
END_TEST

START_TEST(a_careful_one_goes_alone_and_is_waited_for)
{
	static const struct mail mails[] = { { .text = "A" }, { .text = "B" },
		{ .text = "C", .careful = true }, { .text = "D" },
		{ .text = "E" } };
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "A\r\n@b " HEAD "() " DATE "{1+}\r\nB\r\n",
		    "@a OK\r\n@b OK\r\n" },
		{ "@c " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "C\r\n@d " HEAD "() " DATE "{1+}\r\nD () " DATE
		  "{1+}\r\nE\r\n",
		    "@c OK\r\n@d OK\r\n" },
		END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, mails, 5);
	land_all(&t);
	stop(&t);
}
END_TEST

START_TEST(a_command_holds_a_hundred_mails)
{
	struct mail mails[203];
	struct buf first = { 0 }, second = { 0 };
	for (size_t i = 0; i < 203; i++)
		mails[i] = (struct mail){ .text = "A" };
	buf_str(&first, "A\r\n@b APPEND \"INBOX\"");
	for (size_t i = 0; i < 100; i++)
		buf_str(&first, " () " DATE "{1+}\r\nA");
	buf_str(&first, "\r\n@c APPEND \"INBOX\"");
	for (size_t i = 0; i < 100; i++)
		buf_str(&first, " () " DATE "{1+}\r\nA");
	buf_str(&first,
	    "\r\n@d " HEAD "() " DATE "{1+}\r\nA () " DATE "{1+}\r\nA\r\n");
	const struct append_step steps[] = { { "@a " HEAD "() " DATE "{1}\r\n",
						 ASKED },
		{ first.data,
		    "@a OK [APPENDUID 7 10]\r\n@b OK [APPENDUID 7 11:110]\r\n"
		    "@c OK [APPENDUID 7 111:210]\r\n"
		    "@d OK [APPENDUID 7 211:212]\r\n" },
		END };
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, mails, 203);
	land_all(&t);
	for (size_t i = 0; i < 203; i++)
		kept(&t, i, 10 + i);
	stop(&t);
	buf_free(&first);
	buf_free(&second);
}
END_TEST

/* ---- mail that is made of commands ---- */

#define EVIL "Subject: x\r\n\r\nx1 CREATE INJECTED\r\nx2 LOGOUT\r\n"

START_TEST(after_a_bad_nothing_more_is_sent)
{
	static const struct mail evil[] = { { .text = EVIL },
		{ .text = EVIL } };
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{45}\r\n", "@a BAD what?\r\n" }, END
	};
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	fails(&t, evil, 2, ERR_PROTOCOL);
	ck_assert(t.err.transient);
	ck_assert_str_eq(t.err.words, "BAD what?");
	ck_assert_int_eq(t.given[0] + t.given[1], 0);
	is_over(&t);
	stop(&t);
}
END_TEST

START_TEST(a_bad_for_a_literal_that_was_sent_ends_the_connection)
{
	static const struct mail mails[] = { { .text = "A" }, { .text = EVIL },
		{ .text = EVIL } };
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "A\r\n@b " HEAD "() " DATE "{45+}\r\n" EVIL " () " DATE
		  "{45+}\r\n" EVIL "\r\n",
		    "@a OK [APPENDUID 7 10]\r\n@b BAD Too bad\r\n"
		    "x1 OK created\r\n" },
		END
	};
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	fails(&t, mails, 3, ERR_PROTOCOL);
	kept(&t, 0, 10);
	ck_assert_int_eq(t.given[1] + t.given[2], 0);
	is_over(&t);
	stop(&t);
}
END_TEST

START_TEST(the_reply_to_a_command_out_of_a_mail_ends_the_connection)
{
	static const struct mail evil = { .text = EVIL };
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{45}\r\n", ASKED },
		{ EVIL "\r\n", "x1 OK created\r\n@a OK [APPENDUID 7 10]\r\n" },
		END
	};
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	fails(&t, &evil, 1, ERR_PROTOCOL);
	ck_assert_int_eq(t.given[0], 0);
	is_over(&t);
	stop(&t);
}
END_TEST

START_TEST(a_bad_to_a_careful_one_is_its_own)
{
	static const struct mail mail = { .text = EVIL, .careful = true };
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{45}\r\n", "@a BAD no\r\n" }, END
	};
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	fails(&t, &mail, 1, ERR_PROTOCOL);
	refused(&t, 0, ERR_REFUSED, "BAD no");
	stop(&t);
}
END_TEST

/* ---- refusals ---- */

static const struct mail letters[] = { { .text = "A" }, { .text = "B" },
	{ .text = "C" }, { .text = "D" } };

#define FIRST                                          \
	{                                              \
		"@a " HEAD "() " DATE "{1}\r\n", ASKED \
	}
#define SINGLE(tag, letter) "@" tag " " HEAD "() " DATE "{1+}\r\n" letter "\r\n"
#define THREE                                                                \
	"A\r\n@b " HEAD "() " DATE "{1+}\r\nB () " DATE "{1+}\r\nC () " DATE \
	"{1+}\r\nD\r\n"

START_TEST(of_a_refused_multiappend_only_the_bad_one_is_refused)
{
	static const struct append_step steps[] = { FIRST,
		{ THREE, "@a OK [APPENDUID 7 10]\r\n@b NO one is bad\r\n" },
		{ SINGLE("c", "B") SINGLE("d", "C") SINGLE("e", "D"),
		    "@c OK [APPENDUID 7 11]\r\n@d NO virus in it\r\n"
		    "@e OK [APPENDUID 7 12]\r\n" },
		END };
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, letters, 4);
	land_all(&t);
	kept(&t, 0, 10);
	kept(&t, 1, 11);
	refused(&t, 2, ERR_REFUSED, "virus in it");
	kept(&t, 3, 12);
	stop(&t);
}
END_TEST

START_TEST(what_is_refused_before_plus_is_not_sent)
{
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n", "@a NO [TOOBIG] no\r\n" },
		{ "@b " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "B\r\n", "@b OK\r\n" }, END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, letters, 2);
	land_all(&t);
	refused(&t, 0, ERR_TOO_BIG, "no");
	kept(&t, 1, 0);
	stop(&t);
}
END_TEST

static const struct {
	const char *reply;
	enum err_code code;
	enum err_scope scope;
} refusals[] = {
	{ "NO [TOOBIG] too big", ERR_TOO_BIG, ERR_MESSAGE },
	{ "NO [LIMIT] of size", ERR_TOO_BIG, ERR_MESSAGE },
	{ "NO not RFC 5322", ERR_REFUSED, ERR_MESSAGE },
	{ "NO [OVERQUOTA] full", ERR_QUOTA, ERR_ACCOUNT },
	{ "NO Quota exceeded", ERR_QUOTA, ERR_ACCOUNT },
	{ "NO [TRYCREATE] gone", ERR_GONE, ERR_MESSAGE },
	{ "NO [NONEXISTENT] gone", ERR_GONE, ERR_MESSAGE },
};

START_TEST(a_refusal_is_what_the_server_says)
{
	char reply[64];
	snprintf(reply, sizeof(reply), "@a %s\r\n", refusals[_i].reply);
	const struct append_step steps[] = { FIRST, { "A\r\n", reply }, END };
	struct talk t = { 0 };
	start(&t, steps);
	if (refusals[_i].scope == ERR_MESSAGE) {
		deliver(&t, letters, 1);
		land_all(&t);
		refused(&t, 0, refusals[_i].code, refusals[_i].reply + 3);
	} else {
		fails(&t, letters, 1, refusals[_i].code);
		ck_assert_int_eq(t.err.scope, refusals[_i].scope);
		ck_assert_str_eq(t.err.words, refusals[_i].reply);
		ck_assert_int_eq(t.given[0], 0);
	}
	stop(&t);
}
END_TEST

static const struct {
	const char *words;
	int64_t least, most; /* ms */
} throttles[] = {
	{ "NO [UNAVAILABLE] later", 55000, 61000 },
	{ "NO [THROTTLED] later", 55000, 61000 },
	{ "NO [INUSE] later", 55000, 61000 },
	{ "NO Request is throttled. Suggested Backoff Time: 7000 "
	  "milliseconds",
	    2000, 7500 },
};

START_TEST(a_throttle_is_told_and_then_all_is_sent_again)
{
	char reply[160];
	snprintf(reply, sizeof(reply), "@a OK [APPENDUID 7 10]\r\n@b %s\r\n",
	    throttles[_i].words);
	const struct append_step steps[] = { FIRST, { THREE, reply },
		{ "@c " HEAD "() " DATE "{1+}\r\nB () " DATE
		  "{1+}\r\nC () " DATE "{1+}\r\nD\r\n",
		    "@c OK [APPENDUID 7 11:13]\r\n" },
		END };
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, letters, 4);
	ck_assert(!land(&t));
	int64_t pause = t.err.until - clock_unix_ms();
	ck_assert_int_eq(t.err.code, ERR_THROTTLE);
	ck_assert(t.err.transient);
	ck_assert_int_ge(pause, throttles[_i].least);
	ck_assert_int_le(pause, throttles[_i].most);
	kept(&t, 0, 10);
	ck_assert_int_eq(t.given[1] + t.given[2] + t.given[3], 0);
	land_all(&t);
	for (size_t i = 0; i < 4; i++)
		kept(&t, i, 10 + i);
	stop(&t);
}
END_TEST

START_TEST(a_throttle_before_plus_is_told_by_collect)
{
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n", "@a NO [THROTTLED] x\r\n" },
		{ "@b " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "A\r\n", "@b OK [APPENDUID 7 10]\r\n" }, END
	};
	struct receipt got[4];
	struct progress progress;
	size_t n = 4;
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, letters, 1);
	ck_assert(!t.target.ops->collect(
	    t.target.data, true, got, &n, &progress, &t.err));
	ck_assert_int_eq(t.err.code, ERR_THROTTLE);
	land_all(&t);
	kept(&t, 0, 10);
	stop(&t);
}
END_TEST

/* It would arrive in the other one. */
START_TEST(what_was_put_off_is_not_sent_into_another_mailbox)
{
	static const struct source_mailbox inbox = { .name = "INBOX",
		.display = "INBOX" };
	static const struct append_step steps[] = { FIRST,
		{ "A\r\n", "@a NO [THROTTLED] later\r\n" },
		{ "@b SELECT \"INBOX\"\r\n",
		    "* OK [UIDVALIDITY 7]\r\n@b OK\r\n" },
		{ SINGLE("c", "A"), "@c OK [APPENDUID 7 1]\r\n" }, END };
	struct target_box box;
	struct talk t = { 0 };
	start(&t, steps);
	fails(&t, letters, 1, ERR_THROTTLE);
	ck_assert(t.target.ops->open(
	    t.target.data, "alice", &inbox, 1, &box, &t.err));
	deliver(&t, letters, 1);
	ck_assert(land(&t));
	ck_assert_uint_eq(t.given[0], 0);
	kept(&t, 1, 1);
	stop(&t);
}
END_TEST

/* What is sent next would be taken for the octets that were announced. */
START_TEST(a_failure_while_plus_is_awaited_ends_the_connection)
{
	static const char *const replies[] = {
		"@a NO [OVERQUOTA] full\r\n" ASKED "@b OK\r\n",
		"@a NO Quota exceeded\r\n" ASKED "@b OK\r\n"
	};
	static const struct mail mails[] = { { .text = "A" },
		{ .text = "B", .flags = MAIL_SEEN } };
	const struct append_step steps[] = { FIRST,
		{ "A\r\n@b " HEAD "(\\Seen) " DATE "{1}\r\n", replies[_i] },
		END };
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	ck_assert(!send_mails(&t, mails, 2));
	ck_assert_int_eq(t.err.code, ERR_QUOTA);
	is_over(&t);
	/* Of other mailboxes nothing was said. */
	ck_assert_int_eq(t.err.code, ERR_NETWORK);
	ck_assert_int_eq(t.err.scope, ERR_ACCOUNT);
	stop(&t);
}
END_TEST

START_TEST(an_ok_to_octets_that_were_not_sent_is_none)
{
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n",
		    "@a OK [APPENDUID 7 10]\r\n" },
		END
	};
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	fails(&t, letters, 1, ERR_PROTOCOL);
	ck_assert_int_eq(t.given[0], 0);
	stop(&t);
}
END_TEST

/* ---- receipts ---- */

static const struct {
	const char *code;
	uint64_t uids[3];
} appenduids[] = {
	{ " [APPENDUID 7 11:13] done", { 11, 12, 13 } },
	{ " [appenduid 7 11,15,4294967295] done", { 11, 15, UINT32_MAX } },
	{ " [APPENDUID 7 11,20:21]", { 11, 20, 21 } },
	{ "", { 0, 0, 0 } },
	{ " [APPENDUID 8 11:13] other", { 0, 0, 0 } },
	{ " [APPENDUID 7 11:12] too few", { 0, 0, 0 } },
	{ " [APPENDUID 7 11:14] too many", { 0, 0, 0 } },
	{ " [APPENDUID 7 13,12,11] descending", { 0, 0, 0 } },
	{ " [APPENDUID 7 13:11] descending", { 0, 0, 0 } },
	{ " [APPENDUID 7 11:12,12] twice", { 0, 0, 0 } },
	{ " [APPENDUID 7 0:2] zero", { 0, 0, 0 } },
	{ " [APPENDUID 7 11:12,4294967296]", { 0, 0, 0 } },
	{ " [APPENDUID 7 11,x,12:13] garbage", { 0, 0, 0 } },
	{ " [APPENDUID 7 11:13 14] more", { 0, 0, 0 } },
	{ " [APPENDUID 7 5:7] below UIDNEXT", { 0, 0, 0 } },
	{ " [APPENDUID 7 10:12] told before", { 0, 0, 0 } },
	{ " [APPENDUID 7]", { 0, 0, 0 } },
	{ " [APPENDUID]", { 0, 0, 0 } },
	{ " [APPENDUID 7 ]", { 0, 0, 0 } },
	{ " [COPYUID 7 11:13 11:13]", { 0, 0, 0 } },
};

START_TEST(a_receipt_tells_what_adds_up_and_nothing_else)
{
	char replies[160];
	snprintf(replies, sizeof(replies),
	    "@a OK [APPENDUID 7 10]\r\n@b OK%s\r\n", appenduids[_i].code);
	const struct append_step steps[] = { FIRST, { THREE, replies }, END };
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, letters, 4);
	land_all(&t);
	kept(&t, 0, 10);
	for (size_t i = 0; i < 3; i++)
		kept(&t, 1 + i, appenduids[_i].uids[i]);
	uint64_t last = appenduids[_i].uids[2];
	ck_assert_uint_eq(
	    t.target.ops->base(t.target.data), last != 0 ? last + 1 : 11);
	stop(&t);
}
END_TEST

/* ---- connections that end ---- */

static const struct {
	struct append_step steps[4];
	unsigned kept;
	bool bye;
} ends[] = {
	{ { FIRST, { "A\r\n@b " HEAD "() " DATE "{1+}\r\nB () ", "!" } }, 0,
	    false },
	{ { FIRST, { THREE, "!" } }, 0, false },
	{ { FIRST, { THREE, "@a OK [APPENDUID 7 10]\r\n!" } }, 1, false },
	{ { FIRST, { THREE, "@a OK [APPENDUID 7 10]\r\n@b OK [APPEND!" } }, 1,
	    false },
	{ { FIRST,
	      { THREE, "@a OK [APPENDUID 7 10]\r\n* BYE restarting\r\n!" } },
	    1, true },
	{ { { "@a " HEAD "() " DATE "{1}\r\n", "* BYE too long\r\n!" } }, 0,
	    true },
	{ { { "@a " HEAD "() " DATE "{1}", "!" } }, 0, false },
};

START_TEST(a_connection_that_ends_is_a_receipt_for_nothing)
{
	struct talk t = { 0 };
	start(&t, ends[_i].steps);
	fails(&t, letters, 4, ERR_NETWORK);
	ck_assert_int_eq(t.err.scope, ERR_ACCOUNT);
	ck_assert(t.err.transient);
	if (ends[_i].bye)
		ck_assert(strstr(t.err.words, "BYE") != NULL);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(t.given[i], i < ends[_i].kept);
	is_over(&t);
	stop(&t);
}
END_TEST

/* ---- noise ---- */

START_TEST(lines_between_replies_are_passed_over)
{
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n",
		    "* 1 EXISTS\r\n* 1 FETCH (UID 3 FLAGS "
		    "(\\Seen))\r\n" ASKED },
		{ THREE, "* 2 EXISTS\r\n* 1 EXPUNGE\r\n* garbage (((\r\n"
			 "* OK [APPENDUID 7 99] no tag\r\n"
			 "@a OK [APPENDUID 7 10]\r\n"
			 "* 9 FETCH (BODY[] {5}\r\n@a OK)\r\n\r\n"
			 "* NO [ALERT] nearly full\r\n"
			 "@b OK [APPENDUID 7 11:13]\r\n" },
		END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, letters, 4);
	land_all(&t);
	for (size_t i = 0; i < 4; i++)
		kept(&t, i, 10 + i);
	stop(&t);
}
END_TEST

/* Some ask for what was sent unasked; then none is left for the next. */
START_TEST(a_plus_for_an_earlier_literal_asks_for_no_other)
{
	static const struct mail mails[] = { { .text = "A" }, { .text = "B" },
		{ .text = EVIL, .flags = MAIL_SEEN } };
	static const struct append_step steps[] = { FIRST,
		{ "A\r\n@b " HEAD "() " DATE "{1+}\r\nB\r\n",
		    ASKED "@a OK\r\n" ASKED "@b OK\r\n" },
		{ "@c " HEAD "(\\Seen) " DATE "{45}\r\n", "@c NO never\r\n" },
		END };
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, mails, 3);
	land_all(&t);
	kept(&t, 1, 0);
	refused(&t, 2, ERR_REFUSED, "never");
	stop(&t);
}
END_TEST

START_TEST(replies_may_come_in_another_order)
{
	static const struct mail mails[] = { { .text = "A" }, { .text = "B" },
		{ .text = "C", .careful = true } };
	static const struct append_step steps[] = {
		{ "@a " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "A\r\n@b " HEAD "() " DATE "{1+}\r\nB\r\n",
		    "@b OK [APPENDUID 7 10]\r\n@a OK [APPENDUID 7 11]\r\n" },
		{ "@c " HEAD "() " DATE "{1}\r\n", ASKED },
		{ "C\r\n", "@c OK [APPENDUID 7 12]\r\n" }, END
	};
	struct talk t = { 0 };
	start(&t, steps);
	deliver(&t, mails, 3);
	land_all(&t);
	kept(&t, 0, 11);
	kept(&t, 1, 10);
	kept(&t, 2, 12);
	stop(&t);
}
END_TEST

START_TEST(a_command_that_is_answered_twice_ends_the_connection)
{
	static const struct append_step steps[] = { FIRST,
		{ THREE,
		    "@a OK [APPENDUID 7 10]\r\n@a OK [APPENDUID 7 11]\r\n" },
		END };
	struct talk t = { .play = { .silent = true } };
	start(&t, steps);
	fails(&t, letters, 4, ERR_PROTOCOL);
	kept(&t, 0, 10);
	stop(&t);
}
END_TEST

Suite *
suite_imap_append(void)
{
	Suite *s = suite_create("imap append");
	TCase *t = tcase_create("imap append");
	tcase_set_timeout(t, 30);
	tcase_add_test(
	    t, mails_go_as_one_command_behind_the_first_of_their_flags);
	tcase_add_test(t, each_list_of_flags_waits_for_plus_once);
	tcase_add_test(t, flags_that_a_grammar_does_not_know_stay_behind);
	tcase_add_test(t, a_mail_without_a_date_is_sent_without_one);
	tcase_add_loop_test(t, literal_minus_goes_up_to_4096_octets, 0, 2);
	tcase_add_test(t, without_an_offer_each_literal_is_waited_for);
	tcase_add_test(t, more_than_appendlimit_is_not_sent);
	tcase_add_test(t, a_careful_one_goes_alone_and_is_waited_for);
	tcase_add_test(t, a_command_holds_a_hundred_mails);
	tcase_add_test(t, after_a_bad_nothing_more_is_sent);
	tcase_add_test(
	    t, a_bad_for_a_literal_that_was_sent_ends_the_connection);
	tcase_add_test(
	    t, the_reply_to_a_command_out_of_a_mail_ends_the_connection);
	tcase_add_test(t, a_bad_to_a_careful_one_is_its_own);
	tcase_add_test(t, of_a_refused_multiappend_only_the_bad_one_is_refused);
	tcase_add_test(t, what_is_refused_before_plus_is_not_sent);
	tcase_add_loop_test(t, a_refusal_is_what_the_server_says, 0,
	    (int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_loop_test(t, a_throttle_is_told_and_then_all_is_sent_again, 0,
	    (int)(sizeof(throttles) / sizeof(throttles[0])));
	tcase_add_test(t, a_throttle_before_plus_is_told_by_collect);
	tcase_add_test(t, what_was_put_off_is_not_sent_into_another_mailbox);
	tcase_add_loop_test(
	    t, a_failure_while_plus_is_awaited_ends_the_connection, 0, 2);
	tcase_add_test(t, an_ok_to_octets_that_were_not_sent_is_none);
	tcase_add_loop_test(t, a_receipt_tells_what_adds_up_and_nothing_else, 0,
	    (int)(sizeof(appenduids) / sizeof(appenduids[0])));
	tcase_add_loop_test(t, a_connection_that_ends_is_a_receipt_for_nothing,
	    0, (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(t, lines_between_replies_are_passed_over);
	tcase_add_test(t, a_plus_for_an_earlier_literal_asks_for_no_other);
	tcase_add_test(t, replies_may_come_in_another_order);
	tcase_add_test(t, a_command_that_is_answered_twice_ends_the_connection);
	suite_add_tcase(s, t);

	return s;
}
