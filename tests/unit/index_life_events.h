/* What can happen to the account of index_life.h between two runs. */
#ifndef TESTS_INDEX_LIFE_EVENTS_H
#define TESTS_INDEX_LIFE_EVENTS_H

#include "index_life.h"

static struct life_mail *
mail_at(struct life *l, int box, uint64_t uid)
{
	for (int i = 0; i < l->mail_count; i++)
		if (l->mails[i].box == box && l->mails[i].uid == uid)
			return &l->mails[i];
	ck_assert_int_lt(l->mail_count, MAILS_MAX);
	struct life_mail *m = &l->mails[l->mail_count++];
	*m = (struct life_mail){ .box = box, .uid = uid, .content = -1 };

	return m;
}

static int
any_box(struct life *l, bool live)
{
	for (int tries = 0; tries < 200 && l->box_count > 0; tries++) {
		int b = (int)below(l, (uint64_t)l->box_count);
		if (l->boxes[b].live == live && !l->boxes[b].replaced)
			return b;
	}

	return -1;
}

static struct life_mail *
any_mail(struct life *l, bool live, bool delivered)
{
	for (int tries = 0; tries < 400 && l->mail_count > 0; tries++) {
		struct life_mail *m =
		    &l->mails[below(l, (uint64_t)l->mail_count)];
		if (m->live == live && m->delivered == delivered &&
		    l->boxes[m->box].live)
			return m;
	}

	return NULL;
}

static bool
name_is_free(const struct life *l, int name)
{
	for (int i = 0; i < l->box_count; i++)
		if (l->boxes[i].live && l->boxes[i].name == name)
			return false;

	return true;
}

/* The index's box for a name; the model's number of it. */
static int
open_box(struct life *l, int name, uint64_t uidvalidity, bool restart)
{
	struct source_mailbox box = { .name = life_names[name],
		.display = life_names[name],
		.separator = '/' };
	uint64_t id, generation = 0;
	bool is_new;
	if (restart)
		OK(&l->w, index_mailbox_restart(l->w.ix, l->w.source, &box,
			      uidvalidity, l->w.run, &id, &l->w.err));
	else
		OK(&l->w, index_mailbox(l->w.ix, l->w.source, &box, uidvalidity,
			      l->w.run, &id, &is_new, &l->w.err));
	for (int i = 0; i < l->box_count; i++) {
		if (l->boxes[i].id == id) {
			l->boxes[i].live = true;
			return i;
		}
		generation += l->boxes[i].name == name &&
			      l->boxes[i].uidvalidity == uidvalidity;
	}
	ck_assert_int_lt(l->box_count, BOXES_MAX);
	l->boxes[l->box_count] = (struct life_box){ .id = id,
		.name = name,
		.uidvalidity = uidvalidity,
		.generation = generation,
		.next_uid = 1,
		.live = true };

	return l->box_count++;
}

static int
some_box(struct life *l)
{
	int b = below(l, 20) == 0 ? -1 : any_box(l, true);
	int name = (int)below(l, NAMES);
	if (b >= 0 || !name_is_free(l, name))
		return b;

	return open_box(l, name, ++l->next_uidvalidity, false);
}

static void
store(struct life *l, int box, uint64_t uid, int content)
{
	char header[80];
	struct life_mail *m = mail_at(l, box, uid);
	if (content == l->content_count)
		l->content_count++;
	snprintf(header, sizeof(header),
	    "Message-ID: <m%d@x>\r\nSubject: %d\r\n", content, content);
	ck_assert_int_lt(l->entry_count, ENTRIES_MAX);
	uint64_t offset = 512 * (uint64_t)(l->entry_count + 1);
	l->entries[l->entry_count++] =
	    (struct life_entry){ .content = content, .offset = offset };
	l->contents[content] = settle(&l->w, &(struct sent){ .uid = uid,
						 .header = header,
						 .box = l->boxes[box].id,
						 .offset = offset });
	*m = (struct life_mail){ .box = box,
		.uid = uid,
		.content = content,
		.flags = 8,
		.live = true,
		.delivered = true };
}

