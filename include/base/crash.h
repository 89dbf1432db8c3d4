#ifndef BASE_CRASH_H
#define BASE_CRASH_H

/*
 * Named instants at which a kill must be harmless: before and after each
 * durable step.  In builds with MAILHAUL_CRASH_POINTS the environment drives
 * them: MAILHAUL_CRASH_AT=N kills the process with SIGKILL at the N-th point
 * reached, MAILHAUL_CRASH_AT=NAME at the first of that name;
 * MAILHAUL_CRASH_LOG=FILE appends each name. Otherwise: nothing.
 */
#ifdef MAILHAUL_CRASH_POINTS
void crash_point(const char *name);
#else
#define crash_point(name) ((void)0)
#endif

#endif
