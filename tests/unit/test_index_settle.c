/* Settling, and what consulting then finds. */
#include "index_world.h"

#include "mail/flags.h"

Suite *suite_index_settle(void);

#define HEADER \
	"Message-ID: <one@Example.ORG>\r\nSubject: =?utf-8?q?f=C3=BCr?=\r\n"
#define OTHER "Message-ID: <two@example.org>\r\n"
#define VOLUME2 "2026-11-21T101500Z-a1b2-0002"

static void
open_volumes(struct world *w)
{
	world_open(w);
	begin(w);
	add_volume(w, VOLUME);
	add_volume(w, VOLUME2);
	commit(w);
}

static struct kept
settle_alone(struct world *w, const struct sent *s)
{
	begin(w);
	struct kept where = settle(w, s);
	commit(w);

	return where;
}

static bool
find(struct world *w, const uint8_t sha256[32], const char *volume,
    struct kept *kept)
{
	bool found;
	OK(w, index_find_content(
		  w->ix, w->archive, sha256, volume, kept, &found, &w->err));

	return found;
}

START_TEST(a_settled_message_is_found_by_its_octets)
{
	struct world w;
	struct kept kept;
	open_volumes(&w);
	struct kept where = settle_alone(&w, &(struct sent){ .uid = 1,
						 .header = HEADER,
						 .body = 5000,
						 .frame = 1,
						 .offset = 512 });
	ck_assert(find(&w, where.sha256, NULL, &kept));
	ck_assert_str_eq(kept.volume, VOLUME);
	ck_assert_uint_eq(kept.frame, 1);
	ck_assert_uint_eq(kept.offset, 512);
	ck_assert_uint_eq(kept.size, where.size);
	ck_assert_uint_eq(kept.header_size, where.header_size);
	ck_assert_mem_eq(kept.sha256, where.sha256, 32);
	ck_assert_str_eq(kept.entry, "");
	where.sha256[31] ^= 1; /* same key, another content */
	ck_assert(!find(&w, where.sha256, NULL, &kept));
	world_close(&w);
}
END_TEST

START_TEST(a_rolled_back_batch_leaves_nothing)
{
	struct world w;
	struct kept kept;
	struct index_totals totals;
	static const char *const words[] = { "$Junk" };
	open_volumes(&w);
	struct sent s = { .uid = 1,
		.header = HEADER,
		.keywords = words,
		.keyword_count = 1 };
	begin(&w);
	add_volume(&w, "gone");
	struct kept where = settle(&w, &s);
	index_rollback(w.ix);
	ck_assert(!find(&w, where.sha256, NULL, &kept));
	/* What was remembered of the lost rows is forgotten too. */
	begin(&w);
	s.volume = "gone";
	ck_assert(!try_settle(&w, &s, &where));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	index_rollback(w.ix);
	s.volume = NULL;
	settle_alone(&w, &s);
	OK(&w, index_totals(w.ix, &totals, &w.err));
	ck_assert_uint_eq(totals.placements, 1);
	ck_assert_uint_eq(totals.volumes_open, 2);
	world_close(&w);
}
END_TEST

START_TEST(a_content_is_held_once_and_placed_often)
{
	struct world w;
	struct index_totals totals;
	open_volumes(&w);
	begin(&w);
	struct kept first =
	    settle(&w, &(struct sent){ .uid = 1, .header = HEADER });
	for (uint64_t uid = 2; uid <= 5; uid++)
		settle(&w, &(struct sent){ .uid = uid,
			       .header = HEADER,
			       .claim = CLAIM_LINK,
			       .survivor = &first });
	commit(&w);
	OK(&w, index_totals(w.ix, &totals, &w.err));
	ck_assert_uint_eq(totals.contents, 1);
	ck_assert_uint_eq(totals.placements, 5);
	ck_assert_uint_eq(totals.octets_unique, first.size);
	ck_assert_uint_eq(totals.octets_placed, 5 * first.size);
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM stored"), "1");
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM header"), "1");
	world_close(&w);
}
END_TEST

