#include "mail/datetime.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

Suite *suite_datetime(void);

static const struct {
	const char *text;
	int64_t unix_s;
	int16_t zone;
} valid[] = {
	{ "01-Jan-1970 00:00:00 +0000", 0, 0 },
	{ " 1-Jan-1970 00:00:00 -0000", 0, 0 },
	{ "17-Jul-1996 02:44:25 -0700", 837596665, -420 },
	{ "17-jUL-1996 09:44:25 +0000", 837596665, 0 },
	{ "29-Feb-2000 23:59:59 +0530", 951848999, 330 },
	{ "31-Dec-1969 23:59:59 +0000", -1, 0 },
	{ "31-Dec-2016 23:59:60 +0000", 1483228800, 0 },
	{ "01-Jan-0000 00:00:00 +0000", INT64_C(-62167219200), 0 },
	{ "31-Dec-9999 23:59:59 +0000", INT64_C(253402300799), 0 },
	{ "01-Jan-2038 00:00:00 -2359", 2145916800 + 86340, -1439 },
};

START_TEST(dates_of_a_calendar_are_read)
{
	int64_t unix_s = 1;
	int16_t zone = 1;
	const char *text = valid[_i].text;

	ck_assert(datetime_parse(text, strlen(text), &unix_s, &zone));
	ck_assert_int_eq(unix_s, valid[_i].unix_s);
	ck_assert_int_eq(zone, valid[_i].zone);
}
END_TEST

static const char *const invalid[] = {
	"",
	"NIL",
	"00-Jan-0000 00:00:00 +0000",
	"30-Feb-2000 00:00:00 +0000",
	"29-Feb-1900 00:00:00 +0000",
	"32-Jan-2000 00:00:00 +0000",
	"01-Foo-2000 00:00:00 +0000",
	"01-Jan-2000 24:00:00 +0000",
	"01-Jan-2000 00:60:00 +0000",
	"01-Jan-2000 00:00:61 +0000",
	"01-Jan-2000 00:00:00 +2400",
	"01-Jan-2000 00:00:00 +0060",
	"01-Jan-2000 00:00:00 00000",
	"01-Jan-2000 00:00:00 +000",
	"01-Jan-2000 00:00:00 +00000",
	"01-Jan-200a 00:00:00 +0000",
	"1-Jan-2000 00:00:00 +0000 ",
	"+1-Jan-2000 00:00:00 +0000",
	"01/Jan/2000 00:00:00 +0000",
	"01-Jan-2000T00:00:00 +0000",
	"01-Jan-2000 00.00.00 +0000",
};

START_TEST(what_is_no_date_is_refused)
{
	int64_t unix_s;
	int16_t zone;

	ck_assert(
	    !datetime_parse(invalid[_i], strlen(invalid[_i]), &unix_s, &zone));
}
END_TEST

START_TEST(dates_survive_both_forms)
{
	const int16_t zones[] = { 0, -720, 840, 330, -1439, 1439, -1 };
	char text[36];
	int rounds = 0;

	/* A prime step through all of the years that four digits can say. */
	for (int64_t t = -62167000000; t < 253402200000; t += 1000003 * 97) {
		int16_t zone = zones[rounds % 7], back_zone = 99;
		int64_t back = 1;
		datetime_format(text, t, zone);
		ck_assert_uint_eq(strlen(text), 26);
		ck_assert(datetime_parse(text, 26, &back, &back_zone));
		ck_assert_int_eq(back, t);
		ck_assert_int_eq(back_zone, zone);
		datetime_rfc3339(text, t, zone);
		ck_assert_uint_eq(strlen(text), 25);
		ck_assert(datetime_parse_rfc3339(text, 25, &back, &back_zone));
		ck_assert_int_eq(back, t);
		ck_assert_int_eq(back_zone, zone);
		rounds++;
	}
	ck_assert_int_gt(rounds, 3000);
}
END_TEST

