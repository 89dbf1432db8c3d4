#include "summary.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "fares.h"
#include "job.h"
#include "rows.h"
#include "screen.h"

/* Every outcome by its word for people, in the order of the screen. */
static const struct {
	enum outcome outcome;
	const char *label, *dry_label, *note;
} outcomes[] = {
	{ OUTCOME_DELIVERED, "copied", "to be copied", "" },
	{ OUTCOME_EXCLUDED, "skipped by rule", NULL, "" },
	{ OUTCOME_VANISHED, "gone meanwhile", NULL,
	    "deleted at the source during the run" },
	{ OUTCOME_QUARANTINED, "held back", NULL, "refused by the target" },
	{ OUTCOME_UNREADABLE, "unreadable", NULL,
	    "listed, but the source can't give it" },
	{ OUTCOME_UNKNOWN, "unknown", NULL,
	    "not reached, or counted but not listed" },
};

enum { OUTCOMES = sizeof(outcomes) / sizeof(outcomes[0]) };

static void
text_head(struct buf *out, const struct summary *s)
{
	char took[32], size[32], rate[32];
	const struct haul_result *r = s->result;
	uint64_t ms = s->wall_ms > 0 ? (uint64_t)s->wall_ms : 1;
	buf_fmt(out, "%s -> %s   %s   %s   %s/s   %" PRIu64 " mailbox%s\n",
	    s->source == NULL ? "?" : s->source,
	    s->target == NULL ? "?" : s->target,
	    text_duration(took, sizeof(took), s->wall_ms / 1000),
	    text_size(size, sizeof(size), r->octets),
	    text_size(rate, sizeof(rate), r->octets * 1000 / ms), r->mailboxes,
	    r->mailboxes == 1 ? "" : "es");
}

static void
text_count_line(
    struct buf *out, const char *label, uint64_t n, const char *note)
{
	char count[32];
	buf_fmt(out, "  %-20s %12s%s%s\n", label,
	    text_count(count, sizeof(count), n), note[0] == '\0' ? "" : "   ",
	    note);
}

static void
text_counts(struct buf *out, const struct summary *s)
{
	const struct index_counts *c = &s->result->counts;
	bool dry = s->options->dry_run;
	text_count_line(out, "listed at source", c->inventory, "");
	text_count_line(out, dry ? outcomes[0].dry_label : outcomes[0].label,
	    c->by[OUTCOME_DELIVERED], "");
	text_count_line(out, "already there", c->already, "");
	for (size_t i = 1; i < OUTCOMES; i++)
		if (c->by[outcomes[i].outcome] > 0)
			text_count_line(out, outcomes[i].label,
			    c->by[outcomes[i].outcome], outcomes[i].note);
	if (s->result->flags_changed > 0)
		text_count_line(
		    out, "flags changed", s->result->flags_changed, "");
	if (s->result->gone > 0)
		text_count_line(out, "gone since last run", s->result->gone,
		    "not at the source any more; what was copied stays");
}

static void
text_mailboxes(struct buf *out, const struct summary *s)
{
	const struct haul_result *r = s->result;
	if (r->mailboxes_same > 0)
		buf_fmt(out,
		    "Mailboxes unchanged since the last run, not opened: "
		    "%" PRIu64 "\n",
		    r->mailboxes_same);
	if (r->mailboxes_renamed > 0)
		buf_fmt(out, "Mailboxes renamed: %" PRIu64 "\n",
		    r->mailboxes_renamed);
	if (r->mailboxes_gone > 0)
		buf_fmt(out, "Mailboxes gone from the source: %" PRIu64 "\n",
		    r->mailboxes_gone);
	if (r->mailboxes_excluded > 0)
		buf_fmt(out,
		    "Mailboxes skipped by --include or --exclude: "
		    "%" PRIu64 "\n",
		    r->mailboxes_excluded);
	if (r->mailboxes_unreached > 0)
		buf_fmt(out, "Mailboxes not reached: %" PRIu64 "\n",
		    r->mailboxes_unreached);
	for (size_t i = 0; i < r->failure_count; i++) {
		const struct haul_failure *f = &r->failures[i];
		buf_str(out, "FAILED ");
		text_escape(out, f->mailbox, strlen(f->mailbox));
		buf_fmt(out, ": %s%s%s\n", f->err.text,
		    f->err.words[0] == '\0' ? "" : "; server: ", f->err.words);
	}
}

