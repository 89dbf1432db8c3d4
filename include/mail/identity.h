#ifndef MAIL_IDENTITY_H
#define MAIL_IDENTITY_H

#include <stdint.h>

#include "mail/content.h"
#include "mail/header.h"

enum { IDENTITY_VERSION = 1 };

/*
 * Versioned hash of a canonical form that survives servers which rewrite
 * headers or line ends: canonical Message-ID; Date, From, To, Cc, Subject
 * without white space; the first 8 KiB behind the header section without
 * CR, LF, blank and tab. It finds a message again; it never drops one.
 */
int64_t identity_key(const struct content *, const struct header_fields *);

#endif
