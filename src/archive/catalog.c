#include "catalog.h"

#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"
#include "entry.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char catalog_tsv_head[] =
    "#kind\tpath\tvolume\tentry\tskip\tsize\tsha256\n";

static const char *const claim_words[] = {
	[CLAIM_WHOLE] = "whole",
	[CLAIM_LINK] = "link",
	[CLAIM_REFERENCE] = "reference",
	[CLAIM_KNOWN] = "known",
};

const char *
catalog_claim_word(enum claim_kind claim)
{
	return claim_words[claim];
}

/* ---- out ---- */

static void
put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		mem_out();
}

static void
put_number(json_t *object, const char *key, uint64_t n)
{
	put(object, key, json_integer((json_int_t)n));
}

/* As hex: most readers of JSON keep no more than 53 bits of a number. */
static void
put_hash64(json_t *object, const char *key, int64_t hash)
{
	char hex[17];
	if (hash == 0)
		return;
	snprintf(hex, sizeof(hex), "%016" PRIx64, (uint64_t)hash);
	put(object, key, json_string(hex));
}

json_t *
catalog_text(const char *text)
{
	if (text == NULL)
		return json_null();

	struct buf clean = { 0 };
	text_utf8(&clean, text, strlen(text));
	json_t *value =
	    json_stringn(clean.data == NULL ? "" : clean.data, clean.len);
	buf_free(&clean);

	return value;
}

static json_t *
words(const char *text)
{
	json_t *array = json_array();
	for (size_t len; *text != '\0'; text += len) {
		len = strcspn(text, " ");
		if (len > 0) {
			struct buf clean = { 0 };
			text_utf8(&clean, text, len);
			json_array_append_new(
			    array, json_stringn(clean.data, clean.len));
			buf_free(&clean);
		}
		len += text[len] == ' ';
	}

	return array;
}

static json_t *
flag_words(uint8_t flags)
{
	struct buf text = { 0 };
	flags_text(&text, flags);
	json_t *array = words(text.data == NULL ? "" : text.data);
	buf_free(&text);

	return array;
}

void
catalog_wire(json_t *object, const void *wire, size_t len)
{
	if (text_is_utf8(wire, len) && memchr(wire, '\0', len) == NULL) {
		put(object, "wire", json_stringn(wire, len));
		return;
	}

	struct buf hex = { 0 };
	buf_room(&hex, 2 * len + 1);
	digest_hex(hex.data, wire, len);
	put(object, "wire_hex", json_stringn(hex.data, 2 * len));
	buf_free(&hex);
}

static json_t *
body_json(const struct catalog_row *row)
{
	json_t *body = json_object();
	put(body, "volume", catalog_text(row->body_volume));
	put(body, "entry", catalog_text(row->body_entry));
	put_number(body, "frame", row->body_frame);
	put_number(body, "offset", row->body_offset);
	put_number(body, "skip", row->body_skip);

	return body;
}

void
catalog_origin(json_t *object, const struct catalog_row *row)
{
	put(object, "account", catalog_text(row->account));
	put(object, "mailbox", catalog_text(row->mailbox));
	catalog_wire(object, row->wire, row->wire_len);
	put_number(object, "uidvalidity", row->uidvalidity);
	if (row->generation != 0)
		put_number(object, "generation", row->generation);
	put_number(object, "uid", row->uid);
}

void
catalog_state(json_t *object, const struct catalog_row *row)
{
	char date[36];
	put(object, "flags", flag_words(row->flags));
	put(object, "keywords",
	    words(row->keywords == NULL ? "" : row->keywords));
	put(object, "internaldate",
	    row->idate == DATETIME_NONE
		? json_null()
		: json_string(datetime_rfc3339(date, row->idate, row->zone)));
}

/* Nothing was stored for what is known. */
static void
put_place(json_t *object, const struct catalog_row *row)
{
	bool known = row->claim == CLAIM_KNOWN;
	put(object, "claim", json_string(claim_words[row->claim]));
	put(object, "entry", known ? json_null() : catalog_text(row->entry));
	put(object, "frame", known ? json_null() : json_integer(row->frame));
	put(object, "offset",
	    known ? json_null() : json_integer((json_int_t)row->offset));
	if (row->claim == CLAIM_REFERENCE)
		put(object, "body", body_json(row));
	if (row->claim == CLAIM_LINK)
		put(object, "link", catalog_text(row->body_entry));
}

