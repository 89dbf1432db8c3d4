#include "receipts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void
grow(struct receipts *r)
{
	size_t cap = r->cap == 0 ? 64 : 2 * r->cap;
	struct due *rows = mem_array(cap, sizeof(*rows));
	for (size_t i = 0; i < r->count; i++)
		rows[i] = r->rows[(r->first + i) % r->cap];
	free(r->rows);
	r->rows = rows;
	r->cap = cap;
	r->first = 0;
}

void
receipts_push(struct receipts *r, uint64_t ticket, uint32_t last,
    const struct kept *where)
{
	if (r->count == r->cap)
		grow(r);

	struct due *d = &r->rows[(r->first + r->count++) % r->cap];
	*d = (struct due){ .ticket = ticket,
		.last = last,
		.frame = where->frame,
		.offset = where->offset,
		.size = where->size,
		.header_size = where->header_size,
		.entry = mem_str(where->entry) };
	memcpy(d->sha256, where->sha256, sizeof(d->sha256));
}

const struct due *
receipts_oldest(const struct receipts *r)
{
	return r->count == 0 ? NULL : &r->rows[r->first];
}

void
receipts_pop(struct receipts *r, const char *volume, struct receipt *out)
{
	struct due *d = &r->rows[r->first];
	*out = (struct receipt){ .kind = RECEIPT_KEPT,
		.ticket = d->ticket,
		.where = { .frame = d->frame,
		    .offset = d->offset,
		    .size = d->size,
		    .header_size = d->header_size } };
	memcpy(out->where.sha256, d->sha256, sizeof(d->sha256));
	memcpy(out->where.volume, volume, strlen(volume) + 1);
	memcpy(out->where.entry, d->entry, strlen(d->entry) + 1);
	free(d->entry);
	r->first = (r->first + 1) % r->cap;
	r->count--;
}

void
receipts_free(struct receipts *r)
{
	while (r->count > 0) {
		free(r->rows[r->first].entry);
		r->first = (r->first + 1) % r->cap;
		r->count--;
	}
	free(r->rows);
	*r = (struct receipts){ 0 };
}
