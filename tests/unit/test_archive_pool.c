/* Several writers in one archive: who owns which volume, and reading what
 * another one has open. */
#include "archive_rig.h"

Suite *suite_archive_pool(void);

/* Two writers of one folder; index is what both would ask. */
static struct rig one, two;
static bool called_open; /* the index's word on one's volume */
static size_t asked;     /* times that the word on a volume was asked for */

static bool
open_volumes(
    void *arg, char (**names)[KEPT_VOLUME_NAME], size_t *n, struct err *err)
{
	(void)arg, (void)err;
	*n = one.volume[0] != '\0' ? 1 : 0;
	*names = mem_new(KEPT_VOLUME_NAME);
	memcpy((*names)[0], one.volume, KEPT_VOLUME_NAME);

	return true;
}

static bool
word_on_volume(void *arg, const char *name, bool *open, struct progress *p,
    struct frame_info **frames, struct err *err)
{
	(void)arg, (void)err;
	ck_assert_str_eq(name, one.volume);
	asked++;
	*open = called_open;
	*frames = mem_dup(one.frames, one.frame_count * sizeof(*one.frames));
	*p = (struct progress){ .committed = one.committed,
		.plain = one.plain,
		.frames = *frames,
		.frame_count = one.frame_count };
	memcpy(p->volume, one.volume, sizeof(p->volume));

	return true;
}

static const struct archive_word word = {
	.open = open_volumes,
	.volume = word_on_volume,
};

static void
start(void)
{
	rig_start(&one);
	rig_close(&one);
	one.options.word = &word;
	rig_target(&one);
	two = (struct rig){ .options = one.options };
	snprintf(two.dir, sizeof(two.dir), "%s", one.dir);
	two.options.dir = two.dir;
	rig_target(&two);
	called_open = true;
	asked = 0;
}

static void
end(void)
{
	rig_close(&two);
	for (size_t i = 0; i < two.count; i++)
		content_free(&two.rows[i].content);
	free(two.rows);
	free(two.frames);
	rig_end(&one);
}

static bool
is_same(const struct kept *kept, struct content *c)
{
	struct err err = { 0 };
	bool same = false;
	rig_must(
	    two.target.ops->same_body(two.target.data, kept, c, &same, &err),
	    &err);

	return same;
}

START_TEST(two_writers_have_a_volume_each)
{
	for (unsigned i = 0; i < 20; i++) {
		rig_deliver(&one, "INBOX", rig_mail("x", 20000, i));
		if (i == 5)
			rig_flush(&one);
		rig_deliver(&two, "Other", rig_mail("y", 20000, 100 + i));
	}
	rig_flush(&one);
	rig_flush(&two);
	ck_assert_uint_eq(asked, 0);
	ck_assert_str_ne(one.volume, two.volume);
	ck_assert_ptr_nonnull(strstr(one.volume, "-0001"));
	ck_assert_ptr_nonnull(strstr(two.volume, "-0002"));
	rig_seal(&two);
	rig_seal(&one);
	rig_verify_clean(&one, one.sealed_name);
	rig_verify_clean(&two, two.sealed_name);
}
END_TEST

START_TEST(a_volume_whose_writer_died_is_continued)
{
	rig_deliver(&one, "INBOX", rig_mail("x", 20000, 1));
	rig_flush(&one);
	rig_deliver(&one, "INBOX", rig_mail("x", 2000000, 2));
	one.rows[1].gone = true;
	rig_close(&one);

	rig_deliver(&two, "Other", rig_mail("y", 20000, 3));
	ck_assert_uint_eq(asked, 1);
	ck_assert_str_eq(two.rows[0].volume, one.volume);
	ck_assert_uint_ge(two.rows[0].where.frame, one.frame_count);
	two.frame_count = one.frame_count;
	two.frames = mem_dup(one.frames, one.frame_count * sizeof(*one.frames));
	rig_flush(&two);
	ck_assert_uint_eq(two.opened, 0);
	ck_assert_uint_gt(two.committed, one.committed);
	rig_seal(&two);
	rig_read_all(&one);
	rig_read_all(&two);
}
END_TEST

