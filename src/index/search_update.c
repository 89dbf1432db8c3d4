#include "search_private.h"

#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/stop.h"
#include "mail/datetime.h"

enum {
	BATCH = 10000,    /* contents a transaction: half a second, and a cache
			     that seldom spills */
	LOOK_EVERY = 256, /* contents between looks at the clock */
	/* Text of bodies a transaction, and how long it may stay open: what a
	 * kill costs, and what another find waits for. */
	BODY_OCTETS = 16 << 20,
	BODY_MS = 2000,
	QUICK_BUSY_MS = 100, /* with a budget nobody is waited for */
	BUSY_MS = 60000
};

struct update {
	struct search *s;
	struct index *store; /* where to */
	int64_t until;       /* clock_mono_ms; 0: no end */
	bool (*each)(void *, uint64_t, uint64_t);
	void *arg;
	int64_t first, top; /* contents known before; in the index */
	struct buf text[4];
	bool stopped;
};

static void
roll_back(struct index *store)
{
	struct err ignored;
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(store->db))
		sql_simple(store, SQL_ROLLBACK, NULL, &ignored);
}

static bool
commit(struct index *store, struct err *err)
{
	crash_point("search: before commit");
	bool ok = sql_simple(store, SQL_COMMIT, NULL, err);
	crash_point("search: after commit");

	return ok;
}

/* ---- contents that are new ---- */

static bool
put_doc(struct update *u, int64_t content, int64_t size, struct err *err)
{
	struct sql dates, put;
	bool row;
	if (!sql_open(u->s->ix, SQL_FIND_DATES, &dates, err))
		return false;
	sql_int(&dates, content);
	if (!sql_step(&dates, &row, err))
		return false;
	bool none = sql_get_null(&dates);
	int64_t newest = sql_get_int(&dates);
	int64_t oldest = sql_get_int(&dates);
	sql_close(&dates);
	if (!sql_open(u->store, SQL_SEARCH_DOC_PUT, &put, err))
		return false;
	sql_int(&put, content);
	sql_int(&put, none ? DATETIME_NONE : newest);
	sql_int(&put, none ? DATETIME_NONE : oldest);
	sql_int(&put, size);

	return sql_run(&put, err);
}

/* columns stands on h.from_. */
static bool
put_headers(
    struct update *u, int64_t content, struct sql *columns, struct err *err)
{
	struct sql put;
	if (!sql_open(u->store, SQL_SEARCH_HEADERS_PUT, &put, err))
		return false;
	sql_int(&put, content);
	for (size_t i = 0; i < 4; i++) {
		const char *text = sql_get_text(columns);
		search_words_split(&u->text[i], text == NULL ? "" : text);
		sql_text(&put, u->text[i].data);
	}

	return sql_run(&put, err);
}

static bool
put_mark(struct update *u, int64_t content, int64_t h64, struct err *err)
{
	struct sql put;
	if (!sql_open(u->store, SQL_SEARCH_MARK_PUT, &put, err))
		return false;
	sql_int(&put, content);
	sql_int(&put, h64);

	return sql_run(&put, err);
}

static bool
time_is_up(struct update *u, int64_t done)
{
	if (done % LOOK_EVERY != 0)
		return false;
	if (u->each != NULL &&
	    !u->each(u->arg, (uint64_t)done, (uint64_t)(u->top - u->first)))
		u->stopped = true;
	if (stop_asked() || (u->until != 0 && clock_mono_ms() >= u->until))
		u->stopped = true;

	return u->stopped;
}

/* Up to BATCH contents behind top; *more: others may be left. */
static bool
put_contents(struct update *u, int64_t top, bool *more, struct err *err)
{
	struct sql q;
	bool row = true, ok;
	int64_t n = 0, content = top, h64 = 0;
	if (!sql_open(u->s->ix, SQL_FIND_CONTENTS, &q, err))
		return false;
	sql_int(&q, top);
	while ((ok = sql_step(&q, &row, err)) && row && n < BATCH) {
		if (time_is_up(u, content - u->first))
			break;
		content = sql_get_int(&q);
		h64 = sql_get_int(&q);
		int64_t size = sql_get_int(&q);
		ok = put_doc(u, content, size, err) &&
		     put_headers(u, content, &q, err);
		if (!ok)
			break;
		n++;
	}
	sql_close(&q);
	*more = ok && row && !u->stopped;

	return ok && (n == 0 || put_mark(u, content, h64, err));
}

/* Where the last update, of this or another process, has got to. temp goes on
 * where kept ends. */
static bool
last_known(struct update *u, int64_t *top, struct err *err)
{
	int64_t kept = 0;
	if (!search_top(u->store, top, err))
		return false;
	if (u->store == u->s->temp && !search_top(u->s->kept, &kept, err))
		return false;
	if (kept > *top)
		*top = kept;

	return true;
}

