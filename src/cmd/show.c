#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "as_of.h"
#include "commands.h"
#include "find.h"
#include "screen.h"

static bool
to_stdout(void *arg, const void *data, size_t n, struct err *err)
{
	uint64_t *left = arg;
	size_t take = n < *left ? n : (size_t)*left;
	*left -= take;
	if (fwrite(data, 1, take, stdout) == take)
		return true;

	return err_errno(err, ERR_RUN, "can't write standard output");
}

/* One content, however many placements it has; several are an error that
 * lists them. */
static bool
choose(struct index *index, const struct find *f, struct catalog_row *chosen,
    struct err *err)
{
	struct index_rows *rows;
	if (!index_rows_open(index, &rows, &f->query, err))
		return false;
	bool ok = true, end = false;
	uint64_t different = 0;
	while (ok && !end) {
		struct index_row row;
		char hex[65];
		ok = find_next(f, rows, &row, &end, err);
		if (!ok || end)
			continue;
		if (different > 0 &&
		    memcmp(chosen->sha256, row.row.sha256, 32) == 0)
			continue;
		if (different++ == 0) {
			memcpy(chosen->sha256, row.row.sha256, 32);
			chosen->size = row.row.size;
			chosen->header_size = row.row.header_size;
			err_set(err, ERR_RUN, ERR_USAGE,
			    "several different messages match; name one by its "
			    "content hash");
			err_hint(
			    err, "%s", digest_hex(hex, chosen->sha256, 32));
		} else {
			err_hint(
			    err, "%s", digest_hex(hex, row.row.sha256, 32));
		}
	}
	index_rows_close(&rows);
	if (ok && different == 0) {
		ok = err_set(err, ERR_RUN, ERR_GONE,
		    "the archive holds no such message");
		err_hint(err, "Then: mailhaul ls ARCHIVE [MAILBOX]");
		if (f->exact != NULL)
			err_hint(err,
			    "Has it gone at the source? --as-of DATE shows "
			    "mailboxes as they stood.");
	}

	return ok && different == 1;
}

int
command_show(const struct options *o)
{
	struct archive_port p;
	struct find find = { 0 };
	struct reading *reading = NULL;
	struct catalog_row row;
	struct err err;
	bool ok = archive_port_read_of(&p, o, o->args[0], &err) &&
		  find_parse(&find, p.state.index, o, o->args[1], &err) &&
		  as_of_set(p.state.index, o, &find.query.as_of_run,
		      &find.query.as_of, &err) &&
		  choose(p.state.index, &find, &row, &err) &&
		  reading_open_beside(&reading, &p, &err);
	if (ok) {
		uint64_t left = o->raw_header ? row.header_size : row.size;
		ok = reading_message(
		    reading, row.sha256, to_stdout, &left, &err);
		if (!ok && !screen_failed())
			err_hint(&err, "Then: mailhaul verify %s", p.state.dir);
	}
	reading_close(&reading);
	find_free(&find);
	archive_port_close(&p);

	/* What becomes of standard output, screen_close says. */
	return ok || screen_failed() ? EXIT_OK : screen_error(&err);
}
