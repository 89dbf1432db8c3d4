#include "archive/inventory.h"
#include "archive_rig.h"

Suite *suite_rebuild_archive(void);

/* What was told. */
static struct {
	size_t kept, begun, ended, outcomes, mailboxes, accounts, volumes;
	size_t findings;
	struct buf text; /* of findings */
	bool compare;    /* kept rows with the rig's */
} told;

static void
start(void)
{
	rig_start(&rig);
	memset(&told, 0, sizeof(told));
}

static void
end(void)
{
	buf_free(&told.text);
	rig_end(&rig);
}

static void
compare(const struct inventory_row *row)
{
	const struct catalog_row *r = &row->row;
	ck_assert_uint_ge(r->uid, 1);
	ck_assert_uint_le(r->uid, rig.count);
	const struct rig_message *m = &rig.rows[r->uid - 1];
	ck_assert_str_eq(r->account, m->account);
	ck_assert_str_eq(r->mailbox, m->mailbox);
	ck_assert_uint_eq(r->wire_len, strlen(m->mailbox));
	ck_assert_mem_eq(r->wire, m->mailbox, r->wire_len);
	ck_assert_uint_eq(r->uidvalidity, 7);
	ck_assert_int_eq(r->claim, m->claim);
	ck_assert_str_eq(row->volume, m->where.volume);
	ck_assert_str_eq(r->entry, m->where.entry);
	ck_assert_mem_eq(r->sha256, m->where.sha256, 32);
	ck_assert_int_eq(r->idate, m->placement.idate);
	ck_assert_int_eq(r->zone, m->placement.zone);
	ck_assert_uint_eq(r->flags, m->placement.flags);
	if (row->unplaced) {
		ck_assert_int_eq(r->claim, CLAIM_LINK);
		return;
	}
	ck_assert_uint_eq(r->size, m->where.size);
	ck_assert_uint_eq(r->header_size, m->where.header_size);
	ck_assert_uint_eq(r->frame, m->where.frame);
	ck_assert_uint_eq(r->offset, m->where.offset);
	ck_assert_str_eq(r->from, "a@example");
}

static bool
on_kept(void *arg, const struct inventory_row *row, struct err *err)
{
	(void)arg, (void)err;
	told.kept++;
	if (told.compare)
		compare(row);

	return true;
}

static bool
on_begun(void *arg, const struct inventory_row *row, struct err *err)
{
	(void)arg, (void)err, (void)row;
	told.begun++;

	return true;
}

static bool
on_ended(void *arg, const struct inventory_row *row, struct err *err)
{
	(void)arg, (void)err, (void)row;
	told.ended++;

	return true;
}

static bool
on_outcome(void *arg, const struct inventory_outcome *row, struct err *err)
{
	(void)arg, (void)err, (void)row;
	told.outcomes++;

	return true;
}

static bool
on_mailbox(void *arg, const struct inventory_mailbox *row, struct err *err)
{
	(void)arg, (void)err, (void)row;
	told.mailboxes++;

	return true;
}

static bool
on_account(void *arg, const struct inventory_account *row, struct err *err)
{
	(void)arg, (void)err, (void)row;
	told.accounts++;

	return true;
}

static bool
on_volume(void *arg, const char *name, const uint8_t sha256[32],
    uint64_t octets, struct err *err)
{
	(void)arg, (void)err, (void)name, (void)sha256, (void)octets;
	told.volumes++;

	return true;
}

static void
on_finding(void *arg, const struct inventory_finding *f)
{
	(void)arg;
	told.findings++;
	buf_fmt(&told.text, "%s %s: %s\n", f->where,
	    f->entry == NULL ? "-" : f->entry, f->what);
}

static const struct inventory_tell tell = { .kept = on_kept,
	.begun = on_begun,
	.ended = on_ended,
	.outcome = on_outcome,
	.mailbox = on_mailbox,
	.account = on_account,
	.volume = on_volume,
	.finding = on_finding };

