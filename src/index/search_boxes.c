#include "search_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

static bool
is_asked_for(const struct search_query *q, const struct search_box *box,
    const char *special_use)
{
	const struct index_query globs = { .include = q->include,
		.include_count = q->include_count,
		.exclude = q->exclude,
		.exclude_count = q->exclude_count };
	bool inbox = is_set(q->mailbox) && strcasecmp(q->mailbox, "INBOX") == 0;
	if (is_set(q->account) && strcmp(q->account, box->account) != 0)
		return false;
	if (is_set(q->mailbox) && strcmp(q->mailbox, box->display) != 0 &&
	    !(inbox && strcasecmp(box->display, "INBOX") == 0))
		return false;

	return rows_want_mailbox(&globs, box->display, special_use);
}

/* As of when it is looked at: a mailbox without such a run has nothing. */
static bool
date_box(struct search_box *box, struct index *ix, const struct search_query *q,
    struct err *err)
{
	uint64_t run = 0;
	box->run = (int64_t)q->as_of_run;
	if (!box->wanted || q->as_of == 0)
		return true;
	if (!index_as_of(ix, (uint64_t)box->id, q->as_of, &run, err))
		return false;
	box->run = (int64_t)run;
	box->wanted = run != 0;

	return true;
}

static char *
copy_text(struct sql *q)
{
	const char *text = sql_get_text(q);

	return mem_str(text == NULL ? "" : text);
}

static bool
read_box(struct search_boxes *boxes, struct sql *q, struct index *ix,
    const struct search_query *query, struct err *err)
{
	if ((boxes->n & (boxes->n - 1)) == 0)
		boxes->array = mem_grow(boxes->array,
		    boxes->n == 0 ? 1 : boxes->n * 2, sizeof(*boxes->array));
	struct search_box *box = &boxes->array[boxes->n++];
	*box = (struct search_box){ .id = sql_get_int(q) };
	sql_get_int(q); /* its account */
	box->account = copy_text(q);
	box->display = copy_text(q);
	const char *special_use = sql_get_text(q);
	box->wanted = is_asked_for(query, box, special_use);
	box->uidvalidity = (uint64_t)sql_get_int(q);

	return date_box(box, ix, query, err);
}

static void
sum_up(struct search_boxes *boxes)
{
	const char *first = NULL;
	boxes->all = true;
	for (size_t i = 0; i < boxes->n; i++) {
		const struct search_box *box = &boxes->array[i];
		boxes->all = boxes->all && box->wanted;
		if (box->wanted && first == NULL)
			first = box->account;
		else if (box->wanted && strcmp(first, box->account) != 0)
			boxes->many_accounts = true;
	}
}

bool
search_boxes_load(struct search_boxes *boxes, struct index *ix,
    const struct search_query *query, struct err *err)
{
	struct sql q;
	bool row, ok;
	*boxes = (struct search_boxes){ 0 };
	if (!sql_open(ix, SQL_FIND_MAILBOXES, &q, err))
		return false;
	do
		ok = sql_step(&q, &row, err) &&
		     (!row || read_box(boxes, &q, ix, query, err));
	while (ok && row);
	sql_close(&q);
	sum_up(boxes);

	return ok;
}

static int
by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = ((const struct search_box *)b)->id;

	return x < y ? -1 : x > y;
}

const struct search_box *
search_boxes_find(const struct search_boxes *boxes, int64_t id)
{
	return boxes->n == 0 ? NULL
			     : bsearch(&id, boxes->array, boxes->n,
				   sizeof(*boxes->array), by_id);
}

void
search_boxes_free(struct search_boxes *boxes)
{
	for (size_t i = 0; i < boxes->n; i++) {
		free(boxes->array[i].account);
		free(boxes->array[i].display);
	}
	free(boxes->array);
	*boxes = (struct search_boxes){ 0 };
}
