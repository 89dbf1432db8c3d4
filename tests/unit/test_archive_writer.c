#include "archive_rig.h"

#include "archive/frames.h"

Suite *suite_archive_writer(void);

START_TEST(a_volume_is_read_by_other_tools_and_by_us)
{
	for (unsigned i = 0; i < 300; i++)
		rig_deliver(&rig, i % 3 ? "INBOX" : "Entw\xc3\xbcrfe/2026",
		    rig_mail("x", 20000, i));
	rig_seal(&rig);
	ck_assert_uint_eq(rig.opened, 1);
	const char *dir = rig.dir, *name = rig.sealed_name;
	ck_assert_int_eq(
	    rig_sh("zstd -tq %s/volumes/%s.tar.zst", dir, name), 0);
	ck_assert_int_eq(rig_sh("test $(tar --zstd -tf %s/volumes/%s.tar.zst"
				" | grep -c '/cur/.') = 300",
			     dir, name),
	    0);
	ck_assert_int_eq(rig_sh("test $(bsdtar -tf %s/volumes/%s.tar.zst"
				" | grep -c '/cur/.') = 300",
			     dir, name),
	    0);
	ck_assert_int_eq(rig_sh("python3 tests/lib/seektable.py "
				"%s/volumes/%s.tar.zst >%s/table",
			     dir, name, rig.root),
	    0);
	rig_read_all(&rig);
	rig_verify_clean(&rig, name);
}
END_TEST

START_TEST(the_reported_hash_is_that_of_sha256sum)
{
	char hex[65];
	rig_deliver(&rig, "INBOX", rig_mail("x", 100, 1));
	rig_seal(&rig);
	digest_hex(hex, rig.sha256, 32);
	ck_assert_int_eq(rig_sh("echo '%s  %s/volumes/%s.tar.zst' | "
				"sha256sum -c --quiet",
			     hex, rig.dir, rig.sealed_name),
	    0);
}
END_TEST

START_TEST(plain_tar_alone_gives_a_maildir_with_dates)
{
	struct kept *k = rig_deliver(&rig, "INBOX", rig_mail("x", 100, 1));
	struct stat st;
	char *path = mem_fmt("%s/out/%s", rig.root, k->entry);
	rig_seal(&rig);
	ck_assert_int_eq(rig_sh("mkdir %s/out && tar --zstd -C %s/out -xf "
				"%s/volumes/%s.tar.zst 2>%s/warnings && "
				"test ! -s %s/warnings",
			     rig.root, rig.root, rig.dir, rig.sealed_name,
			     rig.root, rig.root),
	    0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mtime, 1700000000);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(rig_sh("cd %s/out/alice@example.org/INBOX && "
				"test -d cur && test -d new && test -d tmp",
			     rig.root),
	    0);
	free(path);
}
END_TEST

START_TEST(nothing_delivered_creates_nothing)
{
	struct progress p;
	struct err err = { 0 };
	bool yes = true;
	rig_must(rig.target.ops->flush(rig.target.data, &err), &err);
	ck_assert_uint_eq(rig_collect(&rig, true, 64), 0);
	rig_must(
	    rig.target.ops->seal(rig.target.data, rig_next, &rig, &p, &err),
	    &err);
	ck_assert_str_eq(p.volume, "");
	ck_assert(!p.sealed);
	rig_must(archive_has_volumes(rig.dir, &yes, &err), &err);
	ck_assert(!yes);
	ck_assert_int_eq(rig_sh("test -s %s/README.txt", rig.dir), 0);
}
END_TEST

START_TEST(a_large_message_spans_frames)
{
	rig_deliver(&rig, "INBOX", rig_mail("small", 500000, 1));
	rig_deliver(&rig, "INBOX", rig_mail("large", 40 << 20, 2));
	rig_deliver(&rig, "INBOX", rig_mail("after", 1000, 3));
	rig_seal(&rig);
	ck_assert_uint_eq(rig.rows[1].where.frame, 0);
	ck_assert_uint_gt(rig.rows[2].where.frame, 8);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.sealed_name);
	ck_assert_int_eq(rig_sh("python3 tests/lib/seektable.py "
				"%s/volumes/%s.tar.zst >%s/table",
			     rig.dir, rig.sealed_name, rig.root),
	    0);
}
END_TEST

/* Sizes around which tar's padding and FRAME_MAX's cuts move. */
START_TEST(data_that_starts_at_a_cut_is_found)
{
	for (size_t n = 0; n < 12; n++) {
		size_t base = FRAME_MAX - 8192 + n * 512;
		rig_deliver(&rig, "INBOX", rig_mail("a", 900000, 1));
		rig_deliver(&rig, "INBOX", rig_mail("b", base - 900000, 2));
		rig_deliver(&rig, "INBOX", rig_content("", 0));
		rig_deliver(&rig, "INBOX", rig_content("x", 1));
	}
	rig_seal(&rig);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.sealed_name);
}
END_TEST

