#include "imap/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "imap/codes.h"
#include "imap/initial.h"
#include "imap/setup.h"
#include "imap/words.h"
#include "net/etpan.h"

/*
 * Best first under TLS.  SCRAM shows the server nothing that it could use
 * elsewhere and proves that it knows the password.  PLAIN stands before
 * CRAM-MD5 because a verified name and TLS are around it: CRAM-MD5 adds
 * nothing to that, needs passwords stored in clear and knows no authorization
 * identity.  Without TLS those that don't send the password go first, in this
 * order: see best().
 */
static const struct imap_mechanism mechanisms[] = {
	{ "SCRAM-SHA-256", "AUTH=SCRAM-SHA-256", IMAP_EXCHANGE_SASL, false,
	    true },
	{ "SCRAM-SHA-1", "AUTH=SCRAM-SHA-1", IMAP_EXCHANGE_SASL, false, true },
	{ "PLAIN", "AUTH=PLAIN", IMAP_EXCHANGE_SASL, true, true },
	{ "CRAM-MD5", "AUTH=CRAM-MD5", IMAP_EXCHANGE_SASL, false, false },
	{ "LOGIN", NULL, IMAP_EXCHANGE_LOGIN, true, false },
};

static bool
offered(const struct imap_session *s, const struct imap_mechanism *m)
{
	return m->capability != NULL ? imap_session_can(s, m->capability)
				     : !imap_session_can(s, "LOGINDISABLED");
}

static bool
allowed(const struct imap_session *s, const struct imap_mechanism *m)
{
	bool may_be_clear =
	    wire_is_tls(s->wire) || s->options->wire.tls == WIRE_TLS_NONE;
	const char *authzid = s->options->authzid;

	return (may_be_clear || !m->clear) &&
	       (authzid == NULL || *authzid == 0 ||
		   strcmp(m->name, "PLAIN") == 0);
}

static const struct imap_mechanism *
forced(const struct imap_session *s, const char *name, struct err *err)
{
	const struct imap_mechanism *m = NULL;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strcasecmp(mechanisms[i].name, name) == 0)
			m = &mechanisms[i];
	if (m == NULL) {
		err_set(err, ERR_ACCOUNT, ERR_USAGE,
		    "unknown login mechanism %s", name);
		err_hint(err,
		    "Known: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, CRAM-MD5, "
		    "LOGIN.");
		return NULL;
	}
	if (!allowed(s, m)) {
		err_set(err, ERR_ACCOUNT, ERR_USAGE,
		    "login mechanism %s cannot be used here: it has no "
		    "authorization identity, or the connection is not "
		    "encrypted",
		    m->name);
		return NULL;
	}
	if (!offered(s, m)) {
		err_set(err, ERR_ACCOUNT, ERR_LOGIN,
		    "the %s does not offer login mechanism %s", s->where,
		    m->name);
		err_hint(err, "It offers: %s", s->facts.capabilities);
		return NULL;
	}

	return m;
}

/* NULL: none. */
static const struct imap_mechanism *
best(const struct imap_session *s)
{
	const struct imap_mechanism *clear = NULL;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]);
	     i++) {
		const struct imap_mechanism *m = &mechanisms[i];
		if (!allowed(s, m) || !offered(s, m))
			continue;
		if (!m->clear || wire_is_tls(s->wire))
			return m;
		clear = clear != NULL ? clear : m;
	}

	return clear;
}

const struct imap_mechanism *
imap_auth_choose(const struct imap_session *s, struct err *err)
{
	if (s->options->auth != NULL)
		return forced(s, s->options->auth, err);
	const struct imap_mechanism *m = best(s);
	if (m != NULL)
		return m;
	err_set(err, ERR_ACCOUNT, ERR_LOGIN,
	    "the %s offers no way to log in that can be used here; no "
	    "password was sent",
	    s->where);
	err_hint(err, "It offers: %s", s->facts.capabilities);

	return NULL;
}

/* --- refusals ---------------------------------------------------------- */

/* "LOGIN refused …": who, how, over what, in whose words (DESIGN 8). */
static bool
refused(const struct imap_session *s, const struct imap_mechanism *m,
    const struct imap_reply *r, struct err *err)
{
	int64_t until;
	if (r->kind == IMAP_TAGGED && imap_codes_throttle(r, &until))
		return imap_codes_pause(err, ERR_ACCOUNT, r, until);
	err_set(err, ERR_ACCOUNT, ERR_LOGIN,
	    "login refused by the %s for %s (%s over %s)", s->where,
	    s->options->user, m->name,
	    s->facts.tls != NULL ? s->facts.tls->version : "plaintext");

	return r->kind == IMAP_TAGGED
		   ? err_words(err, r->said.data, r->said.len)
		   : false;
}

