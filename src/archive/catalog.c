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

/* As hex: most readers of JSON keep no more than 53 bits of a number. */
static void
put_hash64(struct jsonl *l, const char *key, int64_t hash)
{
	char hex[17];
	if (hash == 0)
		return;
	snprintf(hex, sizeof(hex), "%016" PRIx64, (uint64_t)hash);
	jsonl_text(l, key, hex);
}

static void
put_flags(struct jsonl *l, uint8_t flags)
{
	struct buf text = { 0 };
	flags_text(&text, flags);
	jsonl_words(l, "flags", text.data == NULL ? "" : text.data);
	buf_free(&text);
}

void
catalog_wire(struct jsonl *l, const void *wire, size_t len)
{
	if (text_is_utf8(wire, len) && memchr(wire, '\0', len) == NULL) {
		jsonl_octets(l, "wire", wire, len);
		return;
	}

	struct buf hex = { 0 };
	buf_room(&hex, 2 * len + 1);
	digest_hex(hex.data, wire, len);
	jsonl_octets(l, "wire_hex", hex.data, 2 * len);
	buf_free(&hex);
}

static void
put_body(struct jsonl *l, const struct catalog_row *row)
{
	jsonl_open(l, "body");
	jsonl_text(l, "volume", row->body_volume);
	jsonl_text(l, "entry", row->body_entry);
	jsonl_number(l, "frame", row->body_frame);
	jsonl_number(l, "offset", row->body_offset);
	jsonl_number(l, "skip", row->body_skip);
	jsonl_close(l);
}

void
catalog_origin(struct jsonl *l, const struct catalog_row *row)
{
	jsonl_text(l, "account", row->account);
	jsonl_text(l, "mailbox", row->mailbox);
	catalog_wire(l, row->wire, row->wire_len);
	jsonl_number(l, "uidvalidity", row->uidvalidity);
	if (row->generation != 0)
		jsonl_number(l, "generation", row->generation);
	jsonl_number(l, "uid", row->uid);
}

void
catalog_state(struct jsonl *l, const struct catalog_row *row)
{
	char date[36];
	put_flags(l, row->flags);
	jsonl_words(l, "keywords", row->keywords == NULL ? "" : row->keywords);
	jsonl_text(l, "internaldate",
	    row->idate == DATETIME_NONE
		? NULL
		: datetime_rfc3339(date, row->idate, row->zone));
}

/* Nothing was stored for what is known. */
static void
put_place(struct jsonl *l, const struct catalog_row *row)
{
	jsonl_text(l, "claim", claim_words[row->claim]);
	if (row->claim == CLAIM_KNOWN) {
		jsonl_null(l, "entry");
		jsonl_null(l, "frame");
		jsonl_null(l, "offset");
		return;
	}
	jsonl_text(l, "entry", row->entry);
	jsonl_number(l, "frame", row->frame);
	jsonl_number(l, "offset", row->offset);
	if (row->claim == CLAIM_REFERENCE)
		put_body(l, row);
	if (row->claim == CLAIM_LINK)
		jsonl_text(l, "link", row->body_entry);
}

void
catalog_put(struct jsonl *l, const struct catalog_row *row)
{
	char hex[2 * DIGEST_SIZE + 1];
	catalog_origin(l, row);
	catalog_state(l, row);
	jsonl_text(l, "sha256", digest_hex(hex, row->sha256, DIGEST_SIZE));
	jsonl_number(l, "size", row->size);
	jsonl_number(l, "header_size", row->header_size);
	if (row->announced != 0 && row->announced != row->size)
		jsonl_number(l, "announced", row->announced);
	put_hash64(l, "body_xxh3", row->body_hash);
	put_hash64(l, "identity", row->identity);
	put_place(l, row);
	jsonl_text(l, "from", row->from);
	jsonl_text(l, "to", row->to);
	jsonl_text(l, "cc", row->cc);
	jsonl_text(l, "subject", row->subject);
	jsonl_text(l, "date", row->date);
	jsonl_text(l, "message_id", row->message_id);
}

static bool
tsv_escapes(unsigned char c)
{
	return c < ' ' || c == 0x7f || c == '\\';
}

static void
tsv_field(struct buf *out, const char *text)
{
	if (text == NULL || text[0] == '\0')
		text = "-";
	for (;;) {
		size_t n = 0;
		while (!tsv_escapes((unsigned char)text[n]))
			n++;
		buf_add(out, text, n);
		text += n;
		if (*text == '\0')
			break;
		buf_fmt(out, "\\x%02x", (unsigned char)*text++);
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
