#include "entry.h"

#include "base/digest.h"
#include "base/text.h"
#include "base/mem.h"
#include "jsonl.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	/* KEPT_ENTRY less the longest name (a component, .hdr, /cur/,
	 * .mailhaul/shared/), with room to spare. */
	MAILBOX_PATH_MAX = 1100,
	/* Of the 2 KiB that an entry's attributes may take: two names, and
	 * what else is told of the origin as far as it fits. */
	ORIGIN_NAME_MAX = 300,
	ORIGIN_MAX = 1600
};

/* Cut at a level so that what remains stays a path of safe components. */
static void
shorten(struct buf *path, size_t start)
{
	uint8_t sha256[DIGEST_SIZE];
	char hex[17];
	digest_of(path->data + start, path->len - start, sha256);
	size_t len = start + MAILBOX_PATH_MAX - sizeof(hex) - 3;
	while (path->data[len] != '/')
		len--;

	path->len = len;
	buf_str(path, "/%~");
	buf_str(path, digest_hex(hex, sha256, 8));
}

void
entry_mailbox(struct buf *out, const char *account, const char *display)
{
	size_t start = out->len;
	path_component(out, account, strlen(account));
	buf_char(out, '/');
	path_mailbox(out, display);
	if (out->len - start > MAILBOX_PATH_MAX)
		shorten(out, start);
}

static int64_t
mtime_of(const struct placement *p)
{
	return p->idate < 0 ? 0 : p->idate;
}

bool
entry_message(char out[KEPT_ENTRY], const char *mailbox,
    const struct placement *p, uint64_t uidvalidity, uint64_t size,
    bool header_only)
{
	struct buf path = { 0 };
	if (header_only)
		buf_str(&path, ENTRY_SHARED);
	buf_fmt(&path, "%s/%s", mailbox, header_only ? "" : "cur/");
	path_message(&path, mtime_of(p), uidvalidity, p->okey, size, p->flags);
	if (header_only)
		buf_str(&path, ".hdr");

	bool fits = path.len < KEPT_ENTRY;
	if (fits)
		memcpy(out, path.data, path.len + 1);
	buf_free(&path);

	return fits;
}

bool
entry_joined(char out[KEPT_ENTRY], const char *entry)
{
	size_t head = strlen(ENTRY_SHARED), len = strlen(entry);
	const char *name = strrchr(entry, '/');
	if (len < head + 6 || len >= KEPT_ENTRY - 8 ||
	    strncmp(entry, ENTRY_SHARED, head) != 0 ||
	    strcmp(entry + len - 4, ".hdr") != 0 || name < entry + head)
		return false;

	struct buf path = { 0 };
	buf_add(&path, entry + head, (size_t)(name - entry) - head);
	buf_str(&path, "/cur");
	buf_add(&path, name, strlen(name) - 4);
	memcpy(out, path.data, path.len + 1);
	buf_free(&path);

	return true;
}

bool
entry_is_safe(const char *path)
{
	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");
		if (len == 0 || (len == 1 && p[0] == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)p[i] < ' ' || p[i] == '\\' ||
			    p[i] == 0x7f)
				return false;
		p += len;
		/* One '/' at the end marks a folder. */
		if (p[0] == '\0' || p[1] == '\0')
			return true;
	}
}

void
entry_directory(struct archive_entry *e, const char *path, int64_t mtime)
{
	archive_entry_clear(e);
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFDIR);
	archive_entry_set_perm(e, S_IRWXU);
	archive_entry_set_mtime(e, mtime < 0 ? 0 : mtime, 0);
}

void
entry_file(
    struct archive_entry *e, const char *path, uint64_t size, int64_t mtime)
{
	archive_entry_clear(e);
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, S_IRUSR | S_IWUSR);
	archive_entry_set_size(e, (int64_t)size);
	archive_entry_set_mtime(e, mtime < 0 ? 0 : mtime, 0);
}

/* Null instead of what was put behind before: no text, or too much of it. */
static void
take_back_unless(bool valid, struct jsonl *l, const char *key, size_t before)
{
	if (valid && l->out->len + strlen("}") <= ORIGIN_MAX)
		return;
	l->out->len = before;
	jsonl_null(l, key);
}

static void
put_wire(struct jsonl *l, const char *wire)
{
	size_t before = l->out->len;
	jsonl_text(l, "wire", wire);
	take_back_unless(text_is_utf8(wire, strlen(wire)), l, "wire", before);
}

static void
put_keywords(struct jsonl *l, const struct placement *p)
{
	size_t before = l->out->len;
	bool valid = true;
	for (uint32_t i = 0; i < p->keyword_count; i++)
		valid = valid &&
			text_is_utf8(p->keywords[i], strlen(p->keywords[i]));
	jsonl_list(l, "keywords", p->keywords, p->keyword_count);
	take_back_unless(valid, l, "keywords", before);
}

static void
put_origin(struct jsonl *l, const struct entry_origin *o)
{
	const struct placement *p = o->placement;
	char date[36], account[ORIGIN_NAME_MAX], mailbox[ORIGIN_NAME_MAX];
	text_escape_to(
	    account, sizeof(account), o->account, strlen(o->account));
	text_escape_to(
	    mailbox, sizeof(mailbox), o->mailbox, strlen(o->mailbox));
	jsonl_text(l, "account", account);
	jsonl_text(l, "mailbox", mailbox);
	jsonl_number(l, "uidvalidity", o->uidvalidity);
	jsonl_number(l, "uid", p->okey);
	if (p->idate != DATETIME_NONE)
		jsonl_text(l, "internaldate",
		    datetime_rfc3339(date, p->idate, p->zone));
	if (o->separator != '\0' && text_is_utf8(&o->separator, 1))
		jsonl_octets(l, "separator", &o->separator, 1);
	if (o->wire != NULL && strcmp(mailbox, o->wire) != 0)
		put_wire(l, o->wire);
	if (p->keyword_count > 0)
		put_keywords(l, p);
}

static void
put_body(struct jsonl *l, const struct kept *body)
{
	jsonl_text(l, "volume", body->volume);
	jsonl_number(l, "frame", body->frame);
	jsonl_number(l, "offset", body->offset);
	jsonl_number(l, "skip", body->header_size);
}

/* Adding one can't fail by its contract: without memory it gets lost. */
static void
check_attributes(struct archive_entry *e, int wanted)
{
	const char *name;
	const void *value;
	size_t size;
	archive_entry_xattr_reset(e);
	while (
	    archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
		if (name == NULL || value == NULL || size == 0)
			mem_out();
		wanted--;
	}
	if (wanted != 0)
		mem_out();
}

void
entry_attributes(struct archive_entry *e, const struct entry_origin *o,
    const uint8_t sha256[32], const struct kept *body)
{
	char hex[2 * DIGEST_SIZE + 1];
	struct buf text = { 0 };
	struct jsonl l;
	digest_hex(hex, sha256, DIGEST_SIZE);
	archive_entry_xattr_add_entry(e, ENTRY_XATTR_SHA256, hex, strlen(hex));
	jsonl_begin(&l, &text);
	put_origin(&l, o);
	jsonl_close(&l);
	archive_entry_xattr_add_entry(
	    e, ENTRY_XATTR_ORIGIN, text.data, text.len);
	if (body != NULL) {
		buf_clear(&text);
		jsonl_begin(&l, &text);
		put_body(&l, body);
		jsonl_close(&l);
		archive_entry_xattr_add_entry(
		    e, ENTRY_XATTR_BODY, text.data, text.len);
	}
	buf_free(&text);
	check_attributes(e, body != NULL ? 3 : 2);
}
