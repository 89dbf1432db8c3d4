#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/header.h"
#include "mail/identity.h"
#include "mail/msgid.h"

#include <check.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_header(void);

#define SLICE(text) ((struct header_slice){ (text), sizeof(text) - 1 })

static void
assert_slice(struct header_slice slice, const char *want)
{
	if (want == NULL) {
		ck_assert_ptr_null(slice.data);
		return;
	}
	ck_assert_ptr_nonnull(slice.data);
	ck_assert_uint_eq(slice.len, strlen(want));
	ck_assert_mem_eq(slice.data, want, slice.len);
}

#define ROW(text, ...)                              \
	{                                           \
		text, sizeof(text) - 1, __VA_ARGS__ \
	}

static const struct {
	const char *octets;
	size_t len;
	const char *from, *to, *subject, *id;
} scans[] = {
	ROW("", NULL, NULL, NULL, NULL),
	ROW("\r\n", NULL, NULL, NULL, NULL),
	ROW("From: a\r\nTo: b\r\nSubject: c\r\nMessage-ID: <d>\r\n\r\n", " a",
	    " b", " c", " <d>"),
	ROW("From:a\nTo:b\nSubject:c\nMessage-ID:<d>\n\n", "a", "b", "c",
	    "<d>"),
	ROW("FROM: a\r\nmessage-id:<d>", " a", NULL, NULL, "<d>"),
	ROW("Subject: one\r\n two\r\n\tthree\r\nTo: b\r\n", NULL, " b",
	    " one\r\n two\r\n\tthree", NULL),
	ROW("Subject: one\r\nSubject: two\r\n", NULL, NULL, " one", NULL),
	ROW("Subject:\r\nTo:\r\n\r\n", NULL, "", "", NULL),
	ROW("From : a\r\nTo\t: b\r\n", " a", " b", NULL, NULL),
	ROW("From alice Mon Jan  1 00:00:00 2024\nTo: b\n", NULL, " b", NULL,
	    NULL),
	ROW(">From alice\nno field\n: x\nTo: b\n", NULL, " b", NULL, NULL),
	ROW("X: y\r\n From: no\r\nTo: b\r\n", NULL, " b", NULL, NULL),
	ROW("\r\nTo: body\r\n", NULL, NULL, NULL, NULL),
	ROW("To: b\r\n\r\nFrom: body\r\n", NULL, " b", NULL, NULL),
	ROW("\xef\xbb\xbfTo: b\n", NULL, " b", NULL, NULL),
	ROW("Tos: b\nSubject-x: c\nT: d\nFromm: e\n", NULL, NULL, NULL, NULL),
	ROW("To", NULL, NULL, NULL, NULL),
	ROW("To:", NULL, "", NULL, NULL),
	ROW("Subject: cut\r", NULL, NULL, " cut", NULL),
	ROW("Subject: cut\r\n ", NULL, NULL, " cut\r\n ", NULL),
};

START_TEST(the_first_field_of_each_name_is_found)
{
	/* A copy of exact size, so that a sanitizer sees one octet too far. */
	char *data = mem_dup(scans[_i].octets, scans[_i].len);
	struct header_fields fields;

	header_scan(data, scans[_i].len, &fields);
	assert_slice(fields.from, scans[_i].from);
	assert_slice(fields.to, scans[_i].to);
	assert_slice(fields.subject, scans[_i].subject);
	assert_slice(fields.message_id, scans[_i].id);
	free(data);
}
END_TEST

START_TEST(nul_octets_end_nothing)
{
	struct header_fields fields;

	header_scan("A\0b: c\r\nTo: d\0e\r\n\r\n", 19, &fields);
	ck_assert_uint_eq(fields.to.len, 4);
	ck_assert_mem_eq(fields.to.data, " d\0e", 4);
}
END_TEST

