#ifndef MAIL_DATETIME_H
#define MAIL_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATETIME_NONE INT64_MIN

/* "17-Jul-1996 02:44:25 -0700" (RFC 9051 date-time; a blank for the day's
 * first digit is allowed). False: not such a date, or no day of a calendar.
 * zone: minutes east of UTC. */
bool datetime_parse(const char *, size_t len, int64_t *unix_s, int16_t *zone);
/* The same form; out has 27 octets. */
char *datetime_format(char out[27], int64_t unix_s, int16_t zone);
/* "2026-11-21T10:15:00+02:00" (RFC 3339); out has 36 octets. */
char *datetime_rfc3339(char out[36], int64_t unix_s, int16_t zone);
bool datetime_parse_rfc3339(const char *, size_t len, int64_t *, int16_t *zone);
/* "2026-11-21" as midnight local time, or "30d", "6m", "2y" before now. */
bool datetime_parse_option(const char *, int64_t now, int64_t *unix_s);
/* A moment of the past: "2026-11-21" is the last second of that local day,
 * "2026-11-21T10:15", "…T10:15:30" local time, or with Z or +02:00 behind. */
bool datetime_parse_moment(const char *, int64_t *unix_s);

#endif