START_TEST(a_survivor_must_be_settled_first)
{
	struct world w;
	struct kept stranger = { .volume = VOLUME, .sha256 = { 1, 2, 3 } };
	struct kept where;
	open_volumes(&w);
	begin(&w);
	ck_assert(!try_settle(&w,
	    &(struct sent){ .uid = 1,
		.header = HEADER,
		.claim = CLAIM_REFERENCE,
		.survivor = &stranger },
	    &where));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	index_rollback(w.ix);
	world_close(&w);
}
END_TEST

START_TEST(the_header_is_kept_decoded_and_bounded)
{
	struct world w;
	open_volumes(&w);
	struct buf header = { 0 };
	buf_str(&header, HEADER "Cc: ");
	for (int i = 0; i < 3000; i++)
		buf_char(&header, 'c');
	buf_str(&header, "\r\n");
	settle_alone(&w, &(struct sent){ .uid = 1, .header = header.data });
	buf_free(&header);
	ck_assert_str_eq(
	    judge(w.path, "SELECT message_id, subject, from_ IS NULL, "
			  "length(cc) FROM header"),
	    "one@example.org|f\303\274r|1|2000");
	world_close(&w);
}
END_TEST

/* ---- bodies ---- */

static bool
count_kept(void *arg, const struct kept *kept)
{
	(void)kept;
	++*(int *)arg;

	return true;
}

static bool
stop_at_once(void *arg, const struct kept *kept)
{
	count_kept(arg, kept);

	return false;
}

static int64_t
hash_of_body(size_t size)
{
	struct content *c = message(HEADER, size);
	int64_t hash = content_body_hash(c);
	content_free(&c);

	return hash;
}

START_TEST(a_body_is_found_only_from_4096_octets_on)
{
	static const struct {
		size_t size;
		int found;
	} rows[] = { { 4095, 0 }, { 4096, 1 }, { 5000, 1 } };
	struct world w;
	int n = 0;
	open_volumes(&w);
	settle_alone(
	    &w, &(struct sent){
		    .uid = 1, .header = HEADER, .body = rows[_i].size });
	OK(&w, index_find_body(w.ix, w.archive, hash_of_body(rows[_i].size),
		   count_kept, &n, &w.err));
	ck_assert_int_eq(n, rows[_i].found);
	n = 0;
	OK(&w, index_find_body(w.ix, w.archive + 100,
		   hash_of_body(rows[_i].size), count_kept, &n, &w.err));
	ck_assert_int_eq(n, 0);
	world_close(&w);
}
END_TEST

START_TEST(bodies_are_offered_until_one_is_taken)
{
	struct world w;
	int n = 0;
	open_volumes(&w);
	begin(&w);
	settle(&w, &(struct sent){ .uid = 1, .header = HEADER, .body = 5000 });
	settle(&w, &(struct sent){ .uid = 2, .header = OTHER, .body = 5000 });
	commit(&w);
	OK(&w, index_find_body(w.ix, w.archive, hash_of_body(5000), count_kept,
		   &n, &w.err));
	ck_assert_int_eq(n, 2);
	n = 0;
	OK(&w, index_find_body(w.ix, w.archive, hash_of_body(5000),
		   stop_at_once, &n, &w.err));
	ck_assert_int_eq(n, 1);
	world_close(&w);
}
END_TEST

