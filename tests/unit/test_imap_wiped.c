/* Nothing of a password stays behind in memory but where it is kept. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "imap/imap.h"
#include "../lib/imap_script.h"

Suite *suite_imap_wiped(void);

enum { CHUNK = 1 << 20, OVERLAP = 128, LARGEST = 256 << 20, PAGE = 8192 };

/* The passwords are longer than the notes that the allocator makes in freed
 * memory. The marks are longer than a vector register, which the dynamic loader
 * saves on the stack with what was copied last. */
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define MARK "hush-hush" HUNDRED
#define TENS_BASE64 "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5"
#define MARK_SENT TENS_BASE64 TENS_BASE64 "\r\n"
#define LONG TEN TEN TEN MARK HUNDRED
#define EIGHT_BIT TEN TEN TEN "\xe9" MARK HUNDRED

static size_t
found_in(const char *text, size_t len, const char *mark)
{
	size_t n = 0;
	const char *at = text, *end = text + len;
	while (
	    (at = memmem(at, (size_t)(end - at), mark, strlen(mark))) != NULL) {
		n++;
		at += strlen(mark);
	}

	return n;
}

/* What can't be read is nobody's memory: a sanitizer's notes. */
static size_t
found_between(
    int memory, char *room, size_t from, size_t until, const char *mark)
{
	size_t n = 0;
	for (size_t at = from; at < until; at += CHUNK) {
		ssize_t got = pread(memory, room, CHUNK + OVERLAP, (off_t)at);
		size_t len = got > 0 ? (size_t)got : 0;
		if (len > until - at)
			len = until - at;
		n += found_in(room, len, mark);
		/* Counted once only. */
		if (len > CHUNK)
			n -= found_in(room + CHUNK, len - CHUNK, mark);
	}

	return n;
}

/* How often the mark stands in what this process can write and others can't
 * see; the room for looking is of the other kind. */
static size_t
copies(const char *mark)
{
	char line[512], how[8];
	size_t from, until, n = 0;
	char *room = mmap(NULL, CHUNK + OVERLAP, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	ck_assert(room != MAP_FAILED && memory >= 0 && maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%zx-%zx %7s", &from, &until, how) == 3 &&
		    strncmp(how, "rw", 2) == 0 && how[3] == 'p' &&
		    until - from <= LARGEST)
			n += found_between(memory, room, from, until, mark);
	fclose(maps);
	close(memory);
	munmap(room, CHUNK + OVERLAP);

	return n;
}

/* libetpan and libsasl2 keep copies of a password that they don't wipe. What
 * PLAIN is sent as, with the line's end, is in buffers that we see. */
static const struct {
	const char *mechanism, *capabilities, *password, *mark;
	size_t kept; /* marks in the password itself */
	struct script_step steps[5];
} ways[] = {
	{ "LOGIN", "IMAP4rev1", LONG, MARK, 1,
	    { { "LOGIN \"alice\" \"" TEN, "@ OK\r\n" }, { NULL, NULL } } },
	{ "LOGIN", "IMAP4rev1", EIGHT_BIT, MARK, 1,
	    { { "LOGIN \"alice\" {240}", "+ go\r\n" }, { "&" TEN, "@ OK\r\n" },
		{ NULL, NULL } } },
	{ "PLAIN", "IMAP4rev1 AUTH=PLAIN", LONG, MARK_SENT, 0,
	    { { "AUTHENTICATE PLAIN", "+ \r\n" },
		{ "&AGFsaWNlAD", "1 OK in\r\n" }, { NULL, NULL } } },
	{ "PLAIN", "IMAP4rev1 SASL-IR AUTH=PLAIN", LONG, MARK_SENT, 0,
	    { { "AUTHENTICATE PLAIN AGFsaWNlAD", "1 OK in\r\n" },
		{ NULL, NULL } } },
};

START_TEST(a_login_leaves_no_copy_of_the_password)
{
	const char *mark = ways[_i].mark;
	struct script script = { .capabilities = ways[_i].capabilities,
		.steps = ways[_i].steps };
	struct script_server server = script_start(&script);
	struct secret secret = { .len = strlen(ways[_i].password),
		.data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
	ck_assert(secret.data != MAP_FAILED);
	ck_assert_uint_eq(copies(mark), 0);
	memcpy(secret.data, ways[_i].password, secret.len);
	ck_assert_uint_eq(copies(mark), ways[_i].kept);
	struct imap_options o = { .wire = { .side = "SOURCE",
				      .host = "127.0.0.1",
				      .port = server.port,
				      .tls = WIRE_TLS_NONE,
				      .timeout_ms = 10000 },
		.user = "alice",
		.secret = &secret };
	struct source s = { 0 };
	struct err err = { 0 };
	ck_assert_msg(imap_source_new(&s, &o, &err), "%s", err.text);
	ck_assert_str_eq(imap_source_facts(&s)->mechanism, ways[_i].mechanism);
	ck_assert_uint_eq(copies(mark), ways[_i].kept);
	s.ops->close(&s.data, true);
	ck_assert_uint_eq(copies(mark), ways[_i].kept);
	munmap(secret.data, PAGE);
	script_end(&server);
}
END_TEST

Suite *
suite_imap_wiped(void)
{
	Suite *s = suite_create("imap wiped");
	TCase *t = tcase_create("wiped");
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_login_leaves_no_copy_of_the_password, 0,
	    sizeof(ways) / sizeof(ways[0]));

	return s;
}
