#include "ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "runs.h"
#include "search.h"

/* ---- a server ---- */

static bool
read_connect(struct source_port *p, const struct options *o, struct err *err)
{
	if (o->connect == NULL)
		return true;
	const char *colon = strrchr(o->connect, ':');
	uint64_t port = 0;
	size_t host = strlen(o->connect);
	/* More than one colon and no bracket: an IPv6 address alone. */
	bool has_port = colon != NULL &&
			(strchr(o->connect, ':') == colon || colon[-1] == ']');
	if (has_port) {
		host = (size_t)(colon - o->connect);
		if (!text_parse_u64(colon + 1, strlen(colon + 1), &port) ||
		    port == 0 || port > 65535)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--source-connect: \"%s\" is not HOST[:PORT]",
			    o->connect);
	}
	bool bracketed = host > 1 && o->connect[0] == '[';
	p->connect_host = bracketed ? mem_strn(o->connect + 1, host - 2)
				    : mem_strn(o->connect, host);
	p->imap.wire.connect_host = p->connect_host;
	p->imap.wire.connect_port = (uint16_t)port;

	return true;
}

static bool
read_namespaces(struct source_port *p, const char *list, struct err *err)
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
read_tls(struct source_port *p, const struct options *o)
{
	struct wire_options *wire = &p->imap.wire;
	*wire = (struct wire_options){
		.side = "SOURCE",
		.host = p->endpoint.host,
		.port = p->endpoint.port,
		.tls = p->endpoint.kind == ENDPOINT_IMAPS ? WIRE_TLS_IMPLICIT
							  : WIRE_TLS_STARTTLS,
		.allow_plaintext = o->allow_plaintext,
		.ca_file = o->ca_file,
		.ca_file_side = o->ca_file_side,
		.pin = o->tls_pin,
		.cert_file = o->cert,
		.key_file = o->key,
		.timeout_ms = (int)o->timeout * 1000,
		.connect_timeout_ms =
		    o->timeout < 30 ? (int)o->timeout * 1000 : 0,
	};
	if (o->tls != NULL)
		wire->tls = WIRE_TLS_NONE;
}

static bool
check_server(const struct source_port *p, const struct options *o,
    const char *url, struct err *err)
{
	enum endpoint_kind kind = p->endpoint.kind;
	if (kind != ENDPOINT_IMAP && kind != ENDPOINT_IMAPS) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s can't be a source in this version", url);
		return err_hint(err,
		    "A source is imaps://USER@HOST[:PORT]/ or imap://… "
		    "(STARTTLS).");
	}
	if (p->endpoint.user == NULL) {
		err_set(err, ERR_RUN, ERR_USAGE, "%s names no user", url);
		return err_hint(
		    err, "Write imaps://USER@%s/", p->endpoint.host);
	}
	if (o->tls != NULL && kind == ENDPOINT_IMAPS)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--source-tls=plaintext goes with imap://, not imaps://");

	return true;
}

static bool
get_secret(struct source_port *p, const struct options *o, struct err *err)
{
	char *prompt = mem_fmt("Password of the SOURCE %s: ", p->text.data);
	struct secret_from from = {
		.file = o->password_file,
		.command = o->password_command,
		.variable = "MAILHAUL_SOURCE_PASSWORD",
		.prompt = prompt,
	};
	bool ok = secret_get(&p->secret, &from, "source", err);
	free(prompt);

	return ok;
}

static bool
open_port(struct source_port *p, const struct options *o, const char *url,
    struct err *err)
{
	*p = (struct source_port){ 0 };
	if (!endpoint_parse(&p->endpoint, url, err) ||
	    !check_server(p, o, url, err))
		return false;
	endpoint_text(&p->text, &p->endpoint);
	buf_str(&p->check, "check");
	options_again(&p->check, o, IN_CHECK, true);
	buf_char(&p->check, ' ');
	text_shell(&p->check, p->text.data);
	p->is_checked = o->command->bit == IN_CHECK;
	if (o->account != NULL)
		buf_str(&p->account, o->account);
	else
		endpoint_account(&p->account, &p->endpoint);
	read_tls(p, o);
	p->imap.user = p->endpoint.user;
	p->imap.authzid = o->authzid;
	p->imap.secret = &p->secret;
	p->imap.auth = o->auth;
	p->imap.only_mailbox = p->endpoint.mailbox;
	p->imap.allow_preauth = o->allow_preauth;
	p->imap.compress = read_compress(o->compress);
	p->imap.window_messages = (uint32_t)o->window;

	return read_connect(p, o, err) &&
	       read_namespaces(p, o->namespaces, err);
}

