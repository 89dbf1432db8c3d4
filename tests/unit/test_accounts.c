#include "base/buf.h"
#include "conf/accounts.h"
#include "conf_rig.h"

#include <limits.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

Suite *suite_accounts(void);

/* Sanitizers have a heap of their own, and keep what is freed. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OWN_HEAP
#endif

static struct config *config;
static struct accounts all;
static struct err err;

/* A config that names a.csv, with more of it. */
static void
configure(const char *text)
{
	rig_text("c.yaml", text);
	ck_assert_msg(
	    config_read(&config, rig_path("c.yaml"), &err), "%s", err.text);
}

static void
up(void)
{
	rig_up();
	configure("archive: a\naccounts: a.csv\n"
		  "source: { url: \"imaps://mail.example/\" }\n");
}

static void
down(void)
{
	accounts_free(&all);
	config_free(config);
	rig_down();
}

static bool
reads(const char *csv)
{
	rig_text("a.csv", csv);
	err = (struct err){ 0 };

	return accounts_read(&all, config, false, &err);
}

static void
must_read(const char *csv)
{
	bool ok = reads(csv);

	ck_assert_msg(ok, "%s\n%s", err.text, err.hint);
}

START_TEST(a_row_is_an_account)
{
	must_read("source_user,source_password\nalice,hunter2\n"
		  "Bob@Mail.Example,\" b,\"\"ö \"\n");
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(all.items[0].name, "alice@mail.example");
	ck_assert_str_eq(all.items[0].url, "imaps://alice@mail.example/");
	ck_assert_str_eq(all.items[0].password, "hunter2");
	ck_assert_ptr_null(all.items[0].password_file);
	ck_assert_ptr_null(all.items[0].group);
	ck_assert_uint_eq(all.items[0].line, 2);
	ck_assert_str_eq(all.items[1].name, "bob@mail.example");
	ck_assert_str_eq(
	    all.items[1].url, "imaps://Bob@Mail.Example@mail.example/");
	ck_assert_str_eq(all.items[1].password, " b,\"ö ");
	ck_assert_str_eq(all.path, rig_path("a.csv"));
}
END_TEST

START_TEST(every_column_has_its_place_in_any_order)
{
	must_read("comment,ended,group,account,source_authzid,source_url,"
		  "source_password_command,source_password_file,source_user\n"
		  "\"one\ntwo\",2026-01-31,staff,Alice A.,boss,"
		  "imap://other:1143/,,pw/alice,alice\n"
		  ",,,,carol,,pass carol,,admin\n");
	const struct account *a = all.items, *b = &all.items[1];
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(a->comment, "one\ntwo");
	ck_assert_str_eq(a->ended, "2026-01-31");
	ck_assert_str_eq(a->group, "staff");
	ck_assert_str_eq(a->name, "Alice A.");
	ck_assert_str_eq(a->authzid, "boss");
	ck_assert_str_eq(a->url, "imap://alice@other:1143/");
	ck_assert_str_eq(a->password_file, rig_path("pw/alice"));
	ck_assert_ptr_null(a->password_command);
	ck_assert_uint_eq(a->line, 2);
	/* The line end in quotes counts. */
	ck_assert_uint_eq(b->line, 4);
	ck_assert_str_eq(b->name, "carol@mail.example");
	ck_assert_str_eq(b->url, "imaps://admin@mail.example/");
	ck_assert_str_eq(b->password_command, "pass carol");
	ck_assert_ptr_null(b->comment);
}
END_TEST

/* Ways to write the same two accounts; alice's line and bob's. */
static const struct {
	const char *csv;
	unsigned first, second;
} ways[] = {
	{ "source_user,source_password\nalice,x\nbob,y\n", 2, 3 },
	{ "source_user,source_password\nalice,x\nbob,y", 2, 3 },
	{ "source_user,source_password\r\nalice,x\r\nbob,y\r\n", 2, 3 },
	{ "source_user,source_password\r\nalice,x\r\nbob,y\r", 2, 3 },
	{ "\xef\xbb\xbfsource_user,source_password\nalice,x\nbob,y\n", 2, 3 },
	{ "\xef\xbb\xbf\"source_user\",source_password\nalice,x\nbob,y\n", 2,
	    3 },
	{ "\xef\xbb\xbf# c\n\nsource_user,source_password\nalice,x\nbob,y\n", 4,
	    5 },
	{ "source_user , source_password\n alice\t,  x \n\tbob, y\n", 2, 3 },
	{ "\"source_user\",\"source_password\"\n\"alice\",\"x\"\n"
	  "\"bob\" , \"y\" \n",
	    2, 3 },
	{ "# a, b\n\n  # \"c\n\nsource_user,source_password\n\n \t \n"
	  "alice,x\n#dave,z\n\nbob,y\n\n\n#",
	    8, 11 },
	{ "#\xc3\xbc\nsource_password,source_user\nx,alice\ny,bob\n", 3, 4 },
};

