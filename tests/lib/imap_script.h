#ifndef TESTS_IMAP_SCRIPT_H
#define TESTS_IMAP_SCRIPT_H

/*
 * A server that says what a table tells it to.  A step waits for a command
 * that holds .expect and answers .reply, in which @ stands for the command's
 * tag and \1 for a NUL.  "&text" waits for a line that is no command.
 * CAPABILITY, LOGIN, ID, ENABLE and NAMESPACE are answered by themselves,
 * LOGOUT ends it, unless the step at hand expects them.  The child exits 0 if
 * every step was reached, 3 at a command nobody expected. "* BYE" in a reply is
 * its end, in good order; so is "* RESET", which is not sent, by a reset.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct script_step {
	const char *expect; /* NULL: say it without being asked */
	const char *reply;
};

struct script {
	const char *greeting;            /* NULL: "* OK ready" */
	const char *capabilities;        /* NULL: "IMAP4rev1" */
	const struct script_step *steps; /* ends with { NULL, NULL } */
	const char *enabled;             /* what ENABLE says; NULL: nothing */
	bool dribble;                    /* one octet a send */
	size_t flood; /* junk lines before each of our replies */
};

struct script_server {
	pid_t pid;
	unsigned short port;
};

static void
script_send(int fd, const struct script *s, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, s->dribble ? 1 : len, MSG_NOSIGNAL);
		if (n <= 0)
			_exit(4);
		data += n;
		len -= (size_t)n;
	}
}

static void
script_say(int fd, const struct script *s, const char *text, const char *tag)
{
	size_t room = strlen(text) * (strlen(tag) + 1) + 1, len = 0;
	char *out = malloc(room);
	for (; *text != 0; text++)
		if (*text == '@') {
			memcpy(out + len, tag, strlen(tag));
			len += strlen(tag);
		} else {
			out[len++] = *text == 1 ? 0 : *text;
		}
	script_send(fd, s, out, len);
	free(out);
}

/* What was said arrives before. */
static void
script_reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };
	usleep(100000);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	_exit(0);
}

static bool
script_line(int fd, char *line, size_t size)
{
	size_t len = 0;
	while (len + 1 < size) {
		char c;
		if (recv(fd, &c, 1, 0) != 1)
			return false;
		if (c == '\n')
			break;
		if (c != '\r')
			line[len++] = c;
	}
	line[len] = 0;

	return true;
}

static bool
script_auto(
    int fd, const struct script *s, const char *tag, const char *command)
{
	char text[512];
	const char *caps =
	    s->capabilities != NULL ? s->capabilities : "IMAP4rev1";
	if (strcasecmp(command, "CAPABILITY") == 0) {
		snprintf(
		    text, sizeof(text), "* CAPABILITY %s\r\n@ OK\r\n", caps);
		script_say(fd, s, text, tag);
		return true;
	}
	if (strncasecmp(command, "ENABLE ", 7) == 0 && s->enabled != NULL) {
		snprintf(
		    text, sizeof(text), "* ENABLED %s\r\n@ OK\r\n", s->enabled);
		script_say(fd, s, text, tag);
		return true;
	}
	if (strncasecmp(command, "LOGIN ", 6) != 0 &&
	    strncasecmp(command, "ENABLE ", 7) != 0 &&
	    strncasecmp(command, "ID ", 3) != 0 &&
	    strcasecmp(command, "NAMESPACE") != 0)
		return false;
	script_say(fd, s, "@ OK done\r\n", tag);

	return true;
}

static void
script_run(int fd, const struct script *s)
{
	static char line[16384];
	char tag[64] = "";
	const struct script_step *step = s->steps;
	script_say(
	    fd, s, s->greeting != NULL ? s->greeting : "* OK ready\r\n", "");
	for (;;) {
		while (step->expect == NULL && step->reply != NULL)
			script_say(fd, s, (step++)->reply, tag);
		if (!script_line(fd, line, sizeof(line)))
			_exit(step->expect == NULL ? 0 : 5);
		bool more = step->expect != NULL && *step->expect == '&';
		const char *expect = step->expect;
		char *command = more ? NULL : strchr(line, ' ');
		if (command != NULL && (size_t)(command - line) < sizeof(tag)) {
			snprintf(tag, sizeof(tag), "%.*s",
			    (int)(command - line), line);
			command++;
		} else {
			command = line;
		}
		if (expect != NULL && strstr(command, expect + more)) {
			for (size_t i = 0; i < s->flood; i++)
				script_say(fd, s, "* junk\r\n", tag);
			script_say(fd, s, step->reply, tag);
			if (strncmp(step[1].reply != NULL ? step[1].reply : "",
				"* RESET", 7) == 0)
				script_reset(fd);
			if (strstr(step->reply, "* BYE") != NULL) {
				shutdown(fd, SHUT_WR);
				while (script_line(fd, line, sizeof(line)))
					;
				_exit(0);
			}
			step++;
		} else if (strcasecmp(command, "LOGOUT") == 0) {
			/* The client does not wait for an answer. */
			_exit(expect == NULL ? 0 : 5);
		} else if (!script_auto(fd, s, tag, command)) {
			fprintf(stderr, "script: unexpected: %s\n", command);
			_exit(3);
		}
	}
}

static inline struct script_server
script_start(const struct script *s)
{
	struct script_server server;
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
		script_run(fd, s);
	}
	close(listener);

	return server;
}

/* Wait for the child; its exit code, -1 if it died otherwise. */
static inline int
script_end(struct script_server *server)
{
	int status;
	ck_assert(waitpid(server->pid, &status, 0) == server->pid);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
