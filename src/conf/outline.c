#include "outline.h"

#include "base/mem.h"
#include "base/text.h"
#include "conf/config.h"
#include "input.h"
#include "keys.h"
#include "refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
	VALUE_MAX = 4096, /* octets; no key needs more */
	SHOWN = 40        /* octets of a wrong value in a text */
};

struct outline {
	yaml_parser_t parser;
	yaml_event_t event; /* the one being judged */
	const char *path;
	const struct buf *data;
	struct config_places *places;
	struct err *err;
};

static unsigned
line_of(yaml_mark_t mark)
{
	return (unsigned)mark.line + 1;
}

/* "FILE:LINE: KEY: …", at the event. */
__attribute__((format(printf, 3, 4))) static bool
refuse(struct outline *o, const char *key, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	return err_set(o->err, ERR_RUN, ERR_USAGE, "%s:%u: %s%s%s", o->path,
	    line_of(o->event.start_mark), key, key[0] == '\0' ? "" : ": ",
	    text);
}

/* What libyaml found to be no YAML. */
static bool
refuse_syntax(struct outline *o)
{
	const yaml_parser_t *p = &o->parser;
	unsigned line = line_of(p->problem_mark);

	err_set(o->err, ERR_RUN, ERR_USAGE, "%s:%u: is no YAML: %s%s%s",
	    o->path, line, p->problem != NULL ? p->problem : "unreadable",
	    p->context != NULL ? " " : "",
	    p->context != NULL ? p->context : "");
	if (memchr(o->data->data, '\t', o->data->len) != NULL)
		err_hint(o->err,
		    "This file holds tabs; YAML is indented with blanks.");

	return false;
}

/*
 * The next event into o->event. Aliases are refused (ten lines of them make a
 * billion values), so anchors mean nothing, and tags would change kinds.
 */
static bool
next(struct outline *o)
{
	const unsigned char *anchor = NULL, *tag = NULL;

	yaml_event_delete(&o->event);
	if (!yaml_parser_parse(&o->parser, &o->event))
		return refuse_syntax(o);
	switch (o->event.type) {
	case YAML_ALIAS_EVENT:
		return refuse(o, "",
		    "aliases (*name) are not taken; write the value out");
	case YAML_SCALAR_EVENT:
		anchor = o->event.data.scalar.anchor;
		tag = o->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = o->event.data.sequence_start.anchor;
		tag = o->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = o->event.data.mapping_start.anchor;
		tag = o->event.data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor != NULL)
		return refuse(o, "",
		    "anchors (&name) are not taken; a value that begins with "
		    "'&' wants quotes");
	if (tag != NULL)
		return refuse(o, "",
		    "tags (!name) are not taken; a value that begins with '!' "
		    "wants quotes");

	return true;
}

static const char *
scalar(const struct outline *o)
{
	return (const char *)o->event.data.scalar.value;
}

