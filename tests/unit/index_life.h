/*
 * A random life of an account: mail arrives, changes, goes, comes back and
 * moves; mailboxes are renamed, numbered anew, deleted.  A model keeps what
 * stood after each run, as lines of text; the index as of each run, the fold of
 * the manifests up to it and the sqlite3 program have to say the same.
 */
#ifndef TESTS_INDEX_LIFE_H
#define TESTS_INDEX_LIFE_H

#include <sys/stat.h>

#include "index_world.h"

#include "cmd/runs.h"
#include "mail/flags.h"

enum {
	LIVES = 3,
	LIVES_SOAK = 60,
	DAYS = 50,
	BOXES_MAX = 400,
	MAILS_MAX = 8000,
	CONTENTS_MAX = 2000,
	ENTRIES_MAX = 8000,
	NAMES = 5
};

struct life_box {
	uint64_t id, uidvalidity, generation, next_uid;
	int name;
	bool live;     /* the one of its name */
	bool replaced; /* by another generation, and not ended yet */
};
struct life_mail {
	int box, content; /* content -1: never kept */
	uint64_t uid;
	uint8_t flags;
	int keywords;
	bool live, delivered;
};
struct life_entry {
	int content;
	uint64_t offset;
};
struct folded {
	char *origin, *state; /* state NULL: ended */
};

struct life {
	struct world w;
	uint64_t random;
	struct life_box boxes[BOXES_MAX];
	int box_count;
	struct life_mail mails[MAILS_MAX];
	int mail_count;
	struct kept contents[CONTENTS_MAX];
	int content_count;
	struct life_entry entries[ENTRIES_MAX];
	int entry_count;
	uint64_t next_uidvalidity;
	char *snapshots[DAYS + 2]; /* by run */
	struct folded fold[MAILS_MAX];
	size_t folded;
	unsigned did[16]; /* how often each thing happened */
};

static const char *const life_names[NAMES] = { "INBOX", "Work", "Sent",
	"Work/Old", "\303\244" };
static const char *const life_keywords[] = { "", "$A", "$A $B", "Zz" };

/* xorshift: the same for the same life */
static uint64_t
below(struct life *l, uint64_t n)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;

	return (l->random >> 11) % n;
}

/* ---- lines ---- */

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, joined; the lines are freed. */
static char *
join_lines(char **lines, size_t n)
{
	struct buf all = { 0 };
	if (n > 0)
		qsort(lines, n, sizeof(*lines), compare_lines);
	buf_str(&all, "");
	for (size_t i = 0; i < n; i++) {
		buf_str(&all, lines[i]);
		free(lines[i]);
	}
	free(lines);

	return buf_steal(&all);
}

static char *
line_of(const char *wire, uint64_t uidvalidity, uint64_t generation,
    uint64_t uid, const uint8_t sha256[32], uint8_t flags, const char *keywords)
{
	char hex[65];
	struct buf line = { 0 };
	buf_fmt(&line, "%s %llu %llu %llu|%s %u [%s]\n", wire,
	    (unsigned long long)uidvalidity, (unsigned long long)generation,
	    (unsigned long long)uid, digest_hex(hex, sha256, 32), flags,
	    keywords);

	return buf_steal(&line);
}

static char *
model_state(const struct life *l)
{
	char **lines = calloc(MAILS_MAX, sizeof(*lines));
	size_t n = 0;
	for (int i = 0; i < l->mail_count; i++) {
		const struct life_mail *m = &l->mails[i];
		const struct life_box *b = &l->boxes[m->box];
		if (m->live && m->delivered)
			lines[n++] = line_of(life_names[b->name],
			    b->uidvalidity, b->generation, m->uid,
			    l->contents[m->content].sha256, m->flags,
			    life_keywords[m->keywords]);
	}

	return join_lines(lines, n);
}

