#include "sheet.h"

#include "base/mem.h"
#include "input.h"

#include <csv.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines lie in `in` whole, and a row's cells are no longer than the row:
 * nothing here grows, so that no copy of a password is left in freed memory. */
struct sheet {
	struct csv_parser parser;
	const char *path;
	struct sheet_row row;
	size_t row_len; /* octets of it so far; 0: between rows */
	bool ended;     /* the row, with the line being parsed */
	bool beyond;    /* something stood behind its end */
	bool too_long;  /* a cell was */
	unsigned line;
	char cells[SHEET_ROW_MAX + SHEET_CELLS_MAX];
	size_t cells_len;
	char in[2 * SHEET_ROW_MAX];
	size_t in_len, in_at; /* lines up to in_at are done */
	bool end;             /* of the file */
};

static void
on_cell(void *data, size_t len, void *arg)
{
	struct sheet *s = arg;
	size_t i = s->row.n++;

	s->beyond |= s->ended;
	s->too_long |= len > SHEET_CELL_MAX;
	if (i >= SHEET_CELLS_MAX)
		return;
	assert(s->cells_len + len < sizeof(s->cells));
	char *cell = s->cells + s->cells_len;
	if (len > 0)
		memcpy(cell, data, len);
	cell[len] = '\0';
	s->row.cells[i] = cell;
	s->cells_len += len + 1;
}

static void
on_row(int term, void *arg)
{
	struct sheet *s = arg;

	(void)term;
	s->beyond |= s->ended;
	s->ended = true;
}

static bool
refuse(struct err *err, const struct sheet *s, unsigned line, const char *why)
{
	return err_set(
	    err, ERR_RUN, ERR_USAGE, "%s:%u: %s", s->path, line, why);
}

static bool
refuse_quotes(struct err *err, const struct sheet *s)
{
	refuse(err, s, s->line,
	    "a quote stands inside a field, or something behind a closing "
	    "quote");

	return err_hint(err,
	    "A field that holds a quote is written in quotes, and each of its "
	    "own quotes twice: \"a\"\"b\"");
}

static bool
check_row(const struct sheet *s, struct err *err)
{
	if (s->beyond)
		return refuse(err, s, s->line,
		    "holds a carriage return without a line feed; end lines "
		    "with LF or CRLF");
	if (s->too_long)
		return refuse(
		    err, s, s->row.line, "a field has more than 4096 octets");

	return true;
}

/* A line of the file, as libcsv wants it: with its line end. */
static bool
parse(struct sheet *s, const char *line, size_t len, struct err *err)
{
	if (s->row_len == 0) {
		s->row.n = 0;
		s->row.line = s->line;
		s->cells_len = 0;
	}
	s->row_len += len;
	if (s->row_len > SHEET_ROW_MAX)
		return refuse(err, s, s->row.line,
		    "the row that begins here has more than 65536 octets; is a "
		    "quote not closed?");
	if (csv_parse(&s->parser, line, len, on_cell, on_row, s) != len)
		return refuse_quotes(err, s);

	return true;
}

static bool
is_skipped(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && strchr(" \t\r\n", line[i]) != NULL)
		i++;

	return i == len || line[i] == '#';
}

static bool
take_line(struct sheet *s, const char *line, size_t len,
    bool (*take)(void *, const struct sheet_row *, struct err *), void *arg,
    struct err *err)
{
	if (!input_is_text(s->path, line, len, s->line, err))
		return false;
	if (s->line == 1 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		len -= 3;
	}
	if (s->row_len == 0 && is_skipped(line, len))
		return true;

	s->ended = s->beyond = s->too_long = false;
	if (!parse(s, line, len, err) || (s->end && !parse(s, "\n", 1, err)) ||
	    !check_row(s, err))
		return false;
	if (!s->ended)
		return true;
	s->row_len = 0;

	return take(arg, &s->row, err);
}

/* More octets behind what is there. */
static bool
fill(struct sheet *s, int fd, struct err *err)
{
	memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
	s->in_len -= s->in_at;
	s->in_at = 0;
	if (s->in_len == sizeof(s->in))
		return refuse(
		    err, s, s->line + 1, "the line has more than 65536 octets");
	ssize_t n = read(fd, s->in + s->in_len, sizeof(s->in) - s->in_len);
	if (n < 0 && errno != EINTR)
		return err_errno(err, ERR_RUN, "can't read %s", s->path);
	if (n > 0)
		s->in_len += (size_t)n;
	s->end = n == 0;

	return true;
}

static bool
read_lines(struct sheet *s, int fd,
    bool (*take)(void *, const struct sheet_row *, struct err *), void *arg,
    struct err *err)
{
	while (!s->end) {
		if (!fill(s, fd, err))
			return false;
		for (;;) {
			char *line = s->in + s->in_at;
			size_t left = s->in_len - s->in_at;
			char *lf = memchr(line, '\n', left);
			size_t len =
			    lf != NULL ? (size_t)(lf - line) + 1 : left;
			if (len == 0 || (lf == NULL && !s->end))
				break;
			s->line++;
			s->in_at += len;
			if (!take_line(s, line, len, take, arg, err))
				return false;
		}
	}

	return s->row_len == 0 ||
	       refuse(err, s, s->row.line,
		   "a quote in the row that begins here is not closed");
}

static void *
grow(void *p, size_t size)
{
	return mem_grow(p, size, 1);
}

bool
sheet_read(int fd, const char *path,
    bool (*take)(void *arg, const struct sheet_row *, struct err *), void *arg,
    struct err *err)
{
	struct sheet *s = mem_new(sizeof(*s));

	s->path = path;
	csv_init(&s->parser, CSV_STRICT | CSV_APPEND_NULL);
	csv_set_realloc_func(&s->parser, grow);
	csv_set_blk_size(&s->parser, 2 * SHEET_ROW_MAX);
	bool ok = read_lines(s, fd, take, arg, err);
	if (s->parser.entry_buf != NULL)
		explicit_bzero(
		    s->parser.entry_buf, csv_get_buffer_size(&s->parser));
	csv_free(&s->parser);
	explicit_bzero(s, sizeof(*s));
	free(s);

	return ok;
}
