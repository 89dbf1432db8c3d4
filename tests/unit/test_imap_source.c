/* The source against scripted servers: what a real one will not do. */
#include <fcntl.h>

#include "base/mem.h"
#include "base/buf.h"
#include "imap/imap.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/name.h"
#include "../lib/imap_script.h"

Suite *suite_imap_source(void);

enum { SEEN_MAX = 4096 };

/* Everything a source said, as text: "seen 5 44 \Seen foo 12345+0\n". */
struct heard {
	struct buf events, bodies;
	uint64_t okeys[SEEN_MAX], sizes[SEEN_MAX];
	size_t seen, asked, answered;
	struct source_event end;
	struct err err; /* of the call that failed */
	bool failed;
};

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
					  .timeout_ms = 10000 },
		.user = "alice",
		.secret = &secret };
}

static void
hear_placement(struct heard *h, const struct placement *p)
{
	buf_fmt(&h->events, "seen %llu %llu", (unsigned long long)p->okey,
	    (unsigned long long)p->size);
	if (p->flags != 0) {
		buf_char(&h->events, ' ');
		flags_text(&h->events, p->flags);
	}
	for (uint32_t i = 0; i < p->keyword_count; i++)
		buf_fmt(&h->events, " %s", p->keywords[i]);
	if (p->idate != DATETIME_NONE)
		buf_fmt(&h->events, " @%lld%+d", (long long)p->idate, p->zone);
	if (p->email_id != NULL)
		buf_fmt(&h->events, " id=%s", p->email_id);
	buf_char(&h->events, '\n');
	ck_assert_uint_lt(h->seen, SEEN_MAX);
	h->okeys[h->seen] = p->okey;
	h->sizes[h->seen++] = p->size;
}

static bool
take_body(struct source *s, struct heard *h)
{
	struct source_body b;
	char text[256];
	if (!s->ops->body(s->data, &b, &h->err))
		return false;
	h->answered++;
	if (b.kind == SOURCE_BODY) {
		uint64_t n = content_size(b.content);
		ck_assert(n < sizeof(text));
		ck_assert(
		    n == 0 || content_read(b.content, 0, text, n, &h->err));
		buf_fmt(&h->bodies, "%llu=", (unsigned long long)b.okey);
		buf_add(&h->bodies, text, n);
		content_free(&b.content);
	} else {
		buf_fmt(&h->bodies, "%llu %s", (unsigned long long)b.okey,
		    b.kind == SOURCE_VANISHED ? "vanished" : "unreadable");
		if (*b.why.words != 0)
			buf_fmt(&h->bodies, " (%s)", b.why.words);
	}
	buf_char(&h->bodies, '\n');

	return true;
}

/* Announce to the end, ask for what was seen, take all bodies. */
static bool
haul(struct source *s, struct heard *h, bool bodies)
{
	for (h->end.kind = SOURCE_SEEN; h->end.kind != SOURCE_END;) {
		if (!s->ops->announce(s->data, &h->end, &h->err))
			return false;
		switch (h->end.kind) {
		case SOURCE_SEEN:
			hear_placement(h, &h->end.placement);
			break;
		case SOURCE_BAD:
			buf_fmt(&h->events, "bad %llu\n",
			    (unsigned long long)h->end.placement.okey);
			break;
		case SOURCE_GONE:
			buf_fmt(&h->events, "gone %llu\n",
			    (unsigned long long)h->end.placement.okey);
			break;
		case SOURCE_LATER:
			if (h->answered < h->asked && !take_body(s, h))
				return false;
			break;
		default:
			break;
		}
		/* In tens, so that announcing and bodies overlap. */
		if (bodies && h->seen >= h->asked + 10) {
			if (!s->ops->request(s->data, h->okeys + h->asked,
				h->sizes + h->asked, h->seen - h->asked,
				&h->err))
				return false;
			h->asked = h->seen;
		}
	}
	if (bodies && h->seen > h->asked &&
	    !s->ops->request(s->data, h->okeys + h->asked, h->sizes + h->asked,
		h->seen - h->asked, &h->err))
		return false;
	if (bodies)
		h->asked = h->seen;
	while (h->answered < h->asked)
		if (!take_body(s, h))
			return false;

	return true;
}

static void
heard_free(struct heard *h)
{
	buf_free(&h->events);
	buf_free(&h->bodies);
}

static const char *
text_of(const struct buf *b)
{
	return b->len > 0 ? b->data : "";
}

#define EXAMINE(exists, uidnext)                                        \
	{                                                               \
		"EXAMINE \"INBOX\"",                                    \
		    "* " exists " EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n" \
		    "* OK [UIDNEXT " uidnext                            \
		    "] n\r\n@ OK [READ-ONLY] done\r\n"                  \
	}
#define LINES "UID FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE)"
#define DATE "INTERNALDATE \"01-Jan-2020 00:00:00 +0100\" "
#define LINE(n, uid) \
	"* " n " FETCH (UID " uid " FLAGS () " DATE "RFC822.SIZE 3)\r\n"
