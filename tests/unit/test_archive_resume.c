#include "archive_rig.h"

Suite *suite_archive_resume(void);

/* The process dies: the target's memory is gone, files stay. */
static void
die(void)
{
	/* Deliveries without a receipt are lost. */
	for (size_t i = 0; i < rig.count; i++)
		rig.rows[i].gone |= !rig.rows[i].kept;
	rig.target.ops->close(&rig.target.data, false);
	rig.options.run = "2026-11-22T080000Z-b2c3";
	rig_target(&rig);
}

static bool
resume(struct err *err)
{
	struct progress p = { .committed = rig.committed,
		.plain = rig.plain,
		.frames = rig.frames,
		.frame_count = rig.frame_count };
	memcpy(p.volume, rig.volume, sizeof(p.volume));

	return rig.target.ops->resume(rig.target.data, &p, err);
}

/* Torn tails: octets of garbage behind what was committed; -1: the tail as
 * the dead process left it. */
static const long tails[] = { -1, 0, 1, 17, 511, 512, 100000 };

START_TEST(a_cut_volume_goes_on_and_other_tools_read_it)
{
	struct err err = { 0 };
	for (unsigned i = 0; i < 200; i++) {
		rig_deliver(&rig, "INBOX", rig_mail("x", 30000, i));
		if (i == 120)
			rig_flush(&rig);
	}
	size_t kept = 0;
	die();
	for (size_t i = 0; i < rig.count; i++)
		kept += rig.rows[i].kept;
	ck_assert_uint_gt(kept, 100);
	ck_assert_uint_lt(kept, 200);

	if (tails[_i] >= 0)
		ck_assert_int_eq(
		    rig_sh("f=%s/volumes/%s.tar.zst.part; truncate -s %llu $f "
			   "&& head -c %ld /dev/urandom >>$f",
			rig.dir, rig.volume, (unsigned long long)rig.committed,
			tails[_i]),
		    0);
	rig_must(resume(&err), &err);
	ck_assert_str_eq(rig.target.ops->volume(rig.target.data), rig.volume);
	for (unsigned i = 0; i < 100; i++)
		rig_deliver(&rig, i % 2 ? "INBOX" : "Other",
		    rig_mail("y", 30000, 1000 + i));
	rig_seal(&rig);
	ck_assert_uint_eq(rig.opened, 1);
	ck_assert_str_eq(rig.sealed_name, rig.volume);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.volume);
	ck_assert_int_eq(rig_sh("f=%s/volumes/%s.tar.zst; zstd -tq $f && "
				"test $(tar --zstd -tf $f | grep -c '/cur/.') "
				"= %zu && bsdtar -tf $f >/dev/null && "
				"python3 tests/lib/seektable.py $f >/dev/null",
			     rig.dir, rig.volume, kept + 100),
	    0);
}
END_TEST

