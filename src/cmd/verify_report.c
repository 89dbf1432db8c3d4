#include "verify_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/stop.h"
#include "base/text.h"
#include "rows.h"
#include "screen.h"
#include "summary.h"

static const char *
word_of(const struct verify_sums *s)
{
	if (stop_asked())
		return "INTERRUPTED";
	if (s->findings > 0)
		return "DAMAGED";

	return s->failed == NULL ? "verified" : "INCOMPLETE";
}

/* What the sums leave out: the other volumes were compared by their hashes. */
static void
add_portion(struct buf *out, const struct verify_sums *s)
{
	if (s->o->quick)
		buf_str(out, " (quick: no message was read)");
	else if (s->every > 1)
		buf_fmt(out,
		    " (1/%" PRIu64 ": the messages of %" PRIu64
		    " volume%s were read)",
		    s->every, s->whole, s->whole == 1 ? "" : "s");
}

void
verify_sums_text(struct buf *out, const struct verify_sums *s)
{
	char octets[32], messages[32];
	buf_fmt(out,
	    "%s: %" PRIu64 " volume%s, %s message%s, %s read, %" PRIu64
	    " finding%s",
	    word_of(s), s->volumes, s->volumes == 1 ? "" : "s",
	    text_count(messages, sizeof(messages), s->messages),
	    rows_s(s->messages), text_size(octets, sizeof(octets), s->octets),
	    s->findings, s->findings == 1 ? "" : "s");
	add_portion(out, s);
	buf_char(out, '\n');
}

json_t *
verify_sums_json(const struct verify_sums *s)
{
	json_t *o = json_object();
	json_object_set_new(o, "volumes", rows_number(s->volumes));
	json_object_set_new(o, "messages", rows_number(s->messages));
	json_object_set_new(o, "octets", rows_number(s->octets));
	json_object_set_new(o, "findings", rows_number(s->findings));

	return o;
}

/* Calls line with each finding, without its newline. */
static void
each_finding(const struct verify_sums *s,
    void (*line)(void *arg, const char *, size_t), void *arg)
{
	const char *at = s->damage.data;
	while (at != NULL && *at != '\0') {
		size_t n = strcspn(at, "\n");
		line(arg, at, n);
		at += n + 1;
	}
}

static void
json_finding(void *arg, const char *line, size_t n)
{
	json_array_append_new(arg, json_stringn(line, n));
}

static void
text_finding(void *arg, const char *line, size_t n)
{
	buf_str(arg, "DAMAGE ");
	buf_add(arg, line, n);
	buf_char(arg, '\n');
}

static void
add_json(struct buf *out, const struct verify_sums *s)
{
	json_t *top = verify_sums_json(s), *damage = json_array();
	json_object_set_new(top, "mailhaul", json_string(MAILHAUL_VERSION));
	json_object_set_new(top, "archive", rows_utf8(s->archive));
	json_object_set_new(top, "quick", json_boolean(s->o->quick));
	json_object_set_new(top, "read", rows_utf8(s->o->read));
	json_object_set_new(top, "started", rows_when(s->started));
	json_object_set_new(top, "ended", rows_when(clock_unix()));
	json_object_set_new(top, "exit_code", json_integer(s->exit_code));
	json_object_set_new(
	    top, "sound", json_boolean(s->exit_code == EXIT_OK));
	json_object_set_new(top, "interrupted", json_boolean(stop_asked()));
	each_finding(s, json_finding, damage);
	json_object_set_new(top, "damage", damage);
	json_object_set_new(top, "error",
	    rows_utf8(s->failed == NULL ? NULL : s->failed->text));
	char *text = json_dumps(top, JSON_INDENT(1));
	buf_fmt(out, "%s\n", text);
	free(text);
	json_decref(top);
}

bool
verify_report(const struct verify_sums *s, struct err *err)
{
	struct buf out = { 0 };
	if (s->o->report == NULL)
		return true;
	if (summary_wants_json(s->o->report)) {
		add_json(&out, s);
	} else {
		each_finding(s, text_finding, &out);
		verify_sums_text(&out, s);
		if (s->failed != NULL)
			summary_failure(&out, s->failed);
	}
	bool ok = file_replace(s->o->report, out.data, out.len, err);
	buf_free(&out);

	return ok;
}

void
verify_tell_repair(const struct archive_port *p, const struct options *o)
{
	struct buf again = { 0 };
	archive_port_rebuild(&again, p, o);
	fprintf(stderr,
	    "  The index can be made anew of what is whole; the next copy then "
	    "asks the source\n  for what is lost, as long as it has it.\n"
	    "  Then: mailhaul %s\n",
	    again.data);
	buf_free(&again);
}
