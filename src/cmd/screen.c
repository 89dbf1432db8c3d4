#include "screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"

enum { OUT_BUFFER = 64 * 1024 };

int
exit_of(const struct err *err)
{
	static const int codes[] = {
		[ERR_OTHER] = EXIT_SOME_FAILED,
		[ERR_USAGE] = EXIT_USAGE,
		[ERR_LOGIN] = EXIT_LOGIN,
		[ERR_NETWORK] = EXIT_NETWORK,
		[ERR_TLS] = EXIT_NETWORK,
		[ERR_PROTOCOL] = EXIT_NETWORK,
		[ERR_THROTTLE] = EXIT_PARKED,
		[ERR_QUOTA] = EXIT_TARGET_FULL,
		[ERR_TOO_BIG] = EXIT_SOME_FAILED,
		[ERR_REFUSED] = EXIT_SOME_FAILED,
		[ERR_GONE] = EXIT_SOME_FAILED,
		[ERR_UIDVALIDITY] = EXIT_SOME_FAILED,
		[ERR_DISK_FULL] = EXIT_DISK,
		[ERR_IO] = EXIT_DISK,
		[ERR_LOCKED] = EXIT_LOCKED,
		[ERR_DAMAGED] = EXIT_DAMAGED,
		[ERR_STOPPED] = EXIT_SOME_FAILED,
		[ERR_AMBIGUOUS] = EXIT_SOME_FAILED,
		[ERR_MISMATCH] = EXIT_MISMATCH,
	};
	if (stop_asked())
		return 128 + stop_signal();

	return codes[err->code];
}

/* Every line of a hint stands under the error, by two blanks. */
static void
print_lines(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		fprintf(stderr, "  %.*s\n", (int)n, text);
		text += n;
		if (*text == '\n')
			text++;
	}
}

int
screen_error(const struct err *err)
{
	fflush(stdout);
	fprintf(stderr, "mailhaul: %s\n", err->text);
	if (err->words[0] != '\0')
		fprintf(stderr, "  server: \"%s\"\n", err->words);
	print_lines(err->hint);
	log_note(LOG_ERROR, "%s%s%s", err->text,
	    err->words[0] == '\0' ? "" : "; server: ", err->words);

	return exit_of(err);
}

/* Of the first write that failed: stdio only keeps that one did. */
static int write_error;

static ssize_t
write_out(void *cookie, const char *data, size_t n)
{
	size_t done = 0;
	(void)cookie;
	while (done < n) {
		ssize_t now = write(STDOUT_FILENO, data + done, n - done);
		if (now < 0 && errno == EINTR && !stop_asked())
			continue;
		if (now < 0) {
			write_error = write_error == 0 ? errno : write_error;
			return 0;
		}
		done += (size_t)now;
	}

	return (ssize_t)n;
}

void
screen_open(void)
{
	const cookie_io_functions_t functions = { .write = write_out };
	FILE *out = fopencookie(NULL, "w", functions);
	if (out == NULL)
		mem_out();
	setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, OUT_BUFFER);
	stdout = out;
}

bool
screen_failed(void)
{
	return write_error != 0;
}

int
screen_close(int code)
{
	fflush(stdout);
	if (write_error == 0 || write_error == EPIPE)
		return code;
	fprintf(stderr, "mailhaul: can't write standard output: %s\n",
	    strerror(write_error));

	return code == 0 ? EXIT_DISK : code;
}