#define THREE LINE("1", "1") LINE("2", "2") LINE("3", "3") "@ OK\r\n"
#define SEEN3                                                \
	"seen 1 3 @1577833200+60\nseen 2 3 @1577833200+60\n" \
	"seen 3 3 @1577833200+60\n"
#define B(n, uid, text) "* " n " FETCH (UID " uid " BODY[] {3}\r\n" text ")\r\n"
#define ABC "1=aaa\n2=bbb\n3=ccc\n"
#define BODIES "UID FETCH 1:3 (UID BODY.PEEK[])"
#define END                \
	{                  \
		NULL, NULL \
	}

static const struct {
	const char *name;
	struct script_step steps[14];
	const char *events, *bodies;
	bool complete;
	uint64_t expunged, uidnext;
	int code; /* -1: all is well; else enum err_code of a failure */
	const char *words;
} hauls[] = {
	{ "well",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, B("1", "1", "aaa") B("2", "2", "bbb")
			      B("3", "3", "ccc") "@ OK\r\n" },
		END },
	    SEEN3, ABC, true, 0, 4, -1, NULL },
	{ "items in any order, literal8, quoted and unknown ones",
	    { EXAMINE("3", "4"),
		{ LINES, "* 3 FETCH (RFC822.SIZE 3 X-A (1 (2)) UID 3 " DATE
			 "FLAGS ())\r\n* XSTUFF (((\r\n"
			 "* 1 FETCH (" DATE "RFC822.SIZE 3 FLAGS () UID 1)\r\n"
			 "\r\n* 2 FETCH (UID 2 RFC822.SIZE 3 " DATE
			 "FLAGS ())\r\n@ OK\r\n" },
		{ BODIES, "* 2 FETCH (BODY[] ~{3}\r\nbbb UID 2)\r\n"
			  "* 3 FETCH (X \"y\" UID 3 BODY[] \"ccc\")\r\n"
			  "* OK [WHATEVER (] hm {9}\r\n"
			  "* 1 FETCH (BODY[]<0> {3}\r\naaa FLAGS () UID 1)\r\n"
			  "@ OK\r\n" },
		END },
	    SEEN3, "2=bbb\n3=ccc\n1=aaa\n", true, 0, 4, -1, NULL },
	{ "odd flags, no date, no size",
	    { EXAMINE("3", "4"),
		{ LINES, "* 1 FETCH (UID 1 FLAGS (foo(bar) \\Seen $x "
			 "\\Recent) INTERNALDATE NIL RFC822.SIZE 3)\r\n"
			 "* 2 FETCH (UID 2 FLAGS () INTERNALDATE "
			 "\"00-Jan-0000 00:00:00 +0000\" RFC822.SIZE 3)\r\n"
			 "* 3 FETCH (UID 3 FLAGS () " DATE ")\r\n@ OK\r\n" },
		{ BODIES, B("1", "1", "aaa") B("2", "2", "bbb")
			      B("3", "3", "ccc") "@ OK\r\n" },
		END },
	    "seen 1 3 \\Seen $x\nseen 2 3\nseen 3 0 @1577833200+60\n", ABC,
	    true, 0, 4, -1, NULL },
	{ "no UID, garbage, foreign, unsolicited and repeated lines",
	    { EXAMINE("3", "4"),
		{ LINES,
		    LINE("1",
			"1") "* 1 FETCH (FLAGS (\\Seen))\r\n"
			     "* 2 FETCH (FLAGS () RFC822.SIZE 3 " DATE
			     ")\r\n" LINE("9", "99") LINE("1",
				 "1") "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n"
				      "* 2 FETCH (UID 2 RFC822.SIZE 3 X "
				      "\"\r\n" LINE("3", "3") "@ OK\r\n" },
		{ "UID FETCH 1,3 (UID BODY.PEEK[])",
		    B("1", "1", "aaa") B("3", "3", "ccc") "@ OK\r\n" },
		END },
	    "seen 1 3 @1577833200+60\nbad 2\nseen 3 3 @1577833200+60\n"
	    "bad 0\n",
	    "1=aaa\n3=ccc\n", false, 0, 4, -1, NULL },
	{ "OK without a body: once more alone, then gone or unreadable",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, B("1", "1", "aaa") "@ OK\r\n" },
		{ "UID FETCH 2 (UID BODY.PEEK[])", "@ OK\r\n" },
		{ "UID FETCH 3 (UID BODY.PEEK[])",
		    "* 3 FETCH (UID 3 BODY[] NIL)\r\n@ OK\r\n" },
		{ "UID FETCH 2 (UID)", "@ OK\r\n" },
		{ "UID FETCH 3 (UID)", "* 3 FETCH (UID 3)\r\n@ OK\r\n" }, END },
	    SEEN3, "1=aaa\n2 vanished\n3 unreadable\n", true, 0, 4, -1, NULL },
	{ "OK of only the last ones (RFC 9738): the rest in halves",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, B("3", "3", "ccc") "@ OK [MESSAGELIMIT 3] cut\r\n" },
		{ "UID FETCH 1 (UID BODY.PEEK[])",
		    B("1", "1", "aaa") "@ OK\r\n" },
		{ "UID FETCH 2 (UID BODY.PEEK[])",
		    B("2", "2", "bbb") "@ OK\r\n" },
		END },
	    SEEN3, "3=ccc\n1=aaa\n2=bbb\n", true, 0, 4, -1, NULL },
	{ "NO: halves find exactly the bad message",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, "@ NO [SERVERBUG] broken\r\n" },
		{ "UID FETCH 1 (UID BODY.PEEK[])",
		    B("1", "1", "aaa") "@ OK\r\n" },
		{ "UID FETCH 2:3 (UID BODY.PEEK[])", "@ BAD oops\r\n" },
		{ "UID FETCH 2 (UID BODY.PEEK[])", "@ NO cannot read\r\n" },
		{ "UID FETCH 3 (UID BODY.PEEK[])",
		    B("3", "3", "ccc") "@ OK\r\n" },
		{ "UID FETCH 2 (UID)", "* 2 FETCH (UID 2)\r\n@ OK\r\n" }, END },
	    SEEN3, "1=aaa\n3=ccc\n2 unreadable (NO cannot read)\n", true, 0, 4,
	    -1, NULL },
	{ "NO while listing: halves find exactly the bad line",
	    { EXAMINE("3", "4"), { LINES, LINE("1", "1") "@ NO bad\r\n" },
		{ "UID FETCH 1:2 (UID FLAGS",
		    LINE("1", "1") LINE("2", "2") "@ OK\r\n" },
		{ "UID FETCH 3 (UID FLAGS", "@ NO no way\r\n" },
		{ "UID FETCH 1:2 (UID BODY.PEEK[])",
		    B("1", "1", "aaa") B("2", "2", "bbb") "@ OK\r\n" },
		END },
	    "seen 1 3 @1577833200+60\nseen 2 3 @1577833200+60\nbad 3\n",
	    "1=aaa\n2=bbb\n", false, 0, 4, -1, NULL },
	{ "two bodies for one, and one nobody asked for",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, B("1", "1", "aaa") B("1", "1", "zzz") B("9", "99",
			      "yyy") "* 8 FETCH (BODY[] {3}\r\nxxx UID 98)\r\n"
				     "* 2 FETCH (UID 2 BODY[] {3}\r\nbbb "
				     "BODY[] {3}\r\nzzz"
				     ")\r\n* 7 FETCH (BODY[] {3}\r\nwww)\r\n"
				     "* 6 FETCH (BODY[] {3}\r\nwww UID 3\r\n" B(
					 "3", "3", "ccc") "@ OK\r\n" },
		END },
	    SEEN3, ABC, true, 0, 4, -1, NULL },
	{ "EXPUNGE during FETCH",
	    { EXAMINE("4", "5"),
		{ "UID FETCH 1:4 (UID FLAGS", "* 4 EXPUNGE\r\n" THREE },
		/* Does UIDNEXT hide one? */
		{ "FETCH 3 (UID)", "* 3 FETCH (UID 3)\r\n@ OK\r\n" },
		{ BODIES, B("1", "1", "aaa") "* 4 EXPUNGE\r\n* 3 EXISTS\r\n" B(
			      "2", "2", "bbb") B("3", "3", "ccc") "@ OK\r\n" },
		END },
	    SEEN3, ABC, true, 1, 5, -1, NULL },
	{ "no UIDNEXT: up to the last, which is not told twice",
	    { { "EXAMINE", "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n@ OK\r\n" },
		{ "UID FETCH 1:* (UID FLAGS", THREE },
		{ BODIES, B("1", "1", "aaa") B("2", "2", "bbb")
			      B("3", "3", "ccc") "@ OK\r\n" },
		END },
	    SEEN3, ABC, true, 0, 4, -1, NULL },
	{ "BYE amid a window",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, B("1", "1", "aaa") "* BYE server shutting down\r\n" },
		END },
	    SEEN3, "1=aaa\n", true, 0, 4, ERR_NETWORK,
	    "BYE server shutting down" },
	{ "BYE with a throttle word",
	    { EXAMINE("3", "4"),
		{ LINES, "* BYE Request is throttled. "
			 "Suggested Backoff Time: 299961 "
			 "milliseconds\r\n" },
		END },
	    "", "", false, 0, 0, ERR_THROTTLE,
	    "BYE Request is throttled. Suggested Backoff Time: 299961 "
	    "milliseconds" },
	{ "EOF inside a literal",
	    { EXAMINE("3", "4"), { LINES, THREE },
		{ BODIES, "* 1 FETCH (UID 1 BODY[] {4294967290}\r\nshort "
			  "* BYE" },
		END },
	    SEEN3, "", true, 0, 4, ERR_NETWORK, "" },
	{ "a tag of nobody's",
	    { EXAMINE("3", "4"), { LINES, "X9 OK done\r\n" }, END }, "", "",
	    false, 0, 0, ERR_PROTOCOL, "X9 OK done" },
	{ "a literal beyond all numbers",
	    { EXAMINE("3", "4"),
		{ LINES, "* 1 FETCH (X {18446744073709551617}\r\n" }, END },
	    "", "", false, 0, 0, ERR_PROTOCOL, "" },
	{ "UIDVALIDITY 0",
	    { { "EXAMINE", "* 3 EXISTS\r\n* OK [UIDVALIDITY 0] v\r\n@ OK\r\n" },
		{ "SELECT",
		    "* 3 EXISTS\r\n* OK [UIDVALIDITY 0] v\r\n@ OK\r\n" },
		END },
	    "", "", false, 0, 0, ERR_UIDVALIDITY, "" },
	{ "no UIDVALIDITY",
	    { { "EXAMINE", "* 3 EXISTS\r\n@ OK\r\n" },
		{ "SELECT", "* 3 EXISTS\r\n@ OK\r\n" }, END },
	    "", "", false, 0, 0, ERR_UIDVALIDITY, "" },
	{ "UIDVALIDITY to SELECT only",
	    { { "EXAMINE \"INBOX\"", "* 3 EXISTS\r\n@ OK\r\n" },
		{ "SELECT \"INBOX\"",
		    "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
		    "* OK [UIDNEXT 4] n\r\n@ OK [READ-WRITE]\r\n" },
		{ LINES, THREE },
		{ BODIES, B("1", "1", "aaa") B("2", "2", "bbb")
			      B("3", "3", "ccc") "@ OK\r\n" },
		END },
	    SEEN3, ABC, true, 0, 4, -1, NULL },
	{ "EXAMINE refused",
	    { { "EXAMINE", "@ NO [NOPERM] not yours\r\n" }, END }, "", "",
	    false, 0, 0, ERR_REFUSED, "NO [NOPERM] not yours" },
	{ "an empty mailbox", { EXAMINE("0", "1"), END }, "", "", true, 0, 1,
	    -1, NULL },
	{ "an endless range when all is refused ends",
	    { EXAMINE("1", "3"), { "UID FETCH 1:2 (", "@ NO a\r\n" },
		{ "UID FETCH 1 (", "@ NO b\r\n" },
		{ "UID FETCH 2 (", "@ NO c\r\n" }, END },
	    "bad 1\nbad 2\n", "", false, 0, 3, -1, NULL },
};

