/* Is an index's schema the one that this program makes? */
#define SQL_MIGRATIONS
#include "index/private.h"

#include <string.h>

static bool
add_rows(struct sql *q, struct buf *text, struct err *err)
{
	bool row = false;
	for (;;) {
		if (!sql_step(q, &row, err))
			return false;
		if (!row)
			return true;
		for (int i = 0; i < 4; i++) {
			const char *column = sql_get_text(q);
			buf_str(text, column == NULL ? "" : column);
			buf_char(text, '\0');
		}
	}
}

static bool
read_schema(struct index *ix, struct buf *text, struct err *err)
{
	struct sql q;
	if (!sql_open_own(ix, SQL_SCHEMA, &q, err))
		return false;
	bool ok = add_rows(&q, text, err);
	sql_close(&q);

	return ok;
}

/* What the migrations make of an empty database. */
static bool
make_model(struct index *model, struct err *err)
{
	int rc = sqlite3_open(":memory:", &model->db);
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(sql_migrations) /
						      sizeof(sql_migrations[0]);
	     i++)
		rc = sqlite3_exec(
		    model->db, sql_migrations[i], NULL, NULL, NULL);

	return rc == SQLITE_OK || index_fail(model, rc, "schema", err);
}

bool
index_schema_check(struct index *ix, bool *same, struct err *err)
{
	struct index model = { .path = ix->path, .lock = -1 };
	struct buf here = { 0 }, wanted = { 0 };
	bool ok = read_schema(ix, &here, err) && make_model(&model, err) &&
		  read_schema(&model, &wanted, err);
	*same = ok && here.len == wanted.len && here.data != NULL &&
		wanted.data != NULL &&
		memcmp(here.data, wanted.data, here.len) == 0;
	sqlite3_close(model.db);
	buf_free(&here);
	buf_free(&wanted);

	return ok;
}
