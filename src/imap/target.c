/*
 * A server as a target: where mailboxes go, CREATE, SELECT, and APPEND by what
 * it offers (append.c). What is not known to have arrived is looked for
 * (arrivals.c), never sent a second time on a guess.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/append.h"
#include "imap/arrivals.h"
#include "imap/codes.h"
#include "imap/list.h"
#include "imap/mailbox.h"
#include "imap/names.h"
#include "mail/name.h"

struct planned {
	char *source; /* owned: wire name at the source */
	char *from;   /* owned: the same for people */
	struct place place;
	bool there; /* it exists by now */
};

struct target_imap {
	struct imap_target_options options;
	struct imap_session *s;
	struct imap_listing listing;
	struct source_mailbox *boxes; /* owned, their names too: as listed */
	size_t box_count;
	struct planned *plan; /* owned; by source name */
	size_t plan_count;
	char *selected; /* owned: wire name; NULL: none */
	struct source_opened opened;
	struct imap_append append;
	struct imap_arrivals arrivals;
};

/* ---- what is there ---- */

static bool
add_box(void *arg, const struct source_mailbox *box, struct err *err)
{
	struct target_imap *t = arg;
	(void)err;
	t->boxes = mem_grow(t->boxes, t->box_count + 1, sizeof(*t->boxes));
	struct source_mailbox *copy = &t->boxes[t->box_count++];
	*copy = *box;
	copy->name = mem_str(box->name);
	copy->display = mem_str(box->display);
	copy->mailbox_id = NULL;

	return true;
}

static void
free_boxes(struct target_imap *t)
{
	for (size_t i = 0; i < t->box_count; i++) {
		free((char *)(uintptr_t)t->boxes[i].name);
		free((char *)(uintptr_t)t->boxes[i].display);
	}
	free(t->boxes);
	t->boxes = NULL;
	t->box_count = 0;
}

static void
free_plan(struct target_imap *t)
{
	for (size_t i = 0; i < t->plan_count; i++) {
		free(t->plan[i].source);
		free(t->plan[i].from);
		place_free(&t->plan[i].place);
	}
	free(t->plan);
	t->plan = NULL;
	t->plan_count = 0;
}

/* ---- where things go ---- */

static char
separator_of(const struct target_imap *t)
{
	for (size_t i = 0; i < t->box_count; i++)
		if (t->boxes[i].separator != 0)
			return t->boxes[i].separator;

	return 0;
}

static const char *
prefix_of(const struct target_imap *t)
{
	for (size_t i = 0; i < t->s->prefix_count; i++)
		if (t->s->prefixes[i].space == IMAP_PERSONAL)
			return t->s->prefixes[i].name;

	return "";
}

static int
by_source(const void *a, const void *b)
{
	return strcmp(((const struct planned *)a)->source,
	    ((const struct planned *)b)->source);
}

static void
tell_plan(const struct planned *p, const struct source_mailbox *from)
{
	if (strcmp(from->display, p->place.display) != 0)
		log_add(LOG_INFO, "%s goes to %s (%s)", from->display,
		    p->place.display, p->place.why);
}

static struct place_target
as_target(const struct target_imap *t)
{
	return (struct place_target){ .separator = separator_of(t),
		.prefix = prefix_of(t),
		.boxes = t->boxes,
		.n = t->box_count,
		.create_special_use =
		    imap_session_can(t->s, "CREATE-SPECIAL-USE") };
}

static bool
plan(void *data, const struct source_mailbox *boxes, size_t n, struct err *err)
{
	struct target_imap *t = data;
	struct place_target target = as_target(t);
	struct place *places = mem_array(n + 1, sizeof(*places));
	bool ok = place_plan(places, boxes, n, &t->options.place, &target, err);
	if (ok) {
		free_plan(t);
		t->plan = mem_array(n + 1, sizeof(*t->plan));
		t->plan_count = n;
	}
	for (size_t i = 0; ok && i < n; i++) {
		t->plan[i] = (struct planned){ .source = mem_str(boxes[i].name),
			.from = mem_str(boxes[i].display),
			.place = places[i],
			.there = places[i].existing != NULL };
		tell_plan(&t->plan[i], &boxes[i]);
	}
	free(places);
	if (ok && n > 1)
		qsort(t->plan, n, sizeof(*t->plan), by_source);

	return ok;
}

static struct planned *
find_planned(struct target_imap *t, const char *source)
{
	struct planned key = { .source = mem_str(source) };
	struct planned *found =
	    t->plan_count == 0
		? NULL
		: bsearch(&key, t->plan, t->plan_count, sizeof(key), by_source);
	free(key.source);

	return found;
}

/* ---- one mailbox ---- */

/* RFC 6154 5.3: the roles that a new mailbox may be given. */
static void
add_use(struct buf *command, uint32_t role)
{
	const char *word = name_special_use(role);
	if (word == NULL)
		return;
	buf_str(command, " (USE (\\");
	buf_char(command, (char)(word[0] - 'a' + 'A'));
	buf_fmt(command, "%s))", word + 1);
}

