#include "verify_told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive/inventory.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/stop.h"

struct telling {
	const struct told *t;
	const struct inventory_row *begun; /* the line at hand */
	bool met;                          /* the index has it */
	uint64_t ended;                    /* lines */
	/* Sums of hashes, wrapping: of the lines, less those of the index. */
	uint64_t mailboxes, names, accounts;
};

static void
differs(
    const struct telling *t, const struct catalog_row *row, const char *what)
{
	struct buf where = { 0 };
	if (row != NULL)
		buf_fmt(&where, "%s %s UID %" PRIu64, row->account,
		    row->mailbox, row->uid);
	t->t->found(
	    t->t->arg, t->t->run->name, row != NULL ? where.data : NULL, what);
	buf_free(&where);
}

/* ---- messages ---- */

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool
same_state(const struct catalog_row *a, const struct catalog_row *b)
{
	return a->flags == b->flags && same_text(a->keywords, b->keywords) &&
	       a->idate == b->idate && a->zone == b->zone;
}

static bool
same_content(const struct catalog_row *told, const struct catalog_row *row)
{
	/* An announced size of nothing isn't told. */
	bool announced = told->announced == row->announced ||
			 (row->announced == 0 && told->announced == told->size);

	return memcmp(told->sha256, row->sha256, DIGEST_SIZE) == 0 &&
	       told->size == row->size &&
	       told->header_size == row->header_size && announced &&
	       told->body_hash == row->body_hash &&
	       told->identity == row->identity;
}

static bool
same_header(const struct catalog_row *a, const struct catalog_row *b)
{
	return same_text(a->from, b->from) && same_text(a->to, b->to) &&
	       same_text(a->cc, b->cc) && same_text(a->subject, b->subject) &&
	       same_text(a->date, b->date) &&
	       same_text(a->message_id, b->message_id);
}

static void
compare_begun(void *arg, const struct catalog_row *row, bool ended)
{
	struct telling *t = arg;
	const struct catalog_row *told = &t->begun->row;
	(void)ended;
	t->met = true;
	if (!same_state(told, row))
		differs(t, told,
		    "the index has other flags or another date of it than the "
		    "manifest");
	if (!same_content(told, row))
		differs(t, told,
		    "the index says that it is another message than the "
		    "manifest");
	else if (!same_header(told, row))
		differs(t, told,
		    "the index has other header texts of it than the manifest");
}

/* Wire and generation lie beside the row. */
static bool
look_up(struct telling *t, const struct inventory_row *line,
    void (*each)(void *, const struct catalog_row *, bool), struct err *err)
{
	struct catalog_row at = line->row;
	at.generation = line->generation;
	t->begun = line;
	t->met = false;

	return index_version(t->t->index, t->t->run->id, &at, each, t, err);
}

static bool
take_begun(void *arg, const struct inventory_row *line, struct err *err)
{
	struct telling *t = arg;
	if (!look_up(t, line, compare_begun, err))
		return false;
	if (!t->met)
		differs(t, &line->row,
		    "the index doesn't know the message that the manifest "
		    "tells of");

	return !stop_asked();
}

static void
compare_ended(void *arg, const struct catalog_row *row, bool ended)
{
	struct telling *t = arg;
	(void)row;
	t->met = ended;
}

static bool
take_ended(void *arg, const struct inventory_row *line, struct err *err)
{
	struct telling *t = arg;
	t->ended++;
	if (!look_up(t, line, compare_ended, err))
		return false;
	if (!t->met)
		differs(t, &line->row,
		    "the index doesn't know that it ended in this run, as the "
		    "manifest tells");

	return !stop_asked();
}

/* ---- mailboxes and accounts ---- */

static void
add_text(struct buf *facts, const char *text)
{
	buf_str(facts, text == NULL ? "" : text);
	buf_char(facts, '\0');
}

static void
add_numbers(struct buf *facts, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_fmt(facts, "%" PRIu64 " ", numbers[i]);
}

static uint64_t
end_facts(struct buf *facts)
{
	uint64_t hash = (uint64_t)hash64_of(facts->data, facts->len);
	buf_free(facts);

	return hash;
}

static uint64_t
hash_names(const char *account, const void *wire, size_t wire_len,
    const char *display, char separator, const char *special_use,
    const char *mailbox_id, bool subscribed)
{
	struct buf facts = { 0 };
	add_text(&facts, account);
	buf_add(&facts, wire, wire_len);
	buf_char(&facts, '\0');
	add_text(&facts, display);
	add_text(&facts, special_use);
	add_text(&facts, mailbox_id);
	buf_char(&facts, separator);
	buf_char(&facts, subscribed ? '1' : '0');

	return end_facts(&facts);
}

