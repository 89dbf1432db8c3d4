/* What has become of a mailbox since the last pass: scripted servers. */
#include "../lib/imap_script.h"
#include "base/buf.h"
#include "base/mem.h"
#include "imap/imap.h"
#include "mail/flags.h"

Suite *suite_imap_delta(void);

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

/* "changed 3 \Seen $x", "gone 4:9" … */
static void
hear(struct buf *out, const struct source_event *e)
{
	static const char *const names[] = { [SOURCE_SEEN] = "seen",
		[SOURCE_CHANGED] = "changed",
		[SOURCE_ALIVE] = "alive",
		[SOURCE_GONE] = "gone",
		[SOURCE_BAD] = "bad" };
	const struct placement *p = &e->placement;
	buf_fmt(out, "%s %llu", names[e->kind], (unsigned long long)p->okey);
	if (e->kind == SOURCE_ALIVE || e->kind == SOURCE_GONE) {
		if (e->last != p->okey)
			buf_fmt(out, ":%llu", (unsigned long long)e->last);
		buf_char(out, '\n');
		return;
	}
	if (p->flags != 0) {
		buf_char(out, ' ');
		flags_text(out, p->flags);
	}
	for (uint32_t i = 0; i < p->keyword_count; i++)
		buf_fmt(out, " %s", p->keywords[i]);
	if (p->message_id != NULL)
		buf_fmt(out, " id=%s", p->message_id);
	buf_char(out, '\n');
}

#define END                \
	{                  \
		NULL, NULL \
	}
#define OPENED(exists, uidnext, modseq)                                 \
	{                                                               \
		"EXAMINE \"INBOX\"",                                    \
		    "* " exists " EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n" \
		    "* OK [UIDNEXT " uidnext "] n\r\n" modseq           \
		    "@ OK [READ-ONLY] done\r\n"                         \
	}
#define MODSEQ(n) "* OK [HIGHESTMODSEQ " n "] m\r\n"
#define F(n, uid, flags) \
	"* " n " FETCH (UID " uid " FLAGS (" flags ") MODSEQ (85))\r\n"
#define NEW(n, uid)                                          \
	"* " n " FETCH (UID " uid " FLAGS () RFC822.SIZE 3 " \
	"INTERNALDATE \"01-Jan-2020 00:00:00 +0100\")\r\n"
#define QRESYNC "IMAP4rev1 ENABLE CONDSTORE QRESYNC"
#define CONDSTORE "IMAP4rev1 ENABLE CONDSTORE ESEARCH"
#define SINCE "UID FETCH 1:49 (UID FLAGS) (CHANGEDSINCE 80)"
#define SINCE_VANISHED "UID FETCH 1:49 (UID FLAGS) (CHANGEDSINCE 80 VANISHED)"
#define SEARCH "UID SEARCH RETURN (ALL) UID 1:49"
#define SCAN "UID FETCH 1:49 (UID FLAGS)"
#define LIST50 "UID FETCH 50:59 (UID FLAGS INTERNALDATE RFC822.SIZE)"

