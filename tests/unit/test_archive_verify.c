#include "archive_rig.h"

#include <sys/stat.h>

Suite *suite_archive_verify(void);

static void
fill(void)
{
	for (unsigned i = 0; i < 60; i++)
		rig_deliver(&rig, "INBOX", rig_mail("x", 40000, i));
	rig_deliver_at(&rig, "b@x", "INBOX", 1700000000,
	    rig_mail("x", 40000, 0), CLAIM_LINK, 0);
	rig_deliver_at(&rig, "b@x", "INBOX", 1700000077,
	    rig_mail("other", 40000, 0), CLAIM_REFERENCE, 0);
}

static char *
volume_file(const char *volume)
{
	return mem_fmt("%s/volumes/%s.tar.zst", rig.dir, volume);
}

static size_t
findings(const char *volume, const uint8_t *sha256)
{
	struct archive_verified sums;
	struct rig_findings all = rig_verify(&rig, volume, sha256, &sums);
	buf_free(&all.text);

	return all.count;
}

static void
flip(int fd, off_t at, unsigned bit)
{
	unsigned char octet;
	ck_assert_int_eq(pread(fd, &octet, 1, at), 1);
	octet ^= (unsigned char)(1u << bit);
	ck_assert_int_eq(pwrite(fd, &octet, 1, at), 1);
}

START_TEST(every_flipped_bit_is_found)
{
	struct stat st;
	enum { FLIPS = 60 };
	fill();
	rig_seal(&rig);
	char *path = volume_file(rig.sealed_name);
	int fd = open(path, O_RDWR);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(findings(rig.sealed_name, rig.sha256), 0);
	for (int i = 0; i < FLIPS; i++) {
		off_t at = st.st_size * i / FLIPS + i;
		flip(fd, at, (unsigned)i % 8);
		ck_assert_msg(
		    findings(rig.sealed_name, NULL) > 0, "at %ld", (long)at);
		flip(fd, at, (unsigned)i % 8);
	}
	/* Every octet of the seek table, by the file's hash at the latest. */
	for (off_t at = st.st_size - 41; at < st.st_size; at++) {
		flip(fd, at, 1);
		ck_assert_uint_gt(findings(rig.sealed_name, rig.sha256), 0);
		flip(fd, at, 1);
	}
	ck_assert_uint_eq(findings(rig.sealed_name, rig.sha256), 0);
	close(fd);
	free(path);
}
END_TEST

START_TEST(a_flip_names_the_messages_it_hit_and_no_others)
{
	struct archive_verified sums;
	fill();
	rig_seal(&rig);
	char *path = volume_file(rig.sealed_name);
	int fd = open(path, O_RDWR);
	flip(fd, 100000, 3); /* in frame 0 */
	close(fd);
	free(path);
	struct rig_findings all =
	    rig_verify(&rig, rig.sealed_name, NULL, &sums);
	for (size_t i = 0; i < 60; i++) {
		bool named = strstr(all.text.data, rig.rows[i].where.entry);
		ck_assert_int_eq(named, rig.rows[i].where.frame == 0);
	}
	ck_assert_uint_gt(rig.rows[59].where.frame, 0);
	buf_free(&all.text);
}
END_TEST

/* At every frame boundary, one octet before and one behind (R04). */
START_TEST(a_truncated_volume_is_found)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	const struct frame_info *infos;
	struct archive_verified sums;
	size_t n;
	fill();
	rig_seal(&rig);
	char *path = volume_file(rig.sealed_name);
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	rig_must(archive_reader_seek_table(
		     reader, rig.sealed_name, &infos, &n, &err),
	    &err);
	ck_assert_uint_gt(n, 2);
	struct frame_info *frames = mem_dup(infos, n * sizeof(*frames));
	archive_reader_close(&reader);
	for (size_t i = n; i-- > 0;)
		for (long d = 1; d >= -1; d--) {
			long end = (long)(frames[i].offset + frames[i].csize);
			ck_assert_int_eq(truncate(path, end + d), 0);
			struct rig_findings all =
			    rig_verify(&rig, rig.sealed_name, NULL, &sums);
			ck_assert_uint_gt(all.count, 0);
			buf_free(&all.text);
		}
	free(frames);
	free(path);
}
END_TEST

