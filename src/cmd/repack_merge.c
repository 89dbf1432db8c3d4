/*
 * A group of small volumes becomes one.  In this order, so that at every
 * instant each message can be read, and a kill costs only the copying:
 *
 *   1. Each old volume is verified and compared with the index: what isn't as
 *      it should be stays where it is, or its damage would be sealed anew.
 *   2. The new volume's .part is made; the index knows it as a draft.
 *   3. Each entry is written anew under its own path: unpack.sh finds bodies
 *      by path, so catalogs of other volumes stay right for it.  Places are
 *      noted in the index.  Claims stay what they are: a volume is copied as
 *      a whole, so a link's target comes with it.
 *   4. It is sealed: catalog out of the index's rows at their new places, read
 *      back, renamed.  Then it is verified as any volume.
 *   5. One transaction lets everything point into it (repack_swap).
 *   6. The run's manifest says what was replaced, and where bodies are that
 *      other volumes' catalogs name.
 *   7. Only then the old files go.
 *
 * Killed before 5, the next run removes the draft; after it, the next run
 * writes the manifest and removes the old files.
 */
#include "repack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/repack.h"
#include "base/mem.h"
#include "base/stop.h"

enum { BATCH_ROWS = 1000 };

struct merging {
	struct archive_port *p;
	const struct archive_options *set;
	void (*finding)(
	    void *arg, const char *where, const char *entry, const char *what);
	void *arg;
	struct repack_group fit; /* of the group */
	struct repack_merged *out;
	struct archive_reader *reader;
	struct archive_merge *merge;
	uint64_t rows; /* in the open transaction */

	/* The rows of all its volumes, at their new places. */
	size_t at;
	struct index_query query;
	struct index_rows *open;
	struct kept body;
	uint64_t sum, count;
};

/* ---- lists ---- */

void
repack_group_add(struct repack_group *g, const struct repack_candidate *c)
{
	g->names = mem_grow(g->names, g->n + 1, sizeof(*g->names));
	g->sha256 = mem_grow(g->sha256, g->n + 1, sizeof(*g->sha256));
	memcpy(g->names[g->n], c->name, sizeof(c->name));
	memcpy(g->sha256[g->n], c->sha256, sizeof(c->sha256));
	g->n++;
	g->octets += c->octets;
}

void
repack_group_free(struct repack_group *g)
{
	free(g->names);
	free(g->sha256);
	*g = (struct repack_group){ 0 };
}

/* ---- 1: what is fit ---- */

static void
on_finding(void *arg, const struct archive_finding *f)
{
	struct merging *m = arg;
	m->finding(m->arg, f->volume, f->entry, f->what);
}

/* Sum and count of the index's rows; *fresh false: two of them, or one and
 * one of a volume before, have the same path. */
static bool
sum_rows(struct merging *m, const char *volume, struct archive_paths *paths,
    uint64_t *n, uint64_t *sum, bool *fresh, struct err *err)
{
	struct index_query query = { .volume = volume, .outcome = -1 };
	struct index_rows *rows;
	bool ok, end = false;
	*n = *sum = 0;
	*fresh = true;
	if (!index_rows_open(m->p->state.index, &rows, &query, err))
		return false;
	for (;;) {
		struct catalog_row row;
		ok = index_rows_catalog(rows, &row, &end, err);
		if (!ok)
			break;
		++*n;
		*sum += archive_row_sum(&row);
		*fresh = archive_paths_add(paths, row.entry) && *fresh;
	}
	index_rows_close(&rows);

	return end;
}

static bool
check_old(struct merging *m, const struct repack_candidate *c,
    struct archive_paths *paths, struct err *err)
{
	struct archive_verified sums;
	uint64_t n, sum;
	bool fresh;
	if (!archive_verify_volume(m->reader, c->name, c->sha256, false,
		on_finding, m, &sums, err) ||
	    !sum_rows(m, c->name, paths, &n, &sum, &fresh, err))
		return false;
	bool same = n == sums.catalog_rows && sum == sums.rows_sum;
	if (!same && sums.findings == 0)
		m->finding(m->arg, c->name, NULL,
		    "the index tells other things of it than its catalog");
	if (!same || sums.findings > 0)
		m->out->unfit++;
	else if (fresh)
		repack_group_add(&m->fit, c);

	return true;
}

