/* unpack.sh and what a sealed volume says of itself. */
#include "archive_rig.h"

Suite *suite_archive_seal(void);

static const char *const shells[] = { "dash", "bash --posix" };

static void
fill_two_volumes(void)
{
	static const char *const boxes[] = { "INBOX",
		"Entw\xc3\xbcrfe/\xe2\x82\xac", "it's \"quoted\" $HOME `x`",
		"new\nline", "back\\slash", "-n", " blanks  in ", "a*?[b]" };
	enum { BOXES = sizeof(boxes) / sizeof(boxes[0]) };
	for (unsigned i = 0; i < BOXES; i++) {
		rig_deliver_at(&rig, "alice@example.org", boxes[i], 1700000000,
		    rig_mail("w", 20000 + i, i), CLAIM_WHOLE, 0);
		rig_deliver_at(&rig, "bob o'x@example.org", boxes[i],
		    1700000000, rig_mail("w", 20000 + i, i), CLAIM_LINK, 2 * i);
	}
	for (unsigned i = 0; i < BOXES; i++)
		rig_deliver_at(&rig, "carol@example.org", boxes[i],
		    1600000000 + i, rig_mail("another header", 20000 + i, i),
		    CLAIM_REFERENCE, 2 * i);
	rig_deliver(&rig, "INBOX", rig_content("", 0));
	rig_seal(&rig);
	for (unsigned i = 0; i < BOXES; i++)
		rig_deliver_at(&rig, "dave@example.org", boxes[i],
		    1500000000 + i, rig_mail("third", 20000 + i, i),
		    CLAIM_REFERENCE, 2 * i);
	rig_seal(&rig);
}

static int
unpack(const char *shell)
{
	return rig_sh("cd %s && rm -rf out && zstd -dcq a/volumes/%s.tar.zst | "
		      "tar -xOf - .mailhaul/unpack.sh >unpack.sh && "
		      "%s unpack.sh a out >said 2>&1",
	    rig.root, rig.sealed_name, shell);
}

/* The path a message has in the unpacked tree. */
static void
compare_file(const struct rig_message *m)
{
	struct err err = { 0 };
	struct buf path = { 0 }, octets = { 0 };
	struct stat st;
	uint8_t sha256[32];
	buf_fmt(&path, "%s/out/", rig.root);
	if (m->claim == CLAIM_REFERENCE) {
		const char *inside =
		    m->where.entry + strlen(".mailhaul/shared/");
		const char *name = strrchr(inside, '/');
		buf_add(&path, inside, (size_t)(name - inside));
		buf_str(&path, "/cur");
		buf_add(&path, name, strlen(name) - 4);
	} else {
		buf_str(&path, m->where.entry);
	}
	rig_must(file_read(path.data, 1 << 20, &octets, &err), &err);
	digest_of(octets.data == NULL ? "" : octets.data, octets.len, sha256);
	ck_assert_mem_eq(sha256, m->where.sha256, 32);
	ck_assert_int_eq(stat(path.data, &st), 0);
	ck_assert_int_eq(st.st_mtime, m->placement.idate);
	buf_free(&path);
	buf_free(&octets);
}

START_TEST(unpack_sh_gives_every_message_with_its_date)
{
	fill_two_volumes();
	ck_assert_int_eq(unpack(shells[_i]), 0);
	for (size_t i = 0; i < rig.count; i++)
		compare_file(&rig.rows[i]);
	ck_assert_int_eq(rig_sh("grep -q '2 volumes: 9 messages, 8 hardlinks, "
				"16 joined' %s/said",
			     rig.root),
	    0);
}
END_TEST

START_TEST(unpack_sh_knows_its_own_folder_from_a_mailbox)
{
	static const char *const boxes[] = { "x.mailhaul/unpack", "my.mailhaul",
		"unpack" };
	for (unsigned i = 0; i < 3; i++)
		rig_deliver_at(&rig,
		    i == 2 ? "joe@my.mailhaul" : "bob@example.org", boxes[i],
		    1600000000 + i, rig_mail("x", 100, i), CLAIM_WHOLE, 0);
	rig_deliver_at(&rig, "bob@example.org", boxes[0], 1600000000,
	    rig_mail("x", 100, 0), CLAIM_LINK, 0);
	rig_seal(&rig);
	ck_assert_int_eq(unpack("dash"), 0);
	for (size_t i = 0; i < rig.count; i++)
		compare_file(&rig.rows[i]);
}
END_TEST

START_TEST(unpack_sh_names_what_is_missing)
{
	fill_two_volumes();
	/* The first volume is gone: bodies of the second can't be joined. */
	ck_assert_int_eq(rig_sh("rm %s/volumes/%s.tar.zst", rig.dir,
			     rig.rows[0].where.volume),
	    0);
	ck_assert_int_eq(unpack("dash"), 1);
	ck_assert_int_eq(rig_sh("grep -q '8 MISSING OR DIFFERENT' %s/said && "
				"grep -q 'dave@example.org/INBOX/cur/' %s/said",
			     rig.root, rig.root),
	    0);
}
END_TEST

START_TEST(unpack_sh_refuses_a_folder_that_is_not_empty)
{
	rig_deliver(&rig, "INBOX", rig_mail("x", 100, 1));
	rig_seal(&rig);
	ck_assert_int_eq(unpack("dash"), 0);
	ck_assert_int_eq(
	    rig_sh("cd %s && sh unpack.sh a out 2>/dev/null", rig.root), 2);
}
END_TEST

/* Python writes volumes that we never would; out/ must stay the only place
 * that changes. */
