#ifndef UNIT_PEER_H
#define UNIT_PEER_H

/*
 * The other side of a connection, in a process of its own, for the tests of
 * net. One at a time; peer_end belongs into the fixture.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t peer_process;

static inline int
peer_listen(int backlog, uint16_t *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);

	return fd;
}

/* One connection to the port that it returns, served by act. */
static inline uint16_t
peer_serve(void (*act)(int fd, uint32_t arg), uint32_t arg)
{
	uint16_t port;
	int fd = peer_listen(8, &port);
	peer_process = fork();
	ck_assert_int_ge(peer_process, 0);
	if (peer_process == 0) {
		int peer = accept(fd, NULL, NULL);
		if (peer >= 0)
			act(peer, arg);
		_exit(0);
	}
	close(fd);

	return port;
}

static inline void
peer_end(void)
{
	if (peer_process <= 0)
		return;
	kill(peer_process, SIGKILL);
	waitpid(peer_process, NULL, 0);
	peer_process = 0;
}

/* What a peer does; it ends if nobody listens. */
static inline void
peer_send(int fd, const void *data, size_t n)
{
	const char *at = data;
	while (n > 0) {
		ssize_t r = send(fd, at, n, MSG_NOSIGNAL);
		if (r <= 0)
			_exit(1);
		at += r;
		n -= (size_t)r;
	}
}

static inline void
peer_await_end(int fd)
{
	char octets[4096];
	while (recv(fd, octets, sizeof(octets), 0) > 0)
		;
}

static inline uint32_t
peer_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;

	return *state >> 8;
}

#endif
