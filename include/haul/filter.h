#ifndef HAUL_FILTER_H
#define HAUL_FILTER_H

#include "base/digest.h"
#include "mail/source.h"

/* --include, --exclude, --since, --before, --max-size; all borrowed. */
struct filter {
	const char *const *include;
	size_t include_count;
	const char *const *exclude;
	size_t exclude_count;
	int64_t since, before; /* INTERNALDATE, unix s; 0: none */
	uint64_t max_size;     /* octets; 0: none */
};

/* NULL: wanted; else the rule that excludes it ("--exclude Trash"), written
 * into rule. */
const char *filter_mailbox(const struct filter *, const struct source_mailbox *,
    char *rule, size_t size);
/* A message without INTERNALDATE is never excluded by date. */
const char *filter_message(
    const struct filter *, const struct placement *, char *rule, size_t size);
/* The rules that decide about messages: another hash, another set of
 * messages, so the mailbox is listed again. */
void filter_hash(const struct filter *, uint8_t sha256[DIGEST_SIZE]);

#endif
