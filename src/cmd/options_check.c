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
	static const char tls[] =
	    "plaintext (TLS is what imaps:// and imap:// use)";
	static const char when[] = "auto, always or never";
	struct {
		const char *name, *value;
		const char *const *words;
		const char *allowed;
	} checks[] = {
		{ "progress", o->progress, hows, "auto, lines, json or none" },
		{ "log-format", o->log_format, formats, "text or json" },
		{ "source-tls", o->source.tls, modes, tls },
		{ "target-tls", o->target.tls, modes, tls },
		{ "source-compress", o->source.compress, whens, when },
		{ "target-compress", o->target.compress, whens, when },
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

static bool
check_maps(const struct options *o, struct err *err)
{
	for (size_t i = 0; i < o->map.n; i++) {
		const char *equals = strchr(o->map.items[i], '=');
		if (equals != NULL && equals > o->map.items[i] &&
		    equals[1] != '\0')
			continue;
		err_set(err, ERR_RUN, ERR_USAGE, "--map: \"%s\" is not FROM=TO",
		    o->map.items[i]);
		return err_hint(err,
		    "For instance --map \"Sent Items=Sent\" or --map "
		    "\"Old/**=Archive/**\"");
	}
	if (o->into == NULL || o->into[0] != '\0')
		return true;

	return err_set(
	    err, ERR_RUN, ERR_USAGE, "--into needs the name of a mailbox");
}

/* Two passwords can't be told apart on one standard input. */
static bool
check_inputs(const struct options *o, struct err *err)
{
	const char *a = o->source.password_file, *b = o->target.password_file;
	if (a == NULL || b == NULL || strcmp(a, "-") != 0 ||
	    strcmp(b, "-") != 0)
		return true;
	err_set(err, ERR_RUN, ERR_USAGE,
	    "--source-password-file and --target-password-file can't both be "
	    "-: there is one standard input");

	return err_hint(err, "Put one of them into a file, or its variable.");
}

bool
options_check(struct options *o, struct err *err)
{
	return read_dates(o, err) && check_words(o, err) &&
	       check_roles(o, err) && check_maps(o, err) &&
	       check_inputs(o, err);
}
