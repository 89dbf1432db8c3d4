/* Manifests of the runs that have ended, out of the index's word. */
#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "archive/manifest.h"
#include "base/mem.h"
#include "index/repack.h"

static const char *const states[] = {
	[RUN_OPEN] = "open",
	[RUN_COMPLETE] = "complete",
	[RUN_INCOMPLETE] = "incomplete",
	[RUN_INTERRUPTED] = "interrupted",
};

struct writing {
	struct manifest *manifest;
	const struct index_run *run;
	struct err *err;
	bool ok;
};

static bool
write_account(void *arg, const struct index_run_job *job)
{
	struct writing *w = arg;
	struct manifest_account account = {
		.kind = job->kind,
		.account = job->source,
		.target = job->target,
		.state = states[job->state],
		.started = job->started,
		.ended = job->ended,
		.exit_code = job->exit_code,
		.text = job->text,
		.partial = job->partial,
	};
	w->ok = manifest_account(w->manifest, &account, w->err);

	return w->ok;
}

static void
set_sums(struct manifest_mailbox *box, const struct index_counts *counts)
{
	const uint64_t *by = counts->by;
	box->scanned = counts->scanned;
	box->inventory = counts->inventory;
	box->already = counts->already;
	box->delivered = by[OUTCOME_DELIVERED];
	box->duplicate = by[OUTCOME_DUPLICATE];
	box->excluded = by[OUTCOME_EXCLUDED];
	box->repaired = by[OUTCOME_REPAIRED];
	box->quarantined = by[OUTCOME_QUARANTINED];
	box->unreadable = by[OUTCOME_UNREADABLE];
	box->vanished = by[OUTCOME_VANISHED];
	box->unknown = by[OUTCOME_UNKNOWN];
}

static bool
write_mailbox(void *arg, const struct index_run_box *row)
{
	struct writing *w = arg;
	struct manifest_mailbox box = {
		.account = row->source,
		.kind = row->kind,
		.mailbox = row->mailbox,
		.wire = row->wire,
		.wire_len = row->wire_len,
		.uidvalidity = row->uidvalidity,
		.generation = row->generation,
		.separator = row->separator,
		.special_use = row->special_use,
		.mailbox_id = row->mailbox_id,
		.subscribed = row->subscribed,
		.ended = row->ended,
		.by_wire = row->by_wire,
		.by_wire_len = row->by_wire_len,
		.by_uidvalidity = row->by_uidvalidity,
		.by_generation = row->by_generation,
		.emptied = row->emptied,
		.counted = row->counted,
	};
	set_sums(&box, &row->counts);
	w->ok = manifest_mailbox(w->manifest, &box, w->err);

	return w->ok;
}

static bool
write_volume(void *arg, const struct index_volume *v)
{
	struct writing *w = arg;
	if (strcmp(v->sealed_run, w->run->name) != 0)
		return true;
	struct manifest_volume volume = {
		.name = v->name,
		.octets = v->committed,
		.frames = v->frames,
	};
	memcpy(volume.sha256, v->sha256, sizeof(volume.sha256));
	w->ok = manifest_volume(w->manifest, &volume, w->err);

	return w->ok;
}

static bool
write_replaced(void *arg, const struct repack_replaced *v)
{
	struct writing *w = arg;
	if (strcmp(v->run, w->run->name) != 0)
		return true;
	struct manifest_volume volume = {
		.name = v->name,
		.octets = v->octets,
		.replaced_by = v->by,
	};
	memcpy(volume.sha256, v->sha256, sizeof(volume.sha256));
	w->ok = manifest_volume(w->manifest, &volume, w->err);

	return w->ok;
}

static bool
write_moved(
    void *arg, const struct repack_place *from, const struct repack_place *to)
{
	struct writing *w = arg;
	const struct manifest_moved moved = {
		.volume = from->volume,
		.frame = from->frame,
		.offset = from->offset,
		.to = to->volume,
		.to_frame = to->frame,
		.to_offset = to->offset,
	};
	w->ok = manifest_moved(w->manifest, &moved, w->err);

	return w->ok;
}

static bool
write_row(struct writing *w, const struct index_row *row)
{
	struct manifest_outcome outcome = {
		.row = &row->row,
		.outcome = outcome_word(row->outcome),
		.class = row->note_class,
		.why = row->note_text,
	};
	if (row->change == CHANGE_OUTCOME)
		return manifest_outcome(w->manifest, &outcome, w->err);

	return manifest_placement(w->manifest, &row->row, row->volume,
	    row->change == CHANGE_ENDED, w->err);
}

static bool
write_rows(struct archive_port *p, struct writing *w)
{
	struct index_query query = { .changes = w->run->id,
		.outcome = OUTCOME_COUNT };
	struct index_rows *rows;
	if (!index_rows_open(p->state.index, &rows, &query, w->err))
		return false;
	bool ok = true;
	for (;;) {
		struct index_row row;
		bool end = false;
		ok = index_rows_next(rows, &row, &end, w->err);
		if (!ok || end)
			break;
		ok = write_row(w, &row);
		if (!ok)
			break;
	}
	index_rows_close(&rows);

	return ok;
}

static bool
write_manifest(struct archive_port *p, const struct index_run *run,
    const struct index_run *previous, uint8_t sha256[32], struct err *err)
{
	struct manifest_run head = {
		.name = run->name,
		.command = run->command,
		.state = states[run->state],
		.started = run->started,
		.ended = run->ended,
		.previous = previous == NULL ? NULL : previous->name,
		.previous_sha256 = previous == NULL ? NULL : previous->manifest,
	};
	struct writing w = { .run = run, .err = err, .ok = true };
	if (!manifest_begin(&w.manifest, p->state.dir, &head, err))
		return false;
	bool ok =
	    index_run_jobs(
		p->state.index, run->id, NULL, write_account, &w, err) &&
	    w.ok &&
	    index_run_boxes(p->state.index, run->id, write_mailbox, &w, err) &&
	    w.ok && write_rows(p, &w) &&
	    index_volumes(
		p->state.index, VOLUME_SEALED, write_volume, &w, err) &&
	    w.ok &&
	    index_replaced_volumes(p->state.index, write_replaced, &w, err) &&
	    w.ok &&
	    index_moves(p->state.index, run->id, write_moved, &w, err) && w.ok;
	if (!ok) {
		manifest_abandon(&w.manifest);
		return false;
	}

	return manifest_end(&w.manifest, sha256, err) &&
	       index_run_manifest(p->state.index, run->id, sha256, err);
}

bool
runs_write_manifests(struct archive_port *p, struct err *err)
{
	struct index_run *runs;
	size_t n;
	bool ok = state_runs(&p->state, &runs, &n, err);
	const struct index_run *previous = NULL;
	for (size_t i = 0; ok && i < n; i++) {
		struct index_run *run = &runs[i];
		if (run->state == RUN_OPEN)
			continue;
		if (!run->has_manifest)
			ok = write_manifest(
			    p, run, previous, run->manifest, err);
		previous = run;
	}
	free(runs);

	return ok;
}
