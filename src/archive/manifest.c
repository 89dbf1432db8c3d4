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
put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		mem_out();
}

static void
put_text(json_t *object, const char *key, const char *text)
{
	put(object, key, catalog_text(text));
}

static void
put_number(json_t *object, const char *key, uint64_t n)
{
	put(object, key, json_integer((json_int_t)n));
}

static void
put_hash(json_t *object, const char *key, const uint8_t *sha256)
{
	char hex[2 * DIGEST_SIZE + 1];
	put(object, key,
	    sha256 == NULL ? json_null()
			   : json_string(digest_hex(hex, sha256, DIGEST_SIZE)));
}

static void
put_time(json_t *object, const char *key, int64_t t)
{
	char text[36];
	put(object, key,
	    t == 0 ? json_null() : json_string(datetime_rfc3339(text, t, 0)));
}

static json_t *
new_line(const char *type)
{
	json_t *object = json_object();
	if (object == NULL)
		mem_out();
	put(object, "type", json_string(type));

	return object;
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

/* Takes the object. */
static bool
add_line(struct manifest *m, json_t *object, struct err *err)
{
	buf_clear(&m->line);
	catalog_line(&m->line, object);
	json_decref(object);
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
	json_t *line = new_line("run");
	put_number(line, "format", FORMAT);
	put_text(line, "name", run->name);
	put_text(line, "command", run->command);
	put_text(line, "state", run->state);
	put_time(line, "started", run->started);
	put_time(line, "ended", run->ended);
	put_text(line, "previous", run->previous);
	put_hash(line, "previous_sha256", run->previous_sha256);

	return add_line(m, line, err);
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
	json_t *line = new_line("account");
	put_text(line, "account", a->account);
	put_text(line, "kind", a->kind);
	put_text(line, "target", a->target);
	put_text(line, "state", a->state);
	put_time(line, "started", a->started);
	put_time(line, "ended", a->ended);
	put(line, "exit_code", json_integer(a->exit_code));
	put_text(line, "text", a->text);
	put_text(line, "scope", a->partial ? "partial" : "full");

	return add_line(m, line, err);
}

static json_t *
replacement(const struct manifest_mailbox *box)
{
	if (box->by_wire == NULL)
		return json_null();
	json_t *by = json_object();
	catalog_wire(by, box->by_wire, box->by_wire_len);
	put_number(by, "uidvalidity", box->by_uidvalidity);
	put_number(by, "generation", box->by_generation);

	return by;
}

static void
put_sums(json_t *line, const struct manifest_mailbox *box)
{
	put_number(line, "scanned", (uint64_t)box->scanned);
	put_number(line, "inventory", box->inventory);
	put_number(line, "already", box->already);
	put_number(line, "delivered", box->delivered);
	put_number(line, "duplicate", box->duplicate);
	put_number(line, "excluded", box->excluded);
	put_number(line, "repaired", box->repaired);
	put_number(line, "quarantined", box->quarantined);
	put_number(line, "unreadable", box->unreadable);
	put_number(line, "vanished", box->vanished);
	put_number(line, "unknown", box->unknown);
}

bool
manifest_mailbox(
    struct manifest *m, const struct manifest_mailbox *box, struct err *err)
{
	const char separator[] = { box->separator, '\0' };
	json_t *line = new_line("mailbox");
	put_text(line, "account", box->account);
	put_text(line, "kind", box->kind);
	put_text(line, "mailbox", box->mailbox);
	catalog_wire(line, box->wire, box->wire_len);
	put_number(line, "uidvalidity", box->uidvalidity);
	put_number(line, "generation", box->generation);
	put_text(line, "separator", box->separator == '\0' ? NULL : separator);
	put_text(line, "special_use", box->special_use);
	put(line, "subscribed", json_boolean(box->subscribed));
	put_text(line, "mailbox_id", box->mailbox_id);
	put(line, "ended", json_boolean(box->ended));
	put(line, "emptied", json_boolean(box->emptied));
	put(line, "replaced_by", replacement(box));
	if (box->counted)
		put_sums(line, box);

	return add_line(m, line, err);
}

static json_t *
begun_line(const struct catalog_row *row, const char *volume)
{
	json_t *line = new_line("begun");
	json_t *placement = catalog_json(row);
	bool known = row->claim == CLAIM_KNOWN;
	put_text(line, "volume",
	    known || volume == NULL || *volume == '\0' ? NULL : volume);
	if (known)
		put(line, "known", json_true());
	if (json_object_update(line, placement) < 0)
		abort();
	json_decref(placement);

	return line;
}

static json_t *
ended_line(const struct catalog_row *row)
{
	json_t *line = new_line("ended");
	catalog_origin(line, row);

	return line;
}

bool
manifest_placement(struct manifest *m, const struct catalog_row *row,
    const char *volume, bool ended, struct err *err)
{
	return add_line(
	    m, ended ? ended_line(row) : begun_line(row, volume), err);
}

bool
manifest_outcome(
    struct manifest *m, const struct manifest_outcome *o, struct err *err)
{
	json_t *line = new_line("outcome");
	catalog_origin(line, o->row);
	catalog_state(line, o->row);
	put_number(line, "size", o->row->size);
	put_text(line, "outcome", o->outcome);
	put_text(line, "class", o->class);
	put_text(line, "why", o->why);

	return add_line(m, line, err);
}

bool
manifest_volume(
    struct manifest *m, const struct manifest_volume *v, struct err *err)
{
	bool sealed = v->replaced_by == NULL;
	json_t *line = new_line(sealed ? "volume" : "replaced");
	put_text(line, "name", v->name);
	put_hash(line, "sha256", v->sha256);
	put_number(line, "octets", v->octets);
	if (sealed)
		put_number(line, "frames", v->frames);
	else
		put_text(line, "by", v->replaced_by);

	return add_line(m, line, err);
}

bool
manifest_moved(
    struct manifest *m, const struct manifest_moved *moved, struct err *err)
{
	json_t *line = new_line("moved");
	put_text(line, "volume", moved->volume);
	put_number(line, "frame", moved->frame);
	put_number(line, "offset", moved->offset);
	put_text(line, "to", moved->to);
	put_number(line, "to_frame", moved->to_frame);
	put_number(line, "to_offset", moved->to_offset);

	return add_line(m, line, err);
}

static bool
finish(struct manifest *m, struct err *err)
{
	/* Tells a reader that nothing is missing behind the last line. */
	json_t *line = new_line("end");
	put_number(line, "lines", m->lines + 1);
	if (!add_line(m, line, err) || !squeeze(m, "", 0, ZSTD_e_end, err))
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
