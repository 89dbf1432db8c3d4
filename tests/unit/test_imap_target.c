/* Mailboxes of a target, and looking for what may have arrived: scripted
 * servers. */
#include "../lib/imap_script.h"
#include "base/buf.h"
#include "base/digest.h"
#include "imap/imap.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/name.h"

Suite *suite_imap_target(void);

static struct secret secret = {
	.data = (char *)"pass word", .len = 9, .origin = "a test"
};

#define END                \
	{                  \
		NULL, NULL \
	}
#define CAPS "IMAP4rev1 LIST-EXTENDED"
#define LISTED(lines)                                      \
	{                                                  \
		"LIST \"\" \"*\" RETURN", lines "@ OK\r\n" \
	}
#define INBOX "* LIST () \"/\" INBOX\r\n"
#define OPENED(verb_and_name)                                             \
	{                                                                 \
		verb_and_name, "* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* " \
			       "OK [UIDNEXT 20]\r\n@ OK\r\n"              \
	}
#define DAY 1580515200 /* 01-Feb-2020 00:00:00 +0000 */

struct talk {
	struct script script;
	struct script_server server;
	struct imap_target_options options;
	struct target target;
	struct target_box box;
	struct err err;
};

static void
start(struct talk *t, const struct script_step *steps)
{
	t->script.steps = steps;
	if (t->script.capabilities == NULL)
		t->script.capabilities = CAPS;
	t->server = script_start(&t->script);
	t->options.imap = (struct imap_options){ .wire = { .side = "TARGET",
						     .host = "127.0.0.1",
						     .port = t->server.port,
						     .tls = WIRE_TLS_NONE,
						     .timeout_ms = 10000 },
		.user = "alice",
		.secret = &secret };
	ck_assert_msg(imap_target_new(&t->target, &t->options, &t->err), "%s",
	    t->err.text);
}

static const struct source_mailbox boxes[] = {
	{ .name = "INBOX", .display = "INBOX", .separator = '/' },
	{ .name = "Work", .display = "Work", .separator = '/' },
	{ .name = "Out",
	    .display = "Out",
	    .separator = '/',
	    .attributes = MAILBOX_SENT },
	{ .name = "a*b", .display = "a*b", .separator = '/' },
	{ .name = "News",
	    .display = "News",
	    .separator = '/',
	    .subscribed = true },
};
enum { THE_INBOX, WORK, SENT, STAR, NEWS, BOXES };

static void
plan(struct talk *t)
{
	ck_assert_msg(
	    t->target.ops->plan(t->target.data, boxes, BOXES, &t->err), "%s",
	    t->err.text);
}

static bool
open_one(struct talk *t, int box)
{
	return t->target.ops->open(
	    t->target.data, "alice", &boxes[box], 1, &t->box, &t->err);
}

static void
opens(struct talk *t, int box, const char *name, bool created)
{
	ck_assert_msg(open_one(t, box), "%s %s", t->err.text, t->err.words);
	ck_assert_str_eq(t->box.name, name);
	ck_assert(t->box.created == created);
	ck_assert_uint_eq(t->box.uidvalidity, 7);
	ck_assert_uint_eq(t->box.uidnext, 20);
	ck_assert_uint_eq(t->box.messages, 3);
	ck_assert_uint_eq(t->target.ops->base(t->target.data), 20);
}

static void
stop(struct talk *t)
{
	t->target.ops->close(&t->target.data, true);
	ck_assert_int_eq(script_end(&t->server), 0);
}

/* ---- mailboxes ---- */

