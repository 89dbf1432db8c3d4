/* What the index does for a repack: drafts, places, the swap, moves. */
#include "index_world.h"

#include "base/buf.h"
#include "index/repack.h"
#include "mail/content.h"

static const struct header_fields no_header;

static void
octets(char text[120], const char *what)
{
	snprintf(
	    text, 120, "Subject: %s\r\n\r\nThe body of %s.\r\n", what, what);
}

static struct content *
content_of(const char *what)
{
	char text[120];
	struct err err;
	struct content *c = content_new(NULL, 0);
	octets(text, what);
	ck_assert(content_add(c, text, strlen(text), &err));
	content_finish(c);

	return c;
}

static void
sha_of(const char *what, uint8_t out[32])
{
	struct content *c = content_of(what);
	memcpy(out, content_sha256(c), 32);
	content_free(&c);
}

static void
open_volume(struct world *w, const char *name)
{
	const struct frame_info frame = { .csize = 500, .dsize = 9000 };
	struct progress p = { .opened = true,
		.committed = 500,
		.plain = 9000,
		.frames = &frame,
		.frame_count = 1 };
	snprintf(p.volume, sizeof(p.volume), "%s", name);
	OK(w, index_begin(w->ix, &w->err));
	OK(w, index_progress(w->ix, w->run, w->archive, &p, &w->err));
	OK(w, index_commit(w->ix, &w->err));
}

static void
seal_volume_at(struct world *w, const char *name, uint64_t octets_of_file)
{
	struct progress p = {
		.committed = octets_of_file, .plain = 9000, .sealed = true
	};
	snprintf(p.volume, sizeof(p.volume), "%s", name);
	OK(w, index_begin(w->ix, &w->err));
	OK(w, index_progress(w->ix, w->run, w->archive, &p, &w->err));
	OK(w, index_commit(w->ix, &w->err));
}

static void
keep(struct world *w, uint64_t uid, const char *what, const char *volume,
    uint64_t offset, const char *body_of, const char *body_volume)
{
	struct content *c = content_of(what);
	struct placement p = {
		.okey = uid, .idate = IDATE, .size = content_size(c)
	};
	struct kept where = { .offset = offset }, survivor = { 0 };
	snprintf(where.volume, sizeof(where.volume), "%s", volume);
	snprintf(where.entry, sizeof(where.entry), "a/INBOX/cur/%llu",
	    (unsigned long long)uid);
	if (body_of != NULL) {
		sha_of(body_of, survivor.sha256);
		snprintf(survivor.volume, sizeof(survivor.volume), "%s",
		    body_volume);
	}
	const struct index_delivery d = { .run = w->run,
		.job = w->job,
		.mailbox = w->box,
		.archive = w->archive,
		.placement = &p,
		.content = c,
		.header = &no_header,
		.claim = body_of == NULL ? CLAIM_WHOLE : CLAIM_REFERENCE,
		.where = &where,
		.survivor = body_of == NULL ? NULL : &survivor };
	OK(w, index_begin(w->ix, &w->err));
	OK(w, index_settle(w->ix, &d, &w->err));
	OK(w, index_commit(w->ix, &w->err));
	content_free(&c);
}

/* one and two are small; big, which stays, names a body in one. */
static void
small_volumes(struct world *w)
{
	world_open(w);
	open_volume(w, "one-0001");
	open_volume(w, "two-0001");
	open_volume(w, "big-0001");
	keep(w, 1, "first", "one-0001", 512, NULL, NULL);
	keep(w, 2, "second", "one-0001", 2048, NULL, NULL);
	keep(w, 3, "third", "two-0001", 512, NULL, NULL);
	keep(w, 4, "fourth", "big-0001", 512, "first", "one-0001");
	seal_volume_at(w, "one-0001", 500);
	seal_volume_at(w, "two-0001", 600);
	seal_volume_at(w, "big-0001", 5000);
}

