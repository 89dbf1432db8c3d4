#include "tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/datetime.h"

#define TO(field) offsetof(struct options, field)
#define FROM(field) offsetof(struct config, field)
#define VARIABLE "MAILHAUL_SOURCE_PASSWORD"

/* ---- the file under the command line ---- */

static const struct {
	const char *option;
	size_t to, from;
} texts[] = {
	{ "index", TO(index), FROM(index) },
	{ "report", TO(report), FROM(report) },
	{ "ca-file", TO(ca_file), FROM(ca_file) },
	{ "source-ca-file", TO(source.ca_file), FROM(source.ca_file) },
	{ "source-tls-pin", TO(source.tls_pin), FROM(source.tls_pin) },
	{ "source-tls", TO(source.tls), FROM(source.tls) },
	{ "source-connect", TO(source.connect), FROM(source.connect) },
	{ "source-cert", TO(source.cert), FROM(source.cert) },
	{ "source-key", TO(source.key), FROM(source.key) },
	{ "source-auth", TO(source.auth), FROM(source.auth) },
	{ "source-authzid", TO(source.authzid), FROM(source.authzid) },
	{ "source-compress", TO(source.compress), FROM(source.compress) },
	{ "namespaces", TO(namespaces), FROM(namespaces) },
	{ "retry-wait", TO(retry_wait), FROM(retry_wait) },
	{ "progress", TO(progress), FROM(progress) },
	{ "log-format", TO(log_format), FROM(log_format) },
};

static const struct {
	const char *option;
	size_t to, from;
} numbers[] = {
	{ "jobs", TO(jobs), FROM(jobs) },
	{ "max-login-failures", TO(login_failures), FROM(max_login_failures) },
	{ "level", TO(level), FROM(level) },
	{ "threads", TO(threads), FROM(threads) },
	{ "retries", TO(retries), FROM(retries) },
	{ "window", TO(window), FROM(window) },
	{ "timeout", TO(timeout), FROM(timeout) },
};

static const struct {
	const char *option, *key;
	size_t to, from;
} sizes[] = {
	{ "max-size", "max_size", TO(max_size), FROM(max_size) },
	{ "volume-size", "volume_size", TO(volume_size), FROM(volume_size) },
	{ "min-free", "min_free", TO(min_free), FROM(min_free) },
};

enum {
	TEXTS = sizeof(texts) / sizeof(texts[0]),
	NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
	SIZES = sizeof(sizes) / sizeof(sizes[0])
};

static void *
field(void *base, size_t at)
{
	return (char *)base + at;
}

static bool
bad_value(const struct tenant *t, const char *key, const char *what,
    const char *value, struct err *err)
{
	char where[200];

	return err_set(err, ERR_RUN, ERR_USAGE, "%s: \"%s\" is not %s",
	    config_where(t->config, key, where, sizeof(where)), value, what);
}

static bool
take_sizes(struct tenant *t, struct err *err)
{
	for (size_t i = 0; i < SIZES; i++) {
		char *text = *(char **)field(t->config, sizes[i].from);
		if (text == NULL || options_given(t->line, sizes[i].option))
			continue;
		uint64_t *to = field(&t->options, sizes[i].to);
		if (!text_parse_size(text, to))
			return bad_value(t, sizes[i].key,
			    "a size like 512K, 35M or 2G", text, err);
		if (!options_good_size(sizes[i].option, *to, err))
			return false;
	}

	return true;
}

static bool
take_date(struct tenant *t, const char *key, const char *text, int64_t *to,
    struct err *err)
{
	return text == NULL || options_given(t->line, key) ||
	       datetime_parse_option(text, clock_unix(), to) ||
	       bad_value(
		   t, key, "a date like 2026-01-31, 30d, 6m or 2y", text, err);
}

static bool
take_list(const struct tenant *t, const char *option,
    const struct config_list *from, struct list *to, struct err *err)
{
	if (options_given(t->line, option))
		return true;
	*to = (struct list){ (const char **)from->items, from->n };
	const char *bad = options_bad_role(to);

	return bad == NULL || bad_value(t, option, OPTIONS_ROLES, bad, err);
}

