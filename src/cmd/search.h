#ifndef CMD_SEARCH_H
#define CMD_SEARCH_H

#include "ports.h"

/* At the end of a run, when all is settled: what it brought is made known to
 * find, for about a fiftieth of the time that the run took; find itself does
 * the rest. Nothing that goes wrong here is the run's failure. */
void search_after_run(const struct archive_port *, int64_t took_ms);

struct search;
/* find --body: the text of messages whose text isn't known yet, read from the
 * volumes. A stop ends it early; what was done stays. False: nothing can be
 * searched. Says on standard error what is not covered. */
bool bodies_update(const struct archive_port *, struct search *,
    const struct options *, struct err *);

/* "reading … 1,200 of 10,000" on a terminal, over and over; nothing
 * elsewhere. done == all removes it. */
struct search_screen {
	const char *what;
	bool quiet;
	int64_t shown; /* clock_mono_ms of the last; 0: started now */
	bool visible;
};
void search_screen_show(struct search_screen *, uint64_t done, uint64_t all);
void search_screen_clear(struct search_screen *);

#endif