static char *
index_state(struct life *l, uint64_t run)
{
	char **lines = calloc(MAILS_MAX, sizeof(*lines));
	size_t n = 0;
	struct index_query query = { .outcome = -1, .as_of_run = run };
	struct index_rows *rows;
	struct index_row row;
	bool end;
	OK(&l->w, index_rows_open(l->w.ix, &rows, &query, &l->w.err));
	for (;;) {
		OK(&l->w, index_rows_next(rows, &row, &end, &l->w.err));
		if (end)
			break;
		lines[n++] = line_of(row.row.wire, row.row.uidvalidity,
		    row.row.generation, row.row.uid, row.row.sha256,
		    row.row.flags, row.row.keywords);
	}
	index_rows_close(&rows);

	return join_lines(lines, n);
}

/* ---- the manifests' word ---- */

static struct folded *
fold_at(struct life *l, const char *origin)
{
	for (size_t i = 0; i < l->folded; i++)
		if (strcmp(l->fold[i].origin, origin) == 0)
			return &l->fold[i];
	ck_assert_uint_lt(l->folded, MAILS_MAX);
	l->fold[l->folded].origin = strdup(origin);

	return &l->fold[l->folded++];
}

static const char *
text_in(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static uint64_t
number_in(const json_t *line, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(line, key));
}

static char *
state_in(const json_t *line)
{
	struct buf text = { 0 };
	uint8_t flags = 0;
	size_t i;
	const json_t *word;
	const json_t *words = json_object_get(line, "flags");
	for (i = 0; i < json_array_size(words); i++) {
		word = json_array_get(words, i);
		flags |= flags_parse(
		    json_string_value(word), json_string_length(word));
	}
	buf_fmt(&text, "%s %u [", text_in(line, "sha256"), flags);
	words = json_object_get(line, "keywords");
	for (i = 0; i < json_array_size(words); i++)
		buf_fmt(&text, "%s%s", i == 0 ? "" : " ",
		    json_string_value(json_array_get(words, i)));
	buf_str(&text, "]\n");

	return buf_steal(&text);
}

static void
fold_line(struct life *l, const json_t *line)
{
	const char *type = text_in(line, "type");
	char origin[200];
	ck_assert_ptr_nonnull(type);
	bool begun = strcmp(type, "begun") == 0;
	if (!begun && strcmp(type, "ended") != 0)
		return;
	ck_assert_str_eq(text_in(line, "account"), "a@example");
	snprintf(origin, sizeof(origin), "%s %llu %llu %llu",
	    text_in(line, "wire"),
	    (unsigned long long)number_in(line, "uidvalidity"),
	    (unsigned long long)number_in(line, "generation"),
	    (unsigned long long)number_in(line, "uid"));
	struct folded *at = fold_at(l, origin);
	free(at->state);
	at->state = begun ? state_in(line) : NULL;
}

static FILE *
unpacked(const char *path, pid_t *pid)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	*pid = fork();
	ck_assert_int_ge(*pid, 0);
	if (*pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		execlp("zstd", "zstd", "-dcq", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);

	return fdopen(ends[0], "r");
}

/* The lines in the manifest. */
static size_t
fold_run(struct life *l, const char *name)
{
	char path[200], *line = NULL;
	size_t cap = 0, n = 0;
	pid_t pid;
	int status;
	snprintf(path, sizeof(path), "%s/runs/%s.jsonl.zst", l->w.dir, name);
	FILE *in = unpacked(path, &pid);
	ck_assert_ptr_nonnull(in);
	while (getline(&line, &cap, in) > 0) {
		json_t *object = json_loads(line, 0, NULL);
		ck_assert_msg(object != NULL, "no JSON: %s", line);
		fold_line(l, object);
		json_decref(object);
		n++;
	}
	free(line);
	fclose(in);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);

	return n;
}

static char *
fold_state(const struct life *l)
{
	char **lines = calloc(MAILS_MAX, sizeof(*lines));
	size_t n = 0;
	for (size_t i = 0; i < l->folded; i++) {
		struct buf line = { 0 };
		if (l->fold[i].state == NULL)
			continue;
		buf_fmt(&line, "%s|%s", l->fold[i].origin, l->fold[i].state);
		lines[n++] = buf_steal(&line);
	}

	return join_lines(lines, n);
}

/* ---- what can happen ---- */

