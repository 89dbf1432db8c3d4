#ifndef ARCHIVE_CHECK_H
#define ARCHIVE_CHECK_H

#include "archive/reader.h"
#include "base/digest.h"
#include "inventory_row.h"
#include "tally.h"

/*
 * The catalog's side of a verification: lines come in while the tar stream
 * is read (the catalog stands behind all entries), each row is compared with
 * the tally, and what rows can be told of the TSV is hashed for later.
 */
struct check_rows {
	/* borrowed */
	const char *volume;
	const struct tally *tally;
	const struct frame_info *frames;
	size_t frame_count;
	struct archive_reader *headers, *bodies;
	void (*report)(void *arg, const char *entry, const char *what);
	void *arg;

	struct buf line; /* the part of a line so far */
	bool too_long;
	struct row_texts texts; /* of the row at hand */
	struct digest *tsv;     /* of the TSV that the rows imply */
	uint64_t rows, sum;     /* sum: of archive_row_sum */
};

void check_rows_start(struct check_rows *);
void check_rows_add(struct check_rows *, const void *, size_t);
/* The end of the catalog. tsv: SHA-256 of the TSV it implies. */
void check_rows_end(struct check_rows *, uint8_t tsv[32]);
void check_rows_free(struct check_rows *);

#endif
