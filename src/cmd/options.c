#include "options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/config.h"

enum kind { TEXT, LIST, FLAG, COUNT, NUMBER, SIZE, DATE };

/* Where 0 is a wish of its own: never again, to the last octet. */
enum { RETRIES = 6, MIN_FREE = 64 << 20, LIMIT = 100 };

#define AT(field) offsetof(struct options, field)

/* One row is an option: how it is read, and what --help says. */
static const struct row {
	const char *name;
	char letter;
	enum kind kind;
	size_t at;
	unsigned commands;
	const char *value; /* NULL: takes none */
	const char *help;
} rows[] = {
	{ "config", 'c', TEXT, AT(config), IN_CONFIG, "FILE",
	    "the accounts and how they are copied (default: mailhaul.yaml)" },
	{ "account", 0, LIST, AT(accounts), IN_CONFIG, "NAME",
	    "only this account of the file; may be repeated" },
	{ "failed", 0, FLAG, AT(failed), IN_RUN, NULL,
	    "only accounts whose last run did not end well" },
	{ "jobs", 'j', NUMBER, AT(jobs), IN_RUN, "N",
	    "accounts at a time (default 4)" },
	{ "max-login-failures", 0, NUMBER, AT(login_failures), IN_RUN, "N",
	    "ask a host no more after N refusals in a row (default 5)" },
	{ "source-password-file", 0, TEXT, AT(password_file), IN_SERVER, "FILE",
	    "read the password from FILE (- for standard input)" },
	{ "source-password-command", 0, TEXT, AT(password_command), IN_SERVER,
	    "CMD", "take the password from CMD's output" },
	{ "ca-file", 0, TEXT, AT(ca_file), IN_SERVER, "FILE",
	    "also trust the certificate authorities in FILE" },
	{ "source-ca-file", 0, TEXT, AT(ca_file_side), IN_SERVER, "FILE",
	    "the same, for the source only" },
	{ "source-tls-pin", 0, TEXT, AT(tls_pin), IN_SERVER, "sha256:HEX",
	    "accept exactly this server key, whatever name or date" },
	{ "source-tls", 0, TEXT, AT(tls), IN_SERVER, "MODE",
	    "plaintext: no TLS (loopback only)" },
	{ "allow-plaintext", 0, FLAG, AT(allow_plaintext), IN_SERVER, NULL,
	    "let plaintext leave this machine" },
	{ "allow-preauth", 0, FLAG, AT(allow_preauth), IN_SERVER, NULL,
	    "accept a server that logs in by itself (over TLS)" },
	{ "source-connect", 0, TEXT, AT(connect), IN_SERVER, "HOST[:PORT]",
	    "dial HOST, but verify the URL's name" },
	{ "source-cert", 0, TEXT, AT(cert), IN_SERVER, "FILE",
	    "client certificate (PEM)" },
	{ "source-key", 0, TEXT, AT(key), IN_SERVER, "FILE",
	    "its private key (PEM)" },
	{ "source-auth", 0, TEXT, AT(auth), IN_SERVER, "MECHANISM",
	    "use this one: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, "
	    "LOGIN" },
	{ "source-authzid", 0, TEXT, AT(authzid), IN_SERVER, "USER",
	    "open USER's mail with another login (PLAIN)" },
	{ "source-compress", 0, TEXT, AT(compress), IN_SERVER, "WHEN",
	    "auto (default: if offered, and not from this machine), always, "
	    "never" },
	{ "namespaces", 0, TEXT, AT(namespaces), IN_SERVER, "LIST",
	    "personal (default), shared, other: comma-separated" },
	{ "include", 0, LIST, AT(include), IN_SELECT, "GLOB",
	    "only these mailboxes and their children; may be repeated" },
	{ "exclude", 0, LIST, AT(exclude), IN_SELECT, "GLOB",
	    "not these; * within a level, ** across, special:junk by role" },
	{ "since", 0, DATE, AT(since_text), IN_SELECT, "DATE",
	    "INTERNALDATE from here on: 2026-01-31, 30d, 6m, 2y" },
	{ "before", 0, DATE, AT(before_text), IN_SELECT, "DATE",
	    "INTERNALDATE before it" },
	{ "as-of", 0, TEXT, AT(as_of), IN_LS | IN_SHOW | IN_EXPORT | IN_FIND,
	    "DATE|RUN",
	    "as the mailboxes stood: 2026-01-31, 2026-01-31T10:00, or a run" },
	{ "since", 0, TEXT, AT(since_text), IN_COVERAGE, "DATE",
	    "the first day (default: that of the first run)" },
	{ "until", 0, TEXT, AT(until), IN_COVERAGE, "DATE",
	    "the last day (default: today)" },
	{ "max-size", 0, SIZE, AT(max_size), IN_HAUL, "SIZE",
	    "skip larger messages: 35M" },
	{ "dry-run", 'n', FLAG, AT(dry_run), IN_HAUL, NULL,
	    "say what would be copied; write nothing" },
	{ "dry-run", 'n', FLAG, AT(dry_run), IN_REPACK, NULL,
	    "say what would be merged; write nothing" },
	{ "min-fill", 0, SIZE, AT(min_fill), IN_REPACK, "SIZE",
	    "merge volumes smaller than this (default: half of "
	    "--volume-size)" },
	{ "account", 0, TEXT, AT(account),
	    IN_ALL & ~IN_CONFIG & ~IN_VERIFY & ~IN_STATUS & ~IN_INDEX &
		~IN_REPACK,
	    "NAME", "the account's name in the archive (default: user@host)" },
	{ "index", 0, TEXT, AT(index), IN_ALL, "FILE",
	    "the index (default: mailhaul.db in the archive)" },
	{ "level", 0, NUMBER, AT(level), IN_HAUL | IN_REPACK, "N",
	    "zstd level, 1 to 19 (default 3)" },
	{ "threads", 0, NUMBER, AT(threads), IN_HAUL | IN_REPACK, "N",
	    "compressing threads (default: one per processor)" },
	{ "volume-size", 0, SIZE, AT(volume_size), IN_HAUL | IN_REPACK, "SIZE",
	    "seal a volume at this size (default 1G)" },
	{ "self-contained", 0, FLAG, AT(self_contained), IN_HAUL, NULL,
	    "store every message in full, repeats too" },
	{ "min-free", 0, SIZE, AT(min_free), IN_HAUL | IN_REPACK, "SIZE",
	    "stop before less than this is free (default 64M)" },
	{ "retries", 0, NUMBER, AT(retries), IN_HAUL, "N",
	    "attempts after a lost connection, without progress (default 6)" },
	{ "retry-wait", 0, TEXT, AT(retry_wait), IN_HAUL, "SECONDS",
	    "the first wait before another attempt (default 1)" },
	{ "timeout", 0, NUMBER, AT(timeout), IN_SERVER, "SECONDS",
	    "give up a connection that is silent so long (default 120)" },
	{ "window", 0, NUMBER, AT(window), IN_HAUL, "N",
	    "messages asked for with one command (default 500)" },
	{ "mailbox", 0, TEXT, AT(mailbox), IN_SHOW | IN_EXPLAIN | IN_FIND,
	    "NAME", "the mailbox (as ls shows it)" },
	{ "uid", 0, NUMBER, AT(uid), IN_SHOW | IN_EXPLAIN | IN_EXPORT, "UID",
	    "the message with this UID" },
	{ "message-id", 0, TEXT, AT(message_id),
	    IN_SHOW | IN_EXPLAIN | IN_EXPORT | IN_FIND, "ID", "by Message-ID" },
	{ "sha256", 0, TEXT, AT(sha256), IN_SHOW | IN_EXPLAIN | IN_EXPORT,
	    "HEX", "by content hash" },
	{ "entry", 0, TEXT, AT(entry), IN_SHOW | IN_EXPLAIN, "PATH",
	    "by the entry's path in its volume" },
	{ "id", 0, LIST, AT(id), IN_EXPORT, "ID",
	    "the message with this ID, as find shows it; may be repeated" },
	{ "ids-from", 0, TEXT, AT(ids_from), IN_EXPORT, "FILE",
	    "IDs at the starts of FILE's lines (- for standard input)" },
	{ "from", 0, TEXT, AT(from), IN_FIND, "WORDS", "words in From" },
	{ "to", 0, TEXT, AT(to), IN_FIND, "WORDS", "words in To" },
	{ "cc", 0, TEXT, AT(cc), IN_FIND, "WORDS", "words in Cc" },
	{ "subject", 0, TEXT, AT(subject), IN_FIND, "WORDS",
	    "words in Subject" },
	{ "body", 0, TEXT, AT(body), IN_FIND, "WORDS",
	    "words in the text (the first time all text is read, once)" },
	{ "larger", 0, SIZE, AT(larger), IN_FIND, "SIZE", "larger than this" },
	{ "smaller", 0, SIZE, AT(smaller), IN_FIND, "SIZE",
	    "smaller than this" },
	{ "flag", 0, LIST, AT(flags), IN_FIND, "FLAG",
	    "seen, flagged, answered, draft, deleted or a keyword; !FLAG: "
	    "without it; may be repeated" },
	{ "limit", 0, NUMBER, AT(limit), IN_FIND | IN_RUNS, "N",
	    "show at most N (default 100; 0: all)" },
	{ "count", 0, FLAG, AT(count), IN_FIND, NULL, "print only how many" },
	{ "ids", 0, FLAG, AT(ids), IN_FIND, NULL,
	    "print only IDs, for export --ids-from -" },
	{ "header", 0, FLAG, AT(raw_header), IN_SHOW, NULL,
	    "only the header section" },
	{ "quick", 0, FLAG, AT(quick), IN_VERIFY, NULL,
	    "files, seek tables and hashes of volumes; no message is read" },
	{ "rebuild", 0, FLAG, AT(rebuild), IN_INDEX, NULL,
	    "from what the archive says about itself" },
	{ "read", 0, TEXT, AT(read), IN_VERIFY, "1/N",
	    "read every N-th volume, another one each day" },
	{ "run", 0, TEXT, AT(run), IN_STATUS | IN_EXPLAIN, "RUN",
	    "only this run" },
	{ "outcome", 0, TEXT, AT(outcome), IN_EXPLAIN, "WORD",
	    "list messages with this outcome: excluded, unreadable, …" },
	{ "json", 0, FLAG, AT(json),
	    IN_CHECK | IN_LS | IN_STATUS | IN_EXPLAIN | IN_VERIFY | IN_FIND |
		IN_INDEX | IN_HISTORY | IN_REPACK,
	    NULL, "print JSON, one object a line" },
	{ "report", 0, TEXT, AT(report), IN_HAUL | IN_VERIFY, "FILE",
	    "write a report; .json or .txt by its ending" },
	{ "progress", 0, TEXT, AT(progress), IN_HAUL | IN_VERIFY | IN_EXPORT,
	    "HOW", "auto (a bar on a terminal), lines, json, none" },
	{ "log-format", 0, TEXT, AT(log_format), IN_ALL, "FORMAT",
	    "text or json" },
	{ "quiet", 'q', FLAG, AT(quiet), IN_ALL, NULL,
	    "print only if the exit code isn't 0" },
	{ "verbose", 'v', COUNT, AT(verbose), IN_ALL, NULL,
	    "say more; twice: still more" },
	{ "help", 'h', FLAG, AT(help), IN_ALL, NULL, "this text" },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

_Static_assert(sizeof(rows) / sizeof(rows[0]) <= OPTIONS_MAX,
    "options.given is too small");

/* A name may mean different things to different commands. */
static const struct row *
find_row(const char *name, size_t len, unsigned command)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].commands & command) != 0 &&
		    strlen(rows[i].name) == len &&
		    memcmp(rows[i].name, name, len) == 0)
			return &rows[i];

	return NULL;
}

