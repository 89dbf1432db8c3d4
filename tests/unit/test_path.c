#include "base/mem.h"
#include "base/text.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/path.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_path(void);

static const struct {
	const char *name;
	size_t len;
	const char *path;
} components[] = {
#define ROW(text, path)                      \
	{                                    \
		text, sizeof(text) - 1, path \
	}
	ROW("", "%empty"),
	ROW("INBOX", "INBOX"),
	ROW("Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe"),
	ROW("a b", "a b"),
	ROW(".", "%2E"),
	ROW("..", "%2E%2E"),
	ROW("...", "%2E.%2E"),
	ROW(".mailhaul", "%2Emailhaul"),
	ROW("-rf", "%2Drf"),
	ROW("a-b.c", "a-b.c"),
	ROW("~root", "%7Eroot"),
	ROW("a~", "a~"),
	ROW("a.", "a%2E"),
	ROW("a ", "a%20"),
	ROW(" ", "%20"),
	ROW(" a", " a"),
	ROW("a/b", "a%2Fb"),
	ROW("a\\..\\b", "a%5C..%5Cb"),
	ROW("a:b*c?d[e]f\"g<h>i|j%k",
	    "a%3Ab%2Ac%3Fd%5Be%5Df%22g%3Ch%3Ei%7Cj%25k"),
	ROW("a\0b", "a%00b"),
	ROW("\x1b]0;x\x07", "%1B%5D0;x%07"),
	ROW("a\x7f", "a%7F"),
	ROW("a\xc2\x85", "a%C2%85"),
	ROW("a\xe2\x80\xa8", "a%E2%80%A8"),
	ROW("\xff\xfe", "%FF%FE"),
	ROW("\xed\xa0\x80", "%ED%A0%80"),
	ROW("\xc3", "%C3"),
	ROW("cur", "%63ur"),
	ROW("CUR", "%43UR"),
	ROW("New", "%4Eew"),
	ROW("tmp", "%74mp"),
	ROW("curx", "curx"),
	ROW("dovecot", "%64ovecot"),
	ROW("Dovecot.index", "%44ovecot.index"),
	ROW("subscriptions", "%73ubscriptions"),
	ROW("mailhaul.jsonl", "%6Dailhaul.jsonl"),
	ROW("CON", "%43ON"),
	ROW("nul.txt", "%6Eul.txt"),
	ROW("console", "console"),
	ROW("com1", "%63om1"),
#undef ROW
};

START_TEST(components_are_harmless)
{
	struct buf out = { 0 };
	char *name = mem_dup(components[_i].name, components[_i].len);

	buf_str(&out, "kept/");
	path_component(&out, name, components[_i].len);
	ck_assert_mem_eq(out.data, "kept/", 5);
	ck_assert_str_eq(out.data + 5, components[_i].path);
	buf_free(&out);
	free(name);
}
END_TEST

static const char *const letters[] = { "a", "\xc3\xbc", "\xf0\x9f\x98\x80", "%",
	"\xff", "." };

START_TEST(long_names_end_in_a_hash)
{
	struct buf name = { 0 }, a = { 0 }, b = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_str(&name, letters[_i]);
	path_component(&a, name.data, name.len);
	buf_str(&name, letters[_i]);
	path_component(&b, name.data, name.len);
	ck_assert_uint_le(a.len, PATH_COMPONENT_MAX);
	ck_assert_uint_ge(a.len, PATH_COMPONENT_MAX - 3 - 4);
	ck_assert(text_is_utf8(a.data, a.len));
	ck_assert_ptr_nonnull(strstr(a.data, "%~"));
	ck_assert_uint_eq(strlen(strstr(a.data, "%~")), 18);
	ck_assert_str_ne(a.data, b.data);
	buf_free(&name);
	buf_free(&a);
	buf_free(&b);
}
END_TEST

