#include "seal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/file.h"
#include "catalog.h"
#include "entry.h"
#include "mail/content.h"
#include "readback.h"
#include "unpack_sh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* ---- the last entries ---- */

struct catalog {
	struct content *json, *tsv;
	struct buf line;
};

static bool
add_line(struct content *to, struct buf *line, struct err *err)
{
	bool ok = content_add(to, line->data, line->len, err);
	buf_clear(line);

	return ok;
}

static bool
add_row(struct catalog *c, const struct catalog_row *row, struct err *err)
{
	struct jsonl line;
	jsonl_begin(&line, &c->line);
	catalog_put(&line, row);
	jsonl_end(&line);
	if (!add_line(c->json, &c->line, err))
		return false;
	catalog_tsv(&c->line, row);

	return add_line(c->tsv, &c->line, err);
}

static bool
collect_rows(struct catalog *c, catalog_next next, void *arg, struct err *err)
{
	struct catalog_row row;
	bool end = false;
	buf_str(&c->line, catalog_tsv_head);
	if (!add_line(c->tsv, &c->line, err))
		return false;
	while (next(arg, &row, &end, err))
		if (!add_row(c, &row, err))
			return false;
	content_finish(c->json);
	content_finish(c->tsv);

	return end;
}

static bool
pass_on(void *arg, const void *data, size_t n, struct err *err)
{
	return volume_data(arg, data, n, err);
}

/* From 2038 on libarchive would put a pax header before the entry; but whoever
 * looks for the catalog looks for its own header at the start of a frame. */
static int64_t
own_time(void)
{
	int64_t now = time(NULL);

	return now < INT32_MAX ? now : INT32_MAX - 1;
}

static bool
add_entry(struct volume *v, const char *name, const struct content *c,
    struct err *err)
{
	entry_file(v->entry, name, content_size(c), own_time());

	return volume_entry(v, err) &&
	       content_each(c, 0, content_size(c), pass_on, v, err) &&
	       volume_entry_end(v, err);
}

static bool
add_script(struct volume *v, struct err *err)
{
	size_t len = strlen(unpack_sh);
	entry_file(v->entry, ENTRY_UNPACK, len, own_time());

	return volume_entry(v, err) && volume_data(v, unpack_sh, len, err) &&
	       volume_entry_end(v, err);
}

static bool
add_catalog(struct volume *v, catalog_next next, void *arg, struct err *err)
{
	struct catalog c = { .json = content_new(v->dir, 0),
		.tsv = content_new(v->dir, 0) };
	bool ok = collect_rows(&c, next, arg, err) &&
		  add_entry(v, ENTRY_CATALOG_JSON, c.json, err) &&
		  add_entry(v, ENTRY_CATALOG_TSV, c.tsv, err) &&
		  add_script(v, err);
	content_free(&c.json);
	content_free(&c.tsv);
	buf_free(&c.line);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}

/* ---- proof and name ---- */

static bool
read_back(struct volume *v, struct seal_watch *watch, uint64_t *octets,
    uint8_t sha256[32], struct err *err)
{
	struct stat st;
	int64_t start = clock_mono_ms();
	if (fstat(v->fd, &st) < 0)
		return err_errno(err, ERR_RUN, "%s", v->path);

	*octets = (uint64_t)st.st_size;
	bool ok = readback(v->fd, v->path, frames_infos(v->frames),
	    frames_durable(v->frames), *octets - frames_file_size(v->frames),
	    sha256, watch->sealing, watch->arg, err);
	watch->readback_ms += (uint64_t)(clock_mono_ms() - start);

	return ok;
}

static bool
give_name(const struct volume *v, struct err *err)
{
	struct buf path = { 0 };
	buf_fmt(&path, "%s/%s%s", v->dir, v->name, ARCHIVE_SEALED);
	crash_point("archive: before a sealed volume is renamed");
	bool ok = rename(v->path, path.data) == 0;
	crash_point("archive: after a sealed volume is renamed");
	if (!ok)
		err_errno(err, ERR_RUN, "%s: rename", v->path);
	buf_free(&path);
	if (ok && !file_sync_dir(v->dir, err)) {
		/* Not for want of room: nobody may cut back what has its final
		 * name. The next run finds it there. */
		err->code = ERR_IO;
		ok = false;
	}
	if (!ok) {
		err->scope = ERR_RUN;
		return false;
	}
	crash_point("archive: after the folder of a sealed volume is synced");

	return true;
}

bool
seal_volume(struct volume *v, catalog_next next, void *arg,
    struct seal_watch *watch, uint64_t *octets, uint8_t sha256[32],
    struct err *err)
{
	return add_catalog(v, next, arg, err) && volume_finish(v, err) &&
	       read_back(v, watch, octets, sha256, err) && give_name(v, err);
}
