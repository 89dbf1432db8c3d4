#include "conf/config.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf/endpoint.h"
#include "input.h"
#include "keys.h"
#include "load.h"
#include "outline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enough for CONFIG_ROWS_MAX accounts in the file itself. */
enum { CONFIG_MAX = 1 << 20 };

static const char byte_order_mark[] = "\xef\xbb\xbf";

static bool
names_command(const struct config *c)
{
	if (c->source.password_command != NULL)
		return true;
	for (uint32_t i = 0; i < c->row_count; i++)
		if (c->rows[i].source_password_command != NULL)
			return true;

	return false;
}

static bool
refuse_at(
    const struct config *c, const char *key, const char *why, struct err *err)
{
	char where[300];

	return err_set(err, ERR_RUN, ERR_USAGE, "%s: %s",
	    config_where(c, key, where, sizeof(where)), why);
}

/* An endpoint's error, with the place before it. */
static bool
refuse_because(const struct config *c, const char *key, const struct err *cause,
    struct err *err)
{
	refuse_at(c, key, cause->text, err);

	if (cause->hint[0] != '\0')
		err_hint(err, "%s", cause->hint);

	return false;
}

/* "archive:DIR" and DIR are both a folder. */
static bool
check_archive(struct config *c, struct err *err)
{
	struct endpoint e;
	struct err cause = { 0 };

	if (c->archive == NULL)
		return refuse_at(c, "archive",
		    "is missing; the folder of the archive, like "
		    "\"archive: ./archive\"",
		    err);
	if (!endpoint_parse(&e, c->archive, &cause))
		return refuse_because(c, "archive", &cause, err);
	bool ok = e.kind == ENDPOINT_ARCHIVE;
	if (ok) {
		free(c->archive);
		c->archive = mem_str(e.path);
	} else {
		refuse_at(c, "archive",
		    "must be the folder of an archive; servers and Maildirs "
		    "as targets are not in this version",
		    err);
	}
	endpoint_free(&e);

	return ok;
}

static bool
check_url(const struct config *c, struct err *err)
{
	const struct config_side *s = &c->source;
	struct endpoint e;
	struct err cause = { 0 };
	const char *wrong = NULL;

	if (s->url == NULL)
		return true;
	if (!endpoint_parse(&e, s->url, &cause))
		return refuse_because(c, "source.url", &cause, err);
	bool listed = c->accounts != NULL || c->rows != NULL;
	if (e.kind != ENDPOINT_IMAPS && e.kind != ENDPOINT_IMAP)
		wrong = "must be a server: imaps://HOST[:PORT]/ or, with "
			"STARTTLS, imap://HOST[:PORT]/";
	else if (e.user != NULL && listed)
		wrong = "names a user, but the accounts say who the users "
			"are; write imaps://HOST[:PORT]/";
	else if (e.user != NULL && s->user != NULL)
		wrong = "names a user, and so does source.user; leave one out";
	endpoint_free(&e);

	return wrong == NULL || refuse_at(c, "source.url", wrong, err);
}

/* What one key can't tell alone. */
static bool
check_source(const struct config *c, struct err *err)
{
	const struct config_side *s = &c->source;
	bool listed = c->accounts != NULL || c->rows != NULL;

	if (listed && s->user != NULL)
		return refuse_at(c, "source.user",
		    "names a user, but the accounts say who the users are",
		    err);
	if (listed && s->authzid != NULL)
		return refuse_at(c, "source.authzid",
		    "opens one user's mail; where accounts are listed, write "
		    "source_authzid for each",
		    err);
	if (s->password_file != NULL && s->password_command != NULL)
		return refuse_at(c, "source.password_command",
		    "gives a password, and so does source.password_file; "
		    "leave one out",
		    err);
	if (s->password_file != NULL && strcmp(s->password_file, "-") == 0)
		return refuse_at(c, "source.password_file",
		    "standard input can't be read once for each account; "
		    "write a file's path",
		    err);
	if ((s->cert == NULL) != (s->key == NULL))
		return refuse_at(c,
		    s->cert == NULL ? "source.key" : "source.cert",
		    "a client certificate needs both, cert and key", err);

	return check_url(c, err);
}

