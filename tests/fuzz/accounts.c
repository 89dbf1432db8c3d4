/*
 * The CSV of accounts: its rows are the same however they arrive, and the same
 * again when all their fields are written in quotes; accounts keep what their
 * header promises. The first octet chooses the pieces.
 */
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/accounts.h"
#include "conf/endpoint.h"
#include "conf/outline.h"
#include "conf/sheet.h"

enum { PIECES = 60 };

enum {
	ROW,
	QUOTES,
	LINES,
	ACCEPTED,
	PASSWORD,
	AUTHZID,
	REFUSED,
	TWICE,
	QUOTING,
	COLUMN
};

static const char *const marks[] = {
	[ROW] = "a row",
	[QUOTES] = "a field with quotes",
	[LINES] = "a field of two lines",
	[ACCEPTED] = "accounts that are taken",
	[PASSWORD] = "a password",
	[AUTHZID] = "somebody else's mail, under a name of its own",
	[REFUSED] = "a row that is refused",
	[TWICE] = "one account twice",
	[QUOTING] = "a quote where none may be",
	[COLUMN] = "a column that isn't known",
};

static char *path;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	path = mem_fmt("%s/a.csv", fuzz_dir());

	return 0;
}

/* ---- rows ---- */

struct sheet {
	struct buf cells; /* each with its NUL; n before each row, a line end
			     behind */
	struct buf csv;   /* the same, all in quotes */
	size_t rows;
};

static void
write_cell(struct buf *csv, const char *cell)
{
	buf_char(csv, '"');
	for (; *cell != '\0'; cell++) {
		if (*cell == '"')
			buf_char(csv, '"');
		buf_char(csv, *cell);
	}
	buf_char(csv, '"');
}

static bool
take_row(void *arg, const struct sheet_row *row, struct err *err)
{
	struct sheet *s = arg;
	size_t kept = row->n < SHEET_CELLS_MAX ? row->n : SHEET_CELLS_MAX;
	(void)err;
	MUST(row->n > 0 && row->line > 0);
	buf_fmt(&s->cells, "%zu:", row->n);
	for (size_t i = 0; i < kept; i++) {
		const char *cell = row->cells[i];
		MUST(strlen(cell) <= SHEET_CELL_MAX);
		MUST(text_is_utf8(cell, strlen(cell)));
		buf_add(&s->cells, cell, strlen(cell) + 1);
		if (i > 0)
			buf_char(&s->csv, ',');
		write_cell(&s->csv, cell);
		if (strchr(cell, '"') != NULL)
			fuzz_reach(QUOTES);
		if (strchr(cell, '\n') != NULL)
			fuzz_reach(LINES);
	}
	for (size_t i = kept; i < row->n; i++)
		buf_str(&s->csv, ",");
	buf_char(&s->cells, '\n');
	buf_char(&s->csv, '\n');
	s->rows++;
	fuzz_reach(ROW);

	return true;
}

static void
sheet_free(struct sheet *s)
{
	buf_free(&s->cells);
	buf_free(&s->csv);
}

/* At most PIECES reads, of step octets but for the last ones. */
static bool
read_pieces(
    struct sheet *s, const char *data, size_t len, size_t step, struct err *err)
{
	int fds[2];
	*s = (struct sheet){ 0 };
	if (step < len / PIECES + 1)
		step = len / PIECES + 1;
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		MUST(send(fds[0], data + at, n, MSG_NOSIGNAL) == (ssize_t)n);
	}
	close(fds[0]);
	bool ok = sheet_read(fds[1], path, take_row, s, err);
	close(fds[1]);

	return ok;
}

static void
check_same(const struct sheet *a, const struct sheet *b)
{
	MUST(a->rows == b->rows && a->cells.len == b->cells.len);
	MUST(a->rows == 0 ||
	     memcmp(a->cells.data, b->cells.data, a->cells.len) == 0);
}

static void
check_sheet(const char *data, size_t len, size_t step)
{
	struct sheet whole, parts, again;
	struct err err, other;
	bool ok = read_pieces(&whole, data, len, len + 1, &err);
	MUST(read_pieces(&parts, data, len, step, &other) == ok);
	check_same(&whole, &parts);
	if (!ok) {
		MUST(strcmp(err.text, other.text) == 0);
		if (strstr(err.text, "quote stands inside") != NULL)
			fuzz_reach(QUOTING);
	}
	/* Quotes may make a row longer than it may be. */
	if (whole.csv.len < SHEET_ROW_MAX / 2) {
		const char *csv = whole.csv.data != NULL ? whole.csv.data : "";
		if (!read_pieces(
			&again, csv, whole.csv.len, SIZE_MAX / 2, &err))
			fuzz_fail(path, 0, err.text);
		check_same(&whole, &again);
		sheet_free(&again);
	}
	sheet_free(&whole);
	sheet_free(&parts);
}

/* ---- accounts ---- */

static void
check_account(const struct account *a)
{
	struct endpoint e;
	struct err err;
	MUST(a->name != NULL && a->name[0] != '\0' && a->line > 1);
	MUST(text_is_utf8(a->name, strlen(a->name)));
	MUST(endpoint_parse(&e, a->url, &err));
	MUST(e.user != NULL);
	MUST(e.kind == ENDPOINT_IMAPS || e.kind == ENDPOINT_IMAP);
	endpoint_free(&e);
	MUST((a->password != NULL) + (a->password_file != NULL) +
		 (a->password_command != NULL) <=
	     1);
	if (a->password != NULL)
		fuzz_reach(PASSWORD);
	if (a->authzid != NULL && strcmp(a->name, a->authzid) != 0)
		fuzz_reach(AUTHZID);
}

static void
check_refusal(const struct err *err)
{
	MUST(err->scope == ERR_RUN && err->code == ERR_USAGE);
	MUST(strncmp(err->text, path, strlen(path)) == 0);
	MUST(text_is_utf8(err->text, strlen(err->text)));
	fuzz_reach(REFUSED);
	if (strstr(err->text, "already") != NULL)
		fuzz_reach(TWICE);
	if (strstr(err->text, "column") != NULL)
		fuzz_reach(COLUMN);
}

static void
check_accounts(const char *data, size_t len)
{
	struct config_places places = { 0 };
	struct config c = { .accounts = path,
		.path = path,
		.source.url = (char *)"imaps://mail.example/",
		.places = &places };
	struct accounts all;
	struct err err;
	fuzz_put("a.csv", data, len);
	if (!accounts_read(&all, &c, true, &err)) {
		MUST(all.n == 0 && all.items == NULL);
		check_refusal(&err);
		return;
	}
	MUST(all.n > 0);
	for (size_t i = 0; i < all.n; i++) {
		check_account(&all.items[i]);
		for (size_t k = 0; k < i && i < 50; k++)
			MUST(strcmp(all.items[i].name, all.items[k].name) != 0);
	}
	fuzz_reach(ACCEPTED);
	accounts_free(&all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	size_t step = fuzz_choose(&rest, 64) + 1;
	check_sheet(rest.data, rest.len, step);
	check_accounts(rest.data, rest.len);

	return 0;
}