/* How a catalog may lie. */
static void
other_hash(struct catalog_row *row)
{
	row->sha256[5] ^= 1;
}
static void
other_size(struct catalog_row *row)
{
	row->size++;
}
static void
other_offset(struct catalog_row *row)
{
	row->offset += 512;
}
static void
other_frame(struct catalog_row *row)
{
	row->frame = 4000000000u;
}
static void
other_entry(struct catalog_row *row)
{
	row->entry = "nobody/INBOX/cur/1,S=1:2,";
}
static void
unsafe_entry(struct catalog_row *row)
{
	row->entry = "../../x";
}
static void
other_skip(struct catalog_row *row)
{
	row->body_skip += row->claim == CLAIM_REFERENCE;
}
static void
other_body(struct catalog_row *row)
{
	if (row->claim == CLAIM_REFERENCE)
		row->body_volume = "2020-01-01T000000Z-gone-0001";
}
static void
other_target(struct catalog_row *row)
{
	if (row->claim == CLAIM_LINK)
		row->body_entry = "b@x/INBOX/cur/z";
}
static void
huge_header(struct catalog_row *row)
{
	if (row->claim == CLAIM_REFERENCE)
		row->header_size = UINT64_C(1) << 62;
}

/* What a rebuild would refuse. */
static void
no_keyword(struct catalog_row *row)
{
	row->keywords = "a\tb";
}
static void
no_account(struct catalog_row *row)
{
	row->account = "";
}
static void
long_header(struct catalog_row *row)
{
	row->header_size = row->size + 1;
}

static const struct {
	size_t row;
	void (*lie)(struct catalog_row *);
} lies[] = {
	{ 7, other_hash },
	{ 7, other_size },
	{ 7, other_offset },
	{ 7, other_frame },
	{ 7, other_entry },
	{ 7, unsafe_entry },
	{ 60, other_hash },
	{ 60, other_target },
	{ 60, other_entry },
	{ 61, other_hash },
	{ 61, other_size },
	{ 61, other_skip },
	{ 61, other_body },
	{ 61, other_offset },
	{ 61, other_frame },
	{ 61, huge_header },
	{ 7, no_keyword },
	{ 7, no_account },
	{ 7, long_header },
	{ 60, no_keyword },
};
static size_t lie;

static bool
next_lying(void *arg, struct catalog_row *row, bool *end, struct err *err)
{
	struct rig *r = arg;
	if (!rig_next(r, row, end, err))
		return false;
	if (r->next - 1 == lies[lie].row)
		lies[lie].lie(row);

	return true;
}

START_TEST(a_catalog_row_that_lies_is_found)
{
	struct err err = { 0 };
	struct progress p;
	lie = (size_t)_i;
	fill();
	rig_flush(&rig);
	rig_must(
	    rig.target.ops->seal(rig.target.data, next_lying, &rig, &p, &err),
	    &err);
	ck_assert_uint_ge(findings(p.volume, p.sha256), 1);
}
END_TEST

/* The sealed volume's octets, after this line of Python changed those in d,
 * packed by other tools into one frame with a table: "changed". */
static void
pack_anew(const char *line)
{
	ck_assert_int_eq(
	    rig_sh(
		"cd %s && zstd -dcq a/volumes/%s.tar.zst >v.tar && python3 -c '"
		"import struct,subprocess\n"
		"d=open(\"v.tar\",\"rb\").read()\n"
		"%s\n"
		"z=subprocess.run([\"zstd\",\"-q\",\"--check\","
		"\"--stream-size=%%d\"%%len(d)],input=d,"
		"stdout=subprocess.PIPE).stdout\n"
		"t=struct.pack(\"<IIII\",0x184D2A5E,17,len(z),len(d))"
		"+struct.pack(\"<IBI\",1,0,0x8F92EAB1)\n"
		"open(\"a/volumes/changed.tar.zst\",\"wb\").write(z+t)'",
		rig.root, rig.sealed_name, line),
	    0);
}

