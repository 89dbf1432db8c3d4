#include "imap/mailbox.h"

#include <string.h>

#include "base/log.h"
#include "imap/codes.h"
#include "mail/name.h"

static bool
command_on(struct imap_session *s, const char *verb, const char *name,
    const char *behind, imap_each each, void *arg, struct imap_reply *done,
    struct err *err)
{
	struct buf line = { 0 };
	if (!name_is_safe(name, strlen(name)))
		return err_set(err, ERR_MAILBOX, ERR_REFUSED,
		    "mailbox %s: a name with control characters cannot be "
		    "used",
		    name);
	buf_fmt(&line, "%s ", verb);
	imap_add_quoted(&line, name, strlen(name));
	buf_str(&line, behind);
	bool good = imap_session_command(s, &line, each, arg, done, err);
	buf_free(&line);

	return good;
}

static bool
refused(const struct imap_reply *done, const char *verb, const char *name,
    struct err *err)
{
	struct buf what = { 0 };
	buf_fmt(&what, "%s of mailbox %s", verb, name);
	imap_codes_refused(err, ERR_MAILBOX, done, what.data);
	buf_free(&what);

	return false;
}

bool
imap_mailbox_examine(struct imap_session *s, const char *name,
    struct source_opened *o, struct err *err)
{
	struct imap_reply done;
	s->selected = (struct imap_selected){ 0 };
	if (!command_on(s, "EXAMINE", name, "", NULL, NULL, &done, err))
		return false;
	if (done.status != IMAP_OK)
		return refused(&done, "EXAMINE", name, err);
	struct imap_selected *m = &s->selected;
	/* RFC 9051 2.3.1.1: without it no UID means anything tomorrow. */
	if (m->uidvalidity == 0 || m->uidvalidity > UINT32_MAX)
		return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		    "mailbox %s: the server gives no UIDVALIDITY, so its "
		    "messages cannot be told apart",
		    name);
	/* UIDNEXT is above every UID: less than EXISTS + 1 is no UIDNEXT. */
	if (m->uidnext <= m->exists || m->uidnext > (uint64_t)UINT32_MAX + 1)
		m->uidnext = 0;
	if (m->uid_not_sticky)
		log_add(LOG_WARN,
		    "mailbox %s: its UIDs do not last (UIDNOTSTICKY); the "
		    "next run will list it anew",
		    name);
	*o = (struct source_opened){ .uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.messages = m->exists,
		.modseq = m->modseq,
		.mailbox_id = *m->mailbox_id != 0 ? m->mailbox_id : NULL };

	return true;
}

/* --- STATUS ------------------------------------------------------------ */

struct status {
	struct source_opened *opened;
	uint64_t *size;
	bool seen;
};

void
imap_read_status(
    struct imap_tokens *t, struct source_opened *opened, uint64_t *size)
{
	const struct {
		const char *item;
		uint64_t *value;
	} items[] = {
		{ "MESSAGES", &opened->messages },
		{ "UIDNEXT", &opened->uidnext },
		{ "UIDVALIDITY", &opened->uidvalidity },
		{ "HIGHESTMODSEQ", &opened->modseq },
		{ "SIZE", size },
	};
	for (;;) {
		struct imap_token name = imap_token_next(t);
		struct imap_token value = imap_token_next(t);
		if (name.kind != IMAP_ATOM ||
		    (value.kind == IMAP_OPEN && !imap_token_skip_list(t)) ||
		    value.kind == IMAP_END)
			return;
		for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
			if (imap_token_is(&name, items[i].item))
				imap_token_number(&value, items[i].value);
	}
}

/* * STATUS "name" (MESSAGES 3 UIDNEXT 4 …) */
static bool
take_status(void *arg, const struct imap_reply *r, struct err *err)
{
	struct status *status = arg;
	struct imap_tokens t = r->rest;
	(void)err;
	if (r->kind != IMAP_DATA || !imap_text_is(&r->name, "STATUS") ||
	    !imap_token_skip(&t) || imap_token_next(&t).kind != IMAP_OPEN)
		return true;
	status->seen = true;
	imap_read_status(&t, status->opened, status->size);

	return true;
}

bool
imap_mailbox_status(struct imap_session *s, const char *name,
    struct source_opened *opened, uint64_t *size, struct err *err)
{
	struct status status = { opened, size, false };
	struct imap_reply done;
	*opened = (struct source_opened){ 0 };
	*size = UINT64_MAX;
	const char *items = imap_session_can(s, "STATUS=SIZE") ||
				    imap_session_can(s, "IMAP4REV2")
				? " (MESSAGES UIDNEXT UIDVALIDITY SIZE)"
				: " (MESSAGES UIDNEXT UIDVALIDITY)";
	if (!command_on(
		s, "STATUS", name, items, take_status, &status, &done, err))
		return false;
	if (done.status != IMAP_OK)
		return refused(&done, "STATUS", name, err);
	if (!status.seen)
		return err_set(err, ERR_MAILBOX, ERR_PROTOCOL,
		    "mailbox %s: the server's STATUS says nothing", name);

	return true;
}

/* --- quota ------------------------------------------------------------- */

struct quota {
	uint64_t *used, *limit;
	uint64_t room;
	bool seen;
};

/* * QUOTA "root" (STORAGE 10 512 MESSAGE 3 100), in units of 1,024 octets */
static bool
take_quota(void *arg, const struct imap_reply *r, struct err *err)
{
	struct quota *q = arg;
	struct imap_tokens t = r->rest;
	(void)err;
	if (r->kind != IMAP_DATA || !imap_text_is(&r->name, "QUOTA") ||
	    !imap_token_skip(&t) || imap_token_next(&t).kind != IMAP_OPEN)
		return true;
	for (;;) {
		uint64_t used, limit;
		struct imap_token name = imap_token_next(&t);
		struct imap_token now = imap_token_next(&t);
		struct imap_token most = imap_token_next(&t);
		if (name.kind != IMAP_ATOM || !imap_token_number(&now, &used) ||
		    !imap_token_number(&most, &limit))
			return true;
		if (!imap_token_is(&name, "STORAGE") ||
		    used > UINT64_MAX >> 10 || limit > UINT64_MAX >> 10)
			continue;
		/* Of several roots the one with the least room. */
		uint64_t room = limit > used ? limit - used : 0;
		if (q->seen && room >= q->room)
			continue;
		q->room = room;
		*q->used = used << 10;
		*q->limit = limit << 10;
		q->seen = true;
	}
}

bool
imap_mailbox_quota(struct imap_session *s, uint64_t *used, uint64_t *limit)
{
	struct quota q = { .used = used, .limit = limit };
	struct imap_reply done;
	struct err err;
	if (!imap_session_can(s, "QUOTA"))
		return false;

	return imap_session_ask(
		   s, "GETQUOTAROOT INBOX", take_quota, &q, &done, &err) &&
	       done.status == IMAP_OK && q.seen;
}
