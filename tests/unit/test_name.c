#include "base/mem.h"
#include "base/text.h"
#include "mail/name.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

Suite *suite_name(void);

static const struct {
	const char *wire, *utf8;
} names[] = {
	{ "", "" },
	{ "INBOX", "INBOX" },
	{ "&-", "&" },
	{ "a&-b&-", "a&b&" },
	{ "&AOQ-", "ä" },
	{ "Entw&APw-rfe", "Entwürfe" },
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語" },
	{ "&AOQ-&-&APY-", "ä&ö" },
	{ "&2D3eAA-", "😀" },
	{ "&2D3eANg93gA-", "😀😀" },
	{ "&AAE-", "\x01" },
	{ "&AAk-x", "\tx" },
	{ "a b+c,d", "a b+c,d" },
};

START_TEST(valid_names_go_both_ways)
{
	struct buf out = { 0 };
	size_t len = strlen(names[_i].wire);
	char *wire = mem_dup(names[_i].wire, len);

	ck_assert(name_decode(&out, wire, len));
	ck_assert_str_eq(out.data, names[_i].utf8);
	buf_clear(&out);
	name_encode(&out, names[_i].utf8, strlen(names[_i].utf8));
	ck_assert_str_eq(out.data, names[_i].wire);
	buf_free(&out);
	free(wire);
}
END_TEST

static const struct {
	const char *wire;
	size_t len;
	const char *shown;
} bad[] = {
#define ROW(text, shown)                      \
	{                                     \
		text, sizeof(text) - 1, shown \
	}
	ROW("&", "&"),
	ROW("a&", "a&"),
	ROW("&AOQ", "&AOQ"),
	ROW("&AO-", "&AO-"),
	ROW("&A-", "&A-"),
	ROW("&AOR-", "&AOR-"),   /* a bit behind the last unit */
	ROW("&AOQA-", "&AOQA-"), /* a digit too many */
	ROW("&AOQ=-", "&AOQ=-"),
	ROW("&AOQ -", "&AOQ -"),
	ROW("&AO/-", "&AO/-"),
	ROW("&AGE-", "&AGE-"),           /* a */
	ROW("&ACY-", "&ACY-"),           /* & */
	ROW("&AC8-", "&AC8-"),           /* / */
	ROW("&AAA-", "&AAA-"),           /* NUL */
	ROW("&2D0-", "&2D0-"),           /* lone high surrogate */
	ROW("&3gA-", "&3gA-"),           /* lone low surrogate */
	ROW("&2D0AYQ-", "&2D0AYQ-"),     /* high without low */
	ROW("&3gDYPQ-", "&3gDYPQ-"),     /* the wrong way round */
	ROW("&2D3YPQ-", "&2D3YPQ-"),     /* two high ones */
	ROW("&AOQ-&APY-", "&AOQ-&APY-"), /* two shifts in a row */
	ROW("&AOQ&APY-", "&AOQ&APY-"),   /* nested */
	ROW("\xe4", "%E4"),
	ROW("&AOQ-\xe4", "&AOQ-%E4"),
	ROW("a\xed\xa0\xbd", "a%ED%A0%BD"),
	ROW("a\0b", "a%00b"),
	ROW("a\tb", "a\tb"),
	ROW("x\r\nA1 DELETE INBOX", "x\r\nA1 DELETE INBOX"),
#undef ROW
};

START_TEST(names_that_are_not_valid_keep_their_octets)
{
	struct buf out = { 0 };
	char *wire = mem_dup(bad[_i].wire, bad[_i].len);

	buf_str(&out, "kept");
	ck_assert(!name_decode(&out, wire, bad[_i].len));
	ck_assert_mem_eq(out.data, "kept", 4);
	ck_assert_str_eq(out.data + 4, bad[_i].shown);
	buf_free(&out);
	free(wire);
}
END_TEST

START_TEST(raw_utf8_is_a_name_too)
{
	struct buf out = { 0 };

	ck_assert(name_decode(&out, "Entwürfe &AOQ-", 15));
	ck_assert_str_eq(out.data, "Entwürfe ä");
	buf_free(&out);
}
END_TEST

