/*
 * A whole IMAP target against a server that says anything: login, plan, open,
 * deliver, collect, resolve, and another mailbox. A ticket gets one receipt at
 * most, no two messages the same UID, and what isn't there isn't found.
 *
 * The first octet says what is done (enum ask), the rest is said, once in one
 * piece and once octet by octet.
 */
#include "lib/fuzz.h"
#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

#include <libetpan/libetpan.h>

#include "base/digest.h"
#include "base/text.h"
#include "imap/imap.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/name.h"

/* Printable with all others cleared, so that seeds can be read. */
enum ask {
	ASK_CAREFUL = 1, /* each mail */
	ASK_FIND = 2,    /* before anything is sent */
	ASK_OTHER = 4    /* another mailbox after it */
};

enum { MAILS = 6, TICKETS_MAX = 2 * MAILS, FAILURES_MAX = 20 };

enum {
	OPENED,
	CREATED,
	KEPT_TOLD,
	KEPT_ONLY,
	REFUSED,
	PAUSED,
	FOUND,
	NOT_FOUND,
	ENDED
};

static const char *const marks[] = {
	[OPENED] = "a mailbox",
	[CREATED] = "a mailbox that was created",
	[KEPT_TOLD] = "a receipt with its UID",
	[KEPT_ONLY] = "a receipt without one",
	[REFUSED] = "a refusal",
	[PAUSED] = "a pause",
	[FOUND] = "a message that was there",
	[NOT_FOUND] = "one that was not",
	[ENDED] = "a connection that ended",
};

struct run {
	unsigned ask;
	struct target target;
	struct target_box box;
	uint64_t tickets;
	bool given[TICKETS_MAX];
	uint64_t uids[TICKETS_MAX]; /* of this mailbox */
	size_t uid_count;
	bool lost; /* deliver failed: not all of them were sent */
	unsigned failures;
};

static const char *const texts[MAILS] = { "abc", "abc", "",
	"x1 CREATE INJECTED\r\n", "Subject: b\r\n\r\nbody\r\n", "abcd" };

static struct content *contents[MAILS];

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
	struct err err;
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	mailsasl_ref();
	for (size_t i = 0; i < MAILS; i++) {
		contents[i] = content_new(NULL, 64);
		MUST(
		    content_add(contents[i], texts[i], strlen(texts[i]), &err));
		content_finish(contents[i]);
	}

	return 0;
}

/* May it be tried on this connection? */
static bool
note_err(struct run *r, const struct err *err)
{
	MUST(err->text[0] != '\0');
	MUST(text_is_utf8(err->text, strlen(err->text)));
	MUST(text_is_utf8(err->words, strlen(err->words)));
	fuzz_reach(err->code == ERR_THROTTLE ? PAUSED : ENDED);

	return err->code == ERR_THROTTLE && ++r->failures < FAILURES_MAX;
}

/* ---- mail ---- */

static void
note_receipt(struct run *r, const struct receipt *receipt)
{
	MUST(receipt->ticket < r->tickets);
	MUST(!r->given[receipt->ticket]);
	r->given[receipt->ticket] = true;
	if (receipt->kind == RECEIPT_REFUSED) {
		MUST(receipt->why.scope == ERR_MESSAGE);
		MUST(receipt->why.text[0] != '\0');
		fuzz_reach(REFUSED);
		return;
	}
	MUST(receipt->uidvalidity == r->box.uidvalidity);
	fuzz_reach(receipt->uid != 0 ? KEPT_TOLD : KEPT_ONLY);
	if (receipt->uid == 0)
		return;
	MUST(receipt->uid <= UINT32_MAX && receipt->uid >= r->box.uidnext);
	for (size_t i = 0; i < r->uid_count; i++)
		MUST(r->uids[i] != receipt->uid);
	r->uids[r->uid_count++] = receipt->uid;
}

static bool
take_receipts(struct run *r, bool wait, struct err *err)
{
	struct receipt got[4];
	struct progress progress;
	for (size_t n = 4; n > 0;) {
		n = 4;
		if (!r->target.ops->collect(
			r->target.data, wait, got, &n, &progress, err))
			return false;
		MUST(n <= 4);
		for (size_t i = 0; i < n; i++)
			note_receipt(r, &got[i]);
		wait = false;
	}

	return true;
}

/* False: nothing more can be done on this connection. */
static bool
land(struct run *r)
{
	struct err err;
	for (;;) {
		bool ok = r->target.ops->flush(r->target.data, &err);
		struct err none;
		/* What is at hand is there whatever happened. */
		MUST(take_receipts(r, false, &none));
		if (ok)
			break;
		if (!note_err(r, &err))
			return false;
	}
	for (uint64_t i = 0; i < r->tickets; i++)
		MUST(r->given[i] || r->lost);

	return true;
}

