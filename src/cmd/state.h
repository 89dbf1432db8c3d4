#ifndef CMD_STATE_H
#define CMD_STATE_H

#include "index/index.h"

/*
 * Where a job keeps what it knows: a folder with an index, the run that goes
 * on, and logs. An archive is one that holds volumes too.
 */
struct state_dir {
	char *dir, *index_path;
	struct index *index;
	int lock;     /* fd; -1: only reading */
	uint64_t run; /* 0: only reading */
	char run_name[40], log_path[512];
};

/* A name, a row, a log in DIR/runs, where 30 are kept. */
bool state_begin_run(struct state_dir *, const char *command, struct err *);
/* The index's runs in their order; free() the array. */
bool state_runs(
    struct state_dir *, struct index_run **, size_t *n, struct err *);
/* Those of them that were killed become interrupted. */
bool state_close_runs(
    struct state_dir *, const struct index_run *, size_t n, struct err *);
/* The index and the lock; harmless where there are none. */
void state_close(struct state_dir *);

#endif
