/* A new index: its life, runs, accounts, mailboxes and volumes. */
#include "rebuild_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/mem.h"
#include "index/repack.h"

enum { ROWS_PER_COMMIT = 20000 };

void
rebuild_find(struct rebuild *r, const char *where, const char *what)
{
	if (r->set.finding != NULL)
		r->set.finding(r->set.arg, where, what);
}

/* ---- life ---- */

static bool
remove_leftovers(const char *path, struct err *err)
{
	static const char *const endings[] = { "", "-wal", "-shm", "-journal",
		".lock" };
	bool ok = true;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		char *name = mem_fmt("%s%s", path, endings[i]);
		if (unlink(name) < 0 && errno != ENOENT && ok)
			ok = err_errno(err, ERR_RUN, "%s", name);
		free(name);
	}

	return ok;
}

/* Nobody relies on it before rebuild_put has synced it. */
static bool
set_up(struct rebuild *r, struct err *err)
{
	return sql_simple(r->ix, SQL_REBUILD_SYNC, NULL, err) &&
	       sql_simple(r->ix, SQL_REBUILD_CACHE, NULL, err) &&
	       index_account(r->ix, "archive", "archive", &r->archive, err) &&
	       index_begin(r->ix, err) &&
	       sql_simple(r->ix, SQL_REBUILD_BODY, NULL, err) &&
	       sql_simple(r->ix, SQL_REBUILD_PLACE, NULL, err);
}

bool
rebuild_open(struct rebuild **out, const struct rebuild_options *options,
    struct err *err)
{
	struct rebuild *r = mem_new(sizeof(*r));
	r->set = *options;
	r->set.path = mem_str(options->path);
	r->path = mem_fmt("%s.rebuild", options->path);
	crash_point("index: before a new index is begun");
	bool ok = remove_leftovers(r->path, err) &&
		  index_open(&r->ix, r->path, INDEX_WRITE, err) &&
		  set_up(r, err);
	crash_point("index: after a new index is begun");
	if (!ok)
		rebuild_abandon(&r);
	*out = r;

	return ok;
}

void
rebuild_abandon(struct rebuild **rp)
{
	struct rebuild *r = *rp;
	struct err ignored;
	if (r == NULL)
		return;

	*rp = NULL;
	index_close(&r->ix);
	remove_leftovers(r->path, &ignored);
	buf_free(&r->box.wire);
	buf_free(&r->field);
	buf_free(&r->keyword_text);
	free(r->keywords);
	free(r->who.kind);
	free(r->who.key);
	free((char *)r->set.path);
	free(r->path);
	free(r);
}

bool
rebuild_step(struct rebuild *r, struct err *err)
{
	if (++r->rows < ROWS_PER_COMMIT)
		return true;
	r->rows = 0;

	return index_commit(r->ix, err) && index_begin(r->ix, err);
}

/* ---- runs ---- */

/* *id 0: not there. */
static bool
find_run(struct rebuild *r, const char *name, uint64_t *id, struct err *err)
{
	struct sql q;
	bool row;
	*id = r->run.id;
	if (*id != 0 && strcmp(r->run.name, name) == 0)
		return true;
	*id = 0;
	if (!sql_open(r->ix, SQL_REBUILD_RUN_FIND, &q, err))
		return false;
	sql_text(&q, name);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		*id = r->run.id = (uint64_t)sql_get_int(&q);
		snprintf(r->run.name, sizeof(r->run.name), "%s", name);
	}
	sql_close(&q);

	return true;
}

bool
rebuild_run_id(
    struct rebuild *r, const char *name, uint64_t *id, struct err *err)
{
	if (!find_run(r, name, id, err))
		return false;

	return *id != 0 || err_set(err, ERR_RUN, ERR_DAMAGED,
			       "the run %s was told of too late", name);
}

static void
int_or_null(struct sql *q, int64_t value)
{
	if (value == 0)
		sql_null(q);
	else
		sql_int(q, value);
}

bool
rebuild_run(struct rebuild *r, const struct rebuild_run *run, struct err *err)
{
	struct sql q;
	if (strlen(run->name) >= sizeof(r->run.name))
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "impossible run name %s", run->name);
	if (!sql_open(r->ix, SQL_REBUILD_RUN_PUT, &q, err))
		return false;
	sql_text(&q, run->name);
	sql_int(&q, run->started);
	int_or_null(&q, run->ended);
	sql_int(&q, run->state);
	sql_text(&q, run->command == NULL ? "" : run->command);
	if (run->manifest == NULL)
		sql_null(&q);
	else
		sql_blob(&q, run->manifest, 32);

	return sql_run(&q, err);
}

/* ---- accounts ---- */