json_t *
catalog_json(const struct catalog_row *row)
{
	char hex[2 * DIGEST_SIZE + 1];
	json_t *object = json_object();
	if (object == NULL)
		mem_out();

	catalog_origin(object, row);
	catalog_state(object, row);
	put(object, "sha256",
	    json_string(digest_hex(hex, row->sha256, DIGEST_SIZE)));
	put_number(object, "size", row->size);
	put_number(object, "header_size", row->header_size);
	if (row->announced != 0 && row->announced != row->size)
		put_number(object, "announced", row->announced);
	put_hash64(object, "body_xxh3", row->body_hash);
	put_hash64(object, "identity", row->identity);
	put_place(object, row);
	put(object, "from", catalog_text(row->from));
	put(object, "to", catalog_text(row->to));
	put(object, "cc", catalog_text(row->cc));
	put(object, "subject", catalog_text(row->subject));
	put(object, "date", catalog_text(row->date));
	put(object, "message_id", catalog_text(row->message_id));

	return object;
}

static int
add_octets(const char *data, size_t n, void *arg)
{
	buf_add(arg, data, n);

	return 0;
}

void
catalog_line(struct buf *out, const json_t *object)
{
	if (json_dump_callback(object, add_octets, out, JSON_COMPACT) < 0)
		abort();
	buf_char(out, '\n');
}

static void
tsv_field(struct buf *out, const char *text)
{
	if (text == NULL || text[0] == '\0')
		text = "-";
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < ' ' || c == 0x7f || c == '\\')
			buf_fmt(out, "\\x%02x", c);
		else
			buf_char(out, *text);
	}
	buf_char(out, '\t');
}

void
catalog_tsv(struct buf *out, const struct catalog_row *row)
{
	char joined[KEPT_ENTRY], hex[2 * DIGEST_SIZE + 1];
	bool split = row->claim == CLAIM_REFERENCE;
	const char *path = row->entry;
	if (split && entry_joined(joined, row->entry))
		path = joined;

	tsv_field(out, claim_words[row->claim]);
	tsv_field(out, path);
	tsv_field(out, split ? row->body_volume : NULL);
	tsv_field(out, split ? row->body_entry : NULL);
	buf_fmt(out, "%llu\t%llu\t%s\n",
	    (unsigned long long)(split ? row->body_skip : 0),
	    (unsigned long long)row->size,
	    digest_hex(hex, row->sha256, DIGEST_SIZE));
}

/* ---- in ---- */

static bool
get_number(const json_t *object, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out = (uint64_t)json_integer_value(value);

	return true;
}

static bool
get_frame(const json_t *object, uint32_t *frame, uint64_t *offset)
{
	uint64_t n;
	if (!get_number(object, "frame", &n) || n > UINT32_MAX ||
	    !get_number(object, "offset", offset))
		return false;
	*frame = (uint32_t)n;

	return true;
}

static bool
get_body(const json_t *body, struct catalog_row *row)
{
	row->body_volume = json_string_value(json_object_get(body, "volume"));
	row->body_entry = json_string_value(json_object_get(body, "entry"));

	return row->body_volume != NULL && volume_name_ok(row->body_volume) &&
	       row->body_entry != NULL &&
	       get_frame(body, &row->body_frame, &row->body_offset) &&
	       get_number(body, "skip", &row->body_skip);
}

static bool
get_claim(const json_t *object, enum claim_kind *claim)
{
	const char *word = json_string_value(json_object_get(object, "claim"));
	for (size_t i = 0; word != NULL && i < 3; i++)
		if (strcmp(word, claim_words[i]) == 0) {
			*claim = (enum claim_kind)i;
			return true;
		}

	return false;
}

static bool
get_where(const json_t *object, const char *volume, struct catalog_row *row)
{
	if (!get_claim(object, &row->claim) ||
	    !get_frame(object, &row->frame, &row->offset))
		return false;
	if (row->claim == CLAIM_REFERENCE)
		return get_body(json_object_get(object, "body"), row);

	row->body_volume = volume;
	row->body_entry = json_string_value(json_object_get(object, "link"));

	return row->claim == CLAIM_WHOLE || row->body_entry != NULL;
}

bool
catalog_parse(const json_t *object, const char *volume, struct catalog_row *row,
    const char **why)
{
	*row = (struct catalog_row){ 0 };
	row->account = json_string_value(json_object_get(object, "account"));
	row->mailbox = json_string_value(json_object_get(object, "mailbox"));
	row->entry = json_string_value(json_object_get(object, "entry"));
	const char *hex = json_string_value(json_object_get(object, "sha256"));

	*why = "a catalog line lacks what it must have";
	if (row->account == NULL || row->mailbox == NULL || hex == NULL ||
	    row->entry == NULL || !get_where(object, volume, row) ||
	    !get_number(object, "uid", &row->uid) ||
	    !get_number(object, "uidvalidity", &row->uidvalidity) ||
	    !get_number(object, "size", &row->size) ||
	    !get_number(object, "header_size", &row->header_size) ||
	    !digest_unhex(hex, strlen(hex), row->sha256, DIGEST_SIZE))
		return false;

	*why = "a catalog line names an unsafe path";
	return strlen(row->entry) < KEPT_ENTRY && entry_is_safe(row->entry);
}
