/* The guard before libetpan: WIRE limits, hostile framing, split reads. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "net/guard.h"

Suite *suite_guard(void);

/* head, then middle count times, then tail. */
static const struct {
	const char *name;
	const char *head, *middle;
	size_t count;
	const char *tail;
	const char *breach; /* part of the text; NULL: must pass */
} cases[] = {
	{ "an ordinary session", "* OK ready\r\n", "* LIST () \"/\" a\r\n",
	    1000, "a1 OK done\r\n", NULL },
	{ "a long FLAGS line", "* FLAGS (", "keyword ", 100000, ")\r\n", NULL },
	{ "a line that is too long", "* OK ", "xxxxxxxx", 131073, "",
	    "a line" },
	{ "a greeting without end", "", "x", (1 << 20) + 1, "", "a line" },
	{ "the longest line", "", "x", (1 << 20) - 1, "\n", NULL },
	{ "a flood of lines", "", "* 1 EXISTS\r\n", 262145, "", "lines" },
	{ "as many lines as allowed", "", "* 1 EXISTS\r\n", 262144, "", NULL },
	{ "an answer that is too long", "",
	    "* OK aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "\r\n",
	    230000, "", "an answer" },
	{ "depth 32", "* X ", "(", 32, "\r\n", NULL },
	{ "depth 33", "* X ", "(", 33, "\r\n", "nested" },
	{ "depth 20,000", "* 1 FETCH (BODYSTRUCTURE ", "(", 20000, "",
	    "nested" },
	{ "lists one after another", "* X (", "(a) ", 500, ")\r\n", NULL },
	{ "parentheses in a quoted name", "* LIST () \"/\" \"", "(", 40,
	    "\"\r\n", NULL },
	{ "depth does not add up over lines", "", "* OK (\r\n", 1000, "",
	    NULL },
	{ "depth hidden by closing ones in quotes", "* X ", "(\"))))\" ", 33,
	    "\r\n", "nested" },
	{ "depth hidden by a lone quote", "* OK \" ", "(", 2001, "", "lists" },
	{ "depth hidden by both", "* OK \" ", "(\"a\"", 2001, "", "lists" },
	{ "depth over literals", "* X ", "({1}\r\na ", 33, "", "nested" },
	{ "depth reset by a line end in a literal", "* X ", "({4}\r\nab\r\n ",
	    33, "", "nested" },
	{ "depth reset by a literal with blanks in its braces", "* X ",
	    "({ 4 } \r\nab\r\n ", 33, "", "nested" },
	{ "lists hidden in a literal that is none", "* OK {1000000}\r\n",
	    "* (\r\n", 2001, "", "lists" },
	{ "an empty literal goes on", "* X ", "({0}\r\n", 33, "", "nested" },
	{ "a literal of 1 MiB", "* LIST () \"/\" {1048576}\r\n", "a\r\n",
	    349525, "", "lines" },
	{ "a small literal", "* LIST () \"/\" {5}\r\nINBOX\r\n", "", 0,
	    "a OK\r\n", NULL },
	{ "a literal that is too big", "* X {1048577}", "", 0, "", "literal" },
	{ "a literal of 4 GiB", "* X {4294967295}\r\n", "", 0, "", "literal" },
	{ "a literal that wraps at 2^64", "* X {18446744073709551617}\r\n", "",
	    0, "", "literal" },
	{ "a literal of many digits", "* X {", "0", 1000, "4294967299}\r\n",
	    "literal" },
	{ "a literal8 that is too big", "* X ~{1048577+}\r\n", "", 0, "",
	    "literal" },
	{ "a negative number is no literal", "* X {-1}\r\n", "", 0, "", NULL },
	{ "braces in a text", "* OK {hello} {12 apples}\r\n", "", 0, "", NULL },
	{ "BADCHARSET in a greeting", "* OK [BADCHARSET (\"x\")]\r\n", "", 0,
	    "", "BADCHARSET" },
	{ "BADCHARSET in small letters", "+ [badCharset]\r\n", "", 0, "",
	    "BADCHARSET" },
	{ "BADCHARSET after blanks", "* NO [ \t BADCHARSET]\r\n", "", 0, "",
	    "BADCHARSET" },
	{ "BADCHARSET after a false start", "* NO [BAD[BADCHARSET", "", 0, "",
	    "BADCHARSET" },
	{ "badcharset as a word", "* NO badcharset it is\r\n", "", 0, "",
	    NULL },
	{ "other codes", "* NO [BADCHARS] [BAD] [[[ALERT] x\r\n", "", 0, "",
	    NULL },
};

static void
build(struct buf *b, int row)
{
	buf_str(b, cases[row].head);
	for (size_t i = 0; i < cases[row].count; i++)
		buf_str(b, cases[row].middle);
	buf_str(b, cases[row].tail);
}

/* How much of a large answer is split; what comes before it is one piece. */
enum { SPLIT_MOST = 9 << 20 };

static const char *
scan_in_pieces(struct guard guard, const struct buf *b, size_t at,
    uint32_t seed, size_t most)
{
	const char *breach = NULL;
	while (at < b->len && breach == NULL) {
		seed = seed * 1664525 + 1013904223;
		size_t n = 1 + (seed >> 8) % most;
		if (n > b->len - at)
			n = b->len - at;
		breach = guard_scan(&guard, b->data + at, n);
		at += n;
	}

	return breach;
}

START_TEST(each_answer_is_judged_the_same_however_it_is_split)
{
	struct buf b = { 0 };
	struct guard begun = { 0 };
	build(&b, _i);
	const char *want = cases[_i].breach;
	static const size_t pieces[] = { SIZE_MAX >> 1, 1, 7, 4096 };
	size_t at = b.len > SPLIT_MOST ? b.len - SPLIT_MOST : 0;
	if (at > 0)
		ck_assert_ptr_null(guard_scan(&begun, b.data, at));
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const char *got =
		    scan_in_pieces(begun, &b, at, (uint32_t)_i, pieces[i]);
		if (want == NULL)
			ck_assert_msg(
			    got == NULL, "%s: %s", cases[_i].name, got);
		else
			ck_assert_msg(got != NULL && strstr(got, want) != NULL,
			    "%s: %s", cases[_i].name, got ? got : "passed");
	}
	buf_free(&b);
}
END_TEST

START_TEST(a_nul_is_refused_wherever_it_stands)
{
	static const char text[] = "* OK a\0b\r\n";
	struct guard guard = { 0 };
	ck_assert_ptr_null(guard_scan(&guard, text, 6));
	ck_assert_ptr_nonnull(guard_scan(&guard, text + 6, 1));
}
END_TEST

Suite *
suite_guard(void)
{
	Suite *suite = suite_create("guard");
	TCase *tc = tcase_create("guard");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc,
	    each_answer_is_judged_the_same_however_it_is_split, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, a_nul_is_refused_wherever_it_stands);
	suite_add_tcase(suite, tc);

	return suite;
}
