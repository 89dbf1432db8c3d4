#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/manifest.h"
#include "archive/reader.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "index/repack.h"
#include "progress.h"
#include "rows.h"
#include "screen.h"
#include "verify_placed.h"
#include "verify_report.h"
#include "verify_told.h"

enum { LIST_STEP = 64, DAY_S = 86400 };

struct sealed_volume {
	char name[KEPT_VOLUME_NAME];
	char run[40]; /* that sealed it, or replaced it: "" if none did */
	uint8_t sha256[DIGEST_SIZE];
	uint64_t frames; /* with messages */
	uint64_t octets; /* to be read: its file, or an open one's messages */
	bool open;       /* still a .part */
	bool on_disk;    /* its sealed file was found */
	bool in_manifest;
	/* By a repack: all of it lies in another; or it is a half of one, to
	 * which nothing points. Neither is looked into. */
	bool replaced, draft;
};

enum manifest_seen { MANIFEST_MISSING, MANIFEST_OTHER, MANIFEST_WHOLE };

struct verifying {
	const struct options *o;
	struct archive_port archive;
	struct archive_reader *reader;
	struct archive_reader *again;  /* of messages, by the index's word */
	struct sealed_volume *volumes; /* owned; what the index says */
	size_t n;
	struct index_run *runs;   /* owned */
	enum manifest_seen *seen; /* owned; by number of the run */
	size_t run_count;
	struct archive_verified sums;
	uint64_t messages; /* of open volumes, read one by one */
	uint64_t findings;
	uint64_t every, day; /* --read 1/every */
	uint64_t whole;      /* sealed volumes that were read */
	struct meter meter;
	struct buf damage; /* for a report: the findings, a line each */
	int64_t started;   /* unix s */
};

static void
found(
    struct verifying *v, const char *where, const char *entry, const char *what)
{
	struct buf line = { 0 };
	if (!rows_shows(++v->findings, v->o->json))
		return;
	text_escape(&line, where, strlen(where));
	if (entry != NULL) {
		buf_str(&line, " ");
		text_escape(&line, entry, strlen(entry));
	}
	buf_str(&line, ": ");
	text_escape(&line, what, strlen(what));
	if (v->o->report != NULL)
		buf_fmt(&v->damage, "%s\n", line.data);
	if (v->o->json) {
		json_t *row = json_object();
		json_object_set_new(row, "finding", json_string(line.data));
		rows_print_json(row);
	} else {
		printf("DAMAGE %s\n", line.data);
	}
	buf_free(&line);
}

static void
volume_finding(void *arg, const struct archive_finding *f)
{
	found(arg, f->volume, f->entry, f->what);
}

static void
found_at(void *arg, const char *where, const char *entry, const char *what)
{
	found(arg, where, entry, what);
}

/* ---- what the index says ---- */

static bool
add_volume(void *arg, const struct index_volume *volume)
{
	struct verifying *v = arg;
	if (volume->state == VOLUME_ABANDONED || volume->state == VOLUME_LOST)
		return true;
	if (v->n % LIST_STEP == 0)
		v->volumes =
		    mem_grow(v->volumes, v->n + LIST_STEP, sizeof(*v->volumes));
	struct sealed_volume *to = &v->volumes[v->n++];
	*to = (struct sealed_volume){ .open = volume->state == VOLUME_OPEN,
		.replaced = volume->state == VOLUME_REPLACED,
		.draft = volume->state == VOLUME_DRAFT,
		.frames = volume->frames,
		.octets = volume->state == VOLUME_OPEN ? volume->plain
						       : volume->committed };
	memcpy(to->name, volume->name, sizeof(to->name));
	memcpy(to->run, volume->sealed_run, sizeof(to->run));
	memcpy(to->sha256, volume->sha256, sizeof(to->sha256));

	return true;
}

static bool
add_run(void *arg, const struct index_run *run)
{
	struct verifying *v = arg;
	if (v->run_count % LIST_STEP == 0)
		v->runs = mem_grow(
		    v->runs, v->run_count + LIST_STEP, sizeof(*v->runs));
	v->runs[v->run_count++] = *run;

	return true;
}

static bool
check_sum(void *arg, const struct index_run_row *row)
{
	uint64_t *wrong = arg, sum = row->counts.already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum += row->counts.by[i];
	*wrong += sum != row->counts.inventory;

	return true;
}

