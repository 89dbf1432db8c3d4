/* What an archive tells, in the index's words. */
#include "index_rebuild.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "rows.h"

/* ---- what is wrong ---- */

static void
tell_wrong(struct rebuilding *b, const char *word, const char *where,
    const char *entry, const char *what)
{
	struct buf line = { 0 };
	/* What is lost is bounded by what the archive had, and worth a line. */
	if (strcmp(word, "lost") != 0 && !rows_shows(b->findings, b->o->json))
		return;
	text_escape(&line, where, strlen(where));
	if (entry != NULL) {
		buf_str(&line, " ");
		text_escape(&line, entry, strlen(entry));
	}
	buf_str(&line, ": ");
	text_escape(&line, what, strlen(what));
	if (b->o->json) {
		json_t *row = json_object();
		json_object_set_new(row, word, json_string(line.data));
		rows_print_json(row);
	} else {
		printf("%s %s\n", strcmp(word, "lost") == 0 ? "LOST" : "DAMAGE",
		    line.data);
	}
	buf_free(&line);
}

void
rebuilding_found(void *arg, const char *where, const char *what)
{
	struct rebuilding *b = arg;
	b->findings++;
	tell_wrong(b, "finding", where, NULL, what);
}

static void
on_finding(void *arg, const struct inventory_finding *f)
{
	struct rebuilding *b = arg;
	b->findings++;
	tell_wrong(b, "finding", f->where, f->entry, f->what);
}

void
rebuilding_lost(void *arg, const struct rebuild_lost *lost)
{
	struct rebuilding *b = arg;
	struct buf where = { 0 };
	char hex[2 * DIGEST_SIZE + 1], what[128];
	buf_fmt(&where, "%s %s UID %" PRIu64, lost->account, lost->mailbox,
	    lost->uid);
	snprintf(what, sizeof(what), "no volume holds its octets (%.16s)%s",
	    digest_hex(hex, lost->sha256, DIGEST_SIZE),
	    lost->gone ? "; it had gone at the source" : "");
	b->lost++;
	tell_wrong(b, "lost", where.data, NULL, what);
	buf_free(&where);
}

/* ---- from the archive's words to the index's ---- */

static const struct {
	const char *word;
	enum index_run_state state;
} states[] = {
	{ "complete", RUN_COMPLETE },
	{ "incomplete", RUN_INCOMPLETE },
	{ "interrupted", RUN_INTERRUPTED },
};

static enum index_run_state
state_of(const char *word)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(states[i].word, word) == 0)
			return states[i].state;

	return RUN_INTERRUPTED;
}

static const char *
kind_of(const struct rebuilding *b, const char *account)
{
	for (size_t i = 0; i < b->kind_count; i++)
		if (strcmp(b->kinds[i].account, account) == 0)
			return b->kinds[i].kind;

	return "imap";
}

/* The index's words only: others can't be in it. */
static const char *
remember_kind(struct rebuilding *b, const char *account, const char *kind)
{
	/* They are looked up one by one: who made a million did it to harm. */
	enum { KINDS_MAX = 10000 };
	static const char *const others[] = { "pop3", "maildir", "mbox", "eml",
		"pst", "archive" };
	const char *known = kind_of(b, account);
	if (strcmp(known, kind) == 0 || b->kind_count == KINDS_MAX)
		return known;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(others[i], kind) != 0)
			continue;
		b->kinds =
		    mem_grow(b->kinds, b->kind_count + 1, sizeof(*b->kinds));
		b->kinds[b->kind_count++] =
		    (struct kind){ .account = mem_str(account),
			    .kind = mem_str(kind) };
		return others[i];
	}

	return known;
}

static bool
on_run(void *arg, const struct inventory_run *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct rebuild_run run = { .name = told->name,
		.command = told->command,
		.state = state_of(told->state),
		.started = told->started,
		.ended = told->ended };

	return rebuild_run(b->rebuild, &run, err);
}

static bool
on_account(void *arg, const struct inventory_account *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct rebuild_account account = { .run = b->run,
		.kind = remember_kind(b, told->account, told->kind),
		.account = told->account,
		.target = told->target,
		.state = state_of(told->state),
		.started = told->started,
		.ended = told->ended,
		.exit_code = told->exit_code,
		.text = told->text,
		.partial = told->partial };

	return rebuild_account(b->rebuild, &account, err);
}

