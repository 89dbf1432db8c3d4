#include "mail/flags.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	uint8_t flag;
	char letter;
	const char *text;
} flags[] = {
	{ MAIL_ANSWERED, 'R', "\\Answered" },
	{ MAIL_FLAGGED, 'F', "\\Flagged" },
	{ MAIL_DELETED, 'T', "\\Deleted" },
	{ MAIL_SEEN, 'S', "\\Seen" },
	{ MAIL_DRAFT, 'D', "\\Draft" },
};

enum { FLAG_COUNT = sizeof(flags) / sizeof(flags[0]) };

uint8_t
flags_parse(const char *text, size_t len)
{
	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (strlen(flags[i].text) == len &&
		    strncasecmp(flags[i].text, text, len) == 0)
			return flags[i].flag;

	return 0;
}

void
flags_text(struct buf *out, uint8_t set)
{
	bool first = true;

	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if ((set & flags[i].flag) == 0)
			continue;
		if (!first)
			buf_char(out, ' ');
		buf_str(out, flags[i].text);
		first = false;
	}
}

char *
flags_maildir(char out[8], uint8_t set)
{
	char *end = out;

	for (const char *letter = "DFRST"; *letter != '\0'; letter++) {
		const char one[2] = { *letter, '\0' };
		if ((set & flags_from_maildir(one)) != 0)
			*end++ = *letter;
	}
	*end = '\0';

	return out;
}

uint8_t
flags_from_maildir(const char *letters)
{
	uint8_t set = 0;

	for (; *letters != '\0'; letters++)
		for (size_t i = 0; i < FLAG_COUNT; i++)
			if (flags[i].letter == *letters)
				set |= flags[i].flag;

	return set;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
flags_keywords(struct buf *out, const char *const *keywords, size_t n)
{
	if (n == 0)
		return;
	const char **sorted = mem_array(n, sizeof(*sorted));
	memcpy(sorted, keywords, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (i > 0)
			buf_char(out, ' ');
		buf_str(out, sorted[i]);
	}
	free(sorted);
}
