#include "index/rebuild.h"
#include "index_world.h"

#include <sqlite3.h>
#include <sys/stat.h>

Suite *suite_rebuild_index(void);

#define V1 "r1-0001"
#define V2 "r2-0001"

static struct world w; /* its folder and path only */
static struct rebuild *r;
static size_t findings, lost, gone;

static void
on_finding(void *arg, const char *where, const char *what)
{
	(void)arg, (void)where, (void)what;
	findings++;
}

static void
on_lost(void *arg, const struct rebuild_lost *l)
{
	(void)arg;
	ck_assert_str_eq(l->account, "a@x");
	lost++;
	gone += l->gone;
}

static void
add_run(const char *name, bool manifest)
{
	const uint8_t sha256[32] = { 1 };
	const struct rebuild_run run = { .name = name,
		.command = "copy",
		.state = RUN_COMPLETE,
		.started = 1000,
		.ended = 2000,
		.manifest = manifest ? sha256 : NULL };
	OK(&w, rebuild_run(r, &run, &w.err));
}

static void
add_told_volume(const char *name, const char *run, bool sealed)
{
	const struct frame_info frames[] = {
		{ .offset = 0, .plain = 0, .csize = 100, .dsize = 1000 },
		{ .offset = 100, .plain = 1000, .csize = 50, .dsize = 500 },
		{ .offset = 150, .plain = 1500, .csize = 50, .dsize = 500 },
	};
	struct progress p = { .committed = 200,
		.plain = 2000,
		.frames = frames,
		.frame_count = 3,
		.sealed = sealed };
	snprintf(p.volume, sizeof(p.volume), "%s", name);
	OK(&w, rebuild_volume(r, run, &p, &w.err));
}

static void
start_with(bool manifests)
{
	world_folder(&w);
	findings = lost = gone = 0;
	const struct rebuild_options o = { .path = w.path,
		.finding = on_finding };
	OK(&w, rebuild_open(&r, &o, &w.err));
	add_run("r1", manifests);
	add_run("r2", manifests);
	add_run("r3", manifests);
	add_told_volume(V1, "r1", true);
	add_told_volume(V2, "r2", true);
}

static void
start(void)
{
	start_with(true);
}

static void
end(void)
{
	rebuild_abandon(&r);
	world_remove(&w);
}

/* The n-th message, octets 100 * n behind frame 0. */
static struct catalog_row
row_of(unsigned n)
{
	static char entries[100][32];
	snprintf(entries[n], sizeof(entries[n]), "a@x/INBOX/cur/%u", n);

	return (struct catalog_row){ .account = "a@x",
		.mailbox = "INBOX",
		.wire = "INBOX",
		.wire_len = 5,
		.uidvalidity = 7,
		.uid = n,
		.flags = 8,
		.keywords = "one two",
		.idate = IDATE,
		.zone = 60,
		.sha256 = { (uint8_t)n, 9 },
		.size = 100,
		.header_size = 40,
		.announced = 100,
		.entry = entries[n],
		.claim = CLAIM_WHOLE,
		.offset = 100 * n,
		.subject = "s",
		.message_id = "m@x" };
}

static struct rebuild_row
told_of(const struct catalog_row *row, const char *volume)
{
	return (
	    struct rebuild_row){ .row = row, .kind = "imap", .volume = volume };
}

static void
begun(const char *run, const struct catalog_row *row, const char *volume)
{
	const struct rebuild_row told = told_of(row, volume);
	OK(&w, rebuild_begun(r, run, &told, &w.err));
}

static void
ended(const char *run, const struct catalog_row *row)
{
	const struct rebuild_row told = told_of(row, "");
	OK(&w, rebuild_ended(r, run, &told, &w.err));
}

static bool
kept(const char *run, const struct catalog_row *row, const char *volume)
{
	bool is_new;
	const struct rebuild_row told = told_of(row, volume);
	OK(&w, rebuild_kept(r, run, &told, &is_new, &w.err));

	return is_new;
}

static void
reference(struct catalog_row *row, const char *volume, uint64_t offset)
{
	row->claim = CLAIM_REFERENCE;
	row->body_volume = volume;
	row->body_entry = "";
	row->body_offset = offset;
	row->body_skip = 40;
}

