/*
 * The framer, the reply and FETCH parsers and the window over any octets.
 * What comes in one piece, octet by octet and in steps is the same; and with
 * a sink for bodies or without, as far as lines go.
 *
 * The first octet chooses the step.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "imap/fetch.h"
#include "imap/reply.h"
#include "imap/window.h"

/* Small, so that short inputs reach them. */
enum { LINE_MAX_OCTETS = 400, LITERAL_MAX_OCTETS = 100 };

enum {
	TAGGED,
	CODED,
	NUMBERED,
	CONTINUED,
	LITERAL,
	SKIPPED,
	CROWDED,
	SUNK,
	TOO_LONG,
	TOO_BIG,
	FETCHED,
	MISREAD,
	TOLD
};

static const char *const marks[] = {
	[TAGGED] = "a tagged reply",
	[CODED] = "a response code",
	[NUMBERED] = "a numbered response",
	[CONTINUED] = "a continuation",
	[LITERAL] = "a literal in the text",
	[SKIPPED] = "a literal that is skipped",
	[CROWDED] = "more holes than are kept",
	[SUNK] = "a body in the sink",
	[TOO_LONG] = "a line that is too long",
	[TOO_BIG] = "a literal of more than 64 bits",
	[FETCHED] = "a whole FETCH line",
	[MISREAD] = "a FETCH line that can't be read",
	[TOLD] = "two messages of a window",
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));

	return 0;
}

/* ---- the sink ---- */

struct sunk {
	uint64_t announced, octets;
	bool open; /* a body isn't whole yet */
};

static bool
sink_begin(
    void *arg, const char *text, size_t len, uint64_t size, struct err *err)
{
	struct sunk *s = arg;
	(void)err;
	MUST(!s->open && len >= 6 && text != NULL);
	s->announced = size;
	s->octets = 0;
	s->open = size > 0;
	if (size > 0)
		fuzz_reach(SUNK);

	return true;
}

static bool
sink_add(void *arg, const void *data, size_t len, struct err *err)
{
	struct sunk *s = arg;
	(void)data, (void)err;
	s->octets += len;
	MUST(len > 0 && s->open && s->octets <= s->announced);
	s->open = s->octets < s->announced;

	return true;
}

/* ---- one response ---- */

static void
check_text(const struct imap_text *t, const struct imap_frame *f)
{
	if (t->len > 0)
		MUST(t->data >= f->text.data &&
		     t->data + t->len <= f->text.data + f->text.len);
}

static void
check_frame(const struct imap_frame *f)
{
	/* And the line end before a literal that isn't in it. */
	MUST(f->text.len <= LINE_MAX_OCTETS + 2);
	MUST(f->hole_count <= IMAP_HOLES);
	for (unsigned i = 0; i < f->hole_count; i++) {
		MUST(f->holes[i].at <= f->text.len);
		MUST(i == 0 || f->holes[i - 1].at < f->holes[i].at);
		if (!f->holes[i].body)
			fuzz_reach(SKIPPED);
	}
	if (f->crowded)
		fuzz_reach(CROWDED);
	if (f->text.len > 0 && memchr(f->text.data, '\n', f->text.len) != NULL)
		fuzz_reach(LITERAL);
}

static void
check_reply(const struct imap_reply *r, const struct imap_frame *f)
{
	check_text(&r->tag, f);
	check_text(&r->name, f);
	check_text(&r->words, f);
	check_text(&r->code, f);
	check_text(&r->args, f);
	check_text(&r->text, f);
	if (r->kind == IMAP_TAGGED)
		fuzz_reach(TAGGED);
	if (r->kind == IMAP_NUMBERED)
		fuzz_reach(NUMBERED);
	if (r->kind == IMAP_CONTINUE)
		fuzz_reach(CONTINUED);
	if (r->code.len > 0 && r->args.len > 0)
		fuzz_reach(CODED);
}

