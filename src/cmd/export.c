#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "as_of.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "ids.h"
#include "local/maildir.h"
#include "progress.h"
#include "rows.h"
#include "screen.h"

struct exporting {
	const struct options *o;
	struct archive_port from;
	struct find find;
	struct ids ids;
	struct reading *reading;
	struct maildir_export *to;
	struct meter meter;
	uint64_t done, octets, failed;
	char *path;
};

static bool
target_path(struct exporting *e, const char *arg, struct err *err)
{
	struct endpoint endpoint = { 0 };
	if (!endpoint_parse(&endpoint, arg, err))
		return false;
	if (endpoint.kind == ENDPOINT_MAILDIR)
		e->path = mem_str(endpoint.path);
	else
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: messages are exported to maildir:DIR", arg);
	endpoint_free(&endpoint);

	return e->path != NULL;
}

static bool
set_query(struct exporting *e, struct err *err)
{
	const struct options *o = e->o;
	bool named = o->message_id != NULL || o->sha256 != NULL;
	if (named && !find_parse(&e->find, e->from.state.index, o, NULL, err))
		return false;
	bool many = o->id.n > 0 || o->ids_from != NULL;
	if (many && named)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--id and --ids-from don't go with --sha256 and "
		    "--message-id");
	if (many &&
	    !ids_read(&e->ids, e->from.state.index, &o->id, o->ids_from, err))
		return false;
	struct index_query *q = &e->find.query;
	q->outcome = -1;
	q->account = o->account;
	q->include = o->include.items;
	q->include_count = o->include.n;
	q->exclude = o->exclude.items;
	q->exclude_count = o->exclude.n;
	q->since = o->since;
	q->before = o->before;
	q->uid = o->uid;

	return as_of_set(e->from.state.index, o, &q->as_of_run, &q->as_of, err);
}

/* A message that can't be read is named and left out; the export goes on. */
static bool
one(struct exporting *e, const struct catalog_row *row, struct err *err)
{
	struct err why;
	if (!maildir_export_begin(e->to, row, err))
		return false;
	bool read = reading_message(
	    e->reading, row->sha256, maildir_export_add, e->to, &why);
	if (!read && why.scope == ERR_RUN && why.code == ERR_DISK_FULL) {
		maildir_export_end(e->to, false, NULL, err);
		*err = why;
		return false;
	}
	if (!maildir_export_end(e->to, read, NULL, err))
		return false;
	if (!read) {
		e->failed++;
		atomic_fetch_add(&e->meter.failed, 1);
		log_add(LOG_ERROR, "%s UID %" PRIu64 ": %s", row->mailbox,
		    row->uid, why.text);
		return true;
	}
	e->done++;
	e->octets += row->size;
	atomic_fetch_add(&e->meter.fetched, 1);
	atomic_fetch_add(&e->meter.fetched_octets, row->size);

	return true;
}

static bool
every(struct exporting *e, struct err *err)
{
	struct index_rows *rows;
	if (!index_rows_open(e->from.state.index, &rows, &e->find.query, err))
		return false;
	bool ok = true, end = false;
	while (ok && !end && !stop_asked()) {
		struct index_row row;
		ok = find_next(&e->find, rows, &row, &end, err);
		if (!ok || end)
			continue;
		meter_set_mailbox(&e->meter, row.row.mailbox);
		ok = one(e, &row.row, err);
	}
	index_rows_close(&rows);

	return ok;
}

static bool
add_sum(void *arg, const struct index_mailbox_sum *sum)
{
	struct exporting *e = arg;
	atomic_fetch_add(&e->meter.expected, sum->messages);
	atomic_fetch_add(&e->meter.wanted_octets, sum->octets);

	return true;
}

/* For a screen that shows it. Of messages that are named one by one nobody
 * knows without looking in how many mailboxes each stands. */
static bool
sum_up(struct exporting *e, struct err *err)
{
	const struct options *o = e->o;
	bool named = o->message_id != NULL || o->sha256 != NULL ||
		     o->id.n > 0 || o->ids_from != NULL;
	if (named || progress_how(o) == PROGRESS_NONE)
		return true;

	return index_mailbox_sums(
	    e->from.state.index, &e->find.query, add_sum, e, err);
}

/* By --id and --ids-from, in any order; or all that the query takes. */
static bool
all(struct exporting *e, struct err *err)
{
	if (e->o->id.n == 0 && e->o->ids_from == NULL)
		return every(e, err);
	bool ok = true;
	for (size_t i = 0; ok && i < e->ids.n && !stop_asked(); i++) {
		e->find.query.sha256 = e->ids.sha256[i];
		ok = every(e, err);
	}

	return ok;
}

static int
finish(struct exporting *e)
{
	char size[32], count[32];
	if (!e->o->quiet || e->failed > 0)
		printf("%s message%s, %s, written to %s%s\n",
		    text_count(count, sizeof(count), e->done), rows_s(e->done),
		    text_size(size, sizeof(size), e->octets), e->path,
		    stop_asked() ? " (INTERRUPTED)" : "");
	if (e->failed > 0)
		printf("INCOMPLETE: %" PRIu64 " could not be read, see above\n"
		       "Then: mailhaul verify %s\n",
		    e->failed, e->from.state.dir);
	if (stop_asked())
		return 128 + stop_signal();
	if (e->done == 0 && e->failed == 0) {
		fprintf(stderr, "mailhaul: nothing in the archive matches\n");
		return EXIT_SOME_FAILED;
	}

	return e->failed > 0 ? EXIT_MISMATCH : EXIT_OK;
}

int
command_export(const struct options *o)
{
	struct exporting e = { .o = o };
	struct err err;
	meter_start(&e.meter);
	e.meter.reading = true;
	meter_set_phase(&e.meter, METER_READING);
	struct progress_screen *screen = progress_start(o, &e.meter);
	bool ok = archive_port_read_of(&e.from, o, o->args[0], &err) &&
		  target_path(&e, o->args[1], &err) && set_query(&e, &err) &&
		  reading_open(&e.reading, &e.from, &err) &&
		  maildir_export_open(&e.to, e.path, &err) &&
		  sum_up(&e, &err) && all(&e, &err);
	struct err closing;
	if (e.to != NULL && !maildir_export_close(&e.to, &closing) && ok) {
		err = closing;
		ok = false;
	}
	meter_set_phase(&e.meter, METER_DONE);
	progress_stop(&screen);
	int code = ok ? finish(&e) : screen_error(&err);
	reading_close(&e.reading);
	find_free(&e.find);
	ids_free(&e.ids);
	archive_port_close(&e.from);
	free(e.path);

	return code;
}
