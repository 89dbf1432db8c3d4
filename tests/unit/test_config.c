#include "base/buf.h"
#include "conf/config.h"
#include "conf/keys.h"
#include "conf_rig.h"

#include <inttypes.h>

Suite *suite_config(void);

static struct config *config;
static struct err err;

static bool
reads(const char *text)
{
	rig_text("c.yaml", text);
	err = (struct err){ 0 };

	return config_read(&config, rig_path("c.yaml"), &err);
}

static void
must_read(const char *text)
{
	bool ok = reads(text);

	ck_assert_msg(ok, "%s\n%s", err.text, err.hint);
	ck_assert_ptr_nonnull(config);
}

START_TEST(the_smallest_file_works)
{
	char where[300];

	must_read(smallest);
	ck_assert_str_eq(config->archive, rig_path("./archive"));
	ck_assert_str_eq(config->source.url, "imaps://mail.example:993/");
	ck_assert_str_eq(config->source.ca_file, rig_path("./ca.pem"));
	ck_assert_str_eq(config->accounts, rig_path("./accounts.csv"));
	ck_assert_uint_eq(*config->jobs, 4);
	ck_assert_ptr_null(config->level);
	ck_assert_ptr_null(config->rows);
	ck_assert_uint_eq(config_line(config, "source.ca_file"), 2);
	ck_assert_uint_eq(config_line(config, "jobs"), 4);
	ck_assert_uint_eq(config_line(config, "level"), 0);
	config_where(config, "jobs", where, sizeof(where));
	ck_assert_str_eq(where, rig_fmt("%s/c.yaml:4: jobs", rig_dir));
	config_where(config, "level", where, sizeof(where));
	ck_assert_str_eq(where, rig_fmt("%s/c.yaml: level", rig_dir));
	config_free(config);
}
END_TEST

START_TEST(a_byte_order_mark_and_CRLF_change_nothing)
{
	struct buf text = { 0 };

	buf_str(&text, "\xef\xbb\xbf");
	for (const char *p = smallest; *p != '\0'; p++) {
		if (*p == '\n')
			buf_char(&text, '\r');
		buf_char(&text, *p);
	}
	must_read(text.data);
	ck_assert_str_eq(config->archive, rig_path("./archive"));
	ck_assert_uint_eq(*config->jobs, 4);
	config_free(config);
	buf_free(&text);
}
END_TEST

/* A value that fits, and how the struct shows it. */
static void
write_value(struct buf *out, const struct key *key, size_t i)
{
	switch (key->kind) {
	case KEY_TEXT:
		if (key->words != NULL)
			buf_str(out, key->words[0]);
		else if (strcmp(key->name, "url") == 0)
			buf_str(out, "imaps://host/");
		else
			buf_fmt(out, "text%zu", i);
		break;
	case KEY_PATH:
	case KEY_ACCOUNTS:
		buf_fmt(out, "/text%zu", i);
		break;
	case KEY_DAY:
		buf_str(out, "2024-02-29");
		break;
	case KEY_SIZE:
		buf_fmt(out, "%zuM", i + 1);
		break;
	case KEY_SECONDS:
	case KEY_NUMBER:
		buf_fmt(out, "%" PRIu64, key->max);
		break;
	case KEY_FLAG:
		buf_str(out, "true");
		break;
	case KEY_LIST:
		buf_fmt(out, "[a%zu, \"b c\"]", i);
		break;
	case KEY_SIDE:
		ck_abort_msg("no single value");
	}
}

static void
assert_value(const void *base, const struct key *key, size_t i)
{
	const void *at = (const char *)base + key->at;
	const struct config_list *list = at;
	const uint64_t *number;
	struct buf want = { 0 };

	write_value(&want, key, i);
	switch (key->kind) {
	case KEY_NUMBER:
		number = *(uint64_t *const *)at;
		ck_assert_ptr_nonnull(number);
		ck_assert_uint_eq(*number, key->max);
		break;
	case KEY_FLAG:
		ck_assert(*(const bool *)at);
		break;
	case KEY_LIST:
		ck_assert_uint_eq(list->n, 2);
		ck_assert_str_eq(list->items[0], rig_fmt("a%zu", i));
		ck_assert_str_eq(list->items[1], "b c");
		break;
	default:
		ck_assert_str_eq(*(char *const *)at, want.data);
	}
	buf_free(&want);
}