START_TEST(files_of_all_editors_read_alike)
{
	must_read(ways[_i].csv);
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(all.items[0].url, "imaps://alice@mail.example/");
	ck_assert_str_eq(all.items[0].password, "x");
	ck_assert_uint_eq(all.items[0].line, ways[_i].first);
	ck_assert_str_eq(all.items[1].url, "imaps://bob@mail.example/");
	ck_assert_str_eq(all.items[1].password, "y");
	ck_assert_uint_eq(all.items[1].line, ways[_i].second);
}
END_TEST

#define HEAD "source_user,source_password\n"

static const struct {
	const char *csv, *says;
} refusals[] = {
	/* the header */
	{ "", "is empty; the first line names the columns" },
	{ "\n# x\n\n", "is empty" },
	{ "\xef\xbb\xbf", "is empty" },
	{ HEAD, "names no account" },
	{ "sorce_user,source_password\na,b\n",
	    ":1: unknown column \"sorce_user\"; did you mean source_user?" },
	{ "# x\nsource_user,Password\na,b\n",
	    ":2: unknown column \"Password\"; did you mean source_password?" },
	{ "Source_User\na\n", "did you mean source_user?" },
	{ "source_user,zzzzzzzz\na,b\n",
	    "Known: source_password, source_user" },
	{ "source_user,target_user\na,b\n",
	    "target_user: not in this version" },
	{ "source_user,source_user\na,b\n", "stands there twice" },
	{ "source_user,\na,b\n", "column 2 has no name" },
	{ "account\na\n", "source_user must be among them" },
	{ "host1;user1;pass1;host2;user2;pass2\n", "commas are needed" },
	{ "source_user;source_password\na;b\n", "commas are needed" },
	/* rows */
	{ HEAD "a\n", ":2: 1 field, but the header names 2 columns" },
	{ HEAD "a,b\nc,d,e\n", ":3: 3 fields, but the header names 2" },
	{ HEAD "a,b\n,\n", ":3: names no source_user" },
	{ HEAD ",b\n", ":2: names no source_user" },
	{ HEAD "\"\",b\n", ":2: names no source_user" },
	{ HEAD " ,b\n", ":2: names no source_user" },
	{ HEAD "a,\n", ":2: gives no password for a" },
	{ HEAD "a,x\nA,y\n",
	    ":3: the account a@mail.example stands on line 2 already" },
	{ HEAD "b,x\na,x\nc,x\na@mail.example,y\na,z\nc,z\n",
	    ":5: the account a@mail.example stands on line 3 already" },
	{ HEAD "\"a\nb\",x\n", ":2: source_user holds a control" },
	{ HEAD "a\x1b,x\n", ":2: source_user holds a control" },
	{ HEAD "a,\"x\ny\"\n", ":2: source_password holds a control" },
	{ "source_user,source_password,source_password_file\na,b,c\n",
	    ":2: gives more than one of" },
	{ "source_user,source_password_file,source_password_command\na,b,c\n",
	    ":2: gives more than one of" },
	{ "source_user,source_password_file\na,-\n", "standard input" },
	{ "source_user,source_password,ended\na,b,2026-02-30\n", "2026-01-31" },
	{ "source_user,source_password,source_url\na,b,imaps://x@h/\n",
	    ":2: source_url: names a user" },
	{ "source_user,source_password,source_url\na,b,imaps://x:hunter2@h/\n",
	    ":2: source_url: a password in the URL is refused" },
	{ "source_user,source_password,source_url\na,b,mail.example\n",
	    ":2: source_url: must be a server" },
	{ "source_user,source_password,account\na,b,x\nc,d,x\n",
	    ":3: the account x stands on line 2 already" },
	/* CSV's own */
	{ HEAD "a,x\nb,\"hunter2\nc,y\n",
	    ":3: a quote in the row that begins here is not closed" },
	{ HEAD "a,\"", ":2: a quote in the row that begins here is not" },
	{ HEAD "a,hunter2\"\n", ":2: a quote stands inside a field" },
	{ HEAD "a,\"b\"hunter2\n", ":2: a quote stands inside a field" },
	{ HEAD "a,\"b\nc\nd\"e\n", ":4: a quote stands inside a field" },
	{ HEAD "a,x\rb,hunter2\n", ":2: holds a carriage return" },
	{ "source_user,source_password\ra,x\rb,hunter2\r", ":1: holds a carr" },
	{ HEAD "a,x\nb,hunter2\xff\n", ":3: holds octets that are no UTF-8" },
	{ HEAD "a,x\n#\xe4\n", ":3: holds octets that are no UTF-8" },
};