static bool
join_options(struct tenant *t, struct err *err)
{
	struct options *o = &t->options;
	struct config *c = t->config;
	*o = *t->line;
	for (size_t i = 0; i < TEXTS; i++)
		if (!options_given(o, texts[i].option))
			*(const char **)field(o, texts[i].to) =
			    *(char **)field(c, texts[i].from);
	for (size_t i = 0; i < NUMBERS; i++) {
		const uint64_t *n = *(uint64_t **)field(c, numbers[i].from);
		if (n != NULL && !options_given(o, numbers[i].option))
			*(uint64_t *)field(o, numbers[i].to) = *n;
	}
	if (o->jobs == 0)
		o->jobs = CONFIG_JOBS_DEFAULT;
	if (o->login_failures == 0)
		o->login_failures = CONFIG_LOGIN_FAILURES_DEFAULT;
	o->allow_plaintext |= c->source.allow_plaintext;
	o->allow_preauth |= c->source.allow_preauth;
	o->self_contained |= c->self_contained;

	return take_list(t, "include", &c->include, &o->include, err) &&
	       take_list(t, "exclude", &c->exclude, &o->exclude, err) &&
	       take_sizes(t, err) &&
	       take_date(t, "since", c->since, &o->since, err) &&
	       take_date(t, "before", c->before, &o->before, err);
}

/* ---- which accounts ---- */

static bool
is_named(const struct tenant *t, const char *name)
{
	const struct list *names = &t->line->accounts;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;

	return false;
}

/* Who left is not asked for any more, unless by name. */
static bool
has_ended(const struct account *a)
{
	char today[16];
	time_t now = (time_t)clock_unix();
	struct tm tm;
	localtime_r(&now, &tm);
	strftime(today, sizeof(today), "%Y-%m-%d", &tm);

	return a->ended != NULL && strcmp(a->ended, today) < 0;
}

static bool
know_names(const struct tenant *t, struct err *err)
{
	const struct list *names = &t->line->accounts;
	for (size_t i = 0; i < names->n; i++) {
		bool found = false;
		for (size_t k = 0; k < t->accounts.n && !found; k++)
			found = strcmp(t->accounts.items[k].name,
				    names->items[i]) == 0;
		if (found)
			continue;
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--account: there is no account %s in %s", names->items[i],
		    t->accounts.path);
		return err_hint(err, "Accounts are called as %s, for instance.",
		    t->accounts.items[0].name);
	}

	return true;
}

static bool
choose(struct tenant *t, struct err *err)
{
	bool all = t->line->accounts.n == 0;
	if (!know_names(t, err))
		return false;
	t->chosen = mem_array(t->accounts.n, sizeof(*t->chosen));
	for (size_t i = 0; i < t->accounts.n; i++) {
		const struct account *a = &t->accounts.items[i];
		if (all ? !has_ended(a) : is_named(t, a->name))
			t->chosen[t->n++] = (uint32_t)i;
	}
	if (t->n == 0)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "all accounts in %s have ended", t->accounts.path);

	return true;
}

void
tenant_keep(struct tenant *t, bool (*keep)(void *arg, const struct account *),
    void *arg)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		if (keep(arg, &t->accounts.items[t->chosen[i]]))
			t->chosen[n++] = t->chosen[i];
	t->n = n;
}

/* ---- passwords ---- */

static bool
has_own(const struct account *a)
{
	return a->password != NULL || a->password_file != NULL ||
	       a->password_command != NULL;
}

/* Read once, for all. */
static bool
is_input(const char *file)
{
	return file != NULL && strcmp(file, "-") == 0;
}

/* Where the password of an account comes from, if it says so itself, the
 * command line or the file does: the nearest to it wins. */
static void
find_secret(const struct tenant *t, uint32_t i,
    char origin[ACCOUNT_ORIGIN_SIZE], struct secret_from *from)
{
	const struct options *line = t->line;
	bool above = line->source.password_file != NULL ||
		     line->source.password_command != NULL;
	*from = (struct secret_from){ 0 };
	if (is_input(line->source.password_file) &&
	    !has_own(&t->accounts.items[i]))
		return;
	if (above && !has_own(&t->accounts.items[i])) {
		from->file = line->source.password_file;
		from->command = line->source.password_command;
		return;
	}
	accounts_secret(&t->accounts, i, t->config, origin, from);
}