START_TEST(exactly_the_longest_name_needs_no_hash)
{
	struct buf name = { 0 }, out = { 0 };

	for (int i = 0; i < PATH_COMPONENT_MAX; i++)
		buf_char(&name, 'a');
	path_component(&out, name.data, name.len);
	ck_assert_str_eq(out.data, name.data);
	buf_free(&name);
	buf_free(&out);
}
END_TEST

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of up to three octets out of those that matter. */
START_TEST(no_two_names_have_one_path)
{
	static const char octets[] = "a%2E.~-/\xc3\xbc c";
	enum { N = sizeof(octets) - 1, ALL = 1 + N + N * N + N * N * N };
	static const int combinations[] = { 1, N, N * N, N * N * N };
	char **paths = mem_array(ALL, sizeof(*paths));
	size_t count = 0;

	for (int len = 0; len <= 3; len++) {
		for (int i = 0; i < combinations[len]; i++) {
			char name[3] = { octets[i % N], octets[i / N % N],
				octets[i / N / N] };
			struct buf out = { 0 };
			path_component(&out, name, (size_t)len);
			paths[count++] = buf_steal(&out);
		}
	}
	ck_assert_uint_eq(count, ALL);
	qsort(paths, count, sizeof(*paths), compare);
	for (size_t i = 1; i < count; i++)
		ck_assert_str_ne(paths[i - 1], paths[i]);
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}
END_TEST

static const struct {
	const char *display, *path;
} mailboxes[] = {
	{ "INBOX", "INBOX" },
	{ "a/b", "a/b" },
	{ "", "%empty" },
	{ "/abs", "%empty/abs" },
	{ "a//b/", "a/%empty/b/%empty" },
	{ "../../../etc/cron.d/x", "%2E%2E/%2E%2E/%2E%2E/etc/cron.d/x" },
	{ "a%2Fb", "a%252Fb" },
	{ "a/cur", "a/%63ur" },
	/* Composed stays, so does a lone mark; what NFC changes is written out.
	 */
	{ "bo\xc3\xa9", "bo\xc3\xa9" },
	{ "boe\xcc\x81", "boe%CC%81" },
	{ "\xcc\x81", "\xcc\x81" },
	{ "\xe1\x84\x80\xe1\x85\xa1", "%E1%84%80%E1%85%A1" },
	{ "\xe2\x84\xab", "%E2%84%AB" }, /* the sign of Angstroem */
	{ ".\xcc\x81", "%2E%CC%81" },
};

START_TEST(mailboxes_stay_below_their_folder)
{
	struct buf out = { 0 };

	path_mailbox(&out, mailboxes[_i].display);
	ck_assert_str_eq(out.data, mailboxes[_i].path);
	buf_free(&out);
}
END_TEST

START_TEST(deep_mailboxes_are_bounded_and_differ)
{
	struct buf name = { 0 }, a = { 0 }, b = { 0 };

	for (int i = 0; i < 200; i++)
		buf_str(&name, "a-level-of-20-octets/");
	buf_char(&name, 'x');
	path_mailbox(&a, name.data);
	name.data[name.len - 1] = 'y';
	path_mailbox(&b, name.data);
	ck_assert_uint_le(a.len, PATH_MAILBOX_MAX);
	ck_assert_uint_gt(a.len, PATH_MAILBOX_MAX - 60);
	ck_assert_ptr_nonnull(strstr(a.data, "/%~"));
	ck_assert_str_ne(a.data, b.data);
	buf_free(&name);
	buf_free(&a);
	buf_free(&b);
}
END_TEST

START_TEST(message_names_say_date_origin_size_and_flags)
{
	struct buf out = { 0 };

	path_message(&out, 1732183200, 7, 42, 1234, MAIL_SEEN | MAIL_FLAGGED);
	ck_assert_str_eq(out.data, "1732183200.V7U42.mailhaul,S=1234:2,FS");
	buf_clear(&out);
	path_message(
	    &out, DATETIME_NONE, UINT64_MAX, UINT64_MAX, UINT64_MAX, 31);
	ck_assert_str_eq(out.data,
	    "0.V18446744073709551615U18446744073709551615.mailhaul"
	    ",S=18446744073709551615:2,DFRST");
	buf_free(&out);
}
END_TEST

Suite *
suite_path(void)
{
	Suite *suite = suite_create("path");
	TCase *tcase = tcase_create("path");

	tcase_add_loop_test(tcase, components_are_harmless, 0,
	    sizeof(components) / sizeof(components[0]));
	tcase_add_loop_test(tcase, long_names_end_in_a_hash, 0,
	    sizeof(letters) / sizeof(letters[0]));
	tcase_add_test(tcase, exactly_the_longest_name_needs_no_hash);
	tcase_add_test(tcase, no_two_names_have_one_path);
	tcase_add_loop_test(tcase, mailboxes_stay_below_their_folder, 0,
	    sizeof(mailboxes) / sizeof(mailboxes[0]));
	tcase_add_test(tcase, deep_mailboxes_are_bounded_and_differ);
	tcase_add_test(tcase, message_names_say_date_origin_size_and_flags);
	suite_add_tcase(suite, tcase);

	return suite;
}
