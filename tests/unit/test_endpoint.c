#include "conf/endpoint.h"

#include <check.h>
#include <string.h>

Suite *suite_endpoint(void);

static const struct {
	const char *text;
	enum endpoint_kind kind;
	const char *user, *host;
	unsigned port;
	const char *mailbox, *path, *again, *account;
} valid[] = {
	{ "imaps://alice@mail.example/", ENDPOINT_IMAPS, "alice",
	    "mail.example", 993, NULL, NULL, "imaps://alice@mail.example/",
	    "alice@mail.example" },
	{ "imaps://alice@mail.example", ENDPOINT_IMAPS, "alice", "mail.example",
	    993, NULL, NULL, "imaps://alice@mail.example/",
	    "alice@mail.example" },
	{ "IMAPS://Alice@Old.Example@IMAP.Old.Example.:1993/", ENDPOINT_IMAPS,
	    "Alice@Old.Example", "imap.old.example", 1993, NULL, NULL,
	    "imaps://Alice@Old.Example@imap.old.example:1993/",
	    "alice@old.example@imap.old.example" },
	{ "imaps://alice%40old.example@old.example/", ENDPOINT_IMAPS,
	    "alice@old.example", "old.example", 993, NULL, NULL,
	    "imaps://alice@old.example@old.example/", "alice@old.example" },
	{ "imap://bob@localhost:143/Sent%20Mail/2024/", ENDPOINT_IMAP, "bob",
	    "localhost", 143, "Sent Mail/2024", NULL,
	    "imap://bob@localhost/Sent%20Mail/2024", "bob@localhost" },
	{ "imap://bob@localhost/Entw\xc3\xbcrfe/50%25#?", ENDPOINT_IMAP, "bob",
	    "localhost", 143, "Entw\xc3\xbcrfe/50%#?", NULL,
	    "imap://bob@localhost/Entw\xc3\xbcrfe/50%25#?", "bob@localhost" },
	{ "imap://bob@[::1]:1143/", ENDPOINT_IMAP, "bob", "::1", 1143, NULL,
	    NULL, "imap://bob@[::1]:1143/", "bob@::1" },
	{ "imap://bob@[FE80::1]", ENDPOINT_IMAP, "bob", "fe80::1", 143, NULL,
	    NULL, "imap://bob@[fe80::1]/", "bob@fe80::1" },
	{ "imaps://host.example/", ENDPOINT_IMAPS, NULL, "host.example", 993,
	    NULL, NULL, "imaps://host.example/", "host.example" },
	{ "imaps://host.example:1993/user@x", ENDPOINT_IMAPS, NULL,
	    "host.example", 1993, "user@x", NULL,
	    "imaps://host.example:1993/user@x", "host.example" },
	{ "imaps://a%3Ab%2Fc@h/", ENDPOINT_IMAPS, "a:b/c", "h", 993, NULL, NULL,
	    "imaps://a%3Ab%2Fc@h/", "a:b/c@h" },
	{ "imaps://10.0.0.1/", ENDPOINT_IMAPS, NULL, "10.0.0.1", 993, NULL,
	    NULL, "imaps://10.0.0.1/", "10.0.0.1" },
	{ "archive:/srv/a%20b", ENDPOINT_ARCHIVE, NULL, NULL, 0, NULL,
	    "/srv/a%20b", "archive:/srv/a%20b", "" },
	{ "archive:dir", ENDPOINT_ARCHIVE, NULL, NULL, 0, NULL, "dir",
	    "archive:dir", "" },
	{ "./a:b", ENDPOINT_ARCHIVE, NULL, NULL, 0, NULL, "./a:b",
	    "archive:./a:b", "" },
	{ "/x", ENDPOINT_ARCHIVE, NULL, NULL, 0, NULL, "/x", "archive:/x", "" },
	{ "word", ENDPOINT_ARCHIVE, NULL, NULL, 0, NULL, "word", "archive:word",
	    "" },
	{ "dir/imaps:x", ENDPOINT_ARCHIVE, NULL, NULL, 0, NULL, "dir/imaps:x",
	    "archive:dir/imaps:x", "" },
	{ "maildir:out", ENDPOINT_MAILDIR, NULL, NULL, 0, NULL, "out",
	    "maildir:out", "" },
};

static void
assert_text(const char *got, const char *want)
{
	if (want == NULL)
		ck_assert_ptr_null(got);
	else
		ck_assert_str_eq(got, want);
}

static void
assert_endpoint(const struct endpoint *e, int row)
{
	ck_assert_int_eq(e->kind, valid[row].kind);
	ck_assert_uint_eq(e->port, valid[row].port);
	assert_text(e->user, valid[row].user);
	assert_text(e->host, valid[row].host);
	assert_text(e->mailbox, valid[row].mailbox);
	assert_text(e->path, valid[row].path);
}

START_TEST(endpoints_are_read_and_written)
{
	struct endpoint e;
	struct err err = { 0 };
	struct buf text = { 0 }, account = { 0 };

	ck_assert_msg(endpoint_parse(&e, valid[_i].text, &err), "%s", err.text);
	assert_endpoint(&e, _i);
	endpoint_text(&text, &e);
	ck_assert_str_eq(text.data, valid[_i].again);
	endpoint_account(&account, &e);
	ck_assert_str_eq(account.data, valid[_i].account);
	endpoint_free(&e);
	ck_assert(endpoint_parse(&e, text.data, &err));
	assert_endpoint(&e, _i);
	endpoint_free(&e);
	buf_free(&text);
	buf_free(&account);
}
END_TEST

