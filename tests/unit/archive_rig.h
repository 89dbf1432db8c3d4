#ifndef UNIT_ARCHIVE_RIG_H
#define UNIT_ARCHIVE_RIG_H

/*
 * A small stand-in for haul and index: delivers made-up messages to an
 * archive, keeps what the target tells (frames, committed), and gives the
 * catalog's rows at the seal. Used by the test_archive_* suites only.
 */
#include "archive/archive.h"
#include "archive/manifest.h"
#include "archive/reader.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "mail/datetime.h"

#include <check.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig_message {
	char account[64], mailbox[256];
	uint64_t uid;
	struct placement placement;
	struct content *content;
	enum claim_kind claim;
	struct kept where, survivor;
	bool kept; /* its receipt came */
	bool gone; /* lost in a simulated crash */
	char volume[KEPT_VOLUME_NAME];
};

struct rig {
	char root[64], dir[96];
	struct archive_options options;
	struct target target;
	struct rig_message *rows;
	size_t count, cap, next;
	/* The index's word of the open volume. */
	char volume[KEPT_VOLUME_NAME];
	uint64_t committed, plain;
	struct frame_info *frames;
	size_t frame_count;
	size_t opened, sealed;
	char sealed_name[KEPT_VOLUME_NAME];
	uint8_t sha256[32];
};

__attribute__((format(printf, 1, 2))) static inline int
rig_sh(const char *fmt, ...)
{
	va_list ap;
	struct buf line = { 0 };
	va_start(ap, fmt);
	buf_vfmt(&line, fmt, ap);
	va_end(ap);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", line.data, (char *)NULL);
		_exit(127);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	buf_free(&line);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static inline void
rig_must(bool ok, const struct err *err)
{
	ck_assert_msg(ok, "%s", err->text);
}

static inline void
rig_target(struct rig *r)
{
	struct err err = { 0 };
	rig_must(archive_target_new(&r->target, &r->options, &err), &err);
}

static inline void
rig_start(struct rig *r)
{
	*r = (struct rig){ .root = "/tmp/mailhaul-archive-XXXXXX" };
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	ck_assert_ptr_nonnull(mkdtemp(r->root));
	snprintf(r->dir, sizeof(r->dir), "%s/a", r->root);
	r->options = (struct archive_options){ .dir = r->dir,
		.run = "2026-11-21T101500Z-a1b2",
		.threads = 2,
		.min_free = 1 };
	rig_target(r);
}

static inline void
rig_close(struct rig *r)
{
	if (r->target.ops != NULL)
		r->target.ops->close(&r->target.data, true);
	r->target.ops = NULL;
}

static inline void
rig_end(struct rig *r)
{
	rig_close(r);
	for (size_t i = 0; i < r->count; i++)
		content_free(&r->rows[i].content);
	free(r->rows);
	free(r->frames);
	ck_assert_int_eq(rig_sh("rm -rf '%s'", r->root), 0);
}

/* The one of a suite that needs no second, and its fixture. */
static struct rig rig;

static inline void
rig_up(void)
{
	rig_start(&rig);
}

static inline void
rig_down(void)
{
	rig_end(&rig);
}

static inline struct content *
rig_content(const void *data, size_t n)
{
	struct err err = { 0 };
	struct content *c = content_new(NULL, n);
	rig_must(content_add(c, data, n, &err), &err);
	content_finish(c);
	rig_must(content_hash(c, &err), &err);

	return c;
}

/* Mail-like octets: a header of its own and a body of size octets by seed. */
static inline struct content *
rig_mail(const char *header, size_t size, unsigned seed)
{
	struct buf text = { 0 };
	uint64_t x = seed * 2654435761u + 88172645463325252u;
	buf_fmt(&text, "From: a@example\r\nSubject: %s\r\n\r\n", header);
	size_t start = text.len;
	while (text.len - start < size) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		buf_fmt(&text, "%016llx line of a message\r\n",
		    (unsigned long long)x);
	}
	struct content *c = rig_content(text.data, start + size);
	buf_free(&text);

	return c;
}

