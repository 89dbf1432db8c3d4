/* Single versions of placements, for who compares them with manifests. */
#include <string.h>

#include "index/private.h"
#include "mail/datetime.h"

static const char *
text_or_empty(struct sql *q)
{
	const char *text = sql_get_text(q);

	return text == NULL ? "" : text;
}

static void
read_placement(struct sql *q, struct catalog_row *row)
{
	row->flags = (uint8_t)sql_get_int(q);
	row->keywords = text_or_empty(q);
	bool none = sql_get_null(q);
	row->idate = sql_get_int(q);
	if (none)
		row->idate = DATETIME_NONE;
	row->zone = (int16_t)sql_get_int(q);
	row->announced = (uint64_t)sql_get_int(q);
}

static void
read_content(struct sql *q, struct catalog_row *row)
{
	sql_get_octets(q, row->sha256, sizeof(row->sha256));
	row->size = (uint64_t)sql_get_int(q);
	row->header_size = (uint64_t)sql_get_int(q);
	row->from = text_or_empty(q);
	row->to = text_or_empty(q);
	row->cc = text_or_empty(q);
	row->subject = text_or_empty(q);
	row->date = text_or_empty(q);
	row->message_id = text_or_empty(q);
	row->body_hash = sql_get_int(q);
	row->identity = sql_get_int(q);
}

bool
index_version(struct index *ix, uint64_t run, const struct catalog_row *at,
    void (*each)(void *arg, const struct catalog_row *, bool ended), void *arg,
    struct err *err)
{
	struct catalog_row row = *at;
	struct sql q;
	bool found;
	if (!sql_open(ix, SQL_VERSION_OF, &q, err))
		return false;
	sql_text(&q, at->account);
	sql_blob(&q, at->wire, at->wire_len);
	sql_int(&q, (int64_t)at->uidvalidity);
	sql_int(&q, (int64_t)at->generation);
	sql_int(&q, (int64_t)at->uid);
	sql_int(&q, (int64_t)run);
	if (!sql_step(&q, &found, err))
		return false;
	if (found) {
		read_placement(&q, &row);
		read_content(&q, &row);
		each(arg, &row, sql_get_int(&q) == (int64_t)run);
	}
	sql_close(&q);

	return true;
}

bool
index_ended(struct index *ix, uint64_t run, uint64_t *n, struct err *err)
{
	struct sql q;
	bool row;
	*n = 0;
	if (!sql_open(ix, SQL_ENDED_IN, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	if (!sql_step(&q, &row, err))
		return false;
	*n = row ? (uint64_t)sql_get_int(&q) : 0;
	sql_close(&q);

	return true;
}