static void
check_haul(int i, bool dribble, size_t flood)
{
	struct script script = {
		.steps = hauls[i].steps, .dribble = dribble, .flood = flood
	};
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct heard *h = mem_new(sizeof(*h));
	struct err err;
	ck_assert_msg(imap_source_new(&s, &o, &err), "%s", err.text);
	ck_assert_str_eq(imap_source_facts(&s)->mechanism, "LOGIN");
	bool good = s.ops->open(s.data, "INBOX", &(struct source_state){ 0 },
			&opened, &h->err) &&
		    haul(&s, h, true);
	ck_assert_msg(good == (hauls[i].code < 0), "%s: %s (%s)", hauls[i].name,
	    good ? "good" : h->err.text, h->err.words);
	ck_assert_str_eq(text_of(&h->events), hauls[i].events);
	ck_assert_str_eq(text_of(&h->bodies), hauls[i].bodies);
	if (good) {
		ck_assert_int_eq(h->end.complete, hauls[i].complete);
		ck_assert_uint_eq(h->end.expunged, hauls[i].expunged);
		ck_assert_uint_eq(h->end.state.uidnext, hauls[i].uidnext);
		ck_assert_uint_eq(h->end.state.uidvalidity, 7);
	} else {
		ck_assert_int_eq((int)h->err.code, hauls[i].code);
		ck_assert_str_eq(h->err.words, hauls[i].words);
		if (h->err.code == ERR_NETWORK) {
			ck_assert_int_eq(h->err.scope, ERR_ACCOUNT);
			ck_assert(h->err.transient);
		}
	}
	s.ops->close(&s.data, true);
	ck_assert_ptr_null(s.data);
	int code = script_end(&server);
	ck_assert_msg(
	    code == 0, "%s: the script ended with %d", hauls[i].name, code);
	heard_free(h);
	free(h);
}

