/* The framer, the reply and FETCH parsers and the window over any octets. */
#include <stdlib.h>

#include "imap/fetch.h"
#include "imap/frame.h"
#include "imap/reply.h"
#include "imap/window.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct memory {
	const char *data;
	size_t len, at, step;
};

static bool
memory_peek(
    void *arg, size_t min, const char **data, size_t *len, struct err *err)
{
	struct memory *m = arg;
	size_t left = m->len - m->at;
	*len = left < m->step ? left : m->step;
	*data = m->data + m->at;

	return *len >= min ||
	       err_set(err, ERR_ACCOUNT, ERR_NETWORK, "end of memory");
}

static void
memory_take(void *arg, size_t n)
{
	((struct memory *)arg)->at += n;
}

static bool
sink_begin(
    void *arg, const char *text, size_t len, uint64_t size, struct err *err)
{
	(void)arg;
	(void)text;
	(void)len;
	(void)size;
	(void)err;

	return true;
}

static bool
sink_add(void *arg, const void *data, size_t len, struct err *err)
{
	(void)data;
	(void)err;
	*(uint64_t *)arg += len;

	return true;
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
		if (i > 0 && w->items[i].uid <= w->items[i - 1].uid)
			abort();
	}
	free(keywords);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	/* The first octet chooses how the rest trickles in. */
	struct memory m = { (const char *)data + 1, size - 1, 0,
		(size_t)data[0] + 1 };
	struct imap_frame f;
	struct imap_reply r;
	struct imap_fetch fetch = { 0 };
	struct imap_window *w = imap_window_new(1, UINT32_MAX);
	uint64_t sunk = 0;
	struct err err;
	imap_frame_init(
	    &f, (struct imap_input){ &m, memory_peek, memory_take });
	f.sink = (struct imap_sink){ &sunk, sink_begin, sink_add };
	f.line_max = 4096;
	f.literal_max = 512;
	while (imap_frame_read(&f, &err)) {
		const char *bad = NULL;
		imap_reply_parse(&r, &f);
		if (r.kind != IMAP_NUMBERED || !imap_text_is(&r.name, "FETCH"))
			continue;
		bool good = imap_fetch_parse(&fetch, r.rest, &bad);
		if (good != (bad == NULL))
			abort();
		if (fetch.uid != 0)
			imap_window_add(w, &fetch, bad);
	}
	tell(w);
	imap_window_free(&w);
	imap_fetch_free(&fetch);
	imap_frame_free(&f);

	return 0;
}
