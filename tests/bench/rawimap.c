/*
 * What a socket gives: a minimal pipelined IMAP reader, which shares no code
 * with the program.  Logs in, and for each mailbox: EXAMINE, then UID FETCH
 * a:b (UID BODY.PEEK[]) in windows, several in flight.  It knows just enough
 * of the grammar to tell literals from lines.  Its TLS verifies nothing: it
 * talks to a private server on this machine.
 *
 *   rawimap [--tls] [--write | --hash | --status] HOST PORT USER PASSWORD_FILE
 *
 *   --write    the octets of all messages go to standard output
 *   --hash     SHA-256 of each message; all of them XORed into one
 *   --status   no messages: LIST, and STATUS of each mailbox
 *
 * Standard error gets one line: messages M octets O seconds S, from before
 * the connection was made until the last answer; with --hash, hash H.
 */
#include <errno.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 256 << 10, WINDOW = 500, FLYING = 4, MAILBOXES = 1000 };

struct reader {
	int fd;
	SSL *ssl; /* NULL: plaintext */
	char *in; /* in[at .. at + len) was read and not used */
	size_t at, len;
	unsigned sent; /* commands: the tag of the last one */
	bool write;
	EVP_MD_CTX *digest; /* NULL: no --hash */
	EVP_MD *algorithm;  /* fetched once: not for each message */
	unsigned char hash[32];
	uint64_t messages, octets;
	uint32_t exists, uidnext; /* of the mailbox in hand */
	char *boxes[MAILBOXES];   /* as LIST gave them, quotes and all */
	size_t box_count;
};

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("rawimap: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* ---- connection ---- */

static int
dial(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	if (getaddrinfo(host, port, &hints, &list) != 0)
		die("no address for %s", host);
	int fd = socket(list->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) != 0)
		die("%s:%s: %s", host, port, strerror(errno));
	freeaddrinfo(list);

	return fd;
}

static void
start_tls(struct reader *r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL)
		die("no TLS");
	/* One read takes many records: the socket's limit, not the calls'. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, ROOM);
	r->ssl = SSL_new(ctx);
	if (r->ssl == NULL || SSL_set_fd(r->ssl, r->fd) != 1 ||
	    SSL_connect(r->ssl) != 1)
		die("no TLS with this server");
}

/* Read more; what was not used yet moves to the front if it must. */
static void
fill(struct reader *r)
{
	if (r->len == 0)
		r->at = 0;
	if (r->at + r->len == ROOM) {
		if (r->len == ROOM)
			die("a line of more than %d octets", ROOM);
		memmove(r->in, r->in + r->at, r->len);
		r->at = 0;
	}
	char *to = r->in + r->at + r->len;
	size_t room = ROOM - r->at - r->len;
	ssize_t n = r->ssl != NULL ? SSL_read(r->ssl, to, (int)room)
				   : read(r->fd, to, room);
	if (n <= 0)
		die("the server hung up");
	r->len += (size_t)n;
}

static void
write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n);
		if (done < 0)
			die("write: %s", strerror(errno));
		data += done;
		n -= (size_t)done;
	}
}