static const struct {
	const char *octets;
	size_t len;
	const char *want;
} texts[] = {
	ROW("", ""),
	ROW(" plain  text\r\n \t folded ", "plain text folded"),
	ROW("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
	ROW("=?UTF-8?b?R3LDvMOfZQ==?= aus", "Grüße aus"),
	ROW("=?iso-8859-1?q?a_b=3Fc=20d?=", "a b?c d"),
	ROW("=?iso-8859-1?Q?Andr=E9?= <a@example.org>",
	    "André <a@example.org>"),
	ROW("=?windows-1252?Q?=80_=93x=94?=", "€ “x”"),
	/* White space between encoded words is no text. */
	ROW("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
	ROW("=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=E9?=\r\n c", "aé c"),
	/* A character cut in two by its writer. */
	ROW("=?utf-8?B?w7w=?= =?utf-8?Q?=C3?= =?UTF-8?Q?=BC?=", "üü"),
	ROW("=?utf-8?Q?=C3?==?utf-8?Q?=BC?=", "ü"),
	ROW("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
	ROW("=?shift_jis?B?k/qWew==?=", "日本"),
	ROW("=?gb2312?B?1tDOxA==?=", "中文"),
	ROW("=?koi8-r?B?8NLJ18XU?=", "Привет"),
	ROW("=?utf-7?Q?+APw-x?=", "üx"),
	ROW("=?utf-8*de?Q?=C3=BC?=", "ü"),
	ROW("\"=?utf-8?Q?x?=\"", "\"x\""),
	/* What can't be decoded stays. */
	ROW("=?x-none?Q?abc?= d", "=?x-none?Q?abc?= d"),
	ROW("=?x-none?Q?a?= =?x-none?Q?b?=", "=?x-none?Q?a?= =?x-none?Q?b?="),
	ROW("=?utf-8//IGNORE?Q?abc?=", "=?utf-8//IGNORE?Q?abc?="),
	ROW("=?../x?Q?abc?=", "=?../x?Q?abc?="),
	ROW("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
	ROW("=?utf-8?Q?abc", "=?utf-8?Q?abc"),
	ROW("=?utf-8?Q?abc?", "=?utf-8?Q?abc?"),
	ROW("=?", "=?"),
	ROW("=?=?utf-8?Q?x?=", "=?x"),
	ROW("a =? b ?= c", "a =? b ?= c"),
	ROW("=?utf-8?Q?\?=x", "x"),
	ROW("=?utf-8?Q?=G0=4?=", "=G0=4"),
	ROW("=?utf-8?B?!!YQ!!?=", "a"),
	/* A frequent sin: blanks inside. */
	ROW("=?utf-8?Q?a b?=", "a b"),
	/* Octets that aren't what they claim. */
	ROW("caf\xe9 \xc3\xa9", "café é"),
	ROW("=?utf-8?Q?caf=E9?=", "café"),
	ROW("=?euc-jp?Q?=FF?=", "\xef\xbf\xbd"),
	ROW("\x81", "\xef\xbf\xbd"),
	/* Nothing may steer a terminal or forge a line. */
	ROW("a\x1b[31mb\x7f"
	    "c",
	    "a [31mb c"),
	ROW("=?utf-8?Q?a=0D=0Ab=00c=1B?=", "a b c"),
	ROW("a\0b", "a b"),
};

START_TEST(text_is_made_readable)
{
	char *data = mem_dup(texts[_i].octets, texts[_i].len);
	struct buf out = { 0 };

	buf_str(&out, "kept:");
	header_text(&out, (struct header_slice){ data, texts[_i].len }, 500);
	ck_assert_mem_eq(out.data, "kept:", 5);
	ck_assert_str_eq(out.data + 5, texts[_i].want);
	ck_assert_uint_eq(out.len, strlen(out.data));
	buf_free(&out);
	free(data);
}
END_TEST

START_TEST(an_absent_field_is_an_empty_text)
{
	struct buf out = { 0 };

	header_text(&out, (struct header_slice){ NULL, 0 }, 10);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_str_eq(out.data, "");
	buf_free(&out);
}
END_TEST

START_TEST(long_text_ends_before_the_character_that_does_not_fit)
{
	struct buf out = { 0 };

	for (size_t max = 0; max < 12; max++) {
		buf_clear(&out);
		header_text(&out, SLICE("aü =?utf-8?Q?=E2=82=AC?= z"), max);
		ck_assert_uint_le(out.len, max);
		ck_assert(text_is_utf8(out.data, out.len));
	}
	ck_assert_str_eq(out.data, "aü € z");
	buf_clear(&out);
	header_text(&out, SLICE("aü z"), 2);
	ck_assert_str_eq(out.data, "a");
	buf_free(&out);
}
END_TEST

static const char *const patterns[] = { "=?", "=?a?q?",
	"=?koi8-r?q?\?= ", "=?koi8-r?q?\?= =?koi8-u?q?\?= ", "=?utf-8?b?", "(",
	"\xff", "\r\n ",
	"=?euc-jp?q?=ff?=", "=?x?q?\?= ", "=?utf-7?q?+?= ", "=", "?=" };

/* Would not come to an end in time if it cost more than its length. */
START_TEST(hostile_fields_cost_no_more_than_their_length)
{
	struct buf field = { 0 }, out = { 0 };

	while (field.len < 4 << 20)
		buf_str(&field, patterns[_i]);
	struct header_slice slice = { field.data, field.len };
	for (int i = 0; i < 10; i++) {
		buf_clear(&out);
		header_text(&out, slice, 1000);
		ck_assert_uint_le(out.len, 1000);
		ck_assert(text_is_utf8(out.data, out.len));
	}
	msgid_canonical(&out, slice);
	buf_free(&field);
	buf_free(&out);
}
END_TEST

static int seen;

static int
read_message(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct buf data = { 0 }, text = { 0 };
	struct err err;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	ck_assert(file_read(path, 1 << 30, &data, &err));
	struct content *c = content_new(NULL, data.len);
	ck_assert(content_add(c, data.data, data.len, &err));
	content_finish(c);
	size_t len;
	const char *header = content_header(c, &len);
	struct header_fields fields;
	header_scan(header, len, &fields);
	const struct header_slice slices[] = { fields.message_id, fields.from,
		fields.to, fields.cc, fields.subject, fields.date };
	for (size_t i = 0; i < 6; i++) {
		buf_clear(&text);
		header_text(&text, slices[i], 1000);
		ck_assert(text_is_utf8(text.data, text.len));
		ck_assert_ptr_null(strpbrk(text.data, "\r\n\033"));
	}
	ck_assert_int_gt(identity_key(c, &fields), 0);
	content_free(&c);
	buf_free(&data);
	buf_free(&text);
	seen++;

	return 0;
}

START_TEST(every_message_of_the_sample_folder_is_read)
{
	const char *folder = getenv("MAILHAUL_CORPUS");

	ck_assert_int_eq(nftw(folder, read_message, 20, FTW_PHYS), 0);
	ck_assert_int_gt(seen, 0);
}
END_TEST

Suite *
suite_header(void)
{
	Suite *suite = suite_create("header");
	TCase *tcase = tcase_create("header");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, the_first_field_of_each_name_is_found, 0,
	    sizeof(scans) / sizeof(scans[0]));
	tcase_add_test(tcase, nul_octets_end_nothing);
	tcase_add_loop_test(
	    tcase, text_is_made_readable, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tcase, an_absent_field_is_an_empty_text);
	tcase_add_test(
	    tcase, long_text_ends_before_the_character_that_does_not_fit);
	tcase_add_loop_test(tcase,
	    hostile_fields_cost_no_more_than_their_length, 0,
	    sizeof(patterns) / sizeof(patterns[0]));
	/* A folder with mail that isn't part of this project. */
	if (getenv("MAILHAUL_CORPUS") != NULL)
		tcase_add_test(
		    tcase, every_message_of_the_sample_folder_is_read);
	suite_add_tcase(suite, tcase);

	return suite;
}
