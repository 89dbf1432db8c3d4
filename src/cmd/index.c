/* mailhaul index --rebuild: a new index out of what an archive says. */
#include "index_rebuild.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "archive/repack.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "commands.h"
#include "mail/datetime.h"
#include "rows.h"
#include "screen.h"

/* ---- what is there ---- */

static struct inventory_volume *
add_volume(struct rebuilding *b)
{
	b->volumes =
	    mem_grow(b->volumes, b->volume_count + 1, sizeof(*b->volumes));

	return &b->volumes[b->volume_count];
}

static bool
open_volume(
    struct rebuilding *b, const char *name, bool sealed, struct err *err)
{
	struct inventory_volume *v = add_volume(b);
	bool usable;
	if (!(sealed ? inventory_sealed(b->archive.state.dir, name, &b->tell, v,
			   &usable, err)
		     : inventory_part(b->archive.state.dir, name, &b->tell, v,
			   &usable, err)))
		return false;
	if (usable)
		b->volume_count++;
	else
		inventory_volume_free(v);

	return true;
}

static void
add_replaced(void *arg, const char *run, const struct manifest_volume *v)
{
	/* More than any archive has. To read what was replaced does no harm. */
	enum { REPLACED_MAX = 500000 };
	struct rebuilding *b = arg;
	(void)run;
	if (v->replaced_by == NULL || b->replaced_count == REPLACED_MAX ||
	    strlen(v->name) >= KEPT_VOLUME_NAME ||
	    strlen(v->replaced_by) >= KEPT_VOLUME_NAME)
		return;
	b->replaced =
	    mem_grow(b->replaced, b->replaced_count + 1, sizeof(*b->replaced));
	struct replacement *r = &b->replaced[b->replaced_count++];
	memcpy(r->name, v->name, strlen(v->name) + 1);
	memcpy(r->by, v->replaced_by, strlen(v->replaced_by) + 1);
}

/* Does what took its place, or the place of that, lie there? A repack that was
 * killed may have left it. */
static bool
is_left_over(const struct rebuilding *b, const char *name)
{
	for (size_t i = 0; i < b->replaced_count; i++) {
		const struct replacement *r = &b->replaced[i];
		if (strcmp(r->name, name) != 0)
			continue;
		if (archive_volume_octets(b->archive.state.dir, r->by) > 0)
			return true;
		name = r->by; /* replaced in a later run */
	}

	return false;
}

static bool
open_volumes(struct rebuilding *b, bool sealed, struct err *err)
{
	char **names = NULL;
	size_t n = 0;
	bool ok = sealed
		      ? archive_volumes(b->archive.state.dir, &names, &n, err)
		      : inventory_parts(b->archive.state.dir, &names, &n, err);
	for (size_t i = 0; i < n; i++) {
		ok = ok && (is_left_over(b, names[i]) ||
			       open_volume(b, names[i], sealed, err));
		free(names[i]);
	}
	free(names);

	return ok;
}

/* A name "2026-11-21T101500Z-a1b2" is all that is left of its beginning. */
static int64_t
start_of(const char *name)
{
	char text[32];
	int64_t start;
	int16_t zone;
	if (strlen(name) < 18)
		return 0;
	snprintf(
	    text, sizeof(text), "%.13s:%.2s:%.2sZ", name, name + 13, name + 15);

	return datetime_parse_rfc3339(text, strlen(text), &start, &zone) ? start
									 : 0;
}

static bool
put_run(struct rebuilding *b, const char *name, bool interrupted,
    const uint8_t *manifest, struct err *err)
{
	const struct rebuild_run run = { .name = name,
		.command = "not known: rebuilt without its manifest",
		.state = interrupted ? RUN_INTERRUPTED : RUN_OPEN,
		.started = start_of(name),
		.manifest = manifest };

	return rebuild_run(b->rebuild, &run, err);
}