/* "complete: 12345 listed = 12001 delivered + 340 already + 4 excluded" */
static void
text_equation(struct buf *out, const struct summary *s)
{
	const struct index_counts *c = &s->result->counts;
	buf_fmt(out,
	    "%" PRIu64 " listed = %" PRIu64 " %s + %" PRIu64 " already",
	    c->inventory, c->by[OUTCOME_DELIVERED],
	    s->options->dry_run ? "to be copied" : "delivered", c->already);
	for (size_t i = 1; i < OUTCOMES; i++)
		if (c->by[outcomes[i].outcome] > 0)
			buf_fmt(out, " + %" PRIu64 " %s",
			    c->by[outcomes[i].outcome],
			    outcome_word(outcomes[i].outcome));
	buf_char(out, '\n');
}

/* An account that ended too soon goes on with the same command: what it did not
 * reach, nobody can explain. Those of many were told of above. */
static void
text_next(struct buf *out, const struct summary *s)
{
	const struct haul_result *r = s->result;
	const char *nearer =
	    s->failed == NULL ? NULL : strstr(s->failed->hint, "Then: ");
	bool early = r->interrupted || s->failed != NULL;
	if (nearer != NULL) {
		buf_add(out, nearer, strcspn(nearer, "\n"));
		buf_char(out, '\n');
	} else if (early || job_failed_messages(&r->counts) == 0) {
		if (early || s->lineup == NULL)
			buf_fmt(out, "Then: mailhaul %s\n", s->again);
	} else {
		buf_str(out, "Then: mailhaul explain");
		options_again(out, s->options, IN_EXPLAIN, true);
		buf_char(out, ' ');
		if (s->pair != NULL)
			buf_str(out, s->pair);
		else
			text_shell(out, s->target);
		buf_char(out, '\n');
	}
}

static void
text_pins(struct buf *out, const struct options *o)
{
	if (o->source.tls_pin != NULL)
		buf_fmt(out, "TLS: the server was known by its key alone, %s\n",
		    o->source.tls_pin);
	if (o->target.tls_pin != NULL)
		buf_fmt(out, "TLS: the target was known by its key alone, %s\n",
		    o->target.tls_pin);
}

void
summary_text(struct buf *out, const struct summary *s)
{
	text_head(out, s);
	if (s->lineup != NULL)
		fares_table(out, s->lineup);
	text_counts(out, s);
	text_mailboxes(out, s);
	if (s->lineup != NULL)
		fares_failures(out, s->lineup, s->options);
	if (s->readback_ms > 0)
		buf_fmt(out,
		    "Sealed volumes were read back in %" PRIu64 ".%" PRIu64
		    " s.\n",
		    s->readback_ms / 1000, s->readback_ms % 1000 / 100);
	text_pins(out, s->options);
	buf_fmt(out, "Deleted: nothing, on either side.");
	if (s->log != NULL)
		buf_fmt(out, "   Log: %s", s->log);
	buf_char(out, '\n');
	if (s->options->dry_run)
		buf_str(out, "dry run, nothing was written: ");
	else if (s->result->interrupted)
		buf_str(out, "INTERRUPTED, run it again to go on: ");
	else if (s->exit_code != 0)
		buf_str(out, "INCOMPLETE: ");
	else
		buf_str(out, "complete: ");
	text_equation(out, s);
	if (s->exit_code != 0 && s->run != NULL)
		text_next(out, s);
}