/* A run that called itself complete has to add up still. */
static bool
check_ledger(struct verifying *v, struct err *err)
{
	for (size_t i = 0; i < v->run_count; i++) {
		uint64_t wrong = 0;
		if (v->runs[i].state != RUN_COMPLETE)
			continue;
		if (!index_run_rows(v->archive.state.index, v->runs[i].id,
			check_sum, &wrong, err))
			return false;
		if (wrong > 0)
			found(v, v->runs[i].name, NULL,
			    "the sums of this complete run don't add up");
	}

	return true;
}

static bool
check_index(struct verifying *v, struct err *err)
{
	bool ok = true;
	char text[200];
	meter_set_mailbox(&v->meter, "the index");
	if (!index_check(v->archive.state.index, !v->o->quick, &ok, text, err))
		return false;
	if (!ok)
		found(v, v->archive.state.index_path, NULL, text);

	return index_volumes(v->archive.state.index, -1, add_volume, v, err) &&
	       index_runs(v->archive.state.index, -1, add_run, v, err) &&
	       check_ledger(v, err);
}

static struct sealed_volume *
volume_of(struct verifying *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->volumes[i].name, name) == 0)
			return &v->volumes[i];

	return NULL;
}

/* ---- manifests ---- */

static void
manifest_says_volume(
    void *arg, const char *run, const struct manifest_volume *volume)
{
	struct verifying *v = arg;
	struct sealed_volume *known = volume_of(v, volume->name);
	if (known != NULL && (volume->replaced_by != NULL) != known->replaced) {
		/* Sealed first and replaced later: that line is to come. */
		if (volume->replaced_by != NULL)
			found(v, run, volume->name,
			    "the manifest says that it was replaced, the index "
			    "doesn't");
		return;
	}
	if (known == NULL || known->open || known->draft)
		found(v, run, volume->name,
		    "the manifest names a sealed volume that the index "
		    "doesn't know as sealed");
	else if (memcmp(known->sha256, volume->sha256, DIGEST_SIZE) != 0)
		found(v, run, volume->name,
		    "manifest and index hold different hashes of it");
	else
		known->in_manifest = true;
}

static void
manifest_has_hash(void *arg, const char *name, const uint8_t sha256[32])
{
	struct verifying *v = arg;
	for (size_t i = 0; i < v->run_count; i++) {
		const struct index_run *run = &v->runs[i];
		if (strcmp(run->name, name) != 0)
			continue;
		bool same = run->has_manifest &&
			    memcmp(run->manifest, sha256, DIGEST_SIZE) == 0;
		if (run->has_manifest && !same)
			found(v, name, NULL,
			    "the manifest isn't the one that the index knows");
		v->seen[i] = same ? MANIFEST_WHOLE : MANIFEST_OTHER;
		return;
	}
	found(v, name, NULL, "a manifest of a run that the index doesn't know");
}

static void
manifest_finding(void *arg, const char *run, const char *what)
{
	found(arg, run, NULL, what);
}

static bool
note_replacing_run(void *arg, const struct repack_replaced *replaced)
{
	struct sealed_volume *known = volume_of(arg, replaced->name);
	if (known != NULL)
		snprintf(known->run, sizeof(known->run), "%s", replaced->run);

	return true;
}

/* The last run goes on, or was killed before its manifest was written: the next
 * one begins with it. */
static bool
is_yet_to_tell(const struct verifying *v, const char *run)
{
	size_t last = v->run_count - 1;

	return v->run_count > 0 && !v->runs[last].has_manifest &&
	       v->seen[last] == MANIFEST_MISSING &&
	       strcmp(v->runs[last].name, run) == 0;
}

static void
check_named(struct verifying *v, const struct sealed_volume *volume)
{
	if (volume->open || volume->draft || volume->in_manifest)
		return;
	if (!is_yet_to_tell(v, volume->run))
		found(v, volume->name, NULL,
		    volume->replaced ? "no manifest says that it was replaced"
				     : "no manifest names this sealed volume");
	else if (!v->o->quiet && !v->o->json)
		printf("not in a manifest yet: %s (the next run writes that of "
		       "%s)\n",
		    volume->name, volume->run);
}

static bool
check_manifests(struct verifying *v, struct err *err)
{
	v->seen = mem_array(v->run_count + 1, sizeof(*v->seen));
	meter_set_mailbox(&v->meter, "manifests");
	if (!manifest_check(v->archive.state.dir, manifest_says_volume,
		manifest_has_hash, manifest_finding, v, err))
		return false;
	for (size_t i = 0; i < v->run_count; i++)
		if (v->runs[i].has_manifest && v->seen[i] == MANIFEST_MISSING)
			found(v, v->runs[i].name, NULL,
			    "its manifest is missing");
	if (!index_replaced_volumes(
		v->archive.state.index, note_replacing_run, v, err))
		return false;
	for (size_t i = 0; i < v->n; i++)
		check_named(v, &v->volumes[i]);

	return true;
}