START_TEST(the_tsv_must_say_what_the_json_says)
{
	struct archive_verified sums;
	fill();
	rig_seal(&rig);
	pack_anew("i=d.rindex(b\"whole\\t\"); d=d[:i]+b\"wHole\"+d[i+5:]");
	struct rig_findings all = rig_verify(&rig, "changed", NULL, &sums);
	ck_assert_ptr_nonnull(strstr(all.text.data, "CATALOG.tsv"));
	buf_free(&all.text);
}
END_TEST

/* A rebuild looks for a frame that begins with it. */
START_TEST(a_catalog_must_be_readable_by_itself)
{
	struct archive_verified sums;
	rig_deliver(&rig, "INBOX", rig_mail("x", 1000, 1));
	rig_seal(&rig);
	ck_assert_uint_eq(findings(rig.sealed_name, rig.sha256), 0);
	pack_anew("");
	struct rig_findings all = rig_verify(&rig, "changed", NULL, &sums);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_ptr_nonnull(
	    strstr(all.text.data, "without the entries before it"));
	buf_free(&all.text);
}
END_TEST

/* Hostile files (R02, R03), written by Python: z(data) is a frame, table(rows)
 * a seek table; frames without content size come from a pipe. */
static const struct {
	const char *python, *finding;
} hostile[] = {
	{ "b''", "too short" },
	{ "b'x' * 30", "no seek table" },
	{ "z(d)", "no seek table" },
	{ "z(d) + table([(len(z(d)), len(d))])[:-1]", "no seek table" },
	{ "z(d) + table([(len(z(d)) + 1, len(d))])", "add up" },
	{ "z(d) + table([(len(z(d)), len(d) + 1)])", "damaged" },
	{ "z(d) + table([(len(z(d)), len(d) - 1)])", "damaged" },
	{ "z(d) + table([(len(z(d)), 0xffffffff)])", "too large" },
	{ "z(d) + table([(len(z(d)), len(d))], count=0xffffffff)",
	    "more frames" },
	{ "z(d) + table([(len(z(d)), len(d))], count=2)", "more frames|head" },
	{ "z(d) + table([(len(z(d)), len(d))], flags=4)", "unknown kind" },
	{ "z(d) + table([(len(z(d)), len(d))], flags=128)", "head|more" },
	{ "z(d) + table([(len(z(d)), len(d))], head=0x184D2A50)",
	    "wrong head" },
	{ "z(d) + table([(5, 5), (len(z(d)) - 5, len(d))])", "empty frame" },
	{ "z(d) + table([(20, 5), (len(z(d)) - 20, len(d))])", "damaged" },
	/* Two frames behind one row. */
	{ "z(d) + z(d) + table([(2 * len(z(d)), 2 * len(d))])", "damaged" },
	/* No content size; 4 GiB of zeros in little, which zstd would read to
	 * its end; a window of 2 GiB. */
	{ "pipe('') + table([(len(pipe('')), len(d))])", "damaged" },
	{ "bomb() + table([(len(bomb()), 0xffffffff)])", "too large" },
	{ "bomb() + table([(len(bomb()), 1 << 24)])", "damaged" },
	{ "pipe('--long=31 --ultra') + "
	  "table([(len(pipe('--long=31 --ultra')), len(d))])",
	    "damaged" },
	/* A good frame of no tar at all. */
	{ "z(d) + table([(len(z(d)), len(d))])", "tar stream" },
	{ "table([])", "CATALOG" },
};