START_TEST(a_referenced_body_is_put_together_from_two_places)
{
	struct world w;
	struct kept kept;
	struct message_parts parts;
	bool found;
	open_volumes(&w);
	begin(&w);
	struct kept whole = settle(&w, &(struct sent){ .uid = 1,
					   .header = HEADER,
					   .body = 5000,
					   .frame = 0,
					   .offset = 512 });
	struct kept header = settle(&w, &(struct sent){ .uid = 2,
					    .header = OTHER,
					    .body = 5000,
					    .claim = CLAIM_REFERENCE,
					    .survivor = &whole,
					    .volume = VOLUME2,
					    .frame = 1,
					    .offset = 1024 });
	commit(&w);
	/* Only whole copies are offered as survivors. */
	ck_assert(!find(&w, header.sha256, NULL, &kept));
	OK(&w, index_parts(w.ix, header.sha256, &parts, &found, &w.err));
	ck_assert(found && parts.split);
	ck_assert_str_eq(parts.volume, VOLUME2);
	ck_assert_uint_eq(parts.frame, 1);
	ck_assert_uint_eq(parts.offset, 1024);
	ck_assert_uint_eq(parts.size, header.size);
	ck_assert_uint_eq(parts.header_size, header.header_size);
	ck_assert_str_eq(parts.body_volume, VOLUME);
	ck_assert_uint_eq(parts.body_frame, 0);
	ck_assert_uint_eq(parts.body_offset, 512);
	ck_assert_uint_eq(parts.body_skip, whole.header_size);

	OK(&w, index_parts(w.ix, whole.sha256, &parts, &found, &w.err));
	ck_assert(found && !parts.split);
	ck_assert_str_eq(parts.volume, VOLUME);
	ck_assert_uint_eq(parts.offset, 512);

	whole.sha256[0] ^= 0x80;
	OK(&w, index_parts(w.ix, whole.sha256, &parts, &found, &w.err));
	ck_assert(!found);
	world_close(&w);
}
END_TEST

START_TEST(a_whole_copy_takes_the_place_of_a_header)
{
	struct world w;
	struct kept kept;
	open_volumes(&w);
	begin(&w);
	struct kept whole = settle(
	    &w, &(struct sent){ .uid = 1, .header = HEADER, .body = 5000 });
	struct kept header = settle(&w, &(struct sent){ .uid = 2,
					    .header = OTHER,
					    .body = 5000,
					    .claim = CLAIM_REFERENCE,
					    .survivor = &whole,
					    .offset = 7000 });
	settle(&w, &(struct sent){ .uid = 3,
		       .header = OTHER,
		       .body = 5000,
		       .frame = 1,
		       .offset = 9000 });
	/* … and not the other way round, nor a second whole copy. */
	settle(&w, &(struct sent){ .uid = 4,
		       .header = OTHER,
		       .body = 5000,
		       .claim = CLAIM_REFERENCE,
		       .survivor = &whole,
		       .offset = 11000 });
	settle(
	    &w, &(struct sent){
		    .uid = 5, .header = OTHER, .body = 5000, .offset = 12000 });
	commit(&w);
	ck_assert(find(&w, header.sha256, NULL, &kept));
	ck_assert_uint_eq(kept.frame, 1);
	ck_assert_uint_eq(kept.offset, 9000);
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM stored"), "2");
	world_close(&w);
}
END_TEST

START_TEST(a_copy_in_the_wished_volume_is_preferred)
{
	static const char *const wishes[] = { VOLUME, VOLUME2, VOLUME2,
		VOLUME };
	struct world w;
	struct kept kept;
	open_volumes(&w);
	struct kept where =
	    settle_alone(&w, &(struct sent){ .uid = 1, .header = HEADER });
	settle_alone(&w,
	    &(struct sent){ .uid = 2, .header = HEADER, .volume = VOLUME2 });
	ck_assert(find(&w, where.sha256, wishes[_i], &kept));
	ck_assert_str_eq(kept.volume, wishes[_i]);
	/* An abandoned volume offers nothing. */
	OK(&w, index_volume_abandon(w.ix, wishes[_i], &w.err));
	ck_assert(find(&w, where.sha256, wishes[_i], &kept));
	ck_assert_str_ne(kept.volume, wishes[_i]);
	world_close(&w);
}
END_TEST

START_TEST(another_archive_s_copy_is_not_offered)
{
	struct world w;
	struct kept kept;
	bool found;
	open_volumes(&w);
	struct kept where =
	    settle_alone(&w, &(struct sent){ .uid = 1, .header = HEADER });
	OK(&w, index_find_content(
		   w.ix, w.source, where.sha256, NULL, &kept, &found, &w.err));
	ck_assert(!found);
	world_close(&w);
}
END_TEST