START_TEST(every_code_point_survives_alone_and_in_company)
{
	struct buf utf8 = { 0 }, wire = { 0 }, back = { 0 };
	int checked = 0;

	for (int32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 13) {
		utf8proc_uint8_t octets[4];
		if (c >= 0xd800 && c < 0xe000)
			continue;
		utf8proc_ssize_t n = utf8proc_encode_char(c, octets);
		for (int shape = 0; shape < 3; shape++) {
			buf_clear(&utf8);
			buf_clear(&wire);
			buf_clear(&back);
			if (shape > 0)
				buf_str(&utf8, shape == 1 ? "a&" : "äö");
			buf_add(&utf8, octets, (size_t)n);
			if (shape > 0)
				buf_str(&utf8, shape == 1 ? "-b" : "😀");
			name_encode(&wire, utf8.data, utf8.len);
			/* One assertion: each costs more than the work. */
			if (!name_is_safe(wire.data, wire.len) ||
			    !name_decode(&back, wire.data, wire.len) ||
			    back.len != utf8.len ||
			    memcmp(back.data, utf8.data, utf8.len) != 0)
				ck_abort_msg(
				    "U+%04X: %s", (unsigned)c, wire.data);
		}
		checked++;
	}
	ck_assert_int_gt(checked, 80000);
	buf_free(&utf8);
	buf_free(&wire);
	buf_free(&back);
}
END_TEST

static const struct {
	const char *wire;
	char separator;
	const char *display;
} displays[] = {
	{ "INBOX", '/', "INBOX" },
	{ "a/b", '/', "a/b" },
	{ "a.b", '/', "a.b" },
	{ "a.b", '.', "a/b" },
	{ "a/b.c", '.', "a%2Fb/c" },
	{ "a/b", '\0', "a%2Fb" },
	{ "a.b", '\0', "a.b" },
	{ "100%.b", '.', "100%/b" },
	{ "&AOQ-.&APY-", '.', "ä/ö" },
	{ "&AOQ-.&bad", '.', "ä/&bad" },
	{ "a\\b", '\\', "a/b" },
	{ "&U,BTFw-,x", ',', "台北/x" },
	{ "a..b.", '.', "a//b/" },
	{ "", '.', "" },
	{ ".", '.', "/" },
	{ "\xff/x", '/', "%FF/x" },
};

START_TEST(display_names_have_slashes_between_levels)
{
	struct buf out = { 0 };

	name_display(&out, displays[_i].wire, strlen(displays[_i].wire),
	    displays[_i].separator);
	ck_assert_str_eq(out.data, displays[_i].display);
	buf_free(&out);
}
END_TEST

static const struct {
	const char *name;
	size_t len;
	bool safe;
} safety[] = {
	{ "INBOX", 5, true },
	{ "", 0, false },
	{ "a\r", 2, false },
	{ "a\n", 2, false },
	{ "a\0b", 3, false },
	{ "a\tb", 3, false },
	{ "a\x7f", 2, false },
	{ "*%\"\\", 4, true },
	{ "\xc3\xa4", 2, true },
};

START_TEST(names_with_controls_are_never_sent)
{
	ck_assert(
	    name_is_safe(safety[_i].name, safety[_i].len) == safety[_i].safe);
}
END_TEST

static const struct {
	const char *pattern, *display;
	bool yes;
} globs[] = {
	{ "INBOX", "INBOX", true },
	{ "inbox", "INBOX", true },
	{ "INBOX", "Inbox/a", true },
	{ "in*", "INBOX", true },
	{ "inbox2", "INBOX2", false },
	{ "a/inbox", "a/INBOX", false },
	{ "inbox/A", "INBOX/a", false },
	{ "a", "a", true },
	{ "a", "A", false },
	{ "a", "a/b/c", true },
	{ "a/b", "a/b/c", true },
	{ "a", "ab", false },
	{ "a/b", "a", false },
	{ "a/", "a/b", true },
	{ "", "a", false },
	{ "/", "a", false },
	{ "*", "a", true },
	{ "*", "a/b", true }, /* its parent matches */
	{ "*/b", "a/b", true },
	{ "*/b", "a/x/b", false },
	{ "**/b", "a/x/b", true },
	{ "**b", "a/x/b", true },
	{ "**/b", "a/x/bb", false },
	{ "a*c", "abbc", true },
	{ "a*c", "abb/c", false },
	{ "a**c", "abb/c", true },
	{ "a*c/d", "abc/d/e", true },
	{ "a?c", "abc", true },
	{ "a?c", "a/c", false },
	{ "a?c", "aüc", true },
	{ "a?\?c", "aüc", false },
	{ "Arch*/20?\?", "Archiv/2024", true },
	{ "Arch*/20?\?", "Archiv/2024/x", true },
	{ "Arch*/20?\?", "Archiv/20245", false },
	{ "[a]", "a", false },
	{ "[a]", "[a]", true },
	{ "ü", "u\xcc\x88", true }, /* composed and not */
	{ "u\xcc\x88", "ü", true },
	{ "***", "a/b", true },
	{ "a*", "a", true },
	{ "*a*b*", "xaxxbx", true },
	{ "*a*b*", "xbxxax", false },
	{ "special:junk", "Spam", false },
	{ "\xff", "\xff", true },
};

