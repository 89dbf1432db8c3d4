/* TLS of a wire against openssl's s_server, with certificates made here. */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/wire.h"
#include "peer.h"

Suite *suite_tls(void);

static char folder[] = "/tmp/mailhaul-tls-XXXXXX";
static int start_folder;
static pid_t server;

enum { ARGS = 40 };

/* argv[0] is "openssl"; all of its talk goes to the file "log". */
static pid_t
start(const char *const *argv, int in, int out)
{
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child > 0)
		return child;
	int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	int nothing = open("/dev/null", O_RDONLY);
	dup2(in >= 0 ? in : nothing, 0);
	dup2(out >= 0 ? out : log, 1);
	dup2(log, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void
openssl(const char *first, ...)
{
	const char *argv[ARGS] = { "openssl", first };
	va_list ap;
	va_start(ap, first);
	for (int n = 2; n < ARGS - 1; n++)
		if ((argv[n] = va_arg(ap, const char *)) == NULL)
			break;
	va_end(ap);
	int status = 0;
	pid_t child = start(argv, -1, -1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "openssl %s failed: see %s/log", first, folder);
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static const char ca_config[] =
    "[ca]\ndefault_ca = d\n"
    "[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n"
    "unique_subject = no\ndefault_md = sha256\npolicy = p\n"
    "copy_extensions = copy\ndefault_days = 30\n"
    "[p]\ncommonName = supplied\n"
    "[req]\ndistinguished_name = n\n[n]\n";

/* Made once, in the folder: NAME.pem and NAME.key. */
static const struct {
	const char *name, *san, *start, *end;
} leaves[] = {
	{ "good", "DNS:mail.test,IP:127.0.0.1", NULL, NULL },
	{ "other", "DNS:a.test,DNS:*.b.test,DNS:c.test,DNS:d.test,DNS:e.test",
	    NULL, NULL },
	{ "expired", "DNS:mail.test", "20190101000000Z", "20200302000000Z" },
	{ "future", "DNS:mail.test", "20990101000000Z", "20991231000000Z" },
	{ "both", "DNS:x.test", "20190101000000Z", "20200302000000Z" },
	{ "client", "email:alice@mail.test", NULL, NULL },
};

static void
make_key(const char *name)
{
	char key[64];
	snprintf(key, sizeof(key), "%s.key", name);
	openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
	    "ec_paramgen_curve:P-256", "-out", key, NULL);
}

static void
make_leaf(
    const char *name, const char *san, const char *from, const char *until)
{
	char key[64], request[64], cert[64], ext[256], subject[64];
	make_key(name);
	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(request, sizeof(request), "%s.csr", name);
	snprintf(cert, sizeof(cert), "%s.pem", name);
	snprintf(ext, sizeof(ext), "subjectAltName=%s", san);
	snprintf(subject, sizeof(subject), "/CN=the %s one", name);
	openssl("req", "-new", "-config", "ca.cnf", "-key", key, "-subj",
	    subject, "-addext", ext, "-out", request, NULL);
	if (from == NULL)
		openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert",
		    "ca.pem", "-keyfile", "ca.key", "-in", request, "-out",
		    cert, NULL);
	else
		openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert",
		    "ca.pem", "-keyfile", "ca.key", "-startdate", from,
		    "-enddate", until, "-in", request, "-out", cert, NULL);
}

static void
make_self_signed(const char *name, const char *subject)
{
	char key[64], cert[64];
	make_key(name);
	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(cert, sizeof(cert), "%s.pem", name);
	openssl("req", "-x509", "-new", "-config", "ca.cnf", "-key", key,
	    "-subj", subject, "-addext", "subjectAltName=DNS:mail.test",
	    "-addext", "basicConstraints=critical,CA:TRUE", "-days", "30",
	    "-out", cert, NULL);
}

enum { DATA = 5 << 20 };

