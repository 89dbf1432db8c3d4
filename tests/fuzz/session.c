/*
 * A whole IMAP source against a server that says anything: login (by libetpan
 * too), list, statuses, a pass, bodies. Said twice, in one piece and octet by
 * octet, it must be understood the same.
 *
 * The first octet says what is asked for (enum ask), the rest is said.
 */
#include "lib/fuzz.h"
#include "lib/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libetpan/libetpan.h>

#include "base/digest.h"
#include "base/text.h"
#include "imap/imap.h"
#include "mail/name.h"

/* Printable with all others cleared, so that seeds can be read. */
enum ask {
	ASK_DELTA = 1,       /* of a state with a mod-sequence */
	ASK_ONLY_NEW = 2,    /* of one without */
	ASK_MESSAGE_IDS = 4, /* a re-match */
	ASK_STATUSES = 8,
	ASK_PREAUTH = 16,
	ASK_NEXT = 64 /* another mailbox after it, told while bodies come */
};

enum { EVENTS_MAX = 3000, KEPT_MAX = 256, FAILURES_MAX = 20 };

enum {
	SASL,
	LOGGED_IN,
	LISTED,
	STATUS_TOLD,
	GONE_TOLD,
	OPENED,
	SEEN_TOLD,
	CHANGED_TOLD,
	ALIVE_TOLD,
	VANISHED_TOLD,
	BAD_TOLD,
	BODY_READ,
	BODY_QUOTED,
	BODY_VANISHED,
	BODY_UNREADABLE,
	PAUSED,
	ENDED,
	COMPLETE,
	NEXT_COMPLETE,
	QUOTA_TOLD
};

static const char *const marks[] = {
	[SASL] = "a login by libetpan",
	[LOGGED_IN] = "a login",
	[LISTED] = "a mailbox with a role and a separator",
	[STATUS_TOLD] = "a status of a mailbox",
	[GONE_TOLD] = "a mailbox that is gone",
	[OPENED] = "an open mailbox",
	[SEEN_TOLD] = "a message with keywords and a date",
	[CHANGED_TOLD] = "changed flags",
	[ALIVE_TOLD] = "messages still there (ESEARCH)",
	[VANISHED_TOLD] = "messages gone (VANISHED)",
	[BAD_TOLD] = "a line that can't be used",
	[BODY_READ] = "a body in a literal",
	[BODY_QUOTED] = "a body in quotes",
	[BODY_VANISHED] = "a body that is gone",
	[BODY_UNREADABLE] = "a body that isn't given",
	[PAUSED] = "a pause asked for",
	[ENDED] = "the end of a pass",
	[COMPLETE] = "a complete pass",
	[NEXT_COMPLETE] = "a complete pass over the next mailbox",
	[QUOTA_TOLD] = "a quota",
};

struct run {
	struct source source;
	unsigned ask;
	const char *said;
	size_t said_len;
	struct buf *told; /* what the other run must tell as well */
	uint64_t asked[KEPT_MAX];
	size_t asked_count, answered;
	uint64_t seen, alive; /* the highest so far */
	bool delta, fresh;    /* SEEN was told since the last LATER */
	bool second;          /* it is the mailbox that comes next */
};

/* Tags as they stand in the seeds: AAAA1. */
ssize_t getrandom(void *data, size_t n, unsigned flags);
ssize_t
getrandom(void *data, size_t n, unsigned flags)
{
	(void)flags;
	memset(data, 0, n);

	return (ssize_t)n;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	/* Its plugins are loaded once and for all. */
	mailsasl_ref();

	return 0;
}

/* Nothing that hangs on the clock. */
static bool
note_err(struct run *r, const struct err *err)
{
	MUST(err->text[0] != '\0');
	MUST(text_is_utf8(err->text, strlen(err->text)));
	MUST(text_is_utf8(err->words, strlen(err->words)));
	buf_fmt(r->told, "error %d %d %d %s|%s\n", (int)err->scope,
	    (int)err->code, err->transient, err->text, err->words);
	if (err->code == ERR_THROTTLE)
		fuzz_reach(PAUSED);

	return err->scope < ERR_ACCOUNT;
}