/* The last pass: 10 messages, UIDNEXT 50, HIGHESTMODSEQ 80. */
static const struct {
	const char *name, *capabilities, *enabled;
	struct script_step steps[12];
	const char *events;
	bool complete, swept;
	uint64_t expunged, modseq;
	unsigned pauses;
} passes[] = {
	{ "QRESYNC: changed, gone and new, in two round trips", QRESYNC,
	    "QRESYNC",
	    { OPENED("10", "60", MODSEQ("90")),
		{ SINCE_VANISHED, "* VANISHED (EARLIER) 3:4,9\r\n" F("2", "5",
				      "\\Seen $x") F("3", "7", "") "@ OK\r\n" },
		{ LIST50, NEW("9", "50") NEW("10", "55") "@ OK\r\n" }, END },
	    "gone 3:4\ngone 9\nchanged 5 \\Seen $x\nchanged 7\nseen 50\n"
	    "seen 55\n",
	    true, false, 0, 90, 0 },
	{ "nothing at all: not a single command", QRESYNC, "QRESYNC",
	    { OPENED("10", "50", MODSEQ("80")), END }, "", true, false, 0, 80,
	    0 },
	{ "others at work meanwhile", QRESYNC, "QRESYNC",
	    { OPENED("10", "60", MODSEQ("90")),
		{ SINCE_VANISHED,
		    "* VANISHED 6\r\n* VANISHED (EARLIER) 8\r\n"
		    "* 4 FETCH (FLAGS (\\Deleted))\r\n"
		    "* 4 FETCH (UID 11 MODSEQ (99))\r\n"
		    "* 9 FETCH (UID 51 FLAGS (\\Deleted) MODSEQ (99))\r\n" F(
			"2", "5", "\\Seen") "* 9 EXISTS\r\n* VANISHED "
					    "4294967295:1\r\n@ OK\r\n" },
		{ LIST50, "* VANISHED (EARLIER) 1:49\r\n" NEW("1", "51")
			      F("1", "5", "\\Draft") "@ OK\r\n" },
		END },
	    "gone 8\nchanged 5 \\Seen\nseen 51\n", true, false, 10, 90, 0 },
	{ "VANISHED of all numbers costs nothing (I31)", QRESYNC, "QRESYNC",
	    { OPENED("1", "50", MODSEQ("90")),
		{ SINCE_VANISHED,
		    "* VANISHED (EARLIER) 1:4294967295,99,0,*,7:5,x\r\n"
		    "@ OK\r\n" },
		END },
	    "gone 1:49\ngone 5:7\n", true, false, 0, 90, 0 },
	{ "VANISHED that leaves out what must be gone: a search", QRESYNC,
	    "QRESYNC",
	    { OPENED("5", "50", MODSEQ("90")),
		{ SINCE_VANISHED, "* VANISHED (EARLIER) 3:4\r\n@ OK\r\n" },
		{ "UID SEARCH UID 1:49", "* SEARCH 1 2 5 6 9\r\n@ OK\r\n" },
		END },
	    "gone 3:4\nalive 1:2\nalive 5:6\nalive 9\n", true, true, 0, 90, 0 },
	{ "CONDSTORE, which adds up", CONDSTORE, "CONDSTORE",
	    { OPENED("12", "52", MODSEQ("90")),
		{ SINCE, F("2", "5", "\\Seen") "@ OK\r\n" },
		{ "UID FETCH 50:51 (UID FLAGS INTERNALDATE",
		    NEW("11", "50") NEW("12", "51") "@ OK\r\n" },
		END },
	    "changed 5 \\Seen\nseen 50\nseen 51\n", true, false, 0, 90, 0 },
	{ "CONDSTORE offered, ENABLE not", "IMAP4rev1 CONDSTORE", NULL,
	    { { "EXAMINE \"INBOX\" (CONDSTORE)",
		  "* 10 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
		  "* OK [UIDNEXT 50] n\r\n" MODSEQ("90") "@ OK\r\n" },
		{ SINCE, "@ OK\r\n" }, END },
	    "", true, false, 0, 90, 0 },
	{ "CONDSTORE, which does not add up: ESEARCH", CONDSTORE, "CONDSTORE",
	    { OPENED("8", "50", MODSEQ("90")),
		{ SINCE, F("2", "5", "\\Seen") "@ OK\r\n" },
		{ SEARCH, "* ESEARCH (TAG \"zz9\") UID ALL 40:49\r\n"
			  "* ESEARCH UID MIN 1 ALL 1:3,5,10:13,99\r\n"
			  "@ OK\r\n" },
		END },
	    "changed 5 \\Seen\nalive 1:3\nalive 5\nalive 10:13\n", true, true,
	    0, 90, 0 },
	{ "an expunge that no mod-sequence tells", CONDSTORE, "CONDSTORE",
	    { OPENED("9", "50", MODSEQ("80")),
		{ SEARCH, "* ESEARCH UID ALL 1:9\r\n@ OK\r\n" }, END },
	    "alive 1:9\n", true, true, 0, 80, 0 },
	{ "SEARCH in any order, with repeats, in two lines (I27)",
	    "IMAP4rev1 ENABLE CONDSTORE", "CONDSTORE",
	    { OPENED("5", "50", MODSEQ("80")),
		{ "UID SEARCH UID 1:49",
		    "* SEARCH 9 9 3 2 77\r\n* SEARCH 1 2 8 (MODSEQ 5)\r\n"
		    "@ OK\r\n" },
		END },
	    "alive 1:3\nalive 8:9\n", true, true, 0, 80, 0 },
	{ "a search that finds too little ends nothing", CONDSTORE, "CONDSTORE",
	    { OPENED("8", "50", MODSEQ("80")),
		{ SEARCH, "* ESEARCH UID ALL 1:3\r\n@ OK\r\n" }, END },
	    "alive 1:3\n", false, false, 0, 80, 0 },
	{ "a search refused: who is there is listed", CONDSTORE, "CONDSTORE",
	    { OPENED("3", "60", MODSEQ("90")),
		{ SINCE, F("1", "5", "\\Seen") "@ OK\r\n" },
		{ SEARCH, "@ BAD no\r\n" },
		{ LIST50, NEW("3", "51") "@ OK\r\n" },
		{ "UID FETCH 1:49 (UID)", "* 1 FETCH (UID 5)\r\n"
					  "* 2 FETCH (UID 6)\r\n@ OK\r\n" },
		{ LIST50, NEW("3", "51") "@ OK\r\n" }, END },
	    "changed 5 \\Seen\nalive 5\nalive 6\nseen 51\n", true, true, 0, 90,
	    0 },
	{ "a search that says nothing is none", CONDSTORE, "CONDSTORE",
	    { OPENED("1", "50", MODSEQ("80")), { SEARCH, "@ OK\r\n" },
		{ "UID FETCH 1:49 (UID)", "* 1 FETCH (UID 5)\r\n@ OK\r\n" },
		END },
	    "alive 5\n", true, true, 0, 80, 0 },
	{ "CHANGEDSINCE refused: all flags are read", QRESYNC, "QRESYNC",
	    { OPENED("3", "60", MODSEQ("90")),
		{ SINCE_VANISHED, F("1", "5", "") "@ BAD what\r\n" },
		{ LIST50, NEW("3", "51") "@ OK\r\n" },
		{ SCAN, F("1", "5", "\\Seen") F("2", "6", "") "@ OK\r\n" },
		{ LIST50, NEW("3", "51") "@ OK\r\n" }, END },
	    "changed 5\nchanged 5 \\Seen\nchanged 6\nseen 51\n", true, true, 0,
	    90, 0 },
	{ "no mod-sequences: a scan", NULL, NULL,
	    { OPENED("3", "60", ""),
		{ SCAN, "* 1 FETCH (FLAGS (\\Answered) UID 5)\r\n"
			"* 2 FETCH (UID 6 FLAGS ())\r\n"
			"* 2 FETCH (UID 6 FLAGS (\\Draft))\r\n"
			"* 2 FETCH (FLAGS (\\Seen))\r\n@ OK\r\n" },
		{ LIST50, NEW("3", "51") "@ OK\r\n" }, END },
	    "changed 5 \\Answered\nchanged 6 \\Draft\nseen 51\n", true, true, 0,
	    0, 0 },
	{ "a scan that is too short ends nothing", NULL, NULL,
	    { OPENED("3", "50", ""),
		{ SCAN, F("1", "5", "") "* 2 FETCH (UID 6 MODSEQ (3))\r\n"
					"@ OK\r\n" },
		/* Does UIDNEXT hide it? */
		{ "FETCH 3 (UID)", "* 3 FETCH (UID 9)\r\n@ OK\r\n" }, END },
	    "changed 5\n", false, false, 0, 0, 0 },
	{ "EXPUNGE amid a scan (I23)", NULL, NULL,
	    { OPENED("3", "50", ""),
		{ SCAN, F("1", "5", "") "* 2 EXPUNGE\r\n" F(
			    "2", "9", "\\Seen") "@ OK\r\n" },
		{ "FETCH 2 (UID)", "* 2 FETCH (UID 9)\r\n@ OK\r\n" }, END },
	    "changed 5\nchanged 9 \\Seen\n", true, true, 1, 0, 0 },
	{ "HIGHESTMODSEQ went back: a scan (I30)", QRESYNC, "QRESYNC",
	    { OPENED("1", "50", MODSEQ("79")),
		{ SCAN, F("1", "5", "\\Seen") "@ OK\r\n" }, END },
	    "changed 5 \\Seen\n", true, true, 0, 79, 0 },
	{ "NOMODSEQ: a scan", QRESYNC, "QRESYNC",
	    { OPENED("1", "50", "* OK [NOMODSEQ] none\r\n"),
		{ SCAN, F("1", "5", "\\Seen") "@ OK\r\n" }, END },
	    "changed 5 \\Seen\n", true, true, 0, 0, 0 },
	{ "a modseq told later is not the one to keep", NULL, NULL,
	    { OPENED("1", "50", MODSEQ("79")),
		{ SCAN, F("1", "5", "") MODSEQ("99") "@ OK\r\n" }, END },
	    "changed 5\n", true, true, 0, 79, 0 },
	{ "all are gone: no need to ask", QRESYNC, "QRESYNC",
	    { OPENED("0", "50", MODSEQ("90")), END }, "", true, true, 0, 90,
	    0 },
	{ "a throttled question is asked again", QRESYNC, "QRESYNC",
	    { OPENED("10", "50", MODSEQ("90")),
		{ SINCE_VANISHED, "@ NO [LIMIT] slow down\r\n" },
		{ SINCE_VANISHED, F("1", "5", "") "@ OK\r\n" }, END },
	    "changed 5\n", true, false, 0, 90, 1 },
	{ "another UIDVALIDITY: a full pass", QRESYNC, "QRESYNC",
	    { { "EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 8] v\r\n"
			   "* OK [UIDNEXT 2] n\r\n" MODSEQ("90") "@ OK\r\n" },
		{ "UID FETCH 1 (UID FLAGS INTERNALDATE",
		    NEW("1", "1") "@ OK\r\n" },
		END },
	    "seen 1\n", true, true, 0, 90, 0 },
	{ "odd keywords cost themselves only (I33)", QRESYNC, "QRESYNC",
	    { OPENED("10", "50", MODSEQ("90")),
		{ SINCE_VANISHED,
		    "* 1 FETCH (UID 5 FLAGS (\"a b\" x(y) z {3}\r\na b \\Seen "
		    "ok))\r\n* 2 FETCH (UID 6 FLAGS (((\r\n* 3 FETCH (UID \r\n"
		    "@ OK\r\n" },
		END },
	    "changed 5 \\Seen z ok\nbad 6\nbad 0\n", false, false, 0, 90, 0 },
	{ "MESSAGELIMIT: no command names more", QRESYNC " MESSAGELIMIT=4",
	    "QRESYNC",
	    { OPENED("6", "50", MODSEQ("90")),
		{ "FETCH 2,6 (UID)", "* 2 FETCH (UID 4)\r\n* 6 FETCH (UID "
				     "40)\r\n@ OK\r\n" },
		{ "UID FETCH 1:4 (UID FLAGS)",
		    F("1", "3", "") F("2", "4", "") "@ OK\r\n" },
		{ "UID FETCH 5:40 (UID FLAGS)",
		    F("5", "39", "")
			F("6", "40", "") "@ OK [MESSAGELIMIT 39] not all\r\n" },
		{ "UID FETCH 5:22 (UID FLAGS)",
		    F("3", "7", "") F("4", "9", "") "@ OK\r\n" },
		{ "UID FETCH 23:40 (UID FLAGS)",
		    F("5", "39", "") F("6", "40", "") "@ OK\r\n" },
		{ "UID FETCH 41:49 (UID FLAGS)", "@ OK\r\n" }, END },
	    "changed 3\nchanged 4\nchanged 7\nchanged 9\nchanged 39\n"
	    "changed 40\n",
	    true, true, 0, 90, 0 },
	{ "MESSAGELIMIT on an untagged line counts too",
	    QRESYNC " MESSAGELIMIT=4", "QRESYNC",
	    { OPENED("2", "50", MODSEQ("90")),
		{ SINCE_VANISHED, "* OK [MESSAGELIMIT 7] cut\r\n@ OK\r\n" },
		{ SCAN, F("1", "3", "") F("2", "4", "") "@ OK\r\n" }, END },
	    "changed 3\nchanged 4\n", true, true, 0, 90, 0 },
};