static const struct row *
find_letter(char letter, unsigned command)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].commands & command) != 0 && rows[i].letter != 0 &&
		    rows[i].letter == letter)
			return &rows[i];

	return NULL;
}

bool
options_given(const struct options *o, const char *name)
{
	bool given = false;
	for (size_t i = 0; i < ROWS; i++)
		given =
		    given || (o->given[i] && strcmp(rows[i].name, name) == 0);

	return given;
}

/* Numbers that are no wish of anybody, or that an int can't hold. */
static const struct {
	const char *name;
	uint64_t min, max;
} ranges[] = {
	{ "jobs", 1, CONFIG_JOBS_MAX },
	{ "max-login-failures", 1, CONFIG_LOGIN_FAILURES_MAX },
	{ "level", 1, CONFIG_LEVEL_MAX },
	{ "threads", 1, CONFIG_THREADS_MAX },
	{ "retries", 0, CONFIG_RETRIES_MAX },
	{ "timeout", 1, CONFIG_TIMEOUT_MAX },
	{ "window", 1, CONFIG_WINDOW_MAX },
	{ "uid", 1, UINT32_MAX },
};

bool
options_good_size(const char *name, uint64_t value, struct err *err)
{
	/* Octets for megabytes: a volume a message. */
	enum { VOLUME_LEAST = 4 << 10 };
	if (strcmp(name, "volume-size") != 0 || value >= VOLUME_LEAST)
		return true;

	return err_set(err, ERR_RUN, ERR_USAGE,
	    "--volume-size is 4K or more: %" PRIu64 " are octets; write 35M "
	    "or 2G",
	    value);
}