static bool
is_plain(const struct outline *o)
{
	return o->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* YAML's ways to say nothing. */
static bool
is_nothing(const struct outline *o)
{
	const char *text = scalar(o);

	return text[0] == '\0' ||
	       (is_plain(o) &&
		   (strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
		       strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0));
}

static bool
is_seconds(const char *text, const struct key *key)
{
	size_t whole = strspn(text, "0123456789");
	const char *rest = text + whole;

	if (whole == 0 || whole > 9)
		return false;
	if (*rest == '.') {
		size_t part = strspn(rest + 1, "0123456789");
		if (part == 0)
			return false;
		rest += 1 + part;
	}
	double value = strtod(text, NULL);

	return *rest == '\0' && value >= (double)key->min &&
	       value <= (double)key->max;
}

/* "010" is ten to people and eight to libcyaml: neither. */
static bool
is_number(const char *text, const struct key *key)
{
	uint64_t value;

	return text_parse_u64(text, strlen(text), &value) &&
	       (text[0] != '0' || text[1] == '\0') && value >= key->min &&
	       value <= key->max;
}

static bool
is_word(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;

	return false;
}

static bool
fits(const struct outline *o, const struct key *key)
{
	const char *text = scalar(o);
	uint64_t size;

	switch (key->kind) {
	case KEY_TEXT:
		return key->words == NULL || is_word(text, key->words);
	case KEY_SIZE:
		return text_parse_size(text, &size);
	case KEY_SECONDS:
		return is_plain(o) && is_seconds(text, key);
	case KEY_DAY:
		return input_is_day(text);
	case KEY_NUMBER:
		return is_plain(o) && is_number(text, key);
	case KEY_FLAG:
		return is_plain(o) && (strcmp(text, "true") == 0 ||
					  strcmp(text, "false") == 0);
	case KEY_PATH:
	case KEY_LIST:
	case KEY_ACCOUNTS:
		return true;
	case KEY_SIDE:
		break;
	}

	return false;
}

static bool
is_path(const struct key *key)
{
	return key->kind == KEY_PATH || key->kind == KEY_ACCOUNTS;
}

/* A scalar as the value of a key. */
static bool
check_scalar(struct outline *o, const struct key *key, const char *full)
{
	const char *text = scalar(o);
	size_t len = o->event.data.scalar.length;
	char allowed[200], shown[SHOWN];

	keys_allowed(key, allowed, sizeof(allowed));
	if (len > VALUE_MAX)
		return refuse(
		    o, full, "is longer than %d octets", (int)VALUE_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return refuse(o, full,
			    "holds a control character or more than one line");
	if (is_nothing(o))
		return refuse(o, full,
		    "has no value; allowed: %s, or leave the key out", allowed);
	if (is_path(key) && text[0] == '~' &&
	    (text[1] == '/' || text[1] == '\0'))
		return refuse(o, full,
		    "\"~\" is not expanded here; write the whole path");
	if (!fits(o, key)) {
		text_escape_to(shown, sizeof(shown), text, len);
		return refuse(o, full, "\"%s\" is not allowed; allowed: %s",
		    shown, allowed);
	}

	return true;
}

static bool read_mapping(
    struct outline *o, const struct key_table *table, const char *prefix);

static bool
wrong_kind(struct outline *o, const struct key *key, const char *full)
{
	char allowed[200];

	keys_allowed(key, allowed, sizeof(allowed));

	return refuse(o, full, "is %s; allowed: %s",
	    o->event.type == YAML_SCALAR_EVENT           ? "a single value"
	    : o->event.type == YAML_SEQUENCE_START_EVENT ? "a list"
							 : "a mapping",
	    allowed);
}

/* Behind the '[' of include and exclude. */
static bool
read_list(struct outline *o, const struct key *key, const char *full)
{
	for (;;) {
		if (!next(o))
			return false;
		if (o->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (o->event.type != YAML_SCALAR_EVENT)
			return wrong_kind(o, key, full);
		if (!check_scalar(o, key, full))
			return false;
	}
}

/* Behind the '[' of accounts. */
static bool
read_rows(struct outline *o, const struct key *key, const char *full)
{
	struct config_places *places = o->places;

	places->rows_inline = true;
	for (;;) {
		if (!next(o))
			return false;
		if (o->event.type == YAML_SEQUENCE_END_EVENT)
			return places->row_count > 0 ||
			       refuse(o, full, "the list holds no account");
		if (o->event.type != YAML_MAPPING_START_EVENT)
			return wrong_kind(o, key, full);
		if (places->row_count == CONFIG_ROWS_MAX)
			return refuse(o, full,
			    "the list holds more than %d accounts; write them "
			    "into a CSV and its path here",
			    (int)CONFIG_ROWS_MAX);
		char *prefix = mem_fmt("%s[%zu].", full, places->row_count);
		places->rows = mem_grow(
		    places->rows, places->row_count + 1, sizeof(*places->rows));
		places->rows[places->row_count++] =
		    line_of(o->event.start_mark);
		bool ok = read_mapping(o, key->inner, prefix);
		free(prefix);
		if (!ok)
			return false;
	}
}

static bool
read_value(struct outline *o, const struct key *key, const char *full)
{
	if (!next(o))
		return false;
	yaml_event_type_t type = o->event.type;
	if (type == YAML_MAPPING_START_EVENT && key->kind == KEY_SIDE) {
		char *prefix = mem_fmt("%s.", full);
		bool ok = read_mapping(o, key->inner, prefix);
		free(prefix);
		return ok;
	}
	if (type == YAML_SEQUENCE_START_EVENT && key->kind == KEY_LIST)
		return read_list(o, key, full);
	if (type == YAML_SEQUENCE_START_EVENT && key->kind == KEY_ACCOUNTS)
		return read_rows(o, key, full);
	if (type != YAML_SCALAR_EVENT || key->kind == KEY_SIDE ||
	    key->kind == KEY_LIST)
		return wrong_kind(o, key, full);

	return check_scalar(o, key, full);
}

static void
note_place(struct config_places *places, const char *full, unsigned line)
{
	places->items =
	    mem_grow(places->items, places->n + 1, sizeof(*places->items));
	places->items[places->n++] =
	    (struct place){ .key = mem_str(full), .line = line };
}

/* The key in o->event, with its value. seen: lines of the table's keys. */
static bool
read_pair(struct outline *o, const struct key_table *table, const char *prefix,
    unsigned *seen)
{
	char name[100], where[300];
	const unsigned line = line_of(o->event.start_mark);

	/* Longer than any known one; cut, it is still unknown. */
	text_escape_to(
	    name, sizeof(name), scalar(o), o->event.data.scalar.length);
	char *full = mem_fmt("%s%s", prefix, name);
	const struct key *key = keys_find(table, name);
	bool ok;
	if (key == NULL) {
		snprintf(where, sizeof(where), "%.280s:%u", o->path, line);
		ok = refuse_key(table, where, full, name, o->err);
	} else if (seen[key - table->keys] != 0) {
		ok = refuse(o, full,
		    "stands here a second time; first on "
		    "line %u",
		    seen[key - table->keys]);
	} else {
		seen[key - table->keys] = line;
		/* Rows are many, and have lines of their own. */
		if (table != &keys_row)
			note_place(o->places, full, line);
		ok = read_value(o, key, full);
	}
	free(full);

	return ok;
}

/* Behind the '{'. */
static bool
read_mapping(
    struct outline *o, const struct key_table *table, const char *prefix)
{
	unsigned seen[KEYS_MAX] = { 0 };

	for (;;) {
		if (!next(o))
			return false;
		if (o->event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (o->event.type != YAML_SCALAR_EVENT)
			return refuse(o, "", "a key must be a single word");
		if (!read_pair(o, table, prefix, seen))
			return false;
	}
}

static bool
read_document(struct outline *o)
{
	/* The stream's begin, and the document's. */
	for (int i = 0; i < 2; i++)
		if (!next(o))
			return false;
	if (o->event.type == YAML_STREAM_END_EVENT)
		return err_set(o->err, ERR_RUN, ERR_USAGE,
		    "%s: is empty; it must name at least an archive, a source "
		    "and accounts",
		    o->path);
	if (!next(o))
		return false;
	if (o->event.type != YAML_MAPPING_START_EVENT)
		return refuse(o, "",
		    "the file must consist of keys and values, like "
		    "\"archive: ./archive\"");
	if (!read_mapping(o, &keys_top, ""))
		return false;
	for (int i = 0; i < 2; i++) /* their ends */
		if (!next(o))
			return false;

	return o->event.type == YAML_STREAM_END_EVENT ||
	       refuse(o, "", "a second document is not taken");
}

bool
outline_read(struct config_places *places, const char *path,
    const struct buf *data, struct err *err)
{
	struct outline o = {
		.path = path, .data = data, .places = places, .err = err
	};

	if (!yaml_parser_initialize(&o.parser))
		abort(); /* out of memory */
	yaml_parser_set_input_string(
	    &o.parser, (const unsigned char *)data->data, data->len);
	bool ok = read_document(&o);
	yaml_event_delete(&o.event);
	yaml_parser_delete(&o.parser);

	return ok;
}

void
outline_free(struct config_places *places)
{
	for (size_t i = 0; i < places->n; i++)
		free(places->items[i].key);
	free(places->items);
	free(places->rows);
	*places = (struct config_places){ 0 };
}
