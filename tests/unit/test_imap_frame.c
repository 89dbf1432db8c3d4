/* The framer and the tokenizer, fed from memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap/fetch.h"
#include "imap/frame.h"
#include "imap/reply.h"
#include "mail/datetime.h"
#include "mail/flags.h"

Suite *suite_imap_frame(void);

struct memory {
	const char *data;
	size_t len, at, step; /* step: octets shown at a time */
};

static bool
memory_peek(
    void *arg, size_t min, const char **data, size_t *len, struct err *err)
{
	struct memory *m = arg;
	size_t left = m->len - m->at;
	*len = left < m->step ? left : m->step;
	*data = m->data + m->at;

	return *len >= min ||
	       err_set(err, ERR_ACCOUNT, ERR_NETWORK, "end of memory");
}

static void
memory_take(void *arg, size_t n)
{
	((struct memory *)arg)->at += n;
}

struct sunk {
	struct buf data;
	int begun;
	uint64_t size;
};

static bool
sunk_begin(
    void *arg, const char *text, size_t len, uint64_t size, struct err *err)
{
	struct sunk *s = arg;
	(void)text;
	(void)len;
	(void)err;
	s->begun++;
	s->size = size;

	return true;
}

static bool
sunk_add(void *arg, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(&((struct sunk *)arg)->data, data, len);

	return true;
}

static const struct {
	const char *in;
	const char *text; /* first response */
	const char *body; /* what went to the sink; NULL: nothing begun */
	const char *next; /* second response; NULL: end of input */
} frames[] = {
	{ "* OK hello\r\n", "* OK hello", NULL, NULL },
	{ "* OK hello\n* 1 EXISTS\n", "* OK hello", NULL, "* 1 EXISTS" },
	{ "\r\n* 1 EXISTS\r\n", "", NULL, "* 1 EXISTS" },
	{ "* LIST () \"/\" {3}\r\na\nb\r\nX OK\r\n",
	    "* LIST () \"/\" {3}\r\na\nb", NULL, "X OK" },
	{ "* OK look: {5}\r\nX OK\r\n", "* OK look: {5}", NULL, "X OK" },
	{ "X NO look: {5}\r\nX OK\r\n", "X NO look: {5}", NULL, "X OK" },
	{ "* 1 FETCH (UID 2 BODY[] {5}\r\nab\r\nc)\r\nX OK\r\n",
	    "* 1 FETCH (UID 2 BODY[] {5}\r\n)", "ab\r\nc", "X OK" },
	{ "* 1 FETCH (BODY[] ~{2+}\r\nab UID 2)\r\nX OK\r\n",
	    "* 1 FETCH (BODY[] ~{2+}\r\n UID 2)", "ab", "X OK" },
	{ "* 1 FETCH (BODY[]<0> {2}\r\nab UID 2)\r\n",
	    "* 1 FETCH (BODY[]<0> {2}\r\n UID 2)", "ab", NULL },
	{ "* 1 FETCH (body[] {0}\r\n UID 2)\r\n",
	    "* 1 FETCH (body[] {0}\r\n UID 2)", "", NULL },
	{ "* 1 FETCH (X {2}\r\nab BODY[] {2}\r\ncd)\r\n",
	    "* 1 FETCH (X {2}\r\nab BODY[] {2}\r\n)", "cd", NULL },
	{ "* 1 FETCH (BODY[] {10}x)\r\nA\r\n", "* 1 FETCH (BODY[] {10}x)", NULL,
	    "A" },
	{ "* 1 FETCH (BODY[] {-1}\r\nA\r\n", "* 1 FETCH (BODY[] {-1}", NULL,
	    "A" },
	{ "* 1 FETCH (BODY[] {}\r\nA\r\n", "* 1 FETCH (BODY[] {}", NULL, "A" },
};

START_TEST(responses_are_cut_whatever_they_hold)
{
	/* The same result however the octets trickle in. */
	for (size_t step = 1; step < 100; step += 7) {
		struct memory m = { frames[_i].in, strlen(frames[_i].in), 0,
			step };
		struct imap_frame f;
		struct sunk sunk = { 0 };
		struct err err;
		imap_frame_init(
		    &f, (struct imap_input){ &m, memory_peek, memory_take });
		f.sink = (struct imap_sink){ &sunk, sunk_begin, sunk_add };
		ck_assert(imap_frame_read(&f, &err));
		ck_assert_str_eq(
		    f.text.len > 0 ? f.text.data : "", frames[_i].text);
		ck_assert_int_eq(sunk.begun, frames[_i].body != NULL);
		if (frames[_i].body != NULL) {
			ck_assert_uint_eq(sunk.size, strlen(frames[_i].body));
			ck_assert_str_eq(
			    sunk.data.len > 0 ? sunk.data.data : "",
			    frames[_i].body);
		}
		if (frames[_i].next != NULL) {
			ck_assert(imap_frame_read(&f, &err));
			ck_assert_str_eq(f.text.data, frames[_i].next);
		}
		ck_assert(!imap_frame_read(&f, &err));
		ck_assert_int_eq(err.code, ERR_NETWORK);
		imap_frame_free(&f);
		buf_free(&sunk.data);
	}
}
END_TEST