static void
make_data(void)
{
	char *octets = mem_new(DATA);
	uint32_t state = 1;
	for (size_t i = 0; i < DATA; i++) {
		state = state * 1664525 + 1013904223;
		octets[i] = (char)(state >> 24);
	}
	FILE *f = fopen("data", "w");
	ck_assert_uint_eq(fwrite(octets, 1, DATA, f), DATA);
	fclose(f);
	free(octets);
}

static void
make_world(void)
{
	start_folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(start_folder, 0);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	write_file("ca.cnf", ca_config);
	write_file("index.txt", "");
	write_file("broken.pem", "this is not PEM\n");
	make_self_signed("ca", "/O=Test Authority/CN=Root 1");
	make_self_signed("self", "/CN=mail.test");
	make_key("spare");
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		make_leaf(leaves[i].name, leaves[i].san, leaves[i].start,
		    leaves[i].end);
	openssl("ec", "-in", "client.key", "-aes128", "-passout", "pass:x",
	    "-out", "locked.key", NULL);
	make_data();
}

static void
remove_world(void)
{
	pid_t child = fork();
	if (child == 0) {
		execlp("rm", "rm", "-rf", folder, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	ck_assert_int_eq(fchdir(start_folder), 0);
	close(start_folder);
}

static void
end_process(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static void
end_servers(void)
{
	end_process(&server);
	peer_end();
}

/* "ACCEPT 127.0.0.1:PORT" is what s_server says once it listens. */
static uint16_t
read_port(int fd)
{
	char text[1024];
	size_t n = 0;
	while (n < sizeof(text) - 1 && read(fd, text + n, 1) == 1) {
		n++;
		text[n] = '\0';
		char *accept = strstr(text, "ACCEPT 127.0.0.1:");
		if (accept != NULL && text[n - 1] == '\n')
			return (uint16_t)strtoul(accept + 17, NULL, 10);
	}
	ck_abort_msg("s_server does not listen: see %s/log", folder);

	return 0;
}

/* name.pem and name.key; extra options, NULL-terminated; in: its commands. */
static uint16_t
start_server_fed(const char *name, const char *const *extra, int in)
{
	char cert[64], key[64];
	snprintf(cert, sizeof(cert), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	const char *argv[ARGS] = { "openssl", "s_server", "-accept",
		"127.0.0.1:0", "-cert", cert, "-key", key };
	int n = 8, out[2];
	for (; extra != NULL && *extra != NULL; extra++)
		argv[n++] = *extra;
	ck_assert_int_eq(pipe(out), 0);
	server = start(argv, in, out[1]);
	close(out[1]);

	return read_port(out[0]);
}

static uint16_t
start_server(const char *name, const char *const *extra)
{
	return start_server_fed(name, extra, -1);
}

static const char *const echo[] = { "-rev", NULL };

static struct wire_options
options(uint16_t port)
{
	return (struct wire_options){ .side = "SOURCE",
		.host = "mail.test",
		.port = 993,
		.connect_host = "127.0.0.1",
		.connect_port = port,
		.tls = WIRE_TLS_IMPLICIT,
		.ca_file = "ca.pem",
		.timeout_ms = 20000 };
}

/* s_server -rev answers each line with the same line reversed. */
static void
expect_echo(struct wire *w)
{
	struct err err = { 0 };
	const char *data = NULL;
	size_t len = 0;
	ck_assert(wire_write(w, "liam\n", 5, &err));
	while (len < 5)
		ck_assert_msg(
		    wire_peek(w, len + 1, &data, &len, &err), "%s", err.text);
	ck_assert_mem_eq(data, "mail\n", 5);
	wire_take(w, 5);
}

static void
key_of(const char *name, char key[72])
{
	char cert[64];
	struct buf der = { 0 };
	struct err err;
	uint8_t hash[DIGEST_SIZE];
	snprintf(cert, sizeof(cert), "%s.pem", name);
	openssl(
	    "x509", "-in", cert, "-noout", "-pubkey", "-out", "pub.pem", NULL);
	openssl("pkey", "-pubin", "-in", "pub.pem", "-outform", "DER", "-out",
	    "pub.der", NULL);
	ck_assert(file_read("pub.der", 10000, &der, &err));
	digest_of(der.data, der.len, hash);
	buf_free(&der);
	memcpy(key, "sha256:", 7);
	digest_hex(key + 7, hash, sizeof(hash));
}

/* ------------------------------------------------------- accepted servers */

static const struct {
	const char *cert, *host, *ca_file, *ca_file_side;
} accepted[] = {
	{ "good", "mail.test", "ca.pem", NULL },
	{ "good", "mail.test", NULL, "ca.pem" },
	{ "good", "mail.test", "self.pem", "ca.pem" },
	{ "good", "MAIL.test", "ca.pem", NULL },
	{ "good", "mail.test.", "ca.pem", NULL },
	{ "good", "127.0.0.1", "ca.pem", NULL },
	{ "other", "x.b.test", "ca.pem", NULL },
	{ "self", "mail.test", "self.pem", NULL },
};

START_TEST(a_server_with_the_right_certificate_is_talked_to)
{
	struct wire_options o = options(start_server(accepted[_i].cert, echo));
	o.host = accepted[_i].host;
	o.ca_file = accepted[_i].ca_file;
	o.ca_file_side = accepted[_i].ca_file_side;
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	expect_echo(w);
	ck_assert(wire_is_tls(w));
	const struct wire_tls_info *info = wire_tls_info(w);
	char key[72];
	key_of(accepted[_i].cert, key);
	ck_assert_str_eq(info->version, "TLSv1.3");
	ck_assert_str_eq(info->key_sha256, key);
	ck_assert(info->cipher[0] != '\0' && !info->pinned);
	if (strcmp(accepted[_i].cert, "good") == 0) {
		ck_assert_str_eq(info->subject, "the good one");
		ck_assert_str_eq(info->issuer, "Test Authority Root 1");
	}
	int64_t left = info->not_after - clock_unix();
	ck_assert(left > 29 * 86400 && left <= 30 * 86400);
	ck_assert_uint_eq(wire_counters(w)->octets_in, 5);
	ck_assert_uint_eq(wire_counters(w)->octets_out, 5);
	wire_close(&w);
}
END_TEST

/* s_server shows what -cert names to whoever asks for no server name, and
 * hangs up on whoever asks for another one than its own. */
static const struct {
	const char *host, *text; /* NULL: talked to */
} asked[] = {
	{ "mail.test", NULL },
	{ "MAIL.test", NULL },
	{ "other.test", ") has no certificate for this name" },
	{ "127.0.0.1", "is issued for x.test, not for 127.0.0.1" },
};

START_TEST(the_server_is_asked_for_the_name_in_the_url)
{
	static const char *const hosts[] = { "-rev", "-servername", "mail.test",
		"-servername_fatal", "-cert2", "good.pem", "-key2", "good.key",
		NULL };
	struct wire_options o = options(start_server("both", hosts));
	o.host = asked[_i].host;
	struct wire *w = NULL;
	struct err err = { 0 };
	bool good = wire_dial(&w, &o, &err);
	ck_assert_msg(good == (asked[_i].text == NULL), "%s", err.text);
	if (good) {
		expect_echo(w);
		ck_assert_str_eq(wire_tls_info(w)->subject, "the good one");
		wire_close(&w);
		return;
	}
	ck_assert_int_eq(err.code, ERR_TLS);
	ck_assert_msg(strstr(err.text, asked[_i].text) != NULL, "%s", err.text);
}
END_TEST

/* -------------------------------------------------------- refused servers */

static const struct {
	const char *cert, *host, *ca_file;
	const char *extra[4];
	const char *text[3]; /* all must stand in the text … */
	const char *absent;  /* … and this must not */
	bool shows_key;
} refused[] = {
	{ "good", "mail.test", NULL, { "-rev" },
	    { "is from an issuer unknown here" }, "issued for", true },
	{ "good", "mail.tests", "ca.pem", { "-rev" },
	    { "is issued for mail.test, 127.0.0.1, not for mail.tests" },
	    "unknown", true },
	{ "good", "127.0.0.2", "ca.pem", { "-rev" },
	    { "issued for mail.test, 127.0.0.1, not for 127.0.0.2" }, "unknown",
	    true },
	{ "other", "mail.test", "ca.pem", { "-rev" },
	    { "issued for a.test, *.b.test, c.test and 2 more, not for" },
	    "expired", true },
	{ "other", "y.x.b.test", "ca.pem", { "-rev" }, { "not for y.x.b.test" },
	    NULL, true },
	{ "expired", "mail.test", "ca.pem", { "-rev" },
	    { "expired on 2020-03-02 (", " days ago)" }, "issued for", true },
	{ "future", "mail.test", "ca.pem", { "-rev" },
	    { "is not valid before 2099-01-01" }, "expired", true },
	{ "both", "mail.test", "ca.pem", { "-rev" },
	    { "expired on 2020-03-02", "is issued for x.test", " and " },
	    "unknown", true },
	{ "self", "mail.test", NULL, { "-rev" }, { "is self-signed" },
	    "unknown", true },
	{ "self", "mail.test", "ca.pem", { "-rev" }, { "is self-signed" },
	    "issued for", true },
	{ "client", "mail.test", "ca.pem", { "-rev" },
	    { "is issued for the client one, not for mail.test" }, NULL, true },
	{ "good", "mail.test", "ca.pem",
	    { "-rev", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0" },
	    { "offers no TLS version from 1.2 on" }, "certificate", false },
};

START_TEST(a_server_that_cannot_prove_itself_is_refused_with_the_reason)
{
	const char *extra[5] = { 0 };
	memcpy(extra, refused[_i].extra, sizeof(refused[_i].extra));
	struct wire_options o = options(start_server(refused[_i].cert, extra));
	o.host = refused[_i].host;
	o.ca_file = refused[_i].ca_file;
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert(!wire_dial(&w, &o, &err));
	ck_assert_ptr_null(w);
	ck_assert_int_eq(err.code, ERR_TLS);
	ck_assert_int_eq(err.scope, ERR_ACCOUNT);
	ck_assert(!err.transient);
	char who[64], key[72], option[128];
	snprintf(who, sizeof(who), "SOURCE %s:993", refused[_i].host);
	ck_assert_msg(strstr(err.text, who) != NULL, "%s", err.text);
	for (int i = 0; i < 3 && refused[_i].text[i] != NULL; i++)
		ck_assert_msg(strstr(err.text, refused[_i].text[i]) != NULL,
		    "%s", err.text);
	if (refused[_i].absent != NULL)
		ck_assert_msg(strstr(err.text, refused[_i].absent) == NULL,
		    "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.hint, "No password was sent"));
	key_of(refused[_i].cert, key);
	snprintf(option, sizeof(option), "--source-tls-pin %s", key);
	ck_assert_int_eq(
	    strstr(err.hint, option) != NULL, refused[_i].shows_key);
}
END_TEST

/* ------------------------------------------------------------------- pins */

static const struct {
	const char *cert, *pinned; /* names of certificates */
	bool upper, accepted;
} pins[] = {
	{ "good", "good", false, true },
	{ "good", "good", true, true },
	{ "expired", "expired", false, true },
	{ "future", "future", false, true },
	{ "self", "self", false, true },
	{ "other", "other", false, true },
	{ "good", "other", false, false },
	{ "self", "good", false, false },
};

START_TEST(a_pin_accepts_exactly_its_key_and_nothing_else)
{
	char pin[72], key[72];
	key_of(pins[_i].pinned, pin);
	key_of(pins[_i].cert, key);
	for (char *c = pin + 7; pins[_i].upper && *c != '\0'; c++)
		if (*c >= 'a')
			*c = (char)(*c - 'a' + 'A');
	struct wire_options o = options(start_server(pins[_i].cert, echo));
	o.side = "TARGET";
	o.pin = pin;
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert_msg(
	    wire_dial(&w, &o, &err) == pins[_i].accepted, "%s", err.text);
	if (pins[_i].accepted) {
		expect_echo(w);
		ck_assert(wire_tls_info(w)->pinned);
		ck_assert_str_eq(wire_tls_info(w)->key_sha256, key);
		wire_close(&w);
		return;
	}
	char option[128];
	snprintf(option, sizeof(option), "--target-tls-pin %s", key);
	ck_assert_int_eq(err.code, ERR_TLS);
	ck_assert(!err.transient);
	ck_assert_ptr_nonnull(strstr(err.text, "another key than the pinned"));
	ck_assert_ptr_nonnull(strstr(err.text, pin));
	ck_assert_ptr_nonnull(strstr(err.hint, option));
}
END_TEST

/* ------------------------------------------------------ unusable options */

static const struct {
	const char *ca_file, *pin, *cert_file, *key_file;
	const char *text;
} unusable[] = {
	{ "missing.pem", NULL, NULL, NULL, "missing.pem" },
	{ "broken.pem", NULL, NULL, NULL, "broken.pem" },
	{ NULL, "sha256:12", NULL, NULL, "64 hex" },
	{ NULL, "md5:12", NULL, NULL, "64 hex" },
	{ NULL,
	    "sha256:00112233445566778899aabbccddeeff00112233445566778899aabb"
	    "ccddeeff0",
	    NULL, NULL, "64 hex" },
	{ NULL, NULL, "missing.pem", "client.key", "missing.pem" },
	{ NULL, NULL, "client.pem", "missing.key", "missing.key" },
	{ NULL, NULL, "client.pem", "spare.key", "spare.key" },
	{ NULL, NULL, "client.pem", "locked.key", "locked.key" },
};

START_TEST(files_that_cannot_be_used_are_named_before_anything_is_dialled)
{
	struct wire_options o = options(1); /* nothing listens there */
	o.ca_file = unusable[_i].ca_file;
	o.pin = unusable[_i].pin;
	o.cert_file = unusable[_i].cert_file;
	o.key_file = unusable[_i].key_file;
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert(!wire_dial(&w, &o, &err));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert(!err.transient);
	ck_assert_msg(
	    strstr(err.text, unusable[_i].text) != NULL, "%s", err.text);
}
END_TEST

/* ------------------------------------------------------ client certificate */

static const struct {
	const char *version, *cert_file, *key_file;
	bool good;
} clients[] = {
	{ "-tls1_3", "client.pem", "client.key", true },
	{ "-tls1_2", "client.pem", "client.key", true },
	{ "-tls1_3", NULL, NULL, false },
	{ "-tls1_2", NULL, NULL, false },
	{ "-tls1_3", "self.pem", "self.key", false },
};

START_TEST(a_server_that_wants_a_client_certificate_gets_ours)
{
	const char *const extra[] = { "-rev", "-Verify", "1", "-CAfile",
		"ca.pem", "-verify_return_error", clients[_i].version, NULL };
	struct wire_options o = options(start_server("good", extra));
	o.cert_file = clients[_i].cert_file;
	o.key_file = clients[_i].key_file;
	struct wire *w = NULL;
	struct err err = { 0 };
	bool ok = wire_dial(&w, &o, &err);
	if (clients[_i].good) {
		ck_assert_msg(ok, "%s", err.text);
		expect_echo(w);
		wire_close(&w);
		return;
	}
	/* TLS 1.3: the server judges after our side of the handshake. */
	char octet;
	ok = ok && wire_read(w, &octet, 1, &err) > 0;
	ck_assert(!ok);
	ck_assert_msg(err.code == ERR_TLS, "%s", err.text);
	ck_assert(!err.transient);
	wire_close(&w);
}
END_TEST

/* ----------------------------------------------------------------- octets */

START_TEST(five_mebibytes_come_through_tls_octet_for_octet)
{
	const char *const files[] = { "-HTTP", _i ? "-tls1_2" : "-tls1_3",
		NULL };
	struct wire_options o = options(start_server("good", files));
	struct wire *w = NULL;
	struct err err = { 0 };
	struct buf want = { 0 }, got = { 0 };
	ck_assert(file_read("data", DATA, &want, &err));
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	static const char get[] = "GET /data HTTP/1.0\r\n\r\n";
	ck_assert(wire_write(w, get, sizeof(get) - 1, &err));
	/* Peeks and large reads in turn, until its close_notify. */
	for (int turn = 0;; turn++) {
		const char *data;
		size_t len;
		if (turn % 2 == 0) {
			char *room = buf_room(&got, 300000);
			len = wire_read(w, room, 300000, &err);
			if (len == 0)
				break;
			got.len += len;
			continue;
		}
		if (!wire_peek(w, 1, &data, &len, &err))
			break;
		buf_add(&got, data, len);
		wire_take(w, len);
	}
	ck_assert_msg(
	    strstr(err.text, "closed the connection") != NULL, "%s", err.text);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert(memcmp(got.data, want.data, got.len) == 0);
	ck_assert_uint_eq(wire_counters(w)->octets_in, DATA);
	buf_free(&want);
	buf_free(&got);
	wire_close(&w);
}
END_TEST

START_TEST(ready_is_not_fooled_by_session_tickets)
{
	struct wire_options o = options(start_server("good", echo));
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	poll(NULL, 0, 200); /* TLS 1.3 sends them unasked */
	ck_assert(!wire_ready(w));
	ck_assert(wire_write(w, "liam\n", 5, &err) && wire_flush(w, &err));
	for (int i = 0; i < 1000 && !wire_ready(w); i++)
		poll(NULL, 0, 5);
	ck_assert(wire_ready(w));
	char out[5];
	ck_assert_uint_eq(wire_read(w, out, 5, &err), 5);
	ck_assert_mem_eq(out, "mail\n", 5);
	wire_close(&w);
}
END_TEST

START_TEST(an_end_without_close_notify_is_told_from_a_proper_one)
{
	struct wire_options o = options(start_server("good", echo));
	struct wire *w = NULL;
	struct err err = { 0 };
	char octet;
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	expect_echo(w);
	end_process(&server);
	ck_assert_uint_eq(wire_read(w, &octet, 1, &err), 0);
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert(err.transient);
	ck_assert_msg(
	    strstr(err.text, "cut the connection off") != NULL, "%s", err.text);
	ck_assert_uint_eq(wire_read(w, &octet, 1, &err), 0);
	wire_close(&w);
}
END_TEST

/* What s_server does with the line "r", and says when it is not answered. */
START_TEST(a_server_that_wants_to_renegotiate_is_refused)
{
	static const char *const old[] = { "-tls1_2", "-naccept", "1", NULL };
	int feed[2];
	ck_assert_int_eq(pipe2(feed, O_CLOEXEC), 0);
	struct wire_options o = options(start_server_fed("good", old, feed[0]));
	struct wire *w = NULL;
	struct err err = { 0 };
	struct buf log = { 0 };
	char octet;
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	ck_assert_int_eq(write(feed[1], "r\n", 2), 2);
	ck_assert_uint_eq(wire_read(w, &octet, 1, &err), 0);
	ck_assert_msg(err.code == ERR_TLS, "%s", err.text);
	ck_assert_msg(
	    strstr(err.text, "handshake failure") != NULL, "%s", err.text);
	ck_assert_str_eq(err.hint, "");
	wire_close(&w);
	close(feed[0]);
	close(feed[1]);
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
	server = 0;
	ck_assert(file_read("log", 1 << 20, &log, &err));
	ck_assert_ptr_nonnull(strstr(log.data, "no renegotiation"));
	buf_free(&log);
}
END_TEST

/* --------------------------------------------------- servers made by hand */

static void
say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void
greet_in_clear(int fd, uint32_t arg)
{
	(void)arg;
	say(fd, "* OK this is no TLS\r\n");
	peer_await_end(fd);
}

static void
hang_up(int fd, uint32_t arg)
{
	char hello[4096];
	(void)arg;
	recv(fd, hello, sizeof(hello), 0);
}

static void
stay_silent(int fd, uint32_t arg)
{
	(void)arg;
	peer_await_end(fd);
}

static const struct {
	void (*act)(int fd, uint32_t arg);
	enum err_code code;
	bool transient;
	const char *text;
} handshakes[] = {
	{ greet_in_clear, ERR_TLS, false, "does not speak TLS" },
	{ hang_up, ERR_NETWORK, true, "during the TLS handshake" },
	{ stay_silent, ERR_NETWORK, true, "silent" },
};

START_TEST(a_handshake_that_fails_says_how)
{
	struct wire_options o = options(peer_serve(handshakes[_i].act, 0));
	o.timeout_ms = 500;
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert(!wire_dial(&w, &o, &err));
	ck_assert_int_eq(err.code, handshakes[_i].code);
	ck_assert_int_eq(err.transient, handshakes[_i].transient);
	ck_assert_msg(
	    strstr(err.text, handshakes[_i].text) != NULL, "%s", err.text);
}
END_TEST

static bool
pass_on(int from, int to)
{
	char octets[65536];
	ssize_t n = recv(from, octets, sizeof(octets), 0);

	return n > 0 && send(to, octets, (size_t)n, MSG_NOSIGNAL) == n;
}

/* In clear up to STARTTLS, then a plain relay to s_server. */
static void
relay_after_starttls(int fd, uint32_t port)
{
	char line[64];
	say(fd, "* OK hello\r\n");
	recv(fd, line, sizeof(line), 0);
	say(fd, "a1 OK begin\r\n");
	int tls = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (connect(tls, (struct sockaddr *)&in, sizeof(in)) != 0)
		_exit(1);
	struct pollfd both[] = { { .fd = fd, .events = POLLIN },
		{ .fd = tls, .events = POLLIN } };
	while (poll(both, 2, -1) > 0) {
		if (both[0].revents != 0 && !pass_on(fd, tls))
			break;
		if (both[1].revents != 0 && !pass_on(tls, fd))
			break;
	}
}

static void
expect_line(struct wire *w, const char *line)
{
	const char *data;
	size_t len = 0;
	struct err err;
	while (len < strlen(line))
		ck_assert(wire_peek(w, len + 1, &data, &len, &err));
	ck_assert_mem_eq(data, line, strlen(line));
	wire_take(w, strlen(line));
}

static struct wire *
begin_starttls(uint16_t port)
{
	struct wire_options o = options(port);
	struct wire *w = NULL;
	struct err err = { 0 };
	o.tls = WIRE_TLS_STARTTLS;
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	ck_assert(!wire_is_tls(w));
	expect_line(w, "* OK hello\r\n");
	ck_assert(wire_write(w, "a1 STARTTLS\r\n", 13, &err));
	expect_line(w, "a1 OK begin\r\n");

	return w;
}

START_TEST(starttls_turns_a_plain_connection_into_a_verified_one)
{
	uint16_t tls = start_server("good", echo);
	struct wire *w = begin_starttls(peer_serve(relay_after_starttls, tls));
	struct err err = { 0 };
	ck_assert_msg(wire_start_tls(w, &err), "%s", err.text);
	ck_assert(wire_is_tls(w));
	ck_assert_ptr_nonnull(wire_tls_info(w));
	expect_echo(w);
	wire_close(&w);
}
END_TEST

START_TEST(starttls_refuses_a_wrong_certificate_for_good)
{
	uint16_t tls = start_server("expired", echo);
	struct wire *w = begin_starttls(peer_serve(relay_after_starttls, tls));
	struct err err = { 0 };
	ck_assert(!wire_start_tls(w, &err));
	ck_assert_int_eq(err.code, ERR_TLS);
	ck_assert_ptr_nonnull(strstr(err.text, "expired"));
	ck_assert(wire_poisoned(w));
	ck_assert(!wire_write(w, "password", 8, &err) || !wire_flush(w, &err));
	ck_assert_int_eq(err.code, ERR_TLS);
	wire_close(&w);
}
END_TEST

static void
inject_with_the_answer(int fd, uint32_t late)
{
	char line[64];
	say(fd, "* OK hello\r\n");
	recv(fd, line, sizeof(line), 0);
	if (late) {
		say(fd, "a1 OK begin\r\n");
		poll(NULL, 0, 100);
		say(fd, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
	} else {
		say(fd, "a1 OK begin\r\n* CAPABILITY AUTH=PLAIN\r\n");
	}
	peer_await_end(fd);
}

START_TEST(octets_in_clear_after_the_answer_to_starttls_are_refused)
{
	struct wire *w =
	    begin_starttls(peer_serve(inject_with_the_answer, (uint32_t)_i));
	struct err err = { 0 };
	if (_i == 1)
		poll(NULL, 0, 400);
	ck_assert(!wire_start_tls(w, &err));
	ck_assert_int_eq(err.code, ERR_TLS);
	ck_assert(!err.transient);
	ck_assert_msg(strstr(err.text, "in clear after its answer") != NULL,
	    "%s", err.text);
	ck_assert(wire_poisoned(w));
	wire_close(&w);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void
add_verification(TCase *tc)
{
	tcase_add_loop_test(tc,
	    a_server_with_the_right_certificate_is_talked_to, 0,
	    ROWS(accepted));
	tcase_add_loop_test(tc, the_server_is_asked_for_the_name_in_the_url, 0,
	    sizeof(asked) / sizeof(asked[0]));
	tcase_add_loop_test(tc,
	    a_server_that_cannot_prove_itself_is_refused_with_the_reason, 0,
	    ROWS(refused));
	tcase_add_loop_test(
	    tc, a_pin_accepts_exactly_its_key_and_nothing_else, 0, ROWS(pins));
	tcase_add_loop_test(tc,
	    files_that_cannot_be_used_are_named_before_anything_is_dialled, 0,
	    ROWS(unusable));
	tcase_add_loop_test(tc,
	    a_server_that_wants_a_client_certificate_gets_ours, 0,
	    ROWS(clients));
}

static void
add_connection(TCase *tc)
{
	tcase_add_loop_test(
	    tc, five_mebibytes_come_through_tls_octet_for_octet, 0, 2);
	tcase_add_test(tc, ready_is_not_fooled_by_session_tickets);
	tcase_add_test(tc, a_server_that_wants_to_renegotiate_is_refused);
	tcase_add_test(
	    tc, an_end_without_close_notify_is_told_from_a_proper_one);
	tcase_add_loop_test(
	    tc, a_handshake_that_fails_says_how, 0, ROWS(handshakes));
	tcase_add_test(
	    tc, starttls_turns_a_plain_connection_into_a_verified_one);
	tcase_add_test(tc, starttls_refuses_a_wrong_certificate_for_good);
	tcase_add_loop_test(
	    tc, octets_in_clear_after_the_answer_to_starttls_are_refused, 0, 2);
}

Suite *
suite_tls(void)
{
	Suite *suite = suite_create("tls");
	TCase *tc = tcase_create("tls");
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, make_world, remove_world);
	tcase_add_checked_fixture(tc, NULL, end_servers);
	add_verification(tc);
	add_connection(tc);
	suite_add_tcase(suite, tc);

	return suite;
}
