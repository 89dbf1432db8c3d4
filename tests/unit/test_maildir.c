#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "local/maildir.h"
#include "mail/datetime.h"
#include "mail/flags.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *suite_maildir(void);

static char base[64], dir[96];
static struct maildir_export *e;
static struct err err;

static void
make_dir(void)
{
	snprintf(base, sizeof(base), "/tmp/mailhaul-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/out", base);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;

	return remove(path);
}

static void
remove_dir(void)
{
	ck_assert_int_eq(nftw(base, remove_one, 20, FTW_PHYS | FTW_DEPTH), 0);
}

static struct catalog_row
row_of(const char *mailbox, uint64_t uid)
{
	return (struct catalog_row){ .account = "alice@example.org",
		.mailbox = mailbox,
		.uidvalidity = 7,
		.uid = uid,
		.flags = MAIL_SEEN | MAIL_FLAGGED,
		.keywords = "",
		.idate = 1732183200,
		.zone = 60,
		.size = 5,
		.subject = "subject" };
}

static const char *
put(const struct catalog_row *row, const char *octets)
{
	const char *path;

	ck_assert_msg(maildir_export_begin(e, row, &err), "%s", err.text);
	/* In two pieces. */
	size_t half = strlen(octets) / 2;
	ck_assert(maildir_export_add(e, octets, half, &err));
	ck_assert(
	    maildir_export_add(e, octets + half, strlen(octets) - half, &err));
	ck_assert_msg(maildir_export_end(e, true, &path, &err), "%s", err.text);

	return path;
}

static void
begin(void)
{
	ck_assert_msg(maildir_export_open(&e, dir, &err), "%s", err.text);
}

static void
end(void)
{
	ck_assert_msg(maildir_export_close(&e, &err), "%s", err.text);
	ck_assert_ptr_null(e);
}

static char *
slurp(const char *path)
{
	char *full = mem_fmt("%s/%s", dir, path);
	struct buf text = { 0 };

	ck_assert_msg(file_read(full, 1 << 20, &text, &err), "%s", err.text);
	free(full);

	return buf_steal(&text);
}

static void
assert_file(const char *path, const char *want)
{
	char *text = slurp(path);

	ck_assert_str_eq(text, want);
	free(text);
}

static bool
exists(const char *path)
{
	char *full = mem_fmt("%s/%s", dir, path);
	bool yes = access(full, F_OK) == 0;

	free(full);

	return yes;
}

START_TEST(a_message_lies_in_its_maildir)
{
	struct catalog_row row = row_of("Work/2024", 42);
	struct stat st;

	begin();
	const char *path = put(&row, "octets");
	ck_assert_str_eq(
	    path, "Work/2024/cur/1732183200.V7U42.mailhaul,S=5:2,FS");
	char *full = mem_fmt("%s/%s", dir, path);
	char *kept = mem_str(path);
	end();
	assert_file(kept, "octets");
	ck_assert_int_eq(stat(full, &st), 0);
	ck_assert_int_eq(st.st_mtime, 1732183200);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert(exists("Work/2024/new") && exists("Work/2024/tmp"));
	ck_assert(!exists("Work/cur") && !exists("Work/2024/tmp/1.mailhaul"));
	ck_assert(!exists("Work/2024/dovecot-keywords"));
	free(full);
	free(kept);
}
END_TEST

static const struct {
	const char *mailbox, *path;
} names[] = {
	{ "INBOX", "INBOX/cur" },
	{ "../../../etc", "%2E%2E/%2E%2E/%2E%2E/etc/cur" },
	{ "/abs", "%empty/abs/cur" },
	{ "cur", "%63ur/cur" },
	{ "a/tmp", "a/%74mp/cur" },
	{ "mailhaul.jsonl", "%6Dailhaul.jsonl/cur" },
	{ "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe/cur" },
};

START_TEST(hostile_mailbox_names_stay_inside)
{
	struct catalog_row row = row_of(names[_i].mailbox, 1);

	begin();
	const char *path = put(&row, "x");
	ck_assert_mem_eq(path, names[_i].path, strlen(names[_i].path));
	end();
	ck_assert(exists(names[_i].path));
}
END_TEST