static bool
in_range(const struct row *row, uint64_t value, struct err *err)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (strcmp(ranges[i].name, row->name) == 0 &&
		    (value < ranges[i].min || value > ranges[i].max))
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--%s is %" PRIu64 " to %" PRIu64, row->name,
			    ranges[i].min, ranges[i].max);

	return true;
}

/* An option without a value. */
static void
raise_flag(struct options *o, const struct row *row)
{
	char *base = (char *)o + row->at;
	if (row->kind == COUNT)
		++*(int *)(void *)base;
	else
		*(bool *)(void *)base = true;
}

static bool
store(struct options *o, const struct row *row, const char *value,
    struct err *err)
{
	char *base = (char *)o + row->at;
	struct list *list;
	bool ok = true;
	switch (row->kind) {
	case TEXT:
	case DATE:
		*(const char **)(void *)base = value;
		break;
	case LIST:
		list = (struct list *)(void *)base;
		list->items =
		    mem_grow(list->items, list->n + 1, sizeof(*list->items));
		list->items[list->n++] = value;
		break;
	case NUMBER:
		ok = text_parse_u64(
		    value, strlen(value), (uint64_t *)(void *)base);
		if (ok)
			return in_range(row, *(uint64_t *)(void *)base, err);
		break;
	case SIZE:
		ok = text_parse_size(value, (uint64_t *)(void *)base);
		if (ok)
			return options_good_size(
			    row->name, *(uint64_t *)(void *)base, err);
		break;
	case FLAG:
	case COUNT:
		break;
	}

