/* A new index: messages, as manifests and volumes tell of them. */
#include "rebuild_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/msgid.h"

enum { BODY_HASH_MIN = 4096 }; /* as in settle.c */

/* A message being told, as ids. */
struct telling {
	const struct rebuild_row *told;
	uint64_t run, job, mailbox;
	int64_t content;
	int64_t volume; /* where its entry is and can be read; 0: nowhere */
	enum claim_kind claim;
	uint32_t frame;
	uint64_t offset;
};

static void
int_or_null(struct sql *q, int64_t value)
{
	if (value == 0)
		sql_null(q);
	else
		sql_int(q, value);
}

/* ---- contents ---- */

/* The key that a field with this canonical form has. */
static int64_t
message_key(struct rebuild *r, const char *message_id)
{
	if (message_id == NULL || *message_id == '\0')
		return 0;
	buf_clear(&r->field);
	buf_fmt(&r->field, "<%s>", message_id);

	return msgid_key((struct header_slice){
	    .data = r->field.data, .len = r->field.len });
}

static const char *
some(const char *text)
{
	return text == NULL || *text == '\0' ? NULL : text;
}

static bool
insert_header(struct rebuild *r, int64_t content, const struct catalog_row *row,
    struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_HEADER_INSERT, &q, err))
		return false;
	sql_int(&q, content);
	sql_text(&q, some(row->message_id));
	sql_text(&q, some(row->from));
	sql_text(&q, some(row->to));
	sql_text(&q, some(row->cc));
	sql_text(&q, some(row->subject));
	sql_text(&q, some(row->date));

	return sql_run(&q, err);
}

static bool
insert_content(struct rebuild *r, const struct catalog_row *row, int64_t *id,
    struct err *err)
{
	struct sql q;
	bool big = row->size - row->header_size >= BODY_HASH_MIN;
	if (!sql_open(r->ix, SQL_CONTENT_INSERT, &q, err))
		return false;
	sql_int(&q, digest_key(row->sha256));
	sql_blob(&q, row->sha256, 32);
	sql_int(&q, (int64_t)row->size);
	sql_int(&q, (int64_t)row->header_size);
	int_or_null(&q, big ? row->body_hash : 0);
	int_or_null(&q, message_key(r, row->message_id));
	int_or_null(&q, row->identity);
	if (!sql_run(&q, err))
		return false;
	*id = sqlite3_last_insert_rowid(r->ix->db);

	return insert_header(r, *id, row, err);
}

/* A link out of an entry tells of its content nothing but the hash. */
static bool
take_content(struct rebuild *r, struct telling *t, struct err *err)
{
	const struct catalog_row *row = t->told->row;
	if (!index_content_id(r->ix, row->sha256, &t->content, err))
		return false;

	return t->content != 0 || t->told->unplaced ||
	       insert_content(r, row, &t->content, err);
}

/* ---- where ---- */

/* *found false: no whole copy of it is in its volume. */
static bool
find_linked(struct rebuild *r, struct telling *t, bool *found, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_REBUILD_WHOLE, &q, err))
		return false;
	sql_int(&q, t->content);
	sql_int(&q, t->volume);
	if (!sql_step(&q, found, err))
		return false;
	if (*found) {
		t->frame = (uint32_t)sql_get_int(&q);
		t->offset = (uint64_t)sql_get_int(&q);
	}
	sql_close(&q);

	return true;
}

/* Octets that stand at the place. */
static uint64_t
stored_size(const struct catalog_row *row)
{
	return row->claim == CLAIM_REFERENCE ? row->header_size : row->size;
}

/* A volume may be shorter than when a manifest told of it. */
static bool
is_inside(const struct rebuild *r, const struct catalog_row *row)
{
	return row->offset <= INT64_MAX &&
	       (row->frame < r->volume.frames ||
		   (row->frame == r->volume.frames && stored_size(row) == 0));
}

/* .volume stays 0 where the place isn't there, or can't be. */
static bool
take_place(struct rebuild *r, struct telling *t, struct err *err)
{
	const struct catalog_row *row = t->told->row;
	bool found = true;
	t->claim = row->claim;
	t->frame = row->frame;
	t->offset = row->offset;
	if (!rebuild_volume_id(r, t->told->volume, err))
		return false;
	if (r->volume.id == 0 || row->claim == CLAIM_KNOWN ||
	    (r->volume.state != VOLUME_SEALED &&
		r->volume.state != VOLUME_OPEN))
		return true;
	if (!is_inside(r, row))
		return rebuild_note_cut(r, err);
	t->volume = r->volume.id;
	if (t->told->unplaced && !find_linked(r, t, &found, err))
		return false;
	if (!found)
		t->volume = 0;

	return true;
}

