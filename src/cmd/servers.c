/* Servers as ends of a copy: ports.h. */
#include "ports.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

static const struct side_options *
side_of(const struct server_port *p, const struct options *o)
{
	return p->is_target ? &o->target : &o->source;
}

/* "source", "target": as in the options' names. */
static const char *
word_of(const struct server_port *p)
{
	return p->is_target ? "target" : "source";
}

static bool
read_connect(struct server_port *p, const char *text, struct err *err)
{
	if (text == NULL)
		return true;
	const char *colon = strrchr(text, ':');
	uint64_t port = 0;
	size_t host = strlen(text);
	/* More than one colon and no bracket: an IPv6 address alone. */
	bool has_port =
	    colon != NULL && (strchr(text, ':') == colon || colon[-1] == ']');
	if (has_port) {
		host = (size_t)(colon - text);
		if (!text_parse_u64(colon + 1, strlen(colon + 1), &port) ||
		    port == 0 || port > 65535)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--%s-connect: \"%s\" is not HOST[:PORT]",
			    word_of(p), text);
	}
	bool bracketed = host > 1 && text[0] == '[';
	p->connect_host =
	    bracketed ? mem_strn(text + 1, host - 2) : mem_strn(text, host);
	p->imap.wire.connect_host = p->connect_host;
	p->imap.wire.connect_port = (uint16_t)port;

	return true;
}

static bool
read_namespaces(struct server_port *p, const char *list, struct err *err)
{
	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");
		if (n == 6 && memcmp(list, "shared", n) == 0)
			p->imap.namespace_shared = true;
		else if (n == 5 && memcmp(list, "other", n) == 0)
			p->imap.namespace_other = true;
		else if (n != 8 || memcmp(list, "personal", n) != 0)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--namespaces takes personal, shared, other");
		list += n + (list[n] == ',');
	}

	return true;
}

/* The words are checked by options.c and the config file's keys. */
static enum imap_compress
read_compress(const char *when)
{
	if (when == NULL || strcmp(when, "auto") == 0)
		return IMAP_COMPRESS_AUTO;

	return strcmp(when, "always") == 0 ? IMAP_COMPRESS_ALWAYS
					   : IMAP_COMPRESS_NEVER;
}

static void
read_tls(struct server_port *p, const struct options *o)
{
	const struct side_options *side = side_of(p, o);
	struct wire_options *wire = &p->imap.wire;
	*wire = (struct wire_options){
		.side = p->is_target ? "TARGET" : "SOURCE",
		.host = p->endpoint.host,
		.port = p->endpoint.port,
		.tls = p->endpoint.kind == ENDPOINT_IMAPS ? WIRE_TLS_IMPLICIT
							  : WIRE_TLS_STARTTLS,
		.allow_plaintext = o->allow_plaintext,
		.ca_file = o->ca_file,
		.ca_file_side = side->ca_file,
		.pin = side->tls_pin,
		.cert_file = side->cert,
		.key_file = side->key,
		.timeout_ms = (int)o->timeout * 1000,
		.connect_timeout_ms =
		    o->timeout < 30 ? (int)o->timeout * 1000 : 0,
	};
	if (side->tls != NULL)
		wire->tls = WIRE_TLS_NONE;
}

static bool
check_server(const struct server_port *p, const struct options *o,
    const char *url, struct err *err)
{
	enum endpoint_kind kind = p->endpoint.kind;
	if (kind != ENDPOINT_IMAP && kind != ENDPOINT_IMAPS) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s can't be a %s in this version", url, word_of(p));
		return err_hint(err,
		    "A %s is imaps://USER@HOST[:PORT]/ or imap://… "
		    "(STARTTLS).",
		    word_of(p));
	}
	if (p->endpoint.user == NULL) {
		err_set(err, ERR_RUN, ERR_USAGE, "%s names no user", url);
		return err_hint(
		    err, "Write imaps://USER@%s/", p->endpoint.host);
	}
	if (side_of(p, o)->tls != NULL && kind == ENDPOINT_IMAPS)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--%s-tls=plaintext goes with imap://, not imaps://",
		    word_of(p));

	return true;
}

