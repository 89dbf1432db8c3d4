#include "screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/stop.h"

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

	return exit_of(err);
}

int
screen_close(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE)
		return code;
	fprintf(stderr, "mailhaul: can't write standard output: %s\n",
	    strerror(errno));

	return code == 0 ? EXIT_DISK : code;
}