/* Whole messages of all sizes, a link, a header that shares a body. */
static void
fill_up_to(unsigned n, size_t largest)
{
	for (unsigned i = 0; i < n; i++)
		rig_deliver(&rig, i % 3 == 0 ? "INBOX" : "Box/Größe",
		    rig_mail("x", i % 7 == 0 ? 0 : 40000, i));
	rig_deliver_at(&rig, "b@x", "INBOX", 1700000001,
	    rig_mail("x", 40000, 1), CLAIM_LINK, 1);
	rig_deliver_at(&rig, "b@x", "INBOX", 1700000077,
	    rig_mail("other", 40000, 1), CLAIM_REFERENCE, 1);
	rig_deliver(&rig, "INBOX", rig_mail("large", largest, 3));
	rig_deliver(&rig, "INBOX", rig_mail("last", 10, 4));
}

static void
fill(unsigned n)
{
	fill_up_to(n, 9 << 20);
}

static void
read_entries(const struct inventory_volume *v)
{
	struct err err = { 0 };
	struct archive_reader *reader;
	rig_must(archive_reader_open(&reader, rig.dir, &err), &err);
	rig_must(inventory_entries(reader, v, &tell, &err), &err);
	archive_reader_close(&reader);
}

static char *
file_of(const char *name, const char *ending)
{
	return mem_fmt("%s/volumes/%s%s", rig.dir, name, ending);
}

static void
part(struct inventory_volume *v, bool *ok)
{
	struct err err = { 0 };
	rig_must(inventory_part(rig.dir, rig.volume, &tell, v, ok, &err), &err);
}

START_TEST(a_part_tells_of_its_messages_by_its_entries_alone)
{
	struct inventory_volume v;
	bool ok;
	fill(80);
	rig_flush(&rig);
	rig_close(&rig);
	part(&v, &ok);
	ck_assert(ok);
	ck_assert_uint_eq(v.octets, rig.committed);
	ck_assert_uint_eq(v.plain, rig.plain);
	ck_assert_uint_eq(v.count, rig.frame_count);
	ck_assert_mem_eq(v.frames, rig.frames, v.count * sizeof(*v.frames));
	told.compare = true;
	read_entries(&v);
	ck_assert_uint_eq(told.kept, rig.count);
	ck_assert_msg(told.findings == 0, "%s", told.text.data);
	inventory_volume_free(&v);
}
END_TEST

START_TEST(a_torn_part_tells_of_what_lies_in_whole_frames)
{
	struct inventory_volume v;
	bool ok;
	size_t last = 0, different = 0;
	fill(80);
	rig_flush(&rig);
	rig_close(&rig);
	char *path = file_of(rig.volume, ".tar.zst.part");
	told.compare = true;
	for (int i = 40; i >= 0; i--) {
		uint64_t size = rig.committed * (uint64_t)i / 40;
		ck_assert_int_eq(truncate(path, (off_t)size), 0);
		told.kept = 0;
		part(&v, &ok);
		ck_assert_uint_le(v.octets, size);
		if (ok)
			read_entries(&v);
		different += told.kept != last;
		last = told.kept;
		inventory_volume_free(&v);
	}
	ck_assert_uint_eq(last, 0);
	ck_assert_uint_gt(different, 2);
	ck_assert_msg(told.findings == 0, "%s", told.text.data);
	free(path);
}
END_TEST

START_TEST(a_part_ends_in_front_of_its_catalog)
{
	struct inventory_volume v;
	bool ok;
	fill(20);
	rig_flush(&rig);
	uint64_t committed = rig.committed;
	rig_seal(&rig);
	rig_close(&rig);
	/* As if it had been killed before the rename. */
	char *sealed = file_of(rig.sealed_name, ".tar.zst");
	char *open = file_of(rig.sealed_name, ".tar.zst.part");
	ck_assert_int_eq(rename(sealed, open), 0);
	memcpy(rig.volume, rig.sealed_name, sizeof(rig.volume));
	part(&v, &ok);
	ck_assert(ok);
	ck_assert_uint_eq(v.octets, committed);
	read_entries(&v);
	ck_assert_uint_eq(told.kept, rig.count);
	inventory_volume_free(&v);
	free(sealed);
	free(open);
}
END_TEST

