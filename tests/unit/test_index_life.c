/* A random life of an account against a model, with the sqlite3 program and the
 * manifests as witnesses. */
#include "index_life_events.h"
#include "index_story.h"

Suite *suite_index_life(void);

static void
write_manifests(struct life *l)
{
	struct archive_port port = { .state = {
					 .dir = l->w.dir, .index = l->w.ix } };
	OK(&l->w, runs_write_manifests(&port, &l->w.err));
}

static void
live_a_day(struct life *l, int day)
{
	char name[24];
	snprintf(name, sizeof(name), "day-%02d", day);
	OK(&l->w, index_run_begin(l->w.ix, name, "run", &l->w.run, &l->w.err));
	OK(&l->w, index_run_job_begin(l->w.ix, l->w.run, l->w.job, &l->w.err));
	/* On some days nothing happens at all. */
	int n = below(l, 8) == 0 ? 0 : 1 + (int)below(l, 20);
	begin(&l->w);
	for (int i = 0; i < n; i++)
		something(l);
	commit(&l->w);
	if (below(l, 5) > 0) {
		end_run(&l->w, RUN_COMPLETE);
	} else {
		OK(&l->w, index_run_end(
			      l->w.ix, l->w.run, RUN_INTERRUPTED, &l->w.err));
	}
	l->snapshots[l->w.run] = model_state(l);
	write_manifests(l);
	size_t lines = fold_run(l, name);
	if (n == 0)
		ck_assert_uint_eq(lines, 3); /* run, account, end */
	char *folded = fold_state(l);
	ck_assert_str_eq(folded, l->snapshots[l->w.run]);
	free(folded);
}

static size_t
line_count(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++)
		n += *text == '\n';

	return n;
}

static void
ask_about_each_run(struct life *l)
{
	for (uint64_t run = 1; run <= l->w.run; run++) {
		char sql[300], n[32];
		char *state = index_state(l, run);
		ck_assert_str_eq(state, l->snapshots[run]);
		free(state);
		snprintf(sql, sizeof(sql),
		    "SELECT count(*) FROM placement WHERE from_run <= %llu "
		    "AND (to_run IS NULL OR to_run > %llu) "
		    "AND content IS NOT NULL",
		    (unsigned long long)run, (unsigned long long)run);
		snprintf(n, sizeof(n), "%zu", line_count(l->snapshots[run]));
		ck_assert_str_eq(judge(l->w.path, sql), n);
	}
	char *state = index_state(l, 0);
	ck_assert_str_eq(state, l->snapshots[l->w.run]);
	free(state);
}

static bool
add_sum(void *arg, const struct index_mailbox_sum *sum)
{
	*(uint64_t *)arg += sum->messages;

	return true;
}

static void
ask_for_sums(struct life *l)
{
	for (uint64_t run = 0; run <= l->w.run; run++) {
		uint64_t n = 0;
		struct index_query query = { .outcome = -1, .as_of_run = run };
		OK(&l->w, index_mailbox_sums(
			      l->w.ix, &query, add_sum, &n, &l->w.err));
		ck_assert_uint_eq(
		    n, line_count(l->snapshots[run == 0 ? l->w.run : run]));
	}
}

/* Every entry that was ever put into the volume is in its catalog. */
static void
ask_for_the_catalog(struct life *l)
{
	struct index_query query = { .outcome = -1, .volume = VOLUME };
	struct index_rows *rows;
	struct catalog_row row;
	bool end = false;
	int n = 0;
	OK(&l->w, index_rows_open(l->w.ix, &rows, &query, &l->w.err));
	while (index_rows_catalog(rows, &row, &end, &l->w.err)) {
		ck_assert_int_lt(n, l->entry_count);
		ck_assert_uint_eq(row.offset, l->entries[n].offset);
		ck_assert_mem_eq(
		    row.sha256, l->contents[l->entries[n].content].sha256, 32);
		n++;
	}
	ck_assert(end);
	index_rows_close(&rows);
	ck_assert_int_eq(n, l->entry_count);
}

