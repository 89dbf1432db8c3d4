/* The words of messages: HTML, MIME, charsets, and a child that may die. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "text/decode.h"
#include "text/extract.h"
#include "text/worker.h"

Suite *suite_text(void);

/* ---- HTML ---- */

static const struct {
	const char *html, *text;
} pages[] = {
	{ "plain", "plain" },
	{ "<p>one</p><p>two</p>", "one two" },
	{ "<B>in</B>voice <i>no</i> 7", "invoice no 7" },
	{ "a<br>b<BR/>c", "a b c" },
	{ "Gr&ouml;&szlig;e &amp; M&#228;rz &#x20AC;5", "Größe & März €5" },
	{ "a&nbsp;b&#160;c", "a b c" },
	{ "hy&shy;phen", "hyphen" },
	{ "R&D &unknown; &", "R&D &unknown; &" },
	{ "<style>p { color: red }</style>seen<script>if (a<b) x()</script>",
	    "seen" },
	{ "<title>no</title>yes", "yes" },
	{ "a<!-- not > this -->b", "ab" },
	{ "<!DOCTYPE html>x", "x" },
	{ "<a href=\"x>y\">link</a>", "link" },
	{ "<td title='unclosed>cell</td>", "cell" },
	{ "1 < 2 and 3 > 2", "1 < 2 and 3 > 2" },
	{ "<p", "" },
	{ "<", "<" },
	{ "<!--", "" },
	{ "<script>never ends", "" },
	{ "&#0;&#xD800;&#99999999999;x", "x" },
	{ "  many \n\t blanks  ", "many blanks" },
	{ "請求書<b>の</b>件", "請求書の件" },
};

START_TEST(html_becomes_its_words)
{
	struct buf out = { 0 };
	ck_assert(
	    text_html(&out, pages[_i].html, strlen(pages[_i].html), 1000));
	ck_assert_str_eq(out.data == NULL ? "" : out.data, pages[_i].text);
	buf_free(&out);
}
END_TEST

START_TEST(html_ends_at_its_limit_between_characters)
{
	struct buf out = { 0 };
	ck_assert(!text_html(&out, "ab\u00e4\u00e4", 6, 5));
	ck_assert_str_eq(out.data, "ab\u00e4");
	buf_free(&out);
}
END_TEST

/* ---- messages ---- */

struct reader {
	struct text_worker *worker;
	struct buf text;
	const char *why;
};

static enum text_result
feed(struct reader *r, const char *message, size_t len)
{
	struct err err;
	ck_assert_msg(text_begin(r->worker, len, &err), "%s", err.text);
	for (size_t at = 0; at < len; at += 70000) {
		size_t n = len - at < 70000 ? len - at : 70000;
		ck_assert(text_add(r->worker, message + at, n, &err));
	}
	enum text_result result = text_end(r->worker, &r->text, &r->why);
	if (r->text.data != NULL)
		ck_assert(text_is_utf8(r->text.data, r->text.len));

	return result;
}

static void
reader_free(struct reader *r)
{
	text_worker_free(&r->worker);
	ck_assert_ptr_null(r->worker);
	buf_free(&r->text);
}

#define TYPE "MIME-Version: 1.0\r\nContent-Type: "
static const struct {
	const char *message, *text;
} messages[] = {
	{ "Subject: x\r\n\r\nno MIME at all\r\n", "no MIME at all\r\n" },
	{ "\r\nno header\r\n", "no header\r\n" },
	{ TYPE "text/plain; charset=utf-8\r\n"
	       "Content-Transfer-Encoding: base64\r\n\r\nR3LDtsOfZQ==\r\n",
	    "Größe" },
	{ TYPE "text/plain; charset=iso-8859-1\r\n"
	       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	       "M=E4rz soft=\r\nened\r\n",
	    "März softened\r\n" },
	{ TYPE "text/plain; charset=windows-1252\r\n\r\n\x80 5", "€ 5" },
	{ TYPE "text/plain; charset=koi8-r\r\n\r\n\xe4\xcf\xc7\xcf\xd7\xcf\xd2",
	    "Договор" },
	{ TYPE "text/plain; charset=iso-2022-jp\r\n\r\n"
	       "\x1b$B@A5a=q\x1b(B",
	    "請求書" },
	{ TYPE "text/plain; charset=us-ascii\r\n\r\nGr\xc3\xb6\xc3\x9f"
	       "e",
	    "Größe" },
	{ TYPE "text/plain; charset=x-../../etc\r\n\r\nGr\xf6\xdf"
	       "e",
	    "Größe" },
	{ TYPE "text/html; charset=iso-8859-1\r\n\r\n<p>M\xe4rz<p>Mai",
	    "März Mai" },
	{ TYPE "multipart/alternative; boundary=b\r\n\r\n"
	       "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
	       "--b\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--b--\r\n",
	    "plain html" },
	{ TYPE "multipart/mixed; boundary=b\r\n\r\n"
	       "--b\r\nContent-Type: image/png\r\n\r\nPNG\r\n"
	       "--b\r\nContent-Type: message/rfc822\r\n\r\n"
	       "Subject: =?utf-8?q?inn=C3=A9r?=\r\n\r\ndeep\r\n--b--\r\n",
	    "innér deep" },
	{ TYPE "application/pdf\r\n\r\nwords that are none", "" },
	{ TYPE "multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever ended",
	    "never ended" },
	{ "", "" },
};