/* Take what the target tells; returns how many receipts came. */
static inline size_t
rig_collect(struct rig *r, bool wait, size_t room)
{
	struct receipt receipts[64];
	struct progress p;
	struct err err = { 0 };
	size_t n = room;
	rig_must(r->target.ops->collect(
		     r->target.data, wait, receipts, &n, &p, &err),
	    &err);
	if (p.volume[0] != '\0') {
		if (p.opened) {
			r->opened++;
			r->frame_count = 0;
		}
		memcpy(r->volume, p.volume, sizeof(p.volume));
		ck_assert_uint_eq(p.first_frame, r->frame_count);
		r->frames = mem_grow(r->frames, r->frame_count + p.frame_count,
		    sizeof(*r->frames));
		memcpy(r->frames + r->frame_count, p.frames,
		    p.frame_count * sizeof(*r->frames));
		r->frame_count += p.frame_count;
		r->committed = p.committed;
		r->plain = p.plain;
	}
	for (size_t i = 0; i < n; i++) {
		struct rig_message *m = &r->rows[receipts[i].ticket];
		ck_assert_int_eq(receipts[i].kind, RECEIPT_KEPT);
		ck_assert(!m->kept);
		ck_assert_str_eq(receipts[i].where.entry, m->where.entry);
		ck_assert_str_eq(receipts[i].where.volume, m->where.volume);
		ck_assert_uint_eq(receipts[i].where.frame, m->where.frame);
		ck_assert_uint_eq(receipts[i].where.offset, m->where.offset);
		m->kept = true;
	}

	return n;
}

static inline void
rig_flush(struct rig *r)
{
	struct err err = { 0 };
	rig_must(r->target.ops->flush(r->target.data, &err), &err);
	while (rig_collect(r, false, 64) > 0)
		;
}

/* Takes the content. survivor: number of an earlier message. */
static inline struct kept *
rig_deliver_at(struct rig *r, const char *account, const char *mailbox,
    int64_t idate, struct content *content, enum claim_kind claim,
    size_t survivor)
{
	struct err err = { 0 };
	if (r->count == r->cap) {
		r->cap = r->cap == 0 ? 64 : 2 * r->cap;
		r->rows = mem_grow(r->rows, r->cap, sizeof(*r->rows));
	}
	struct rig_message *m = &r->rows[r->count];
	*m = (struct rig_message){ .uid = r->count + 1,
		.content = content,
		.claim = claim,
		.placement = { .okey = r->count + 1,
		    .size = content_size(content),
		    .idate = idate,
		    .zone = 60,
		    .flags = 8 } };
	snprintf(m->account, sizeof(m->account), "%s", account);
	snprintf(m->mailbox, sizeof(m->mailbox), "%s", mailbox);
	if (claim != CLAIM_WHOLE)
		m->survivor = r->rows[survivor].where;

	struct target_box box;
	struct source_mailbox name = {
		.name = mailbox, .display = mailbox, .separator = '/'
	};
	rig_must(
	    r->target.ops->open(r->target.data, account, &name, 7, &box, &err),
	    &err);
	struct item item = { .ticket = r->count,
		.placement = &m->placement,
		.content = content,
		.claim = claim,
		.survivor = m->survivor };
	rig_must(
	    r->target.ops->deliver(r->target.data, &item, 1, &m->where, &err),
	    &err);
	memcpy(m->volume, m->where.volume, sizeof(m->volume));
	r->count++;

	return &m->where;
}

static inline struct kept *
rig_deliver(struct rig *r, const char *mailbox, struct content *content)
{
	return rig_deliver_at(r, "alice@example.org", mailbox,
	    1700000000 + (int64_t)r->count, content, CLAIM_WHOLE, 0);
}