START_TEST(a_mailbox_is_hauled_whatever_the_server_says)
{
	check_haul(_i, false, 0);
}
END_TEST

START_TEST(octet_by_octet_is_the_same)
{
	check_haul(_i, true, 0);
}
END_TEST

START_TEST(a_flood_of_junk_is_skipped)
{
	check_haul(0, false, 50000);
}
END_TEST

/* --- throttling -------------------------------------------------------- */

START_TEST(a_throttled_window_is_asked_again_after_the_pause)
{
	static const struct script_step steps[] = { EXAMINE("3", "4"),
		{ LINES, "@ NO [LIMIT] slow down\r\n" }, { LINES, THREE },
		{ BODIES, B("1", "1", "aaa") "@ NO Request is throttled. "
					     "Suggested Backoff Time: 5000 "
					     "milliseconds\r\n" },
		{ "UID FETCH 2:3 (UID BODY.PEEK[])",
		    B("2", "2", "bbb") B("3", "3", "ccc") "@ OK Success "
							  "[THROTTLED]\r\n" },
		END };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct heard *h = mem_new(sizeof(*h));
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	int pauses = 0;
	while (!haul(&s, h, true)) {
		ck_assert_int_eq(h->err.code, ERR_THROTTLE);
		ck_assert_int_ne(h->err.scope, ERR_ACCOUNT);
		ck_assert(h->err.until > 0);
		pauses++;
	}
	ck_assert_int_eq(pauses, 2);
	ck_assert_str_eq(text_of(&h->events), SEEN3);
	ck_assert_str_eq(text_of(&h->bodies), ABC);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	heard_free(h);
	free(h);
}
END_TEST

