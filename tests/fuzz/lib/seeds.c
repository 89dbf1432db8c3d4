/*
 * fuzzseeds DIR SCRATCH: invented mail put into an archive by our own writer,
 * in the empty folder SCRATCH, and its parts as seeds: DIR/seektable/sealed (a
 * volume as it is), DIR/volume/sealed (its tar stream), DIR/volume/open (one
 * without a catalog), DIR/manifest/runs. So seeds are always of today's format.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "archive/archive.h"
#include "archive/entry.h"
#include "archive/manifest.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

enum { BLOCK = 512, MODE_AT = 100, MESSAGES = 4, BODY_OF_SECOND = 1000 };

static char *dir; /* of the archive */

static struct message {
	struct placement placement;
	struct content *content;
	enum claim_kind claim;
	struct kept where, survivor;
} messages[MESSAGES];

static void
must(bool ok, const struct err *err)
{
	if (ok)
		return;
	fprintf(stderr, "seeds: %s\n", err->text);
	exit(1);
}

static void
save(const char *to, const char *name, const void *data, size_t n)
{
	struct err err;
	char *path = mem_fmt("%s/%s", to, name);
	must(file_replace(path, data, n, &err), &err);
	chmod(path, 0644);
	free(path);
}

/* ---- mail ---- */

static struct content *
mail(const char *to, size_t body)
{
	struct buf text = { 0 };
	struct err err;
	buf_fmt(&text,
	    "From: Hanna <hanna@quay.example>\r\nTo: %s\r\n"
	    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
	    "Date: Sat, 21 Nov 2026 10:15:00 +0100\r\n"
	    "Message-ID: <%zu@quay.example>\r\n\r\n",
	    to, body);
	size_t end = text.len + body;
	while (text.len < end)
		buf_str(&text, "The boats come in at six.\r\n");
	struct content *c = content_new(NULL, end);
	must(content_add(c, text.data, end, &err), &err);
	content_finish(c);
	buf_free(&text);

	return c;
}

/* One whole, one small, a link and a header whose body is the first one's. */
static void
write_mail(void)
{
	static const char *const keywords[] = { "$Forwarded", "Invoice" };
	static const struct {
		const char *to;
		size_t body;
		enum claim_kind claim;
	} rows[MESSAGES] = {
		{ "tom@quay.example", 5000, CLAIM_WHOLE },
		{ "tom@quay.example", BODY_OF_SECOND, CLAIM_WHOLE },
		{ "tom@quay.example", 5000, CLAIM_LINK },
		{ "zoe@quay.example", 5000, CLAIM_REFERENCE },
	};
	for (size_t i = 0; i < MESSAGES; i++)
		messages[i] =
		    (struct message){ .content = mail(rows[i].to, rows[i].body),
			    .claim = rows[i].claim,
			    .placement = { .okey = i + 1,
				.idate = 1795252500,
				.zone = 60,
				.flags = (uint8_t)(8 + i),
				.keywords = keywords,
				.keyword_count = 2 } };
	for (size_t i = 0; i < MESSAGES; i++)
		messages[i].placement.size = content_size(messages[i].content);
}

/* ---- the archive ---- */

static bool
next_row(void *arg, struct catalog_row *row, bool *end, struct err *err)
{
	size_t *next = arg;
	(void)err;
	*end = *next == MESSAGES;
	if (*end)
		return false;
	const struct message *m = &messages[(*next)++];
	*row = (struct catalog_row){ .account = "tom@quay.example",
		.mailbox = "Gr\xc3\xbc\xc3\x9f"
			   "e/2026",
		.wire = "Gr&APwA3w-e/2026",
		.wire_len = 16,
		.uidvalidity = 7,
		.uid = m->placement.okey,
		.flags = m->placement.flags,
		.keywords = "$Forwarded Invoice",
		.idate = m->placement.idate,
		.zone = m->placement.zone,
		.size = m->where.size,
		.header_size = m->where.header_size,
		.announced = m->where.size + 1,
		.body_hash = content_body_hash(m->content),
		.identity = 12345,
		.entry = m->where.entry,
		.claim = m->claim,
		.frame = m->where.frame,
		.offset = m->where.offset,
		.from = "Hanna <hanna@quay.example>",
		.subject = "Gr\xc3\xbc\xc3\x9f"
			   "e",
		.message_id = "5000@quay.example" };
	memcpy(row->sha256, m->where.sha256, sizeof(row->sha256));
	if (m->claim != CLAIM_WHOLE) {
		row->body_volume = m->survivor.volume;
		row->body_entry = m->survivor.entry;
		row->body_frame = m->survivor.frame;
		row->body_offset = m->survivor.offset;
		row->body_skip = m->survivor.header_size;
	}

	return true;
}

