/*
 * Where repack put what lay elsewhere.  While entries are being copied, moved
 * holds a row for each place in the old volumes.  The swap lets deliveries and
 * copies follow those rows; then only those stay that references in other
 * volumes name: their catalogs and attributes can't be changed any more.
 */
#include "index/repack.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "private.h"
#include "settle.h"

/* No chain is longer: each step is a repack that had its volume once more. */
enum { STEPS_MAX = 10000 };

bool
repack_candidates(struct index *ix, uint64_t below,
    bool (*each)(void *arg, const struct repack_candidate *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_REPACK_CANDIDATES, &q, err))
		return false;
	sql_int(&q, below > INT64_MAX ? INT64_MAX : (int64_t)below);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct repack_candidate c;
		sql_get_name(&q, c.name, sizeof(c.name));
		c.octets = (uint64_t)sql_get_int(&q);
		sql_get_octets(&q, c.sha256, sizeof(c.sha256));
		if (!each(arg, &c))
			break;
	}
	sql_close(&q);

	return ok;
}

/* ---- drafts ---- */

static bool
end(struct index *ix, bool ok, struct err *err)
{
	if (!ok) {
		index_rollback(ix);
		return false;
	}
	crash_point("index: before a repack is committed");
	ok = index_commit(ix, err);
	crash_point("index: after a repack is committed");

	return ok;
}

static bool
insert_draft(struct index *ix, uint64_t run, uint64_t archive,
    const char *volume, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_REPACK_DRAFT, &q, err))
		return false;
	sql_int(&q, (int64_t)archive);
	sql_text(&q, volume);
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

bool
repack_draft(struct index *ix, uint64_t run, uint64_t archive,
    const char *volume, struct err *err)
{
	return index_begin(ix, err) &&
	       end(ix, insert_draft(ix, run, archive, volume, err), err);
}

static bool
run_on(struct index *ix, enum sql_name name, int64_t volume, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, volume);

	return sql_run(&q, err);
}

bool
repack_undraft(struct index *ix, const char *volume, struct err *err)
{
	int64_t id;
	if (!index_begin(ix, err))
		return false;
	bool ok = index_volume_id(ix, volume, &id, err) &&
		  run_on(ix, SQL_REPACK_UNMOVE, id, err) &&
		  run_on(ix, SQL_REPACK_UNFRAME, id, err) &&
		  run_on(ix, SQL_REPACK_UNDRAFT, id, err);
	ix->volume.id = 0;

	return end(ix, ok, err);
}

bool
repack_put(struct index *ix, const uint8_t sha256[32], bool whole,
    const struct repack_place *from, const struct repack_place *to,
    struct err *err)
{
	struct sql q;
	int64_t content;
	assert(ix->open_tx);
	if (!index_content_id(ix, sha256, &content, err) ||
	    !sql_open(ix, SQL_REPACK_PUT, &q, err))
		return false;
	sql_text(&q, from->volume);
	sql_int(&q, from->frame);
	sql_int(&q, (int64_t)from->offset);
	sql_int(&q, content);
	sql_int(&q, whole);
	sql_text(&q, to->volume);
	sql_int(&q, to->frame);
	sql_int(&q, (int64_t)to->offset);

	return sql_run(&q, err);
}

/* ---- looking a place up ---- */

static bool
step_to(struct sql *q, struct kept *to, bool *found, struct err *err)
{
	*to = (struct kept){ 0 };
	if (!sql_step(q, found, err))
		return false;
	if (*found) {
		sql_get_name(q, to->volume, sizeof(to->volume));
		to->frame = (uint32_t)sql_get_int(q);
		to->offset = (uint64_t)sql_get_int(q);
	}
	sql_close(q);

	return true;
}

static bool
find(struct index *ix, enum sql_name name, const struct repack_place *from,
    bool settled, struct kept *to, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_text(&q, from->volume);
	sql_int(&q, from->frame);
	sql_int(&q, (int64_t)from->offset);
	if (name == SQL_REPACK_PLACE)
		sql_int(&q, settled);

	return step_to(&q, to, found, err);
}

bool
repack_find(struct index *ix, const struct repack_place *from, bool body,
    struct kept *to, bool *found, struct err *err)
{
	return find(ix, body ? SQL_REPACK_BODY : SQL_REPACK_PLACE, from, false,
	    to, found, err);
}

bool
index_moved(struct index *ix, const char *volume, uint32_t frame,
    uint64_t offset, struct kept *to, bool *found, struct err *err)
{
	struct kept at = { .frame = frame, .offset = offset };
	bool more = true;
	snprintf(at.volume, sizeof(at.volume), "%s", volume);
	*found = false;
	for (int i = 0; i < STEPS_MAX && more; i++) {
		const struct repack_place from = { at.volume, at.frame,
			at.offset };
		if (!find(ix, SQL_REPACK_PLACE, &from, true, to, &more, err))
			return false;
		if (more) {
			at = *to;
			*found = true;
		}
	}
	*to = at;

	return true;
}

/* ---- the swap ---- */

static bool
run_pair(struct index *ix, enum sql_name name, int64_t old, int64_t new,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, old);
	sql_int(&q, new);

	return sql_run(&q, err);
}

static bool
put_stored(
    struct index *ix, int64_t old, int64_t new, bool whole, struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_REPACK_STORED, &q, err))
		return false;
	sql_int(&q, old);
	sql_int(&q, new);
	sql_int(&q, whole);

	return sql_run(&q, err);
}