START_TEST(an_endless_line_and_an_endless_number_end_the_session)
{
	static const char *const ins[] = {
		"* LIST 0123456789012345678901234567890123456789\r\n",
		"* LIST {18446744073709551617}\r\n",
		"* LIST {30}\r\n0123456789012345678901234567890\r\n",
		/* 40 octets up to a literal that is skipped, then more. */
		"* LIST () \"/\" 01234567890123456789 {100}\n"
		"0123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789"
		"01234567890123456789 and no end\r\n",
	};
	for (size_t i = 0; i < sizeof(ins) / sizeof(ins[0]); i++) {
		struct memory m = { ins[i], strlen(ins[i]), 0, 10 };
		struct imap_frame f;
		struct err err = { 0 };
		imap_frame_init(
		    &f, (struct imap_input){ &m, memory_peek, memory_take });
		f.line_max = 40;
		f.literal_max = 90;
		ck_assert(!imap_frame_read(&f, &err));
		ck_assert_int_eq(err.code, ERR_PROTOCOL);
		ck_assert_int_eq(err.scope, ERR_ACCOUNT);
		imap_frame_free(&f);
	}
}
END_TEST

START_TEST(a_long_literal_that_is_no_body_is_skipped)
{
	static const char in[] =
	    "* 1 FETCH (X {6}\r\nabcdef UID 5)\r\nA OK\r\n";
	struct memory m = { in, sizeof(in) - 1, 0, 100 };
	struct imap_frame f;
	struct imap_reply r;
	struct imap_fetch fetch = { 0 };
	const char *why;
	struct err err;
	imap_frame_init(
	    &f, (struct imap_input){ &m, memory_peek, memory_take });
	f.literal_max = 5;
	ck_assert(imap_frame_read(&f, &err));
	ck_assert_str_eq(f.text.data, "* 1 FETCH (X {6}\r\n UID 5)");
	imap_reply_parse(&r, &f);
	ck_assert(imap_fetch_parse(&fetch, r.rest, &why));
	ck_assert_uint_eq(fetch.uid, 5);
	ck_assert(imap_frame_read(&f, &err));
	imap_reply_parse(&r, &f);
	ck_assert_int_eq(r.kind, IMAP_TAGGED);
	imap_fetch_free(&fetch);
	imap_frame_free(&f);
}
END_TEST

/* --- lines ------------------------------------------------------------- */

static struct imap_frame line_frame;

static void
frame_line(const char *text, size_t len)
{
	buf_clear(&line_frame.text);
	buf_add(&line_frame.text, text, len);
}

static const struct {
	const char *line;
	enum imap_reply_kind kind;
	int status;
	const char *name, *code, *args, *text;
} replies[] = {
	{ "A1 OK", IMAP_TAGGED, IMAP_OK, "A1", "", "", "" },
	{ "A1 no [OVERQUOTA] full", IMAP_TAGGED, IMAP_NO, "A1", "OVERQUOTA", "",
	    "full" },
	{ "A1 BAD what", IMAP_TAGGED, IMAP_BAD, "A1", "", "", "what" },
	{ "* OK [UIDNEXT 5] x", IMAP_STATUS, IMAP_OK, "OK", "UIDNEXT", "5",
	    "x" },
	{ "* BYE", IMAP_STATUS, IMAP_BYE, "BYE", "", "", "" },
	{ "* OK [BADCHARSET (\"x", IMAP_STATUS, IMAP_OK, "OK", "", "",
	    "[BADCHARSET (\"x" },
	{ "* 5 EXISTS", IMAP_NUMBERED, 0, "EXISTS", "", "", NULL },
	{ "* 5 FETCH(UID 1)", IMAP_NUMBERED, 0, "FETCH", "", "", NULL },
	{ "* LIST () NIL x", IMAP_DATA, 0, "LIST", "", "", NULL },
	{ "+", IMAP_CONTINUE, 0, NULL, "", "", "" },
	{ "+ go", IMAP_CONTINUE, 0, NULL, "", "", "go" },
	{ "", IMAP_JUNK, 0, NULL, "", "", NULL },
	{ "*", IMAP_JUNK, 0, NULL, "", "", NULL },
	{ "* ", IMAP_JUNK, 0, NULL, "", "", NULL },
	{ "hello there", IMAP_JUNK, 0, NULL, "", "", NULL },
	{ " OK x", IMAP_JUNK, 0, NULL, "", "", NULL },
	{ "A1 PREAUTH x", IMAP_JUNK, 0, NULL, "", "", NULL },
};

