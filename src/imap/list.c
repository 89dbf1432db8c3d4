#include "imap/list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/codes.h"
#include "imap/mailbox.h"
#include "mail/name.h"

/* RFC 2342: "personal", "other users'" and "shared", in this order. */
enum space { PERSONAL, OTHER, SHARED, SPACES };

struct prefix {
	enum space space;
	char *name;
};

struct found {
	char *name;
	size_t len;
	char separator;
	uint32_t attributes;
	bool listed;                 /* LIST said it; else only LSUB did */
	struct source_opened status; /* of LIST-STATUS; zeros: not told */
};

struct listing {
	struct imap_session *s;
	struct prefix *prefixes;
	size_t prefix_count;
	struct found *found;
	size_t count, cap;
	size_t *slots; /* hash of names: index into found + 1; 0: free */
	size_t slot_count;
	bool subscribed; /* reading LSUB */
	uint64_t unlisted;
};

/* --- names, each once -------------------------------------------------- */

static bool
is_inbox(const char *name, size_t len)
{
	return len == 5 && strncasecmp(name, "INBOX", 5) == 0;
}

static size_t *
slot_of(struct listing *l, const char *name, size_t len)
{
	uint64_t hash = 14695981039346656037U; /* FNV-1a */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 1099511628211U;
	size_t i = hash & (l->slot_count - 1);
	while (l->slots[i] != 0) {
		const struct found *f = &l->found[l->slots[i] - 1];
		if (f->len == len && memcmp(f->name, name, len) == 0)
			break;
		i = (i + 1) & (l->slot_count - 1);
	}

	return &l->slots[i];
}

static void
grow(struct listing *l)
{
	if (l->count < l->cap)
		return;
	l->cap = l->cap == 0 ? 64 : l->cap * 2;
	l->found = mem_grow(l->found, l->cap, sizeof(*l->found));
	free(l->slots);
	l->slot_count = l->cap * 2;
	l->slots = mem_array(l->slot_count, sizeof(*l->slots));
	for (size_t i = 0; i < l->count; i++)
		*slot_of(l, l->found[i].name, l->found[i].len) = i + 1;
}

static struct found *
find_or_add(struct listing *l, const char *name, size_t len)
{
	/* INBOX is the one name without case (RFC 9051 5.1). */
	if (is_inbox(name, len))
		name = "INBOX";
	grow(l);
	size_t *slot = slot_of(l, name, len);
	if (*slot == 0) {
		l->found[l->count] =
		    (struct found){ .len = len, .name = mem_strn(name, len) };
		*slot = ++l->count;
	}

	return &l->found[*slot - 1];
}

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

static void
unusable(struct listing *l, const struct imap_reply *r, const char *why)
{
	l->unlisted++;
	log_add(LOG_WARN, "%s: a mailbox is left out, %s: %.*s", l->s->where,
	    why, (int)(r->words.len < 200 ? r->words.len : 200), r->words.data);
}

static void
add_mailbox(struct listing *l, const struct imap_reply *r, const char *name,
    size_t len, char separator, uint32_t attributes)
{
	/* "LIST" of a bare namespace root: a name that is empty. */
	if (len == 0 && (attributes & MAILBOX_NOSELECT) != 0)
		return;
	if (!name_is_safe(name, len)) {
		if (!l->subscribed)
			unusable(l, r, "its name holds control characters");
		return;
	}
	struct found *f = find_or_add(l, name, len);
	if (l->subscribed) {
		f->attributes |= MAILBOX_SUBSCRIBED;
		return;
	}
	f->listed = true;
	f->separator = separator;
	f->attributes |= attributes;
}

/* RFC 5819: STATUS lines stand among those of LIST. */
static void
take_list_status(struct listing *l, const struct imap_reply *r)
{
	struct imap_tokens t = r->rest;
	struct buf name = { 0 };
	struct imap_token token = imap_token_next(&t);
	bool good = imap_token_text(&name, &token) && name.len > 0 &&
		    name_is_safe(name.data, name.len) &&
		    imap_token_next(&t).kind == IMAP_OPEN;
	if (good && l->count < IMAP_MAILBOXES_MAX) {
		uint64_t size;
		struct found *f = find_or_add(l, name.data, name.len);
		imap_read_status(&t, &f->status, &size);
	}
	buf_free(&name);
}

