#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "check_accounts.h"
#include "commands.h"
#include "mail/datetime.h"
#include "mail/name.h"
#include "ports.h"
#include "rows.h"
#include "screen.h"

enum { LINE_WIDTH = 78 };

struct box {
	char *name, *display;
	uint32_t attributes;
};

struct checking {
	const struct options *o;
	struct server_port port;
	struct source source;
	struct box *boxes; /* owned */
	size_t n, asked;
	uint64_t messages, octets;
	bool sizes_known;
	size_t failed;
};

/* Words filled into lines of the screen's usual width. */
static void
print_words(const char *label, const char *words)
{
	int column = printf("  %s", label);
	while (*words != '\0') {
		int n = (int)strcspn(words, " ");
		if (column + 1 + n > LINE_WIDTH)
			column = printf("\n   ") - 1;
		column += printf(" %.*s", n, words);
		words += n;
		words += strspn(words, " ");
	}
	printf("\n");
}

static void
print_facts(const struct checking *c)
{
	const struct imap_facts *facts = imap_source_facts(&c->source);
	const struct wire_tls_info *tls = facts->tls;
	char when[36];
	printf("%s\n", c->port.text.data);
	if (tls == NULL) {
		printf("  no TLS\n");
	} else {
		datetime_rfc3339(when, tls->not_after, 0);
		when[10] = '\0';
		printf("  %s, %s\n", tls->version, tls->cipher);
		printf("  certificate of %s by %s, valid until %s%s\n",
		    tls->subject, tls->issuer, when,
		    tls->pinned ? " (accepted by its key alone)" : "");
		printf("  key %s\n", tls->key_sha256);
	}
	printf("  login accepted (%s); password from: %s\n", facts->mechanism,
	    c->port.secret.origin);
	if (facts->server_id[0] != '\0')
		printf("  server: %s\n", facts->server_id);
	if (facts->compressed)
		printf("  compressed (DEFLATE)\n");
	print_words("capabilities:", facts->capabilities);
}

static bool
add_box(void *arg, const struct source_mailbox *box, struct err *err)
{
	struct checking *c = arg;
	(void)err;
	c->boxes = mem_grow(c->boxes, c->n + 1, sizeof(*c->boxes));
	c->boxes[c->n++] = (struct box){
		.name = mem_str(box->name),
		.display = mem_str(box->display),
		.attributes = box->attributes,
	};

	return true;
}

static void
print_box(struct checking *c, const struct box *box,
    const struct source_opened *opened, uint64_t size)
{
	char count[32], octets[32];
	const char *role = name_special_use(box->attributes);
	if (c->o->json) {
		json_t *row = json_object();
		json_object_set_new(row, "mailbox", json_string(box->display));
		json_object_set_new(row, "messages",
		    json_integer((json_int_t)opened->messages));
		if (size != UINT64_MAX)
			json_object_set_new(
			    row, "octets", json_integer((json_int_t)size));
		json_object_set_new(row, "uidvalidity",
		    json_integer((json_int_t)opened->uidvalidity));
		json_object_set_new(
		    row, "uidnext", json_integer((json_int_t)opened->uidnext));
		rows_print_json(row);
		return;
	}
	printf("%12s %11s  ",
	    text_count(count, sizeof(count), opened->messages),
	    size == UINT64_MAX ? "-" : text_size(octets, sizeof(octets), size));
	rows_print_escaped(box->display);
	printf("%s%s%s\n", role == NULL ? "" : "  (", role == NULL ? "" : role,
	    role == NULL ? "" : ")");
}

static bool
ask_box(struct checking *c, const struct box *box, struct err *err)
{
	struct source_opened opened = { 0 };
	uint64_t size = UINT64_MAX;
	if ((box->attributes & (MAILBOX_NOSELECT | MAILBOX_NONEXISTENT)) != 0)
		return true;
	if (!imap_source_status(&c->source, box->name, &opened, &size, err)) {
		if (err->scope >= ERR_ACCOUNT)
			return false;
		c->failed++;
		log_add(LOG_ERROR, "%s: %s%s%s", box->display, err->text,
		    err->words[0] == '\0' ? "" : "; server: ", err->words);
		return true;
	}
	c->asked++;
	c->messages += opened.messages;
	if (size == UINT64_MAX)
		c->sizes_known = false;
	else
		c->octets += size;
	print_box(c, box, &opened, size);

	return true;
}

