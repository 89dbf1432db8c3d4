#include "place_plan.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
place_order(const void *a, const void *b)
{
	const struct place *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

/* The display name as --map wants it: without PREFIX. */
static const char *
typed_name(const struct plan *p, const struct place *out)
{
	struct buf wire = { 0 }, shown = { 0 };

	if (p->options->into == NULL)
		return out->display;
	levels_encode(&wire, &p->into, p->target);
	name_display(&shown, wire.data, wire.len, p->target->separator);
	size_t len = shown.len + (p->target->separator == '\0' ? 3 : 1);
	/* It may have been found under a name with more escapes. */
	bool below = strncmp(out->display, shown.data, shown.len) == 0 &&
		     strlen(out->display) > len;
	buf_free(&shown);
	buf_free(&wire);

	return below ? out->display + len : p->from[out - p->out].display;
}

static void
add_map(struct buf *hint, const char *from, const char *to)
{
	struct buf rule = { 0 };

	buf_fmt(&rule, "%s=%s", from, to);
	buf_str(hint, " --map ");
	text_shell(hint, rule.data);
	buf_free(&rule);
}

static bool
fail_meeting(const struct plan *p, struct place **met, size_t n, size_t more,
    struct err *err)
{
	enum { SHOWN = 100, HINT = 900 };
	char a[SHOWN], b[SHOWN], to[SHOWN], others[64] = "";
	const char *one = p->from[met[0] - p->out].display;
	const char *two = p->from[met[1] - p->out].display;
	const char *place = typed_name(p, met[0]);
	struct buf hint = { 0 };

	text_escape_to(a, sizeof(a), one, strlen(one));
	text_escape_to(b, sizeof(b), two, strlen(two));
	text_escape_to(
	    to, sizeof(to), met[0]->display, strlen(met[0]->display));
	if (more > 0)
		snprintf(
		    others, sizeof(others), "; %zu more meet like this", more);
	err_set(err, ERR_RUN, ERR_USAGE,
	    "%zu mailboxes of the source would become one of the target, %s: "
	    "%s and %s%s%s",
	    n, to, a, b, n > 2 ? " and others" : "", others);
	buf_str(&hint, "To put them there all the same:");
	for (size_t i = 0; i < n && hint.len < HINT; i++)
		add_map(&hint, p->from[met[i] - p->out].display, place);
	buf_str(&hint, "\nTo keep them apart:");
	struct buf other = { 0 };
	buf_fmt(&other, "%s 2", place);
	add_map(&hint, two, other.data);
	buf_free(&other);
	if (hint.len >= HINT)
		err_hint(err,
		    "Name a target for each with --map FROM=TO: the same one "
		    "to put them there all the same, another to keep them "
		    "apart");
	else
		err_hint(err, "%s", hint.data);
	buf_free(&hint);

	return false;
}

static bool
was_meant(struct place **met, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (met[i]->rule == NULL || !place_rule_fixed(met[i]->rule))
			return false;

	return true;
}

bool
place_check_meetings(const struct plan *p, struct err *err)
{
	struct place **sorted = mem_array(p->n + 1, sizeof(struct place *));
	size_t first = 0, first_n = 0, meetings = 0;

	for (size_t i = 0; i < p->n; i++)
		sorted[i] = &p->out[i];
	qsort(sorted, p->n, sizeof(struct place *), place_order);
	for (size_t i = 0, n; i < p->n; i += n) {
		for (n = 1; i + n < p->n; n++)
			if (strcmp(sorted[i]->name, sorted[i + n]->name) != 0)
				break;
		if (n == 1 || was_meant(sorted + i, n))
			continue;
		if (meetings++ == 0) {
			first = i;
			first_n = n;
		}
	}
	bool ok = meetings == 0 ||
		  fail_meeting(p, sorted + first, first_n, meetings - 1, err);
	free(sorted);

	return ok;
}
