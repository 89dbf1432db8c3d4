/*
 * A longer way: a TCP proxy on 127.0.0.1 that holds every octet back for half
 * a round trip, each way, without a limit on the rate.
 *
 *   delay ROUND_TRIP_MS TO_PORT
 *
 * Prints its own port and runs until it is ended. The handshake of TCP itself
 * is not delayed, and there are no effects of windows or loss.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 << 10, PIECES = 4096 }; /* 256 MiB on the way at most */

struct piece {
	int64_t due; /* ns, monotonic */
	size_t len;  /* 0: end */
	char *octets;
};

/* One direction of one connection. */
struct way {
	int from, to;
	struct piece ring[PIECES];
	size_t head, count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static int64_t hold_ns;
static uint16_t to_port;

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);

	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
push(struct way *w, struct piece p)
{
	pthread_mutex_lock(&w->lock);
	while (w->count == PIECES)
		pthread_cond_wait(&w->changed, &w->lock);
	w->ring[(w->head + w->count++) % PIECES] = p;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static struct piece
pop(struct way *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->count == 0)
		pthread_cond_wait(&w->changed, &w->lock);
	struct piece p = w->ring[w->head];
	w->head = (w->head + 1) % PIECES;
	w->count--;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);

	return p;
}

static void *
take_in(void *arg)
{
	struct way *w = arg;
	for (;;) {
		char *octets = malloc(PIECE);
		if (octets == NULL)
			abort();
		ssize_t n = read(w->from, octets, PIECE);
		struct piece p = { .due = now_ns() + hold_ns,
			.len = n > 0 ? (size_t)n : 0,
			.octets = octets };
		push(w, p);
		if (p.len == 0)
			return NULL;
	}
}

static bool
write_all(int fd, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, octets, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		octets += n;
		len -= (size_t)n;
	}

	return true;
}

static void *
give_out(void *arg)
{
	struct way *w = arg;
	bool alive = true;
	for (;;) {
		struct piece p = pop(w);
		struct timespec due = { .tv_sec = p.due / 1000000000,
			.tv_nsec = p.due % 1000000000 };
		while (clock_nanosleep(
			   CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
			;
		if (p.len > 0 && alive)
			alive = write_all(w->to, p.octets, p.len);
		free(p.octets);
		if (p.len == 0)
			break;
		if (!alive)
			shutdown(w->from, SHUT_RDWR);
	}
	shutdown(w->to, SHUT_WR);

	return NULL;
}

static void
start(void *(*run)(void *), void *arg, pthread_t *thread)
{
	if (pthread_create(thread, NULL, run, arg) != 0)
		abort();
}

static struct way *
new_way(int from, int to)
{
	struct way *w = calloc(1, sizeof(*w));
	if (w == NULL)
		abort();
	w->from = from;
	w->to = to;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);

	return w;
}

static int
dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(to_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return -1;

	return fd;
}

static void *
serve(void *arg)
{
	int client = (int)(intptr_t)arg, one = 1, server = dial();
	if (server < 0) {
		close(client);
		return NULL;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct way *up = new_way(client, server),
		   *down = new_way(server, client);
	pthread_t threads[4];
	start(take_in, up, &threads[0]);
	start(give_out, up, &threads[1]);
	start(take_in, down, &threads[2]);
	start(give_out, down, &threads[3]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	free(up);
	free(down);
	close(client);
	close(server);

	return NULL;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	if (argc != 3) {
		fputs("usage: delay ROUND_TRIP_MS TO_PORT\n", stderr);
		return 2;
	}
	hold_ns = strtoll(argv[1], NULL, 10) * 1000000 / 2;
	to_port = (uint16_t)strtoul(argv[2], NULL, 10);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) != 0) {
		perror("delay");
		return 1;
	}
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		pthread_t thread;
		if (client < 0)
			continue;
		start(serve, (void *)(intptr_t)client, &thread);
		pthread_detach(thread);
	}
}
