#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "options.h"

/* Each returns the exit code, after printing what went wrong. */
int command_copy(const struct options *);
int command_run(const struct options *);
int command_check(const struct options *);
int command_ls(const struct options *);
int command_find(const struct options *);
int command_show(const struct options *);
int command_verify(const struct options *);
int command_export(const struct options *);
int command_status(const struct options *);
int command_explain(const struct options *);
int command_repack(const struct options *);
int command_index(const struct options *);
int command_runs(const struct options *);
int command_coverage(const struct options *);

#endif
