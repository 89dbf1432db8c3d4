#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "as_of.h"
#include "base/text.h"
#include "commands.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "ports.h"
#include "rows.h"
#include "screen.h"

struct listing {
	const struct options *o;
	uint64_t mailboxes, messages, octets;
};

static void
print_sum_json(const struct index_mailbox_sum *sum)
{
	char when[36];
	json_t *row = json_object();
	json_object_set_new(row, "account", json_string(sum->account));
	json_object_set_new(row, "mailbox", json_string(sum->mailbox));
	json_object_set_new(row, "special_use",
	    sum->special_use == NULL ? json_null()
				     : json_string(sum->special_use));
	json_object_set_new(
	    row, "uidvalidity", json_integer((json_int_t)sum->uidvalidity));
	json_object_set_new(
	    row, "messages", json_integer((json_int_t)sum->messages));
	json_object_set_new(
	    row, "octets", json_integer((json_int_t)sum->octets));
	if (sum->first != DATETIME_NONE)
		json_object_set_new(row, "first",
		    json_string(datetime_rfc3339(when, sum->first, 0)));
	if (sum->last != DATETIME_NONE)
		json_object_set_new(row, "last",
		    json_string(datetime_rfc3339(when, sum->last, 0)));
	rows_print_json(row);
}

static bool
print_sum(void *arg, const struct index_mailbox_sum *sum)
{
	struct listing *l = arg;
	char count[32], size[32], last[36] = "-";
	l->mailboxes++;
	l->messages += sum->messages;
	l->octets += sum->octets;
	if (l->o->json) {
		print_sum_json(sum);
		return true;
	}
	if (sum->last != DATETIME_NONE && sum->messages > 0) {
		datetime_rfc3339(last, sum->last, 0);
		last[10] = '\0';
	}
	printf("%12s %11s  %-10s  %s  ",
	    text_count(count, sizeof(count), sum->messages),
	    text_size(size, sizeof(size), sum->octets), last, sum->account);
	rows_print_escaped(sum->mailbox);
	if (sum->special_use != NULL)
		printf("  (%s)", sum->special_use);
	printf("\n");

	return true;
}

static int
list_mailboxes(struct archive_port *p, const struct options *o,
    const struct index_query *query)
{
	struct listing l = { .o = o };
	struct err err;
	char count[32], size[32];
	if (!o->json)
		printf("%12s %11s  %-10s  %s\n", "messages", "size", "newest",
		    "account  mailbox");
	if (!index_mailbox_sums(p->state.index, query, print_sum, &l, &err))
		return screen_error(&err);
	if (!o->json)
		printf("%12s %11s  %" PRIu64 " mailbox%s\n",
		    text_count(count, sizeof(count), l.messages),
		    text_size(size, sizeof(size), l.octets), l.mailboxes,
		    l.mailboxes == 1 ? "" : "es");

	return EXIT_OK;
}

static void
print_message(const struct catalog_row *row)
{
	char hex[65], size[32], letters[8], date[36] = "-";
	if (row->idate != DATETIME_NONE) {
		datetime_rfc3339(date, row->idate, row->zone);
		date[16] = '\0';
		date[10] = ' ';
	}
	digest_hex(hex, row->sha256, 8);
	printf("%8" PRIu64 "  %s  %-16s %10s  %-5s  ", row->uid, hex, date,
	    text_size(size, sizeof(size), row->size),
	    flags_maildir(letters, row->flags));
	rows_print_escaped(row->from == NULL ? "" : row->from);
	printf("  ");
	rows_print_escaped(row->subject == NULL ? "" : row->subject);
	printf("\n");
}

static int
list_messages(struct archive_port *p, const struct options *o,
    const struct index_query *query)
{
	struct index_rows *rows;
	struct err err;
	if (!index_rows_open(p->state.index, &rows, query, &err))
		return screen_error(&err);
	bool ok = true, end = false;
	uint64_t n = 0;
	while (ok && !end) {
		struct index_row row;
		ok = index_rows_next(rows, &row, &end, &err);
		if (!ok || end)
			continue;
		if (n++ == 0 && !o->json)
			printf("%8s  %-16s  %-16s %10s  %-5s  %s\n", "UID",
			    "ID", "INTERNALDATE", "size", "flags",
			    "from  subject");
		if (o->json)
			rows_print_json(rows_json(&row));
		else
			print_message(&row.row);
	}
	index_rows_close(&rows);
	if (!ok)
		return screen_error(&err);
	if (n == 0 && o->arg_count > 1) {
		fprintf(stderr,
		    "mailhaul: no messages in \"%s\"; mailhaul ls %s shows the "
		    "mailboxes\n",
		    o->args[1], o->args[0]);
		return EXIT_SOME_FAILED;
	}

	return EXIT_OK;
}

int
command_ls(const struct options *o)
{
	struct archive_port p;
	struct err err;
	if (!archive_port_read_of(&p, o, o->args[0], &err)) {
		archive_port_close(&p);
		return screen_error(&err);
	}
	const char *one[] = { o->args[1] };
	struct index_query query = {
		.account = o->account,
		.include = o->include.items,
		.include_count = o->include.n,
		.exclude = o->exclude.items,
		.exclude_count = o->exclude.n,
		.since = o->since,
		.before = o->before,
		.outcome = -1,
	};
	if (!as_of_set(
		p.state.index, o, &query.as_of_run, &query.as_of, &err)) {
		archive_port_close(&p);
		return screen_error(&err);
	}
	bool messages = o->arg_count > 1;
	if (messages) {
		query.include = one;
		query.include_count = 1;
	}
	int code = messages ? list_messages(&p, o, &query)
			    : list_mailboxes(&p, o, &query);
	archive_port_close(&p);

	return code;
}
