/* A dry run: every message is listed and judged, nothing is fetched. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/stop.h"
#include "reading.h"

static void
count(struct reading *r)
{
	struct index_counts *sum = &r->f->result->counts;
	r->counts.by[OUTCOME_DELIVERED] += r->f->wants.count;
	wants_clear(&r->f->wants);
	sum->already += r->counts.already;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		sum->by[i] += r->counts.by[i];
	r->counts = (struct index_counts){ 0 };
}

static bool
begin(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	const struct source_state all = { 0 };
	uint64_t uidvalidity = 0;
	r->pass = PASS_FULL;
	r->next_okey = 1;
	r->new_from = UINT64_MAX;
	if (f->index != NULL &&
	    !index_live_mailbox(f->index, f->o->source_account, r->box->m.name,
		&r->mailbox, &uidvalidity, &r->has_rows, err))
		return false;
	if (!reading_select(r, &all, &r->opened, err))
		return false;
	r->has_rows = r->has_rows && r->opened.uidvalidity == uidvalidity;
	ahead_start(
	    &r->ahead, r->has_rows ? f->index : NULL, f->o->job, r->mailbox);

	return true;
}

static bool
list(struct reading *r, struct err *err)
{
	struct fetch *f = r->f;
	bool later = false;
	if (!begin(r, err))
		return f->stopped;
	while (!r->announced && !f->stopped) {
		if (!reading_announce(r, &later, err))
			return false;
		if (f->wants.count >= f->window || r->announced)
			count(r);
		f->stopped = f->stopped || stop_asked();
	}
	reading_reckon_full(r);
	count(r);
	f->result->counts.inventory += r->opened.messages;
	f->result->mailboxes++;

	return true;
}

bool
fetch_mailbox_dry(struct fetch *f, struct box *box, struct err *err)
{
	struct reading *r = mem_new(sizeof(*r));
	r->f = f;
	r->box = box;
	bool ok = list(r, err);
	reading_free(r);
	free(r);

	return ok;
}
