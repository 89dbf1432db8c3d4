#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>

/*
 * SIGINT and SIGTERM: once asks everybody to finish and commit what is in
 * flight, twice ends the process at once (which is safe). SIGPIPE is ignored.
 */
void stop_install(void);
/*
 * In a child process, before it starts a thread: nothing was asked yet, this
 * signal alone asks, any number of times, and SIGINT and SIGTERM do nothing to
 * it (a terminal sends them to everybody). Programs that it runs get all three
 * as usual.
 */
void stop_follow(int signal);
/* 0, or the signal that asked. Async-signal-safe, any thread. */
int stop_signal(void);
static inline bool
stop_asked(void)
{
	return stop_signal() != 0;
}
/* Readable once a stop was asked for: for poll. -1 before stop_install. */
int stop_fd(void);
/* Sleep, ended early by a stop: false then. */
bool stop_sleep_ms(long ms);

#endif