static bool
replace(struct index *ix, const char *old, int64_t new, struct err *err)
{
	struct sql q;
	int64_t id;
	if (!sql_open(ix, SQL_REPACK_REPLACE, &q, err))
		return false;
	sql_text(&q, old);
	sql_int(&q, new);
	if (!sql_run(&q, err))
		return false;
	if (sqlite3_changes(ix->db) != 1)
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "index %s: volume %s is not sealed any more", ix->path,
		    old);

	return index_volume_id(ix, old, &id, err) &&
	       run_on(ix, SQL_REPACK_UNFRAME, id, err) &&
	       run_pair(ix, SQL_REPACK_DELIVERIES, id, new, err);
}

/* Whole copies of all volumes come before headers of any. */
static bool
put_copies(struct index *ix, const char (*old)[KEPT_VOLUME_NAME], size_t n,
    int64_t new, bool whole, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int64_t id;
		if (!index_volume_id(ix, old[i], &id, err) ||
		    !put_stored(ix, id, new, whole, err))
			return false;
	}

	return true;
}

static bool
nothing_left(struct index *ix, enum sql_name name, int64_t new, struct err *err)
{
	struct sql q;
	bool row;
	int64_t left = 0;
	if (!sql_open(ix, name, &q, err))
		return false;
	sql_int(&q, new);
	if (!sql_step(&q, &row, err))
		return false;
	if (row)
		left = sql_get_int(&q);
	sql_close(&q);

	return left == 0 || err_set(err, ERR_RUN, ERR_DAMAGED,
				"index %s: %lld copies of volumes to be "
				"replaced were not copied",
				ix->path, (long long)left);
}

static bool
drop_copies(struct index *ix, const char (*old)[KEPT_VOLUME_NAME], size_t n,
    struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int64_t id;
		if (!index_volume_id(ix, old[i], &id, err) ||
		    !run_on(ix, SQL_REPACK_UNSTORE, id, err))
			return false;
	}

	return true;
}

static bool
swap(struct index *ix, int64_t new, const char (*old)[KEPT_VOLUME_NAME],
    size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!replace(ix, old[i], new, err))
			return false;

	return put_copies(ix, old, n, new, true, err) &&
	       put_copies(ix, old, n, new, false, err) &&
	       nothing_left(ix, SQL_REPACK_LEFT, new, err) &&
	       nothing_left(ix, SQL_REPACK_BEHIND, new, err) &&
	       drop_copies(ix, old, n, err) &&
	       run_on(ix, SQL_REPACK_FIRST, new, err) &&
	       run_on(ix, SQL_REPACK_HEADS, new, err) &&
	       run_on(ix, SQL_REPACK_FORGET, new, err) &&
	       run_on(ix, SQL_REPACK_DONE, new, err);
}

bool
repack_swap(struct index *ix, uint64_t run, uint64_t archive,
    const struct progress *p, const char (*old)[KEPT_VOLUME_NAME], size_t n,
    struct err *err)
{
	int64_t new;
	if (!index_begin(ix, err))
		return false;
	bool ok = index_progress(ix, run, archive, p, err) &&
		  index_volume_id(ix, p->volume, &new, err) &&
		  swap(ix, new, old, n, err);

	return end(ix, ok, err);
}

/* ---- what was replaced ---- */

bool
index_replaced_volumes(struct index *ix,
    bool (*each)(void *arg, const struct repack_replaced *), void *arg,
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_REPLACED_VOLUMES, &q, err))
		return false;
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct repack_replaced v = { .name = sql_get_text(&q) };
		v.octets = (uint64_t)sql_get_int(&q);
		sql_get_octets(&q, v.sha256, sizeof(v.sha256));
		v.by = sql_get_text(&q);
		v.by_octets = (uint64_t)sql_get_int(&q);
		v.run = sql_get_text(&q);
		if (!each(arg, &v))
			break;
	}
	sql_close(&q);

	return ok;
}

static struct repack_place
get_place(struct sql *q)
{
	struct repack_place at = { .volume = sql_get_text(q) };
	at.frame = (uint32_t)sql_get_int(q);
	at.offset = (uint64_t)sql_get_int(q);

	return at;
}

bool
index_moves(struct index *ix, uint64_t run,
    bool (*each)(void *arg, const struct repack_place *from,
	const struct repack_place *to),
    void *arg, struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(ix, SQL_MOVES, &q, err))
		return false;
	sql_int(&q, (int64_t)run);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct repack_place from = get_place(&q);
		struct repack_place to = get_place(&q);
		if (!each(arg, &from, &to))
			break;
	}
	sql_close(&q);

	return ok;
}

bool
index_separator(struct index *ix, const struct catalog_row *r, char *separator,
    struct err *err)
{
	struct sql q;
	bool row;
	*separator = '\0';
	if (!sql_open(ix, SQL_REPACK_SEPARATOR, &q, err))
		return false;
	sql_text(&q, r->account);
	sql_blob(&q, r->wire, r->wire_len);
	sql_int(&q, (int64_t)r->uidvalidity);
	sql_int(&q, (int64_t)r->generation);
	if (!sql_step(&q, &row, err))
		return false;
	const char *text = row ? sql_get_text(&q) : NULL;
	if (text != NULL)
		*separator = text[0];
	sql_close(&q);

	return true;
}