static bool
put_whole(struct rebuild *r, const struct telling *t, enum sql_name name,
    struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, name, &q, err))
		return false;
	sql_int(&q, t->content);
	sql_int(&q, t->volume);
	sql_int(&q, t->frame);
	sql_int(&q, (int64_t)t->offset);
	if (name == SQL_STORED_INSERT)
		sql_null(&q);

	return sql_run(&q, err);
}

/* The body's copy may not have been told yet. */
static bool
put_reference(struct rebuild *r, const struct telling *t, struct err *err)
{
	const struct catalog_row *row = t->told->row;
	struct sql q;
	if (row->body_volume == NULL || row->body_offset > INT64_MAX)
		return true;
	if (!sql_open(r->ix, SQL_REBUILD_BODY_PUT, &q, err))
		return false;
	sql_int(&q, t->content);
	sql_int(&q, t->volume);
	sql_int(&q, t->frame);
	sql_int(&q, (int64_t)t->offset);
	sql_text(&q, row->body_volume);
	sql_int(&q, row->body_frame);
	sql_int(&q, (int64_t)row->body_offset);

	return sql_run(&q, err);
}

static bool
put_stored(struct rebuild *r, const struct telling *t, struct err *err)
{
	if (t->volume == 0 || t->claim == CLAIM_LINK)
		return true;
	if (t->claim == CLAIM_REFERENCE)
		return put_reference(r, t, err);
	if (!put_whole(r, t, SQL_STORED_INSERT, err))
		return false;

	return sqlite3_changes(r->ix->db) > 0 ||
	       put_whole(r, t, SQL_STORED_WHOLE, err);
}

/* ---- deliveries ---- */

struct delivered {                /* what the index holds of a message so far */
	bool found, placed, told; /* placed: it has an entry; told: by a
				     manifest */
	enum outcome outcome;
	int64_t run, volume;
	bool same; /* the entry is the one being told */
};

static bool
find_delivery(struct rebuild *r, const struct telling *t, struct delivered *d,
    struct err *err)
{
	struct sql q;
	*d = (struct delivered){ 0 };
	if (!sql_open(r->ix, SQL_REBUILD_DELIVERY, &q, err))
		return false;
	sql_int(&q, (int64_t)t->job);
	sql_int(&q, (int64_t)t->mailbox);
	sql_int(&q, (int64_t)t->told->row->uid);
	if (!sql_step(&q, &d->found, err))
		return false;
	if (d->found) {
		d->outcome = (enum outcome)sql_get_int(&q);
		d->run = sql_get_int(&q);
		d->volume = sql_get_int(&q);
		int64_t frame = sql_get_int(&q), offset = sql_get_int(&q);
		int64_t claim = sql_get_int(&q);
		d->told = sql_get_int(&q) != 0;
		d->placed = d->volume != 0;
		d->same = d->placed && d->volume == t->volume &&
			  frame == t->frame && offset == (int64_t)t->offset &&
			  claim == (int64_t)t->claim;
	}
	sql_close(&q);

	return true;
}

static void
bind_place(struct sql *q, const struct telling *t)
{
	if (t->volume == 0) {
		sql_null(q);
		sql_null(q);
		sql_int(q, CLAIM_KNOWN);
		sql_null(q);
		sql_null(q);
		sql_null(q);
		return;
	}
	sql_int(q, t->volume);
	sql_text(q, t->told->row->entry);
	sql_int(q, t->claim);
	sql_int(q, t->frame);
	sql_int(q, (int64_t)t->offset);
	/* That of a reference is told at the end. */
	int_or_null(q, t->claim == CLAIM_LINK ? t->content : 0);
}

static bool
put_delivery(struct rebuild *r, enum sql_name name, const struct telling *t,
    uint64_t run, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, name, &q, err))
		return false;
	sql_int(&q, (int64_t)t->job);
	sql_int(&q, (int64_t)t->mailbox);
	sql_int(&q, (int64_t)t->told->row->uid);
	sql_int(&q, (int64_t)run);
	bind_place(&q, t);

	return sql_run(&q, err);
}

/* Its entry was given up for another one, which comes now. */
static bool
give_up_entry(struct rebuild *r, const struct telling *t, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_DELIVERY_FORMER, &q, err))
		return false;
	sql_int(&q, (int64_t)t->job);
	sql_int(&q, (int64_t)t->mailbox);
	sql_int(&q, (int64_t)t->told->row->uid);
	int_or_null(&q, t->volume);
	sql_int(&q, t->frame);
	sql_int(&q, (int64_t)t->offset);
	sql_int(&q, t->volume == 0 ? CLAIM_KNOWN : t->claim);

	return sql_run(&q, err);
}

