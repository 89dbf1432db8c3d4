#include "index/private.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "mail/name.h"

bool
index_live_mailbox(struct index *ix, uint64_t account, const char *name,
    uint64_t *id, uint64_t *uidvalidity, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_LIVE_MAILBOX, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_blob(&q, name, strlen(name));
	if (!sql_step(&q, found, err))
		return false;
	if (*found) {
		*id = (uint64_t)sql_get_int(&q);
		*uidvalidity = (uint64_t)sql_get_int(&q);
	}
	sql_close(&q);

	return true;
}

bool
index_is_other(struct index *ix, uint64_t mailbox, const char *mailbox_id,
    bool *other, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_MAILBOX_OTHER, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	sql_text(&q, mailbox_id);
	bool ok = sql_step(&q, other, err);
	sql_close(&q);

	return ok;
}

static void
read_live(struct sql *q, struct index_live *live, struct buf *name)
{
	size_t len;
	char role[64] = "";
	*live = (struct index_live){ .id = (uint64_t)sql_get_int(q) };
	const char *octets = sql_get_blob(q, &len);
	buf_clear(name);
	buf_add(name, len == 0 ? "" : octets, len);
	live->name = len == 0 ? "" : name->data;
	live->display = sql_get_text(q);
	live->mailbox_id = sql_get_text(q);
	const char *separator = sql_get_text(q);
	live->separator = separator == NULL ? '\0' : separator[0];
	const char *special_use = sql_get_text(q);
	snprintf(role, sizeof(role), "special:%s",
	    special_use == NULL ? "" : special_use);
	live->attributes = name_role(role);
	if (sql_get_int(q) != 0)
		live->attributes |= MAILBOX_SUBSCRIBED;
	live->uidvalidity = (uint64_t)sql_get_int(q);
	live->has_delta = sql_get_int(q) != 0;
	live->state.uidvalidity = live->has_delta ? live->uidvalidity : 0;
	live->state.uidnext = (uint64_t)sql_get_int(q);
	live->state.modseq = (uint64_t)sql_get_int(q);
	live->state.messages = (uint64_t)sql_get_int(q);
}

bool
index_live_mailboxes(struct index *ix, uint64_t account, uint64_t job,
    bool (*each)(void *arg, const struct index_live *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	struct buf name = { 0 };
	if (!sql_open_own(ix, SQL_LIVE_MAILBOXES, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_int(&q, (int64_t)job);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct index_live live;
		read_live(&q, &live, &name);
		if (!each(arg, &live))
			break;
	}
	sql_close(&q);
	buf_free(&name);

	return ok;
}

bool
index_replaced(struct index *ix, uint64_t mailbox,
    bool (*each)(void *arg, uint64_t id), void *arg, struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_REPLACED_MAILBOXES, &q, err))
		return false;
	sql_int(&q, (int64_t)mailbox);
	while ((ok = sql_step(&q, &row, err)) && row)
		if (!each(arg, (uint64_t)sql_get_int(&q)))
			break;
	sql_close(&q);

	return ok;
}

bool
index_todo(struct index *ix, uint64_t job, uint64_t mailbox, bool *any,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_TODO, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	bool ok = sql_step(&q, any, err);
	sql_close(&q);

	return ok;
}

/* The keys of all hashes that begin so: prefix 000… to prefix fff…. */
static void
key_range(const char *hex, int64_t *low, int64_t *high)
{
	char padded[17];
	uint8_t octets[DIGEST_SIZE] = { 0 };
	size_t n = strlen(hex) < 16 ? strlen(hex) : 16;
	memset(padded, '0', sizeof(padded));
	memcpy(padded, hex, n);
	digest_unhex(padded, 16, octets, 8);
	*low = digest_key(octets);
	memset(padded + n, 'f', 16 - n);
	digest_unhex(padded, 16, octets, 8);
	*high = digest_key(octets);
}

static bool
begins_with(const uint8_t sha256[DIGEST_SIZE], const char *hex)
{
	char all[2 * DIGEST_SIZE + 1];
	digest_hex(all, sha256, DIGEST_SIZE);

	return strncasecmp(all, hex, strlen(hex)) == 0;
}

bool
index_hash_by_prefix(struct index *ix, const char *hex, uint8_t sha256[32],
    size_t *n, struct err *err)
{
	struct sql q;
	int64_t low, high;
	bool row = true;
	*n = 0;
	if (!sql_open(ix, SQL_HASH_BY_PREFIX, &q, err))
		return false;
	key_range(hex, &low, &high);
	sql_int(&q, low);
	sql_int(&q, high);
	while (row) {
		uint8_t octets[DIGEST_SIZE];
		if (!sql_step(&q, &row, err))
			return false;
		if (!row || !sql_get_octets(&q, octets, sizeof(octets)) ||
		    !begins_with(octets, hex))
			continue;
		if ((*n)++ == 0)
			memcpy(sha256, octets, sizeof(octets));
	}
	sql_close(&q);

	return true;
}