/* What whole manifests tell of the index. */
static bool
check_told(struct verifying *v, struct err *err)
{
	bool ok = true;
	for (size_t i = 0; ok && !v->o->quick && i < v->run_count; i++) {
		const struct told told = { .index = v->archive.state.index,
			.dir = v->archive.state.dir,
			.run = &v->runs[i],
			.last = i + 1 == v->run_count,
			.found = found_at,
			.arg = v };
		if (v->seen[i] == MANIFEST_WHOLE && !stop_asked())
			ok = told_check(&told, err);
	}

	return ok;
}

/* ---- volumes ---- */

static bool
read_whole(const struct verifying *v, size_t i)
{
	if (v->o->quick)
		return false;

	return v->every < 2 || i % v->every == v->day % v->every;
}

static bool
nowhere(void *arg, const void *data, size_t n, struct err *err)
{
	struct verifying *v = arg;
	(void)err;
	(void)data;
	v->sums.octets += n;
	atomic_fetch_add(&v->meter.fetched_octets, n);

	return true;
}

static bool
check_sealed(struct verifying *v, size_t i, struct err *err)
{
	const struct sealed_volume *volume = &v->volumes[i];
	struct archive_verified sums = { 0 };
	bool whole = read_whole(v, i);
	v->whole += whole;
	if (!archive_verify_volume(v->reader, volume->name, volume->sha256,
		!whole, volume_finding, v, &sums, err))
		return false;
	if (sums.findings == 0 && sums.file_octets != volume->octets)
		found(v, volume->name, NULL,
		    "the index says that its file has another size");
	v->sums.volumes++;
	v->sums.frames += sums.frames;
	v->sums.catalog_rows += sums.catalog_rows;
	v->sums.octets += sums.octets;
	atomic_fetch_add(&v->meter.fetched, sums.catalog_rows);
	if (!whole || sums.findings > 0)
		return true;

	const struct placed placed = { .index = v->archive.state.index,
		.reader = v->reader,
		.again = v->again,
		.volume = volume->name,
		.frames = volume->frames,
		.catalog = &sums,
		.octets = &v->sums.octets,
		.found = found_at,
		.arg = v };

	return placed_check(&placed, err);
}

/* A volume that a run left open has no catalog yet: its messages are read one
 * by one, as the index knows them. */
static bool
check_open(
    struct verifying *v, const struct sealed_volume *volume, struct err *err)
{
	struct index_query query = { .volume = volume->name, .outcome = -1 };
	struct index_rows *rows;
	struct reading *reading = NULL;
	if (!index_rows_open(v->archive.state.index, &rows, &query, err))
		return false;
	bool ok = reading_open(&reading, &v->archive, err), end = false;
	while (ok && !end && !stop_asked()) {
		struct index_row row;
		struct err why;
		ok = index_rows_next(rows, &row, &end, err);
		if (!ok || end)
			continue;
		if (!reading_message(reading, row.row.sha256, nowhere, v, &why))
			found(v, volume->name, row.row.entry, why.text);
		v->messages++;
		atomic_fetch_add(&v->meter.fetched, 1);
	}
	reading_close(&reading);
	index_rows_close(&rows);

	return ok;
}

/* No damage: the next run that writes removes it. */
static void
tell_left_over(const struct verifying *v, const struct sealed_volume *volume)
{
	if (volume->on_disk && !v->o->quiet && !v->o->json)
		printf("left over by a repack: %s\n", volume->name);
}

static bool
where_moved(void *arg, const char *volume, uint32_t frame, uint64_t offset,
    struct kept *to, bool *found_it, struct err *err)
{
	return index_moved(arg, volume, frame, offset, to, found_it, err);
}

static bool
check_volume(struct verifying *v, size_t i, struct err *err)
{
	const struct sealed_volume *volume = &v->volumes[i];
	if (volume->replaced || volume->draft)
		tell_left_over(v, volume);
	else if (!volume->open && !volume->on_disk)
		found(v, volume->name, NULL, "the volume is missing");
	else if (!volume->open)
		return check_sealed(v, i, err);
	else if (!v->o->quick)
		return check_open(v, volume, err);

	return true;
}

static bool
is_read(const struct verifying *v, const struct sealed_volume *volume)
{
	return !volume->replaced && !volume->draft &&
	       !(volume->open && v->o->quick);
}

static void
was_read(void *arg, uint64_t octets)
{
	struct verifying *v = arg;
	atomic_fetch_add(&v->meter.fetched_octets, octets);
}