START_TEST(what_is_wrong_is_refused_with_its_line)
{
	rig_refused(reads(refusals[_i].csv), &err, "a.csv", refusals[_i].says);
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
	ck_assert_ptr_null(strstr(err.hint, "hunter2"));
	ck_assert_ptr_null(strchr(err.text, '\x1b'));
	ck_assert_uint_eq(all.n, 0);
	ck_assert_ptr_null(all.items);
}
END_TEST

START_TEST(octets_that_are_no_text_are_refused)
{
	static const char nul[] = HEAD "a,x\nb,y\0z\n";
	static const char wide[] = "\xff\xfe"
				   "s\0o\0u\0r\0\n\0";

	rig_put("a.csv", nul, sizeof(nul) - 1, 0600);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    ":3: holds a NUL octet");
	rig_put("a.csv", wide, sizeof(wide) - 1, 0600);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    "is UTF-16");
}
END_TEST

/* before, then octets of fill, then after. */
static bool
reads_filled(const char *before, char fill, size_t n, const char *after)
{
	struct buf csv = { 0 };

	buf_str(&csv, before);
	memset(buf_room(&csv, n), fill, n);
	csv.len += n;
	buf_str(&csv, after);
	bool ok = reads(csv.data);
	buf_free(&csv);

	return ok;
}

START_TEST(great_fields_rows_and_lines_are_refused)
{
	ck_assert(reads_filled(HEAD "a,", 'x', 4096, "\n"));
	ck_assert_uint_eq(strlen(all.items[0].password), 4096);
	accounts_free(&all);
	rig_refused(reads_filled(HEAD "a,", 'x', 4097, "\n"), &err, "a.csv",
	    ":2: a field has more than 4096 octets");
	rig_refused(
	    reads_filled(HEAD "a,", 'x', 1 << 20, "\n"), &err, "a.csv", ":2: ");
	rig_refused(reads_filled(HEAD "a,\"", '\n', 1 << 20, "\"\n"), &err,
	    "a.csv", ":2: the row that begins here has more than 65536 octets");
	rig_refused(reads_filled(HEAD "a,\"", '"', 1 << 20, "\n"), &err,
	    "a.csv", ":2: ");
	rig_refused(reads_filled(HEAD "a", ',', 60000, "\n"), &err, "a.csv",
	    ":2: 60001 fields");
	rig_refused(reads_filled("source_user", ',', 60000, "\n"), &err,
	    "a.csv", ":1: too many columns");
	rig_refused(reads_filled("#", 'x', 1 << 20, "\n"), &err, "a.csv",
	    ":1: the line has more than 65536 octets");
	ck_assert(reads_filled(HEAD, '\n', 1 << 20, "a,b\n"));
	ck_assert_uint_eq(all.items[0].line, (1 << 20) + 2);
}
END_TEST

/* Each octet replaced by each of these, and the file cut there. */
START_TEST(no_damage_does_more_than_be_refused)
{
	static const char full[] =
	    "\xef\xbb\xbf# c\nsource_user,source_password,source_url,ended\r\n"
	    "alice,\"hunter\"\"2\",imaps://h:993/,2026-01-31\n"
	    "bob , b ,,\n\"c\nd\",e,,\n";
	static const char evil[] = "\0\xff\"',;\n\r#\t \x1b@:";
	char text[sizeof(full)];
	size_t refused = 0, taken = 0;

	for (size_t at = 0; at < sizeof(full) - 1; at++)
		for (size_t e = 0; e <= sizeof(evil) - 1; e++) {
			size_t len = sizeof(full) - 1;
			memcpy(text, full, len);
			if (e == sizeof(evil) - 1)
				len = at;
			else
				text[at] = evil[e];
			rig_put("a.csv", text, len, 0600);
			err = (struct err){ 0 };
			if (accounts_read(&all, config, false, &err)) {
				accounts_free(&all);
				taken++;
				continue;
			}
			ck_assert_msg(err.code == ERR_USAGE, "%s", err.text);
			ck_assert_ptr_null(strstr(err.text, "hunter"));
			refused++;
		}
	ck_assert_uint_gt(refused, 1500);
	ck_assert_uint_gt(taken, 5);
}
END_TEST

