#ifndef CMD_FIND_H
#define CMD_FIND_H

#include "ports.h"

/*
 * The message that --message-id, --sha256, --entry, --mailbox with --uid, or
 * an ID argument ("<…>", hex digits, a path) names. Fills *query, which
 * borrows from *f; free with find_free. ERR_USAGE if nothing is named.
 */
struct find {
	struct index_query query;
	struct buf message_id; /* canonical */
	uint8_t sha256[DIGEST_SIZE];
	const char *mailbox[1];
	/* What rows must have besides; borrowed; NULL: any. */
	const char *entry, *exact; /* exact: the mailbox's display name */
};
bool find_parse(struct find *, struct index *, const struct options *,
    const char *id, struct err *);
void find_free(struct find *);
/* A content hash, or its first 8 or more hex digits: ERR_GONE, ERR_USAGE if
 * several begin so. */
bool find_hash(
    struct index *, const char *hex, uint8_t sha256[DIGEST_SIZE], struct err *);
/* index_rows_next, skipping what entry and exact exclude. */
bool find_next(const struct find *, struct index_rows *, struct index_row *,
    bool *end, struct err *);

/* A reader over an archive that takes frame tables from the index. */
struct reading;
bool reading_open(struct reading **, const struct archive_port *, struct err *);
/* The same through the port's own connection, which spares opening another:
 * for who holds no rows of it meanwhile. */
bool reading_open_beside(
    struct reading **, const struct archive_port *, struct err *);
void reading_close(struct reading **);
/* One message's octets to each; ERR_GONE if the index knows no copy. */
bool reading_message(struct reading *, const uint8_t sha256[DIGEST_SIZE],
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *);

#endif
