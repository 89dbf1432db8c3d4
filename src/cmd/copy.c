#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/text.h"
#include "commands.h"
#include "job.h"
#include "pair.h"
#include "ports.h"
#include "progress.h"
#include "rows.h"
#include "screen.h"
#include "summary.h"

struct copying {
	const struct options *o;
	struct server_port from;
	struct source source;
	bool to_server;
	struct archive_port archive; /* one of both: this, or */
	struct target_port server;
	struct target target; /* the server's */
	struct state_dir pair;
	struct meter meter;
	int64_t started; /* unix s */
	struct haul_options haul;
	struct haul_result result;
	long retry_wait_ms;
	struct buf target_text, command;
	struct buf ends;  /* both, as they can be pasted */
	struct buf again; /* the command, likewise */
};

static struct state_dir *
state_of_copy(struct copying *c)
{
	return c->to_server ? &c->pair : &c->archive.state;
}

/* ---- before ---- */

/* Both sides' words are checked before the first is asked anything. */
static bool
read_ends(struct copying *c, struct err *err)
{
	const struct options *o = c->o;
	const char *from = o->args[0], *to = o->args[1];
	char *path;
	c->to_server = server_is_meant(to);
	if (!options_fit_target(o, c->to_server, err))
		return false;
	if (c->to_server) {
		if (!source_port_read(&c->from, o, from, err) ||
		    !target_port_read(&c->server, o, to, &c->from, err))
			return false;
		buf_str(&c->target_text, c->server.server.text.data);
		return server_port_ask(&c->from, o, err) &&
		       server_port_ask(&c->server.server, o, err);
	}
	if (!archive_path(to, &path, err))
		return false;
	buf_fmt(&c->target_text, "archive:%s", path);
	free(path);

	return source_port_open(&c->from, o, from, err);
}

static void
describe(struct copying *c)
{
	buf_fmt(
	    &c->command, "copy %s %s", c->from.text.data, c->target_text.data);
	text_shell(&c->ends, c->from.text.data);
	buf_char(&c->ends, ' ');
	text_shell(&c->ends, c->target_text.data);
	buf_str(&c->again, "copy");
	options_again(&c->again, c->o, IN_COPY, true);
	buf_fmt(&c->again, " %s", c->ends.data);
}

/* Both log in before any work. */
static bool
connect_both(struct copying *c, struct err *err)
{
	return job_connect(c->o, c->retry_wait_ms, &c->from, &c->source,
		   &c->meter, err) &&
	       (!c->to_server || job_connect_target(c->o, c->retry_wait_ms,
				     &c->server, &c->target, &c->meter, err));
}

/* A dry run makes nothing: what is not there holds nothing. */
static void
do_without(struct state_dir *s)
{
	free(s->index_path);
	s->index_path = NULL;
}

static bool
open_archive(struct copying *c, struct err *err)
{
	const char *arg = c->o->args[1];
	struct state_dir *s = &c->archive.state;
	if (!c->o->dry_run)
		return archive_port_write(
		    &c->archive, c->o, arg, c->command.data, &c->meter, err);
	if (archive_port_read(&c->archive, c->o, arg, err))
		return true;
	bool missing =
	    s->index_path != NULL && access(s->index_path, F_OK) != 0;
	if (err->code != ERR_USAGE || !missing)
		return false;
	do_without(s);

	return true;
}

static bool
open_pair(struct copying *c, struct err *err)
{
	const struct endpoint *from = &c->from.endpoint;
	const struct endpoint *to = &c->server.server.endpoint;
	bool there;
	if (!c->o->dry_run)
		return pair_write(
		    &c->pair, c->o, from, to, c->command.data, err);
	if (!pair_look(&c->pair, c->o, from, to, &there, err))
		return false;
	if (!there)
		do_without(&c->pair);

	return true;
}

