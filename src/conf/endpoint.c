#include "conf/endpoint.h"

#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 253 };

static const struct {
	const char *scheme;
	enum endpoint_kind kind;
	uint16_t port; /* 0: a path follows */
} schemes[] = {
	{ "imaps", ENDPOINT_IMAPS, 993 },
	{ "imap", ENDPOINT_IMAP, 143 },
	{ "archive", ENDPOINT_ARCHIVE, 0 },
	{ "maildir", ENDPOINT_MAILDIR, 0 },
};

enum { SCHEME_COUNT = sizeof(schemes) / sizeof(schemes[0]) };

static const char *const later[] = { "pop3s", "pop3", "mbox", "eml", "takeout",
	"pst" };

static const char forms[] =
    "Known: imaps://USER@HOST[:PORT]/[MAILBOX], imap://… (STARTTLS), "
    "archive:DIR, maildir:DIR, or the path of an archive.";

/*
 * No text here repeats what was given: a URL may hold a password, also where
 * it is not well-formed.
 */
static bool
usage(struct err *err, const char *text)
{
	return err_set(err, ERR_RUN, ERR_USAGE, "%s", text);
}

static bool
refuse_password(struct err *err)
{
	usage(err, "a password in the URL is refused: other users can read "
		   "command lines");
	return err_hint(err,
	    "Give it by --source-password-file FILE, "
	    "--source-password-command COMMAND or the variable "
	    "MAILHAUL_SOURCE_PASSWORD (--target-… and MAILHAUL_TARGET_PASSWORD "
	    "for the target), or type it when asked.\nA ':' that is "
	    "part of the user is written %%3A.");
}

static bool
has_controls(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return true;

	return false;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;

	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded into *out, which is then UTF-8 without controls. */
static bool
decode(
    char **out, const char *text, size_t len, const char *what, struct err *err)
{
	char *plain = mem_new(len + 1);
	size_t n = 0;
	bool ok = true;

	for (size_t i = 0; i < len && ok; i++) {
		char c = text[i];
		if (c == '%') {
			ok = len - i > 2 && hex_digit(text[i + 1]) >= 0 &&
			     hex_digit(text[i + 2]) >= 0;
			if (!ok)
				break;
			c = (char)(hex_digit(text[i + 1]) << 4 |
				   hex_digit(text[i + 2]));
			i += 2;
		}
		plain[n++] = c;
	}
	if (!ok)
		err_set(err, ERR_RUN, ERR_USAGE,
		    "a '%%' in the %s of a URL is written %%25", what);
	else if (has_controls(plain, n) || !text_is_utf8(plain, n))
		ok = err_set(err, ERR_RUN, ERR_USAGE,
		    "the %s in the URL holds control characters or isn't UTF-8",
		    what);
	if (ok)
		*out = plain;
	else
		free(plain);

	return ok;
}

static bool
parse_user(struct endpoint *e, const char *text, size_t len, struct err *err)
{
	if (len == 0)
		return usage(err, "the URL names no user before its '@'");
	if (memchr(text, ':', len) != NULL)
		return refuse_password(err);

	return decode(&e->user, text, len, "user", err);
}

static bool
parse_port(struct endpoint *e, const char *text, size_t len, struct err *err)
{
	uint64_t port;

	if (!text_parse_u64(text, len, &port) || port < 1 || port > 65535)
		return usage(
		    err, "the port in the URL is no number from 1 to 65535");
	e->port = (uint16_t)port;

	return true;
}

static bool
is_host_name(const char *host, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-._";

	return len > 0 && len <= HOST_MAX && host[0] != '.' && host[0] != '-' &&
	       strstr(host, "..") == NULL && strspn(host, letters) == len;
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

static bool
parse_host(struct endpoint *e, const char *text, size_t len, struct err *err)
{
	if (len > 0 && text[len - 1] == '.')
		len--; /* the root; no certificate names it */
	e->host = mem_strn(text, len);
	lower(e->host);
	if (is_host_name(e->host, len))
		return true;

	return usage(err,
	    len == 0 ? "the URL names no host"
		     : "the host in the URL is no host name (write an "
		       "international name in its xn-- form, an IPv6 address "
		       "in brackets)");
}

static bool
parse_address(struct endpoint *e, const char *text, size_t len, struct err *err)
{
	struct in6_addr address;

	e->host = mem_strn(text, len);
	lower(e->host);
	if (strlen(e->host) == len &&
	    inet_pton(AF_INET6, e->host, &address) == 1)
		return true;

	return usage(err, "the text in brackets is no IPv6 address");
}

static bool
parse_host_port(
    struct endpoint *e, const char *text, size_t len, struct err *err)
{
	const char *end = text + len, *colon;

	if (len > 0 && text[0] == '[') {
		const char *close = memchr(text, ']', len);
		if (close == NULL)
			return usage(err, "the URL's '[' lacks its ']'");
		if (!parse_address(
			e, text + 1, (size_t)(close - text) - 1, err))
			return false;
		colon = close + 1;
		if (colon < end && *colon != ':')
			return usage(err, "only a port may follow the ']'");
	} else {
		colon = memchr(text, ':', len);
		if (colon == NULL)
			colon = end;
		if (!parse_host(e, text, (size_t)(colon - text), err))
			return false;
	}

	return colon == end ||
	       parse_port(e, colon + 1, (size_t)(end - colon) - 1, err);
}

static bool
parse_mailbox(struct endpoint *e, const char *text, struct err *err)
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '/')
		len--;

	return len == 0 || decode(&e->mailbox, text, len, "mailbox", err);
}