/* Keys that exclude each other, or that need accounts to be absent. */
static bool
is_alone(const struct key *key)
{
	static const char *const names[] = { "user", "authzid",
		"password_command", "source" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], key->name) == 0)
			return true;

	return false;
}

static size_t
write_table(struct buf *out, const struct key_table *table, const char *indent)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n; i++) {
		if (is_alone(&table->keys[i]))
			continue;
		buf_fmt(out, "%s%s: ", indent, table->keys[i].name);
		write_value(out, &table->keys[i], i);
		buf_char(out, '\n');
		n++;
	}

	return n;
}

static void
assert_table(const void *base, const struct key_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		if (!is_alone(&table->keys[i]))
			assert_value(base, &table->keys[i], i);
}

START_TEST(every_key_lands_in_its_own_field)
{
	struct buf text = { 0 };

	size_t n = write_table(&text, &keys_top, "");
	buf_str(&text, "source:\n");
	n += write_table(&text, &keys_source, "  ");
	ck_assert_uint_ge(n, 34);
	must_read(text.data);
	assert_table(config, &keys_top);
	assert_table(&config->source, &keys_source);
	ck_assert_ptr_null(config->source.user);
	config_free(config);

	must_read("archive: a\nsource: {user: u, authzid: z, "
		  "password_command: p}\n");
	ck_assert_str_eq(config->source.user, "u");
	ck_assert_str_eq(config->source.authzid, "z");
	ck_assert_str_eq(config->source.password_command, "p");
	config_free(config);
	buf_free(&text);
}
END_TEST

START_TEST(accounts_may_be_a_list_in_the_file)
{
	struct buf text = { 0 };

	buf_str(&text, "archive: a\naccounts:\n  - source_user: bob\n  -\n");
	ck_assert_uint_eq(write_table(&text, &keys_row, "    "), keys_row.n);
	must_read(text.data);
	ck_assert_uint_eq(config->row_count, 2);
	ck_assert_ptr_null(config->accounts);
	ck_assert_str_eq(config->rows[0].source_user, "bob");
	ck_assert_ptr_null(config->rows[0].comment);
	assert_table(&config->rows[1], &keys_row);
	ck_assert_uint_eq(config_line(config, "accounts[0]"), 3);
	ck_assert_uint_eq(config_line(config, "accounts[1]"), 5);
	ck_assert_uint_eq(config_line(config, "accounts[2]"), 0);
	config_free(config);
	buf_free(&text);
}
END_TEST

START_TEST(a_thousand_accounts_fit_and_one_more_does_not)
{
	struct buf text = { 0 };

	buf_str(&text, "archive: a\naccounts:\n");
	for (int i = 0; i < CONFIG_ROWS_MAX; i++)
		buf_fmt(&text, "- { source_user: u%d }\n", i);
	must_read(text.data);
	ck_assert_uint_eq(config->row_count, CONFIG_ROWS_MAX);
	ck_assert_str_eq(config->rows[999].source_user, "u999");
	config_free(config);
	buf_str(&text, "- { source_user: more }\n");
	rig_refused(reads(text.data), &err, "c.yaml", ":1003: accounts: ");
	buf_free(&text);
}
END_TEST

