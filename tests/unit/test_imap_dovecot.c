/* The source against a real Dovecot. */
#include <fcntl.h>

#include "../lib/imap_script.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "imap/imap.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/name.h"

Suite *suite_imap_dovecot(void);

enum { MESSAGES = 3000, EVERY_GONE = 7 };

static char folder[] = "/tmp/mailhaul-dovecot-XXXXXX";
static char ca_file[256], password[64];
static unsigned short imap_port, imaps_port;
static struct secret secret;

static int
launch_with(const char *verb, const char *option)
{
	int status;
	pid_t pid = fork();
	ck_assert(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		execl("tests/lib/dovecot", "dovecot", verb, folder, option,
		    (char *)NULL);
		_exit(127);
	}
	ck_assert(waitpid(pid, &status, 0) == pid);

	return status;
}

static int
launcher(const char *verb)
{
	return launch_with(verb, NULL);
}

/* The value of NAME=… in DIR/env, up to the line's end. */
static void
setting(const struct buf *env, const char *name, char *out, size_t size)
{
	const char *at = strstr(env->data, name);
	ck_assert_ptr_nonnull(at);
	at += strlen(name);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void
send_all(int fd, const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = send(fd, b->data + at, b->len - at, 0);
		ck_assert(n > 0);
		at += (size_t)n;
	}
}

/* Read until the line that starts with tag. */
static void
await(int fd, const char *tag)
{
	static char line[65536];
	do
		ck_assert(script_line(fd, line, sizeof(line)));
	while (strncmp(line, tag, strlen(tag)) != 0);
	ck_assert_ptr_nonnull(strstr(line, " OK"));
}

static void
add_message(struct buf *out, int i)
{
	struct buf text = { 0 };
	buf_fmt(&text, "Message-ID: <%d@test>\r\nSubject: %d\r\n\r\n", i, i);
	for (int k = 0; k < i % 50; k++)
		buf_fmt(
		    &text, "line %d of %d\r\n.\r\nA%d OK done\r\n", k, i, k);
	buf_fmt(out,
	    "a%d APPEND Many (%s) \"01-Feb-2020 00:00:%02d +0100\" "
	    "{%zu+}\r\n",
	    i, i % 2 ? "\\Seen $Work" : "\\Flagged", i % 60, text.len);
	buf_add(out, text.data, text.len);
	buf_str(out, "\r\n");
	buf_free(&text);
}

