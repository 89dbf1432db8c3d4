#include "options_rows.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/config.h"

/* Where 0 is a wish of its own: never again, to the last octet. */
enum { RETRIES = 6, MIN_FREE = 64 << 20, LIMIT = 100 };

/* A name may mean different things to different commands. */
static const struct row *
find_row(const char *name, size_t len, unsigned command)
{
	for (size_t i = 0; i < option_row_count; i++)
		if ((option_rows[i].commands & command) != 0 &&
		    strlen(option_rows[i].name) == len &&
		    memcmp(option_rows[i].name, name, len) == 0)
			return &option_rows[i];

	return NULL;
}

static const struct row *
find_letter(char letter, unsigned command)
{
	for (size_t i = 0; i < option_row_count; i++)
		if ((option_rows[i].commands & command) != 0 &&
		    option_rows[i].letter != 0 &&
		    option_rows[i].letter == letter)
			return &option_rows[i];

	return NULL;
}

bool
options_given(const struct options *o, const char *name)
{
	bool given = false;
	for (size_t i = 0; i < option_row_count; i++)
		given = given ||
			(o->given[i] && strcmp(option_rows[i].name, name) == 0);

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
		o->given[row - option_rows] = true;
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
	o->given[row - option_rows] = true;
	if (row->value != NULL)
		return take_value(o, row, value, argc, argv, i, err);
	if (value != NULL)
		return err_set(
		    err, ERR_RUN, ERR_USAGE, "--%s takes no value", row->name);
	raise_flag(o, row);

	return true;
}

static bool
too_many(const struct options *o, const char *arg, struct err *err)
{
	const struct command *c = o->command;
	/* A URL may hold a password. */
	bool url = strstr(arg, "://") != NULL;
	if (url && o->arg_count > 0 && strstr(o->args[0], "://") != NULL)
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: only an archive holds messages; two servers are for "
		    "copy, status and explain",
		    c->name);
	else
		err_set(err, ERR_RUN, ERR_USAGE,
		    "%s: one argument too many: %s", c->name,
		    url ? "a URL" : arg);
	if (c->args_max == 0 && !url)
		return err_hint(err,
		    "The accounts' file is given with -c.\n"
		    "Then: mailhaul %s -c %s",
		    c->name, arg);

	return err_hint(err, "Usage: mailhaul %s %s", c->name, c->usage);
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
			return too_many(o, arg, err);
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
	free(o->map.items);
	free(o->flags.items);
	free(o->id.items);
}

void
options_help(const struct command *c)
{
	for (size_t i = 0; i < option_row_count; i++) {
		const struct row *row = &option_rows[i];
		if ((row->commands & c->bit) == 0 || row->help == NULL)
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
	for (size_t i = 0; i < option_row_count; i++)
		if ((option_rows[i].commands & c->bit) != 0 &&
		    option_rows[i].help != NULL)
			printf("%s --%s%s\n", c->name, option_rows[i].name,
			    option_rows[i].value == NULL ? "" : "=");
}
