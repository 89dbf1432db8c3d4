#ifndef TESTS_APPEND_SCRIPT_H
#define TESTS_APPEND_SCRIPT_H

/*
 * A target that reads octets, not lines: after SELECT each step wants exactly
 * these from the client, and then says its reply. "@a" (to "@z") in .want is a
 * tag, which the same in a reply stands for; \1 is a NUL in both. A reply that
 * ends with "!" ends the connection. Behind the last step nothing may come but
 * the end, and LOGOUT where it isn't .silent. The child exits 0 then, 3 where
 * something else came, 5 where too little came.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct append_step {
	const char *want, *reply;
};

struct append_play {
	const char *capabilities;
	const char *selected; /* what SELECT says; NULL: UIDVALIDITY 7, 10 */
	const struct append_step *steps; /* ends with { NULL, NULL } */
	bool silent;
};

struct append_tags {
	char text[26][24];
};

static inline void
append_send(int fd, const char *text, const struct append_tags *tags)
{
	char out[4096];
	size_t n = 0;
	for (; *text != 0; text++) {
		if (n + 32 > sizeof(out))
			_exit(6);
		if (*text == '@') {
			const char *tag = tags->text[*++text - 'a'];
			memcpy(out + n, tag, strlen(tag));
			n += strlen(tag);
		} else if (*text != '!' || text[1] != 0) {
			out[n++] = *text == 1 ? 0 : *text;
		}
	}
	for (size_t at = 0; at < n;) {
		ssize_t sent = send(fd, out + at, n - at, MSG_NOSIGNAL);
		if (sent <= 0)
			_exit(4);
		at += (size_t)sent;
	}
}

static inline char
append_octet(int fd)
{
	char c;
	if (recv(fd, &c, 1, 0) != 1)
		_exit(5);

	return c;
}

static inline void
append_want(int fd, const char *want, struct append_tags *tags)
{
	for (const char *at = want; *at != 0; at++) {
		char c = append_octet(fd);
		if (*at == '@') {
			char *tag = tags->text[*++at - 'a'];
			size_t n = 0;
			for (; c != ' ' && n < 20; c = append_octet(fd))
				tag[n++] = c;
			tag[n] = 0;
			at++;
		} else if (c != (*at == 1 ? 0 : *at)) {
			fprintf(stderr, "script: %02x, not behind: %.*s\n",
			    (unsigned char)c, (int)(at - want + 1), want);
			_exit(3);
		}
	}
}

static inline void
append_line(int fd, char *line, size_t size)
{
	size_t n = 0;
	for (char c; (c = append_octet(fd)) != '\n';)
		if (c != '\r' && n + 1 < size)
			line[n++] = c;
	line[n] = 0;
}

/* Up to SELECT. */
static inline void
append_login(int fd, const struct append_play *p)
{
	char line[512], said[2048];
	const struct append_tags none = { 0 };
	append_send(fd, "* OK ready\r\n", &none);
	for (bool selected = false; !selected;) {
		append_line(fd, line, sizeof(line));
		char *command = strchr(line, ' ');
		if (command == NULL)
			_exit(3);
		*command++ = 0;
		const char *more = "";
		char caps[512];
		snprintf(
		    caps, sizeof(caps), "* CAPABILITY %s\r\n", p->capabilities);
		selected = strncmp(command, "SELECT ", 7) == 0;
		if (selected)
			more = p->selected != NULL ? p->selected
						   : "* OK [UIDVALIDITY 7]\r\n"
						     "* OK [UIDNEXT 10]\r\n";
		else if (strcmp(command, "CAPABILITY") == 0)
			more = caps;
		else if (strncmp(command, "LIST ", 5) == 0)
			more = "* LIST () \"/\" INBOX\r\n";
		snprintf(said, sizeof(said), "%s%s OK\r\n", more, line);
		append_send(fd, said, &none);
	}
}

static inline void
append_run(int fd, const struct append_play *p)
{
	struct append_tags tags = { 0 };
	char rest[256] = "";
	size_t n = 0;
	append_login(fd, p);
	for (const struct append_step *s = p->steps; s->want != NULL; s++) {
		append_want(fd, s->want, &tags);
		append_send(fd, s->reply, &tags);
		size_t len = strlen(s->reply);
		if (len > 0 && s->reply[len - 1] == '!') {
			shutdown(fd, SHUT_WR);
			while (recv(fd, rest, sizeof(rest), 0) > 0)
				;
			_exit(0);
		}
	}
	while (n + 1 < sizeof(rest) && recv(fd, rest + n, 1, 0) == 1)
		n++;
	rest[n] = 0;
	const char *left = strstr(rest, " LOGOUT\r\n");
	bool polite = left != NULL && left - rest < 20 && left[9] == 0;
	if (n > 0 && (p->silent || !polite)) {
		fprintf(stderr, "script: behind the end: %s\n", rest);
		_exit(3);
	}
	_exit(0);
}

struct append_server {
	pid_t pid;
	unsigned short port;
};

static inline struct append_server
append_start(const struct append_play *p)
{
	struct append_server server;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(bind(listener, (struct sockaddr *)&a, len) == 0);
	ck_assert(listen(listener, 1) == 0);
	ck_assert(getsockname(listener, (struct sockaddr *)&a, &len) == 0);
	server.port = ntohs(a.sin_port);
	server.pid = fork();
	ck_assert(server.pid >= 0);
	if (server.pid == 0) {
		alarm(60);
		int fd = accept(listener, NULL, NULL);
		close(listener);
		append_run(fd, p);
	}
	close(listener);

	return server;
}

static inline int
append_end(const struct append_server *server)
{
	int status;
	ck_assert(waitpid(server->pid, &status, 0) == server->pid);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
