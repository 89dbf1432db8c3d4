#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
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
	struct haul_options haul;
	struct haul_result result;
	long retry_wait_ms;
	struct buf target_text, command;
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
}

static enum index_run_state
state_of(const struct copying *c, int code)
{
	if (c->result.interrupted)
		return RUN_INTERRUPTED;

	return code == EXIT_OK ? RUN_COMPLETE : RUN_INCOMPLETE;
}

static int
report(struct copying *c, struct summary *s)
{
	struct buf text = { 0 };
	struct err err;
	if (!c->o->quiet || s->exit_code != EXIT_OK) {
		summary_text(&text, s);
		fputs(text.data, stdout);
	}
	buf_free(&text);
	if (c->o->report != NULL && !summary_report(c->o->report, s,
					c->o->dry_run ? NULL : &c->to, &err)) {
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
	    c->command.len == 0)
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
	if (!opened && is_of_server(err))
		err_hint(err, "Then: mailhaul check %s", c->from.text.data);
	else
		err_hint(err, "Then: mailhaul %s", c->command.data);
}

static int
run(struct copying *c)
{
	struct err err, end;
	int64_t started = clock_unix(), began = clock_mono_ms();
	struct progress_screen *screen = progress_start(c->o, &c->meter);
	bool opened = open_both(c, &err);
	c->haul.retry_wait_ms = c->retry_wait_ms;
	bool ok = opened && haul_run(&c->haul, c->to.index, &c->source,
				&c->to.target, &c->meter, &c->result, &err);
	progress_stop(&screen);
	if (!ok)
		add_next(c, opened, &err);
	if (!opened) {
		int code = screen_error(&err);
		if (c->to.run != 0)
			archive_port_end_run(&c->to, RUN_INCOMPLETE, &end);
		return code;
	}
	int code = job_exit_code(&c->result, ok, &err);
	if (!ok)
		screen_error(&err);
	if (c->to.run != 0 &&
	    (!index_run_job_end(c->to.index, c->to.run, c->haul.job,
		 state_of(c, code), job_is_partial(&c->result, &c->source),
		 code, ok ? "" : err.text, &end) ||
		!archive_port_end_run(&c->to, state_of(c, code), &end))) {
		int worse = screen_error(&end);
		code = code == EXIT_OK ? worse : code;
	}
	struct summary s = {
		.source = c->from.account.data,
		.target = c->target_text.data,
		.run = c->to.run == 0 ? NULL : c->to.run_name,
		.log = c->to.run == 0 ? NULL : c->to.log_path,
		.options = c->o,
		.result = &c->result,
		.started = started,
		.ended = clock_unix(),
		.wall_ms = clock_mono_ms() - began,
		.readback_ms = c->to.target.data == NULL
				   ? 0
				   : archive_target_readback_ms(&c->to.target),
		.failed = ok ? NULL : &err,
		.exit_code = code,
	};

	return report(c, &s);
}

int
command_copy(const struct options *o)
{
	struct copying c = { .o = o, .to.lock = -1 };
	meter_start(&c.meter);
	int code = run(&c);
	close_both(&c);

	return code;
}