static void
check_pass(int i, bool dribble)
{
	struct script script = { .steps = passes[i].steps,
		.capabilities = passes[i].capabilities,
		.enabled = passes[i].enabled,
		.dribble = dribble };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source_state state = {
		.uidvalidity = 7, .uidnext = 50, .modseq = 80, .messages = 10
	};
	struct source s = { 0 };
	struct source_opened opened;
	struct source_event e = { 0 };
	struct buf heard = { 0 };
	struct err err;
	unsigned pauses = 0;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert_msg(s.ops->open(s.data, "INBOX", &state, &opened, &err),
	    "%s: %s", passes[i].name, err.text);
	for (;;) {
		if (!s.ops->announce(s.data, &e, &err)) {
			ck_assert_msg(err.code == ERR_THROTTLE, "%s: %s (%s)",
			    passes[i].name, err.text, err.words);
			pauses++;
			continue;
		}
		if (e.kind == SOURCE_END)
			break;
		hear(&heard, &e);
	}
	s.ops->close(&s.data, true);
	int code = script_end(&server);
	ck_assert_msg(
	    code == 0, "%s: the script ended with %d", passes[i].name, code);
	ck_assert_str_eq(heard.len > 0 ? heard.data : "", passes[i].events);
	ck_assert_msg(e.complete == passes[i].complete, "%s", passes[i].name);
	ck_assert_msg(e.swept == passes[i].swept, "%s", passes[i].name);
	ck_assert_uint_eq(e.expunged, passes[i].expunged);
	ck_assert_uint_eq(e.state.modseq, passes[i].modseq);
	ck_assert_uint_eq(pauses, passes[i].pauses);
	buf_free(&heard);
}