/* ---- report ---- */

static bool
report_mailbox(void *arg, const struct index_run_row *row)
{
	json_t *box = json_object();
	json_object_set_new(box, "account", rows_utf8(row->source));
	json_object_set_new(box, "mailbox", rows_utf8(row->mailbox));
	json_object_set_new(box, "uidvalidity", rows_number(row->uidvalidity));
	rows_set_counts(box, &row->counts);
	json_array_append_new(arg, box);

	return true;
}

static bool
add_messages(json_t *list, struct state_dir *state, struct err *err)
{
	struct index_query query = { .run = state->run,
		.outcome = OUTCOME_COUNT };
	struct index_rows *rows;
	if (!index_rows_open(state->index, &rows, &query, err))
		return false;
	bool ok = true, end = false;
	while (ok && !end) {
		struct index_row row;
		ok = index_rows_next(rows, &row, &end, err);
		if (!ok || end || row.outcome == OUTCOME_DELIVERED)
			continue;
		json_t *m = json_object();
		json_object_set_new(m, "account", rows_utf8(row.row.account));
		json_object_set_new(m, "mailbox", rows_utf8(row.row.mailbox));
		json_object_set_new(
		    m, "uidvalidity", rows_number(row.row.uidvalidity));
		json_object_set_new(m, "uid", rows_number(row.row.uid));
		json_object_set_new(
		    m, "outcome", rows_utf8(outcome_word(row.outcome)));
		json_object_set_new(m, "why", rows_utf8(row.note_text));
		json_array_append_new(list, m);
	}
	index_rows_close(&rows);

	return ok;
}

static json_t *
report_json(const struct summary *s)
{
	const struct haul_result *r = s->result;
	json_t *top = json_object();
	json_object_set_new(top, "mailhaul", json_string(MAILHAUL_VERSION));
	json_object_set_new(top, "source", rows_utf8(s->source));
	json_object_set_new(top, "target", rows_utf8(s->target));
	json_object_set_new(top, "run", rows_utf8(s->run));
	json_object_set_new(top, "dry_run", json_boolean(s->options->dry_run));
	json_object_set_new(top, "started", rows_when(s->started));
	json_object_set_new(top, "ended", rows_when(s->ended));
	json_object_set_new(top, "wall_ms", rows_number((uint64_t)s->wall_ms));
	json_object_set_new(top, "readback_ms", rows_number(s->readback_ms));
	json_object_set_new(top, "exit_code", json_integer(s->exit_code));
	json_object_set_new(top, "complete", json_boolean(s->exit_code == 0));
	json_object_set_new(top, "interrupted", json_boolean(r->interrupted));
	json_object_set_new(top, "octets", rows_number(r->octets));
	json_object_set_new(top, "deleted", json_integer(0));
	json_object_set_new(
	    top, "tls_pin", rows_utf8(s->options->source.tls_pin));
	json_object_set_new(
	    top, "target_tls_pin", rows_utf8(s->options->target.tls_pin));
	json_t *sums = json_object();
	rows_set_counts(sums, &r->counts);
	json_object_set_new(top, "messages", sums);
	json_object_set_new(
	    top, "flags_changed", rows_number(r->flags_changed));
	json_object_set_new(top, "gone", rows_number(r->gone));
	json_object_set_new(
	    top, "mailboxes_unchanged", rows_number(r->mailboxes_same));
	json_object_set_new(
	    top, "mailboxes_renamed", rows_number(r->mailboxes_renamed));
	json_object_set_new(
	    top, "mailboxes_gone", rows_number(r->mailboxes_gone));
	json_object_set_new(
	    top, "mailboxes_excluded", rows_number(r->mailboxes_excluded));
	json_object_set_new(
	    top, "mailboxes_not_reached", rows_number(r->mailboxes_unreached));
	json_t *failures = json_array();
	for (size_t i = 0; i < r->failure_count; i++) {
		json_t *f = json_object();
		json_object_set_new(
		    f, "mailbox", rows_utf8(r->failures[i].mailbox));
		json_object_set_new(
		    f, "error", rows_utf8(r->failures[i].err.text));
		json_object_set_new(
		    f, "server", rows_utf8(r->failures[i].err.words));
		json_array_append_new(failures, f);
	}
	json_object_set_new(top, "failed_mailboxes", failures);
	if (s->lineup != NULL)
		json_object_set_new(top, "accounts", fares_json(s->lineup));
	json_object_set_new(top, "error",
	    s->failed == NULL ? json_null() : rows_utf8(s->failed->text));

	return top;
}

