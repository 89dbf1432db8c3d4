#include "imap/append.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/codes.h"
#include "imap/names.h"

enum { LITERAL_MINUS_MAX = 4096 };

struct message {
	uint64_t ticket;
	struct content *content; /* borrowed */
	char *head;              /* owned: flags and date */
	size_t flags_len;        /* of head: the list of flags */
	bool careful;
};

struct imap_append_command {
	unsigned tag;
	struct message *messages; /* owned */
	size_t count;
	bool asked; /* its first literal was waited for */
	bool sent;  /* to its end; before that no OK can be meant */
	struct imap_append_command *next;
};

/* ---- life ---- */

/* RFC 7889: "APPENDLIMIT=35651584", or without a number, per mailbox. */
static uint64_t
append_limit(const struct imap_session *s)
{
	uint64_t limit;

	return imap_session_number(s, "APPENDLIMIT=", &limit) ? limit
							      : UINT64_MAX;
}

void
imap_append_init(struct imap_append *a, struct imap_session *s)
{
	*a = (struct imap_append){ .s = s, .limit = append_limit(s) };
	a->multi = imap_session_can(s, "MULTIAPPEND");
	if (imap_session_can(s, "LITERAL+"))
		a->literals = IMAP_LITERALS_PLUS;
	else if (imap_session_can(s, "LITERAL-") ||
		 imap_session_can(s, "IMAP4REV2"))
		a->literals = IMAP_LITERALS_SMALL;
	/* Each part would have to be waited for: nothing is gained. */
	a->multi = a->multi && a->literals == IMAP_LITERALS_PLUS;
	a->flying_end = &a->flying;
	a->again_end = &a->again;
}

static void
free_command(struct imap_append_command **command)
{
	struct imap_append_command *c = *command;
	for (size_t i = 0; i < c->count; i++)
		free(c->messages[i].head);
	free(c->messages);
	free(c);
	*command = NULL;
}

static void
free_list(struct imap_append_command **list)
{
	while (*list != NULL) {
		struct imap_append_command *c = *list;
		*list = c->next;
		free_command(&c);
	}
}

void
imap_append_free(struct imap_append *a)
{
	free_list(&a->flying);
	free_list(&a->again);
	for (size_t i = 0; i < a->taken_count; i++)
		free(a->taken[i]);
	free(a->taken);
	free(a->ready);
	buf_free(&a->name);
}

void
imap_append_into(struct imap_append *a, const char *name, uint64_t uidvalidity,
    uint64_t uidnext)
{
	/* What waits to be sent again is of the mailbox before. */
	free_list(&a->again);
	a->again_end = &a->again;
	a->paused = false;
	buf_clear(&a->name);
	imap_name_add(a->s, &a->name, name, "");
	a->uidvalidity = uidvalidity;
	a->highest = uidnext > 0 ? uidnext - 1 : 0;
}

bool
imap_append_is_flying(const struct imap_append *a)
{
	return a->flying != NULL || a->again != NULL;
}

/* ---- what stands before a literal ---- */

static bool
is_taken(const struct imap_append *a, const struct message *m)
{
	for (size_t i = 0; i < a->taken_count; i++)
		if (strncmp(a->taken[i], m->head, m->flags_len) == 0 &&
		    a->taken[i][m->flags_len] == '\0')
			return true;

	return false;
}

static void
note_taken(struct imap_append *a, const struct message *m)
{
	if (is_taken(a, m) || a->taken_count == IMAP_APPEND_FLAG_LISTS_MAX)
		return;
	a->taken = mem_grow(a->taken, a->taken_count + 1, sizeof(*a->taken));
	a->taken[a->taken_count++] = mem_strn(m->head, m->flags_len);
}

/* Must the literal be waited for? */
static bool
must_ask(const struct imap_append *a, const struct message *m)
{
	uint64_t size = content_size(m->content);

	return m->careful || a->literals == IMAP_LITERALS_WAIT ||
	       (a->literals == IMAP_LITERALS_SMALL &&
		   size > LITERAL_MINUS_MAX) ||
	       !is_taken(a, m);
}

/* ---- receipts ---- */

static struct receipt *
add_receipt(struct imap_append *a, enum receipt_kind kind, uint64_t ticket)
{
	if (a->ready_at == a->ready_count)
		a->ready_at = a->ready_count = 0;
	a->ready = mem_grow(a->ready, a->ready_count + 1, sizeof(*a->ready));
	struct receipt *r = &a->ready[a->ready_count++];
	*r = (struct receipt){ .kind = kind, .ticket = ticket };

	return r;
}