static bool
create_as(struct target_imap *t, const struct planned *p, uint32_t role,
    struct imap_reply *done, struct err *err)
{
	struct buf command = { 0 };
	buf_str(&command, "CREATE ");
	imap_name_add(t->s, &command, p->place.name, "");
	add_use(&command, role);
	bool ok = imap_session_command(t->s, &command, NULL, NULL, done, err);
	buf_free(&command);

	return ok;
}

static bool
is_listed(const struct target_imap *t, const char *name)
{
	for (size_t i = 0; i < t->box_count; i++)
		if (strcmp(t->boxes[i].name, name) == 0)
			return true;

	return strcmp(name, "INBOX") == 0;
}

/* Later plans find it. */
static void
note_created(struct target_imap *t, const struct planned *p)
{
	const struct source_mailbox box = { .name = p->place.name,
		.display = p->place.display,
		.separator = separator_of(t) };
	struct err none;
	add_box(t, &box, &none);
}

/* Another place may have that mailbox: servers that fold case or Unicode say
 * that it exists. */
static bool
is_shared(const struct target_imap *t, const struct planned *p)
{
	for (size_t i = 0; i < t->plan_count; i++)
		if (&t->plan[i] != p && t->plan[i].there &&
		    strcasecmp(t->plan[i].place.name, p->place.name) == 0)
			return true;

	return false;
}

static bool
adopt(struct target_imap *t, const struct planned *p, struct err *err)
{
	if (!is_shared(t, p))
		return true;
	err_set(err, ERR_MAILBOX, ERR_REFUSED,
	    "mailbox %s: the %s has it under another spelling, which another "
	    "mailbox of the source goes to",
	    p->place.display, t->s->where);

	return err_hint(
	    err, "Give it another name: --map \"%s=NAME\"", p->from);
}

static bool
create(struct target_imap *t, struct planned *p, bool *created, struct err *err)
{
	struct imap_reply done;
	struct place_target target = as_target(t);
	if (!name_is_safe(p->place.name, strlen(p->place.name)))
		return err_set(err, ERR_MAILBOX, ERR_REFUSED,
		    "mailbox %s: a name with control characters cannot be "
		    "used",
		    p->place.display);
	if (!create_as(t, p, p->place.role, &done, err))
		return false;
	/* Some offer it and then know fewer roles (RFC 6154: USEATTR). */
	if (done.status == IMAP_NO && p->place.role != 0 &&
	    !imap_text_is(&done.code, "ALREADYEXISTS") &&
	    !create_as(t, p, 0, &done, err))
		return false;
	/* An alphabet that all servers take. */
	if (done.status == IMAP_NO && !imap_text_is(&done.code, "OVERQUOTA") &&
	    !imap_text_is(&done.code, "ALREADYEXISTS") &&
	    place_refused(&p->place, &target)) {
		log_add(LOG_INFO,
		    "%s goes to %s: the %s refuses the plain name", p->from,
		    p->place.display, t->s->where);
		if (!create_as(t, p, 0, &done, err))
			return false;
	}
	*created = done.status == IMAP_OK;
	if (*created) {
		note_created(t, p);
		return true;
	}
	/* Not all have a code for it. */
	if (imap_text_is(&done.code, "ALREADYEXISTS") ||
	    is_listed(t, p->place.name))
		return adopt(t, p, err);
	imap_codes_append(err, t->s->where, &done);
	if (err->scope != ERR_MESSAGE || err->code == ERR_THROTTLE)
		return false;
	/* What asks for a pause is known by now: [LIMIT] is of mailboxes. */
	struct buf what = { 0 };
	buf_fmt(&what, "CREATE of mailbox %s", p->place.display);
	imap_codes_refused_for_good(err, ERR_MAILBOX, &done, what.data);
	buf_free(&what);

	return false;
}

/* A courtesy: a refusal costs nobody any mail. */
static bool
subscribe(struct target_imap *t, const struct planned *p, struct err *err)
{
	struct imap_reply done;
	struct buf command = { 0 };
	buf_str(&command, "SUBSCRIBE ");
	imap_name_add(t->s, &command, p->place.name, "");
	bool ok = imap_session_command(t->s, &command, NULL, NULL, &done, err);
	buf_free(&command);
	if (ok && done.status != IMAP_OK)
		log_add(LOG_WARN, "the %s doesn't subscribe to %s: %.*s",
		    t->s->where, p->place.display, (int)done.said.len,
		    done.said.data);

	return ok;
}

static bool
is_subscribed(const struct target_imap *t, const char *name)
{
	for (size_t i = 0; i < t->box_count; i++)
		if (strcmp(t->boxes[i].name, name) == 0)
			return t->boxes[i].subscribed;

	return false;
}

static bool
select_box(struct target_imap *t, const char *name, struct err *err)
{
	free(t->selected);
	t->selected = NULL;
	imap_arrivals_forget(&t->arrivals);
	if (!imap_mailbox_select(t->s, name, &t->opened, err))
		return false;
	t->selected = mem_str(name);
	imap_append_into(
	    &t->append, name, t->opened.uidvalidity, t->opened.uidnext);

	return true;
}