static void
walk_all(struct life *l)
{
	for (int b = 0; b < l->box_count; b++) {
		struct index_walk *walk;
		struct index_known known;
		bool end = false;
		uint64_t before = 0, told = 0, live = 0, delivered = 0;
		OK(&l->w, index_walk_open(l->w.ix, &walk, l->w.job,
			      l->boxes[b].id, 0, &l->w.err));
		for (; index_walk_next(walk, &known, &end, &l->w.err); told++) {
			const struct life_mail *m = mail_at(l, b, known.okey);
			ck_assert_uint_gt(known.okey, before);
			before = known.okey;
			ck_assert(m->live);
			ck_assert((known.outcome == OUTCOME_DELIVERED) ==
				  m->delivered);
			if (!m->delivered)
				continue;
			delivered++;
			ck_assert_uint_eq(known.flags, m->flags);
			ck_assert_str_eq(
			    known.keywords, life_keywords[m->keywords]);
		}
		ck_assert(end);
		index_walk_close(&walk);
		for (int i = 0; i < l->mail_count; i++)
			live += l->mails[i].box == b && l->mails[i].live;
		ck_assert_uint_eq(told, live);
		uint64_t by[OUTCOME_COUNT], counted = 0;
		OK(&l->w, index_live_count(l->w.ix, l->w.job, l->boxes[b].id, 0,
			      UINT64_MAX, by, &l->w.err));
		for (int i = 0; i < OUTCOME_COUNT; i++)
			counted += by[i];
		ck_assert_uint_eq(counted, live);
		ck_assert_uint_eq(by[OUTCOME_DELIVERED], delivered);
	}
}

static void
end_life(struct life *l)
{
	char dir[100];
	snprintf(dir, sizeof(dir), "%s/runs", l->w.dir);
	DIR *d = opendir(dir);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	ck_assert_int_eq(rmdir(dir), 0);
	world_close(&l->w);
	for (size_t i = 0; i < l->folded; i++) {
		free(l->fold[i].origin);
		free(l->fold[i].state);
	}
	for (size_t i = 0; i < sizeof(l->snapshots) / sizeof(l->snapshots[0]);
	     i++)
		free(l->snapshots[i]);
	free(l);
}

static bool
has_seen_all(const struct life *l)
{
	for (size_t i = 0; i < THINGS; i++)
		if (l->did[i] == 0)
			return false;

	return true;
}

START_TEST(every_day_of_a_life_is_told_as_it_was)
{
	struct life *l = calloc(1, sizeof(*l));
	char dir[100];
	l->random = 0x9E3779B97F4A7C15u * (uint64_t)(_i + 1);
	l->next_uidvalidity = 100;
	world_open(&l->w);
	snprintf(dir, sizeof(dir), "%s/runs", l->w.dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	OK(&l->w, index_run_job_begin(l->w.ix, l->w.run, l->w.job, &l->w.err));
	begin(&l->w);
	add_volume(&l->w, VOLUME);
	commit(&l->w);
	end_run(&l->w, RUN_COMPLETE);
	l->snapshots[1] = strdup("");
	l->boxes[l->box_count++] = (struct life_box){
		.id = l->w.box, .uidvalidity = 77, .next_uid = 1, .live = true
	};
	for (int day = 1; day <= DAYS || (day <= DAYS_MAX && !has_seen_all(l));
	     day++)
		live_a_day(l, day);
	for (size_t i = 0; i < THINGS; i++)
		ck_assert_msg(l->did[i] > 0, "thing %zu never happened", i);
	ask_about_each_run(l);
	ask_for_sums(l);
	ask_for_the_catalog(l);
	walk_all(l);
	end_life(l);
}
END_TEST

Suite *
suite_index_life(void)
{
	Suite *s = suite_create("index life");
	TCase *t = tcase_create("a life");
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, every_day_of_a_life_is_told_as_it_was, 0,
	    getenv("MAILHAUL_SOAK") == NULL ? LIVES : LIVES_SOAK);
	suite_add_tcase(s, t);

	return s;
}