START_TEST(a_link_needs_volume_content_and_date)
{
	static const struct {
		const char *volume;
		int64_t idate;
		bool other, found;
	} rows[] = {
		{ VOLUME, IDATE, false, true },
		{ VOLUME, IDATE + 1, false, false },
		{ VOLUME, DATETIME_NONE, false, false },
		{ VOLUME2, IDATE, false, false },
		{ VOLUME, IDATE, true, false },
		{ VOLUME, DATETIME_NONE, true, true },
		{ "no-such-volume", IDATE, false, false },
	};
	struct world w;
	char entry[KEPT_ENTRY];
	bool found;
	open_volumes(&w);
	begin(&w);
	struct kept one =
	    settle(&w, &(struct sent){ .uid = 1, .header = HEADER });
	settle(&w, &(struct sent){ .uid = 3,
		       .header = HEADER,
		       .claim = CLAIM_LINK,
		       .survivor = &one });
	struct kept two = settle(&w, &(struct sent){ .uid = 2,
					 .header = OTHER,
					 .offset = 4096,
					 .idate = DATETIME_NONE });
	commit(&w);
	OK(&w, index_find_link(w.ix, rows[_i].other ? two.sha256 : one.sha256,
		   rows[_i].volume, rows[_i].idate, entry, &found, &w.err));
	ck_assert_int_eq(found, rows[_i].found);
	if (found)
		ck_assert_str_eq(entry, rows[_i].other ? two.entry : one.entry);
	world_close(&w);
}
END_TEST

/* ---- keywords ---- */

START_TEST(equal_keyword_sets_share_a_row)
{
	static const char *const sets[][2] = {
		{ "$Junk", "$Label1" },
		{ "$Label1", "$Junk" },
		{ "$Junk", "$Junk" },
		{ "a", "b" },
		{ "c", "d" },
		{ "e", "f" },
		{ "g", "h" },
		{ "i", "j" },
		{ "k", "l" },
		{ "m", "n" },
		{ "o", "p" },
		{ "$Label1", "$Junk" },
	};
	struct world w;
	open_volumes(&w);
	begin(&w);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		char header[64];
		snprintf(header, sizeof(header), "Subject: %zu\r\n", i);
		settle(&w, &(struct sent){ .uid = i + 1,
			       .header = header,
			       .offset = i,
			       .keywords = sets[i],
			       .keyword_count = 2 });
	}
	commit(&w);
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM keywords"), "10");
	ck_assert_str_eq(
	    judge(w.path,
		"SELECT group_concat(CAST(list AS TEXT), ',') FROM keywords "
		"k JOIN placement p ON p.kw = k.id WHERE okey IN (1, 2, 12)"),
	    "$Junk $Label1,$Junk $Label1,$Junk $Label1");
	world_close(&w);
}
END_TEST

/* ---- retries ---- */

static enum outcome
outcome_of(struct world *w, uint64_t uid)
{
	enum outcome outcome;
	bool found;
	OK(w, index_outcome(
		  w->ix, w->job, w->box, uid, &outcome, &found, &w->err));
	ck_assert(found);

	return outcome;
}

START_TEST(a_retry_delivers_and_keeps_the_note)
{
	static const enum outcome firsts[] = { OUTCOME_UNREADABLE,
		OUTCOME_PENDING, OUTCOME_UNKNOWN, OUTCOME_QUARANTINED };
	struct world w;
	open_volumes(&w);
	begin(&w);
	lose(&w, 7, firsts[_i], "line \377 was bad");
	commit(&w);
	ck_assert_int_eq(outcome_of(&w, 7), firsts[_i]);
	settle_alone(&w, &(struct sent){ .uid = 7, .header = HEADER });
	ck_assert_int_eq(outcome_of(&w, 7), OUTCOME_DELIVERED);
	ck_assert_str_eq(
	    judge(w.path, "SELECT count(*), count(content), count(kw) "
			  "FROM placement"),
	    "1|1|0");
	ck_assert_str_eq(judge(w.path, "SELECT class, text FROM note"),
	    "protocol|line \357\277\275 was bad");
	world_close(&w);
}
END_TEST

