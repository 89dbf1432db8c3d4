#include "mail/datetime.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct civil {
	int64_t year;
	int month, day, hour, minute, second; /* month and day from 1 */
	int zone;                             /* minutes east of UTC */
};

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_in(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01. Years begin in March, so that the leap day is last;
 * 400 years have 146097 days. */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year =
	    (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static bool
to_unix(const struct civil *c, int64_t *unix_s, int16_t *zone)
{
	/* A leap second is written 60 (RFC 5322 3.3, RFC 3339 5.6). */
	if (c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > days_in(c->year, c->month) || c->hour > 23 ||
	    c->minute > 59 || c->second > 60)
		return false;
	*unix_s = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 +
		  c->minute * 60 + c->second - c->zone * 60;
	*zone = (int16_t)c->zone;

	return true;
}

static void
to_civil(struct civil *c, int64_t unix_s, int16_t zone)
{
	/* Both forms have four digits for the year. */
	const int64_t first = days_of(0, 1, 1) * 86400;
	const int64_t last = days_of(10000, 1, 1) * 86400 - 1;
	int64_t local = unix_s;

	if (local < first)
		local = first;
	if (local > last)
		local = last;
	if (local + zone * 60 >= first && local + zone * 60 <= last)
		local += zone * 60;
	int64_t days = local / 86400, seconds = local % 86400;
	if (seconds < 0) {
		days--;
		seconds += 86400;
	}
	int64_t z = days + 719468; /* never negative from year 0 on, but for
				      its January and February */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;
	c->day = (int)(of_year - (153 * m + 2) / 5 + 1);
	c->month = (int)(m < 10 ? m + 3 : m - 9);
	c->year = y + era * 400 + (c->month <= 2);
	c->hour = (int)(seconds / 3600);
	c->minute = (int)(seconds / 60 % 60);
	c->second = (int)(seconds % 60);
	c->zone = zone;
}

static bool
digits(const char *text, size_t n, int *value)
{
	*value = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = *value * 10 + (text[i] - '0');
	}

	return true;
}

/* Sign, two digits, (colon,) two digits. */
static bool
read_zone(const char *text, bool colon, int *zone)
{
	int hours, minutes;

	if ((text[0] != '+' && text[0] != '-') || !digits(text + 1, 2, &hours))
		return false;
	if (colon && text[3] != ':')
		return false;
	if (!digits(text + (colon ? 4 : 3), 2, &minutes))
		return false;
	*zone = hours * 60 + minutes;
	if (text[0] == '-')
		*zone = -*zone;

	return hours < 24 && minutes < 60;
}

static bool
read_clock(const char *text, struct civil *c)
{
	return digits(text, 2, &c->hour) && text[2] == ':' &&
	       digits(text + 3, 2, &c->minute) && text[5] == ':' &&
	       digits(text + 6, 2, &c->second);
}

static int
read_month(const char *text)
{
	for (int i = 0; i < 12; i++)
		if (strncasecmp(text, months[i], 3) == 0)
			return i + 1;

	return 0;
}

bool
datetime_parse(const char *text, size_t len, int64_t *unix_s, int16_t *zone)
{
	struct civil c;
	int year;

	if (len != 26 || text[2] != '-' || text[6] != '-' || text[11] != ' ' ||
	    text[20] != ' ')
		return false;
	bool short_day = text[0] == ' ';
	if (!digits(text + short_day, short_day ? 1 : 2, &c.day) ||
	    !digits(text + 7, 4, &year) || !read_clock(text + 12, &c) ||
	    !read_zone(text + 21, false, &c.zone))
		return false;
	c.month = read_month(text + 3);
	c.year = year;

	return to_unix(&c, unix_s, zone);
}

char *
datetime_format(char out[27], int64_t unix_s, int16_t zone)
{
	struct civil c;
	int east = zone < 0 ? -zone : zone;

	out[0] = '\0';
	if (unix_s == DATETIME_NONE)
		return out;
	to_civil(&c, unix_s, zone);
	/* The moduli only tell the compiler what it can't see. */
	snprintf(out, 27, "%02u-%s-%04u %02u:%02u:%02u %c%02u%02u",
	    (unsigned)c.day % 32, months[c.month - 1], (unsigned)c.year % 10000,
	    (unsigned)c.hour % 24, (unsigned)c.minute % 60,
	    (unsigned)c.second % 60, zone < 0 ? '-' : '+',
	    (unsigned)east / 60 % 100, (unsigned)east % 60);

	return out;
}

/* So many of the last digits, and what follows them. */
static char *
put_digits(char *out, size_t n, int64_t value, char behind)
{
	for (size_t i = n; i > 0; i--, value /= 10)
		out[i - 1] = (char)('0' + value % 10);
	out[n] = behind;

	return out + n + 1;
}

/* By hand: three for each message of a run. */
char *
datetime_rfc3339(char out[36], int64_t unix_s, int16_t zone)
{
	struct civil c;
	int east = zone < 0 ? -zone : zone;

	out[0] = '\0';
	if (unix_s == DATETIME_NONE)
		return out;
	to_civil(&c, unix_s, zone);
	char *at = put_digits(out, 4, (unsigned)c.year % 10000, '-');
	at = put_digits(at, 2, c.month, '-');
	at = put_digits(at, 2, c.day, 'T');
	at = put_digits(at, 2, c.hour, ':');
	at = put_digits(at, 2, c.minute, ':');
	at = put_digits(at, 2, c.second, zone < 0 ? '-' : '+');
	at = put_digits(at, 2, east / 60, ':');
	put_digits(at, 2, east % 60, '\0');

	return out;
}

bool
datetime_parse_rfc3339(
    const char *text, size_t len, int64_t *unix_s, int16_t *zone)
{
	struct civil c = { 0 };
	int year;

	if (len < 20 || !digits(text, 4, &year) || text[4] != '-' ||
	    !digits(text + 5, 2, &c.month) || text[7] != '-' ||
	    !digits(text + 8, 2, &c.day) ||
	    (text[10] != 'T' && text[10] != 't' && text[10] != ' ') ||
	    !read_clock(text + 11, &c))
		return false;
	c.year = year;
	size_t at = 19;
	if (text[at] == '.') {
		size_t first = ++at;
		while (at < len && text[at] >= '0' && text[at] <= '9')
			at++;
		if (at == first)
			return false;
	}
	if (len - at == 1) {
		if (text[at] != 'Z' && text[at] != 'z')
			return false;
	} else if (len - at != 6 || !read_zone(text + at, true, &c.zone)) {
		return false;
	}

	return to_unix(&c, unix_s, zone);
}

static bool
parse_day(const char *text, int64_t *unix_s)
{
	struct tm tm = { .tm_isdst = -1 };
	int year, month, day;

	if (strlen(text) != 10 || !digits(text, 4, &year) || text[4] != '-' ||
	    !digits(text + 5, 2, &month) || text[7] != '-' ||
	    !digits(text + 8, 2, &day) || month < 1 || month > 12 || day < 1 ||
	    day > days_in(year, month))
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	*unix_s = mktime(&tm);

	return true;
}

/* The same day of an earlier month; its last day if it has fewer. */
static bool
months_before(int64_t now, int64_t count, int64_t *unix_s)
{
	time_t t = (time_t)now;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL)
		return false;
	int64_t month = (tm.tm_year + INT64_C(1900)) * 12 + tm.tm_mon - count;
	if (month < 0)
		return false;
	int last = days_in(month / 12, (int)(month % 12) + 1);
	tm.tm_year = (int)(month / 12 - 1900);
	tm.tm_mon = (int)(month % 12);
	if (tm.tm_mday > last)
		tm.tm_mday = last;
	tm.tm_isdst = -1;
	*unix_s = mktime(&tm);

	return true;
}

