#include "index/private.h"

#include <string.h>

#include "mail/datetime.h"

static const char *const outcome_words[OUTCOME_COUNT] = {
	[OUTCOME_PENDING] = "pending",
	[OUTCOME_DELIVERED] = "delivered",
	[OUTCOME_DUPLICATE] = "duplicate",
	[OUTCOME_EXCLUDED] = "excluded",
	[OUTCOME_REPAIRED] = "repaired",
	[OUTCOME_QUARANTINED] = "quarantined",
	[OUTCOME_UNREADABLE] = "unreadable",
	[OUTCOME_VANISHED] = "vanished",
	[OUTCOME_UNKNOWN] = "unknown",
};

const char *
outcome_word(enum outcome outcome)
{
	return (unsigned)outcome < OUTCOME_COUNT ? outcome_words[outcome]
						 : "unknown";
}

/* ---- where a job stands ---- */

bool
index_delta(struct index *ix, uint64_t job, uint64_t mailbox,
    struct index_delta *delta, struct err *err)
{
	struct sql q;
	bool row;
	*delta = (struct index_delta){ 0 };
	if (!sql_open(ix, SQL_DELTA_FIND, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		delta->found = true;
		delta->state.uidnext = (uint64_t)sql_get_int(&q);
		delta->state.modseq = (uint64_t)sql_get_int(&q);
		delta->state.messages = (uint64_t)sql_get_int(&q);
		sql_get_octets(&q, delta->filter_sha256, 32);
	}
	sql_close(&q);

	return true;
}

bool
index_outcomes(struct index *ix, uint64_t job, uint64_t mailbox,
    uint64_t counts[OUTCOME_COUNT], struct err *err)
{
	struct sql q;
	bool row;
	memset(counts, 0, OUTCOME_COUNT * sizeof(*counts));
	if (!sql_open(ix, SQL_OUTCOMES, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	if (!sql_step(&q, &row, err))
		return false;
	for (int i = 0; row && i < OUTCOME_COUNT; i++)
		counts[i] = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}

bool
index_outcome(struct index *ix, uint64_t job, uint64_t mailbox, uint64_t okey,
    enum outcome *outcome, bool *found, struct err *err)
{
	struct sql q;
	*outcome = OUTCOME_PENDING;
	if (!sql_open(ix, SQL_OUTCOME, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)okey);
	if (!sql_step(&q, found, err))
		return false;
	if (*found)
		*outcome = (enum outcome)sql_get_int(&q);
	sql_close(&q);

	return true;
}

/* ---- what is kept ---- */

void
kept_read(struct sql *q, struct kept *kept)
{
	kept->entry[0] = '\0';
	sql_get_name(q, kept->volume, sizeof(kept->volume));
	kept->frame = (uint32_t)sql_get_int(q);
	kept->offset = (uint64_t)sql_get_int(q);
	kept->size = (uint64_t)sql_get_int(q);
	kept->header_size = (uint64_t)sql_get_int(q);
	sql_get_octets(q, kept->sha256, sizeof(kept->sha256));
}

static void
bind_sha256(struct sql *q, const uint8_t sha256[32])
{
	sql_int(q, digest_key(sha256));
	sql_blob(q, sha256, 32);
}

bool
index_content_id(
    struct index *ix, const uint8_t sha256[32], int64_t *id, struct err *err)
{
	struct sql q;
	bool row;
	*id = 0;
	if (!sql_open(ix, SQL_CONTENT_FIND, &q, err))
		return false;
	bind_sha256(&q, sha256);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		*id = sql_get_int(&q);
	sql_close(&q);

	return true;
}

/* archive 0: any. */
static bool
find_copy(struct index *ix, uint64_t archive, const uint8_t sha256[32],
    const char *volume, struct kept *kept, bool *found, struct err *err)
{
	struct sql q;
	int64_t content;
	*found = false;
	if (!index_content_id(ix, sha256, &content, err))
		return false;
	if (content == 0)
		return true;
	if (!sql_open(ix, SQL_COPY_FIND, &q, err))
		return false;
	sql_int(&q, content);
	if (archive == 0)
		sql_null(&q);
	else
		sql_int(&q, (int64_t)archive);
	sql_text(&q, volume);
	if (!sql_step(&q, found, err))
		return false;
	if (*found)
		kept_read(&q, kept);
	sql_close(&q);

	return true;
}

bool
index_find_content(struct index *ix, uint64_t archive, const uint8_t sha256[32],
    const char *volume, struct kept *kept, bool *found, struct err *err)
{
	return find_copy(ix, archive, sha256, volume, kept, found, err);
}

bool
index_find_link(struct index *ix, const uint8_t sha256[32], const char *volume,
    int64_t idate, char *out, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LINK_FIND, &q, err))
		return false;
	bind_sha256(&q, sha256);
	sql_text(&q, volume);
	if (idate == DATETIME_NONE)
		sql_null(&q);
	else
		sql_int(&q, idate);
	if (!sql_step(&q, found, err))
		return false;
	if (*found)
		sql_get_name(&q, out, KEPT_ENTRY);
	sql_close(&q);

	return true;
}

bool
index_find_body(struct index *ix, uint64_t archive, int64_t body_hash,
    bool (*each)(void *arg, const struct kept *), void *arg, struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open(ix, SQL_BODY_FIND, &q, err))
		return false;
	sql_int(&q, body_hash);
	sql_int(&q, (int64_t)archive);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct kept kept;
		kept_read(&q, &kept);
		if (!each(arg, &kept))
			break;
	}
	sql_close(&q);

	return ok;
}

/* ---- how to put a message together ---- */

static void
parts_whole(const struct kept *kept, struct message_parts *parts)
{
	parts->size = kept->size;
	parts->header_size = kept->header_size;
	memcpy(parts->volume, kept->volume, sizeof(parts->volume));
	parts->frame = kept->frame;
	parts->offset = kept->offset;
}

static bool
parts_split(
    struct index *ix, struct message_parts *parts, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_PARTS_SPLIT, &q, err))
		return false;
	bind_sha256(&q, parts->sha256);
	if (!sql_step(&q, found, err))
		return false;
	if (*found) {
		sql_get_name(&q, parts->volume, sizeof(parts->volume));
		parts->frame = (uint32_t)sql_get_int(&q);
		parts->offset = (uint64_t)sql_get_int(&q);
		parts->size = (uint64_t)sql_get_int(&q);
		parts->header_size = (uint64_t)sql_get_int(&q);
		parts->split = true;
		sql_get_name(
		    &q, parts->body_volume, sizeof(parts->body_volume));
		parts->body_frame = (uint32_t)sql_get_int(&q);
		parts->body_offset = (uint64_t)sql_get_int(&q);
		parts->body_skip = (uint64_t)sql_get_int(&q);
	}
	sql_close(&q);

	return true;
}

bool
index_parts(struct index *ix, const uint8_t sha256[32],
    struct message_parts *parts, bool *found, struct err *err)
{
	struct kept kept;
	*parts = (struct message_parts){ 0 };
	memcpy(parts->sha256, sha256, sizeof(parts->sha256));
	if (!find_copy(ix, 0, sha256, NULL, &kept, found, err))
		return false;
	if (!*found)
		return parts_split(ix, parts, found, err);
	parts_whole(&kept, parts);

	return true;
}
