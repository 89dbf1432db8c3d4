/*
 * Mail that moved while we ran: a message taken from a mailbox that was still
 * to be read into one that was read already stood nowhere we looked. At the
 * end of the account the mailboxes' statuses are asked for again, and those
 * that gained or lost a message are read once more. So are those whose full
 * pass a lost connection cut, if something seemed gone by it. Mailboxes that
 * were created meanwhile are read as well: what was in them may have stood in
 * one that we came to later.
 */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "fetch.h"
#include "mail/name.h"
#include "okeys.h"

struct statuses {
	struct fetch *f;
	struct boxlist_by_name by;
	struct boxes created; /* owned */
	size_t moved;
};

static bool
has_moved(const struct box *box, const struct source_mailbox *now)
{
	const struct source_opened *then = &box->then;
	if (then->fleeting)
		return now->uidnext != 0 && now->messages != then->messages;

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
	if (box == NULL)
		return !box_selectable(now) ||
		       boxlist_add(&s->created, now, err);
	if (!box->wanted || !box->seen || box->again || !has_moved(box, now))
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

/* It was read under the name that it had; the next run renames it. */
static const struct box *
as_read(const struct boxes *boxes, const struct source_mailbox *m)
{
	for (size_t i = 0; m->mailbox_id != NULL && i < boxes->n; i++)
		if (boxes->array[i].seen &&
		    boxes->array[i].m.mailbox_id != NULL &&
		    strcmp(boxes->array[i].m.mailbox_id, m->mailbox_id) == 0)
			return &boxes->array[i];

	return NULL;
}

/* ---- created ---- */

static uint64_t
look_of(const char *display)
{
	return (uint64_t)hash64_of(display, strlen(display));
}

/* looks: of all mailboxes so far. One that looks like another is marked, or
 * their messages would lie in one folder. */
static bool
add_marked(struct boxes *boxes, const struct source_mailbox *new,
    struct okeys *looks, struct err *err)
{
	struct source_mailbox m = *new;
	struct buf display = { 0 };
	buf_str(&display, m.display);
	if (okeys_has(looks, look_of(m.display)))
		name_mark(&display, m.name, strlen(m.name));
	m.display = display.data;
	okeys_add(looks, look_of(m.display));
	log_add(LOG_INFO, "%s was created meanwhile", m.display);
	bool ok = boxlist_add(boxes, &m, err);
	buf_free(&display);

	return ok;
}

static void
all_looks(struct okeys *looks, const struct boxes *boxes)
{
	for (size_t i = 0; i < boxes->n; i++)
		okeys_add(looks, look_of(boxes->array[i].m.display));
}

static bool
add_created(struct statuses *s, struct boxes *boxes, struct err *err)
{
	struct okeys looks = { 0 };
	bool ok = true;
	if (s->created.n > 0)
		all_looks(&looks, boxes);
	for (size_t i = 0; ok && i < s->created.n; i++) {
		const struct source_mailbox *m = &s->created.array[i].m;
		const struct box *old = as_read(boxes, m);
		if (old != NULL && has_moved(old, m)) {
			log_add(LOG_WARN,
			    "%s was renamed to %s and changed meanwhile: the "
			    "next run tells what is in it",
			    old->m.display, m->display);
			s->f->result->partial = true;
		}
		if (old != NULL)
			continue;
		ok = add_marked(boxes, m, &looks, err);
		if (!ok)
			break;
		struct box *box = &boxes->array[boxes->n - 1];
		box->wanted = box->again = fetch_wants(s->f, &box->m);
		s->moved += box->again;
	}
	okeys_free(&looks);

	return ok;
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

/* All was read, and only this question is not answered. */
static bool
is_refused(const struct err *err)
{
	if (err->code == ERR_THROTTLE || err->transient)
		return false;

	return err->scope < ERR_ACCOUNT || err->code == ERR_REFUSED ||
	       err->code == ERR_USAGE;
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
		boxlist_free(&s.created);
		if (is_refused(err)) {
			log_add(
			    LOG_WARN, "what moved meanwhile: %s", err->text);
			f->result->partial = true;
			break;
		}
		ok = fetch_recover(f, &again, err);
	}
	ok = ok && add_created(&s, boxes, err);
	boxlist_by_name_free(&s.by);
	boxlist_free(&s.created);
	*n = s.moved;
	if (s.moved > 0)
		log_add(LOG_INFO, "%zu mailboxes are read again", s.moved);

	return ok;
}