static bool
take_mailbox(void *arg, const struct imap_reply *r, struct err *err)
{
	struct listing *l = arg;
	struct imap_tokens t = r->rest;
	struct buf name = { 0 };
	uint32_t attributes = 0;
	char separator;
	if (r->kind == IMAP_DATA && imap_text_is(&r->name, "STATUS"))
		take_list_status(l, r);
	if (r->kind != IMAP_DATA ||
	    !imap_text_is(&r->name, l->subscribed ? "LSUB" : "LIST"))
		return true;
	if (l->count >= IMAP_MAILBOXES_MAX)
		return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s lists more than %d mailboxes", l->s->where,
		    IMAP_MAILBOXES_MAX);
	bool good =
	    read_attributes(&t, &attributes) && read_separator(&t, &separator);
	if (good) {
		struct imap_token token = imap_token_next(&t);
		good = imap_token_text(&name, &token);
	}
	if (good)
		add_mailbox(l, r, name.data != NULL ? name.data : "", name.len,
		    separator, attributes);
	else if (!l->subscribed)
		unusable(l, r, "its line cannot be read");
	buf_free(&name);

	return true;
}

/* --- namespaces (RFC 2342) --------------------------------------------- */

static bool
read_space(struct listing *l, enum space space, struct imap_tokens *t)
{
	struct imap_token token = imap_token_next(t);
	if (token.kind != IMAP_OPEN)
		return imap_token_nil(&token);
	for (token = imap_token_next(t); token.kind == IMAP_OPEN;
	     token = imap_token_next(t)) {
		struct buf name = { 0 };
		token = imap_token_next(t);
		if (imap_token_text(&name, &token) && name.len > 0 &&
		    name_is_safe(name.data, name.len)) {
			l->prefixes = mem_grow(l->prefixes, l->prefix_count + 1,
			    sizeof(*l->prefixes));
			l->prefixes[l->prefix_count++] = (struct prefix){ space,
				mem_strn(name.data, name.len) };
		}
		buf_free(&name);
		if (l->prefix_count > 1000 || !imap_token_skip_list(t))
			return false;
	}

	return token.kind == IMAP_CLOSE;
}

static bool
take_namespace(void *arg, const struct imap_reply *r, struct err *err)
{
	struct listing *l = arg;
	struct imap_tokens t = r->rest;
	(void)err;
	if (r->kind == IMAP_DATA && imap_text_is(&r->name, "NAMESPACE"))
		for (int i = 0; i < SPACES; i++)
			if (!read_space(l, (enum space)i, &t))
				break;

	return true;
}

static bool
is_wanted(const struct listing *l, enum space space)
{
	const struct imap_options *o = l->s->options;

	return space == PERSONAL ||
	       (space == OTHER ? o->namespace_other : o->namespace_shared);
}

/* The space that a name stands in: the longest prefix decides; "user" alone
 * is the root of "user.". */
static enum space
space_of(const struct listing *l, const struct found *f)
{
	enum space space = PERSONAL;
	size_t longest = 0;
	for (size_t i = 0; i < l->prefix_count; i++) {
		const char *prefix = l->prefixes[i].name;
		size_t n = strlen(prefix);
		bool root =
		    n > 1 && f->len == n - 1 && prefix[n - 1] == f->separator;
		if (n > longest && (f->len >= n || root) &&
		    memcmp(f->name, prefix, root ? n - 1 : n) == 0) {
			space = l->prefixes[i].space;
			longest = n;
		}
	}

	return space;
}

/* --- the exchange ------------------------------------------------------ */

