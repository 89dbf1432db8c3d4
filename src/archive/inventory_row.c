#include "inventory_row.h"

#include "base/digest.h"
#include "base/mem.h"
#include "catalog.h"
#include "mail/datetime.h"
#include "mail/flags.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* A name on a server may be long; nobody has one of a megabyte. */
	NAME_LIMIT = 64 << 10,
	KEYWORDS_MAX = 20000
};

void
row_texts_free(struct row_texts *t)
{
	buf_free(&t->wire);
	buf_free(&t->keywords);
}

const char *
inventory_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool
inventory_number(const json_t *object, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(object, key);
	if (value == NULL)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out = (uint64_t)json_integer_value(value);

	return true;
}

static bool
add_hex(const json_t *object, const char *key, struct buf *out)
{
	char name[32];
	snprintf(name, sizeof(name), "%s_hex", key);
	const char *hex = inventory_text(object, name);
	if (hex == NULL)
		return false;
	size_t n = strlen(hex) / 2;
	uint8_t *room = (uint8_t *)buf_room(out, n + 1);
	if (!digest_unhex(hex, strlen(hex), room, n))
		return false;
	out->len += n;
	buf_str(out, "");

	return true;
}

bool
inventory_wire(
    const json_t *object, const char *key, const char *display, struct buf *out)
{
	const char *wire = inventory_text(object, key);
	buf_clear(out);
	if (wire == NULL && !add_hex(object, key, out))
		wire = display;
	if (wire != NULL)
		buf_str(out, wire);

	/* As source_mailbox.name promises. */
	return out->len <= NAME_LIMIT && out->len > 0 &&
	       memchr(out->data, '\0', out->len) == NULL &&
	       memchr(out->data, '\r', out->len) == NULL &&
	       memchr(out->data, '\n', out->len) == NULL;
}

static bool
take_flags(const json_t *array, struct catalog_row *row)
{
	size_t i;
	json_t *word;
	if (array != NULL && !json_is_array(array))
		return false;
	json_array_foreach(array, i, word)
	{
		if (!json_is_string(word))
			return false;
		row->flags |= flags_parse(
		    json_string_value(word), json_string_length(word));
	}

	return true;
}

static bool
is_keyword(const json_t *word)
{
	const char *text = json_string_value(word);
	if (text == NULL || *text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;

	return true;
}

static bool
take_keywords(const json_t *array, struct buf *out)
{
	size_t n = json_array_size(array), i;
	json_t *word;
	bool ok = array == NULL || json_is_null(array) || json_is_array(array);
	buf_clear(out);
	buf_str(out, "");
	if (!ok || n > KEYWORDS_MAX)
		return false;
	const char **words = mem_array(n + 1, sizeof(*words));
	json_array_foreach(array, i, word)
	{
		ok = ok && is_keyword(word);
		words[i] = ok ? json_string_value(word) : "";
	}
	if (ok)
		flags_keywords(out, words, n);
	free(words);

	return ok;
}

static bool
take_date(const json_t *object, struct catalog_row *row)
{
	const json_t *date = json_object_get(object, "internaldate");
	row->idate = DATETIME_NONE;
	if (date == NULL || json_is_null(date))
		return true;

	return json_is_string(date) &&
	       datetime_parse_rfc3339(json_string_value(date),
		   json_string_length(date), &row->idate, &row->zone);
}

bool
inventory_origin_parse(const json_t *object, struct row_texts *t,
    struct inventory_row *out, const char **why)
{
	struct catalog_row *row = &out->row;
	row->account = inventory_text(object, "account");
	row->mailbox = inventory_text(object, "mailbox");
	*why = "a line doesn't say whose message it is";
	if (row->account == NULL || row->account[0] == '\0' ||
	    row->mailbox == NULL || row->mailbox[0] == '\0' ||
	    strlen(row->account) > NAME_LIMIT ||
	    strlen(row->mailbox) > NAME_LIMIT ||
	    !inventory_number(object, "uid", &row->uid) ||
	    !inventory_number(object, "uidvalidity", &row->uidvalidity) ||
	    !inventory_number(object, "generation", &out->generation))
		return false;
	*why = "a line names an impossible mailbox";
	if (!inventory_wire(object, "wire", row->mailbox, &t->wire))
		return false;
	row->wire = t->wire.data;
	row->wire_len = t->wire.len;
	*why = "a line has flags, keywords or a date that are none";
	if (!take_flags(json_object_get(object, "flags"), row) ||
	    !take_keywords(json_object_get(object, "keywords"), &t->keywords) ||
	    !take_date(object, row))
		return false;
	row->keywords = t->keywords.data;

	return true;
}

/* 16 hex digits of 63 bits; 0: none. */
static int64_t
hash64(const json_t *object, const char *key)
{
	const char *hex = inventory_text(object, key);
	uint8_t octets[8];
	uint64_t value = 0;
	if (hex == NULL || !digest_unhex(hex, strlen(hex), octets, 8))
		return 0;
	for (size_t i = 0; i < 8; i++)
		value = value << 8 | octets[i];

	return value > INT64_MAX ? 0 : (int64_t)value;
}

static bool
take_content(const json_t *object, struct inventory_row *out, const char **why)
{
	struct catalog_row *row = &out->row;
	const char *hex = inventory_text(object, "sha256");
	*why = "a line doesn't say what the message is";
	if (hex == NULL ||
	    !digest_unhex(hex, strlen(hex), row->sha256, DIGEST_SIZE) ||
	    !inventory_number(object, "size", &row->size) ||
	    !inventory_number(object, "header_size", &row->header_size) ||
	    row->header_size > row->size)
		return false;
	row->announced = row->size;
	row->body_hash = hash64(object, "body_xxh3");
	row->identity = hash64(object, "identity");
	row->from = inventory_text(object, "from");
	row->to = inventory_text(object, "to");
	row->cc = inventory_text(object, "cc");
	row->subject = inventory_text(object, "subject");
	row->date = inventory_text(object, "date");
	row->message_id = inventory_text(object, "message_id");

	return inventory_number(object, "announced", &row->announced);
}

static bool
is_known(const json_t *object)
{
	const char *claim = inventory_text(object, "claim");

	return json_is_true(json_object_get(object, "known")) ||
	       (claim != NULL && strcmp(claim, "known") == 0);
}

bool
inventory_row_parse(const json_t *object, const char *volume,
    struct row_texts *t, struct inventory_row *out, const char **why)
{
	*out = (struct inventory_row){ .volume = volume };
	if (is_known(object)) {
		out->row.claim = CLAIM_KNOWN;
		out->row.entry = "";
		out->volume = "";
	} else if (!catalog_parse(object, volume, &out->row, why)) {
		return false;
	}

	return inventory_origin_parse(object, t, out, why) &&
	       take_content(object, out, why);
}
