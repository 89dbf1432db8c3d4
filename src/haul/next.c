/*
 * Which mailbox comes next, told to the source once all of the present one is
 * asked for: a server far away can then begin with it while the last bodies
 * are on their way. The state is the one that reading_begin will come to if
 * nothing moves meanwhile; where that hangs on more (a new generation, a
 * filter, messages to be tried again), nothing is told. Only a hint: no
 * failure here is one.
 */
#include "reading.h"

/* *same: the list says that it can't have changed, so it won't be opened. */
static bool
expected_state(struct fetch *f, struct box *box, struct source_state *state,
    bool *same, struct err *err)
{
	struct reading r = { .f = f, .box = box };
	uint64_t uidvalidity = 0;
	bool found = false, enough = false;
	*state = (struct source_state){ 0 };
	*same = false;
	if (!index_live_mailbox(f->index, f->o->source_account, box->m.name,
		&r.mailbox, &uidvalidity, &found, err))
		return false;
	if (!found)
		return box->earlier == 0;
	if (uidvalidity != box->m.uidvalidity || box->earlier != 0 ||
	    !reading_delta_is_enough(&r, uidvalidity, &enough, err) || !enough)
		return false;
	*state = r.delta.state;
	*same = fetch_is_unmoved(&box->m, uidvalidity, state);

	return true;
}

void
fetch_hint_next(struct fetch *f)
{
	const struct source_ops *ops = f->source->ops;
	struct source_state state;
	struct err nobody_asks;
	bool same = true;
	if (ops->next == NULL || f->boxes == NULL || f->index == NULL)
		return;
	for (size_t i = f->at + 1; i < f->boxes->n; i++) {
		struct box *box = &f->boxes->array[i];
		if (!box->wanted)
			continue;
		if (!expected_state(f, box, &state, &same, &nobody_asks))
			break;
		if (same)
			continue;
		ops->next(f->source->data, box->m.name, &state);
		break;
	}
	f->boxes = NULL;
}
