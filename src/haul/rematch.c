/*
 * Messages that seem new and are kept already: moved here, in a mailbox that
 * was renamed, or under a new UIDVALIDITY. What proves it: an EMAILID
 * (RFC 8474) with the size; else size, INTERNALDATE and Message-ID of exactly
 * one message of the generation before, which no other has taken. Anything
 * less is fetched, and the SHA-256 decides.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/msgid.h"
#include "reading.h"

void
rematch_free(struct rematch *m)
{
	for (size_t i = 0; i < m->n; i++)
		okeys_free(&m->in[i].taken);
	free(m->ends);
	*m = (struct rematch){ 0 };
}

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
	for (size_t i = m->end_count; i > 0 && m->n < REMATCH_BOXES; i--)
		m->in[m->n++].mailbox = m->ends[i - 1];
	m->on = m->n > 0;

	return true;
}

static bool
is_taken(void *taken, uint64_t okey)
{
	return okeys_has(taken, okey);
}

/* *n: how many there could be, in all that are looked into; 1: it is taken. */
static bool
find_twin(struct reading *r, const struct placement *p, const char *id,
    uint8_t sha256[32], uint64_t *n, struct err *err)
{
	struct rematch *m = &r->rematch;
	const struct haul_options *o = r->f->o;
	*n = 0;
	for (size_t i = 0; i < m->n && *n == 0; i++) {
		uint64_t okey = 0;
		if (!index_match_twin(r->f->index, o->job, m->in[i].mailbox,
			o->run, p->size, p->idate, id, is_taken,
			&m->in[i].taken, n, sha256, &okey, err))
			return false;
		if (*n == 1)
			okeys_add(&m->in[i].taken, okey);
	}

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
	if (id.len > 0)
		ok = find_twin(r, p, id.data, sha256, &n, err);
	*found = n == 1;
	*maybe = id.len == 0 || n > 1;
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
	    !index_match_email(f->index, f->o->source_account, p->email_id,
		p->size, sha256, found, err))
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