static const struct {
	const char *name, *capabilities;
	struct script_step steps[8];
	int box;
	const char *place;
	bool created;
} good[] = {
	{ "one that is there", CAPS,
	    { LISTED(INBOX "* LIST () \"/\" Work\r\n"),
		OPENED("SELECT \"Work\"") },
	    WORK, "Work", false },
	{ "one that is not", CAPS,
	    { LISTED(INBOX), { "CREATE \"Work\"", "@ OK\r\n" },
		OPENED("SELECT \"Work\"") },
	    WORK, "Work", true },
	{ "a role is asked for", CAPS " CREATE-SPECIAL-USE",
	    { LISTED(INBOX), { "CREATE \"Out\" (USE (\\Sent))", "@ OK\r\n" },
		OPENED("SELECT \"Out\"") },
	    SENT, "Out", true },
	{ "a role that is refused", CAPS " CREATE-SPECIAL-USE",
	    { LISTED(INBOX),
		{ "CREATE \"Out\" (USE (\\Sent))", "@ NO [USEATTR] no\r\n" },
		{ "CREATE \"Out\"", "@ OK\r\n" }, OPENED("SELECT \"Out\"") },
	    SENT, "Out", true },
	{ "it has come since", CAPS " CREATE-SPECIAL-USE",
	    { LISTED(INBOX),
		{ "CREATE \"Out\" (USE", "@ NO [ALREADYEXISTS] it is\r\n" },
		OPENED("SELECT \"Out\"") },
	    SENT, "Out", false },
	{ "a name that is refused is escaped", CAPS,
	    { LISTED(INBOX), { "CREATE \"a*b\"", "@ NO bad name\r\n" },
		{ "CREATE \"a=2Ab\"", "@ OK\r\n" },
		OPENED("SELECT \"a=2Ab\"") },
	    STAR, "a=2Ab", true },
	{ "the escaped one has come since", CAPS,
	    { LISTED(INBOX), { "CREATE \"a*b\"", "@ NO bad name\r\n" },
		{ "CREATE \"a=2Ab\"", "@ NO [ALREADYEXISTS] it is\r\n" },
		OPENED("SELECT \"a=2Ab\"") },
	    STAR, "a=2Ab", false },
	{ "subscribed", CAPS,
	    { LISTED(INBOX), { "CREATE \"News\"", "@ OK\r\n" },
		{ "SUBSCRIBE \"News\"", "@ OK\r\n" },
		OPENED("SELECT \"News\"") },
	    NEWS, "News", true },
	{ "a subscription that is refused", CAPS,
	    { LISTED(INBOX "* LIST () \"/\" News\r\n"),
		{ "SUBSCRIBE \"News\"", "@ NO never\r\n" },
		OPENED("SELECT \"News\"") },
	    NEWS, "News", false },
	{ "one that is subscribed there", CAPS,
	    { LISTED(INBOX "* LIST (\\Subscribed) \"/\" News\r\n"),
		OPENED("SELECT \"News\"") },
	    NEWS, "News", false },
	{ "below a prefix", CAPS " NAMESPACE",
	    { { "NAMESPACE", "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n"
			     "@ OK\r\n" },
		LISTED("* LIST () \".\" INBOX\r\n"),
		{ "LIST \"\" \"INBOX.*\"", "@ OK\r\n" },
		{ "CREATE \"INBOX.Work\"", "@ OK\r\n" },
		OPENED("SELECT \"INBOX.Work\"") },
	    WORK, "INBOX.Work", true },
};

START_TEST(a_mailbox_is_opened_where_it_belongs)
{
	struct talk t = { .script = { .capabilities = good[_i].capabilities } };
	start(&t, good[_i].steps);
	plan(&t);
	opens(&t, good[_i].box, good[_i].place, good[_i].created);
	stop(&t);
}
END_TEST