static bool
make_there(struct target_imap *t, struct planned *p,
    const struct source_mailbox *from, bool *created, struct err *err)
{
	*created = false;
	if (!p->there && !create(t, p, created, err))
		return false;
	p->there = true;

	return !from->subscribed || is_subscribed(t, p->place.name) ||
	       subscribe(t, p, err);
}

static bool
open_box(void *data, const char *account, const struct source_mailbox *from,
    uint64_t uidvalidity, struct target_box *out, struct err *err)
{
	struct target_imap *t = data;
	struct planned *p = find_planned(t, from->name);
	bool created;
	(void)account, (void)uidvalidity;
	if (p == NULL)
		return err_set(err, ERR_MAILBOX, ERR_OTHER,
		    "mailbox %s is new: the next run copies it", from->display);
	if (!make_there(t, p, from, &created, err) ||
	    !select_box(t, p->place.name, err))
		return false;
	*out = (struct target_box){ .name = p->place.name,
		.display = p->place.display,
		.separator = separator_of(t),
		.uidvalidity = t->opened.uidvalidity,
		.uidnext = t->opened.uidnext,
		.messages = t->opened.messages,
		.created = created };

	return true;
}

/* ---- messages ---- */

static uint64_t
base(const void *data)
{
	const struct target_imap *t = data;

	return t->append.highest + 1;
}

static void
batch_limits(const void *data, uint32_t *items, uint64_t *octets)
{
	(void)data;
	*items = IMAP_APPEND_MESSAGES;
	*octets = IMAP_APPEND_OCTETS;
}

static bool
deliver(void *data, const struct item *items, size_t n, struct kept *where,
    struct err *err)
{
	struct target_imap *t = data;
	(void)where;

	return imap_append_send(&t->append, items, n, err);
}

static bool
collect(void *data, bool wait, struct receipt *out, size_t *n,
    struct progress *progress, struct err *err)
{
	struct target_imap *t = data;
	size_t room = *n;
	*progress = (struct progress){ 0 };
	*n = imap_append_receipts(&t->append, out, room);
	if (*n > 0 || !wait)
		return true;
	if (!imap_append_read(&t->append, true, err))
		return false;
	*n = imap_append_receipts(&t->append, out, room);

	return true;
}

static bool
flush(void *data, struct err *err)
{
	struct target_imap *t = data;
	while (imap_append_is_flying(&t->append))
		if (!imap_append_read(&t->append, true, err))
			return false;

	return true;
}

static bool
none_there(struct resolve_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i].uid = 0;

	return true;
}

/* Some servers say no more than NO to a name that they don't have. */
static bool
is_gone(const struct target_imap *t, const char *name, const struct err *err)
{
	return err->scope == ERR_MAILBOX && err->code != ERR_THROTTLE &&
	       (err->code == ERR_GONE || !is_listed(t, name));
}

static bool
resolve(void *data, const struct target_box *box, uint64_t from,
    struct resolve_item *items, size_t n, bool (*taken)(void *, uint64_t uid),
    void *arg, struct err *err)
{
	struct target_imap *t = data;
	if ((t->selected == NULL || strcmp(t->selected, box->name) != 0) &&
	    !select_box(t, box->name, err))
		return is_gone(t, box->name, err) && none_there(items, n);
	/* Which of its messages belong to others, nobody knows. */
	if (t->opened.uidvalidity != box->uidvalidity)
		return none_there(items, n);

	return imap_arrivals_find(
	    &t->arrivals, t->s, from, items, n, taken, arg, err);
}

/* ---- life ---- */

static void
close_target(void **data, bool polite)
{
	struct target_imap *t = *data;
	if (t == NULL)
		return;
	bool idle = !imap_append_is_flying(&t->append);
	imap_append_free(&t->append);
	imap_arrivals_forget(&t->arrivals);
	imap_listing_free(&t->listing);
	free_boxes(t);
	free_plan(t);
	free(t->selected);
	imap_session_close(&t->s, polite && idle);
	free(t);
	*data = NULL;
}

static const struct target_ops ops = {
	.scheme = "imap",
	.plan = plan,
	.open = open_box,
	.base = base,
	.batch_limits = batch_limits,
	.deliver = deliver,
	.collect = collect,
	.flush = flush,
	.resolve = resolve,
	.close = close_target,
};

bool
imap_target_new(
    struct target *target, const struct imap_target_options *o, struct err *err)
{
	struct target_imap *t = mem_new(sizeof(*t));
	t->options = *o;
	t->options.imap.writes = true;
	if (!imap_session_new(&t->s, &t->options.imap, err)) {
		free(t);
		return false;
	}
	imap_append_init(&t->append, t->s);
	void *data = t;
	if (!imap_session_settle(t->s, err) ||
	    !imap_list(t->s, &t->listing, add_box, t, err)) {
		close_target(&data, false);
		return false;
	}
	*target = (struct target){ .ops = &ops, .data = t };

	return true;
}

void
imap_target_places(const struct target *target,
    void (*each)(void *arg, const char *from, const struct place *), void *arg)
{
	const struct target_imap *t = target->data;
	for (size_t i = 0; i < t->plan_count; i++)
		each(arg, t->plan[i].from, &t->plan[i].place);
}
