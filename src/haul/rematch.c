/*
 * Messages that seem new and are kept already: moved here, in a mailbox that
 * was renamed, or under a new UIDVALIDITY. What proves it: an EMAILID
 * (RFC 8474) with the size; else size, INTERNALDATE and Message-ID of exactly
 * one message of the generation before, which no other has taken, where none of
 * this size and date failed to be kept. Anything less is fetched, and the
 * SHA-256 decides.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "mail/msgid.h"
#include "reading.h"

void
rematch_free(struct rematch *m)
{
	for (size_t i = 0; i < m->n; i++)
		okeys_free(&m->in[i].taken);
	okeys_free(&m->common);
	free(m->ends);
	free(m->unkept);
	*m = (struct rematch){ 0 };
}

/* ---- messages there that are not kept ---- */

/* One that could not be read may be the twin of one that could. */
enum { UNKEPT_BITS = 1 << 23 };

static size_t
unkept_bit(uint64_t size, int64_t idate)
{
	uint64_t hash =
	    (size ^ ((uint64_t)idate << 32 | (uint64_t)idate >> 32)) *
	    UINT64_C(0x9E3779B97F4A7C15);

	return (size_t)(hash >> 41) % UNKEPT_BITS;
}

static void
add_unkept(struct rematch *m, const struct index_known *k)
{
	size_t bit = unkept_bit(k->size, k->idate);
	m->doubtful = m->doubtful || k->size == 0;
	if (m->unkept == NULL)
		m->unkept = mem_array(UNKEPT_BITS / 8, 1);
	m->unkept[bit / 8] |= (uint8_t)(1U << bit % 8);
}

static bool
may_be_unkept(const struct rematch *m, const struct placement *p)
{
	size_t bit = unkept_bit(p->size, p->idate);

	return m->doubtful ||
	       (m->unkept != NULL && (m->unkept[bit / 8] >> bit % 8 & 1) != 0);
}

static bool
find_unkept(struct reading *r, uint64_t mailbox, struct err *err)
{
	struct index_walk *walk;
	struct index_known k;
	bool end = false;
	if (!index_walk_open(r->f->index, &walk, r->f->o->job, mailbox, 0, err))
		return false;
	while (index_walk_next(walk, &k, &end, err))
		if (k.outcome != OUTCOME_DELIVERED)
			add_unkept(&r->rematch, &k);
	index_walk_close(&walk);

	return end;
}

/* ---- where to look ---- */

static bool
add_end(void *arg, uint64_t mailbox)
{
	struct rematch *m = arg;
	m->ends = mem_grow(m->ends, m->end_count + 1, sizeof(*m->ends));
	m->ends[m->end_count++] = mailbox;

	return true;
}

bool
rematch_collect(struct reading *r, struct err *err)
{
	struct rematch *m = &r->rematch;
	rematch_free(m);
	uint64_t earlier = r->box->earlier;
	if (r->mailbox != 0 &&
	    !index_replaced(r->f->index, r->mailbox, add_end, m, err))
		return false;
	if (earlier != 0 &&
	    !index_replaced(r->f->index, earlier, add_end, m, err))
		return false;
	if (earlier != 0)
		add_end(m, earlier);
	/* The newest are the last. */
	for (size_t i = m->end_count; i > 0 && m->n < REMATCH_BOXES; i--) {
		m->in[m->n++].mailbox = m->ends[i - 1];
		if (!find_unkept(r, m->ends[i - 1], err))
			return false;
	}
	m->on = m->n > 0;

	return true;
}

static bool
is_taken(void *taken, uint64_t okey)
{
	return okeys_has(taken, okey);
}

static bool
look_into(struct reading *r, size_t box, const struct placement *p,
    const char *id, uint8_t sha256[32], uint64_t *n, struct err *err)
{
	const struct haul_options *o = r->f->o;
	struct okeys *taken = &r->rematch.in[box].taken;
	uint64_t okey = 0;
	if (!index_match_twin(r->f->index, o->job, r->rematch.in[box].mailbox,
		o->run, p->size, p->idate, id, is_taken, taken, n, sha256,
		&okey, err))
		return false;
	if (*n == 1)
		okeys_add(taken, okey);

	return true;
}

/*
 * *n: how many there could be, in the newest that has any; 1: it is taken, and
 * so is the one that it had taken over in each of those before, which a run
 * that was killed may not have ended.
 */
static bool
find_twin(struct reading *r, const struct placement *p, const char *id,
    uint8_t sha256[32], uint64_t *n, struct err *err)
{
	struct rematch *m = &r->rematch;
	uint64_t hash = (uint64_t)hash64_of(id, strlen(id));
	size_t i = 0;
	*n = okeys_has(&m->common, hash) ? INDEX_TWINS_MANY : 0;
	for (; i < m->n && *n == 0; i++)
		if (!look_into(r, i, p, id, sha256, n, err))
			return false;
	for (; i < m->n && *n == 1; i++) {
		uint8_t same[32];
		uint64_t before;
		if (!look_into(r, i, p, id, same, &before, err))
			return false;
	}
	if (*n == INDEX_TWINS_MANY)
		okeys_add(&m->common, hash);

	return true;
}

static bool
by_message_id(struct reading *r, const struct placement *p, uint8_t sha256[32],
    bool *found, bool *maybe, struct err *err)
{
	struct buf id = { 0 };
	uint64_t n = 0;
	bool ok = true;
	if (p->message_id != NULL)
		msgid_canonical(&id, (struct header_slice){ p->message_id,
					 strlen(p->message_id) });
	bool doubtful = may_be_unkept(&r->rematch, p);
	if (id.len > 0 && !doubtful)
		ok = find_twin(r, p, id.data, sha256, &n, err);
	*found = n == 1;
	*maybe = id.len == 0 || doubtful || n > 1;
	buf_free(&id);

	return ok;
}

bool
rematch_find(struct reading *r, const struct placement *p, uint8_t sha256[32],
    bool *found, bool *maybe, struct err *err)
{
	struct fetch *f = r->f;
	*found = *maybe = false;
	if (p->email_id != NULL && f->index != NULL &&
	    !index_match_email(f->index, f->o->job, f->o->source_account,
		r->mailbox, p->email_id, p->size, sha256, found, err))
		return false;
	if (*found || !r->rematch.on)
		return true;

	return by_message_id(r, p, sha256, found, maybe, err);
}

bool
rematch_reserve(struct reading *r, const struct placement *p, struct err *err)
{
	uint8_t sha256[32];
	bool found, maybe;

	return r->rematch.n == 0 ||
	       by_message_id(r, p, sha256, &found, &maybe, err);
}
