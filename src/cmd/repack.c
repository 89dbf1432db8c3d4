/* mailhaul repack: small sealed volumes become full ones (repack_merge.c). */
#include "repack.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/repack.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "commands.h"
#include "rows.h"
#include "runs.h"
#include "screen.h"

static const uint64_t default_size = UINT64_C(1) << 30;

struct repacking {
	const struct options *o;
	struct archive_port archive;
	uint64_t size, fill;         /* octets: --volume-size, --min-fill */
	struct repack_group *groups; /* owned */
	size_t n;
	uint64_t volumes, octets; /* in them */

	uint64_t merged, made, messages, before, after, findings;
};

/* ---- what a repack that was killed left ---- */

struct left_overs {
	struct left_over {
		char name[KEPT_VOLUME_NAME], by[KEPT_VOLUME_NAME];
		uint64_t by_octets;
	} * rows; /* owned */
	size_t n;
};

static struct left_over *
add_left_over(struct left_overs *l, const char *name)
{
	l->rows = mem_grow(l->rows, l->n + 1, sizeof(*l->rows));
	struct left_over *row = &l->rows[l->n++];
	*row = (struct left_over){ 0 };
	snprintf(row->name, sizeof(row->name), "%s", name);

	return row;
}

static bool
add_draft(void *arg, const struct index_volume *v)
{
	add_left_over(arg, v->name);

	return true;
}

static bool
add_replaced(void *arg, const struct repack_replaced *v)
{
	struct left_over *row = add_left_over(arg, v->name);
	snprintf(row->by, sizeof(row->by), "%s", v->by);
	row->by_octets = v->by_octets;

	return true;
}

static bool
remove_drafts(struct archive_port *p, struct err *err)
{
	struct left_overs drafts = { 0 };
	bool ok = index_volumes(
	    p->state.index, VOLUME_DRAFT, add_draft, &drafts, err);
	for (size_t i = 0; ok && i < drafts.n; i++)
		ok = archive_remove_volume(
			 p->state.dir, drafts.rows[i].name, err) &&
		     repack_undraft(p->state.index, drafts.rows[i].name, err);
	free(drafts.rows);

	return ok;
}

static const struct left_over *
find_left_over(const struct left_overs *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->rows[i].name, name) == 0)
			return &l->rows[i];

	return NULL;
}

/* What took its place has to be there, or what took the place of that. */
static bool
is_safe_to_remove(const struct archive_port *p, const struct left_overs *l,
    const struct left_over *old)
{
	const struct left_over *next;
	for (size_t i = 0; i < l->n; i++, old = next) {
		next = find_left_over(l, old->by);
		if (next == NULL)
			break;
	}

	return old->by_octets > 0 &&
	       archive_volume_octets(p->state.dir, old->by) == old->by_octets;
}

static bool
remove_replaced(struct archive_port *p, struct err *err)
{
	struct left_overs old = { 0 };
	bool ok =
	    index_replaced_volumes(p->state.index, add_replaced, &old, err);
	for (size_t i = 0; ok && i < old.n; i++) {
		if (archive_volume_octets(p->state.dir, old.rows[i].name) == 0)
			continue;
		if (is_safe_to_remove(p, &old, &old.rows[i]))
			ok = archive_remove_volume(
			    p->state.dir, old.rows[i].name, err);
		else
			log_add(LOG_WARN,
			    "%s was replaced by %s, which is not what it was: "
			    "both are left as they are",
			    old.rows[i].name, old.rows[i].by);
	}
	free(old.rows);

	return ok;
}

bool
repack_clean(struct archive_port *p, struct err *err)
{
	return remove_drafts(p, err) && remove_replaced(p, err);
}

/* ---- what is to be merged ---- */

static struct repack_group *
new_group(struct repacking *r)
{
	r->groups = mem_grow(r->groups, r->n + 1, sizeof(*r->groups));
	r->groups[r->n] = (struct repack_group){ 0 };

	return &r->groups[r->n++];
}

