/* Re-match: what seems new and is kept already. */
#include <string.h>

#include "base/digest.h"
#include "landed.h"
#include "mail/datetime.h"

static bool
first_hash(struct sql *q, uint8_t sha256[32], bool *found, struct err *err)
{
	bool row;
	*found = false;
	if (!sql_step(q, &row, err))
		return false;
	if (row)
		*found = sql_get_octets(q, sha256, 32);
	sql_close(q);

	return true;
}

static bool
email_content(struct index *ix, uint64_t account, const char *email_id,
    uint64_t size, uint8_t sha256[32], bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_EMAIL_CONTENT, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_text(&q, email_id);
	sql_int(&q, (int64_t)size);

	return first_hash(&q, sha256, found, err);
}

/* mailbox 0: none. */
static bool
has_landed(struct index *ix, uint64_t job, uint64_t mailbox,
    const uint8_t sha256[32], bool *found, struct err *err)
{
	struct landed at;
	struct landed_wanted wanted = { .job = job,
		.mailbox = mailbox,
		.idate = DATETIME_NONE,
		.any = true };
	*found = false;
	if (mailbox == 0)
		return true;
	if (!index_content_id(ix, sha256, &wanted.content, err))
		return false;

	return wanted.content == 0 || landed_find(ix, &wanted, &at, found, err);
}

bool
index_match_email(struct index *ix, uint64_t job, uint64_t account,
    uint64_t mailbox, const char *email_id, uint64_t size, uint8_t sha256[32],
    bool *found, struct err *err)
{
	struct sql q;
	bool server;
	if (!landed_server(ix, job, &server, err))
		return false;
	if (server)
		return email_content(
			   ix, account, email_id, size, sha256, found, err) &&
		       (!*found ||
			   has_landed(ix, job, mailbox, sha256, found, err));
	if (!sql_open(ix, SQL_MATCH_EMAIL, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_text(&q, email_id);
	sql_int(&q, (int64_t)size);

	return first_hash(&q, sha256, found, err);
}

/* ---- a twin elsewhere ---- */

struct twins { /* what is asked for, and what was found */
	uint64_t size;
	int64_t idate;
	const char *message_id;
	bool (*taken)(void *arg, uint64_t okey);
	void *arg;
	uint64_t n, okey;
	uint8_t *sha256;
	bool server; /* where the copies are */
};

static void
bind_twins(struct sql *q, const struct twins *t, struct buf *text)
{
	size_t len = strlen(t->message_id);
	sql_int(q, (int64_t)t->size);
	if (t->idate == DATETIME_NONE)
		sql_null(q);
	else
		sql_int(q, t->idate);
	sql_int(q, hash64_of(t->message_id, len));
	index_message_id(text, t->message_id, len);
	sql_text(q, text->data);
	sql_int(q, t->server);
}

static void
take_twin(struct sql *q, struct twins *t)
{
	uint8_t sha256[32] = { 0 };
	if (sql_get_int(q) == 0)
		return;
	uint64_t okey = (uint64_t)sql_get_int(q);
	sql_get_octets(q, sha256, sizeof(sha256));
	bool again = t->n > 0 && okey == t->okey &&
		     memcmp(sha256, t->sha256, sizeof(sha256)) == 0;
	if (again || (t->taken != NULL && t->taken(t->arg, okey)) || t->n++ > 0)
		return;
	t->okey = okey;
	memcpy(t->sha256, sha256, sizeof(sha256));
}

static bool
read_twins(struct sql *q, struct twins *t, struct err *err)
{
	bool row = true;
	for (unsigned looked = 0; t->n < 2; looked++) {
		if (!sql_step(q, &row, err))
			return false;
		if (!row)
			break;
		if (looked == INDEX_TWINS_LOOK)
			t->n = INDEX_TWINS_MANY;
		else
			take_twin(q, t);
	}
	sql_close(q);

	return true;
}

bool
index_match_twin(struct index *ix, uint64_t job, uint64_t mailbox, uint64_t run,
    uint64_t size, int64_t idate, const char *message_id,
    bool (*taken)(void *arg, uint64_t okey), void *arg, uint64_t *n,
    uint8_t sha256[32], uint64_t *okey, struct err *err)
{
	struct sql q;
	struct twins twins = { .size = size,
		.idate = idate,
		.message_id = message_id,
		.taken = taken,
		.arg = arg,
		.sha256 = sha256 };
	*n = 0;
	if (message_id == NULL || *message_id == '\0')
		return true;
	if (!landed_server(ix, job, &twins.server, err) ||
	    !sql_open(ix, SQL_MATCH_TWIN, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)mailbox);
	sql_int(&q, (int64_t)run);
	bind_twins(&q, &twins, &ix->scratch[0]);
	if (!read_twins(&q, &twins, err))
		return false;
	*n = twins.n;
	if (twins.n > 0)
		*okey = twins.okey;

	return true;
}

static bool
match_landed(struct index *ix, uint64_t job, uint64_t account, const char *name,
    const uint8_t sha256[32], bool *found, struct err *err)
{
	uint64_t mailbox = 0, uidvalidity;
	bool live;

	return index_live_mailbox(
		   ix, account, name, &mailbox, &uidvalidity, &live, err) &&
	       has_landed(ix, job, mailbox, sha256, found, err);
}

bool
index_match_content(struct index *ix, uint64_t job, uint64_t account,
    const char *name, uint64_t mailbox, const uint8_t sha256[32], bool *found,
    struct err *err)
{
	struct sql q;
	bool server;
	if (!landed_server(ix, job, &server, err))
		return false;
	if (server)
		return match_landed(ix, job, account, name, sha256, found, err);
	if (!sql_open(ix, SQL_MATCH_CONTENT, &q, err))
		return false;
	sql_int(&q, (int64_t)job);
	sql_int(&q, (int64_t)account);
	sql_blob(&q, name, strlen(name));
	sql_int(&q, digest_key(sha256));
	sql_blob(&q, sha256, 32);
	sql_int(&q, (int64_t)mailbox);
	bool ok = sql_step(&q, found, err);
	sql_close(&q);

	return ok;
}
