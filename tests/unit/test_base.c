#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

Suite *suite_base(void);

START_TEST(a_buffer_keeps_octets_and_a_final_nul)
{
	struct buf b = { 0 };
	for (int i = 0; i < 1000; i++)
		buf_add(&b, "a\0b", 3);
	ck_assert_uint_eq(b.len, 3000);
	ck_assert_int_eq(b.data[2999], 'b');
	ck_assert_int_eq(b.data[3000], '\0');
	buf_consume(&b, 2998);
	ck_assert_uint_eq(b.len, 2);
	ck_assert_mem_eq(b.data, "\0b", 3);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

static const struct {
	const char *in;
	size_t len;
	const char *out;
} escapes[] = {
	{ "plain", 5, "plain" },
	{ "a\033]0;x\007", 7, "a\\x1b]0;x\\x07" },
	{ "\xc3\xa9", 2, "\xc3\xa9" },
	{ "\xc3", 1, "\\xc3" },
	{ "\xe2\x80\xae", 3, "\\u{202e}" },
	{ "\xc2\x85", 2, "\\u{0085}" },
	{ "\xc0\xaf", 2, "\\xc0\\xaf" },
	{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },
	{ "a\0b", 3, "a\\x00b" },
	{ "\r\n", 2, "\\x0d\\x0a" },
};

START_TEST(octets_are_escaped_for_a_terminal)
{
	struct buf b = { 0 };
	text_escape(&b, escapes[_i].in, escapes[_i].len);
	ck_assert_str_eq(b.data, escapes[_i].out);
	buf_free(&b);
}
END_TEST

START_TEST(a_long_text_is_cut_at_a_character)
{
	char out[12];
	text_escape_to(out, sizeof(out), "aaaaaaa\xc3\xa9\xc3\xa9\xc3\xa9", 13);
	ck_assert_str_eq(out, "aaaaaaa\xe2\x80\xa6");
}
END_TEST

static const struct {
	const char *in;
	bool ok;
	uint64_t value;
} sizes[] = {
	{ "0", true, 0 },
	{ "35M", true, 35ull << 20 },
	{ "1g", true, 1ull << 30 },
	{ "2GiB", true, 2ull << 30 },
	{ "512", true, 512 },
	{ "18446744073709551615", true, UINT64_MAX },
	{ "18446744073709551616", false, 0 },
	{ "17179869184G", false, 0 },
	{ "", false, 0 },
	{ "M", false, 0 },
	{ "-1", false, 0 },
	{ "1X", false, 0 },
	{ "1M2", false, 0 },
};

START_TEST(a_size_is_a_number_and_a_unit)
{
	uint64_t value = 0;
	ck_assert_int_eq(text_parse_size(sizes[_i].in, &value), sizes[_i].ok);
	if (sizes[_i].ok)
		ck_assert_uint_eq(value, sizes[_i].value);
}
END_TEST

START_TEST(people_read_sizes_counts_and_durations)
{
	char out[40];
	ck_assert_str_eq(text_size(out, sizeof(out), 1023), "1023 B");
	ck_assert_str_eq(text_size(out, sizeof(out), 3328599654), "3.1 GiB");
	ck_assert_str_eq(text_size(out, sizeof(out), (1 << 20) - 1), "1.0 MiB");
	ck_assert_str_eq(text_count(out, sizeof(out), 12345), "12,345");
	ck_assert_str_eq(text_count(out, sizeof(out), 999), "999");
	ck_assert_str_eq(text_duration(out, sizeof(out), 2531), "42m 11s");
	ck_assert_str_eq(text_duration(out, sizeof(out), 7380), "2h 03m");
}
END_TEST

START_TEST(sha256_is_that_of_the_standard)
{
	uint8_t out[DIGEST_SIZE], back[DIGEST_SIZE];
	char hex[65];
	struct digest *d = digest_new();
	for (int i = 0; i < 2; i++) { /* one object serves twice */
		digest_start(d);
		digest_add(d, "a", 1);
		digest_add(d, "bc", 2);
		digest_end(d, out);
		ck_assert_str_eq(digest_hex(hex, out, sizeof(out)),
		    "ba7816bf8f01cfea414140de5dae2223"
		    "b00361a396177a9cb410ff61f20015ad");
	}
	ck_assert(digest_unhex(hex, 64, back, 32));
	ck_assert_mem_eq(back, out, 32);
	ck_assert(!digest_unhex("zz", 2, back, 1));
	ck_assert(digest_key(out) > 0);
	digest_free(&d);
	ck_assert_ptr_null(d);
}
END_TEST

START_TEST(a_word_is_quoted_for_a_shell_where_it_has_to_be)
{
	static const struct {
		const char *word, *quoted;
	} words[] = {
		{ "archive:/a-b/c_d.e", "archive:/a-b/c_d.e" },
		{ "imaps://a%40b@host:993/", "imaps://a%40b@host:993/" },
		{ "", "''" },
		{ "two words", "'two words'" },
		{ "it's", "'it'\\''s'" },
		{ "$(rm)", "'$(rm)'" },
		{ "~/x", "'~/x'" },
		{ "a\nb", "'a\\x0ab'" },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct buf out = { 0 };
		text_shell(&out, words[i].word);
		ck_assert_str_eq(out.data, words[i].quoted);
		buf_free(&out);
	}
}
END_TEST

START_TEST(an_error_escapes_what_others_said_and_keeps_its_scope)
{
	struct err e;
	ck_assert(!err_set_transient(
	    &e, ERR_ACCOUNT, ERR_NETWORK, "bad %s", "\033[31m"));
	ck_assert_str_eq(e.text, "bad \\x1b[31m");
	ck_assert_int_eq(e.scope, ERR_ACCOUNT);
	ck_assert(e.transient);
	err_words(&e, "NO\r\n", 4);
	ck_assert_str_eq(e.words, "NO\\x0d\\x0a");
	err_hint(&e, "one");
	err_hint(&e, "two");
	ck_assert_str_eq(e.hint, "one\ntwo");
}
END_TEST

START_TEST(a_folder_that_others_can_write_is_refused)
{
	char top[] = "/tmp/mailhaul-base-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(top));
	char *inner = mem_fmt("%s/a/b", top);
	struct err e;
	ck_assert(file_make_dir(inner, &e));
	ck_assert(file_make_dir(inner, &e));
	ck_assert_int_eq(chmod(inner, 0770), 0);
	ck_assert(!file_make_dir(inner, &e));
	ck_assert_int_eq(e.code, ERR_DISK_FULL);
	ck_assert_ptr_nonnull(strstr(e.hint, "chmod"));

	char *file = mem_fmt("%s/f", top);
	struct buf b = { 0 };
	ck_assert(file_replace(file, "hello", 5, &e));
	ck_assert(file_replace(file, "hi", 2, &e));
	ck_assert(file_read(file, 2, &b, &e));
	ck_assert_str_eq(b.data, "hi");
	ck_assert(!file_read(file, 1, &b, &e));
	buf_free(&b);
	unlink(file);
	rmdir(inner);
	*strrchr(inner, '/') = '\0';
	rmdir(inner);
	ck_assert_int_eq(rmdir(top), 0);
	free(inner);
	free(file);
}
END_TEST

enum { WRITERS = 4, TIMES = 200 };

static void *
replace_often(void *arg)
{
	const char *file = arg;
	struct err e;
	for (int i = 0; i < TIMES; i++)
		ck_assert_msg(file_replace(file, "same", 4, &e), "%s", e.text);

	return NULL;
}

START_TEST(a_file_is_replaced_by_many_at_once)
{
	char top[] = "/tmp/mailhaul-base-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(top));
	char *file = mem_fmt("%s/f", top);
	struct buf b = { 0 };
	struct err e;
	pthread_t writers[WRITERS];
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(
		    pthread_create(&writers[i], NULL, replace_often, file), 0);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_join(writers[i], NULL), 0);
	ck_assert(file_read(file, 4, &b, &e));
	ck_assert_str_eq(b.data, "same");
	buf_free(&b);
	unlink(file);
	/* Nothing is left beside it. */
	ck_assert_int_eq(rmdir(top), 0);
	free(file);
}
END_TEST

