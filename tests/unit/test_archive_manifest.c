#include "archive_rig.h"

Suite *suite_archive_manifest(void);

/* Placements of the run that replaces a volume as well. */
enum { MANY = 3000 };

static void
write_run(const char *name, const char *previous, const uint8_t *previous_sha,
    unsigned placements, uint8_t sha256[32])
{
	struct err err = { 0 };
	struct manifest *m;
	const struct manifest_run run = { .name = name,
		.command = "copy imaps://a@b/ archive:x",
		.state = "complete",
		.started = 1700000000,
		.ended = 1700000100,
		.previous = previous,
		.previous_sha256 = previous_sha };
	const struct manifest_account account = { .account = "a@x",
		.kind = "imap",
		.target = "archive",
		.state = "incomplete",
		.started = 1700000000,
		.exit_code = 6,
		.text = "the line broke" };
	const struct manifest_mailbox box = { .account = "a@x",
		.kind = "imap",
		.mailbox = "INBOX",
		.wire = "INBOX",
		.wire_len = 5,
		.uidvalidity = 7,
		.separator = '/',
		.counted = true,
		.inventory = placements,
		.delivered = placements };
	const struct manifest_mailbox gone = { .account = "a@x",
		.kind = "imap",
		.mailbox = "Old",
		.wire = "Old\xff",
		.wire_len = 4,
		.uidvalidity = 7,
		.generation = 1,
		.ended = true,
		.emptied = true,
		.by_wire = "New",
		.by_wire_len = 3,
		.by_uidvalidity = 8 };
	const struct manifest_volume volume = { .name = "v-0001",
		.sha256 = { 1, 2, 3 },
		.octets = 12345,
		.frames = 6 };
	rig_must(manifest_begin(&m, rig.dir, &run, &err), &err);
	rig_must(manifest_account(m, &account, &err), &err);
	rig_must(manifest_mailbox(m, &box, &err), &err);
	rig_must(manifest_mailbox(m, &gone, &err), &err);
	for (unsigned i = 0; i < placements; i++) {
		char subject[40];
		snprintf(subject, sizeof(subject), "subject %u", i * 7919);
		const struct catalog_row row = { .account = "a@x",
			.mailbox = "INBOX",
			.wire = "INBOX",
			.wire_len = 5,
			.uid = i + 1,
			.keywords = "",
			.idate = 1700000000,
			.entry = "a@x/INBOX/cur/x",
			.claim = i % 5 == 0 ? CLAIM_KNOWN : CLAIM_WHOLE,
			.subject = subject };
		rig_must(
		    manifest_placement(m, &row, "v-0001", i % 2, &err), &err);
	}
	const struct catalog_row lost = { .account = "a@x",
		.mailbox = "\xff",
		.wire = "\xff",
		.wire_len = 1,
		.generation = 2,
		.uid = 9 };
	const struct manifest_outcome outcome = { .row = &lost,
		.outcome = "unreadable",
		.class = "protocol",
		.why = "the server says \"no\"" };
	rig_must(manifest_outcome(m, &outcome, &err), &err);
	rig_must(manifest_volume(m, &volume, &err), &err);
	if (placements >= MANY) {
		const struct manifest_volume replaced = {
			.name = "v-0000", .octets = 9, .replaced_by = "v-0001"
		};
		const struct manifest_moved moved = {
			.volume = "v-0000", .to = "v-0001", .offset = 512
		};
		rig_must(manifest_volume(m, &replaced, &err), &err);
		rig_must(manifest_moved(m, &moved, &err), &err);
	}
	rig_must(manifest_end(&m, sha256, &err), &err);
	ck_assert_ptr_null(m);
}

struct heard {
	size_t volumes, runs, findings;
	struct buf text;
	char order[200];
};

static void
on_volume(void *arg, const char *run, const struct manifest_volume *v)
{
	struct heard *h = arg;
	ck_assert_ptr_nonnull(run);
	if (v->replaced_by != NULL) {
		ck_assert_str_eq(v->name, "v-0000");
		ck_assert_str_eq(v->replaced_by, "v-0001");
		return;
	}
	ck_assert_str_eq(v->name, "v-0001");
	ck_assert_uint_eq(v->octets, 12345);
	h->volumes++;
}