/* After the second event the body of UID 6 is asked for; before the one of
 * before, it is taken. The last event is left in *e. */
static void
tell_with_body(const struct script_step *steps,
    const enum source_event_kind *told, size_t n, size_t before,
    struct source_event *e)
{
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct source_body body = { 0 };
	const uint64_t uid = 6, size = 3;
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	for (size_t i = 0; i <= n; i++) {
		if (i == before)
			ck_assert(s.ops->body(s.data, &body, &err));
		if (i == n)
			break;
		ck_assert(s.ops->announce(s.data, e, &err));
		ck_assert_int_eq(e->kind, told[i]);
		if (i == 1)
			ck_assert(s.ops->request(s.data, &uid, &size, 1, &err));
	}
	ck_assert_uint_eq(body.okey, 6);
	content_free(&body.content);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}

/* Else nothing comes while the next range is on its way. */
START_TEST(bodies_can_be_asked_for_before_the_next_range_has_come)
{
	static const struct script_step steps[] = {
		{ "EXAMINE", "* 1500 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			     "* OK [UIDNEXT 1501] n\r\n@ OK\r\n" },
		{ "UID FETCH 1:1000 (", LINE("5", "6") "@ OK\r\n" },
		{ "UID FETCH 1001:1500 (", LINE("7", "1100") "@ OK\r\n" },
		{ "UID FETCH 6 (UID BODY.PEEK[])",
		    B("5", "6", "fff") "@ OK\r\n" },
		END
	};
	static const enum source_event_kind told[] = { SOURCE_SEEN,
		SOURCE_LATER, SOURCE_SEEN };
	struct source_event e;
	tell_with_body(steps, told, 3, 3, &e);
}
END_TEST

/* Mail that comes with the bodies must not stand for what the list lacks. */
START_TEST(what_comes_with_bodies_hides_no_gap)
{
	static const struct script_step steps[] = {
		{ "EXAMINE", "* 1100 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			     "* OK [UIDNEXT 1201] n\r\n@ OK\r\n" },
		{ "UID FETCH 1:1000 (", LINE("5", "6") "@ OK\r\n" },
		{ "UID FETCH 1001:1200 (", LINE("7", "1100") "@ OK\r\n" },
		{ "UID FETCH 6 (UID BODY.PEEK[])",
		    B("5", "6", "fff") "* 1101 EXISTS\r\n@ OK\r\n" },
		END
	};
	static const enum source_event_kind told[] = { SOURCE_SEEN,
		SOURCE_LATER, SOURCE_SEEN, SOURCE_LATER, SOURCE_END };
	struct source_event e;
	tell_with_body(steps, told, 5, 4, &e);
	ck_assert(!e.complete);
	ck_assert(!e.swept);
}
END_TEST

#define MANY                                                             \
	{                                                                \
		"EXAMINE", "* 2500 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n" \
			   "* OK [UIDNEXT 4001] n\r\n@ OK\r\n"           \
	}

static const struct {
	struct script_step steps[9];
	const char *events;
} edges[] = {
	/* Ranges end where the server says that every thousandth stands. */
	{ { MANY,
	      { "FETCH 500,1500,2500 (UID)",
		  "* 500 FETCH (UID 600)\r\n* 9 FETCH (UID 9)\r\n"
		  "* 1500 FETCH (UID 1800)\r\n* 2500 FETCH (UID 4000)\r\n"
		  "@ OK\r\n" },
	      { "UID FETCH 1:600 (", LINE("5", "6") "@ OK\r\n" },
	      { "UID FETCH 601:1800 (", LINE("7", "700") "@ OK\r\n" },
	      { "UID FETCH 1801:4000 (", LINE("8", "1801") "@ OK\r\n" }, END },
	    "6 700 1801" },
	/* Refused: by width, which grows where there is little. */
	{ { MANY, { "FETCH 500,1500,2500 (UID)", "@ BAD no\r\n" },
	      { "UID FETCH 1:1000 (", LINE("5", "6") "@ OK\r\n" },
	      { "UID FETCH 1001:3000 (", LINE("8", "1801") "@ OK\r\n" },
	      { "UID FETCH 3001:4000 (", "@ OK\r\n" }, END },
	    "6 1801" },
	/* A UIDNEXT below the last UID is a lie. */
	{ { { "EXAMINE", "* 1500 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			 "* OK [UIDNEXT 2600] n\r\n@ OK\r\n" },
	      { "FETCH 500,1500 (UID)", "* 500 FETCH (UID 600)\r\n"
					"* 1500 FETCH (UID 3000)\r\n@ OK\r\n" },
	      { "UID FETCH 1:600 (", "@ OK\r\n" },
	      { "UID FETCH 601:3000 (", LINE("8", "3000") "@ OK\r\n" }, END },
	    "3000" },
	/* Few gaps: nothing is asked first; in the end, what UIDNEXT hides. */
	{ { { "EXAMINE", "* 2500 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			 "* OK [UIDNEXT 2600] n\r\n@ OK\r\n" },
	      { "UID FETCH 1:1000 (", LINE("5", "6") "@ OK\r\n" },
	      { "UID FETCH 1001:2599 (", LINE("8", "1801") "@ OK\r\n" },
	      { "FETCH 500,1500,2500 (UID)",
		  "* 500 FETCH (UID 7)\r\n* 1500 FETCH (UID 1802)\r\n"
		  "* 2500 FETCH (UID 3000)\r\n@ OK\r\n" },
	      { "UID FETCH 2600:3000 (", LINE("2500", "3000") "@ OK\r\n" },
	      END },
	    "6 1801 3000" },
	{ { { "EXAMINE", "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			 "* OK [UIDNEXT 7] n\r\n@ OK\r\n" },
	      { "UID FETCH 1:6 (", LINE("1", "6") "@ OK\r\n" },
	      { "FETCH 3 (UID)", "* 3 FETCH (UID 9)\r\n@ OK\r\n" },
	      { "UID FETCH 7:9 (", LINE("2", "9") "@ OK\r\n" }, END },
	    "6 9" },
	{ { { "EXAMINE", "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			 "* OK [UIDNEXT 7] n\r\n@ OK\r\n" },
	      { "UID FETCH 1:6 (", LINE("1", "6") "@ OK\r\n" },
	      { "FETCH 3 (UID)", "@ NO not by number\r\n" },
	      { "UID FETCH * (UID)", "* 3 FETCH (UID 9)\r\n@ OK\r\n" },
	      { "UID FETCH 7:9 (", LINE("2", "9") "@ OK\r\n" }, END },
	    "6 9" },
	/* What came meanwhile must not stand for what lacks. */
	{ { { "EXAMINE", "* 2500 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			 "* OK [UIDNEXT 2600] n\r\n@ OK\r\n" },
	      { "UID FETCH 1:1000 (", LINE("5", "6") "@ OK\r\n" },
	      { "UID FETCH 1001:2599 (",
		  LINE("8", "1801") "* 2501 EXISTS\r\n@ OK\r\n" },
	      END },
	    "6 1801" },
};

START_TEST(large_mailboxes_are_cut_into_ranges_without_gaps)
{
	struct script script = { .steps = edges[_i].steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct heard *h = mem_new(sizeof(*h));
	struct buf uids = { 0 };
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	ck_assert_msg(haul(&s, h, false), "%s", h->err.text);
	for (size_t i = 0; i < h->seen; i++)
		buf_fmt(&uids, "%s%llu", i > 0 ? " " : "",
		    (unsigned long long)h->okeys[i]);
	ck_assert_str_eq(text_of(&uids), edges[_i].events);
	ck_assert(!h->end.complete);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	buf_free(&uids);
	heard_free(h);
	free(h);
}
END_TEST

/* --- delta, recall, gaps ----------------------------------------------- */

static struct heard *
go_on_from_50(const struct script_step *steps)
{
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct source_state state = {
		.uidvalidity = 7, .uidnext = 50, .only_new = true
	};
	struct heard *h = mem_new(sizeof(*h));
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", &state, &opened, &err));
	ck_assert(haul(&s, h, false));
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);

	return h;
}

START_TEST(a_pass_that_goes_on_tells_only_what_is_new)
{
	static const struct script_step steps[] = { EXAMINE("3", "100"),
		{ "UID FETCH 50:99 (UID FLAGS",
		    LINE("2", "40") LINE("3", "60") "@ OK\r\n" },
		END };
	struct heard *h = go_on_from_50(steps);
	ck_assert_str_eq(text_of(&h->events), "seen 60 3 @1577833200+60\n");
	ck_assert(h->end.complete);
	ck_assert_uint_eq(h->end.state.uidnext, 100);
	heard_free(h);
	free(h);
}
END_TEST

/* A UIDNEXT that is not above the last UID is told from one that is. */
START_TEST(what_lies_from_uidnext_on_is_told_if_it_is_asked_for)
{
	static const struct {
		const char *uid, *told;
		uint64_t uidnext;
	} last[] = {
		{ "49", "", 50 },
		{ "60", "seen 60 3 @1577833200+60\n", 61 },
	};
	struct script_step steps[] = { EXAMINE("3", "50"),
		{ "UID FETCH 50:* (UID FLAGS",
		    _i == 0 ? LINE("3", "49") "@ OK\r\n"
			    : LINE("3", "60") "@ OK\r\n" },
		END };
	struct heard *h = go_on_from_50(steps);
	ck_assert_str_eq(text_of(&h->events), last[_i].told);
	ck_assert_uint_eq(h->end.state.uidnext, last[_i].uidnext);
	heard_free(h);
	free(h);
}
END_TEST

START_TEST(a_recall_tells_who_is_gone)
{
	static const struct script_step steps[] = { EXAMINE("3", "100"),
		{ "UID FETCH 3,5,9 (UID FLAGS",
		    LINE("2", "5") LINE("3", "6") "@ OK\r\n" },
		END };
	static const uint64_t okeys[] = { 9, 3, 5, 5 };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct heard *h = mem_new(sizeof(*h));
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	ck_assert(s.ops->recall(s.data, okeys, 4, &err));
	ck_assert(haul(&s, h, false));
	ck_assert_str_eq(
	    text_of(&h->events), "gone 3\nseen 5 3 @1577833200+60\ngone 9\n");
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	heard_free(h);
	free(h);
}
END_TEST

START_TEST(a_range_never_spans_what_was_not_asked_for)
{
	static const struct script_step steps[] = { EXAMINE("4", "100"),
		{ "UID FETCH 1:99 (UID FLAGS",
		    LINE("1", "10") LINE("2", "20") LINE("3", "30")
			LINE("4", "40") "@ OK\r\n" },
		/* 30 was told and not requested; 20 spans to 10. */
		{ "UID FETCH 10:20,40 (UID BODY.PEEK[])",
		    B("1", "10", "aaa") B("2", "20", "bbb")
			B("4", "40", "ddd") "@ OK\r\n" },
		END };
	static const uint64_t okeys[] = { 10, 20, 40 }, sizes[] = { 3, 3, 3 };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	struct heard *h = mem_new(sizeof(*h));
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->open(s.data, "INBOX", NULL, &opened, &err));
	ck_assert(haul(&s, h, false));
	ck_assert(s.ops->request(s.data, okeys, sizes, 3, &err));
	for (int i = 0; i < 3; i++)
		ck_assert(take_body(&s, h));
	ck_assert_str_eq(text_of(&h->bodies), "10=aaa\n20=bbb\n40=ddd\n");
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	heard_free(h);
	free(h);
}
END_TEST

/* --- lists ------------------------------------------------------------- */

static bool
hear_mailbox(void *arg, const struct source_mailbox *m, struct err *err)
{
	(void)err;
	buf_fmt(arg, "%s|%s|%c|%s%s", m->name, m->display,
	    m->separator != 0 ? m->separator : '-', m->subscribed ? "sub" : "",
	    (m->attributes & MAILBOX_NOSELECT) != 0 ? "noselect" : "");
	if (m->uidvalidity != 0)
		buf_fmt(arg, " %llu of %llu", (unsigned long long)m->messages,
		    (unsigned long long)m->uidvalidity);
	buf_char(arg, '\n');

	return true;
}

static const struct {
	const char *capabilities, *only;
	bool others;
	struct script_step steps[8];
	const char *heard;
	uint64_t unlisted;
} lists[] = {
	{ "IMAP4rev1", NULL, false,
	    { { "LIST \"\" \"*\"",
		  "* LIST () \"/\" inbox\r\n"
		  "* LIST (\\Noselect \\HasChildren) \"/\" \"a b\"\r\n"
		  "* LIST () \"/\" {3}\r\nx\"y\r\n"
		  "* LIST () NIL flat\r\n"
		  "* LIST () \"\\\\\" \"back\\\\slash\"\r\n"
		  "* LIST () \"/\" flat\r\n"
		  "* LIST () \"/\" {13}\r\nx\r\nA1 DELETE y\r\n"
		  "* LIST () \"/\"\r\n"
		  "@ OK\r\n" },
		{ "LSUB \"\" \"*\"",
		    "* LSUB () \"/\" flat\r\n* LSUB () \"/\" gone\r\n"
		    "@ OK\r\n" },
		END },
	    "INBOX|INBOX|/|\na b|a b|/|noselect\nx\"y|x\"y|/|\n"
	    "flat|flat|/|sub\nback\\slash|back/slash|\\|\n",
	    2 },
	{ "IMAP4rev1 LIST-EXTENDED SPECIAL-USE", NULL, false,
	    { { "LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE)",
		  "* LIST (\\Subscribed) \".\" A.B (\"CHILDINFO\" (\"X\"))\r\n"
		  "@ OK\r\n" },
		END },
	    "A.B|A/B|.|sub\nINBOX|INBOX|.|\n", 0 },
	/* STATUS in any order, of names never listed, empty, or garbage. */
	{ "IMAP4rev1 LIST-EXTENDED LIST-STATUS", NULL, false,
	    { { "LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT "
		"UIDVALIDITY))",
		  "* STATUS a (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)\r\n"
		  "* LIST () \"/\" a\r\n"
		  "* LIST () \"/\" INBOX\r\n"
		  "* STATUS inbox (UIDVALIDITY 5 MESSAGES 12 X (1))\r\n"
		  "* STATUS \"\" (MESSAGES 3)\r\n"
		  "* STATUS ghost (MESSAGES 4)\r\n"
		  "* STATUS {3}\r\nb\r\n (MESSAGES 4)\r\n"
		  "* STATUS a\r\n"
		  "@ OK\r\n" },
		END },
	    "a|a|/| 3 of 7\nINBOX|INBOX|/| 12 of 5\n", 0 },
	{ "IMAP4rev1 NAMESPACE LIST-EXTENDED", NULL, false,
	    { { "NAMESPACE", "* NAMESPACE ((\"\" \"/\")) ((\"user/\" \"/\")) "
			     "((\"pub/\" \"/\" \"X\" (\"y\")))\r\n@ OK\r\n" },
		{ "LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n"
				     "* LIST () \"/\" user\r\n"
				     "* LIST () \"/\" user/bob\r\n"
				     "* LIST () \"/\" users\r\n@ OK\r\n" },
		END },
	    "INBOX|INBOX|/|\nusers|users|/|\n", 0 },
	{ "IMAP4rev1 NAMESPACE LIST-EXTENDED", NULL, true,
	    { { "NAMESPACE", "* NAMESPACE NIL ((\"user/\" \"/\")) NIL\r\n"
			     "@ OK\r\n" },
		{ "LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n@ OK\r\n" },
		{ "LIST \"\" \"user/*\"",
		    "* LIST () \"/\" user/bob\r\n@ OK\r\n" },
		END },
	    "INBOX|INBOX|/|\nuser/bob|user/bob|/|\n", 0 },
	{ "IMAP4rev1 LIST-EXTENDED", "Inbox", false,
	    { { "LIST \"\" \"*\"", "* LIST () \"/\" INBOX\r\n"
				   "* LIST () \"/\" INBOX/x\r\n@ OK\r\n" },
		END },
	    "INBOX|INBOX|/|\n", 0 },
};

START_TEST(every_mailbox_is_listed_once)
{
	struct script script = { .steps = lists[_i].steps,
		.capabilities = lists[_i].capabilities };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct buf heard = { 0 };
	struct err err;
	o.only_mailbox = lists[_i].only;
	o.namespace_other = lists[_i].others;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->list(s.data, hear_mailbox, &heard, &err));
	ck_assert_str_eq(text_of(&heard), lists[_i].heard);
	ck_assert_uint_eq(imap_source_unlisted(&s), lists[_i].unlisted);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
	buf_free(&heard);
}
END_TEST

START_TEST(status_and_quota_are_understood)
{
	static const struct script_step steps[] = {
		{ "STATUS \"a b\" (MESSAGES UIDNEXT UIDVALIDITY SIZE)",
		    "* STATUS {3}\r\na b (MESSAGES 3 X (1) SIZE 99 UIDNEXT 4 "
		    "UIDVALIDITY 7)\r\n@ OK\r\n" },
		{ "GETQUOTAROOT INBOX",
		    "* QUOTAROOT INBOX \"\" u\r\n* QUOTA \"\" (MESSAGE 1 2 "
		    "STORAGE 10 512)\r\n* QUOTA u (STORAGE 500 512)\r\n"
		    "@ OK\r\n" },
		END
	};
	struct script script = { .steps = steps,
		.capabilities = "IMAP4rev1 STATUS=SIZE QUOTA" };
	struct script_server server = script_start(&script);
	struct imap_options o = options_for(&server);
	struct source s = { 0 };
	struct source_opened opened;
	uint64_t size, used, limit;
	struct err err;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(imap_source_status(&s, "a b", &opened, &size, &err));
	ck_assert_uint_eq(opened.messages, 3);
	ck_assert_uint_eq(opened.uidnext, 4);
	ck_assert_uint_eq(opened.uidvalidity, 7);
	ck_assert_uint_eq(size, 99);
	ck_assert(imap_source_quota(&s, &used, &limit));
	ck_assert_uint_eq(used, 500 << 10);
	ck_assert_uint_eq(limit, 512 << 10);
	s.ops->close(&s.data, true);
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

Suite *
suite_imap_source(void)
{
	Suite *s = suite_create("imap source");
	TCase *t = tcase_create("source");
	int n = sizeof(hauls) / sizeof(hauls[0]);
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
	    t, a_mailbox_is_hauled_whatever_the_server_says, 0, n);
	tcase_add_loop_test(t, octet_by_octet_is_the_same, 0, n);
	tcase_add_test(t, a_flood_of_junk_is_skipped);
	tcase_add_test(t, a_throttled_window_is_asked_again_after_the_pause);
	tcase_add_test(
	    t, bodies_can_be_asked_for_before_the_next_range_has_come);
	tcase_add_test(t, what_comes_with_bodies_hides_no_gap);
	tcase_add_loop_test(t, large_mailboxes_are_cut_into_ranges_without_gaps,
	    0, sizeof(edges) / sizeof(edges[0]));
	tcase_add_test(t, a_pass_that_goes_on_tells_only_what_is_new);
	tcase_add_loop_test(
	    t, what_lies_from_uidnext_on_is_told_if_it_is_asked_for, 0, 2);
	tcase_add_test(t, a_recall_tells_who_is_gone);
	tcase_add_test(t, a_range_never_spans_what_was_not_asked_for);
	tcase_add_loop_test(t, every_mailbox_is_listed_once, 0,
	    sizeof(lists) / sizeof(lists[0]));
	tcase_add_test(t, status_and_quota_are_understood);

	return s;
}
