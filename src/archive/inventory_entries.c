/* The entries of a volume that has no catalog. */
#include "archive/archive.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "entry.h"
#include "inventory_frames.h"
#include "inventory_row.h"
#include "mail/flags.h"
#include "mail/header.h"
#include "mail/identity.h"
#include "mail/msgid.h"
#include "mail/name.h"
#include "volume.h"
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAR_BLOCK = 512, ATTRIBUTE_MAX = 4096 };

/* A tar stream out of a volume's frames, up to the first that is damaged. */
struct walk {
	const struct inventory_volume *volume;
	const struct inventory_tell *tell;
	char *path;
	int fd;
	struct archive *tar;
	struct inflate inflate;
	size_t next; /* frame */
	bool broken; /* ended by a damage */
};

static la_ssize_t
on_read(struct archive *a, void *arg, const void **out)
{
	struct walk *w = arg;
	struct err why;
	if (w->next == w->volume->count)
		return 0;
	if (!inflate_frame(&w->inflate, w->fd, w->path,
		&w->volume->frames[w->next++], &why)) {
		archive_set_error(a, EIO, "a frame is damaged");
		return -1;
	}
	*out = w->inflate.plain.data;

	return (la_ssize_t)w->inflate.plain.len;
}

static bool
open_walk(struct walk *w, const char *dir, const struct inventory_volume *v,
    const struct inventory_tell *tell, struct err *err)
{
	*w = (struct walk){ .volume = v, .tell = tell };
	if (!libarchive_load(err))
		return false;
	w->path = volume_path(
	    dir, v->name, v->sealed ? ARCHIVE_SEALED : ARCHIVE_PART);
	w->fd = file_open(w->path, O_RDONLY, ERR_RUN, err);
	if (w->fd < 0) {
		free(w->path);
		return false;
	}
	w->tar = archive_read_new();
	if (w->tar == NULL)
		abort();
	archive_read_support_filter_none(w->tar);
	archive_read_support_format_tar(w->tar);
	archive_read_open(w->tar, w, NULL, on_read, NULL);

	return true;
}

static void
close_walk(struct walk *w)
{
	archive_read_free(w->tar);
	inflate_free(&w->inflate);
	close(w->fd);
	free(w->path);
}

/* The next entry that a message may be; NULL: no more, or a catalog follows.
 */
static struct archive_entry *
next_entry(struct walk *w)
{
	struct archive_entry *e;
	int rc = archive_read_next_header(w->tar, &e);
	w->broken = rc != ARCHIVE_OK && rc != ARCHIVE_WARN && rc != ARCHIVE_EOF;
	if (w->broken || rc == ARCHIVE_EOF)
		return NULL;
	const char *path = archive_entry_pathname(e);
	bool own = path != NULL && strncmp(path, ".mailhaul/", 10) == 0 &&
		   strncmp(path, ENTRY_SHARED, strlen(ENTRY_SHARED)) != 0;

	return own ? NULL : e;
}

/* ---- up to where a .part is whole ---- */

