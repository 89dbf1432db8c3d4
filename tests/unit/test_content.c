#include "base/digest.h"
#include "base/mem.h"
#include "mail/content.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

Suite *suite_content(void);

static char dir[64];

static void
make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/mailhaul-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
remove_dir(void)
{
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct content *
filled(const void *data, size_t len, size_t step, uint64_t expected)
{
	struct content *c = content_new(dir, expected);
	struct err err;

	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		ck_assert(content_add(c, (const char *)data + at, n, &err));
	}
	content_finish(c);
	ck_assert(content_hash(c, &err));

	return c;
}

/* A header section of 40 octets, then what no compressor would like. */
static char *
sample(size_t len)
{
	char *data = mem_new(len + 1);
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (char)(x >> 24);
	}
	if (len >= 40)
		memcpy(
		    data, "From: a@example.org\r\nSubject: texts.\r\n\r\n", 40);

	return data;
}

static const struct {
	const char *octets;
	size_t len;
	uint64_t header;
} ends[] = {
#define ROW(text, header)                      \
	{                                      \
		text, sizeof(text) - 1, header \
	}
	ROW("", 0),
	ROW("\r\n", 2),
	ROW("\n", 1),
	ROW("\r", 1),
	ROW("\n\n", 1),
	ROW("\r\nbody", 2),
	ROW("a: b\r\n\r\nbody", 8),
	ROW("a: b\n\nbody", 6),
	ROW("a: b\r\n\nbody", 7),
	ROW("a: b\n\r\nbody", 7),
	ROW("a: b\n\r\r\nbody\n\n", 14),
	ROW("a: b\r\rbody", 10),
	ROW("a: b\r\n", 6),
	ROW("a: b", 4),
	ROW("a: b\r\n \r\nc: d\r\n\r\n", 17),
	ROW("a\0b\r\n\0\r\n\r\nx", 10),
	ROW("a: b\r\n\r\r\n\r\n", 11),
#undef ROW
};

START_TEST(the_header_section_ends_at_the_first_empty_line)
{
	const size_t steps[] = { 1, 2, 3, 100 };
	int checked = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct content *c =
		    filled(ends[_i].octets, ends[_i].len, steps[i], 0);
		ck_assert_uint_eq(content_header_size(c), ends[_i].header);
		size_t len;
		const char *header = content_header(c, &len);
		ck_assert_uint_eq(len, ends[_i].header);
		ck_assert_mem_eq(header, ends[_i].octets, len);
		content_free(&c);
		ck_assert_ptr_null(c);
		checked++;
	}
	ck_assert_int_eq(checked, 4);
}
END_TEST

static const struct {
	size_t len, step;
	uint64_t expected;
} shapes[] = {
	{ 1, 1, 1 },
	{ 3000, 3000, 3000 },
	{ 3000, 7, 0 },
	{ 3000, 100, UINT64_C(1) << 63 },
	{ 3000, 100, UINT64_MAX },
	{ 3000, 2999, 10 },
	{ CONTENT_MEMORY - 1, 4096, 0 },
	{ CONTENT_MEMORY, CONTENT_MEMORY, CONTENT_MEMORY },
	{ CONTENT_MEMORY + 1, 65536, 5 },
	{ CONTENT_MEMORY + 1, CONTENT_MEMORY + 1, 0 },
	{ 5 << 20, 300001, 5 << 20 },
	{ 5 << 20, 5 << 20, 0 },
	{ (3 << 20) + 5, 786432, 1 },
	{ (2 << 20) + 77, 13, UINT64_MAX },
	{ CONTENT_HASH_LATER, 262144, CONTENT_HASH_LATER },
	{ CONTENT_HASH_LATER + 1, 262144, 0 },
	{ CONTENT_HASH_LATER + 1, 65535, CONTENT_HASH_LATER + 1 },
};

struct joined {
	const char *want;
	size_t at;
};

static bool
compare(void *arg, const void *data, size_t n, struct err *err)
{
	struct joined *j = arg;

	(void)err;
	ck_assert_mem_eq(data, j->want + j->at, n);
	j->at += n;

	return true;
}