START_TEST(a_delta_tells_what_has_become_of_a_mailbox)
{
	check_pass(_i, false);
}
END_TEST

START_TEST(octet_by_octet_is_the_same)
{
	check_pass(_i, true);
}
END_TEST

/* --- much of it -------------------------------------------------------- */

/* A pass whose second answer is huge: how many events of each kind. */
static void
count_events(const struct script_step *steps, const char *capabilities,
    uint64_t uidnext, uint64_t messages, uint64_t counts[SOURCE_END + 1],
    struct source_event *e)
{
	struct script script = { .steps = steps,
		.capabilities = capabilities,
		.enabled = "QRESYNC" };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source_state state = { .uidvalidity = 7,
		.uidnext = uidnext,
		.modseq = 80,
		.messages = messages };
	struct source s = { 0 };
	struct source_opened opened;
	struct err err;
	uint64_t last = 0;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", &state, &opened, &err));
	do {
		ck_assert_msg(s.ops->announce(s.data, e, &err), "%s (%s)",
		    err.text, err.words);
		counts[e->kind]++;
		if (e->kind != SOURCE_ALIVE && e->kind != SOURCE_CHANGED)
			continue;
		ck_assert_uint_gt(e->placement.okey, last);
		last = e->kind == SOURCE_ALIVE ? e->last : e->placement.okey;
	} while (e->kind != SOURCE_END);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}

