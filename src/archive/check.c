#include "check.h"

#include "base/text.h"
#include "catalog.h"
#include "entry.h"

#include <inttypes.h>
#include <string.h>

/* The longest line that we write is far below (six fields of mail headers,
 * which mail/header.h keeps short, and 3 KiB of paths). */
enum { LINE_MAX_OCTETS = 1 << 20 };

void
check_rows_start(struct check_rows *c)
{
	buf_clear(&c->line);
	c->too_long = false;
	if (c->tsv == NULL)
		c->tsv = digest_new();
	digest_start(c->tsv);
	digest_add(c->tsv, catalog_tsv_head, strlen(catalog_tsv_head));
}

uint64_t
archive_row_sum(const struct catalog_row *row)
{
	struct buf text = { 0 };
	/* Each text with its end, so that no two rows run into each other. */
	buf_add(&text, row->account, strlen(row->account) + 1);
	/* What people see of a name may change, as its separator does. */
	if (row->wire != NULL)
		buf_add(&text, row->wire, row->wire_len);
	else
		buf_str(&text, row->mailbox);
	buf_char(&text, '\0');
	buf_add(&text, row->entry, strlen(row->entry) + 1);
	buf_add(&text, row->sha256, DIGEST_SIZE);
	buf_fmt(&text,
	    "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
	    " %d %" PRIu32 " %" PRIu64,
	    row->uidvalidity, row->generation, row->uid, row->size,
	    row->header_size, (int)row->claim, row->frame, row->offset);
	int64_t sum = hash64_of(text.data, text.len);
	buf_free(&text);

	return (uint64_t)sum;
}

static uint64_t
plain_of(const struct check_rows *c, uint32_t frame, uint64_t offset)
{
	return frame < c->frame_count ? c->frames[frame].plain + offset
				      : UINT64_MAX;
}

static void
check_file(
    struct check_rows *c, const struct catalog_row *row, const char *path)
{
	int64_t facts = tally_get(c->tally, path);
	if (facts == 0)
		c->report(c->arg, path,
		    "the catalog names it, but it is not in the volume");
	else if (facts != tally_file(path, plain_of(c, row->frame, row->offset),
			      row->size, row->sha256))
		c->report(c->arg, path,
		    "its place, size or SHA-256 differ from the catalog");
}

static void
check_link(struct check_rows *c, const struct catalog_row *row)
{
	int64_t facts = tally_get(c->tally, row->entry);
	if (facts == 0)
		c->report(c->arg, row->entry,
		    "the catalog names it, but it is not in the volume");
	else if (facts != tally_link(row->entry, row->body_entry))
		c->report(c->arg, row->entry,
		    "it is not the link that the catalog says");
	else
		check_file(c, row, row->body_entry);
}

static bool
hash(void *arg, const void *data, size_t n, struct err *err)
{
	(void)err;
	digest_add(arg, data, n);

	return true;
}

static bool
hash_joined(struct check_rows *c, const struct catalog_row *row,
    struct digest *digest, struct err *err)
{
	if (row->header_size > row->size)
		return err_set(err, ERR_MESSAGE, ERR_DAMAGED,
		    "its header is larger than itself");

	/* Two readers: each then keeps the frame that the next row needs. */
	return archive_reader_data(c->headers, c->volume, row->frame,
		   row->offset, 0, row->header_size, hash, digest, err) &&
	       archive_reader_data(c->bodies, row->body_volume, row->body_frame,
		   row->body_offset, row->body_skip,
		   row->size - row->header_size, hash, digest, err);
}

static void
check_reference(struct check_rows *c, const struct catalog_row *row)
{
	uint8_t sha256[DIGEST_SIZE];
	struct err err;
	int64_t facts = tally_get(c->tally, row->entry);
	if (facts == 0) {
		c->report(c->arg, row->entry,
		    "the catalog names it, but it is not in the volume");
		return;
	}
	if (facts != tally_file(row->entry,
			 plain_of(c, row->frame, row->offset), row->header_size,
			 NULL)) {
		c->report(c->arg, row->entry,
		    "its place or size differ from the catalog");
		return;
	}

	struct digest *digest = digest_new();
	digest_start(digest);
	bool ok = hash_joined(c, row, digest, &err);
	digest_end(digest, sha256);
	digest_free(&digest);
	if (!ok)
		c->report(c->arg, row->entry, err.text);
	else if (memcmp(sha256, row->sha256, sizeof(sha256)) != 0)
		c->report(c->arg, row->entry,
		    "joined with its body it has another SHA-256");
}

/* As a rebuild of the index reads it: what it would refuse is a finding. */
static bool
parse_row(struct check_rows *c, const json_t *object, struct catalog_row *row,
    const char **why)
{
	struct inventory_row in;
	if (!inventory_row_parse(object, c->volume, &c->texts, &in, why))
		return false;
	*why = "a catalog line names a message that isn't in the volume";
	*row = in.row;
	row->generation = in.generation;

	return row->claim != CLAIM_KNOWN;
}

static void
check_line(struct check_rows *c)
{
	struct catalog_row row;
	const char *why = "a catalog line is no JSON object";
	json_t *object = c->too_long ? NULL
				     : json_loadb(c->line.data, c->line.len,
					   JSON_REJECT_DUPLICATES, NULL);
	c->rows++;
	if (!json_is_object(object) || !parse_row(c, object, &row, &why)) {
		c->report(c->arg, NULL, why);
		json_decref(object);
		return;
	}

	struct buf tsv = { 0 };
	catalog_tsv(&tsv, &row);
	digest_add(c->tsv, tsv.data, tsv.len);
	buf_free(&tsv);
	c->sum += archive_row_sum(&row);
	if (row.claim == CLAIM_WHOLE)
		check_file(c, &row, row.entry);
	else if (row.claim == CLAIM_LINK)
		check_link(c, &row);
	else
		check_reference(c, &row);
	json_decref(object);
}

void
check_rows_add(struct check_rows *c, const void *data, size_t n)
{
	const char *p = data, *end = p + n;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t part = (size_t)((newline == NULL ? end : newline) - p);
		if (c->line.len + part > LINE_MAX_OCTETS)
			c->too_long = true;
		else
			buf_add(&c->line, p, part);
		p += part;
		if (newline == NULL)
			return;
		check_line(c);
		buf_clear(&c->line);
		c->too_long = false;
		p++;
	}
}

void
check_rows_end(struct check_rows *c, uint8_t tsv[32])
{
	if (c->line.len > 0 || c->too_long)
		c->report(c->arg, NULL, "the catalog's last line is cut");
	digest_end(c->tsv, tsv);
}

void
check_rows_free(struct check_rows *c)
{
	buf_free(&c->line);
	row_texts_free(&c->texts);
	digest_free(&c->tsv);
}