static const struct {
	const char *text, *says;
} refused[] = {
	{ "", "empty" },
	{ "imaps:", "//" },
	{ "imaps:host", "//" },
	{ "imaps://", "no host" },
	{ "imaps:///INBOX", "no host" },
	{ "imaps://@host/", "no user" },
	{ "imaps://alice@/", "no host" },
	{ "imaps://alice@host:0/", "port" },
	{ "imaps://alice@host:65536/", "port" },
	{ "imaps://alice@host:/", "port" },
	{ "imaps://alice@host:99x/", "port" },
	{ "imaps://alice@host:-1/", "port" },
	{ "imaps://alice@::1/", "no host" },
	{ "imaps://alice@fe80::1/", "port" },
	{ "imaps://alice@[::1/", "']'" },
	{ "imaps://alice@[::1]x/", "']'" },
	{ "imaps://alice@[host]/", "IPv6" },
	{ "imaps://alice@-host/", "host name" },
	{ "imaps://alice@a..b/", "host name" },
	{ "imaps://alice@ho st/", "host name" },
	{ "imaps://alice@h\xc3\xb6st/", "xn--" },
	{ "imaps://alice@h%6Fst/", "host name" },
	{ "imaps://ali%zzce@host/", "%25" },
	{ "imaps://ali%0@host/", "%25" },
	{ "imaps://ali%00ce@host/", "control" },
	{ "imaps://ali%0Ace@host/", "control" },
	{ "imaps://ali%FFce@host/", "UTF-8" },
	{ "imaps://alice@host/a%0d%0aA1 DELETE", "control" },
	{ "imaps://alice@host/\xff", "UTF-8" },
	{ "imaps://alice@host/a\nb", "control" },
	{ "./a\x1b[2J", "control" },
	{ "archive:", "no folder" },
	{ "archive:///x", "//" },
	{ "maildir://x", "//" },
	{ "pop3s://alice@host/", "not supported by this version" },
	{ "POP3://alice@host/", "not supported by this version" },
	{ "mbox:file", "not supported by this version" },
	{ "eml:dir", "not supported by this version" },
	{ "takeout:dir", "not supported by this version" },
	{ "pst:file", "not supported by this version" },
	{ "http://host/", "unknown scheme \"http:\"" },
	{ "backup:2026", "unknown scheme" },
	{ "imaps//x:y", NULL },
};

START_TEST(what_is_no_endpoint_is_refused_with_a_reason)
{
	struct endpoint e;
	struct err err = { 0 };

	if (refused[_i].says == NULL) {
		/* No scheme, for a '/' comes before the ':'. */
		ck_assert(endpoint_parse(&e, refused[_i].text, &err));
		ck_assert_int_eq(e.kind, ENDPOINT_ARCHIVE);
		endpoint_free(&e);
		return;
	}
	ck_assert(!endpoint_parse(&e, refused[_i].text, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_msg(
	    strstr(err.text, refused[_i].says) != NULL, "%s", err.text);
	ck_assert_ptr_null(e.user);
	ck_assert_ptr_null(e.host);
}
END_TEST

static const struct {
	const char *text;
	bool hint; /* recognised as a password */
} secrets[] = {
	{ "imaps://alice:hunter2@host/", true },
	{ "imaps://alice@old.example:hunter2@host/", true },
	{ "imaps://alice:@host/", true },
	{ "imaps://alice:hun/ter2@host/", true },
	{ "imaps://alice:p@hun/ter2@host/", true },
	{ "imap://alice:hunter2@[::1]:143/", true },
	{ "imaps://alice@x:hunter2/w@host/", false },
	{ "imaps://alice@host:hunter2/", false },
	{ "imaps://alice@hunter2!/", false },
	{ "imaps:alice:hunter2@host", false },
	{ "imapz://alice:hunter2@host/", false },
	{ "hunter2:alice@host", false },
	{ "alice:hunter2@host", false },
};

START_TEST(a_password_is_refused_and_never_repeated)
{
	struct endpoint e;
	struct err err = { 0 };

	ck_assert(!endpoint_parse(&e, secrets[_i].text, &err));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_ptr_null(strstr(err.text, "hun"));
	ck_assert_ptr_null(strstr(err.text, "ter2"));
	ck_assert_ptr_null(strstr(err.hint, "hun"));
	if (!secrets[_i].hint)
		return;
	ck_assert_ptr_nonnull(strstr(err.hint, "--source-password-file"));
	ck_assert_ptr_nonnull(strstr(err.hint, "--source-password-command"));
	ck_assert_ptr_nonnull(strstr(err.hint, "MAILHAUL_SOURCE_PASSWORD"));
}
END_TEST

Suite *
suite_endpoint(void)
{
	Suite *suite = suite_create("endpoint");
	TCase *tcase = tcase_create("endpoint");

	tcase_add_loop_test(tcase, endpoints_are_read_and_written, 0,
	    sizeof(valid) / sizeof(valid[0]));
	tcase_add_loop_test(tcase, what_is_no_endpoint_is_refused_with_a_reason,
	    0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_loop_test(tcase, a_password_is_refused_and_never_repeated, 0,
	    sizeof(secrets) / sizeof(secrets[0]));
	suite_add_tcase(suite, tcase);

	return suite;
}
