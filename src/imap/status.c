#include "imap/status.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "imap/codes.h"
#include "imap/listing.h"
#include "imap/names.h"
#include "mail/name.h"

/* --- lines ------------------------------------------------------------- */

void
imap_status_items(const struct imap_session *s, bool size, struct buf *out)
{
	buf_str(out, "(MESSAGES UIDNEXT UIDVALIDITY");
	if (s->condstore || imap_session_can(s, "CONDSTORE") ||
	    imap_session_can(s, "QRESYNC"))
		buf_str(out, " HIGHESTMODSEQ");
	if (imap_session_can(s, "OBJECTID"))
		buf_str(out, " MAILBOXID");
	if (size && (imap_session_can(s, "STATUS=SIZE") ||
			imap_session_can(s, "IMAP4REV2")))
		buf_str(out, " SIZE");
	buf_char(out, ')');
}

/* "MAILBOXID (F2212ea87)" (RFC 8474 4.3): *t stands behind the parenthesis. */
static bool
read_mailbox_id(struct imap_tokens *t, struct imap_box_status *status)
{
	struct imap_token id = imap_token_next(t);
	if (id.kind == IMAP_CLOSE)
		return true;
	if (id.kind == IMAP_ATOM && id.len < sizeof(status->mailbox_id))
		text_escape_to(status->mailbox_id, sizeof(status->mailbox_id),
		    id.data, id.len);

	return id.kind != IMAP_END && id.kind != IMAP_GARBAGE &&
	       id.kind != IMAP_OPEN && imap_token_skip_list(t);
}

static void
read_items(struct imap_tokens *t, struct imap_box_status *status)
{
	struct source_opened *o = &status->opened;
	const struct {
		const char *item;
		uint64_t *value;
	} items[] = {
		{ "MESSAGES", &o->messages },
		{ "UIDNEXT", &o->uidnext },
		{ "UIDVALIDITY", &o->uidvalidity },
		{ "HIGHESTMODSEQ", &o->modseq },
		{ "SIZE", &status->size },
	};
	for (;;) {
		struct imap_token name = imap_token_next(t);
		struct imap_token value = imap_token_next(t);
		if (name.kind != IMAP_ATOM || value.kind == IMAP_END)
			return;
		if (value.kind == IMAP_OPEN &&
		    !(imap_token_is(&name, "MAILBOXID")
			    ? read_mailbox_id(t, status)
			    : imap_token_skip_list(t)))
			return;
		for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
			if (imap_token_is(&name, items[i].item))
				imap_token_number(&value, items[i].value);
	}
}

/* * STATUS "name" (MESSAGES 3 UIDNEXT 4 …) */
bool
imap_status_read(const struct imap_session *s, const struct imap_reply *r,
    struct buf *name, struct imap_box_status *status)
{
	*status = (struct imap_box_status){ .size = UINT64_MAX };
	if (r->kind != IMAP_DATA || !imap_text_is(&r->name, "STATUS"))
		return false;
	struct imap_tokens t = r->rest;
	struct imap_token token = imap_token_next(&t);
	if (!imap_name_read(s, &token, name) || name->len == 0 ||
	    !name_is_safe(name->data, name->len) ||
	    imap_token_next(&t).kind != IMAP_OPEN)
		return false;
	read_items(&t, status);

	return true;
}

/* --- of one mailbox ---------------------------------------------------- */

struct one {
	const struct imap_session *s;
	struct imap_box_status status;
	bool seen;
};

static bool
take_one(void *arg, const struct imap_reply *r, struct err *err)
{
	struct one *one = arg;
	struct imap_box_status status;
	struct buf name = { 0 };
	(void)err;
	if (imap_status_read(one->s, r, &name, &status)) {
		one->status = status;
		one->seen = true;
	}
	buf_free(&name);

	return true;
}

static void
add_command(
    const struct imap_session *s, const char *name, bool size, struct buf *line)
{
	buf_str(line, "STATUS ");
	imap_name_add(s, line, name, "");
	buf_char(line, ' ');
	imap_status_items(s, size, line);
}

static bool
ask(struct imap_session *s, const char *name, struct one *one,
    struct imap_reply *done, struct err *err)
{
	struct buf line = { 0 };
	*one = (struct one){ .s = s, .status.size = UINT64_MAX };
	if (!name_is_safe(name, strlen(name)))
		return err_set(err, ERR_MAILBOX, ERR_REFUSED,
		    "a mailbox name with control characters cannot be used");
	if (!imap_session_settle(s, err))
		return false;
	add_command(s, name, true, &line);
	bool good = imap_session_command(s, &line, take_one, one, done, err);
	buf_free(&line);

	return good;
}

static bool
refused(const struct imap_reply *done, const char *name, struct err *err)
{
	struct buf what = { 0 };
	buf_fmt(&what, "STATUS of mailbox %s", name);
	imap_codes_refused(err, ERR_MAILBOX, done, what.data);
	buf_free(&what);

	return false;
}