bool
rebuild_who(
    struct rebuild *r, const char *kind, const char *account, struct err *err)
{
	uint64_t id;
	if (r->who.key != NULL && strcmp(r->who.key, account) == 0 &&
	    strcmp(r->who.kind, kind) == 0)
		return true;
	if (!index_account(r->ix, kind, account, &id, err) ||
	    !index_job(r->ix, id, r->archive, &r->who.job, err))
		return false;
	free(r->who.kind);
	free(r->who.key);
	r->who.kind = mem_str(kind);
	r->who.key = mem_str(account);
	r->who.account = id;

	return true;
}

bool
rebuild_account(
    struct rebuild *r, const struct rebuild_account *a, struct err *err)
{
	struct sql q;
	uint64_t run;
	if (!rebuild_run_id(r, a->run, &run, err) ||
	    !rebuild_who(r, a->kind, a->account, err) ||
	    !sql_open(r->ix, SQL_REBUILD_RUN_JOB, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)r->who.job);
	sql_int(&q, a->state);
	sql_int(&q, a->started);
	int_or_null(&q, a->ended);
	sql_int(&q, a->exit_code);
	sql_text(&q, a->text == NULL ? "" : a->text);
	sql_int(&q, a->partial);

	return sql_run(&q, err);
}

/* ---- mailboxes ---- */

static bool
is_last_box(const struct rebuild *r, const struct rebuild_box *box)
{
	return r->box.id != 0 && r->box.account == r->who.account &&
	       r->box.uidvalidity == box->uidvalidity &&
	       r->box.generation == box->generation &&
	       strcmp(r->box.wire.data, box->wire) == 0;
}

static void
remember_box(struct rebuild *r, const struct rebuild_box *box, uint64_t id)
{
	buf_clear(&r->box.wire);
	buf_str(&r->box.wire, box->wire);
	r->box.account = r->who.account;
	r->box.uidvalidity = box->uidvalidity;
	r->box.generation = box->generation;
	r->box.id = id;
}

static void
bind_box(struct rebuild *r, struct sql *q, const struct rebuild_box *box)
{
	sql_int(q, (int64_t)r->who.account);
	sql_blob(q, box->wire, strlen(box->wire));
	sql_int(q, (int64_t)box->uidvalidity);
	sql_int(q, (int64_t)box->generation);
}

static bool
make_box(struct rebuild *r, const struct rebuild_box *box, uint64_t run,
    uint64_t *id, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_REBUILD_BOX_INSERT, &q, err))
		return false;
	bind_box(r, &q, box);
	sql_text(&q, box->display);
	sql_int(&q, (int64_t)run);
	if (!sql_run(&q, err))
		return false;
	*id = (uint64_t)sqlite3_last_insert_rowid(r->ix->db);

	return true;
}

bool
rebuild_box_id(struct rebuild *r, const struct rebuild_box *box, uint64_t run,
    uint64_t *id, struct err *err)
{
	struct sql q;
	bool row;
	*id = r->box.id;
	if (is_last_box(r, box))
		return true;
	*id = 0;
	if (!sql_open(r->ix, SQL_REBUILD_BOX_FIND, &q, err))
		return false;
	bind_box(r, &q, box);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		*id = (uint64_t)sql_get_int(&q);
	sql_close(&q);
	if (!row && (run == 0 || !make_box(r, box, run, id, err)))
		return run == 0;
	remember_box(r, box, *id);

	return true;
}

static bool
describe_box(struct rebuild *r, const struct rebuild_mailbox *m, uint64_t run,
    uint64_t id, struct err *err)
{
	struct sql q;
	const char separator[2] = { m->separator, '\0' };
	uint64_t by = 0;
	if (m->replaced_by != NULL &&
	    !rebuild_box_id(r, m->replaced_by, run, &by, err))
		return false;
	if (!sql_open(r->ix, SQL_REBUILD_BOX_UPDATE, &q, err))
		return false;
	sql_int(&q, (int64_t)id);
	sql_text(&q, m->box.display);
	sql_text(&q, m->separator == '\0' ? NULL : separator);
	sql_text(&q, m->special_use);
	sql_text(&q, m->mailbox_id);
	sql_int(&q, m->ended);
	sql_int(&q, (int64_t)run);
	sql_int(&q, m->emptied);
	sql_int(&q, m->subscribed);
	int_or_null(&q, (int64_t)by);

	return sql_run(&q, err);
}

bool
rebuild_mailbox(
    struct rebuild *r, const struct rebuild_mailbox *m, struct err *err)
{
	uint64_t run, id;

	return rebuild_run_id(r, m->run, &run, err) &&
	       rebuild_who(r, m->box.kind, m->box.account, err) &&
	       rebuild_box_id(r, &m->box, run, &id, err) &&
	       describe_box(r, m, run, id, err) &&
	       (m->counts == NULL ||
		   index_count(r->ix, run, r->who.job, id, m->counts, err)) &&
	       rebuild_step(r, err);
}

/* ---- volumes ---- */