/* rest: behind "imaps:". */
static bool
parse_imap(struct endpoint *e, const char *rest, struct err *err)
{
	if (strncmp(rest, "//", 2) != 0)
		return usage(err, "imap:, imaps: are followed by //USER@HOST/");
	rest += 2;
	/* A password may hold '/': look at all of the text, not only at what
	 * would be the authority. */
	const char *slash = strchrnul(rest, '/');
	const char *colon = memchr(rest, ':', (size_t)(slash - rest));
	const char *at = memrchr(rest, '@', (size_t)(slash - rest));
	if (at == NULL && colon != NULL && rest[0] != '[' &&
	    strchr(slash, '@') != NULL &&
	    strspn(colon + 1, "0123456789") != (size_t)(slash - colon) - 1)
		return refuse_password(err);
	const char *host = rest;
	if (at != NULL) {
		if (!parse_user(e, rest, (size_t)(at - rest), err))
			return false;
		host = at + 1;
	}

	return parse_host_port(e, host, (size_t)(slash - host), err) &&
	       (*slash == '\0' || parse_mailbox(e, slash + 1, err));
}

static bool
parse_path(struct endpoint *e, const char *path, struct err *err)
{
	if (path[0] == '\0')
		return usage(err, "the endpoint names no folder");
	if (strncmp(path, "//", 2) == 0)
		return usage(err,
		    "a folder is written archive:DIR or maildir:DIR, "
		    "without //");
	e->path = mem_str(path);

	return true;
}

/* Length of "imaps" in "imaps:…"; 0 if the text doesn't begin so. */
static size_t
scheme_length(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+-.";
	size_t len = strspn(text, letters);

	return text[len] == ':' && text[0] != '.' && text[0] != '-' ? len : 0;
}

static bool
is_scheme(const char *text, size_t len, const char *scheme)
{
	return strlen(scheme) == len && strncasecmp(text, scheme, len) == 0;
}

static bool
refuse_scheme(const char *text, size_t len, struct err *err)
{
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (is_scheme(text, len, later[i])) {
			err_set(err, ERR_RUN, ERR_USAGE,
			    "%s: is not supported by this version", later[i]);
			return err_hint(err, "%s", forms);
		}
	/* Before an '@' it may be a user, and a password follow. */
	if (strchr(text, '@') != NULL)
		usage(err, "the endpoint begins with no known scheme");
	else
		err_set(err, ERR_RUN, ERR_USAGE, "unknown scheme \"%.*s:\"",
		    (int)(len < 40 ? len : 40), text);

	return err_hint(
	    err, "%s A path that holds ':' is written ./PATH.", forms);
}

static bool
parse(struct endpoint *e, const char *text, struct err *err)
{
	size_t len = scheme_length(text);

	if (has_controls(text, strlen(text)))
		return usage(err, "an endpoint can't hold control characters");
	if (len == 0) {
		e->kind = ENDPOINT_ARCHIVE;
		if (text[0] == '\0')
			return usage(err, "the endpoint is empty");
		e->path = mem_str(text);
		return true;
	}
	for (size_t i = 0; i < SCHEME_COUNT; i++) {
		if (!is_scheme(text, len, schemes[i].scheme))
			continue;
		e->kind = schemes[i].kind;
		e->port = schemes[i].port;
		return e->port != 0 ? parse_imap(e, text + len + 1, err)
				    : parse_path(e, text + len + 1, err);
	}

	return refuse_scheme(text, len, err);
}

bool
endpoint_parse(struct endpoint *e, const char *text, struct err *err)
{
	*e = (struct endpoint){ 0 };
	if (parse(e, text, err))
		return true;
	endpoint_free(e);

	return false;
}

void
endpoint_free(struct endpoint *e)
{
	free(e->user);
	free(e->host);
	free(e->mailbox);
	free(e->path);
	*e = (struct endpoint){ 0 };
}

static void
encode(struct buf *out, const char *text, const char *also)
{
	for (; *text != '\0'; text++) {
		if (*text == '%' || *text == ' ' || strchr(also, *text) != NULL)
			buf_fmt(out, "%%%02X", (unsigned char)*text);
		else
			buf_char(out, *text);
	}
}

void
endpoint_text(struct buf *out, const struct endpoint *e)
{
	size_t i = 0;

	while (i < SCHEME_COUNT - 1 && schemes[i].kind != e->kind)
		i++;
	if (schemes[i].port == 0) {
		buf_fmt(out, "%s:%s", schemes[i].scheme, e->path);
		return;
	}
	buf_fmt(out, "%s://", schemes[i].scheme);
	if (e->user != NULL) {
		encode(out, e->user, ":/");
		buf_char(out, '@');
	}
	bool address = strchr(e->host, ':') != NULL;
	buf_fmt(out, address ? "[%s]" : "%s", e->host);
	if (e->port != schemes[i].port)
		buf_fmt(out, ":%u", (unsigned)e->port);
	buf_char(out, '/');
	if (e->mailbox != NULL)
		encode(out, e->mailbox, "");
}

void
endpoint_account(struct buf *out, const struct endpoint *e)
{
	const char *host = e->host != NULL ? e->host : "";
	char *user = mem_str(e->user != NULL ? e->user : "");
	size_t user_len = strlen(user), host_len = strlen(host);

	lower(user);
	bool whole = user_len > host_len &&
		     user[user_len - host_len - 1] == '@' &&
		     strcmp(user + user_len - host_len, host) == 0;
	buf_str(out, user);
	if (!whole && host_len > 0) {
		if (user_len > 0)
			buf_char(out, '@');
		buf_str(out, host);
	}
	buf_add(out, "", 0);
	free(user);
}
