#ifndef ARCHIVE_CATALOG_H
#define ARCHIVE_CATALOG_H

#include <jansson.h>

#include "jsonl.h"
#include "mail/target.h"

/* A volume's catalog (schemas/catalog.schema.json): one row, two forms. */

/* A line's keys; strings are made valid UTF-8. */
void catalog_put(struct jsonl *, const struct catalog_row *);
/* Its parts: whose message it is, and how it stands there. */
void catalog_origin(struct jsonl *, const struct catalog_row *);
void catalog_state(struct jsonl *, const struct catalog_row *);
/* A wire name as text where it can be, else as hex under another key. */
void catalog_wire(struct jsonl *, const void *, size_t len);

/*
 * kind, path in the extracted tree, the body's volume, its entry, octets to
 * skip there, size and SHA-256 of the whole; tabs between, newline behind.
 * "-" stands for nothing; a tab, newline, other control or backslash is \xHH.
 */
void catalog_tsv(struct buf *, const struct catalog_row *);
extern const char catalog_tsv_head[];

/*
 * A parsed line as a row: strings borrowed from the object, keywords and
 * flags not set. volume: this volume. *why: what is wrong with it.
 */
bool catalog_parse(
    const json_t *, const char *volume, struct catalog_row *, const char **why);

const char *catalog_claim_word(enum claim_kind);

#endif
