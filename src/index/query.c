/* The terms of a query that rows and sums have in common. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "index/private.h"
#include "mail/msgid.h"
#include "mail/name.h"

void
rows_filter_open(struct index_filter *f, const struct index_query *query)
{
	*f = (struct index_filter){ .query = query };
	if (query->message_id == NULL || *query->message_id == '\0')
		return;
	/* As it would stand in a field, so that its key is the same. */
	struct buf field = { 0 };
	buf_fmt(&field, "<%s>", query->message_id);
	f->mid64 = msgid_key(
	    (struct header_slice){ .data = field.data, .len = field.len });
	buf_free(&field);
	text_utf8(&f->message_id, query->message_id, strlen(query->message_id));
}

void
rows_filter_close(struct index_filter *f)
{
	buf_free(&f->message_id);
}

static void
int_or_any(struct sql *q, bool any, int64_t value)
{
	if (any)
		sql_null(q);
	else
		sql_int(q, value);
}

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

void
rows_filter_bind(struct sql *q, const struct index_filter *f)
{
	const struct index_query *query = f->query;
	int outcome =
	    query->outcome < 0 ? (int)OUTCOME_DELIVERED : query->outcome;
	int_or_any(q, outcome == OUTCOME_COUNT, outcome);
	int_or_any(q, query->run == 0, (int64_t)query->run);
	int_or_any(q, query->uid == 0, (int64_t)query->uid);
	int_or_any(q, query->since == 0, query->since);
	int_or_any(q, query->before == 0, query->before);
	sql_text(q, is_set(query->volume) ? query->volume : NULL);
	if (query->sha256 == NULL)
		sql_null(q);
	else
		sql_blob(q, query->sha256, 32);
	int_or_any(q, f->mid64 == 0, f->mid64);
	sql_text(q, f->message_id.data);
}

/* An entry stays in its volume and a content in the archive when the message
 * has gone; what a run did to a message is told, gone or not. */
static bool
wants_ended(const struct index_query *query)
{
	return query->ended || query->run != 0 || is_set(query->volume) ||
	       query->sha256 != NULL || is_set(query->message_id);
}

bool
rows_span(struct index *ix, const struct index_query *query, int64_t mailbox,
    struct index_span *span, struct err *err)
{
	uint64_t run = query->as_of_run;
	*span = (struct index_span){ .by = INT64_MAX, .beyond = INT64_MAX - 1 };
	if (query->changes != 0) {
		*span = (struct index_span){ .by = (int64_t)query->changes };
	} else if (query->as_of != 0 && run == 0) {
		if (!index_as_of(
			ix, (uint64_t)mailbox, query->as_of, &run, err))
			return false;
		span->by = span->beyond = (int64_t)run;
	} else if (run != 0) {
		span->by = span->beyond = (int64_t)run;
	} else if (wants_ended(query)) {
		span->beyond = 0;
	}

	return true;
}

static bool
any_matches(const char *const *globs, size_t n, const char *display,
    uint32_t attributes)
{
	for (size_t i = 0; i < n; i++)
		if (name_matches(globs[i], display, attributes))
			return true;

	return false;
}

bool
rows_want_mailbox(const struct index_query *query, const char *display,
    const char *special_use)
{
	char role[64] = "";
	snprintf(role, sizeof(role), "special:%s",
	    special_use == NULL ? "" : special_use);
	uint32_t attributes = name_role(role);
	if (query->include_count > 0 &&
	    !any_matches(
		query->include, query->include_count, display, attributes))
		return false;

	return !any_matches(
	    query->exclude, query->exclude_count, display, attributes);
}