static const char *const evil[] = {
	"t.addfile(f('../escaped'), io.BytesIO(b'x'))",
	"t.addfile(f('/tmp/mailhaul-escaped'), io.BytesIO(b'x'))",
	"i=f('l',0); i.type=tarfile.SYMTYPE; i.linkname='..'; t.addfile(i);"
	"t.addfile(f('l/escaped'), io.BytesIO(b'x'))",
	"i=f('h',0); i.type=tarfile.LNKTYPE; i.linkname='../said';"
	"t.addfile(i)",
	"i=f('p',0); i.type=tarfile.FIFOTYPE; t.addfile(i)",
	"i=f('p'); i.mode=0o4755; t.addfile(i, io.BytesIO(b'x'))",
	"t.addfile(f('.mailhaul/unpack/rows'), io.BytesIO(b'x'))",
	"t.addfile(f('.mailhaul/./unpack/rows'), io.BytesIO(b'x'))",
	"t.addfile(f('././/.mailhaul/unpack/rows'), io.BytesIO(b'x'))",
	"i=f('h',0); i.type=tarfile.LNKTYPE; "
	"i.linkname='.mailhaul/unpack/rows';"
	"t.addfile(i)",
	"c=b'reference\\t../escaped/cur/x\\tv\\ta\\t0\\t1\\t'+b'0'*64+b'\\n';"
	"t.addfile(f('a'), io.BytesIO(b'x'));"
	"t.addfile(f('.mailhaul/CATALOG.tsv',len(c)), io.BytesIO(c));"
	"t.addfile(f('.mailhaul/CATALOG.jsonl',0))",
};

START_TEST(unpack_sh_never_writes_outside)
{
	rig_deliver(&rig, "INBOX", rig_mail("x", 100, 1));
	rig_seal(&rig);
	struct buf python = { 0 };
	buf_fmt(&python,
	    "import tarfile, io\n"
	    "def f(n, s=1):\n"
	    "    i = tarfile.TarInfo(n); i.size = s; return i\n"
	    "t = tarfile.open('%s/evil.tar', 'w')\n"
	    "%s\n"
	    "t.close()\n",
	    rig.root, evil[_i]);
	struct err err = { 0 };
	char *script = mem_fmt("%s/evil.py", rig.root);
	rig_must(file_replace(script, python.data, python.len, &err), &err);
	buf_free(&python);
	free(script);
	ck_assert_int_eq(
	    rig_sh("cd %s && python3 evil.py && zstd -q evil.tar -o "
		   "a/volumes/zevil.tar.zst",
		rig.root),
	    0);
	ck_assert_int_eq(unpack("dash"), 1);
	ck_assert_int_eq(rig_sh("cd %s && test ! -e escaped && "
				"test ! -e /tmp/mailhaul-escaped && "
				"test ! -e out/p",
			     rig.root),
	    0);
	struct archive_verified sums;
	struct rig_findings all = rig_verify(&rig, "zevil", NULL, &sums);
	ck_assert_uint_gt(all.count, 0);
	buf_free(&all.text);
}
END_TEST

START_TEST(the_catalog_is_json_that_fits_its_schema)
{
	fill_two_volumes();
	ck_assert_int_eq(
	    rig_sh("zstd -dcq %s/volumes/%s.tar.zst | tar -xOf - "
		   ".mailhaul/CATALOG.jsonl | python3 -c '"
		   "import json,sys\n"
		   "schema=json.load(open(\"schemas/catalog.schema.json\"))\n"
		   "rows=[json.loads(l) for l in sys.stdin]\n"
		   "assert len(rows)==25, len(rows)\n"
		   "for r in rows:\n"
		   "    assert set(schema[\"required\"])<=set(r), r\n"
		   "    assert set(r)<=set(schema[\"properties\"]), r\n"
		   "    assert r[\"flags\"]==[\"\\\\Seen\"], r\n"
		   "    assert r[\"keywords\"]==[\"$Forwarded\",\"Junk\"], r\n"
		   "assert rows[0][\"internaldate\"]=="
		   "\"2023-11-14T23:13:20+01:00\", rows[0]\n'",
		rig.dir, rig.rows[0].where.volume),
	    0);
}
END_TEST

START_TEST(sealing_reads_back_and_takes_time_for_it)
{
	struct err err = { 0 };
	struct progress p;
	rig_deliver(&rig, "INBOX", rig_mail("x", 3 << 20, 1));
	rig_flush(&rig);
	/* Another hand alters a committed octet: sealing must find it. */
	ck_assert_int_eq(rig_sh("printf X | dd of=%s/volumes/%s.tar.zst.part "
				"bs=1 seek=5000 conv=notrunc status=none",
			     rig.dir, rig.volume),
	    0);
	ck_assert(
	    !rig.target.ops->seal(rig.target.data, rig_next, &rig, &p, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	ck_assert_int_eq(
	    rig_sh("test ! -e %s/volumes/%s.tar.zst", rig.dir, rig.volume), 0);
}
END_TEST

Suite *
suite_archive_seal(void)
{
	Suite *s = suite_create("archive_seal");
	TCase *t = tcase_create("seal");
	tcase_add_checked_fixture(t, rig_up, rig_down);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, unpack_sh_gives_every_message_with_its_date, 0,
	    (int)(sizeof(shells) / sizeof(shells[0])));
	tcase_add_test(t, unpack_sh_knows_its_own_folder_from_a_mailbox);
	tcase_add_test(t, unpack_sh_names_what_is_missing);
	tcase_add_test(t, unpack_sh_refuses_a_folder_that_is_not_empty);
	tcase_add_loop_test(t, unpack_sh_never_writes_outside, 0,
	    (int)(sizeof(evil) / sizeof(evil[0])));
	tcase_add_test(t, the_catalog_is_json_that_fits_its_schema);
	tcase_add_test(t, sealing_reads_back_and_takes_time_for_it);
	suite_add_tcase(s, t);

	return s;
}