/* --- SASL by libetpan -------------------------------------------------- */

/* The last lines that libetpan read: its own record of a refusal loses the
 * response code. */
enum { HEARD_MAX = 64 << 10 };

struct heard {
	struct buf text;
};

static void
hear(mailstream *stream, int type, const char *data, size_t len, void *arg)
{
	struct heard *h = arg;
	(void)stream;
	if (type != MAILSTREAM_LOG_TYPE_DATA_RECEIVED)
		return;
	if (h->text.len + len > HEARD_MAX)
		buf_clear(&h->text);
	if (len <= HEARD_MAX)
		buf_add(&h->text, data, len);
}

/*
 * The line that the login ended with, into *line: the first tagged one, else
 * the first BYE, else the last. What a server says behind it in the same
 * breath was heard as well: a BYE behind a NO must not pass for a lost
 * connection, which is tried again.
 */
static void
find_answer(struct imap_session *s, struct heard *h, struct imap_frame *line,
    struct imap_reply *r)
{
	const char *at = h->text.data != NULL ? h->text.data : "";
	const char *end = at + h->text.len, *chosen = at;
	size_t len = 0;
	bool bye = false;
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *next = lf != NULL ? lf + 1 : end;
		size_t n = (size_t)((lf != NULL ? lf : end) - at);
		n -= n > 0 && at[n - 1] == '\r';
		buf_clear(&line->text);
		buf_add(&line->text, at, n);
		imap_reply_parse(r, line);
		imap_words_take(s, r);
		imap_words_alert(s, r);
		if (r->kind == IMAP_TAGGED)
			return;
		if (!bye) {
			chosen = at;
			len = n;
		}
		bye |= r->kind == IMAP_STATUS && r->status == IMAP_BYE;
		at = next;
	}
	buf_clear(&line->text);
	buf_add(&line->text, chosen, len);
	imap_reply_parse(r, line);
	imap_words_take(s, r);
}

/* The response with the password in it, and what was said to it. */
static void
wipe_stream(mailstream *stream)
{
	explicit_bzero(stream->write_buffer, stream->buffer_max_size);
	explicit_bzero(stream->read_buffer, stream->buffer_max_size);
}

/*
 * libetpan's read buffer goes back to the wire at the end, and the object
 * never sees the wire when it is freed, or it would send LOGOUT.
 */
static int
authenticate(struct imap_session *s, const struct imap_mechanism *m,
    struct heard *heard, struct err *err)
{
	const struct imap_options *o = s->options;
	const char *authzid = o->authzid != NULL ? o->authzid : "";
	wire_guard(s->wire, true);
	bool initial = m->first && imap_session_can(s, "SASL-IR");
	mailstream *stream =
	    mailstream_new(imap_initial_low(s->wire, initial), 4096);
	mailimap *imap = mailimap_new(0, NULL);
	if (stream == NULL || imap == NULL)
		mem_out();
	int code = mailimap_connect(imap, stream);
	if (code == MAILIMAP_NO_ERROR ||
	    code == MAILIMAP_NO_ERROR_NON_AUTHENTICATED) {
		/* Only now, as connecting sets a logger of its own. */
		mailstream_set_logger(stream, hear, heard);
		code = mailimap_authenticate(imap, m->name, o->wire.host, NULL,
		    NULL, authzid, o->user, o->secret->data, NULL);
	}
	wire_guard(s->wire, false);
	if (code == MAILIMAP_NO_ERROR && stream->read_buffer_len > 0 &&
	    !wire_unread(
		s->wire, stream->read_buffer, stream->read_buffer_len, err))
		code = MAILIMAP_ERROR_STREAM;
	if (code != MAILIMAP_NO_ERROR)
		wire_poison(s->wire);
	imap->imap_stream = NULL;
	wipe_stream(stream);
	mailstream_close(stream);
	mailimap_free(imap);

	return code;
}

/* Why it failed: the server's words if it had any, else the wire's. */
static void
sasl_failed(const struct imap_session *s, const struct imap_mechanism *m,
    const struct imap_reply *r, int code, struct err *err)
{
	const struct err *lost = wire_last_error(s->wire);
	if (r->kind == IMAP_STATUS && r->status == IMAP_BYE)
		imap_codes_bye(err, r, s->where);
	else if (r->kind == IMAP_TAGGED && r->status != IMAP_OK)
		refused(s, m, r, err);
	else if (code == MAILIMAP_ERROR_STREAM && lost != NULL)
		*err = *lost;
	else
		imap_codes_etpan(err, code, m->name);
}

