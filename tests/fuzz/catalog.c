/*
 * Lines of a catalog: cut out of any pieces, read as rows, and what was read
 * is written and read again. The first octet chooses the pieces.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "archive/catalog.h"
#include "archive/entry.h"
#include "archive/inventory_row.h"
#include "archive/lines.h"
#include "base/text.h"

enum { WHOLE, LINK, REFERENCE, KNOWN, HEX, KEYWORDS, REFUSED };

static const char *const marks[] = {
	[WHOLE] = "a whole message",
	[LINK] = "a link",
	[REFERENCE] = "a reference",
	[KNOWN] = "a message that was known",
	[HEX] = "a wire name in hex",
	[KEYWORDS] = "keywords, and a date with a zone",
	[REFUSED] = "an object that is no row",
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));

	return 0;
}

/* ---- rows ---- */

static void
reach_row(const struct catalog_row *row)
{
	static const unsigned claims[] = { [CLAIM_WHOLE] = WHOLE,
		[CLAIM_LINK] = LINK,
		[CLAIM_REFERENCE] = REFERENCE,
		[CLAIM_KNOWN] = KNOWN };
	fuzz_reach(claims[row->claim]);
	if (!text_is_utf8(row->wire, row->wire_len))
		fuzz_reach(HEX);
	if (strchr(row->keywords, ' ') != NULL && row->zone != 0)
		fuzz_reach(KEYWORDS);
}

static void
check_row(const struct catalog_row *row)
{
	MUST(row->account[0] != '\0' && row->mailbox[0] != '\0');
	MUST(row->wire_len > 0 &&
	     memchr(row->wire, '\0', row->wire_len) == NULL);
	MUST(row->header_size <= row->size);
	MUST(row->body_hash >= 0 && row->identity >= 0);
	MUST(row->flags < 32);
	if (row->claim != CLAIM_KNOWN)
		MUST(entry_is_safe(row->entry) &&
		     strlen(row->entry) < KEPT_ENTRY);
}

/* Seven fields and a newline, whatever stands in them. */
static void
check_tsv(const struct catalog_row *row)
{
	struct buf line = { 0 };
	size_t tabs = 0;
	catalog_tsv(&line, row);
	MUST(line.len > 0 && line.data[line.len - 1] == '\n');
	for (size_t i = 0; i + 1 < line.len; i++) {
		MUST(
		    (unsigned char)line.data[i] >= ' ' || line.data[i] == '\t');
		tabs += line.data[i] == '\t';
	}
	MUST(tabs == 6);
	buf_free(&line);
}

/* The object of a row, written; false: it is none. */
static bool
rewrite(const json_t *object, struct buf *out)
{
	struct row_texts texts = { 0 };
	struct inventory_row row;
	const char *why = NULL;
	bool ok = inventory_row_parse(object, "v-0001", &texts, &row, &why);
	if (ok) {
		check_row(&row.row);
		reach_row(&row.row);
		check_tsv(&row.row);
		row.row.generation = row.generation;
		struct jsonl line;
		jsonl_begin(&line, out);
		catalog_put(&line, &row.row);
		jsonl_end(&line);
	} else {
		MUST(why != NULL);
		fuzz_reach(REFUSED);
	}
	row_texts_free(&texts);

	return ok;
}

static void
check_object(const json_t *object)
{
	struct buf once = { 0 }, twice = { 0 };
	if (rewrite(object, &once)) {
		MUST(memchr(once.data, '\n', once.len) ==
		     once.data + once.len - 1);
		json_t *again = json_loadb(
		    once.data, once.len - 1, JSON_REJECT_DUPLICATES, NULL);
		MUST(again != NULL && rewrite(again, &twice));
		MUST(once.len == twice.len &&
		     memcmp(once.data, twice.data, once.len) == 0);
		json_decref(again);
	}
	buf_free(&once);
	buf_free(&twice);
}

/* ---- lines ---- */

static bool
take_line(void *arg, const char *data, size_t len)
{
	struct fuzz_part *rest = arg, line;
	MUST(fuzz_part(rest, '\n', &line));
	MUST(
	    len == line.len && (len == 0 || memcmp(data, line.data, len) == 0));

	return true;
}

static void
check_lines(const char *data, size_t size, size_t step)
{
	struct fuzz_part rest = { data, size };
	struct lines lines = { .each = take_line, .arg = &rest };
	for (size_t at = 0; at < size; at += step)
		MUST(lines_add(
		    &lines, data + at, size - at < step ? size - at : step));
	MUST(lines_at_end(&lines) == (size == 0 || data[size - 1] == '\n'));
	lines_free(&lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size }, line;
	size_t step = fuzz_choose(&rest, 128) + 1;
	check_lines(rest.data, rest.len, step);
	while (fuzz_part(&rest, '\n', &line)) {
		json_t *object = json_loadb(line.data, line.len, 0, NULL);
		if (json_is_object(object))
			check_object(object);
		json_decref(object);
	}

	return 0;
}