static bool
deliver(struct run *r)
{
	static const char *const keywords[] = { "$Forwarded", "foo(bar)",
		"\\Recent" };
	struct placement placements[MAILS];
	struct item items[MAILS];
	struct err err;
	for (size_t i = 0; i < MAILS; i++) {
		placements[i] = (struct placement){ .okey = i + 1,
			.idate = i == 4 ? DATETIME_NONE : 1580519045,
			.flags = i == 3 ? MAIL_SEEN : 0,
			.keywords = keywords,
			.keyword_count = i == 5 ? 3 : 0 };
		items[i] = (struct item){ .ticket = r->tickets++,
			.placement = &placements[i],
			.content = contents[i],
			.careful = (r->ask & ASK_CAREFUL) != 0 };
	}
	r->lost =
	    !r->target.ops->deliver(r->target.data, items, MAILS, NULL, &err);
	if (r->lost || !take_receipts(r, true, &err))
		note_err(r, &err);

	return land(r) && !r->lost;
}

/* ---- what is there ---- */

static bool
is_taken(void *arg, uint64_t uid)
{
	const struct run *r = arg;
	for (size_t i = 0; i < r->uid_count; i++)
		if (r->uids[i] == uid)
			return true;

	return false;
}

static bool
find(struct run *r)
{
	struct resolve_item items[MAILS];
	struct err err;
	for (size_t i = 0; i < MAILS; i++) {
		items[i] =
		    (struct resolve_item){ .size = content_size(contents[i]),
			    .idate = 1580519045,
			    .sent = i % 2 == 0,
			    .uid = 4711 };
		memcpy(items[i].sha256, content_sha256(contents[i]),
		    sizeof(items[i].sha256));
	}
	if (!r->target.ops->resolve(r->target.data, &r->box, r->box.uidnext,
		items, MAILS, is_taken, r, &err))
		return note_err(r, &err);
	for (size_t i = 0; i < MAILS; i++) {
		fuzz_reach(items[i].uid != 0 ? FOUND : NOT_FOUND);
		if (items[i].uid == 0)
			continue;
		MUST(items[i].uid <= UINT32_MAX);
		MUST(items[i].uid >= r->box.uidnext);
		MUST(!is_taken(r, items[i].uid));
		for (size_t k = 0; k < i; k++)
			MUST(items[k].uid != items[i].uid);
	}

	return true;
}

/* ---- a session ---- */

static const struct source_mailbox boxes[] = {
	{ .name = "INBOX", .display = "INBOX", .separator = '/' },
	{ .name = "a*b",
	    .display = "a*b",
	    .separator = '/',
	    .attributes = MAILBOX_SENT,
	    .subscribed = true }
};

static bool
open_box(struct run *r, size_t i)
{
	struct err err;
	while (!r->target.ops->open(
	    r->target.data, "alice", &boxes[i], 1, &r->box, &err))
		if (!note_err(r, &err))
			return false;
	MUST(name_is_safe(r->box.name, strlen(r->box.name)));
	MUST(r->box.uidvalidity > 0 && r->box.uidvalidity <= UINT32_MAX);
	MUST(r->target.ops->base(r->target.data) >= r->box.uidnext);
	r->uid_count = 0;
	fuzz_reach(r->box.created ? CREATED : OPENED);

	return true;
}

static bool
fill(struct run *r, size_t i)
{
	return open_box(r, i) && (!(r->ask & ASK_FIND) || find(r)) &&
	       deliver(r) && find(r);
}

static void
run(unsigned ask, const char *said, size_t len, size_t step)
{
	static char password[] = "pass word";
	struct secret secret = {
		.data = password, .len = strlen(password), .origin = "a file"
	};
	const struct imap_target_options options = {
		.imap = { .wire = { .side = "TARGET",
			      .host = "mail.example",
			      .port = 993,
			      .tls = WIRE_TLS_NONE },
		    .user = "alice",
		    .secret = &secret }
	};
	struct run r = { .ask = ask };
	struct err err;
	fuzz_server(said, len, step, true);
	if (!imap_target_new(&r.target, &options, &err)) {
		note_err(&r, &err);
		return;
	}
	if (!r.target.ops->plan(r.target.data, boxes, 2, &err))
		note_err(&r, &err);
	else if (fill(&r, 0) && (ask & ASK_OTHER))
		fill(&r, 1);
	r.target.ops->close(&r.target.data, true);
	MUST(r.target.data == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	run(data[0], (const char *)data + 1, size - 1, SIZE_MAX);
	run(data[0], (const char *)data + 1, size - 1, 1);

	return 0;
}