static bool
note_mailbox(void *arg, const struct source_mailbox *m, struct err *err)
{
	struct run *r = arg;
	(void)err;
	MUST(name_is_safe(m->name, strlen(m->name)));
	MUST(text_is_utf8(m->display, strlen(m->display)));
	MUST(m->mailbox_id == NULL || m->mailbox_id[0] != '\0');
	buf_fmt(r->told, "mailbox %s|%s %d %u %d %s %llu %llu %llu %llu\n",
	    m->name, m->display, m->separator, m->attributes, m->subscribed,
	    m->mailbox_id != NULL ? m->mailbox_id : "-",
	    (unsigned long long)m->messages, (unsigned long long)m->uidnext,
	    (unsigned long long)m->uidvalidity, (unsigned long long)m->modseq);
	if (name_special_use(m->attributes) != NULL && m->separator != 0)
		fuzz_reach(LISTED);
	if (m->uidvalidity != 0)
		fuzz_reach(STATUS_TOLD);

	return true;
}

/* ---- bodies ---- */

static void
check_octets(struct run *r, struct content *c)
{
	uint8_t sha256[DIGEST_SIZE];
	struct err err;
	size_t n = (size_t)content_size(c);
	char *octets = malloc(n + 1);
	MUST(octets != NULL && content_read(c, 0, octets, n, &err));
	digest_of(octets, n, sha256);
	MUST(content_hash(c, &err));
	MUST(memcmp(sha256, content_sha256(c), DIGEST_SIZE) == 0);
	MUST(content_header_size(c) <= n);
	/* As it was said, but for what a quoted string escapes and for tags. */
	bool as_said = memmem(r->said, r->said_len, octets, n) != NULL;
	bool quoted =
	    memchr(octets, '"', n) != NULL || memchr(octets, '\\', n) != NULL;
	MUST(as_said || quoted || memchr(r->said, '@', r->said_len) != NULL);
	fuzz_reach(quoted && !as_said ? BODY_QUOTED : BODY_READ);
	buf_add(r->told, octets, n);
	free(octets);
}

static void
note_body(struct run *r, struct source_body *body)
{
	size_t i = 0;
	while (i < r->asked_count && r->asked[i] != body->okey)
		i++;
	/* Each that was asked for, once. */
	MUST(i < r->asked_count);
	r->asked[i] = 0;
	r->answered++;
	buf_fmt(r->told, "body %llu %d\n", (unsigned long long)body->okey,
	    (int)body->kind);
	if (body->kind == SOURCE_BODY) {
		check_octets(r, body->content);
		content_free(&body->content);
		return;
	}
	MUST(body->content == NULL && body->why.text[0] != '\0');
	fuzz_reach(
	    body->kind == SOURCE_VANISHED ? BODY_VANISHED : BODY_UNREADABLE);
}

/* All that are outstanding. False: the connection is lost. */
static bool
take_bodies(struct run *r)
{
	int failures = 0;
	while (r->answered < r->asked_count) {
		struct source_body body = { 0 };
		struct err err;
		if (r->source.ops->body(r->source.data, &body, &err))
			note_body(r, &body);
		else if (!note_err(r, &err) || ++failures == FAILURES_MAX)
			return false;
	}

	return true;
}

static void
ask_body(struct run *r, const struct placement *p)
{
	struct err err;
	if (r->asked_count == KEPT_MAX || p->okey == 0)
		return;
	r->asked[r->asked_count++] = p->okey;
	if (!r->source.ops->request(
		r->source.data, &p->okey, &p->size, 1, &err))
		note_err(r, &err);
}

/* ---- a pass ---- */

static void
check_placement(struct run *r, const struct placement *p)
{
	MUST(p->okey > 0 && p->okey <= UINT32_MAX);
	MUST(p->flags < 32);
	buf_fmt(r->told, " %llu %llu %lld %d %d %llu %s|%s",
	    (unsigned long long)p->okey, (unsigned long long)p->size,
	    (long long)p->idate, p->zone, p->flags,
	    (unsigned long long)p->modseq,
	    p->email_id != NULL ? p->email_id : "-",
	    p->message_id != NULL ? p->message_id : "-");
	for (uint32_t i = 0; i < p->keyword_count; i++) {
		MUST(p->keywords[i][0] != '\0' &&
		     strpbrk(p->keywords[i], " \r\n\t(){\"\\") == NULL);
		buf_fmt(r->told, " %s", p->keywords[i]);
	}
}

