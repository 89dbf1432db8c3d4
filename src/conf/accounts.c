#include "conf/accounts.h"

#include "base/mem.h"
#include "base/text.h"
#include "conf/endpoint.h"
#include "input.h"
#include "keys.h"
#include "refuse.h"
#include "roster.h"
#include "sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A CSV being read. */
struct reading {
	struct roster *roster;
	const char *path;
	const struct stat *st;
	/* Where each column's text goes in a struct entry. */
	size_t at[SHEET_CELLS_MAX];
	const char *names[SHEET_CELLS_MAX]; /* borrowed from keys_row */
	size_t columns;                     /* 0: the header is still to come */
};

static const char password_column[] = "source_password";

static bool
has_column(const struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->columns; i++)
		if (strcmp(r->names[i], name) == 0)
			return true;

	return false;
}

static bool
refuse(const struct reading *r, unsigned line, const char *why, struct err *err)
{
	return err_set(
	    err, ERR_RUN, ERR_USAGE, "%s:%u: %s", r->path, line, why);
}

/* The next column of the header. */
static bool
add_column(struct reading *r, const char *cell, unsigned line, struct err *err)
{
	char where[300], name[60];
	const struct key *key = keys_find(&keys_row, cell);
	bool password = strcmp(cell, password_column) == 0;

	text_escape_to(name, sizeof(name), cell, strlen(cell));
	snprintf(where, sizeof(where), "%.280s:%u", r->path, line);
	if (cell[0] == '\0')
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: column %zu has no name", where, r->columns + 1);
	if (key == NULL && !password)
		return refuse_column(where, name, err);
	if (has_column(r, cell))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: column %s stands there twice", where, name);
	r->names[r->columns] = password ? password_column : key->name;
	r->at[r->columns++] = password ? offsetof(struct entry, password)
				       : offsetof(struct entry, row) + key->at;

	return true;
}

/* Who else may read or write a file with such columns. */
static bool
check_rights(const struct reading *r, struct err *err)
{
	if (has_column(r, password_column) &&
	    !input_is_ours(
		r->path, r->st, S_IRWXG | S_IRWXO, "it holds passwords", err))
		return false;

	return !has_column(r, "source_password_command") ||
	       input_is_ours(r->path, r->st, S_IWGRP | S_IWOTH,
		   "it names commands that are run", err);
}

static bool
take_header(struct reading *r, const struct sheet_row *row, struct err *err)
{
	if (row->n == 1 && strchr(row->cells[0], ';') != NULL) {
		refuse(r, row->line,
		    "the fields seem to be apart by semicolons; commas are "
		    "needed",
		    err);
		return err_hint(err,
		    "The first line names the columns: "
		    "source_user,source_password. imapsync's lists are not "
		    "read by this version.");
	}
	if (row->n > SHEET_CELLS_MAX)
		return refuse(r, row->line, "too many columns", err);
	for (size_t i = 0; i < row->n; i++)
		if (!add_column(r, row->cells[i], row->line, err))
			return false;
	if (!has_column(r, "source_user"))
		return refuse(r, row->line,
		    "the first line names the columns, and source_user must "
		    "be among them",
		    err);

	return check_rights(r, err);
}

static bool
refuse_count(
    const struct reading *r, const struct sheet_row *row, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE,
	    "%s:%u: %zu field%s, but the header names %zu column%s", r->path,
	    row->line, row->n, row->n == 1 ? "" : "s", r->columns,
	    r->columns == 1 ? "" : "s");

	return err_hint(
	    err, "A field that holds a comma is written in quotes: \"a,b\"");
}

static bool
take_row(void *arg, const struct sheet_row *row, struct err *err)
{
	struct reading *r = arg;
	struct entry entry = { .path = r->path, .line = row->line };

	if (r->columns == 0)
		return take_header(r, row, err);
	if (row->n != r->columns)
		return refuse_count(r, row, err);
	for (size_t i = 0; i < row->n; i++)
		if (row->cells[i][0] != '\0')
			*(const char **)(void *)((char *)&entry + r->at[i]) =
			    row->cells[i];

	return roster_take(r->roster, &entry, err);
}