static bool
check_volumes(struct verifying *v, struct err *err)
{
	uint64_t octets = 0;
	for (size_t i = 0; i < v->n; i++)
		if (is_read(v, &v->volumes[i]))
			octets += v->volumes[i].octets;
	archive_reader_moved(v->reader, where_moved, v->archive.state.index);
	archive_reader_watch(v->reader, was_read, v);
	atomic_store(&v->meter.mailboxes, v->n);
	atomic_store(&v->meter.wanted_octets, octets);
	for (size_t i = 0, end = 0; i < v->n && !stop_asked(); i++) {
		meter_set_mailbox(&v->meter, v->volumes[i].name);
		if (!check_volume(v, i, err))
			return false;
		/* A damaged one may be longer, or end early. */
		if (is_read(v, &v->volumes[i]))
			end += v->volumes[i].octets;
		atomic_store(&v->meter.fetched_octets, end);
		atomic_fetch_add(&v->meter.mailboxes_done, 1);
	}

	return true;
}

static bool
check_folder(struct verifying *v, struct err *err)
{
	char **names = NULL;
	size_t n = 0;
	if (!archive_volumes(v->archive.state.dir, &names, &n, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct sealed_volume *known = volume_of(v, names[i]);
		if (known == NULL)
			found(v, names[i], NULL,
			    "a volume that the index doesn't know");
		else
			known->on_disk = true;
		free(names[i]);
	}
	free(names);

	return true;
}

static bool
read_portion(struct verifying *v, struct err *err)
{
	const char *text = v->o->read;
	v->day = (uint64_t)clock_unix() / DAY_S;
	if (text == NULL)
		return true;
	if (strncmp(text, "1/", 2) == 0 &&
	    text_parse_u64(text + 2, strlen(text + 2), &v->every) &&
	    v->every > 0)
		return true;

	return err_set(err, ERR_RUN, ERR_USAGE,
	    "--read: \"%s\" is not a portion like 1/30", text);
}

static void
show(const struct verify_sums *s)
{
	struct buf line = { 0 };
	if (s->o->json) {
		rows_print_json(verify_sums_json(s));
		return;
	}
	if (s->o->quiet && s->findings == 0)
		return;
	verify_sums_text(&line, s);
	fputs(line.data, stdout);
	buf_free(&line);
}

static int
code_of(const struct verifying *v)
{
	if (stop_asked())
		return 128 + stop_signal();

	return v->findings > 0 ? EXIT_MISMATCH : EXIT_OK;
}

/* failed: why it could not go on; NULL: it could. */
static int
finish(struct verifying *v, const struct err *failed)
{
	struct verify_sums s = {
		.o = v->o,
		.archive = v->archive.state.dir == NULL ? v->o->args[0]
							: v->archive.state.dir,
		.started = v->started,
		.volumes = v->sums.volumes,
		.messages = v->sums.catalog_rows + v->messages,
		.octets = v->sums.octets,
		.findings = v->findings,
		.every = v->every,
		.whole = v->whole,
		.damage = v->damage,
		.failed = failed,
	};
	struct err err;
	s.exit_code = failed == NULL ? code_of(v) : screen_error(failed);
	if (failed == NULL)
		show(&s);
	if (failed == NULL && v->findings > 0 && !v->o->json)
		verify_tell_repair(&v->archive, v->o);
	if (verify_report(&s, &err))
		return s.exit_code;
	int code = screen_error(&err);

	return s.exit_code == EXIT_OK ? code : s.exit_code;
}

int
command_verify(const struct options *o)
{
	struct verifying v = { .o = o, .started = clock_unix() };
	struct err err;
	meter_start(&v.meter);
	v.meter.reading = true;
	meter_set_phase(&v.meter, METER_READING);
	struct progress_screen *screen = progress_start(o, &v.meter);
	bool ok = read_portion(&v, &err) &&
		  archive_port_read(&v.archive, o, o->args[0], &err) &&
		  archive_reader_open(&v.reader, v.archive.state.dir, &err) &&
		  archive_reader_open(&v.again, v.archive.state.dir, &err) &&
		  check_index(&v, &err) && check_folder(&v, &err) &&
		  check_manifests(&v, &err) && check_told(&v, &err) &&
		  check_volumes(&v, &err);
	meter_set_phase(&v.meter, METER_DONE);
	progress_stop(&screen);
	int code = finish(&v, ok ? NULL : &err);
	archive_reader_close(&v.reader);
	archive_reader_close(&v.again);
	archive_port_close(&v.archive);
	free(v.volumes);
	free(v.runs);
	free(v.seen);
	buf_free(&v.damage);

	return code;
}