START_TEST(a_message_gives_its_words)
{
	struct reader r = { .worker = text_worker_new() };
	ck_assert_int_eq(
	    feed(&r, messages[_i].message, strlen(messages[_i].message)),
	    TEXT_WHOLE);
	ck_assert_str_eq(
	    r.text.data == NULL ? "" : r.text.data, messages[_i].text);
	ck_assert_str_eq(r.why, "");
	reader_free(&r);
}
END_TEST

START_TEST(one_child_reads_many_messages)
{
	struct reader r = { .worker = text_worker_new() };
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(feed(&r, "\r\nsame", 6), TEXT_WHOLE);
	ck_assert_uint_eq(text_worker_started(r.worker), 1);
	ck_assert_str_eq(r.text.data, "same");
	reader_free(&r);
}
END_TEST

START_TEST(much_text_is_cut)
{
	size_t len = 3 << 20;
	char *message = mem_new(len + 1);
	memset(message, 'x', len);
	memcpy(message, "\r\n", 2);
	/* Two-octet characters, so that a cut could halve one. */
	for (size_t i = 3; i + 1 < len; i += 2)
		memcpy(message + i, "\xc3\xa4", 2);
	struct reader r = { .worker = text_worker_new() };
	ck_assert_int_eq(feed(&r, message, len), TEXT_CUT);
	ck_assert_uint_ge(r.text.len, TEXT_MAX - 1);
	ck_assert_uint_le(r.text.len, TEXT_MAX);
	ck_assert_str_ne(r.why, "");
	reader_free(&r);
	free(message);
}
END_TEST

START_TEST(a_huge_message_is_looked_at_from_its_start)
{
	size_t len = (size_t)TEXT_INPUT_MAX + (1 << 20);
	char *message = mem_new(len);
	memset(message, ' ', len);
	memcpy(message, "\r\nfirst", 7);
	memcpy(message + len - 4, "last", 4);
	struct reader r = { .worker = text_worker_new() };
	ck_assert_int_eq(feed(&r, message, len), TEXT_CUT);
	ck_assert_int_eq(strncmp(r.text.data, "first", 5), 0);
	ck_assert_ptr_null(strstr(r.text.data, "last"));
	reader_free(&r);
	free(message);
}
END_TEST

/* A million multiparts within each other, each opened and none closed. */
START_TEST(deep_nesting_costs_at_most_its_message)
{
	enum { LEVELS = 1000000 };
	struct buf message = { 0 };
	struct reader r = { .worker = text_worker_new() };
	buf_str(&message, TYPE "multipart/mixed; boundary=b0\r\n\r\n");
	for (int i = 0; message.len < 30u << 20 && i < LEVELS; i++)
		buf_fmt(&message,
		    "--b%d\r\n" TYPE "multipart/mixed; boundary=b%d\r\n\r\n", i,
		    i + 1);
	enum text_result deep = feed(&r, message.data, message.len);
	ck_assert_int_ne(deep, TEXT_WHOLE);
	ck_assert_int_eq(feed(&r, "\r\nafter", 7), TEXT_WHOLE);
	ck_assert_str_eq(r.text.data, "after");
	reader_free(&r);
	buf_free(&message);
}
END_TEST

