#include "pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/path.h"

/* ---- where it lies ---- */

/* One component for both: two of the longest would be no file name. */
char *
pair_dir(const char *source, const char *target, struct err *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	/* A relative path is to be ignored (XDG Base Directory). */
	bool xdg = state != NULL && state[0] == '/';
	if (!xdg && (home == NULL || home[0] != '/')) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "neither HOME nor XDG_STATE_HOME says where to remember "
		    "what was copied");
		err_hint(err, "Say where: --index FILE");
		return NULL;
	}
	char *both = mem_fmt("%s--%s", source, target);
	struct buf name = { 0 };
	path_component(&name, both, strlen(both));
	char *dir = mem_fmt("%s%s/mailhaul/%s", xdg ? state : home,
	    xdg ? "" : "/.local/state", name.data);
	buf_free(&name);
	free(both);

	return dir;
}

/* "DIR" of "DIR/FILE". */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return mem_str(".");

	return slash == path ? mem_str("/")
			     : mem_strn(path, (size_t)(slash - path));
}

/* By the URLs alone, so that every command finds the same. */
static bool
set_paths(struct state_dir *s, const struct options *o,
    const struct endpoint *source, const struct endpoint *target,
    struct err *err)
{
	*s = (struct state_dir){ .lock = -1 };
	if (o->index != NULL) {
		s->dir = folder_of(o->index);
		s->index_path = mem_str(o->index);
		return true;
	}
	struct buf from = { 0 }, to = { 0 };
	endpoint_account(&from, source);
	target_port_account(&to, target, from.data);
	s->dir = pair_dir(from.data, to.data, err);
	if (s->dir != NULL)
		s->index_path = mem_fmt("%s/" ARCHIVE_INDEX, s->dir);
	buf_free(&from);
	buf_free(&to);

	return s->dir != NULL;
}

/* ---- opening it ---- */

void
pair_repair(const struct state_dir *s, struct err *err)
{
	struct buf path = { 0 };
	text_shell(&path, s->index_path);
	err_hint(err,
	    "Without it the next run finds by its content what is at the "
	    "target already.");
	err_hint(err, "Then: mv %s %s.damaged", path.data, path.data);
	buf_free(&path);
}

static bool
open_index(struct state_dir *s, enum index_mode mode, struct err *err)
{
	if (index_open(&s->index, s->index_path, mode, err))
		return true;
	if (err->code == ERR_DAMAGED)
		pair_repair(s, err);

	return false;
}

bool
pair_look(struct state_dir *s, const struct options *o,
    const struct endpoint *source, const struct endpoint *target, bool *there,
    struct err *err)
{
	if (!set_paths(s, o, source, target, err))
		return false;
	*there = access(s->index_path, F_OK) == 0;
	if (!*there && errno != ENOENT && errno != ENOTDIR)
		return err_errno(
		    err, ERR_RUN, "can't look for %s", s->index_path);

	return !*there || open_index(s, INDEX_READ, err);
}

/* A folder that --index names is its owner's affair. */
static bool
make_folders(
    const struct state_dir *s, const struct options *o, struct err *err)
{
	char *runs = mem_fmt("%s/" ARCHIVE_RUNS, s->dir);
	bool ok = (o->index != NULL || file_make_dir(s->dir, err)) &&
		  file_make_dir(runs, err);
	free(runs);

	return ok;
}

static bool
note_volume(void *arg, const struct index_volume *v)
{
	bool *any = arg;
	(void)v;
	*any = true;

	return false;
}

/* Its volumes would be nobody's, and its runs get no manifests. */
static bool
is_no_archive(struct state_dir *s, struct err *err)
{
	bool any = false;
	if (!index_volumes(s->index, -1, note_volume, &any, err))
		return false;
	if (!any)
		return true;
	err_set(err, ERR_RUN, ERR_USAGE, "--index: %s is an archive's",
	    s->index_path);

	return err_hint(err, "Name a new file, or one of an earlier copy "
			     "between these servers.");
}

static bool
close_runs(struct state_dir *s, struct err *err)
{
	struct index_run *runs = NULL;
	size_t n = 0;
	bool ok =
	    state_runs(s, &runs, &n, err) && state_close_runs(s, runs, n, err);
	free(runs);

	return ok;
}

bool
pair_write(struct state_dir *s, const struct options *o,
    const struct endpoint *source, const struct endpoint *target,
    const char *command, struct err *err)
{
	return set_paths(s, o, source, target, err) &&
	       make_folders(s, o, err) &&
	       index_lock_run(s->index_path, &s->lock, err) &&
	       open_index(s, INDEX_WRITE, err) && is_no_archive(s, err) &&
	       close_runs(s, err) && state_begin_run(s, command, err);
}

/* ---- for commands that look ---- */

static bool
nothing_yet(
    const char *source, const char *target, const char *path, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE,
	    "nothing was copied from %s to %s yet: there is no %s", source,
	    target, path);

	return err_hint(err,
	    "If its index lies elsewhere: --index FILE\n"
	    "Then: mailhaul copy %s %s",
	    source, target);
}

static bool
read_pair(struct archive_port *p, const struct options *o,
    const struct endpoint *source, const struct endpoint *target,
    struct err *err)
{
	struct buf from = { 0 }, to = { 0 };
	bool there = false;
	if (!pair_look(&p->state, o, source, target, &there, err))
		return false;
	if (there)
		return true;
	endpoint_text(&from, source);
	endpoint_text(&to, target);
	nothing_yet(from.data, to.data, p->state.index_path, err);
	buf_free(&from);
	buf_free(&to);

	return false;
}

static bool
parse_server(struct endpoint *e, const char *arg, struct err *err)
{
	if (!endpoint_parse(e, arg, err))
		return false;
	if (e->kind != ENDPOINT_IMAPS && e->kind != ENDPOINT_IMAP)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s is no server; what was copied into an archive the "
		    "archive alone tells",
		    arg);
	if (e->user == NULL)
		return err_set(
		    err, ERR_RUN, ERR_USAGE, "the URL names no user");

	return true;
}

static bool
too_many(const struct options *o, size_t used, struct err *err)
{
	/* Behind a pair as many as behind an archive. */
	size_t behind = o->command->args_max - 2;
	if (o->arg_count <= used + behind)
		return false;
	err_set(err, ERR_RUN, ERR_USAGE, "%s: one argument too many: %s",
	    o->command->name,
	    strstr(o->args[used + behind], "://") != NULL
		? "a URL"
		: o->args[used + behind]);
	err_hint(
	    err, "Usage: mailhaul %s %s", o->command->name, o->command->usage);

	return true;
}

bool
pair_or_archive_read(struct archive_port *p, const struct options *o,
    size_t *used, struct err *err)
{
	struct endpoint source = { 0 }, target = { 0 };
	*p =
	    (struct archive_port){ .state.lock = -1, .began = clock_mono_ms() };
	*used = 1;
	if (!server_is_meant(o->args[0]))
		return !too_many(o, 1, err) &&
		       archive_port_read_of(p, o, o->args[0], err);
	if (o->arg_count < 2) {
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s of a server: the target is missing", o->command->name);
		return err_hint(err,
		    "Usage: mailhaul %s ARCHIVE, or SOURCE TARGET",
		    o->command->name);
	}
	*used = 2;
	bool ok = !too_many(o, 2, err) &&
		  parse_server(&source, o->args[0], err) &&
		  parse_server(&target, o->args[1], err) &&
		  read_pair(p, o, &source, &target, err);
	endpoint_free(&source);
	endpoint_free(&target);

	return ok;
}
