#include "decode.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "text/extract.h"
#include "gmime.h"

enum {
	RAW_MAX = 4 << 20, /* octets of a part: tags are more than text */
	PIECE = 16 << 10,
	CHARSET_MAX = 40
};

struct decoding {
	struct buf *text;
	unsigned parts; /* looked at so far */
	bool cut;
};

static void
say_nothing(const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer data)
{
	(void)domain;
	(void)level;
	(void)message;
	(void)data;
}

bool
text_decode_load(struct err *err)
{
	return gmime_load(err);
}

void
text_decode_start(void)
{
	/* The library tells of what is wrong with a message, by the line. */
	g_log_set_default_handler(say_nothing, NULL);
	g_mime_init();
}

/* ---- charsets ---- */

/* True for names that say nothing about octets above 127, and for the one
 * that is written where its superset is meant. */
static bool
is_vague(const char *charset)
{
	static const char *const names[] = { "us-ascii", "ascii", "utf-8",
		"utf8", "iso-8859-1", "latin1", "unknown-8bit", "8bit" };
	if (charset == NULL || strlen(charset) > CHARSET_MAX)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(charset, names[i]) == 0)
			return true;

	return charset[strspn(charset, "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._:-+")] != '\0';
}

static iconv_t
converter(const char *charset)
{
	iconv_t cd = (iconv_t)-1;
	if (!is_vague(charset))
		cd = iconv_open("UTF-8", g_mime_charset_iconv_name(charset));

	return cd == (iconv_t)-1 ? iconv_open("UTF-8", "WINDOWS-1252") : cd;
}

/* What can't be converted becomes a blank. */
static void
convert(struct buf *out, iconv_t cd, struct buf *raw)
{
	char *from = raw->data;
	size_t left = raw->len;
	while (left > 0) {
		char piece[PIECE], *to = piece;
		size_t room = sizeof(piece), before = left;
		size_t rc = iconv(cd, &from, &left, &to, &room);
		buf_add(out, piece, sizeof(piece) - room);
		if (rc == (size_t)-1 && room > 0 && left == before &&
		    room == sizeof(piece)) {
			from++;
			left--;
			buf_char(out, ' ');
		}
	}
}

/* UTF-8 is taken as such whatever it calls itself: mail is mislabelled in
 * this direction only. */
static void
to_utf8(struct buf *out, const char *charset, struct buf *raw)
{
	if (is_vague(charset) && text_is_utf8(raw->data, raw->len)) {
		text_utf8(out, raw->data, raw->len);
		return;
	}
	iconv_t cd = converter(charset);
	if (cd == (iconv_t)-1) {
		text_utf8(out, raw->data, raw->len);
		return;
	}
	struct buf converted = { 0 };
	convert(&converted, cd, raw);
	iconv_close(cd);
	text_utf8(
	    out, converted.data == NULL ? "" : converted.data, converted.len);
	buf_free(&converted);
}

/* ---- parts ---- */

static size_t
room_left(const struct decoding *d)
{
	return d->text->len >= TEXT_MAX ? 0 : TEXT_MAX - d->text->len;
}

static void
add_plain(struct decoding *d, const char *text, size_t len)
{
	size_t room = room_left(d);
	if (len > room) {
		len = room;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
			len--;
		d->cut = true;
	}
	buf_add(d->text, text, len);
}

static void
add_blank(struct decoding *d)
{
	if (d->text->len > 0 && room_left(d) > 0)
		buf_char(d->text, ' ');
}

/* The octets of a part without its transfer encoding, up to RAW_MAX. */
static void
read_part(struct decoding *d, GMimePart *part, struct buf *raw)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	if (content == NULL)
		return;
	GMimeStream *stream = g_mime_data_wrapper_get_stream(content);
	if (stream == NULL)
		return;
	g_mime_stream_reset(stream);
	GMimeStream *decoded = g_mime_stream_filter_new(stream);
	GMimeFilter *filter = g_mime_filter_basic_new(
	    g_mime_data_wrapper_get_encoding(content), FALSE);
	g_mime_stream_filter_add(GMIME_STREAM_FILTER(decoded), filter);
	while (raw->len < RAW_MAX) {
		char piece[PIECE];
		ssize_t n = g_mime_stream_read(decoded, piece, sizeof(piece));
		if (n <= 0)
			break;
		buf_add(raw, piece, (size_t)n);
	}
	if (raw->len >= RAW_MAX)
		d->cut = true;
	g_object_unref(filter);
	g_object_unref(decoded);
}

static void
add_part(struct decoding *d, GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	struct buf raw = { 0 }, text = { 0 };
	if (!g_mime_content_type_is_type(type, "text", "*"))
		return;
	read_part(d, GMIME_PART(object), &raw);
	if (raw.len > 0) {
		to_utf8(&text,
		    g_mime_content_type_get_parameter(type, "charset"), &raw);
		add_blank(d);
		if (!g_mime_content_type_is_type(type, "text", "html"))
			add_plain(d, text.data, text.len);
		else if (!text_html(d->text, text.data, text.len, room_left(d)))
			d->cut = true;
	}
	buf_free(&raw);
	buf_free(&text);
}

static void walk(struct decoding *, GMimeObject *, unsigned depth);

/* A forwarded message: its subject is text here. */
static void
walk_message(struct decoding *d, GMimeMessagePart *part, unsigned depth)
{
	GMimeMessage *message = g_mime_message_part_get_message(part);
	if (message == NULL)
		return;
	const char *subject = g_mime_message_get_subject(message);
	if (subject != NULL) {
		struct buf clean = { 0 };
		text_utf8(&clean, subject, strlen(subject));
		add_blank(d);
		add_plain(d, clean.data == NULL ? "" : clean.data, clean.len);
		buf_free(&clean);
	}
	walk(d, g_mime_message_get_mime_part(message), depth + 1);
}

static void
walk(struct decoding *d, GMimeObject *object, unsigned depth)
{
	if (object == NULL)
		return;
	if (depth > TEXT_NESTING || d->parts >= TEXT_PARTS ||
	    room_left(d) == 0) {
		d->cut = true;
		return;
	}
	d->parts++;
	if (GMIME_IS_MULTIPART(object)) {
		GMimeMultipart *all = GMIME_MULTIPART(object);
		int n = g_mime_multipart_get_count(all);
		for (int i = 0; i < n && d->parts < TEXT_PARTS; i++)
			walk(d, g_mime_multipart_get_part(all, i), depth + 1);
		d->cut = d->cut || d->parts >= TEXT_PARTS;
	} else if (GMIME_IS_MESSAGE_PART(object)) {
		walk_message(d, GMIME_MESSAGE_PART(object), depth);
	} else if (GMIME_IS_PART(object)) {
		add_part(d, object);
	}
}

void
text_decode(const char *data, size_t len, struct buf *text, bool *cut)
{
	struct decoding d = { .text = text };
	GMimeStream *stream = g_mime_stream_mem_new();
	GByteArray *octets = g_byte_array_new();
	g_byte_array_append(octets, (const guint8 *)data, (guint)len);
	g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), octets);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	if (message != NULL) {
		walk(&d, g_mime_message_get_mime_part(message), 0);
		g_object_unref(message);
	}
	g_object_unref(parser);
	g_object_unref(stream);
	g_byte_array_unref(octets);
	*cut = d.cut;
}