static inline bool
rig_next(void *arg, struct catalog_row *row, bool *end, struct err *err)
{
	struct rig *r = arg;
	(void)err;
	const char *open = r->target.ops->volume(r->target.data);
	while (r->next < r->count &&
	       (r->rows[r->next].gone ||
		   strcmp(r->rows[r->next].volume, open) != 0))
		r->next++;
	*end = r->next == r->count;
	if (*end)
		return false;

	const struct rig_message *m = &r->rows[r->next++];
	*row = (struct catalog_row){ .account = m->account,
		.mailbox = m->mailbox,
		.wire = m->mailbox,
		.wire_len = strlen(m->mailbox),
		.uidvalidity = 7,
		.uid = m->uid,
		.flags = m->placement.flags,
		.keywords = "$Forwarded Junk",
		.idate = m->placement.idate,
		.zone = 60,
		.size = m->where.size,
		.header_size = m->where.header_size,
		.entry = m->where.entry,
		.claim = m->claim,
		.frame = m->where.frame,
		.offset = m->where.offset,
		.from = "a@example",
		.to = "\xff not UTF-8",
		.subject = "S\xc3\xa4tze \"q\"" };
	memcpy(row->sha256, m->where.sha256, 32);
	if (m->claim != CLAIM_WHOLE) {
		row->body_volume = m->survivor.volume;
		row->body_entry = m->survivor.entry;
		row->body_frame = m->survivor.frame;
		row->body_offset = m->survivor.offset;
		row->body_skip = m->survivor.header_size;
	}

	return true;
}

static inline void
rig_seal(struct rig *r)
{
	struct err err = { 0 };
	struct progress p;
	rig_flush(r);
	r->next = 0;
	rig_must(
	    r->target.ops->seal(r->target.data, rig_next, r, &p, &err), &err);
	ck_assert(p.sealed);
	ck_assert_uint_gt(p.frame_count, 0);
	ck_assert_uint_eq(p.first_frame, r->frame_count);
	memcpy(r->sealed_name, p.volume, sizeof(p.volume));
	memcpy(r->sha256, p.sha256, sizeof(p.sha256));
	r->sealed++;
	r->frame_count = 0;
}

static inline void
rig_parts(const struct rig_message *m, struct message_parts *parts)
{
	*parts = (struct message_parts){ .size = m->where.size,
		.header_size = m->where.header_size,
		.frame = m->where.frame,
		.offset = m->where.offset,
		.split = m->claim == CLAIM_REFERENCE,
		.body_frame = m->survivor.frame,
		.body_offset = m->survivor.offset,
		.body_skip = m->survivor.header_size };
	memcpy(parts->sha256, m->where.sha256, 32);
	memcpy(parts->volume, m->where.volume, sizeof(parts->volume));
	memcpy(
	    parts->body_volume, m->survivor.volume, sizeof(parts->body_volume));
}

/* Every message that was not lost is read through the reader and hashed. */
static inline void
rig_read_all(struct rig *r)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	size_t read = 0;
	rig_must(archive_reader_open(&reader, r->dir, &err), &err);
	for (size_t i = 0; i < r->count; i++) {
		struct message_parts parts;
		if (r->rows[i].gone)
			continue;
		rig_parts(&r->rows[i], &parts);
		rig_must(
		    archive_reader_message(reader, &parts, NULL, NULL, &err),
		    &err);
		read++;
	}
	archive_reader_close(&reader);
	ck_assert_uint_gt(read, 0);
}

struct rig_findings {
	size_t count;
	struct buf text;
};

static inline void
rig_finding(void *arg, const struct archive_finding *f)
{
	struct rig_findings *all = arg;
	all->count++;
	buf_fmt(&all->text, "%s %s: %s\n", f->volume,
	    f->entry == NULL ? "-" : f->entry, f->what);
}

/* Findings of a full verification; text is the caller's to free. */
static inline struct rig_findings
rig_verify(struct rig *r, const char *volume, const uint8_t *sha256,
    struct archive_verified *sums)
{
	struct err err = { 0 };
	struct rig_findings all = { 0 };
	struct archive_reader *reader;
	rig_must(archive_reader_open(&reader, r->dir, &err), &err);
	rig_must(archive_verify_volume(reader, volume, sha256, false,
		     rig_finding, &all, sums, &err),
	    &err);
	archive_reader_close(&reader);
	ck_assert_uint_eq(all.count, sums->findings);

	return all;
}

static inline void
rig_verify_clean(struct rig *r, const char *volume)
{
	struct archive_verified sums;
	struct rig_findings all = rig_verify(r, volume, NULL, &sums);
	ck_assert_msg(all.count == 0, "%s", all.text.data);
	ck_assert_uint_gt(sums.entries, 0);
	buf_free(&all.text);
}

#endif