static bool
one_batch(struct update *u, bool *more, struct err *err)
{
	int64_t top = 0;
	if (!sql_simple(u->store, SQL_BEGIN, NULL, err))
		return false;
	if (last_known(u, &top, err) && put_contents(u, top, more, err) &&
	    commit(u->store, err))
		return true;
	roll_back(u->store);

	return false;
}

static bool
put_new(struct update *u, struct err *err)
{
	bool more = u->top > u->first;
	while (more)
		if (!one_batch(u, &more, err))
			return false;

	return true;
}

/* ---- dates of those that are known ---- */

/* A known content may have come again under another date: the deliveries of
 * runs since tell. A run that is still open is looked at again. */
struct since {
	struct update *u;
	int64_t done, ended; /* runs: looked at before; all ended up to it */
	bool open;           /* one was met that hasn't ended */
	struct err *err;
	bool ok;
};

static bool
widen(struct update *u, int64_t run, struct err *err)
{
	struct sql q, put;
	bool row, ok;
	if (!sql_open(u->s->ix, SQL_FIND_RUN_DATES, &q, err) ||
	    !sql_open(u->store, SQL_SEARCH_DOC_WIDEN, &put, err))
		return false;
	sql_int(&q, run);
	sql_int(&q, u->first);
	while ((ok = sql_step(&q, &row, err)) && row) {
		sql_again(&put);
		sql_int(&put, sql_get_int(&q));
		sql_int(&put, sql_get_int(&q));
		ok = sql_run(&put, err);
		if (!ok)
			break;
		sql_open(u->store, SQL_SEARCH_DOC_WIDEN, &put, err);
	}
	sql_close(&q);

	return ok;
}

static bool
look_at_run(void *arg, const struct index_run *run)
{
	struct since *since = arg;
	if ((int64_t)run->id <= since->done)
		return true;
	since->open = since->open || run->state == RUN_OPEN;
	if (!since->open)
		since->ended = (int64_t)run->id;
	since->ok = since->u->first == 0 ||
		    widen(since->u, (int64_t)run->id, since->err);

	return since->ok;
}

static bool
put_state_run(struct update *u, int64_t run, struct err *err)
{
	struct sql q;
	if (!sql_open(u->store, SQL_SEARCH_STATE_RUN, &q, err))
		return false;
	sql_int(&q, run);

	return sql_run(&q, err);
}

static bool
put_dates(struct update *u, struct err *err)
{
	struct since since = { .u = u, .err = err, .ok = true };
	int64_t bodies;
	if (!sql_simple(u->store, SQL_BEGIN, NULL, err))
		return false;
	if (search_state(u->store, &since.done, &bodies, err)) {
		since.ended = since.done;
		if (index_runs(u->s->ix, -1, look_at_run, &since, err) &&
		    since.ok &&
		    (since.ended == since.done ||
			put_state_run(u, since.ended, err)) &&
		    commit(u->store, err))
			return true;
	}
	roll_back(u->store);

	return false;
}

/* Without this a run that changed nothing would write. */
static bool
has_ended_since(struct update *u, bool *any, struct err *err)
{
	int64_t run, bodies, last = 0;
	if (!search_state(u->store, &run, &bodies, err) ||
	    !sql_simple(u->s->ix, SQL_FIND_LAST_RUN, &last, err))
		return false;
	*any = last > run;

	return true;
}

/* ---- all of it ---- */

static bool
update_store(struct update *u, struct err *err)
{
	bool any = false, ok;
	sqlite3_busy_timeout(
	    u->store->db, u->until != 0 ? QUICK_BUSY_MS : BUSY_MS);
	ok = sql_simple(u->s->ix, SQL_FIND_TOP, &u->top, err) &&
	     last_known(u, &u->first, err) && has_ended_since(u, &any, err) &&
	     (!any || put_dates(u, err)) && put_new(u, err);
	sqlite3_busy_timeout(u->store->db, BUSY_MS);
	for (size_t i = 0; i < 4; i++)
		buf_free(&u->text[i]);

	return ok;
}

/* What the file can't take goes into a temporary one; dates of what is in the
 * file stay as they were then. */
static bool
update_temp(struct update *u, struct err *err)
{
	int64_t kept = 0, top = 0;
	if (!search_top(u->s->kept, &kept, err) ||
	    !sql_simple(u->s->ix, SQL_FIND_TOP, &top, err))
		return false;
	if (u->s->kept != NULL && kept >= top)
		return true;
	if (!search_open_temp(u->s, err))
		return false;
	u->store = u->s->temp;

	return update_store(u, err);
}