static void
on_run(void *arg, const char *name, const uint8_t sha256[32])
{
	struct heard *h = arg;
	(void)sha256;
	h->runs++;
	snprintf(h->order + strlen(h->order),
	    sizeof(h->order) - strlen(h->order), "%s ", name);
}

static void
on_finding(void *arg, const char *run, const char *what)
{
	struct heard *h = arg;
	h->findings++;
	buf_fmt(&h->text, "%s: %s\n", run, what);
}

static struct heard
check(void)
{
	struct err err = { 0 };
	struct heard h = { 0 };
	rig_must(
	    manifest_check(rig.dir, on_volume, on_run, on_finding, &h, &err),
	    &err);

	return h;
}

static void
write_three(void)
{
	uint8_t one[32], two[32], three[32];
	write_run("r1", NULL, NULL, 10, one);
	write_run("r3", "r1", one, MANY, two);
	write_run("r2", "r3", two, 5, three);
}

START_TEST(the_same_input_gives_the_same_octets)
{
	uint8_t one[32], two[32], real[32];
	write_run("r1", NULL, NULL, 2000, one);
	ck_assert_int_eq(
	    rig_sh("mv %s/runs/r1.jsonl.zst %s/first", rig.dir, rig.root), 0);
	write_run("r1", NULL, NULL, 2000, two);
	ck_assert_mem_eq(one, two, 32);
	ck_assert_int_eq(
	    rig_sh("cmp %s/runs/r1.jsonl.zst %s/first", rig.dir, rig.root), 0);
	struct err err = { 0 };
	struct buf octets = { 0 };
	char *path = mem_fmt("%s/first", rig.root);
	rig_must(file_read(path, 1 << 24, &octets, &err), &err);
	digest_of(octets.data, octets.len, real);
	ck_assert_mem_eq(real, one, 32);
	buf_free(&octets);
	free(path);
}
END_TEST

START_TEST(other_tools_read_a_manifest_and_it_fits_its_schema)
{
	write_three();
	ck_assert_int_eq(
	    rig_sh("zstd -tq %s/runs/r3.jsonl.zst && zstd -dcq "
		   "%s/runs/r3.jsonl.zst | python3 -c '"
		   "import json,sys\n"
		   "s=json.load(open(\"schemas/manifest.schema.json\"))\n"
		   "kinds={k[\"properties\"][\"type\"].get(\"const\"):k "
		   "for k in s[\"oneOf\"]}\n"
		   "c=json.load(open(\"schemas/catalog.schema.json\"))\n"
		   "more=set(c[\"properties\"])\n"
		   "assert set(c[\"required\"])<=more\n"
		   "seen=set()\n"
		   "n=0\n"
		   "for l in sys.stdin:\n"
		   "    r=json.loads(l); k=kinds[r[\"type\"]]; n+=1\n"
		   "    assert set(k[\"required\"])<=set(r), r\n"
		   "    seen.add(r[\"type\"])\n"
		   "    may=set(k[\"properties\"])\n"
		   "    if r[\"type\"]==\"begun\":\n"
		   "        assert set(c[\"required\"])<=set(r), r\n"
		   "        may|=more\n"
		   "        known=r[\"claim\"]==\"known\"\n"
		   "        assert r.get(\"known\",False)==known, r\n"
		   "        for f in (\"volume\",\"entry\",\"frame\","
		   "\"offset\"):\n"
		   "            assert (r[f] is None)==known, r\n"
		   "    assert set(r)<=may, r\n"
		   "    if r[\"type\"]!=\"run\" and \"mailbox\" in r:\n"
		   "        assert (\"wire\" in r)!=(\"wire_hex\" in r), r\n"
		   "assert seen==set(kinds), set(kinds)-seen\n"
		   "assert n==3009 and r==dict(type=\"end\",lines=n), (n,r)\n'",
		rig.dir, rig.dir),
	    0);
}
END_TEST

START_TEST(a_good_chain_is_told_in_its_order)
{
	write_three();
	struct heard h = check();
	ck_assert_uint_eq(h.findings, 0);
	ck_assert_uint_eq(h.volumes, 3);
	ck_assert_str_eq(h.order, "r1 r3 r2 ");
}
END_TEST

START_TEST(an_archive_without_runs_is_no_finding)
{
	struct heard h = check();
	ck_assert_uint_eq(h.findings + h.runs + h.volumes, 0);
}
END_TEST

