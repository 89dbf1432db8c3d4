#ifndef CMD_BOARD_H
#define CMD_BOARD_H

#include "haul/meter.h"
#include "options.h"

/*
 * One line of progress over all accounts of a run, drawn by the process that
 * watches over the workers, without a thread: it forks.
 */
struct board_sums {
	uint64_t messages, done, octets, settled;
};
struct board {
	size_t accounts, ended, running, failed;
	bool all_begun;         /* no account waits: the rest is known */
	struct board_sums past; /* of accounts that have ended */
	/* Shared with the workers; meter i counts while busy[i]. Borrowed. */
	struct meter *meters;
	const bool *busy;
	size_t slots;
};
struct board_screen;

struct board_screen *board_start(const struct options *, struct board *);
/* The account of slot i has ended: its meter's sums are kept. */
void board_fold(struct board *, size_t slot);
/* Draw, if it is time; milliseconds until the next time. */
long board_tick(struct board_screen *);
void board_stop(struct board_screen **);

#endif