	return ok ||
	       err_set(err, ERR_RUN, ERR_USAGE, "--%s: \"%s\" is not a %s",
		   row->name, value,
		   row->kind == SIZE ? "size like 512K, 35M or 2G" : "number");
}

static bool
unknown_option(const struct command *c, const char *arg, struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE, "%s: unknown option %s", c->name, arg);

	return err_hint(err, "Then: mailhaul %s --help", c->name);
}

/* value: what stands with the option, or NULL: the next argument. */
static bool
take_value(struct options *o, const struct row *row, const char *value,
    int argc, char **argv, int *i, struct err *err)
{
	if (value == NULL) {
		if (*i + 1 >= argc)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--%s needs a value: %s", row->name, row->value);
		value = argv[++*i];
	}

	return store(o, row, value, err);
}

/* "-x", "-vv" or "-qn"; "-cFILE" and "-c FILE". */
static bool
take_letters(struct options *o, const struct command *c, int argc, char **argv,
    int *i, struct err *err)
{
	const char *arg = argv[*i];
	for (const char *letter = arg + 1; *letter != '\0'; letter++) {
		const struct row *row = find_letter(*letter, c->bit);
		if (row == NULL)
			return unknown_option(c, arg, err);
		o->given[row - rows] = true;
		if (row->value != NULL)
			return take_value(o, row,
			    letter[1] != '\0' ? letter + 1 : NULL, argc, argv,
			    i, err);
		raise_flag(o, row);
	}

	return true;
}

/* "--name=value" and "--name value"; *i moves on past a value. */
static bool
take_option(struct options *o, const struct command *c, int argc, char **argv,
    int *i, struct err *err)
{
	const char *arg = argv[*i];
	if (arg[1] != '-')
		return take_letters(o, c, argc, argv, i, err);
	const char *equals = strchr(arg, '=');
	size_t len =
	    equals == NULL ? strlen(arg + 2) : (size_t)(equals - arg - 2);
	const struct row *row = find_row(arg + 2, len, c->bit);
	if (row == NULL)
		return unknown_option(c, arg, err);
	const char *value = equals == NULL ? NULL : equals + 1;
	o->given[row - rows] = true;
	if (row->value != NULL)
		return take_value(o, row, value, argc, argv, i, err);
	if (value != NULL)
		return err_set(
		    err, ERR_RUN, ERR_USAGE, "--%s takes no value", row->name);
	raise_flag(o, row);

	return true;
}

