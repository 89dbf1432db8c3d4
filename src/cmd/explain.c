#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "pair.h"
#include "rows.h"
#include "screen.h"

/* What each outcome means, and what to do. */
static const struct {
	enum outcome outcome;
	const char *meaning;
} meanings[] = {
	{ OUTCOME_PENDING, "not fetched yet; the next run does" },
	{ OUTCOME_DELIVERED, "stored" },
	{ OUTCOME_DUPLICATE, "the same as another, kept once" },
	{ OUTCOME_EXCLUDED,
	    "skipped by rule; a run without the rule takes it" },
	{ OUTCOME_REPAIRED, "stored after a repair" },
	{ OUTCOME_QUARANTINED, "refused by the target" },
	{ OUTCOME_UNREADABLE, "listed, but the source can't give it; every run "
			      "asks for it again" },
	{ OUTCOME_VANISHED, "deleted at the source before it was fetched" },
	{ OUTCOME_UNKNOWN, "not known; the next run looks again" },
};

static void
print_kept(const struct index_row *row)
{
	static const char *const claims[] = {
		[CLAIM_WHOLE] = "whole",
		[CLAIM_LINK] = "as a hardlink to",
		[CLAIM_REFERENCE] = "its header; the body is that of",
	};
	const struct catalog_row *c = &row->row;
	char hex[65], size[32];
	struct buf flags = { 0 };
	printf("  sha256   %s  (%s)\n", digest_hex(hex, c->sha256, 32),
	    text_size(size, sizeof(size), c->size));
	flags_text(&flags, c->flags);
	if (c->keywords != NULL && c->keywords[0] != '\0')
		buf_fmt(&flags, " %s", c->keywords);
	if (flags.len > 0)
		printf("  flags    %s\n", flags.data);
	buf_free(&flags);
	/* At a server there is neither. */
	if (row->volume[0] == '\0')
		return;
	printf("  stored   %s %s%s%s\n", claims[c->claim],
	    c->claim == CLAIM_WHOLE ? "" : c->body_volume,
	    c->claim == CLAIM_WHOLE ? "" : " ",
	    c->claim == CLAIM_WHOLE ? "" : c->body_entry);
	printf("  volume   %s  frame %" PRIu32 " + %" PRIu64 "\n", row->volume,
	    c->frame, c->offset);
	printf("  entry    ");
	rows_print_escaped(c->entry == NULL ? "" : c->entry);
	printf("\n");
}

static void
print_text(const char *label, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	printf("  %-8s ", label);
	rows_print_escaped(text);
	printf("\n");
}

static void
print_row(const struct index_row *row)
{
	const struct catalog_row *c = &row->row;
	char date[36] = "no INTERNALDATE";
	if (c->idate != DATETIME_NONE)
		datetime_rfc3339(date, c->idate, c->zone);
	printf("%s ", c->account);
	rows_print_escaped(c->mailbox);
	printf(" UID %" PRIu64 " (UIDVALIDITY %" PRIu64 "), %s\n", c->uid,
	    c->uidvalidity, date);
	printf("  %-8s %s", "outcome", outcome_word(row->outcome));
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].outcome == row->outcome)
			printf(": %s", meanings[i].meaning);
	printf("\n");
	print_text("run", row->run);
	print_text("why", row->note_text);
	print_text("from", c->from);
	print_text("subject", c->subject);
	if (row->outcome == OUTCOME_DELIVERED)
		print_kept(row);
}

static bool
parse_outcome(const char *word, int *outcome, struct err *err)
{
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (strcmp(word, outcome_word((enum outcome)i)) == 0) {
			*outcome = i;
			return true;
		}
	err_set(
	    err, ERR_RUN, ERR_USAGE, "--outcome: \"%s\" is no outcome", word);

	return err_hint(err,
	    "Outcomes: delivered, excluded, vanished, quarantined, unreadable, "
	    "unknown, pending");
}

struct wanted_run {
	const char *name;
	uint64_t id;
};

static bool
match_run(void *arg, const struct index_run *run)
{
	struct wanted_run *w = arg;
	if (strcmp(run->name, w->name) == 0)
		w->id = run->id;

	return w->id == 0;
}

static bool
set_run(struct archive_port *p, struct index_query *query, const char *name,
    struct err *err)
{
	struct wanted_run w = { .name = name };
	if (!index_runs(p->state.index, -1, match_run, &w, err))
		return false;
	query->run = w.id;

	return w.id != 0 ||
	       err_set(err, ERR_RUN, ERR_USAGE, "there is no run %s", name);
}

/* Without a message: everything that did not end as delivered. id: the
 * argument that names one; NULL: none. */
static bool
set_query(struct archive_port *p, const struct options *o, const char *id,
    struct find *f, bool *all, struct err *err)
{
	bool named = id != NULL || o->message_id != NULL || o->sha256 != NULL ||
		     o->entry != NULL || o->uid != 0;
	*all = named;
	if (named && !find_parse(f, p->state.index, o, id, err))
		return false;
	f->query.account = o->account;
	f->query.outcome = OUTCOME_COUNT;
	if (!named && o->mailbox != NULL) {
		f->mailbox[0] = o->mailbox;
		f->query.include = f->mailbox;
		f->query.include_count = 1;
	}
	if (o->run != NULL && !set_run(p, &f->query, o->run, err))
		return false;
	if (o->outcome == NULL)
		return true;
	*all = true;

	return parse_outcome(o->outcome, &f->query.outcome, err);
}

static bool
print_rows(struct archive_port *p, const struct options *o,
    const struct find *f, bool all, uint64_t *n, struct err *err)
{
	struct index_rows *rows;
	if (!index_rows_open(p->state.index, &rows, &f->query, err))
		return false;
	bool ok = true, end = false;
	while (ok && !end) {
		struct index_row row;
		ok = find_next(f, rows, &row, &end, err);
		if (!ok || end || (!all && row.outcome == OUTCOME_DELIVERED))
			continue;
		++*n;
		if (o->json)
			rows_print_json(rows_json(&row));
		else
			print_row(&row);
	}
	index_rows_close(&rows);

	return ok;
}

int
command_explain(const struct options *o)
{
	struct archive_port p;
	struct find find = { .query.outcome = -1 };
	struct err err;
	bool all = false;
	uint64_t n = 0;
	size_t used;
	/* Behind the last argument stand NULLs. */
	bool ok = pair_or_archive_read(&p, o, &used, &err) &&
		  set_query(&p, o, o->args[used], &find, &all, &err) &&
		  print_rows(&p, o, &find, all, &n, &err);
	find_free(&find);
	archive_port_close(&p);
	if (!ok)
		return screen_error(&err);
	if (n > 0)
		return EXIT_OK;
	if (!all) {
		if (!o->json)
			printf("every message that was listed is stored\n");
		return EXIT_OK;
	}
	fprintf(stderr, "mailhaul: no such message in the index\n");

	return EXIT_SOME_FAILED;
}