static void
finish(void)
{
	char old[256];
	OK(&w, rebuild_finish(r, on_lost, NULL, &w.err));
	OK(&w, rebuild_put(&r, 5000, old, sizeof(old), &w.err));
	ck_assert_ptr_null(r);
	world_sound(&w);
	ck_assert_str_eq(judge(w.path, "SELECT count(*) FROM sqlite_schema "
				       "WHERE name LIKE 'rebuild%'"),
	    "0");
}

static void
says(const char *sql, const char *wanted)
{
	const char *got = judge(w.path, sql);
	ck_assert_msg(
	    strcmp(got, wanted) == 0, "%s: %s, not %s", sql, got, wanted);
}

#define VERSIONS                                                 \
	"SELECT group_concat(p.okey || ' ' || f.name || ' ' || " \
	"coalesce(t.name, '-') || ' ' || p.flags, ', ') FROM "   \
	"(SELECT * FROM placement ORDER BY okey, from_run) p "   \
	"JOIN run f ON f.id = p.from_run LEFT JOIN run t ON t.id = p.to_run"
#define DELIVERIES                                                            \
	"SELECT group_concat(d.okey || ' ' || d.outcome || ' ' || u.name || " \
	"' ' || coalesce(v.name, '-') || ' ' || coalesce(d.claim, '-') || "   \
	"' ' || coalesce(d.survivor, '-'), ', ') FROM "                       \
	"(SELECT * FROM delivery ORDER BY okey) d "                           \
	"JOIN run u ON u.id = d.run LEFT JOIN volume v ON v.id = d.volume"

START_TEST(messages_are_told_over_time)
{
	struct catalog_row one = row_of(1), two = row_of(2), three = row_of(3);
	begun("r1", &one, V1);
	begun("r1", &two, V1);
	begun("r1", &three, V1);
	two.flags = 1;
	begun("r2", &two, V1);
	ended("r2", &one);
	ended("r3", &three);
	begun("r3", &one, V1); /* there again */
	finish();
	says(VERSIONS, "1 r1 r2 8, 1 r3 - 8, 2 r1 r2 8, 2 r2 - 1, 3 r1 r3 8");
	/* Other flags settle nothing, but coming back does. */
	says(DELIVERIES " WHERE d.okey < 3",
	    "1 1 r3 r1-0001 0 -, 2 1 r1 r1-0001 0 -");
	says("SELECT count(*) FROM former", "0");
	says("SELECT list FROM keywords", "one two");
	says("SELECT count(*), sum(b64 IS NULL), sum(mid64 IS NULL) FROM "
	     "content",
	    "3|3|0");
	ck_assert_uint_eq(findings + lost, 0);
}
END_TEST

START_TEST(what_comes_and_goes_in_one_run_is_gone)
{
	struct catalog_row one = row_of(1);
	begun("r1", &one, V1);
	ended("r1", &one);
	finish();
	says(VERSIONS, "1 r1 r1 8");
}
END_TEST

