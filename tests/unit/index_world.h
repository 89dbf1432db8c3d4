/* What the index's tests share: a folder with an index that knows one account,
 * one archive and one mailbox, and the sqlite3 program as a second opinion. */
#ifndef TESTS_INDEX_WORLD_H
#define TESTS_INDEX_WORLD_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index/index.h"
#include "mail/datetime.h"

#define MAY_BE_UNUSED __attribute__((unused))
#define VOLUME "2026-11-21T101500Z-a1b2-0001"
#define IDATE 1700000000

struct world {
	char dir[64], path[96];
	struct index *ix;
	struct err err;
	uint64_t run, source, archive, job, box;
	uint32_t frames; /* told to the index so far */
	bool known;      /* index_settle_known's last answer */
};

static const struct source_mailbox inbox = {
	.name = "INBOX", .display = "INBOX", .separator = '/'
};

#define OK(w, call) ck_assert_msg((call), "%s", (w)->err.text)

MAY_BE_UNUSED static void
world_folder(struct world *w)
{
	*w = (struct world){ .dir = "/tmp/mailhaul-index-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/mailhaul.db", w->dir);
}

MAY_BE_UNUSED static void
world_open(struct world *w)
{
	bool is_new;
	world_folder(w);
	OK(w, index_open(&w->ix, w->path, INDEX_WRITE, &w->err));
	OK(w, index_run_begin(w->ix, "run-1", "copy", &w->run, &w->err));
	OK(w, index_account(w->ix, "imap", "a@example", &w->source, &w->err));
	OK(w, index_account(w->ix, "archive", "x", &w->archive, &w->err));
	OK(w, index_job(w->ix, w->source, w->archive, &w->job, &w->err));
	OK(w, index_mailbox(w->ix, w->source, &inbox, 77, w->run, &w->box,
		  &is_new, &w->err));
	ck_assert(is_new);
}

MAY_BE_UNUSED static void
world_remove(struct world *w)
{
	DIR *dir = opendir(w->dir);
	ck_assert_ptr_nonnull(dir);
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	ck_assert_int_eq(rmdir(w->dir), 0);
}

/* The first line that "sqlite3 FILE SQL" prints. */
MAY_BE_UNUSED static const char *
judge(const char *path, const char *sql)
{
	static char line[512];
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		execlp("sqlite3", "sqlite3", path, sql, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *in = fdopen(ends[0], "r");
	ck_assert_ptr_nonnull(in);
	line[0] = '\0';
	if (fgets(line, sizeof(line), in) != NULL)
		line[strcspn(line, "\n")] = '\0';
	fclose(in);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 127,
	    "sqlite3 could not be run");

	return line;
}

MAY_BE_UNUSED static void
world_sound(const struct world *w)
{
	ck_assert_str_eq(judge(w->path, "PRAGMA integrity_check"), "ok");
	ck_assert_str_eq(judge(w->path, "PRAGMA foreign_key_check"), "");
}

MAY_BE_UNUSED static void
world_close(struct world *w)
{
	index_close(&w->ix);
	ck_assert_ptr_null(w->ix);
	world_sound(w);
	world_remove(w);
}

/* ---- messages ---- */

MAY_BE_UNUSED static struct content *
message(const char *header, size_t body)
{
	struct err err;
	struct content *c = content_new(NULL, 0);
	ck_assert(content_add(c, header, strlen(header), &err));
	ck_assert(content_add(c, "\r\n", 2, &err));
	for (size_t i = 0; i < body; i++)
		ck_assert(content_add(c, "b", 1, &err));
	content_finish(c);

	return c;
}

struct sent { /* one settled message, as a test describes it */
	uint64_t uid;
	const char *header;
	size_t body;
	enum claim_kind claim;
	const struct kept *survivor;
	int64_t idate;     /* 0: IDATE */
	uint64_t box, run; /* 0: the world's */
	const char *volume;
	uint32_t frame;
	uint64_t offset;
	const char *const *keywords;
	uint32_t keyword_count;
};

MAY_BE_UNUSED static struct kept
place_of(const struct sent *s, struct content *c)
{
	struct kept where = { .frame = s->frame, .offset = s->offset };
	snprintf(where.volume, sizeof(where.volume), "%s",
	    s->volume == NULL ? VOLUME : s->volume);
	snprintf(where.entry, sizeof(where.entry), "a/INBOX/cur/%llu",
	    (unsigned long long)s->uid);
	where.size = content_size(c);
	where.header_size = content_header_size(c);
	memcpy(where.sha256, content_sha256(c), 32);

	return where;
}

/* Inside a transaction. Where it is kept now. */
MAY_BE_UNUSED static bool
try_settle(struct world *w, const struct sent *s, struct kept *where)
{
	struct content *c = message(s->header, s->body);
	struct header_fields fields;
	size_t len;
	const char *header = content_header(c, &len);
	header_scan(header, len, &fields);
	struct placement p = { .okey = s->uid,
		.size = content_size(c) + 1, /* servers err */
		.idate = s->idate == 0 ? IDATE : s->idate,
		.zone = 60,
		.flags = 8,
		.keywords = s->keywords,
		.keyword_count = s->keyword_count };
	*where = place_of(s, c);
	struct index_delivery d = { .run = s->run == 0 ? w->run : s->run,
		.job = w->job,
		.mailbox = s->box == 0 ? w->box : s->box,
		.archive = w->archive,
		.placement = &p,
		.content = c,
		.header = &fields,
		.identity = 5,
		.claim = s->claim,
		.where = where,
		.survivor = s->survivor };
	bool ok = index_settle(w->ix, &d, &w->err);
	content_free(&c);

	return ok;
}

MAY_BE_UNUSED static struct kept
settle(struct world *w, const struct sent *s)
{
	struct kept where;
	OK(w, try_settle(w, s, &where));

	return where;
}

MAY_BE_UNUSED static void
begin(struct world *w)
{
	OK(w, index_begin(w->ix, &w->err));
}

MAY_BE_UNUSED static void
commit(struct world *w)
{
	OK(w, index_commit(w->ix, &w->err));
}

/* Inside a transaction: a new volume with two frames. */
MAY_BE_UNUSED static void
add_volume(struct world *w, const char *name)
{
	struct frame_info frames[] = {
		{ .offset = 0, .plain = 0, .csize = 100, .dsize = 1000 },
		{ .offset = 100, .plain = 1000, .csize = 50, .dsize = 500 },
	};
	struct progress p = { .committed = 150,
		.plain = 1500,
		.frames = frames,
		.frame_count = 2,
		.opened = true };
	snprintf(p.volume, sizeof(p.volume), "%s", name);
	OK(w, index_progress(w->ix, w->run, w->archive, &p, &w->err));
}

MAY_BE_UNUSED static void
seal_volume(struct world *w, const char *name)
{
	struct progress p = {
		.committed = 200, .plain = 1500, .sealed = true, .sha256 = { 9 }
	};
	snprintf(p.volume, sizeof(p.volume), "%s", name);
	OK(w, index_progress(w->ix, w->run, w->archive, &p, &w->err));
}

MAY_BE_UNUSED static void
lose(struct world *w, uint64_t uid, enum outcome outcome, const char *why)
{
	struct placement p = {
		.okey = uid, .size = 10, .idate = DATETIME_NONE
	};
	OK(w, index_settle_outcome(w->ix, w->run, w->job, w->box, &p, outcome,
		  "protocol", why, &w->err));
}

#endif
