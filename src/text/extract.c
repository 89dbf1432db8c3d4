#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "decode.h"

/* A sanitizer's shadow alone takes terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIMIT_MEMORY 0
#endif
#endif
#ifndef LIMIT_MEMORY
#define LIMIT_MEMORY 1
#endif

enum {
	/* The message, its decoded parts (a few times TEXT_MAX), and what the
	 * parser makes of a header of TEXT_INPUT_MAX. */
	CHILD_MEMORY = 768 << 20
};

/* Both ways: how many octets follow, and what is to be said of them. */
struct head {
	uint64_t size;
	uint64_t cut;
};

struct text_worker {
	void (*start)(void);
	void (*decode)(const char *, size_t, struct buf *, bool *);
	pid_t pid; /* 0: none */
	int fd;
	unsigned started;
	/* the message in hand */
	uint64_t left; /* octets the child still waits for */
	bool cut;      /* more were there than are looked at */
	bool lost;     /* the child went away */
};

/* ---- octets ---- */

/* Wait for an event until a moment on the monotonic clock. */
static bool
wait_for(int fd, short events, int64_t until)
{
	for (;;) {
		int64_t left = until - clock_mono_ms();
		if (left <= 0)
			return false;
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static bool
send_all(int fd, const void *data, size_t n, int64_t until)
{
	const char *p = data;
	while (n > 0) {
		if (!wait_for(fd, POLLOUT, until))
			return false;
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
	}

	return true;
}

static bool
receive_all(int fd, void *data, size_t n, int64_t until)
{
	char *p = data;
	while (n > 0) {
		if (!wait_for(fd, POLLIN, until))
			return false;
		ssize_t got = recv(fd, p, n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}

	return true;
}

/* ---- the child ---- */

static void
limit(int resource, rlim_t value)
{
	struct rlimit l;
	if (getrlimit(resource, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max == RLIM_INFINITY || value < l.rlim_max
			 ? value
			 : l.rlim_max;
	/* One that can't be set leaves those that can. */
	(void)!setrlimit(resource, &l);
}

/* Time is limited anew for each message. */
static void
limit_time(void)
{
	struct rusage used;
	if (getrusage(RUSAGE_SELF, &used) == 0)
		limit(RLIMIT_CPU, (rlim_t)used.ru_utime.tv_sec +
				      (rlim_t)used.ru_stime.tv_sec +
				      TEXT_SECONDS + 1);
}

static void
confine(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Ctrl-C is the parent's; the child ends when its end is closed. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGXCPU, SIG_DFL);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	if (LIMIT_MEMORY)
		limit(RLIMIT_AS, CHILD_MEMORY);
}

static bool
serve_one(const struct text_worker *w, int fd)
{
	struct head head = { 0 };
	struct buf text = { 0 };
	bool cut = false;
	if (!receive_all(fd, &head, sizeof(head), INT64_MAX / 2) ||
	    head.size > TEXT_INPUT_MAX)
		return false;
	char *data = mem_array((size_t)head.size + 1, 1);
	if (!receive_all(fd, data, (size_t)head.size, INT64_MAX / 2))
		return false;
	limit_time();
	w->decode(data, (size_t)head.size, &text, &cut);
	head = (struct head){ .size = text.len, .cut = cut };
	bool ok = send_all(fd, &head, sizeof(head), INT64_MAX / 2) &&
		  send_all(fd, text.data, text.len, INT64_MAX / 2);
	buf_free(&text);
	free(data);

	return ok;
}

static void
serve(const struct text_worker *w, int fd)
{
	/* No way to the index, the volumes or a terminal's input. */
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(1);
	close(0);
	close_range(4, ~0U, 0);
	confine();
	w->start();
	while (serve_one(w, 3))
		;
	_exit(0);
}

/* ---- its parent ---- */

static void
end_child(struct text_worker *w)
{
	if (w->pid == 0)
		return;
	close(w->fd);
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
}

static bool
start_child(struct text_worker *w, struct err *err)
{
	int ends[2];
	if (!text_decode_load(err))
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return err_errno(err, ERR_RUN, "socketpair");
	w->pid = fork();
	if (w->pid == 0) {
		close(ends[0]);
		serve(w, ends[1]);
	}
	close(ends[1]);
	if (w->pid < 0) {
		w->pid = 0;
		close(ends[0]);
		return err_errno(
		    err, ERR_RUN, "starting a process that reads text");
	}
	w->fd = ends[0];
	w->started++;

	return true;
}

struct text_worker *
text_worker_with(void (*start)(void),
    void (*decode)(const char *, size_t, struct buf *, bool *))
{
	struct text_worker *w = mem_new(sizeof(*w));
	w->start = start;
	w->decode = decode;

	return w;
}

unsigned
text_worker_started(const struct text_worker *w)
{
	return w->started;
}

struct text_worker *
text_worker_new(void)
{
	return text_worker_with(text_decode_start, text_decode);
}

void
text_worker_free(struct text_worker **worker)
{
	if (*worker == NULL)
		return;
	end_child(*worker);
	free(*worker);
	*worker = NULL;
}

static int64_t
deadline(void)
{
	return clock_mono_ms() + TEXT_SECONDS * 1000;
}

bool
text_begin(struct text_worker *w, uint64_t size, struct err *err)
{
	if (w->pid == 0 && !start_child(w, err))
		return false;
	w->cut = size > TEXT_INPUT_MAX;
	w->left = w->cut ? TEXT_INPUT_MAX : size;
	struct head head = { .size = w->left };
	w->lost = !send_all(w->fd, &head, sizeof(head), deadline());

	return true;
}

bool
text_add(void *worker, const void *data, size_t n, struct err *err)
{
	struct text_worker *w = worker;
	(void)err;
	if (n > w->left)
		n = (size_t)w->left;
	w->left -= n;
	if (!w->lost && n > 0)
		w->lost = !send_all(w->fd, data, n, deadline());

	return true;
}

static bool
answer(struct text_worker *w, struct buf *text, bool *cut)
{
	struct head head = { 0 };
	int64_t until = deadline();
	if (!receive_all(w->fd, &head, sizeof(head), until) ||
	    head.size > TEXT_MAX)
		return false;
	char *room = buf_room(text, (size_t)head.size);
	if (!receive_all(w->fd, room, (size_t)head.size, until))
		return false;
	text->len += (size_t)head.size;
	room[head.size] = '\0';
	*cut = head.cut != 0;

	return text_is_utf8(text->data, text->len);
}

enum text_result
text_end(struct text_worker *w, struct buf *text, const char **why)
{
	bool cut = false;
	buf_clear(text);
	*why = "";
	if (w->left > 0) {
		*why = "its octets could not be read to the end";
	} else if (w->lost || !answer(w, text, &cut)) {
		*why = "reading its MIME structure failed or took too long";
	} else {
		if (w->cut || cut)
			*why = "it has more text than is indexed";
		return w->cut || cut ? TEXT_CUT : TEXT_WHOLE;
	}
	end_child(w);
	buf_clear(text);

	return TEXT_FAILED;
}
