#include "imap/listing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/mem.h"
#include "mail/name.h"

static bool
is_inbox(const char *name, size_t len)
{
	return len == 5 && strncasecmp(name, "INBOX", 5) == 0;
}

static size_t *
slot_of(struct imap_listing *l, const char *name, size_t len)
{
	uint64_t hash = 14695981039346656037U; /* FNV-1a */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 1099511628211U;
	size_t i = hash & (l->slot_count - 1);
	while (l->slots[i] != 0) {
		const struct imap_found *f = &l->found[l->slots[i] - 1];
		if (f->len == len && memcmp(f->name, name, len) == 0)
			break;
		i = (i + 1) & (l->slot_count - 1);
	}

	return &l->slots[i];
}

static void
grow(struct imap_listing *l)
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

struct imap_found *
imap_listing_find(struct imap_listing *l, const char *name, size_t len)
{
	/* INBOX is the one name without case (RFC 9051 5.1). */
	if (is_inbox(name, len))
		name = "INBOX";
	if (l->slot_count == 0)
		return NULL;
	size_t slot = *slot_of(l, name, len);

	return slot == 0 ? NULL : &l->found[slot - 1];
}

struct imap_found *
imap_listing_add(struct imap_listing *l, const char *name, size_t len)
{
	if (is_inbox(name, len))
		name = "INBOX";
	grow(l);
	size_t *slot = slot_of(l, name, len);
	if (*slot == 0) {
		l->found[l->count] = (struct imap_found){ .len = len,
			.name = mem_strn(name, len) };
		*slot = ++l->count;
	}

	return &l->found[*slot - 1];
}

void
imap_listing_set_status(
    struct imap_found *f, const struct imap_box_status *status)
{
	free((void *)f->status.mailbox_id);
	f->status = status->opened;
	f->status.mailbox_id =
	    *status->mailbox_id != 0 ? mem_str(status->mailbox_id) : NULL;
	f->has_status = true;
}

void
imap_listing_forget_statuses(struct imap_listing *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free((void *)l->found[i].status.mailbox_id);
		l->found[i].status = (struct source_opened){ 0 };
		l->found[i].has_status = false;
	}
}

/* ---- what is left out ---- */

static int
by_hash(const void *one, const void *two)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)two;

	return (a > b) - (a < b);
}

bool
imap_listing_leave_out(struct imap_listing *l, const char *octets, size_t len)
{
	uint64_t hash = (uint64_t)hash64_of(octets, len);
	if (l->known > 0 && bsearch(&hash, l->left_out, l->known, sizeof(hash),
				by_hash) != NULL)
		return false;
	if ((l->unlisted & (l->unlisted - 1)) == 0)
		l->left_out = mem_grow(l->left_out,
		    l->unlisted == 0 ? 1 : 2 * l->unlisted, sizeof(hash));
	l->left_out[l->unlisted++] = hash;

	return true;
}

void
imap_listing_again(struct imap_listing *l)
{
	imap_listing_forget_statuses(l);
	l->again = true;
	l->known = l->unlisted;
	if (l->known > 1)
		qsort(l->left_out, l->known, sizeof(*l->left_out), by_hash);
}

void
imap_listing_free(struct imap_listing *l)
{
	imap_listing_forget_statuses(l);
	for (size_t i = 0; i < l->count; i++)
		free(l->found[i].name);
	free(l->found);
	free(l->slots);
	free(l->left_out);
	*l = (struct imap_listing){ 0 };
}

/* ---- what looks the same ---- */

struct look {
	struct buf display;
	struct imap_found *found; /* borrowed from the listing */
};

static int
by_look(const void *one, const void *two)
{
	const struct look *a = one, *b = two;
	int order = strcmp(a->display.data, b->display.data);

	return order != 0 ? order : strcmp(a->found->name, b->found->name);
}

void
imap_listing_find_twins(struct imap_listing *l)
{
	struct look *looks = mem_array(l->count + 1, sizeof(*looks));
	for (size_t i = 0; i < l->count; i++) {
		struct imap_found *f = looks[i].found = &l->found[i];
		name_display(&looks[i].display, f->name, f->len, f->separator);
	}
	if (l->count > 1)
		qsort(looks, l->count, sizeof(*looks), by_look);
	for (size_t i = 0; i < l->count; i++)
		looks[i].found->twin =
		    i > 0 && strcmp(looks[i].display.data,
				 looks[i - 1].display.data) == 0;
	for (size_t i = 0; i < l->count; i++)
		buf_free(&looks[i].display);
	free(looks);
}

void
imap_listing_display(struct buf *out, const struct imap_found *f)
{
	name_display(out, f->name, f->len, f->separator);
	if (f->twin)
		name_mark(out, f->name, f->len);
}