START_TEST(a_volume_sealed_meanwhile_is_left_alone)
{
	rig_deliver(&one, "INBOX", rig_mail("x", 20000, 1));
	rig_flush(&one);
	rig_close(&one);
	called_open = false;

	rig_deliver(&two, "Other", rig_mail("y", 20000, 3));
	ck_assert_uint_eq(asked, 1);
	ck_assert_str_ne(two.rows[0].volume, one.volume);
}
END_TEST

START_TEST(a_held_part_is_not_resumed_by_another)
{
	struct err err = { 0 };
	rig_deliver(&one, "INBOX", rig_mail("x", 20000, 1));
	rig_flush(&one);
	struct progress p = { .committed = one.committed,
		.plain = one.plain,
		.frames = one.frames,
		.frame_count = one.frame_count };
	memcpy(p.volume, one.volume, sizeof(p.volume));
	ck_assert(!two.target.ops->resume(two.target.data, &p, &err));
	ck_assert_int_eq(err.code, ERR_LOCKED);
	rig_deliver(&one, "INBOX", rig_mail("x", 20000, 2));
	rig_seal(&one);
	rig_verify_clean(&one, one.sealed_name);
}
END_TEST

static bool
unknown(void *arg, const char *name)
{
	(void)name;
	++*(int *)arg;

	return false;
}

START_TEST(sweeping_spares_what_a_writer_holds)
{
	struct err err = { 0 };
	int swept = 0;
	rig_deliver(&one, "INBOX", rig_mail("x", 20000, 1));
	ck_assert_int_eq(
	    rig_sh("touch %s/volumes/orphan.tar.zst.part", one.dir), 0);
	rig_must(archive_sweep(one.dir, unknown, &swept, &err), &err);
	ck_assert_int_eq(swept, 2);
	ck_assert_int_eq(rig_sh("test $(ls %s/volumes | wc -l) = 1 && "
				"test ! -e %s/volumes/orphan*",
			     one.dir, one.dir),
	    0);
	rig_seal(&one);
	rig_verify_clean(&one, one.sealed_name);
}
END_TEST

START_TEST(a_body_in_another_ones_open_volume_is_compared)
{
	rig_deliver(&one, "INBOX", rig_mail("to one", 20000, 1));
	rig_flush(&one);
	struct content *same = rig_mail("to two", 20000, 1);
	struct content *other = rig_mail("to two", 20000, 2);
	ck_assert(is_same(&one.rows[0].where, same));
	ck_assert(!is_same(&one.rows[0].where, other));
	ck_assert_uint_eq(asked, 1);

	/* In frames that were not there when they were asked for. */
	rig_deliver(&one, "INBOX", rig_mail("to one", 6000000, 3));
	rig_deliver(&one, "INBOX", rig_mail("to one", 20000, 2));
	rig_flush(&one);
	struct content *large = rig_mail("to two", 6000000, 3);
	ck_assert(is_same(&one.rows[1].where, large));
	ck_assert(is_same(&one.rows[2].where, other));
	ck_assert_uint_eq(asked, 2);

	/* And once it has its last name, by the descriptor and anew. */
	rig_seal(&one);
	ck_assert(is_same(&one.rows[0].where, same));
	rig_close(&two);
	rig_target(&two);
	ck_assert(is_same(&one.rows[1].where, large));
	ck_assert_uint_eq(asked, 2);
	content_free(&same);
	content_free(&other);
	content_free(&large);
}
END_TEST

Suite *
suite_archive_pool(void)
{
	Suite *s = suite_create("archive_pool");
	TCase *t = tcase_create("archive_pool");
	tcase_add_checked_fixture(t, start, end);
	tcase_add_test(t, two_writers_have_a_volume_each);
	tcase_add_test(t, a_volume_whose_writer_died_is_continued);
	tcase_add_test(t, a_volume_sealed_meanwhile_is_left_alone);
	tcase_add_test(t, a_held_part_is_not_resumed_by_another);
	tcase_add_test(t, sweeping_spares_what_a_writer_holds);
	tcase_add_test(t, a_body_in_another_ones_open_volume_is_compared);
	suite_add_tcase(s, t);

	return s;
}
