#include "mail/place.h"

#include "base/mem.h"
#include "place_plan.h"

#include <stdlib.h>
#include <string.h>

static const char same_name[] = "the same name";

static int
wire_order(const void *a, const void *b)
{
	const struct source_mailbox *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int
display_order(const void *a, const void *b)
{
	const struct source_mailbox *const *x = a, *const *y = b;
	int order = strcmp((*x)->display, (*y)->display);

	return order != 0 ? order : wire_order(a, b);
}

const struct source_mailbox *
place_listed(const struct plan *p, const char *name)
{
	const struct source_mailbox key = { .name = name }, *wanted = &key;
	const struct source_mailbox **found = bsearch(
	    &wanted, p->by_wire, p->listed, sizeof(*p->by_wire), wire_order);

	return found == NULL ? NULL : *found;
}

/* No two have one: marks see to that. */
static int
same_display(const void *a, const void *b)
{
	const struct source_mailbox *const *x = a, *const *y = b;

	return strcmp((*x)->display, (*y)->display);
}

static const struct source_mailbox *
listed_display(const struct plan *p, const char *display)
{
	const struct source_mailbox key = { .display = display },
				    *wanted = &key;
	const struct source_mailbox **found = bsearch(&wanted, p->by_display,
	    p->listed, sizeof(*p->by_display), same_display);

	return found == NULL ? NULL : *found;
}

static void
read_target(struct plan *p)
{
	const struct place_target *t = p->target;

	p->by_wire = mem_array(t->n + 1, sizeof(*p->by_wire));
	p->by_display = mem_array(t->n + 1, sizeof(*p->by_display));
	p->services = mem_array(t->n + 1, sizeof(*p->services));
	p->inbox = "INBOX"; /* it exists: RFC 9051 5.1 */
	for (size_t i = 0; i < t->n; i++) {
		const struct source_mailbox *box = &t->boxes[i];
		if (levels_inbox(box->name))
			p->inbox = box->name;
		if ((box->attributes & UNSELECTABLE) != 0)
			continue;
		p->services[i] = place_target_service(t, box);
		p->by_wire[p->listed] = p->by_display[p->listed] = box;
		p->listed++;
	}
	qsort(p->by_wire, p->listed, sizeof(*p->by_wire), wire_order);
	qsort(p->by_display, p->listed, sizeof(*p->by_display), display_order);
}

/* A mailbox INBOX below the prefix isn't INBOX. */
static void
drop_prefix(struct levels *path, const char *prefix, char separator)
{
	struct levels root = { 0 };
	size_t len = prefix == NULL ? 0 : strlen(prefix);

	if (len == 0)
		return;
	if (prefix[len - 1] == separator)
		len--;
	levels_of_wire(&root, prefix, len, separator);
	bool below =
	    path->n > root.n && !levels_inbox(path->array[root.n].text);
	for (size_t i = 0; i < root.n && below; i++) {
		const char *a = path->array[i].text, *b = root.array[i].text;
		below = strcmp(a, b) == 0 ||
			(i == 0 && levels_inbox(a) && levels_inbox(b));
	}
	if (below)
		levels_drop(path, root.n);
	levels_free(&root);
}

static void
read_path(struct levels *path, const struct source_mailbox *box)
{
	struct buf plain = { 0 };
	size_t len = strlen(box->name);

	name_display(&plain, box->name, len, box->separator);
	if (strcmp(plain.data, box->display) == 0)
		levels_of_wire(path, box->name, len, box->separator);
	else
		levels_of_display(path, box->display, false);
	buf_free(&plain);
}

static void
read_origins(struct plan *p)
{
	p->origins = mem_array(p->n + 1, sizeof(*p->origins));
	for (size_t i = 0; i < p->n; i++) {
		struct origin *o = &p->origins[i];
		struct buf same = { 0 };
		read_path(&o->path, &p->from[i]);
		drop_prefix(
		    &o->path, p->options->source_prefix, p->from[i].separator);
		o->service = place_service(&o->path, p->from[i].attributes);
		levels_prepend(&o->path, &p->into);
		o->same_escaped = levels_encode(&same, &o->path, p->target);
		o->same = buf_steal(&same);
		place_rules_see(p->rules, p->from[i].display);
	}
}

void
place_settle_listed(
    struct place *out, const struct source_mailbox *box, const char *why)
{
	out->name = mem_str(box->name);
	out->display = mem_str(box->display);
	out->existing = box->name;
	out->why = why;
}

static void
settle_inbox(struct plan *p, struct place *out, const char *why)
{
	out->name = mem_str("INBOX");
	out->display = mem_str("INBOX");
	out->existing = p->inbox;
	out->why = why;
}

static void
show(struct place *out, const struct place_target *t)
{
	struct buf display = { 0 };

	name_display(&display, out->name, strlen(out->name), t->separator);
	free(out->display);
	out->display = buf_steal(&display);
}

/* The mailbox of this name, or of the one it got when that was refused; to be
 * created if there is neither. */
static void
settle_name(struct plan *p, struct place *out, const char *name, bool escaped,
    const char *why)
{
	const struct source_mailbox *box = place_listed(p, name);
	struct buf strict = { 0 };

	if (levels_inbox(name)) {
		settle_inbox(p, out, why);
		return;
	}
	if (box == NULL && levels_strict(&strict, name, p->target)) {
		box = place_listed(p, strict.data);
		out->strict = box != NULL;
		escaped |= out->strict;
	}
	buf_free(&strict);
	out->escaped = escaped;
	if (box != NULL) {
		place_settle_listed(out, box, why);
		return;
	}
	out->name = mem_str(name);
	out->why = why;
	show(out, p->target);
}

/* Where a rule says; to is the name below .into. */
static void
settle_typed(struct plan *p, struct place *out, const char *to)
{
	const struct source_mailbox *box = NULL;
	struct levels path = { 0 };
	struct buf wire = { 0 };

	if (p->options->into == NULL)
		box = listed_display(p, to);
	if (box != NULL && !levels_inbox(box->name)) {
		place_settle_listed(out, box, "--map");
		return;
	}
	levels_of_display(&path, to, true);
	levels_prepend(&path, &p->into);
	bool escaped = levels_encode(&wire, &path, p->target);
	settle_name(p, out, wire.data, escaped, "--map");
	buf_free(&wire);
	levels_free(&path);
}

static const char *
before_of(const struct plan *p, size_t i)
{
	const struct place_options *o = p->options;

	if (o->before == NULL || o->before[i] == NULL || o->into != NULL ||
	    levels_inbox(o->before[i]))
		return NULL;

	return place_listed(p, o->before[i]) == NULL ? NULL : o->before[i];
}

/* Those about which no other mailbox has a say. */
static void
settle_first(struct plan *p)
{
	struct buf to = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		struct place *out = &p->out[i];
		const char *before = before_of(p, i);
		out->rule = place_rules_find(p->rules, p->from[i].display, &to);
		if (out->rule != NULL)
			settle_typed(p, out, to.data);
		else if (levels_inbox(p->origins[i].same))
			settle_inbox(p, out, same_name);
		else if (before != NULL)
			place_settle_listed(
			    out, place_listed(p, before), "as before");
	}
	buf_free(&to);
}