/* An entry that was given up before for the one that is known. */
static bool
put_former(struct rebuild *r, const struct telling *t, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_REBUILD_FORMER, &q, err))
		return false;
	sql_int(&q, (int64_t)t->job);
	sql_int(&q, (int64_t)t->mailbox);
	sql_int(&q, (int64_t)t->told->row->uid);
	sql_int(&q, (int64_t)t->run);
	bind_place(&q, t);
	sql_int(&q, t->content);

	return sql_run(&q, err);
}

static bool
run_again(struct rebuild *r, const struct telling *t, struct err *err)
{
	struct sql q;
	if (!sql_open(r->ix, SQL_DELIVERY_AGAIN, &q, err))
		return false;
	sql_int(&q, (int64_t)t->job);
	sql_int(&q, (int64_t)t->mailbox);
	sql_int(&q, (int64_t)t->told->row->uid);
	sql_int(&q, (int64_t)t->run);

	return sql_run(&q, err);
}

/* ---- placements ---- */

/* The keywords' text cut into words. */
static uint32_t
cut_keywords(struct rebuild *r, const char *text)
{
	uint32_t n = 0;
	buf_clear(&r->keyword_text);
	buf_str(&r->keyword_text, text == NULL ? "" : text);
	for (char *p = r->keyword_text.data; p != NULL && *p != '\0';) {
		if (n == r->keyword_cap) {
			r->keyword_cap = r->keyword_cap * 2 + 16;
			r->keywords = mem_grow((void *)r->keywords,
			    r->keyword_cap, sizeof(*r->keywords));
		}
		size_t len = strcspn(p, " ");
		r->keywords[n++] = p;
		p += len;
		if (*p != '\0')
			*p++ = '\0';
	}

	return n;
}

static bool
version_of(struct rebuild *r, const struct telling *t, struct version *now,
    struct err *err)
{
	const struct catalog_row *row = t->told->row;
	struct placement p = { .okey = row->uid,
		.size = row->announced == 0 ? row->size : row->announced,
		.idate = row->idate,
		.zone = row->zone,
		.flags = row->flags,
		.keyword_count = cut_keywords(r, row->keywords) };
	p.keywords = r->keywords;

	return placement_version(r->ix, t->run, &p, t->content, now, err);
}

static bool
put_version(struct rebuild *r, const struct telling *t,
    const struct version *last, struct err *err)
{
	struct version now;

	return version_of(r, t, &now, err) &&
	       placement_put(
		   r->ix, t->mailbox, t->told->row->uid, last, &now, err);
}

/* ---- what manifests tell ---- */

static bool
is_usable(struct rebuild *r, const struct rebuild_row *told)
{
	const struct catalog_row *row = told->row;
	if (row->uid <= INT64_MAX && row->size <= INT64_MAX &&
	    row->header_size <= row->size && strlen(row->wire) == row->wire_len)
		return true;
	rebuild_find(r, row->mailbox, "a message of it can't be");

	return false;
}

static bool
open_telling(struct rebuild *r, const char *run, const struct rebuild_row *told,
    struct telling *t, bool make, struct err *err)
{
	const struct catalog_row *row = told->row;
	const struct rebuild_box box = { .kind = told->kind,
		.account = row->account,
		.wire = row->wire,
		.display = row->mailbox,
		.uidvalidity = row->uidvalidity,
		.generation = told->generation };
	*t = (struct telling){ .told = told };
	if (!rebuild_run_id(r, run, &t->run, err) ||
	    !rebuild_who(r, told->kind, row->account, err) ||
	    !rebuild_box_id(r, &box, make ? t->run : 0, &t->mailbox, err))
		return false;
	t->job = r->who.job;

	return true;
}

/* Delivered, and there before: its entry stays, but for another one. */
static bool
begin_again(struct rebuild *r, const struct telling *t,
    const struct delivered *d, const struct version *last, struct err *err)
{
	bool other = t->volume != 0 && !d->same;
	if (other)
		return give_up_entry(r, t, err) &&
		       put_delivery(r, SQL_DELIVERY_UPDATE, t, t->run, err);
	/* Only other flags: nothing was settled. */
	if (last->to == 0 && last->content == t->content)
		return true;
	if (t->volume == 0 && last->content != t->content)
		return give_up_entry(r, t, err) &&
		       put_delivery(r, SQL_DELIVERY_UPDATE, t, t->run, err);

	return run_again(r, t, err);
}

