/*
 * What stands behind a response's first words: tokens, STATUS, SEARCH and
 * ESEARCH, VANISHED, FETCH. The first octet says which; a plain reader of sets
 * of UIDs counts along.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "imap/changes.h"
#include "imap/names.h"
#include "imap/status.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/name.h"

enum { UIDS = 4096 }; /* that the plain reader knows */

enum {
	QUOTED,
	ATOM_SECTION,
	LISTED,
	LITERAL,
	STATUS,
	MAILBOX_ID,
	STATUS_UTF8,
	ESEARCHED,
	OTHERS_ESEARCH,
	SEARCHED,
	VANISHED,
	RANGES,
	FETCHED
};

static const char *const marks[] = {
	[QUOTED] = "a quoted string with escapes",
	[ATOM_SECTION] = "an atom with a section",
	[LISTED] = "a list in a list",
	[LITERAL] = "a literal",
	[STATUS] = "a status",
	[MAILBOX_ID] = "a MAILBOXID",
	[STATUS_UTF8] = "a status of a mailbox with a name in UTF-8",
	[ESEARCHED] = "an ESEARCH that answers",
	[OTHERS_ESEARCH] = "an ESEARCH of another command",
	[SEARCHED] = "a SEARCH that answers",
	[VANISHED] = "a VANISHED (EARLIER)",
	[RANGES] = "ranges that overlap",
	[FETCHED] = "a FETCH line written and read",
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));

	return 0;
}

/* A line as the framer gives it. */
static bool
frame_line(struct imap_frame *f, struct fuzz_memory *m, struct imap_reply *r,
    const char *data, size_t len)
{
	struct err err;
	*m = (struct fuzz_memory){ data, len, 0, len + 1 };
	imap_frame_init(f, fuzz_input(m));
	f->literal_max = 512;
	if (!imap_frame_read(f, &err)) {
		imap_frame_free(f);
		return false;
	}
	imap_reply_parse(r, f);

	return true;
}

/* ---- tokens ---- */

static void
check_token(const struct imap_token *t, const struct imap_frame *f)
{
	const char *end = f->text.data + f->text.len;
	if (t->kind != IMAP_ATOM && t->kind != IMAP_STRING)
		return;
	MUST(t->data >= f->text.data && t->data + t->len <= end);
	MUST(t->kind != IMAP_ATOM || t->len > 0);
	if (t->kind == IMAP_STRING && t->escaped)
		fuzz_reach(QUOTED);
	if (t->kind == IMAP_STRING && t->data > f->text.data &&
	    t->data[-1] == '\n')
		fuzz_reach(LITERAL);
	if (t->kind == IMAP_ATOM && memchr(t->data, '[', t->len) != NULL &&
	    memchr(t->data, ' ', t->len) != NULL)
		fuzz_reach(ATOM_SECTION);
}

/* What a token says comes back from a quoted string of it. */
static void
check_quoting(const struct imap_token *t)
{
	struct buf text = { 0 }, line = { 0 }, back = { 0 };
	if (!imap_token_text(&text, t))
		return;
	MUST(text.len <= t->len);
	imap_add_quoted(&line, text.data != NULL ? text.data : "", text.len);
	struct imap_tokens again = {
		.start = line.data, .at = line.data, .end = line.data + line.len
	};
	struct imap_token token = imap_token_next(&again);
	MUST(token.kind == IMAP_STRING && imap_token_text(&back, &token));
	MUST(imap_token_next(&again).kind == IMAP_END);
	MUST(back.len == text.len &&
	     (text.len == 0 || memcmp(back.data, text.data, text.len) == 0));
	buf_free(&text);
	buf_free(&line);
	buf_free(&back);
}

static void
tokens(const char *data, size_t len)
{
	struct fuzz_memory m;
	struct imap_frame f;
	struct imap_reply r;
	if (!frame_line(&f, &m, &r, data, len))
		return;
	struct imap_tokens t = imap_tokens(&f, 0), skipping = t;
	size_t depth = 0;
	for (;;) {
		const char *before = t.at;
		struct imap_token token = imap_token_next(&t);
		MUST(t.at >= before && t.at <= t.end);
		if (token.kind == IMAP_END || token.kind == IMAP_GARBAGE)
			break;
		MUST(t.at > before);
		check_token(&token, &f);
		check_quoting(&token);
		depth += token.kind == IMAP_OPEN;
		depth -= token.kind == IMAP_CLOSE && depth > 0;
		if (depth > 1)
			fuzz_reach(LISTED);
	}
	MUST(t.at == t.end);
	while (imap_token_skip(&skipping))
		MUST(skipping.at <= skipping.end);
	imap_frame_free(&f);
}