START_TEST(committed_is_always_an_entry_boundary)
{
	for (unsigned i = 0; i < 12; i++) {
		rig_deliver(&rig, "INBOX", rig_mail("x", 3 << 20, i));
		rig_collect(&rig, false, 1);
		if (rig.committed == 0)
			continue;
		/* What is committed is whole entries: tar reads it to its end,
		 * once the end blocks are added. */
		ck_assert_int_eq(
		    rig_sh("{ head -c %llu %s/volumes/%s.tar.zst.part | "
			   "zstd -dcq; head -c 1024 /dev/zero; } | "
			   "tar -tf - >%s/list",
			(unsigned long long)rig.committed, rig.dir, rig.volume,
			rig.root),
		    0);
	}
	ck_assert_uint_gt(rig.committed, 0);
	rig_flush(&rig);
	for (size_t i = 0; i < rig.count; i++)
		ck_assert(rig.rows[i].kept);
}
END_TEST

START_TEST(waiting_gives_a_receipt_without_a_flush)
{
	rig_deliver(&rig, "INBOX", rig_mail("x", 100, 1));
	ck_assert_uint_eq(rig_collect(&rig, false, 64), 0);
	ck_assert_uint_eq(rig_collect(&rig, true, 64), 1);
	ck_assert(rig.rows[0].kept);
}
END_TEST

START_TEST(receipts_come_in_the_room_given)
{
	for (unsigned i = 0; i < 100; i++)
		rig_deliver(&rig, "INBOX", rig_mail("x", 30000, i));
	struct err err = { 0 };
	rig_must(rig.target.ops->flush(rig.target.data, &err), &err);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_uint_eq(rig_collect(&rig, false, 1), 1);
		ck_assert(rig.rows[i].kept);
		/* Never a receipt whose octets the index wasn't told of. */
		ck_assert_uint_gt(rig.frame_count, rig.rows[i].where.frame);
	}
	ck_assert_uint_eq(rig_collect(&rig, false, 1), 0);
}
END_TEST

START_TEST(a_repeat_is_a_hardlink_and_a_shared_body_a_header)
{
	struct content *one = rig_mail("one", 20000, 5);
	struct content *again = rig_mail("one", 20000, 5);
	rig_deliver_at(&rig, "a@x", "INBOX", 1700000000, one, CLAIM_WHOLE, 0);
	rig_deliver_at(&rig, "a@x", "Sent", 1700000000, again, CLAIM_LINK, 0);
	rig_deliver_at(&rig, "b@x", "INBOX", 1700000005,
	    rig_mail("other header", 20000, 5), CLAIM_REFERENCE, 0);
	rig_seal(&rig);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.sealed_name);

	/* In another volume only a reference can name it. */
	rig_deliver_at(&rig, "c@x", "INBOX", 1700000009,
	    rig_mail("third header", 20000, 5), CLAIM_REFERENCE, 0);
	rig_seal(&rig);
	ck_assert_str_ne(rig.rows[3].where.volume, rig.rows[0].where.volume);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.sealed_name);
}
END_TEST

START_TEST(bodies_are_compared_wherever_they_are)
{
	struct err err = { 0 };
	bool same;
	struct target *t = &rig.target;
	struct content *equal = rig_mail("other", 30000, 1);
	struct content *other = rig_mail("other", 30000, 2);
	rig_deliver(&rig, "INBOX", rig_mail("x", 30000, 1));
	/* In the frame being filled; in one cut and not yet written; in the
	 * file; in a sealed volume. */
	for (int step = 0; step < 4; step++) {
		for (int round = 0; round < 3; round++) {
			rig_must(t->ops->same_body(t->data, &rig.rows[0].where,
				     equal, &same, &err),
			    &err);
			ck_assert(same);
			rig_must(t->ops->same_body(t->data, &rig.rows[0].where,
				     other, &same, &err),
			    &err);
			ck_assert(!same);
		}
		if (step == 0)
			rig_deliver(&rig, "INBOX", rig_mail("y", 3 << 20, 3));
		else if (step == 1)
			rig_flush(&rig);
		else if (step == 2)
			rig_seal(&rig);
	}
	content_free(&equal);
	content_free(&other);
}
END_TEST

START_TEST(the_volume_limit_starts_another)
{
	rig_close(&rig);
	rig.options.volume_limit = 2 << 20;
	rig_target(&rig);
	for (unsigned i = 0; i < 700; i++) {
		rig_deliver(&rig, "INBOX", rig_mail("x", 40000, i));
		rig_collect(&rig, false, 64);
		if (rig.target.ops->full(rig.target.data))
			rig_seal(&rig);
	}
	rig_seal(&rig);
	ck_assert_uint_ge(rig.sealed, 3);
	ck_assert_uint_eq(rig.opened, rig.sealed);
	rig_read_all(&rig);
}
END_TEST