static bool
open_sealed(struct inventory_volume *v, const uint8_t *expected)
{
	struct err err = { 0 };
	bool ok;
	rig_must(
	    inventory_sealed(rig.dir, rig.sealed_name, &tell, v, &ok, &err),
	    &err);
	if (ok)
		rig_must(
		    inventory_check(rig.dir, v, expected, &tell, &err), &err);

	return ok;
}

static bool
read_catalog(const struct inventory_volume *v)
{
	struct err err = { 0 };
	bool found, counted;
	uint64_t rows;
	size_t before = told.kept;
	rig_must(
	    inventory_catalog_count(rig.dir, v, &rows, &counted, &err), &err);
	rig_must(inventory_catalog(rig.dir, v, &tell, &found, &err), &err);
	ck_assert_int_eq(found, counted);
	if (found)
		ck_assert_uint_ge(rows, told.kept - before);

	return found;
}

START_TEST(a_catalog_is_found_and_told)
{
	struct inventory_volume v;
	fill(80);
	rig_seal(&rig);
	rig_close(&rig);
	ck_assert(open_sealed(&v, rig.sha256));
	ck_assert_ptr_null(v.damaged);
	told.compare = true;
	ck_assert(read_catalog(&v));
	ck_assert_uint_eq(told.kept, rig.count);
	ck_assert_uint_eq(told.findings, 0);
	inventory_volume_free(&v);
}
END_TEST

START_TEST(without_a_seek_table_frames_tell_of_themselves)
{
	struct inventory_volume v;
	fill(40);
	rig_seal(&rig);
	rig_close(&rig);
	ck_assert(open_sealed(&v, rig.sha256));
	size_t frames = v.count;
	uint64_t end =
	    v.frames[v.count - 1].offset + v.frames[v.count - 1].csize;
	inventory_volume_free(&v);
	char *path = file_of(rig.sealed_name, ".tar.zst");
	ck_assert_int_eq(truncate(path, (off_t)end), 0);
	ck_assert(open_sealed(&v, rig.sha256));
	ck_assert_uint_eq(v.count, frames);
	ck_assert_uint_ge(told.findings, 2); /* the table, the hash */
	ck_assert(read_catalog(&v));
	ck_assert_uint_eq(told.kept, rig.count);
	inventory_volume_free(&v);
	free(path);
}
END_TEST

/* Anything may be said of it, but as of what is there. */
START_TEST(no_flipped_bit_is_believed)
{
	struct inventory_volume v;
	struct stat st;
	size_t with_catalog = 0, by_entries = 0, unusable = 0;
	enum { FLIPS = 120 };
	/* Of more than one frame, and read over and over. */
	fill_up_to(20, 2 << 20);
	rig_seal(&rig);
	rig_close(&rig);
	char *path = file_of(rig.sealed_name, ".tar.zst");
	int fd = open(path, O_RDWR);
	ck_assert_int_eq(fstat(fd, &st), 0);
	told.compare = true;
	for (int i = 0; i < FLIPS; i++) {
		/* Half of them in the last octets: catalog and table. */
		off_t at = i % 2 == 0 ? st.st_size * i / FLIPS
				      : st.st_size - 1 - i * 7;
		unsigned char octet;
		size_t findings = told.findings;
		ck_assert_int_eq(pread(fd, &octet, 1, at), 1);
		octet ^= (unsigned char)(1 << i % 8);
		ck_assert_int_eq(pwrite(fd, &octet, 1, at), 1);
		if (!open_sealed(&v, rig.sha256)) {
			unusable++;
		} else if (read_catalog(&v)) {
			with_catalog++;
		} else {
			by_entries++;
			read_entries(&v);
		}
		ck_assert_uint_gt(told.findings, findings);
		inventory_volume_free(&v);
		octet ^= (unsigned char)(1 << i % 8);
		ck_assert_int_eq(pwrite(fd, &octet, 1, at), 1);
	}
	ck_assert_uint_gt(with_catalog, 10);
	ck_assert_uint_gt(by_entries, 0);
	ck_assert_uint_lt(unusable, FLIPS / 2);
	close(fd);
	free(path);
}
END_TEST