static void
note_seen(struct run *r, const struct source_event *e)
{
	check_placement(r, &e->placement);
	MUST(e->placement.okey > r->seen);
	r->seen = e->placement.okey;
	r->fresh = true;
	if (e->placement.keyword_count > 0 && e->placement.zone != 0)
		fuzz_reach(SEEN_TOLD);
	ask_body(r, &e->placement);
}

static void
note_range(struct run *r, const struct source_event *e, bool ascends)
{
	MUST(e->placement.okey > 0 && e->placement.okey <= e->last);
	MUST(e->last <= UINT32_MAX);
	MUST(!ascends || e->placement.okey > r->alive);
	if (ascends)
		r->alive = e->last;
	buf_fmt(r->told, " %llu:%llu", (unsigned long long)e->placement.okey,
	    (unsigned long long)e->last);
	fuzz_reach(ascends ? ALIVE_TOLD : VANISHED_TOLD);
}

static void
note_end(struct run *r, const struct source_event *e)
{
	buf_fmt(r->told, " %llu %llu %llu %llu %d %d %llu",
	    (unsigned long long)e->state.uidvalidity,
	    (unsigned long long)e->state.uidnext,
	    (unsigned long long)e->state.modseq,
	    (unsigned long long)e->state.messages, e->complete, e->swept,
	    (unsigned long long)e->expunged);
	/* Later passes begin behind all that was told. */
	MUST(!e->complete || e->state.uidnext > r->seen);
	fuzz_reach(!e->complete ? ENDED : r->second ? NEXT_COMPLETE : COMPLETE);
}

static void
note_event(struct run *r, const struct source_event *e)
{
	buf_fmt(r->told, "event %d", (int)e->kind);
	switch (e->kind) {
	case SOURCE_SEEN:
		note_seen(r, e);
		break;
	case SOURCE_CHANGED:
		check_placement(r, &e->placement);
		MUST(r->delta);
		fuzz_reach(CHANGED_TOLD);
		break;
	case SOURCE_ALIVE:
		note_range(r, e, true);
		break;
	case SOURCE_GONE:
		note_range(r, e, false);
		break;
	case SOURCE_LATER:
		MUST(r->answered < r->asked_count || r->fresh);
		r->fresh = false;
		break;
	case SOURCE_BAD:
		MUST(e->why.text[0] != '\0');
		buf_fmt(r->told, " %s|%s", e->why.text, e->why.words);
		fuzz_reach(BAD_TOLD);
		break;
	case SOURCE_END:
		note_end(r, e);
		break;
	}
	buf_char(r->told, '\n');
}

static const struct source_state first;

static void
pass(struct run *r)
{
	int failures = 0;
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct source_event e;
		struct err err;
		if (!r->source.ops->announce(r->source.data, &e, &err)) {
			if (!note_err(r, &err) || ++failures == FAILURES_MAX ||
			    err.code != ERR_THROTTLE)
				return;
			continue;
		}
		note_event(r, &e);
		if (e.kind == SOURCE_END) {
			if ((r->ask & ASK_NEXT) && !r->second)
				r->source.ops->next(
				    r->source.data, "a/b", &first);
			take_bodies(r);
			return;
		}
		if (e.kind == SOURCE_LATER && !take_bodies(r))
			return;
	}
}

static bool
open_as(struct run *r, const char *name, const struct source_state *state,
    struct err *err)
{
	struct source_opened opened;
	if (!r->source.ops->open(r->source.data, name, state, &opened, err))
		return false;
	MUST(opened.uidvalidity > 0 && opened.uidvalidity <= UINT32_MAX);
	r->delta = state->uidnext != 0;
	buf_fmt(r->told, "opened %llu %llu %llu %llu %s\n",
	    (unsigned long long)opened.uidvalidity,
	    (unsigned long long)opened.uidnext,
	    (unsigned long long)opened.messages,
	    (unsigned long long)opened.modseq,
	    opened.mailbox_id != NULL ? opened.mailbox_id : "-");
	fuzz_reach(OPENED);

	return true;
}