static const struct {
	struct script_step steps[6];
	int box;
	enum err_scope scope;
	enum err_code code;
} bad[] = {
	{ { LISTED(INBOX),
	      { "SELECT \"INBOX\"", "* 0 EXISTS\r\n@ OK none\r\n" } },
	    THE_INBOX, ERR_MAILBOX, ERR_UIDVALIDITY },
	{ { LISTED(INBOX), { "SELECT \"INBOX\"", "@ NO not now\r\n" } },
	    THE_INBOX, ERR_MAILBOX, ERR_REFUSED },
	{ { LISTED(INBOX), { "CREATE \"Work\"", "@ NO never\r\n" } }, WORK,
	    ERR_MAILBOX, ERR_REFUSED },
	{ { LISTED(INBOX), { "CREATE \"Work\"", "@ NO [OVERQUOTA] x\r\n" } },
	    WORK, ERR_ACCOUNT, ERR_QUOTA },
	{ { LISTED(INBOX), { "CREATE \"Work\"", "@ NO [LIMIT] of many\r\n" } },
	    WORK, ERR_MAILBOX, ERR_REFUSED },
	{ { LISTED(INBOX), { "CREATE \"a*b\"", "@ NO bad name\r\n" },
	      { "CREATE \"a=2Ab\"", "@ NO bad name, too\r\n" } },
	    STAR, ERR_MAILBOX, ERR_REFUSED },
	{ { LISTED(INBOX), { "CREATE \"Work\"", "* BYE\r\n" } }, WORK,
	    ERR_ACCOUNT, ERR_NETWORK },
};

START_TEST(a_mailbox_that_can_not_be_opened_says_why)
{
	struct talk t = { 0 };
	start(&t, bad[_i].steps);
	plan(&t);
	ck_assert(!open_one(&t, bad[_i].box));
	ck_assert_int_eq(t.err.scope, bad[_i].scope);
	ck_assert_int_eq(t.err.code, bad[_i].code);
	ck_assert_str_ne(
	    t.err.words, bad[_i].code == ERR_UIDVALIDITY ? "-" : "");
	stop(&t);
}
END_TEST

START_TEST(a_throttled_create_is_asked_again)
{
	static const struct script_step steps[] = { LISTED(INBOX),
		{ "CREATE \"Work\"", "@ NO [THROTTLED] later\r\n" },
		{ "CREATE \"Work\"", "@ OK\r\n" }, OPENED("SELECT \"Work\""),
		END };
	struct talk t = { 0 };
	start(&t, steps);
	plan(&t);
	ck_assert(!open_one(&t, WORK));
	ck_assert_int_eq(t.err.code, ERR_THROTTLE);
	opens(&t, WORK, "Work", true);
	stop(&t);
}
END_TEST

START_TEST(a_mailbox_is_created_once)
{
	static const struct script_step steps[] = { LISTED(INBOX),
		{ "CREATE \"Work\"", "@ OK\r\n" }, OPENED("SELECT \"Work\""),
		OPENED("SELECT \"INBOX\""), OPENED("SELECT \"Work\""), END };
	struct talk t = { 0 };
	start(&t, steps);
	plan(&t);
	opens(&t, WORK, "Work", true);
	opens(&t, THE_INBOX, "INBOX", false);
	opens(&t, WORK, "Work", false);
	stop(&t);
}
END_TEST

/* Two mailboxes must not meet where a server folds what we tell apart. */
START_TEST(a_mailbox_that_another_one_has_is_not_adopted)
{
	static const struct source_mailbox two[] = {
		{ .name = "news", .display = "news", .separator = '/' },
		{ .name = "News", .display = "News", .separator = '/' }
	};
	static const struct script_step steps[] = { LISTED(INBOX),
		{ "CREATE \"news\"", "@ OK\r\n" }, OPENED("SELECT \"news\""),
		{ "CREATE \"News\"", "@ NO [ALREADYEXISTS] it is\r\n" }, END };
	struct talk t = { 0 };
	start(&t, steps);
	ck_assert(t.target.ops->plan(t.target.data, two, 2, &t.err));
	ck_assert(t.target.ops->open(
	    t.target.data, "alice", &two[0], 1, &t.box, &t.err));
	ck_assert(!t.target.ops->open(
	    t.target.data, "alice", &two[1], 1, &t.box, &t.err));
	ck_assert_int_eq(t.err.code, ERR_REFUSED);
	ck_assert(strstr(t.err.hint, "--map \"News=") != NULL);
	stop(&t);
}
END_TEST