static const struct {
	const char *harm, *finding;
} harms[] = {
	{ "rm r3.jsonl.zst", "the run before is missing" },
	{ "zstd -dcq r3.jsonl.zst | sed s/7919/7918/ | zstd -q >t && "
	  "mv t r3.jsonl.zst",
	    "has another SHA-256" },
	{ "cp r1.jsonl.zst r3.jsonl.zst", "another run" },
	{ "truncate -s 300 r2.jsonl.zst", "r2: " },
	{ ": >r2.jsonl.zst", "end is missing" },
	{ "printf X | dd of=r2.jsonl.zst bs=1 seek=60 conv=notrunc "
	  "status=none",
	    "r2: " },
	{ "zstd -dcq r2.jsonl.zst | sed 3d | zstd -q >t && mv t r2.jsonl.zst",
	    "lost lines" },
	{ "zstd -dcq r2.jsonl.zst | sed 1d | zstd -q >t && mv t r2.jsonl.zst",
	    "start with its run" },
	{ "zstd -dcq r2.jsonl.zst | sed '$d' | zstd -q >t && mv t r2.jsonl.zst",
	    "end is missing" },
	{ "{ zstd -dcq r2.jsonl.zst; echo '{\"type\":\"outcome\"}'; } | "
	  "zstd -q >t && mv t r2.jsonl.zst",
	    "follow its end" },
	{ "{ zstd -dcq r2.jsonl.zst; echo '{'; } | zstd -q >t && mv t "
	  "r2.jsonl.zst",
	    "no JSON object" },
	{ "head -c 1000000000 /dev/zero | zstd -q >t && mv t r2.jsonl.zst",
	    "too long|no JSON" },
	{ "zstd -dcq r2.jsonl.zst | sed 's/\"r2\"/\"r4\"/' | zstd -q -o "
	  "r4.jsonl.zst",
	    "names the same run" },
	{ "zstd -dcq r1.jsonl.zst | sed 's/\"r1\"/\"r0\"/' | zstd -q -o "
	  "r0.jsonl.zst",
	    "is the first" },
	{ "rm r2.jsonl.zst && mkfifo r2.jsonl.zst", "r2: it is not a file" },
	{ "rm r2.jsonl.zst && mkdir r2.jsonl.zst", "r2: it is not a file" },
	{ "mv r2.jsonl.zst t && ln -s t r2.jsonl.zst", "r2: it is not a file" },
};

START_TEST(a_broken_chain_is_found)
{
	write_three();
	ck_assert_int_eq(
	    rig_sh("cd %s/runs && %s", rig.dir, harms[_i].harm), 0);
	struct heard h = check();
	ck_assert_uint_gt(h.findings, 0);
	struct err err = { 0 };
	char *found = mem_fmt("%s/found", rig.root);
	rig_must(file_replace(found, h.text.data, h.text.len, &err), &err);
	ck_assert_msg(rig_sh("grep -Eq '%s' %s", harms[_i].finding, found) == 0,
	    "%s", h.text.data);
	free(found);
	buf_free(&h.text);
}
END_TEST

START_TEST(an_abandoned_manifest_leaves_nothing)
{
	struct err err = { 0 };
	struct manifest *m;
	const struct manifest_run run = {
		.name = "r1", .command = "", .state = "complete"
	};
	rig_must(manifest_begin(&m, rig.dir, &run, &err), &err);
	manifest_abandon(&m);
	ck_assert_ptr_null(m);
	ck_assert_int_eq(rig_sh("test -z \"$(ls %s/runs)\"", rig.dir), 0);
}
END_TEST

Suite *
suite_archive_manifest(void)
{
	Suite *s = suite_create("archive_manifest");
	TCase *t = tcase_create("manifest");
	tcase_add_checked_fixture(t, rig_up, rig_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_same_input_gives_the_same_octets);
	tcase_add_test(t, other_tools_read_a_manifest_and_it_fits_its_schema);
	tcase_add_test(t, a_good_chain_is_told_in_its_order);
	tcase_add_test(t, an_archive_without_runs_is_no_finding);
	tcase_add_loop_test(t, a_broken_chain_is_found, 0,
	    (int)(sizeof(harms) / sizeof(harms[0])));
	tcase_add_test(t, an_abandoned_manifest_leaves_nothing);
	suite_add_tcase(s, t);

	return s;
}