bool
source_port_open(struct source_port *p, const struct options *o,
    const char *url, struct err *err)
{
	return open_port(p, o, url, err) && get_secret(p, o, err);
}

bool
source_port_open_from(struct source_port *p, const struct options *o,
    const char *url, const struct secret_from *from, struct err *err)
{
	return open_port(p, o, url, err) &&
	       secret_get(&p->secret, from, "source", err);
}

static bool
add_origin(const struct source_port *p, struct err *err)
{
	err_hint(err, "password from: %s", p->secret.origin);
	err_hint(err, "%sNot tried again, to avoid a lockout.",
	    p->connected ? "" : "Nothing was read or written. ");

	if (!p->is_checked)
		err_hint(err, "Then: mailhaul %s", p->check.data);

	return false;
}

/* A password that nobody has confirmed yet may be a wrong one, and some
 * servers answer that by hanging up. */
static bool
not_twice(const struct source_port *p, struct err *err)
{
	err->transient = false;
	err_hint(err,
	    "The password had been sent, and no answer came: it may be wrong.");

	return add_origin(p, err);
}

bool
source_port_connect(void *arg, struct source *source, struct err *err)
{
	struct source_port *p = arg;
	if (imap_source_new(source, &p->imap, err)) {
		p->connected = true;
		return true;
	}
	if (err->stage == ERR_STAGE_LOGIN && !p->connected)
		return not_twice(p, err);

	return err->code == ERR_LOGIN ? add_origin(p, err) : false;
}

void
source_port_close(struct source_port *p)
{
	endpoint_free(&p->endpoint);
	buf_free(&p->account);
	buf_free(&p->text);
	buf_free(&p->check);
	secret_free(&p->secret);
	free(p->connect_host);
	p->connect_host = NULL;
}

/* ---- an archive ---- */

bool
archive_path(const char *arg, char **path, struct err *err)
{
	struct endpoint endpoint = { 0 };
	if (!endpoint_parse(&endpoint, arg, err))
		return false;
	bool ok = endpoint.kind == ENDPOINT_ARCHIVE;
	bool server =
	    endpoint.kind == ENDPOINT_IMAP || endpoint.kind == ENDPOINT_IMAPS;
	if (ok) {
		*path = mem_str(endpoint.path);
	} else if (server) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: servers can't be written in this version", arg);
		err_hint(err, "An archive is archive:DIR, or a folder's path.");
	} else {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s is not an archive in this place", arg);
		err_hint(err, "An archive is archive:DIR, or a folder's path.");
	}
	endpoint_free(&endpoint);

	return ok;
}

static bool
set_paths(struct archive_port *p, const struct options *o, const char *arg,
    struct err *err)
{
	*p = (struct archive_port){ .lock = -1, .began = clock_mono_ms() };
	if (!archive_path(arg, &p->dir, err))
		return false;
	p->index_path = o->index != NULL ? mem_str(o->index)
					 : mem_fmt("%s/" ARCHIVE_INDEX, p->dir);

	return true;
}

void
archive_port_rebuild(
    struct buf *out, const struct archive_port *p, const struct options *o)
{
	buf_str(out, "index --rebuild");
	options_again(out, o, IN_INDEX, true);
	buf_char(out, ' ');
	text_shell(out, p->dir);
}

/* Then: mailhaul index --rebuild …, if nobody nearer knew better. */
static bool
add_rebuild(
    const struct archive_port *p, const struct options *o, struct err *err)
{
	struct buf again = { 0 };
	if (strstr(err->hint, "Then: ") != NULL)
		return false;
	archive_port_rebuild(&again, p, o);
	err_hint(err, "Then: mailhaul %s", again.data);
	buf_free(&again);

	return false;
}

/* Of an index that could not be opened. */
static bool
add_repair(
    const struct archive_port *p, const struct options *o, struct err *err)
{
	if (err->code != ERR_DAMAGED || o->rebuild)
		return false;
	err_hint(err,
	    "It can be made anew from the archive; this one is kept beside "
	    "it.");

	return add_rebuild(p, o, err);
}

static bool
no_archive(const struct archive_port *p, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE, "there is no archive %s", p->dir);
	if (strchr(p->dir, '@') != NULL && strchr(p->dir, '/') == NULL)
		return err_hint(
		    err, "An account is written imaps://%s/", p->dir);

	return err_hint(err,
	    "Make one: mailhaul copy imaps://USER@HOST/ archive:%s", p->dir);
}

