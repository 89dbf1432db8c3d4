/*
 * A server in memory, in the place of net/wire.c: what it says stands in the
 * input. A line that begins with "@" is kept back until it is asked for, and
 * begins with the tag of the oldest command that has no answer then; so one
 * transcript fits whatever the client sends, and most mutations stay a
 * dialogue.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/guard.h"
#include "net/wire.h"
#include "net/wire_socket.h"

enum { TAG_MAX = 32 };

struct wire {
	struct buf heard; /* of the line that the client is writing */
	struct buf tags;  /* unanswered, TAG_MAX octets each */
	struct buf shown; /* at hand */
	size_t shown_at;
	bool guarded, poisoned, failed;
	struct guard guard;
	struct wire_counters counters;
	struct wire_tls_info tls;
	struct err why;
};

static struct {
	const char *data;
	size_t len, at, step;
	bool tls, breached;
} server;

void
fuzz_server(const char *data, size_t len, size_t step, bool tls)
{
	server.data = data;
	server.len = len;
	server.at = 0;
	server.step = step;
	server.tls = tls;
	server.breached = false;
}

bool
fuzz_server_breached(void)
{
	return server.breached;
}

bool
wire_dial(struct wire **out, const struct wire_options *o, struct err *err)
{
	(void)o, (void)err;
	*out = mem_new(sizeof(**out));

	return true;
}

void
wire_close(struct wire **wire)
{
	struct wire *w = *wire;
	if (w == NULL)
		return;
	buf_free(&w->heard);
	buf_free(&w->tags);
	buf_free(&w->shown);
	free(w);
	*wire = NULL;
}

bool
wire_start_tls(struct wire *w, struct err *err)
{
	(void)w;

	return err_set(err, ERR_ACCOUNT, ERR_TLS, "no TLS here");
}

bool
wire_is_tls(const struct wire *w)
{
	(void)w;

	return server.tls;
}

const struct wire_tls_info *
wire_tls_info(const struct wire *w)
{
	return server.tls ? &w->tls : NULL;
}

const struct wire_counters *
wire_counters(const struct wire *w)
{
	return &w->counters;
}

/* ---- what the server says ---- */

static bool
fail(struct wire *w, const char *what, struct err *err)
{
	if (!w->failed)
		err_set_transient(
		    &w->why, ERR_ACCOUNT, ERR_NETWORK, "%s", what);
	w->failed = true;
	*err = w->why;

	return false;
}

/* The tag of the oldest command without answer; false: there is none. */
static bool
show_tag(struct wire *w)
{
	if (w->tags.len == 0)
		return false;
	buf_str(&w->shown, w->tags.data);
	buf_consume(&w->tags, TAG_MAX);

	return true;
}

static void
show_text(struct wire *w)
{
	const char *p = server.data + server.at;
	size_t n = server.len - server.at;
	if (n > server.step)
		n = server.step;
	for (size_t i = 1; i < n; i++)
		if (p[i] == '@' && p[i - 1] == '\n')
			n = i;
	buf_add(&w->shown, p, n);
	server.at += n;
}

/* More octets at hand. */
static bool
show(struct wire *w, struct err *err)
{
	if (w->failed || w->poisoned)
		return fail(w, "the connection is given up", err);
	if (server.at == server.len)
		return fail(w, "the server has nothing more to say", err);
	buf_consume(&w->shown, w->shown_at);
	w->shown_at = 0;
	size_t before = w->shown.len;
	bool line = server.at == 0 || server.data[server.at - 1] == '\n';
	if (line && server.data[server.at] == '@') {
		server.at++;
		if (!show_tag(w))
			return fail(w, "an answer to nothing", err);
	} else {
		show_text(w);
	}
	w->counters.octets_in += w->shown.len - before;
	const char *breach = w->guarded
				 ? guard_scan(&w->guard, w->shown.data + before,
				       w->shown.len - before)
				 : NULL;
	if (breach == NULL)
		return true;
	w->shown.len = before;
	w->poisoned = server.breached = true;

	return fail(w, breach, err);
}

bool
wire_peek(
    struct wire *w, size_t min, const char **data, size_t *len, struct err *err)
{
	while (w->shown.len - w->shown_at < (min > 0 ? min : 1))
		if (!show(w, err))
			return false;
	*data = w->shown.data + w->shown_at;
	*len = w->shown.len - w->shown_at;

	return true;
}

void
wire_take(struct wire *w, size_t n)
{
	w->shown_at += n;
}

size_t
wire_read(struct wire *w, void *out, size_t n, struct err *err)
{
	const char *data;
	size_t len;
	if (!wire_peek(w, 1, &data, &len, err))
		return 0;
	if (len > n)
		len = n;
	memcpy(out, data, len);
	wire_take(w, len);

	return len;
}

bool
wire_unread(struct wire *w, const void *data, size_t n, struct err *err)
{
	struct buf all = { 0 };
	(void)err;
	buf_add(&all, data, n);
	if (w->shown.len > w->shown_at)
		buf_add(&all, w->shown.data + w->shown_at,
		    w->shown.len - w->shown_at);
	buf_free(&w->shown);
	w->shown = all;
	w->shown_at = 0;

	return true;
}

bool
wire_ready(struct wire *w)
{
	return w->shown.len > w->shown_at;
}

/* ---- what the client says ---- */

/* A line that starts like a command has a tag. */
static void
hear_line(struct wire *w)
{
	char tag[TAG_MAX] = { 0 };
	const char *blank = memchr(w->heard.data, ' ', w->heard.len);
	size_t n = blank == NULL ? 0 : (size_t)(blank - w->heard.data);
	if (n == 0 || n >= TAG_MAX ||
	    strspn(w->heard.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789") != n)
		return;
	memcpy(tag, w->heard.data, n);
	buf_add(&w->tags, tag, sizeof(tag));
}

bool
wire_write(struct wire *w, const void *data, size_t n, struct err *err)
{
	const char *p = data;
	if (w->poisoned)
		return fail(w, "the connection is given up", err);
	w->counters.octets_out += n;
	for (size_t i = 0; i < n; i++) {
		buf_char(&w->heard, p[i]);
		if (p[i] != '\n')
			continue;
		hear_line(w);
		buf_clear(&w->heard);
	}

	return true;
}

bool
wire_flush(struct wire *w, struct err *err)
{
	return !w->poisoned || fail(w, "the connection is given up", err);
}

/* ---- for libetpan ---- */

void
wire_guard(struct wire *w, bool on)
{
	w->guarded = on;
	w->guard = (struct guard){ 0 };
}

void
wire_poison(struct wire *w)
{
	w->poisoned = true;
}

bool
wire_poisoned(const struct wire *w)
{
	return w->poisoned;
}

const struct err *
wire_last_error(const struct wire *w)
{
	return w->failed ? &w->why : NULL;
}

int
wire_socket(const struct wire *w)
{
	(void)w;

	return 0;
}

/* Compression is the wire's own: the deflated octets are not played here. */
bool
wire_is_loopback(const struct wire *w)
{
	(void)w;

	return true;
}

bool
wire_start_deflate(struct wire *w, struct err *err)
{
	return fail(w, "nothing is compressed here", err);
}