START_TEST(a_known_message_has_no_entry)
{
	struct catalog_row one = row_of(1), moved = row_of(1);
	begun("r1", &one, V1);
	moved.mailbox = moved.wire = "Other";
	moved.claim = CLAIM_KNOWN;
	moved.entry = "";
	begun("r2", &moved, "");
	ended("r2", &one);
	finish();
	says("SELECT count(*), count(DISTINCT content) FROM placement", "2|1");
	says(DELIVERIES " WHERE d.claim = 3", "1 1 r2 - 3 -");
	ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(an_entry_that_was_given_up_is_former)
{
	struct catalog_row one = row_of(1), again = row_of(2);
	begun("r1", &one, V1);
	ended("r2", &one);
	again.uid = 1;
	begun("r2", &again, V2);
	/* Both catalogs tell of it; neither changes what manifests said. */
	ck_assert(!kept("r2", &again, V2));
	ck_assert(!kept("r1", &one, V1));
	finish();
	says(DELIVERIES, "1 1 r2 r2-0001 0 -");
	says("SELECT count(*) || ' ' || v.name FROM former f JOIN volume v ON "
	     "v.id = f.volume",
	    "1 r1-0001");
}
END_TEST

START_TEST(a_reference_may_be_told_before_its_body)
{
	struct catalog_row whole = row_of(1), header = row_of(2);
	reference(&header, V2, whole.offset);
	begun("r1", &header, V1);
	begun("r2", &whole, V2);
	finish();
	says("SELECT s.body_of = b.id FROM stored s JOIN content b ON "
	     "substr(b.sha256, 1, 1) = x'01' WHERE s.body_of IS NOT NULL",
	    "1");
	says("SELECT survivor IS NOT NULL FROM delivery WHERE okey = 2", "1");
	ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(a_reference_without_a_body_is_lost)
{
	struct catalog_row header = row_of(1), ending = row_of(2);
	reference(&header, "none-0001", 0);
	reference(&ending, V2, 300);
	begun("r1", &header, V1);
	begun("r1", &ending, V1);
	ended("r2", &ending);
	finish();
	ck_assert_uint_eq(lost, 2);
	ck_assert_uint_eq(gone, 1);
	/* Asked for again, unless it is gone at the source too. */
	says(DELIVERIES, "1 8 r1 - - -, 2 7 r1 - - -");
	says("SELECT count(*) FROM note WHERE class = 'damaged'", "2");
}
END_TEST

START_TEST(a_volume_that_is_not_there_is_lost)
{
	struct catalog_row one = row_of(1), two = row_of(2);
	const uint8_t sha256[32] = { 7 };
	begun("r1", &one, "gone-0001");
	begun("r1", &two, V1);
	OK(&w, rebuild_sealed(r, "r1", "gone-0001", sha256, 5, &w.err));
	OK(&w, rebuild_sealed(r, "r1", V1, sha256, 200, &w.err));
	finish();
	ck_assert_uint_eq(lost, 1);
	says("SELECT state, hex(substr(sha256, 1, 1)) FROM volume WHERE name = "
	     "'gone-0001'",
	    "3|07");
	says("SELECT state, hex(substr(sha256, 1, 1)) FROM volume WHERE name = "
	     "'" V1 "'",
	    "1|07");
}
END_TEST

START_TEST(a_damaged_frame_takes_what_lies_in_it)
{
	const bool damaged[] = { false, true, false };
	struct catalog_row before = row_of(1), across = row_of(2),
			   inside = row_of(3), behind = row_of(4),
			   other = row_of(5);
	begun("r1", &before, V1);
	across.offset = 950;
	begun("r1", &across, V1);
	inside.frame = 1;
	begun("r1", &inside, V1);
	behind.frame = 2;
	begun("r1", &behind, V1);
	/* Its body lies in the damage. */
	reference(&other, V1, 300);
	other.body_frame = 1;
	begun("r2", &other, V2);
	OK(&w, rebuild_damaged(r, V1, damaged, 3, &w.err));
	finish();
	ck_assert_uint_eq(lost, 3);
	says(
	    "SELECT group_concat(okey) FROM delivery WHERE outcome = 1", "1,4");
}
END_TEST

START_TEST(a_second_copy_saves_a_damaged_one)
{
	const bool damaged[] = { true, false, false };
	struct catalog_row one = row_of(1), copy = row_of(1);
	begun("r1", &one, V1);
	copy.uid = 2;
	begun("r2", &copy, V2);
	OK(&w, rebuild_damaged(r, V1, damaged, 3, &w.err));
	finish();
	ck_assert_uint_eq(lost, 0);
	says(DELIVERIES, "1 1 r1 - 3 -, 2 1 r2 r2-0001 0 -");
}
END_TEST

START_TEST(without_manifests_volumes_tell_and_the_later_is_right)
{
	struct catalog_row one = row_of(1), again = row_of(2), link = row_of(1);
	bool is_new;
	rebuild_abandon(&r);
	world_remove(&w);
	start_with(false);
	ck_assert(kept("r1", &one, V1));
	again.uid = 1;
	ck_assert(!kept("r2", &again, V2));
	/* A link out of an entry: where it leads is known by its content. */
	link.uid = 3;
	link.claim = CLAIM_LINK;
	link.size = link.header_size = 0;
	const struct rebuild_row told = {
		.row = &link, .kind = "imap", .volume = V1, .unplaced = true
	};
	OK(&w, rebuild_kept(r, "r1", &told, &is_new, &w.err));
	ck_assert(is_new);
	/* And one that leads nowhere. */
	link.sha256[0] = 99;
	link.uid = 4;
	OK(&w, rebuild_kept(r, "r1", &told, &is_new, &w.err));
	ck_assert(!is_new);
	ck_assert_uint_eq(findings, 1);
	finish();
	says(DELIVERIES, "1 1 r2 r2-0001 0 -, 3 1 r1 r1-0001 1 1");
	says("SELECT frame, off FROM delivery WHERE okey = 3", "0|100");
	says(VERSIONS, "1 r1 r2 8, 1 r2 - 8, 3 r1 - 8");
}
END_TEST

START_TEST(generations_are_told_apart)
{
	struct catalog_row one = row_of(1), two = row_of(2);
	two.uid = 1;
	struct rebuild_row told = told_of(&two, "none");
	begun("r1", &one, "none");
	told.generation = 1;
	OK(&w, rebuild_begun(r, "r2", &told, &w.err));
	/* Catalogs don't say which: the content does. */
	ck_assert(!kept("r1", &one, V1));
	ck_assert(!kept("r1", &two, V2));
	const struct rebuild_mailbox box = { .run = "r2",
		.box = { .kind = "imap",
		    .account = "a@x",
		    .wire = "INBOX",
		    .display = "INBOX",
		    .uidvalidity = 7 },
		.separator = '/',
		.special_use = "sent",
		.ended = true,
		.emptied = true,
		.replaced_by = &(const struct rebuild_box){ .wire = "INBOX",
		    .display = "INBOX",
		    .uidvalidity = 7,
		    .generation = 1 } };
	OK(&w, rebuild_mailbox(r, &box, &w.err));
	finish();
	says("SELECT group_concat(m.restart || v.name) FROM delivery d JOIN "
	     "mailbox m ON m.id = d.mailbox JOIN volume v ON v.id = d.volume",
	    "0" V1 ",1" V2);
	says("SELECT o.restart || m.separator || m.special_use || "
	     "(m.last_run = m.ended) FROM mailbox m JOIN mailbox o ON o.id = "
	     "m.replaced_by",
	    "1/sent1");
	ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(outcomes_and_their_words_are_kept)
{
	struct catalog_row one = row_of(1), two = row_of(2);
	struct rebuild_row told = told_of(&one, "");
	one.announced = 77;
	OK(&w, rebuild_outcome(r, "r1", &told, OUTCOME_EXCLUDED, "max-size",
		   "too large", &w.err));
	told.row = &two;
	OK(&w, rebuild_outcome(
		   r, "r1", &told, OUTCOME_UNREADABLE, "", "", &w.err));
	two.claim = CLAIM_WHOLE;
	begun("r2", &two, V1);
	finish();
	says(DELIVERIES, "1 3 r1 - - -, 2 1 r2 r1-0001 0 -");
	says("SELECT class || ' ' || text FROM note", "max-size too large");
	says("SELECT size FROM placement WHERE okey = 1", "77");
}
END_TEST

START_TEST(what_cannot_be_is_left_out)
{
	struct catalog_row odd = row_of(1);
	odd.uid = UINT64_MAX;
	begun("r1", &odd, V1);
	odd = row_of(1);
	odd.header_size = 101;
	begun("r1", &odd, V1);
	odd = row_of(1);
	odd.wire = "a\0b";
	odd.wire_len = 3;
	begun("r1", &odd, V1);
	ended("r1", &odd);
	kept("r1", &odd, V1);
	ck_assert_uint_eq(findings, 5);
	/* Places that no volume has. */
	odd = row_of(1);
	odd.frame = 4000000000;
	begun("r1", &odd, V1);
	odd.uid = 2;
	odd.frame = 0;
	odd.offset = UINT64_MAX;
	begun("r1", &odd, V1);
	/* Runs that nobody told of. */
	const struct rebuild_row told = told_of(&odd, V1);
	ck_assert(!rebuild_begun(r, "r9", &told, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	finish();
	ck_assert_uint_eq(lost, 2);
}
END_TEST

/* ---- into the old one's place ---- */

static bool
is_there(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0;
}

static void
make_old(void)
{
	struct index *ix;
	OK(&w, index_open(&ix, w.path, INDEX_WRITE, &w.err));
	OK(&w, index_run_begin(ix, "old", "copy", &w.run, &w.err));
	index_close(&ix);
}

START_TEST(the_old_index_is_kept)
{
	char old[256], again[256];
	make_old();
	OK(&w, rebuild_finish(r, NULL, NULL, &w.err));
	OK(&w, rebuild_put(&r, 5000, old, sizeof(old), &w.err));
	ck_assert(is_there(old));
	ck_assert_ptr_nonnull(strstr(old, ".before-1970-01-01T012320Z"));
	ck_assert_str_eq(judge(old, "SELECT name FROM run"), "old");
	says("SELECT count(*) FROM run", "3");
	/* In the same second: another name. */
	const struct rebuild_options o = { .path = w.path };
	OK(&w, rebuild_open(&r, &o, &w.err));
	OK(&w, rebuild_finish(r, NULL, NULL, &w.err));
	OK(&w, rebuild_put(&r, 5000, again, sizeof(again), &w.err));
	ck_assert_str_ne(old, again);
	ck_assert_str_eq(judge(again, "SELECT count(*) FROM run"), "3");
	says("SELECT count(*) FROM run", "0");
}
END_TEST

START_TEST(an_index_in_use_is_left_alone)
{
	sqlite3 *db;
	char old[256];
	make_old();
	ck_assert_int_eq(sqlite3_open(w.path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM run",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	OK(&w, rebuild_finish(r, NULL, NULL, &w.err));
	ck_assert(!rebuild_put(&r, 5000, old, sizeof(old), &w.err));
	ck_assert_int_eq(w.err.code, ERR_LOCKED);
	sqlite3_close(db);
	says("SELECT name FROM run", "old");
}
END_TEST

static void
write_text(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(a_damaged_index_goes_with_its_log)
{
	char old[256], log[300];
	write_text(w.path, "this is no database, but it is what was there");
	snprintf(log, sizeof(log), "%s-wal", w.path);
	write_text(log, "and this its log");
	OK(&w, rebuild_finish(r, NULL, NULL, &w.err));
	OK(&w, rebuild_put(&r, 5000, old, sizeof(old), &w.err));
	ck_assert(is_there(old));
	ck_assert(!is_there(log));
	snprintf(log, sizeof(log), "%s-wal", old);
	ck_assert(is_there(log));
	says("SELECT count(*) FROM run", "3");
}
END_TEST

START_TEST(a_log_without_an_index_is_not_taken_for_its_own)
{
	char old[256], log[300];
	snprintf(log, sizeof(log), "%s-wal", w.path);
	write_text(log, "a log of an index that is gone");
	OK(&w, rebuild_finish(r, NULL, NULL, &w.err));
	OK(&w, rebuild_put(&r, 5000, old, sizeof(old), &w.err));
	ck_assert_str_eq(old, "");
	says("SELECT count(*) FROM run", "3");
}
END_TEST

START_TEST(what_a_killed_one_left_is_removed)
{
	char left[300];
	rebuild_abandon(&r);
	snprintf(left, sizeof(left), "%s.rebuild", w.path);
	ck_assert(!is_there(left));
	write_text(left, "half a database");
	snprintf(left, sizeof(left), "%s.rebuild-wal", w.path);
	write_text(left, "half a log");
	const struct rebuild_options o = { .path = w.path };
	OK(&w, rebuild_open(&r, &o, &w.err));
	OK(&w, rebuild_finish(r, NULL, NULL, &w.err));
	char old[256];
	OK(&w, rebuild_put(&r, 5000, old, sizeof(old), &w.err));
	ck_assert(!is_there(left));
	world_sound(&w);
}
END_TEST

Suite *
suite_rebuild_index(void)
{
	Suite *s = suite_create("rebuild index");
	TCase *t = tcase_create("filling");
	tcase_add_checked_fixture(t, start, end);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, messages_are_told_over_time);
	tcase_add_test(t, what_comes_and_goes_in_one_run_is_gone);
	tcase_add_test(t, a_known_message_has_no_entry);
	tcase_add_test(t, an_entry_that_was_given_up_is_former);
	tcase_add_test(t, a_reference_may_be_told_before_its_body);
	tcase_add_test(t, a_reference_without_a_body_is_lost);
	tcase_add_test(t, a_volume_that_is_not_there_is_lost);
	tcase_add_test(t, a_damaged_frame_takes_what_lies_in_it);
	tcase_add_test(t, a_second_copy_saves_a_damaged_one);
	tcase_add_test(
	    t, without_manifests_volumes_tell_and_the_later_is_right);
	tcase_add_test(t, generations_are_told_apart);
	tcase_add_test(t, outcomes_and_their_words_are_kept);
	tcase_add_test(t, what_cannot_be_is_left_out);
	tcase_add_test(t, the_old_index_is_kept);
	tcase_add_test(t, an_index_in_use_is_left_alone);
	tcase_add_test(t, a_damaged_index_goes_with_its_log);
	tcase_add_test(t, a_log_without_an_index_is_not_taken_for_its_own);
	tcase_add_test(t, what_a_killed_one_left_is_removed);
	suite_add_tcase(s, t);

	return s;
}
