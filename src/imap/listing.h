#ifndef IMAP_LISTING_H
#define IMAP_LISTING_H

#include "imap/status.h"

enum {
	IMAP_MAILBOXES_MAX = 1 << 20, /* an account */
	/* A name that is shown has three times as many where all of them are
	 * %XX, and what reads archives takes 64 KiB. */
	IMAP_NAME_MAX = 16 << 10
};

struct imap_found {
	char *name; /* wire form for outside, see names.h */
	size_t len;
	char separator;
	uint32_t attributes;
	bool listed; /* LIST said it; else only LSUB or STATUS did */
	bool told;   /* shown to the caller */
	bool twin;   /* another one looks the same to people */
	bool has_status;
	struct source_opened status; /* .mailbox_id owned; zeros: not told */
};

/* The mailboxes of an account, each once. */
struct imap_listing {
	struct imap_found *found;
	size_t count, cap;
	size_t *slots; /* hash of names: index into found + 1; 0: free */
	size_t slot_count;
	bool subscribed; /* reading LSUB */
	bool again;      /* looking for statuses and new names */
	uint64_t unlisted;
	uint64_t *left_out; /* owned; a hash of each of those, … */
	size_t known;       /* … of which so many are sorted */
};

/* NULL: there is none. INBOX without regard to case. */
struct imap_found *imap_listing_find(
    struct imap_listing *, const char *name, size_t len);
struct imap_found *imap_listing_add(
    struct imap_listing *, const char *name, size_t len);
void imap_listing_set_status(
    struct imap_found *, const struct imap_box_status *);
void imap_listing_forget_statuses(struct imap_listing *);
/* Of those that look the same, all but the first in the order of their names
 * on the wire are twins: a separator becomes '/' in all of them, and invalid
 * UTF-8 %XX. */
void imap_listing_find_twins(struct imap_listing *);
/* As people see it: no other of those that were listed at first has the same.
 */
void imap_listing_display(struct buf *out, const struct imap_found *);
/* A name that can't be used, by its octets, or a line that can't be read: false
 * if it was left out before the listing was begun again. */
bool imap_listing_leave_out(
    struct imap_listing *, const char *octets, size_t len);
/* Looking for statuses and new names from here on. */
void imap_listing_again(struct imap_listing *);
void imap_listing_free(struct imap_listing *);

#endif