static struct life_mail *
mail_at(struct life *l, int box, uint64_t uid)
{
	for (int i = 0; i < l->mail_count; i++)
		if (l->mails[i].box == box && l->mails[i].uid == uid)
			return &l->mails[i];
	ck_assert_int_lt(l->mail_count, MAILS_MAX);
	struct life_mail *m = &l->mails[l->mail_count++];
	*m = (struct life_mail){ .box = box, .uid = uid, .content = -1 };

	return m;
}

static int
any_box(struct life *l, bool live)
{
	for (int tries = 0; tries < 200 && l->box_count > 0; tries++) {
		int b = (int)below(l, (uint64_t)l->box_count);
		if (l->boxes[b].live == live && !l->boxes[b].replaced)
			return b;
	}

	return -1;
}

static struct life_mail *
any_mail(struct life *l, bool live, bool delivered)
{
	for (int tries = 0; tries < 400 && l->mail_count > 0; tries++) {
		struct life_mail *m =
		    &l->mails[below(l, (uint64_t)l->mail_count)];
		if (m->live == live && m->delivered == delivered &&
		    l->boxes[m->box].live)
			return m;
	}

	return NULL;
}

static bool
name_is_free(const struct life *l, int name)
{
	for (int i = 0; i < l->box_count; i++)
		if (l->boxes[i].live && l->boxes[i].name == name)
			return false;

	return true;
}

/* The index's box for a name; the model's number of it. */
static int
open_box(struct life *l, int name, uint64_t uidvalidity, bool restart)
{
	struct source_mailbox box = { .name = life_names[name],
		.display = life_names[name],
		.separator = '/' };
	uint64_t id, generation = 0;
	bool is_new;
	if (restart)
		OK(&l->w, index_mailbox_restart(l->w.ix, l->w.source, &box,
			      uidvalidity, l->w.run, &id, &l->w.err));
	else
		OK(&l->w, index_mailbox(l->w.ix, l->w.source, &box, uidvalidity,
			      l->w.run, &id, &is_new, &l->w.err));
	for (int i = 0; i < l->box_count; i++) {
		if (l->boxes[i].id == id) {
			l->boxes[i].live = true;
			return i;
		}
		generation += l->boxes[i].name == name &&
			      l->boxes[i].uidvalidity == uidvalidity;
	}
	ck_assert_int_lt(l->box_count, BOXES_MAX);
	l->boxes[l->box_count] = (struct life_box){ .id = id,
		.name = name,
		.uidvalidity = uidvalidity,
		.generation = generation,
		.next_uid = 1,
		.live = true };

	return l->box_count++;
}

static int
some_box(struct life *l)
{
	int b = below(l, 20) == 0 ? -1 : any_box(l, true);
	int name = (int)below(l, NAMES);
	if (b >= 0 || !name_is_free(l, name))
		return b;

	return open_box(l, name, ++l->next_uidvalidity, false);
}

static void
store(struct life *l, int box, uint64_t uid, int content)
{
	char header[80];
	struct life_mail *m = mail_at(l, box, uid);
	if (content == l->content_count)
		l->content_count++;
	snprintf(header, sizeof(header),
	    "Message-ID: <m%d@x>\r\nSubject: %d\r\n", content, content);
	ck_assert_int_lt(l->entry_count, ENTRIES_MAX);
	uint64_t offset = 512 * (uint64_t)(l->entry_count + 1);
	l->entries[l->entry_count++] =
	    (struct life_entry){ .content = content, .offset = offset };
	l->contents[content] = settle(&l->w, &(struct sent){ .uid = uid,
						 .header = header,
						 .box = l->boxes[box].id,
						 .offset = offset });
	*m = (struct life_mail){ .box = box,
		.uid = uid,
		.content = content,
		.flags = 8,
		.live = true,
		.delivered = true };
}

static void
know(struct life *l, int box, uint64_t uid, int content)
{
	struct placement p = { .okey = uid,
		.size = l->contents[content].size + 1,
		.idate = IDATE,
		.zone = 60,
		.flags = (uint8_t)below(l, 32) };
	OK(&l->w,
	    index_settle_known(l->w.ix, l->w.run, l->w.job, l->boxes[box].id,
		&p, l->contents[content].sha256, &l->w.err));
	*mail_at(l, box, uid) = (struct life_mail){ .box = box,
		.uid = uid,
		.content = content,
		.flags = p.flags,
		.live = true,
		.delivered = true };
}

