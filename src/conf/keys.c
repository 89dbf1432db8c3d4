#include "keys.h"

#include "conf/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const progresses[] = { "auto", "lines", "json", "none",
	NULL };
static const char *const formats[] = { "text", "json", NULL };
static const char *const modes[] = { "plaintext", NULL };
/* Not yes and no: YAML 1.1 takes those for truth values. */
static const char *const whens[] = { "auto", "always", "never", NULL };
static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-1",
	"CRAM-MD5", "PLAIN", "LOGIN", NULL };

/* Seconds of the longest first wait, as the command line has it. */
enum { RETRY_WAIT_MAX = 3600 };

/* After the kind: .min, .max, .words, .inner where the kind has them. */
#define ROW(type, field, sort, ...)                               \
	{                                                         \
		.name = #field, .kind = (sort),                   \
		.at = offsetof(struct type, field), ##__VA_ARGS__ \
	}
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define SIDE(...) ROW(config_side, __VA_ARGS__)
static const struct key source_rows[] = {
	SIDE(url, KEY_TEXT),
	SIDE(user, KEY_TEXT),
	SIDE(ca_file, KEY_PATH),
	SIDE(tls_pin, KEY_TEXT),
	SIDE(tls, KEY_TEXT, .words = modes),
	SIDE(connect, KEY_TEXT),
	SIDE(cert, KEY_PATH),
	SIDE(key, KEY_PATH),
	SIDE(auth, KEY_TEXT, .words = mechanisms),
	SIDE(authzid, KEY_TEXT),
	SIDE(compress, KEY_TEXT, .words = whens),
	SIDE(password_file, KEY_PATH),
	SIDE(password_command, KEY_TEXT),
	SIDE(allow_plaintext, KEY_FLAG),
	SIDE(allow_preauth, KEY_FLAG),
};
const struct key_table keys_source = { source_rows, COUNT(source_rows),
	sizeof(struct config_side) };
_Static_assert(COUNT(source_rows) <= KEYS_MAX, "KEYS_MAX");

/* The columns of the accounts CSV, but for source_password. */
#define CELL(...) ROW(config_row, __VA_ARGS__)
static const struct key row_rows[] = {
	CELL(source_user, KEY_TEXT),
	CELL(source_password_file, KEY_PATH),
	CELL(source_password_command, KEY_TEXT),
	CELL(source_url, KEY_TEXT),
	CELL(source_authzid, KEY_TEXT),
	CELL(account, KEY_TEXT),
	CELL(group, KEY_TEXT),
	CELL(ended, KEY_DAY),
	CELL(comment, KEY_TEXT),
};
const struct key_table keys_row = { row_rows, COUNT(row_rows),
	sizeof(struct config_row) };
_Static_assert(COUNT(row_rows) <= KEYS_MAX, "KEYS_MAX");

#define TOP(...) ROW(config, __VA_ARGS__)
static const struct key top_rows[] = {
	TOP(archive, KEY_PATH),
	TOP(index, KEY_PATH),
	TOP(source, KEY_SIDE, .inner = &keys_source),
	TOP(accounts, KEY_ACCOUNTS, .inner = &keys_row),
	TOP(jobs, KEY_NUMBER, .min = 1, .max = CONFIG_JOBS_MAX),
	TOP(ca_file, KEY_PATH),
	TOP(include, KEY_LIST),
	TOP(exclude, KEY_LIST),
	TOP(since, KEY_TEXT),
	TOP(before, KEY_TEXT),
	TOP(max_size, KEY_SIZE),
	TOP(namespaces, KEY_TEXT),
	TOP(level, KEY_NUMBER, .min = 1, .max = CONFIG_LEVEL_MAX),
	TOP(threads, KEY_NUMBER, .min = 1, .max = CONFIG_THREADS_MAX),
	TOP(volume_size, KEY_SIZE),
	TOP(self_contained, KEY_FLAG),
	TOP(min_free, KEY_SIZE),
	TOP(retries, KEY_NUMBER, .max = CONFIG_RETRIES_MAX),
	TOP(retry_wait, KEY_SECONDS, .max = RETRY_WAIT_MAX),
	TOP(timeout, KEY_NUMBER, .min = 1, .max = CONFIG_TIMEOUT_MAX),
	TOP(window, KEY_NUMBER, .min = 1, .max = CONFIG_WINDOW_MAX),
	TOP(max_login_failures, KEY_NUMBER, .min = 1,
	    .max = CONFIG_LOGIN_FAILURES_MAX),
	TOP(report, KEY_PATH),
	TOP(progress, KEY_TEXT, .words = progresses),
	TOP(log_format, KEY_TEXT, .words = formats),
};
const struct key_table keys_top = { top_rows, COUNT(top_rows),
	sizeof(struct config) };
_Static_assert(COUNT(top_rows) <= KEYS_MAX, "KEYS_MAX");

const struct key *
keys_find(const struct key_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->keys[i].name, name) == 0)
			return &table->keys[i];

	return NULL;
}

/* "auto, lines, json or none". */
static void
list_words(const char *const *words, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; words[i] != NULL && n < size; i++) {
		const char *before = words[i + 1] == NULL ? " or " : ", ";
		n += (size_t)snprintf(
		    out + n, size - n, "%s%s", i == 0 ? "" : before, words[i]);
	}
}

static const char accounts_text[] =
    "the path of a CSV, or a list of accounts like [{ source_user: alice, "
    "source_password_file: alice.pw }]";

void
keys_allowed(const struct key *key, char *out, size_t size)
{
	static const char *const texts[] = {
		[KEY_TEXT] = "a text",
		[KEY_PATH] = "a path",
		[KEY_SIZE] = "a size like 512K, 35M or 2G",
		[KEY_DAY] = "a day like 2026-01-31",
		[KEY_FLAG] = "true or false, without quotes",
		[KEY_LIST] = "a list like [INBOX, Work]",
		[KEY_SIDE] = "a mapping like { url: \"imaps://HOST/\" }",
		[KEY_ACCOUNTS] = accounts_text,
	};

	if (key->words != NULL)
		list_words(key->words, out, size);
	else if (key->kind == KEY_NUMBER)
		snprintf(out, size,
		    "a number from %" PRIu64 " to %" PRIu64 ", without quotes",
		    key->min, key->max);
	else if (key->kind == KEY_SECONDS)
		snprintf(out, size, "seconds like 0.5, %" PRIu64 " to %" PRIu64,
		    key->min, key->max);
	else
		snprintf(out, size, "%s", texts[key->kind]);
}
