#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/datetime.h"
#include "mail/flags.h"

void
rows_print_escaped(const char *s)
{
	struct buf safe = { 0 };
	text_escape(&safe, s, strlen(s));
	fputs(safe.data, stdout);
	buf_free(&safe);
}

void
rows_print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	puts(text);
	free(text);
	json_decref(object);
}

bool
rows_shows(uint64_t n, bool json)
{
	enum { SHOWN_MAX = 100000 }; /* some 15 MB of lines */
	if (n == SHOWN_MAX + 1 && !json)
		puts("More is wrong than can be listed: from here on it is "
		     "only counted.");

	return n <= SHOWN_MAX;
}

json_t *
rows_utf8(const char *s)
{
	struct buf clean = { 0 };
	if (s == NULL)
		return json_null();
	text_utf8(&clean, s, strlen(s));
	json_t *string =
	    json_stringn(clean.data == NULL ? "" : clean.data, clean.len);
	buf_free(&clean);

	return string;
}

const char *
rows_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

json_t *
rows_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *
rows_when(int64_t unix_s)
{
	char text[36];

	return json_string(datetime_rfc3339(text, unix_s, 0));
}

void
rows_set_counts(json_t *to, const struct index_counts *c)
{
	json_object_set_new(to, "listed", rows_number(c->inventory));
	json_object_set_new(to, "already", rows_number(c->already));
	for (int i = OUTCOME_DELIVERED; i < OUTCOME_COUNT; i++)
		json_object_set_new(
		    to, outcome_word((enum outcome)i), rows_number(c->by[i]));
}

/* A list of words with single blanks between. */
static json_t *
words(const char *s)
{
	json_t *array = json_array();
	while (s != NULL && *s != '\0') {
		size_t n = strcspn(s, " ");
		json_t *word = json_stringn(s, n);
		json_array_append_new(array, word);
		s += n + (s[n] == ' ');
	}

	return array;
}

static void
set_text(json_t *object, const char *key, const char *value)
{
	struct buf clean = { 0 };
	if (value == NULL || value[0] == '\0')
		return;
	text_utf8(&clean, value, strlen(value));
	json_object_set_new(object, key, json_string(clean.data));
	buf_free(&clean);
}

static void
set_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void
set_kept(json_t *o, const struct index_row *row)
{
	const struct catalog_row *c = &row->row;
	char hex[65];
	set_text(o, "sha256", digest_hex(hex, c->sha256, sizeof(c->sha256)));
	set_number(o, "size", c->size);
	set_text(o, "volume", row->volume);
	set_text(o, "entry", c->entry);
	set_number(o, "frame", c->frame);
	set_number(o, "offset", c->offset);
	set_text(o, "message_id", c->message_id);
	set_text(o, "from", c->from);
	set_text(o, "to", c->to);
	set_text(o, "cc", c->cc);
	set_text(o, "subject", c->subject);
	set_text(o, "date", c->date);
}

json_t *
rows_json(const struct index_row *row)
{
	const struct catalog_row *c = &row->row;
	struct buf flags = { 0 };
	char date[36];
	json_t *o = json_object();
	set_text(o, "account", c->account);
	set_text(o, "mailbox", c->mailbox);
	set_number(o, "uidvalidity", c->uidvalidity);
	set_number(o, "uid", c->uid);
	flags_text(&flags, c->flags);
	json_object_set_new(o, "flags", words(flags.data));
	buf_free(&flags);
	json_object_set_new(o, "keywords", words(c->keywords));
	if (c->idate != DATETIME_NONE)
		set_text(o, "internaldate",
		    datetime_rfc3339(date, c->idate, c->zone));
	set_text(o, "outcome", outcome_word(row->outcome));
	set_text(o, "run", row->run);
	set_text(o, "ended", row->ended);
	set_text(o, "class", row->note_class);
	set_text(o, "why", row->note_text);
	if (row->outcome == OUTCOME_DELIVERED)
		set_kept(o, row);

	return o;
}