static void
describe_check(struct server_port *p, const struct options *o)
{
	buf_str(&p->check, "check");
	if (p->is_target)
		options_again_target(&p->check, o);
	else
		options_again(&p->check, o, IN_CHECK, true);
	buf_char(&p->check, ' ');
	text_shell(&p->check, p->text.data);
	p->is_checked = o->command->bit == IN_CHECK;
}

static bool
open_port(struct server_port *p, bool is_target, const struct options *o,
    const char *url, struct err *err)
{
	*p = (struct server_port){ .is_target = is_target };
	const struct side_options *side = side_of(p, o);
	if (!endpoint_parse(&p->endpoint, url, err) ||
	    !check_server(p, o, url, err))
		return false;
	endpoint_text(&p->text, &p->endpoint);
	describe_check(p, o);
	read_tls(p, o);
	p->imap.user = p->endpoint.user;
	p->imap.authzid = side->authzid;
	p->imap.secret = &p->secret;
	p->imap.auth = side->auth;
	p->imap.only_mailbox = p->endpoint.mailbox;
	p->imap.allow_preauth = o->allow_preauth;
	p->imap.compress = read_compress(side->compress);
	p->imap.window_messages = (uint32_t)o->window;

	return read_connect(p, side->connect, err);
}

bool
server_port_ask(struct server_port *p, const struct options *o, struct err *err)
{
	const struct side_options *side = side_of(p, o);
	char *prompt =
	    mem_fmt("Password of the %s %s: ", p->imap.wire.side, p->text.data);
	struct secret_from from = {
		.file = side->password_file,
		.command = side->password_command,
		.variable = p->is_target ? "MAILHAUL_TARGET_PASSWORD"
					 : "MAILHAUL_SOURCE_PASSWORD",
		.prompt = prompt,
	};
	bool ok = secret_get(&p->secret, &from, word_of(p), err);
	free(prompt);

	return ok;
}

void
server_port_close(struct server_port *p)
{
	endpoint_free(&p->endpoint);
	buf_free(&p->account);
	buf_free(&p->text);
	buf_free(&p->check);
	secret_free(&p->secret);
	free(p->connect_host);
	p->connect_host = NULL;
}

bool
server_is_meant(const char *arg)
{
	return strncasecmp(arg, "imaps:", 6) == 0 ||
	       strncasecmp(arg, "imap:", 5) == 0;
}

/* ---- logins ---- */

/* Both sides log in before any work, the source first. */
const char *
server_port_so_far(const struct server_port *p)
{
	static const char nothing[] = "Nothing was read or written.";
	if (p->other == NULL)
		return nothing;

	return p->is_target ? "The source accepted its login. Nothing was read "
			      "or written."
			    : "The target was not asked. Nothing was read or "
			      "written.";
}

static bool
add_origin(const struct server_port *p, struct err *err)
{
	err_hint(err, "password from: %s", p->secret.origin);
	err_hint(err, "%s%sNot tried again, to avoid a lockout.",
	    p->connected ? "" : server_port_so_far(p), p->connected ? "" : " ");
	if (!p->is_checked)
		err_hint(err, "Then: mailhaul %s", p->check.data);

	return false;
}

/* A password that nobody has confirmed yet may be a wrong one, and some
 * servers answer that by hanging up. */
static bool
not_twice(const struct server_port *p, struct err *err)
{
	err->transient = false;
	err_hint(err,
	    "The password had been sent, and no answer came: it may be wrong.");

	return add_origin(p, err);
}

static bool
is_in(struct server_port *p, bool connected, struct err *err)
{
	if (connected) {
		p->connected = true;
		return true;
	}
	if (err->stage == ERR_STAGE_LOGIN && !p->connected)
		return not_twice(p, err);

	return err->code == ERR_LOGIN ? add_origin(p, err) : false;
}

/* ---- the source ---- */

bool
source_port_read(struct server_port *p, const struct options *o,
    const char *url, struct err *err)
{
	if (!open_port(p, false, o, url, err))
		return false;
	if (o->account != NULL)
		buf_str(&p->account, o->account);
	else
		endpoint_account(&p->account, &p->endpoint);

	return read_namespaces(p, o->namespaces, err);
}

