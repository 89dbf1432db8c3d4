/*
 * An account of any size that lies nowhere: an IMAP server on 127.0.0.1 whose
 * messages are made up as they are asked for, the same every time.
 *
 *   replay MESSAGES OCTETS MAILBOXES
 *
 * MESSAGES in all, spread over the mailboxes; each of about OCTETS, text that
 * compresses as mail does up to 4,000 octets, noise beyond. Any user, any
 * password. Prints its port and runs until it is ended; one thread a
 * connection. It knows LOGIN, LIST, STATUS, EXAMINE and what FETCH takes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT = 1 << 20, LINE = 64 << 10, TEXT_MAX = 4000 };

static uint64_t messages, octets_each, mailboxes;

struct session {
	int fd;
	char in[LINE], out[OUT], *body;
	size_t in_len, out_len;
	uint64_t box; /* of the selected mailbox, from 0 */
	bool over;
};

/* ---- out ---- */

static void
flush(struct session *s)
{
	for (size_t at = 0; at < s->out_len && !s->over;) {
		ssize_t n =
		    send(s->fd, s->out + at, s->out_len - at, MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		else if (errno != EINTR)
			s->over = true;
	}
	s->out_len = 0;
}

static void
put(struct session *s, const char *octets, size_t len)
{
	while (len > 0) {
		size_t n = OUT - s->out_len < len ? OUT - s->out_len : len;
		memcpy(s->out + s->out_len, octets, n);
		s->out_len += n;
		octets += n;
		len -= n;
		if (s->out_len == OUT)
			flush(s);
	}
}

static void __attribute__((format(printf, 2, 3)))
say(struct session *s, const char *fmt, ...)
{
	char line[1024];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	put(s, line, (size_t)n);
}

/* ---- the mail ---- */

static uint64_t
count_of(uint64_t box)
{
	return messages / mailboxes + (box < messages % mailboxes ? 1 : 0);
}

static uint64_t
noise(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);

	return x ^ (x >> 31);
}

/* Into s->body; its length. */
static size_t
make(struct session *s, uint64_t uid)
{
	static const char *const words[] = { "harbour", "letter", "Tuesday",
		"invoice", "the", "and", "meeting", "please", "of", "answer",
		"crane", "regards", "is", "to", "number", "we" };
	uint64_t id = (s->box << 32) + uid, x = noise(id);
	size_t at = (size_t)snprintf(s->body, 1024,
	    "Received: from relay%u.example by mx.example; %llu\r\n"
	    "Message-ID: <%llx.%llu@replay.example>\r\n"
	    "From: Person %u <p%u@replay.example>\r\n"
	    "To: someone@replay.example\r\nSubject: %s %s %llu\r\n\r\n",
	    (unsigned)(x % 7), (unsigned long long)id, (unsigned long long)x,
	    (unsigned long long)id, (unsigned)(x % 5000), (unsigned)(x % 5000),
	    words[x >> 8 & 15], words[x >> 12 & 15], (unsigned long long)id);
	size_t end = octets_each;
	for (unsigned i = 0; at < end && at < TEXT_MAX; i++) {
		if (i % 16 == 0)
			x = noise(x);
		at += (size_t)snprintf(s->body + at, 64, "%s%s",
		    words[x >> 4 * (i % 16) & 15], i % 11 == 10 ? "\r\n" : " ");
	}
	for (unsigned i = 0; at + 78 < end; i++) {
		for (unsigned k = 0; k < 76; k++) {
			if (k % 10 == 0)
				x = noise(x + i);
			s->body[at++] =
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
			    "klmnopqrstuvwxyz0123456789+/"[x >> 6 * (k % 10) &
							   63];
		}
		s->body[at++] = '\r';
		s->body[at++] = '\n';
	}
	s->body[at++] = '\r';
	s->body[at++] = '\n';

	return at;
}

/* ---- commands ---- */

static void
fetch_one(struct session *s, uint64_t uid, const char *items)
{
	size_t len = 0;
	bool body = strstr(items, "BODY") != NULL;
	bool size = strstr(items, "RFC822.SIZE") != NULL;
	if (body || size)
		len = make(s, uid);
	say(s, "* %llu FETCH (UID %llu", (unsigned long long)uid,
	    (unsigned long long)uid);
	if (strstr(items, "FLAGS") != NULL)
		say(s, " FLAGS (%s)", uid % 3 == 0 ? "" : "\\Seen");
	if (strstr(items, "INTERNALDATE") != NULL)
		say(s, " INTERNALDATE \"%02u-Mar-2026 10:%02u:%02u +0000\"",
		    (unsigned)(uid % 28 + 1), (unsigned)(uid / 60 % 60),
		    (unsigned)(uid % 60));
	if (size)
		say(s, " RFC822.SIZE %zu", len);
	if (body) {
		say(s, " BODY[] {%zu}\r\n", len);
		put(s, s->body, len);
	}
	say(s, ")\r\n");
}

/* UID and message number are one: nothing is ever expunged. */
static void
fetch_set(struct session *s, char *set, const char *items)
{
	uint64_t last = count_of(s->box);
	for (char *save, *r = strtok_r(set, ",", &save); r != NULL && !s->over;
	     r = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(r, ':');
		uint64_t a = *r == '*' ? last : strtoull(r, NULL, 10), b = a;
		if (colon != NULL)
			b = colon[1] == '*' ? last
					    : strtoull(colon + 1, NULL, 10);
		for (uint64_t uid = a; uid <= b && uid <= last && !s->over;
		     uid++)
			fetch_one(s, uid, items);
	}
}

