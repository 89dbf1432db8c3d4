#include "mail/identity.h"

#include "base/digest.h"
#include "mail/msgid.h"

#include <stdbool.h>
#include <string.h>

/*
 * What servers were seen to change, and what the form of version 1 does about
 * it: line ends and final empty lines (all white space of the body goes),
 * folding of long fields (all white space of fields goes), added Received,
 * X- and Delivered-To lines (only five fields count), lower-cased domains in
 * Message-ID (canonical form). Another form needs another IDENTITY_VERSION.
 */
enum {
	BODY_OCTETS = 8 << 10, /* counted without white space */
	LINE_ENDS = 512,       /* so many are likely to go from that */
	/* A body of blanks isn't worth reading to its end. */
	BODY_READ = 64 << 10
};

/* 0 for CR, LF, blank and tab, else 1: adds without a branch. */
static inline size_t
counts(unsigned char c)
{
	return (size_t)(c != ' ') & (size_t)(c != '\n') & (size_t)(c != '\r') &
	       (size_t)(c != '\t');
}

/* True if one of eight octets may be white space: below '!' by borrow. */
static inline bool
may_hold_space(const char *data)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t word;

	memcpy(&word, data, sizeof(word));

	return ((word - ones * '!') & ~word & ones * 0x80) != 0;
}

static void
add_dense(struct buf *out, const char *data, size_t len)
{
	char *to = buf_room(out, len + 1);
	size_t n = 0, i = 0;

	while (i < len) {
		/* Encoded attachments: eight at a time up to the line's end. */
		if (len - i >= 8 && !may_hold_space(data + i)) {
			memcpy(to + n, data + i, 8);
			n += 8;
			i += 8;
			continue;
		}
		for (size_t end = len - i < 8 ? len : i + 8; i < end; i++) {
			to[n] = data[i];
			n += counts((unsigned char)data[i]);
		}
	}
	to[n] = '\0';
	out->len += n;
}

static void
add_field(struct buf *out, struct header_slice field)
{
	if (field.data != NULL)
		add_dense(out, field.data, field.len);
	buf_char(out, '\n');
}

static bool
add_body(struct buf *out, const struct content *content)
{
	char piece[BODY_OCTETS + LINE_ENDS];
	uint64_t offset = content_header_size(content);
	uint64_t left = content_size(content) - offset;
	size_t start = out->len;
	struct err err;

	if (left > BODY_READ)
		left = BODY_READ;
	while (left > 0 && out->len - start < BODY_OCTETS) {
		size_t n = BODY_OCTETS - (out->len - start) + LINE_ENDS;
		if (n > sizeof(piece))
			n = sizeof(piece);
		if (n > left)
			n = (size_t)left;
		if (!content_read(content, offset, piece, n, &err))
			return false;
		add_dense(out, piece, n);
		offset += n;
		left -= n;
	}
	if (out->len - start > BODY_OCTETS)
		out->len = start + BODY_OCTETS;

	return true;
}

int64_t
identity_key(const struct content *content, const struct header_fields *fields)
{
	struct buf form = { 0 };

	buf_fmt(&form, "%d\n", IDENTITY_VERSION);
	msgid_canonical(&form, fields->message_id);
	buf_char(&form, '\n');
	add_field(&form, fields->date);
	add_field(&form, fields->from);
	add_field(&form, fields->to);
	add_field(&form, fields->cc);
	add_field(&form, fields->subject);
	int64_t key = 0;
	if (add_body(&form, content))
		key = hash64_of(form.data, form.len);
	buf_free(&form);

	return key;
}