START_TEST(a_deep_and_long_mailbox_is_written_too)
{
	struct buf name = { 0 };

	for (int i = 0; i < 200; i++)
		buf_str(&name, "a level of twenty o/");
	struct catalog_row row = row_of(name.data, 1);
	begin();
	put(&row, "x");
	end();
	buf_free(&name);
}
END_TEST

START_TEST(a_link_that_lies_in_the_way_is_not_followed)
{
	struct catalog_row row = row_of("box/inner", 1);

	begin();
	char *link = mem_fmt("%s/box", dir);
	ck_assert_int_eq(symlink(base, link), 0);
	ck_assert(!maildir_export_begin(e, &row, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	free(link);
	end();
	char *inner = mem_fmt("%s/inner", base);
	ck_assert_int_ne(access(inner, F_OK), 0);
	free(inner);
}
END_TEST

START_TEST(a_name_that_is_taken_gets_a_number)
{
	struct catalog_row row = row_of("INBOX", 1);
	char *paths[3];

	begin();
	for (int i = 0; i < 3; i++)
		paths[i] = mem_str(put(&row, i == 0   ? "a"
					     : i == 1 ? "b"
						      : "c"));
	end();
	assert_file(paths[0], "a");
	assert_file(paths[1], "b");
	assert_file(paths[2], "c");
	ck_assert_str_eq(
	    paths[1], "INBOX/cur/1732183200.V7U1.mailhaul-2,S=5:2,FS");
	for (int i = 0; i < 3; i++)
		free(paths[i]);
}
END_TEST

START_TEST(what_is_not_kept_leaves_nothing)
{
	struct catalog_row row = row_of("INBOX", 1);
	const char *path;

	begin();
	ck_assert(maildir_export_begin(e, &row, &err));
	ck_assert(maildir_export_add(e, "x", 1, &err));
	ck_assert(maildir_export_end(e, false, &path, &err));
	ck_assert_ptr_null(path);
	/* And one that is never ended. */
	ck_assert(maildir_export_begin(e, &row, &err));
	end();
	ck_assert(!exists("INBOX/tmp/1.mailhaul"));
	ck_assert(!exists("INBOX/tmp/2.mailhaul"));
	ck_assert(!exists("INBOX/cur/1732183200.V7U1.mailhaul,S=5:2,FS"));
	assert_file("mailhaul.jsonl", "");
}
END_TEST

START_TEST(keywords_become_letters)
{
	struct catalog_row a = row_of("INBOX", 1), b = row_of("INBOX", 2),
			   c = row_of("Other", 3), d = row_of("INBOX", 4);

	a.keywords = "$Forwarded Later";
	b.keywords = "Later";
	c.keywords = "Later";
	d.keywords = "Third $Forwarded";
	begin();
	ck_assert_ptr_nonnull(strstr(put(&a, "x"), ":2,FSab"));
	ck_assert_ptr_nonnull(strstr(put(&b, "x"), ":2,FSb"));
	ck_assert_ptr_nonnull(strstr(put(&c, "x"), ":2,FSa"));
	ck_assert_ptr_nonnull(strstr(put(&d, "x"), ":2,FSac"));
	end();
	assert_file(
	    "INBOX/dovecot-keywords", "0 $Forwarded\n1 Later\n2 Third\n");
	assert_file("Other/dovecot-keywords", "0 Later\n");
}
END_TEST

START_TEST(the_27th_keyword_is_only_in_the_list)
{
	struct catalog_row row = row_of("INBOX", 1);
	struct buf keywords = { 0 };

	for (int i = 0; i < 27; i++)
		buf_fmt(&keywords, "%sk%02d", i > 0 ? " " : "", i);
	row.keywords = keywords.data;
	begin();
	ck_assert_ptr_nonnull(
	    strstr(put(&row, "x"), ":2,FSabcdefghijklmnopqrstuvwxyz"));
	end();
	char *text = slurp("INBOX/dovecot-keywords");
	ck_assert_ptr_nonnull(strstr(text, "25 k25\n"));
	ck_assert_ptr_null(strstr(text, "k26"));
	free(text);
	text = slurp("mailhaul.jsonl");
	ck_assert_ptr_nonnull(strstr(text, "\"k26\""));
	free(text);
	buf_free(&keywords);
}
END_TEST

START_TEST(the_list_says_what_a_maildir_can_not)
{
	struct catalog_row row = row_of("a:b\x01", 42);

	row.keywords = "k1 k2";
	row.subject = "quote \" and \xff octet";
	row.zone = -90;
	begin();
	put(&row, "x");
	row.idate = DATETIME_NONE;
	row.flags = 0;
	row.uid = 43;
	put(&row, "x");
	end();
	char *text = slurp("mailhaul.jsonl");
	char *second = strchr(text, '\n') + 1;
	json_t *line = json_loadb(text, (size_t)(second - text), 0, NULL);
	ck_assert_str_eq(
	    json_string_value(json_object_get(line, "mailbox")), "a:b\x01");
	ck_assert_str_eq(
	    json_string_value(json_object_get(line, "internaldate")),
	    "2024-11-21T08:30:00-01:30");
	ck_assert_str_eq(json_string_value(json_object_get(line, "file")),
	    "a%3Ab%01/cur/1732183200.V7U42.mailhaul,S=5:2,FSab");
	ck_assert_str_eq(json_string_value(json_object_get(line, "subject")),
	    "quote \" and \xef\xbf\xbd octet");
	ck_assert_uint_eq(json_array_size(json_object_get(line, "flags")), 2);
	ck_assert_str_eq(json_string_value(json_array_get(
			     json_object_get(line, "keywords"), 1)),
	    "k2");
	json_decref(line);
	line = json_loads(second, 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_null(json_object_get(line, "internaldate"));
	ck_assert_int_eq(json_integer_value(json_object_get(line, "uid")), 43);
	json_decref(line);
	free(text);
}
END_TEST

START_TEST(a_folder_with_something_in_it_is_refused)
{
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	begin();
	end();
	ck_assert(!maildir_export_open(&e, dir, &err));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	ck_assert_ptr_null(e);
}
END_TEST

START_TEST(a_full_disk_is_told_with_the_folder)
{
	struct catalog_row row = row_of("INBOX", 1);
	const struct rlimit limit = { 100, 100 };
	char big[1000];

	memset(big, 'x', sizeof(big));
	begin();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert(maildir_export_begin(e, &row, &err));
	ck_assert(!maildir_export_add(e, big, sizeof(big), &err));
	ck_assert_int_eq(err.code, ERR_DISK_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	ck_assert(maildir_export_close(&e, &err));
	ck_assert(!exists("INBOX/tmp/1.mailhaul"));
}
END_TEST

START_TEST(many_mailboxes_need_few_files_open)
{
	const struct rlimit limit = { 40, 40 };
	char name[16];

	begin();
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 200; i++) {
			snprintf(
			    name, sizeof(name), "box %03d", (i * 77) % 200);
			struct catalog_row row =
			    row_of(name, (uint64_t)(round + 1));
			row.keywords = "k";
			put(&row, "x");
		}
	end();
	ck_assert(exists("box 199/cur/1732183200.V7U2.mailhaul,S=5:2,FSa"));
	assert_file("box 000/dovecot-keywords", "0 k\n");
}
END_TEST

Suite *
suite_maildir(void)
{
	Suite *suite = suite_create("maildir");
	TCase *tcase = tcase_create("maildir");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, make_dir, remove_dir);
	tcase_add_test(tcase, a_message_lies_in_its_maildir);
	tcase_add_loop_test(tcase, hostile_mailbox_names_stay_inside, 0,
	    sizeof(names) / sizeof(names[0]));
	tcase_add_test(tcase, a_deep_and_long_mailbox_is_written_too);
	tcase_add_test(tcase, a_link_that_lies_in_the_way_is_not_followed);
	tcase_add_test(tcase, a_name_that_is_taken_gets_a_number);
	tcase_add_test(tcase, what_is_not_kept_leaves_nothing);
	tcase_add_test(tcase, keywords_become_letters);
	tcase_add_test(tcase, the_27th_keyword_is_only_in_the_list);
	tcase_add_test(tcase, the_list_says_what_a_maildir_can_not);
	tcase_add_test(tcase, a_folder_with_something_in_it_is_refused);
	tcase_add_test(tcase, a_full_disk_is_told_with_the_folder);
	tcase_add_test(tcase, many_mailboxes_need_few_files_open);
	suite_add_tcase(suite, tcase);

	return suite;
}