/* The first one is INBOX. */
static const char *
name_of(char name[32], uint64_t box)
{
	snprintf(name, 32, "box%llu", (unsigned long long)box);

	return box == 0 ? "INBOX" : name;
}

static void
tell_status(struct session *s, uint64_t box)
{
	char name[32];
	say(s,
	    "* STATUS \"%s\" (MESSAGES %llu UIDNEXT %llu UIDVALIDITY 7 "
	    "HIGHESTMODSEQ %llu)\r\n",
	    name_of(name, box), (unsigned long long)count_of(box),
	    (unsigned long long)count_of(box) + 1,
	    (unsigned long long)count_of(box) + 10);
}

static void
list(struct session *s, const char *rest)
{
	char name[32];
	for (uint64_t i = 0; i < mailboxes; i++) {
		say(s, "* LIST () \"/\" \"%s\"\r\n", name_of(name, i));
		if (strstr(rest, "STATUS") != NULL)
			tell_status(s, i);
	}
}

static uint64_t
box_of(const char *rest)
{
	const char *at = strstr(rest, "box");
	if (strstr(rest, "INBOX") != NULL)
		return 0;

	return at == NULL ? mailboxes : strtoull(at + 3, NULL, 10);
}

static bool
examine(struct session *s, const char *rest)
{
	uint64_t box = box_of(rest), n;
	if (box >= mailboxes)
		return false;
	s->box = box;
	n = count_of(box);
	say(s,
	    "* FLAGS (\\Seen)\r\n* %llu EXISTS\r\n* 0 RECENT\r\n"
	    "* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %llu] ok\r\n"
	    "* OK [HIGHESTMODSEQ %llu] ok\r\n",
	    (unsigned long long)n, (unsigned long long)n + 1,
	    (unsigned long long)n + 10);

	return true;
}

static void
fetch(struct session *s, char *rest)
{
	char *set = strtok_r(rest, " ", &rest);
	/* Nothing changes here. */
	if (set != NULL && strstr(rest, "CHANGEDSINCE") == NULL)
		fetch_set(s, set, rest);
}

static void
answer(struct session *s, char *line)
{
	char *rest = line, *tag = strtok_r(rest, " ", &rest);
	char *verb = strtok_r(rest, " ", &rest);
	const char *how = "OK";
	if (tag == NULL || verb == NULL) {
		s->over = true;
		return;
	}
	if (strcasecmp(verb, "UID") == 0)
		verb = strtok_r(rest, " ", &rest);
	if (verb == NULL)
		how = "BAD";
	else if (strcasecmp(verb, "CAPABILITY") == 0)
		say(s, "* CAPABILITY IMAP4rev1 LIST-STATUS CONDSTORE\r\n");
	else if (strcasecmp(verb, "NAMESPACE") == 0)
		say(s, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	else if (strcasecmp(verb, "LIST") == 0)
		list(s, rest);
	else if (strcasecmp(verb, "STATUS") == 0 && box_of(rest) < mailboxes)
		tell_status(s, box_of(rest));
	else if (strcasecmp(verb, "EXAMINE") == 0)
		how = examine(s, rest) ? "OK [READ-ONLY]" : "NO";
	else if (strcasecmp(verb, "FETCH") == 0)
		fetch(s, rest);
	else if (strcasecmp(verb, "LOGOUT") == 0)
		say(s, "* BYE\r\n"), s->over = true;
	else if (strcasecmp(verb, "LOGIN") != 0 &&
		 strcasecmp(verb, "NOOP") != 0 &&
		 strcasecmp(verb, "ENABLE") != 0)
		how = "BAD";
	bool over = s->over;
	s->over = false;
	say(s, "%s %s done\r\n", tag, how);
	if (over)
		flush(s);
	s->over = over;
}

static void *
serve(void *arg)
{
	struct session *s = calloc(1, sizeof(*s));
	if (s == NULL ||
	    (s->body = malloc(octets_each + TEXT_MAX + 1024)) == NULL)
		abort();
	s->fd = (int)(intptr_t)arg;
	say(s, "* OK [CAPABILITY IMAP4rev1 LIST-STATUS CONDSTORE] replay\r\n");
	while (!s->over) {
		char *end = memchr(s->in, '\n', s->in_len);
		if (end != NULL) {
			size_t used = (size_t)(end - s->in) + 1;
			*end = '\0';
			if (used > 1 && end[-1] == '\r')
				end[-1] = '\0';
			answer(s, s->in);
			memmove(s->in, s->in + used, s->in_len - used);
			s->in_len -= used;
			continue;
		}
		flush(s);
		ssize_t n = recv(s->fd, s->in + s->in_len, LINE - s->in_len, 0);
		if (n <= 0)
			break;
		s->in_len += (size_t)n;
	}
	close(s->fd);
	free(s->body);
	free(s);

	return NULL;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int one = 1;
	if (argc != 4) {
		fputs("usage: replay MESSAGES OCTETS MAILBOXES\n", stderr);
		return 2;
	}
	messages = strtoull(argv[1], NULL, 10);
	octets_each = strtoull(argv[2], NULL, 10);
	mailboxes = strtoull(argv[3], NULL, 10);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (mailboxes == 0 || listener < 0 ||
	    bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) != 0) {
		perror("replay");
		return 1;
	}
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		pthread_t thread;
		if (client < 0)
			continue;
		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(
			&thread, NULL, serve, (void *)(intptr_t)client) != 0)
			abort();
		pthread_detach(thread);
	}
}
