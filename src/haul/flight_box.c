/* The target's mailboxes: where each goes, and the one at hand. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "flight_private.h"
#include "mail/name.h"

void
flight_forget_plan(struct flight *f)
{
	for (size_t i = 0; i < f->box_count; i++) {
		free((char *)(uintptr_t)f->boxes[i].name);
		free((char *)(uintptr_t)f->boxes[i].display);
	}
	free(f->boxes);
	f->boxes = NULL;
	f->box_count = 0;
}

static void
keep_boxes(struct flight *f, const struct belt *b)
{
	flight_forget_plan(f);
	f->boxes = mem_array(b->plan_count + 1, sizeof(*f->boxes));
	for (size_t i = 0; i < b->plan_count; i++) {
		f->boxes[i] = b->plan[i];
		f->boxes[i].name = mem_str(b->plan[i].name);
		f->boxes[i].display = mem_str(b->plan[i].display);
	}
	f->box_count = b->plan_count;
}

bool
flight_plan(struct flight *f, const struct belt *b, struct err *err)
{
	keep_boxes(f, b);

	return f->target->ops->plan(
	    f->target->data, f->boxes, f->box_count, err);
}

static bool
know_box(struct flight *f, const struct target_box *there, struct err *err)
{
	const struct source_mailbox row = { .name = there->name,
		.display = there->display,
		.separator = there->separator };
	uint64_t tbox;
	bool is_new;
	if (!index_begin(f->index, err))
		return false;
	if (!index_mailbox(f->index, f->o->target_account, &row,
		there->uidvalidity, f->o->run, &tbox, &is_new, err) ||
	    !index_tbox(f->index, f->o->job, f->at->name, tbox, there->uidnext,
		&f->tbox, err)) {
		index_rollback(f->index);
		return false;
	}

	return index_commit(f->index, err);
}

bool
flight_open_there(struct flight *f, struct err *err)
{
	const struct belt *b = f->at;
	const struct source_mailbox from = { .name = b->name,
		.display = b->display,
		.separator = b->separator,
		.attributes = b->attributes,
		.subscribed = (b->attributes & MAILBOX_SUBSCRIBED) != 0 };
	struct target_box there = { 0 };
	if (!f->target->ops->open(f->target->data, f->o->account, &from,
		b->uidvalidity, &there, err) ||
	    !know_box(f, &there, err))
		return false;
	free(f->name);
	f->name = mem_str(there.name);
	f->uidvalidity = there.uidvalidity;
	f->adopt = !f->o->assume_empty && there.messages > 0 &&
		   (f->tbox.doubt || f->tbox.reconciled < f->tbox.base0);

	return true;
}

static bool
shut_or_fail(struct flight *f, struct err *err)
{
	if (err->scope != ERR_MAILBOX || err->code == ERR_THROTTLE)
		return false;
	log_add(LOG_ERROR, "%s: %s%s%s", f->at->display, err->text,
	    err->words[0] == '\0' ? "" : "; server: ", err->words);
	f->shut = mem_dup(err, sizeof(*err));

	return true;
}

static bool
open_step(struct flight *f, struct err *err)
{
	return f->shut != NULL || flight_open_there(f, err) ||
	       shut_or_fail(f, err);
}

bool
flight_open(struct flight *f, const struct belt *b, struct err *err)
{
	if (!flight_drain(f, err))
		return false;
	belt_free(&f->at);
	free(f->shut);
	f->shut = NULL;
	f->left_out = false;
	f->at = belt_new(BELT_OPEN, b->mailbox);
	f->at->name = mem_str(b->name);
	f->at->display = mem_str(b->display);
	f->at->separator = b->separator;
	f->at->attributes = b->attributes;
	f->at->uidvalidity = b->uidvalidity;

	return flight_persist(f, open_step, err);
}

void
flight_left_out(struct flight *f)
{
	f->left_out = true;
}

/* What was left out may stand on the target all the same, and must be looked
 * for when it is to be copied after all. */
static bool
is_whole(const struct flight *f, const struct belt *close)
{
	const uint64_t *by = close->counts.by;

	return close->advance && !f->left_out && by[OUTCOME_EXCLUDED] == 0 &&
	       by[OUTCOME_QUARANTINED] == 0 && by[OUTCOME_UNREADABLE] == 0 &&
	       by[OUTCOME_UNKNOWN] == 0;
}

bool
flight_close(struct flight *f, const struct belt *close, struct err *err)
{
	if (f->at == NULL || f->shut != NULL)
		return true;
	if (!flight_drain(f, err))
		return false;
	if ((!f->tbox.doubt && f->tbox.reconciled >= f->tbox.base0) ||
	    !is_whole(f, close))
		return true;
	f->tbox.doubt = f->adopt = false;
	f->tbox.reconciled = f->tbox.base0;

	return index_tbox_doubt(
	    f->index, f->o->job, f->at->name, false, f->tbox.reconciled, err);
}
