#include "imap/setup.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "imap/codes.h"
#include "imap/names.h"
#include "imap/words.h"
#include "mail/name.h"

static void
show(const struct imap_session *s, char *out, size_t size, const char *text,
    size_t len)
{
	struct buf said = { 0 };
	imap_words_hide(&said, s->options, text, len);
	text_escape_to(out, size, said.data, said.len);
	buf_free(&said);
}

/* --- capabilities ------------------------------------------------------ */

void
imap_setup_capabilities(struct imap_session *s, const char *text, size_t len)
{
	free(s->capabilities);
	s->told = true;
	s->capabilities = mem_fmt(" %.*s ", (int)len, text);
	for (char *p = s->capabilities; *p != 0; p++)
		*p = (char)toupper((unsigned char)*p);
	show(s, s->facts.capabilities, sizeof(s->facts.capabilities),
	    s->capabilities + 1, strlen(s->capabilities + 1));
}

bool
imap_session_ask_capabilities(struct imap_session *s, struct err *err)
{
	struct imap_reply done;
	free(s->capabilities);
	s->capabilities = NULL;
	if (!imap_session_ask(s, "CAPABILITY", NULL, NULL, &done, err))
		return false;
	if (done.status != IMAP_OK) {
		imap_codes_refused_by(err, s->where, &done, "CAPABILITY");
		/* There is nothing to refuse: each server says it. */
		if (err->code == ERR_REFUSED)
			err->code = ERR_PROTOCOL;
		return false;
	}
	if (s->capabilities == NULL)
		imap_setup_capabilities(s, "", 0);

	return true;
}

/* The capability, or with prefix the rest of the first that starts so. */
static const char *
find_capability(const struct imap_session *s, const char *name, bool prefix)
{
	size_t n = strlen(name);
	const char *at = s->capabilities;
	while (at != NULL && (at = strstr(at, name)) != NULL) {
		if (at > s->capabilities && at[-1] == ' ' &&
		    (prefix || at[n] == ' ' || at[n] == 0))
			return at + n;
		at += n;
	}

	return NULL;
}

bool
imap_session_can(const struct imap_session *s, const char *capability)
{
	return find_capability(s, capability, false) != NULL;
}

bool
imap_session_number(
    const struct imap_session *s, const char *prefix, uint64_t *n)
{
	const char *digits = find_capability(s, prefix, true);
	struct imap_text text = { digits, digits != NULL ? strlen(digits) : 0 };

	return digits != NULL && imap_text_number(&text, n);
}

uint32_t
imap_session_message_limit(const struct imap_session *s)
{
	uint64_t n;
	if (!imap_session_number(s, "MESSAGELIMIT=", &n) || n == 0 ||
	    n > UINT32_MAX)
		return UINT32_MAX;

	return (uint32_t)n;
}

bool
imap_session_was_cut(struct imap_session *s, const struct imap_reply *r)
{
	bool cut = s->selected.cut || imap_text_is(&r->code, "MESSAGELIMIT");
	s->selected.cut = false;

	return cut;
}

/* --- ID (RFC 2971) ----------------------------------------------------- */

/* * ID ("name" "Dovecot" "version" NIL) */
static void
take_id(struct imap_session *s, struct imap_tokens t)
{
	struct buf text = { 0 };
	struct imap_token token = imap_token_next(&t);
	while (token.kind != IMAP_END && token.kind != IMAP_GARBAGE) {
		token = imap_token_next(&t);
		if (text.len > 0 &&
		    (token.kind == IMAP_STRING || token.kind == IMAP_ATOM))
			buf_char(&text, ' ');
		imap_token_text(&text, &token);
	}
	show(s, s->facts.server_id, sizeof(s->facts.server_id),
	    text.data != NULL ? text.data : "", text.len);
	buf_free(&text);
}

/* --- ENABLE (RFC 5161) ------------------------------------------------- */

/* * ENABLED QRESYNC UTF8=ACCEPT */
static void
take_enabled(struct imap_session *s, struct imap_tokens t)
{
	for (struct imap_token token = imap_token_next(&t);
	     token.kind == IMAP_ATOM; token = imap_token_next(&t)) {
		if (imap_token_is(&token, "QRESYNC"))
			s->qresync = s->condstore = true;
		if (imap_token_is(&token, "CONDSTORE"))
			s->condstore = true;
		if (imap_token_is(&token, "UTF8=ACCEPT"))
			s->utf8 = true;
	}
}

/*
 * UTF8=ACCEPT, or a server may show substitutes of mail with UTF-8 in its
 * header (RFC 6857).  Never UIDONLY: it takes message numbers away.
 */
static void
add_enable(const struct imap_session *s, struct buf *line)
{
	if (!imap_session_can(s, "ENABLE") && !imap_session_can(s, "IMAP4REV2"))
		return;
	if (imap_session_can(s, "QRESYNC"))
		buf_str(line, " QRESYNC");
	else if (imap_session_can(s, "CONDSTORE"))
		buf_str(line, " CONDSTORE");
	if (imap_session_can(s, "UTF8=ACCEPT") ||
	    imap_session_can(s, "UTF8=ONLY"))
		buf_str(line, " UTF8=ACCEPT");
}

/* --- NAMESPACE (RFC 2342) ---------------------------------------------- */

static void
add_prefix(struct imap_session *s, enum imap_space space, struct buf *name)
{
	enum { PREFIXES_MAX = 1000 };
	if (name->len == 0 || !name_is_safe(name->data, name->len) ||
	    s->prefix_count == PREFIXES_MAX)
		return;
	s->prefixes =
	    mem_grow(s->prefixes, s->prefix_count + 1, sizeof(*s->prefixes));
	s->prefixes[s->prefix_count++] =
	    (struct imap_prefix){ space, mem_strn(name->data, name->len) };
}

