/*
 * A random life of an account: mail arrives, changes, goes, comes back and
 * moves; mailboxes are renamed, numbered anew, deleted.  A model keeps what
 * stood after each run, as lines of text; the index as of each run, the fold of
 * the manifests up to it and the sqlite3 program have to say the same.
 */
#ifndef TESTS_INDEX_LIFE_H
#define TESTS_INDEX_LIFE_H

#include <jansson.h>
#include <sys/stat.h>

#include "index_world.h"

#include "cmd/runs.h"
#include "mail/flags.h"

enum {
	LIVES = 3,
	LIVES_SOAK = 60,
	DAYS = 50,
	DAYS_MAX = 100, /* until each thing has happened */
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
	char *snapshots[DAYS_MAX + 2]; /* by run */
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

#endif