static bool
is_stopped(struct err *err)
{
	if (stop_asked())
		err_set(err, ERR_RUN, ERR_STOPPED, "interrupted");

	return stop_asked();
}

static bool
check_group(
    struct merging *m, const struct repack_group *group, struct err *err)
{
	struct archive_paths *paths = archive_paths_new();
	bool ok = true;
	for (size_t i = 0; ok && i < group->n; i++) {
		struct repack_candidate c = { .octets = archive_volume_octets(
						  m->p->state.dir,
						  group->names[i]) };
		memcpy(c.name, group->names[i], sizeof(c.name));
		memcpy(c.sha256, group->sha256[i], sizeof(c.sha256));
		if (c.octets == 0) {
			m->finding(
			    m->arg, c.name, NULL, "the volume is missing");
			m->out->unfit++;
			continue;
		}
		ok = !is_stopped(err) && check_old(m, &c, paths, err);
	}
	archive_paths_free(&paths);

	return ok;
}

/* ---- rows at their new places ---- */

static const char *
old_name(const struct merging *m)
{
	return m->fit.names[m->at];
}

static bool
next_old(struct merging *m, struct catalog_row *row, bool *end, struct err *err)
{
	for (;;) {
		bool done = false;
		*end = m->at == m->fit.n;
		if (*end)
			return false;
		if (m->open == NULL) {
			m->query = (struct index_query){ .volume = old_name(m),
				.outcome = -1 };
			if (!index_rows_open(
				m->p->state.index, &m->open, &m->query, err))
				return false;
		}
		if (index_rows_catalog(m->open, row, &done, err))
			return true;
		if (!done)
			return false;
		index_rows_close(&m->open);
		m->at++;
	}
}

static void
rewind_rows(struct merging *m)
{
	index_rows_close(&m->open);
	m->at = 0;
	m->sum = m->count = 0;
}

/* Where a reference's body is, in the draft or elsewhere. */
static bool
find_body(struct merging *m, const struct catalog_row *row, struct err *err)
{
	const struct repack_place from = { row->body_volume, row->body_frame,
		row->body_offset };
	bool found;
	if (!repack_find(m->p->state.index, &from, true, &m->body, &found, err))
		return false;
	if (!found) {
		snprintf(m->body.volume, sizeof(m->body.volume), "%s",
		    row->body_volume);
		m->body.frame = row->body_frame;
		m->body.offset = row->body_offset;
	}
	m->body.header_size = row->body_skip;

	return true;
}