static void
know(struct life *l, int box, uint64_t uid, int content)
{
	struct placement p = { .okey = uid,
		.size = l->contents[content].size + 1,
		.idate = IDATE,
		.zone = 60,
		.flags = (uint8_t)below(l, 32) };
	OK(&l->w,
	    index_settle_known(l->w.ix, l->w.run, l->w.job, l->boxes[box].id,
		&p, l->contents[content].sha256, &l->w.known, &l->w.err));
	*mail_at(l, box, uid) = (struct life_mail){ .box = box,
		.uid = uid,
		.content = content,
		.flags = p.flags,
		.live = true,
		.delivered = true };
}

static int
some_content(struct life *l)
{
	if (l->content_count == 0 || below(l, 3) > 0)
		return l->content_count;

	return (int)below(l, (uint64_t)l->content_count);
}

static bool
arrive(struct life *l)
{
	int b = some_box(l);
	if (b < 0 || l->content_count == CONTENTS_MAX)
		return false;
	uint64_t uid = l->boxes[b].next_uid++;
	if (l->content_count > 0 && below(l, 6) == 0)
		know(l, b, uid, (int)below(l, (uint64_t)l->content_count));
	else
		store(l, b, uid, some_content(l));

	return true;
}

static bool
flag(struct life *l)
{
	struct life_mail *m = any_mail(l, true, true);
	bool changed;
	if (m == NULL)
		return false;
	uint8_t flags = (uint8_t)below(l, 32);
	int keywords = (int)below(l, 4);
	OK(&l->w, index_change(l->w.ix, l->w.run, l->boxes[m->box].id, m->uid,
		      flags, life_keywords[keywords], &changed, &l->w.err));
	ck_assert(changed == (flags != m->flags || keywords != m->keywords));
	m->flags = flags;
	m->keywords = keywords;

	return true;
}

static uint64_t
end_mails(struct life *l, int box, uint64_t lo, uint64_t hi)
{
	uint64_t n = 0;
	for (int i = 0; i < l->mail_count; i++) {
		struct life_mail *m = &l->mails[i];
		if (m->box != box || m->uid < lo || m->uid > hi || !m->live)
			continue;
		m->live = false;
		n++;
	}

	return n;
}

static bool
expunge(struct life *l)
{
	int b = any_box(l, true);
	uint64_t n;
	if (b < 0)
		return false;
	uint64_t lo = 1 + below(l, l->boxes[b].next_uid);
	uint64_t hi = lo + below(l, 4);
	OK(&l->w, index_end(l->w.ix, l->w.run, l->boxes[b].id, lo, hi, &n,
		      &l->w.err));
	ck_assert_uint_eq(n, end_mails(l, b, lo, hi));

	return true;
}

static bool
come_back(struct life *l)
{
	struct life_mail *m = any_mail(l, false, true);
	bool again;
	if (m == NULL)
		return false;
	struct placement p = { .okey = m->uid,
		.size = l->contents[m->content].size + 1,
		.idate = IDATE,
		.zone = 60,
		.flags = (uint8_t)below(l, 32) };
	OK(&l->w, index_settle_again(l->w.ix, l->w.run, l->w.job,
		      l->boxes[m->box].id, &p, &again, &l->w.err));
	ck_assert(again);
	m->live = true;
	m->flags = p.flags;
	m->keywords = 0;

	return true;
}

/* What a server must not do: a UID again, maybe with other octets. */
static bool
store_again(struct life *l)
{
	struct life_mail *m = any_mail(l, below(l, 2) == 0, true);
	if (m == NULL || l->content_count == CONTENTS_MAX)
		return false;
	store(
	    l, m->box, m->uid, below(l, 2) == 0 ? m->content : some_content(l));

	return true;
}

static bool
leave_out(struct life *l)
{
	int b = any_box(l, true);
	if (b < 0)
		return false;
	uint64_t uid = l->boxes[b].next_uid++;
	l->w.box = l->boxes[b].id;
	lose(&l->w, uid,
	    below(l, 2) == 0 ? OUTCOME_EXCLUDED : OUTCOME_UNREADABLE,
	    "because");
	mail_at(l, b, uid)->live = true;

	return true;
}

static bool
take_in(struct life *l)
{
	struct life_mail *m = any_mail(l, true, false);
	if (m == NULL || l->content_count == CONTENTS_MAX)
		return false;
	store(l, m->box, m->uid, some_content(l));

	return true;
}

