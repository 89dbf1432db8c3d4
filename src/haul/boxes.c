#include "boxes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/name.h"

bool
box_selectable(const struct source_mailbox *m)
{
	return (m->attributes & (MAILBOX_NOSELECT | MAILBOX_NONEXISTENT)) == 0;
}

bool
boxlist_add(void *arg, const struct source_mailbox *m, struct err *err)
{
	struct boxes *boxes = arg;
	(void)err;
	if ((boxes->n & (boxes->n - 1)) == 0)
		boxes->array = mem_grow(boxes->array,
		    boxes->n == 0 ? 1 : 2 * boxes->n, sizeof(*boxes->array));
	struct box *new = &boxes->array[boxes->n];
	*new = (struct box){ .m = *m, .number = boxes->n++ };
	new->m.name = mem_str(m->name);
	new->m.display = mem_str(m->display);
	new->m.mailbox_id = mem_str(m->mailbox_id);

	return true;
}

void
boxlist_free(struct boxes *boxes)
{
	for (size_t i = 0; i < boxes->n; i++) {
		free((void *)boxes->array[i].m.name);
		free((void *)boxes->array[i].m.display);
		free((void *)boxes->array[i].m.mailbox_id);
	}
	free(boxes->array);
	*boxes = (struct boxes){ 0 };
}

static int
by_name(const void *a, const void *b)
{
	const struct box *x = *(struct box *const *)a;
	const struct box *y = *(struct box *const *)b;

	return strcmp(x->m.name, y->m.name);
}

void
boxlist_by_name(struct boxlist_by_name *out, const struct boxes *boxes)
{
	out->n = 0;
	out->array =
	    mem_array(boxes->n == 0 ? 1 : boxes->n, sizeof(struct box *));
	for (size_t i = 0; i < boxes->n; i++)
		if (box_selectable(&boxes->array[i].m))
			out->array[out->n++] = &boxes->array[i];
	qsort(out->array, out->n, sizeof(struct box *), by_name);
}

static int
is_named(const void *name, const void *box)
{
	return strcmp(name, (*(struct box *const *)box)->m.name);
}

struct box *
boxlist_named(const struct boxlist_by_name *by, const char *name)
{
	struct box **found =
	    bsearch(name, by->array, by->n, sizeof(struct box *), is_named);

	return found == NULL ? NULL : *found;
}

void
boxlist_by_name_free(struct boxlist_by_name *by)
{
	free(by->array);
	*by = (struct boxlist_by_name){ 0 };
}
