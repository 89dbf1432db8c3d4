#include "roster.h"

#include "base/buf.h"
#include "base/mem.h"
#include "conf/endpoint.h"
#include "input.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More rows would take more memory than a run is allowed. */
enum { ACCOUNTS_MAX = 200000 };

__attribute__((format(printf, 3, 4))) static bool
refuse(const struct entry *e, struct err *err, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	return err_set(
	    err, ERR_RUN, ERR_USAGE, "%s:%u: %s", e->path, e->line, text);
}

static bool
has_controls(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return true;

	return false;
}

static bool
check_cells(const struct entry *e, struct err *err)
{
	const struct config_row *r = &e->row;
	const struct {
		const char *name, *text;
	} cells[] = {
		{ "source_user", r->source_user },
		{ "source_password", e->password },
		{ "source_password_file", r->source_password_file },
		{ "source_password_command", r->source_password_command },
		{ "source_url", r->source_url },
		{ "source_authzid", r->source_authzid },
		{ "account", r->account },
		{ "group", r->group },
		{ "ended", r->ended },
	};
	if (r->source_user == NULL)
		return refuse(e, err, "names no source_user");
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		if (has_controls(cells[i].text))
			return refuse(e, err,
			    "%s holds a control character or more than one "
			    "line",
			    cells[i].name);
	if (r->ended != NULL && !input_is_day(r->ended))
		return refuse(e, err,
		    "ended: \"%.40s\" is not a day like 2026-01-31", r->ended);

	return true;
}

static bool
check_password(const struct roster *r, const struct entry *e, struct err *err)
{
	const struct config_side *side = &r->config->source;
	const char *file = e->row.source_password_file;
	int given = (e->password != NULL) + (file != NULL) +
		    (e->row.source_password_command != NULL);

	if (given > 1)
		return refuse(e, err,
		    "gives more than one of source_password, "
		    "source_password_file and source_password_command");
	if (file != NULL && strcmp(file, "-") == 0)
		return refuse(e, err,
		    "source_password_file: standard input can't be read once "
		    "for each account; write a file's path");
	if (given == 1 || r->password_elsewhere ||
	    side->password_file != NULL || side->password_command != NULL)
		return true;

	refuse(e, err, "gives no password for %s", e->row.source_user);

	return err_hint(err,
	    "Fill one of the columns source_password, source_password_file "
	    "and source_password_command, or write password_file: or "
	    "password_command: under source: in the config file.");
}

/* The server alone, from the row or the config. */
static bool
parse_url(const struct roster *r, const struct entry *e, struct endpoint *to,
    struct err *err)
{
	const char *own = e->row.source_url;
	const char *url = own != NULL ? own : r->config->source.url;
	struct err cause = { 0 };

	if (url == NULL)
		return refuse(e, err,
		    "names no source_url, and neither does the config file "
		    "(source: { url: \"imaps://HOST/\" })");
	if (!endpoint_parse(to, url, &cause)) {
		refuse(e, err, "source_url: %s", cause.text);
		if (cause.hint[0] != '\0')
			err_hint(err, "%s", cause.hint);
		return false;
	}
	if (to->kind != ENDPOINT_IMAPS && to->kind != ENDPOINT_IMAP)
		refuse(e, err,
		    "source_url: must be a server: imaps://HOST[:PORT]/ or, "
		    "with STARTTLS, imap://HOST[:PORT]/");
	else if (own != NULL && to->user != NULL)
		refuse(e, err,
		    "source_url: names a user; write that into source_user, "
		    "and imaps://HOST[:PORT]/ here");
	else
		return true;
	endpoint_free(to);

	return false;
}

/* The name that the account has without one in its row: that of the mail
 * opened, not of the login that opens it. */
static char *
make_name(struct endpoint *server, const struct config_row *row)
{
	struct buf name = { 0 };
	char *user = server->user;

	if (row->account != NULL)
		return mem_str(row->account);
	if (row->source_authzid != NULL)
		server->user = row->source_authzid;
	endpoint_account(&name, server);
	server->user = user;

	return buf_steal(&name);
}

static struct account *
append(struct roster *r)
{
	struct accounts *all = r->accounts;

	/* Passwords are pointed at: an array that moves leaves none behind. */
	if (all->n == r->room) {
		r->room = r->room == 0 ? 64 : 2 * r->room;
		all->items = mem_grow(all->items, r->room, sizeof(*all->items));
	}
	struct account *a = &all->items[all->n++];
	*a = (struct account){ 0 };

	return a;
}

static char *
beside(const struct entry *e, const char *path)
{
	if (path == NULL || e->joined)
		return mem_str(path);

	return input_beside(e->path, path);
}

bool
roster_take(struct roster *r, const struct entry *e, struct err *err)
{
	const struct config_row *row = &e->row;
	struct endpoint server = { 0 };
	struct buf url = { 0 };

	if (r->accounts->n == ACCOUNTS_MAX)
		return refuse(e, err, "more than %d accounts", ACCOUNTS_MAX);
	if (!check_cells(e, err) || !check_password(r, e, err) ||
	    !parse_url(r, e, &server, err))
		return false;
	free(server.user);
	server.user = mem_str(row->source_user);
	endpoint_text(&url, &server);

	struct account *a = append(r);
	a->name = make_name(&server, row);
	a->url = buf_steal(&url);
	a->authzid = mem_str(row->source_authzid);
	a->group = mem_str(row->group);
	a->ended = mem_str(row->ended);
	a->comment = mem_str(row->comment);
	a->password = mem_str(e->password);
	a->password_file = beside(e, row->source_password_file);
	a->password_command = mem_str(row->source_password_command);
	a->line = e->line;
	endpoint_free(&server);

	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct account *x = *(struct account *const *)a;
	const struct account *y = *(struct account *const *)b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;

	return (x->line > y->line) - (x->line < y->line);
}

bool
roster_check(const struct roster *r, struct err *err)
{
	const struct accounts *all = r->accounts;
	const struct account *first = NULL, *second = NULL;
	struct account **sorted = mem_array(all->n + 1, sizeof(*sorted));

	for (size_t i = 0; i < all->n; i++)
		sorted[i] = &all->items[i];
	qsort(sorted, all->n, sizeof(*sorted), by_name);
	for (size_t i = 1; i < all->n; i++) {
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0 ||
		    (second != NULL && second->line <= sorted[i]->line))
			continue;
		first = sorted[i - 1];
		second = sorted[i];
	}
	free(sorted);
	if (second == NULL)
		return true;

	err_set(err, ERR_RUN, ERR_USAGE,
	    "%s:%u: the account %.200s stands on line %u already", all->path,
	    second->line, second->name, first->line);

	return err_hint(err,
	    "Two accounts of one name can't be told apart in the archive; "
	    "name them in the column account.");
}