START_TEST(replies_are_told_apart_by_their_first_words)
{
	struct imap_reply r;
	frame_line(replies[_i].line, strlen(replies[_i].line));
	imap_reply_parse(&r, &line_frame);
	ck_assert_int_eq(r.kind, replies[_i].kind);
	if (r.kind == IMAP_TAGGED || r.kind == IMAP_STATUS)
		ck_assert_int_eq((int)r.status, replies[_i].status);
	const struct imap_text *name = r.kind == IMAP_TAGGED ? &r.tag : &r.name;
	if (replies[_i].name != NULL)
		ck_assert(imap_text_is(name, replies[_i].name));
	ck_assert(imap_text_is(&r.code, replies[_i].code));
	ck_assert(imap_text_is(&r.args, replies[_i].args));
	if (replies[_i].text != NULL)
		ck_assert(imap_text_is(&r.text, replies[_i].text));
}
END_TEST

static const struct {
	const char *line; /* behind "* 1 FETCH "; \1: NUL */
	bool good;
	uint64_t uid, size;
	uint8_t flags;
	const char *keywords; /* joined by blanks */
	uint32_t dropped;
	const char *date; /* "" none */
	const char *body; /* NULL: none; "NIL" */
} lines[] = {
	{ "(UID 5 FLAGS (\\Seen foo $Junk) INTERNALDATE \"17-Jul-1996 "
	  "02:44:25 -0700\" RFC822.SIZE 44)",
	    true, 5, 44, MAIL_SEEN, "foo $Junk", 0,
	    "17-Jul-1996 02:44:25 -0700", NULL },
	{ "(flags () uid 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(FLAGS (foo(bar) \\Seen baz) UID 5)", true, 5, 0, MAIL_SEEN, "baz",
	    1, "", NULL },
	{ "(FLAGS (\\Recent \\Bogus \"q\") UID 5)", true, 5, 0, 0, "", 1, "",
	    NULL },
	{ "(FLAGS (\\Seen) FLAGS (a) UID 5)", true, 5, 0, 0, "a", 0, "", NULL },
	{ "(FLAGS NIL UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(INTERNALDATE NIL UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" UID 5)", true, 5, 0, 0,
	    "", 0, "", NULL },
	{ "(INTERNALDATE {2}\r\nab UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(RFC822.SIZE NIL UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(RFC822.SIZE -1 UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(X-NEW (a (b) \"c)\") X-FLAG UID 5)", true, 5, 0, 0, "", 0, "",
	    NULL },
	{ "(X-NEW \"(\" UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(BODY[HEADER.FIELDS (FROM TO)] \"x\" UID 5)", true, 5, 0, 0, "", 0,
	    "", NULL },
	{ "(EMAILID (M1) MODSEQ (12) UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(EMAILID NIL MODSEQ () UID 5)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(BODY[] NIL UID 5)", true, 5, 0, 0, "", 0, "", "NIL" },
	{ "(BODY[] \"a\\\"b\" UID 5)", true, 5, 0, 0, "", 0, "", "a\"b" },
	{ "(BODY[] \"\" UID 5)", true, 5, 0, 0, "", 0, "", "" },
	{ "(UID 5 BODY[] {3}\r\nabc)", true, 5, 0, 0, "", 0, "", "abc" },
	{ "(UID 5 BODY[] {3}\r\nabc BODY[] \"x\")", true, 5, 0, 0, "", 0, "",
	    "abc" },
	{ "(UID 5", false, 5, 0, 0, "", 0, "", NULL },
	{ "(UID 5 BODY[] {3}\r\nab", false, 5, 0, 0, "", 0, "", NULL },
	{ "(UID 5 X)", true, 5, 0, 0, "", 0, "", NULL },
	{ "(UID 0)", false, 0, 0, 0, "", 0, "", NULL },
	{ "(UID 4294967296)", false, 0, 0, 0, "", 0, "", NULL },
	{ "(UID 5 FLAGS (a", false, 5, 0, 0, "a", 0, "", NULL },
	{ "(UID 5 \"x\" 6)", false, 5, 0, 0, "", 0, "", NULL },
	{ "(UID 5 X \"unended)", false, 5, 0, 0, "", 0, "", NULL },
	{ "UID 5", false, 0, 0, 0, "", 0, "", NULL },
	{ "", false, 0, 0, 0, "", 0, "", NULL },
	{ "(FLAGS (a\1b) UID 5)", true, 5, 0, 0, "", 1, "", NULL },
	{ "(UID 5) trailing", true, 5, 0, 0, "", 0, "", NULL },
};

