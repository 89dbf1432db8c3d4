#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

/* Guards everything below. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level screen_level = LOG_WARN;
static enum log_format screen_format;
static enum log_format file_format;
static int file = -1;
static char about[200]; /* escaped; "": nobody */
static void (*before_line)(void);
static void (*after_line)(void);

static const char *const level_words[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void
log_stderr(enum log_level up_to, enum log_format format)
{
	pthread_mutex_lock(&lock);
	screen_level = up_to;
	screen_format = format;
	pthread_mutex_unlock(&lock);
}

bool
log_file(const char *path, enum log_format format)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	pthread_mutex_lock(&lock);
	if (file >= 0)
		close(file);
	file = fd;
	file_format = format;
	pthread_mutex_unlock(&lock);

	return fd >= 0;
}

void
log_close(void)
{
	pthread_mutex_lock(&lock);
	if (file >= 0)
		close(file);
	file = -1;
	pthread_mutex_unlock(&lock);
}

void
log_about(const char *whom)
{
	pthread_mutex_lock(&lock);
	about[0] = '\0';
	if (whom != NULL)
		text_escape_to(about, sizeof(about), whom, strlen(whom));
	pthread_mutex_unlock(&lock);
}

void
log_set_screen(void (*before)(void), void (*after)(void))
{
	pthread_mutex_lock(&lock);
	before_line = before;
	after_line = after;
	pthread_mutex_unlock(&lock);
}

static void
json_string(struct buf *out, const char *s)
{
	buf_char(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(out, '\\');
		buf_char(out, *s);
	}
	buf_char(out, '"');
}

/* text is escaped already: one line, no controls. */
static void
format_line(struct buf *out, enum log_format format, enum log_level level,
    const char *text, bool with_time)
{
	char when[40];
	int64_t ms = clock_unix_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	gmtime_r(&s, &tm);
	size_t n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof(when) - n, ".%03dZ", (int)(ms % 1000));
	if (format == LOG_JSON) {
		buf_fmt(out,
		    "{\"time\":\"%s\",\"level\":\"%s\",\"text\":", when,
		    level_words[level]);
		json_string(out, text);
		buf_str(out, "}\n");
	} else if (with_time) {
		buf_fmt(out, "%s %s: %s\n", when, level_words[level], text);
	} else {
		buf_fmt(out, "mailhaul: %s%s%s\n",
		    level == LOG_WARN ? "warning: " : "",
		    level == LOG_DEBUG ? "debug: " : "", text);
	}
}

static void
put(int fd, const struct buf *line)
{
	/* A log that can't be written must not stop the run. */
	ssize_t n = write(fd, line->data, line->len);
	(void)n;
}

__attribute__((format(printf, 3, 0))) static void
add(enum log_level level, bool screen, const char *fmt, va_list ap)
{
	struct buf raw = { 0 }, text = { 0 }, line = { 0 };
	buf_vfmt(&raw, fmt, ap);

	pthread_mutex_lock(&lock);
	if (about[0] != '\0')
		buf_fmt(&text, "%s: ", about);
	text_escape(&text, raw.data == NULL ? "" : raw.data, raw.len);
	if (file >= 0) {
		format_line(&line, file_format, level, text.data, true);
		put(file, &line);
	}
	if (screen && level <= screen_level) {
		buf_clear(&line);
		format_line(&line, screen_format, level, text.data, false);
		if (before_line != NULL)
			before_line();
		put(STDERR_FILENO, &line);
		if (after_line != NULL)
			after_line();
	}
	pthread_mutex_unlock(&lock);
	buf_free(&raw);
	buf_free(&text);
	buf_free(&line);
}

void
log_add(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(level, true, fmt, ap);
	va_end(ap);
}

void
log_note(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(level, false, fmt, ap);
	va_end(ap);
}
