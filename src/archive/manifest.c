#include "archive/manifest.h"

#include "archive/archive.h"
#include "base/crash.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "catalog.h"
#include "mail/datetime.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { LEVEL = 3, FORMAT = 1 };

struct manifest {
	char *dir, *part, *path; /* folder of runs; file; its final name */
	int fd;
	uint64_t written, lines;
	ZSTD_CCtx *context;
	struct digest *digest; /* of the compressed file */
	struct buf line;
	void *out; /* ZSTD_CStreamOutSize octets */
};

static void
put_hash(struct jsonl *l, const char *key, const uint8_t *sha256)
{
	char hex[2 * DIGEST_SIZE + 1];
	jsonl_text(l, key,
	    sha256 == NULL ? NULL : digest_hex(hex, sha256, DIGEST_SIZE));
}

static void
put_time(struct jsonl *l, const char *key, int64_t t)
{
	char text[36];
	jsonl_text(l, key, t == 0 ? NULL : datetime_rfc3339(text, t, 0));
}

/* ---- octets ---- */

static bool
write_out(struct manifest *m, const void *data, size_t n, struct err *err)
{
	if (!file_pwrite(m->fd, data, n, m->written, m->part, err)) {
		err->scope = ERR_RUN;
		return false;
	}
	digest_add(m->digest, data, n);
	m->written += n;

	return true;
}

static bool
squeeze(struct manifest *m, const void *data, size_t n, ZSTD_EndDirective how,
    struct err *err)
{
	ZSTD_inBuffer in = { .src = data, .size = n };
	size_t left;
	do {
		ZSTD_outBuffer out = { .dst = m->out,
			.size = ZSTD_CStreamOutSize() };
		left = ZSTD_compressStream2(m->context, &out, &in, how);
		if (ZSTD_isError(left))
			return err_set(err, ERR_RUN, ERR_OTHER, "%s: %s",
			    m->part, ZSTD_getErrorName(left));
		if (out.pos > 0 && !write_out(m, m->out, out.pos, err))
			return false;
	} while (in.pos < in.size || (how == ZSTD_e_end && left > 0));

	return true;
}

static void
start_line(struct manifest *m, struct jsonl *l, const char *type)
{
	buf_clear(&m->line);
	jsonl_begin(l, &m->line);
	jsonl_text(l, "type", type);
}

static bool
end_line(struct manifest *m, struct jsonl *l, struct err *err)
{
	jsonl_end(l);
	m->lines++;

	return squeeze(m, m->line.data, m->line.len, ZSTD_e_continue, err);
}

/* ---- life ---- */

static void
manifest_free(struct manifest **mp)
{
	struct manifest *m = *mp;
	if (m == NULL)
		return;

	*mp = NULL;
	if (m->fd >= 0)
		close(m->fd);
	ZSTD_freeCCtx(m->context);
	digest_free(&m->digest);
	buf_free(&m->line);
	free(m->out);
	free(m->dir);
	free(m->part);
	free(m->path);
	free(m);
}

void
manifest_abandon(struct manifest **mp)
{
	if (*mp != NULL)
		unlink((*mp)->part);
	manifest_free(mp);
}