/* What somebody may have put in a file's place. */
static int
make_no_file(int what, const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	switch (what) {
	case 0:
		return mkfifo(path, 0600);
	case 1:
		return mkdir(path, 0700);
	case 2:
		return symlink("/etc/passwd", path);
	case 3:
		return symlink("nowhere", path);
	default:
		snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		int failed = bind(fd, (struct sockaddr *)&name, sizeof(name));
		close(fd);
		return failed;
	}
}

START_TEST(only_a_file_is_opened_and_nobody_is_waited_for)
{
	static const int flags[] = { O_RDONLY, O_RDWR };
	char top[] = "/tmp/mailhaul-base-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(top));
	char *path = mem_fmt("%s/f", top);
	struct err e;
	ck_assert_int_eq(make_no_file(_i, path), 0);
	for (size_t i = 0; i < 2; i++) {
		e = (struct err){ 0 };
		ck_assert_int_eq(
		    file_open(path, flags[i], ERR_MESSAGE, &e), -1);
		ck_assert_int_ne(errno, ENOENT);
		ck_assert_int_eq(e.code, ERR_DAMAGED);
		ck_assert_int_eq(e.scope, ERR_MESSAGE);
		ck_assert_ptr_nonnull(strstr(e.text, "is not a file"));
	}
	/* The name beside, too: what a replacement is written under. */
	char *beside = mem_fmt("%s.new", path);
	ck_assert_int_eq(rename(path, beside), 0);
	ck_assert(!file_replace(path, "x", 1, &e));
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert(unlink(beside) == 0 || rmdir(beside) == 0);
	ck_assert_int_eq(rmdir(top), 0);
	free(beside);
	free(path);
}
END_TEST

