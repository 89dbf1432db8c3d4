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

bool
archive_path(const char *arg, char **path, struct err *err)
{
	struct endpoint endpoint = { 0 };
	struct buf url = { 0 };
	if (!endpoint_parse(&endpoint, arg, err))
		return false;
	bool ok = endpoint.kind == ENDPOINT_ARCHIVE;
	bool server =
	    endpoint.kind == ENDPOINT_IMAP || endpoint.kind == ENDPOINT_IMAPS;
	if (ok) {
		*path = mem_str(endpoint.path);
	} else if (server) {
		endpoint_text(&url, &endpoint);
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s is a server: only an archive holds messages", url.data);
		err_hint(err, "An archive is archive:DIR, or a folder's path.");
		buf_free(&url);
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
	*p =
	    (struct archive_port){ .state.lock = -1, .began = clock_mono_ms() };
	if (!archive_path(arg, &p->state.dir, err))
		return false;
	p->state.index_path = o->index != NULL
				  ? mem_str(o->index)
				  : mem_fmt("%s/" ARCHIVE_INDEX, p->state.dir);

	return true;
}

void
archive_port_rebuild(
    struct buf *out, const struct archive_port *p, const struct options *o)
{
	buf_str(out, "index --rebuild");
	options_again(out, o, IN_INDEX, true);
	buf_char(out, ' ');
	text_shell(out, p->state.dir);
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
	err_set(
	    err, ERR_RUN, ERR_USAGE, "there is no archive %s", p->state.dir);
	if (strchr(p->state.dir, '@') != NULL &&
	    strchr(p->state.dir, '/') == NULL)
		return err_hint(
		    err, "An account is written imaps://%s/", p->state.dir);

	return err_hint(err,
	    "Make one: mailhaul copy imaps://USER@HOST/ archive:%s",
	    p->state.dir);
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
	if (access(p->state.dir, F_OK) != 0)
		return errno == ENOENT ? no_archive(p, err)
				       : cant_look(p->state.dir, err);
	if (access(p->state.index_path, F_OK) != 0 && errno != ENOENT &&
	    errno != ENOTDIR)
		return cant_look(p->state.index_path, err);
	if (access(p->state.index_path, F_OK) != 0) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s is no archive: it has no index %s", p->state.dir,
		    p->state.index_path);
		err_hint(err,
		    "If the index lies elsewhere: --index FILE. Volumes are "
		    "read without it by tar and zstd (README.txt there).");
		return add_rebuild(p, o, err);
	}

	return index_open(
		   &p->state.index, p->state.index_path, INDEX_READ, err) ||
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
	if (!index_account(p->state.index, "imap", o->account, &id, err))
		return false;
	if (id != 0)
		return true;
	err_set(err, ERR_RUN, ERR_USAGE, "--account: %s holds no account %s",
	    p->state.dir, o->account);

	return err_hint(err, "Then: mailhaul runs %s", p->state.dir);
}

static bool
index_must_exist(const struct archive_port *p, struct err *err)
{
	bool volumes = false;
	if (access(p->state.index_path, F_OK) == 0)
		return true;
	if (!archive_has_volumes(p->state.dir, &volumes, err))
		return false;
	if (!volumes)
		return true;
	err_set(err, ERR_RUN, ERR_DAMAGED,
	    "%s holds volumes, but its index %s is missing", p->state.dir,
	    p->state.index_path);

	err_hint(err,
	    "Put the index back, or say where it is: --index FILE. A new "
	    "folder starts a new archive.");

	return err_hint(err, "Then: mailhaul index --rebuild %s", p->state.dir);
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
		.dir = p->state.dir,
		.run = p->state.run_name,
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
	return set_paths(p, o, arg, err) && archive_create(p->state.dir, err) &&
	       index_lock_run(p->state.index_path, &p->state.lock, err) &&
	       index_must_exist(p, err) &&
	       (index_open(
		    &p->state.index, p->state.index_path, INDEX_WRITE, err) ||
		   add_repair(p, o, err)) &&
	       index_account(
		   p->state.index, "archive", "archive", &p->account, err) &&
	       runs_recover(p, err);
}

bool
archive_port_write(struct archive_port *p, const struct options *o,
    const char *arg, const char *command, struct meter *meter, struct err *err)
{
	return archive_port_lock(p, o, arg, err) &&
	       state_begin_run(&p->state, command, err) &&
	       archive_port_target(p, o, meter, NULL, err) &&
	       runs_continue_volumes(p, err);
}

bool
archive_port_end_run(
    struct archive_port *p, enum index_run_state state, struct err *err)
{
	if (!index_run_end(p->state.index, p->state.run, state, err) ||
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
	state_close(&p->state);
}