/* Paths are relative to the file, wherever we are. */
START_TEST(paths_are_joined_to_the_files_folder)
{
	must_read("archive: archive:x/y\nreport: /r.txt\n"
		  "source: { cert: c.pem, key: ../k.pem }\n"
		  "accounts: [{ source_user: a, source_password_file: p }]\n");
	ck_assert_str_eq(config->archive, rig_path("x/y"));
	ck_assert_str_eq(config->report, "/r.txt");
	ck_assert_str_eq(config->source.cert, rig_path("c.pem"));
	ck_assert_str_eq(config->source.key, rig_path("../k.pem"));
	ck_assert_str_eq(config->rows[0].source_password_file, rig_path("p"));
	config_free(config);

	ck_assert_int_eq(chdir(rig_dir), 0);
	err = (struct err){ 0 };
	ck_assert_msg(config_read(&config, "c.yaml", &err), "%s", err.text);
	ck_assert_str_eq(config->archive, "x/y");
	config_free(config);
}
END_TEST

static const struct {
	const char *text, *says;
} refusals[] = {
	{ "archive: a\njobs: 0\n", ":2: jobs: \"0\" is not allowed; allowed: a "
				   "number from 1 to 64" },
	{ "archive: a\njobs: 65\n", ":2: jobs: \"65\"" },
	{ "archive: a\njobs: -1\n", ":2: jobs: \"-1\"" },
	{ "archive: a\njobs: 4.0\n", ":2: jobs:" },
	{ "archive: a\njobs: 010\n", ":2: jobs:" },
	{ "archive: a\njobs: 0x4\n", ":2: jobs:" },
	{ "archive: a\njobs: \"4\"\n", "without quotes" },
	{ "archive: a\njobs: 99999999999999999999999\n", ":2: jobs:" },
	{ "archive: a\njobs: [4]\n", ":2: jobs: is a list; allowed: a number" },
	{ "archive: a\njobs:\n", ":2: jobs: has no value" },
	{ "archive: a\nlevel: 20\n", "1 to 19" },
	{ "archive: a\nretry_wait: 1e3\n", "0 to 3600" },
	{ "archive: a\nretry_wait: nan\n", "0 to 3600" },
	{ "archive: a\nretry_wait: 3600.1\n", "0 to 3600" },
	{ "archive: a\nretry_wait: 1.\n", "0 to 3600" },
	{ "archive: a\nself_contained: maybe\n", "allowed: true or false" },
	{ "archive: a\nself_contained: yes\n", "allowed: true or false" },
	{ "archive: a\nself_contained: \"true\"\n", "without quotes" },
	{ "archive: a\nmax_size: 35Q\n", "like 512K, 35M or 2G" },
	{ "archive: a\nmax_size: -1\n", "like 512K, 35M or 2G" },
	{ "archive: a\nprogress: loud\n", "auto, lines, json or none" },
	{ "archive: a\nlog_format: xml\n", "allowed: text or json" },
	{ "archive: a\nsource: { tls: starttls }\n",
	    ":2: source.tls: \"starttls\" is not allowed; allowed: plaintext" },
	{ "archive: a\nsource: { auth: plain }\n", "SCRAM-SHA-256" },
	{ "archive: a\ninclude: INBOX\n", "a list like [INBOX, Work]" },
	{ "archive: a\ninclude: [[INBOX]]\n", ":2: include: is a list" },
	{ "archive: a\ninclude: [\"\"]\n", ":2: include: has no value" },
	{ "archive: a\nsource: imaps://h/\n", "a mapping like" },
	{ "archive: a\naccounts: []\n", "holds no account" },
	{ "archive: a\naccounts: [alice]\n",
	    ":2: accounts: is a single value" },
	{ "archive: a\naccounts: { a: b }\n", "accounts: is a mapping" },
	{ "archive: a\naccounts: [{ source_usr: a }]\n",
	    "accounts[0].source_usr: unknown key; did you mean source_user?" },
	{ "archive: a\naccounts: [{ ended: 2023-02-29 }]\n", "2026-01-31" },
	/* unknown keys */
	{ "archive: a\nmax-size: 3M\n", "did you mean max_size?" },
	{ "archiv: a\n", ":1: archiv: unknown key; did you mean archive?" },
	{ "archive: a\nsource: { conect: h }\n", "did you mean connect?" },
	{ "archive: a\nxyzzy: 1\n", "Known here: archive, index" },
	{ "archive: a\nurl: x\n", "under source:, as url:" },
	{ "archive: a\nsource_url: x\n", "under source:, as url:" },
	{ "archive: a\nsource: { archive: x }\n", "on the top level" },
	{ "archive: a\ntarget: { url: x }\n",
	    ":2: target: not in this version" },
	{ "archive: a\nrate: 20M\n", "rate: not in this version" },
	{ "archive: a\narchive: b\n", "a second time; first on line 1" },
	{ "archive: a\nsource:\n  url: imaps://h/\n  url: imaps://g/\n",
	    ":4: source.url: stands here a second time; first on line 3" },
	{ "archive: a\n\"a\\0b\": c\n", "unknown key" },
	/* what one key can't tell */
	{ "jobs: 4\n", "archive: is missing" },
	{ "{}\n", "archive: is missing" },
	{ "archive: imaps://h/\n", ":1: archive: must be the folder" },
	{ "archive: maildir:x\n", ":1: archive: must be the folder" },
	{ "archive: ~/x\n", "not expanded" },
	{ "archive: a\nsource: { url: /mail }\n", "must be a server" },
	{ "archive: a\nsource: { url: \"imaps://h:x/\" }\n",
	    ":2: source.url: the port" },
	{ "archive: a\naccounts: x\nsource: { url: \"imaps://u@h/\" }\n",
	    ":3: source.url: names a user" },
	{ "archive: a\naccounts: x\nsource: { user: u }\n",
	    ":3: source.user: names a user" },
	{ "archive: a\naccounts: x\nsource: { authzid: u }\n",
	    ":3: source.authzid:" },
	{ "archive: a\nsource: { url: \"imaps://u@h/\", user: v }\n",
	    "leave one out" },
	{ "archive: a\nsource: { password_file: x, password_command: y }\n",
	    "leave one out" },
	{ "archive: a\nsource: { password_file: \"-\" }\n", "standard input" },
	{ "archive: a\nsource: { cert: x }\n", ":2: source.cert: " },
	{ "archive: a\nsource: { key: x }\n", ":2: source.key: " },
	/* YAML's own */
	{ "", "is empty" },
	{ "# nothing\n\n", "is empty" },
	{ "---\n", "must consist of keys and values" },
	{ "- a\n- b\n", ":1: the file must consist of keys and values" },
	{ "archive\n", "must consist of keys and values" },
	{ "archive: a\n---\narchive: b\n", ":2: a second document" },
	{ "archive: &x a\n", ":1: anchors" },
	{ "archive: a\nsource: &x { url: b }\n", ":2: anchors" },
	{ "archive: a\ninclude: &x [b]\n", ":2: anchors" },
	{ "archive: *x\n", ":1: aliases" },
	{ "archive: a\n<<: *x\n", ":2: " },
	{ "archive: !!binary YQ==\n", ":1: tags" },
	{ "? [a, b]\n: c\n", "a key must be a single word" },
	{ "archive: a\nsource:\n\turl: b\n", "YAML is indented with blanks" },
	{ "archive: a\n  index: b\n", ":2: is no YAML" },
	{ "archive: [\n", ":1: archive: is a list" },
	{ "archive: {\n", ":1: archive: is a mapping" },
	{ "archive: \"a\n", "is no YAML" },
	{ "archive: a\nindex: \"a\\0b\"\n", ":2: index: holds a control" },
	{ "archive: a\nindex: |\n  b\n  c\n", ":2: index: holds a control" },
	{ "archive: a\nindex: \"\\e[2J\"\n", ":2: index: holds a control" },
	{ "archive: a\nindex: \xff\n", ":2: holds octets that are no UTF-8" },
	{ "archive: a\n\nindex: \xc0\x80\n", ":3: holds octets" },
};