START_TEST(a_full_disk_stops_the_run_and_says_where)
{
	struct err err = { 0 };
	struct kept where;
	struct receipt receipts[4];
	struct progress p;
	size_t n = 4;
	rig_close(&rig);
	rig.options.min_free = UINT64_C(1) << 60;
	rig_target(&rig);
	struct target *t = &rig.target;
	struct target_box box;
	struct source_mailbox name = { .name = "INBOX", .display = "INBOX" };
	struct content *c = rig_mail("x", 1000, 1);
	struct placement placement = { .okey = 1, .idate = 1 };
	struct item item = { .placement = &placement, .content = c };
	rig_must(t->ops->open(t->data, "a", &name, 1, &box, &err), &err);
	rig_must(t->ops->deliver(t->data, &item, 1, &where, &err), &err);
	ck_assert(!t->ops->flush(t->data, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_int_eq(err.code, ERR_DISK_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, rig.dir));
	ck_assert(!t->ops->collect(t->data, false, receipts, &n, &p, &err));
	ck_assert_int_eq(err.code, ERR_DISK_FULL);
	rig_close(&rig);
	/* It was never told of: nothing is left. */
	ck_assert_int_eq(rig_sh("test -z \"$(ls %s/volumes)\"", rig.dir), 0);
	content_free(&c);
}
END_TEST

START_TEST(strange_mailbox_names_stay_inside)
{
	static const char *const names[] = { "../../etc", "a\tb", "a\\b'\"c",
		"-rf", ".mailhaul", "cur", "x/cur/y", "Entw\xc3\xbcrfe", " x ",
		"a//b", "%2e%2e" };
	struct buf deep = { 0 };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		rig_deliver(&rig, names[i], rig_mail("x", 100, (unsigned)i));
	for (int i = 0; i < 60; i++)
		buf_str(&deep, i == 0 ? "abc" : "/abc");
	rig_deliver(&rig, deep.data, rig_mail("deep", 100, 99));
	buf_free(&deep);
	rig_seal(&rig);
	rig_read_all(&rig);
	rig_verify_clean(&rig, rig.sealed_name);
	for (size_t i = 0; i < rig.count; i++)
		ck_assert_int_eq(
		    strncmp(rig.rows[i].where.entry, "alice@example.org/", 18),
		    0);
}
END_TEST

/* O06: only the archive itself may be reached by a link. */
START_TEST(its_folders_are_no_links)
{
	static const char *const folders[] = { "volumes", "runs" };
	char link_path[160], elsewhere[128], archive[128];
	struct err err;
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", rig.root);
	snprintf(archive, sizeof(archive), "%s/linked", rig.root);
	ck_assert_int_eq(mkdir(elsewhere, 0700), 0);
	ck_assert_int_eq(symlink(elsewhere, archive), 0);
	ck_assert(archive_create(archive, &err));
	snprintf(link_path, sizeof(link_path), "%s/%s", elsewhere, folders[_i]);
	ck_assert_int_eq(rmdir(link_path), 0);
	ck_assert_int_eq(symlink(rig.root, link_path), 0);
	ck_assert(!archive_create(archive, &err));
	ck_assert_int_eq(err.code, ERR_DISK_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, "is a link"));
}
END_TEST

Suite *
suite_archive_writer(void)
{
	Suite *s = suite_create("archive_writer");
	TCase *t = tcase_create("writer");
	tcase_add_checked_fixture(t, rig_up, rig_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_volume_is_read_by_other_tools_and_by_us);
	tcase_add_test(t, the_reported_hash_is_that_of_sha256sum);
	tcase_add_test(t, plain_tar_alone_gives_a_maildir_with_dates);
	tcase_add_test(t, nothing_delivered_creates_nothing);
	tcase_add_test(t, a_large_message_spans_frames);
	tcase_add_test(t, data_that_starts_at_a_cut_is_found);
	tcase_add_test(t, committed_is_always_an_entry_boundary);
	tcase_add_test(t, waiting_gives_a_receipt_without_a_flush);
	tcase_add_test(t, receipts_come_in_the_room_given);
	tcase_add_test(t, a_repeat_is_a_hardlink_and_a_shared_body_a_header);
	tcase_add_test(t, bodies_are_compared_wherever_they_are);
	tcase_add_test(t, the_volume_limit_starts_another);
	tcase_add_test(t, a_full_disk_stops_the_run_and_says_where);
	tcase_add_test(t, strange_mailbox_names_stay_inside);
	tcase_add_loop_test(t, its_folders_are_no_links, 0, 2);
	suite_add_tcase(s, t);

	return s;
}
