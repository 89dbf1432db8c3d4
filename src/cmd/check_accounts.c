#include "check_accounts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/stop.h"
#include "base/text.h"
#include "lineup.h"
#include "rows.h"
#include "screen.h"

enum { NAME_WIDTH = 32 };

struct seen {
	uint64_t mailboxes, messages;
	bool messages_known;
};

static bool
count_mailbox(void *arg, const struct source_mailbox *box, struct err *err)
{
	struct seen *seen = arg;
	(void)err;
	seen->mailboxes++;
	seen->messages += box->messages;
	seen->messages_known &= box->uidvalidity != 0 || box->messages != 0;

	return true;
}

static bool
log_in(const struct tenant *t, uint32_t account, struct seen *seen,
    bool *logged_in, struct err *err)
{
	struct options o;
	struct server_port port;
	struct source source = { 0 };
	*logged_in = false;
	bool ok = tenant_source(
		      t, account, tenant_secret(t, account), &o, &port, err) &&
		  source_port_connect(&port, &source, err);
	if (ok) {
		*logged_in = true;
		ok = source.ops->list(source.data, count_mailbox, seen, err);
		source.ops->close(&source.data, ok);
	}
	server_port_close(&port);

	return ok;
}

static void
print_json(const char *name, const struct seen *seen, const struct err *err)
{
	json_t *row = json_object();
	json_object_set_new(row, "account", rows_utf8(name));
	json_object_set_new(row, "ok", json_boolean(err == NULL));
	if (err == NULL) {
		assert(seen != NULL);
		json_object_set_new(
		    row, "mailboxes", rows_number(seen->mailboxes));
		if (seen->messages_known)
			json_object_set_new(
			    row, "messages", rows_number(seen->messages));
	} else {
		json_object_set_new(row, "error", rows_utf8(err->text));
		json_object_set_new(row, "server", rows_utf8(err->words));
	}
	rows_print_json(row);
}

static void
print_line(const char *name, const struct seen *seen, const struct err *err)
{
	char shown[200], count[32];
	text_escape_to(shown, sizeof(shown), name, strlen(name));
	printf("%-*s  ", NAME_WIDTH, shown);
	if (seen == NULL || err != NULL) {
		assert(err != NULL);
		printf("FAILED: %s%s%s\n", err->text,
		    err->words[0] == '\0' ? "" : "; server: ", err->words);
		return;
	}
	printf("ok  %s mailbox%s",
	    text_count(count, sizeof(count), seen->mailboxes),
	    seen->mailboxes == 1 ? "" : "es");
	if (seen->messages_known)
		printf(", %s message%s",
		    text_count(count, sizeof(count), seen->messages),
		    rows_s(seen->messages));
	printf("\n");
}

static void
check_one(struct lineup *l, struct fate *f, bool json)
{
	const struct account *a = &l->tenant->accounts.items[f->account];
	struct seen seen = { .messages_known = true };
	struct err err;
	bool logged_in;
	lineup_begin(l, f);
	bool ok = log_in(l->tenant, f->account, &seen, &logged_in, &err);
	f->exit_code = ok ? EXIT_OK : exit_of(&err);
	if (logged_in)
		lineup_logged_in(l, f);
	if (json)
		print_json(a->name, &seen, ok ? NULL : &err);
	else
		print_line(a->name, &seen, ok ? NULL : &err);
	fflush(stdout);
	lineup_end(l, f, ok ? NULL : &err, false);
}

static void
print_shunned(struct lineup *l, bool json)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct fate *f = &l->fates[i];
		const char *name = l->tenant->accounts.items[f->account].name;
		if (f->state != FATE_ENDED || f->tries > 0)
			continue;
		if (json)
			print_json(name, NULL, f->err);
		else
			print_line(name, NULL, f->err);
	}
}

static int
code_of(const struct lineup *l)
{
	if (stop_asked())
		return 128 + stop_signal();
	if (l->n == 1)
		return l->fates[0].exit_code;

	return l->failed > 0 ? EXIT_ACCOUNTS_FAILED : EXIT_OK;
}

int
check_accounts(const struct options *o)
{
	struct tenant t;
	struct lineup l = { 0 };
	struct err err;
	struct fate *f;
	int code;
	if (tenant_read(&t, o, &err)) {
		lineup_set_up(&l, &t);
		l.quiet = true;
		while (!stop_asked() && (f = lineup_first(&l)) != NULL)
			check_one(&l, f, o->json);
		print_shunned(&l, o->json);
		code = code_of(&l);
		if (!o->json)
			printf("%zu of %zu accounts are well\n",
			    l.ended - l.failed, l.n);
	} else {
		code = screen_error(&err);
	}
	lineup_free(&l);
	tenant_free(&t);

	return code;
}