START_TEST(a_mailbox_that_was_not_planned_waits_for_the_next_run)
{
	static const struct script_step steps[] = { LISTED(INBOX), END };
	struct talk t = { 0 };
	start(&t, steps);
	ck_assert(!open_one(&t, WORK));
	ck_assert_int_eq(t.err.scope, ERR_MAILBOX);
	stop(&t);
}
END_TEST

/* ---- looking for what may have arrived ---- */

#define HERE LISTED(INBOX), OPENED("SELECT \"INBOX\"")
#define NOOP                       \
	{                          \
		"NOOP", "@ OK\r\n" \
	}
#define SIZE(n, uid, size) \
	"* " n " FETCH (UID " uid " RFC822.SIZE " size ")\r\n"
#define FULL(uid, flags, day, size, text)                              \
	"* 1 FETCH (UID " uid " FLAGS (" flags ") INTERNALDATE \"" day \
	"-Feb-2020 00:00:00 +0000\" BODY[] {" size "}\r\n" text ")\r\n"
#define LIST_FROM(uid, lines)                                             \
	{                                                                 \
		"UID FETCH " uid ":* (UID RFC822.SIZE)", lines "@ OK\r\n" \
	}
#define READ(uids, lines)                                                  \
	{                                                                  \
		"UID FETCH " uids " (UID FLAGS INTERNALDATE BODY.PEEK[])", \
		    lines "@ OK\r\n"                                       \
	}

struct wanted {
	const char *text;
	int day; /* of February 2020; 0: none was told */
	uint8_t flags;
	const char *keywords;
	bool any_date;
	uint64_t uid; /* expected */
	uint8_t there_flags;
};

struct taken {
	uint64_t uid, asked;
};

static bool
is_taken(void *arg, uint64_t uid)
{
	struct taken *taken = arg;
	taken->asked++;

	return uid == taken->uid;
}

enum { WANTED_MAX = 4 };

static void
look_for(struct talk *t, uint64_t base, const struct wanted *wanted,
    struct taken *taken)
{
	struct resolve_item items[WANTED_MAX];
	size_t n = 0;
	for (; n < WANTED_MAX && wanted[n].text != NULL; n++) {
		const struct wanted *w = &wanted[n];
		items[n] = (struct resolve_item){ .size = strlen(w->text),
			.idate = w->day == 0
				     ? DATETIME_NONE
				     : DAY + (int64_t)(w->day - 1) * 86400,
			.flags = w->flags,
			.keywords = w->keywords,
			.sent = !w->any_date,
			.uid = 4711 };
		digest_of(w->text, strlen(w->text), items[n].sha256);
	}
	ck_assert_msg(t->target.ops->resolve(t->target.data, &t->box, base,
			  items, n, is_taken, taken, &t->err),
	    "%s", t->err.text);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(items[i].uid, wanted[i].uid);
		if (items[i].uid != 0)
			ck_assert_uint_eq(
			    items[i].there_flags, wanted[i].there_flags);
	}
}