/* There or not: it is not for us to see. */
static bool
cant_look(const char *path, struct err *err)
{
	err_errno(err, ERR_RUN, "can't look for %s", path);

	return err_hint(err,
	    "Run it as the user who owns the archive: ls -ld shows whose "
	    "each folder is.");
}

bool
archive_port_read(struct archive_port *p, const struct options *o,
    const char *arg, struct err *err)
{
	if (!set_paths(p, o, arg, err))
		return false;
	if (access(p->dir, F_OK) != 0)
		return errno == ENOENT ? no_archive(p, err)
				       : cant_look(p->dir, err);
	if (access(p->index_path, F_OK) != 0 && errno != ENOENT &&
	    errno != ENOTDIR)
		return cant_look(p->index_path, err);
	if (access(p->index_path, F_OK) != 0) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s is no archive: it has no index %s", p->dir,
		    p->index_path);
		err_hint(err,
		    "If the index lies elsewhere: --index FILE. Volumes are "
		    "read without it by tar and zstd (README.txt there).");
		return add_rebuild(p, o, err);
	}

	return index_open(&p->index, p->index_path, INDEX_READ, err) ||
	       add_repair(p, o, err);
}

bool
archive_port_read_of(struct archive_port *p, const struct options *o,
    const char *arg, struct err *err)
{
	uint64_t id = 0;
	if (!archive_port_read(p, o, arg, err))
		return false;
	if (o->account == NULL)
		return true;
	if (!index_account(p->index, "imap", o->account, &id, err))
		return false;
	if (id != 0)
		return true;
	err_set(err, ERR_RUN, ERR_USAGE, "--account: %s holds no account %s",
	    p->dir, o->account);

	return err_hint(err, "Then: mailhaul runs %s", p->dir);
}

static bool
index_must_exist(const struct archive_port *p, struct err *err)
{
	bool volumes = false;
	if (access(p->index_path, F_OK) == 0)
		return true;
	if (!archive_has_volumes(p->dir, &volumes, err))
		return false;
	if (!volumes)
		return true;
	err_set(err, ERR_RUN, ERR_DAMAGED,
	    "%s holds volumes, but its index %s is missing", p->dir,
	    p->index_path);

	err_hint(err,
	    "Put the index back, or say where it is: --index FILE. A new "
	    "folder starts a new archive.");

	return err_hint(err, "Then: mailhaul index --rebuild %s", p->dir);
}

static void
show_sealing(void *arg, uint64_t done, uint64_t of)
{
	struct meter *meter = arg;
	atomic_store(&meter->sealed_octets, done);
	atomic_store(&meter->sealing_octets, of);
}

bool
archive_port_target(struct archive_port *p, const struct options *o,
    struct meter *meter, const struct archive_word *word, struct err *err)
{
	struct archive_options options = {
		.dir = p->dir,
		.run = p->run_name,
		.level = (int)o->level,
		.threads = (int)o->threads,
		.volume_limit = o->volume_size,
		.min_free = o->min_free == 0 ? 1 : o->min_free,
		.sealing = show_sealing,
		.sealing_arg = meter,
		.word = word,
	};

	return archive_target_new(&p->target, &options, err);
}

bool
archive_port_lock(struct archive_port *p, const struct options *o,
    const char *arg, struct err *err)
{
	return set_paths(p, o, arg, err) && archive_create(p->dir, err) &&
	       index_lock_run(p->index_path, &p->lock, err) &&
	       index_must_exist(p, err) &&
	       (index_open(&p->index, p->index_path, INDEX_WRITE, err) ||
		   add_repair(p, o, err)) &&
	       index_account(
		   p->index, "archive", "archive", &p->account, err) &&
	       runs_recover(p, err);
}

bool
archive_port_write(struct archive_port *p, const struct options *o,
    const char *arg, const char *command, struct meter *meter, struct err *err)
{
	return archive_port_lock(p, o, arg, err) &&
	       runs_begin(p, command, err) &&
	       archive_port_target(p, o, meter, NULL, err) &&
	       runs_continue_volumes(p, err);
}

bool
archive_port_end_run(
    struct archive_port *p, enum index_run_state state, struct err *err)
{
	if (!index_run_end(p->index, p->run, state, err) ||
	    !runs_write_manifests(p, err))
		return false;
	search_after_run(p, clock_mono_ms() - p->began);

	return true;
}

void
archive_port_close(struct archive_port *p)
{
	if (p->target.data != NULL)
		p->target.ops->close(&p->target.data, true);
	if (p->index != NULL)
		index_close(&p->index);
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
	free(p->dir);
	free(p->index_path);
	p->dir = p->index_path = NULL;
}
