/* What was given, told once more; and what a target has no use for. */
#include "options_rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

/* ---- the same once more ---- */

/* How much is said is each command's own affair. */
static bool
is_of_screen(const struct row *row)
{
	return row->at == AT(quiet) || row->at == AT(verbose) ||
	       row->at == AT(log_format) || row->at == AT(json);
}

static bool
is_which(const struct row *row)
{
	return row->at == AT(accounts) || row->at == AT(failed);
}

static bool
is_command(const struct row *row)
{
	return row->at == AT(source.password_command) ||
	       row->at == AT(target.password_command);
}

static void
add_word(struct buf *out, const struct row *row, const char *value)
{
	if (row->letter != 0)
		buf_fmt(out, " -%c", row->letter);
	else
		buf_fmt(out, " --%s", row->name);
	if (value == NULL)
		return;
	buf_char(out, ' ');
	text_shell(out, is_command(row) ? "…" : value);
}

static void
add_again(struct buf *out, const struct options *o, const struct row *row)
{
	const char *base = (const char *)o + row->at;
	const struct list *list;
	char number[24];
	switch (row->kind) {
	case TEXT:
	case DATE:
		add_word(out, row, *(const char *const *)(const void *)base);
		break;
	case LIST:
		list = (const struct list *)(const void *)base;
		for (size_t i = 0; i < list->n; i++)
			add_word(out, row, list->items[i]);
		break;
	case NUMBER:
	case SIZE:
		snprintf(number, sizeof(number), "%" PRIu64,
		    *(const uint64_t *)(const void *)base);
		add_word(out, row, number);
		break;
	case FLAG:
	case COUNT:
		add_word(out, row, NULL);
		break;
	}
}

void
options_again(
    struct buf *out, const struct options *o, unsigned commands, bool which)
{
	bool other = (o->command->bit & commands) == 0;
	for (size_t i = 0; i < option_row_count; i++)
		if (o->given[i] && (option_rows[i].commands & commands) != 0 &&
		    (which || !is_which(&option_rows[i])) &&
		    (!other || !is_of_screen(&option_rows[i])))
			add_again(out, o, &option_rows[i]);
}

/* ---- the sides ---- */

static bool
is_of_side(const struct row *row, size_t side)
{
	return row->at >= side && row->at < side + sizeof(struct side_options);
}

/* The row of the source's that means the same. */
static struct row
as_source(const struct row *row)
{
	const size_t at = row->at - AT(target) + AT(source);
	size_t i = 0;
	while (option_rows[i].at != at)
		i++;

	return (struct row){
		.name = option_rows[i].name, .kind = row->kind, .at = row->at
	};
}

void
options_again_target(struct buf *out, const struct options *o)
{
	for (size_t i = 0; i < option_row_count; i++) {
		const struct row *row = &option_rows[i];
		if (!o->given[i] || is_of_side(row, AT(source)))
			continue;
		if (is_of_side(row, AT(target))) {
			const struct row twin = as_source(row);
			add_again(out, o, &twin);
		} else if ((row->commands & IN_CHECK) != 0 &&
			   row->at != AT(account) && row->at != AT(index) &&
			   !is_of_screen(row)) {
			add_again(out, o, row);
		}
	}
}

bool
options_fit_target(const struct options *o, bool server, struct err *err)
{
	const unsigned other = server ? TO_ARCHIVE : TO_SERVER;
	for (size_t i = 0; i < option_row_count; i++) {
		if (!o->given[i] || (option_rows[i].commands & other) == 0)
			continue;
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--%s is for a target that is %s", option_rows[i].name,
		    server ? "an archive, not a server"
			   : "a server, not an archive");
		return err_hint(err,
		    server ? "A server keeps messages in its own way. An "
			     "archive is archive:DIR, or a folder's path."
			   : "An archive keeps every mailbox under its own "
			     "name. A server is imaps://USER@HOST/.");
	}

	return true;
}
