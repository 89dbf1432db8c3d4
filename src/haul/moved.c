/*
 * Mail that moved while we ran: a message taken from a mailbox that was still
 * to be read into one that was read already stood nowhere we looked. At the
 * end of the account the mailboxes' statuses are asked for again, and those
 * that gained or lost a message are read once more. So are those whose full
 * pass a lost connection cut, if something seemed gone by it.
 */
#include "base/log.h"
#include "fetch.h"

struct statuses {
	struct fetch *f;
	struct boxlist_by_name by;
	size_t moved;
};

static bool
has_moved(const struct box *box, const struct source_mailbox *now)
{
	const struct source_opened *then = &box->then;

	return now->uidvalidity != 0 && now->uidnext != 0 &&
	       (now->uidvalidity != then->uidvalidity ||
		   now->uidnext > then->uidnext ||
		   now->messages != then->messages);
}

static bool
compare(void *arg, const struct source_mailbox *now, struct err *err)
{
	struct statuses *s = arg;
	struct box *box = boxlist_named(&s->by, now->name);
	(void)err;
	if (box == NULL || !box->wanted || !box->seen || box->again ||
	    !has_moved(box, now))
		return true;
	box->again = true;
	s->moved++;

	return true;
}

/* A new connection has listed nothing yet. */
static bool
ask(struct fetch *f, struct statuses *s, struct err *err)
{
	const struct source_ops *ops = f->source->ops;

	return f->lister ? ops->statuses(f->source->data, compare, s, err)
			 : ops->list(f->source->data, compare, s, err);
}

static size_t
count_doubtful(struct boxes *boxes)
{
	size_t n = 0;
	for (size_t i = 0; i < boxes->n; i++) {
		struct box *box = &boxes->array[i];
		box->again = box->seen && box->doubtful;
		n += box->again;
	}

	return n;
}

bool
fetch_moved(struct fetch *f, struct boxes *boxes, size_t *n, struct err *err)
{
	struct statuses s = { .f = f };
	bool again = false, ok = true;
	*n = s.moved = count_doubtful(boxes);
	if (f->source->ops->statuses == NULL)
		return true;
	boxlist_by_name(&s.by, boxes);
	while (ok && !ask(f, &s, err)) {
		if (err->scope < ERR_ACCOUNT && err->code != ERR_THROTTLE) {
			log_add(
			    LOG_WARN, "what moved meanwhile: %s", err->text);
			break;
		}
		ok = fetch_recover(f, &again, err);
	}
	boxlist_by_name_free(&s.by);
	*n = s.moved;
	if (s.moved > 0)
		log_add(LOG_INFO, "%zu mailboxes are read again", s.moved);

	return ok;
}
