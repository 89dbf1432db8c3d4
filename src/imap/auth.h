#ifndef IMAP_AUTH_H
#define IMAP_AUTH_H

#include "imap/session.h"

enum imap_exchange {
	IMAP_EXCHANGE_SASL, /* by libetpan and libsasl2 */
	IMAP_EXCHANGE_LOGIN /* the LOGIN command */
};

struct imap_mechanism {
	const char *name;
	const char *capability; /* NULL: unless LOGINDISABLED */
	enum imap_exchange exchange;
	bool clear; /* the password itself crosses the wire */
	bool first; /* the client speaks first: SASL-IR is of use */
};

/*
 * The best mechanism that the server offers and options allow; without TLS one
 * that doesn't send the password itself, if there is any. NULL with *err if
 * there is none.
 */
const struct imap_mechanism *imap_auth_choose(
    const struct imap_session *, struct err *);
/* One attempt; a refusal is ERR_LOGIN, final (or a pause asked for). */
bool imap_auth_login(struct imap_session *, struct err *);

#endif
