#include "refuse.h"

#include "base/buf.h"
#include "base/mem.h"
#include "nearest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const passwords[] = { "password", "passwd", "pass", "pw",
	"pwd", "secret", "token", "source_password", "source_pass", NULL };

/* What the design promises for another day. */
static const char *const later[] = { "target", "targets", "connections", "rate",
	"schedule", "budget", "deletions", "max_deletions", "delete_source",
	"delete_min_age", "accept_new_server", "dedup", "preset", "provider",
	"oauth", "token_command", "token_file", "source_token_command",
	"target_url", "target_user", "target_password", "target_password_file",
	"target_password_command", "target_authzid", "target_connect",
	"target_ca_file", NULL };

static bool
is_among(const char *name, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasecmp(name, *words) == 0)
			return true;

	return false;
}

static bool
refuse_password(const char *where, const char *full, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE,
	    "%s: %s: a password in this file is refused: such files are "
	    "copied, shown and kept in version control",
	    where, full);

	return err_hint(err,
	    "Give it by password_file: FILE or password_command: COMMAND "
	    "under source:, for each account by a column source_password, "
	    "source_password_file or source_password_command of the accounts "
	    "CSV, or by the variable MAILHAUL_SOURCE_PASSWORD.");
}

static void
list_keys(const struct key_table *table, struct buf *out)
{
	for (size_t i = 0; i < table->n; i++)
		buf_fmt(out, "%s%s", i == 0 ? "" : ", ", table->keys[i].name);
}

/* "url" or "source_url" on the top level; "archive" under source. */
static bool
refuse_level(const struct key_table *table, const char *where, const char *full,
    const char *name, struct err *err)
{
	const char *inner = strncmp(name, "source_", 7) == 0 ? name + 7 : name;

	if (table == &keys_top && keys_find(&keys_source, inner) != NULL)
		return !err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: %s: is written under source:, as %s:", where, full,
		    inner);
	if (table == &keys_source && keys_find(&keys_top, name) != NULL)
		return !err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: %s: is written on the top level, not under source:",
		    where, full);

	return false;
}

bool
refuse_key(const struct key_table *table, const char *where, const char *full,
    const char *name, struct err *err)
{
	struct nearest nearest = { .word = name };

	if (is_among(name, passwords))
		return refuse_password(where, full, err);
	if (is_among(name, later))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: %s: not in this version", where, full);
	if (refuse_level(table, where, full, name, err))
		return false;

	for (size_t i = 0; i < table->n; i++)
		nearest_offer(&nearest, table->keys[i].name);
	if (nearest.best != NULL)
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: %s: unknown key; did you mean %s?", where, full,
		    nearest.best);
	else
		err_set(err, ERR_RUN, ERR_USAGE, "%s: %s: unknown key", where,
		    full);
	struct buf known = { 0 };
	list_keys(table, &known);
	err_hint(err, "Known here: %s", known.data);
	buf_free(&known);

	return false;
}

bool
refuse_column(const char *where, const char *name, struct err *err)
{
	struct nearest nearest = { .word = name };
	struct buf known = { 0 };

	if (is_among(name, later))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: column %s: not in this version", where, name);
	nearest_offer(&nearest, "source_password");
	for (size_t i = 0; i < keys_row.n; i++)
		nearest_offer(&nearest, keys_row.keys[i].name);
	if (is_among(name, passwords))
		nearest.best = "source_password";
	err_set(err, ERR_RUN, ERR_USAGE, "%s: unknown column \"%s\"%s%s%s",
	    where, name, nearest.best != NULL ? "; did you mean " : "",
	    nearest.best != NULL ? nearest.best : "",
	    nearest.best != NULL ? "?" : "");
	list_keys(&keys_row, &known);
	err_hint(err,
	    "The first line names the columns. Known: source_password, %s",
	    known.data);
	buf_free(&known);

	return false;
}