static void
put(struct world *w, const char *what, const char *volume, uint64_t offset,
    uint64_t to)
{
	uint8_t sha256[32];
	const struct repack_place from = { volume, 0, offset };
	const struct repack_place at = { "new-0001", 0, to };
	sha_of(what, sha256);
	OK(w, index_begin(w->ix, &w->err));
	OK(w, repack_put(w->ix, sha256, true, &from, &at, &w->err));
	OK(w, index_commit(w->ix, &w->err));
}

static void
draft(struct world *w)
{
	OK(w, repack_draft(w->ix, w->run, w->archive, "new-0001", &w->err));
	put(w, "first", "one-0001", 512, 1000);
	put(w, "second", "one-0001", 2048, 3000);
}

static bool
swap(struct world *w)
{
	static const char old[2][KEPT_VOLUME_NAME] = { "one-0001", "two-0001" };
	const struct frame_info frame = { .csize = 900, .dsize = 9000 };
	const struct progress p = { .volume = "new-0001",
		.committed = 900,
		.plain = 9000,
		.frames = &frame,
		.frame_count = 1,
		.sealed = true };

	return repack_swap(w->ix, w->run, w->archive, &p, old, 2, &w->err);
}

static bool
count_candidate(void *arg, const struct repack_candidate *c)
{
	size_t *n = arg;
	ck_assert_str_eq(c->name, *n == 0 ? "one-0001" : "two-0001");
	ck_assert_uint_eq(c->octets, *n == 0 ? 500 : 600);
	++*n;

	return true;
}

static void
where(struct world *w, const char *what, struct message_parts *parts)
{
	uint8_t sha256[32];
	bool found;
	sha_of(what, sha256);
	OK(w, index_parts(w->ix, sha256, parts, &found, &w->err));
	ck_assert_msg(found, "%s is nowhere", what);
}

START_TEST(small_sealed_volumes_are_candidates_oldest_first)
{
	struct world w;
	size_t n = 0;
	small_volumes(&w);
	OK(&w, repack_candidates(w.ix, 1000, count_candidate, &n, &w.err));
	ck_assert_uint_eq(n, 2);
	n = 0;
	OK(&w, repack_candidates(w.ix, 600, count_candidate, &n, &w.err));
	ck_assert_uint_eq(n, 1);
	world_close(&w);
}
END_TEST

START_TEST(nothing_points_into_a_draft)
{
	struct world w;
	struct message_parts parts;
	struct kept to;
	const struct repack_place from = { "one-0001", 0, 512 };
	bool found;
	small_volumes(&w);
	draft(&w);
	where(&w, "first", &parts);
	ck_assert_str_eq(parts.volume, "one-0001");
	OK(&w, index_moved(w.ix, "one-0001", 0, 512, &to, &found, &w.err));
	ck_assert(!found);
	OK(&w, repack_find(w.ix, &from, false, &to, &found, &w.err));
	ck_assert(found);
	ck_assert_str_eq(to.volume, "new-0001");
	ck_assert_uint_eq(to.offset, 1000);

	OK(&w, repack_undraft(w.ix, "new-0001", &w.err));
	OK(&w, repack_find(w.ix, &from, false, &to, &found, &w.err));
	ck_assert(!found);
	world_close(&w);
}
END_TEST

START_TEST(a_copy_that_was_forgotten_stops_the_swap)
{
	struct world w;
	struct message_parts parts;
	small_volumes(&w);
	draft(&w);
	ck_assert(!swap(&w));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	where(&w, "third", &parts);
	ck_assert_str_eq(parts.volume, "two-0001");
	where(&w, "first", &parts);
	ck_assert_str_eq(parts.volume, "one-0001");
	world_close(&w);
}
END_TEST

struct told {
	size_t replaced, moved;
};

static bool
count_replaced(void *arg, const struct repack_replaced *v)
{
	struct told *told = arg;
	ck_assert_str_eq(v->by, "new-0001");
	ck_assert_str_eq(v->run, "run-1");
	ck_assert_uint_eq(v->octets, told->replaced == 0 ? 500 : 600);
	ck_assert_uint_eq(v->by_octets, 900);
	told->replaced++;

	return true;
}