static size_t
with_nuls(char *out, size_t size, const char *line)
{
	size_t n = (size_t)snprintf(out, size, "* 1 FETCH %s", line);
	for (size_t i = 0; i < n; i++)
		if (out[i] == 1)
			out[i] = 0;

	return n;
}

START_TEST(fetch_lines_are_read_leniently)
{
	char line[512], date[27] = "";
	struct imap_reply r;
	struct imap_fetch f = { 0 };
	struct buf text = { 0 };
	const char *why = NULL;
	frame_line(line, with_nuls(line, sizeof(line), lines[_i].line));
	imap_reply_parse(&r, &line_frame);
	ck_assert_int_eq(r.kind, IMAP_NUMBERED);
	ck_assert_int_eq(imap_fetch_parse(&f, r.rest, &why), lines[_i].good);
	ck_assert_int_eq(why == NULL, lines[_i].good);
	ck_assert_uint_eq(f.uid, lines[_i].uid);
	ck_assert_uint_eq(f.size, lines[_i].size);
	ck_assert_uint_eq(f.flags, lines[_i].flags);
	ck_assert_uint_eq(f.keywords_dropped, lines[_i].dropped);
	const char *at = f.keywords.data;
	for (uint32_t i = 0; i < f.keyword_count; i++, at += strlen(at) + 1)
		buf_fmt(&text, "%s%s", i > 0 ? " " : "", at);
	ck_assert_str_eq(text.len > 0 ? text.data : "", lines[_i].keywords);
	if (f.idate != DATETIME_NONE)
		datetime_format(date, f.idate, f.zone);
	ck_assert_str_eq(date, lines[_i].date);
	buf_clear(&text);
	if (f.body_kind == IMAP_BODY_NIL)
		buf_str(&text, "NIL");
	else if (f.body_kind == IMAP_BODY_STRING)
		ck_assert(imap_token_text(&text, &f.body));
	ck_assert_int_eq(f.bodies == 0, lines[_i].body == NULL);
	if (lines[_i].body != NULL)
		ck_assert_str_eq(text.len > 0 ? text.data : "", lines[_i].body);
	buf_free(&text);
	imap_fetch_free(&f);
}
END_TEST

START_TEST(keywords_beyond_what_an_archive_s_line_holds_are_dropped)
{
	enum { MANY = 300, LONG = 1000 };
	struct buf line = { 0 };
	struct imap_reply r;
	struct imap_fetch f = { 0 };
	const char *why = NULL;
	buf_str(&line, "* 1 FETCH (UID 5 FLAGS (\\Seen");
	for (int i = 0; i < MANY; i++)
		buf_fmt(&line, " k%0*d", LONG - 1, i);
	buf_str(&line, ") RFC822.SIZE 7)");
	frame_line(line.data, line.len);
	imap_reply_parse(&r, &line_frame);
	ck_assert(imap_fetch_parse(&f, r.rest, &why));
	ck_assert_uint_eq(f.size, 7);
	ck_assert_uint_eq(f.keyword_count + f.keywords_dropped, MANY);
	ck_assert_uint_eq(f.keyword_count, IMAP_KEYWORDS_OCTETS / (LONG + 1));
	ck_assert_uint_le(f.keywords.len, IMAP_KEYWORDS_OCTETS);
	imap_fetch_free(&f);
	buf_free(&line);
}
END_TEST

START_TEST(parentheses_nested_without_end_cost_one_line)
{
	struct buf line = { 0 };
	struct imap_reply r;
	struct imap_fetch f = { 0 };
	const char *why;
	buf_str(&line, "* 1 FETCH (UID 7 ENVELOPE ");
	for (int i = 0; i < 1000000; i++)
		buf_char(&line, '(');
	frame_line(line.data, line.len);
	imap_reply_parse(&r, &line_frame);
	ck_assert(!imap_fetch_parse(&f, r.rest, &why));
	ck_assert_uint_eq(f.uid, 7);
	buf_free(&line);
	imap_fetch_free(&f);
}
END_TEST

Suite *
suite_imap_frame(void)
{
	Suite *s = suite_create("imap frame");
	TCase *t = tcase_create("frame");
	suite_add_tcase(s, t);
	tcase_add_loop_test(t, responses_are_cut_whatever_they_hold, 0,
	    sizeof(frames) / sizeof(frames[0]));
	tcase_add_test(
	    t, an_endless_line_and_an_endless_number_end_the_session);
	tcase_add_test(t, a_long_literal_that_is_no_body_is_skipped);
	tcase_add_loop_test(t, replies_are_told_apart_by_their_first_words, 0,
	    sizeof(replies) / sizeof(replies[0]));
	tcase_add_loop_test(t, fetch_lines_are_read_leniently, 0,
	    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(
	    t, keywords_beyond_what_an_archive_s_line_holds_are_dropped);
	tcase_add_test(t, parentheses_nested_without_end_cost_one_line);

	return s;
}
