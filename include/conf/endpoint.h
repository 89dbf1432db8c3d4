#ifndef CONF_ENDPOINT_H
#define CONF_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum endpoint_kind {
	ENDPOINT_IMAPS,   /* implicit TLS, 993 */
	ENDPOINT_IMAP,    /* STARTTLS required, 143 */
	ENDPOINT_ARCHIVE, /* archive:DIR, or a bare path */
	ENDPOINT_MAILDIR  /* maildir:DIR (export) */
};

struct endpoint {
	enum endpoint_kind kind;
	char *user;    /* percent-decoded; NULL: none given */
	char *host;    /* lower-case; IPv6 without brackets */
	uint16_t port; /* never 0 for IMAP */
	char *mailbox; /* UTF-8, percent-decoded; NULL: all */
	char *path;    /* ARCHIVE, MAILDIR */
};

/*
 * DESIGN 9. The last '@' before the host separates user and host. A password
 * in the URL is refused with the ways to give one; unknown schemes with the
 * known ones. ERR_RUN, ERR_USAGE.
 */
bool endpoint_parse(struct endpoint *, const char *text, struct err *);
void endpoint_free(struct endpoint *);
/* "imaps://alice@host:993/": never a secret; default ports left out. */
void endpoint_text(struct buf *, const struct endpoint *);
/* The account's key: lower-case "user@host" (user alone if it ends in
 * "@host"), without port or TLS mode. */
void endpoint_account(struct buf *, const struct endpoint *);

#endif
