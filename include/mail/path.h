#ifndef MAIL_PATH_H
#define MAIL_PATH_H

#include <stdint.h>

#include "base/buf.h"

enum {
	PATH_COMPONENT_MAX = 200,
	/* Leaves room for account and file name in a KEPT_ENTRY. */
	PATH_MAILBOX_MAX = 1000
};

/*
 * A name as one safe path component (DESIGN 6): valid UTF-8 in NFC (what NFC
 * would change is written as %XX, for readers compose names); %XX for controls,
 * "% \ : * ? [ ] \" < > | /", a leading '-', '.' or '~', a trailing dot or
 * blank, and the first octet of what equals, without regard to case, cur, new,
 * tmp, dovecot*, subscriptions, mailhaul.jsonl or a device name of Windows.
 * Over PATH_COMPONENT_MAX octets: a prefix, "%~" and 16 hex digits of its
 * SHA-256. Injective but for the hash; never empty ("%empty"), "." or "..".
 */
void path_component(struct buf *, const char *, size_t len);
/* A display name with '/' between levels: each level a component. Over
 * PATH_MAILBOX_MAX octets: as many levels as fit and "%~", a hash of all. */
void path_mailbox(struct buf *, const char *display);
/* "1732183200.V1U42.mailhaul,S=1234:2,FS": a Maildir file name that
 * is unique for (uidvalidity, uid) in its mailbox. */
void path_message(struct buf *, int64_t idate, uint64_t uidvalidity,
    uint64_t uid, uint64_t size, uint8_t flags);

#endif