static void
settle_rest(struct plan *p)
{
	const char *why = p->options->into != NULL ? "--into" : same_name;

	for (size_t i = 0; i < p->n; i++) {
		struct place *out = &p->out[i];
		const struct origin *o = &p->origins[i];
		if (out->why == NULL)
			settle_name(p, out, o->same, o->same_escaped, why);
		if (out->existing != NULL)
			out->role = 0;
	}
}

static bool
read_into(struct plan *p, struct err *err)
{
	const char *into = p->options->into;

	if (into == NULL)
		return true;
	levels_of_display(&p->into, into, false);
	for (size_t i = 0; i < p->into.n; i++) {
		if (p->into.array[i].text[0] != '\0') {
			p->into.array[i].typed = true;
			continue;
		}
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--into %s: the name, or a level of it, is empty", into);
		return err_hint(err,
		    "PREFIX is a name with '/' between levels, as --into Old "
		    "or --into Old/Mail");
	}

	return true;
}

static void
plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->n && p->origins != NULL; i++) {
		levels_free(&p->origins[i].path);
		free(p->origins[i].same);
	}
	free(p->origins);
	free(p->by_wire);
	free(p->by_display);
	free(p->services);
	levels_free(&p->into);
	place_rules_free(&p->rules);
}

bool
place_plan(struct place *out, const struct source_mailbox *from, size_t n,
    const struct place_options *options, const struct place_target *target,
    struct err *err)
{
	struct plan p = { .out = out,
		.from = from,
		.n = n,
		.options = options,
		.target = target };

	for (size_t i = 0; i < n; i++)
		out[i] = (struct place){ 0 };
	bool ok =
	    read_into(&p, err) &&
	    place_rules_new(&p.rules, options->rules, options->rule_count, err);
	if (ok) {
		read_target(&p);
		read_origins(&p);
		settle_first(&p);
		if (options->into == NULL)
			place_settle_roles(&p);
		settle_rest(&p);
		ok = place_check_meetings(&p, err);
	}
	for (size_t i = 0; i < n && !ok; i++)
		place_free(&out[i]);
	plan_free(&p);

	return ok;
}

bool
place_refused(struct place *place, const struct place_target *target)
{
	struct buf strict = { 0 };

	if (place->existing != NULL || place->strict ||
	    !levels_strict(&strict, place->name, target)) {
		buf_free(&strict);
		return false;
	}
	free(place->name);
	place->name = buf_steal(&strict);
	place->escaped = place->strict = true;
	show(place, target);

	return true;
}

void
place_free(struct place *place)
{
	free(place->name);
	free(place->display);
	*place = (struct place){ 0 };
}