bool
rebuild_volume_id(struct rebuild *r, const char *name, struct err *err)
{
	struct sql q;
	bool row;
	if (r->volume.id != 0 && strcmp(r->volume.name, name) == 0)
		return true;
	r->volume.id = 0;
	if (name[0] == '\0')
		return true;
	if (!sql_open(r->ix, SQL_REBUILD_VOLUME_FIND, &q, err))
		return false;
	sql_text(&q, name);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		r->volume.id = sql_get_int(&q);
		r->volume.state = (enum index_volume_state)sql_get_int(&q);
		r->volume.frames = sql_get_int(&q);
		r->volume.run = sql_get_int(&q);
		snprintf(r->volume.name, sizeof(r->volume.name), "%s", name);
	}
	sql_close(&q);

	return true;
}

bool
rebuild_volume(struct rebuild *r, const char *run, const struct progress *p,
    struct err *err)
{
	uint64_t id;
	struct progress told = *p;
	told.opened = true;
	r->volume.id = 0;

	return rebuild_run_id(r, run, &id, err) &&
	       index_progress(r->ix, id, r->archive, &told, err);
}

static bool
put_seal(struct rebuild *r, uint64_t run, int64_t volume,
    const uint8_t sha256[32], struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_VOLUME_SEAL, &q, err))
		return false;
	sql_int(&q, volume);
	sql_blob(&q, sha256, 32);
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

static bool
put_lost(struct rebuild *r, uint64_t run, const char *name,
    const uint8_t sha256[32], uint64_t octets, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_REBUILD_VOLUME_LOST, &q, err))
		return false;
	sql_int(&q, (int64_t)r->archive);
	sql_text(&q, name);
	sql_int(&q, (int64_t)run);
	sql_int(&q, (int64_t)octets);
	sql_blob(&q, sha256, 32);

	return sql_run(&q, err);
}

bool
rebuild_sealed(struct rebuild *r, const char *run, const char *name,
    const uint8_t sha256[32], uint64_t octets, struct err *err)
{
	uint64_t id;
	if (strlen(name) >= KEPT_VOLUME_NAME) {
		rebuild_find(r, run, "it names an impossible volume");
		return true;
	}
	if (!rebuild_run_id(r, run, &id, err) ||
	    !rebuild_volume_id(r, name, err))
		return false;
	int64_t volume = r->volume.id;
	r->volume.id = 0;
	if (volume == 0)
		return put_lost(r, id, name, sha256, octets, err);
	if (r->volume.state == VOLUME_SEALED)
		return put_seal(r, id, volume, sha256, err);
	/* A name that was told twice, or a file that was renamed back. */
	rebuild_find(r, name, "its manifest says that it is sealed");

	return true;
}

bool
rebuild_replaced(
    struct rebuild *r, const char *name, const char *by, struct err *err)
{
	struct sql q;
	r->volume.id = 0;
	if (!sql_open(r->ix, SQL_REBUILD_REPLACED, &q, err))
		return false;
	sql_text(&q, name);
	sql_text(&q, by);

	return sql_run(&q, err);
}

bool
rebuild_moved(struct rebuild *r, const char *volume, uint64_t frame,
    uint64_t offset, const char *to, uint64_t to_frame, uint64_t to_offset,
    struct err *err)
{
	struct sql q;
	if (frame > UINT32_MAX || to_frame > UINT32_MAX || offset > INT64_MAX ||
	    to_offset > INT64_MAX)
		return true;
	if (!sql_open(r->ix, SQL_REBUILD_MOVED, &q, err))
		return false;
	sql_text(&q, volume);
	sql_int(&q, (int64_t)frame);
	sql_int(&q, (int64_t)offset);
	sql_text(&q, to);
	sql_int(&q, (int64_t)to_frame);
	sql_int(&q, (int64_t)to_offset);

	return sql_run(&q, err) && rebuild_step(r, err);
}

bool
rebuild_where(struct rebuild *r, const char *volume, uint32_t frame,
    uint64_t offset, struct kept *to, bool *found, struct err *err)
{
	return index_moved(r->ix, volume, frame, offset, to, found, err);
}

bool
rebuild_expected(struct rebuild *r, const char *name, uint8_t sha256[32],
    bool *told, struct err *err)
{
	struct sql q;
	*told = false;
	if (!sql_open(r->ix, SQL_REBUILD_EXPECTED, &q, err))
		return false;
	sql_text(&q, name);
	if (!sql_step(&q, told, err))
		return false;
	if (*told)
		*told = sql_get_octets(&q, sha256, 32);
	sql_close(&q);

	return true;
}

bool
rebuild_count(
    struct rebuild *r, const char *volume, uint64_t *n, struct err *err)
{
	struct sql q;
	bool row;
	*n = 0;
	if (!sql_open(r->ix, SQL_REBUILD_COUNT, &q, err))
		return false;
	sql_text(&q, volume);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		*n = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}