enum { MANY = 400000 };

START_TEST(a_search_of_many_uids_with_repeats_is_joined)
{
	struct buf answer = { 0 };
	uint64_t counts[SOURCE_END + 1] = { 0 };
	struct source_event e;
	buf_str(&answer, "* SEARCH");
	for (unsigned i = MANY; i > 0; i--)
		buf_fmt(&answer, i % 4 == 0 ? " %u %u" : " %u", 2 * i, 2 * i);
	buf_str(&answer, "\r\n@ OK\r\n");
	const struct script_step steps[] = { OPENED("400000", "900000",
						 MODSEQ("80")),
		{ "UID SEARCH UID 1:899999", answer.data }, END };
	count_events(
	    steps, "IMAP4rev1 ENABLE CONDSTORE", 900000, MANY + 1, counts, &e);
	ck_assert_uint_eq(counts[SOURCE_ALIVE], MANY);
	ck_assert(e.swept && e.complete);
	buf_free(&answer);
}
END_TEST

START_TEST(a_great_mailbox_is_searched_in_ranges)
{
	static const struct script_step steps[] = { OPENED("600000", "1000000",
							MODSEQ("80")),
		{ "UID SEARCH RETURN (ALL) UID 1:500000",
		    "* ESEARCH UID ALL 1:300000\r\n@ OK\r\n" },
		{ "UID SEARCH RETURN (ALL) UID 500001:999999",
		    "* ESEARCH UID ALL 600001:900000,7\r\n@ OK\r\n" },
		END };
	uint64_t counts[SOURCE_END + 1] = { 0 };
	struct source_event e;
	count_events(steps, CONDSTORE, 1000000, 600001, counts, &e);
	ck_assert_uint_eq(counts[SOURCE_ALIVE], 2);
	ck_assert(e.swept);
}
END_TEST

/* More lines than a window holds, so none of them waits for the last. */
START_TEST(changes_without_number_are_told_one_by_one)
{
	struct buf answer = { 0 };
	uint64_t counts[SOURCE_END + 1] = { 0 };
	struct source_event e;
	for (unsigned i = 1; i <= MANY; i++)
		buf_fmt(
		    &answer, "* %u FETCH (UID %u FLAGS (\\Seen k))\r\n", i, i);
	buf_str(&answer, "@ OK\r\n");
	const struct script_step steps[] = { OPENED("400000", "400001",
						 MODSEQ("90")),
		{ "UID FETCH 1:400000 (UID FLAGS) (CHANGEDSINCE 80 VANISHED)",
		    answer.data },
		END };
	count_events(steps, QRESYNC, MANY + 1, MANY, counts, &e);
	ck_assert_uint_eq(counts[SOURCE_CHANGED], MANY);
	ck_assert(e.complete && !e.swept);
	buf_free(&answer);
}
END_TEST

