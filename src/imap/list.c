#include "imap/list.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "imap/codes.h"
#include "imap/names.h"
#include "mail/name.h"

struct listing {
	struct imap_session *s;
	struct imap_listing *l;
};

/* --- LIST and LSUB lines ----------------------------------------------- */

static bool
read_attributes(struct imap_tokens *t, uint32_t *attributes)
{
	struct imap_token token = imap_token_next(t);
	if (token.kind != IMAP_OPEN)
		return imap_token_nil(&token);
	for (;;) {
		token = imap_token_next(t);
		if (token.kind == IMAP_CLOSE)
			return true;
		if (token.kind == IMAP_END || token.kind == IMAP_GARBAGE)
			return false;
		if (token.kind == IMAP_OPEN && !imap_token_skip_list(t))
			return false;
		if (token.kind == IMAP_ATOM)
			*attributes |= name_attribute(token.data, token.len);
	}
}

/* "/" or "\\" (quoted backslash) or NIL; of several octets the first. */
static bool
read_separator(struct imap_tokens *t, char *separator)
{
	struct imap_token token = imap_token_next(t);
	struct buf text = { 0 };
	*separator = 0;
	if (imap_token_nil(&token))
		return true;
	bool good = imap_token_text(&text, &token);
	if (good && text.len > 0)
		*separator = text.data[0];
	buf_free(&text);

	return good;
}

/* octets: its name, or the line. */
static void
unusable(struct listing *c, const struct imap_reply *r, const char *octets,
    size_t len, const char *why)
{
	if (c->l->subscribed || !imap_listing_leave_out(c->l, octets, len))
		return;
	log_add(LOG_WARN, "%s: a mailbox is left out, %s: %.*s", c->s->where,
	    why, (int)(r->said.len < 200 ? r->said.len : 200), r->said.data);
}

static void
add_mailbox(struct listing *c, const struct imap_reply *r, const char *name,
    size_t len, char separator, uint32_t attributes)
{
	/* "LIST" of a bare namespace root: a name that is empty. */
	if (len == 0 && (attributes & MAILBOX_NOSELECT) != 0)
		return;
	/* Once more: only what was created since is new. */
	if (c->l->again && imap_listing_find(c->l, name, len) != NULL)
		return;
	if (!name_is_safe(name, len)) {
		unusable(c, r, name, len, "its name holds control characters");
		return;
	}
	if (len > IMAP_NAME_MAX) {
		unusable(c, r, name, len, "its name is longer than 16 KiB");
		return;
	}
	struct imap_found *f = imap_listing_add(c->l, name, len);
	if (c->l->subscribed) {
		f->attributes |= MAILBOX_SUBSCRIBED;
		return;
	}
	f->listed = true;
	f->separator = separator;
	f->attributes |= attributes;
}

/* RFC 5819: STATUS lines stand among those of LIST. */
static void
take_list_status(struct listing *c, const struct imap_reply *r)
{
	struct imap_box_status status;
	struct buf name = { 0 };
	if (imap_status_read(c->s, r, &name, &status) &&
	    c->l->count < IMAP_MAILBOXES_MAX) {
		struct imap_found *f =
		    c->l->again ? imap_listing_find(c->l, name.data, name.len)
				: imap_listing_add(c->l, name.data, name.len);
		if (f != NULL)
			imap_listing_set_status(f, &status);
	}
	buf_free(&name);
}

static bool
take_mailbox(void *arg, const struct imap_reply *r, struct err *err)
{
	struct listing *c = arg;
	struct imap_tokens t = r->rest;
	struct buf name = { 0 };
	uint32_t attributes = 0;
	char separator;
	take_list_status(c, r);
	if (r->kind != IMAP_DATA ||
	    !imap_text_is(&r->name, c->l->subscribed ? "LSUB" : "LIST"))
		return true;
	if (c->l->count >= IMAP_MAILBOXES_MAX)
		return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s lists more than %d mailboxes", c->s->where,
		    IMAP_MAILBOXES_MAX);
	bool good =
	    read_attributes(&t, &attributes) && read_separator(&t, &separator);
	if (good) {
		struct imap_token token = imap_token_next(&t);
		good = imap_name_read(c->s, &token, &name);
	}
	if (good)
		add_mailbox(c, r, name.data != NULL ? name.data : "", name.len,
		    separator, attributes);
	else
		unusable(c, r, r->words.data, r->words.len,
		    "its line cannot be read");
	buf_free(&name);

	return true;
}

/* --- namespaces (RFC 2342) --------------------------------------------- */

static bool
is_wanted(const struct imap_session *s, enum imap_space space)
{
	const struct imap_options *o = s->options;

	return space == IMAP_PERSONAL ||
	       (space == IMAP_OTHER ? o->namespace_other : o->namespace_shared);
}

/* The space that a name stands in: the longest prefix decides; "user" alone
 * is the root of "user.". */
static enum imap_space
space_of(const struct imap_session *s, const struct imap_found *f)
{
	enum imap_space space = IMAP_PERSONAL;
	size_t longest = 0;
	for (size_t i = 0; i < s->prefix_count; i++) {
		const char *prefix = s->prefixes[i].name;
		size_t n = strlen(prefix);
		bool root =
		    n > 1 && f->len == n - 1 && prefix[n - 1] == f->separator;
		if (n > longest && (f->len >= n || root) &&
		    memcmp(f->name, prefix, root ? n - 1 : n) == 0) {
			space = s->prefixes[i].space;
			longest = n;
		}
	}

	return space;
}