static void
deliver(struct target *t, struct message *m)
{
	const struct source_mailbox box = { .name = "Gr&APwA3w-e/2026",
		.display = "Gr\xc3\xbc\xc3\x9f"
			   "e/2026",
		.separator = '/' };
	struct target_box opened;
	struct err err;
	if (m->claim != CLAIM_WHOLE)
		m->survivor = messages[0].where;
	struct item item = { .ticket = m->placement.okey,
		.placement = &m->placement,
		.content = m->content,
		.claim = m->claim,
		.survivor = m->survivor };
	must(t->ops->open(t->data, "tom@quay.example", &box, 7, &opened, &err),
	    &err);
	must(t->ops->deliver(t->data, &item, 1, &m->where, &err), &err);
}

static void
collect(struct target *t)
{
	struct receipt receipts[MESSAGES];
	struct progress p;
	struct err err;
	size_t n = MESSAGES;
	must(t->ops->flush(t->data, &err), &err);
	must(t->ops->collect(t->data, false, receipts, &n, &p, &err), &err);
}

static void
write_volume(void)
{
	const struct archive_options options = {
		.dir = dir, .run = "v", .threads = 1, .min_free = 1
	};
	struct target t;
	struct progress p;
	struct err err;
	size_t next = 0;
	must(archive_target_new(&t, &options, &err), &err);
	for (size_t i = 0; i < MESSAGES; i++)
		deliver(&t, &messages[i]);
	collect(&t);
	must(t.ops->seal(t.data, next_row, &next, &p, &err), &err);
	t.ops->close(&t.data, true);
}

/* ---- its parts ---- */

static bool
is_entry(const char *block, const char *name)
{
	return memcmp(block + 257, "ustar", 5) == 0 &&
	       strncmp(block, name, strlen(name) + 1) == 0;
}

/* With one text for another of its length; other NULL: with a mode that is no
 * number in the header that the text begins. */
static void
save_hostile(const char *to, const char *name, const struct buf *tar,
    const char *text, const char *other)
{
	size_t n = strlen(text);
	char *copy = mem_dup(tar->data, tar->len);
	char *at = memmem(copy, tar->len, text, n);
	if (at == NULL || (other != NULL && strlen(other) != n))
		exit(1);
	if (other != NULL)
		memcpy(at, other, n);
	else
		at[MODE_AT] = 'A';
	save(to, name, copy, tar->len);
	free(copy);
}

/* Up to the script, which is long and nothing to a reader, and tar's end. */
static void
save_tar(const char *to, const char *tar, size_t len)
{
	static const char end[2 * BLOCK];
	struct buf sealed = { 0 }, open = { 0 };
	buf_char(&sealed, '\0'); /* no frame more */
	buf_char(&open, '\0');
	size_t at = 0;
	while (at < len && !is_entry(tar + at, ENTRY_CATALOG_JSON))
		at += BLOCK;
	buf_add(&open, tar, at);
	while (at < len && !is_entry(tar + at, ENTRY_UNPACK))
		at += BLOCK;
	buf_add(&sealed, tar, at);
	buf_add(&sealed, end, sizeof(end));
	save(to, "volume/sealed", sealed.data, sealed.len);
	save(to, "volume/open", open.data, open.len);
	save_hostile(to, "volume/no_date", &sealed, "],\"internaldate\":\"2",
	    "],\"internaldate\":\"x");
	save_hostile(to, "volume/odd_mode", &sealed, ENTRY_CATALOG_JSON, NULL);
	save_hostile(to, "volume/lies", &open, "The boats", "The goats");
	save_hostile(to, "volume/unsafe", &open, " path=tom", " path=../");
	buf_free(&sealed);
	buf_free(&open);
}

/* Frame by frame; the seek table is none of them. */
static void
save_volume(const char *to)
{
	struct buf file = { 0 }, tar = { 0 };
	struct err err;
	char *path = mem_fmt("%s/volumes/v-0001.tar.zst", dir);
	must(file_read(path, 1 << 20, &file, &err), &err);
	for (size_t at = 0; at < file.len;) {
		size_t size =
		    ZSTD_findFrameCompressedSize(file.data + at, file.len - at);
		unsigned long long plain =
		    ZSTD_getFrameContentSize(file.data + at, file.len - at);
		if (ZSTD_isError(size) || plain > 1 << 24)
			exit(1);
		char *room = buf_room(&tar, (size_t)plain + 1);
		size_t n = ZSTD_decompress(
		    room, (size_t)plain + 1, file.data + at, size);
		if (ZSTD_isError(n))
			exit(1);
		tar.len += n;
		at += size;
	}
	save(to, "seektable/sealed", file.data, file.len);
	save(to, "seektable/without_table", file.data, file.len - 1);
	save_tar(to, tar.data, tar.len);
	free(path);
	buf_free(&file);
	buf_free(&tar);
}

