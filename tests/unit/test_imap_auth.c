/* Greeting, TLS and login against scripted servers. */
#include "base/buf.h"
#include "imap/imap.h"
#include "../lib/imap_script.h"

Suite *suite_imap_auth(void);

#define END                \
	{                  \
		NULL, NULL \
	}

static const struct {
	const char *name;
	const char *greeting, *capabilities, *auth;
	const char *user, *password, *authzid;
	struct script_step steps[6];
	enum wire_tls tls;
	int code;              /* -1: logged in */
	const char *words;     /* of the error, or "" */
	const char *mechanism; /* when logged in */
	int exit_code;         /* of the script; -2: whatever */
} logins[] = {
	{ "LOGIN", NULL, NULL, NULL, "alice", "pass word", NULL,
	    { { "LOGIN \"alice\" \"pass word\"", "@ OK\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "LOGIN", 0 },
	{ "quotes and backslashes", NULL, NULL, NULL, "a\"b", "c\\d", NULL,
	    { { "LOGIN \"a\\\"b\" \"c\\\\d\"", "@ OK\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "LOGIN", 0 },
	{ "8-bit octets in literals", NULL, NULL, NULL, "al\xc3\xa9",
	    "p\xc3\xa4ss", NULL,
	    { { "LOGIN {4}", "+ go\r\n" }, { "&{5}", "+\r\n" },
		{ "&p\xc3\xa4ss", "@ OK\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "LOGIN", 0 },
	{ "a literal refused", NULL, NULL, NULL, "al\xc3\xa9", "x", NULL,
	    { { "LOGIN {4}", "@ BAD no literals\r\n" }, END }, WIRE_TLS_NONE,
	    ERR_REFUSED, "BAD no literals", "", -2 },
	/* RFC 2195's own example. */
	{ "no password in clear where there is another way", NULL,
	    "IMAP4rev1 AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5", NULL, "tim",
	    "tanstaaftanstaaf", NULL,
	    { { "AUTHENTICATE CRAM-MD5",
		  "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
		  "\r\n" },
		{ "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw",
		    "1 OK in\r\n" },
		END },
	    WIRE_TLS_NONE, -1, "", "CRAM-MD5", -2 },
	{ "PLAIN by name, though there is another way", NULL,
	    "IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5", "PLAIN", "alice", "pw", NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHB3", "1 OK in\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "PLAIN", -2 },
	{ "PLAIN by libsasl2", NULL, "IMAP4rev1 AUTH=PLAIN", NULL, "alice",
	    "pw", NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHB3", "1 OK in\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "PLAIN", -2 },
	{ "PLAIN for somebody else", NULL, "IMAP4rev1 AUTH=PLAIN", NULL,
	    "admin", "pw", "bob",
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "Ym9iAGFkbWluAHB3", "1 OK in\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "PLAIN", -2 },
	{ "what follows the login at once is not lost", NULL,
	    "IMAP4rev1 AUTH=PLAIN", NULL, "alice", "pw", NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHB3", "1 OK in\r\n* OK more to say\r\n" },
		{ "CAPABILITY", "* CAPABILITY IMAP4rev1\r\n@ OK\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "PLAIN", -2 },
	{ "what follows the greeting at once is not an answer",
	    "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n"
	    "* OK [ALERT] down at midnight\r\n",
	    NULL, NULL, "alice", "pw", NULL,
	    { { "AUTHENTICATE PLAIN AGFsaWNlAHB3", "1 OK in\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "PLAIN", -2 },
	{ "refused, in its words", NULL, NULL, NULL, "alice", "x", NULL,
	    { { "LOGIN", "@ NO [AUTHENTICATIONFAILED] wrong\r\n" }, END },
	    WIRE_TLS_NONE, ERR_LOGIN, "NO [AUTHENTICATIONFAILED] wrong", "",
	    0 },
	{ "refused by SASL, in its words", NULL, "IMAP4rev1 AUTH=PLAIN", NULL,
	    "alice", "x", NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHg=", "1 NO [AUTHENTICATIONFAILED] wrong\r\n" },
		END },
	    WIRE_TLS_NONE, ERR_LOGIN, "NO [AUTHENTICATIONFAILED] wrong", "",
	    -2 },
	/* A lost connection would be tried again, up to a lockout. */
	{ "refused by SASL, and a BYE in the same breath", NULL,
	    "IMAP4rev1 AUTH=PLAIN", NULL, "alice", "x", NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHg=", "1 NO [AUTHENTICATIONFAILED] wrong\r\n"
				  "* BYE enough of you\r\n" },
		END },
	    WIRE_TLS_NONE, ERR_LOGIN, "NO [AUTHENTICATIONFAILED] wrong", "",
	    -2 },
	{ "not now", NULL, NULL, NULL, "alice", "x", NULL,
	    { { "LOGIN", "@ NO [UNAVAILABLE] later\r\n" }, END }, WIRE_TLS_NONE,
	    ERR_THROTTLE, "NO [UNAVAILABLE] later", "", 0 },
	{ "not now, by SASL", NULL, "IMAP4rev1 AUTH=PLAIN", NULL, "alice", "x",
	    NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHg=", "1 NO [LIMIT] too many\r\n" }, END },
	    WIRE_TLS_NONE, ERR_THROTTLE, "NO [LIMIT] too many", "", -2 },
	{ "BYE to a login", NULL, NULL, NULL, "alice", "x", NULL,
	    { { "LOGIN", "* BYE enough\r\n" }, END }, WIRE_TLS_NONE,
	    ERR_NETWORK, "BYE enough", "", 0 },
	{ "BYE to a login by SASL", NULL, "IMAP4rev1 AUTH=PLAIN", NULL, "alice",
	    "x", NULL,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "AGFsaWNlAHg=", "* BYE enough\r\n" }, END },
	    WIRE_TLS_NONE, ERR_NETWORK, "BYE enough", "", -2 },
	{ "LOGINDISABLED", NULL, "IMAP4rev1 LOGINDISABLED", NULL, "alice", "x",
	    NULL, { END }, WIRE_TLS_NONE, ERR_LOGIN, "", "", 0 },
	{ "a mechanism that is not offered", NULL, "IMAP4rev1 AUTH=PLAIN",
	    "CRAM-MD5", "alice", "x", NULL, { END }, WIRE_TLS_NONE, ERR_LOGIN,
	    "", "", 0 },
	{ "a mechanism nobody knows", NULL, NULL, "MAGIC", "alice", "x", NULL,
	    { END }, WIRE_TLS_NONE, ERR_USAGE, "", "", 0 },
	{ "a line end in the user's name", NULL, NULL, NULL,
	    "alice\r\nA1 LOGOUT", "x", NULL, { END }, WIRE_TLS_NONE, ERR_USAGE,
	    "", "", 0 },
	{ "a line end in the password", NULL, NULL, NULL, "alice", "x\ny", NULL,
	    { END }, WIRE_TLS_NONE, ERR_USAGE, "", "", 0 },
	{ "PREAUTH in clear", "* PREAUTH hello\r\n", NULL, NULL, "alice", "x",
	    NULL, { END }, WIRE_TLS_NONE, ERR_TLS, "* PREAUTH hello", "", 0 },
	{ "PREAUTH before STARTTLS", "* PREAUTH hello\r\n", NULL, NULL, "alice",
	    "x", NULL, { END }, WIRE_TLS_STARTTLS, ERR_TLS, "* PREAUTH hello",
	    "", 0 },
	{ "BYE as a greeting", "* BYE go away\r\n", NULL, NULL, "alice", "x",
	    NULL, { END }, WIRE_TLS_NONE, ERR_NETWORK, "BYE go away", "", 0 },
	{ "BYE that asks for a pause",
	    "* BYE Too many simultaneous connections\r\n", NULL, NULL, "alice",
	    "x", NULL, { END }, WIRE_TLS_NONE, ERR_THROTTLE,
	    "BYE Too many simultaneous connections", "", 0 },
	{ "a web server", "HTTP/1.1 400 Bad Request\r\n", NULL, NULL, "alice",
	    "x", NULL, { END }, WIRE_TLS_NONE, ERR_PROTOCOL,
	    "HTTP/1.1 400 Bad Request", "", 0 },
	{ "[BADCHARSET in the greeting", "* OK [BADCHARSET (\"x\")] hi\r\n",
	    NULL, NULL, "alice", "x", NULL, { { "LOGIN", "@ OK\r\n" }, END },
	    WIRE_TLS_NONE, -1, "", "LOGIN", 0 },
	{ "[BADCHARSET while SASL runs", NULL, "IMAP4rev1 AUTH=PLAIN", NULL,
	    "alice", "x", NULL,
	    { { "AUTHENTICATE PLAIN", "+ [BADCHARSET (\"x\")]\r\n" }, END },
	    WIRE_TLS_NONE, ERR_PROTOCOL, "", "", -2 },
	{ "STARTTLS refused", NULL, NULL, NULL, "alice", "x", NULL,
	    { { "STARTTLS", "@ NO not today\r\n" }, END }, WIRE_TLS_STARTTLS,
	    ERR_TLS, "NO not today", "", 0 },
	{ "STARTTLS is bad", NULL, NULL, NULL, "alice", "x", NULL,
	    { { "STARTTLS", "@ BAD what\r\n" }, END }, WIRE_TLS_STARTTLS,
	    ERR_TLS, "BAD what", "", 0 },
	{ "STARTTLS that wants more", NULL, NULL, NULL, "alice", "x", NULL,
	    { { "STARTTLS", "+ go on\r\n" }, END }, WIRE_TLS_STARTTLS,
	    ERR_PROTOCOL, "", "", 0 },
	{ "STARTTLS with an answer behind", NULL, NULL, NULL, "alice", "x",
	    NULL,
	    { { "STARTTLS", "@ OK go\r\n* CAPABILITY AUTH=PLAIN\r\n" }, END },
	    WIRE_TLS_STARTTLS, ERR_TLS, "", "", 0 },
	{ "STARTTLS that another tag answers", NULL, NULL, NULL, "alice", "x",
	    NULL, { { "STARTTLS", "X1 OK go\r\n" }, END }, WIRE_TLS_STARTTLS,
	    ERR_PROTOCOL, "X1 OK go", "", 0 },
};

static struct script_server
serve(int i)
{
	struct script script = { .greeting = logins[i].greeting,
		.capabilities = logins[i].capabilities,
		.steps = logins[i].steps };

	return script_start(&script);
}

START_TEST(a_login_is_tried_once_and_safely)
{
	struct script_server server = serve(_i);
	struct secret secret = { .data = (char *)logins[_i].password,
		.len = strlen(logins[_i].password),
		.origin = "a test" };
	struct imap_options o = { .wire = { .side = "SOURCE",
				      .host = "127.0.0.1",
				      .port = server.port,
				      .tls = logins[_i].tls,
				      .timeout_ms = 10000 },
		.user = logins[_i].user,
		.authzid = logins[_i].authzid,
		.secret = &secret,
		.auth = logins[_i].auth,
		.allow_preauth = true };
	struct source s = { 0 };
	struct err err = { 0 };
	bool good = imap_source_new(&s, &o, &err);
	ck_assert_msg(good == (logins[_i].code < 0), "%s: %s (%s)",
	    logins[_i].name, err.text, err.words);
	if (good) {
		ck_assert_str_eq(
		    imap_source_facts(&s)->mechanism, logins[_i].mechanism);
		s.ops->close(&s.data, true);
	} else {
		ck_assert_msg((int)err.code == logins[_i].code, "%s: %d, %s",
		    logins[_i].name, (int)err.code, err.text);
		ck_assert_int_eq(err.scope, ERR_ACCOUNT);
		ck_assert_str_eq(err.words, logins[_i].words);
		ck_assert(err.code != ERR_LOGIN || !err.transient);
		ck_assert_int_eq(err.stage,
		    strncmp(logins[_i].name, "BYE to a login", 14) == 0
			? ERR_STAGE_LOGIN
			: ERR_STAGE_ANY);
		ck_assert(
		    secret.len < 3 || strstr(err.text, secret.data) == NULL);
	}
	int code = script_end(&server);
	ck_assert_msg(
	    code == logins[_i].exit_code || logins[_i].exit_code == -2,
	    "%s: the script ended with %d", logins[_i].name, code);
}
END_TEST

START_TEST(a_refusal_says_who_how_and_over_what)
{
	static const struct script_step steps[] = {
		{ "LOGIN", "@ NO [AUTHENTICATIONFAILED] \033]0;x\007\r\n" }, END
	};
	struct script script = { .steps = steps };
	struct script_server server = script_start(&script);
	struct secret secret = { .data = (char *)"hush",
		.len = 4,
		.origin = "--source-password-file pw.txt (4 octets)" };
	struct imap_options o = { .wire = { .side = "SOURCE",
				      .host = "127.0.0.1",
				      .port = server.port,
				      .tls = WIRE_TLS_NONE },
		.user = "alice@old.example",
		.secret = &secret };
	struct source s;
	struct err err;
	ck_assert(!imap_source_new(&s, &o, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "SOURCE 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(err.text, "for alice@old.example"));
	ck_assert_ptr_nonnull(strstr(err.text, "(LOGIN over plaintext)"));
	ck_assert_ptr_null(strchr(err.words, '\033'));
	ck_assert_int_eq(script_end(&server), 0);
}
END_TEST

START_TEST(an_endless_greeting_ends)
{
	struct buf greeting = { 0 };
	buf_str(&greeting, "* OK ");
	while (greeting.len < 200000)
		buf_str(&greeting, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	struct script script = { .greeting = greeting.data,
		.steps = (struct script_step[]){ END } };
	struct script_server server = script_start(&script);
	struct secret secret = { .data = (char *)"x", .len = 1 };
	struct imap_options o = { .wire = { .side = "SOURCE",
				      .host = "127.0.0.1",
				      .port = server.port,
				      .tls = WIRE_TLS_NONE },
		.user = "alice",
		.secret = &secret };
	struct source s;
	struct err err;
	ck_assert(!imap_source_new(&s, &o, &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	script_end(&server);
	buf_free(&greeting);
}
END_TEST

Suite *
suite_imap_auth(void)
{
	Suite *s = suite_create("imap auth");
	TCase *t = tcase_create("auth");
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, a_login_is_tried_once_and_safely, 0,
	    sizeof(logins) / sizeof(logins[0]));
	tcase_add_test(t, a_refusal_says_who_how_and_over_what);
	tcase_add_test(t, an_endless_greeting_ends);

	return s;
}
