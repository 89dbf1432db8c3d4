#include "haul/filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "mail/datetime.h"
#include "mail/name.h"

static const char *
first_match(const char *const *globs, size_t n, const struct source_mailbox *b)
{
	for (size_t i = 0; i < n; i++)
		if (name_matches(globs[i], b->display, b->attributes))
			return globs[i];

	return NULL;
}

const char *
filter_mailbox(const struct filter *f, const struct source_mailbox *box,
    char *rule, size_t size)
{
	const char *glob = first_match(f->exclude, f->exclude_count, box);
	if (glob != NULL) {
		snprintf(rule, size, "--exclude %s", glob);
		return rule;
	}
	if (f->include_count > 0 &&
	    first_match(f->include, f->include_count, box) == NULL) {
		snprintf(rule, size, "--include");
		return rule;
	}

	return NULL;
}

const char *
filter_message(
    const struct filter *f, const struct placement *p, char *rule, size_t size)
{
	bool dated = p->idate != DATETIME_NONE;
	if (f->max_size != 0 && p->size > f->max_size)
		snprintf(rule, size, "--max-size %" PRIu64, f->max_size);
	else if (f->since != 0 && dated && p->idate < f->since)
		snprintf(rule, size, "--since");
	else if (f->before != 0 && dated && p->idate >= f->before)
		snprintf(rule, size, "--before");
	else
		return NULL;

	return rule;
}

void
filter_hash(const struct filter *f, uint8_t sha256[DIGEST_SIZE])
{
	struct buf text = { 0 };
	buf_fmt(&text,
	    "filter 1 since %" PRId64 " before %" PRId64 " max-size %" PRIu64,
	    f->since, f->before, f->max_size);
	digest_of(text.data, text.len, sha256);
	buf_free(&text);
}