static bool
is_elsewhere(const struct secret_from *from)
{
	return from->literal == NULL && from->file == NULL &&
	       from->command == NULL;
}

/* Of the variable or a terminal: once for all that name none. */
static bool
get_shared(struct tenant *t, struct err *err)
{
	char origin[ACCOUNT_ORIGIN_SIZE];
	bool needed = false;
	for (size_t i = 0; i < t->n && !needed; i++) {
		struct secret_from from;
		find_secret(t, t->chosen[i], origin, &from);
		needed = is_elsewhere(&from);
	}
	const char *file = t->line->source.password_file;
	struct secret_from from = {
		.file = is_input(file) ? file : NULL,
		.variable = VARIABLE,
		.prompt = "Password of the SOURCE's accounts: ",
	};
	if (needed)
		return secret_get(&t->shared, &from, "source", err);
	/* Nobody is to inherit it. */
	char *value = getenv(VARIABLE);
	if (value != NULL) {
		explicit_bzero(value, strlen(value));
		unsetenv(VARIABLE);
	}

	return true;
}

const char *
tenant_secret(const struct tenant *t, uint32_t account)
{
	char origin[ACCOUNT_ORIGIN_SIZE];
	struct secret_from from;
	find_secret(t, account, origin, &from);

	return is_elsewhere(&from) ? t->shared.data : from.literal;
}

void
tenant_wipe(struct tenant *t, uint32_t account)
{
	char *password = t->accounts.items[account].password;
	if (password != NULL)
		explicit_bzero(password, strlen(password));
}

void
tenant_wipe_all(struct tenant *t)
{
	for (size_t i = 0; i < t->accounts.n; i++)
		tenant_wipe(t, (uint32_t)i);
	if (t->shared.data != NULL)
		explicit_bzero(t->shared.data, t->shared.len);
}

bool
tenant_source(const struct tenant *t, uint32_t account, const char *secret,
    struct options *o, struct server_port *port, struct err *err)
{
	const struct account *a = &t->accounts.items[account];
	char origin[ACCOUNT_ORIGIN_SIZE];
	struct secret_from from;
	find_secret(t, account, origin, &from);
	if (is_elsewhere(&from))
		from.origin = t->shared.origin;
	if (secret != NULL)
		from.literal = secret;
	*o = t->options;
	o->account = a->name;
	if (a->authzid != NULL)
		o->source.authzid = a->authzid;

	return source_port_open_from(port, o, a->url, &from, err);
}

/* ---- all of it ---- */

static bool
no_file(struct err *err)
{
	err_set(err, ERR_RUN, ERR_USAGE, "there is no %s here", TENANT_FILE);

	return err_hint(
	    err, "Say which file names the accounts: mailhaul run -c FILE");
}

bool
tenant_read(struct tenant *t, const struct options *line, struct err *err)
{
	*t = (struct tenant){ .line = line, .options = *line };
	const char *path = line->config;
	if (path == NULL && access(TENANT_FILE, F_OK) != 0)
		return no_file(err);
	if (path == NULL)
		path = TENANT_FILE;
	/* Whether the variable or the terminal has one, is seen later. */
	bool elsewhere = line->source.password_file != NULL ||
			 line->source.password_command != NULL ||
			 getenv(VARIABLE) != NULL || isatty(STDIN_FILENO);
	if (!config_read(&t->config, path, err))
		return false;
	t->target = mem_fmt("archive:%s", t->config->archive);

	/* The options first: a report is wanted of what fails behind them. */
	return join_options(t, err) &&
	       accounts_read(&t->accounts, t->config, elsewhere, err) &&
	       choose(t, err) && get_shared(t, err);
}

void
tenant_free(struct tenant *t)
{
	accounts_free(&t->accounts);
	if (t->config != NULL)
		config_free(t->config);
	secret_free(&t->shared);
	free(t->chosen);
	free(t->target);
	*t = (struct tenant){ 0 };
}
