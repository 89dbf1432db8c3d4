/* The mailboxes that a run had to do with. */
#include "index/private.h"

static const enum outcome columns[] = { OUTCOME_DELIVERED, OUTCOME_DUPLICATE,
	OUTCOME_EXCLUDED, OUTCOME_REPAIRED, OUTCOME_QUARANTINED,
	OUTCOME_UNREADABLE, OUTCOME_VANISHED, OUTCOME_UNKNOWN };

static void
read_counts(struct sql *q, struct index_run_box *box)
{
	box->counted = sql_get_int(q) != 0;
	box->counts.scanned = (int)sql_get_int(q);
	box->counts.inventory = (uint64_t)sql_get_int(q);
	box->counts.already = (uint64_t)sql_get_int(q);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		box->counts.by[columns[i]] = (uint64_t)sql_get_int(q);
}

static void
read_box(struct sql *q, struct index_run_box *box)
{
	*box = (struct index_run_box){ .source = sql_get_text(q) };
	box->kind = sql_get_text(q);
	box->target = sql_get_text(q);
	box->mailbox = sql_get_text(q);
	box->wire = sql_get_blob(q, &box->wire_len);
	box->uidvalidity = (uint64_t)sql_get_int(q);
	box->generation = (uint64_t)sql_get_int(q);
	const char *separator = sql_get_text(q);
	box->separator = separator == NULL ? '\0' : separator[0];
	box->special_use = sql_get_text(q);
	box->subscribed = sql_get_int(q) != 0;
	box->mailbox_id = sql_get_text(q);
	box->ended = sql_get_int(q) != 0;
	box->emptied = sql_get_int(q) != 0;
	box->by_wire = sql_get_blob(q, &box->by_wire_len);
	box->by_uidvalidity = (uint64_t)sql_get_int(q);
	box->by_generation = (uint64_t)sql_get_int(q);
	read_counts(q, box);
}

bool
index_run_boxes(struct index *ix, uint64_t run,
    bool (*each)(void *arg, const struct index_run_box *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_RUN_BOXES, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_run_box box;
		read_box(&q, &box);
		if (!each(arg, &box))
			break;
	}
	sql_close(&q);

	return ok;
}
