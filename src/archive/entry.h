#ifndef ARCHIVE_ENTRY_H
#define ARCHIVE_ENTRY_H

#include "mail/target.h"
#include "libarchive.h"

/* What an entry of a volume is called and says of itself (DESIGN 6). */

#define ENTRY_CATALOG_JSON ".mailhaul/CATALOG.jsonl"
#define ENTRY_CATALOG_TSV ".mailhaul/CATALOG.tsv"
#define ENTRY_UNPACK ".mailhaul/unpack.sh"
#define ENTRY_SHARED ".mailhaul/shared/"
#define ENTRY_XATTR_ORIGIN "user.mailhaul.origin"
#define ENTRY_XATTR_SHA256 "user.mailhaul.sha256"
#define ENTRY_XATTR_BODY "user.mailhaul.body"

/* "ACCOUNT/MAILBOX" as a safe path, short enough for KEPT_ENTRY together with
 * any message name. */
void entry_mailbox(struct buf *, const char *account, const char *display);
/* "MAILBOX/cur/NAME", or for a header alone
 * ".mailhaul/shared/MAILBOX/NAME.hdr". mailbox: from entry_mailbox. False:
 * longer than KEPT_ENTRY allows. */
bool entry_message(char out[KEPT_ENTRY], const char *mailbox,
    const struct placement *, uint64_t uidvalidity, uint64_t size,
    bool header_only);
/* The tree's path that a .hdr entry is joined into; false if it is none. */
bool entry_joined(char out[KEPT_ENTRY], const char *header_entry);
/* A path that may be extracted: relative, no "..", no empty component, no
 * backslash or control character, and none of these in a hardlink. */
bool entry_is_safe(const char *path);

/* Start a header: everything but what a message's attributes add. */
void entry_directory(struct archive_entry *, const char *path, int64_t mtime);
void entry_file(
    struct archive_entry *, const char *path, uint64_t size, int64_t mtime);

struct entry_origin {
	const char *account, *mailbox; /* display */
	const char *wire;              /* the mailbox's wire name */
	char separator;                /* 0: flat */
	uint64_t uidvalidity;
	const struct placement *placement;
};
/*
 * Origin and content hash, and of a reference its body: <= 2 KiB in all. What
 * the catalog tells of an entry of a volume that never got one; a wire name or
 * keywords too long for that are null.
 */
void entry_attributes(struct archive_entry *, const struct entry_origin *,
    const uint8_t sha256[32], const struct kept *body);

#endif