bool
rebuild_begun(struct rebuild *r, const char *run,
    const struct rebuild_row *told, struct err *err)
{
	struct telling t;
	struct delivered d;
	struct version last;
	if (!is_usable(r, told))
		return true;
	if (!open_telling(r, run, told, &t, true, err) ||
	    !take_content(r, &t, err) || !take_place(r, &t, err) ||
	    !put_stored(r, &t, err) || !find_delivery(r, &t, &d, err) ||
	    !placement_last(r->ix, t.mailbox, told->row->uid, &last, err))
		return false;
	bool ok = !d.found
		      ? put_delivery(r, SQL_DELIVERY_INSERT, &t, t.run, err)
		  : d.outcome != OUTCOME_DELIVERED
		      ? put_delivery(r, SQL_DELIVERY_UPDATE, &t, t.run, err)
		      : begin_again(r, &t, &d, &last, err);

	return ok && put_version(r, &t, &last, err) && rebuild_step(r, err);
}

bool
rebuild_ended(struct rebuild *r, const char *run,
    const struct rebuild_row *told, struct err *err)
{
	struct telling t;
	uint64_t n;
	if (!is_usable(r, told))
		return true;
	if (!open_telling(r, run, told, &t, false, err))
		return false;

	return (t.mailbox == 0 ||
		   placement_end(r->ix, t.run, t.mailbox, told->row->uid,
		       told->row->uid, &n, err)) &&
	       rebuild_step(r, err);
}

bool
rebuild_outcome(struct rebuild *r, const char *run,
    const struct rebuild_row *told, enum outcome outcome, const char *class,
    const char *why, struct err *err)
{
	struct telling t;
	struct version now;
	if (!is_usable(r, told))
		return true;
	if (!open_telling(r, run, told, &t, true, err) ||
	    !version_of(r, &t, &now, err))
		return false;
	const struct outcome_key key = { t.run, t.job, t.mailbox,
		told->row->uid };

	return settle_outcome(r->ix, &key, &now, outcome, err) &&
	       settle_note(r->ix, &key, class, why, err) &&
	       rebuild_step(r, err);
}

/* ---- what volumes tell ---- */

/* Catalogs don't tell generations: the one in which this content stood. */
static bool
find_box(struct rebuild *r, struct telling *t, bool *found, struct err *err)
{
	const struct catalog_row *row = t->told->row;
	struct sql q;
	if (!sql_open(r->ix, SQL_REBUILD_BOX_OF, &q, err))
		return false;
	sql_int(&q, (int64_t)r->who.account);
	sql_blob(&q, row->wire, row->wire_len);
	sql_int(&q, (int64_t)row->uidvalidity);
	sql_int(&q, (int64_t)row->uid);
	sql_int(&q, t->content);
	if (!sql_step(&q, found, err))
		return false;
	if (*found)
		t->mailbox = (uint64_t)sql_get_int(&q);
	sql_close(&q);

	return true;
}

/* The entry of a message that is known: as manifests say, where they do. */
static bool
keep_known(struct rebuild *r, struct telling *t, const struct delivered *d,
    struct err *err)
{
	struct version last;
	if (d->outcome != OUTCOME_DELIVERED || d->same)
		return true;
	if (!placement_last(r->ix, t->mailbox, t->told->row->uid, &last, err))
		return false;
	bool later = !d->told && (int64_t)t->run > d->run;
	if (!d->placed && last.content == t->content)
		return put_delivery(
		    r, SQL_DELIVERY_UPDATE, t, (uint64_t)d->run, err);
	if (!later)
		return put_former(r, t, err);

	return give_up_entry(r, t, err) &&
	       put_delivery(r, SQL_DELIVERY_UPDATE, t, t->run, err) &&
	       put_version(r, t, &last, err);
}

static bool
keep_new(struct rebuild *r, struct telling *t, struct err *err)
{
	struct version last;

	return put_delivery(r, SQL_DELIVERY_INSERT, t, t->run, err) &&
	       placement_last(
		   r->ix, t->mailbox, t->told->row->uid, &last, err) &&
	       put_version(r, t, &last, err);
}

bool
rebuild_kept(struct rebuild *r, const char *run, const struct rebuild_row *told,
    bool *is_new, struct err *err)
{
	struct telling t;
	struct delivered d;
	bool known;
	*is_new = false;
	if (!is_usable(r, told))
		return true;
	if (!open_telling(r, run, told, &t, true, err) ||
	    !take_content(r, &t, err))
		return false;
	if (t.content != 0 && !take_place(r, &t, err))
		return false;
	if (t.volume == 0) {
		rebuild_find(
		    r, told->volume, "an entry's octets aren't where it says");
		return true;
	}
	if (!find_box(r, &t, &known, err) || !put_stored(r, &t, err) ||
	    !find_delivery(r, &t, &d, err))
		return false;
	*is_new = !d.found;

	return (d.found ? keep_known(r, &t, &d, err) : keep_new(r, &t, err)) &&
	       rebuild_step(r, err);
}