static bool
open_both(struct copying *c, struct err *err)
{
	if (!job_retry_wait(c->o, &c->retry_wait_ms, err) || !read_ends(c, err))
		return false;
	describe(c);
	struct state_dir *s = state_of_copy(c);

	return connect_both(c, err) &&
	       (c->to_server ? open_pair(c, err) : open_archive(c, err)) &&
	       job_options(&c->haul, c->o, &c->from, s,
		   c->to_server ? &c->server : NULL, err) &&
	       (s->run == 0 ||
		   index_run_job_begin(s->index, s->run, c->haul.job, err));
}

static void
close_both(struct copying *c)
{
	if (c->source.data != NULL)
		c->source.ops->close(&c->source.data, true);
	if (c->target.data != NULL)
		c->target.ops->close(&c->target.data, true);
	archive_port_close(&c->archive);
	state_close(&c->pair);
	target_port_close(&c->server);
	server_port_close(&c->from);
	haul_result_free(&c->result);
	buf_free(&c->target_text);
	buf_free(&c->command);
	buf_free(&c->ends);
	buf_free(&c->again);
}

/* ---- after ---- */

static enum index_run_state
state_of(const struct copying *c, int code)
{
	if (c->result.interrupted)
		return RUN_INTERRUPTED;

	return code == EXIT_OK ? RUN_COMPLETE : RUN_INCOMPLETE;
}

/* "Sent Items -> Sent": where a mailbox goes that can't keep its name. */
static void
print_place(void *arg, const char *from, const struct place *place)
{
	(void)arg;
	if (strcmp(from, place->display) == 0)
		return;
	rows_print_escaped(from);
	printf(" -> ");
	rows_print_escaped(place->display);
	printf("   %s\n", place->why);
}

/* A run that could not begin has nothing to sum up on a screen. */
static int
report(struct copying *c, const struct summary *s, bool begun)
{
	struct state_dir *state = state_of_copy(c);
	struct buf text = { 0 };
	struct err err;
	/* A mistake that only the server could see has nothing to sum up. */
	bool mistaken = s->failed != NULL && s->failed->code == ERR_USAGE;
	if (begun && !mistaken && (!c->o->quiet || s->exit_code != EXIT_OK)) {
		if (c->o->dry_run && c->to_server)
			imap_target_places(&c->target, print_place, NULL);
		summary_text(&text, s);
		fputs(text.data, stdout);
	}
	buf_free(&text);
	bool rows = state->run != 0 && state->index != NULL;
	if (c->o->report != NULL &&
	    !summary_report(c->o->report, s, rows ? state : NULL, &err)) {
		int code = screen_error(&err);
		return s->exit_code == EXIT_OK ? code : s->exit_code;
	}

	return s->exit_code;
}

static bool
is_of_server(const struct err *err)
{
	return err->code == ERR_NETWORK || err->code == ERR_TLS ||
	       err->code == ERR_PROTOCOL || err->code == ERR_REFUSED;
}

/* Over after some time, or when one wishes. */
static bool
is_a_pause(const struct err *err)
{
	return err->code == ERR_LOCKED || err->code == ERR_THROTTLE ||
	       err->code == ERR_STOPPED;
}

/* The command that looks at the side which failed. */
static const struct server_port *
failed_side(const struct copying *c)
{
	return c->to_server && c->from.connected ? &c->server.server : &c->from;
}

/* What was and was not done, and the next command, under what those nearer to
 * the cause advise: most of them know neither. */
static void
add_next(const struct copying *c, bool opened, struct err *err)
{
	if (strstr(err->hint, "Then: ") != NULL || err->scope < ERR_ACCOUNT ||
	    err->code == ERR_USAGE || c->again.len == 0)
		return;
	if (err->code == ERR_DAMAGED) {
		if (c->to_server)
			pair_repair(&c->pair, err);
		else
			err_hint(
			    err, "Then: mailhaul verify %s", c->o->args[1]);
		return;
	}
	const struct server_port *side = failed_side(c);
	bool of_server = !opened && is_of_server(err);
	if (err->code == ERR_DISK_FULL || err->code == ERR_IO) {
		if (err->hint[0] == '\0')
			err_hint(
			    err, "Make room, or let it be written, and go on:");
	} else if (opened) {
		err_hint(err, "What was copied is kept. Go on with the same:");
	} else if (of_server) {
		err_hint(err, "%s", server_port_so_far(side));
	} else if (is_a_pause(err)) {
		err_hint(err, "Nothing was read or written.");
	} else {
		return;
	}
	err_hint(err, "Then: mailhaul %s",
	    of_server ? side->check.data : c->again.data);
}