static int
some_content(struct life *l)
{
	if (l->content_count == 0 || below(l, 3) > 0)
		return l->content_count;

	return (int)below(l, (uint64_t)l->content_count);
}

static bool
arrive(struct life *l)
{
	int b = some_box(l);
	if (b < 0 || l->content_count == CONTENTS_MAX)
		return false;
	uint64_t uid = l->boxes[b].next_uid++;
	if (l->content_count > 0 && below(l, 6) == 0)
		know(l, b, uid, (int)below(l, (uint64_t)l->content_count));
	else
		store(l, b, uid, some_content(l));

	return true;
}

static bool
flag(struct life *l)
{
	struct life_mail *m = any_mail(l, true, true);
	bool changed;
	if (m == NULL)
		return false;
	uint8_t flags = (uint8_t)below(l, 32);
	int keywords = (int)below(l, 4);
	OK(&l->w, index_change(l->w.ix, l->w.run, l->boxes[m->box].id, m->uid,
		      flags, life_keywords[keywords], &changed, &l->w.err));
	ck_assert(changed == (flags != m->flags || keywords != m->keywords));
	m->flags = flags;
	m->keywords = keywords;

	return true;
}

static uint64_t
end_mails(struct life *l, int box, uint64_t lo, uint64_t hi)
{
	uint64_t n = 0;
	for (int i = 0; i < l->mail_count; i++) {
		struct life_mail *m = &l->mails[i];
		if (m->box != box || m->uid < lo || m->uid > hi || !m->live)
			continue;
		m->live = false;
		n++;
	}

	return n;
}

static bool
expunge(struct life *l)
{
	int b = any_box(l, true);
	uint64_t n;
	if (b < 0)
		return false;
	uint64_t lo = 1 + below(l, l->boxes[b].next_uid);
	uint64_t hi = lo + below(l, 4);
	OK(&l->w, index_end(l->w.ix, l->w.run, l->boxes[b].id, lo, hi, &n,
		      &l->w.err));
	ck_assert_uint_eq(n, end_mails(l, b, lo, hi));

	return true;
}

static bool
come_back(struct life *l)
{
	struct life_mail *m = any_mail(l, false, true);
	bool again;
	if (m == NULL)
		return false;
	struct placement p = { .okey = m->uid,
		.size = l->contents[m->content].size + 1,
		.idate = IDATE,
		.zone = 60,
		.flags = (uint8_t)below(l, 32) };
	OK(&l->w, index_settle_again(l->w.ix, l->w.run, l->w.job,
		      l->boxes[m->box].id, &p, &again, &l->w.err));
	ck_assert(again);
	m->live = true;
	m->flags = p.flags;
	m->keywords = 0;

	return true;
}

/* What a server must not do: a UID again, maybe with other octets. */
static bool
store_again(struct life *l)
{
	struct life_mail *m = any_mail(l, below(l, 2) == 0, true);
	if (m == NULL || l->content_count == CONTENTS_MAX)
		return false;
	store(
	    l, m->box, m->uid, below(l, 2) == 0 ? m->content : some_content(l));

	return true;
}

static bool
leave_out(struct life *l)
{
	int b = any_box(l, true);
	if (b < 0)
		return false;
	uint64_t uid = l->boxes[b].next_uid++;
	l->w.box = l->boxes[b].id;
	lose(&l->w, uid,
	    below(l, 2) == 0 ? OUTCOME_EXCLUDED : OUTCOME_UNREADABLE,
	    "because");
	mail_at(l, b, uid)->live = true;

	return true;
}

static bool
take_in(struct life *l)
{
	struct life_mail *m = any_mail(l, true, false);
	if (m == NULL || l->content_count == CONTENTS_MAX)
		return false;
	store(l, m->box, m->uid, some_content(l));

	return true;
}

static void
end_box(struct life *l, int b, int by)
{
	uint64_t n;
	OK(&l->w, index_end_mailbox(l->w.ix, l->w.run, l->boxes[b].id,
		      by < 0 ? 0 : l->boxes[by].id, &n, &l->w.err));
	ck_assert_uint_eq(n, end_mails(l, b, 0, UINT64_MAX));
	l->boxes[b].live = l->boxes[b].replaced = false;
}

