#include "fares.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "job.h"
#include "rows.h"
#include "screen.h"

/* More are for the report. */
enum { TABLE_MAX = 100, FAILURES_MAX = 20, NAME_WIDTH = 32 };

static const struct account *
account_of(const struct lineup *l, const struct fate *f)
{
	return &l->tenant->accounts.items[f->account];
}

const char *
fares_word(const struct fate *f)
{
	if (f->state != FATE_ENDED)
		return f->tries == 0 ? "not begun" : "interrupted";
	if (f->interrupted)
		return "interrupted";
	if (f->parked)
		return "parked";
	if (f->err != NULL)
		return "failed";

	return f->exit_code == EXIT_OK ? "complete" : "incomplete";
}

static bool
is_well(const struct fate *f)
{
	return strcmp(fares_word(f), "complete") == 0;
}

static void
table_row(struct buf *out, const struct lineup *l, const struct fate *f)
{
	char listed[32], copied[32], already[32], failed[32], name[200];
	const struct index_counts *c = &f->counts;
	const char *key = account_of(l, f)->name;
	text_escape_to(name, sizeof(name), key, strlen(key));
	buf_fmt(out, "  %-*s %10s %10s %10s %10s  %s\n", NAME_WIDTH, name,
	    text_count(listed, sizeof(listed), c->inventory),
	    text_count(copied, sizeof(copied), c->by[OUTCOME_DELIVERED]),
	    text_count(already, sizeof(already), c->already),
	    text_count(failed, sizeof(failed), job_failed_messages(c)),
	    fares_word(f));
}

void
fares_table(struct buf *out, const struct lineup *l)
{
	size_t shown = 0, left = 0;
	buf_fmt(out, "  %-*s %10s %10s %10s %10s\n", NAME_WIDTH, "account",
	    "listed", "copied", "already", "failed");
	for (size_t i = 0; i < l->n; i++) {
		const struct fate *f = &l->fates[i];
		if (shown == TABLE_MAX || (l->n > TABLE_MAX && is_well(f))) {
			left++;
			continue;
		}
		table_row(out, l, f);
		shown++;
	}
	if (left > 0)
		buf_fmt(out,
		    "  and %zu more, which a report names (--report)\n", left);
}

static void
mailbox_failures(struct buf *out, const char *name, const struct fate *f)
{
	for (size_t i = 0; i < f->failure_count; i++) {
		const struct haul_failure *m = &f->failures[i];
		buf_str(out, "FAILED ");
		text_escape(out, name, strlen(name));
		buf_char(out, ' ');
		text_escape(out, m->mailbox, strlen(m->mailbox));
		buf_fmt(out, ": %s%s%s\n", m->err.text,
		    m->err.words[0] == '\0' ? "" : "; server: ", m->err.words);
	}
}

static void
account_failure(struct buf *out, const char *name, const struct fate *f,
    const struct options *o)
{
	bool check = f->err != NULL && f->err->code == ERR_LOGIN;
	if (f->err == NULL)
		return;
	buf_fmt(out, "%s ", f->parked ? "PARKED" : "FAILED");
	text_escape(out, name, strlen(name));
	buf_fmt(out, ": %s%s%s\n", f->err->text,
	    f->err->words[0] == '\0' ? "" : "; server: ", f->err->words);
	buf_fmt(out, "  Then: mailhaul %s", check ? "check" : "run");
	options_again(out, o, check ? IN_CHECK : IN_RUN, false);
	buf_str(out, " --account ");
	text_shell(out, name);
	buf_char(out, '\n');
}

void
fares_failures(struct buf *out, const struct lineup *l, const struct options *o)
{
	size_t shown = 0, left = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct fate *f = &l->fates[i];
		if (f->err == NULL && f->failure_count == 0)
			continue;
		if (shown == FAILURES_MAX) {
			left++;
			continue;
		}
		const char *name = account_of(l, f)->name;
		mailbox_failures(out, name, f);
		account_failure(out, name, f, o);
		shown++;
	}
	if (left > 0)
		buf_fmt(
		    out, "and %zu more accounts, which a report names\n", left);
	if (shown == 0)
		return;
	buf_str(out, "To go on with all that did not end well:\n"
		     "  Then: mailhaul run");
	options_again(out, o, IN_RUN, false);
	buf_str(out, " --failed\n");
}

static json_t *
mailboxes_json(const struct fate *f)
{
	json_t *array = json_array();
	for (size_t i = 0; i < f->failure_count; i++) {
		const struct haul_failure *m = &f->failures[i];
		json_t *o = json_object();
		json_object_set_new(o, "mailbox", rows_utf8(m->mailbox));
		json_object_set_new(o, "error", rows_utf8(m->err.text));
		json_object_set_new(o, "server", rows_utf8(m->err.words));
		json_array_append_new(array, o);
	}

	return array;
}

static json_t *
account_json(const struct lineup *l, const struct fate *f)
{
	const struct account *a = account_of(l, f);
	json_t *o = json_object(), *sums = json_object();
	json_object_set_new(o, "account", rows_utf8(a->name));
	json_object_set_new(o, "group", rows_utf8(a->group));
	json_object_set_new(o, "state", rows_utf8(fares_word(f)));
	json_object_set_new(o, "tries", rows_number(f->tries));
	json_object_set_new(o, "exit_code",
	    f->state == FATE_ENDED ? json_integer(f->exit_code) : json_null());
	rows_set_counts(sums, &f->counts);
	json_object_set_new(o, "messages", sums);
	json_object_set_new(o, "octets", rows_number(f->octets));
	json_object_set_new(
	    o, "error", rows_utf8(f->err == NULL ? NULL : f->err->text));
	json_object_set_new(
	    o, "server", rows_utf8(f->err == NULL ? NULL : f->err->words));
	json_object_set_new(o, "failed_mailboxes", mailboxes_json(f));

	return o;
}

json_t *
fares_json(const struct lineup *l)
{
	json_t *array = json_array();
	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(array, account_json(l, &l->fates[i]));

	return array;
}