START_TEST(what_is_wrong_is_refused_with_its_line)
{
	rig_refused(
	    reads(refusals[_i].text), &err, "c.yaml", refusals[_i].says);
	ck_assert_ptr_null(config);
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_ptr_null(strchr(err.text, '\x1b'));
}
END_TEST

static const char *const passwords[] = {
	"archive: a\npassword: hunter2\n",
	"archive: a\nsource: { password: hunter2 }\n",
	"archive: a\nsource: { Password: hunter2 }\n",
	"archive: a\nsource_password: hunter2\n",
	"archive: a\naccounts: [{source_user: a, source_password: hunter2}]\n",
	"archive: a\nsource: { url: \"imaps://u:hunter2@h/\" }\n",
	"archive: a\naccounts: [{source_user: a, password: hunter2}]\n",
};

START_TEST(a_password_in_the_file_is_refused_and_not_shown)
{
	rig_refused(reads(passwords[_i]), &err, "c.yaml", "a password in th");
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
	ck_assert_ptr_null(strstr(err.hint, "hunter2"));
	ck_assert_ptr_nonnull(strstr(err.hint, "MAILHAUL_SOURCE_PASSWORD"));
}
END_TEST

START_TEST(octets_that_are_no_text_are_refused)
{
	static const char nul[] = "archive: a\nindex: b\0c\n";
	static const char wide[] = "\xff\xfe"
				   "a\0r\0c\0h\0";

	rig_put("c.yaml", nul, sizeof(nul) - 1, 0600);
	rig_refused(config_read(&config, rig_path("c.yaml"), &err), &err,
	    "c.yaml", ":2: holds a NUL octet");
	rig_put("c.yaml", wide, sizeof(wide) - 1, 0600);
	rig_refused(config_read(&config, rig_path("c.yaml"), &err), &err,
	    "c.yaml", "is UTF-16");
}
END_TEST

