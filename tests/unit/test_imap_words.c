/* What servers say to people: without our password, and their alerts. */
#include "base/buf.h"
#include "imap/imap.h"
#include "imap/words.h"
#include "../lib/imap_script.h"

Suite *suite_imap_words(void);

#define END                \
	{                  \
		NULL, NULL \
	}

static struct secret
secret_of(const char *password)
{
	return (struct secret){ .data = (char *)password,
		.len = strlen(password),
		.origin = "a test" };
}

/* --- hiding ------------------------------------------------------------ */

static const struct {
	const char *password, *authzid, *said, *shown; /* the user: alice */
} sayings[] = {
	{ "s3cret", NULL, "NO \"alice\" \"s3cret\"",
	    "NO \"alice\" \"(hidden)\"" },
	{ "s3cret", NULL, "s3cret", "(hidden)" },
	{ "s3cret", NULL, "NO s3crets3cret.", "NO (hidden)(hidden)." },
	{ "s3cret", NULL, "NO S3CRET xs3cretx", "NO (hidden) x(hidden)x" },
	{ "s3cret", NULL, "NO s3cre t s3cre", "NO s3cre t s3cre" },
	{ "s3cret", NULL, "", "" },
	{ "s3cret", NULL, "OK", "OK" },
	{ "a\"b\\c", NULL, "NO a\"b\\c a\\\"b\\\\c", "NO (hidden) (hidden)" },
	{ "p\xc3\xa4ss", NULL, "NO p\xc3\xa4ss", "NO (hidden)" },
	/* Base64 of each length of padding, with and without it. */
	{ "s3cret", NULL, "NO czNjcmV0", "NO (hidden)" },
	{ "s3cre", NULL, "NO czNjcmU= czNjcmU", "NO (hidden)= (hidden)" },
	{ "s3cr", NULL, "NO czNjcg== czNjcg", "NO (hidden)== (hidden)" },
	{ "s3cret", NULL, "NO AGFsaWNlAHMzY3JldA== no", "NO (hidden)== no" },
	{ "s3cret", "bob", "NO Ym9iAGFsaWNlAHMzY3JldA no", "NO (hidden) no" },
	{ "pw", NULL, "BAD AUTHENTICATE PLAIN AGFsaWNlAHB3",
	    "BAD AUTHENTICATE PLAIN (hidden)" },
	/* Short ones: as words of their own. */
	{ "a", NULL, "NO a mailbox \"a\" has (a) bad day a",
	    "NO (hidden) mailbox \"(hidden)\" has ((hidden)) bad day "
	    "(hidden)" },
	{ "pw", NULL, "NO pw, npw pwn \xc3\xa4pw",
	    "NO (hidden), npw pwn "
	    "\xc3\xa4pw" },
	{ "four", NULL, "NO fourty", "NO (hidden)ty" },
};

START_TEST(what_the_login_was_made_of_is_hidden)
{
	struct secret secret = secret_of(sayings[_i].password);
	struct imap_options o = { .user = "alice",
		.authzid = sayings[_i].authzid,
		.secret = &secret };
	struct buf shown = { 0 };
	imap_words_hide(&shown, &o, sayings[_i].said, strlen(sayings[_i].said));
	ck_assert_str_eq(shown.data, sayings[_i].shown);
	buf_free(&shown);
}
END_TEST

START_TEST(a_password_across_the_limit_is_not_cut_in_halves)
{
	static const char password[] = "s3cret";
	enum { INSIDE = 3 };
	struct secret secret = secret_of(password);
	struct imap_options o = { .user = "alice", .secret = &secret };
	struct buf said = { 0 }, shown = { 0 };
	while (said.len < IMAP_WORDS_MAX - INSIDE)
		buf_char(&said, '.');
	buf_str(&said, password);
	buf_str(&said, password);
	imap_words_hide(&shown, &o, said.data, said.len);
	ck_assert_uint_eq(
	    shown.len, IMAP_WORDS_MAX - INSIDE + strlen("(hidden)"));
	ck_assert_ptr_null(strstr(shown.data, "s3"));
	ck_assert_ptr_nonnull(strstr(shown.data, ".(hidden)"));
	buf_free(&said);
	buf_free(&shown);
}
END_TEST

/* --- in a session ------------------------------------------------------ */