START_TEST(passwords_that_others_can_read_are_refused)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0660, 0644 };
	static const char csv[] = HEAD "a,hunter2\n";

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		rig_put("a.csv", csv, sizeof(csv) - 1, modes[i]);
		rig_refused(accounts_read(&all, config, false, &err), &err,
		    "a.csv", "passwords");
		ck_assert_str_eq(
		    err.hint, rig_fmt("Then: chmod 600 %s/a.csv", rig_dir));
	}
	rig_put("a.csv", csv, sizeof(csv) - 1, 0400);
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
}
END_TEST

START_TEST(files_without_passwords_may_be_read_by_all)
{
	static const char files[] = "source_user,source_password_file\na,b\n";
	static const char commands[] =
	    "source_user,source_password_command\na,pass b\n";

	rig_put("a.csv", files, sizeof(files) - 1, 0664);
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
	accounts_free(&all);
	rig_put("a.csv", commands, sizeof(commands) - 1, 0644);
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
	accounts_free(&all);
	/* Who writes it runs programs as us. */
	rig_put("a.csv", commands, sizeof(commands) - 1, 0664);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    "chmod go-w");
	rig_put("a.csv", files, sizeof(files) - 1, 0666);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    "chmod o-w");
}
END_TEST

START_TEST(only_a_file_that_can_be_read_is_read)
{
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    "No such file");
	ck_assert_int_eq(mkdir(rig_path("a.csv"), 0700), 0);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    "is a folder");
	ck_assert_int_eq(rmdir(rig_path("a.csv")), 0);
	rig_be_nobody();
	rig_put("a.csv", HEAD, strlen(HEAD), 0000);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    "Permission denied");
	rig_be_root();
}
END_TEST

START_TEST(accounts_may_stand_in_the_config_itself)
{
	config_free(config);
	configure("archive: a\naccounts:\n"
		  "- { source_user: a, source_password_file: p/a }\n"
		  "- source_user: b\n"
		  "  source_url: imap://h/\n"
		  "  source_password_command: pass b\n");
	err = (struct err){ 0 };
	rig_refused(accounts_read(&all, config, false, &err), &err, "c.yaml",
	    ":3: names no source_url");
	config_free(config);
	configure("archive: a\nsource: { url: \"imaps://s/\" }\naccounts:\n"
		  "- { source_user: a, source_password_file: p/a }\n"
		  "- source_user: b\n"
		  "  source_url: imap://h/\n"
		  "  source_password_command: pass b\n");
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(all.items[0].name, "a@s");
	ck_assert_str_eq(all.items[0].password_file, rig_path("p/a"));
	ck_assert_uint_eq(all.items[0].line, 4);
	ck_assert_str_eq(all.items[1].url, "imap://b@h/");
	ck_assert_uint_eq(all.items[1].line, 5);
	ck_assert_str_eq(all.path, rig_path("c.yaml"));
}
END_TEST

START_TEST(the_sources_user_is_the_only_account_without_a_list)
{
	config_free(config);
	configure("archive: a\nsource:\n  url: imaps://s/\n  user: U\n"
		  "  password_file: pw\n");
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
	ck_assert_uint_eq(all.n, 1);
	ck_assert_str_eq(all.items[0].name, "u@s");
	ck_assert_str_eq(all.items[0].url, "imaps://U@s/");
	ck_assert_uint_eq(all.items[0].line, 4);
	accounts_free(&all);
	config_free(config);
	configure("archive: a\nsource: { url: \"imaps://v@w@s/Work\" }\n");
	rig_refused(accounts_read(&all, config, false, &err), &err, "c.yaml",
	    ":2: gives no password for v@w");
	ck_assert_msg(accounts_read(&all, config, true, &err), "%s", err.text);
	ck_assert_str_eq(all.items[0].url, "imaps://v@w@s/Work");
	accounts_free(&all);
	config_free(config);
	configure("archive: a\nsource: { url: \"imaps://s/\" }\n");
	rig_refused(accounts_read(&all, config, true, &err), &err, "c.yaml",
	    "accounts: is missing");
}
END_TEST

static struct secret_from
where_from(size_t i, struct secret_from from, char *origin)
{
	accounts_secret(&all, i, config, origin, &from);

	return from;
}

