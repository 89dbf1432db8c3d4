/* A new index: what is damaged or lost, and its way to the old one's place. */
#include "rebuild_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- damage ---- */

struct damage {
	struct rebuild *r;
	int64_t volume;
	const struct frame_info *frames; /* owned */
	const bool *damaged;
	size_t n;
	/* One that a damaged frame holds a part of. */
	struct place {
		int64_t content, frame, off;
	} * hits; /* owned */
	size_t count, cap;
};

/* Does any of size octets behind (frame, off) lie in a damaged frame? */
static bool
is_hit(const struct damage *d, uint64_t frame, uint64_t off, uint64_t size)
{
	for (uint64_t i = frame; i < d->n; i++) {
		uint64_t have = d->frames[i].dsize;
		if (off >= have) {
			off -= have;
			continue;
		}
		if (size == 0)
			return false;
		if (d->damaged[i])
			return true;
		if (size <= have - off)
			return false;
		size -= have - off;
		off = 0;
	}

	return size > 0; /* behind the volume's end */
}

static void
add_hit(struct damage *d, const struct place *at)
{
	if (d->count == d->cap) {
		d->cap = d->cap * 2 + 64;
		d->hits = mem_grow(d->hits, d->cap, sizeof(*d->hits));
	}
	d->hits[d->count++] = *at;
}

static bool
collect(struct damage *d, enum sql_name name, struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open(d->r->ix, name, &q, err))
		return false;
	sql_int(&q, d->volume);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct place at = { .content = sql_get_int(&q) };
		at.frame = sql_get_int(&q);
		at.off = sql_get_int(&q);
		uint64_t size = (uint64_t)sql_get_int(&q);
		if (is_hit(d, (uint64_t)at.frame, (uint64_t)at.off, size))
			add_hit(d, &at);
	}
	sql_close(&q);

	return ok;
}

static bool
run_at(struct damage *d, enum sql_name name, const struct place *at,
    struct err *err)
{
	struct sql q;
	if (!sql_open(d->r->ix, name, &q, err))
		return false;
	if (name == SQL_REBUILD_UNSTORE) {
		sql_int(&q, at->content);
		sql_int(&q, d->volume);
	} else {
		sql_int(&q, d->volume);
		sql_int(&q, at->frame);
		sql_int(&q, at->off);
	}

	return sql_run(&q, err);
}

static bool
give_up(struct damage *d, enum sql_name name, struct err *err)
{
	d->count = 0;
	if (!collect(d, name, err))
		return false;
	for (size_t i = 0; i < d->count; i++)
		if (!run_at(d,
			name == SQL_REBUILD_STORED ? SQL_REBUILD_UNSTORE
						   : SQL_REBUILD_UNBODY,
			&d->hits[i], err) ||
		    !run_at(d, SQL_REBUILD_DISPLACE, &d->hits[i], err) ||
		    !run_at(d, SQL_REBUILD_DISPLACE_FORMER, &d->hits[i], err))
			return false;

	return true;
}

bool
rebuild_damaged(struct rebuild *r, const char *volume, const bool *damaged,
    size_t n, struct err *err)
{
	struct damage d = { .r = r, .damaged = damaged };
	struct frame_info *frames = NULL;
	if (!rebuild_volume_id(r, volume, err) ||
	    !index_frames(r->ix, volume, &frames, &d.n, err))
		return false;
	d.volume = r->volume.id;
	d.frames = frames;
	d.n = d.n < n ? d.n : n;
	bool ok = give_up(&d, SQL_REBUILD_STORED, err) &&
		  give_up(&d, SQL_REBUILD_HEADERS, err);
	free(frames);
	free(d.hits);

	return ok;
}

bool
rebuild_note_cut(struct rebuild *r, struct err *err)
{
	struct sql q;
	if (r->volume.state != VOLUME_OPEN)
		return true;
	if (!sql_open(r->ix, SQL_REBUILD_CUT, &q, err))
		return false;
	sql_int(&q, r->volume.id);

	return sql_run(&q, err);
}

bool
rebuild_is_cut(
    struct rebuild *r, const char *volume, bool *cut, struct err *err)
{
	struct sql q;
	bool row;
	*cut = false;
	if (!rebuild_volume_id(r, volume, err) ||
	    !sql_open(r->ix, SQL_REBUILD_IS_CUT, &q, err))
		return false;
	sql_int(&q, r->volume.id);
	if (!sql_step(&q, &row, err))
		return false;
	*cut = row && sql_get_int(&q) != 0;
	sql_close(&q);

	return true;
}

