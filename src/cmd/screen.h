#ifndef CMD_SCREEN_H
#define CMD_SCREEN_H

#include "base/err.h"

/* DESIGN 8: the first that applies. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_SOME_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_ACCOUNTS_FAILED = 3,
	EXIT_PARKED = 4,
	EXIT_LOGIN = 5,
	EXIT_NETWORK = 6,
	EXIT_MISMATCH = 7,
	EXIT_LOCKED = 8,
	EXIT_DAMAGED = 9,
	EXIT_TARGET_FULL = 10,
	EXIT_DISK = 11
};
int exit_of(const struct err *);

/* The error with the server's words and the next command, on standard error.
 * Returns exit_of. */
int screen_error(const struct err *);

/* Standard output begins here: what fails first of it is remembered. */
void screen_open(void);
/* A reader has gone, or nothing more can be written: printing on is of no use.
 * screen_close tells of it. */
bool screen_failed(void);
/* Standard output ends here. What can't be written is an error (EXIT_DISK, if
 * code is 0); that a reader has seen enough is none. */
int screen_close(int code);

#endif
