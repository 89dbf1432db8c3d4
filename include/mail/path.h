#ifndef MAIL_PATH_H
#define MAIL_PATH_H

#include <stdint.h>

#include "base/buf.h"

/*
 * A name as one safe path component (DESIGN 6): valid UTF-8; %XX for controls,
 * "% \ : * ? [ ] \" < > | /", a leading '-' or '.', a trailing dot or blank,
 * and for components equal without regard to case to cur, new, tmp, dovecot*,
 * .mailhaul; over 200 octets: a prefix, "%~" and 16 hex digits of its SHA-256.
 * Injective but for the hash; never empty, "." or "..".
 */
void path_component(struct buf *, const char *, size_t len);
/* A display name with '/' between levels: each level a component. */
void path_mailbox(struct buf *, const char *display);
/* "1732183200.Mffff0000V1U42.mailhaul,S=1234:2,FS": a Maildir file name that
 * is unique for (uidvalidity, uid) in its mailbox. */
void path_message(struct buf *, int64_t idate, uint64_t uidvalidity,
    uint64_t uid, uint64_t size, uint8_t flags);

#endif
