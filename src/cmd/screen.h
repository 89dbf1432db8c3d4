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

/* Standard output ends here: a full disk or a closed pipe is an error too. */
int screen_close(int code);

#endif