static void
print_totals(struct checking *c)
{
	char count[32], octets[32], used[32], limit[32];
	uint64_t u, l;
	if (c->o->json)
		return;
	printf("%12s %11s  %zu mailbox%s\n",
	    text_count(count, sizeof(count), c->messages),
	    c->sizes_known ? text_size(octets, sizeof(octets), c->octets) : "-",
	    c->asked, c->asked == 1 ? "" : "es");
	if (imap_source_quota(&c->source, &u, &l))
		printf("quota: %s of %s\n", text_size(used, sizeof(used), u),
		    text_size(limit, sizeof(limit), l));
}

/* INBOX first, then by name: servers list in any order. */
static int
by_name(const void *a, const void *b)
{
	const struct box *x = a, *y = b;
	bool inbox_x = strcmp(x->display, "INBOX") == 0;
	bool inbox_y = strcmp(y->display, "INBOX") == 0;
	if (inbox_x != inbox_y)
		return inbox_x ? -1 : 1;

	return strcmp(x->display, y->display);
}

static bool
check_server(struct checking *c, struct err *err)
{
	if (!source_port_open(&c->port, c->o, c->o->args[0], err) ||
	    !source_port_connect(&c->port, &c->source, err))
		return false;
	if (!c->o->json)
		print_facts(c);
	if (!c->source.ops->list(c->source.data, add_box, c, err))
		return false;
	/* Each was warned of; a run will fail them too. */
	struct source_caps caps = { 0 };
	c->source.ops->capabilities(c->source.data, &caps);
	c->failed += caps.unlisted;
	if (c->n > 0)
		qsort(c->boxes, c->n, sizeof(*c->boxes), by_name);
	c->sizes_known = true;
	for (size_t i = 0; i < c->n; i++)
		if (!ask_box(c, &c->boxes[i], err))
			return false;
	print_totals(c);

	return true;
}

static int
command_check_server(const struct options *o)
{
	struct checking c = { .o = o };
	struct err err;
	bool ok = check_server(&c, &err);
	if (c.source.data != NULL)
		c.source.ops->close(&c.source.data, ok);
	server_port_close(&c.port);
	for (size_t i = 0; i < c.n; i++) {
		free(c.boxes[i].name);
		free(c.boxes[i].display);
	}
	free(c.boxes);
	if (!ok)
		return screen_error(&err);

	return c.failed > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}

static void
print_archive(
    const struct options *o, const char *dir, const struct index_totals *t)
{
	char stored[32], space[32];
	uint64_t volumes = t->volumes_sealed + t->volumes_open;
	if (o->json) {
		json_t *row = json_object();
		json_object_set_new(row, "archive", json_string(dir));
		json_object_set_new(
		    row, "messages", json_integer((json_int_t)t->placements));
		json_object_set_new(
		    row, "different", json_integer((json_int_t)t->contents));
		json_object_set_new(
		    row, "volumes", json_integer((json_int_t)volumes));
		json_object_set_new(
		    row, "octets", json_integer((json_int_t)t->octets_volumes));
		json_object_set_new(
		    row, "free", json_integer((json_int_t)file_space(dir)));
		rows_print_json(row);
		return;
	}
	printf("archive:%s\n  %" PRIu64 " message%s, %" PRIu64
	       " different, %s in %" PRIu64 " volume%s; %s free\n",
	    dir, t->placements, rows_s(t->placements), t->contents,
	    text_size(stored, sizeof(stored), t->octets_volumes), volumes,
	    rows_s(volumes), text_size(space, sizeof(space), file_space(dir)));
}

static int
command_check_archive(const struct options *o)
{
	struct archive_port p;
	struct index_totals t;
	struct err err;
	bool ok = archive_port_read(&p, o, o->args[0], &err) &&
		  index_totals(p.state.index, &t, &err);
	if (ok)
		print_archive(o, p.state.dir, &t);
	archive_port_close(&p);

	return ok ? EXIT_OK : screen_error(&err);
}

int
command_check(const struct options *o)
{
	struct endpoint endpoint = { 0 };
	struct err err;
	if (o->arg_count == 0)
		return check_accounts(o);
	if (o->config != NULL) {
		err_set(&err, ERR_RUN, ERR_USAGE,
		    "check takes an endpoint or -c FILE, not both");
		return screen_error(&err);
	}
	if (!endpoint_parse(&endpoint, o->args[0], &err))
		return screen_error(&err);
	bool archive = endpoint.kind == ENDPOINT_ARCHIVE;
	endpoint_free(&endpoint);

	return archive ? command_check_archive(o) : command_check_server(o);
}
