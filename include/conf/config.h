#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The file of `mailhaul run -c FILE`: YAML whose keys are the command line's
 * long options, with `_` for `-`; schemas/config.schema.json says the same to
 * editors. NULL, 0 items and false mean: not given. Texts are valid UTF-8
 * without control characters, never empty. Paths are joined to the folder of
 * the file that names them, so that they fit the process's own folder.
 */

/* The limits of numbers, here and on the command line. */
enum {
	CONFIG_JOBS_MAX = 64,
	CONFIG_JOBS_DEFAULT = 4,
	CONFIG_ROWS_MAX = 1000, /* accounts in the file itself */
	CONFIG_LEVEL_MAX = 19,
	CONFIG_THREADS_MAX = 64,
	CONFIG_RETRIES_MAX = 1000000,
	CONFIG_TIMEOUT_MAX = 86400,
	CONFIG_WINDOW_MAX = 10000,
	CONFIG_LOGIN_FAILURES_MAX = 1000,
	CONFIG_LOGIN_FAILURES_DEFAULT = 5
};

struct config_list {
	char **items;
	uint32_t n;
};

/* What stands under `source:`. */
struct config_side {
	/* An IMAP endpoint without password. Its user, if any, is the only
	 * account's: then there are no accounts in the file. */
	char *url;
	char *user; /* the same, beside the URL */
	char *ca_file, *tls_pin, *tls, *connect, *cert, *key, *auth, *authzid,
	    *compress;
	/* For the accounts whose rows name no password of their own. */
	char *password_file, *password_command;
	bool allow_plaintext, allow_preauth;
};

/* An account written in the file itself; the columns of the CSV, see
 * conf/accounts.h. A password is not among them. */
struct config_row {
	char *source_user, *source_password_file, *source_password_command,
	    *source_url, *source_authzid, *account, *group, *ended, *comment;
};

struct config {
	char *archive; /* a folder's path, never with a scheme */
	char *index, *report, *ca_file;
	struct config_side source;
	/* At most one of both: a CSV's path, or the rows themselves. */
	char *accounts;
	struct config_row *rows;
	uint32_t row_count;
	/* what is copied; texts as on the command line */
	struct config_list include, exclude;
	char *since, *before, *namespaces;
	/* Texts that text_parse_size takes. */
	char *max_size, *volume_size, *min_free;
	char *retry_wait; /* seconds, "0.5"; 0 to 3600 */
	/* Within the limits above; NULL: not given. */
	uint64_t *jobs, *level, *threads, *retries, *window, *timeout,
	    *max_login_failures;
	bool self_contained;
	char *progress, *log_format;

	/* Not in the file: its path as given, and where its keys stand. */
	char *path;
	struct config_places *places;
};

/*
 * Read and judge the file; *out is NULL on failure. Every refusal is ERR_RUN,
 * ERR_USAGE with "FILE:LINE: KEY: …" and what is allowed: unknown, repeated
 * and later versions' keys, wrong kinds and ranges, passwords, aliases and
 * anchors, more than 1 MiB, more than one document, octets that are no UTF-8.
 * A file that others may write, or the group if it names a command, is refused
 * too: who writes it runs programs as us.
 */
bool config_read(struct config **out, const char *path, struct err *);
void config_free(struct config *);

/*
 * "FILE:LINE: source.tls" of a key, for errors that are found later; for one
 * that isn't in the file "FILE: source.tls". key: with '.' between levels;
 * "accounts[3]" is the fourth row. Returns out.
 */
char *config_where(
    const struct config *, const char *key, char *out, size_t size);
/* The key's line, from 1; 0 if it isn't in the file. */
unsigned config_line(const struct config *, const char *key);

#endif