/* ---- hostile volumes ---- */

/* A volume of these tar entries, made by Python. */
static void
make_volume(const char *name, const char *entries, const char *ending)
{
	ck_assert_int_eq(
	    rig_sh("mkdir -p '%s/volumes' && python3 - '%s/t.tar' "
		   "<<'EOF'\n"
		   "import sys, tarfile, io, hashlib, json\n"
		   "t = tarfile.open(sys.argv[1], 'w', "
		   "format=tarfile.PAX_FORMAT)\n"
		   "X = 'SCHILY.xattr.user.mailhaul.'\n"
		   "def add(name, data=b'A: b\\r\\n\\r\\nc', "
		   "sha=None, type=None, link='', body=None, "
		   "**origin):\n"
		   "    i = tarfile.TarInfo(name)\n"
		   "    o = dict(account='a@x', mailbox='INBOX', "
		   "uidvalidity=7, uid=1)\n"
		   "    o.update(origin)\n"
		   "    i.pax_headers = {X + 'sha256': sha or "
		   "hashlib.sha256(data).hexdigest(), X + "
		   "'origin': json.dumps(o)}\n"
		   "    if body: i.pax_headers[X + 'body'] = "
		   "json.dumps(body)\n"
		   "    if type: i.type = type\n"
		   "    i.linkname = link\n"
		   "    i.size = 0 if type else len(data)\n"
		   "    t.addfile(i, None if type else "
		   "io.BytesIO(data))\n"
		   "N = 'a@x/INBOX/cur/1.V7U1.mailhaul,S=10:2,S'\n"
		   "H = '.mailhaul/shared/a@x/INBOX/"
		   "1.V7U1.mailhaul,S=%%d:2,S.hdr'\n"
		   "%s\n"
		   "t.close()\nEOF\n"
		   "zstd -q --check -f '%s/t.tar' -o "
		   "'%s/volumes/%s%s'",
		rig.dir, rig.dir, entries, rig.dir, rig.dir, name, ending),
	    0);
}

static const struct hostile {
	const char *entries;
	size_t kept, findings;
} hostile[] = {
	{ "add(N)", 1, 0 },
	{ "add('../../etc/cron.d/1.V7U1.mailhaul,S=10:2,S')", 0, 1 },
	{ "add('/abs/1.V7U1.mailhaul,S=10:2,S')", 0, 1 },
	{ "add('a@x/INBOX/cur/nothing')", 0, 1 },
	{ "add('a@x/INBOX/cur/1.V7U1.mailhaul,S=99999999999999999999:2,S')", 0,
	    1 },
	{ "add('a@x/INBOX/cur/1.V7U1.mailhaul,S=10:2,SSSSSSSSSSSS')", 0, 1 },
	{ "add(N, sha='00' * 32)", 0, 1 },
	{ "add(N, sha='zz')", 0, 1 },
	{ "add(N, uid=-1)", 0, 1 },
	{ "add(N, uid='1')", 0, 1 },
	{ "add(N, uidvalidity=2**62)", 1, 0 },
	{ "add(N, account='')", 0, 1 },
	{ "add(N, account=None)", 0, 1 },
	{ "add(N, mailbox='x\\r\\nA1 DELETE INBOX')", 0, 1 },
	{ "add(N, wire='x\\r\\nA1 DELETE INBOX')", 0, 1 },
	{ "add(N, wire=None)", 0, 1 },
	{ "add(N, keywords=['a b'])", 0, 1 },
	{ "add(N, keywords=[1])", 0, 1 },
	{ "add(N, keywords='x')", 0, 1 },
	{ "add(N, internaldate='yesterday')", 0, 1 },
	{ "add(N, internaldate=5)", 0, 1 },
	{ "add(N, mailbox='x' * 5000)", 0, 1 },
	{ "add(N, type=tarfile.SYMTYPE, link='/etc/passwd')", 0, 0 },
	{ "add(N, type=tarfile.CHRTYPE)", 0, 0 },
	{ "add(N, type=tarfile.LNKTYPE, link='../../x')", 1, 0 },
	{ "add(H % 10)", 0, 1 },
	{ "add(H % 10, body={'volume': 'none', 'frame': 0, 'offset': 0, "
	  "'skip': 0})",
	    0, 1 },
	{ "add(H % 10, body={'volume': '../x', 'frame': 0, 'offset': 0, "
	  "'skip': 0})",
	    0, 1 },
	{ "add(H % 3, body={'volume': 'v-0001', 'frame': 0, 'offset': 0, "
	  "'skip': 0})",
	    0, 1 },
	{ "add(H % 2**62, body={'volume': 'v-0001', 'frame': 0, 'offset': 0, "
	  "'skip': 2**62})",
	    0, 1 },
	{ "add(H % 100, body={'volume': 'v-0001', 'frame': 4000000000, "
	  "'offset': 0, 'skip': 0})",
	    0, 1 },
	{ "add(H % 100, body=[1])", 0, 1 },
	{ "for i in range(50): add('d%d' % i, type=tarfile.DIRTYPE)", 0, 0 },
	{ "add('.mailhaul/CATALOG.jsonl', b'{}'); add(N)", 0, 0 },
};

