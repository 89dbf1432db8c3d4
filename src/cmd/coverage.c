/* coverage: which local days have a complete run of each account. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "mail/datetime.h"
#include "ports.h"
#include "rows.h"
#include "screen.h"

enum { DAYS_MAX = 366 * 100, DAY_TEXT = 16 };

/* What the best complete run of a day told of. */
enum cover { COVER_NONE, COVER_PARTIAL, COVER_FULL };

struct covering {
	const struct options *o;
	struct archive_port archive;
	int64_t first;       /* a moment of the first day */
	int days;            /* how many */
	int64_t oldest;      /* when the first account began; 0: none did */
	enum cover *covered; /* owned; the days of the account in hand */
	char account[256];
	uint64_t accounts, gaps; /* gaps: accounts that have one */
};

/* Days since some day, by the local calendar. */
static int64_t
day_number(int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	if (localtime_r(&t, &tm) == NULL)
		return 0;
	/* The same date as if it were UTC's, so that all days are as long. */
	tm.tm_hour = 12;
	tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = 0;

	return (int64_t)timegm(&tm) / 86400;
}

static char *
day_text(const struct covering *c, int day, char out[DAY_TEXT])
{
	time_t t = (time_t)((day_number(c->first) + day) * 86400);
	struct tm tm;
	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, DAY_TEXT, "%Y-%m-%d", &tm) == 0)
		snprintf(out, DAY_TEXT, "?");

	return out;
}

/* ---- one account ---- */

struct span {
	int from, to; /* days, both in it */
};

/* The next days that are covered so, from *at on. */
static bool
next_span(
    const struct covering *c, enum cover cover, int *at, struct span *span)
{
	while (*at < c->days && c->covered[*at] != cover)
		++*at;
	span->from = *at;
	while (*at < c->days && c->covered[*at] == cover)
		++*at;
	span->to = *at - 1;

	return span->from < c->days;
}

static int
covered_days(const struct covering *c)
{
	int n = 0;
	for (int i = 0; i < c->days; i++)
		n += c->covered[i] != COVER_NONE;

	return n;
}

static json_t *
spans_json(const struct covering *c, enum cover cover)
{
	char from[DAY_TEXT], to[DAY_TEXT];
	struct span span;
	int at = 0;
	json_t *spans = json_array();
	while (next_span(c, cover, &at, &span)) {
		json_t *pair = json_object();
		json_object_set_new(
		    pair, "from", json_string(day_text(c, span.from, from)));
		json_object_set_new(
		    pair, "to", json_string(day_text(c, span.to, to)));
		json_array_append_new(spans, pair);
	}

	return spans;
}

static void
print_json(const struct covering *c)
{
	char from[DAY_TEXT], to[DAY_TEXT];
	json_t *row = json_object();
	json_object_set_new(row, "account", json_string(c->account));
	json_object_set_new(row, "since", json_string(day_text(c, 0, from)));
	json_object_set_new(
	    row, "until", json_string(day_text(c, c->days - 1, to)));
	json_object_set_new(row, "days", json_integer(c->days));
	json_object_set_new(row, "covered", json_integer(covered_days(c)));
	json_object_set_new(row, "gaps", spans_json(c, COVER_NONE));
	json_object_set_new(row, "partial", spans_json(c, COVER_PARTIAL));
	rows_print_json(row);
}

static void
print_spans(const struct covering *c, enum cover cover, const char *title)
{
	char day[DAY_TEXT];
	struct span span;
	int at = 0, n = 0;
	while (next_span(c, cover, &at, &span)) {
		printf("%s%s", n++ == 0 ? title : ", ",
		    day_text(c, span.from, day));
		if (span.to > span.from)
			printf("..%s", day_text(c, span.to, day));
	}
}

