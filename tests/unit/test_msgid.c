#include "base/mem.h"
#include "mail/msgid.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_msgid(void);

static const struct {
	const char *field, *want;
} rows[] = {
	{ "", "" },
	{ "  \r\n ", "" },
	{ "<>", "" },
	{ "<a@b>", "a@b" },
	{ " <Abc@Example.ORG>\r\n", "Abc@example.org" },
	{ " <a@b> <c@d>", "a@b" },
	{ "\r\n <long\r\n .id@b>", "long.id@b" },
	{ "(x <no@no>) <a@b> (y)", "a@b" },
	{ "<a(comment (nested) \\) here)@b>", "a@b" },
	{ "<\"a(b\"@C>", "\"a(b\"@c" },
	{ "<\"a\\\"(b\"@C>", "\"a\\\"(b\"@c" },
	{ "<a(b@c>", "a(b@c" },
	{ "((<a@b>", "a@b" },
	{ "no brackets@Example.org", "nobrackets@example.org" },
	{ "<<a@b>>", "a@b" },
	{ "<a@b", "a@b" },
	{ "a@b>", "a@b>" },
	{ "<no-domain-Here>", "no-domain-Here" },
	{ "<a@X@Y>", "a@X@y" },
	{ "<a\x01\x7f@b>", "a@b" },
	{ "<\"open@B>", "\"open@b" },
};

START_TEST(ids_are_brought_to_one_form)
{
	size_t len = strlen(rows[_i].field);
	char *field = mem_dup(rows[_i].field, len);
	struct buf out = { 0 };

	buf_str(&out, "@<");
	msgid_canonical(&out, (struct header_slice){ field, len });
	ck_assert_uint_eq(out.len, 2 + strlen(rows[_i].want));
	ck_assert_str_eq(out.data + 2, rows[_i].want);
	buf_free(&out);
	free(field);
}
END_TEST

START_TEST(the_same_id_in_another_form_has_the_same_key)
{
	const struct header_slice a = { " <x@Example.org>", 16 };
	const struct header_slice b = { "\r\n\t<x@example.ORG> (sic)", 24 };
	const struct header_slice other = { " <y@Example.org>", 16 };

	ck_assert_int_gt(msgid_key(a), 0);
	ck_assert_int_eq(msgid_key(a), msgid_key(b));
	ck_assert_int_ne(msgid_key(a), msgid_key(other));
	ck_assert_int_eq(msgid_key((struct header_slice){ NULL, 0 }), 0);
	ck_assert_int_eq(msgid_key((struct header_slice){ " <>", 3 }), 0);
}
END_TEST

Suite *
suite_msgid(void)
{
	Suite *suite = suite_create("msgid");
	TCase *tcase = tcase_create("msgid");

	tcase_add_loop_test(tcase, ids_are_brought_to_one_form, 0,
	    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, the_same_id_in_another_form_has_the_same_key);
	suite_add_tcase(suite, tcase);

	return suite;
}
