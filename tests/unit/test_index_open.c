/* Opening, locking, damage, other versions, full disks, kills. */
#include "index_world.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "index/private.h"

Suite *suite_index_open(void);

START_TEST(a_new_index_is_private_and_marked_as_ours)
{
	struct world w;
	struct stat st;
	mode_t mask = umask(0);
	world_open(&w);
	umask(mask);
	ck_assert_int_eq(stat(w.path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	char wal[128];
	snprintf(wal, sizeof(wal), "%s-wal", w.path);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_str_eq(judge(w.path, "PRAGMA journal_mode"), "wal");
	ck_assert_str_eq(judge(w.path, "PRAGMA application_id"), "1296582988");
	ck_assert_str_eq(judge(w.path, "PRAGMA user_version"), "1");
	world_close(&w);
}
END_TEST

START_TEST(a_file_open_to_others_is_made_private)
{
	struct world w;
	struct stat st;
	world_folder(&w);
	ck_assert_int_ge(close(open(w.path, O_CREAT | O_WRONLY, 0644)), 0);
	ck_assert_int_eq(chmod(w.path, 0644), 0);
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	ck_assert_int_eq(stat(w.path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	world_close(&w);
}
END_TEST

START_TEST(connections_keep_the_promised_pragmas)
{
	static const struct {
		const char *pragma;
		int value;
	} rows[] = {
		{ "PRAGMA synchronous", 2 },
		{ "PRAGMA cache_size", -8192 },
		{ "PRAGMA mmap_size", 0 },
		{ "PRAGMA wal_autocheckpoint", 16000 },
		{ "PRAGMA journal_size_limit", 67108864 },
		{ "PRAGMA foreign_keys", 1 },
		{ "PRAGMA trusted_schema", 0 },
		{ "PRAGMA cell_size_check", 1 },
		{ "PRAGMA busy_timeout", 60000 },
	};
	struct world w;
	world_open(&w);
	sqlite3_stmt *stmt;
	ck_assert_int_eq(
	    sqlite3_prepare_v2(w.ix->db, rows[_i].pragma, -1, &stmt, NULL),
	    SQLITE_OK);
	int rc = sqlite3_step(stmt);
	/* Without memory maps SQLite may answer with no row at all. */
	if (rc == SQLITE_ROW || rows[_i].value != 0)
		ck_assert_int_eq(sqlite3_column_int(stmt, 0), rows[_i].value);
	sqlite3_finalize(stmt);
	world_close(&w);
}
END_TEST

START_TEST(closing_leaves_one_file_without_a_log)
{
	struct world w;
	char wal[128];
	world_open(&w);
	snprintf(wal, sizeof(wal), "%s-wal", w.path);
	ck_assert_int_eq(access(wal, F_OK), 0);
	index_close(&w.ix);
	ck_assert_int_ne(access(wal, F_OK), 0);
	world_sound(&w);
	world_remove(&w);
}
END_TEST

START_TEST(an_index_opens_again_with_what_it_held)
{
	struct world w;
	uint64_t id;
	world_open(&w);
	index_close(&w.ix);
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	OK(&w, index_account(w.ix, "imap", "a@example", &id, &w.err));
	ck_assert_uint_eq(id, w.source);
	world_close(&w);
}
END_TEST

START_TEST(reading_a_missing_index_names_its_path)
{
	struct world w;
	world_folder(&w);
	ck_assert(!index_open(&w.ix, w.path, INDEX_READ, &w.err));
	ck_assert_ptr_null(w.ix);
	ck_assert_ptr_nonnull(strstr(w.err.text, w.path));
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	ck_assert_int_eq(w.err.code, ERR_USAGE);
	ck_assert_int_ne(access(w.path, F_OK), 0);
	world_remove(&w);
}
END_TEST

/* What stands in the file, how both modes refuse it, and that it stays. */
START_TEST(a_file_that_is_no_index_is_refused_and_kept)
{
	static const struct {
		const char *sql; /* NULL: no database at all */
		enum err_code code;
		const char *text;
	} rows[] = {
		{ NULL, ERR_DAMAGED, "not a mailhaul index" },
		{ "CREATE TABLE t (a)", ERR_DAMAGED, "not a mailhaul index" },
		{ "PRAGMA application_id = 77", ERR_DAMAGED,
		    "not a mailhaul index" },
		{ "PRAGMA application_id = 0x4D48494C", ERR_DAMAGED,
		    "not a mailhaul index" },
		{ "PRAGMA application_id = 0x4D48494C;"
		  "PRAGMA user_version = 99",
		    ERR_USAGE, "made by a newer mailhaul" },
	};
	struct world w;
	struct stat before, after;
	world_folder(&w);
	if (rows[_i].sql != NULL) {
		ck_assert_str_eq(judge(w.path, rows[_i].sql), "");
	} else {
		FILE *f = fopen(w.path, "w");
		for (int i = 0; i < 1000; i++)
			fputs("This is a letter, no database.\n", f);
		fclose(f);
	}
	ck_assert_int_eq(stat(w.path, &before), 0);
	for (int mode = INDEX_WRITE; mode <= INDEX_READ; mode++) {
		ck_assert(
		    !index_open(&w.ix, w.path, (enum index_mode)mode, &w.err));
		ck_assert_int_eq(w.err.code, rows[_i].code);
		ck_assert_msg(strstr(w.err.text, rows[_i].text) != NULL, "%s",
		    w.err.text);
	}
	ck_assert_int_eq(stat(w.path, &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	world_remove(&w);
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	struct world w;
	char elsewhere[128];
	world_folder(&w);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", w.dir);
	ck_assert_int_eq(symlink(elsewhere, w.path), 0);
	ck_assert(!index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DISK_FULL);
	ck_assert_ptr_nonnull(strstr(w.err.text, "symbolic link"));
	ck_assert_int_ne(access(elsewhere, F_OK), 0);
	world_remove(&w);
}
END_TEST

static void
plant(int what, const char *path)
{
	ck_assert_int_eq(what == 0   ? mkfifo(path, 0600)
			 : what == 1 ? mkdir(path, 0700)
				     : symlink("elsewhere", path),
	    0);
}

/* Nobody ever writes into the FIFO: SQLite would wait for ever. A dangling link
 * of the index itself is another matter. */
START_TEST(what_is_no_file_beside_an_index_is_neither_read_nor_waited_for)
{
	static const char *const endings[] = { "-wal", "-journal", "-shm", "" };
	struct world w;
	const char *ending = endings[_i / 3];
	char name[128], elsewhere[128];
	world_open(&w);
	index_close(&w.ix);
	snprintf(name, sizeof(name), "%s%s", w.path, ending);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", w.dir);
	unlink(name);
	plant(_i % 3, name);
	for (int mode = 0; mode < 2; mode++) {
		w.err = (struct err){ 0 };
		ck_assert(!index_open(&w.ix, w.path,
		    mode == 0 ? INDEX_READ : INDEX_WRITE, &w.err));
		ck_assert_int_eq(w.err.code, ERR_DAMAGED);
		ck_assert_ptr_nonnull(
		    strstr(w.err.text, "is not a regular file"));
	}
	ck_assert_int_ne(access(elsewhere, F_OK), 0);
	if (_i % 3 == 1)
		ck_assert_int_eq(rmdir(name), 0);
	world_remove(&w);
}
END_TEST

START_TEST(a_damaged_index_says_so)
{
	struct world w;
	bool ok = true;
	char text[200];
	world_open(&w);
	index_close(&w.ix);
	/* The page in which accounts are looked for. */
	long page =
	    strtol(judge(w.path, "SELECT rootpage FROM sqlite_schema WHERE "
				 "name = 'sqlite_autoindex_account_1'"),
		NULL, 10);
	ck_assert_int_gt(page, 1);
	int fd = open(w.path, O_WRONLY);
	char junk[4096];
	memset(junk, 0xA5, sizeof(junk));
	ck_assert_int_eq(
	    pwrite(fd, junk, sizeof(junk), (page - 1) * 4096), 4096);
	close(fd);
	OK(&w, index_open(&w.ix, w.path, INDEX_READ, &w.err));
	OK(&w, index_check(w.ix, false, &ok, text, &w.err));
	ck_assert(!ok);
	ck_assert_str_ne(text, "");
	index_close(&w.ix);
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	uint64_t id;
	ck_assert(!index_account(w.ix, "imap", "b", &id, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DAMAGED);
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	index_close(&w.ix);
	world_remove(&w);
}
END_TEST

START_TEST(a_sound_index_passes_both_checks)
{
	struct world w;
	bool ok = false;
	char text[200];
	world_open(&w);
	OK(&w, index_check(w.ix, _i == 1, &ok, text, &w.err));
	ck_assert_msg(ok, "%s", text);
	ck_assert_str_eq(text, "");
	world_close(&w);
}
END_TEST

START_TEST(a_row_that_names_nothing_fails_the_check)
{
	struct world w;
	bool ok = true;
	char text[200];
	world_open(&w);
	judge(w.path, "INSERT INTO job VALUES (50, 4711, 4712)");
	OK(&w, index_check(w.ix, false, &ok, text, &w.err));
	ck_assert(!ok);
	ck_assert_ptr_nonnull(strstr(text, "job"));
	index_close(&w.ix);
	world_remove(&w);
}
END_TEST

START_TEST(a_reader_reads_while_a_writer_writes)
{
	struct world w;
	struct index *reader;
	struct index_totals totals;
	world_open(&w);
	begin(&w);
	add_volume(&w, VOLUME);
	OK(&w, index_open(&reader, w.path, INDEX_READ, &w.err));
	OK(&w, index_totals(reader, &totals, &w.err));
	ck_assert_uint_eq(totals.volumes_open, 0);
	commit(&w);
	OK(&w, index_totals(reader, &totals, &w.err));
	ck_assert_uint_eq(totals.volumes_open, 1);
	ck_assert(!index_begin(reader, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DISK_FULL);
	index_close(&reader);
	world_close(&w);
}
END_TEST

/* As a child without root's rights, in a folder that it can't write. */
static int
read_as_nobody(struct world *w)
{
	struct index_totals totals;
	if (setgid(65534) != 0 || setuid(65534) != 0)
		return 10;
	if (!index_open(&w->ix, w->path, INDEX_READ, &w->err))
		return 11;
	if (!index_totals(w->ix, &totals, &w->err))
		return 12;
	index_close(&w->ix);

	return totals.volumes_open == 1 ? 0 : 13;
}

START_TEST(an_archive_that_is_not_writable_can_be_read)
{
	struct world w;
	world_open(&w);
	begin(&w);
	add_volume(&w, VOLUME);
	commit(&w);
	index_close(&w.ix);
	ck_assert_int_eq(chmod(w.dir, 0555), 0);
	ck_assert_int_eq(chmod(w.path, 0444), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(read_as_nobody(&w));
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_int_eq(chmod(w.dir, 0700), 0);
	world_sound(&w);
	world_remove(&w);
}
END_TEST

START_TEST(network_file_systems_are_known)
{
	static const struct {
		uint32_t magic;
		bool remote;
	} rows[] = {
		{ 0x6969, true },      /* NFS */
		{ 0xFF534D42, true },  /* CIFS */
		{ 0xFE534D42, true },  /* SMB2 */
		{ 0x01021997, true },  /* 9p */
		{ 0x00C36400, true },  /* Ceph */
		{ 0x5346414F, true },  /* AFS */
		{ 0xEF53, false },     /* ext4 */
		{ 0x58465342, false }, /* XFS */
		{ 0x01021994, false }, /* tmpfs */
		{ 0x9123683E, false }, /* btrfs */
	};
	ck_assert((index_remote_fs(rows[_i].magic) != NULL) == rows[_i].remote);
}
END_TEST

/* ---- locks ---- */

START_TEST(a_second_run_is_told_who_holds_the_lock)
{
	struct world w;
	int first, second;
	world_open(&w);
	OK(&w, index_lock_run(w.path, &first, &w.err));
	ck_assert(!index_lock_run(w.path, &second, &w.err));
	ck_assert_int_eq(second, -1);
	ck_assert_int_eq(w.err.code, ERR_LOCKED);
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	char pid[40];
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	ck_assert_ptr_nonnull(strstr(w.err.text, pid));
	close(first);
	OK(&w, index_lock_run(w.path, &second, &w.err));
	close(second);
	world_close(&w);
}
END_TEST

/* Whose lock keeps another process from the whole file? 0: nobody's. */
static pid_t
locked_by(const char *path)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct flock lock = { .l_type = F_WRLCK };
		int fd = open(path, O_RDWR);
		if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0)
			_exit(1);
		pid_t by = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
		_exit(write(ends[1], &by, sizeof(by)) == sizeof(by) ? 0 : 1);
	}
	pid_t by = -1;
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(ends[0], &by, sizeof(by)), sizeof(by));
	close(ends[0]);
	close(ends[1]);

	return by;
}

START_TEST(a_second_connection_leaves_the_first_its_locks)
{
	struct world w;
	struct index *other;
	world_open(&w);
	ck_assert_int_eq(locked_by(w.path), getpid());
	OK(&w, index_open(&other, w.path, INDEX_WRITE, &w.err));
	ck_assert_int_eq(locked_by(w.path), getpid());
	index_close(&other);
	ck_assert_int_eq(locked_by(w.path), getpid());
	index_close(&w.ix);
	ck_assert_int_eq(locked_by(w.path), 0);
	world_remove(&w);
}
END_TEST

/* A process of its own, which lives for a while after its run was killed. */
static void
leave_a_process(pid_t run)
{
	if (fork() != 0)
		return;
	while (getppid() == run)
		usleep(1000);
	usleep(300000);
	_exit(0);
}

/* Nor do, the second time, its processes that still end. */
START_TEST(a_run_that_was_killed_leaves_no_lock)
{
	struct world w;
	int lock;
	world_open(&w);
	pid_t pid = fork();
	if (pid == 0) {
		struct err err;
		if (!index_lock_run(w.path, &lock, &err))
			_exit(1);
		if (_i == 1)
			leave_a_process(getpid());
		raise(SIGKILL);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	OK(&w, index_lock_run(w.path, &lock, &w.err));
	close(lock);
	world_close(&w);
}
END_TEST

enum { THREADS = 2, COMMITS = 60 };

static void *
write_volumes(void *arg)
{
	const struct world *shared = arg;
	static int next;
	int me = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST);
	struct world w = *shared;
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	for (int i = 0; i < COMMITS; i++) {
		char name[40];
		snprintf(name, sizeof(name), "v-%d-%d", me, i);
		begin(&w);
		add_volume(&w, name);
		if (i % 10 == 9) /* and now and then one that is taken back */
			index_rollback(w.ix);
		else
			commit(&w);
	}
	index_close(&w.ix);

	return NULL;
}

START_TEST(two_threads_write_through_their_own_connections)
{
	struct world w;
	pthread_t threads[THREADS];
	world_open(&w);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, write_volumes, &w), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	struct index_totals totals;
	OK(&w, index_totals(w.ix, &totals, &w.err));
	ck_assert_uint_eq(totals.volumes_open, THREADS * COMMITS * 9 / 10);
	world_close(&w);
}
END_TEST

START_TEST(two_processes_may_make_the_same_index)
{
	struct world w;
	pid_t pids[THREADS];
	world_folder(&w);
	for (int i = 0; i < THREADS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(!index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	}
	for (int i = 0; i < THREADS; i++) {
		int status;
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(WEXITSTATUS(status), 0);
	}
	ck_assert_str_eq(judge(w.path, "PRAGMA user_version"), "1");
	world_sound(&w);
	world_remove(&w);
}
END_TEST

/* ---- kills ---- */

/* Settle batch after batch until killed; say so after each commit. */
static void
settle_for_ever(struct world *w, int tell)
{
	for (uint64_t batch = 1;; batch++) {
		begin(w);
		for (uint64_t i = 1; i <= 10; i++) {
			char header[64];
			uint64_t uid = batch * 10 + i;
			snprintf(header, sizeof(header),
			    "Message-ID: <%llu@x>\r\n",
			    (unsigned long long)uid);
			settle(w, &(struct sent){ .uid = uid,
				      .header = header,
				      .body = 5000,
				      .offset = uid * 6000 });
		}
		struct index_counts counts = { .inventory = batch * 10,
			.by[OUTCOME_DELIVERED] = 10,
			.scanned = 2 };
		OK(w, index_count(
			  w->ix, w->run, w->job, w->box, &counts, &w->err));
		commit(w);
		if (write(tell, "x", 1) != 1)
			_exit(1);
	}
}

/* Killed after a while that differs with _i: anywhere in a transaction. */
START_TEST(a_kill_in_a_transaction_leaves_whole_batches)
{
	struct world w;
	int ends[2];
	world_open(&w);
	begin(&w);
	add_volume(&w, VOLUME);
	commit(&w);
	index_close(&w.ix);
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		if (!index_open(&w.ix, w.path, INDEX_WRITE, &w.err))
			_exit(1);
		settle_for_ever(&w, ends[1]);
	}
	close(ends[1]);
	char told;
	for (int i = 0; i <= _i; i++)
		ck_assert_int_eq(read(ends[0], &told, 1), 1);
	usleep((useconds_t)(_i * 137 % 1000));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	int batches = _i + 1;
	while (read(ends[0], &told, 1) == 1)
		batches++;
	close(ends[0]);

	uint64_t counts[OUTCOME_COUNT];
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	OK(&w, index_outcomes(w.ix, w.job, w.box, counts, &w.err));
	ck_assert_uint_ge(counts[OUTCOME_DELIVERED], (uint64_t)batches * 10);
	ck_assert_uint_eq(counts[OUTCOME_DELIVERED] % 10, 0);
	char sum[32];
	snprintf(sum, sizeof(sum), "%llu",
	    (unsigned long long)counts[OUTCOME_DELIVERED]);
	ck_assert_str_eq(
	    judge(w.path, "SELECT sum(delivered) FROM run_mailbox"), sum);
	world_close(&w);
}
END_TEST

/* ---- a full disk ---- */

static void
fill_up(struct world *w)
{
	begin(w);
	add_volume(w, VOLUME);
	commit(w);
	for (uint64_t uid = 1; uid < 100000; uid++) {
		char header[512];
		snprintf(header, sizeof(header),
		    "Message-ID: <%llu@x>\r\nSubject: %0400d\r\n",
		    (unsigned long long)uid, 7);
		struct kept where;
		if (!index_begin(w->ix, &w->err))
			return;
		bool ok = try_settle(w,
		    &(struct sent){
			.uid = uid, .header = header, .offset = uid },
		    &where);
		if (!ok) {
			index_rollback(w->ix);
			return;
		}
		if (!index_commit(w->ix, &w->err))
			return;
	}
	ck_abort_msg("the disk never filled up");
}

START_TEST(a_full_disk_is_an_error_and_leaves_a_sound_index)
{
	struct world w;
	struct index_totals before, after;
	world_folder(&w);
	ck_assert_int_eq(
	    mount("tmpfs", w.dir, "tmpfs", 0, "size=1536k,mode=0700"), 0);
	bool is_new;
	OK(&w, index_open(&w.ix, w.path, INDEX_WRITE, &w.err));
	OK(&w, index_run_begin(w.ix, "run-1", "", &w.run, &w.err));
	OK(&w, index_account(w.ix, "imap", "a", &w.source, &w.err));
	OK(&w, index_account(w.ix, "archive", "x", &w.archive, &w.err));
	OK(&w, index_job(w.ix, w.source, w.archive, &w.job, &w.err));
	OK(&w, index_mailbox(
		   w.ix, w.source, &inbox, 1, w.run, &w.box, &is_new, &w.err));
	fill_up(&w);
	ck_assert_msg(w.err.code == ERR_DISK_FULL, "%s", w.err.text);
	ck_assert_int_eq(w.err.scope, ERR_RUN);
	OK(&w, index_totals(w.ix, &before, &w.err));
	ck_assert_uint_gt(before.contents, 10);
	index_close(&w.ix);
	OK(&w, index_open(&w.ix, w.path, INDEX_READ, &w.err));
	OK(&w, index_totals(w.ix, &after, &w.err));
	ck_assert_uint_eq(before.contents, after.contents);
	ck_assert_uint_eq(before.placements, after.placements);
	index_close(&w.ix);
	world_sound(&w);
	ck_assert_int_eq(umount(w.dir), 0);
	ck_assert_int_eq(rmdir(w.dir), 0);
}
END_TEST

static bool
can_mount(void)
{
	char dir[] = "/tmp/mailhaul-index-XXXXXX";
	if (mkdtemp(dir) == NULL)
		return false;
	bool can = mount("tmpfs", dir, "tmpfs", 0, "size=64k") == 0;
	if (can)
		umount(dir);
	rmdir(dir);

	return can;
}

Suite *
suite_index_open(void)
{
	Suite *s = suite_create("index open");
	TCase *t = tcase_create("open");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_new_index_is_private_and_marked_as_ours);
	tcase_add_test(t, a_file_open_to_others_is_made_private);
	tcase_add_loop_test(t, connections_keep_the_promised_pragmas, 0, 9);
	tcase_add_test(t, closing_leaves_one_file_without_a_log);
	tcase_add_test(t, an_index_opens_again_with_what_it_held);
	tcase_add_test(t, reading_a_missing_index_names_its_path);
	tcase_add_loop_test(
	    t, a_file_that_is_no_index_is_refused_and_kept, 0, 5);
	tcase_add_test(t, a_symbolic_link_is_not_followed);
	tcase_add_loop_test(t,
	    what_is_no_file_beside_an_index_is_neither_read_nor_waited_for, 0,
	    11);
	tcase_add_test(t, a_damaged_index_says_so);
	tcase_add_loop_test(t, a_sound_index_passes_both_checks, 0, 2);
	tcase_add_test(t, a_row_that_names_nothing_fails_the_check);
	tcase_add_test(t, a_reader_reads_while_a_writer_writes);
	if (geteuid() == 0)
		tcase_add_test(t, an_archive_that_is_not_writable_can_be_read);
	tcase_add_loop_test(t, network_file_systems_are_known, 0, 10);
	suite_add_tcase(s, t);

	t = tcase_create("locks and kills");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_second_run_is_told_who_holds_the_lock);
	tcase_add_test(t, a_second_connection_leaves_the_first_its_locks);
	tcase_add_loop_test(t, a_run_that_was_killed_leaves_no_lock, 0, 2);
	tcase_add_test(t, two_threads_write_through_their_own_connections);
	tcase_add_loop_test(t, two_processes_may_make_the_same_index, 0, 10);
	tcase_add_loop_test(
	    t, a_kill_in_a_transaction_leaves_whole_batches, 0, 12);
	if (can_mount())
		tcase_add_test(
		    t, a_full_disk_is_an_error_and_leaves_a_sound_index);
	suite_add_tcase(s, t);

	return s;
}