size_t
imap_append_receipts(struct imap_append *a, struct receipt *out, size_t n)
{
	size_t there = a->ready_count - a->ready_at;
	if (n > there)
		n = there;
	if (n > 0)
		memcpy(out, a->ready + a->ready_at, n * sizeof(*out));
	a->ready_at += n;

	return n;
}

static void
all_kept(struct imap_append *a, const struct imap_append_command *c,
    const struct imap_reply *r)
{
	uint64_t *uids = mem_array(c->count, sizeof(*uids));
	bool told = imap_append_uids(a, r, uids, c->count);
	for (size_t i = 0; i < c->count; i++) {
		struct receipt *receipt =
		    add_receipt(a, RECEIPT_KEPT, c->messages[i].ticket);
		receipt->uidvalidity = a->uidvalidity;
		receipt->uid = told ? uids[i] : 0;
	}
	if (told)
		a->highest = uids[c->count - 1];
	free(uids);
}

/* ---- replies ---- */

static void
enqueue_again(struct imap_append *a, struct imap_append_command *c)
{
	c->next = NULL;
	*a->again_end = c;
	a->again_end = &c->next;
}

/* A MULTIAPPEND is all or nothing: which of them was it? */
static void
part(struct imap_append *a, struct imap_append_command *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct imap_append_command *one = mem_new(sizeof(*one));
		one->messages = mem_dup(&c->messages[i], sizeof(*c->messages));
		one->count = 1;
		enqueue_again(a, one);
	}
	/* The heads live on in the single ones. */
	free(c->messages);
	free(c);
}

/* *c: freed or kept for later. */
static bool
refused(struct imap_append *a, struct imap_append_command *c,
    const struct imap_reply *r, struct err *err)
{
	struct err why;
	imap_codes_append(&why, a->s->where, r);
	if (why.code == ERR_THROTTLE) {
		a->paused = true;
		a->pause = why;
		enqueue_again(a, c);
		return true;
	}
	if (c->count > 1) {
		part(a, c);
		return true;
	}
	if (why.scope > ERR_MESSAGE) {
		*err = why;
		free_command(&c);
		return false;
	}
	struct receipt *receipt =
	    add_receipt(a, RECEIPT_REFUSED, c->messages[0].ticket);
	receipt->why = why;
	free_command(&c);

	return true;
}

/* What followed a literal may have been taken for commands. */
static bool
bad(struct imap_append *a, struct imap_append_command *c,
    const struct imap_reply *r, struct err *err)
{
	/* A literal that nobody asked for was not sent. */
	if (c->count == 1 && c->messages[0].careful) {
		struct receipt *receipt =
		    add_receipt(a, RECEIPT_REFUSED, c->messages[0].ticket);
		err_set(&receipt->why, ERR_MESSAGE, ERR_REFUSED,
		    "the %s can't read its APPEND", a->s->where);
		err_words(&receipt->why, r->said.data, r->said.len);
	}
	free_command(&c);
	err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "the %s can't read an APPEND of ours; the connection is given up",
	    a->s->where);
	err_words(err, r->said.data, r->said.len);

	return imap_session_die(a->s, err);
}

static bool
take_tagged(struct imap_append *a, const struct imap_reply *r, struct err *err)
{
	unsigned tag = imap_session_tag(a->s, &r->tag);
	struct imap_append_command **at = &a->flying;
	while (*at != NULL && (*at)->tag != tag)
		at = &(*at)->next;
	struct imap_append_command *c = *at;
	if (c == NULL) {
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s answered a command twice", a->s->where);
		return imap_session_die(a->s, err);
	}
	*at = c->next;
	if (a->flying_end == &c->next)
		a->flying_end = at;
	a->flying_count--;
	if (r->status == IMAP_NO)
		return refused(a, c, r, err);
	if (r->status != IMAP_OK)
		return bad(a, c, r, err);
	if (!c->sent) {
		free_command(&c);
		err_set_transient(err, ERR_ACCOUNT, ERR_PROTOCOL,
		    "the %s says OK to a message that it was not sent",
		    a->s->where);
		return imap_session_die(a->s, err);
	}
	all_kept(a, c, r);
	free_command(&c);

	return true;
}