bool
datetime_parse_option(const char *text, int64_t now, int64_t *unix_s)
{
	size_t len = strlen(text);
	uint64_t n;

	if (parse_day(text, unix_s))
		return true;
	if (len < 2 || len > 6 || !text_parse_u64(text, len - 1, &n))
		return false;
	switch (text[len - 1]) {
	case 'd':
		*unix_s = now - (int64_t)n * 86400;
		return true;
	case 'm':
		return months_before(now, (int64_t)n, unix_s);
	case 'y':
		return months_before(now, (int64_t)n * 12, unix_s);
	default:
		return false;
	}
}

/* Local time, which may not exist or exist twice: mktime decides. */
static bool
local_moment(const char *text, const struct civil *c, int64_t *unix_s)
{
	char day[11];
	memcpy(day, text, 10);
	day[10] = '\0';
	if (!parse_day(day, unix_s) || c->hour > 23 || c->minute > 59 ||
	    c->second > 60)
		return false;
	time_t midnight = (time_t)*unix_s;
	struct tm tm;
	if (localtime_r(&midnight, &tm) == NULL)
		return false;
	tm.tm_hour = c->hour;
	tm.tm_min = c->minute;
	tm.tm_sec = c->second;
	tm.tm_isdst = -1;
	*unix_s = mktime(&tm);

	return true;
}

bool
datetime_parse_moment(const char *text, int64_t *unix_s)
{
	struct civil c = { .hour = 23, .minute = 59, .second = 59 };
	char full[40];
	int16_t zone;
	size_t len = strlen(text);
	if (len == 10)
		return local_moment(text, &c, unix_s);
	if (len < 16 || len > 25 || text[10] != 'T')
		return false;
	bool seconds = len > 16 && text[16] == ':';
	if (!digits(text + 11, 2, &c.hour) || text[13] != ':' ||
	    !digits(text + 14, 2, &c.minute))
		return false;
	c.second = 0;
	if (seconds && (len < 19 || !digits(text + 17, 2, &c.second)))
		return false;
	size_t zone_at = seconds ? 19 : 16;
	if (len == zone_at)
		return local_moment(text, &c, unix_s);
	int n = snprintf(full, sizeof(full), "%.16s:%02u%s", text,
	    (unsigned)c.second % 100, text + zone_at);

	return n > 0 && datetime_parse_rfc3339(full, (size_t)n, unix_s, &zone);
}
