#include "find.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/msgid.h"

enum { PREFIX_MIN = 8 };

static bool
by_message_id(struct find *f, const char *id)
{
	struct header_slice slice = { .data = id, .len = strlen(id) };
	msgid_canonical(&f->message_id, slice);
	f->query.message_id = f->message_id.data;

	return true;
}

static bool
is_hex(const char *s)
{
	return s[strspn(s, "0123456789abcdefABCDEF")] == '\0';
}

bool
find_hash(struct index *index, const char *hex, uint8_t sha256[DIGEST_SIZE],
    struct err *err)
{
	size_t len = strlen(hex);
	size_t n = 0;
	if (digest_unhex(hex, len, sha256, DIGEST_SIZE))
		return true;
	if (!is_hex(hex) || len < PREFIX_MIN || len > 64)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "\"%s\" is no content hash: %d to 64 hex digits", hex,
		    PREFIX_MIN);
	if (!index_hash_by_prefix(index, hex, sha256, &n, err))
		return false;
	if (n == 0)
		return err_set(err, ERR_RUN, ERR_GONE,
		    "no message whose content hash begins with %s", hex);

	return n == 1 || err_set(err, ERR_RUN, ERR_USAGE,
			     "%zu messages' content hashes begin with %s: give "
			     "more digits",
			     n, hex);
}

static bool
by_hash(struct find *f, struct index *index, const char *hex, struct err *err)
{
	f->query.sha256 = f->sha256;

	return find_hash(index, hex, f->sha256, err);
}

/* "….V1732183200U42.mailhaul,…": the UID narrows the search. */
static bool
by_entry(struct find *f, const char *entry)
{
	f->entry = entry;
	f->query.ended = true; /* it lies in its volume all the same */
	const char *name = strrchr(entry, '/');
	const char *u = name == NULL ? NULL : strstr(name, ".mailhaul");
	if (u == NULL)
		return true;
	const char *digits = u;
	while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (digits > name && digits[-1] == 'U')
		text_parse_u64(digits, (size_t)(u - digits), &f->query.uid);

	return true;
}

static bool
by_id(struct find *f, struct index *index, const char *id, struct err *err)
{
	if (id[0] == '<')
		return by_message_id(f, id);
	if (strchr(id, '/') != NULL)
		return by_entry(f, id);
	if (strchr(id, '@') != NULL)
		return by_message_id(f, id);

	return by_hash(f, index, id, err);
}

bool
find_parse(struct find *f, struct index *index, const struct options *o,
    const char *id, struct err *err)
{
	*f = (struct find){ .query.outcome = -1 };
	f->query.account = o->account;
	f->query.uid = o->uid;
	f->exact = o->mailbox;
	if (o->message_id != NULL)
		return by_message_id(f, o->message_id);
	if (o->sha256 != NULL)
		return by_hash(f, index, o->sha256, err);
	if (o->entry != NULL)
		return by_entry(f, o->entry);
	if (id != NULL)
		return by_id(f, index, id, err);
	if (o->uid != 0 && o->mailbox != NULL)
		return true;
	err_set(err, ERR_RUN, ERR_USAGE, "no message is named");

	return err_hint(err,
	    "Name one: a content hash (the ID that ls shows), '<Message-ID>', "
	    "--entry PATH, or --mailbox NAME --uid UID.");
}

void
find_free(struct find *f)
{
	buf_free(&f->message_id);
}

/* A glob would take children too, and stumble over names with a star. */
static bool
is_mailbox(const char *name, const char *wanted)
{
	return wanted == NULL || strcmp(name, wanted) == 0 ||
	       (strcasecmp(name, "INBOX") == 0 &&
		   strcasecmp(wanted, "INBOX") == 0);
}

static bool
is_entry(const char *entry, const char *wanted)
{
	return wanted == NULL || (entry != NULL && strcmp(entry, wanted) == 0);
}

bool
find_next(const struct find *f, struct index_rows *rows, struct index_row *row,
    bool *end, struct err *err)
{
	do
		if (!index_rows_next(rows, row, end, err))
			return false;
	while (!*end && (!is_entry(row->row.entry, f->entry) ||
			    !is_mailbox(row->row.mailbox, f->exact)));

	return true;
}

/* ---- reading ---- */

struct reading {
	struct archive_reader *reader;
	struct index *own;   /* rows of another stay valid; NULL: the port's */
	struct index *index; /* the one that is asked */
	char volume[2][KEPT_VOLUME_NAME]; /* those whose frames are set */
};

bool
reading_open(
    struct reading **out, const struct archive_port *p, struct err *err)
{
	struct reading *r = mem_new(sizeof(*r));
	*out = r;
	if (!archive_reader_open(&r->reader, p->state.dir, err) ||
	    !index_open(&r->own, p->state.index_path, INDEX_READ, err)) {
		reading_close(out);
		return false;
	}
	r->index = r->own;

	return true;
}

bool
reading_open_beside(
    struct reading **out, const struct archive_port *p, struct err *err)
{
	struct reading *r = mem_new(sizeof(*r));
	*out = r;
	r->index = p->state.index;
	if (archive_reader_open(&r->reader, p->state.dir, err))
		return true;
	reading_close(out);

	return false;
}

void
reading_close(struct reading **reading)
{
	struct reading *r = *reading;
	if (r == NULL)
		return;
	if (r->reader != NULL)
		archive_reader_close(&r->reader);
	if (r->own != NULL)
		index_close(&r->own);
	free(r);
	*reading = NULL;
}

static bool
set_frames(struct reading *r, const char *volume, struct err *err)
{
	if (strcmp(r->volume[0], volume) == 0 ||
	    strcmp(r->volume[1], volume) == 0)
		return true;
	struct frame_info *frames = NULL;
	size_t n = 0;
	if (!index_frames(r->index, volume, &frames, &n, err))
		return false;
	bool ok = archive_reader_frames(r->reader, volume, frames, n, err);
	free(frames);
	memcpy(r->volume[1], r->volume[0], sizeof(r->volume[1]));
	memcpy(r->volume[0], volume, sizeof(r->volume[0]));

	return ok;
}

bool
reading_message(struct reading *r, const uint8_t sha256[DIGEST_SIZE],
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	struct message_parts parts;
	bool found = false;
	if (!index_parts(r->index, sha256, &parts, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_MESSAGE, ERR_GONE,
		    "the index knows no copy of this message");

	return set_frames(r, parts.volume, err) &&
	       (!parts.split || set_frames(r, parts.body_volume, err)) &&
	       archive_reader_message(r->reader, &parts, each, arg, err);
}