static void
end_box(struct life *l, int b, int by)
{
	uint64_t n;
	OK(&l->w, index_end_mailbox(l->w.ix, l->w.run, l->boxes[b].id,
		      by < 0 ? 0 : l->boxes[by].id, &n, &l->w.err));
	ck_assert_uint_eq(n, end_mails(l, b, 0, UINT64_MAX));
	l->boxes[b].live = l->boxes[b].replaced = false;
}

static bool
drop_box(struct life *l)
{
	int b = any_box(l, true);
	if (b < 0 || below(l, 3) > 0)
		return false;
	end_box(l, b, -1);

	return true;
}

static bool
restore_box(struct life *l)
{
	int b = any_box(l, false);
	if (b < 0 || !name_is_free(l, l->boxes[b].name))
		return false;
	int same =
	    open_box(l, l->boxes[b].name, l->boxes[b].uidvalidity, false);
	/* Of several generations under a UIDVALIDITY the last is meant. */
	ck_assert(l->boxes[same].name == l->boxes[b].name &&
		  l->boxes[same].generation >= l->boxes[b].generation);

	return true;
}

static bool
rename_box(struct life *l)
{
	int from = any_box(l, true), name = (int)below(l, NAMES);
	uint64_t n, moved = 0;
	if (from < 0 || !name_is_free(l, name))
		return false;
	int to = open_box(l, name, l->boxes[from].uidvalidity, false);
	if (l->boxes[to].next_uid < l->boxes[from].next_uid)
		l->boxes[to].next_uid = l->boxes[from].next_uid;
	OK(&l->w, index_rename(l->w.ix, l->w.run, l->w.job, l->boxes[from].id,
		      l->boxes[to].id, &n, &l->w.err));
	for (int i = 0; i < l->mail_count; i++) {
		struct life_mail *old = &l->mails[i];
		if (old->box != from || !old->live)
			continue;
		struct life_mail *m = mail_at(l, to, old->uid);
		/* What was kept under the UID before is kept still. */
		if (old->delivered) {
			m->content = old->content;
			m->delivered = true;
		}
		m->flags = old->flags;
		m->keywords = old->keywords;
		m->live = true;
		old->live = false;
		moved++;
	}
	ck_assert_uint_eq(n, moved);
	l->boxes[from].live = false;

	return true;
}

static bool
number_anew(struct life *l)
{
	int old = any_box(l, true);
	if (old < 0)
		return false;
	bool restart = below(l, 4) == 0;
	l->boxes[old].live = false;
	l->boxes[old].replaced = true;
	int b = open_box(l, l->boxes[old].name,
	    restart ? l->boxes[old].uidvalidity : ++l->next_uidvalidity,
	    restart);
	ck_assert_int_ne(b, old);
	int n = l->mail_count;
	for (int i = 0; i < n; i++)
		if (l->mails[i].box == old && l->mails[i].live &&
		    l->mails[i].delivered)
			know(l, b, l->boxes[b].next_uid++, l->mails[i].content);
	/* Sometimes it is seen whole only days later. */
	if (below(l, 3) > 0)
		end_box(l, old, b);

	return true;
}

static bool
end_replaced(struct life *l)
{
	bool any = false;
	for (int i = 0; i < l->box_count; i++)
		if (l->boxes[i].replaced) {
			end_box(l, i, -1);
			any = true;
		}

	return any;
}

static const struct {
	bool (*happens)(struct life *);
	unsigned weight;
} things[] = {
	{ arrive, 30 },
	{ flag, 20 },
	{ expunge, 12 },
	{ come_back, 5 },
	{ store_again, 4 },
	{ leave_out, 4 },
	{ take_in, 3 },
	{ drop_box, 2 },
	{ restore_box, 3 },
	{ rename_box, 4 },
	{ number_anew, 4 },
	{ end_replaced, 5 },
};
enum { THINGS = sizeof(things) / sizeof(things[0]) };

static void
something(struct life *l)
{
	unsigned all = 0, at = 0;
	for (size_t i = 0; i < THINGS; i++)
		all += things[i].weight;
	uint64_t which = below(l, all);
	while (which >= things[at].weight)
		which -= things[at++].weight;
	l->did[at] += things[at].happens(l);
}

#endif