/* ---- STATUS ---- */

static void
check_name(const struct imap_session *s, const struct buf *name)
{
	struct buf line = { 0 }, back = { 0 };
	MUST(name->len > 0 && name_is_safe(name->data, name->len));
	/* What is sent for it is understood as it. */
	imap_name_add(s, &line, name->data, "");
	struct imap_tokens t = {
		.start = line.data, .at = line.data, .end = line.data + line.len
	};
	struct imap_token token = imap_token_next(&t);
	MUST(imap_name_read(s, &token, &back));
	MUST(back.len == name->len &&
	     memcmp(back.data, name->data, name->len) == 0);
	buf_free(&line);
	buf_free(&back);
}

static void
status(const char *data, size_t len, bool utf8)
{
	struct imap_session s = { .utf8 = utf8 };
	struct imap_box_status st;
	struct buf name = { 0 };
	struct fuzz_memory m;
	struct imap_frame f;
	struct imap_reply r;
	if (!frame_line(&f, &m, &r, data, len))
		return;
	if (imap_status_read(&s, &r, &name, &st)) {
		MUST(strlen(st.mailbox_id) < sizeof(st.mailbox_id));
		MUST(text_is_utf8(st.mailbox_id, strlen(st.mailbox_id)));
		check_name(&s, &name);
		if (st.opened.messages > 0 && st.opened.uidvalidity > 0)
			fuzz_reach(STATUS);
		if (st.mailbox_id[0] != '\0')
			fuzz_reach(MAILBOX_ID);
		if (utf8 && memchr(name.data, '&', name.len) != NULL)
			fuzz_reach(STATUS_UTF8);
	}
	buf_free(&name);
	imap_frame_free(&f);
}

/* ---- sets of UIDs, read the plain way ---- */

static uint64_t
number(const char *p, size_t len)
{
	uint64_t n;

	return text_parse_u64(p, len, &n) && n <= UINT32_MAX ? n : 0;
}

/* Marks the set's UIDs up to UIDS; returns how many it names up to last, each
 * as often as it does. */
static uint64_t
plain_set(const char *set, size_t len, uint64_t last, bool there[UIDS + 1])
{
	struct fuzz_part rest = { set, len }, part;
	uint64_t sum = 0;
	while (fuzz_part(&rest, ',', &part)) {
		const char *colon = memchr(part.data, ':', part.len);
		size_t n = colon ? (size_t)(colon - part.data) : part.len;
		uint64_t a = number(part.data, n);
		uint64_t b = colon ? number(colon + 1, part.len - n - 1) : a;
		uint64_t lo = a < b ? a : b, hi = a < b ? b : a;
		if (lo == 0 || lo > last)
			continue;
		hi = hi < last ? hi : last;
		sum += hi - lo + 1;
		for (uint64_t uid = lo; uid <= hi && uid <= UIDS; uid++)
			there[uid] = true;
	}

	return sum;
}

/* The ranges are those UIDs, in order and as few as can be. */
static uint64_t
check_ranges(const struct imap_ranges *all, const bool there[UIDS + 1])
{
	uint64_t sum = 0, uid = 1;
	for (size_t i = 0; i < all->count; i++) {
		const struct imap_range *r = &all->array[i];
		MUST(r->lo > 0 && r->lo <= r->hi);
		MUST(i == 0 || r->lo - 1 > all->array[i - 1].hi);
		sum += (uint64_t)r->hi - r->lo + 1;
		for (; uid < r->lo && uid <= UIDS; uid++)
			MUST(!there[uid]);
		for (; uid <= r->hi && uid <= UIDS; uid++)
			MUST(there[uid]);
	}
	for (; uid <= UIDS; uid++)
		MUST(!there[uid]);

	return sum;
}

static void
ranges(const char *set, size_t len)
{
	struct imap_ranges all = { 0 };
	struct imap_range r;
	bool there[UIDS + 1] = { false };
	uint64_t named = plain_set(set, len, UINT32_MAX, there), sum = 0;
	for (size_t at = 0; imap_range_next(set, len, &at, &r);) {
		MUST(at <= len && r.lo > 0 && r.lo <= r.hi);
		sum += (uint64_t)r.hi - r.lo + 1;
		MUST(imap_ranges_add(&all, r));
	}
	MUST(sum == named);
	MUST(imap_range_count(set, len, UINT32_MAX) == named);
	uint64_t joined = imap_ranges_join(&all);
	MUST(joined == check_ranges(&all, there) && joined <= named);
	if (all.count > 1 && joined < named)
		fuzz_reach(RANGES);
	imap_ranges_free(&all);
}

