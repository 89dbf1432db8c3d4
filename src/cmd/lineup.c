#include "lineup.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "screen.h"

static uint32_t
host_number(struct lineup *l, const char *url)
{
	struct endpoint endpoint = { 0 };
	struct err ignored;
	const char *name = "";
	/* What is wrong with a URL is told when its account's turn comes. */
	if (endpoint_parse(&endpoint, url, &ignored) && endpoint.host != NULL)
		name = endpoint.host;
	size_t i = l->host_count;
	while (i > 0 && strcmp(l->hosts[i - 1].name, name) != 0)
		i--;
	if (i == 0) {
		l->hosts =
		    mem_grow(l->hosts, l->host_count + 1, sizeof(*l->hosts));
		l->hosts[l->host_count] =
		    (struct host){ .name = mem_str(name) };
		i = ++l->host_count;
	}
	endpoint_free(&endpoint);

	return (uint32_t)(i - 1);
}

void
lineup_set_up(struct lineup *l, struct tenant *t)
{
	*l = (struct lineup){ .tenant = t, .n = t->n };
	l->fates = mem_array(t->n, sizeof(*l->fates));
	for (size_t i = 0; i < t->n; i++) {
		struct fate *f = &l->fates[i];
		f->account = t->chosen[i];
		f->host = host_number(l, t->accounts.items[f->account].url);
	}
}

void
lineup_free(struct lineup *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct fate *f = &l->fates[i];
		for (size_t k = 0; k < f->failure_count; k++)
			free(f->failures[k].mailbox);
		free(f->failures);
		free(f->err);
	}
	for (size_t i = 0; i < l->host_count; i++)
		free(l->hosts[i].name);
	free(l->fates);
	free(l->hosts);
	*l = (struct lineup){ 0 };
}

/* ---- hosts ---- */

static struct host *
host_of(struct lineup *l, const struct fate *f)
{
	return &l->hosts[f->host];
}

static uint64_t
allowed(const struct lineup *l)
{
	return l->tenant->options.login_failures;
}

static bool
is_shunned(struct lineup *l, const struct fate *f)
{
	return host_of(l, f)->refusals >= allowed(l);
}

/* Its login would be one too many, were those under way refused. */
static bool
must_wait(struct lineup *l, const struct fate *f)
{
	const struct host *h = host_of(l, f);

	return h->refusals + h->connecting >= allowed(l);
}

static void
count_refusal(struct lineup *l, const struct fate *f)
{
	struct host *h = host_of(l, f);
	if (++h->refusals == allowed(l))
		log_add(LOG_ERROR,
		    "%s has refused %u logins in a row and is asked no more "
		    "(--max-login-failures)",
		    h->name, h->refusals);
}

/* ---- ends ---- */

static void
set_err(struct fate *f, const struct err *err)
{
	free(f->err);
	f->err = err == NULL ? NULL : mem_dup(err, sizeof(*err));
}

static void
end(struct lineup *l, struct fate *f)
{
	f->state = FATE_ENDED;
	l->ended++;
	if (f->err != NULL)
		l->failed++;
	tenant_wipe(l->tenant, f->account);
}

/* The host is asked no more: who waits for it ends here. */
static void
shun(struct lineup *l, struct fate *f)
{
	struct err err;
	const struct host *h = host_of(l, f);
	err_set(&err, ERR_ACCOUNT, ERR_LOGIN,
	    "not asked: %s has refused %u logins in a row", h->name,
	    h->refusals);
	set_err(f, &err);
	f->exit_code = EXIT_LOGIN;
	if (f->again)
		l->to_come--;
	else
		l->begun++;
	f->again = false;
	end(l, f);
}

static void
leave_host(struct lineup *l, struct fate *f)
{
	if (f->connecting)
		host_of(l, f)->connecting--;
	f->connecting = false;
}

/* ---- who is next ---- */

static bool
waits(const struct fate *f, bool again)
{
	return f->state == FATE_WAITING && f->again == again;
}

static struct fate *
next(struct lineup *l, size_t from, bool again)
{
	for (size_t i = from; i < l->n; i++) {
		struct fate *f = &l->fates[i];
		if (!waits(f, again))
			continue;
		if (is_shunned(l, f))
			shun(l, f);
		else if (!must_wait(l, f))
			return f;
	}

	return NULL;
}

struct fate *
lineup_first(struct lineup *l)
{
	while (l->first < l->n && !waits(&l->fates[l->first], false))
		l->first++;

	return next(l, l->first, false);
}

struct fate *
lineup_second(struct lineup *l)
{
	return l->to_come == 0 || !lineup_all_begun(l) ? NULL
						       : next(l, 0, true);
}

bool
lineup_all_begun(const struct lineup *l)
{
	return l->begun == l->n;
}

void
lineup_begin(struct lineup *l, struct fate *f)
{
	if (f->again)
		l->to_come--;
	else
		l->begun++;
	f->again = false;
	f->tries++;
	f->state = FATE_RUNNING;
	f->connecting = true;
	host_of(l, f)->connecting++;
}

void
lineup_logged_in(struct lineup *l, struct fate *f)
{
	leave_host(l, f);
	host_of(l, f)->refusals = 0;
}

/* Some hosts hang up on a wrong password instead of saying so. Silence or a
 * broken connection is a network's trouble; so is what had been logged in
 * before, and is tried again. */
static bool
is_refusal(const struct err *err)
{
	return err->code == ERR_LOGIN || (err->stage == ERR_STAGE_LOGIN &&
					     err->closed && !err->transient);
}

void
lineup_end(
    struct lineup *l, struct fate *f, const struct err *err, bool may_again)
{
	leave_host(l, f);
	set_err(f, err);
	if (err != NULL && !l->quiet)
		log_add(LOG_WARN, "%s: %s%s%s",
		    l->tenant->accounts.items[f->account].name, err->text,
		    err->words[0] == '\0' ? "" : "; server: ", err->words);
	if (err != NULL && is_refusal(err))
		count_refusal(l, f);
	if (err == NULL || !err->transient || f->parked || !may_again ||
	    f->tries >= LINEUP_TRIES) {
		end(l, f);
		return;
	}
	f->state = FATE_WAITING;
	f->again = true;
	l->to_come++;
}