static bool
add_candidate(void *arg, const struct repack_candidate *c)
{
	struct repacking *r = arg;
	struct repack_group *last = r->n == 0 ? NULL : &r->groups[r->n - 1];
	if (last == NULL || last->octets + c->octets > r->size)
		last = new_group(r);
	repack_group_add(last, c);

	return true;
}

/* Those that stay alone are left as they are. */
static void
drop_lonely(struct repacking *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct repack_group *g = &r->groups[i];
		if (g->n < 2) {
			repack_group_free(g);
			continue;
		}
		r->volumes += g->n;
		r->octets += g->octets;
		r->groups[kept++] = *g;
	}
	r->n = kept;
}

static bool
plan(struct repacking *r, struct err *err)
{
	if (!repack_candidates(
		r->archive.state.index, r->fill, add_candidate, r, err))
		return false;
	drop_lonely(r);

	return true;
}

static void
print_plan(const struct repacking *r)
{
	char size[32], all[32];
	for (size_t i = 0; i < r->n; i++) {
		const struct repack_group *g = &r->groups[i];
		printf("%zu volumes, %s, would become one:\n", g->n,
		    text_size(size, sizeof(size), g->octets));
		for (size_t k = 0; k < g->n; k++)
			printf("  %s\n", g->names[k]);
	}
	printf("%" PRIu64 " volumes would become %zu; %s free needed\n",
	    r->volumes, r->n,
	    text_size(all, sizeof(all), r->octets + r->o->min_free));
}

static void
print_nothing(const struct repacking *r)
{
	char size[32];
	if (r->o->json || r->o->quiet)
		return;
	printf("nothing to merge: no two sealed volumes below %s fit into "
	       "one\n",
	    text_size(size, sizeof(size), r->fill));
}

/* The old files stay until all is done. */
static bool
has_room(const struct repacking *r, struct err *err)
{
	char need[32], space[32];
	uint64_t there = file_space(r->archive.state.dir);
	if (there == 0 || there >= r->octets + r->o->min_free)
		return true;
	err_set(err, ERR_RUN, ERR_DISK_FULL,
	    "no room in %s for the copies: %s free, %s needed",
	    r->archive.state.dir, text_size(space, sizeof(space), there),
	    text_size(need, sizeof(need), r->octets + r->o->min_free));

	return err_hint(err,
	    "Nothing was changed. Free some space, lower --min-free, or merge "
	    "less at a time with a lower --min-fill or --volume-size.");
}

/* ---- doing it ---- */

static void
on_finding(void *arg, const char *where, const char *entry, const char *what)
{
	struct repacking *r = arg;
	struct buf line = { 0 };
	text_escape(&line, where, strlen(where));
	if (entry != NULL) {
		buf_str(&line, " ");
		text_escape(&line, entry, strlen(entry));
	}
	buf_str(&line, ": ");
	text_escape(&line, what, strlen(what));
	r->findings++;
	if (r->o->json) {
		json_t *row = json_object();
		json_object_set_new(row, "finding", json_string(line.data));
		rows_print_json(row);
	} else {
		printf("DAMAGE %s\n", line.data);
	}
	buf_free(&line);
}

static void
tell_merged(struct repacking *r, const struct repack_merged *m)
{
	char before[32], after[32];
	if (m->volume[0] == '\0')
		return;
	r->made++;
	r->merged += m->volumes;
	r->messages += m->messages;
	r->before += m->before;
	r->after += m->after;
	log_add(LOG_INFO, "%zu volumes became %s", m->volumes, m->volume);
	if (!r->o->quiet && !r->o->json)
		printf("%s: %zu volumes, %s messages, %s before, %s now\n",
		    m->volume, m->volumes,
		    text_count((char[32]){ 0 }, 32, m->messages),
		    text_size(before, sizeof(before), m->before),
		    text_size(after, sizeof(after), m->after));
}