static struct index_counts
counts_of(const struct inventory_mailbox *m)
{
	struct index_counts c = { .inventory = m->inventory,
		.already = m->already,
		.scanned = m->scanned };
	c.by[OUTCOME_DELIVERED] = m->delivered;
	c.by[OUTCOME_DUPLICATE] = m->duplicate;
	c.by[OUTCOME_EXCLUDED] = m->excluded;
	c.by[OUTCOME_REPAIRED] = m->repaired;
	c.by[OUTCOME_QUARANTINED] = m->quarantined;
	c.by[OUTCOME_UNREADABLE] = m->unreadable;
	c.by[OUTCOME_VANISHED] = m->vanished;
	c.by[OUTCOME_UNKNOWN] = m->unknown;

	return c;
}

static bool
on_mailbox(void *arg, const struct inventory_mailbox *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct index_counts counts = counts_of(told);
	const char *kind = remember_kind(b, told->account, told->kind);
	const struct rebuild_box by = { .kind = kind,
		.account = told->account,
		.wire = told->replaced_by,
		.display = told->display,
		.uidvalidity = told->replaced_by_uidvalidity,
		.generation = told->replaced_by_generation };
	const struct rebuild_mailbox box = { .run = b->run,
		.box = { .kind = kind,
		    .account = told->account,
		    .wire = told->wire,
		    .display = told->display,
		    .uidvalidity = told->uidvalidity,
		    .generation = told->generation },
		.separator = told->separator,
		.special_use = told->special_use,
		.mailbox_id = told->mailbox_id,
		.subscribed = told->subscribed,
		.ended = told->ended,
		.emptied = told->emptied,
		.replaced_by = told->replaced_by == NULL ? NULL : &by,
		.counts = told->has_sums ? &counts : NULL };

	return rebuild_mailbox(b->rebuild, &box, err);
}

static struct rebuild_row
row_of(const struct rebuilding *b, const struct inventory_row *told)
{
	return (struct rebuild_row){ .row = &told->row,
		.kind = kind_of(b, told->row.account),
		.generation = told->generation,
		.volume = told->volume,
		.unplaced = told->unplaced };
}

bool
rebuilding_stopped(struct err *err)
{
	if (stop_asked())
		err_set(err, ERR_RUN, ERR_STOPPED, "interrupted");

	return stop_asked();
}

static bool
on_begun(void *arg, const struct inventory_row *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct rebuild_row row = row_of(b, told);

	return !rebuilding_stopped(err) &&
	       rebuild_begun(b->rebuild, b->run, &row, err);
}

static bool
on_ended(void *arg, const struct inventory_row *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct rebuild_row row = row_of(b, told);

	return rebuild_ended(b->rebuild, b->run, &row, err);
}

static bool
on_outcome(void *arg, const struct inventory_outcome *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct rebuild_row row = row_of(b, &told->at);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (i != OUTCOME_DELIVERED &&
		    strcmp(outcome_word((enum outcome)i), told->outcome) == 0)
			return rebuild_outcome(b->rebuild, b->run, &row,
			    (enum outcome)i, told->class, told->why, err);
	rebuilding_found(b, b->run, "it tells of an outcome that is none");

	return true;
}

static bool
on_volume(void *arg, const char *name, const uint8_t sha256[32],
    uint64_t octets, struct err *err)
{
	struct rebuilding *b = arg;

	return rebuild_sealed(b->rebuild, b->run, name, sha256, octets, err);
}

static bool
on_replaced(void *arg, const char *name, const char *by, struct err *err)
{
	struct rebuilding *b = arg;

	return rebuild_replaced(b->rebuild, name, by, err);
}

static bool
on_moved(void *arg, const struct inventory_moved *told, struct err *err)
{
	struct rebuilding *b = arg;

	return rebuild_moved(b->rebuild, told->volume, told->frame,
	    told->offset, told->to, told->to_frame, told->to_offset, err);
}

static bool
on_kept(void *arg, const struct inventory_row *told, struct err *err)
{
	struct rebuilding *b = arg;
	const struct rebuild_row row = row_of(b, told);
	bool is_new = false;
	bool ok = !rebuilding_stopped(err) &&
		  rebuild_kept(b->rebuild, b->run, &row, &is_new, err);
	b->adopted += is_new;

	return ok;
}

void
rebuilding_listen(struct rebuilding *b)
{
	b->tell = (struct inventory_tell){ .arg = b,
		.run = on_run,
		.account = on_account,
		.mailbox = on_mailbox,
		.begun = on_begun,
		.ended = on_ended,
		.outcome = on_outcome,
		.volume = on_volume,
		.replaced = on_replaced,
		.moved = on_moved,
		.kept = on_kept,
		.finding = on_finding };
}