bool
imap_status_ask(struct imap_session *s, const char *name,
    struct source_opened *opened, uint64_t *size, struct err *err)
{
	struct one one;
	struct imap_reply done;
	*opened = (struct source_opened){ 0 };
	*size = UINT64_MAX;
	if (!ask(s, name, &one, &done, err))
		return false;
	if (done.status != IMAP_OK)
		return refused(&done, name, err);
	if (!one.seen)
		return err_set(err, ERR_MAILBOX, ERR_PROTOCOL,
		    "mailbox %s: the server's STATUS says nothing", name);
	*opened = one.status.opened;
	*size = one.status.size;

	return true;
}

/* --- is it gone? ------------------------------------------------------- */

/* RFC 5530, RFC 9051 7.1: what a NO says of the mailbox; where nothing is
 * said, another mailbox shows whether the server says NO to everything. */
static const struct {
	const char *code;
	bool gone;
} verdicts[] = {
	{ "NONEXISTENT", true },
	{ "TRYCREATE", true }, /* Dovecot */
	{ "NOPERM", false },
	{ "UNAVAILABLE", false },
	{ "SERVERBUG", false },
	{ "INUSE", false },
	{ "CONTACTADMIN", false },
	{ "CORRUPTION", false },
	{ "EXPIRED", false },
	{ "AUTHENTICATIONFAILED", false },
	{ "AUTHORIZATIONFAILED", false },
	{ "PRIVACYREQUIRED", false },
	{ "REFERRAL", false },
};

/* False: nothing is said. */
static bool
find_verdict(const struct imap_reply *done, bool *gone)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (imap_text_is(&done->code, verdicts[i].code)) {
			*gone = verdicts[i].gone;
			return true;
		}

	return false;
}

bool
imap_status_is_gone(
    struct imap_session *s, const char *name, bool *gone, struct err *err)
{
	struct one one;
	struct imap_reply done;
	struct err why;
	int64_t until;
	bool known = false;
	*gone = false;
	/* There is always an INBOX (RFC 9051 5.1). */
	if (strcasecmp(name, "INBOX") == 0)
		return true;
	if (!ask(s, name, &one, &done, err))
		return false;
	if (done.status == IMAP_OK)
		return true;
	if (done.status == IMAP_NO && !imap_codes_throttle(&done, &until))
		known = find_verdict(&done, gone);
	else
		return refused(&done, name, err);
	if (known)
		return *gone || refused(&done, name, err);
	/* The words are gone with the next command. */
	refused(&done, name, &why);
	if (!ask(s, "INBOX", &one, &done, err))
		return false;
	*gone = done.status == IMAP_OK && one.seen;
	if (!*gone)
		*err = why;

	return *gone;
}

/* --- of all ------------------------------------------------------------ */

enum {
	FLYING_MAX = 64,
	REFUSED_MAX = 5 /* Exchange hangs up after ten errors */
};

static bool
send_next(struct imap_session *s, struct imap_listing *l, size_t *next,
    unsigned *tag, struct err *err)
{
	struct buf line = { 0 };
	const struct imap_found *f = &l->found[(*next)++];
	if (!f->told ||
	    (f->attributes & (MAILBOX_NOSELECT | MAILBOX_NONEXISTENT)) != 0)
		return true;
	add_command(s, f->name, false, &line);
	*tag = imap_session_send(s, line.data, line.len, err);
	buf_free(&line);

	return *tag != 0;
}

static void
take_status(
    struct imap_session *s, struct imap_listing *l, const struct imap_reply *r)
{
	struct imap_box_status status;
	struct buf name = { 0 };
	struct imap_found *f = imap_status_read(s, r, &name, &status)
				   ? imap_listing_find(l, name.data, name.len)
				   : NULL;
	if (f != NULL)
		imap_listing_set_status(f, &status);
	buf_free(&name);
}

bool
imap_status_of_all(
    struct imap_session *s, struct imap_listing *l, struct err *err)
{
	struct imap_reply r;
	unsigned first = s->tag_last, last = first, answered = first;
	unsigned refusals = 0;
	size_t next = 0;
	for (;;) {
		while (next < l->count && last - answered < FLYING_MAX &&
		       refusals < REFUSED_MAX)
			if (!send_next(s, l, &next, &last, err))
				return false;
		if (answered == last)
			return true;
		if (!imap_session_read(s, &r, err))
			return false;
		take_status(s, l, &r);
		if (r.kind != IMAP_TAGGED)
			continue;
		if (imap_session_tag(s, &r.tag) != ++answered) {
			err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
			    "the %s answers out of turn", s->where);
			return imap_session_die(s, err);
		}
		refusals += r.status != IMAP_OK;
	}
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
imap_status_quota(struct imap_session *s, uint64_t *used, uint64_t *limit)
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
