#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

/* RFC 1122, 4.2.3.5 would wait minutes; people and retries want less. */
enum { CONNECT_TIMEOUT_MS = 30000 };

/* What connect(2) may answer. The transient ones may be gone in a minute:
 * servers restart, laptops change networks. */
static const struct {
	int code;
	bool transient;
	const char *text, *hint;
} outcomes[] = {
	{ ECONNREFUSED, true, "connection refused",
	    "Nothing listens there. Check the port: 993 is IMAP over TLS "
	    "(imaps://), 143 is STARTTLS (imap://)." },
	{ ETIMEDOUT, true, "no answer",
	    "The host is down, or a firewall drops the packets. Check the "
	    "port, and whether this machine may connect to it." },
	{ ECONNRESET, true, "connection reset",
	    "Something closes the connection at once: a firewall, or a limit "
	    "on connections per address." },
	{ ENETUNREACH, true, "network unreachable",
	    "This machine has no route to that address. Check its network." },
	{ EHOSTUNREACH, true, "host unreachable",
	    "A router knows no way to that address. Check network and host." },
	{ ENETDOWN, true, "network down", "Check this machine's network." },
	{ EACCES, false, "forbidden on this machine",
	    "A local firewall or sandbox forbids this connection." },
	{ EPERM, false, "forbidden on this machine",
	    "A local firewall or sandbox forbids this connection." },
};

static void
refuse_name(const struct peer *p, const char *host, int code, struct err *err)
{
	const char *why =
	    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code);
	if (code == EAI_AGAIN)
		err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
		    "cannot look up the %s %s: %s: %s", p->side, p->name, host,
		    why);
	else
		err_set(err, ERR_ACCOUNT, ERR_NETWORK,
		    "cannot look up the %s %s: %s: %s", p->side, p->name, host,
		    why);

	err_hint(err,
	    "Check the spelling of the host name and this machine's DNS. "
	    "--%s-connect ADDRESS dials an address and still verifies the "
	    "name.",
	    p->prefix);
}

static bool
resolve(struct addrinfo **list, const struct wire_options *o,
    const struct peer *p, struct err *err)
{
	const char *host = o->connect_host != NULL ? o->connect_host : o->host;
	uint16_t port = o->connect_port != 0 ? o->connect_port : o->port;
	char service[8];
	snprintf(service, sizeof(service), "%u", port);
	struct addrinfo want = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	int code = getaddrinfo(host, service, &want, list);

	if (code == 0)
		return true;
	refuse_name(p, host, code, err);

	return false;
}

/* 0, ECANCELED after a stop, or what connect came to. */
static int
wait_connected(int fd, int64_t deadline)
{
	for (;;) {
		if (stop_asked())
			return ECANCELED;
		int64_t left = deadline - clock_mono_ms();
		struct pollfd both[] = {
			{ .fd = fd, .events = POLLOUT },
			{ .fd = stop_fd(), .events = POLLIN },
		};
		int ready = poll(both, 2, left > 0 ? (int)left : 0);
		if (ready < 0 && errno != EINTR)
			return errno;
		if (ready > 0 && both[0].revents != 0)
			break;
		if (left <= 0)
			return ETIMEDOUT;
	}

	int code = 0;
	socklen_t len = sizeof(code);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0 ? errno
								      : code;
}

static int
connect_one(const struct addrinfo *a, int64_t deadline, int *fd)
{
	*fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    a->ai_protocol);
	if (*fd < 0)
		return errno;

	int code = 0;
	if (connect(*fd, a->ai_addr, a->ai_addrlen) != 0)
		code = errno == EINPROGRESS ? wait_connected(*fd, deadline)
					    : errno;
	if (code == 0)
		return 0;
	close(*fd);
	*fd = -1;

	return code;
}

static bool
refuse_connection(const struct peer *p, int code, const struct addrinfo *a,
    int tried, struct err *err)
{
	if (code == ECANCELED)
		return err_set(err, ERR_ACCOUNT, ERR_STOPPED,
		    "stopped while connecting to the %s %s", p->side, p->name);

	size_t row = 0, rows = sizeof(outcomes) / sizeof(outcomes[0]);
	while (row < rows && outcomes[row].code != code)
		row++;

	char where[INET6_ADDRSTRLEN + 16] = "";
	char count[32] = "";
	getnameinfo(a->ai_addr, a->ai_addrlen, where, sizeof(where), NULL, 0,
	    NI_NUMERICHOST);
	if (tried > 1)
		snprintf(count, sizeof(count), "; %d addresses tried", tried);
	err_set(err, ERR_ACCOUNT, ERR_NETWORK,
	    "cannot connect to the %s %s: %s (%s%s)", p->side, p->name,
	    row < rows ? outcomes[row].text : strerror(code), where, count);
	if (row == rows)
		return false;
	err->transient = outcomes[row].transient;

	return err_hint(err, "%s", outcomes[row].hint);
}

static bool
is_unreachable(int code)
{
	return code == ENETUNREACH || code == EHOSTUNREACH ||
	       code == EAFNOSUPPORT || code == EADDRNOTAVAIL;
}

static bool
connect_any(int *fd, const struct addrinfo *list, int timeout_ms,
    const struct peer *p, struct err *err)
{
	int left = 0, tried = 0, worst = 0;
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
		left++;

	assert(list != NULL); /* a name without addresses is an error */
	const struct addrinfo *blamed = list;
	int64_t end = clock_mono_ms() + timeout_ms;
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		/* A silent address leaves the others their share. */
		int64_t now = clock_mono_ms();
		int64_t share = end > now ? (end - now) / left : 0;
		int code = connect_one(a, now + share, fd);
		left--;
		tried++;
		if (code == 0)
			return true;
		if (code == ECANCELED)
			return refuse_connection(p, code, a, tried, err);
		/* "Unreachable" is what every IPv6 address says on a machine
		 * without IPv6: it must not hide the real answer. */
		if (worst == 0 || is_unreachable(worst)) {
			worst = code;
			blamed = a;
		}
	}

	return refuse_connection(p, worst, blamed, tried, err);
}

static bool
unreached(struct err *err)
{
	err->stage = ERR_STAGE_DIAL;

	return false;
}

bool
dial(int *fd, const struct wire_options *o, const struct peer *p,
    struct err *err)
{
	struct addrinfo *list = NULL;
	if (!resolve(&list, o, p, err))
		return unreached(err);

	int timeout = o->connect_timeout_ms > 0 ? o->connect_timeout_ms
						: CONNECT_TIMEOUT_MS;
	bool ok = connect_any(fd, list, timeout, p, err);
	freeaddrinfo(list);
	if (!ok)
		return unreached(err);

	/* Writes are coalesced above, so Nagle only adds delay; keep-alive
	 * finds dead peers behind NAT. Both are wishes: failure is no harm. */
	int on = 1;
	setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(*fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));

	return true;
}

bool
dial_is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family != AF_INET6)
		return false;

	struct sockaddr_in6 in6;
	memcpy(&in6, address, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return in6.sin6_addr.s6_addr[12] == 127;

	return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

bool
dial_allows_plaintext(const struct sockaddr *address, bool allow_plaintext,
    const struct peer *p, struct err *err)
{
	if (allow_plaintext || dial_is_loopback(address))
		return true;

	err_set(err, ERR_ACCOUNT, ERR_TLS,
	    "plaintext to the %s %s refused: it is not on this machine",
	    p->side, p->name);

	return err_hint(err,
	    "Nothing was sent. Use TLS: imaps:// or imap:// (STARTTLS). "
	    "--allow-plaintext sends password and mail readable by anyone on "
	    "the way.");
}
