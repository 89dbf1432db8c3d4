#include "imap/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "imap/auth.h"
#include "imap/codes.h"
#include "imap/ranges.h"
#include "imap/setup.h"
#include "imap/words.h"

static bool
wire_input_peek(
    void *wire, size_t min, const char **data, size_t *len, struct err *err)
{
	return wire_peek(wire, min, data, len, err);
}

static void
wire_input_take(void *wire, size_t n)
{
	wire_take(wire, n);
}

bool
imap_session_die(struct imap_session *s, struct err *err)
{
	if (s->dead)
		return false;
	s->dead = true;
	s->why = *err;
	if (s->why.code == ERR_THROTTLE)
		err_set_transient(&s->why, ERR_ACCOUNT, ERR_NETWORK,
		    "the connection to the %s has ended", s->where);
	wire_poison(s->wire);

	return false;
}

static bool
dead(const struct imap_session *s, struct err *err)
{
	if (s->dead)
		*err = s->why;

	return s->dead;
}

void
imap_add_quoted(struct buf *out, const char *data, size_t len)
{
	buf_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '"' || data[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, data[i]);
	}
	buf_char(out, '"');
}

/* --- one response ------------------------------------------------------ */

/* RFC 7162 3.2.10: without (EARLIER) it is what EXPUNGE is.  A server that
 * takes away more than there is takes away what there is (I31). */
static void
observe_vanished(struct imap_selected *m, struct imap_tokens t)
{
	struct imap_token set = imap_token_next(&t);
	if (set.kind != IMAP_ATOM)
		return;
	uint64_t n = imap_range_count(set.data, set.len, UINT32_MAX);
	if (n > m->exists)
		n = m->exists;
	m->expunged += n;
	m->exists -= n;
}

static void
observe_code(struct imap_selected *m, const struct imap_reply *r)
{
	static const struct {
		const char *code;
		size_t offset;
	} numbers[] = {
		{ "UIDVALIDITY", offsetof(struct imap_selected, uidvalidity) },
		{ "UIDNEXT", offsetof(struct imap_selected, uidnext) },
		{ "HIGHESTMODSEQ", offsetof(struct imap_selected, modseq) },
	};
	uint64_t value;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (imap_text_is(&r->code, numbers[i].code) &&
		    imap_text_number(&r->args, &value))
			*(uint64_t *)((char *)m + numbers[i].offset) = value;
	if (imap_text_is(&r->code, "NOMODSEQ"))
		m->modseq = 0;
	if (imap_text_is(&r->code, "MAILBOXID") && r->args.len > 2 &&
	    r->args.data[0] == '(' && r->args.data[r->args.len - 1] == ')')
		text_escape_to(m->mailbox_id, sizeof(m->mailbox_id),
		    r->args.data + 1, r->args.len - 2);
}

static void
observe(struct imap_session *s, const struct imap_reply *r)
{
	struct imap_selected *m = &s->selected;
	/* RFC 7162 3.2.11: what follows is of the next mailbox. */
	if (r->kind == IMAP_STATUS && imap_text_is(&r->code, "CLOSED"))
		*m = (struct imap_selected){ 0 };
	if (r->kind == IMAP_STATUS && imap_text_is(&r->code, "MESSAGELIMIT"))
		m->cut = true;
	if ((r->kind == IMAP_STATUS || r->kind == IMAP_TAGGED) &&
	    r->status == IMAP_OK && imap_text_is(&r->code, "CAPABILITY"))
		imap_setup_capabilities(s, r->args.data, r->args.len);
	/* RFC 4315, 3 shows it in an untagged NO. */
	if (r->kind == IMAP_STATUS && imap_text_is(&r->code, "UIDNOTSTICKY"))
		m->uid_not_sticky = true;
	if (r->kind == IMAP_STATUS && r->status == IMAP_OK)
		observe_code(m, r);
	else if (r->kind == IMAP_DATA && imap_text_is(&r->name, "CAPABILITY"))
		imap_setup_capabilities(
		    s, r->rest.at, (size_t)(r->rest.end - r->rest.at));
	else if (r->kind == IMAP_DATA && imap_text_is(&r->name, "VANISHED"))
		observe_vanished(m, r->rest);
	else if (r->kind != IMAP_NUMBERED)
		return;
	else if (imap_text_is(&r->name, "EXISTS"))
		m->exists = r->number;
	else if (imap_text_is(&r->name, "EXPUNGE")) {
		m->expunged++;
		if (m->exists > 0)
			m->exists--;
	}
}

