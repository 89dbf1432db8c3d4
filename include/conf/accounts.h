#ifndef CONF_ACCOUNTS_H
#define CONF_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/config.h"
#include "conf/secret.h"

/*
 * The accounts of a config: the rows of its CSV, its inline list, or the one
 * that its source's user is.
 *
 * The CSV: a header line with column names, then a row an account. UTF-8 with
 * or without BOM, LF or CRLF; fields apart by commas, quoted with " (doubled
 * inside) where they hold commas, quotes, line ends or blanks at an end;
 * blanks around unquoted fields are dropped; blank lines, and lines whose
 * first octet behind blanks is '#', are skipped. Limits: 4096 octets a field,
 * 64 KiB a row, 200,000 rows.
 *
 * Paths in a CSV are relative to the CSV's folder.
 *
 * Columns: source_user (required), source_password, source_password_file,
 * source_password_command, source_url, source_authzid, account, group, ended
 * (2026-01-31), comment; in any order.
 */

/* NULL: empty, or no such column. */
struct account {
	char *name; /* the key in the archive: the column account, or
		     * "user@host" as endpoint_account makes it (of the
		     * authzid, where one is given); unique in the list */
	char *url;  /* "imaps://alice@host:993/" for endpoint_parse, with the
		     * user; never a password */
	char *authzid, *group, *ended, *comment;
	/* At most one; wiped by accounts_free. */
	char *password, *password_file, *password_command;
	unsigned line; /* in the file that names it, from 1 */
};

struct accounts {
	struct account *items; /* in the file's order */
	size_t n;              /* never 0 after success */
	char *path;            /* the CSV; the config if it has the rows */
};

/*
 * All of them, or none. ERR_RUN, ERR_USAGE with "FILE:LINE: …": no or unknown
 * columns (the nearest known is named), rows with too many or too few fields,
 * no user, two rows of one key, two passwords, none (unless the config's
 * source has password_file or password_command, or password_elsewhere says
 * that the caller knows one). A CSV with a column source_password that group
 * or others can read is refused with the chmod that helps, as is a file that
 * names commands and that others can write. Memory: about 300 octets a row.
 */
bool accounts_read(struct accounts *, const struct config *,
    bool password_elsewhere, struct err *);
void accounts_free(struct accounts *);

/*
 * Where this account's password comes from: its row, or else the config's
 * source. A *from that names a file or a command (the command line's) stays as
 * it is; variable and prompt stay in any case, and are asked for where neither
 * row nor config says anything. Borrows from all three. origin: room for
 * "accounts.csv line 12", needed as long as *from.
 */
enum { ACCOUNT_ORIGIN_SIZE = 128 };
void accounts_secret(const struct accounts *, size_t i, const struct config *,
    char origin[ACCOUNT_ORIGIN_SIZE], struct secret_from *from);

#endif