START_TEST(a_volume_shorter_than_committed_is_damaged)
{
	struct err err = { 0 };
	rig_deliver(&rig, "INBOX", rig_mail("x", 30000, 1));
	rig_flush(&rig);
	die();
	ck_assert_int_eq(
	    rig_sh("truncate -s %llu %s/volumes/%s.tar.zst.part",
		(unsigned long long)rig.committed - 1, rig.dir, rig.volume),
	    0);
	ck_assert(!resume(&err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_int_eq(err.code, ERR_DAMAGED);
}
END_TEST

START_TEST(a_missing_volume_is_damaged)
{
	struct err err = { 0 };
	rig_deliver(&rig, "INBOX", rig_mail("x", 30000, 1));
	rig_flush(&rig);
	die();
	ck_assert_int_eq(rig_sh("rm %s/volumes/*.part", rig.dir), 0);
	ck_assert(!resume(&err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
}
END_TEST

START_TEST(a_volume_of_which_nothing_was_committed_is_made_again)
{
	struct err err = { 0 };
	snprintf(
	    rig.volume, sizeof(rig.volume), "2026-11-20T000000Z-aaaa-0001");
	rig_must(resume(&err), &err);
	ck_assert_str_eq(rig.target.ops->volume(rig.target.data), "");
	rig_deliver(&rig, "INBOX", rig_mail("x", 30000, 1));
	ck_assert_str_eq(rig.target.ops->volume(rig.target.data), rig.volume);
	rig_seal(&rig);
	ck_assert_uint_eq(rig.opened, 0);
	rig_read_all(&rig);
}
END_TEST

START_TEST(a_continued_volume_may_be_sealed_at_once)
{
	struct err err = { 0 };
	rig_deliver(&rig, "INBOX", rig_mail("x", 30000, 1));
	rig_flush(&rig);
	die();
	rig_must(resume(&err), &err);
	rig_seal(&rig);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.volume);
}
END_TEST

START_TEST(a_link_and_a_body_may_name_what_was_there_before_the_crash)
{
	struct err err = { 0 };
	bool same = false;
	rig_deliver_at(
	    &rig, "a@x", "INBOX", 5, rig_mail("x", 30000, 1), CLAIM_WHOLE, 0);
	rig_flush(&rig);
	die();
	rig_must(resume(&err), &err);
	struct content *c = rig_mail("other", 30000, 1);
	rig_must(rig.target.ops->same_body(
		     rig.target.data, &rig.rows[0].where, c, &same, &err),
	    &err);
	ck_assert(same);
	rig_deliver_at(
	    &rig, "a@x", "Sent", 5, rig_mail("x", 30000, 1), CLAIM_LINK, 0);
	rig_deliver_at(&rig, "b@x", "INBOX", 6, c, CLAIM_REFERENCE, 0);
	rig_seal(&rig);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.volume);
}
END_TEST

static bool
known(void *arg, const char *name)
{
	return strcmp(arg, name) == 0;
}

START_TEST(only_orphans_are_swept)
{
	struct err err = { 0 };
	bool yes = false;
	rig_deliver(&rig, "INBOX", rig_mail("x", 30000, 1));
	rig_flush(&rig);
	die();
	ck_assert_int_eq(rig_sh("cd %s/volumes && touch r-0001.tar.zst.part "
				"r-0002.tar.zst other.txt",
			     rig.dir),
	    0);
	rig_must(archive_sweep(rig.dir, known, rig.volume, &err), &err);
	ck_assert_int_eq(
	    rig_sh("cd %s/volumes && test ! -e "
		   "r-0001.tar.zst.part && test -e r-0002.tar.zst "
		   "&& test -e other.txt && test -e %s.tar.zst.part",
		rig.dir, rig.volume),
	    0);
	rig_must(archive_has_volumes(rig.dir, &yes, &err), &err);
	ck_assert(yes);
}
END_TEST

START_TEST(a_volume_renamed_before_the_crash_is_found_sealed)
{
	struct err err = { 0 };
	struct progress p;
	struct frame_info *frames;
	bool sealed = true;
	rig_deliver(&rig, "INBOX", rig_mail("x", 2 << 20, 1));
	rig_flush(&rig);
	rig_must(archive_find_sealed(
		     rig.dir, rig.volume, &sealed, &p, &frames, &err),
	    &err);
	ck_assert(!sealed);
	rig_seal(&rig);
	rig_must(archive_find_sealed(
		     rig.dir, rig.volume, &sealed, &p, &frames, &err),
	    &err);
	ck_assert(sealed);
	ck_assert_mem_eq(p.sha256, rig.sha256, 32);
	ck_assert_uint_gt(p.frame_count, 1);
	ck_assert_mem_eq(&frames[0], &rig.frames[0], sizeof(frames[0]));
	free(frames);
}
END_TEST

START_TEST(an_unfinished_volume_is_read_with_the_indexs_frames)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	struct message_parts parts;
	for (unsigned i = 0; i < 60; i++)
		rig_deliver(&rig, "INBOX", rig_mail("x", 50000, i));
	rig_flush(&rig);
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	rig_parts(&rig.rows[59], &parts);
	ck_assert(!archive_reader_message(reader, &parts, NULL, NULL, &err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	rig_must(archive_reader_frames(
		     reader, rig.volume, rig.frames, rig.frame_count, &err),
	    &err);
	for (size_t i = 0; i < rig.count; i++) {
		rig_parts(&rig.rows[i], &parts);
		rig_must(
		    archive_reader_message(reader, &parts, NULL, NULL, &err),
		    &err);
	}
	archive_reader_close(&reader);
}
END_TEST

Suite *
suite_archive_resume(void)
{
	Suite *s = suite_create("archive_resume");
	TCase *t = tcase_create("resume");
	tcase_add_checked_fixture(t, rig_up, rig_down);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, a_cut_volume_goes_on_and_other_tools_read_it, 0,
	    (int)(sizeof(tails) / sizeof(tails[0])));
	tcase_add_test(t, a_volume_shorter_than_committed_is_damaged);
	tcase_add_test(t, a_missing_volume_is_damaged);
	tcase_add_test(
	    t, a_volume_of_which_nothing_was_committed_is_made_again);
	tcase_add_test(t, a_continued_volume_may_be_sealed_at_once);
	tcase_add_test(
	    t, a_link_and_a_body_may_name_what_was_there_before_the_crash);
	tcase_add_test(t, only_orphans_are_swept);
	tcase_add_test(t, a_volume_renamed_before_the_crash_is_found_sealed);
	tcase_add_test(t, an_unfinished_volume_is_read_with_the_indexs_frames);
	suite_add_tcase(s, t);

	return s;
}