static bool
put_runs(struct rebuilding *b, struct err *err)
{
	for (size_t i = 0; i < b->volume_count; i++)
		known_runs_of_volume(&b->runs, b->volumes[i].name);
	for (size_t i = 0; i < b->runs.n; i++) {
		const struct known_run *run = &b->runs.rows[i];
		/* Each run writes the manifest of the one before, if that was
		 * killed: only the last may be without. */
		bool closed = run->manifest || i + 1 < b->runs.n;
		if (!put_run(b, run->name, closed,
			run->manifest ? run->sha256 : NULL, err))
			return false;
		if (!run->manifest && closed)
			rebuilding_found(
			    b, run->name, "its manifest is missing");
	}

	return true;
}

static bool
put_volumes(struct rebuilding *b, struct err *err)
{
	for (size_t i = 0; i < b->volume_count; i++) {
		const struct inventory_volume *v = &b->volumes[i];
		struct progress p = { .committed = v->octets,
			.plain = v->plain,
			.frames = v->frames,
			.frame_count = v->count,
			.sealed = v->sealed };
		memcpy(p.volume, v->name, sizeof(p.volume));
		if (!rebuild_volume(b->rebuild,
			known_runs_of_volume(&b->runs, v->name)->name, &p, err))
			return false;
	}

	return true;
}

/* ---- what it says ---- */

static bool
read_manifests(struct rebuilding *b, struct err *err)
{
	for (size_t i = 0; i < b->runs.n; i++) {
		const struct known_run *run = &b->runs.rows[i];
		b->run = run->name;
		if (run->readable && !inventory_manifest(b->archive.state.dir,
					 run->name, &b->tell, err))
			return false;
	}

	return true;
}

static bool
check_volume(struct rebuilding *b, struct inventory_volume *v, struct err *err)
{
	uint8_t expected[DIGEST_SIZE];
	bool told;
	const char *run = known_runs_of_volume(&b->runs, v->name)->name;
	if (!rebuild_expected(b->rebuild, v->name, expected, &told, err) ||
	    !inventory_check(
		b->archive.state.dir, v, told ? expected : NULL, &b->tell, err))
		return false;

	return told || rebuild_sealed(
			   b->rebuild, run, v->name, v->sha256, v->octets, err);
}

static bool
frames_of_part(void *arg, const char *volume, struct frame_info **frames,
    size_t *n, struct err *err)
{
	const struct rebuilding *b = arg;
	for (size_t i = 0; i < b->volume_count; i++) {
		const struct inventory_volume *v = &b->volumes[i];
		if (v->sealed || strcmp(v->name, volume) != 0)
			continue;
		*frames = mem_dup(v->frames, v->count * sizeof(*v->frames));
		*n = v->count;
		return true;
	}

	return err_set(
	    err, ERR_MESSAGE, ERR_DAMAGED, "volume %s is missing", volume);
}

/* Manifests have told all that a volume's catalog says: a volume that is as it
 * was sealed, and has as many messages. More are told of one that lost its end
 * while it was open: other octets stand there now. */
static bool
is_told(struct rebuilding *b, const struct inventory_volume *v, bool *yes,
    struct err *err)
{
	uint64_t rows, known;
	bool counted;
	*yes = false;
	if (v->damaged != NULL)
		return true;
	if (!inventory_catalog_count(
		b->archive.state.dir, v, &rows, &counted, err) ||
	    !rebuild_count(b->rebuild, v->name, &known, err))
		return false;
	*yes = counted && rows == known;

	return !counted || known <= rows ||
	       rebuild_forget(b->rebuild, v->name, err);
}

static bool
read_sealed(struct rebuilding *b, struct inventory_volume *v, struct err *err)
{
	bool has_catalog, told;
	if (rebuilding_stopped(err) || !check_volume(b, v, err) ||
	    !is_told(b, v, &told, err))
		return false;
	if (told)
		return true;
	b->run = known_runs_of_volume(&b->runs, v->name)->name;
	if (!inventory_catalog(
		b->archive.state.dir, v, &b->tell, &has_catalog, err))
		return false;

	return has_catalog || inventory_entries(b->reader, v, &b->tell, err);
}

/* Messages that no manifest knows are those of the run that was killed. */
static bool
read_part(struct rebuilding *b, struct inventory_volume *v, struct err *err)
{
	bool is_new, cut;
	if (!rebuild_is_cut(b->rebuild, v->name, &cut, err) ||
	    (cut && !rebuild_forget(b->rebuild, v->name, err)))
		return false;
	known_runs_open(
	    &b->runs, b->archive.state.dir, v->name, b->open_run, &is_new);
	b->run = b->open_run;
	if (is_new && !put_run(b, b->open_run, false, NULL, err))
		return false;

	return inventory_entries(b->reader, v, &b->tell, err);
}