static bool
sasl(struct imap_session *s, const struct imap_mechanism *m, struct err *err)
{
	struct heard heard = { 0 };
	struct imap_frame line = { 0 };
	struct imap_reply r;
	if (!etpan_load(err))
		return false;
	int code = authenticate(s, m, &heard, err);
	find_answer(s, &heard, &line, &r);
	if (code != MAILIMAP_NO_ERROR)
		sasl_failed(s, m, &r, code, err);
	else if (r.kind == IMAP_TAGGED && imap_text_is(&r.code, "CAPABILITY"))
		imap_setup_capabilities(s, r.args.data, r.args.len);
	imap_frame_free(&line);
	buf_wipe(&heard.text);

	return code == MAILIMAP_NO_ERROR;
}

/* --- the LOGIN command ------------------------------------------------- */

static bool
is_quotable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' ||
		    (unsigned char)text[i] >= 0x7f)
			return false;

	return true;
}

/*
 * Add an astring (RFC 9051 6.2.3); line has room for twice len.  8-bit octets
 * stand in a synchronizing literal only, which libetpan's own LOGIN does not
 * know: hence ours.
 */
static bool
add_astring(struct imap_session *s, struct buf *line, const char *text,
    size_t len, struct err *err)
{
	if (is_quotable(text, len)) {
		imap_add_quoted(line, text, len);
		return true;
	}
	buf_fmt(line, "{%zu}\r\n", len);
	bool good = wire_write(s->wire, line->data, line->len, err) &&
		    wire_flush(s->wire, err) &&
		    imap_session_await_continue(s, err);
	buf_clear(line);
	buf_add(line, text, len);

	return good;
}

/* Tag, LOGIN, two quoted strings' marks, CRLF, and what buf_fmt wants free. */
enum { LOGIN_WORDS_MAX = 256 };

static bool
login(struct imap_session *s, const struct imap_mechanism *m, struct err *err)
{
	const struct imap_options *o = s->options;
	struct buf line = { 0 };
	struct imap_reply r;
	/* All at once: a buffer that grows leaves a copy behind. */
	buf_room(
	    &line, 2 * (strlen(o->user) + o->secret->len) + LOGIN_WORDS_MAX);
	buf_fmt(&line, "%s%u LOGIN ", s->tag_head, ++s->tag_last);
	bool good = add_astring(s, &line, o->user, strlen(o->user), err);
	if (good) {
		buf_char(&line, ' ');
		good =
		    add_astring(s, &line, o->secret->data, o->secret->len, err);
	}
	buf_str(&line, "\r\n");
	good = good && wire_write(s->wire, line.data, line.len, err) &&
	       wire_flush(s->wire, err);
	buf_wipe(&line);
	do {
		good = good && imap_session_read(s, &r, err);
	} while (good && r.kind != IMAP_TAGGED && r.kind != IMAP_CONTINUE);
	if (good && (r.kind != IMAP_TAGGED || r.status != IMAP_OK))
		return refused(s, m, &r, err);

	return good;
}

/* --- which and whether ------------------------------------------------- */

/* SASL and LOGIN take no line ends; nor does any sane name (N17). */
static bool
is_line(const char *text, size_t len)
{
	return memchr(text, '\r', len) == NULL &&
	       memchr(text, '\n', len) == NULL && memchr(text, 0, len) == NULL;
}

bool
imap_auth_login(struct imap_session *s, struct err *err)
{
	const struct imap_options *o = s->options;
	const char *authzid = o->authzid != NULL ? o->authzid : "";
	if (!is_line(o->user, strlen(o->user)) || *o->user == 0 ||
	    !is_line(o->secret->data, o->secret->len) ||
	    !is_line(authzid, strlen(authzid)))
		return err_set(err, ERR_ACCOUNT, ERR_USAGE,
		    "the user name or the password for the %s is empty or "
		    "holds a line end",
		    s->where);
	if (!wire_is_tls(s->wire) && o->wire.tls != WIRE_TLS_NONE)
		return err_set(err, ERR_ACCOUNT, ERR_TLS,
		    "no login to the %s without TLS", s->where);
	const struct imap_mechanism *m = imap_auth_choose(s, err);
	if (m == NULL)
		return false;
	snprintf(s->facts.mechanism, sizeof(s->facts.mechanism), "%s", m->name);

	return m->exchange == IMAP_EXCHANGE_SASL ? sasl(s, m, err)
						 : login(s, m, err);
}