START_TEST(only_a_file_that_can_be_read_is_read)
{
	ck_assert_int_eq(mkdir(rig_path("dir"), 0700), 0);
	rig_refused(config_read(&config, rig_path("dir"), &err), &err, "dir",
	    "is a folder");
	rig_refused(config_read(&config, rig_path("none"), &err), &err, "none",
	    "No such file");
	ck_assert_int_eq(mkfifo(rig_path("fifo"), 0600), 0);
	rig_refused(config_read(&config, rig_path("fifo"), &err), &err, "fifo",
	    "no regular file");
	rig_be_nobody();
	rig_put("secret", smallest, strlen(smallest), 0000);
	rig_refused(config_read(&config, rig_path("secret"), &err), &err,
	    "secret", "Permission denied");
	rig_be_root();
}
END_TEST

START_TEST(a_file_that_others_write_is_refused)
{
	static const char command[] = "archive: a\n"
				      "source: { password_command: pass x }\n";
	static const char inner[] = "archive: a\naccounts: [{ source_user: a, "
				    "source_password_command: pass x }]\n";
	const char *path = rig_path("it's.yaml");

	rig_put("it's.yaml", smallest, strlen(smallest), 0602);
	rig_refused(
	    config_read(&config, path, &err), &err, "it's.yaml", "mode 602");
	ck_assert_str_eq(
	    err.hint, rig_fmt("Then: chmod o-w '%s/it'\\''s.yaml'", rig_dir));
	rig_put("it's.yaml", smallest, strlen(smallest), 0664);
	ck_assert_msg(config_read(&config, path, &err), "%s", err.text);
	config_free(config);

	rig_put("it's.yaml", command, strlen(command), 0664);
	rig_refused(
	    config_read(&config, path, &err), &err, "it's.yaml", "chmod go-w");
	rig_put("it's.yaml", inner, strlen(inner), 0664);
	rig_refused(
	    config_read(&config, path, &err), &err, "it's.yaml", "chmod go-w");
	rig_put("it's.yaml", command, strlen(command), 0644);
	ck_assert_msg(config_read(&config, path, &err), "%s", err.text);
	config_free(config);
}
END_TEST