static bool
drop_box(struct life *l)
{
	int b = any_box(l, true);
	if (b < 0 || below(l, 3) > 0)
		return false;
	end_box(l, b, -1);

	return true;
}

static bool
restore_box(struct life *l)
{
	int b = any_box(l, false);
	if (b < 0 || !name_is_free(l, l->boxes[b].name))
		return false;
	int same =
	    open_box(l, l->boxes[b].name, l->boxes[b].uidvalidity, false);
	/* Of several generations under a UIDVALIDITY the last is meant. */
	ck_assert(l->boxes[same].name == l->boxes[b].name &&
		  l->boxes[same].generation >= l->boxes[b].generation);

	return true;
}

static bool
rename_box(struct life *l)
{
	int from = any_box(l, true), name = (int)below(l, NAMES);
	uint64_t n, moved = 0;
	if (from < 0 || !name_is_free(l, name))
		return false;
	int to = open_box(l, name, l->boxes[from].uidvalidity, false);
	if (l->boxes[to].next_uid < l->boxes[from].next_uid)
		l->boxes[to].next_uid = l->boxes[from].next_uid;
	OK(&l->w, index_rename(l->w.ix, l->w.run, l->w.job, l->boxes[from].id,
		      l->boxes[to].id, &n, &l->w.err));
	for (int i = 0; i < l->mail_count; i++) {
		struct life_mail *old = &l->mails[i];
		if (old->box != from || !old->live)
			continue;
		struct life_mail *m = mail_at(l, to, old->uid);
		/* What was kept under the UID before is kept still. */
		if (old->delivered) {
			m->content = old->content;
			m->delivered = true;
		}
		m->flags = old->flags;
		m->keywords = old->keywords;
		m->live = true;
		old->live = false;
		moved++;
	}
	ck_assert_uint_eq(n, moved);
	l->boxes[from].live = false;

	return true;
}

static bool
number_anew(struct life *l)
{
	int old = any_box(l, true);
	if (old < 0)
		return false;
	bool restart = below(l, 4) == 0;
	l->boxes[old].live = false;
	l->boxes[old].replaced = true;
	int b = open_box(l, l->boxes[old].name,
	    restart ? l->boxes[old].uidvalidity : ++l->next_uidvalidity,
	    restart);
	ck_assert_int_ne(b, old);
	int n = l->mail_count;
	for (int i = 0; i < n; i++)
		if (l->mails[i].box == old && l->mails[i].live &&
		    l->mails[i].delivered)
			know(l, b, l->boxes[b].next_uid++, l->mails[i].content);
	/* Sometimes it is seen whole only days later. */
	if (below(l, 3) > 0)
		end_box(l, old, b);

	return true;
}

static bool
end_replaced(struct life *l)
{
	bool any = false;
	for (int i = 0; i < l->box_count; i++)
		if (l->boxes[i].replaced) {
			end_box(l, i, -1);
			any = true;
		}

	return any;
}

static const struct {
	bool (*happens)(struct life *);
	unsigned weight;
} things[] = {
	{ arrive, 30 },
	{ flag, 20 },
	{ expunge, 12 },
	{ come_back, 5 },
	{ store_again, 4 },
	{ leave_out, 4 },
	{ take_in, 3 },
	{ drop_box, 2 },
	{ restore_box, 3 },
	{ rename_box, 4 },
	{ number_anew, 4 },
	{ end_replaced, 5 },
};
enum { THINGS = sizeof(things) / sizeof(things[0]) };

static void
something(struct life *l)
{
	unsigned all = 0, at = 0;
	for (size_t i = 0; i < THINGS; i++)
		all += things[i].weight;
	uint64_t which = below(l, all);
	while (which >= things[at].weight)
		which -= things[at++].weight;
	l->did[at] += things[at].happens(l);
}

/* ---- a life ---- */

static void
write_manifests(struct life *l)
{
	struct archive_port port = { .dir = l->w.dir, .index = l->w.ix };
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
	for (int day = 1; day <= DAYS; day++)
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

#endif
