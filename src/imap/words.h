#ifndef IMAP_WORDS_H
#define IMAP_WORDS_H

#include "imap/session.h"

/*
 * What a server says to people, without what it was told at the login: some
 * repeat it in a refusal.  Hidden are the password, also as a quoted string
 * escapes it, its base64, and the base64 of AUTHENTICATE PLAIN, all without
 * regard to case; forms below 4 octets only as words of their own, or they
 * would hide parts of every sentence.  Whoever takes a password to pieces or
 * writes it otherwise is not stopped.  Only what is shown or written as the
 * server's words is hidden: names of mailboxes, keywords and mail stay as they
 * are, and so does what the program itself looks at.
 */

enum {
	IMAP_WORDS_MAX = 4096, /* octets of the server's that are looked at */
	IMAP_ALERTS_MAX = 10   /* a connection */
};

/* Add the text as it may be shown. */
void imap_words_hide(
    struct buf *, const struct imap_options *, const char *, size_t len);
/* Set .said of anything but NUMBERED; until the next call. */
void imap_words_take(struct imap_session *, struct imap_reply *);
/* RFC 9051 7.1: an ALERT has to be shown; .said must be set. */
void imap_words_alert(struct imap_session *, const struct imap_reply *);
/* err_words of the session's last response as a whole. Returns false. */
bool imap_words_of_line(const struct imap_session *, struct err *);

#endif
