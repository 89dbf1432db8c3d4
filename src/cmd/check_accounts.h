#ifndef CMD_CHECK_ACCOUNTS_H
#define CMD_CHECK_ACCOUNTS_H

#include "options.h"

/* check -c FILE: log in as each account, one after another, and print a line:
 * ok, or why not. Writes nothing. Returns the exit code. */
int check_accounts(const struct options *);

#endif