START_TEST(a_password_comes_from_the_row_or_else_from_the_config)
{
	char origin[ACCOUNT_ORIGIN_SIZE];
	const struct secret_from none = { .variable = "V", .prompt = "P" };

	config_free(config);
	configure("archive: a\naccounts: a.csv\nsource:\n"
		  "  url: imaps://s/\n  password_file: all.pw\n");
	must_read("source_user,source_password,source_password_file,"
		  "source_password_command\na,hunter2,,\nb,,b.pw,\nc,,,pass c\n"
		  "d,,,\n");
	struct secret_from from = where_from(0, none, origin);
	ck_assert_str_eq(from.literal, "hunter2");
	ck_assert_ptr_null(from.file);
	ck_assert_str_eq(from.origin, rig_fmt("%s/a.csv line 2", rig_dir));
	ck_assert_str_eq(from.variable, "V");
	ck_assert_str_eq(from.prompt, "P");
	from = where_from(1, none, origin);
	ck_assert_ptr_null(from.literal);
	ck_assert_str_eq(from.file, rig_path("b.pw"));
	from = where_from(2, none, origin);
	ck_assert_ptr_null(from.file);
	ck_assert_str_eq(from.command, "pass c");
	ck_assert_str_eq(origin, rig_fmt("%s/a.csv line 4", rig_dir));
	from = where_from(3, none, origin);
	ck_assert_str_eq(from.file, rig_path("all.pw"));
	ck_assert_str_eq(origin, rig_fmt("%s/c.yaml line 5", rig_dir));
	/* The command line has the first word. */
	from = where_from(0, (struct secret_from){ .file = "mine" }, origin);
	ck_assert_ptr_null(from.literal);
	ck_assert_ptr_null(from.origin);
	ck_assert_str_eq(from.file, "mine");
}
END_TEST

START_TEST(a_rows_password_becomes_the_secret_and_its_origin_is_told)
{
	char origin[ACCOUNT_ORIGIN_SIZE];
	struct secret secret;

	must_read("source_user,source_password,source_password_file\n"
		  "a,hunter2,\nb,,b.pw\n");
	rig_text("b.pw", "geheim\n");
	struct secret_from from =
	    where_from(0, (struct secret_from){ 0 }, origin);
	ck_assert_msg(
	    secret_get(&secret, &from, "source", &err), "%s", err.text);
	ck_assert_str_eq(secret.data, "hunter2");
	ck_assert_uint_eq(secret.len, 7);
	ck_assert_str_eq(
	    secret.origin, rig_fmt("%s/a.csv line 2 (7 octets)", rig_dir));
	secret_free(&secret);
	from = where_from(1, (struct secret_from){ 0 }, origin);
	ck_assert_msg(
	    secret_get(&secret, &from, "source", &err), "%s", err.text);
	ck_assert_str_eq(secret.data, "geheim");
	ck_assert_ptr_nonnull(
	    strstr(secret.origin, "a.csv line 3: source_password_file /tmp/"));
	secret_free(&secret);
	ck_assert_int_eq(unlink(rig_path("b.pw")), 0);
	ck_assert(!secret_get(&secret, &from, "source", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "a.csv line 3"));
}
END_TEST

static long
resident_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);

	return usage.ru_maxrss;
}

static void
write_many(size_t n)
{
	struct buf csv = { 0 };

	buf_str(&csv, "source_user,source_password,group,comment\n");
	for (size_t i = 0; i < n; i++)
		buf_fmt(&csv, "user%zu@mail.example,pw%zu,g,\"a, b\"\n",
		    i * 7919 % n, i);
	rig_put("a.csv", csv.data, csv.len, 0600);
	buf_free(&csv);
}

START_TEST(a_hundred_thousand_rows_are_read)
{
	const size_t n = 100000; /* no multiple of 7919: no user twice */

	write_many(n);
	long before = resident_kib();
	err = (struct err){ 0 };
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
	ck_assert_uint_eq(all.n, n);
	ck_assert_str_eq(all.items[n - 1].password, "pw99999");
	ck_assert_uint_eq(all.items[n - 1].line, n + 1);
#ifdef OWN_HEAP
	/* What a row may take, strings, their heap and the array's growth. */
	ck_assert_int_lt(resident_kib() - before, (long)(n * 600 / 1024));
#else
	(void)before;
#endif
	accounts_free(&all);
	write_many(200001);
	rig_refused(accounts_read(&all, config, false, &err), &err, "a.csv",
	    ":200002: more than 200000 accounts");
}
END_TEST