/* Paths of the table's struct become ours to open. */
static void
join_paths(void *base, const struct key_table *table, const char *file)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		char **path = (char **)(void *)((char *)base + key->at);
		if ((key->kind != KEY_PATH && key->kind != KEY_ACCOUNTS) ||
		    *path == NULL)
			continue;
		char *joined = input_beside(file, *path);
		free(*path);
		*path = joined;
	}
}

static bool
finish(struct config *c, const struct stat *st, struct err *err)
{
	if (names_command(c) && !input_is_ours(c->path, st, S_IWGRP | S_IWOTH,
				    "it names commands that are run", err))
		return false;
	if (!check_archive(c, err) || !check_source(c, err))
		return false;
	join_paths(c, &keys_top, c->path);
	join_paths(&c->source, &keys_source, c->path);
	for (uint32_t i = 0; i < c->row_count; i++)
		join_paths(&c->rows[i], &keys_row, c->path);

	return true;
}

static bool
read_octets(
    const char *path, struct buf *data, struct stat *st, struct err *err)
{
	int fd = input_open(path, st, err);

	if (fd < 0)
		return false;
	bool ok = st->st_size <= CONFIG_MAX ||
		  err_set(err, ERR_RUN, ERR_USAGE,
		      "%s: is longer than %d octets; accounts in great number "
		      "go into a CSV",
		      path, (int)CONFIG_MAX);
	if (ok) {
		char *room = buf_room(data, (size_t)st->st_size + 1);
		ok = file_pread(fd, room, (size_t)st->st_size, 0, path, err);
		data->len += ok ? (size_t)st->st_size : 0;
		room[data->len] = '\0';
	}
	close(fd);
	if (!ok || !input_is_text(path, data->data, data->len, 1, err))
		return false;
	if (strncmp(data->data, byte_order_mark, 3) == 0)
		buf_consume(data, 3);

	return true;
}

bool
config_read(struct config **out, const char *path, struct err *err)
{
	struct buf data = { 0 };
	struct stat st;
	struct config *c = NULL;
	struct config_places *places = mem_new(sizeof(*places));

	*out = NULL;
	bool ok = read_octets(path, &data, &st, err) &&
		  outline_read(places, path, &data, err) &&
		  load_yaml(&c, &data, places->rows_inline, path, err);
	/* Somebody may have written a password into it after all. */
	buf_wipe(&data);
	if (!ok) {
		outline_free(places);
		free(places);
		return false;
	}
	c->path = mem_str(path);
	c->places = places;
	if (!finish(c, &st, err)) {
		config_free(c);
		return false;
	}
	*out = c;

	return true;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	bool rows_inline = c->places->rows_inline;
	outline_free(c->places);
	free(c->places);
	free(c->path);
	load_free(c, rows_inline);
}

unsigned
config_line(const struct config *c, const char *key)
{
	static const char row_key[] = "accounts[";
	const struct config_places *places = c->places;
	uint64_t row;

	for (size_t i = 0; i < places->n; i++)
		if (strcmp(places->items[i].key, key) == 0)
			return places->items[i].line;
	if (strncmp(key, row_key, sizeof(row_key) - 1) != 0)
		return 0;
	const char *digits = key + sizeof(row_key) - 1;
	if (text_parse_u64(digits, strspn(digits, "0123456789"), &row) &&
	    row < places->row_count)
		return places->rows[row];

	return 0;
}

char *
config_where(const struct config *c, const char *key, char *out, size_t size)
{
	unsigned line = config_line(c, key);

	if (line == 0)
		snprintf(out, size, "%s: %s", c->path, key);
	else
		snprintf(out, size, "%s:%u: %s", c->path, line, key);

	return out;
}