START_TEST(globs_match_names)
{
	ck_assert(name_matches(globs[_i].pattern, globs[_i].display, 0) ==
		  globs[_i].yes);
}
END_TEST

START_TEST(roles_match_attributes)
{
	ck_assert(name_matches("special:junk", "x", MAILBOX_JUNK));
	ck_assert(name_matches(
	    "SPECIAL:Junk", "x", MAILBOX_JUNK | MAILBOX_HAS_CHILDREN));
	ck_assert(!name_matches("special:sent", "special:sent", MAILBOX_JUNK));
	ck_assert(!name_matches("special:none", "x", UINT32_MAX));
	ck_assert_uint_eq(name_role("special:junk"), MAILBOX_JUNK);
	ck_assert_uint_eq(name_role("special:"), 0);
	ck_assert_uint_eq(name_role("junk"), 0);
}
END_TEST

/* Would not come to an end if it went back for every star. */
START_TEST(many_stars_cost_no_more_than_length_times_length)
{
	struct buf pattern = { 0 }, name = { 0 };

	for (int i = 0; i < 300; i++)
		buf_str(&pattern, i % 3 == 0 ? "**a" : "*a");
	buf_char(&pattern, 'b');
	for (int i = 0; i < 4000; i++)
		buf_char(&name, 'a');
	ck_assert(!name_matches(pattern.data, name.data, 0));
	buf_char(&name, 'b');
	ck_assert(name_matches(pattern.data, name.data, 0));
	buf_free(&pattern);
	buf_free(&name);
}
END_TEST

START_TEST(attributes_are_known_by_name)
{
	ck_assert_uint_eq(name_attribute("\\noSELECT", 9), MAILBOX_NOSELECT);
	ck_assert_uint_eq(name_attribute("\\Important", 10), MAILBOX_IMPORTANT);
	ck_assert_uint_eq(name_attribute("\\Sent2", 6), 0);
	ck_assert_uint_eq(name_attribute("\\Spam", 5), MAILBOX_JUNK);
	ck_assert_uint_eq(name_attribute("", 0), 0);
	ck_assert_str_eq(
	    name_special_use(MAILBOX_SENT | MAILBOX_MARKED), "sent");
	ck_assert_str_eq(name_special_use(MAILBOX_JUNK), "junk");
	ck_assert_ptr_null(name_special_use(MAILBOX_MARKED));
}
END_TEST

Suite *
suite_name(void)
{
	Suite *suite = suite_create("name");
	TCase *tcase = tcase_create("name");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, valid_names_go_both_ways, 0,
	    sizeof(names) / sizeof(names[0]));
	tcase_add_loop_test(tcase, names_that_are_not_valid_keep_their_octets,
	    0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, raw_utf8_is_a_name_too);
	tcase_add_test(tcase, every_code_point_survives_alone_and_in_company);
	tcase_add_loop_test(tcase, display_names_have_slashes_between_levels, 0,
	    sizeof(displays) / sizeof(displays[0]));
	tcase_add_loop_test(tcase, names_with_controls_are_never_sent, 0,
	    sizeof(safety) / sizeof(safety[0]));
	tcase_add_loop_test(
	    tcase, globs_match_names, 0, sizeof(globs) / sizeof(globs[0]));
	tcase_add_test(tcase, roles_match_attributes);
	tcase_add_test(tcase, many_stars_cost_no_more_than_length_times_length);
	tcase_add_test(tcase, attributes_are_known_by_name);
	suite_add_tcase(suite, tcase);

	return suite;
}
