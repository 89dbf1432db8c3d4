/* What the tests of a server as the target share: a world with a job that
 * delivers to one, beside its archive job, which nothing here may touch. */
#ifndef TESTS_INDEX_AIR_H
#define TESTS_INDEX_AIR_H

#include "index_world.h"

#include "index/flight.h"

#define HEADER "Message-ID: <one@example.org>\r\n"
#define OTHER "Message-ID: <two@example.org>\r\n"
#define SUBJECT "Subject: without a name\r\n"

struct air {
	struct world w;
	uint64_t server, job, tbox;
	uint8_t sha256[32];
	uint64_t size;
};

MAY_BE_UNUSED static uint64_t
target_mailbox(struct air *a, uint64_t uidvalidity)
{
	uint64_t id;
	bool is_new;
	OK(&a->w, index_mailbox(a->w.ix, a->server, &inbox, uidvalidity,
		      a->w.run, &id, &is_new, &a->w.err));

	return id;
}

MAY_BE_UNUSED static void
air_open(struct air *a)
{
	struct world *w = &a->w;
	world_open(w);
	OK(w, index_account(w->ix, "imap", "a@new", &a->server, &w->err));
	OK(w, index_job(w->ix, w->source, a->server, &a->job, &w->err));
	a->tbox = target_mailbox(a, 900);
}

struct mail { /* a message of the source's, as a test describes it */
	uint64_t uid, box; /* 0: the world's */
	const char *header;
	size_t body;
	const char *email_id;
	int64_t idate; /* 0: IDATE */
};

MAY_BE_UNUSED static struct placement
placement_of(const struct mail *m, struct content *c)
{
	return (struct placement){ .okey = m->uid,
		.size = content_size(c),
		.idate = m->idate == 0 ? IDATE : m->idate,
		.flags = 8,
		.email_id = m->email_id };
}

/* Inside a transaction. */
MAY_BE_UNUSED static void
fly(struct air *a, const struct mail *m, uint64_t batch)
{
	struct content *c = message(m->header, m->body);
	struct header_fields fields;
	size_t len;
	const char *header = content_header(c, &len);
	header_scan(header, len, &fields);
	struct placement p = placement_of(m, c);
	struct index_delivery d = { .run = a->w.run,
		.job = a->job,
		.mailbox = m->box == 0 ? a->w.box : m->box,
		.placement = &p,
		.content = c,
		.header = &fields,
		.identity = 5 };
	OK(&a->w, index_fly_one(a->w.ix, &d, batch, &a->w.err));
	memcpy(a->sha256, content_sha256(c), 32);
	a->size = content_size(c);
	content_free(&c);
}

MAY_BE_UNUSED static uint64_t
batch_of(struct air *a, uint64_t base)
{
	uint64_t batch;
	OK(&a->w,
	    index_fly(a->w.ix, a->w.run, a->tbox, base, &batch, &a->w.err));

	return batch;
}

MAY_BE_UNUSED static bool
try_land(struct air *a, uint64_t box, uint64_t uid, uint64_t tuid)
{
	struct index_landing landing = { .run = a->w.run,
		.job = a->job,
		.mailbox = box == 0 ? a->w.box : box,
		.okey = uid,
		.tbox = a->tbox,
		.tuid = tuid,
		.flags = 9 };

	return index_land(a->w.ix, &landing, &a->w.err);
}

MAY_BE_UNUSED static void
land(struct air *a, uint64_t uid, uint64_t tuid)
{
	OK(&a->w, try_land(a, 0, uid, tuid));
}

MAY_BE_UNUSED static void
drop(struct air *a, uint64_t uid)
{
	OK(&a->w, index_land_none(
		      a->w.ix, a->w.run, a->job, a->w.box, uid, &a->w.err));
}

MAY_BE_UNUSED static void
end_batch(struct air *a, uint64_t batch)
{
	OK(&a->w, index_fly_end(a->w.ix, batch, &a->w.err));
}

/* n messages from UID 1 on, in flight. */
MAY_BE_UNUSED static uint64_t
send(struct air *a, const struct mail *array, size_t n, uint64_t base)
{
	begin(&a->w);
	uint64_t batch = batch_of(a, base);
	for (size_t i = 0; i < n; i++)
		fly(a, &array[i], batch);
	commit(&a->w);

	return batch;
}

/* One message, on the target. */
MAY_BE_UNUSED static void
deliver(struct air *a, const struct mail *m, uint64_t tuid)
{
	uint64_t batch = send(a, m, 1, tuid);
	begin(&a->w);
	OK(&a->w, try_land(a, m->box, m->uid, tuid));
	end_batch(a, batch);
	commit(&a->w);
}

MAY_BE_UNUSED static void
refuse(struct air *a, uint64_t uid)
{
	struct placement p = { .okey = uid, .size = 10, .idate = IDATE };
	OK(&a->w,
	    index_settle_outcome(a->w.ix, a->w.run, a->job, a->w.box, &p,
		OUTCOME_QUARANTINED, "refused", "NUL isn't mail", &a->w.err));
}

MAY_BE_UNUSED static enum outcome
outcome_of(struct air *a, uint64_t uid)
{
	enum outcome outcome;
	bool found;
	OK(&a->w, index_outcome(a->w.ix, a->job, a->w.box, uid, &outcome,
		      &found, &a->w.err));
	ck_assert(found);

	return outcome;
}

/* The UID on the target; 0: none known. */
MAY_BE_UNUSED static uint64_t
tuid_of(struct air *a, uint64_t box, uint64_t uid)
{
	uint64_t tbox, tuid;
	uint8_t sflags, tflags;
	bool found;
	OK(&a->w, index_target_of(a->w.ix, a->job, box == 0 ? a->w.box : box,
		      uid, &tbox, &tuid, &sflags, &tflags, &found, &a->w.err));
	if (!found)
		return 0;
	ck_assert_uint_eq(tbox, a->tbox);
	ck_assert_uint_eq(sflags, 9);
	ck_assert_uint_eq(tflags, 9);

	return tuid;
}

MAY_BE_UNUSED static bool
taken(struct air *a, uint64_t tuid)
{
	bool yes;
	OK(&a->w, index_tuid_taken(a->w.ix, a->tbox, tuid, &yes, &a->w.err));

	return yes;
}

MAY_BE_UNUSED static bool
todo(struct air *a)
{
	bool any;
	OK(&a->w, index_todo(a->w.ix, a->job, a->w.box, &any, &a->w.err));

	return any;
}

MAY_BE_UNUSED static bool
show_flying(void *arg, const struct index_flying *f)
{
	buf_fmt(arg, "%d:%s:%d:%d:%d:%d;", (int)f->okey,
	    f->message_id == NULL ? "-" : f->message_id, (int)f->size,
	    (int)(f->idate - IDATE), (int)f->identity, f->flags);

	return true;
}

MAY_BE_UNUSED static const char *
flying(struct air *a, uint64_t batch)
{
	static char line[256];
	struct buf out = { 0 };
	OK(&a->w, index_flying(a->w.ix, batch, show_flying, &out, &a->w.err));
	snprintf(line, sizeof(line), "%s", out.len == 0 ? "" : out.data);
	buf_free(&out);

	return line;
}

#endif