static void
start_stream(struct manifest *m)
{
	m->context = ZSTD_createCCtx();
	if (m->context == NULL)
		mem_out();
	ZSTD_CCtx_setParameter(m->context, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(m->context, ZSTD_c_checksumFlag, 1);
	m->out = mem_array(ZSTD_CStreamOutSize(), 1);
	m->digest = digest_new();
	digest_start(m->digest);
}

static bool
add_run(struct manifest *m, const struct manifest_run *run, struct err *err)
{
	struct jsonl line;
	start_line(m, &line, "run");
	jsonl_number(&line, "format", FORMAT);
	jsonl_text(&line, "name", run->name);
	jsonl_text(&line, "command", run->command);
	jsonl_text(&line, "state", run->state);
	put_time(&line, "started", run->started);
	put_time(&line, "ended", run->ended);
	jsonl_text(&line, "previous", run->previous);
	put_hash(&line, "previous_sha256", run->previous_sha256);

	return end_line(m, &line, err);
}

bool
manifest_begin(struct manifest **out, const char *dir,
    const struct manifest_run *run, struct err *err)
{
	*out = NULL;
	if (run->name[0] == '\0' || run->name[0] == '.' ||
	    strchr(run->name, '/') != NULL)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "impossible run name %s", run->name);

	struct manifest *m = mem_new(sizeof(*m));
	m->dir = mem_fmt("%s/%s", dir, ARCHIVE_RUNS);
	m->path = mem_fmt("%s/%s.jsonl.zst", m->dir, run->name);
	m->part = mem_fmt("%s.part", m->path);
	crash_point("archive: before a manifest is created");
	m->fd =
	    open(m->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		S_IRUSR | S_IWUSR);
	crash_point("archive: after a manifest is created");
	if (m->fd < 0) {
		err_errno(err, ERR_RUN, "%s", m->part);
		manifest_free(&m);
		return false;
	}
	start_stream(m);
	if (!add_run(m, run, err)) {
		manifest_abandon(&m);
		return false;
	}
	*out = m;

	return true;
}

bool
manifest_account(
    struct manifest *m, const struct manifest_account *a, struct err *err)
{
	struct jsonl line;
	start_line(m, &line, "account");
	jsonl_text(&line, "account", a->account);
	jsonl_text(&line, "kind", a->kind);
	jsonl_text(&line, "target", a->target);
	jsonl_text(&line, "state", a->state);
	put_time(&line, "started", a->started);
	put_time(&line, "ended", a->ended);
	jsonl_number(&line, "exit_code", (uint64_t)a->exit_code);
	jsonl_text(&line, "text", a->text);
	jsonl_text(&line, "scope", a->partial ? "partial" : "full");

	return end_line(m, &line, err);
}

static void
put_replacement(struct jsonl *l, const struct manifest_mailbox *box)
{
	if (box->by_wire == NULL) {
		jsonl_null(l, "replaced_by");
		return;
	}
	jsonl_open(l, "replaced_by");
	catalog_wire(l, box->by_wire, box->by_wire_len);
	jsonl_number(l, "uidvalidity", box->by_uidvalidity);
	jsonl_number(l, "generation", box->by_generation);
	jsonl_close(l);
}

static void
put_sums(struct jsonl *l, const struct manifest_mailbox *box)
{
	jsonl_number(l, "scanned", (uint64_t)box->scanned);
	jsonl_number(l, "inventory", box->inventory);
	jsonl_number(l, "already", box->already);
	jsonl_number(l, "delivered", box->delivered);
	jsonl_number(l, "duplicate", box->duplicate);
	jsonl_number(l, "excluded", box->excluded);
	jsonl_number(l, "repaired", box->repaired);
	jsonl_number(l, "quarantined", box->quarantined);
	jsonl_number(l, "unreadable", box->unreadable);
	jsonl_number(l, "vanished", box->vanished);
	jsonl_number(l, "unknown", box->unknown);
}

bool
manifest_mailbox(
    struct manifest *m, const struct manifest_mailbox *box, struct err *err)
{
	const char separator[] = { box->separator, '\0' };
	struct jsonl line;
	start_line(m, &line, "mailbox");
	jsonl_text(&line, "account", box->account);
	jsonl_text(&line, "kind", box->kind);
	jsonl_text(&line, "mailbox", box->mailbox);
	catalog_wire(&line, box->wire, box->wire_len);
	jsonl_number(&line, "uidvalidity", box->uidvalidity);
	jsonl_number(&line, "generation", box->generation);
	jsonl_text(
	    &line, "separator", box->separator == '\0' ? NULL : separator);
	jsonl_text(&line, "special_use", box->special_use);
	jsonl_bool(&line, "subscribed", box->subscribed);
	jsonl_text(&line, "mailbox_id", box->mailbox_id);
	jsonl_bool(&line, "ended", box->ended);
	jsonl_bool(&line, "emptied", box->emptied);
	put_replacement(&line, box);
	if (box->counted)
		put_sums(&line, box);