bool
options_parse(struct options *o, const struct command *c, int argc, char **argv,
    struct err *err)
{
	*o = (struct options){ .command = c,
		.retries = RETRIES,
		.min_free = MIN_FREE,
		.limit = LIMIT };
	bool only_args = false;
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];
		if (!only_args && strcmp(arg, "--") == 0) {
			only_args = true;
		} else if (!only_args && arg[0] == '-' && arg[1] != '\0') {
			if (!take_option(o, c, argc, argv, &i, err))
				return false;
		} else if (o->arg_count < c->args_max) {
			o->args[o->arg_count++] = arg;
		} else {
			/* A URL may hold a password. */
			bool url = strstr(arg, "://") != NULL;
			err_set(err, ERR_RUN, ERR_USAGE,
			    "%s: one argument too many: %s", c->name,
			    url ? "a URL" : arg);
			if (c->args_max == 0 && !url)
				return err_hint(err,
				    "The accounts' file is given with -c.\n"
				    "Then: mailhaul %s -c %s",
				    c->name, arg);
			return err_hint(
			    err, "Usage: mailhaul %s %s", c->name, c->usage);
		}
	}
	if (o->help)
		return true;
	if (o->arg_count < c->args_min) {
		err_set(err, ERR_RUN, ERR_USAGE, "%s: %s", c->name,
		    o->arg_count == 0 ? "no arguments given"
				      : "an argument is missing");
		return err_hint(
		    err, "Usage: mailhaul %s %s", c->name, c->usage);
	}

	return options_check(o, err);
}

void
options_free(struct options *o)
{
	free(o->include.items);
	free(o->exclude.items);
	free(o->accounts.items);
	free(o->flags.items);
	free(o->id.items);
}

void
options_help(const struct command *c)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		if ((row->commands & c->bit) == 0)
			continue;
		char left[80];
		snprintf(left, sizeof(left), "%c%c%c --%s%s%s",
		    row->letter == 0 ? ' ' : '-',
		    row->letter == 0 ? ' ' : row->letter,
		    row->letter == 0 ? ' ' : ',', row->name,
		    row->value == NULL ? "" : " ",
		    row->value == NULL ? "" : row->value);
		printf("  %-36s %s%s\n", left,
		    strlen(left) > 36
			? "\n                                       "
			: "",
		    row->help);
	}
}

void
options_list(const struct command *c)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].commands & c->bit) != 0)
			printf("%s --%s%s\n", c->name, rows[i].name,
			    rows[i].value == NULL ? "" : "=");
}

/* ---- the same once more ---- */

/* How much is said is each command's own affair. */
static bool
is_of_screen(const struct row *row)
{
	return row->at == AT(quiet) || row->at == AT(verbose) ||
	       row->at == AT(log_format) || row->at == AT(json);
}

static bool
is_which(const struct row *row)
{
	return row->at == AT(accounts) || row->at == AT(failed);
}

static void
add_word(struct buf *out, const struct row *row, const char *value)
{
	if (row->letter != 0)
		buf_fmt(out, " -%c", row->letter);
	else
		buf_fmt(out, " --%s", row->name);
	if (value == NULL)
		return;
	buf_char(out, ' ');
	text_shell(out, row->at == AT(password_command) ? "…" : value);
}

static void
add_again(struct buf *out, const struct options *o, const struct row *row)
{
	const char *base = (const char *)o + row->at;
	const struct list *list;
	char number[24];
	switch (row->kind) {
	case TEXT:
	case DATE:
		add_word(out, row, *(const char *const *)(const void *)base);
		break;
	case LIST:
		list = (const struct list *)(const void *)base;
		for (size_t i = 0; i < list->n; i++)
			add_word(out, row, list->items[i]);
		break;
	case NUMBER:
	case SIZE:
		snprintf(number, sizeof(number), "%" PRIu64,
		    *(const uint64_t *)(const void *)base);
		add_word(out, row, number);
		break;
	case FLAG:
	case COUNT:
		add_word(out, row, NULL);
		break;
	}
}

void
options_again(
    struct buf *out, const struct options *o, unsigned commands, bool which)
{
	bool other = (o->command->bit & commands) == 0;
	for (size_t i = 0; i < ROWS; i++)
		if (o->given[i] && (rows[i].commands & commands) != 0 &&
		    (which || !is_which(&rows[i])) &&
		    (!other || !is_of_screen(&rows[i])))
			add_again(out, o, &rows[i]);
}
