/*
 * The guard, and libetpan behind it. A verdict doesn't hang on how octets
 * arrive; what passes keeps the guard's promises; and libetpan, which trusts
 * servers, outlives all that passes.
 *
 * The first octet chooses the mechanism, the second how the rest trickles in.
 */
#include "lib/fuzz.h"
#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

#include <libetpan/libetpan.h>

#include "net/guard.h"

enum { PASSED, REFUSED, GREETED, ANSWERED, LOGGED_IN };

static const char *const marks[] = {
	[PASSED] = "an answer that passes",
	[REFUSED] = "a breach",
	[GREETED] = "a greeting that libetpan takes",
	[ANSWERED] = "a refusal that libetpan understands",
	[LOGGED_IN] = "a login that libetpan takes for one",
};

static const char *const mechanisms[] = { "PLAIN", "CRAM-MD5", "SCRAM-SHA-1",
	"SCRAM-SHA-256" };

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	mailsasl_ref();

	return 0;
}

/* ---- the guard alone ---- */

/* *passed: octets before the piece with the breach. */
static const char *
scan(const char *data, size_t len, size_t step, size_t *passed)
{
	struct guard guard = { 0 };
	const char *breach = NULL;
	for (*passed = 0; *passed < len; *passed += step) {
		size_t n = len - *passed < step ? len - *passed : step;
		breach = guard_scan(&guard, data + *passed, n);
		if (breach != NULL)
			return breach;
	}
	*passed = len;

	return NULL;
}

/* Nesting as the plainest reader would count it: quotes mean nothing, and a
 * line ends a response. */
static size_t
deepest(const char *line, size_t len)
{
	size_t depth = 0, most = 0;
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '(' && ++depth > most)
			most = depth;
		else if (line[i] == ')' && depth > 0)
			depth--;
	}

	return most;
}

static void
check_promises(const char *data, size_t len)
{
	struct fuzz_part rest = { data, len }, line;
	MUST(memchr(data, '\0', len) == NULL);
	while (fuzz_part(&rest, '\n', &line)) {
		MUST(line.len <= 1 << 20);
		MUST(deepest(line.data, line.len) <= 2000);
		if (memchr(line.data, '"', line.len) == NULL &&
		    memchr(line.data, '{', line.len) == NULL &&
		    line.data == data)
			MUST(deepest(line.data, line.len) <= 32);
	}
	for (size_t i = 0; i + 11 <= len; i++)
		MUST(strncasecmp(data + i, "[BADCHARSET", 11) != 0);
}

static size_t
check_guard(const char *data, size_t len, size_t step)
{
	size_t one, whole, pieces;
	const char *breach = scan(data, len, 1, &one);
	const char *all = scan(data, len, len + 1, &whole);
	const char *some = scan(data, len, step, &pieces);
	MUST(all == breach && some == breach);
	MUST(pieces <= one && one - pieces < step);
	check_promises(data, one);
	fuzz_reach(breach == NULL ? PASSED : REFUSED);

	return one;
}

/* ---- libetpan ---- */

static ssize_t
low_read(mailstream_low *low, void *out, size_t n)
{
	struct fuzz_memory *m = low->data;
	size_t left = m->len - m->at;
	size_t part = left < m->step ? left : m->step;
	if (part > n)
		part = n;
	if (part == 0)
		return -1;
	memcpy(out, m->data + m->at, part);
	m->at += part;

	return (ssize_t)part;
}

static ssize_t
low_write(mailstream_low *low, const void *data, size_t n)
{
	(void)low, (void)data;

	return (ssize_t)n;
}

static int
low_close(mailstream_low *low)
{
	(void)low;

	return 0;
}

static void
low_free(mailstream_low *low)
{
	free(low);
}

static void
low_cancel(mailstream_low *low)
{
	(void)low;
}

static struct mailstream_cancel *
low_get_cancel(mailstream_low *low)
{
	(void)low;

	return NULL;
}

static carray *
low_get_chain(mailstream_low *low)
{
	(void)low;

	return NULL;
}

static mailstream_low_driver driver = {
	.mailstream_read = low_read,
	.mailstream_write = low_write,
	.mailstream_close = low_close,
	.mailstream_get_fd = low_close,
	.mailstream_free = low_free,
	.mailstream_cancel = low_cancel,
	.mailstream_get_cancel = low_get_cancel,
	.mailstream_get_certificate_chain = low_get_chain,
	.mailstream_setup_idle = low_close,
	.mailstream_unsetup_idle = low_close,
	.mailstream_interrupt_idle = low_close,
};

static void
log_in(mailimap *imap, const char *mechanism)
{
	int code = mailimap_authenticate(imap, mechanism, "mail.example", NULL,
	    NULL, "", "alice", "pass word", NULL);
	if (code == MAILIMAP_NO_ERROR)
		fuzz_reach(LOGGED_IN);
	if (code == MAILIMAP_ERROR_LOGIN)
		fuzz_reach(ANSWERED);
}

/* As imap/auth.c does it; octets up to the breach arrive. */
static void
read_by_libetpan(
    const char *mechanism, const char *data, size_t len, size_t step)
{
	struct fuzz_memory m = { data, len, 0, step };
	mailstream *stream =
	    mailstream_new(mailstream_low_new(&m, &driver), 4096);
	mailimap *imap = mailimap_new(0, NULL);
	MUST(stream != NULL && imap != NULL);
	int code = mailimap_connect(imap, stream);
	if (code == MAILIMAP_NO_ERROR ||
	    code == MAILIMAP_NO_ERROR_NON_AUTHENTICATED) {
		fuzz_reach(GREETED);
		log_in(imap, mechanism);
	}
	/* Its LOGOUT would read on. */
	imap->imap_stream = NULL;
	mailstream_close(stream);
	mailimap_free(imap);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	unsigned mechanism = fuzz_choose(&rest, 4);
	size_t step = fuzz_choose(&rest, 200) + 1;
	size_t passed = check_guard(rest.data, rest.len, step);
	read_by_libetpan(mechanisms[mechanism], rest.data, passed, step);

	return 0;
}
