#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Where a password comes from; all borrowed, the first that is set wins in
 * this order: literal, file, command, environment variable, prompt. */
struct secret_from {
	/* "accounts.csv line 12": what names literal, file or command; NULL:
	 * the command line, which can't name a literal. */
	const char *origin;
	const char *literal; /* the password; its owner wipes it */
	const char *file;    /* "-": standard input */
	/* Run by /bin/sh -c, without MAILHAUL_…_PASSWORD of any side. */
	const char *command;
	/* MAILHAUL_SOURCE_PASSWORD; wiped and removed from environ, used or
	 * not */
	const char *variable;
	const char *prompt; /* asked on /dev/tty without echo; NULL: never */
};

/*
 * One buffer, mlock'ed where allowed, wiped by secret_free. One final newline
 * (LF or CRLF) is ignored, which origin says. NUL, CR or LF inside, or an
 * empty secret, is ERR_USAGE. Files must not be readable by others (a warning
 * is logged).
 */
struct secret {
	char *data; /* NUL-terminated */
	size_t len;
	char origin[200]; /* "--source-password-file pw.txt (11 octets; …)" */
};
/* side: "source" or "target", for texts. */
bool secret_get(struct secret *, const struct secret_from *, const char *side,
    struct err *);
void secret_free(struct secret *);
/* No core dumps, not dumpable: call before the first secret is read. */
void secret_guard_process(void);

#endif