/* RFC 5258 RETURN, RFC 6154, RFC 5819: one command tells all. */
static void
add_return(struct listing *l, struct buf *command)
{
	buf_str(command, " RETURN (SUBSCRIBED");
	if (imap_session_can(l->s, "SPECIAL-USE"))
		buf_str(command, " SPECIAL-USE");
	if (imap_session_can(l->s, "LIST-STATUS"))
		buf_str(command, " STATUS (MESSAGES UIDNEXT UIDVALIDITY)");
	buf_char(command, ')');
}

static bool
list_pattern(struct listing *l, const char *prefix, struct err *err)
{
	bool extended = imap_session_can(l->s, "LIST-EXTENDED");
	struct buf pattern = { 0 }, command = { 0 };
	struct imap_reply done;
	buf_fmt(&pattern, "%s*", prefix);
	bool good = true;
	for (int lsub = 0; good && lsub <= (extended ? 0 : 1); lsub++) {
		l->subscribed = lsub != 0;
		buf_clear(&command);
		buf_str(&command, lsub ? "LSUB \"\" " : "LIST \"\" ");
		imap_add_quoted(&command, pattern.data, pattern.len);
		if (extended)
			add_return(l, &command);
		good = imap_session_command(
		    l->s, &command, take_mailbox, l, &done, err);
		/* Subscriptions are a courtesy, the list is not. */
		if (good && done.status != IMAP_OK && !lsub)
			good =
			    imap_codes_refused(err, ERR_ACCOUNT, &done, "LIST");
	}
	buf_free(&pattern);
	buf_free(&command);

	return good;
}

static bool
ask(struct listing *l, struct err *err)
{
	struct imap_reply done;
	if (imap_session_can(l->s, "NAMESPACE") &&
	    !imap_session_ask(l->s, "NAMESPACE", take_namespace, l, &done, err))
		return false;
	if (!list_pattern(l, "", err))
		return false;
	for (size_t i = 0; i < l->prefix_count; i++)
		if (is_wanted(l, l->prefixes[i].space) &&
		    !list_pattern(l, l->prefixes[i].name, err))
			return false;
	struct found *inbox = find_or_add(l, "INBOX", 5);
	if (!inbox->listed && l->count > 1)
		inbox->separator = l->found[0].separator;
	inbox->listed = true;

	return true;
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

static bool
tell(struct listing *l,
    bool (*each)(void *, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct buf display = { 0 };
	bool good = true;
	size_t told = 0;
	for (size_t i = 0; good && i < l->count; i++) {
		const struct found *f = &l->found[i];
		if (!f->listed || !is_wanted(l, space_of(l, f)))
			continue;
		buf_clear(&display);
		name_display(&display, f->name, f->len, f->separator);
		if (!is_chosen(l->s->options, display.data))
			continue;
		told++;
		good = each(arg,
		    &(struct source_mailbox){ .name = f->name,
			.display = display.data,
			.separator = f->separator,
			.attributes = f->attributes,
			.subscribed = (f->attributes & MAILBOX_SUBSCRIBED) != 0,
			.messages = f->status.messages,
			.uidnext = f->status.uidnext,
			.uidvalidity = f->status.uidvalidity },
		    err);
	}
	buf_free(&display);
	if (good && told == 0 && l->s->options->only_mailbox != NULL) {
		err_set(err, ERR_ACCOUNT, ERR_USAGE,
		    "the %s has no mailbox \"%s\"", l->s->where,
		    l->s->options->only_mailbox);
		return err_hint(err,
		    "mailhaul check, without a mailbox in the URL, lists "
		    "them.");
	}

	return good;
}

bool
imap_list(struct imap_session *s, uint64_t *unlisted,
    bool (*each)(void *, const struct source_mailbox *, struct err *),
    void *arg, struct err *err)
{
	struct listing l = { .s = s };
	bool good = ask(&l, err) && tell(&l, each, arg, err);
	*unlisted = l.unlisted;
	for (size_t i = 0; i < l.count; i++)
		free(l.found[i].name);
	for (size_t i = 0; i < l.prefix_count; i++)
		free(l.prefixes[i].name);
	free(l.found);
	free(l.slots);
	free(l.prefixes);

	return good;
}
