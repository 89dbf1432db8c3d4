#include "net/link.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "net/tls.h"

enum step { STEP_DONE, STEP_WANT_READ, STEP_WANT_WRITE, STEP_FAILED };

bool
link_errno(const struct link *l, int code, struct err *err)
{
	return err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
	    "the connection to the %s %s broke: %s", l->peer->side,
	    l->peer->name, strerror(code));
}

static bool
closed(const struct link *l, struct err *err)
{
	err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
	    "the %s %s closed the connection", l->peer->side, l->peer->name);
	err->closed = true;

	return false;
}

static bool
gave_up(const struct link *l, bool stopped, struct err *err)
{
	if (stopped)
		return err_set(err, ERR_ACCOUNT, ERR_STOPPED,
		    "stopped while waiting for the %s %s", l->peer->side,
		    l->peer->name);

	return err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
	    "the %s %s was silent for %d s", l->peer->side, l->peer->name,
	    l->timeout_ms / 1000);
}

bool
link_wait(struct link *l, short events, struct err *err)
{
	int64_t now = clock_mono_ms();
	int64_t end = now + l->timeout_ms;
	bool stopped = false;
	for (;; now = clock_mono_ms()) {
		if (!stopped && stop_asked()) {
			stopped = true;
			if (end > now + l->grace_ms)
				end = now + l->grace_ms;
		}
		/* A stop that is known must not wake the poll again. */
		struct pollfd both[] = {
			{ .fd = l->fd, .events = events },
			{ .fd = stopped ? -1 : stop_fd(), .events = POLLIN },
		};
		int ready = poll(both, 2, end > now ? (int)(end - now) : 0);
		if (ready < 0 && errno != EINTR)
			return link_errno(l, errno, err);
		if (ready > 0 && both[0].revents != 0)
			return true;
		if (ready == 0 && clock_mono_ms() >= end)
			return gave_up(l, stopped, err);
	}
}

static enum step
read_plain(struct link *l, char *out, size_t n, size_t *got, struct err *err)
{
	ssize_t r;
	do
		r = recv(l->fd, out, n, 0);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		*got = (size_t)r;
		return STEP_DONE;
	}
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return STEP_WANT_READ;
	if (r == 0)
		closed(l, err);
	else
		link_errno(l, errno, err);

	return STEP_FAILED;
}

static enum step
tls_step(struct link *l, int result, struct err *err)
{
	switch (SSL_get_error(l->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return STEP_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return STEP_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		closed(l, err);
		return STEP_FAILED;
	default:
		tls_failure(l, NULL, err);
		return STEP_FAILED;
	}
}

/* A record is at most 16 KiB, and several may have come with one recv. */
static enum step
read_tls(struct link *l, char *out, size_t n, size_t *got, struct err *err)
{
	*got = 0;
	do {
		size_t more = 0;
		ERR_clear_error();
		int r = SSL_read_ex(l->ssl, out + *got, n - *got, &more);
		if (r <= 0) {
			enum step step = tls_step(l, r, err);
			/* What came before the end is handed out first. */
			if (step == STEP_FAILED && *got > 0) {
				l->in_broken = true;
				l->in_err = *err;
			}
			return *got > 0 ? STEP_DONE : step;
		}
		*got += more;
	} while (*got < n && SSL_has_pending(l->ssl));

	return STEP_DONE;
}

static enum step
read_step(struct link *l, void *out, size_t n, size_t *got, struct err *err)
{
	if (l->in_broken) {
		*err = l->in_err;
		return STEP_FAILED;
	}
	enum step step = l->ssl != NULL ? read_tls(l, out, n, got, err)
					: read_plain(l, out, n, got, err);
	if (step == STEP_FAILED) {
		l->in_broken = true;
		l->in_err = *err;
	}

	return step;
}

static enum step
write_step(
    struct link *l, const void *data, size_t n, size_t *put, struct err *err)
{
	if (l->ssl != NULL) {
		ERR_clear_error();
		int r = SSL_write_ex(l->ssl, data, n, put);
		return r > 0 ? STEP_DONE : tls_step(l, r, err);
	}

	ssize_t r;
	do
		r = send(l->fd, data, n, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r >= 0) {
		*put = (size_t)r;
		return STEP_DONE;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return STEP_WANT_WRITE;
	link_errno(l, errno, err);

	return STEP_FAILED;
}

static bool
wait_step(struct link *l, enum step step, struct err *err)
{
	return link_wait(l, step == STEP_WANT_WRITE ? POLLOUT : POLLIN, err);
}

size_t
link_read(struct link *l, void *out, size_t n, struct err *err)
{
	for (;;) {
		size_t got = 0;
		enum step step = read_step(l, out, n, &got, err);
		if (step == STEP_DONE)
			return got;
		if (step == STEP_FAILED)
			return 0;
		if (!wait_step(l, step, err)) {
			l->in_broken = true;
			l->in_err = *err;
			return 0;
		}
	}
}

ssize_t
link_try(struct link *l, void *out, size_t n, struct err *err)
{
	size_t got = 0;
	enum step step = read_step(l, out, n, &got, err);
	if (step == STEP_FAILED)
		return -1;

	return step == STEP_DONE ? (ssize_t)got : 0;
}

static bool
write_all(struct link *l, const char *data, size_t n, struct err *err)
{
	while (n > 0) {
		size_t put = 0;
		enum step step = write_step(l, data, n, &put, err);
		if (step == STEP_FAILED)
			return false;
		if (step != STEP_DONE && !wait_step(l, step, err))
			return false;
		data += put;
		n -= put;
	}

	return true;
}

bool
link_write(struct link *l, const void *data, size_t n, struct err *err)
{
	if (l->out_broken) {
		*err = l->out_err;
		return false;
	}
	if (write_all(l, data, n, err))
		return true;
	l->out_broken = true;
	l->out_err = *err;

	return false;
}

bool
link_has_octet(struct link *l)
{
	char octet;

	return recv(l->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
link_close(struct link *l)
{
	/* After a fatal error OpenSSL forbids a shutdown. One attempt: the
	 * peer's answer is of no interest, RFC 8446, 6.1. */
	if (l->ssl != NULL && !l->in_broken && !l->out_broken) {
		ERR_clear_error();
		SSL_shutdown(l->ssl);
		ERR_clear_error();
	}
	SSL_free(l->ssl);
	l->ssl = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