/* Bombs: each must be refused at once, whatever it would unfold to. */
START_TEST(great_or_deep_files_are_refused)
{
	struct buf text = { 0 };

	buf_str(&text, "archive: a\nindex: ");
	for (int i = 0; i < 500000; i++)
		buf_str(&text, "x");
	rig_refused(reads(text.data), &err, "c.yaml",
	    ":2: index: is longer than 4096 octets");
	for (int i = 0; i < 600000; i++)
		buf_str(&text, "x");
	rig_refused(
	    reads(text.data), &err, "c.yaml", "is longer than 1048576 octets");
	static const char *const nests[] = { "[", "{", "- ", "? ",
		"{a: ", "archive: ", "\"", "&a ", "*a ", "!a " };
	for (size_t i = 0; i < sizeof(nests) / sizeof(nests[0]); i++) {
		buf_clear(&text);
		while (text.len < 1000000)
			buf_str(&text, nests[i]);
		rig_refused(reads(text.data), &err, "c.yaml", ":1: ");
	}
	buf_free(&text);

	rig_refused(reads("a: &a [x, x, x, x]\nb: &b [*a, *a, *a]\n"), &err,
	    "c.yaml", ":1: a: unknown key");
	rig_refused(reads("archive: a\ninclude: &a [x, x]\nexclude: *a\n"),
	    &err, "c.yaml", ":2: anchors");
}
END_TEST

/* Each octet of a file replaced by each of these, and the file cut there. */
START_TEST(no_damage_does_more_than_be_refused)
{
	static const char full[] =
	    "archive: ./a\nsource:\n  url: \"imaps://h:993/\"\n  tls: "
	    "plaintext\naccounts:\n- { source_user: a, ended: 2026-01-31 }\n"
	    "include: [INBOX, 'b c']\njobs: 4\nretry_wait: 0.5\n"
	    "self_contained: true\n";
	static const char evil[] = "\0\xff\t*&{[\"':\n-!|>%@`#,}]?~ \x1b";
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
			rig_put("c.yaml", text, len, 0600);
			err = (struct err){ 0 };
			if (config_read(&config, rig_path("c.yaml"), &err)) {
				config_free(config);
				taken++;
				continue;
			}
			ck_assert_msg(err.code == ERR_USAGE, "%s", err.text);
			/* The outline is stricter than libcyaml, always. */
			ck_assert_msg(strstr(err.text, "Load:") == NULL,
			    "%zu %zu: %s", at, e, err.text);
			refused++;
		}
	ck_assert_uint_gt(refused, 4000);
	ck_assert_uint_gt(taken, 200);
}
END_TEST

#define COUNT(rows) (int)(sizeof(rows) / sizeof(rows[0]))

Suite *
suite_config(void)
{
	Suite *suite = suite_create("config");
	TCase *c = tcase_create("config");

	tcase_add_checked_fixture(c, rig_up, rig_down);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, the_smallest_file_works);
	tcase_add_test(c, a_byte_order_mark_and_CRLF_change_nothing);
	tcase_add_test(c, every_key_lands_in_its_own_field);
	tcase_add_test(c, accounts_may_be_a_list_in_the_file);
	tcase_add_test(c, a_thousand_accounts_fit_and_one_more_does_not);
	tcase_add_test(c, paths_are_joined_to_the_files_folder);
	tcase_add_loop_test(
	    c, what_is_wrong_is_refused_with_its_line, 0, COUNT(refusals));
	tcase_add_loop_test(c, a_password_in_the_file_is_refused_and_not_shown,
	    0, COUNT(passwords));
	tcase_add_test(c, octets_that_are_no_text_are_refused);
	tcase_add_test(c, only_a_file_that_can_be_read_is_read);
	tcase_add_test(c, a_file_that_others_write_is_refused);
	tcase_add_test(c, great_or_deep_files_are_refused);
	tcase_add_test(c, no_damage_does_more_than_be_refused);
	suite_add_tcase(suite, c);

	return suite;
}
