#include "claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
held_set(struct held *h, const struct kept *k)
{
	*h = (struct held){
		.entry = mem_str(k->entry),
		.frame = k->frame,
		.offset = k->offset,
		.size = k->size,
		.header_size = k->header_size,
	};
	memcpy(h->volume, k->volume, sizeof(h->volume));
	memcpy(h->sha256, k->sha256, sizeof(h->sha256));
}

void
held_get(const struct held *h, struct kept *k)
{
	memcpy(k->volume, h->volume, sizeof(k->volume));
	snprintf(
	    k->entry, sizeof(k->entry), "%s", h->entry == NULL ? "" : h->entry);
	k->frame = h->frame;
	k->offset = h->offset;
	k->size = h->size;
	k->header_size = h->header_size;
	memcpy(k->sha256, h->sha256, sizeof(k->sha256));
}

void
held_free(struct held *h)
{
	free(h->entry);
	h->entry = NULL;
}

void
pending_free(struct pending **p)
{
	if (*p == NULL)
		return;
	belt_free(&(*p)->belt);
	held_free(&(*p)->where);
	held_free(&(*p)->survivor);
	free((*p)->why);
	if ((*p)->batch != NULL && --(*p)->batch->left == 0)
		free((*p)->batch);
	free(*p);
	*p = NULL;
}

static struct pending **
sha_chain(struct claims *c, const uint8_t sha256[32])
{
	return &c->sha[(uint64_t)digest_key(sha256) % CLAIMS_BUCKETS];
}

static struct pending **
body_chain(struct claims *c, int64_t body_hash)
{
	return &c->body[(uint64_t)body_hash % CLAIMS_BUCKETS];
}

void
claims_add(struct claims *c, struct pending *p)
{
	/* Only a whole copy can be referred to; a link can be linked to. */
	if (p->claim == CLAIM_REFERENCE)
		return;
	struct pending **chain = sha_chain(c, p->where.sha256);
	p->by_sha = *chain;
	*chain = p;
	if (p->claim != CLAIM_WHOLE || p->body_hash == 0)
		return;
	chain = body_chain(c, p->body_hash);
	p->by_body = *chain;
	*chain = p;
}

void
claims_remove(struct claims *c, struct pending *p)
{
	struct pending **at = sha_chain(c, p->where.sha256);
	while (*at != NULL && *at != p)
		at = &(*at)->by_sha;
	if (*at != NULL)
		*at = (*at)->by_sha;
	if (p->body_hash == 0)
		return;
	at = body_chain(c, p->body_hash);
	while (*at != NULL && *at != p)
		at = &(*at)->by_body;
	if (*at != NULL)
		*at = (*at)->by_body;
}

static bool
same_content_pending(struct claims *c, const struct belt *b,
    enum claim_kind *claim, struct kept *survivor)
{
	const uint8_t *sha256 = content_sha256(b->content);
	const struct pending *found = NULL;
	for (struct pending *p = *sha_chain(c, sha256); p != NULL;
	     p = p->by_sha) {
		if (memcmp(p->where.sha256, sha256, 32) != 0)
			continue;
		if (p->belt->placement.p.idate == b->placement.p.idate) {
			/* Always to the whole entry, never link to link. */
			held_get(
			    p->claim == CLAIM_LINK ? &p->survivor : &p->where,
			    survivor);
			*claim = CLAIM_LINK;
			return true;
		}
		if (p->claim == CLAIM_WHOLE)
			found = p;
	}
	if (found == NULL)
		return false;
	held_get(&found->where, survivor);
	*claim = CLAIM_REFERENCE;

	return true;
}

static bool
same_content_settled(struct index *ix, const char *volume, uint64_t archive,
    const struct belt *b, enum claim_kind *claim, struct kept *survivor,
    struct err *err)
{
	const uint8_t *sha256 = content_sha256(b->content);
	bool found = false, link = false;
	if (!index_find_content(ix, archive, sha256,
		volume[0] == '\0' ? NULL : volume, survivor, &found, err))
		return false;
	if (!found)
		return true;
	if (strcmp(survivor->volume, volume) == 0 &&
	    !index_find_link(ix, sha256, volume, b->placement.p.idate,
		survivor->entry, &link, err))
		return false;
	*claim = link ? CLAIM_LINK : CLAIM_REFERENCE;

	return true;
}

struct candidates {
	struct kept kept[CLAIMS_BODY_TRIES];
	size_t n;
};

static bool
add_candidate(void *arg, const struct kept *kept)
{
	struct candidates *c = arg;
	c->kept[c->n++] = *kept;

	return c->n < CLAIMS_BODY_TRIES;
}

static bool
same_body(struct claims *c, struct index *ix, struct target *t,
    uint64_t archive, const struct belt *b, int64_t body_hash,
    enum claim_kind *claim, struct kept *survivor, struct err *err)
{
	struct candidates *found = mem_new(sizeof(*found));
	for (struct pending *p = *body_chain(c, body_hash);
	     p != NULL && found->n < CLAIMS_BODY_TRIES; p = p->by_body)
		if (p->body_hash == body_hash)
			held_get(&p->where, &found->kept[found->n++]);
	bool ok = found->n > 0 || index_find_body(ix, archive, body_hash,
				      add_candidate, found, err);
	for (size_t i = 0; ok && i < found->n; i++) {
		bool same = false;
		ok = t->ops->same_body(
		    t->data, &found->kept[i], b->content, &same, err);
		if (same) {
			*claim = CLAIM_REFERENCE;
			*survivor = found->kept[i];
			break;
		}
	}
	free(found);

	return ok;
}

bool
claims_decide(struct claims *c, struct index *ix, struct target *t,
    uint64_t archive, const struct belt *b, int64_t body_hash,
    enum claim_kind *claim, struct kept *survivor, struct err *err)
{
	*claim = CLAIM_WHOLE;
	if (t->ops->volume == NULL ||
	    same_content_pending(c, b, claim, survivor))
		return true;
	if (!same_content_settled(
		ix, t->ops->volume(t->data), archive, b, claim, survivor, err))
		return false;
	if (*claim != CLAIM_WHOLE || body_hash == 0)
		return true;

	return same_body(c, ix, t, archive, b, body_hash, claim, survivor, err);
}