static bool
read_one(struct imap_append *a, struct err *err)
{
	struct imap_reply r;
	if (!imap_session_read(a->s, &r, err))
		return false;
	if (r.kind == IMAP_CONTINUE)
		a->asked = true;

	return r.kind != IMAP_TAGGED || take_tagged(a, &r, err);
}

/* ---- sending ---- */

static bool
write_piece(void *wire, const void *data, size_t n, struct err *err)
{
	return wire_write(wire, data, n, err);
}

static bool
write_text(struct imap_append *a, const char *text, size_t n, struct err *err)
{
	return wire_write(a->s->wire, text, n, err) ||
	       imap_session_die(a->s, err);
}

/* A spool that can't be read leaves a literal without its end. */
static bool
write_octets(struct imap_append *a, const struct message *m, struct err *err)
{
	return content_each(m->content, 0, content_size(m->content),
		   write_piece, a->s->wire, err) ||
	       imap_session_die(a->s, err);
}

/* What failed may be of one mailbox or of its quota, and the connection goes
 * on; but what is sent next would be taken for the octets announced. */
static bool
give_up(struct imap_append *a)
{
	struct err lost;
	err_set_transient(&lost, ERR_ACCOUNT, ERR_NETWORK,
	    "the connection to the %s was given up in the middle of an APPEND",
	    a->s->where);

	return imap_session_die(a->s, &lost);
}

/* Some servers say "+" to a literal that needs none, too: one that comes before
 * the replies to such literals is theirs. (Servers answer APPENDs in order.) */
static bool
is_ours(const struct imap_append *a)
{
	for (const struct imap_append_command *c = a->flying; c != NULL;
	     c = c->next)
		if (!c->asked)
			return false;

	return true;
}

static bool
flies(const struct imap_append *a, unsigned tag)
{
	const struct imap_append_command *c = a->flying;
	while (c != NULL && c->tag != tag)
		c = c->next;

	return c != NULL;
}

/* "+", or the tagged reply of command tag (*sent false: it is over). */
static bool
await_asked(struct imap_append *a, unsigned tag, bool *sent, struct err *err)
{
	if (!wire_flush(a->s->wire, err))
		return imap_session_die(a->s, err);
	do {
		a->asked = false;
		if (!read_one(a, err))
			return give_up(a);
		*sent = flies(a, tag) && a->asked && is_ours(a);
	} while (flies(a, tag) && !*sent);

	return true;
}

/* One message of a command: head, literal. *on false: the server had enough. */
static bool
send_message(struct imap_append *a, unsigned tag, const struct message *m,
    bool ask, bool *on, struct err *err)
{
	struct buf literal = { 0 };
	buf_fmt(&literal, "%s{%llu%s}\r\n", m->head,
	    (unsigned long long)content_size(m->content), ask ? "" : "+");
	bool good = write_text(a, literal.data, literal.len, err);
	buf_free(&literal);
	*on = true;
	if (!good || (ask && !await_asked(a, tag, on, err)))
		return false;
	if (!*on)
		return true;
	if (ask)
		note_taken(a, m);

	return write_octets(a, m, err);
}

static void
fly(struct imap_append *a, struct imap_append_command *c, unsigned tag)
{
	c->tag = tag;
	c->sent = false;
	c->next = NULL;
	*a->flying_end = c;
	a->flying_end = &c->next;
	a->flying_count++;
}

/* Takes *c over. */
static bool
send_command(
    struct imap_append *a, struct imap_append_command *c, struct err *err)
{
	struct buf line = { 0 };
	bool on = true;
	size_t count = c->count;
	bool ask = must_ask(a, &c->messages[0]);
	c->asked = ask;
	buf_fmt(&line, "APPEND %s ", a->name.data);
	unsigned tag =
	    imap_session_open_command(a->s, line.data, line.len, err);
	buf_free(&line);
	if (tag == 0) {
		free_command(&c);
		return false;
	}
	fly(a, c, tag);
	for (size_t i = 0; i < count && on; i++) {
		if ((i > 0 && !write_text(a, " ", 1, err)) ||
		    !send_message(
			a, tag, &c->messages[i], ask && i == 0, &on, err))
			return false;
	}

	if (!on)
		return true;
	c->sent = true; /* nothing was read since it was asked for */

	return write_text(a, "\r\n", 2, err);
}

