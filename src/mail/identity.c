#include "mail/identity.h"

#include "base/digest.h"
#include "mail/msgid.h"

#include <stdbool.h>

/*
 * What servers were seen to change, and what the form of version 1 does about
 * it: line ends and final empty lines (all white space of the body goes),
 * folding of long fields (all white space of fields goes), added Received,
 * X- and Delivered-To lines (only five fields count), lower-cased domains in
 * Message-ID (canonical form). Another form needs another IDENTITY_VERSION.
 */
enum {
	BODY_OCTETS = 8 << 10, /* counted without white space */
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

static void
add_dense(struct buf *out, const char *data, size_t len)
{
	char *to = buf_room(out, len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		to[n] = data[i];
		n += counts((unsigned char)data[i]);
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
	char piece[BODY_OCTETS];
	uint64_t offset = content_header_size(content);
	uint64_t left = content_size(content) - offset;
	size_t start = out->len;
	struct err err;

	if (left > BODY_READ)
		left = BODY_READ;
	while (left > 0 && out->len - start < BODY_OCTETS) {
		size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);
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