/* ---- manifests ---- */

static void
write_lines(struct manifest *m)
{
	struct err err;
	const struct manifest_account account = { .account = "tom@quay.example",
		.kind = "imap",
		.target = "archive",
		.state = "complete",
		.started = 1795252500,
		.text = "" };
	const struct manifest_mailbox box = { .account = "tom@quay.example",
		.kind = "imap",
		.mailbox = "INBOX",
		.wire = "INBOX",
		.wire_len = 5,
		.uidvalidity = 7,
		.separator = '/',
		.ended = true,
		.by_wire = "New\xff",
		.by_wire_len = 4,
		.by_uidvalidity = 8,
		.counted = true,
		.inventory = MESSAGES };
	const struct manifest_volume volume = { .name = "v-0001",
		.sha256 = { 1, 2, 3 },
		.octets = 5,
		.frames = 2 };
	const struct manifest_volume replaced = {
		.name = "u-0001", .octets = 9, .replaced_by = "v-0001"
	};
	const struct manifest_moved moved = {
		.volume = "u-0001", .to = "v-0001", .offset = 512
	};
	must(manifest_account(m, &account, &err), &err);
	must(manifest_mailbox(m, &box, &err), &err);
	struct catalog_row row;
	bool end;
	for (size_t next = 0; next_row(&next, &row, &end, &err);)
		must(manifest_placement(m, &row, "v-0001", next == 3, &err),
		    &err);
	next_row(&(size_t){ 0 }, &row, &end, &err);
	const struct manifest_outcome outcome = { .row = &row,
		.outcome = "unreadable",
		.class = "protocol",
		.why = "NIL" };
	must(manifest_outcome(m, &outcome, &err), &err);
	must(manifest_volume(m, &volume, &err), &err);
	must(manifest_volume(m, &replaced, &err), &err);
	must(manifest_moved(m, &moved, &err), &err);
}

/* The text of a manifest, with PREVIOUS for the hash of the one before. */
static void
add_text(struct buf *out, const char *run, const char *previous)
{
	struct buf file = { 0 }, text = { 0 };
	struct err err;
	char *path = mem_fmt("%s/runs/%s.jsonl.zst", dir, run);
	must(file_read(path, 1 << 20, &file, &err), &err);
	char *room = buf_room(&text, 1 << 20);
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer in = { .src = file.data, .size = file.len };
	ZSTD_outBuffer to = { .dst = room, .size = 1 << 20 };
	if (context == NULL || ZSTD_decompressStream(context, &to, &in) != 0)
		exit(1);
	text.len = to.pos;
	char *at =
	    previous == NULL ? NULL : memmem(text.data, text.len, previous, 64);
	if (at != NULL) {
		buf_add(out, text.data, (size_t)(at - text.data));
		buf_str(out, "PREVIOUS");
		buf_add(out, at + 64, text.len - (size_t)(at - text.data) - 64);
	} else {
		buf_add(out, text.data, text.len);
	}
	ZSTD_freeDCtx(context);
	buf_free(&file);
	buf_free(&text);
	free(path);
}

static void
save_manifests(const char *to)
{
	uint8_t sha256[32];
	char hex[65];
	struct buf all = { 0 };
	struct err err;
	struct manifest *m;
	struct manifest_run run = { .name = "r1",
		.command = "copy imaps://tom@quay.example/ archive:a",
		.state = "complete",
		.started = 1795252500,
		.ended = 1795252501 };
	must(manifest_begin(&m, dir, &run, &err), &err);
	write_lines(m);
	must(manifest_end(&m, sha256, &err), &err);
	run.name = "r2";
	run.previous = "r1";
	run.previous_sha256 = sha256;
	must(manifest_begin(&m, dir, &run, &err), &err);
	uint8_t unused[32];
	must(manifest_end(&m, unused, &err), &err);
	buf_char(&all, ' ');
	add_text(&all, "r1", NULL);
	buf_str(&all, "---\n");
	add_text(&all, "r2", digest_hex(hex, sha256, 32));
	save(to, "manifest/runs", all.data, all.len);
	buf_free(&all);
}

int
main(int argc, char **argv)
{
	struct err err;
	if (argc != 3 || setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 2;
	dir = mem_fmt("%s/a", argv[2]);
	must(archive_create(dir, &err), &err);
	write_mail();
	write_volume();
	save_volume(argv[1]);
	save_manifests(argv[1]);
	for (size_t i = 0; i < MESSAGES; i++)
		content_free(&messages[i].content);
	free(dir);

	return 0;
}