static bool
count_moved(
    void *arg, const struct repack_place *from, const struct repack_place *to)
{
	struct told *told = arg;
	ck_assert_str_eq(from->volume, "one-0001");
	ck_assert_uint_eq(from->offset, 512);
	ck_assert_str_eq(to->volume, "new-0001");
	ck_assert_uint_eq(to->offset, 1000);
	told->moved++;

	return true;
}

START_TEST(all_points_into_the_new_volume_after_the_swap)
{
	struct world w;
	struct message_parts parts;
	struct told told = { 0 };
	small_volumes(&w);
	draft(&w);
	put(&w, "third", "two-0001", 512, 5000);
	OK(&w, swap(&w));
	where(&w, "second", &parts);
	ck_assert_str_eq(parts.volume, "new-0001");
	ck_assert_uint_eq(parts.offset, 3000);
	where(&w, "third", &parts);
	ck_assert_uint_eq(parts.offset, 5000);
	where(&w, "fourth", &parts);
	ck_assert(parts.split);
	ck_assert_str_eq(parts.volume, "big-0001");
	ck_assert_str_eq(parts.body_volume, "new-0001");
	ck_assert_uint_eq(parts.body_offset, 1000);

	OK(&w, index_replaced_volumes(w.ix, count_replaced, &told, &w.err));
	OK(&w, index_moves(w.ix, w.run, count_moved, &told, &w.err));
	ck_assert_uint_eq(told.replaced, 2);
	ck_assert_uint_eq(told.moved, 1);
	world_close(&w);
}
END_TEST

START_TEST(what_moved_twice_is_found_in_its_last_place)
{
	struct world w;
	struct kept to;
	bool found;
	uint8_t sha256[32];
	static const char old[1][KEPT_VOLUME_NAME] = { "new-0001" };
	const struct frame_info frame = { .csize = 900, .dsize = 9000 };
	const struct progress p = { .volume = "last-0001",
		.committed = 900,
		.plain = 9000,
		.frames = &frame,
		.frame_count = 1,
		.sealed = true };
	const char *const whats[] = { "first", "second", "third" };
	small_volumes(&w);
	draft(&w);
	put(&w, "third", "two-0001", 512, 5000);
	OK(&w, swap(&w));
	OK(&w, repack_draft(w.ix, w.run, w.archive, "last-0001", &w.err));
	for (uint64_t i = 0; i < 3; i++) {
		const struct repack_place from = { "new-0001", 0,
			1000 + 2000 * i };
		const struct repack_place at = { "last-0001", 0, 70 + i };
		sha_of(whats[i], sha256);
		OK(&w, index_begin(w.ix, &w.err));
		OK(&w, repack_put(w.ix, sha256, true, &from, &at, &w.err));
		OK(&w, index_commit(w.ix, &w.err));
	}
	OK(&w, repack_swap(w.ix, w.run, w.archive, &p, old, 1, &w.err));
	OK(&w, index_moved(w.ix, "one-0001", 0, 512, &to, &found, &w.err));
	ck_assert(found);
	ck_assert_str_eq(to.volume, "last-0001");
	ck_assert_uint_eq(to.offset, 70);
	/* Nobody elsewhere named this one. */
	OK(&w, index_moved(w.ix, "one-0001", 0, 2048, &to, &found, &w.err));
	ck_assert(!found);
	world_close(&w);
}
END_TEST

Suite *suite_repack(void);

Suite *
suite_repack(void)
{
	Suite *s = suite_create("repack");
	TCase *t = tcase_create("repack");
	tcase_add_test(t, small_sealed_volumes_are_candidates_oldest_first);
	tcase_add_test(t, nothing_points_into_a_draft);
	tcase_add_test(t, a_copy_that_was_forgotten_stops_the_swap);
	tcase_add_test(t, all_points_into_the_new_volume_after_the_swap);
	tcase_add_test(t, what_moved_twice_is_found_in_its_last_place);
	suite_add_tcase(s, t);

	return s;
}
