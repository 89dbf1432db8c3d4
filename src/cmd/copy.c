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
#include "ports.h"
#include "progress.h"
#include "screen.h"
#include "summary.h"

struct copying {
	const struct options *o;
	struct source_port from;
	struct source source;
	struct archive_port to;
	struct meter meter;
	int64_t started; /* unix s */
	struct haul_options haul;
	struct haul_result result;
	long retry_wait_ms;
	struct buf target_text, command;
	struct buf again; /* the command as it can be pasted */
};

/* In a dry run an archive that is there is asked, none is made. */
static bool
open_target(struct copying *c, struct err *err)
{
	const char *arg = c->o->args[1];
	if (!c->o->dry_run)
		return archive_port_write(
		    &c->to, c->o, arg, c->command.data, &c->meter, err);
	if (archive_port_read(&c->to, c->o, arg, err))
		return true;
	bool missing =
	    c->to.index_path != NULL && access(c->to.index_path, F_OK) != 0;
	if (err->code != ERR_USAGE || !missing)
		return false;
	free(c->to.index_path);
	c->to.index_path = NULL;

	return true;
}

static bool
open_both(struct copying *c, struct err *err)
{
	/* Both sides' words are checked before the first is asked anything. */
	char *path;
	if (!job_retry_wait(c->o, &c->retry_wait_ms, err) ||
	    !archive_path(c->o->args[1], &path, err))
		return false;
	buf_fmt(&c->target_text, "archive:%s", path);
	free(path);
	if (!source_port_open(&c->from, c->o, c->o->args[0], err))
		return false;
	buf_fmt(
	    &c->command, "copy %s %s", c->from.text.data, c->target_text.data);
	buf_str(&c->again, "copy");
	options_again(&c->again, c->o, IN_COPY, true);
	buf_char(&c->again, ' ');
	text_shell(&c->again, c->from.text.data);
	buf_char(&c->again, ' ');
	text_shell(&c->again, c->target_text.data);

	return job_connect(c->o, c->retry_wait_ms, &c->from, &c->source,
		   &c->meter, err) &&
	       open_target(c, err) &&
	       job_options(&c->haul, c->o, &c->from, &c->to, err) &&
	       (c->to.run == 0 || index_run_job_begin(c->to.index, c->to.run,
				      c->haul.job, err));
}

static void
close_both(struct copying *c)
{
	if (c->source.data != NULL)
		c->source.ops->close(&c->source.data, true);
	archive_port_close(&c->to);
	source_port_close(&c->from);
	haul_result_free(&c->result);
	buf_free(&c->target_text);
	buf_free(&c->command);
	buf_free(&c->again);
}

static enum index_run_state
state_of(const struct copying *c, int code)
{
	if (c->result.interrupted)
		return RUN_INTERRUPTED;

	return code == EXIT_OK ? RUN_COMPLETE : RUN_INCOMPLETE;
}

/* A run that could not begin has nothing to sum up on a screen. */
static int
report(struct copying *c, const struct summary *s, bool begun)
{
	struct buf text = { 0 };
	struct err err;
	/* A mistake that only the server could see has nothing to sum up. */
	bool mistaken = s->failed != NULL && s->failed->code == ERR_USAGE;
	if (begun && !mistaken && (!c->o->quiet || s->exit_code != EXIT_OK)) {
		summary_text(&text, s);
		fputs(text.data, stdout);
	}
	buf_free(&text);
	bool rows = c->to.run != 0 && c->to.index != NULL;
	if (c->o->report != NULL &&
	    !summary_report(c->o->report, s, rows ? &c->to : NULL, &err)) {
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

/* What was and was not done, and the next command, under what those nearer to
 * the cause advise: most of them know neither. */
static void
add_next(const struct copying *c, bool opened, struct err *err)
{
	if (strstr(err->hint, "Then: ") != NULL || err->scope < ERR_ACCOUNT ||
	    c->again.len == 0)
		return;
	if (err->code == ERR_DAMAGED) {
		err_hint(err, "Then: mailhaul verify %s", c->o->args[1]);
		return;
	}
	if (err->code == ERR_DISK_FULL || err->code == ERR_IO) {
		if (err->hint[0] == '\0')
			err_hint(
			    err, "Make room, or let it be written, and go on:");
	} else if (opened) {
		err_hint(err, "What was copied is kept. Go on with the same:");
	} else if (is_of_server(err) || is_a_pause(err)) {
		err_hint(err, "Nothing was read or written.");
	} else {
		return;
	}
	err_hint(err, "Then: mailhaul %s",
	    !opened && is_of_server(err) ? c->from.check.data : c->again.data);
}

/* failed: why the run did; NULL: it didn't, and then this may be why. */
static int
end_run(struct copying *c, bool opened, const struct err **failed, int code,
    struct err *err)
{
	enum index_run_state state = state_of(c, code);
	const char *why = *failed == NULL ? "" : (*failed)->text;
	if (c->to.run == 0)
		return code;
	bool ok = !opened ||
		  index_run_job_end(c->to.index, c->to.run, c->haul.job, state,
		      job_is_partial(&c->result, &c->source), code, why, err);
	ok = ok && archive_port_end_run(&c->to, state, err);
	if (ok || !opened)
		return code;
	int worse = screen_error(err);
	if (*failed == NULL)
		*failed = err;

	return code == EXIT_OK ? worse : code;
}

static struct summary
summary_of(const struct copying *c, const struct err *failed, int code)
{
	return (struct summary){
		.source = c->from.account.data,
		.target = c->target_text.data,
		.run = c->to.run == 0 ? NULL : c->to.run_name,
		.log = c->to.run == 0 ? NULL : c->to.log_path,
		.options = c->o,
		.result = &c->result,
		.started = c->started,
		.ended = clock_unix(),
		.wall_ms = clock_mono_ms() - c->meter.started,
		.readback_ms = c->to.target.data == NULL
				   ? 0
				   : archive_target_readback_ms(&c->to.target),
		.failed = failed,
		.exit_code = code,
		.again = c->again.data,
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
	bool ok = opened && haul_run(&c->haul, c->to.index, &c->source,
				&c->to.target, &c->meter, &c->result, &err);
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
	struct copying c = { .o = o, .started = clock_unix(), .to.lock = -1 };
	meter_start(&c.meter);
	int code = run(&c);
	close_both(&c);

	return code;
}
