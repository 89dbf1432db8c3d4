#include "index/private.h"

#include <string.h>

#include "mail/name.h"

/* Run the look-up; if it finds nothing, the insert. Both are bound. */
static bool
found_or_made(
    struct sql *find, struct sql *insert, uint64_t *id, struct err *err)
{
	bool row;
	if (!sql_step(find, &row, err))
		return false;
	if (row) {
		*id = (uint64_t)sql_get_int(find);
		sql_close(find);
		return true;
	}
	if (!sql_run(insert, err))
		return false;
	*id = (uint64_t)sqlite3_last_insert_rowid(find->ix->db);

	return true;
}

/* A look-up alone needs no lock: the usual case once a run is under way. */
static bool
known(struct sql *find, uint64_t *id, bool *yes, struct err *err)
{
	if (!sql_step(find, yes, err))
		return false;
	if (*yes)
		*id = (uint64_t)sql_get_int(find);
	sql_close(find);

	return true;
}

static void
bind_account(struct sql *q, const char *kind, const char *key)
{
	sql_text(q, kind);
	sql_text(q, key);
}

static bool
make_account(struct index *ix, const char *kind, const char *key, uint64_t *id,
    struct err *err)
{
	struct sql find, insert;
	if (!sql_open(ix, SQL_ACCOUNT_FIND, &find, err) ||
	    !sql_open(ix, SQL_ACCOUNT_INSERT, &insert, err))
		return false;
	bind_account(&find, kind, key);
	bind_account(&insert, kind, key);

	return found_or_made(&find, &insert, id, err);
}

bool
index_account(struct index *ix, const char *kind, const char *key, uint64_t *id,
    struct err *err)
{
	struct sql find;
	bool yes, own;
	*id = 0;
	if (!sql_open(ix, SQL_ACCOUNT_FIND, &find, err))
		return false;
	bind_account(&find, kind, key);
	if (!known(&find, id, &yes, err))
		return false;
	if (yes || ix->mode == INDEX_READ)
		return true;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok = make_account(ix, kind, key, id, err);

	return index_own_end(ix, own, ok, err);
}

static void
bind_job(struct sql *q, uint64_t source, uint64_t target)
{
	sql_int(q, (int64_t)source);
	sql_int(q, (int64_t)target);
}

static bool
make_job(struct index *ix, uint64_t source, uint64_t target, uint64_t *id,
    struct err *err)
{
	struct sql find, insert;
	if (!sql_open(ix, SQL_JOB_FIND, &find, err) ||
	    !sql_open(ix, SQL_JOB_INSERT, &insert, err))
		return false;
	bind_job(&find, source, target);
	bind_job(&insert, source, target);

	return found_or_made(&find, &insert, id, err);
}

bool
index_job(struct index *ix, uint64_t source, uint64_t target, uint64_t *id,
    struct err *err)
{
	struct sql find;
	bool yes, own;
	*id = 0;
	if (!sql_open(ix, SQL_JOB_FIND, &find, err))
		return false;
	bind_job(&find, source, target);
	if (!known(&find, id, &yes, err))
		return false;
	if (yes || ix->mode == INDEX_READ)
		return true;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok = make_job(ix, source, target, id, err);

	return index_own_end(ix, own, ok, err);
}

/* ---- mailbox generations ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

struct box_text { /* what LIST says of a mailbox, as the row holds it */
	char separator[2];
	const char *special_use;
};

static struct box_text
box_text(const struct source_mailbox *box)
{
	return (struct box_text){ .separator = { box->separator, '\0' },
		.special_use = name_special_use(box->attributes) };
}

/* display, separator, special_use, mailbox_id, subscribed */
static void
bind_box(struct sql *q, const struct source_mailbox *box,
    const struct box_text *text)
{
	sql_text(q, box->display);
	sql_text(q, box->separator == '\0' ? NULL : text->separator);
	sql_text(q, text->special_use);
	sql_text(q, box->mailbox_id);
	sql_int(q, box->subscribed);
}