/* --- other things that open and announce do ---------------------------- */

START_TEST(a_uidvalidity_that_changes_amid_a_pass_ends_it)
{
	static const struct script_step steps[] = { OPENED("2", "3", ""),
		{ "UID FETCH 1:2 (UID FLAGS",
		    NEW("1", "1") "* OK [UIDVALIDITY 8] changed\r\n" NEW(
			"2", "2") "@ OK\r\n" },
		OPENED("0", "3", ""), END };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct source_event e;
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	while (s.ops->announce(s.data, &e, &err))
		ck_assert_int_ne(e.kind, SOURCE_END);
	ck_assert_int_eq(err.scope, ERR_MAILBOX);
	ck_assert_int_eq(err.code, ERR_UIDVALIDITY);
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	ck_assert(s.ops->announce(s.data, &e, &err));
	ck_assert_int_eq(e.kind, SOURCE_END);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

#define ID_ITEM "BODY[HEADER.FIELDS (MESSAGE-ID)]"

START_TEST(a_message_id_is_announced_where_it_is_asked_for)
{
	static const struct script_step steps[] = { OPENED("7", "8", ""),
		{ "UID FETCH 1:7 (UID FLAGS INTERNALDATE RFC822.SIZE "
		  "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])",
		    "* 1 FETCH (UID 1 RFC822.SIZE 1 " ID_ITEM
		    " {21}\r\nMessage-ID: <1-x>\r\n\r\n FLAGS (\\Seen))\r\n"
		    "* 2 FETCH (" ID_ITEM " {24}\r\nmessage-id:\r\n\t<2-x> "
		    "\r\n\r\n UID 2 RFC822.SIZE "
		    "1)\r\n"
		    "* 3 FETCH (UID 3 RFC822.SIZE 1 " ID_ITEM
		    " {2}\r\n\r\n)\r\n"
		    "* 4 FETCH (UID 4 RFC822.SIZE 1 " ID_ITEM " NIL)\r\n"
		    "* 5 FETCH (UID 5 RFC822.SIZE 1 BODY[HEADER.FIELDS "
		    "(\"Message-ID\")] \"Message-Id: <5-x>\")\r\n"
		    "* 6 FETCH (UID 6 RFC822.SIZE 1 " ID_ITEM
		    " {17}\r\nMessage-ID: \1<6-x)\r\n"
		    "* 7 FETCH (UID 7 RFC822.SIZE 1)\r\n@ OK\r\n" },
		END };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source_state state = { .message_ids = true };
	struct source s = { 0 };
	struct source_opened opened;
	struct source_event e;
	struct buf heard = { 0 };
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", &state, &opened, &err));
	while (s.ops->announce(s.data, &e, &err) && e.kind != SOURCE_END)
		hear(&heard, &e);
	ck_assert_int_eq(e.kind, SOURCE_END);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	ck_assert_str_eq(heard.data,
	    "seen 1 \\Seen id= <1-x>\nseen 2 id=\r\n\t<2-x> \nseen 3\n"
	    "seen 4\nseen 5 id= <5-x>\nseen 6\nseen 7\n");
	buf_free(&heard);
}
END_TEST

Suite *
suite_imap_delta(void)
{
	Suite *s = suite_create("imap delta");
	TCase *t = tcase_create("delta");
	int n = sizeof(passes) / sizeof(passes[0]);
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
	    t, a_delta_tells_what_has_become_of_a_mailbox, 0, n);
	tcase_add_loop_test(t, octet_by_octet_is_the_same, 0, n);
	tcase_add_test(t, a_search_of_many_uids_with_repeats_is_joined);
	tcase_add_test(t, a_great_mailbox_is_searched_in_ranges);
	tcase_add_test(t, changes_without_number_are_told_one_by_one);
	tcase_add_test(t, a_uidvalidity_that_changes_amid_a_pass_ends_it);
	tcase_add_test(t, a_message_id_is_announced_where_it_is_asked_for);

	return s;
}