static bool
where_moved(void *arg, const char *volume, uint32_t frame, uint64_t offset,
    struct kept *to, bool *found_it, struct err *err)
{
	return rebuild_where(arg, volume, frame, offset, to, found_it, err);
}

static bool
read_volumes(struct rebuilding *b, struct err *err)
{
	archive_reader_ask(b->reader, frames_of_part, b);
	archive_reader_moved(b->reader, where_moved, b->rebuild);
	for (size_t i = 0; i < b->volume_count; i++)
		if (b->volumes[i].sealed &&
		    !read_sealed(b, &b->volumes[i], err))
			return false;
	for (size_t i = 0; i < b->volume_count; i++)
		if (!b->volumes[i].sealed && !read_part(b, &b->volumes[i], err))
			return false;
	for (size_t i = 0; i < b->volume_count; i++) {
		const struct inventory_volume *v = &b->volumes[i];
		if (v->damaged != NULL && !rebuild_damaged(b->rebuild, v->name,
					      v->damaged, v->count, err))
			return false;
	}

	return true;
}

/* ---- the command ---- */

static bool
lock(struct rebuilding *b, struct err *err)
{
	bool volumes;
	if (!archive_path(b->o->args[0], &b->archive.state.dir, err))
		return false;
	b->archive.state.index_path =
	    b->o->index != NULL
		? mem_str(b->o->index)
		: mem_fmt("%s/" ARCHIVE_INDEX, b->archive.state.dir);
	if (access(b->archive.state.dir, F_OK) != 0)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "there is no archive %s", b->archive.state.dir);
	if (!archive_has_volumes(b->archive.state.dir, &volumes, err))
		return false;
	if (!volumes) {
		err_set(err, ERR_RUN, ERR_USAGE, "%s holds no volumes",
		    b->archive.state.dir);
		return err_hint(err, "An archive has a folder volumes/ in it.");
	}

	return index_lock_run(
	    b->archive.state.index_path, &b->archive.state.lock, err);
}

static bool
begin(struct rebuilding *b, struct err *err)
{
	const struct rebuild_options options = {
		.path = b->archive.state.index_path,
		.finding = rebuilding_found,
		.arg = b
	};

	return rebuild_open(&b->rebuild, &options, err);
}

static bool
rebuild(struct rebuilding *b, struct err *err)
{
	rebuilding_listen(b);

	return lock(b, err) &&
	       archive_reader_open(&b->reader, b->archive.state.dir, err) &&
	       begin(b, err) &&
	       manifest_check(
		   b->archive.state.dir, add_replaced, NULL, NULL, b, err) &&
	       open_volumes(b, true, err) && open_volumes(b, false, err) &&
	       known_runs_read(
		   &b->runs, b->archive.state.dir, rebuilding_found, b, err) &&
	       put_runs(b, err) && put_volumes(b, err) &&
	       read_manifests(b, err) && read_volumes(b, err) &&
	       rebuild_finish(b->rebuild, rebuilding_lost, b, err) &&
	       rebuild_put(
		   &b->rebuild, clock_unix(), b->kept, sizeof(b->kept), err);
}

static const struct {
	bool dark; /* only where a run is without a manifest */
	const char *what;
} unknowable[] = {
	{ false,
	    "where each mailbox stood at its server: the next run lists every "
	    "mailbox once, and fetches nothing that is here" },
	{ false, "the IDs by which a server names a message in all mailboxes "
		 "(EMAILID): learnt again as messages are listed" },
	{ true,
	    "what a run counted that was killed before its manifest was "
	    "written, or whose manifest is damaged or missing, and mailboxes "
	    "in which it stored nothing" },
};

static bool
is_dark(const struct rebuilding *b)
{
	bool dark = b->adopted > 0;
	for (size_t i = 0; i < b->runs.n; i++)
		dark |= !b->runs.rows[i].readable;

	return dark;
}