/* ---- SEARCH, ESEARCH, VANISHED ---- */

/* As if "UID SEARCH UID lo:hi" were in flight as AAAA5. */
static void
search(const char *data, size_t len)
{
	struct imap_session s = { .tag_head = "AAAA" };
	struct imap_search q = { .s = &s,
		.tag = 5,
		.asked = { 3, 2000 },
		.next = 3,
		.last = 3000,
		.width = UINT32_MAX };
	struct fuzz_part rest = { data, len }, line;
	while (fuzz_part(&rest, '\n', &line)) {
		struct fuzz_memory m;
		struct imap_frame f;
		struct imap_reply r;
		/* The framer wants the line's end. */
		size_t n = line.len + (rest.data != NULL ? 1 : 0);
		if (!frame_line(&f, &m, &r, line.data, n))
			continue;
		bool before = q.answered;
		imap_search_take(&q, &r);
		bool esearch = imap_text_is(&r.name, "ESEARCH");
		if (!before && q.answered)
			fuzz_reach(esearch ? ESEARCHED : SEARCHED);
		if (!before && !q.answered && esearch)
			fuzz_reach(OTHERS_ESEARCH);
		imap_frame_free(&f);
	}
	bool answered = q.answered;
	MUST(imap_search_done(&q, true) == answered);
	struct imap_range r;
	uint64_t sum = 0, last = 2;
	while (imap_search_tell(&q, &r)) {
		MUST(r.lo > last && r.lo <= r.hi && r.hi <= 2000);
		last = (uint64_t)r.hi + 1;
		sum += (uint64_t)r.hi - r.lo + 1;
	}
	MUST(sum == q.sum && (answered || sum == 0));
	imap_search_reset(&q);
}

/* As if "UID FETCH 1:1000 … CHANGEDSINCE … VANISHED" were in flight. */
static void
vanished(const char *data, size_t len)
{
	struct imap_session s = { .tag_head = "AAAA", .qresync = true };
	struct imap_changes c = { .s = &s, .last = 1000, .tag = 5 };
	struct fuzz_part rest = { data, len }, line;
	uint64_t sum = 0;
	c.news = imap_window_new(1, c.last);
	while (fuzz_part(&rest, '\n', &line)) {
		struct fuzz_memory m;
		struct imap_frame f;
		struct imap_reply r;
		struct source_event e;
		struct err err;
		size_t n = line.len + (rest.data != NULL ? 1 : 0);
		if (!frame_line(&f, &m, &r, line.data, n))
			continue;
		uint64_t before = c.gone;
		MUST(imap_changes_take_data(&c, &r, &err));
		MUST(c.gone >= before);
		while (imap_changes_tell(&c, &e)) {
			MUST(e.kind == SOURCE_GONE);
			MUST(e.placement.okey > 0 &&
			     e.placement.okey <= e.last && e.last <= c.last);
			sum += e.last - e.placement.okey + 1;
			fuzz_reach(VANISHED);
		}
		MUST(sum == c.gone);
		imap_frame_free(&f);
	}
	imap_changes_reset(&c);
}

/* ---- FETCH: written as some server might, and read ---- */

static const char *const keywords[] = { "$Forwarded", "Junk", "a]b", "$X&-" };
static const char *const strangers[] = { "X-MARK NIL",
	"X (a (b \"c)\") {2}\r\n())", "BODYSTRUCTURE (\"text\" \"plain\" NIL)",
	"X-LONE", "PREVIEW \"q\\\"\"", "BODY[HEADER] NIL" };

struct wanted {
	uint32_t uid;
	uint64_t size, modseq;
	int64_t idate;
	int16_t zone;
	uint8_t flags;
	unsigned keywords; /* bits */
	const char *id;
};

static uint64_t
some(struct fuzz_part *in)
{
	uint64_t n = 0;
	for (unsigned octets = fuzz_choose(in, 9); octets > 0; octets--)
		n = n << 8 | fuzz_choose(in, 256);

	return n;
}

static void
write_flags(struct buf *line, const struct wanted *w)
{
	buf_str(line, "FLAGS (\\Recent");
	struct buf flags = { 0 };
	flags_text(&flags, w->flags);
	if (flags.len > 0)
		buf_fmt(line, " %s", flags.data);
	buf_free(&flags);
	for (unsigned i = 0; i < 4; i++)
		if (w->keywords & 1u << i)
			buf_fmt(line, " %s", keywords[i]);
	buf_str(line, " \\*)");
}