unsigned
imap_session_tag(const struct imap_session *s, const struct imap_text *tag)
{
	size_t head = strlen(s->tag_head);
	uint64_t number;
	if (tag->len <= head || memcmp(tag->data, s->tag_head, head) != 0 ||
	    !text_parse_u64(tag->data + head, tag->len - head, &number) ||
	    number == 0 || number > s->tag_last)
		return 0;

	return (unsigned)number;
}

static bool
unexpected(struct imap_session *s, const struct imap_reply *r, struct err *err)
{
	uint64_t most =
	    s->phase == IMAP_GREETED ? IMAP_EARLY_JUNK_MAX : IMAP_JUNK_MAX;
	if (++s->lines > most) {
		err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s sent more than %llu lines without ending a "
		    "command",
		    s->where, (unsigned long long)most);
		return true;
	}
	if (r->kind == IMAP_TAGGED && imap_session_tag(s, &r->tag) == 0) {
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s answered a command that was never sent", s->where);
		imap_words_of_line(s, err);
		return true;
	}
	if (r->kind == IMAP_STATUS && r->status == IMAP_BYE) {
		imap_codes_bye(err, r, s->where);
		return true;
	}

	return false;
}

bool
imap_session_read_one(
    struct imap_session *s, struct imap_reply *r, struct err *err)
{
	if (dead(s, err))
		return false;
	if (!imap_frame_read(&s->frame, err))
		return imap_session_die(s, err);
	imap_reply_parse(r, &s->frame);
	imap_words_take(s, r);
	imap_words_alert(s, r);
	if (unexpected(s, r, err))
		return imap_session_die(s, err);
	if (r->kind == IMAP_TAGGED)
		s->lines = 0;
	observe(s, r);

	return true;
}

bool
imap_session_read(struct imap_session *s, struct imap_reply *r, struct err *err)
{
	do {
		if (!imap_session_read_one(s, r, err))
			return false;
	} while (imap_setup_takes(s, r));

	return true;
}

/* --- commands ---------------------------------------------------------- */

unsigned
imap_session_open_command(
    struct imap_session *s, const char *command, size_t len, struct err *err)
{
	char tag[32];
	if (dead(s, err))
		return 0;
	int n =
	    snprintf(tag, sizeof(tag), "%s%u ", s->tag_head, s->tag_last + 1);
	if (!wire_write(s->wire, tag, (size_t)n, err) ||
	    !wire_write(s->wire, command, len, err)) {
		imap_session_die(s, err);
		return 0;
	}

	return ++s->tag_last;
}

unsigned
imap_session_queue(
    struct imap_session *s, const char *command, size_t len, struct err *err)
{
	unsigned tag = imap_session_open_command(s, command, len, err);
	if (tag != 0 && !wire_write(s->wire, "\r\n", 2, err)) {
		imap_session_die(s, err);
		return 0;
	}

	return tag;
}

unsigned
imap_session_send(
    struct imap_session *s, const char *command, size_t len, struct err *err)
{
	unsigned tag = imap_session_queue(s, command, len, err);
	if (tag != 0 && !wire_flush(s->wire, err)) {
		imap_session_die(s, err);
		return 0;
	}

	return tag;
}