static void
fill_mailbox(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(imap_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct buf out = { 0 };
	char tag[16];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	buf_fmt(&out,
	    "l LOGIN alice %s\r\nc CREATE Many\r\nt CREATE Sent\r\ns SELECT "
	    "Many\r\n"
	    "d CREATE \"a \\\"b\"\r\nu SUBSCRIBE Many\r\n",
	    password);
	send_all(fd, &out);
	await(fd, "u ");
	for (int i = 1; i <= MESSAGES; i++) {
		if (i % 50 == 1)
			buf_clear(&out);
		add_message(&out, i);
		if (i % 50 != 0)
			continue;
		send_all(fd, &out);
		snprintf(tag, sizeof(tag), "a%d ", i);
		await(fd, tag);
	}
	buf_clear(&out);
	for (int i = EVERY_GONE; i <= MESSAGES; i += EVERY_GONE)
		buf_fmt(&out, "d%d UID STORE %d +FLAGS.SILENT (\\Deleted)\r\n",
		    i, i);
	buf_str(&out, "x EXPUNGE\r\n");
	send_all(fd, &out);
	await(fd, "x ");
	close(fd);
	buf_free(&out);
}

static void
start(void)
{
	struct buf env = { 0 };
	struct err err;
	char port[16], path[300];
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(launcher("start"), 0);
	snprintf(path, sizeof(path), "%s/env", folder);
	ck_assert(file_read(path, 65536, &env, &err));
	setting(&env, "\nIMAP_PORT=", port, sizeof(port));
	imap_port = (unsigned short)strtoul(port, NULL, 10);
	setting(&env, "\nIMAPS_PORT=", port, sizeof(port));
	imaps_port = (unsigned short)strtoul(port, NULL, 10);
	setting(&env, "\nCA_FILE=", ca_file, sizeof(ca_file));
	buf_clear(&env);
	snprintf(path, sizeof(path), "%s/password", folder);
	ck_assert(file_read(path, 64, &env, &err));
	snprintf(password, sizeof(password), "%.*s",
	    (int)strcspn(env.data, "\n"), env.data);
	buf_free(&env);
	secret = (struct secret){
		.data = password, .len = strlen(password), .origin = "a test"
	};
	fill_mailbox();
}

static void
stop(void)
{
	ck_assert_int_eq(launcher("stop"), 0);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static struct imap_options
options(enum wire_tls tls, const char *auth)
{
	return (struct imap_options){
		.wire = { .side = "SOURCE",
		    .host = "localhost",
		    .port = tls == WIRE_TLS_IMPLICIT ? imaps_port : imap_port,
		    .tls = tls,
		    .ca_file = ca_file },
		.user = "alice",
		.secret = &secret,
		.auth = auth
	};
}

static const struct {
	enum wire_tls tls;
	const char *auth, *mechanism;
} ways[] = {
	{ WIRE_TLS_IMPLICIT, NULL, "SCRAM-SHA-256" },
	{ WIRE_TLS_STARTTLS, NULL, "SCRAM-SHA-256" },
	{ WIRE_TLS_STARTTLS, "SCRAM-SHA-1", "SCRAM-SHA-1" },
	{ WIRE_TLS_IMPLICIT, "PLAIN", "PLAIN" },
	{ WIRE_TLS_IMPLICIT, "cram-md5", "CRAM-MD5" },
	{ WIRE_TLS_IMPLICIT, "LOGIN", "LOGIN" },
	{ WIRE_TLS_NONE, NULL, "SCRAM-SHA-256" },
};

START_TEST(every_way_to_log_in_works_and_a_wrong_password_is_final)
{
	struct imap_options o = options(ways[_i].tls, ways[_i].auth);
	struct source s;
	struct err err;
	ck_assert_msg(
	    imap_source_new(&s, &o, &err), "%s (%s)", err.text, err.words);
	const struct imap_facts *facts = imap_source_facts(&s);
	ck_assert_str_eq(facts->mechanism, ways[_i].mechanism);
	ck_assert_int_eq(facts->tls == NULL, ways[_i].tls == WIRE_TLS_NONE);
	ck_assert_ptr_nonnull(strstr(facts->server_id, "Dovecot"));
	ck_assert_ptr_nonnull(strstr(facts->capabilities, "UIDPLUS"));
	ck_assert_uint_gt(imap_source_counters(&s)->octets_in, 100);
	s.ops->close(&s.data, true);

	struct secret wrong = {
		.data = (char *)"wrong", .len = 5, .origin = "thin air"
	};
	o.secret = &wrong;
	ck_assert(!imap_source_new(&s, &o, &err));
	ck_assert_msg(err.code == ERR_LOGIN, "%s (%s)", err.text, err.words);
	ck_assert(!err.transient);
	ck_assert_ptr_nonnull(strstr(err.words, "AUTHENTICATIONFAILED"));
	ck_assert_ptr_nonnull(strstr(err.text, ways[_i].mechanism));
}
END_TEST

static bool
note_mailbox(void *arg, const struct source_mailbox *m, struct err *err)
{
	(void)err;
	buf_fmt(arg, "%s%s%s;", m->display, m->subscribed ? "+" : "",
	    (m->attributes & MAILBOX_SENT) != 0 ? "=sent" : "");

	return true;
}

START_TEST(mailboxes_are_listed_with_role_and_subscription)
{
	struct imap_options o = options(WIRE_TLS_IMPLICIT, NULL);
	struct source s;
	struct source_opened opened;
	struct buf names = { 0 };
	struct err err;
	uint64_t size;
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert_msg(
	    s.ops->list(s.data, note_mailbox, &names, &err), "%s", err.text);
	ck_assert_ptr_nonnull(strstr(names.data, "Many+;"));
	ck_assert_ptr_nonnull(strstr(names.data, "a \"b;"));
	ck_assert_ptr_nonnull(strstr(names.data, "Sent=sent;"));
	ck_assert_ptr_nonnull(strstr(names.data, "INBOX;"));
	ck_assert(imap_source_status(&s, "Many", &opened, &size, &err));
	ck_assert_uint_eq(opened.messages, MESSAGES - MESSAGES / EVERY_GONE);
	ck_assert_uint_eq(opened.uidnext, MESSAGES + 1);
	ck_assert(size != UINT64_MAX && size > MESSAGES * 40);
	s.ops->close(&s.data, true);
	buf_free(&names);
}
END_TEST

/* --- a whole mailbox --------------------------------------------------- */

struct pass {
	struct source s;
	uint64_t seen, bodies, asked, last;
	uint64_t okeys[MESSAGES], sizes[MESSAGES];
	struct source_event end;
};

static void
check_body(struct pass *p)
{
	struct source_body b;
	struct buf whole = { 0 };
	struct err err;
	uint8_t sha[DIGEST_SIZE];
	ck_assert_msg(p->s.ops->body(p->s.data, &b, &err), "%s", err.text);
	ck_assert_int_eq(b.kind, SOURCE_BODY);
	add_message(&whole, (int)b.okey);
	/* Between the literal's head and the final CRLF. */
	const char *text = strstr(whole.data, "+}\r\n") + 4;
	size_t n = (size_t)(whole.data + whole.len - 2 - text);
	ck_assert_uint_eq(content_size(b.content), n);
	digest_of(text, n, sha);
	ck_assert(content_hash(b.content, &err));
	ck_assert_mem_eq(sha, content_sha256(b.content), DIGEST_SIZE);
	content_free(&b.content);
	buf_free(&whole);
	p->bodies++;
}

static void
check_placement(struct pass *p, const struct placement *m)
{
	ck_assert_uint_gt(m->okey, p->last);
	ck_assert_uint_ne(m->okey % EVERY_GONE, 0);
	p->last = m->okey;
	bool odd = m->okey % 2 != 0;
	ck_assert_uint_eq(m->flags, odd ? MAIL_SEEN : MAIL_FLAGGED);
	ck_assert_uint_eq(m->keyword_count, odd);
	if (odd)
		ck_assert_str_eq(m->keywords[0], "$Work");
	ck_assert_int_eq(m->idate, 1580511600 + (int64_t)m->okey % 60);
	p->okeys[p->seen] = m->okey;
	p->sizes[p->seen++] = m->size;
}

static void
whole_mailbox(struct pass *p, uint64_t ask_at)
{
	struct err err;
	for (p->end.kind = SOURCE_SEEN; p->end.kind != SOURCE_END;) {
		ck_assert_msg(p->s.ops->announce(p->s.data, &p->end, &err),
		    "%s", err.text);
		if (p->end.kind == SOURCE_LATER && p->bodies < p->asked)
			check_body(p);
		if (p->end.kind == SOURCE_SEEN)
			check_placement(p, &p->end.placement);
		if (p->seen - p->asked >= ask_at || p->end.kind == SOURCE_END) {
			ck_assert(
			    p->s.ops->request(p->s.data, p->okeys + p->asked,
				p->sizes + p->asked, p->seen - p->asked, &err));
			p->asked = p->seen;
		}
	}
	while (p->bodies < p->asked)
		check_body(p);
}

static const struct {
	uint32_t messages;
	uint64_t octets, ask_at;
	enum wire_tls tls;
} windows[] = {
	{ 0, 0, 500, WIRE_TLS_IMPLICIT },
	{ 0, 0, 1, WIRE_TLS_NONE },
	{ 7, 0, 100, WIRE_TLS_NONE },
	{ 0, 1, 3000, WIRE_TLS_NONE },
	{ 0, 5000, 64, WIRE_TLS_NONE },
};

START_TEST(a_mailbox_with_gaps_comes_whole_and_byte_for_byte)
{
	struct imap_options o = options(windows[_i].tls, NULL);
	struct pass *p = mem_new(sizeof(*p));
	struct source_opened opened;
	struct err err;
	o.window_messages = windows[_i].messages;
	o.window_octets = windows[_i].octets;
	ck_assert(imap_source_new(&p->s, &o, &err));
	ck_assert(p->s.ops->open(p->s.data, "Many", NULL, &opened, &err));
	ck_assert_uint_eq(opened.messages, MESSAGES - MESSAGES / EVERY_GONE);
	whole_mailbox(p, windows[_i].ask_at);
	ck_assert_uint_eq(p->bodies, opened.messages);
	ck_assert(p->end.complete);
	ck_assert_uint_eq(p->end.state.uidnext, MESSAGES + 1);
	ck_assert_uint_eq(p->end.state.uidvalidity, opened.uidvalidity);
	p->s.ops->close(&p->s.data, true);
	free(p);
}
END_TEST

START_TEST(a_delta_begins_at_its_uid_and_leaves_may_come_any_time)
{
	struct imap_options o = options(WIRE_TLS_NONE, NULL);
	struct pass *p = mem_new(sizeof(*p));
	struct source_opened opened;
	struct err err;
	ck_assert(imap_source_new(&p->s, &o, &err));
	/* Leave a mailbox amid everything, then open it anew. */
	ck_assert(p->s.ops->open(p->s.data, "Many", NULL, &opened, &err));
	for (int i = 0; i < 900; i++) {
		ck_assert(p->s.ops->announce(p->s.data, &p->end, &err));
		if (p->end.kind == SOURCE_LATER)
			break;
		ck_assert_int_eq(p->end.kind, SOURCE_SEEN);
		ck_assert(p->s.ops->request(p->s.data, &p->end.placement.okey,
		    &p->end.placement.size, 1, &err));
	}
	check_body(p);
	p->bodies = 0;
	struct source_state state = { .uidvalidity = opened.uidvalidity,
		.uidnext = 1001,
		.only_new = true };
	ck_assert(p->s.ops->open(p->s.data, "Many", &state, &opened, &err));
	whole_mailbox(p, 100);
	ck_assert_uint_eq(p->okeys[0], 1002); /* 1001 = 7 * 143 */
	ck_assert_uint_eq(
	    p->seen, 2000 - (MESSAGES / EVERY_GONE - 1000 / EVERY_GONE));
	ck_assert(!p->s.ops->open(p->s.data, "None", NULL, &opened, &err));
	ck_assert_int_eq(err.scope, ERR_MAILBOX);
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert(p->s.ops->open(p->s.data, "INBOX", NULL, &opened, &err));
	ck_assert(p->s.ops->announce(p->s.data, &p->end, &err));
	ck_assert_int_eq(p->end.kind, SOURCE_END);
	p->s.ops->close(&p->s.data, true);
	free(p);
}
END_TEST

/* --- a mailbox that lives ---------------------------------------------- */

enum { LIVING = 40 };

/* Say it as alice and wait for the last command's reply, whose tag is "z". */
/* A server that was just started again may drop the first ones. */
static int
log_in(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(imap_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct buf login = { 0 };
	buf_fmt(&login, "l LOGIN alice %s\r\n", password);
	for (int attempt = 0; attempt < 100; attempt++) {
		static char line[65536];
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
		send_all(fd, &login);
		while (script_line(fd, line, sizeof(line)))
			if (strncmp(line, "l OK", 4) == 0) {
				buf_free(&login);
				return fd;
			}
		close(fd);
		usleep(100000);
	}
	ck_abort_msg("no login within 100 attempts");
}

static void
say(const struct buf *commands)
{
	struct buf out = { 0 };
	int fd = log_in();
	buf_add(&out, commands->data, commands->len);
	buf_str(&out, "z NOOP\r\n");
	send_all(fd, &out);
	await(fd, "z ");
	close(fd);
	buf_free(&out);
}

static void
add_living(struct buf *out, const char *mailbox, int from, int to)
{
	for (int i = from; i <= to; i++)
		buf_fmt(out,
		    "a APPEND %s {21+}\r\nMessage-ID: <%02d@x>\r\n\r\n",
		    mailbox, i);
}

/* What haul would hold to be there, after all events of a pass. */
struct known {
	bool there[LIVING + 1];
	uint8_t flags[LIVING + 1];
	unsigned counts[SOURCE_END + 1];
	char message_id[64]; /* of the last SEEN */
	struct source_event end;
};

static void
know(struct known *k, const struct source_event *e, bool *told)
{
	const struct placement *p = &e->placement;
	uint64_t last = p->okey;
	k->counts[e->kind]++;
	if (e->kind == SOURCE_ALIVE || e->kind == SOURCE_GONE)
		last = e->last;
	for (uint64_t u = p->okey; u <= last && u <= LIVING; u++) {
		if (e->kind != SOURCE_ALIVE)
			k->there[u] = e->kind != SOURCE_GONE;
		if (e->kind == SOURCE_SEEN || e->kind == SOURCE_CHANGED)
			k->flags[u] = p->flags;
		told[u] = true;
	}
	if (e->kind == SOURCE_SEEN)
		snprintf(k->message_id, sizeof(k->message_id), "%s",
		    p->message_id != NULL ? p->message_id : "");
}

static void
learn(struct known *k, struct source *s, const char *mailbox,
    const struct source_state *state)
{
	struct source_opened opened;
	struct source_event e;
	struct err err;
	bool told[LIVING + 1] = { false };
	memset(k->counts, 0, sizeof(k->counts));
	ck_assert_msg(s->ops->open(s->data, mailbox, state, &opened, &err),
	    "%s (%s)", err.text, err.words);
	for (;;) {
		ck_assert_msg(s->ops->announce(s->data, &e, &err), "%s (%s)",
		    err.text, err.words);
		if (e.kind == SOURCE_END)
			break;
		know(k, &e, told);
	}
	k->end = e;
	ck_assert(e.complete);
	for (int u = 1; e.swept && u <= LIVING; u++)
		k->there[u] = k->there[u] && told[u];
}

static const struct {
	const char *mailbox, *capabilities;
	unsigned changed, alive, gone; /* of the delta: how it was told */
	bool swept;
} worlds[] = {
	{ "Living1", NULL, 2, 0, 2, false },
	{ "Living2",
	    "IMAP4rev1 ENABLE CONDSTORE ESEARCH LIST-EXTENDED LIST-STATUS", 2,
	    3, 0, true },
	{ "Living3", "IMAP4rev1 CONDSTORE", 2, 3, 0, true },
	{ "Living4", "IMAP4rev1", 27, 0, 0, true },
};

static void
restart_with(const char *capabilities)
{
	char path[300], option[320];
	struct buf text = { 0 };
	FILE *file;
	snprintf(path, sizeof(path), "%s/more.conf", folder);
	snprintf(option, sizeof(option), "--config=%s", path);
	if (capabilities != NULL)
		buf_fmt(&text, "imap_capability = %s\n", capabilities);
	buf_str(&text, "# nothing else\n");
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert(fputs(text.data, file) >= 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(launch_with("restart", option), 0);
	buf_free(&text);
}

START_TEST(a_delta_comes_to_the_same_whatever_the_server_offers)
{
	const char *box = worlds[_i].mailbox;
	struct imap_options o = options(WIRE_TLS_IMPLICIT, NULL);
	struct known *k = mem_new(sizeof(*k));
	struct source_state state;
	struct source s;
	struct buf out = { 0 };
	struct err err;
	restart_with(worlds[_i].capabilities);
	buf_fmt(&out, "c CREATE %s\r\n", box);
	add_living(&out, box, 1, 30);
	say(&out);
	ck_assert(imap_source_new(&s, &o, &err));
	learn(k, &s, box, &(struct source_state){ .message_ids = true });
	ck_assert_uint_eq(k->counts[SOURCE_SEEN], 30);
	ck_assert_str_eq(k->message_id, " <30@x>");
	ck_assert(k->end.swept);
	s.ops->close(&s.data, true);
	state = k->end.state;
	ck_assert_int_eq(state.modseq != 0, _i != 3);

	/* Nothing has happened. */
	ck_assert(imap_source_new(&s, &o, &err));
	learn(k, &s, box, &state);
	ck_assert_uint_eq(k->counts[SOURCE_CHANGED], _i == 3 ? 30 : 0);
	ck_assert_uint_eq(k->counts[SOURCE_SEEN], 0);

	buf_clear(&out);
	buf_fmt(&out,
	    "s SELECT %s\r\nf UID STORE 3,5 FLAGS (\\Seen)\r\n"
	    "d UID STORE 7,8,20 FLAGS (\\Deleted)\r\nx EXPUNGE\r\n",
	    box);
	add_living(&out, box, 31, 32);
	say(&out);
	learn(k, &s, box, &state);
	ck_assert_uint_eq(k->counts[SOURCE_CHANGED], worlds[_i].changed);
	ck_assert_uint_eq(k->counts[SOURCE_ALIVE], worlds[_i].alive);
	ck_assert_uint_eq(k->counts[SOURCE_GONE], worlds[_i].gone);
	ck_assert_uint_eq(k->counts[SOURCE_SEEN], 2);
	ck_assert_int_eq(k->end.swept, worlds[_i].swept);
	for (int u = 1; u <= LIVING; u++) {
		ck_assert_int_eq(
		    k->there[u], u <= 32 && u != 7 && u != 8 && u != 20);
		if (k->there[u])
			ck_assert_int_eq(
			    k->flags[u], u == 3 || u == 5 ? MAIL_SEEN : 0);
	}
	s.ops->close(&s.data, true);
	buf_free(&out);
	free(k);
}
END_TEST

static bool
note_status(void *arg, const struct source_mailbox *m, struct err *err)
{
	(void)err;
	buf_fmt(arg, "%s %llu %d %d;", m->name, (unsigned long long)m->messages,
	    m->uidvalidity != 0, m->modseq != 0);

	return true;
}

START_TEST(statuses_are_asked_again_and_a_deleted_mailbox_is_gone)
{
	struct imap_options o = options(WIRE_TLS_IMPLICIT, NULL);
	struct source s;
	struct buf out = { 0 }, text = { 0 };
	struct err err;
	bool gone;
	restart_with(NULL);
	buf_str(&out, "c CREATE Gone\r\n");
	add_living(&out, "Gone", 1, 2);
	say(&out);
	ck_assert(imap_source_new(&s, &o, &err));
	ck_assert(s.ops->list(s.data, note_status, &text, &err));
	ck_assert_ptr_nonnull(strstr(text.data, "Gone 2 1 1;"));
	ck_assert(s.ops->is_gone(s.data, "Gone", &gone, &err));
	ck_assert(!gone);
	buf_clear(&out);
	add_living(&out, "Gone", 3, 3);
	say(&out);
	buf_clear(&text);
	ck_assert(s.ops->statuses(s.data, note_status, &text, &err));
	ck_assert_ptr_nonnull(strstr(text.data, "Gone 3 1 1;"));
	buf_clear(&out);
	buf_str(&out, "d DELETE Gone\r\n");
	say(&out);
	ck_assert_msg(
	    s.ops->is_gone(s.data, "Gone", &gone, &err), "%s", err.text);
	ck_assert(gone);
	s.ops->close(&s.data, true);
	buf_free(&out);
	buf_free(&text);
}
END_TEST

Suite *
suite_imap_dovecot(void)
{
	Suite *s = suite_create("imap dovecot");
	TCase *t = tcase_create("dovecot");
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(t, start, stop);
	tcase_add_loop_test(t,
	    every_way_to_log_in_works_and_a_wrong_password_is_final, 0,
	    sizeof(ways) / sizeof(ways[0]));
	tcase_add_test(t, mailboxes_are_listed_with_role_and_subscription);
	tcase_add_loop_test(t,
	    a_mailbox_with_gaps_comes_whole_and_byte_for_byte, 0,
	    sizeof(windows) / sizeof(windows[0]));
	tcase_add_test(
	    t, a_delta_begins_at_its_uid_and_leaves_may_come_any_time);
	tcase_add_loop_test(t,
	    a_delta_comes_to_the_same_whatever_the_server_offers, 0,
	    sizeof(worlds) / sizeof(worlds[0]));
	tcase_add_test(
	    t, statuses_are_asked_again_and_a_deleted_mailbox_is_gone);

	return s;
}