/* catalog_next of the new volume. */
static bool
next_new(void *arg, struct catalog_row *row, bool *end, struct err *err)
{
	struct merging *m = arg;
	struct kept to;
	bool found;
	if (!next_old(m, row, end, err))
		return false;
	const struct repack_place from = { old_name(m), row->frame,
		row->offset };
	if (!repack_find(m->p->state.index, &from, false, &to, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "%s: the entry that %s links to is not in it", old_name(m),
		    row->entry);
	row->frame = to.frame;
	row->offset = to.offset;
	if (row->claim == CLAIM_REFERENCE) {
		if (!find_body(m, row, err))
			return false;
		row->body_volume = m->body.volume;
		row->body_frame = m->body.frame;
		row->body_offset = m->body.offset;
	} else {
		row->body_volume = archive_merge_volume(m->merge);
	}
	m->sum += archive_row_sum(row);
	m->count++;

	return true;
}

/* ---- 3: copying ---- */

static bool
commit(struct merging *m, bool last, struct err *err)
{
	if (m->rows == 0 || (!last && m->rows < BATCH_ROWS))
		return true;
	m->rows = 0;

	return index_commit(m->p->state.index, err);
}

static bool
note_place(struct merging *m, const struct catalog_row *row, uint32_t frame,
    uint64_t offset, struct err *err)
{
	const struct repack_place from = { old_name(m), row->frame,
		row->offset };
	const struct repack_place to = { archive_merge_volume(m->merge), frame,
		offset };
	if (row->claim == CLAIM_LINK)
		return true;
	if (m->rows == 0 && !index_begin(m->p->state.index, err))
		return false;
	m->rows++;

	return repack_put(m->p->state.index, row->sha256,
		   row->claim == CLAIM_WHOLE, &from, &to, err) &&
	       commit(m, false, err);
}

static bool
copy_row(struct merging *m, const struct catalog_row *row, struct err *err)
{
	struct archive_merge_entry entry = {
		.row = row, .volume = old_name(m), .body = &m->body
	};
	uint32_t frame = 0;
	uint64_t offset = 0;

	return (row->claim != CLAIM_REFERENCE || find_body(m, row, err)) &&
	       index_separator(m->p->state.index, row, &entry.separator, err) &&
	       archive_merge_add(
		   m->merge, m->reader, &entry, &frame, &offset, err) &&
	       note_place(m, row, frame, offset, err);
}

static bool
copy_rows(struct merging *m, struct err *err)
{
	struct catalog_row row;
	bool end = false;
	rewind_rows(m);
	while (next_old(m, &row, &end, err))
		if (is_stopped(err) || !copy_row(m, &row, err))
			return false;

	return end && commit(m, true, err);
}

/* ---- 4, 5: the new one ---- */

static bool
check_new(struct merging *m, const struct progress *p, struct err *err)
{
	struct archive_verified sums;
	if (!archive_verify_volume(m->reader, p->volume, p->sha256, false,
		on_finding, m, &sums, err))
		return false;
	if (sums.findings == 0 && sums.catalog_rows == m->count &&
	    sums.rows_sum == m->sum)
		return true;

	return err_set(err, ERR_RUN, ERR_DAMAGED,
	    "the new volume %s is not what was copied; nothing was replaced",
	    p->volume);
}

static bool
seal(struct merging *m, struct progress *p, struct err *err)
{
	rewind_rows(m);
	bool ok = archive_merge_seal(m->merge, next_new, m, p, err);
	uint64_t sum = m->sum, count = m->count;
	rewind_rows(m);
	m->sum = sum;
	m->count = count;

	return ok && check_new(m, p, err);
}

static bool
replace(struct merging *m, struct err *err)
{
	struct archive_port *p = m->p;
	struct progress done;
	if (!copy_rows(m, err) || !seal(m, &done, err) || is_stopped(err) ||
	    !repack_swap(p->state.index, p->state.run, p->account, &done,
		(const char(*)[KEPT_VOLUME_NAME])m->fit.names, m->fit.n, err))
		return false;
	memcpy(m->out->volume, done.volume, sizeof(done.volume));
	m->out->volumes = m->fit.n;
	m->out->messages = m->count;
	m->out->before = m->fit.octets;
	m->out->after = done.committed;

	return true;
}

/* As if it had never been begun. */
static void
undo(struct merging *m, bool told)
{
	struct err why;
	rewind_rows(m);
	if (m->rows > 0)
		index_rollback(m->p->state.index);
	m->rows = 0;
	char *name = mem_str(archive_merge_volume(m->merge));
	archive_merge_close(&m->merge, true);
	/* If that fails too, the next run does it. */
	if (told)
		repack_undraft(m->p->state.index, name, &why);
	free(name);
}

static bool
merge(struct merging *m, struct err *err)
{
	struct archive_port *p = m->p;
	if (!archive_merge_begin(&m->merge, m->set, err))
		return false;
	bool told = repack_draft(p->state.index, p->state.run, p->account,
	    archive_merge_volume(m->merge), err);
	bool ok = told && replace(m, err);
	if (ok)
		archive_merge_close(&m->merge, false);
	else
		undo(m, told);

	return ok;
}

static bool
where_moved(void *arg, const char *volume, uint32_t frame, uint64_t offset,
    struct kept *to, bool *found, struct err *err)
{
	return index_moved(arg, volume, frame, offset, to, found, err);
}

bool
repack_merge(struct archive_port *p, const struct archive_options *set,
    const struct repack_group *group,
    void (*finding)(
	void *arg, const char *where, const char *entry, const char *what),
    void *arg, struct repack_merged *out, struct err *err)
{
	struct merging m = {
		.p = p, .set = set, .finding = finding, .arg = arg, .out = out
	};
	*out = (struct repack_merged){ 0 };
	bool ok = archive_reader_open(&m.reader, p->state.dir, err);
	if (ok)
		archive_reader_moved(m.reader, where_moved, p->state.index);
	ok = ok && check_group(&m, group, err) &&
	     (m.fit.n < 2 || merge(&m, err));
	archive_reader_close(&m.reader);
	repack_group_free(&m.fit);

	return ok;
}
