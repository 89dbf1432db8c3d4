#include "mail/flags.h"

#include <check.h>
#include <string.h>

Suite *suite_flags(void);

static const struct {
	const char *text;
	uint8_t flag;
} rows[] = {
	{ "\\Seen", MAIL_SEEN },
	{ "\\sEEN", MAIL_SEEN },
	{ "\\Answered", MAIL_ANSWERED },
	{ "\\Flagged", MAIL_FLAGGED },
	{ "\\Deleted", MAIL_DELETED },
	{ "\\Draft", MAIL_DRAFT },
	{ "\\Recent", 0 },
	{ "\\*", 0 },
	{ "Seen", 0 },
	{ "\\Seen2", 0 },
	{ "\\See", 0 },
	{ "", 0 },
};

START_TEST(the_five_system_flags_are_known)
{
	ck_assert_uint_eq(
	    flags_parse(rows[_i].text, strlen(rows[_i].text)), rows[_i].flag);
}
END_TEST

START_TEST(every_set_survives_maildir_letters_and_text)
{
	uint8_t set = (uint8_t)_i;
	char letters[8];
	struct buf text = { 0 };

	ck_assert_uint_eq(flags_from_maildir(flags_maildir(letters, set)), set);
	for (const char *p = letters; p[0] != '\0' && p[1] != '\0'; p++)
		ck_assert_int_lt(p[0], p[1]);
	flags_text(&text, set);
	uint8_t back = 0;
	for (const char *p = text.data; p != NULL && *p != '\0';) {
		size_t len = strcspn(p, " ");
		uint8_t flag = flags_parse(p, len);
		ck_assert_uint_ne(flag, 0);
		back |= flag;
		p += len + (p[len] == ' ');
	}
	ck_assert_uint_eq(back, set);
	buf_free(&text);
}
END_TEST

START_TEST(text_has_a_fixed_order)
{
	struct buf text = { 0 };

	flags_text(&text, 31);
	ck_assert_str_eq(
	    text.data, "\\Answered \\Flagged \\Deleted \\Seen \\Draft");
	buf_free(&text);
}
END_TEST

START_TEST(keywords_are_sorted_without_repeats)
{
	const char *const keywords[] = { "b", "$Junk", "a", "b", "\xc3\xbc",
		"B", "a" };
	struct buf out = { 0 };

	flags_keywords(&out, keywords, 0);
	ck_assert_uint_eq(out.len, 0);
	flags_keywords(&out, keywords, 7);
	ck_assert_str_eq(out.data, "$Junk B a b \xc3\xbc");
	buf_free(&out);
}
END_TEST

Suite *
suite_flags(void)
{
	Suite *suite = suite_create("flags");
	TCase *tcase = tcase_create("flags");

	tcase_add_loop_test(tcase, the_five_system_flags_are_known, 0,
	    sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(
	    tcase, every_set_survives_maildir_letters_and_text, 0, 32);
	tcase_add_test(tcase, text_has_a_fixed_order);
	tcase_add_test(tcase, keywords_are_sorted_without_repeats);
	suite_add_tcase(suite, tcase);

	return suite;
}