	return end_line(m, &line, err);
}

static void
put_begun(struct jsonl *l, const struct catalog_row *row, const char *volume)
{
	bool known = row->claim == CLAIM_KNOWN;
	jsonl_text(l, "volume",
	    known || volume == NULL || *volume == '\0' ? NULL : volume);
	if (known)
		jsonl_bool(l, "known", true);
	catalog_put(l, row);
}

bool
manifest_placement(struct manifest *m, const struct catalog_row *row,
    const char *volume, bool ended, struct err *err)
{
	struct jsonl line;
	start_line(m, &line, ended ? "ended" : "begun");
	if (ended)
		catalog_origin(&line, row);
	else
		put_begun(&line, row, volume);

	return end_line(m, &line, err);
}

bool
manifest_outcome(
    struct manifest *m, const struct manifest_outcome *o, struct err *err)
{
	struct jsonl line;
	start_line(m, &line, "outcome");
	catalog_origin(&line, o->row);
	catalog_state(&line, o->row);
	jsonl_number(&line, "size", o->row->size);
	jsonl_text(&line, "outcome", o->outcome);
	jsonl_text(&line, "class", o->class);
	jsonl_text(&line, "why", o->why);

	return end_line(m, &line, err);
}

bool
manifest_volume(
    struct manifest *m, const struct manifest_volume *v, struct err *err)
{
	bool sealed = v->replaced_by == NULL;
	struct jsonl line;
	start_line(m, &line, sealed ? "volume" : "replaced");
	jsonl_text(&line, "name", v->name);
	put_hash(&line, "sha256", v->sha256);
	jsonl_number(&line, "octets", v->octets);
	if (sealed)
		jsonl_number(&line, "frames", v->frames);
	else
		jsonl_text(&line, "by", v->replaced_by);

	return end_line(m, &line, err);
}

bool
manifest_moved(
    struct manifest *m, const struct manifest_moved *moved, struct err *err)
{
	struct jsonl line;
	start_line(m, &line, "moved");
	jsonl_text(&line, "volume", moved->volume);
	jsonl_number(&line, "frame", moved->frame);
	jsonl_number(&line, "offset", moved->offset);
	jsonl_text(&line, "to", moved->to);
	jsonl_number(&line, "to_frame", moved->to_frame);
	jsonl_number(&line, "to_offset", moved->to_offset);

	return end_line(m, &line, err);
}

static bool
finish(struct manifest *m, struct err *err)
{
	/* Tells a reader that nothing is missing behind the last line. */
	struct jsonl line;
	start_line(m, &line, "end");
	jsonl_number(&line, "lines", (m->lines + 1));
	if (!end_line(m, &line, err) || !squeeze(m, "", 0, ZSTD_e_end, err))
		return false;
	crash_point("archive: before a manifest is synced");
	if (fsync(m->fd) < 0)
		return err_errno(err, ERR_RUN, "%s: fsync", m->part);
	crash_point("archive: before a manifest is renamed");
	if (rename(m->part, m->path) < 0)
		return err_errno(err, ERR_RUN, "%s: rename", m->part);
	crash_point("archive: after a manifest is renamed");
	if (!file_sync_dir(m->dir, err)) {
		err->scope = ERR_RUN;
		return false;
	}
	crash_point("archive: after the folder of manifests is synced");

	return true;
}

bool
manifest_end(struct manifest **mp, uint8_t sha256[32], struct err *err)
{
	bool ok = finish(*mp, err);
	digest_end((*mp)->digest, sha256);
	if (ok)
		manifest_free(mp);
	else
		manifest_abandon(mp);

	return ok;
}