static bool
merge_all(struct repacking *r, struct err *err)
{
	const struct archive_options set = {
		.dir = r->archive.state.dir,
		.run = r->archive.state.run_name,
		.level = (int)r->o->level,
		.threads = (int)r->o->threads,
		.min_free = r->o->min_free == 0 ? 1 : r->o->min_free,
	};
	for (size_t i = 0; i < r->n; i++) {
		struct repack_merged merged;
		if (!repack_merge(&r->archive, &set, &r->groups[i], on_finding,
			r, &merged, err))
			return false;
		tell_merged(r, &merged);
	}

	return true;
}

static bool
run(struct repacking *r, struct err *err)
{
	struct err why;
	char *command = mem_fmt("repack archive:%s", r->archive.state.dir);
	bool ok = state_begin_run(&r->archive.state, command, err);
	free(command);
	if (!ok)
		return false;
	ok = merge_all(r, err);
	enum index_run_state state = ok && r->findings == 0 ? RUN_COMPLETE
				     : !ok && err->code == ERR_STOPPED
					 ? RUN_INTERRUPTED
					 : RUN_INCOMPLETE;
	/* Without the manifest the old files have to stay. */
	if (archive_port_end_run(&r->archive, state, &why) &&
	    remove_replaced(&r->archive, &why))
		return ok;
	if (ok)
		*err = why;

	return false;
}

static void
print_sum(const struct repacking *r)
{
	char before[32], after[32];
	if (r->o->json) {
		json_t *row = json_object();
		json_object_set_new(row, "volumes", rows_number(r->merged));
		json_object_set_new(row, "became", rows_number(r->made));
		json_object_set_new(row, "messages", rows_number(r->messages));
		json_object_set_new(
		    row, "octets_before", rows_number(r->before));
		json_object_set_new(row, "octets", rows_number(r->after));
		json_object_set_new(row, "findings", rows_number(r->findings));
		rows_print_json(row);
	} else if (!r->o->quiet || r->findings > 0) {
		printf("repacked: %" PRIu64 " volumes became %" PRIu64
		       ", %s became %s, %" PRIu64 " finding%s\n",
		    r->merged, r->made,
		    text_size(before, sizeof(before), r->before),
		    text_size(after, sizeof(after), r->after), r->findings,
		    r->findings == 1 ? "" : "s");
	}
}

static int
finish(const struct repacking *r, bool ok, const struct err *err)
{
	if (!ok && err->code == ERR_STOPPED && stop_asked())
		return 128 + stop_signal();
	if (!ok)
		return screen_error(err);
	print_sum(r);

	return r->findings > 0 ? EXIT_MISMATCH : EXIT_OK;
}

/* Looked at first: only an archive that is there is put in order. */
static bool
look(struct repacking *r, struct err *err)
{
	const char *arg = r->o->args[0];
	r->size = r->o->volume_size == 0 ? default_size : r->o->volume_size;
	r->fill = r->o->min_fill == 0 ? r->size / 2 : r->o->min_fill;
	if (!archive_port_read(&r->archive, r->o, arg, err))
		return false;
	if (r->o->dry_run)
		return plan(r, err);
	archive_port_close(&r->archive);

	return archive_port_lock(&r->archive, r->o, arg, err) && plan(r, err) &&
	       has_room(r, err);
}

int
command_repack(const struct options *o)
{
	struct repacking r = { .o = o, .archive.state.lock = -1 };
	struct err err;
	int code;
	if (!look(&r, &err)) {
		code = screen_error(&err);
	} else if (r.n == 0) {
		print_nothing(&r);
		code = EXIT_OK;
	} else if (o->dry_run) {
		print_plan(&r);
		code = EXIT_OK;
	} else {
		bool ok = run(&r, &err);
		code = finish(&r, ok, &err);
	}
	for (size_t i = 0; i < r.n; i++)
		repack_group_free(&r.groups[i]);
	free(r.groups);
	archive_port_close(&r.archive);

	return code;
}