static void
check_fetch(const struct imap_fetch *f)
{
	size_t at = 0;
	MUST(f->uid <= UINT32_MAX);
	MUST(f->flags < 32);
	MUST(f->keyword_count <= IMAP_KEYWORDS_MAX);
	for (uint32_t i = 0; i < f->keyword_count; i++) {
		size_t n = strlen(f->keywords.data + at);
		MUST(n > 0 && n <= IMAP_KEYWORD_MAX);
		at += n + 1;
	}
	MUST(at == f->keywords.len);
	if (f->has_message_id)
		MUST(f->message_id.len <= IMAP_MESSAGE_ID_MAX &&
		     strlen(f->message_id.data) == f->message_id.len);
}

static void
take_fetch(struct imap_window *w, struct imap_fetch *fetch,
    const struct imap_reply *r, struct buf *told)
{
	const char *bad = NULL;
	bool good = imap_fetch_parse(fetch, r->rest, &bad);
	MUST(good == (bad == NULL));
	check_fetch(fetch);
	fuzz_reach(good ? FETCHED : MISREAD);
	buf_fmt(told, "fetch %llu %llu %lld %d %u %s\n",
	    (unsigned long long)fetch->uid, (unsigned long long)fetch->size,
	    (long long)fetch->idate, fetch->zone, fetch->bodies,
	    bad != NULL ? bad : "");
	if (fetch->uid != 0)
		MUST(imap_window_add(w, fetch, bad));
}

static void
tell(struct imap_window *w)
{
	const char **keywords = NULL;
	size_t cap = 0;
	struct placement p;
	imap_window_finish(w);
	for (size_t i = 0; i < w->count; i++) {
		imap_window_placement(w, &w->items[i], &p, &keywords, &cap);
		MUST(i == 0 || w->items[i].uid > w->items[i - 1].uid);
		MUST(p.okey == w->items[i].uid);
		for (uint32_t k = 0; k < p.keyword_count; k++)
			MUST(p.keywords[k][0] != '\0');
	}
	if (w->count > 1)
		fuzz_reach(TOLD);
	free(keywords);
}

/* ---- all of them ---- */

/* What was understood, to be compared; returns the octets used up. */
static size_t
read_all(
    const char *data, size_t len, size_t step, bool with_sink, struct buf *told)
{
	struct fuzz_memory m = { data, len, 0, step };
	struct sunk sunk = { 0 };
	struct imap_frame f;
	struct imap_reply r;
	struct imap_fetch fetch = { 0 };
	struct imap_window *w = imap_window_new(1, UINT32_MAX);
	struct err err;
	imap_frame_init(&f, fuzz_input(&m));
	if (with_sink)
		f.sink = (struct imap_sink){ &sunk, sink_begin, sink_add };
	f.line_max = LINE_MAX_OCTETS;
	f.literal_max = LITERAL_MAX_OCTETS;
	while (imap_frame_read(&f, &err)) {
		MUST(!sunk.open);
		check_frame(&f);
		imap_reply_parse(&r, &f);
		check_reply(&r, &f);
		buf_fmt(
		    told, "%d %u %d ", (int)r.kind, f.hole_count, f.crowded);
		buf_add(
		    told, f.text.data != NULL ? f.text.data : "", f.text.len);
		buf_char(told, '\n');
		if (r.kind == IMAP_NUMBERED && imap_text_is(&r.name, "FETCH"))
			take_fetch(w, &fetch, &r, told);
	}
	MUST(m.at <= m.len);
	buf_fmt(told, "%s\n", err.text);
	if (err.code == ERR_PROTOCOL)
		fuzz_reach(
		    strstr(err.text, "64-bit") != NULL ? TOO_BIG : TOO_LONG);
	tell(w);
	imap_window_free(&w);
	imap_fetch_free(&fetch);
	imap_frame_free(&f);

	return m.at;
}

static void
compare(const char *data, size_t len, size_t step, bool with_sink)
{
	struct buf whole = { 0 }, parts = { 0 };
	read_all(data, len, len + 1, with_sink, &whole);
	read_all(data, len, step, with_sink, &parts);
	MUST(whole.len == parts.len &&
	     memcmp(whole.data, parts.data, whole.len) == 0);
	buf_free(&whole);
	buf_free(&parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	size_t step = fuzz_choose(&rest, 64) + 1;
	compare(rest.data, rest.len, step, true);
	compare(rest.data, rest.len, 1, false);

	return 0;
}