static bool
open_mailbox(struct run *r, struct err *err)
{
	struct source_state state = { 0 };
	if (r->ask & (ASK_DELTA | ASK_ONLY_NEW))
		state = (struct source_state){
			.uidvalidity = 7, .uidnext = 10, .messages = 9
		};
	if (r->ask & ASK_DELTA)
		state.modseq = 100;
	state.only_new = (r->ask & ASK_ONLY_NEW) != 0;
	state.message_ids = (r->ask & ASK_MESSAGE_IDS) != 0;

	return open_as(r, "INBOX", &state, err);
}

static void
read_next(struct run *r)
{
	struct err err;
	r->second = true;
	r->asked_count = r->answered = 0;
	r->seen = r->alive = 0;
	r->fresh = false;
	if (open_as(r, "a/b", &first, &err))
		pass(r);
	else
		note_err(r, &err);
}

/* ---- a session ---- */

static void
ask_statuses(struct run *r)
{
	const struct source_ops *ops = r->source.ops;
	uint64_t used, limit;
	bool gone = false;
	struct err err;
	if (!ops->statuses(r->source.data, note_mailbox, r, &err) &&
	    !note_err(r, &err))
		return;
	if (!ops->is_gone(r->source.data, "Old", &gone, &err))
		note_err(r, &err);
	if (gone)
		fuzz_reach(GONE_TOLD);
	if (imap_source_quota(&r->source, &used, &limit)) {
		buf_fmt(r->told, "quota %llu %llu\n", (unsigned long long)used,
		    (unsigned long long)limit);
		fuzz_reach(QUOTA_TOLD);
	}
	buf_fmt(r->told, "gone %d\n", gone);
}

static void
talk(struct run *r)
{
	struct err err;
	const struct imap_facts *facts = imap_source_facts(&r->source);
	MUST(text_is_utf8(facts->server_id, strlen(facts->server_id)));
	buf_fmt(r->told, "%s|%s|%s\n", facts->mechanism, facts->capabilities,
	    facts->server_id);
	fuzz_reach(strcmp(facts->mechanism, "LOGIN") == 0 ||
			   strcmp(facts->mechanism, "PREAUTH") == 0
		       ? LOGGED_IN
		       : SASL);
	if (!r->source.ops->list(r->source.data, note_mailbox, r, &err) &&
	    !note_err(r, &err))
		return;
	if (r->ask & ASK_STATUSES)
		ask_statuses(r);
	if (open_mailbox(r, &err))
		pass(r);
	else
		note_err(r, &err);
	if (r->ask & ASK_NEXT)
		read_next(r);
}

/* False: no login. */
static bool
run(unsigned ask, const char *said, size_t len, size_t step, struct buf *told)
{
	static char password[] = "pass word";
	struct secret secret = {
		.data = password, .len = strlen(password), .origin = "a file"
	};
	const struct imap_options options = { .wire = { .side = "SOURCE",
						  .host = "mail.example",
						  .port = 993,
						  .tls = WIRE_TLS_NONE },
		.user = "alice",
		.secret = &secret,
		.allow_preauth = (ask & ASK_PREAUTH) != 0,
		.namespace_other = true,
		.namespace_shared = true };
	struct run r = {
		.ask = ask, .said = said, .said_len = len, .told = told
	};
	struct err err;
	fuzz_server(said, len, step, true);
	if (!imap_source_new(&r.source, &options, &err)) {
		note_err(&r, &err);
		return false;
	}
	talk(&r);
	r.source.ops->close(&r.source.data, true);
	MUST(r.source.data == NULL);

	return true;
}

/* Where libetpan gives up on garbage during the login hangs on what is in its
 * buffer. */
static bool
may_differ(bool once, bool twice, bool breached)
{
	return breached || (!once && !twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, dribbled = { 0 };
	const char *said = (const char *)data + 1;
	if (size == 0)
		return 0;
	bool once = run(data[0], said, size - 1, SIZE_MAX, &whole);
	bool breached = fuzz_server_breached();
	bool twice = run(data[0], said, size - 1, 1, &dribbled);
	breached |= fuzz_server_breached();
	if (getenv("FUZZ_TELL") != NULL && whole.len > 0 && dribbled.len > 0)
		fprintf(stderr, "%s---\n%s", whole.data, dribbled.data);
	MUST(may_differ(once, twice, breached) ||
	     (whole.len == dribbled.len &&
		 (whole.len == 0 ||
		     memcmp(whole.data, dribbled.data, whole.len) == 0)));
	buf_free(&whole);
	buf_free(&dribbled);

	return 0;
}