/* "tN " and the command; returns N. */
static unsigned __attribute__((format(printf, 2, 3)))
send_command(struct reader *r, const char *fmt, ...)
{
	char line[4096];
	va_list args;
	int n = snprintf(line, sizeof(line), "t%u ", ++r->sent);
	va_start(args, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
	va_end(args);
	if (n > (int)sizeof(line) - 3)
		die("a command is too long");
	memcpy(line + n, "\r\n", 2);
	n += 2;
	if (r->ssl == NULL)
		write_all(r->fd, line, (size_t)n);
	else if (SSL_write(r->ssl, line, n) != n)
		die("the server takes no command");

	return r->sent;
}

/* ---- answers ---- */

/* A line to its CRLF; NUL-terminated in place of the CR, valid until the next
 * fill. */
static char *
read_line(struct reader *r, size_t *len)
{
	size_t seen = 0;
	for (;;) {
		char *start = r->in + r->at;
		char *lf = memchr(start + seen, '\n', r->len - seen);
		if (lf != NULL) {
			size_t n = (size_t)(lf - start);
			r->at += n + 1;
			r->len -= n + 1;
			if (n > 0 && start[n - 1] == '\r')
				n--;
			start[n] = '\0';
			*len = n;
			return start;
		}
		seen = r->len;
		fill(r);
	}
}

static bool
ends_in_literal(const char *line, size_t len, uint64_t *size)
{
	if (len < 3 || line[len - 1] != '}')
		return false;
	const char *open = memrchr(line, '{', len);
	if (open == NULL)
		return false;
	*size = strtoull(open + 1, NULL, 10);

	return true;
}

static void
end_hash(struct reader *r)
{
	unsigned char one[EVP_MAX_MD_SIZE];
	EVP_DigestFinal_ex(r->digest, one, NULL);
	for (size_t i = 0; i < sizeof(r->hash); i++)
		r->hash[i] ^= one[i];
}

static void
take_literal(struct reader *r, uint64_t size)
{
	r->messages++;
	r->octets += size;
	if (r->digest != NULL)
		EVP_DigestInit_ex(r->digest, r->algorithm, NULL);
	while (size > 0) {
		if (r->len == 0)
			fill(r);
		size_t n = r->len < size ? r->len : (size_t)size;
		if (r->write)
			write_all(STDOUT_FILENO, r->in + r->at, n);
		if (r->digest != NULL)
			EVP_DigestUpdate(r->digest, r->in + r->at, n);
		r->at += n;
		r->len -= n;
		size -= n;
	}
	if (r->digest != NULL)
		end_hash(r);
}

/* * LIST (\HasNoChildren) "/" NAME */
static void
note_mailbox(struct reader *r, const char *line)
{
	const char *name = strchr(line, ')');
	if (name == NULL || strstr(line, "\\Noselect") != NULL)
		return;
	name = strchr(name + 2, ' ');
	if (name == NULL || r->box_count == MAILBOXES)
		die("cannot use: %s", line);
	r->boxes[r->box_count] = strdup(name + 1);
	if (r->boxes[r->box_count++] == NULL)
		abort();
}

static void
note(struct reader *r, const char *line)
{
	const char *next = strstr(line, "[UIDNEXT ");
	if (strncmp(line, "* LIST ", 7) == 0)
		note_mailbox(r, line);
	else if (strncmp(line, "* STATUS ", 9) == 0)
		r->messages++;
	else if (next != NULL)
		r->uidnext = (uint32_t)strtoul(next + 9, NULL, 10);
	else if (strncmp(line, "* BYE", 5) == 0)
		die("%s", line);
	else if (line[0] == '*' && strstr(line, " EXISTS") != NULL)
		r->exists = (uint32_t)strtoul(line + 2, NULL, 10);
}

/* Everything up to the tagged answer of command n. */
static void
await(struct reader *r, unsigned n)
{
	char tag[16];
	size_t len, tag_len = (size_t)snprintf(tag, sizeof(tag), "t%u ", n);
	uint64_t size;
	for (;;) {
		char *line = read_line(r, &len);
		if (ends_in_literal(line, len, &size)) {
			take_literal(r, size);
			continue;
		}
		if (strncmp(line, tag, tag_len) != 0) {
			note(r, line);
			continue;
		}
		note(r, line);
		if (strncmp(line + tag_len, "OK", 2) != 0)
			die("%s", line);
		return;
	}
}

/* ---- what is done ---- */

static void
login(struct reader *r, const char *user, const char *password_file)
{
	char password[256];
	size_t len;
	FILE *file = fopen(password_file, "r");
	if (file == NULL || fgets(password, sizeof(password), file) == NULL)
		die("%s: %s", password_file, strerror(errno));
	fclose(file);
	password[strcspn(password, "\r\n")] = '\0';
	read_line(r, &len); /* the greeting */
	await(r, send_command(r, "LOGIN \"%s\" \"%s\"", user, password));
	await(r, send_command(r, "LIST \"\" \"*\""));
}

static void
read_mailbox(struct reader *r, const char *name)
{
	r->exists = r->uidnext = 0;
	await(r, send_command(r, "EXAMINE %s", name));
	if (r->exists == 0)
		return;
	if (r->uidnext == 0)
		die("%s: no UIDNEXT", name);
	unsigned first = r->sent + 1;
	uint32_t uid = 1;
	while (uid < r->uidnext || first <= r->sent) {
		while (uid < r->uidnext && r->sent + 1 - first < FLYING) {
			send_command(r, "UID FETCH %u:%u (UID BODY.PEEK[])",
			    uid, uid + WINDOW - 1);
			uid += WINDOW;
		}
		await(r, first++);
	}
}

static void
read_statuses(struct reader *r)
{
	for (size_t i = 0; i < r->box_count; i++)
		await(r,
		    send_command(r, "STATUS %s (MESSAGES UIDNEXT UIDVALIDITY)",
			r->boxes[i]));
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);

	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
report(const struct reader *r, double seconds)
{
	fprintf(stderr, "messages %llu octets %llu seconds %.4f",
	    (unsigned long long)r->messages, (unsigned long long)r->octets,
	    seconds);
	for (size_t i = 0; i < sizeof(r->hash) && r->digest != NULL; i++)
		fprintf(stderr, "%s%02x", i == 0 ? " hash " : "", r->hash[i]);
	fputc('\n', stderr);
}

int
main(int argc, char **argv)
{
	struct reader r = { 0 };
	bool tls = false, status = false, hash = false;
	int at = 1;
	for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
		tls = tls || strcmp(argv[at], "--tls") == 0;
		r.write = r.write || strcmp(argv[at], "--write") == 0;
		hash = hash || strcmp(argv[at], "--hash") == 0;
		status = status || strcmp(argv[at], "--status") == 0;
	}
	if (argc - at != 4)
		die("[--tls] [--write | --hash | --status] HOST PORT USER "
		    "PASSWORD_FILE");
	r.in = malloc(ROOM);
	if (hash) {
		r.digest = EVP_MD_CTX_new();
		r.algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	}
	if (r.in == NULL || (hash && (r.digest == NULL || r.algorithm == NULL)))
		abort();

	double start = now();
	r.fd = dial(argv[at], argv[at + 1]);
	if (tls)
		start_tls(&r);
	login(&r, argv[at + 2], argv[at + 3]);
	if (status)
		read_statuses(&r);
	for (size_t i = 0; i < r.box_count && !status; i++)
		read_mailbox(&r, r.boxes[i]);
	report(&r, now() - start);

	return 0;
}