static bool
write_json(const char *path, const struct summary *s, struct state_dir *state,
    struct err *err)
{
	json_t *top = report_json(s);
	json_t *boxes = json_array(), *messages = json_array();
	bool ok = true;
	if (state != NULL)
		ok = index_run_rows(state->index, state->run, report_mailbox,
			 boxes, err) &&
		     add_messages(messages, state, err);
	json_object_set_new(top, "mailboxes", boxes);
	json_object_set_new(top, "not_copied", messages);
	char *text = json_dumps(top, JSON_INDENT(1));
	struct buf out = { 0 };
	buf_str(&out, text);
	buf_char(&out, '\n');
	ok = ok && file_replace(path, out.data, out.len, err);
	buf_free(&out);
	free(text);
	json_decref(top);

	return ok;
}

static bool
text_messages(struct buf *out, struct state_dir *state, struct err *err)
{
	struct index_query query = { .run = state->run,
		.outcome = OUTCOME_COUNT };
	struct index_rows *rows;
	if (!index_rows_open(state->index, &rows, &query, err))
		return false;
	bool ok = true, end = false;
	while (ok && !end) {
		struct index_row row;
		ok = index_rows_next(rows, &row, &end, err);
		if (!ok || end || row.outcome == OUTCOME_DELIVERED)
			continue;
		text_escape(out, row.row.mailbox, strlen(row.row.mailbox));
		buf_fmt(out, " UID %" PRIu64 " %s: ", row.row.uid,
		    outcome_word(row.outcome));
		text_escape(out, row.note_text, strlen(row.note_text));
		buf_char(out, '\n');
	}
	index_rows_close(&rows);

	return ok;
}

void
summary_failure(struct buf *out, const struct err *err)
{
	buf_fmt(out, "FAILED: %s\n", err->text);
	if (err->words[0] != '\0')
		buf_fmt(out, "server: \"%s\"\n", err->words);
	if (err->hint[0] != '\0')
		buf_fmt(out, "%s\n", err->hint);
}

static bool
write_text(const char *path, const struct summary *s, struct state_dir *state,
    struct err *err)
{
	struct buf out = { 0 };
	summary_text(&out, s);
	if (s->failed != NULL)
		summary_failure(&out, s->failed);
	bool ok = state == NULL || text_messages(&out, state, err);
	ok = ok && file_replace(path, out.data, out.len, err);
	buf_free(&out);

	return ok;
}

bool
summary_wants_json(const char *path)
{
	size_t n = strlen(path);

	return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

bool
summary_report(const char *path, const struct summary *s,
    struct state_dir *state, struct err *err)
{
	bool (*write)(const char *, const struct summary *, struct state_dir *,
	    struct err *) = summary_wants_json(path) ? write_json : write_text;
	if (write(path, s, state, err))
		return true;
	if (state == NULL)
		return false;
	/* What lies there may call an earlier run complete. */
	struct summary failed = *s;
	struct err ignored;
	if (failed.failed == NULL)
		failed.failed = err;
	if (failed.exit_code == EXIT_OK)
		failed.exit_code = exit_of(err);
	write(path, &failed, NULL, &ignored);

	return false;
}