static const struct {
	const char *name;
	struct script_step steps[8];
	uint64_t base, taken;
	struct wanted wanted[WANTED_MAX];
} finds[] = {
	{ "it is there, and so are others",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "4") SIZE("2", "21", "3")
				    SIZE("3", "22", "3")),
		READ("21,22", FULL("21", "", "01", "3", "xyz")
				  FULL("22", "\\Seen", "01", "3", "abc")) },
	    20, 0,
	    { { .text = "abc",
		.day = 1,
		.uid = 22,
		.there_flags = MAIL_SEEN } } },
	{ "n:* tells the last one that is older",
	    { HERE, NOOP, LIST_FROM("20", SIZE("3", "19", "3")) }, 20, 0,
	    { { .text = "abc", .day = 1 } } },
	{ "one that is taken",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("21", FULL("21", "", "01", "3", "abc")) },
	    20, 20,
	    { { .text = "abc", .day = 1, .uid = 21 },
		{ .text = "abc", .day = 1 } } },
	{ "a server that keeps other dates than it is given",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "02", "3", "abc")) },
	    20, 0, { { .text = "abc", .day = 1, .uid = 20 } } },
	{ "one that the server altered: its size and its hour",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "01", "3", "a?c")) },
	    20, 0, { { .text = "abc", .day = 1, .uid = 20 } } },
	{ "altered, and of another hour",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "02", "3", "a?c")) },
	    20, 0, { { .text = "abc", .day = 1 } } },
	{ "altered, and two could be it",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21", FULL("20", "", "01", "3", "a?c")
				  FULL("21", "", "01", "3", "ab?")) },
	    20, 0, { { .text = "abc", .day = 1 } } },
	{ "altered where nothing was sent: it is another",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "01", "3", "a?c")) },
	    20, 0, { { .text = "abc", .day = 1, .any_date = true } } },
	{ "another hour where that is no matter",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "02", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .day = 1, .any_date = true, .uid = 20 } } },
	{ "twins by their dates",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21", FULL("20", "", "02", "3", "abc")
				  FULL("21", "", "01", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .day = 1, .uid = 21 },
		{ .text = "abc", .day = 2, .uid = 20 } } },
	{ "twins by their flags",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21", FULL("20", "\\Seen", "01", "3", "abc")
				  FULL("21", "", "01", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .day = 1, .uid = 21 },
		{ .text = "abc",
		    .day = 1,
		    .flags = MAIL_SEEN,
		    .uid = 20,
		    .there_flags = MAIL_SEEN } } },
	{ "twins by their keywords",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21", FULL("20", "z $a", "01", "3", "abc")
				  FULL("21", "y b", "01", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .day = 1, .keywords = "b y", .uid = 21 },
		{ .text = "abc", .day = 1, .keywords = "$a z", .uid = 20 } } },
	{ "one with a date before one without",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21", FULL("20", "", "01", "3", "abc")
				  FULL("21", "", "05", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .flags = MAIL_SEEN, .uid = 21 },
		{ .text = "abc", .flags = MAIL_SEEN, .day = 1, .uid = 20 } } },
	{ "flags that a server dropped",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "01", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .day = 1, .flags = MAIL_SEEN, .uid = 20 } } },
	{ "a quoted body",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "4")),
		READ("20",
		    "* 1 FETCH (UID 20 INTERNALDATE \"01-Feb-2020 "
		    "00:00:00 +0000\" FLAGS () BODY[] \"a\\\"bc\")\r\n") },
	    20, 0, { { .text = "a\"bc", .day = 1, .uid = 20 } } },
	{ "expunged between the two questions",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21",
		    "* 1 EXPUNGE\r\n" FULL("21", "", "01", "3", "abc")),
		READ("20", "") },
	    20, 0, { { .text = "abc", .day = 1, .uid = 21 } } },
	{ "one that an OK leaves out is asked for again",
	    { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20,21", ""),
		READ("20,21", FULL("20", "", "02", "3", "abc")),
		READ("21", FULL("21", "", "01", "3", "abc")) },
	    20, 0, { { .text = "abc", .day = 1, .uid = 21 } } },
	{ "one body for two items",
	    { HERE, NOOP, LIST_FROM("20", SIZE("1", "20", "3")),
		READ("20", FULL("20", "", "01", "3", "abc")
			       FULL("20", "", "01", "3", "abc")) },
	    20, 0,
	    { { .text = "abc", .day = 1, .uid = 20 },
		{ .text = "abc", .day = 1 } } },
	{ "nothing came", { HERE, NOOP, LIST_FROM("20", "") }, 20, 0,
	    { { .text = "abc", .day = 1 } } },
	{ "base 0 is the first",
	    { HERE, NOOP, LIST_FROM("1", SIZE("1", "1", "3")),
		READ("1", FULL("1", "", "01", "3", "abc")) },
	    0, 0, { { .text = "abc", .day = 1, .uid = 1 } } },
	{ "no UID is that high", { HERE, NOOP }, 4294967296, 0,
	    { { .text = "abc", .day = 1 } } },
	{ "lines of nobody's",
	    { HERE, NOOP,
		LIST_FROM("20",
		    "* 4 EXISTS\r\n* 1 FETCH (UID 20)\r\n"
		    "* 2 FETCH (RFC822.SIZE 3)\r\n* junk ((\r\n"
		    "* 3 FETCH (UID 4294967317 RFC822.SIZE 3)\r\n" SIZE(
			"1", "20", "3")),
		READ("20", "* 7 FETCH (UID 99 BODY[] {3}\r\nabc)\r\n"
			   "* 8 FETCH (UID 20 FLAGS (\\Seen))\r\n" FULL(
			       "20", "", "01", "3", "abc")) },
	    20, 0, { { .text = "abc", .day = 1, .uid = 20 } } },
};

