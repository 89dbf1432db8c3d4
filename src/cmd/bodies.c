#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/text.h"
#include "find.h"
#include "index/search.h"
#include "search.h"
#include "text/extract.h"

enum { SHOW_AFTER_MS = 300, SHOW_EVERY_MS = 200 };

/* ---- screen ---- */

void
search_screen_clear(struct search_screen *s)
{
	if (s->visible)
		fputs("\r\033[K", stderr);
	s->visible = false;
}

void
search_screen_show(struct search_screen *s, uint64_t done, uint64_t all)
{
	char a[32], b[32];
	int64_t now = clock_mono_ms();
	if (s->quiet || !isatty(STDERR_FILENO))
		return;
	if (s->shown == 0)
		s->shown = now - SHOW_EVERY_MS + SHOW_AFTER_MS;
	if (now - s->shown < SHOW_EVERY_MS)
		return;
	s->shown = now;
	s->visible = true;
	fprintf(stderr, "\r%s  %s of %s\033[K", s->what,
	    text_count(a, sizeof(a), done), text_count(b, sizeof(b), all));
}

/* ---- text ---- */

struct bodies {
	struct search *search;
	struct reading *reading;
	struct text_worker *worker;
	struct search_screen screen;
	struct buf text;
	uint64_t done, all;
};

/* A volume that isn't there today may be there tomorrow: then nothing is
 * recorded of its messages. */
static bool
may_come_back(const struct err *why)
{
	return why->code == ERR_IO || why->code == ERR_DISK_FULL ||
	       why->code == ERR_LOCKED || why->scope == ERR_RUN;
}

static bool
one(struct bodies *b, const uint8_t sha256[32], uint64_t size, struct err *err)
{
	struct err why;
	const char *reason;
	if (!text_begin(b->worker, size, err))
		return false;
	bool read =
	    reading_message(b->reading, sha256, text_add, b->worker, &why);
	enum text_result result = text_end(b->worker, &b->text, &reason);
	if (!read && may_come_back(&why)) {
		*err = why;
		return false;
	}
	if (!read)
		buf_clear(&b->text);
	const char *text = !read || result == TEXT_FAILED || b->text.len == 0
			       ? ""
			       : b->text.data;

	return search_body_put(b->search, text, read ? reason : why.text, err);
}

static bool
every(struct bodies *b, struct err *err)
{
	uint8_t sha256[32];
	uint64_t size = 0;
	bool end = false, ok = true;
	while (ok && !stop_asked()) {
		ok = search_body_next(b->search, sha256, &size, &end, err);
		if (!ok || end)
			break;
		ok = one(b, sha256, size, err);
		search_screen_show(&b->screen, ++b->done, b->all);
	}
	search_screen_clear(&b->screen);
	struct err flush;
	if (search_body_flush(b->search, &flush))
		return ok;
	if (ok)
		*err = flush;

	return false;
}

static void
announce(const struct bodies *b)
{
	char count[32];
	if (!b->screen.quiet && b->all > 1000)
		fprintf(stderr,
		    "mailhaul: reading the text of %s messages, once; after "
		    "Ctrl-C the next find goes on\n",
		    text_count(count, sizeof(count), b->all));
}

/* What a search doesn't see is said, or an empty answer would lie. */
static bool
tell_coverage(struct search *search, const struct options *o, struct err *err)
{
	uint64_t left, unread, all;
	char count[32];
	if (!search_body_counts(search, &left, &unread, &all, err))
		return false;
	if (left > 0)
		fprintf(stderr,
		    "mailhaul: the text of %s messages is not searched%s\n",
		    text_count(count, sizeof(count), left),
		    search_is_kept(search)
			? ""
			: ": the archive's folder can't be written");
	if (unread > 0 && !o->quiet)
		fprintf(stderr,
		    "mailhaul: of %s messages not all text could be read\n",
		    text_count(count, sizeof(count), unread));

	return true;
}

bool
bodies_update(const struct archive_port *p, struct search *search,
    const struct options *o, struct err *err)
{
	struct bodies b = { .search = search,
		.screen = { .what = "reading text", .quiet = o->quiet } };
	uint64_t unread, all;
	struct err why;
	if (!search_body_counts(search, &b.all, &unread, &all, err))
		return false;
	if (b.all > 0 && search_is_kept(search)) {
		announce(&b);
		b.worker = text_worker_new();
		bool ok = reading_open(&b.reading, p, &why) && every(&b, &why);
		reading_close(&b.reading);
		text_worker_free(&b.worker);
		buf_free(&b.text);
		if (!ok)
			fprintf(stderr, "mailhaul: %s\n", why.text);
	}

	return tell_coverage(search, o, err);
}