static const char hostile_lib[] =
    "import struct, subprocess, functools\n"
    "d = bytes(range(256)) * 40\n"
    "@functools.lru_cache\n"
    "def run(cmd, data=b''):\n"
    "    return subprocess.run(cmd, shell=True, input=data, check=True,\n"
    "        stdout=subprocess.PIPE).stdout\n"
    "def z(x): return run('zstd -q --check --stream-size=%d' % len(x), x)\n"
    "def pipe(o): return run('cat | zstd -q --check ' + o, d)\n"
    "def bomb():\n"
    "    block = (1 << 17 << 3 | 2).to_bytes(3, 'little') + b'\\0'\n"
    "    last = ((1 << 17) - 1 << 3 | 3).to_bytes(3, 'little') + b'\\0'\n"
    "    return (struct.pack('<IBBQ', 0xFD2FB528, 0xC4, 0x58, (1 << 32) - 1)\n"
    "        + 32767 * block + last + bytes.fromhex('2e4c0495'))\n"
    "def table(rows, count=None, flags=0, head=0x184D2A5E):\n"
    "    r = b''.join(struct.pack('<II', *x) for x in rows)\n"
    "    return struct.pack('<II', head, len(r) + 9) + r + struct.pack(\n"
    "        '<IBI', len(rows) if count is None else count, flags,\n"
    "        0x8F92EAB1)\n";

START_TEST(hostile_volumes_are_survived_and_named)
{
	struct err err = { 0 };
	struct archive_verified sums;
	struct buf python = { 0 };
	char *script = mem_fmt("%s/hostile.py", rig.root);
	buf_fmt(&python, "%sopen('%s/volumes/v.tar.zst', 'wb').write(%s)\n",
	    hostile_lib, rig.dir, hostile[_i].python);
	rig_must(file_replace(script, python.data, python.len, &err), &err);
	ck_assert_int_eq(rig_sh("python3 %s", script), 0);
	struct rig_findings all = rig_verify(&rig, "v", NULL, &sums);
	ck_assert_uint_gt(all.count, 0);
	char *found = mem_fmt("%s/found", rig.root);
	rig_must(file_replace(found, all.text.data, all.text.len, &err), &err);
	ck_assert_msg(
	    rig_sh("grep -Eq '%s' %s", hostile[_i].finding, found) == 0, "%s",
	    all.text.data);
	free(found);
	free(script);
	buf_free(&python);
	buf_free(&all.text);
}
END_TEST