START_TEST(what_is_there_is_found_and_nothing_else)
{
	struct talk t = { 0 };
	struct taken taken = { .uid = finds[_i].taken };
	start(&t, finds[_i].steps);
	plan(&t);
	opens(&t, THE_INBOX, "INBOX", false);
	look_for(&t, finds[_i].base, finds[_i].wanted, &taken);
	stop(&t);
}
END_TEST

/* Nobody knows which of its messages belong to others. */
START_TEST(under_another_uidvalidity_nothing_is_taken_for_ours)
{
	static const struct script_step steps[] = { HERE, END };
	static const struct wanted wanted[WANTED_MAX] = { { .text = "abc",
	    .day = 1 } };
	struct taken taken = { .uid = 3 };
	struct talk t = { 0 };
	start(&t, steps);
	plan(&t);
	opens(&t, THE_INBOX, "INBOX", false);
	t.box.uidvalidity = 6;
	look_for(&t, 20, wanted, &taken);
	ck_assert_uint_eq(taken.asked, 0);
	stop(&t);
}
END_TEST

START_TEST(a_mailbox_that_is_gone_holds_none)
{
	static const char *const codes[] = { "[NONEXISTENT]", "[TRYCREATE]" };
	char reply[64];
	snprintf(reply, sizeof(reply), "@ NO %s gone\r\n", codes[_i]);
	const struct script_step steps[] = { LISTED(INBOX),
		{ "SELECT \"Gone\"", reply }, END };
	static const struct wanted wanted[WANTED_MAX] = {
		{ .text = "abc", .day = 1 }, { .text = "x" }
	};
	struct taken taken = { 0 };
	struct talk t = { .box = { .name = "Gone", .uidvalidity = 7 } };
	start(&t, steps);
	look_for(&t, 1, wanted, &taken);
	stop(&t);
}
END_TEST

static const struct {
	struct script_step steps[6];
	enum err_code code;
} fails[] = {
	{ { LISTED(INBOX), { "SELECT \"INBOX\"", "@ NO not now\r\n" } },
	    ERR_REFUSED },
	{ { HERE, NOOP, { "UID FETCH", "@ NO not now\r\n" } }, ERR_REFUSED },
	{ { HERE, NOOP, { "UID FETCH", "@ NO [UNAVAILABLE] later\r\n" } },
	    ERR_THROTTLE },
	{ { HERE, NOOP, LIST_FROM("1", SIZE("1", "1", "3")),
	      { "UID FETCH 1 (UID FLAGS", "@ NO broken\r\n" } },
	    ERR_REFUSED },
	{ { HERE, NOOP, LIST_FROM("1", SIZE("1", "1", "3")),
	      { "UID FETCH 1 (UID FLAGS",
		  "* 1 FETCH (UID 1 BODY[] {3}\r\na* BYE\r\n" } },
	    ERR_NETWORK },
};