/* Plain octets up to the end of the entry whose header was read; 0: none. */
static uint64_t
end_of(const struct walk *w, struct archive_entry *e)
{
	uint64_t start = (uint64_t)archive_filter_bytes(w->tar, 0);
	la_int64_t size =
	    archive_entry_hardlink(e) != NULL ? 0 : archive_entry_size(e);
	if (size < 0 || (uint64_t)size > w->volume->plain)
		return 0;

	return start + ((uint64_t)size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* Frames that are whole and end where an entry does. */
static size_t
count_whole(struct walk *w)
{
	const struct inventory_volume *v = w->volume;
	struct archive_entry *e;
	size_t whole = 0, at = 0;
	while ((e = next_entry(w)) != NULL) {
		uint64_t end = end_of(w, e);
		if (end == 0)
			break;
		while (at < v->count &&
		       v->frames[at].plain + v->frames[at].dsize < end)
			at++;
		if (at == v->count || archive_read_data_skip(w->tar) < 0)
			break;
		if (v->frames[at].plain + v->frames[at].dsize == end)
			whole = at + 1;
	}

	return whole;
}

static void
cut_to(struct inventory_volume *v, size_t n)
{
	v->count = n;
	v->octets =
	    n == 0 ? 0 : v->frames[n - 1].offset + v->frames[n - 1].csize;
	v->plain = n == 0 ? 0 : v->frames[n - 1].plain + v->frames[n - 1].dsize;
}

/* What is going to be promised must be on the disk. */
static bool
list_frames(const char *dir, struct inventory_volume *v, struct err *err)
{
	struct stat st;
	char *path = volume_path(dir, v->name, ARCHIVE_PART);
	int fd = file_open(path, O_RDWR, ERR_RUN, err);
	crash_point("archive: before an open volume is synced");
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && fsync(fd) == 0;
	crash_point("archive: after an open volume is synced");
	if (!ok && fd >= 0)
		err_errno(err, ERR_RUN, "%s", path);
	if (ok)
		inventory_walk_frames(
		    fd, path, (uint64_t)st.st_size, &v->frames, &v->count);
	if (fd >= 0)
		close(fd);
	free(path);

	return ok;
}

bool
inventory_part(const char *dir, const char *name,
    const struct inventory_tell *tell, struct inventory_volume *v, bool *ok,
    struct err *err)
{
	struct walk w;
	*v = (struct inventory_volume){ 0 };
	*ok = false;
	if (!volume_name_ok(name)) {
		inventory_find(tell, name, NULL, "it has an impossible name");
		return true;
	}
	memcpy(v->name, name, strlen(name) + 1);
	if (!list_frames(dir, v, err)) {
		if (err->code != ERR_DAMAGED)
			return false;
		inventory_find(tell, name, NULL, "it is not a file");
		return true;
	}
	cut_to(v, v->count);
	if (!open_walk(&w, dir, v, tell, err))
		return false;
	size_t whole = count_whole(&w);
	close_walk(&w);
	cut_to(v, whole);
	*ok = whole > 0;

	return true;
}

bool
inventory_parts(const char *dir, char ***names, size_t *n, struct err *err)
{
	return volumes_list(dir, ARCHIVE_VOLUMES, ARCHIVE_PART, names, n, err);
}

/* ---- what an entry states ---- */

struct stated {
	uint8_t sha256[DIGEST_SIZE];
	json_t *origin, *body; /* owned; NULL: none */
	bool has_sha256;
};

static json_t *
load(const void *value, size_t n)
{
	return n > ATTRIBUTE_MAX
		   ? NULL
		   : json_loadb(value, n, JSON_REJECT_DUPLICATES, NULL);
}

static void
read_attributes(struct archive_entry *e, struct stated *s)
{
	const char *name;
	const void *value;
	size_t n;
	*s = (struct stated){ 0 };
	archive_entry_xattr_reset(e);
	while (archive_entry_xattr_next(e, &name, &value, &n) == ARCHIVE_OK) {
		if (name == NULL)
			continue;
		if (strcmp(name, ENTRY_XATTR_SHA256) == 0)
			s->has_sha256 =
			    digest_unhex(value, n, s->sha256, DIGEST_SIZE);
		else if (strcmp(name, ENTRY_XATTR_ORIGIN) == 0 &&
			 s->origin == NULL)
			s->origin = load(value, n);
		else if (strcmp(name, ENTRY_XATTR_BODY) == 0 && s->body == NULL)
			s->body = load(value, n);
	}
}

static void
free_stated(struct stated *s)
{
	json_decref(s->origin);
	json_decref(s->body);
}

/* "…,S=SIZE:2,FLAGS", and ".hdr" behind it where it is a header alone. */
static bool
read_name(const char *path, uint64_t *size, uint8_t *flags)
{
	const char *name = strrchr(path, '/');
	const char *at = name == NULL ? NULL : strstr(name, ".mailhaul,S=");
	char letters[8] = { 0 };
	if (at == NULL)
		return false;
	at += strlen(".mailhaul,S=");
	size_t digits = strspn(at, "0123456789");
	if (!text_parse_u64(at, digits, size) || *size > INT64_MAX ||
	    strncmp(at + digits, ":2,", 3) != 0)
		return false;
	at += digits + 3;
	size_t n = strcspn(at, ".");
	if (n >= sizeof(letters))
		return false;
	memcpy(letters, at, n);
	*flags = flags_from_maildir(letters);

	return true;
}

/* ---- an entry as a row ---- */

struct telling {
	struct walk walk;
	struct archive_reader *reader;
	struct row_texts texts;
	struct buf display, text[6];
	struct err *err;
	bool failed; /* *err is set: the whole can't go on */
};

static void
refuse(const struct telling *t, const char *path, const char *what)
{
	inventory_find(t->walk.tell, t->walk.volume->name, path, what);
}

static bool
add_to(void *content, const void *data, size_t n, struct err *err)
{
	return content_add(content, data, n, err);
}

static bool
read_octets(struct telling *t, struct content *c)
{
	const void *data;
	size_t n;
	la_int64_t offset;
	uint64_t at = 0;
	int rc;
	while ((rc = archive_read_data_block(
		    t->walk.tar, &data, &n, &offset)) == ARCHIVE_OK) {
		if (n > 0 && (uint64_t)offset != at)
			return false;
		if (!content_add(c, data, n, t->err)) {
			t->failed = true;
			return false;
		}
		at += n;
	}

	return rc == ARCHIVE_EOF;
}

static bool
read_place(const json_t *body, struct catalog_row *row)
{
	uint64_t frame = UINT64_MAX;
	row->body_volume = inventory_text(body, "volume");
	row->body_entry = "";
	if (row->body_volume == NULL || !volume_name_ok(row->body_volume) ||
	    !inventory_number(body, "frame", &frame) || frame > UINT32_MAX ||
	    !inventory_number(body, "offset", &row->body_offset) ||
	    !inventory_number(body, "skip", &row->body_skip))
		return false;
	row->body_frame = (uint32_t)frame;

	return true;
}

/* The body behind a header that was read into c. */
static bool
read_body(struct telling *t, struct content *c, const struct catalog_row *row,
    uint64_t size, const char *path)
{
	struct err why;
	if (size < row->header_size) {
		refuse(t, path, "its header is larger than itself");
		return false;
	}
	if (archive_reader_data(t->reader, row->body_volume, row->body_frame,
		row->body_offset, row->body_skip, size - row->header_size,
		add_to, c, &why))
		return true;
	if (why.scope == ERR_RUN) { /* the spool, not the volume */
		*t->err = why;
		t->failed = true;
	} else {
		refuse(t, path, why.text);
	}

	return false;
}

static const char *
field_text(struct buf *out, struct header_slice field, size_t max)
{
	buf_clear(out);
	buf_str(out, "");
	if (field.data != NULL)
		header_text(out, field, max);

	return out->data;
}

static const char *
message_id(struct buf *raw, struct buf *out, struct header_slice field)
{
	buf_clear(raw);
	buf_clear(out);
	buf_str(out, "");
	msgid_canonical(raw, field);
	text_utf8(out, raw->data == NULL ? "" : raw->data, raw->len);
	if (out->len > HEADER_TEXT_MESSAGE_ID) {
		size_t n = HEADER_TEXT_MESSAGE_ID;
		while (n > 0 && ((unsigned char)out->data[n] & 0xC0) == 0x80)
			n--;
		out->len = n;
		out->data[n] = '\0';
	}

	return out->data;
}

static void
take_header(struct telling *t, struct content *c, struct catalog_row *row)
{
	struct header_fields fields;
	struct buf *text = t->text;
	size_t len;
	const char *header = content_header(c, &len);
	header_scan(header, len, &fields);
	row->message_id = message_id(&text[5], &text[0], fields.message_id);
	row->from = field_text(&text[1], fields.from, HEADER_TEXT_ADDRESSES);
	row->to = field_text(&text[2], fields.to, HEADER_TEXT_ADDRESSES);
	row->cc = field_text(&text[3], fields.cc, HEADER_TEXT_ADDRESSES);
	row->subject =
	    field_text(&text[4], fields.subject, HEADER_TEXT_SUBJECT);
	row->date = field_text(&text[5], fields.date, HEADER_TEXT_DATE);
	row->identity = identity_key(c, &fields);
	row->header_size = content_header_size(c);
	row->size = row->announced = content_size(c);
	row->body_hash = content_body_hash(c);
}

static bool
tell_row(struct telling *t, const struct inventory_row *row)
{
	const struct inventory_tell *tell = t->walk.tell;
	t->failed = tell->kept != NULL && !tell->kept(tell->arg, row, t->err);

	return !t->failed;
}

/* c: empty, filled here. */
static bool
tell_content(struct telling *t, struct archive_entry *e, const struct stated *s,
    struct inventory_row *out, struct content *c)
{
	struct catalog_row *row = &out->row;
	uint64_t size = row->size;
	if (!read_octets(t, c)) {
		if (!t->failed)
			refuse(t, row->entry, "its octets are damaged");
		return false;
	}
	row->header_size = (uint64_t)archive_entry_size(e);
	if (row->claim == CLAIM_REFERENCE &&
	    !read_body(t, c, row, size, row->entry))
		return false;
	content_finish(c);
	if (!content_hash(c, t->err)) {
		t->failed = true;
		return false;
	}
	if (memcmp(content_sha256(c), s->sha256, DIGEST_SIZE) != 0) {
		refuse(t, row->entry,
		    "its octets have another SHA-256 than it says");
		return false;
	}
	take_header(t, c, row);

	return tell_row(t, out);
}

/* Where the data that follow the header read last begin. */
static bool
find_place(const struct walk *w, struct catalog_row *row)
{
	const struct inventory_volume *v = w->volume;
	uint64_t plain = (uint64_t)archive_filter_bytes(w->tar, 0);
	size_t low = 0, high = v->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (v->frames[mid].plain + v->frames[mid].dsize <= plain)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == v->count) {
		/* An empty message at the very end. */
		row->frame = (uint32_t)v->count;
		row->offset = 0;
		return plain == v->plain;
	}
	row->frame = (uint32_t)low;
	row->offset = plain - v->frames[low].plain;

	return true;
}

/* The display name is the wire name's, which is told whole. */
static bool
take_names(struct telling *t, const json_t *origin, struct inventory_row *out)
{
	const char *separator = inventory_text(origin, "separator");
	const json_t *wire = json_object_get(origin, "wire");
	if (wire != NULL && json_is_null(wire))
		return false;
	if (wire == NULL && separator == NULL)
		return true;
	buf_clear(&t->display);
	name_display(&t->display, out->row.wire, out->row.wire_len,
	    separator == NULL ? '\0' : separator[0]);
	out->row.mailbox = t->display.data;

	return true;
}

static bool
describe(struct telling *t, const struct stated *s, const char *path,
    struct inventory_row *out)
{
	const char *why = "it doesn't say whose message it is";
	struct catalog_row *row = &out->row;
	uint8_t flags = 0;
	if (s->origin == NULL || !s->has_sha256 ||
	    !inventory_origin_parse(s->origin, &t->texts, out, &why) ||
	    !take_names(t, s->origin, out)) {
		refuse(t, path, why);
		return false;
	}
	why = "its name isn't that of a message";
	if (!entry_is_safe(path) || strlen(path) >= KEPT_ENTRY ||
	    !read_name(path, &row->size, &flags)) {
		refuse(t, path, why);
		return false;
	}
	row->flags = flags;
	memcpy(row->sha256, s->sha256, DIGEST_SIZE);
	if (row->claim != CLAIM_REFERENCE || read_place(s->body, row))
		return true;
	refuse(t, path, "it doesn't say where its body is");

	return false;
}

/* False: no more entries. */
static bool
tell_entry(struct telling *t, struct archive_entry *e)
{
	struct stated s;
	char *path = mem_str(archive_entry_pathname(e));
	bool link = archive_entry_hardlink(e) != NULL;
	bool shared = strncmp(path, ENTRY_SHARED, strlen(ENTRY_SHARED)) == 0;
	struct inventory_row out = { .volume = t->walk.volume->name,
		.unplaced = link,
		.row = { .entry = path,
		    .claim = link     ? CLAIM_LINK
			     : shared ? CLAIM_REFERENCE
				      : CLAIM_WHOLE } };
	read_attributes(e, &s);
	if (!describe(t, &s, path, &out)) {
		; /* told */
	} else if (link) {
		out.row.body_entry = archive_entry_hardlink(e);
		tell_row(t, &out);
	} else if (find_place(&t->walk, &out.row)) {
		struct content *c = content_new(NULL, 0);
		tell_content(t, e, &s, &out, c);
		content_free(&c);
	}
	free_stated(&s);
	free(path);

	return !t->failed;
}

bool
inventory_entries(struct archive_reader *reader,
    const struct inventory_volume *v, const struct inventory_tell *tell,
    struct err *err)
{
	struct telling t = { .reader = reader, .err = err };
	struct archive_entry *e;
	if (!archive_reader_frames(reader, v->name, v->frames, v->count, err) ||
	    !open_walk(&t.walk, archive_reader_dir(reader), v, tell, err))
		return false;
	while (!t.failed && (e = next_entry(&t.walk)) != NULL)
		if (archive_entry_pathname(e) != NULL &&
		    (archive_entry_hardlink(e) != NULL ||
			archive_entry_filetype(e) == AE_IFREG))
			tell_entry(&t, e);
	if (!t.failed && t.walk.broken)
		refuse(&t, NULL,
		    "behind a damage, nothing could be told of its entries");
	close_walk(&t.walk);
	row_texts_free(&t.texts);
	buf_free(&t.display);
	for (size_t i = 0; i < sizeof(t.text) / sizeof(t.text[0]); i++)
		buf_free(&t.text[i]);

	return !t.failed;
}
