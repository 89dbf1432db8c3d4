/*
 * Header sections: the scan, text for people, Message-ID; and contents, which
 * find the section's end however their octets come. The first octet chooses
 * the pieces.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/content.h"
#include "mail/header.h"
#include "mail/identity.h"
#include "mail/msgid.h"

enum { FIELDS, WORDS, MESSAGE_ID, BODY, NO_END };

static const char *const marks[] = {
	[FIELDS] = "all six fields",
	[WORDS] = "an encoded word that is decoded",
	[MESSAGE_ID] = "a Message-ID in brackets",
	[BODY] = "a header section and a body",
	[NO_END] = "a header section without end",
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));

	return 0;
}

/* ---- fields ---- */

static void
check_text(struct buf *text, struct header_slice slice, size_t max)
{
	header_text(text, slice, max);
	MUST(text->len <= max && text_is_utf8(text->data, text->len));
	MUST(strlen(text->data) == text->len);
	for (size_t i = 0; i < text->len; i++)
		MUST((unsigned char)text->data[i] >= ' ' &&
		     text->data[i] != 127);
	if (text->len > 0)
		MUST(text->data[0] != ' ' && text->data[text->len - 1] != ' ' &&
		     strstr(text->data, "  ") == NULL);
}

/* A shorter text is the longer one's beginning. */
static void
check_texts(struct header_slice slice)
{
	struct buf full = { 0 }, cut = { 0 };
	check_text(&full, slice, 1000);
	check_text(&cut, slice, 7);
	MUST(cut.len <= full.len && memcmp(full.data, cut.data, cut.len) == 0);
	if (memmem(slice.data, slice.len, "=?", 2) != NULL &&
	    strstr(full.data, "=?") == NULL)
		fuzz_reach(WORDS);
	buf_free(&full);
	buf_free(&cut);
}

static void
check_slice(struct header_slice slice, const char *data, size_t size)
{
	struct buf id = { 0 };
	if (slice.data == NULL)
		return;
	MUST(slice.data >= data && slice.data + slice.len <= data + size);
	check_texts(slice);
	msgid_canonical(&id, slice);
	MUST(id.len <= slice.len && (id.len == 0) == (msgid_key(slice) == 0));
	if (id.len > 0 && memchr(slice.data, '<', slice.len) != NULL)
		fuzz_reach(MESSAGE_ID);
	buf_free(&id);
}

static bool
same(struct header_slice a, struct header_slice b)
{
	return a.data == b.data && a.len == b.len;
}

static void
scan(const char *data, size_t size, struct header_fields *f)
{
	header_scan(data, size, f);
	check_slice(f->message_id, data, size);
	check_slice(f->from, data, size);
	check_slice(f->to, data, size);
	check_slice(f->cc, data, size);
	check_slice(f->subject, data, size);
	check_slice(f->date, data, size);
	check_slice((struct header_slice){ data, size }, data, size);
	if (f->message_id.data && f->from.data && f->to.data && f->cc.data &&
	    f->subject.data && f->date.data)
		fuzz_reach(FIELDS);
}

/* ---- contents ---- */

static struct content *
content_of(const char *data, size_t size, size_t step)
{
	struct content *c = content_new(NULL, 0);
	struct err err;
	for (size_t at = 0; at < size; at += step)
		MUST(content_add(
		    c, data + at, size - at < step ? size - at : step, &err));
	content_finish(c);
	MUST(content_hash(c, &err));

	return c;
}

/* Nothing behind the section's end is a field. */
static void
check_section(struct content *c, const char *data,
    const struct header_fields *all, size_t size)
{
	struct header_fields own;
	size_t len;
	const char *header = content_header(c, &len);
	uint64_t section = content_header_size(c);
	MUST(section <= size && len == section);
	MUST(len == 0 || memcmp(header, data, len) == 0);
	header_scan(data, (size_t)section, &own);
	MUST(same(own.message_id, all->message_id) &&
	     same(own.from, all->from) && same(own.to, all->to) &&
	     same(own.cc, all->cc) && same(own.subject, all->subject) &&
	     same(own.date, all->date));
	fuzz_reach(section < size ? BODY : NO_END);
}

static void
check_contents(const char *data, size_t size, size_t step,
    const struct header_fields *fields)
{
	struct content *whole = content_of(data, size, size + 1);
	struct content *parts = content_of(data, size, step);
	MUST(content_size(whole) == size && content_size(parts) == size);
	MUST(content_header_size(whole) == content_header_size(parts));
	MUST(content_body_hash(whole) == content_body_hash(parts));
	MUST(memcmp(content_sha256(whole), content_sha256(parts), 32) == 0);
	MUST(identity_key(whole, fields) == identity_key(parts, fields));
	check_section(whole, data, fields, size);
	content_free(&whole);
	content_free(&parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	struct header_fields fields;
	size_t step = fuzz_choose(&rest, 32) + 1;
	if (rest.len == 0)
		return 0;
	scan(rest.data, rest.len, &fields);
	check_contents(rest.data, rest.len, step, &fields);

	return 0;
}
