/* A few runs of one mailbox with a message or two, and what is shown of them.
 */
#ifndef TESTS_INDEX_STORY_H
#define TESTS_INDEX_STORY_H

#include <stdint.h>

#include "index_world.h"

MAY_BE_UNUSED static void
end_run(struct world *w, enum index_run_state state)
{
	OK(w, index_run_job_end(w->ix, w->run, w->job, state, false,
		  state == RUN_COMPLETE ? 0 : 6,
		  state == RUN_COMPLETE ? "" : "the line broke", &w->err));
	OK(w, index_run_end(w->ix, w->run, state, &w->err));
}

MAY_BE_UNUSED static void
next_run(struct world *w, const char *name)
{
	OK(w, index_run_begin(w->ix, name, "copy", &w->run, &w->err));
	OK(w, index_run_job_begin(w->ix, w->run, w->job, &w->err));
}

/* One message: UID 7 in run-1, and run-2 has begun. */
MAY_BE_UNUSED static struct kept
one_message(struct world *w)
{
	world_open(w);
	OK(w, index_run_job_begin(w->ix, w->run, w->job, &w->err));
	begin(w);
	add_volume(w, VOLUME);
	struct kept where =
	    settle(w, &(struct sent){ .uid = 7,
			  .header = "Message-ID: <one@x>\r\nSubject: S\r\n" });
	commit(w);
	end_run(w, RUN_COMPLETE);
	next_run(w, "run-2");

	return where;
}

MAY_BE_UNUSED static bool
change(struct world *w, uint64_t uid, uint8_t flags, const char *keywords)
{
	bool changed;
	OK(w, index_change(w->ix, w->run, w->box, uid, flags, keywords,
		  &changed, &w->err));

	return changed;
}

MAY_BE_UNUSED static uint64_t
end_range(struct world *w, uint64_t lo, uint64_t hi)
{
	uint64_t n;
	OK(w, index_end(w->ix, w->run, w->box, lo, hi, &n, &w->err));

	return n;
}

/* "7:8:$A 9:0:" of UIDs, flags and keywords: what a query shows. */
MAY_BE_UNUSED static const char *
shown(struct world *w, const struct index_query *query)
{
	static char text[1024];
	struct index_rows *rows;
	struct index_row row;
	bool end;
	size_t len = 0;
	text[0] = '\0';
	OK(w, index_rows_open(w->ix, &rows, query, &w->err));
	for (;;) {
		OK(w, index_rows_next(rows, &row, &end, &w->err));
		if (end)
			break;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%llu:%u:%s%s%s", len == 0 ? "" : " ",
		    (unsigned long long)row.row.uid, row.row.flags,
		    row.row.keywords, row.ended[0] == '\0' ? "" : " ended ",
		    row.ended);
	}
	index_rows_close(&rows);

	return text;
}

MAY_BE_UNUSED static const char *
as_of(struct world *w, uint64_t run)
{
	return shown(
	    w, &(struct index_query){ .outcome = -1, .as_of_run = run });
}

MAY_BE_UNUSED static const char *
now(struct world *w)
{
	return shown(w, &(struct index_query){ .outcome = -1 });
}

MAY_BE_UNUSED static struct placement
as_sent(const struct kept *where, uint64_t uid)
{
	return (struct placement){ .okey = uid,
		.size = where->size + 1,
		.idate = IDATE,
		.zone = 60,
		.flags = 2 };
}

#endif