START_TEST(what_was_delivered_stays_delivered)
{
	struct world w;
	open_volumes(&w);
	settle_alone(&w, &(struct sent){ .uid = 7, .header = HEADER });
	begin(&w);
	lose(&w, 7, OUTCOME_UNREADABLE, "too late");
	commit(&w);
	ck_assert_int_eq(outcome_of(&w, 7), OUTCOME_DELIVERED);
	ck_assert_str_eq(
	    judge(w.path, "SELECT volume IS NOT NULL FROM delivery"), "1");
	ck_assert_str_eq(
	    judge(w.path, "SELECT content IS NOT NULL FROM placement"), "1");
	world_close(&w);
}
END_TEST

START_TEST(outcomes_are_counted_by_kind)
{
	struct world w;
	uint64_t counts[OUTCOME_COUNT];
	enum outcome outcome;
	bool found;
	open_volumes(&w);
	OK(&w, index_outcomes(w.ix, w.job, w.box, counts, &w.err));
	for (int i = 0; i < OUTCOME_COUNT; i++)
		ck_assert_uint_eq(counts[i], 0);
	begin(&w);
	for (uint64_t uid = 1; uid <= 3; uid++) {
		char header[32];
		snprintf(header, sizeof(header), "Subject: %d\r\n", (int)uid);
		settle(&w, &(struct sent){
			       .uid = uid, .header = header, .offset = uid });
	}
	lose(&w, 4, OUTCOME_EXCLUDED, NULL);
	lose(&w, 5, OUTCOME_VANISHED, "");
	lose(&w, 6, OUTCOME_VANISHED, "");
	commit(&w);
	OK(&w, index_outcomes(w.ix, w.job, w.box, counts, &w.err));
	ck_assert_uint_eq(counts[OUTCOME_DELIVERED], 3);
	ck_assert_uint_eq(counts[OUTCOME_EXCLUDED], 1);
	ck_assert_uint_eq(counts[OUTCOME_VANISHED], 2);
	ck_assert_uint_eq(counts[OUTCOME_UNKNOWN], 0);
	OK(&w, index_outcome(w.ix, w.job, w.box, 99, &outcome, &found, &w.err));
	ck_assert(!found);
	world_close(&w);
}
END_TEST

START_TEST(the_largest_numbers_survive)
{
	struct world w;
	enum outcome outcome;
	bool found;
	open_volumes(&w);
	settle_alone(&w, &(struct sent){ .uid = UINT32_MAX,
			     .header = HEADER,
			     .offset = (uint64_t)1 << 40,
			     .idate = -1 });
	OK(&w, index_outcome(
		   w.ix, w.job, w.box, UINT32_MAX, &outcome, &found, &w.err));
	ck_assert(found);
	struct kept kept;
	struct content *c = message(HEADER, 0);
	ck_assert(find(&w, content_sha256(c), NULL, &kept));
	ck_assert_uint_eq(kept.offset, (uint64_t)1 << 40);
	content_free(&c);
	world_close(&w);
}
END_TEST

/* ---- volumes ---- */

static bool
take_volume(void *arg, const struct index_volume *volume)
{
	struct index_volume **next = arg;
	*(*next)++ = *volume;

	return true;
}

START_TEST(a_volume_s_progress_is_told_back)
{
	struct world w;
	struct index_volume got[4], *next = got;
	struct frame_info *frames = NULL;
	size_t n = 0;
	open_volumes(&w);
	struct frame_info more = {
		.offset = 150, .plain = 1500, .csize = 60, .dsize = 700
	};
	struct progress p = { .volume = VOLUME,
		.committed = 210,
		.plain = 2200,
		.first_frame = 2,
		.frames = &more,
		.frame_count = 1 };
	begin(&w);
	OK(&w, index_progress(w.ix, w.run, w.archive, &p, &w.err));
	seal_volume(&w, VOLUME2);
	commit(&w);
	OK(&w, index_volumes(w.ix, -1, take_volume, &next, &w.err));
	ck_assert_int_eq(next - got, 2);
	ck_assert_str_eq(got[0].name, VOLUME);
	ck_assert_int_eq(got[0].state, VOLUME_OPEN);
	ck_assert_str_eq(got[0].run, "run-1");
	ck_assert_str_eq(got[0].sealed_run, "");
	ck_assert_uint_eq(got[0].committed, 210);
	ck_assert_uint_eq(got[0].plain, 2200);
	ck_assert_uint_eq(got[0].frames, 3);
	ck_assert_int_eq(got[1].state, VOLUME_SEALED);
	ck_assert_str_eq(got[1].sealed_run, "run-1");
	ck_assert_uint_eq(got[1].frames, 2); /* as before the seal */
	ck_assert_uint_eq(got[1].sha256[0], 9);
	next = got;
	OK(&w, index_volumes(w.ix, VOLUME_SEALED, take_volume, &next, &w.err));
	ck_assert_int_eq(next - got, 1);

	OK(&w, index_frames(w.ix, VOLUME, &frames, &n, &w.err));
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(frames[1].offset, 100);
	ck_assert_uint_eq(frames[2].plain, 1500);
	ck_assert_uint_eq(frames[2].csize, 60);
	ck_assert_uint_eq(frames[2].dsize, 700);
	free(frames);
	world_close(&w);
}
END_TEST