static bool
take_mailbox(void *arg, const struct inventory_mailbox *m, struct err *err)
{
	struct telling *t = arg;
	struct buf facts = { 0 };
	(void)err;
	const uint64_t sums[] = { m->uidvalidity, m->generation,
		(uint64_t)m->scanned, m->inventory, m->already, m->delivered,
		m->duplicate, m->excluded, m->repaired, m->quarantined,
		m->unreadable, m->vanished, m->unknown };
	t->names += hash_names(m->account, m->wire, m->wire_len, m->display,
	    m->separator, m->special_use, m->mailbox_id, m->subscribed);
	if (!m->has_sums)
		return true;
	add_text(&facts, m->account);
	buf_add(&facts, m->wire, m->wire_len);
	add_numbers(&facts, sums, sizeof(sums) / sizeof(sums[0]));
	t->mailboxes += end_facts(&facts);

	return true;
}

static bool
take_box(void *arg, const struct index_run_box *m)
{
	struct telling *t = arg;
	struct buf facts = { 0 };
	const uint64_t *by = m->counts.by;
	const uint64_t sums[] = { m->uidvalidity, m->generation,
		(uint64_t)m->counts.scanned, m->counts.inventory,
		m->counts.already, by[OUTCOME_DELIVERED], by[OUTCOME_DUPLICATE],
		by[OUTCOME_EXCLUDED], by[OUTCOME_REPAIRED],
		by[OUTCOME_QUARANTINED], by[OUTCOME_UNREADABLE],
		by[OUTCOME_VANISHED], by[OUTCOME_UNKNOWN] };
	t->names -= hash_names(m->source, m->wire, m->wire_len, m->mailbox,
	    m->separator, m->special_use, m->mailbox_id, m->subscribed);
	if (!m->counted)
		return true;
	add_text(&facts, m->source);
	buf_add(&facts, m->wire, m->wire_len);
	add_numbers(&facts, sums, sizeof(sums) / sizeof(sums[0]));
	t->mailboxes -= end_facts(&facts);

	return true;
}

static uint64_t
hash_account(const char *kind, const char *account, const char *target,
    int64_t started, int64_t ended, int exit_code, const char *text)
{
	struct buf facts = { 0 };
	const uint64_t numbers[] = { (uint64_t)started, (uint64_t)ended,
		(uint64_t)exit_code };
	add_text(&facts, kind);
	add_text(&facts, account);
	add_text(&facts, target);
	add_text(&facts, text);
	add_numbers(&facts, numbers, sizeof(numbers) / sizeof(numbers[0]));

	return end_facts(&facts);
}

static bool
take_account(void *arg, const struct inventory_account *a, struct err *err)
{
	struct telling *t = arg;
	(void)err;
	t->accounts += hash_account(a->kind, a->account, a->target, a->started,
	    a->ended, a->exit_code, a->text);

	return true;
}

static bool
take_job(void *arg, const struct index_run_job *j)
{
	struct telling *t = arg;
	t->accounts -= hash_account(j->kind, j->source, j->target, j->started,
	    j->ended, j->exit_code, j->text);

	return true;
}

static bool
take_run(void *arg, const struct inventory_run *line, struct err *err)
{
	struct telling *t = arg;
	const struct index_run *run = t->t->run;
	(void)err;
	if (line->started != run->started || line->ended != run->ended ||
	    strcmp(line->command, run->command) != 0)
		differs(t, NULL,
		    "the index tells another command or time of the run than "
		    "its manifest");

	return true;
}

/* ---- a run ---- */

static bool
compare_sums(struct telling *t, struct err *err)
{
	const struct told *told = t->t;
	uint64_t ended;
	if (!index_run_boxes(told->index, told->run->id, take_box, t, err) ||
	    !index_run_jobs(
		told->index, told->run->id, NULL, take_job, t, err) ||
	    !index_ended(told->index, told->run->id, &ended, err))
		return false;
	if (t->mailboxes != 0)
		differs(t, NULL,
		    "the index counted other things in it than the manifest");
	if (t->accounts != 0)
		differs(t, NULL,
		    "the index tells other things of its accounts than the "
		    "manifest");
	/* Names may change from run to run. */
	if (told->last && t->names != 0)
		differs(t, NULL,
		    "the index has other names of mailboxes than the manifest");
	if (ended != t->ended)
		differs(t, NULL,
		    "by the index other messages ended in it than by the "
		    "manifest");

	return true;
}

bool
told_check(const struct told *told, struct err *err)
{
	struct telling t = { .t = told };
	const struct inventory_tell tell = {
		.arg = &t,
		.run = take_run,
		.account = take_account,
		.mailbox = take_mailbox,
		.begun = take_begun,
		.ended = take_ended,
	};
	/* A line that can't be used was reported with the manifest. */
	if (!inventory_manifest(told->dir, told->run->name, &tell, err))
		return stop_asked();

	return compare_sums(&t, err);
}