START_TEST(a_hostile_entry_is_refused)
{
	const struct hostile *h = &hostile[_i];
	struct inventory_volume v;
	bool ok;
	struct err err = { 0 };
	make_volume("v-0001", h->entries, ".tar.zst.part");
	rig_must(inventory_part(rig.dir, "v-0001", &tell, &v, &ok, &err), &err);
	/* The tar's own end lies in the same frame: it is taken as sealed. */
	inventory_volume_free(&v);
	ck_assert_int_eq(rig_sh("mv '%s/volumes/v-0001.tar.zst.part' "
				"'%s/volumes/v-0001.tar.zst'",
			     rig.dir, rig.dir),
	    0);
	told.findings = 0;
	rig_must(
	    inventory_sealed(rig.dir, "v-0001", &tell, &v, &ok, &err), &err);
	ck_assert(ok);
	size_t table = told.findings;
	ck_assert_uint_eq(table, 1);
	read_entries(&v);
	ck_assert_msg(
	    told.kept == h->kept && told.findings - table == h->findings,
	    "%s: %zu kept, %zu findings: %s", h->entries, told.kept,
	    told.findings - table, told.text.data);
	inventory_volume_free(&v);
}
END_TEST

START_TEST(what_is_no_volume_is_told)
{
	struct inventory_volume v;
	bool ok;
	struct err err = { 0 };
	ck_assert_int_eq(rig_sh("mkdir -p '%s/volumes'", rig.dir), 0);
	char *path = file_of("v-0001", ".tar.zst");
	unlink(path);
	switch (_i) {
	case 0:
		ck_assert_int_eq(rig_sh(": >'%s'", path), 0);
		break;
	case 1:
		ck_assert_int_eq(
		    rig_sh("head -c 100000 /dev/urandom >'%s'", path), 0);
		break;
	case 2:
		ck_assert_int_eq(
		    rig_sh("printf '\\50\\265\\57\\375' >'%s'", path), 0);
		break;
	case 3:
		ck_assert_int_eq(rig_sh("head -c 400000000 /dev/zero | "
					"zstd -q -f -o '%s'",
				     path),
		    0);
		break;
	case 4:
		ck_assert_int_eq(rig_sh("head -c 100000 /dev/zero | zstd -q "
					"--no-content-size -f -o '%s'",
				     path),
		    0);
		break;
	case 5:
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		break;
	case 6:
		ck_assert_int_eq(mkdir(path, 0700), 0);
		break;
	default:
		ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	}
	rig_must(
	    inventory_sealed(rig.dir, "v-0001", &tell, &v, &ok, &err), &err);
	ck_assert(!ok);
	ck_assert_uint_ge(told.findings, 1);
	inventory_volume_free(&v);
	free(path);
}
END_TEST

