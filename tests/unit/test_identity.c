#include "base/buf.h"
#include "mail/identity.h"

#include <check.h>
#include <string.h>

Suite *suite_identity(void);

static int64_t
key_of(const char *octets, size_t len)
{
	struct content *c = content_new(NULL, len);
	struct header_fields fields;
	struct err err;
	size_t header_len;

	ck_assert(content_add(c, octets, len, &err));
	content_finish(c);
	const char *header = content_header(c, &header_len);
	header_scan(header, header_len, &fields);
	int64_t key = identity_key(c, &fields);
	content_free(&c);

	return key;
}

#define BASE                                                      \
	"From: a@x\r\nTo: b@y\r\nSubject: one two\r\nDate: d\r\n" \
	"Message-ID: <i@Host>\r\n\r\nbody text\r\nmore\r\n"

static const char *const same[] = {
	BASE,
	"From: a@x\nTo: b@y\nSubject: one two\nDate: d\n"
	"Message-ID: <i@Host>\n\nbody text\nmore\n",
	"X-New: 1\r\nFrom: a@x\r\nTo: b@y\r\nSubject: one\r\n two\r\n"
	"Date: d\r\nMessage-ID: <i@host>\r\n\r\nbody text\r\nmore\r\n\r\n",
	"Message-ID:\r\n <i@host>\r\nDate:d\r\nSubject:one two\r\nTo:b@y\r\n"
	"From:a@x\r\n\r\nbody text\r\nmore",
};

static const char *const other[] = {
	"From: a@x\r\nTo: b@y\r\nSubject: one three\r\nDate: d\r\n"
	"Message-ID: <i@Host>\r\n\r\nbody text\r\nmore\r\n",
	"From: a@x\r\nTo: b@y\r\nSubject: one two\r\nDate: d\r\n"
	"Message-ID: <i@Host>\r\n\r\nbody text\r\nless\r\n",
	"From: a@x\r\nCc: b@y\r\nSubject: one two\r\nDate: d\r\n"
	"Message-ID: <i@Host>\r\n\r\nbody text\r\nmore\r\n",
	"From: a@x\r\nTo: b@y\r\nSubject: one two\r\nDate: d\r\n"
	"Message-ID: <j@Host>\r\n\r\nbody text\r\nmore\r\n",
};

START_TEST(what_servers_rewrite_does_not_change_it)
{
	ck_assert_int_gt(key_of(BASE, strlen(BASE)), 0);
	ck_assert_int_eq(
	    key_of(same[_i], strlen(same[_i])), key_of(BASE, strlen(BASE)));
}
END_TEST

START_TEST(another_message_has_another_one)
{
	ck_assert_int_ne(
	    key_of(other[_i], strlen(other[_i])), key_of(BASE, strlen(BASE)));
}
END_TEST

static int64_t
key_of_body(size_t octets, const char *line_end, char last)
{
	struct buf b = { 0 };

	buf_str(&b, "From: a\r\n\r\n");
	for (size_t i = 0; i < octets; i++) {
		buf_char(&b, (char)('a' + i % 26));
		if (i % 60 == 59)
			buf_str(&b, line_end);
	}
	buf_char(&b, last);
	int64_t key = key_of(b.data, b.len);
	buf_free(&b);

	return key;
}

START_TEST(only_the_first_8_kib_of_a_body_count_without_line_ends)
{
	ck_assert_int_eq(
	    key_of_body(8192, "\r\n", 'x'), key_of_body(8192, "\n", 'y'));
	ck_assert_int_ne(
	    key_of_body(8191, "\r\n", 'x'), key_of_body(8191, "\n", 'y'));
	ck_assert_int_eq(
	    key_of_body(3 << 20, "\r\n", 'x'), key_of_body(8192, "\n", 'y'));
}
END_TEST

Suite *
suite_identity(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("identity");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, what_servers_rewrite_does_not_change_it, 0,
	    sizeof(same) / sizeof(same[0]));
	tcase_add_loop_test(tcase, another_message_has_another_one, 0,
	    sizeof(other) / sizeof(other[0]));
	tcase_add_test(
	    tcase, only_the_first_8_kib_of_a_body_count_without_line_ends);
	suite_add_tcase(suite, tcase);

	return suite;
}