/* Compares the columns behind the id; all of them are read. */
static bool
is_current(struct sql *q, const struct source_mailbox *box,
    const struct box_text *text)
{
	bool same = same_text(sql_get_text(q), box->display);
	same &= same_text(
	    sql_get_text(q), box->separator == '\0' ? NULL : text->separator);
	same &= same_text(sql_get_text(q), text->special_use);
	same &= same_text(sql_get_text(q), box->mailbox_id);
	same &= (sql_get_int(q) != 0) == box->subscribed;
	bool ended = sql_get_int(q) != 0;

	return same && !ended;
}

static bool
find_box(struct index *ix, uint64_t account, const struct source_mailbox *box,
    uint64_t uidvalidity, uint64_t *id, bool *current, struct err *err)
{
	struct sql q;
	bool row;
	struct box_text text = box_text(box);
	*id = 0;
	*current = false;
	if (!sql_open(ix, SQL_MAILBOX_FIND, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_blob(&q, box->name, strlen(box->name));
	sql_int(&q, (int64_t)uidvalidity);
	sql_text(&q, box->mailbox_id);
	if (!sql_step(&q, &row, err))
		return false;
	if (row) {
		*id = (uint64_t)sql_get_int(&q);
		*current = is_current(&q, box, &text);
	}
	sql_close(&q);

	return true;
}

static bool
insert_box(struct index *ix, uint64_t account, const struct source_mailbox *box,
    uint64_t uidvalidity, uint64_t run, uint64_t *id, struct err *err)
{
	struct sql q;
	struct box_text text = box_text(box);
	if (!sql_open(ix, SQL_MAILBOX_INSERT, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_blob(&q, box->name, strlen(box->name));
	sql_int(&q, (int64_t)uidvalidity);
	bind_box(&q, box, &text);
	sql_int(&q, (int64_t)run);
	if (!sql_run(&q, err))
		return false;
	*id = (uint64_t)sqlite3_last_insert_rowid(ix->db);

	return true;
}

static bool
update_box(struct index *ix, uint64_t id, const struct source_mailbox *box,
    struct err *err)
{
	struct sql q;
	struct box_text text = box_text(box);
	if (!sql_open(ix, SQL_MAILBOX_UPDATE, &q, err))
		return false;
	sql_int(&q, (int64_t)id);
	bind_box(&q, box, &text);

	return sql_run(&q, err);
}

/* Other live generations of the name end with this one's beginning. */
static bool
replace_boxes(struct index *ix, uint64_t account,
    const struct source_mailbox *box, uint64_t id, uint64_t run,
    struct err *err)
{
	struct sql q;
	if (!sql_open(ix, SQL_MAILBOX_REPLACE, &q, err))
		return false;
	sql_int(&q, (int64_t)account);
	sql_blob(&q, box->name, strlen(box->name));
	sql_int(&q, (int64_t)id);
	sql_int(&q, (int64_t)run);

	return sql_run(&q, err);
}

static bool
write_box(struct index *ix, uint64_t account, const struct source_mailbox *box,
    uint64_t uidvalidity, uint64_t run, uint64_t *id, bool *is_new,
    struct err *err)
{
	bool current;
	if (!find_box(ix, account, box, uidvalidity, id, &current, err))
		return false;
	*is_new = *id == 0;
	if (current)
		return true;
	bool ok = *is_new
		      ? insert_box(ix, account, box, uidvalidity, run, id, err)
		      : update_box(ix, *id, box, err);

	return ok && replace_boxes(ix, account, box, *id, run, err);
}

bool
index_mailbox(struct index *ix, uint64_t account,
    const struct source_mailbox *box, uint64_t uidvalidity, uint64_t run,
    uint64_t *id, bool *is_new, struct err *err)
{
	bool current, own;
	*is_new = false;
	if (!find_box(ix, account, box, uidvalidity, id, &current, err))
		return false;
	if (current)
		return true;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok =
	    write_box(ix, account, box, uidvalidity, run, id, is_new, err);

	return index_own_end(ix, own, ok, err);
}

bool
index_mailbox_restart(struct index *ix, uint64_t account,
    const struct source_mailbox *box, uint64_t uidvalidity, uint64_t run,
    uint64_t *id, struct err *err)
{
	bool own;
	if (!index_own_begin(ix, &own, err))
		return false;
	bool ok = insert_box(ix, account, box, uidvalidity, run, id, err) &&
		  replace_boxes(ix, account, box, *id, run, err);

	return index_own_end(ix, own, ok, err);
}