START_TEST(very_many_parts_are_cut)
{
	struct buf message = { 0 };
	struct reader r = { .worker = text_worker_new() };
	buf_str(&message, TYPE "multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 20000; i++)
		buf_fmt(&message, "--b\r\n\r\npart%d\r\n", i);
	buf_str(&message, "--b--\r\n");
	ck_assert_int_eq(feed(&r, message.data, message.len), TEXT_CUT);
	ck_assert_ptr_nonnull(strstr(r.text.data, "part0 part1"));
	ck_assert_ptr_null(strstr(r.text.data, "part101"));
	reader_free(&r);
	buf_free(&message);
}
END_TEST

START_TEST(octets_that_do_not_come_fail_the_message)
{
	struct reader r = { .worker = text_worker_new() };
	struct err err;
	ck_assert(text_begin(r.worker, 100, &err));
	ck_assert(text_add(r.worker, "\r\nhalf", 6, &err));
	ck_assert_int_eq(text_end(r.worker, &r.text, &r.why), TEXT_FAILED);
	ck_assert_str_ne(r.why, "");
	ck_assert_int_eq(feed(&r, "\r\nnext", 6), TEXT_WHOLE);
	ck_assert_str_eq(r.text.data, "next");
	reader_free(&r);
}
END_TEST

/* ---- a decoder that misbehaves ---- */

static void
start_nothing(void)
{
}

static void
misbehave(const char *data, size_t len, struct buf *text, bool *cut)
{
	if (len >= 4 && memcmp(data, "kill", 4) == 0)
		kill(getpid(), SIGKILL);
	if (len >= 4 && memcmp(data, "exit", 4) == 0)
		_exit(0);
	if (len >= 4 && memcmp(data, "eats", 4) == 0)
		for (;;)
			memset(mem_new(64 << 20), 1, 64 << 20);
	if (len >= 4 && memcmp(data, "more", 4) == 0)
		memset(buf_room(text, TEXT_MAX + 1), 'x', TEXT_MAX + 1),
		    text->len = TEXT_MAX + 1;
	if (len >= 4 && memcmp(data, "odds", 4) == 0)
		buf_str(text, "\xff\xfe");
	*cut = false;
	buf_add(text, data, len);
}

static const char *const crimes[] = { "kill", "exit", "eats", "more", "odds" };

START_TEST(a_crime_costs_its_message_and_the_child)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	if (strcmp(crimes[_i], "eats") == 0)
		return; /* memory is not limited there */
#endif
	struct reader r = { .worker =
				text_worker_with(start_nothing, misbehave) };
	ck_assert_int_eq(feed(&r, "fine", 4), TEXT_WHOLE);
	ck_assert_uint_eq(text_worker_started(r.worker), 1);
	ck_assert_int_eq(feed(&r, crimes[_i], 4), TEXT_FAILED);
	ck_assert_uint_eq(r.text.len, 0);
	ck_assert_str_ne(r.why, "");
	ck_assert_int_eq(feed(&r, "fine again", 10), TEXT_WHOLE);
	ck_assert_str_eq(r.text.data, "fine again");
	ck_assert_uint_eq(text_worker_started(r.worker), 2);
	reader_free(&r);
}
END_TEST

Suite *
suite_text(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("html");
	tcase_add_loop_test(
	    t, html_becomes_its_words, 0, sizeof(pages) / sizeof(pages[0]));
	tcase_add_test(t, html_ends_at_its_limit_between_characters);
	suite_add_tcase(s, t);

	t = tcase_create("messages");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_message_gives_its_words, 0,
	    sizeof(messages) / sizeof(messages[0]));
	tcase_add_test(t, one_child_reads_many_messages);
	tcase_add_test(t, much_text_is_cut);
	tcase_add_test(t, a_huge_message_is_looked_at_from_its_start);
	tcase_add_test(t, deep_nesting_costs_at_most_its_message);
	tcase_add_test(t, very_many_parts_are_cut);
	tcase_add_test(t, octets_that_do_not_come_fail_the_message);
	suite_add_tcase(s, t);

	t = tcase_create("crimes");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_crime_costs_its_message_and_the_child, 0,
	    sizeof(crimes) / sizeof(crimes[0]));
	suite_add_tcase(s, t);

	return s;
}
