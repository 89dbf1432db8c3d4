#ifndef MAIL_MSGID_H
#define MAIL_MSGID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/header.h"

/*
 * Canonical Message-ID (RFC 5322 3.6.4): comments and folding removed, the
 * part between < and >, or the whole trimmed text where brackets lack, the
 * domain lower-cased. Empty if there is none. It only proposes.
 */
void msgid_canonical(struct buf *, struct header_slice field);
/* hash64 of the canonical form; 0 if empty. */
int64_t msgid_key(struct header_slice field);

#endif
