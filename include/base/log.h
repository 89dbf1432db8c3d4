#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/*
 * The run's own log, one record a line, and standard error above a level.
 * Thread-safe.  Arguments are escaped; secrets must never be passed at all.
 */
void log_stderr(enum log_level up_to, enum log_format);
/* Write every record up to LOG_DEBUG into path too (0600, created). */
bool log_file(const char *path, enum log_format);
void log_close(void);

/* Whom the following lines are about: put before each; NULL: nobody. */
void log_about(const char *whom);
void log_add(enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Only into the file: for what the screen says in its own words. */
void log_note(enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Called before a line is put on standard error, and after it: a progress
 * bar removes and redraws itself. NULL: none. */
void log_set_screen(void (*before)(void), void (*after)(void));

#endif
