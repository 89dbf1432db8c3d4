#include "place_plan.h"

#include <string.h>
#include <strings.h>

static const uint32_t roles[] = { MAILBOX_SENT, MAILBOX_DRAFTS, MAILBOX_JUNK,
	MAILBOX_TRASH, MAILBOX_ARCHIVE };

enum { ROLE_COUNT = sizeof(roles) / sizeof(roles[0]) };

/* The first level of names that stands for the root where attributes speak. */
static const char *const containers[] = { "[Gmail]", "[Google Mail]" };

static bool
is_container(const char *level)
{
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++)
		if (strcasecmp(level, containers[i]) == 0)
			return true;

	return false;
}

struct service
place_service(const struct levels *path, uint32_t attributes)
{
	struct service s = { 0 };
	uint32_t all = 0;

	for (size_t i = 0; i < ROLE_COUNT; i++)
		all |= roles[i];
	bool root = path->n == 1 && !levels_inbox(path->array[0].text);
	if (root || (path->n == 2 && is_container(path->array[0].text)))
		s.by_attribute = attributes & all;
	if (root && s.by_attribute == 0)
		s.by_name = place_role(path->array[0].text, &s.rank);

	return s;
}

struct service
place_target_service(
    const struct place_target *t, const struct source_mailbox *box)
{
	const char *prefix = t->prefix == NULL ? "" : t->prefix;
	struct levels path = { 0 };

	if (strncmp(box->name, prefix, strlen(prefix)) != 0 ||
	    (box->attributes & UNSELECTABLE) != 0)
		return (struct service){ 0 };
	const char *name = box->name + strlen(prefix);
	levels_of_wire(&path, name, strlen(name), t->separator);
	struct service s = place_service(&path, box->attributes);
	levels_free(&path);

	return s;
}

static bool
serves(const struct service *s, uint32_t role, bool by_attribute)
{
	return ((by_attribute ? s->by_attribute : s->by_name) & role) != 0;
}

/* Is a before b? Both serve. */
static bool
is_better(const struct service *a, const char *a_name, bool a_same,
    const struct service *b, const char *b_name, bool b_same)
{
	if (a_same != b_same)
		return a_same;
	if (a->rank != b->rank)
		return a->rank < b->rank;

	return strcmp(a_name, b_name) < 0;
}

static bool
same_serves(const struct plan *p, size_t i, uint32_t role, bool by_attribute)
{
	const struct source_mailbox *box = place_listed(p, p->origins[i].same);

	return box != NULL &&
	       serves(&p->services[box - p->target->boxes], role, by_attribute);
}

/* 0: decided by an earlier run, which keeps the role; 1: free; 2: mapped. */
static int
freedom(const struct place *out)
{
	if (out->why == NULL)
		return 1;

	return out->rule != NULL ? 2 : 0;
}

/* The source's mailbox that serves as role; p->n: none. */
static size_t
find_origin(const struct plan *p, uint32_t role, bool by_attribute, bool there)
{
	size_t best = p->n;

	for (size_t i = 0; i < p->n; i++) {
		const struct origin *o = &p->origins[i], *b;
		if (!serves(&o->service, role, by_attribute))
			continue;
		if (best == p->n) {
			best = i;
			continue;
		}
		b = &p->origins[best];
		int free_i = freedom(&p->out[i]);
		int free_best = freedom(&p->out[best]);
		if (free_i != free_best
			? free_i < free_best
			: is_better(&o->service, p->from[i].name,
			      same_serves(p, i, role, there), &b->service,
			      p->from[best].name,
			      same_serves(p, best, role, there)))
			best = i;
	}

	return best;
}

/* The target's; same: the name it had best have. NULL: none. */
static const struct source_mailbox *
find_service(
    const struct plan *p, uint32_t role, bool by_attribute, const char *same)
{
	const struct source_mailbox *best = NULL;

	for (size_t i = 0; i < p->target->n; i++) {
		const struct source_mailbox *box = &p->target->boxes[i];
		if (!serves(&p->services[i], role, by_attribute))
			continue;
		if (best == NULL ||
		    is_better(&p->services[i], box->name,
			strcmp(box->name, same) == 0,
			&p->services[best - p->target->boxes], best->name,
			strcmp(best->name, same) == 0))
			best = box;
	}

	return best;
}

static bool
any_serves(const struct service *s, size_t n, uint32_t role, bool by_attribute)
{
	for (size_t i = 0; i < n; i++)
		if (serves(&s[i], role, by_attribute))
			return true;

	return false;
}

/* Does another mailbox than this one go there, or would by its path? */
static bool
is_wanted(const struct plan *p, const char *name, size_t but)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct place *out = &p->out[i];
		const char *goes =
		    out->why != NULL ? out->name : p->origins[i].same;
		if (i != but && strcmp(goes, name) == 0)
			return true;
	}

	return false;
}

static bool
is_root(const struct place_target *t, const char *name)
{
	size_t prefix = t->prefix == NULL ? 0 : strlen(t->prefix);
	size_t len = strlen(name);

	return len > prefix && name_level(name + prefix, len - prefix,
				   t->separator) == len - prefix;
}

static void
settle_role(struct plan *p, uint32_t role)
{
	size_t n = p->target->n;
	bool there = any_serves(p->services, n, role, true);
	bool nowhere = !there && !any_serves(p->services, n, role, false);
	bool here = true;
	size_t i = find_origin(p, role, here, there);

	if (i == p->n)
		i = find_origin(p, role, here = false, there);
	if (i == p->n)
		return;
	struct place *out = &p->out[i];
	if (nowhere && p->target->create_special_use &&
	    (out->rule == NULL || is_root(p->target, out->name)))
		out->role = role;
	if (nowhere || out->why != NULL)
		return;
	const char *same = p->origins[i].same;
	const struct source_mailbox *box = find_service(p, role, there, same);
	if (here && there)
		place_settle_listed(out, box, "special use");
	else if (place_listed(p, same) == NULL && !is_wanted(p, box->name, i))
		place_settle_listed(out, box, "by its name");
}

void
place_settle_roles(struct plan *p)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		settle_role(p, roles[i]);
}