bool
source_port_open(struct server_port *p, const struct options *o,
    const char *url, struct err *err)
{
	return source_port_read(p, o, url, err) && server_port_ask(p, o, err);
}

bool
source_port_open_from(struct server_port *p, const struct options *o,
    const char *url, const struct secret_from *from, struct err *err)
{
	return source_port_read(p, o, url, err) &&
	       secret_get(&p->secret, from, "source", err);
}

bool
source_port_connect(void *arg, struct source *source, struct err *err)
{
	struct server_port *p = arg;

	return is_in(p, imap_source_new(source, &p->imap, err), err);
}

/* ---- the target ---- */

static bool
has_usual_port(const struct endpoint *e)
{
	return e->port == (e->kind == ENDPOINT_IMAPS ? 993 : 143);
}

/* As far as the URLs tell: the usual ports are one server's. */
static bool
is_same(const struct endpoint *a, const struct endpoint *b)
{
	struct buf x = { 0 }, y = { 0 };
	endpoint_account(&x, a);
	endpoint_account(&y, b);
	bool same =
	    strcmp(a->host, b->host) == 0 && strcmp(x.data, y.data) == 0 &&
	    (a->port == b->port || (has_usual_port(a) && has_usual_port(b)));
	buf_free(&x);
	buf_free(&y);

	return same;
}

static bool
check_pair(const struct target_port *p, const struct server_port *source,
    struct err *err)
{
	if (p->server.endpoint.mailbox != NULL) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: a target is an account, not one mailbox",
		    p->server.text.data);
		return err_hint(err,
		    "--into PREFIX puts all mailboxes below one; --map FROM=TO "
		    "says where each goes.");
	}
	if (!is_same(&p->server.endpoint, &source->endpoint))
		return true;
	err_set(err, ERR_RUN, ERR_USAGE,
	    "the same mailbox at both ends: SOURCE %s, TARGET %s",
	    source->text.data, p->server.text.data);

	return err_hint(
	    err, "Each run would copy what the last one has copied.");
}

void
target_port_account(
    struct buf *out, const struct endpoint *target, const char *source)
{
	endpoint_account(out, target);
	if (strcmp(out->data, source) == 0)
		buf_fmt(out, ":%u", (unsigned)target->port);
}

/* options_parse has seen to the '='. */
static void
read_maps(struct target_port *p, const struct options *o)
{
	size_t n = o->map.n;
	p->rule_count = n;
	p->rules = mem_array(n + 1, sizeof(*p->rules));
	p->names = mem_array(n + 1, sizeof(*p->names));
	for (size_t i = 0; i < n; i++) {
		const char *to = strchr(o->map.items[i], '=');
		p->names[i] =
		    mem_strn(o->map.items[i], (size_t)(to - o->map.items[i]));
		p->rules[i] =
		    (struct place_rule){ .from = p->names[i], .to = to + 1 };
	}
}

bool
target_port_read(struct target_port *p, const struct options *o,
    const char *url, struct server_port *source, struct err *err)
{
	*p = (struct target_port){ 0 };
	if (!open_port(&p->server, true, o, url, err) ||
	    !check_pair(p, source, err))
		return false;
	target_port_account(
	    &p->server.account, &p->server.endpoint, source->account.data);
	read_maps(p, o);
	p->imap = (struct imap_target_options){
		.imap = p->server.imap,
		.place = { .rules = p->rules,
		    .rule_count = p->rule_count,
		    .into = o->into },
		.assume_empty = o->assume_empty,
	};
	p->server.other = source;
	source->other = &p->server;

	return true;
}

bool
target_port_connect(void *arg, struct target *target, struct err *err)
{
	struct target_port *p = arg;

	return is_in(&p->server, imap_target_new(target, &p->imap, err), err);
}

void
target_port_close(struct target_port *p)
{
	server_port_close(&p->server);
	for (size_t i = 0; i < p->rule_count; i++)
		free(p->names[i]);
	free(p->names);
	free(p->rules);
	*p = (struct target_port){ 0 };
}
