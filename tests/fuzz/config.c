/*
 * The config file: what our own reading accepts, libcyaml must load by the
 * schema of the same rows; and what is loaded lies within the limits that the
 * header promises.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/accounts.h"
#include "conf/config.h"
#include "conf/endpoint.h"
#include "conf/input.h"
#include "conf/load.h"
#include "conf/outline.h"

enum {
	ACCEPTED,
	ROWS,
	NUMBERS,
	LISTS,
	COMMAND,
	ACCOUNTS,
	SINGLE,
	NO_YAML,
	UNKNOWN_KEY,
	ALIAS,
	WRONG_KIND
};

static const char *const marks[] = {
	[ACCEPTED] = "a file that is taken",
	[ROWS] = "accounts in the file",
	[NUMBERS] = "numbers in the file",
	[LISTS] = "filters in the file",
	[COMMAND] = "a password command",
	[ACCOUNTS] = "accounts that are taken",
	[SINGLE] = "the only account",
	[NO_YAML] = "something that is no YAML",
	[UNKNOWN_KEY] = "a key that isn't known",
	[ALIAS] = "an alias or an anchor",
	[WRONG_KIND] = "a value of the wrong kind",
};

static char *path;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	path = mem_fmt("%s/c.yaml", fuzz_dir());

	return 0;
}

static bool
is_line(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return false;

	return true;
}

/* A refusal says where, in a line that a terminal can show. */
static void
check_refusal(const struct err *err)
{
	static const struct {
		const char *says;
		unsigned mark;
	} known[] = {
		{ "is no YAML", NO_YAML },
		{ "unknown key", UNKNOWN_KEY },
		{ "not taken", ALIAS },
		{ "; allowed: ", WRONG_KIND },
	};
	MUST(err->scope == ERR_RUN && err->code == ERR_USAGE);
	MUST(strncmp(err->text, path, strlen(path)) == 0);
	MUST(is_line(err->text) && text_is_utf8(err->text, strlen(err->text)));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(err->text, known[i].says) != NULL)
			fuzz_reach(known[i].mark);
}

/* ---- both readers ---- */

static void
check_places(const struct config_places *places, size_t lines)
{
	for (size_t i = 0; i < places->n; i++) {
		MUST(places->items[i].key[0] != '\0');
		MUST(places->items[i].line > 0 &&
		     places->items[i].line <= lines);
	}
	for (size_t i = 0; i < places->row_count; i++)
		MUST(places->rows[i] > 0 && places->rows[i] <= lines &&
		     (i == 0 || places->rows[i - 1] <= places->rows[i]));
	MUST(places->row_count <= CONFIG_ROWS_MAX);
}

static void
check_readers(const char *text, size_t len)
{
	struct config_places places = { 0 };
	struct config *c = NULL;
	struct buf data = { 0 };
	struct err err;
	buf_add(&data, text, len);
	/* YAML breaks lines at CR, NEL and the separators of Unicode too. */
	size_t lines = len + 1;
	if (!input_is_text(path, data.data, data.len, 1, &err) ||
	    strncmp(data.data, "\xef\xbb\xbf", 3) == 0) {
		buf_free(&data);
		return;
	}
	if (outline_read(&places, path, &data, &err)) {
		check_places(&places, lines);
		if (!load_yaml(&c, &data, places.rows_inline, path, &err))
			fuzz_fail(path, 0, err.text);
		MUST(c->row_count == places.row_count);
		load_free(c, places.rows_inline);
	} else {
		check_refusal(&err);
	}
	outline_free(&places);
	buf_free(&data);
}

/* ---- what was loaded ---- */

static void
check_number(const uint64_t *n, uint64_t min, uint64_t max)
{
	if (n == NULL)
		return;
	MUST(*n >= min && *n <= max);
	fuzz_reach(NUMBERS);
}

static void
check_list(const struct config_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		MUST(l->items[i][0] != '\0' && is_line(l->items[i]));
		fuzz_reach(LISTS);
	}
}

static void
check_text(const char *text)
{
	if (text == NULL)
		return;
	MUST(text[0] != '\0' && is_line(text));
	MUST(text_is_utf8(text, strlen(text)));
}

/* The same endpoint comes of its own text. */
static void
check_url(const char *url)
{
	struct endpoint e, again;
	struct buf once = { 0 }, twice = { 0 };
	struct err err;
	if (url == NULL)
		return;
	MUST(endpoint_parse(&e, url, &err));
	endpoint_text(&once, &e);
	MUST(endpoint_parse(&again, once.data, &err));
	endpoint_text(&twice, &again);
	MUST(strcmp(once.data, twice.data) == 0 && e.port == again.port);
	endpoint_free(&e);
	endpoint_free(&again);
	buf_free(&once);
	buf_free(&twice);
}

static void
check_config(const struct config *c)
{
	uint64_t size;
	MUST(c->archive != NULL && c->row_count <= CONFIG_ROWS_MAX);
	check_text(c->archive);
	check_text(c->accounts);
	check_text(c->source.user);
	check_url(c->source.url);
	check_number(c->jobs, 1, CONFIG_JOBS_MAX);
	check_number(c->level, 1, CONFIG_LEVEL_MAX);
	check_number(c->threads, 1, CONFIG_THREADS_MAX);
	check_number(c->retries, 0, CONFIG_RETRIES_MAX);
	check_number(c->window, 1, CONFIG_WINDOW_MAX);
	check_number(c->timeout, 1, CONFIG_TIMEOUT_MAX);
	check_number(c->max_login_failures, 1, CONFIG_LOGIN_FAILURES_MAX);
	check_list(&c->include);
	check_list(&c->exclude);
	if (c->max_size != NULL)
		MUST(text_parse_size(c->max_size, &size));
	if (c->source.password_command != NULL)
		fuzz_reach(COMMAND);
	if (c->row_count > 0)
		fuzz_reach(ROWS);
	fuzz_reach(ACCEPTED);
}

/* Each has a name of its own and a URL that names its user. */
static void
check_accounts(const struct config *c)
{
	struct accounts all;
	struct err err;
	/* Somebody else's file. */
	if (c->accounts != NULL)
		return;
	if (!accounts_read(&all, c, false, &err)) {
		check_refusal(&err);
		return;
	}
	MUST(all.n > 0 && all.n <= CONFIG_ROWS_MAX);
	for (size_t i = 0; i < all.n; i++) {
		struct endpoint e;
		check_text(all.items[i].name);
		MUST(endpoint_parse(&e, all.items[i].url, &err));
		MUST(e.user != NULL);
		endpoint_free(&e);
		for (size_t k = 0; k < i && i < 50; k++)
			MUST(strcmp(all.items[i].name, all.items[k].name) != 0);
	}
	fuzz_reach(c->row_count > 0 ? ACCOUNTS : SINGLE);
	accounts_free(&all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c;
	struct err err;
	check_readers((const char *)data, size);
	fuzz_put("c.yaml", data, size);
	if (!config_read(&c, path, &err)) {
		MUST(c == NULL);
		check_refusal(&err);
		return 0;
	}
	check_config(c);
	check_accounts(c);
	config_free(c);

	return 0;
}