static bool
end_of_run(struct copying *c, enum index_run_state state, struct err *err)
{
	return c->to_server
		   ? index_run_end(c->pair.index, c->pair.run, state, err)
		   : archive_port_end_run(&c->archive, state, err);
}

/* failed: why the run did; NULL: it didn't, and then this may be why. */
static int
end_run(struct copying *c, bool opened, const struct err **failed, int code,
    struct err *err)
{
	enum index_run_state state = state_of(c, code);
	const char *why = *failed == NULL ? "" : (*failed)->text;
	struct state_dir *s = state_of_copy(c);
	if (s->run == 0)
		return code;
	bool ok = !opened ||
		  index_run_job_end(s->index, s->run, c->haul.job, state,
		      job_is_partial(&c->result, &c->source), code, why, err);
	ok = ok && end_of_run(c, state, err);
	if (ok || !opened)
		return code;
	int worse = screen_error(err);
	if (*failed == NULL)
		*failed = err;

	return code == EXIT_OK ? worse : code;
}

static struct summary
summary_of(struct copying *c, const struct err *failed, int code)
{
	const struct state_dir *s = state_of_copy(c);
	const struct target *archive = &c->archive.target;
	return (struct summary){
		.source = c->from.account.data,
		.target = c->target_text.data,
		.run = s->run == 0 ? NULL : s->run_name,
		.log = s->run == 0 ? NULL : s->log_path,
		.options = c->o,
		.result = &c->result,
		.started = c->started,
		.ended = clock_unix(),
		.wall_ms = clock_mono_ms() - c->meter.started,
		.readback_ms = archive->data == NULL
				   ? 0
				   : archive_target_readback_ms(archive),
		.failed = failed,
		.exit_code = code,
		.again = c->again.data,
		.pair = c->to_server ? c->ends.data : NULL,
	};
}

/* Of one account, other than of many, a choice of nothing is a mistake. */
static bool
has_chosen(const struct copying *c, struct err *err)
{
	const struct haul_result *r = &c->result;
	if (c->o->include.n == 0 || r->interrupted || r->mailboxes > 0 ||
	    r->mailboxes_failed > 0 || r->mailboxes_excluded == 0)
		return true;
	err_set(err, ERR_ACCOUNT, ERR_USAGE,
	    "nothing was copied: no mailbox matches --include");

	return err_hint(err, "Then: mailhaul %s", c->from.check.data);
}

static int
run(struct copying *c)
{
	struct err err, end;
	struct progress_screen *screen = progress_start(c->o, &c->meter);
	bool opened = open_both(c, &err);
	c->haul.retry_wait_ms = c->retry_wait_ms;
	bool ok =
	    opened && haul_run(&c->haul, state_of_copy(c)->index, &c->source,
			  c->to_server ? &c->target : &c->archive.target,
			  &c->meter, &c->result, &err);
	progress_stop(&screen);
	ok = ok && has_chosen(c, &err);
	if (!opened)
		c->result.interrupted = stop_asked();
	if (!ok) {
		add_next(c, opened, &err);
		screen_error(&err);
	}
	const struct err *failed = ok ? NULL : &err;
	int code = job_exit_code(&c->result, ok, &err);
	code = end_run(c, opened, &failed, code, &end);
	log_note(LOG_INFO, "ended with exit code %d", code);
	const struct summary s = summary_of(c, failed, code);

	return report(c, &s, opened);
}

int
command_copy(const struct options *o)
{
	struct copying c = { .o = o,
		.started = clock_unix(),
		.archive.state.lock = -1,
		.pair.lock = -1 };
	meter_start(&c.meter);
	int code = run(&c);
	close_both(&c);

	return code;
}