static void
write_item(struct buf *line, const struct wanted *w, unsigned item, bool other)
{
	char date[27];
	switch (item) {
	case 0:
		buf_fmt(line, "%s %u", other ? "uid" : "UID", w->uid);
		break;
	case 1:
		write_flags(line, w);
		break;
	case 2:
		buf_fmt(line, "INTERNALDATE \"%s\"",
		    datetime_format(date, w->idate, w->zone));
		break;
	case 3:
		buf_fmt(line, "RFC822.SIZE %llu", (unsigned long long)w->size);
		break;
	case 4:
		buf_fmt(line, other ? "MODSEQ (%llu)" : "MODSEQ %llu",
		    (unsigned long long)w->modseq);
		break;
	default:
		buf_fmt(line, other ? "EMAILID (%s)" : "EMAILID %s", w->id);
	}
}

/* All items once, in any order, with strangers between. */
static void
write_line(struct buf *line, const struct wanted *w, struct fuzz_part *in)
{
	unsigned order[] = { 0, 1, 2, 3, 4, 5 };
	buf_str(line, "* 1 FETCH (");
	for (unsigned i = 0; i < 6; i++) {
		unsigned k = i + fuzz_choose(in, 6 - i), item = order[k];
		order[k] = order[i];
		order[i] = item;
		write_item(line, w, item, fuzz_choose(in, 2) == 1);
		if (fuzz_choose(in, 2) == 1)
			buf_fmt(line, " %s", strangers[fuzz_choose(in, 6)]);
		buf_str(line, i < 5 ? " " : ")\r\n");
	}
}

static void
check_wanted(const struct imap_fetch *f, const struct wanted *w)
{
	const char *at = f->keywords.data;
	uint32_t n = 0;
	MUST(f->uid == w->uid && f->has_size && f->size == w->size);
	MUST(f->modseq == w->modseq);
	MUST(f->has_date && f->idate == w->idate && f->zone == w->zone);
	MUST(f->has_flags && f->flags == w->flags && f->bodies == 0);
	MUST(f->has_email_id && strcmp(f->email_id.data, w->id) == 0);
	for (unsigned i = 0; i < 4; i++) {
		if (!(w->keywords & 1u << i))
			continue;
		MUST(n < f->keyword_count && strcmp(at, keywords[i]) == 0);
		at += strlen(at) + 1;
		n++;
	}
	MUST(n == f->keyword_count && f->keywords_dropped == 0);
}

static void
fetch(const char *data, size_t len)
{
	struct fuzz_part in = { data, len };
	struct buf line = { 0 };
	struct fuzz_memory m;
	struct imap_frame f;
	struct imap_reply r;
	struct imap_fetch got = { 0 };
	const char *bad;
	struct wanted w = { .id = "M6d99ac3275bb4e" };
	w.uid = (uint32_t)some(&in);
	w.uid += w.uid == 0;
	w.size = some(&in);
	w.modseq = some(&in);
	/* Years of four digits, zones of a clock. */
	w.zone = (int16_t)(fuzz_choose(&in, 96) * 15) - 720;
	w.idate = (int64_t)(some(&in) % 253402200000) - 2000000000;
	w.flags = (uint8_t)fuzz_choose(&in, 32);
	w.keywords = fuzz_choose(&in, 16);
	write_line(&line, &w, &in);
	MUST(frame_line(&f, &m, &r, line.data, line.len));
	MUST(r.kind == IMAP_NUMBERED && imap_text_is(&r.name, "FETCH"));
	MUST(imap_fetch_parse(&got, r.rest, &bad));
	check_wanted(&got, &w);
	fuzz_reach(FETCHED);
	imap_fetch_free(&got);
	imap_frame_free(&f);
	buf_free(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size == 0)
		return 0;
	const char *data = (const char *)input + 1;
	switch (input[0]) {
	case 't':
		tokens(data, size - 1);
		break;
	case 's':
	case 'S':
		status(data, size - 1, input[0] == 'S');
		break;
	case 'r':
		ranges(data, size - 1);
		break;
	case 'q':
		search(data, size - 1);
		break;
	case 'v':
		vanished(data, size - 1);
		break;
	case 'f':
		fetch(data, size - 1);
		break;
	default:
		break;
	}

	return 0;
}