bool
search_update(struct search *s, int64_t budget_ms,
    bool (*each)(void *arg, uint64_t done, uint64_t all), void *arg,
    struct err *err)
{
	struct update u = { .s = s,
		.store = s->kept,
		.until = budget_ms == 0 ? 0 : clock_mono_ms() + budget_ms,
		.each = each,
		.arg = arg };
	if (!search_is_kept(s))
		return update_temp(&u, err);
	if (update_store(&u, err))
		return true;
	if (!search_is_damaged(s) || !search_renew(s, "was damaged", err))
		return false;
	u.store = s->kept;
	if (u.store == NULL)
		return update_temp(&u, err);

	return update_store(&u, err);
}

/* ---- bodies ---- */

static bool
body_position(struct search *s, struct err *err)
{
	int64_t run;
	if (s->body.known)
		return true;
	s->body.known = search_state(s->kept, &run, &s->body.at, err);

	return s->body.known;
}

bool
search_body_next(struct search *s, uint8_t sha256[32], uint64_t *size,
    bool *end, struct err *err)
{
	struct sql q;
	bool row;
	*end = true;
	if (!search_is_kept(s))
		return true;
	if (!body_position(s, err) || !sql_open(s->ix, SQL_FIND_BODY, &q, err))
		return false;
	sql_int(&q, s->body.at);
	if (!sql_step(&q, &row, err))
		return false;
	*end = !row;
	if (row) {
		s->body.at = sql_get_int(&q);
		sql_get_octets(&q, sha256, 32);
		*size = (uint64_t)sql_get_int(&q);
		sql_close(&q);
	}

	return true;
}

/* *mine false: another process was quicker; go on behind what it did. */
static bool
begin_bodies(struct search *s, bool *mine, struct err *err)
{
	int64_t run, bodies;
	*mine = true;
	if (s->body.open)
		return true;
	if (!sql_simple(s->kept, SQL_BEGIN, NULL, err))
		return false;
	s->body.open = true;
	s->body.octets = 0;
	s->body.since = clock_mono_ms();
	if (!search_state(s->kept, &run, &bodies, err))
		return false;
	*mine = bodies < s->body.at;
	if (!*mine)
		s->body.at = bodies;

	return true;
}

static bool
put_text(struct index *store, enum sql_name name, int64_t content,
    const char *text, struct err *err)
{
	struct sql q;
	if (!sql_open(store, name, &q, err))
		return false;
	sql_int(&q, content);
	sql_text(&q, text);

	return sql_run(&q, err);
}

static bool
put_body(struct search *s, const char *text, const char *why, struct err *err)
{
	struct sql q;
	struct buf split = { 0 };
	search_words_split(&split, text);
	bool ok = (split.len == 0 || put_text(s->kept, SQL_SEARCH_BODIES_PUT,
					 s->body.at, split.data, err)) &&
		  (why[0] == '\0' || put_text(s->kept, SQL_SEARCH_UNREAD_PUT,
					 s->body.at, why, err));
	s->body.octets += split.len;
	buf_free(&split);
	if (!ok || !sql_open(s->kept, SQL_SEARCH_STATE_BODIES, &q, err))
		return false;
	sql_int(&q, s->body.at);

	return sql_run(&q, err);
}

bool
search_body_put(
    struct search *s, const char *text, const char *why, struct err *err)
{
	bool mine;
	if (!begin_bodies(s, &mine, err) ||
	    (mine && !put_body(s, text, why, err))) {
		roll_back(s->kept);
		s->body.open = s->body.known = false;
		return false;
	}
	if (s->body.octets < BODY_OCTETS &&
	    clock_mono_ms() - s->body.since < BODY_MS)
		return true;

	return search_body_flush(s, err);
}

bool
search_body_flush(struct search *s, struct err *err)
{
	if (!s->body.open)
		return true;
	s->body.open = false;
	if (commit(s->kept, err))
		return true;
	roll_back(s->kept);
	s->body.known = false;

	return false;
}

bool
search_body_counts(struct search *s, uint64_t *left, uint64_t *unread,
    uint64_t *all, struct err *err)
{
	int64_t run, bodies = 0, top = 0, lost = 0;
	if (!sql_simple(s->ix, SQL_FIND_TOP, &top, err))
		return false;
	if (s->kept != NULL &&
	    (!search_state(s->kept, &run, &bodies, err) ||
		!sql_simple(s->kept, SQL_SEARCH_UNREAD, &lost, err)))
		return false;
	*left = top > bodies ? (uint64_t)(top - bodies) : 0;
	*unread = (uint64_t)lost;
	*all = (uint64_t)top;

	return true;
}
