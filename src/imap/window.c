#include "imap/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "imap/words.h"

struct imap_window *
imap_window_new(uint32_t lo, uint32_t hi)
{
	struct imap_window *w = mem_new(sizeof(*w));
	w->lo = w->wanted_at = lo;
	w->hi = hi;

	return w;
}

void
imap_window_free(struct imap_window **window)
{
	if (*window == NULL)
		return;
	free((*window)->items);
	buf_free(&(*window)->arena);
	free(*window);
	*window = NULL;
}

static void
copy_text(
    struct imap_window *w, struct imap_item *item, const struct imap_fetch *f)
{
	if (f->has_email_id && w->arena.len < IMAP_ARENA_MAX) {
		item->email_id = w->arena.len + 1;
		buf_add(&w->arena, f->email_id.data, f->email_id.len + 1);
	}
	if (f->has_message_id && w->arena.len < IMAP_ARENA_MAX) {
		item->message_id = w->arena.len + 1;
		buf_add(&w->arena, f->message_id.data, f->message_id.len + 1);
	}
	uint32_t dropped = f->keywords_dropped;
	if (w->arena.len + f->keywords.len > IMAP_ARENA_MAX) {
		dropped += f->keyword_count;
	} else if (f->keyword_count > 0) {
		item->keyword_count = f->keyword_count;
		item->keywords = w->arena.len;
		buf_add(&w->arena, f->keywords.data, f->keywords.len);
	}
	if (dropped > 0)
		log_add(LOG_WARN,
		    "UID %u: %u keywords are left out, as they are no atoms "
		    "or too many",
		    item->uid, dropped);
}

bool
imap_window_add(
    struct imap_window *w, const struct imap_fetch *f, const char *bad)
{
	if (w->count == IMAP_WINDOW_ITEMS)
		imap_window_finish(w);
	if (w->count == IMAP_WINDOW_ITEMS)
		return false;
	if (w->count == w->cap) {
		w->cap = w->cap == 0 ? 256 : w->cap * 2;
		w->items = mem_grow(w->items, w->cap, sizeof(*w->items));
	}
	struct imap_item *item = &w->items[w->count++];
	*item = (struct imap_item){ .uid = (uint32_t)f->uid,
		.order = w->arrived++,
		.flags = f->flags,
		.full = f->has_date || f->has_size,
		.zone = f->zone,
		.idate = f->idate,
		.size = f->size,
		.modseq = f->modseq,
		.keywords = w->arena.len,
		.bad = bad };
	copy_text(w, item, f);

	return true;
}

void
imap_window_add_nameless(struct imap_window *w, const struct imap_session *s)
{
	struct buf said = { 0 };
	w->nameless++;
	imap_words_hide(
	    &said, s->options, s->frame.text.data, s->frame.text.len);
	text_escape_to(w->nameless_line, sizeof(w->nameless_line), said.data,
	    said.len < sizeof(w->nameless_line) ? said.len
						: sizeof(w->nameless_line));
	buf_free(&said);
}

/* By UID; of equal ones the one to keep first: good, full, then the first of
 * full ones, but the last of those that tell flags alone. */
static int
by_uid(const void *a, const void *b)
{
	const struct imap_item *x = a, *y = b;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	if ((x->bad == NULL) != (y->bad == NULL))
		return x->bad == NULL ? -1 : 1;
	if (x->full != y->full)
		return x->full ? -1 : 1;
	int later = (x->order > y->order) - (x->order < y->order);

	return x->full ? later : -later;
}

void
imap_window_finish(struct imap_window *w)
{
	bool sorted = true;
	for (size_t i = 1; sorted && i < w->count; i++)
		sorted = w->items[i - 1].uid < w->items[i].uid;
	if (sorted)
		return;
	qsort(w->items, w->count, sizeof(*w->items), by_uid);
	size_t kept = 1;
	for (size_t i = 1; i < w->count; i++)
		if (w->items[i].uid != w->items[kept - 1].uid)
			w->items[kept++] = w->items[i];
	w->count = kept;
}

void
imap_window_placement(const struct imap_window *w, const struct imap_item *item,
    struct placement *p, const char ***keywords, size_t *keywords_cap)
{
	if (*keywords_cap < item->keyword_count) {
		*keywords_cap = item->keyword_count;
		*keywords =
		    mem_grow(*keywords, *keywords_cap, sizeof(**keywords));
	}
	const char *at =
	    item->keyword_count > 0 ? w->arena.data + item->keywords : NULL;
	for (uint32_t i = 0; i < item->keyword_count; i++) {
		(*keywords)[i] = at;
		at += strlen(at) + 1;
	}
	*p = (struct placement){ .okey = item->uid,
		.size = item->size,
		.idate = item->idate,
		.zone = item->zone,
		.flags = item->flags,
		.keyword_count = item->keyword_count,
		.keywords = *keywords,
		.email_id = item->email_id != 0
				? w->arena.data + item->email_id - 1
				: NULL,
		.message_id = item->message_id != 0
				  ? w->arena.data + item->message_id - 1
				  : NULL,
		.modseq = item->modseq };
}
