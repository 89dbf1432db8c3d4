#include "load.h"

#include "base/mem.h"
#include "keys.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* libcyaml's tables, made from ours; the last row of each ends it. */
struct schema {
	cyaml_schema_field_t top[KEYS_MAX + 1], side[KEYS_MAX + 1],
	    row[KEYS_MAX + 1];
	cyaml_schema_value_t text, rows, root;
};

static const cyaml_schema_value_t text_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

/* item_size: of one item in the array that stands at items. */
static void
set_list(cyaml_schema_field_t *field, const cyaml_schema_value_t *entry,
    size_t item_size, size_t items, size_t count)
{
	field->data_offset = (uint32_t)items;
	field->count_offset = (uint32_t)count;
	field->count_size = sizeof(uint32_t);
	field->value.type = CYAML_SEQUENCE;
	field->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
	field->value.data_size = (uint32_t)item_size;
	field->value.sequence.entry = entry;
	field->value.sequence.max = CYAML_UNLIMITED;
}

static void
set_field(struct schema *s, cyaml_schema_field_t *field, const struct key *key,
    bool rows_inline)
{
	*field = (cyaml_schema_field_t){ .key = key->name,
		.data_offset = (uint32_t)key->at,
		.value = text_value };
	field->value.flags |= CYAML_FLAG_OPTIONAL;
	switch (key->kind) {
	case KEY_NUMBER:
		field->value.type = CYAML_UINT;
		field->value.data_size = sizeof(uint64_t);
		break;
	case KEY_FLAG:
		field->value.type = CYAML_BOOL;
		field->value.flags = CYAML_FLAG_OPTIONAL;
		field->value.data_size = sizeof(bool);
		break;
	case KEY_LIST:
		set_list(field, &s->text, sizeof(char *),
		    key->at + offsetof(struct config_list, items),
		    key->at + offsetof(struct config_list, n));
		break;
	case KEY_SIDE:
		field->value.type = CYAML_MAPPING;
		field->value.flags = CYAML_FLAG_OPTIONAL;
		field->value.data_size = (uint32_t)key->inner->size;
		field->value.mapping.fields = s->side;
		break;
	case KEY_ACCOUNTS:
		if (rows_inline)
			set_list(field, &s->rows, keys_row.size,
			    offsetof(struct config, rows),
			    offsetof(struct config, row_count));
		break;
	case KEY_TEXT:
	case KEY_PATH:
	case KEY_SIZE:
	case KEY_SECONDS:
	case KEY_DAY:
		break;
	}
}

static void
set_fields(struct schema *s, cyaml_schema_field_t *fields,
    const struct key_table *table, bool rows_inline)
{
	for (size_t i = 0; i < table->n; i++)
		set_field(s, &fields[i], &table->keys[i], rows_inline);
	fields[table->n] = (cyaml_schema_field_t)CYAML_FIELD_END;
}

/* Its parts point at each other: it must not be moved. */
static void
make_schema(struct schema *s, bool rows_inline)
{
	s->text = text_value;
	s->rows = (cyaml_schema_value_t){ .type = CYAML_MAPPING,
		.flags = CYAML_FLAG_DEFAULT,
		.data_size = (uint32_t)keys_row.size,
		.mapping = { s->row } };
	s->root = (cyaml_schema_value_t){ .type = CYAML_MAPPING,
		.flags = CYAML_FLAG_POINTER,
		.data_size = (uint32_t)keys_top.size,
		.mapping = { s->top } };
	set_fields(s, s->row, &keys_row, false);
	set_fields(s, s->side, &keys_source, false);
	set_fields(s, s->top, &keys_top, rows_inline);
}

/* Out of memory aborts, here as everywhere. */
static void *
allocate(void *ctx, void *p, size_t size)
{
	(void)ctx;
	if (size > 0)
		return mem_grow(p, size, 1);
	free(p);

	return NULL;
}

/* What libcyaml logs of an error, its backtrace with lines. */
struct complaint {
	char text[240];
	size_t len;
};

__attribute__((format(printf, 3, 0))) static void
complain(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *c = ctx;

	if (level < CYAML_LOG_ERROR || c->len >= sizeof(c->text) - 1)
		return;
	int n =
	    vsnprintf(c->text + c->len, sizeof(c->text) - c->len, fmt, args);
	if (n > 0)
		c->len += (size_t)n;
}

static cyaml_config_t
settings(struct complaint *c)
{
	return (cyaml_config_t){ .log_fn = complain,
		.log_ctx = c,
		.mem_fn = allocate,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS };
}

bool
load_yaml(struct config **out, const struct buf *data, bool rows_inline,
    const char *path, struct err *err)
{
	struct schema s;
	struct complaint c = { 0 };
	const cyaml_config_t config = settings(&c);
	cyaml_data_t *loaded = NULL;

	make_schema(&s, rows_inline);
	cyaml_err_t code = cyaml_load_data((const uint8_t *)data->data,
	    data->len, &config, &s.root, &loaded, NULL);
	if (code != CYAML_OK) {
		for (char *p = c.text; *p != '\0'; p++)
			if (*p == '\n')
				*p = ' ';
		return err_set(err, ERR_RUN, ERR_USAGE, "%s: %s: %s", path,
		    cyaml_strerror(code), c.text);
	}
	/* It gives no struct where no key was set. */
	*out = loaded != NULL ? loaded : mem_new(sizeof(struct config));

	return true;
}

void
load_free(struct config *c, bool rows_inline)
{
	struct schema s;
	struct complaint unused = { 0 };
	const cyaml_config_t config = settings(&unused);

	make_schema(&s, rows_inline);
	cyaml_free(&config, &s.root, c, 0);
}