START_TEST(a_file_is_opened_and_a_missing_one_is_told_apart)
{
	char top[] = "/tmp/mailhaul-base-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(top));
	char *path = mem_fmt("%s/f", top);
	struct err e = { 0 };
	ck_assert_int_eq(file_open(path, O_RDONLY, ERR_RUN, &e), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_ne(e.code, ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(e.text, path));

	char octets[6] = "";
	ck_assert(file_replace(path, "hello", 5, &e));
	int fd = file_open(path, O_RDWR, ERR_RUN, &e);
	ck_assert_int_ge(fd, 0);
	ck_assert(file_pread(fd, octets, 5, 0, path, &e));
	ck_assert_str_eq(octets, "hello");
	close(fd);
	unlink(path);
	ck_assert_int_eq(rmdir(top), 0);
	free(path);
}
END_TEST

Suite *
suite_base(void)
{
	Suite *s = suite_create("base");
	TCase *t = tcase_create("base");
	tcase_add_test(t, a_buffer_keeps_octets_and_a_final_nul);
	tcase_add_test(t, a_word_is_quoted_for_a_shell_where_it_has_to_be);
	tcase_add_loop_test(t, octets_are_escaped_for_a_terminal, 0,
	    sizeof(escapes) / sizeof(escapes[0]));
	tcase_add_test(t, a_long_text_is_cut_at_a_character);
	tcase_add_loop_test(t, a_size_is_a_number_and_a_unit, 0,
	    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(t, people_read_sizes_counts_and_durations);
	tcase_add_test(t, sha256_is_that_of_the_standard);
	tcase_add_test(
	    t, an_error_escapes_what_others_said_and_keeps_its_scope);
	tcase_add_test(t, a_folder_that_others_can_write_is_refused);
	tcase_add_test(t, a_file_is_replaced_by_many_at_once);
	tcase_add_loop_test(
	    t, only_a_file_is_opened_and_nobody_is_waited_for, 0, 5);
	tcase_add_test(t, a_file_is_opened_and_a_missing_one_is_told_apart);
	suite_add_tcase(s, t);

	return s;
}