/* A FIFO, a folder, a link, in the place of an open volume or a manifest. */
static void
make_no_file(int what, const char *path)
{
	int failed = what == 0   ? mkfifo(path, 0600)
		     : what == 1 ? mkdir(path, 0700)
				 : symlink("/etc/passwd", path);
	ck_assert_int_eq(failed, 0);
}

START_TEST(what_is_no_file_is_told_and_not_waited_for)
{
	struct inventory_volume v;
	bool ok;
	struct err err = { 0 };
	ck_assert_int_eq(
	    rig_sh("mkdir -p '%s/volumes' '%s/runs'", rig.dir, rig.dir), 0);
	char *part = file_of("v-0001", ".tar.zst.part");
	char *manifest = mem_fmt("%s/runs/r.jsonl.zst", rig.dir);
	unlink(part);
	make_no_file(_i, part);
	make_no_file(_i, manifest);
	rig_must(inventory_part(rig.dir, "v-0001", &tell, &v, &ok, &err), &err);
	ck_assert(!ok);
	ck_assert_uint_eq(told.findings, 1);
	ck_assert_ptr_nonnull(strstr(told.text.data, "it is not a file"));
	inventory_volume_free(&v);
	buf_clear(&told.text);
	rig_must(inventory_manifest(rig.dir, "r", &tell, &err), &err);
	ck_assert_uint_eq(told.findings, 2);
	ck_assert_ptr_nonnull(strstr(told.text.data, "it is not a file"));
	ck_assert_uint_eq(told.begun + told.volumes, 0);
	free(manifest);
	free(part);
}
END_TEST

/* ---- hostile manifests ---- */

static const struct {
	const char *line;
	size_t begun, ended, outcomes, mailboxes, accounts, volumes, findings;
} lines[] = {
	{ "nonsense", 0, 0, 0, 0, 0, 0, 0 },
	{ "[]", 0, 0, 0, 0, 0, 0, 0 },
	{ "{\"type\":5}", 0, 0, 0, 0, 0, 0, 0 },
	{ "{\"type\":\"begun\"}", 0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"begun\",\"volume\":\"../x\"}", 0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"begun\",\"volume\":null,\"known\":true,\"account\":"
	  "\"a\","
	  "\"mailbox\":\"I\",\"uidvalidity\":1,\"uid\":2,\"sha256\":\"" /* 64 */
	  "0000000000000000000000000000000000000000000000000000000000000000\","
	  "\"size\":3,\"header_size\":2}",
	    1, 0, 0, 0, 0, 0, 0 },
	{ "{\"type\":\"begun\",\"volume\":null,\"known\":true,\"account\":"
	  "\"a\","
	  "\"mailbox\":\"I\",\"uidvalidity\":1,\"uid\":2,\"sha256\":\""
	  "0000000000000000000000000000000000000000000000000000000000000000\","
	  "\"size\":3,\"header_size\":4}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"ended\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"uid\":2}",
	    0, 1, 0, 0, 0, 0, 0 },
	{ "{\"type\":\"ended\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"uid\":-2}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"ended\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"wire\":\"a\\rb\",\"uidvalidity\":1,\"uid\":2}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"ended\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"wire_hex\":\"0d0a\",\"uidvalidity\":1,\"uid\":2}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"outcome\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"uid\":2,\"outcome\":\"unknown\"}",
	    0, 0, 1, 0, 0, 0, 0 },
	{ "{\"type\":\"outcome\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"uid\":2,\"size\":1.5}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"mailbox\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"inventory\":-1}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"mailbox\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"replaced_by\":{}}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"mailbox\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1,\"scanned\":3}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"mailbox\",\"account\":\"a\",\"mailbox\":\"I\","
	  "\"uidvalidity\":1}",
	    0, 0, 0, 1, 0, 0, 0 },
	{ "{\"type\":\"account\",\"account\":\"a\",\"exit_code\":99999999999}",
	    0, 0, 0, 0, 0, 0, 1 },
	{ "{\"type\":\"account\",\"account\":\"a\",\"started\":\"soon\"}", 0, 0,
	    0, 0, 0, 0, 1 },
	{ "{\"type\":\"account\",\"account\":\"a\"}", 0, 0, 0, 0, 1, 0, 0 },
	{ "{\"type\":\"volume\",\"name\":\"../x\",\"sha256\":\"00\"}", 0, 0, 0,
	    0, 0, 0, 1 },
	{ "{\"type\":\"volume\",\"name\":\"v-0001\",\"sha256\":\"00\"}", 0, 0,
	    0, 0, 0, 0, 1 },
	{ "{\"type\":\"volume\",\"name\":\"v-0001\",\"octets\":\"x\","
	  "\"sha256\":\""
	  "0000000000000000000000000000000000000000000000000000000000000000\"}",
	    0, 0, 0, 0, 0, 0, 1 },
};