static bool
read_to_tag(struct imap_session *s, unsigned tag, imap_each each, void *arg,
    struct imap_reply *done, struct err *err)
{
	for (;;) {
		if (!imap_session_read(s, done, err))
			return false;
		if (done->kind == IMAP_CONTINUE) {
			err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
			    "the %s asks for more where nothing is to come",
			    s->where);
			return imap_session_die(s, err);
		}
		if (done->kind == IMAP_TAGGED) {
			if (imap_session_tag(s, &done->tag) == tag)
				return true;
			err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
			    "the %s answered another command than the last",
			    s->where);
			return imap_session_die(s, err);
		}
		if (each != NULL && !each(arg, done, err))
			return imap_session_die(s, err);
	}
}

bool
imap_session_command(struct imap_session *s, const struct buf *command,
    imap_each each, void *arg, struct imap_reply *done, struct err *err)
{
	unsigned tag = imap_session_send(s, command->data, command->len, err);

	return tag != 0 && read_to_tag(s, tag, each, arg, done, err);
}

bool
imap_session_ask(struct imap_session *s, const char *command, imap_each each,
    void *arg, struct imap_reply *done, struct err *err)
{
	struct buf text = { 0 };
	buf_str(&text, command);
	bool good = imap_session_command(s, &text, each, arg, done, err);
	buf_free(&text);

	return good;
}

bool
imap_session_await_continue(struct imap_session *s, struct err *err)
{
	struct imap_reply r;
	for (;;) {
		if (!imap_session_read(s, &r, err))
			return false;
		if (r.kind == IMAP_CONTINUE)
			return true;
		if (r.kind == IMAP_TAGGED)
			return imap_codes_refused_by(
			    err, s->where, &r, "a literal");
	}
}

/* --- beginning --------------------------------------------------------- */

static bool
no_preauth(const struct imap_session *s, struct err *err)
{
	if (!wire_is_tls(s->wire))
		return err_set(err, ERR_ACCOUNT, ERR_TLS,
		    "the %s says that we are logged in already (PREAUTH) "
		    "before the connection is encrypted",
		    s->where);

	return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s says that we are logged in already (PREAUTH), as nobody "
	    "knows whom",
	    s->where);
}

/* RFC 9051 7.1: the greeting is OK, PREAUTH or BYE. */
static bool
read_greeting(struct imap_session *s, bool *preauth, struct err *err)
{
	struct imap_reply r = { 0 };
	if (!imap_session_read(s, &r, err))
		return false;
	*preauth = false;
	if (r.kind == IMAP_STATUS && r.status == IMAP_OK)
		return true;
	if (r.kind == IMAP_STATUS && r.status == IMAP_PREAUTH) {
		*preauth = true;
		if (wire_is_tls(s->wire) && s->options->allow_preauth)
			return true;
		no_preauth(s, err);
	} else {
		err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s does not greet as an IMAP server does", s->where);
	}

	return imap_words_of_line(s, err);
}

/*
 * RFC 9051 6.2.1.  Not even its capabilities are asked before: whatever came
 * in clear could be anybody's.  Octets behind the tagged line are refused by
 * wire_start_tls.
 */
static bool
start_tls(struct imap_session *s, struct err *err)
{
	struct imap_reply done;
	if (!imap_session_ask(s, "STARTTLS", NULL, NULL, &done, err))
		return false;
	if (done.status != IMAP_OK) {
		err_set(err, ERR_ACCOUNT, ERR_TLS,
		    "the %s refuses STARTTLS; nothing was sent in clear",
		    s->where);
		err_words(err, done.said.data, done.said.len);
		return err_hint(
		    err, "Try imaps:// (port 993) if the server has it.");
	}
	s->selected = (struct imap_selected){ 0 };
	free(s->capabilities);
	s->capabilities = NULL;

	return wire_start_tls(s->wire, err);
}

/* Random, so that a body that a confused server leaves lying about as lines
 * cannot hold a reply to one of our commands. */
