/*
 * From HTML to text, text as it is indexed, and what people look for as a
 * query of FTS5. (MIME itself is read by a library in a child with limits.)
 * The first octet bounds the text.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/text.h"
#include "index/search_private.h"
#include "text/decode.h"

enum { TAGS, ENTITIES, CUT, SPLIT, PHRASE, FOUND, TOO_MANY };

static const char *const marks[] = {
	[TAGS] = "HTML that becomes less",
	[ENTITIES] = "an entity",
	[CUT] = "a text that is cut",
	[SPLIT] = "a script without blanks",
	[PHRASE] = "a query with a phrase",
	[FOUND] = "a query that finds something",
	[TOO_MANY] = "a query of too many words",
};

static sqlite3 *db;
static sqlite3_stmt *find;

/* A table like that of bodies, with one row. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	MUST(sqlite3_open(":memory:", &db) == SQLITE_OK);
	MUST(sqlite3_exec(db,
		 "CREATE VIRTUAL TABLE t USING fts5(from_, to_, cc, subject,"
		 " tokenize = 'unicode61');"
		 "INSERT INTO t VALUES ('hanna', 'tom', '', 'invoice of may')",
		 NULL, NULL, NULL) == SQLITE_OK);
	MUST(sqlite3_prepare_v2(db, "SELECT count(*) FROM t(?)", -1, &find,
		 NULL) == SQLITE_OK);

	return 0;
}

/* ---- HTML ---- */

static void
check_html(const char *data, size_t len, size_t max)
{
	struct buf all = { 0 }, some = { 0 }, clean = { 0 };
	text_utf8(&clean, data, len);
	buf_str(&all, "");
	buf_str(&some, "");
	MUST(text_html(&all, clean.data, clean.len, clean.len * 4 + 4));
	bool whole = text_html(&some, clean.data, clean.len, max);
	MUST(text_is_utf8(all.data, all.len));
	MUST(text_is_utf8(some.data, some.len));
	MUST(some.len <= max && some.len <= all.len);
	MUST(memcmp(all.data, some.data, some.len) == 0);
	MUST(!whole || some.len == all.len);
	MUST(strstr(all.data, "  ") == NULL && all.data[0] != ' ');
	if (all.len > 0 && all.len < clean.len)
		fuzz_reach(TAGS);
	if (memchr(clean.data, '&', clean.len) != NULL &&
	    memchr(all.data, '&', all.len) == NULL)
		fuzz_reach(ENTITIES);
	if (!whole)
		fuzz_reach(CUT);
	buf_free(&all);
	buf_free(&some);
	buf_free(&clean);
}

/* ---- words ---- */

/* Nothing but blanks is added. */
static void
check_split(const char *text)
{
	struct buf out = { 0 }, clean = { 0 };
	search_words_split(&out, text);
	text_utf8(&clean, text, strlen(text));
	const char *p = clean.data;
	MUST(text_is_utf8(out.data, out.len));
	for (size_t i = 0; i < out.len; i++)
		if (*p == out.data[i])
			p++;
		else
			MUST(out.data[i] == ' ');
	MUST(*p == '\0');
	if (out.len > clean.len)
		fuzz_reach(SPLIT);
	buf_free(&out);
	buf_free(&clean);
}

/* Whatever people write is a query to SQLite. */
static void
check_query(const char *query)
{
	if (query[0] == '\0')
		return;
	MUST(sqlite3_bind_text(find, 1, query, -1, SQLITE_STATIC) == SQLITE_OK);
	int code = sqlite3_step(find);
	if (code != SQLITE_ROW)
		fuzz_fail(query, 0, sqlite3_errmsg(db));
	if (sqlite3_column_int(find, 0) > 0)
		fuzz_reach(FOUND);
	sqlite3_reset(find);
}

static void
check_words(const char *text)
{
	struct search_query q = { .subject = text };
	struct buf out = { 0 };
	struct err err;
	if (search_words_body(&out, text, &err))
		check_query(out.data != NULL ? out.data : "");
	else
		fuzz_reach(TOO_MANY);
	if (search_words_headers(&out, &q, &err))
		check_query(out.data != NULL ? out.data : "");
	if (text[0] == '"' && out.len > 0)
		fuzz_reach(PHRASE);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	struct buf text = { 0 };
	size_t max = fuzz_choose(&rest, 256);
	check_html(rest.data, rest.len, max);
	buf_add(&text, rest.data, rest.len);
	check_split(text.data);
	text.len = strlen(text.data);
	/* Arguments of a program are what they are; files and indexes hold
	 * only valid text. */
	struct buf clean = { 0 };
	text_utf8(&clean, text.data, text.len);
	check_words(clean.data);
	buf_free(&clean);
	buf_free(&text);

	return 0;
}