#ifdef OWN_HEAP
/* Do these octets stand anywhere in what this process could give away? */
static bool
is_in_memory(const char *needle, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY);
	char line[512];
	unsigned long from, to;
	bool found = false;

	ck_assert_ptr_nonnull(maps);
	ck_assert_int_ge(mem, 0);
	while (!found && fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx rw-p", &from, &to) != 2 ||
		    strstr(line, "[heap]") == NULL)
			continue;
		/* Not from the heap: it would overwrite what is sought. */
		char *copy = mmap(NULL, to - from, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ck_assert(copy != MAP_FAILED);
		ssize_t n = pread(mem, copy, to - from, (off_t)from);
		for (ssize_t i = 0; !found && i + (ssize_t)len <= n; i++)
			found = copy[i] == needle[0] &&
				memcmp(copy + i, needle, len) == 0;
		munmap(copy, to - from);
	}
	fclose(maps);
	close(mem);

	return found;
}

START_TEST(freed_accounts_leave_no_password_in_memory)
{
	/* free() writes over the first octets itself: only the tail tells. */
	char needle[] = "................................0Sesame!open0";
	const char *tail = needle + 32;

	/* Great buffers too into the heap, and what is freed stays there. */
	ck_assert_int_eq(mallopt(M_MMAP_MAX, 0), 1);
	ck_assert_int_eq(mallopt(M_TRIM_THRESHOLD, INT_MAX), 1);
	for (size_t i = 0; needle[i] != '\0'; i++)
		needle[i] ^= 1;
	struct buf csv = { 0 };
	/* At once, for one that grows leaves copies. */
	buf_room(&csv, 100000);
	buf_fmt(&csv, HEAD "a,\"%s\"\nb,%s\n", needle, needle);
	for (int i = 0; i < 1000; i++)
		buf_fmt(&csv, "u%d,%s\n", i, needle);
	rig_put("a.csv", csv.data, csv.len, 0600);
	buf_wipe(&csv);
	ck_assert_msg(accounts_read(&all, config, false, &err), "%s", err.text);
	ck_assert_str_eq(all.items[1].password, needle);
	ck_assert(is_in_memory(tail, strlen(tail)));
	accounts_free(&all);
	ck_assert(!is_in_memory(tail, strlen(tail)));
	/* A refused file leaves none either. */
	rig_text("a.csv", rig_fmt(HEAD "a,%s\nb\n", needle));
	rig_refused(
	    accounts_read(&all, config, false, &err), &err, "a.csv", "1 field");
	for (int i = 0; i < 4; i++)
		explicit_bzero(rig_fmt("%s", ""), 400);
	ck_assert(!is_in_memory(tail, strlen(tail)));
}
END_TEST
#endif

#define COUNT(rows) (int)(sizeof(rows) / sizeof(rows[0]))

Suite *
suite_accounts(void)
{
	Suite *suite = suite_create("accounts");
	TCase *c = tcase_create("accounts");

	tcase_add_checked_fixture(c, up, down);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, a_row_is_an_account);
	tcase_add_test(c, every_column_has_its_place_in_any_order);
	tcase_add_loop_test(c, files_of_all_editors_read_alike, 0, COUNT(ways));
	tcase_add_loop_test(
	    c, what_is_wrong_is_refused_with_its_line, 0, COUNT(refusals));
	tcase_add_test(c, octets_that_are_no_text_are_refused);
	tcase_add_test(c, great_fields_rows_and_lines_are_refused);
	tcase_add_test(c, no_damage_does_more_than_be_refused);
	tcase_add_test(c, passwords_that_others_can_read_are_refused);
	tcase_add_test(c, files_without_passwords_may_be_read_by_all);
	tcase_add_test(c, only_a_file_that_can_be_read_is_read);
	tcase_add_test(c, accounts_may_stand_in_the_config_itself);
	tcase_add_test(c, the_sources_user_is_the_only_account_without_a_list);
	tcase_add_test(
	    c, a_password_comes_from_the_row_or_else_from_the_config);
	tcase_add_test(
	    c, a_rows_password_becomes_the_secret_and_its_origin_is_told);
	tcase_add_test(c, a_hundred_thousand_rows_are_read);
#ifdef OWN_HEAP
	tcase_add_test(c, freed_accounts_leave_no_password_in_memory);
#endif
	suite_add_tcase(suite, c);

	return suite;
}