bool
rebuild_forget(struct rebuild *r, const char *volume, struct err *err)
{
	static const enum sql_name all[] = { SQL_REBUILD_FORGET_STORED,
		SQL_REBUILD_FORGET_BODIES, SQL_REBUILD_FORGET_FORMER,
		SQL_REBUILD_FORGET_ENTRIES };
	struct sql q;
	if (!rebuild_volume_id(r, volume, err))
		return false;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!sql_open(r->ix, all[i], &q, err))
			return false;
		sql_int(&q, r->volume.id);
		if (!sql_run(&q, err))
			return false;
	}

	return true;
}

/* ---- loss ---- */

struct losing {
	struct rebuild *r;
	void (*lost)(void *arg, const struct rebuild_lost *);
	void *arg;
};

static bool
lose(
    struct losing *l, const struct outcome_key *key, bool gone, struct err *err)
{
	struct sql q;
	if (!sql_open(l->r->ix, SQL_REBUILD_LOSE, &q, err))
		return false;
	sql_int(&q, (int64_t)key->job);
	sql_int(&q, (int64_t)key->mailbox);
	sql_int(&q, (int64_t)key->okey);
	sql_int(&q, gone ? OUTCOME_VANISHED : OUTCOME_UNKNOWN);

	return sql_run(&q, err) &&
	       settle_note(l->r->ix, key, "damaged",
		   "no volume holds its octets any more", err);
}

static bool
lose_rows(struct losing *l, int64_t content, const uint8_t sha256[32],
    struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(l->r->ix, SQL_REBUILD_LOST_ROWS, &q, err))
		return false;
	sql_int(&q, content);
	while ((ok = sql_step(&q, &row, err)) && row) {
		struct outcome_key key = { 0 };
		struct rebuild_lost lost = { .sha256 = sha256 };
		key.job = (uint64_t)sql_get_int(&q);
		key.mailbox = (uint64_t)sql_get_int(&q);
		key.okey = lost.uid = (uint64_t)sql_get_int(&q);
		key.run = (uint64_t)sql_get_int(&q);
		lost.gone = sql_get_int(&q) == 0;
		lost.account = sql_get_text(&q);
		lost.mailbox = sql_get_text(&q);
		lost.uidvalidity = (uint64_t)sql_get_int(&q);
		if (l->lost != NULL)
			l->lost(l->arg, &lost);
		if (!lose(l, &key, lost.gone, err)) {
			ok = false;
			break;
		}
	}
	sql_close(&q);

	return ok;
}

static bool
lose_all(struct losing *l, struct err *err)
{
	struct sql q;
	bool ok, row;
	if (!sql_open_own(l->r->ix, SQL_REBUILD_LOST, &q, err))
		return false;
	while ((ok = sql_step(&q, &row, err)) && row) {
		uint8_t sha256[32];
		int64_t content = sql_get_int(&q);
		sql_get_octets(&q, sha256, sizeof(sha256));
		ok = lose_rows(l, content, sha256, err);
		if (!ok)
			break;
	}
	sql_close(&q);

	return ok;
}

/* Bodies that repacks moved, step by step; more than these only a manifest of
 * nonsense tells of. */
static bool
follow_moves(struct rebuild *r, struct err *err)
{
	enum { STEPS_MAX = 10000 };
	for (int i = 0; i < STEPS_MAX; i++) {
		if (!sql_simple(r->ix, SQL_REBUILD_FOLLOW, NULL, err))
			return false;
		if (sqlite3_changes(r->ix->db) == 0)
			break;
	}

	return true;
}

bool
rebuild_finish(struct rebuild *r,
    void (*lost)(void *arg, const struct rebuild_lost *), void *arg,
    struct err *err)
{
	struct losing l = { .r = r, .lost = lost, .arg = arg };

	return follow_moves(r, err) &&
	       sql_simple(r->ix, SQL_REBUILD_REFER, NULL, err) &&
	       sql_simple(r->ix, SQL_REBUILD_SURVIVE, NULL, err) &&
	       sql_simple(r->ix, SQL_REBUILD_SURVIVE_FORMER, NULL, err) &&
	       lose_all(&l, err) &&
	       sql_simple(r->ix, SQL_REBUILD_BODY_DROP, NULL, err) &&
	       sql_simple(r->ix, SQL_REBUILD_PLACE_DROP, NULL, err) &&
	       index_commit(r->ix, err);
}

/* ---- into its place ---- */

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return mem_str(".");

	return slash == path ? mem_str("/")
			     : mem_strn(path, (size_t)(slash - path));
}

static bool
sync_folder(const char *path, struct err *err)
{
	char *folder = folder_of(path);
	bool ok = file_sync_dir(folder, err);
	free(folder);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}