static const struct {
	const char *greeting, *capabilities;
	struct script_step steps[4];
	const char *words, *text; /* of the error */
	int code;
} echoes[] = {
	{ NULL, NULL,
	    { { "LOGIN", "@ NO LOGIN \"alice\" \"s3cret\" failed\r\n" }, END },
	    "NO LOGIN \"alice\" \"(hidden)\" failed", "login refused",
	    ERR_LOGIN },
	{ NULL, "IMAP4rev1 AUTH=PLAIN",
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHMzY3JldA==",
		    "1 NO [AUTHENTICATIONFAILED] AGFsaWNlAHMzY3JldA== is "
		    " alice s3cret\r\n" },
		END },
	    "NO [AUTHENTICATIONFAILED] (hidden)== is  alice (hidden)",
	    "login refused", ERR_LOGIN },
	{ NULL, NULL,
	    { { "LOGIN", "* BYE [UNAVAILABLE s3cret] czNjcmV0\r\n" }, END },
	    "BYE [UNAVAILABLE (hidden)] (hidden)", "pause", ERR_THROTTLE },
	{ NULL, NULL, { { "LOGIN", "X9 OK s3cret\r\n" }, END },
	    "X9 OK (hidden)", "never sent", ERR_PROTOCOL },
	{ "* HELLO s3cret\r\n", NULL, { END }, "* HELLO (hidden)",
	    "does not greet", ERR_PROTOCOL },
	{ NULL, NULL, { { "CAPABILITY", "@ BAD s3cret\r\n" }, END },
	    "BAD (hidden)", "refused CAPABILITY", ERR_PROTOCOL },
	{ NULL, "IMAP4rev1 LOGINDISABLED X-S3cret", { END }, "",
	    "offers no way", ERR_LOGIN },
};

static struct imap_options
options_of(const struct script_server *server, const struct secret *secret)
{
	return (struct imap_options){ .wire = { .side = "SOURCE",
					  .host = "127.0.0.1",
					  .port = server->port,
					  .tls = WIRE_TLS_NONE,
					  .timeout_ms = 10000 },
		.user = "alice",
		.secret = secret };
}

START_TEST(no_error_repeats_the_password)
{
	struct script script = { .greeting = echoes[_i].greeting,
		.capabilities = echoes[_i].capabilities,
		.steps = echoes[_i].steps };
	struct script_server server = script_start(&script);
	struct secret secret = secret_of("s3cret");
	struct imap_options o = options_of(&server, &secret);
	struct source s = { 0 };
	struct err err = { 0 };
	ck_assert(!imap_source_new(&s, &o, &err));
	ck_assert_str_eq(err.words, echoes[_i].words);
	ck_assert_int_eq((int)err.code, echoes[_i].code);
	ck_assert_ptr_nonnull(strstr(err.text, echoes[_i].text));
	ck_assert_ptr_nonnull(strstr(err.text,
	    err.code == ERR_THROTTLE ? "server" : "SOURCE 127.0.0.1:"));
	ck_assert_ptr_null(strcasestr(err.hint, "s3cret"));
	script_end(&server);
}
END_TEST

START_TEST(what_a_server_calls_itself_does_not_hold_the_password)
{
	static const struct script_step steps[] = { { "LOGIN", "@ OK in\r\n" },
		{ "CAPABILITY",
		    "* CAPABILITY IMAP4rev1 ID X=s3cret\r\n@ OK\r\n" },
		{ "ID (", "* ID (\"name\" \"s3cret\")\r\n@ OK\r\n" },
		{ "LIST", "@ NO [CORRUPTION] s3cret\r\n" }, END };
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct secret secret = secret_of("s3cret");
	struct imap_options o = options_of(&server, &secret);
	struct source s = { 0 };
	struct err err = { 0 };
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(!s.ops->list(s.data, NULL, NULL, &err));
	const struct imap_facts *facts = imap_source_facts(&s);
	ck_assert_str_eq(facts->capabilities, "IMAP4REV1 ID X=(hidden) ");
	ck_assert_str_eq(facts->server_id, "name (hidden)");
	/* Damage on their side is no damage of ours. */
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_str_eq(err.words, "NO [CORRUPTION] (hidden)");
	ck_assert_ptr_nonnull(strstr(err.text, "SOURCE 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(err.text, "refused LIST"));
	s.ops->close(&s.data, true);
	script_end(&server);
}
END_TEST

Suite *
suite_imap_words(void)
{
	Suite *s = suite_create("imap words");
	TCase *t = tcase_create("words");
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, what_the_login_was_made_of_is_hidden, 0,
	    sizeof(sayings) / sizeof(sayings[0]));
	tcase_add_test(t, a_password_across_the_limit_is_not_cut_in_halves);
	tcase_add_loop_test(t, no_error_repeats_the_password, 0,
	    sizeof(echoes) / sizeof(echoes[0]));
	tcase_add_test(
	    t, what_a_server_calls_itself_does_not_hold_the_password);

	return s;
}