START_TEST(a_hostile_line_is_told_or_passed_over)
{
	struct err err = { 0 };
	char *text = mem_fmt("%s/line", rig.root);
	rig_must(
	    file_replace(text, lines[_i].line, strlen(lines[_i].line), &err),
	    &err);
	ck_assert_int_eq(rig_sh("mkdir -p '%s/runs' && (cat '%s'; echo) | zstd "
				"-q -f -o '%s/runs/r.jsonl.zst'",
			     rig.dir, text, rig.dir),
	    0);
	rig_must(inventory_manifest(rig.dir, "r", &tell, &err), &err);
	ck_assert_uint_eq(told.begun, lines[_i].begun);
	ck_assert_uint_eq(told.ended, lines[_i].ended);
	ck_assert_uint_eq(told.outcomes, lines[_i].outcomes);
	ck_assert_uint_eq(told.mailboxes, lines[_i].mailboxes);
	ck_assert_uint_eq(told.accounts, lines[_i].accounts);
	ck_assert_uint_eq(told.volumes, lines[_i].volumes);
	ck_assert_msg(told.findings == lines[_i].findings, "%zu: %s",
	    told.findings, told.text.data);
	free(text);
}
END_TEST

START_TEST(a_line_without_an_end_takes_no_memory)
{
	struct err err = { 0 };
	ck_assert_int_eq(rig_sh("mkdir -p '%s/runs' && head -c 300000000 "
				"/dev/zero | tr '\\0' x | zstd -q -f -o "
				"'%s/runs/r.jsonl.zst'",
			     rig.dir, rig.dir),
	    0);
	rig_must(inventory_manifest(rig.dir, "r", &tell, &err), &err);
	ck_assert_uint_eq(told.findings, 1);
	ck_assert_ptr_nonnull(strstr(told.text.data, "too long"));
}
END_TEST

Suite *
suite_rebuild_archive(void)
{
	Suite *s = suite_create("rebuild archive");
	TCase *t = tcase_create("inventory");
	tcase_add_checked_fixture(t, start, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_part_tells_of_its_messages_by_its_entries_alone);
	tcase_add_test(t, a_torn_part_tells_of_what_lies_in_whole_frames);
	tcase_add_test(t, a_part_ends_in_front_of_its_catalog);
	tcase_add_test(t, a_catalog_is_found_and_told);
	tcase_add_test(t, without_a_seek_table_frames_tell_of_themselves);
	tcase_add_test(t, no_flipped_bit_is_believed);
	tcase_add_loop_test(t, a_hostile_entry_is_refused, 0,
	    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_loop_test(t, what_is_no_volume_is_told, 0, 8);
	tcase_add_loop_test(
	    t, what_is_no_file_is_told_and_not_waited_for, 0, 3);
	tcase_add_loop_test(t, a_hostile_line_is_told_or_passed_over, 0,
	    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(t, a_line_without_an_end_takes_no_memory);
	suite_add_tcase(s, t);

	return s;
}