static void
print_text(const struct covering *c)
{
	rows_print_escaped(c->account);
	printf("  %d of %d day%s", covered_days(c), c->days,
	    c->days == 1 ? "" : "s");
	print_spans(c, COVER_NONE, "; no complete run: ");
	print_spans(c, COVER_PARTIAL, "; mailboxes left out: ");
	printf("\n");
}

static void
tell(struct covering *c)
{
	bool whole = covered_days(c) == c->days;
	c->accounts++;
	c->gaps += !whole;
	if (c->o->json)
		print_json(c);
	else if (!whole || !c->o->quiet)
		print_text(c);
}

/* ---- all of them ---- */

static bool
find_oldest(void *arg, const struct index_run_job *job)
{
	struct covering *c = arg;
	if (c->oldest == 0 || job->started < c->oldest)
		c->oldest = job->started;

	return true;
}

static bool
take_job(void *arg, const struct index_run_job *job)
{
	struct covering *c = arg;
	if (strcmp(c->account, job->source) != 0) {
		if (c->account[0] != '\0')
			tell(c);
		snprintf(c->account, sizeof(c->account), "%s", job->source);
		memset(c->covered, 0, (size_t)c->days * sizeof(*c->covered));
	}
	int64_t day = day_number(job->ended) - day_number(c->first);
	enum cover cover = job->partial ? COVER_PARTIAL : COVER_FULL;
	if (job->state == RUN_COMPLETE && day >= 0 && day < c->days &&
	    c->covered[day] < cover)
		c->covered[day] = cover;

	return true;
}

static bool
parse_day(const char *name, const char *text, int64_t *to, struct err *err)
{
	if (text == NULL || datetime_parse_option(text, clock_unix(), to))
		return true;

	return err_set(err, ERR_RUN, ERR_USAGE,
	    "--%s: \"%s\" is not a date like 2026-01-31, 30d, 6m or 2y", name,
	    text);
}

/* No day is a gap before the first run or after today, unless asked for. */
static bool
set_days(struct covering *c, struct err *err)
{
	int64_t now = clock_unix(), last = now;
	c->first = c->oldest;
	if (!parse_day("since", c->o->since_text, &c->first, err) ||
	    !parse_day("until", c->o->until, &last, err))
		return false;
	if (last > now)
		last = now;
	int64_t days = day_number(last) - day_number(c->first) + 1;
	if (days < 1 || days > DAYS_MAX)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--since and --until: there are no days from the one to "
		    "the other, or more than a hundred years");
	c->days = (int)days;
	c->covered = mem_array((size_t)days, sizeof(*c->covered));

	return true;
}

static bool
no_run(const struct options *o, struct err *err)
{
	if (o->account == NULL)
		err_set(err, ERR_RUN, ERR_GONE, "there was no run yet");
	else
		err_set(err, ERR_RUN, ERR_USAGE, "no run knows the account %s",
		    o->account);

	return err_hint(err, "Then: mailhaul runs %s", o->args[0]);
}

static bool
cover(struct covering *c, struct err *err)
{
	struct index *index = c->archive.state.index;
	const char *account = c->o->account;
	if (!index_run_jobs(index, 0, account, find_oldest, c, err))
		return false;
	if (c->oldest == 0)
		return no_run(c->o, err);
	if (!set_days(c, err) ||
	    !index_run_jobs(index, 0, account, take_job, c, err))
		return false;
	tell(c);
	if (!c->o->json && c->accounts > 1 && (c->gaps > 0 || !c->o->quiet))
		printf("%" PRIu64 " of %" PRIu64 " accounts without a gap\n",
		    c->accounts - c->gaps, c->accounts);

	return true;
}

int
command_coverage(const struct options *o)
{
	struct covering c = { .o = o };
	struct err err;
	bool ok = archive_port_read(&c.archive, o, o->args[0], &err) &&
		  cover(&c, &err);
	archive_port_close(&c.archive);
	free(c.covered);
	if (!ok)
		return screen_error(&err);

	return c.gaps > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}