static bool
wait_for_room(struct imap_append *a, struct err *err)
{
	while (a->flying_count > 0 && (a->flying_count >= IMAP_APPENDS_FLYING ||
					  wire_ready(a->s->wire)))
		if (!read_one(a, err))
			return false;

	return true;
}

/* Those of a MULTIAPPEND that was refused, or was asked to wait. */
static bool
send_again(struct imap_append *a, struct err *err)
{
	while (a->again != NULL && !a->paused) {
		struct imap_append_command *c = a->again;
		a->again = c->next;
		if (a->again == NULL)
			a->again_end = &a->again;
		if (!wait_for_room(a, err)) {
			free_command(&c);
			return false;
		}
		if (!send_command(a, c, err))
			return false;
	}

	return true;
}

static struct message
message_of(const struct item *item)
{
	struct buf head = { 0 };
	size_t flags = imap_append_head(&head, item->placement);

	return (struct message){ .ticket = item->ticket,
		.content = item->content,
		.head = head.data,
		.flags_len = flags,
		.careful = item->careful };
}

/* Too large for this server: it would only read it to say so. */
static bool
is_too_large(struct imap_append *a, const struct item *item)
{
	if (content_size(item->content) <= a->limit)
		return false;
	struct receipt *r = add_receipt(a, RECEIPT_REFUSED, item->ticket);
	err_set(&r->why, ERR_MESSAGE, ERR_TOO_BIG,
	    "its %llu octets are more than the %s takes (APPENDLIMIT %llu)",
	    (unsigned long long)content_size(item->content), a->s->where,
	    (unsigned long long)a->limit);

	return true;
}

/* May it go into the command at hand? */
static bool
joins(const struct imap_append *a, const struct imap_append_command *c,
    uint64_t octets, const struct message *m)
{
	return a->multi && c != NULL && c->count < IMAP_APPEND_MESSAGES &&
	       octets + content_size(m->content) <= IMAP_APPEND_OCTETS &&
	       !must_ask(a, m) && !must_ask(a, &c->messages[0]);
}

static bool
send_if_any(
    struct imap_append *a, struct imap_append_command **c, struct err *err)
{
	struct imap_append_command *command = *c;
	*c = NULL;
	if (command == NULL)
		return true;
	if (wait_for_room(a, err))
		return send_command(a, command, err);
	free_command(&command);

	return false;
}

static void
add_message(struct imap_append_command **c, const struct message *m)
{
	if (*c == NULL)
		*c = mem_new(sizeof(**c));
	(*c)->messages =
	    mem_grow((*c)->messages, (*c)->count + 1, sizeof(*(*c)->messages));
	(*c)->messages[(*c)->count++] = *m;
}

static bool
tell_pause(struct imap_append *a, struct err *err)
{
	if (!a->paused)
		return true;
	a->paused = false;
	*err = a->pause;

	return false;
}

/* What was put off goes first. */
static bool
clear_the_way(struct imap_append *a, struct err *err)
{
	if (!a->paused && a->again == NULL)
		return true;
	while (a->flying != NULL)
		if (!read_one(a, err))
			return false;

	return tell_pause(a, err) && send_again(a, err);
}

bool
imap_append_send(
    struct imap_append *a, const struct item *items, size_t n, struct err *err)
{
	struct imap_append_command *c = NULL;
	uint64_t octets = 0;
	if (!clear_the_way(a, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (is_too_large(a, &items[i]))
			continue;
		struct message m = message_of(&items[i]);
		if (!joins(a, c, octets, &m)) {
			if (!send_if_any(a, &c, err)) {
				free(m.head);
				return false;
			}
			octets = 0;
		}
		octets += content_size(m.content);
		add_message(&c, &m);
	}

	return send_if_any(a, &c, err) &&
	       (wire_flush(a->s->wire, err) || imap_session_die(a->s, err)) &&
	       wait_for_room(a, err);
}

bool
imap_append_read(struct imap_append *a, bool wait, struct err *err)
{
	while (a->flying != NULL && (wait || wire_ready(a->s->wire))) {
		if (!read_one(a, err))
			return false;
		wait = wait && a->ready_at == a->ready_count;
	}
	/* What the server still has to answer is heard first. */
	if (a->flying == NULL && !tell_pause(a, err))
		return false;
	if (!send_again(a, err))
		return false;

	return !wait || a->flying == NULL || imap_append_read(a, true, err);
}
