#ifndef CMD_SUMMARY_H
#define CMD_SUMMARY_H

#include "base/buf.h"
#include "haul/haul.h"
#include "lineup.h"
#include "options.h"
#include "ports.h"

/* What copy or run came to: the same facts for screen and report. */
struct summary {
	const char *source, *target; /* as shown; NULL: not understood */
	const char *run, *log;       /* NULL: none was begun */
	const struct options *options;
	const struct haul_result *result;
	int64_t started, ended; /* unix s */
	int64_t wall_ms;
	uint64_t readback_ms;     /* sealed volumes read back */
	const struct err *failed; /* NULL: the account did not fail */
	int exit_code;
	const char *again; /* the command, to be pasted */
	const char *pair;  /* "SOURCE TARGET" as explain takes them, to be
			      pasted; NULL: the target is an archive */
	/* Of a run of many accounts; NULL: one. result holds their sums. */
	const struct lineup *lineup;
};

/* Words on screens are the user's (DESIGN 9). */
void summary_text(struct buf *, const struct summary *);
/* --report FILE: .json (schemas/report.schema.json) or text, with every
 * message that did not end as copied or already there. state: NULL where no
 * run was begun. If it can't be asked, the report is written all the same, as
 * that of a run that failed. */
bool summary_report(const char *path, const struct summary *,
    struct state_dir *state, struct err *);
/* A failure as a text report tells it: a screen has done so before. */
void summary_failure(struct buf *, const struct err *);
/* By its ending. */
bool summary_wants_json(const char *path);

#endif