static void
choose_tags(struct imap_session *s)
{
	unsigned char noise[4] = { 0 };
	if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
		log_add(LOG_DEBUG, "no random octets for IMAP tags");
	for (size_t i = 0; i < sizeof(noise); i++)
		s->tag_head[i] = (char)('A' + noise[i] % 26);
}

/* A greeting may tell capabilities (RFC 9051 7.1), but not all tell there how
 * one can log in. */
static bool
knows_mechanisms(const struct imap_session *s)
{
	return s->capabilities != NULL &&
	       strstr(s->capabilities, " AUTH=") != NULL;
}

static bool
log_in(struct imap_session *s, struct err *err)
{
	if (!knows_mechanisms(s) && !imap_session_ask_capabilities(s, err))
		return false;
	/* Nothing of what was said before the login counts after it. */
	s->told = false;
	bool good = imap_auth_login(s, err);
	if (!good && err->transient && err->code != ERR_THROTTLE)
		err->stage = ERR_STAGE_LOGIN;
	if (good && !s->told) {
		free(s->capabilities);
		s->capabilities = NULL;
	}

	return good;
}

static bool
begin(struct imap_session *s, struct err *err)
{
	bool preauth;
	if (!read_greeting(s, &preauth, err))
		return false;
	if (s->options->wire.tls == WIRE_TLS_STARTTLS && !start_tls(s, err))
		return false;
	s->facts.tls = wire_tls_info(s->wire);
	if (preauth)
		snprintf(
		    s->facts.mechanism, sizeof(s->facts.mechanism), "PREAUTH");
	else if (!log_in(s, err))
		return false;
	s->phase = IMAP_READY;
	s->frame.line_max = IMAP_LINE_MAX;
	if (s->capabilities == NULL && !imap_session_ask_capabilities(s, err))
		return false;
	imap_setup_warn(s);

	return imap_setup_compress(s, err) && imap_setup_say(s, err);
}

bool
imap_session_new(
    struct imap_session **out, const struct imap_options *o, struct err *err)
{
	struct wire *wire;
	if (!wire_dial(&wire, &o->wire, err))
		return false;
	struct imap_session *s = mem_new(sizeof(*s));
	s->options = o;
	s->wire = wire;
	snprintf(s->where, sizeof(s->where), "%s %s:%u", o->wire.side,
	    o->wire.host, o->wire.port);
	imap_frame_init(&s->frame, (struct imap_input){ .arg = wire,
				       .peek = wire_input_peek,
				       .take = wire_input_take });
	s->frame.line_max = IMAP_EARLY_LINE_MAX;
	choose_tags(s);
	if (!begin(s, err)) {
		imap_session_close(&s, false);
		return false;
	}
	*out = s;

	return true;
}

/* --- end --------------------------------------------------------------- */

/*
 * Nobody waits for the answer: nothing hangs on it, as nothing was written,
 * and the server reads the command before it sees the end of the connection.
 */
static void
log_octets(const struct imap_session *s)
{
	const struct wire_counters *c = wire_counters(s->wire);
	if (s->facts.compressed)
		log_add(LOG_INFO,
		    "the %s sent %llu octets as %llu, and was sent %llu as "
		    "%llu",
		    s->where, (unsigned long long)c->octets_in,
		    (unsigned long long)c->carried_in,
		    (unsigned long long)c->octets_out,
		    (unsigned long long)c->carried_out);
}

static void
log_out(struct imap_session *s)
{
	struct err err;
	s->phase = IMAP_LEAVING;
	imap_session_send(s, "LOGOUT", 6, &err);
}

void
imap_session_close(struct imap_session **session, bool polite)
{
	struct imap_session *s = *session;
	if (s == NULL)
		return;
	if (polite && !s->dead && s->phase == IMAP_READY)
		log_out(s);
	log_octets(s);
	imap_frame_free(&s->frame);
	buf_free(&s->said);
	imap_setup_free(s);
	wire_close(&s->wire);
	free(s);
	*session = NULL;
}