START_TEST(frames_told_again_replace_themselves)
{
	struct world w;
	struct frame_info *frames = NULL;
	size_t n = 0;
	open_volumes(&w);
	struct frame_info all[] = { { 0, 0, 100, 1000 }, { 100, 1000, 50, 500 },
		{ 150, 1500, 9, 90 } };
	struct progress p = { .volume = VOLUME,
		.committed = 159,
		.plain = 1590,
		.frames = all,
		.frame_count = 3,
		.sealed = true };
	begin(&w);
	OK(&w, index_progress(w.ix, w.run, w.archive, &p, &w.err));
	commit(&w);
	OK(&w, index_frames(w.ix, VOLUME, &frames, &n, &w.err));
	ck_assert_uint_eq(n, 3);
	free(frames);
	world_close(&w);
}
END_TEST

START_TEST(a_missing_frame_is_damage)
{
	struct world w;
	struct frame_info *frames = NULL;
	size_t n = 0;
	open_volumes(&w);
	judge(w.path, "DELETE FROM frame WHERE no = 0");
	ck_assert(!index_frames(w.ix, VOLUME, &frames, &n, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	OK(&w, index_frames(w.ix, "none", &frames, &n, &w.err));
	ck_assert_uint_eq(n, 0);
	free(frames);
	world_close(&w);
}
END_TEST

Suite *
suite_index_settle(void)
{
	Suite *s = suite_create("index settle");
	TCase *t = tcase_create("settle");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_settled_message_is_found_by_its_octets);
	tcase_add_test(t, a_rolled_back_batch_leaves_nothing);
	tcase_add_test(t, a_content_is_held_once_and_placed_often);
	tcase_add_test(t, a_survivor_must_be_settled_first);
	tcase_add_test(t, the_header_is_kept_decoded_and_bounded);
	tcase_add_loop_test(t, a_body_is_found_only_from_4096_octets_on, 0, 3);
	tcase_add_test(t, bodies_are_offered_until_one_is_taken);
	tcase_add_test(t, a_referenced_body_is_put_together_from_two_places);
	tcase_add_test(t, a_whole_copy_takes_the_place_of_a_header);
	tcase_add_loop_test(t, a_copy_in_the_wished_volume_is_preferred, 0, 4);
	tcase_add_test(t, another_archive_s_copy_is_not_offered);
	tcase_add_loop_test(t, a_link_needs_volume_content_and_date, 0, 7);
	tcase_add_test(t, equal_keyword_sets_share_a_row);
	tcase_add_loop_test(t, a_retry_delivers_and_keeps_the_note, 0, 4);
	tcase_add_test(t, what_was_delivered_stays_delivered);
	tcase_add_test(t, outcomes_are_counted_by_kind);
	tcase_add_test(t, the_largest_numbers_survive);
	suite_add_tcase(s, t);

	t = tcase_create("volumes");
	tcase_add_test(t, a_volume_s_progress_is_told_back);
	tcase_add_test(t, frames_told_again_replace_themselves);
	tcase_add_test(t, a_missing_frame_is_damage);
	suite_add_tcase(s, t);

	return s;
}