/* --- the exchange ------------------------------------------------------ */

/* RFC 5258 RETURN, RFC 6154, RFC 5819: one command tells all. */
static void
add_return(struct listing *c, struct buf *command)
{
	buf_str(command, " RETURN (SUBSCRIBED");
	if (imap_session_can(c->s, "SPECIAL-USE"))
		buf_str(command, " SPECIAL-USE");
	if (imap_session_can(c->s, "LIST-STATUS")) {
		buf_str(command, " STATUS ");
		imap_status_items(c->s, false, command);
	}
	buf_char(command, ')');
}

static bool
list_pattern(struct listing *c, const char *prefix, struct err *err)
{
	bool extended = imap_session_can(c->s, "LIST-EXTENDED");
	bool once = extended || c->l->again;
	struct buf command = { 0 };
	struct imap_reply done;
	bool good = true;
	for (int lsub = 0; good && lsub <= (once ? 0 : 1); lsub++) {
		c->l->subscribed = lsub != 0;
		buf_clear(&command);
		buf_str(&command, lsub ? "LSUB \"\" " : "LIST \"\" ");
		imap_name_add(c->s, &command, prefix, "*");
		if (extended)
			add_return(c, &command);
		good = imap_session_command(
		    c->s, &command, take_mailbox, c, &done, err);
		/* Subscriptions are a courtesy, the list is not. */
		if (good && done.status != IMAP_OK && !lsub)
			good = imap_codes_refused_by(
			    err, c->s->where, &done, "LIST");
	}
	buf_free(&command);

	return good;
}

/* The first pattern is sent before it is known what the server has enabled:
 * it is the same in every form. */
static bool
list_all(struct listing *c, struct err *err)
{
	if (!list_pattern(c, "", err))
		return false;
	for (size_t i = 0; i < c->s->prefix_count; i++)
		if (is_wanted(c->s, c->s->prefixes[i].space) &&
		    !list_pattern(c, c->s->prefixes[i].name, err))
			return false;

	return true;
}

static void
add_inbox(struct imap_listing *l)
{
	struct imap_found *inbox = imap_listing_add(l, "INBOX", 5);
	if (!inbox->listed && l->count > 1)
		inbox->separator = l->found[0].separator;
	inbox->listed = true;
}

static bool
is_chosen(const struct imap_options *o, const char *display)
{
	const char *only = o->only_mailbox;
	if (only == NULL || strcmp(only, display) == 0)
		return true;

	return strcasecmp(only, "INBOX") == 0 &&
	       strcasecmp(display, "INBOX") == 0;
}

static void
describe(
    const struct imap_found *f, const char *display, struct source_mailbox *m)
{
	*m = (struct source_mailbox){ .name = f->name,
		.display = display,
		.separator = f->separator,
		.attributes = f->attributes,
		.subscribed = (f->attributes & MAILBOX_SUBSCRIBED) != 0,
		.mailbox_id = f->status.mailbox_id,
		.messages = f->status.messages,
		.uidnext = f->status.uidnext,
		.uidvalidity = f->status.uidvalidity,
		.modseq = f->status.modseq };
}

static bool
no_such(const struct imap_session *s, struct err *err)
{
	err_set(err, ERR_ACCOUNT, ERR_USAGE, "the %s has no mailbox \"%s\"",
	    s->where, s->options->only_mailbox);

	return err_hint(
	    err, "mailhaul check, without a mailbox in the URL, lists them.");
}

static bool
tell(struct listing *c, imap_each_mailbox each, void *arg, struct err *err)
{
	struct buf display = { 0 };
	struct source_mailbox m;
	bool good = true;
	size_t told = 0;
	for (size_t i = 0; good && i < c->l->count; i++) {
		struct imap_found *f = &c->l->found[i];
		if (!f->listed || !is_wanted(c->s, space_of(c->s, f)) ||
		    (c->l->again && f->told && !f->has_status))
			continue;
		buf_clear(&display);
		imap_listing_display(&display, f);
		if (!is_chosen(c->s->options, display.data))
			continue;
		told++;
		f->told = true;
		describe(f, display.data, &m);
		good = each(arg, &m, err);
	}
	buf_free(&display);
	if (good && told == 0 && !c->l->again &&
	    c->s->options->only_mailbox != NULL)
		return no_such(c->s, err);

	return good;
}

bool
imap_list(struct imap_session *s, struct imap_listing *l,
    imap_each_mailbox each, void *arg, struct err *err)
{
	struct listing c = { .s = s, .l = l };
	imap_listing_free(l);
	if (!list_all(&c, err))
		return false;
	add_inbox(l);
	imap_listing_find_twins(l);

	return tell(&c, each, arg, err);
}

bool
imap_list_statuses(struct imap_session *s, struct imap_listing *l,
    imap_each_mailbox each, void *arg, struct err *err)
{
	struct listing c = { .s = s, .l = l };
	imap_listing_again(l);
	bool good = imap_session_settle(s, err) && list_all(&c, err);
	bool told = imap_session_can(s, "LIST-STATUS") &&
		    imap_session_can(s, "LIST-EXTENDED");
	good = good && (told || imap_status_of_all(s, l, err)) &&
	       tell(&c, each, arg, err);
	l->again = false;

	return good;
}