START_TEST(octets_come_back_as_they_were_whatever_size_was_announced)
{
	size_t len = shapes[_i].len;
	char *data = sample(len), *out = mem_new(len + 1);
	struct content *c =
	    filled(data, len, shapes[_i].step, shapes[_i].expected);
	uint8_t sha256[DIGEST_SIZE];
	struct err err;

	ck_assert_uint_eq(content_size(c), len);
	digest_of(data, len, sha256);
	ck_assert_mem_eq(content_sha256(c), sha256, DIGEST_SIZE);
	ck_assert(content_read(c, 0, out, len, &err));
	ck_assert_mem_eq(out, data, len);
	for (size_t at = 0; at < len; at += len / 5 + 1) {
		size_t n = len - at < 1000000 ? len - at : 1000000;
		memset(out, 0, n);
		ck_assert(content_read(c, at, out, n, &err));
		ck_assert_mem_eq(out, data + at, n);
		struct joined j = { data, at };
		ck_assert(content_each(c, at, n, compare, &j, &err));
		ck_assert_uint_eq(j.at, at + n);
	}
	if (len >= 40) {
		ck_assert_uint_eq(content_header_size(c), 40);
		ck_assert_int_eq(
		    content_body_hash(c), hash64_of(data + 40, len - 40));
		ck_assert_int_eq(
		    content_body_hash(c), hash64_of(data + 40, len - 40));
	}
	content_free(&c);
	free(data);
	free(out);
}
END_TEST

START_TEST(what_lies_behind_the_end_is_refused)
{
	struct content *c = filled("a: b\n\nbody", 10, 10, 10);
	char out[20];
	struct err err;

	ck_assert(content_read(c, 10, out, 0, &err));
	ck_assert(!content_read(c, 0, out, 11, &err));
	ck_assert(!content_read(c, 11, out, 0, &err));
	ck_assert(!content_read(c, UINT64_MAX, out, 2, &err));
	ck_assert_int_eq(err.scope, ERR_MESSAGE);
	content_free(&c);
}
END_TEST

static bool
refuse(void *arg, const void *data, size_t n, struct err *err)
{
	(void)data;
	(void)n;
	++*(int *)arg;

	return err_set(err, ERR_RUN, ERR_IO, "no more");
}

START_TEST(a_reader_that_fails_ends_the_reading)
{
	char *data = sample(3 << 20);
	struct content *c = filled(data, 3 << 20, 1 << 20, 0);
	struct err err;
	int calls = 0;

	ck_assert(!content_each(c, 0, 3 << 20, refuse, &calls, &err));
	ck_assert_int_eq(calls, 1);
	ck_assert_str_eq(err.text, "no more");
	content_free(&c);
	free(data);
}
END_TEST

START_TEST(a_huge_header_section_is_kept_up_to_its_limit)
{
	size_t len = 2 << 20, kept;
	char *data = mem_new(len);

	memset(data, 'x', len);
	struct content *c = filled(data, len, 65536, len);
	ck_assert_uint_eq(content_header_size(c), len);
	const char *header = content_header(c, &kept);
	ck_assert_uint_eq(kept, CONTENT_HEADER_MAX);
	ck_assert_mem_eq(header, data, kept);
	/* Its body is empty, which has a hash too. */
	ck_assert_int_eq(content_body_hash(c), hash64_of("", 0));
	content_free(&c);
	free(data);
}
END_TEST

START_TEST(a_spool_file_has_no_name)
{
	char *data = sample(2 << 20);
	struct content *c = content_new(dir, 0);
	struct err err;
	int names = 0;

	ck_assert(content_add(c, data, 2 << 20, &err));
	DIR *d = opendir(dir);
	while (readdir(d) != NULL)
		names++;
	closedir(d);
	ck_assert_int_eq(names, 2);
	content_free(&c);
	free(data);
}
END_TEST

