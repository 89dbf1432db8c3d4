#include "verify_placed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
nowhere(void *arg, const void *data, size_t n, struct err *err)
{
	uint64_t *octets = arg;
	(void)data;
	(void)err;
	*octets += n;

	return true;
}

/* Is what the row's own entry holds where the index would look for it? */
static bool
is_its_place(const struct message_parts *parts, const struct catalog_row *row)
{
	return parts->split == (row->claim == CLAIM_REFERENCE) &&
	       parts->frame == row->frame && parts->offset == row->offset;
}

/* The index knows one copy of a content in a volume: where a row is another
 * copy, what the index would read has to be read to be sure of it. */
static bool
check_place(
    const struct placed *p, const struct catalog_row *row, struct err *err)
{
	struct message_parts parts;
	struct err why;
	bool found_parts = false;
	if (!index_parts(p->index, row->sha256, &parts, &found_parts, err))
		return false;
	if (!found_parts || parts.size != row->size ||
	    parts.header_size != row->header_size)
		p->found(p->arg, p->volume, row->entry,
		    "the index doesn't know where its octets are");
	else if (strcmp(parts.volume, p->volume) == 0 &&
		 !is_its_place(&parts, row) &&
		 !archive_reader_message(
		     p->again, &parts, nowhere, p->octets, &why))
		p->found(p->arg, p->volume, row->entry,
		    "the index looks for its octets in another place");

	return true;
}

/* Every placement that the index has in a volume has to be in its catalog,
 * the same in all that never changes, and no other. */
static bool
compare_rows(const struct placed *p, struct err *err)
{
	struct index_query query = { .volume = p->volume, .outcome = -1 };
	struct index_rows *rows;
	uint64_t n = 0, sum = 0;
	if (!index_rows_open(p->index, &rows, &query, err))
		return false;
	bool ok = true, end = false;
	while (ok && !end) {
		struct index_row row;
		ok = index_rows_next(rows, &row, &end, err);
		if (!ok || end)
			continue;
		n++;
		sum += archive_row_sum(&row.row);
		ok = check_place(p, &row.row, err);
	}
	index_rows_close(&rows);
	if (ok && n != p->catalog->catalog_rows) {
		char text[120];
		snprintf(text, sizeof(text),
		    "the index holds %" PRIu64 " messages of it, its catalog "
		    "%" PRIu64,
		    n, p->catalog->catalog_rows);
		p->found(p->arg, p->volume, NULL, text);
	} else if (ok && sum != p->catalog->rows_sum) {
		p->found(p->arg, p->volume, NULL,
		    "the index tells other things of its messages than its "
		    "catalog");
	}

	return ok;
}

/* Messages are read by the index's frames, so they have to be the volume's. */
static bool
compare_frames(const struct placed *p, struct err *err)
{
	const struct frame_info *own;
	struct frame_info *known = NULL;
	struct err why;
	size_t own_count, count = 0;
	/* A table that can't be read was reported before. */
	if (!archive_reader_seek_table(
		p->reader, p->volume, &own, &own_count, &why))
		return true;
	if (!index_frames(p->index, p->volume, &known, &count, err)) {
		if (err->code != ERR_DAMAGED)
			return false;
		p->found(p->arg, p->volume, NULL, err->text);
		return true;
	}
	bool same = count == p->frames && count <= own_count;
	for (size_t i = 0; i < count && same; i++)
		same = known[i].offset == own[i].offset &&
		       known[i].plain == own[i].plain &&
		       known[i].csize == own[i].csize &&
		       known[i].dsize == own[i].dsize;
	free(known);
	if (!same)
		p->found(p->arg, p->volume, NULL,
		    "the index's frames aren't those of its seek table");

	return true;
}

bool
placed_check(const struct placed *p, struct err *err)
{
	return compare_frames(p, err) && compare_rows(p, err);
}