/* Closed, one file, and on the disk. */
static bool
close_new(struct rebuild *r, struct err *err)
{
	struct stat st;
	char *wal = mem_fmt("%s-wal", r->path);
	index_close(&r->ix);
	bool ok = lstat(wal, &st) < 0 || st.st_size == 0;
	if (!ok)
		err_set(err, ERR_RUN, ERR_IO,
		    "index %s could not be written whole", r->path);
	free(wal);
	if (!ok)
		return false;

	crash_point("index: before a new index is synced");
	int fd = open(r->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		err_errno(err, ERR_RUN, "%s", r->path);
	if (fd >= 0)
		close(fd);
	crash_point("index: after a new index is synced");

	return ok;
}

/* What SQLite would take for the new index's: of one that was taken away by
 * hand. */
static bool
remove_beside(const char *path, const char *ending, struct err *err)
{
	char *name = mem_fmt("%s%s", path, ending);
	bool ok = unlink(name) == 0 || errno == ENOENT;
	if (!ok)
		err_errno(err, ERR_RUN, "%s", name);
	free(name);

	return ok;
}

/* The old index as one file that nobody has open. *damaged: it is none. */
static bool
retire(const char *path, bool *damaged, struct err *err)
{
	struct index *old = NULL;
	struct sql q;
	bool row = false;
	/* Reading changes nothing about one that is damaged. */
	bool opened = index_open(&old, path, INDEX_READ, err);
	index_close(&old);
	opened = opened && index_open(&old, path, INDEX_WRITE, err);
	*damaged =
	    !opened && (err->code == ERR_DAMAGED || err->code == ERR_USAGE);
	if (!opened)
		return *damaged;
	sqlite3_busy_timeout(old->db, 0);
	/* Without a write-ahead log: SQLite refuses while others have one. */
	bool ok = sql_open(old, SQL_REBUILD_RETIRE, &q, err) &&
		  sql_step(&q, &row, err);
	const char *mode = ok && row ? sql_get_text(&q) : NULL;
	bool alone = mode != NULL && strcmp(mode, "delete") == 0;
	*damaged = !ok && err->code == ERR_DAMAGED;
	if (ok)
		sql_close(&q);
	index_close(&old);
	if (alone || *damaged)
		return true;
	err_set(err, ERR_RUN, ERR_LOCKED,
	    "another program has the index %s open", path);

	return err_hint(err, "Wait for it to end, then run the same again.");
}

/* What a damaged index left beside itself stays with it. */
static bool
move_aside(
    const char *path, const char *kept, const char *ending, struct err *err)
{
	char *from = mem_fmt("%s%s", path, ending);
	char *to = mem_fmt("%s%s", kept, ending);
	bool ok = rename(from, to) == 0 || errno == ENOENT;
	if (!ok)
		err_errno(err, ERR_RUN, "%s", from);
	free(from);
	free(to);

	return ok;
}

/* A second name, so that the first never lacks. */
static bool
keep_old(const char *path, const char *kept, bool damaged, struct err *err)
{
	crash_point("index: before the old index is kept");
	bool ok = link(path, kept) == 0;
	/* Some file systems have no links: then there is none for an instant,
	 * and a second call makes it again. */
	if (!ok && (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK))
		ok = rename(path, kept) == 0;
	if (!ok)
		return err_errno(err, ERR_RUN, "%s", kept);
	crash_point("index: after the old index is kept");

	return !damaged || (move_aside(path, kept, "-wal", err) &&
			       move_aside(path, kept, "-shm", err) &&
			       move_aside(path, kept, "-journal", err));
}

/* The first second from now on that no file has. */
static void
name_kept(const char *path, int64_t now, char *kept, size_t size)
{
	char when[32];
	struct stat st;
	struct tm tm;
	do {
		time_t t = (time_t)now++;
		gmtime_r(&t, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H%M%SZ", &tm);
		snprintf(kept, size, "%s.before-%s", path, when);
	} while (lstat(kept, &st) == 0);
}

static bool
put(struct rebuild *r, int64_t now, char *kept, size_t size, struct err *err)
{
	const char *path = r->set.path;
	struct stat st;
	bool damaged = false, old = lstat(path, &st) == 0;
	kept[0] = '\0';
	if (old) {
		name_kept(path, now, kept, size);
		if (!retire(path, &damaged, err) ||
		    !keep_old(path, kept, damaged, err))
			return false;
	} else if (!remove_beside(path, "-wal", err) ||
		   !remove_beside(path, "-journal", err)) {
		return false;
	}
	crash_point("index: before a new index is renamed");
	if (rename(r->path, path) < 0)
		return err_errno(err, ERR_RUN, "%s", r->path);
	crash_point("index: after a new index is renamed");

	return sync_folder(path, err);
}

bool
rebuild_put(
    struct rebuild **rp, int64_t now, char *kept, size_t size, struct err *err)
{
	bool ok = close_new(*rp, err) && put(*rp, now, kept, size, err);
	rebuild_abandon(rp);

	return ok;
}