static void
limit_files(rlim_t size)
{
	const struct rlimit limit = { size, size };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_is_told_with_the_folder)
{
	char *data = sample(4 << 20);
	struct content *c = content_new(dir, 0);
	struct err err = { 0 };

	limit_files(2 << 20);
	ck_assert(content_add(c, data, 1 << 20, &err));
	ck_assert(!content_add(c, data, 4 << 20, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_int_eq(err.code, ERR_DISK_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	ck_assert_ptr_nonnull(strstr(err.hint, "TMPDIR"));
	content_free(&c);
	free(data);
}
END_TEST

START_TEST(a_disk_that_fills_at_the_very_end_loses_nothing)
{
	size_t len = (1 << 20) + 200000;
	char *data = sample(len), *out = mem_new(len);
	struct err err;

	limit_files((1 << 20) + 1000);
	struct content *c = filled(data, len, 50000, len);
	ck_assert(content_read(c, 0, out, len, &err));
	ck_assert_mem_eq(out, data, len);
	struct joined j = { data, 0 };
	ck_assert(content_each(c, 0, len, compare, &j, &err));
	ck_assert_int_eq(content_body_hash(c), hash64_of(data + 40, len - 40));
	content_free(&c);
	free(data);
	free(out);
}
END_TEST

START_TEST(a_missing_spool_folder_is_named)
{
	char *data = sample(2 << 20);
	struct content *c = content_new("/nonexistent/spool", 0);
	struct err err = { 0 };

	ck_assert(!content_add(c, data, 2 << 20, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/spool"));
	content_free(&c);
	free(data);
}
END_TEST

START_TEST(many_contents_at_a_time_keep_their_digests_apart)
{
	enum { N = 40 };
	struct content *c[N];
	uint8_t sha256[DIGEST_SIZE];
	struct err err;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++)
			c[i] = content_new(dir, 2);
		for (int i = 0; i < 2 * N; i++)
			ck_assert(content_add(
			    c[i % N], &(char){ (char)(i % N) }, 1, &err));
		for (int i = 0; i < N; i++) {
			char two[2] = { (char)i, (char)i };
			content_finish(c[i]);
			digest_of(two, 2, sha256);
			ck_assert_mem_eq(
			    content_sha256(c[i]), sha256, DIGEST_SIZE);
			content_free(&c[i]);
		}
	}
}
END_TEST

START_TEST(a_forgotten_body_leaves_what_is_known_of_it)
{
	/* In memory, and spooled. */
	const size_t bodies[] = { 100000, 3 << 20 };
	static const char header[] = "Subject: x\r\n\r\n";
	char *body = mem_new(bodies[_i]);
	struct content *c = content_new(dir, 0);
	struct err err;
	size_t len;
	memset(body, 'x', bodies[_i]);
	ck_assert(content_add(c, header, strlen(header), &err));
	ck_assert(content_add(c, body, bodies[_i], &err));
	content_finish(c);
	ck_assert(content_hash(c, &err));
	uint8_t before[DIGEST_SIZE];
	memcpy(before, content_sha256(c), sizeof(before));
	int64_t hash = content_body_hash(c);
	ck_assert(hash != 0);
	content_forget_body(c);
	ck_assert_mem_eq(content_sha256(c), before, sizeof(before));
	ck_assert_int_eq(content_body_hash(c), hash);
	ck_assert_uint_eq(content_size(c), strlen(header) + bodies[_i]);
	ck_assert_mem_eq(content_header(c, &len), header, strlen(header));
	ck_assert_uint_eq(len, strlen(header));
	content_free(&c);
	free(body);
}
END_TEST

Suite *
suite_content(void)
{
	Suite *suite = suite_create("content");
	TCase *tcase = tcase_create("content");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, make_dir, remove_dir);
	tcase_add_loop_test(tcase,
	    the_header_section_ends_at_the_first_empty_line, 0,
	    sizeof(ends) / sizeof(ends[0]));
	tcase_add_loop_test(tcase,
	    octets_come_back_as_they_were_whatever_size_was_announced, 0,
	    sizeof(shapes) / sizeof(shapes[0]));
	tcase_add_test(tcase, what_lies_behind_the_end_is_refused);
	tcase_add_test(tcase, a_reader_that_fails_ends_the_reading);
	tcase_add_test(tcase, a_huge_header_section_is_kept_up_to_its_limit);
	tcase_add_test(tcase, a_spool_file_has_no_name);
	tcase_add_test(tcase, a_full_disk_is_told_with_the_folder);
	tcase_add_test(tcase, a_disk_that_fills_at_the_very_end_loses_nothing);
	tcase_add_test(tcase, a_missing_spool_folder_is_named);
	tcase_add_test(tcase, many_contents_at_a_time_keep_their_digests_apart);
	tcase_add_loop_test(
	    tcase, a_forgotten_body_leaves_what_is_known_of_it, 0, 2);
	suite_add_tcase(suite, tcase);

	return suite;
}
