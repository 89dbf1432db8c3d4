/* What an option's value may be, where that is more than its kind. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "mail/datetime.h"
#include "mail/name.h"
#include "options.h"

static bool
read_dates(struct options *o, struct err *err)
{
	struct {
		const char *name, *text;
		int64_t *to;
	} dates[] = {
		{ "since", o->since_text, &o->since },
		{ "before", o->before_text, &o->before },
	};
	for (size_t i = 0; i < 2; i++)
		if (dates[i].text != NULL &&
		    !datetime_parse_option(
			dates[i].text, clock_unix(), dates[i].to))
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--%s: \"%s\" is not a date like 2026-01-31, 30d, "
			    "6m or 2y",
			    dates[i].name, dates[i].text);

	return true;
}

static bool
is_one_of(const char *value, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(value, *words) == 0)
			return true;

	return false;
}

static bool
check_words(const struct options *o, struct err *err)
{
	static const char *const hows[] = { "auto", "lines", "json", "none",
		NULL };
	static const char *const formats[] = { "text", "json", NULL };
	static const char *const modes[] = { "plaintext", NULL };
	static const char *const whens[] = { "auto", "always", "never", NULL };
	struct {
		const char *name, *value;
		const char *const *words;
		const char *allowed;
	} checks[] = {
		{ "progress", o->progress, hows, "auto, lines, json or none" },
		{ "log-format", o->log_format, formats, "text or json" },
		{ "source-tls", o->tls, modes,
		    "plaintext (TLS is what imaps:// and imap:// use)" },
		{ "source-compress", o->compress, whens,
		    "auto, always or never" },
	};
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i].value != NULL &&
		    !is_one_of(checks[i].value, checks[i].words))
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--%s: \"%s\" is not %s", checks[i].name,
			    checks[i].value, checks[i].allowed);

	return true;
}

const char *
options_bad_role(const struct list *list)
{
	static const char special[] = "special:";
	for (size_t i = 0; i < list->n; i++)
		if (strncasecmp(list->items[i], special, strlen(special)) ==
			0 &&
		    name_role(list->items[i]) == 0)
			return list->items[i];

	return NULL;
}

static bool
check_roles(const struct options *o, struct err *err)
{
	const struct {
		const char *name;
		const struct list *list;
	} lists[] = { { "include", &o->include }, { "exclude", &o->exclude } };
	for (size_t i = 0; i < 2; i++) {
		const char *bad = options_bad_role(lists[i].list);
		if (bad != NULL)
			return err_set(err, ERR_RUN, ERR_USAGE,
			    "--%s: \"%s\" is not " OPTIONS_ROLES, lists[i].name,
			    bad);
	}

	return true;
}

bool
options_check(struct options *o, struct err *err)
{
	return read_dates(o, err) && check_words(o, err) && check_roles(o, err);
}
