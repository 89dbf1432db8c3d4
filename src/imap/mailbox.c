#include "imap/mailbox.h"

#include <string.h>

#include "base/log.h"
#include "imap/codes.h"
#include "imap/names.h"
#include "mail/name.h"

bool
imap_mailbox_refused(const struct imap_reply *done, const char *verb,
    const char *name, struct err *err)
{
	struct buf what = { 0 };
	buf_fmt(&what, "%s of mailbox %s", verb, name);
	imap_codes_refused(err, ERR_MAILBOX, done, what.data);
	buf_free(&what);

	return false;
}

void
imap_mailbox_command(const struct imap_session *s, const char *verb,
    const char *name, struct buf *line)
{
	buf_fmt(line, "%s ", verb);
	imap_name_add(s, line, name, "");
	/* RFC 7162 3.1.8; ENABLE has said it once for all if it could. */
	if (s->setup_last == 0 && !s->condstore &&
	    imap_session_can(s, "CONDSTORE"))
		buf_str(line, " (CONDSTORE)");
}

static bool
open_by(
    struct imap_session *s, const char *verb, const char *name, struct err *err)
{
	struct imap_reply done;
	struct buf line = { 0 };
	s->selected = (struct imap_selected){ 0 };
	/* What this server calls a name hangs on the answer to ENABLE. */
	if (imap_session_can(s, "UTF8=ACCEPT") && !imap_session_settle(s, err))
		return false;
	imap_mailbox_command(s, verb, name, &line);
	bool good = imap_session_command(s, &line, NULL, NULL, &done, err);
	buf_free(&line);
	if (!good)
		return false;
	/* What the tagged line says counts as well. */
	s->selected.cut = false;

	return done.status == IMAP_OK ||
	       imap_mailbox_refused(&done, verb, name, err);
}

/* RFC 9051 2.3.1.1: without it no UID means anything tomorrow. */
static bool
has_uidvalidity(const struct imap_session *s)
{
	const struct imap_selected *m = &s->selected;

	return m->uidvalidity != 0 && m->uidvalidity <= UINT32_MAX;
}

static bool
select_instead(struct imap_session *s, const char *name, struct err *err)
{
	bool open = open_by(s, "SELECT", name, err);
	/* A pause and a lost connection are told as they are. */
	if (!open && (err->scope > ERR_MAILBOX || err->code == ERR_THROTTLE))
		return false;
	if (!open || !has_uidvalidity(s))
		return err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		    "mailbox %s: the server gives no UIDVALIDITY, so its "
		    "messages cannot be told apart",
		    name);
	if (!s->selecting)
		log_add(LOG_WARN,
		    "the %s tells UIDVALIDITY only to SELECT, so mailboxes are "
		    "opened for writing; nothing is written",
		    s->where);
	s->selecting = true;

	return true;
}

bool
imap_mailbox_opened(struct imap_session *s, struct source_opened *o)
{
	if (!has_uidvalidity(s))
		return false;
	struct imap_selected *m = &s->selected;
	/* UIDNEXT is above every UID: less than EXISTS + 1 is no UIDNEXT. */
	if (m->uidnext <= m->exists || m->uidnext > (uint64_t)UINT32_MAX + 1)
		m->uidnext = 0;
	/* Of the mailbox before: this one's begin behind its OK. */
	m->expunged = 0;
	*o = (struct source_opened){ .uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.messages = m->exists,
		.modseq = m->modseq,
		.fleeting = m->uid_not_sticky,
		.mailbox_id = *m->mailbox_id != 0 ? m->mailbox_id : NULL };

	return true;
}

bool
imap_mailbox_open(struct imap_session *s, const char *name,
    struct source_opened *o, struct err *err)
{
	if (!name_is_safe(name, strlen(name)))
		return err_set(err, ERR_MAILBOX, ERR_REFUSED,
		    "mailbox %s: a name with control characters cannot be "
		    "used",
		    name);
	if (!open_by(s, "EXAMINE", name, err))
		return false;
	if (!has_uidvalidity(s) && !select_instead(s, name, err))
		return false;

	return imap_mailbox_opened(s, o);
}

bool
imap_mailbox_select(struct imap_session *s, const char *name,
    struct source_opened *o, struct err *err)
{
	if (!open_by(s, "SELECT", name, err))
		return false;

	return imap_mailbox_opened(s, o) ||
	       err_set(err, ERR_MAILBOX, ERR_UIDVALIDITY,
		   "mailbox %s: the server gives no UIDVALIDITY, so its "
		   "messages cannot be told apart",
		   name);
}