/* Nobody ever writes into the FIFO: who waited for it would wait for ever. */
START_TEST(a_volume_that_is_no_file_is_named_and_not_waited_for)
{
	struct err err = { 0 };
	struct archive_verified sums;
	struct progress p;
	struct frame_info *frames;
	uint8_t sha256[32];
	bool sealed;
	char *path = volume_file("v");
	ck_assert_int_eq(_i == 0   ? mkfifo(path, 0600)
			 : _i == 1 ? mkdir(path, 0700)
				   : symlink("/etc/passwd", path),
	    0);
	struct rig_findings all = rig_verify(&rig, "v", NULL, &sums);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_ptr_nonnull(strstr(all.text.data, "is not a file"));
	buf_free(&all.text);
	ck_assert(!archive_volume_digest(rig.dir, "v", sha256, &err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	err = (struct err){ 0 };
	ck_assert(
	    !archive_find_sealed(rig.dir, "v", &sealed, &p, &frames, &err));
	ck_assert(!sealed);
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	ck_assert_int_eq(err.scope, ERR_RUN);
	free(path);
}
END_TEST

START_TEST(the_reader_survives_numbers_that_make_no_sense)
{
	static const struct {
		uint32_t frame;
		uint64_t offset, skip, n;
	} wrong[] = {
		{ UINT32_MAX, 0, 0, 1 },
		{ 0, UINT64_MAX, 0, 1 },
		{ 0, UINT64_MAX, 2, 1 },
		{ 0, 5, UINT64_MAX, 1 },
		{ 0, 0, 0, UINT64_MAX },
		{ 0, 0, 1 << 30, UINT64_MAX },
	};
	struct err err = { 0 };
	struct archive_reader *reader;
	fill();
	rig_seal(&rig);
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct message_parts parts = { .frame = wrong[i].frame,
			.offset = wrong[i].offset,
			.size = wrong[i].n };
		memcpy(parts.volume, rig.sealed_name, sizeof(parts.volume));
		parts.offset += wrong[i].skip;
		ck_assert(
		    !archive_reader_message(reader, &parts, NULL, NULL, &err));
		ck_assert_int_eq(err.scope, ERR_MESSAGE);
	}
	struct message_parts parts = { .volume = "../../etc/passwd",
		.size = 1 };
	ck_assert(!archive_reader_message(reader, &parts, NULL, NULL, &err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	archive_reader_close(&reader);
}
END_TEST

START_TEST(other_octets_than_archived_are_a_mismatch)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	struct message_parts parts;
	fill();
	rig_seal(&rig);
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	rig_parts(&rig.rows[3], &parts);
	parts.sha256[0] ^= 1;
	ck_assert(!archive_reader_message(reader, &parts, NULL, NULL, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	archive_reader_close(&reader);
}
END_TEST

START_TEST(quick_reads_no_frames_but_the_hash)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	struct archive_verified sums;
	uint8_t wrong[32] = { 0 };
	char **names;
	size_t n;
	uint8_t sha256[32];
	fill();
	rig_seal(&rig);
	rig_must(archive_volumes(rig.dir, &names, &n, &err), &err);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(names[0], rig.sealed_name);
	rig_must(archive_volume_digest(rig.dir, names[0], sha256, &err), &err);
	ck_assert_mem_eq(sha256, rig.sha256, 32);
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	rig_must(archive_verify_volume(
		     reader, names[0], sha256, true, NULL, NULL, &sums, &err),
	    &err);
	ck_assert_uint_eq(sums.findings, 0);
	ck_assert_uint_eq(sums.frames, 0);
	rig_must(archive_verify_volume(
		     reader, names[0], wrong, true, NULL, NULL, &sums, &err),
	    &err);
	ck_assert_uint_eq(sums.findings, 1);
	rig_must(archive_verify_volume(
		     reader, "missing", NULL, false, NULL, NULL, &sums, &err),
	    &err);
	ck_assert_uint_eq(sums.findings, 1);
	archive_reader_close(&reader);
	free(names[0]);
	free(names);
}
END_TEST

struct told {
	uint64_t octets;
	unsigned times;
};

static void
count_octets(void *arg, uint64_t octets)
{
	struct told *told = arg;
	told->octets += octets;
	told->times++;
}

START_TEST(tells_of_the_whole_file_piece_by_piece)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	struct archive_verified sums;
	struct told told = { 0 }, quick = { 0 };
	struct stat st;
	char path[600];
	fill();
	rig_seal(&rig);
	snprintf(path, sizeof(path), "%s/volumes/%s.tar.zst", rig.dir,
	    rig.sealed_name);
	ck_assert_int_eq(stat(path, &st), 0);
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	archive_reader_watch(reader, count_octets, &told);
	rig_must(archive_verify_volume(reader, rig.sealed_name, rig.sha256,
		     false, NULL, NULL, &sums, &err),
	    &err);
	ck_assert_uint_eq(sums.findings, 0);
	ck_assert_uint_eq(told.octets, st.st_size);
	/* Each frame, and what lies behind them. */
	ck_assert_uint_gt(sums.frames, 1);
	ck_assert_uint_gt(told.times, sums.frames);
	archive_reader_watch(reader, count_octets, &quick);
	rig_must(archive_verify_volume(reader, rig.sealed_name, rig.sha256,
		     true, NULL, NULL, &sums, &err),
	    &err);
	ck_assert_uint_eq(quick.octets, st.st_size);
	archive_reader_close(&reader);
}
END_TEST

static const struct catalog_row row_base = {
	.account = "a@x",
	.mailbox = "INBOX",
	.uidvalidity = 7,
	.uid = 11,
	.sha256 = { 1 },
	.size = 900,
	.header_size = 80,
	.entry = "a@x/INBOX/cur/1",
	.claim = CLAIM_WHOLE,
	.frame = 2,
	.offset = 512,
};

static void
change_fact(struct catalog_row *row, int which)
{
	switch (which) {
	case 0:
		row->account = "b@x";
		break;
	case 1: /* the same letters, divided otherwise */
		row->account = "a@xIN";
		row->mailbox = "BOX";
		break;
	case 2:
		row->uidvalidity++;
		break;
	case 3:
		row->uid++;
		break;
	case 4:
		row->sha256[31] = 1;
		break;
	case 5:
		row->size++;
		break;
	case 6:
		row->header_size++;
		break;
	case 7:
		row->entry = "a@x/INBOX/cur/2";
		break;
	case 8:
		row->claim = CLAIM_LINK;
		break;
	case 9:
		row->frame++;
		break;
	default:
		row->offset++;
	}
}

enum { FACTS = 11 };

START_TEST(a_row_of_other_facts_has_another_sum)
{
	struct catalog_row row = row_base;
	uint64_t sum = archive_row_sum(&row);
	change_fact(&row, _i);
	ck_assert_uint_ne(archive_row_sum(&row), sum);
	/* Flags may change in a mailbox; a catalog tells of their day. */
	row = row_base;
	row.flags = 1;
	row.keywords = "todo";
	ck_assert_uint_eq(archive_row_sum(&row), sum);
}
END_TEST

START_TEST(the_rows_of_a_catalog_are_summed)
{
	struct archive_verified sums;
	fill();
	rig_seal(&rig);
	struct rig_findings all =
	    rig_verify(&rig, rig.sealed_name, rig.sha256, &sums);
	buf_free(&all.text);
	ck_assert_uint_eq(sums.catalog_rows, 62);
	ck_assert_uint_ne(sums.rows_sum, 0);
}
END_TEST

Suite *
suite_archive_verify(void)
{
	Suite *s = suite_create("archive_verify");
	TCase *t = tcase_create("verify");
	tcase_add_checked_fixture(t, rig_up, rig_down);
	tcase_set_timeout(t, 180);
	tcase_add_test(t, every_flipped_bit_is_found);
	tcase_add_test(t, a_flip_names_the_messages_it_hit_and_no_others);
	tcase_add_test(t, a_truncated_volume_is_found);
	tcase_add_loop_test(t, a_catalog_row_that_lies_is_found, 0,
	    (int)(sizeof(lies) / sizeof(lies[0])));
	tcase_add_test(t, the_tsv_must_say_what_the_json_says);
	tcase_add_loop_test(
	    t, a_volume_that_is_no_file_is_named_and_not_waited_for, 0, 3);
	tcase_add_test(t, a_catalog_must_be_readable_by_itself);
	tcase_add_loop_test(t, hostile_volumes_are_survived_and_named, 0,
	    (int)(sizeof(hostile) / sizeof(hostile[0])));
	tcase_add_test(t, the_reader_survives_numbers_that_make_no_sense);
	tcase_add_test(t, other_octets_than_archived_are_a_mismatch);
	tcase_add_test(t, quick_reads_no_frames_but_the_hash);
	tcase_add_test(t, tells_of_the_whole_file_piece_by_piece);
	tcase_add_loop_test(t, a_row_of_other_facts_has_another_sum, 0, FACTS);
	tcase_add_test(t, the_rows_of_a_catalog_are_summed);
	suite_add_tcase(s, t);

	return s;
}
