/*
 * A mailbox whose MESSAGES, UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ are those
 * of the last complete pass has the same messages with the same flags
 * (RFC 7162 3.1.2): it is not opened. All four must be told, MAILBOXID must not
 * be another one, the same filter must apply, and nothing must wait to be tried
 * again.
 */
#include <string.h>

#include "reading.h"

bool
fetch_is_unmoved(const struct source_mailbox *m, uint64_t uidvalidity,
    const struct source_state *state)
{
	return m->modseq != 0 && m->modseq == state->modseq &&
	       m->uidvalidity != 0 && m->uidvalidity == uidvalidity &&
	       m->uidnext != 0 && m->uidnext == state->uidnext &&
	       m->messages == state->messages;
}

/* *excluded of its messages; *same false: some are to be tried again. */
static bool
count_excluded(struct fetch *f, uint64_t mailbox, uint64_t messages,
    uint64_t *excluded, bool *same, struct err *err)
{
	uint64_t by[OUTCOME_COUNT];
	bool todo = false;
	*excluded = 0;
	*same = true;
	if (!index_todo(f->index, f->o->job, mailbox, &todo, err))
		return false;
	if (!todo)
		return true;
	if (!index_live_count(
		f->index, f->o->job, mailbox, 0, UINT64_MAX, by, err))
		return false;
	uint64_t live = 0;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		live += i == OUTCOME_VANISHED ? 0 : by[i];
	*excluded = by[OUTCOME_EXCLUDED];
	*same = live == messages &&
		by[OUTCOME_PENDING] + by[OUTCOME_QUARANTINED] +
			by[OUTCOME_UNREADABLE] + by[OUTCOME_UNKNOWN] ==
		    0;

	return true;
}

/* What LIST says of it may be new. */
static bool
keep_row(struct fetch *f, const struct box *box, struct err *err)
{
	uint64_t id;
	bool is_new;

	/* Its MAILBOXID would be forgotten if the list doesn't tell it. */
	return box->m.mailbox_id == NULL ||
	       index_mailbox(f->index, f->o->source_account, &box->m,
		   box->m.uidvalidity, f->o->run, &id, &is_new, err);
}

static void
push_same(struct fetch *f, struct box *box, uint64_t mailbox, uint64_t excluded)
{
	struct meter *meter = f->meter;
	const struct source_mailbox *m = &box->m;
	struct belt *b = belt_new(BELT_SAME, mailbox);
	b->box = box->number;
	b->counts.scanned = PASS_DELTA;
	b->counts.inventory = m->messages;
	b->counts.by[OUTCOME_EXCLUDED] = excluded;
	b->counts.already = m->messages - excluded;
	atomic_fetch_add(&meter->listed, m->messages);
	atomic_fetch_add(&meter->excluded, excluded);
	atomic_fetch_add(&meter->known, m->messages - excluded);
	box->seen = true;
	box->uidvalidity = m->uidvalidity;
	box->then = (struct source_opened){ .uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.messages = m->messages,
		.modseq = m->modseq };
	fetch_push(f, &b);
}

bool
fetch_same(struct fetch *f, struct box *box, bool *same, struct err *err)
{
	uint64_t mailbox, uidvalidity, excluded = 0;
	struct index_delta delta;
	*same = false;
	if (box->m.modseq == 0 || f->index == NULL)
		return true;
	if (!index_live_mailbox(f->index, f->o->source_account, box->m.name,
		&mailbox, &uidvalidity, same, err))
		return false;
	bool other = false;
	if (*same &&
	    !index_is_other(f->index, mailbox, box->m.mailbox_id, &other, err))
		return false;
	*same = *same && !other;
	if (!*same)
		return true;
	if (!index_delta(f->index, f->o->job, mailbox, &delta, err))
		return false;
	*same = delta.found &&
		fetch_is_unmoved(&box->m, uidvalidity, &delta.state) &&
		memcmp(f->filter_sha256, delta.filter_sha256,
		    sizeof(f->filter_sha256)) == 0;
	if (!*same)
		return true;
	if (!count_excluded(f, mailbox, box->m.messages, &excluded, same, err))
		return false;
	if (!*same || excluded > box->m.messages) {
		*same = false;
		return true;
	}
	if (!keep_row(f, box, err))
		return false;
	push_same(f, box, mailbox, excluded);

	return true;
}