static bool
read_csv(struct roster *roster, const char *path, struct err *err)
{
	struct stat st;
	struct reading r = { .roster = roster, .path = path, .st = &st };
	int fd = input_open(path, &st, err);

	if (fd < 0)
		return false;
	bool ok = sheet_read(fd, path, take_row, &r, err);
	close(fd);
	if (!ok)
		return false;

	return roster->accounts->n > 0 ||
	       err_set(err, ERR_RUN, ERR_USAGE, "%s: %s", path,
		   r.columns == 0
		       ? "is empty; the first line names the columns, like "
			 "source_user,source_password"
		       : "names no account; a row for each stands below the "
			 "header");
}

static bool
read_rows(struct roster *roster, struct err *err)
{
	const struct config *c = roster->config;

	for (uint32_t i = 0; i < c->row_count; i++) {
		char key[32];
		snprintf(key, sizeof(key), "accounts[%u]", (unsigned)i);
		const struct entry entry = { .row = c->rows[i],
			.path = c->path,
			.line = config_line(c, key),
			.joined = true };
		if (!roster_take(roster, &entry, err))
			return false;
	}

	return true;
}

/* The only one, that the source names. */
static bool
read_single(struct roster *roster, struct err *err)
{
	const struct config *c = roster->config;
	const struct config_side *s = &c->source;
	struct endpoint e = { 0 };
	struct entry entry = { .path = c->path,
		.line = config_line(
		    c, s->user != NULL ? "source.user" : "source.url") };

	/* config_read parsed it already. */
	if (s->url != NULL && !endpoint_parse(&e, s->url, err))
		return false;
	entry.row.source_user = s->user != NULL ? s->user : e.user;
	entry.row.source_authzid = s->authzid;
	bool ok = entry.row.source_user != NULL
		      ? roster_take(roster, &entry, err)
		      : err_set(err, ERR_RUN, ERR_USAGE,
			    "%s: accounts: is missing; the path of a CSV, or "
			    "a list of accounts, or one user in source: "
			    "{ user: … }",
			    c->path);
	endpoint_free(&e);

	return ok;
}

bool
accounts_read(struct accounts *a, const struct config *c,
    bool password_elsewhere, struct err *err)
{
	struct roster roster = { .accounts = a,
		.config = c,
		.password_elsewhere = password_elsewhere };
	bool ok;

	*a = (struct accounts){ 0 };
	a->path = mem_str(c->accounts != NULL ? c->accounts : c->path);
	if (c->accounts != NULL)
		ok = read_csv(&roster, c->accounts, err);
	else if (c->rows != NULL)
		ok = read_rows(&roster, err);
	else
		ok = read_single(&roster, err);
	ok = ok && roster_check(&roster, err);
	if (!ok)
		accounts_free(a);

	return ok;
}

static void
free_account(struct account *a)
{
	if (a->password != NULL)
		explicit_bzero(a->password, strlen(a->password));
	free(a->name);
	free(a->url);
	free(a->authzid);
	free(a->group);
	free(a->ended);
	free(a->comment);
	free(a->password);
	free(a->password_file);
	free(a->password_command);
}

void
accounts_free(struct accounts *a)
{
	for (size_t i = 0; i < a->n; i++)
		free_account(&a->items[i]);
	free(a->items);
	free(a->path);
	*a = (struct accounts){ 0 };
}

/* A long path's end tells more than its beginning. */
static void
name_origin(char *out, const char *path, unsigned line)
{
	const char *slash = strrchr(path, '/');
	bool is_long = strlen(path) > ACCOUNT_ORIGIN_SIZE - 28;

	snprintf(out, ACCOUNT_ORIGIN_SIZE, "%.100s line %u",
	    is_long && slash != NULL ? slash + 1 : path, line);
}

void
accounts_secret(const struct accounts *all, size_t i, const struct config *c,
    char origin[ACCOUNT_ORIGIN_SIZE], struct secret_from *from)
{
	const struct account *a = &all->items[i];
	const struct config_side *s = &c->source;

	if (from->file != NULL || from->command != NULL)
		return;
	from->origin = origin;
	from->literal = a->password;
	from->file = a->password_file;
	from->command = a->password_command;
	name_origin(origin, all->path, a->line);
	if (from->literal != NULL || from->file != NULL ||
	    from->command != NULL)
		return;
	from->file = s->password_file;
	from->command = s->password_command;
	name_origin(origin, c->path,
	    config_line(c, s->password_file != NULL
			       ? "source.password_file"
			       : "source.password_command"));
}