START_TEST(what_can_not_be_asked_is_not_taken_for_none)
{
	struct resolve_item item = { .size = 3, .sent = true };
	struct taken taken = { 0 };
	struct talk t = { .box = { .name = "INBOX", .uidvalidity = 7 } };
	start(&t, fails[_i].steps);
	ck_assert(!t.target.ops->resolve(
	    t.target.data, &t.box, 1, &item, 1, is_taken, &taken, &t.err));
	ck_assert_int_eq(t.err.code, fails[_i].code);
	ck_assert_uint_eq(item.uid, 0);
	stop(&t);
}
END_TEST

START_TEST(no_more_are_read_by_one_command_than_the_server_bears)
{
	static const struct script_step steps[] = { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "21", "3")),
		READ("20", FULL("20", "", "02", "3", "abc")),
		READ("21", FULL("21", "", "01", "3", "abc")), END };
	static const struct wanted wanted[WANTED_MAX] = {
		{ .text = "abc", .day = 1, .uid = 21 }
	};
	struct taken taken = { 0 };
	struct talk t = { .script = {
			      .capabilities = CAPS " MESSAGELIMIT=1" } };
	start(&t, steps);
	plan(&t);
	opens(&t, THE_INBOX, "INBOX", false);
	look_for(&t, 20, wanted, &taken);
	stop(&t);
}
END_TEST

START_TEST(only_what_came_since_is_listed_again)
{
	static const struct script_step steps[] = { HERE, NOOP,
		LIST_FROM("20", SIZE("1", "20", "3") SIZE("2", "25", "4")),
		READ("20", FULL("20", "", "01", "3", "abc")), NOOP,
		LIST_FROM("26", SIZE("2", "25", "4") SIZE("3", "30", "3")),
		READ("30", FULL("30", "", "01", "3", "abc")), END };
	static const struct wanted first[WANTED_MAX] = {
		{ .text = "abc", .day = 1, .uid = 20 }
	};
	static const struct wanted second[WANTED_MAX] = {
		{ .text = "abc", .day = 1, .uid = 30 }
	};
	struct taken taken = { 0 };
	struct talk t = { 0 };
	start(&t, steps);
	plan(&t);
	opens(&t, THE_INBOX, "INBOX", false);
	look_for(&t, 20, first, &taken);
	taken.uid = 20;
	look_for(&t, 20, second, &taken);
	stop(&t);
}
END_TEST

Suite *
suite_imap_target(void)
{
	Suite *s = suite_create("imap target");
	TCase *t = tcase_create("imap target");
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, a_mailbox_is_opened_where_it_belongs, 0,
	    (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(t, a_mailbox_that_can_not_be_opened_says_why, 0,
	    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, a_throttled_create_is_asked_again);
	tcase_add_test(t, a_mailbox_is_created_once);
	tcase_add_test(t, a_mailbox_that_another_one_has_is_not_adopted);
	tcase_add_test(
	    t, a_mailbox_that_was_not_planned_waits_for_the_next_run);
	tcase_add_loop_test(t, what_is_there_is_found_and_nothing_else, 0,
	    (int)(sizeof(finds) / sizeof(finds[0])));
	tcase_add_test(t, under_another_uidvalidity_nothing_is_taken_for_ours);
	tcase_add_loop_test(t, a_mailbox_that_is_gone_holds_none, 0, 2);
	tcase_add_loop_test(t, what_can_not_be_asked_is_not_taken_for_none, 0,
	    (int)(sizeof(fails) / sizeof(fails[0])));
	tcase_add_test(
	    t, no_more_are_read_by_one_command_than_the_server_bears);
	tcase_add_test(t, only_what_came_since_is_listed_again);
	suite_add_tcase(s, t);

	return s;
}