static bool
read_space(struct imap_session *s, enum imap_space space, struct imap_tokens *t)
{
	struct imap_token token = imap_token_next(t);
	if (token.kind != IMAP_OPEN)
		return imap_token_nil(&token);
	for (token = imap_token_next(t); token.kind == IMAP_OPEN;
	     token = imap_token_next(t)) {
		struct buf name = { 0 };
		token = imap_token_next(t);
		if (imap_name_read(s, &token, &name))
			add_prefix(s, space, &name);
		buf_free(&name);
		if (!imap_token_skip_list(t))
			return false;
	}

	return token.kind == IMAP_CLOSE;
}

static void
take_namespace(struct imap_session *s, struct imap_tokens t)
{
	for (int i = 0; i < IMAP_SPACES; i++)
		if (!read_space(s, (enum imap_space)i, &t))
			break;
}

/* --- COMPRESS (RFC 4978) ----------------------------------------------- */

static bool
wants_compression(const struct imap_session *s)
{
	enum imap_compress how = s->options->compress;
	bool offered = imap_session_can(s, "COMPRESS=DEFLATE");
	if (how == IMAP_COMPRESS_ALWAYS && !offered)
		log_add(
		    LOG_WARN, "the %s does not offer to compress", s->where);
	/* Nothing is gained where octets don't travel. */
	return offered &&
	       (how == IMAP_COMPRESS_ALWAYS ||
		   (how == IMAP_COMPRESS_AUTO && !wire_is_loopback(s->wire)));
}

bool
imap_setup_compress(struct imap_session *s, struct err *err)
{
	struct imap_reply done;
	if (!wants_compression(s))
		return true;
	if (!imap_session_ask(s, "COMPRESS DEFLATE", NULL, NULL, &done, err))
		return false;
	if (done.status != IMAP_OK) {
		log_add(s->options->compress == IMAP_COMPRESS_ALWAYS ? LOG_WARN
								     : LOG_INFO,
		    "the %s offers to compress, but refuses it; going on "
		    "without; server: %.*s",
		    s->where, (int)done.said.len, done.said.data);
		return true;
	}
	if (!wire_start_deflate(s->wire, err))
		return imap_session_die(s, err);
	s->facts.compressed = true;
	log_add(LOG_INFO, "the %s compresses (DEFLATE)", s->where);

	return true;
}

/* --- the flight -------------------------------------------------------- */

static const struct {
	const char *name;
	void (*take)(struct imap_session *, struct imap_tokens);
} answers[] = {
	{ "ID", take_id },
	{ "ENABLED", take_enabled },
	{ "NAMESPACE", take_namespace },
};

bool
imap_setup_takes(struct imap_session *s, const struct imap_reply *r)
{
	if (s->setup_last == 0)
		return false;
	if (r->kind == IMAP_TAGGED) {
		unsigned tag = imap_session_tag(s, &r->tag);
		bool ours = tag <= s->setup_last;
		/* A refusal is an answer too: then it is not to be had. */
		if (tag == s->setup_last)
			s->setup_last = 0;
		return ours;
	}
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (r->kind == IMAP_DATA &&
		    imap_text_is(&r->name, answers[i].name)) {
			answers[i].take(s, r->rest);
			return true;
		}

	return false;
}

static bool
say(struct imap_session *s, const char *command, struct err *err)
{
	unsigned tag = imap_session_queue(s, command, strlen(command), err);
	if (tag != 0)
		s->setup_last = tag;

	return tag != 0;
}

bool
imap_setup_say(struct imap_session *s, struct err *err)
{
	struct buf enable = { 0 };
	/* Some servers (163, qq) refuse EXAMINE to clients without a name. */
	bool good = !imap_session_can(s, "ID") ||
		    say(s, "ID (\"name\" \"mailhaul\")", err);
	buf_str(&enable, "ENABLE");
	size_t bare = enable.len;
	/* A writer enables nothing: under UTF8=ACCEPT octets above 127 in a
	 * header section would need another form of APPEND (RFC 6855, 4). */
	if (!s->options->writes)
		add_enable(s, &enable);
	if (good && enable.len > bare)
		good = say(s, enable.data, err);
	buf_free(&enable);

	return good &&
	       (!imap_session_can(s, "NAMESPACE") || say(s, "NAMESPACE", err));
}

bool
imap_session_settle(struct imap_session *s, struct err *err)
{
	struct imap_reply r;
	while (s->setup_last != 0) {
		if (!imap_session_read_one(s, &r, err))
			return false;
		if (imap_setup_takes(s, &r) || r.kind != IMAP_TAGGED)
			continue;
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s answered another command than the last", s->where);
		return imap_session_die(s, err);
	}

	return true;
}

void
imap_setup_free(struct imap_session *s)
{
	for (size_t i = 0; i < s->prefix_count; i++)
		free(s->prefixes[i].name);
	free(s->prefixes);
	free(s->capabilities);
}

/* --- warnings ---------------------------------------------------------- */

/* Hosts that show only a mailbox's newest messages, and who shows all. */
static const struct {
	const char *host, *whole;
	unsigned newest;
} partial[] = {
	{ "imap.mail.yahoo.com", "export.imap.mail.yahoo.com", 10000 },
	{ "imap.aol.com", "export.imap.aol.com", 10000 },
};

void
imap_setup_warn(const struct imap_session *s)
{
	for (size_t i = 0; i < sizeof(partial) / sizeof(partial[0]); i++)
		if (strcasecmp(s->options->wire.host, partial[i].host) == 0)
			log_add(LOG_WARN,
			    "the %s shows only the newest %u messages of a "
			    "mailbox; use %s in the URL to get all of them",
			    s->where, partial[i].newest, partial[i].whole);
}