static void
print_json(const struct rebuilding *b, const struct index_totals *t)
{
	json_t *row = json_object(), *list = json_array();
	for (size_t i = 0; i < sizeof(unknowable) / sizeof(unknowable[0]); i++)
		if (!unknowable[i].dark || is_dark(b))
			json_array_append_new(
			    list, json_string(unknowable[i].what));
	json_object_set_new(row, "runs", json_integer((json_int_t)b->runs.n));
	json_object_set_new(
	    row, "volumes", json_integer((json_int_t)b->volume_count));
	json_object_set_new(
	    row, "messages", json_integer((json_int_t)t->placements));
	json_object_set_new(
	    row, "different", json_integer((json_int_t)t->contents));
	json_object_set_new(
	    row, "without_manifest", json_integer((json_int_t)b->adopted));
	json_object_set_new(row, "lost", json_integer((json_int_t)b->lost));
	json_object_set_new(
	    row, "findings", json_integer((json_int_t)b->findings));
	json_object_set_new(row, "kept",
	    b->kept[0] == '\0' ? json_null() : json_string(b->kept));
	json_object_set_new(row, "not_known", list);
	rows_print_json(row);
}

static void
print_text(const struct rebuilding *b, const struct index_totals *t)
{
	char messages[32], contents[32];
	printf("rebuilt: %zu run%s, %zu volume%s, %s messages, %s different\n",
	    b->runs.n, b->runs.n == 1 ? "" : "s", b->volume_count,
	    b->volume_count == 1 ? "" : "s",
	    text_count(messages, sizeof(messages), t->placements),
	    text_count(contents, sizeof(contents), t->contents));
	if (b->adopted > 0)
		printf("  %" PRIu64 " of them by their volumes alone: no "
		       "manifest tells of them\n",
		    b->adopted);
	if (b->lost > 0)
		printf("  %" PRIu64 " lost: the next run asks the source for "
		       "them again\n",
		    b->lost);
	if (b->kept[0] != '\0') {
		printf("The old index is kept as ");
		rows_print_escaped(b->kept);
		printf("\n");
	}
	printf("Not known any more:\n");
	for (size_t i = 0; i < sizeof(unknowable) / sizeof(unknowable[0]); i++)
		if (!unknowable[i].dark || is_dark(b))
			printf("  - %s\n", unknowable[i].what);
}

static bool
finish(struct rebuilding *b, struct err *err)
{
	struct index_totals totals;
	if (!index_open(&b->archive.state.index, b->archive.state.index_path,
		INDEX_READ, err) ||
	    !index_totals(b->archive.state.index, &totals, err))
		return false;
	if (b->o->json)
		print_json(b, &totals);
	else if (!b->o->quiet || b->findings + b->lost > 0)
		print_text(b, &totals);

	return true;
}

static void
close_all(struct rebuilding *b)
{
	rebuild_abandon(&b->rebuild);
	archive_reader_close(&b->reader);
	for (size_t i = 0; i < b->volume_count; i++)
		inventory_volume_free(&b->volumes[i]);
	free(b->volumes);
	free(b->replaced);
	for (size_t i = 0; i < b->kind_count; i++) {
		free(b->kinds[i].account);
		free(b->kinds[i].kind);
	}
	free(b->kinds);
	known_runs_free(&b->runs);
	archive_port_close(&b->archive);
}

int
command_index(const struct options *o)
{
	struct rebuilding *b = mem_new(sizeof(*b));
	struct err err;
	b->o = o;
	b->archive.state.lock = -1;
	if (!o->rebuild) {
		err_set(&err, ERR_RUN, ERR_USAGE,
		    "index: what is to be done with it?");
		err_hint(&err, "Then: mailhaul index --rebuild %s", o->args[0]);
		free(b);
		return screen_error(&err);
	}
	bool ok = rebuild(b, &err) && finish(b, &err);
	int code = b->findings + b->lost > 0 ? EXIT_DAMAGED : EXIT_OK;
	if (!ok && err.code == ERR_STOPPED && stop_asked())
		code = 128 + stop_signal();
	else if (!ok)
		code = screen_error(&err);
	close_all(b);
	free(b);

	return code;
}