START_TEST(the_calendar_is_that_of_the_system)
{
	char text[36], want[96];
	int rounds = 0;

	for (int64_t t = -62167219200; t < 253402300800; t += 86400 * 13 + 7) {
		time_t now = t;
		struct tm tm;
		gmtime_r(&now, &tm);
		snprintf(want, sizeof(want),
		    "%04d-%02d-%02dT%02d:%02d:%02d+00:00", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
		/* A call for each assertion would cost more than the work. */
		if (strcmp(datetime_rfc3339(text, t, 0), want) != 0)
			ck_abort_msg("%s is not %s", text, want);
		rounds++;
	}
	ck_assert_int_gt(rounds, 200000);
}
END_TEST

START_TEST(times_beyond_four_digits_are_cut_to_the_nearest)
{
	char text[36];

	ck_assert_str_eq(datetime_format(text, INT64_MAX, 1439),
	    "31-Dec-9999 23:59:59 +2359");
	ck_assert_str_eq(datetime_format(text, INT64_MIN + 1, -1439),
	    "01-Jan-0000 00:00:00 -2359");
	ck_assert_str_eq(datetime_rfc3339(text, INT64_MAX, INT16_MAX),
	    "9999-12-31T23:59:59+46:07");
	ck_assert_str_eq(datetime_format(text, DATETIME_NONE, 0), "");
	ck_assert_str_eq(datetime_rfc3339(text, DATETIME_NONE, 0), "");
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	int64_t unix_s;
	int16_t zone;
} rfc3339[] = {
	{ "2026-11-21T10:15:00+02:00", true, 1795248900, 120 },
	{ "2026-11-21T08:15:00Z", true, 1795248900, 0 },
	{ "2026-11-21t08:15:00.123z", true, 1795248900, 0 },
	{ "2026-11-21 08:15:00.5+00:00", true, 1795248900, 0 },
	{ "2026-11-21T08:15:00", false, 0, 0 },
	{ "2026-11-21T08:15:00.Z", false, 0, 0 },
	{ "2026-11-21T08:15:00+0200", false, 0, 0 },
	{ "2026-11-31T08:15:00Z", false, 0, 0 },
	{ "2026-13-01T08:15:00Z", false, 0, 0 },
	{ "2026-11-21T08:15:00ZZ", false, 0, 0 },
	{ "2026-11-21T08:15:00.1234567", false, 0, 0 },
	{ "", false, 0, 0 },
};

START_TEST(rfc_3339_dates_are_read)
{
	const char *text = rfc3339[_i].text;
	int64_t unix_s = 0;
	int16_t zone = 0;

	ck_assert(datetime_parse_rfc3339(text, strlen(text), &unix_s, &zone) ==
		  rfc3339[_i].ok);
	if (!rfc3339[_i].ok)
		return;
	ck_assert_int_eq(unix_s, rfc3339[_i].unix_s);
	ck_assert_int_eq(zone, rfc3339[_i].zone);
}
END_TEST

static const struct {
	const char *text, *want; /* NULL: refused */
} options[] = {
	{ "2026-11-21", "2026-11-21T00:00:00+00:00" },
	{ "1d", "2024-05-30T12:00:00+00:00" },
	{ "30d", "2024-05-01T12:00:00+00:00" },
	{ "1m", "2024-04-30T12:00:00+00:00" },
	{ "3m", "2024-02-29T12:00:00+00:00" },
	{ "6m", "2023-11-30T12:00:00+00:00" },
	{ "2y", "2022-05-31T12:00:00+00:00" },
	{ "0d", "2024-05-31T12:00:00+00:00" },
	{ "", NULL },
	{ "d", NULL },
	{ "30", NULL },
	{ "-3d", NULL },
	{ "3 d", NULL },
	{ "3w", NULL },
	{ "9999y", NULL },
	{ "999999999d", NULL },
	{ "2026-02-30", NULL },
	{ "2026-2-3", NULL },
	{ "2026-11-21T", NULL },
};

START_TEST(options_name_a_day_or_a_span)
{
	const int64_t now = 1717156800; /* 2024-05-31T12:00:00Z */
	int64_t unix_s;
	char text[36];

	setenv("TZ", "UTC", 1);
	tzset();
	bool ok = datetime_parse_option(options[_i].text, now, &unix_s);
	ck_assert(ok == (options[_i].want != NULL));
	if (ok)
		ck_assert_str_eq(
		    datetime_rfc3339(text, unix_s, 0), options[_i].want);
}
END_TEST

START_TEST(a_day_begins_at_local_midnight)
{
	int64_t unix_s;
	char text[36];

	setenv("TZ", "XST-05:30", 1);
	tzset();
	ck_assert(datetime_parse_option("2026-11-21", 0, &unix_s));
	ck_assert_str_eq(
	    datetime_rfc3339(text, unix_s, 330), "2026-11-21T00:00:00+05:30");
}
END_TEST

static const struct {
	const char *text, *want; /* NULL: refused */
} moments[] = {
	{ "2026-11-21", "2026-11-21T23:59:59+01:00" },
	/* Clocks are set forward on this day, back on that. */
	{ "2026-03-29", "2026-03-29T22:59:59+01:00" },
	{ "2026-10-25", "2026-10-25T23:59:59+01:00" },
	{ "2026-11-21T10:15", "2026-11-21T10:15:00+01:00" },
	{ "2026-11-21T10:15:30", "2026-11-21T10:15:30+01:00" },
	{ "2026-11-21T10:15Z", "2026-11-21T11:15:00+01:00" },
	{ "2026-11-21T10:15:30Z", "2026-11-21T11:15:30+01:00" },
	{ "2026-11-21T10:15+03:00", "2026-11-21T08:15:00+01:00" },
	{ "2026-11-21T10:15:30-00:30", "2026-11-21T11:45:30+01:00" },
	{ "2026-11-31", NULL },
	{ "2026-11-21T", NULL },
	{ "2026-11-21T10", NULL },
	{ "2026-11-21T25:00", NULL },
	{ "2026-11-21T10:15:", NULL },
	{ "2026-11-21T10:15+3", NULL },
	{ "2026-11-21T101500Z-a1b2", NULL },
	{ "yesterday", NULL },
	{ "", NULL },
};

START_TEST(a_moment_is_a_day_s_end_or_a_time)
{
	int64_t unix_s;
	char text[36];

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	bool read = datetime_parse_moment(moments[_i].text, &unix_s);
	ck_assert_msg(
	    read == (moments[_i].want != NULL), "\"%s\"", moments[_i].text);
	if (read)
		ck_assert_str_eq(
		    datetime_rfc3339(text, unix_s, 60), moments[_i].want);
}
END_TEST

Suite *
suite_datetime(void)
{
	Suite *suite = suite_create("datetime");
	TCase *tcase = tcase_create("datetime");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, dates_of_a_calendar_are_read, 0,
	    sizeof(valid) / sizeof(valid[0]));
	tcase_add_loop_test(tcase, what_is_no_date_is_refused, 0,
	    sizeof(invalid) / sizeof(invalid[0]));
	tcase_add_test(tcase, dates_survive_both_forms);
	tcase_add_test(tcase, the_calendar_is_that_of_the_system);
	tcase_add_test(tcase, times_beyond_four_digits_are_cut_to_the_nearest);
	tcase_add_loop_test(tcase, rfc_3339_dates_are_read, 0,
	    sizeof(rfc3339) / sizeof(rfc3339[0]));
	tcase_add_loop_test(tcase, options_name_a_day_or_a_span, 0,
	    sizeof(options) / sizeof(options[0]));
	tcase_add_test(tcase, a_day_begins_at_local_midnight);
	tcase_add_loop_test(tcase, a_moment_is_a_day_s_end_or_a_time, 0,
	    sizeof(moments) / sizeof(moments[0]));
	suite_add_tcase(suite, tcase);

	return suite;
}
