#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "commands.h"
#include "mail/datetime.h"
#include "pair.h"
#include "rows.h"
#include "screen.h"

static const char *const states[] = {
	[RUN_OPEN] = "running or killed",
	[RUN_COMPLETE] = "complete",
	[RUN_INCOMPLETE] = "INCOMPLETE",
	[RUN_INTERRUPTED] = "interrupted",
};

struct showing {
	const struct options *o;
	struct archive_port archive;
	struct index_run last; /* the one to show in full */
	bool found;
	bool pair; /* of servers: there are no volumes */
};

static void
add(uint64_t *sum, uint64_t n)
{
	*sum += n;
}

static bool
sum_row(void *arg, const struct index_run_row *row)
{
	struct index_counts *sum = arg;
	add(&sum->inventory, row->counts.inventory);
	add(&sum->already, row->counts.already);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		add(&sum->by[i], row->counts.by[i]);

	return true;
}

static void
print_run_json(const struct index_run *run, const struct index_counts *c)
{
	char when[36];
	json_t *row = json_object();
	json_object_set_new(row, "run", json_string(run->name));
	json_object_set_new(row, "state", json_string(states[run->state]));
	json_object_set_new(row, "command", json_string(run->command));
	json_object_set_new(row, "started",
	    json_string(datetime_rfc3339(when, run->started, 0)));
	json_object_set_new(row, "seconds",
	    json_integer(run->ended == 0 ? 0 : run->ended - run->started));
	json_object_set_new(
	    row, "listed", json_integer((json_int_t)c->inventory));
	json_object_set_new(
	    row, "already", json_integer((json_int_t)c->already));
	for (int i = OUTCOME_DELIVERED; i < OUTCOME_COUNT; i++)
		json_object_set_new(row, outcome_word((enum outcome)i),
		    json_integer((json_int_t)c->by[i]));
	rows_print_json(row);
}

static bool
print_run(void *arg, const struct index_run *run)
{
	struct showing *s = arg;
	struct index_counts c = { 0 };
	struct err err;
	char listed[32], copied[32], took[32];
	if (s->o->run != NULL && strcmp(s->o->run, run->name) != 0)
		return true;
	s->last = *run;
	s->found = true;
	if (!index_run_rows(s->archive.state.index, run->id, sum_row, &c, &err))
		return true; /* the next query says why */
	if (s->o->json) {
		print_run_json(run, &c);
		return true;
	}
	/* A run that was killed may have copied what came after it counted. */
	uint64_t known = c.already + c.by[OUTCOME_DELIVERED];
	uint64_t other = c.inventory > known ? c.inventory - known : 0;
	printf("%s  %-12s %9s  listed %s, copied %s, otherwise %" PRIu64 "\n",
	    run->name, states[run->state],
	    run->ended == 0
		? "-"
		: text_duration(took, sizeof(took), run->ended - run->started),
	    text_count(listed, sizeof(listed), c.inventory),
	    text_count(copied, sizeof(copied), c.by[OUTCOME_DELIVERED]), other);

	return true;
}

static bool
print_mailbox(void *arg, const struct index_run_row *row)
{
	const struct index_counts *c = &row->counts;
	uint64_t sum = c->already;
	(void)arg;
	printf("  ");
	rows_print_escaped(row->mailbox);
	printf("  %" PRIu64 " listed = %" PRIu64 " delivered + %" PRIu64
	       " already",
	    c->inventory, c->by[OUTCOME_DELIVERED], c->already);
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		sum += c->by[i];
		if (i != OUTCOME_DELIVERED && c->by[i] > 0)
			printf(" + %" PRIu64 " %s", c->by[i],
			    outcome_word((enum outcome)i));
	}
	printf("%s\n", sum == c->inventory ? "" : "   DOES NOT ADD UP");

	return true;
}

static bool
print_totals(struct showing *s, struct err *err)
{
	struct index_totals t;
	char placed[32], unique[32], stored[32], messages[32], contents[32];
	if (!index_totals(s->archive.state.index, &t, err))
		return false;
	printf("\n%s message%s (%s), %s different (%s)",
	    text_count(messages, sizeof(messages), t.placements),
	    rows_s(t.placements),
	    text_size(placed, sizeof(placed), t.octets_placed),
	    text_count(contents, sizeof(contents), t.contents),
	    text_size(unique, sizeof(unique), t.octets_unique));
	if (!s->pair)
		printf(", in %" PRIu64 " sealed volume%s and %" PRIu64
		       " open: %s",
		    t.volumes_sealed, rows_s(t.volumes_sealed), t.volumes_open,
		    text_size(stored, sizeof(stored), t.octets_volumes));
	printf("\n");

	return true;
}

static bool
show(struct showing *s, struct err *err)
{
	if (!index_runs(s->archive.state.index, -1, print_run, s, err))
		return false;
	if (!s->found) {
		if (s->o->run != NULL)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "there is no run %s", s->o->run);
		printf("no run yet\n");
		return true;
	}
	if (s->o->json)
		return true;
	printf("\n%s: %s\n", s->last.name, s->last.command);

	return index_run_rows(s->archive.state.index, s->last.id, print_mailbox,
		   NULL, err) &&
	       print_totals(s, err);
}

int
command_status(const struct options *o)
{
	struct showing s = { .o = o };
	struct err err;
	size_t used = 0;
	bool ok = pair_or_archive_read(&s.archive, o, &used, &err);
	s.pair = used == 2;
	ok = ok && show(&s, &err);
	archive_port_close(&s.archive);
	if (!ok)
		return screen_error(&err);

	return s.found && s.last.state == RUN_INCOMPLETE ? EXIT_SOME_FAILED
							 : EXIT_OK;
}
