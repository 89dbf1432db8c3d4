#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "board.h"
#include "screen.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
    "a meter is shared between processes");

enum { NOBODY = -1 };

enum slot_state {
	SLOT_FREE,  /* no process */
	SLOT_IDLE,  /* waits for an order */
	SLOT_BUSY,  /* has an account */
	SLOT_ENDING /* was told to finish */
};
struct slot {
	enum slot_state state;
	pid_t pid;
	int socket;
	struct fate *fate; /* busy: whose */
	bool again;        /* a process of its own for a second try */
};

struct supervisor {
	const struct worker_plan *plan;
	struct supervision *out;
	struct slot *slots;
	bool *busy; /* beside slots, for the board */
	size_t slot_count;
	struct meter *meters; /* shared with the workers */
	bool stopped;         /* by a signal; the workers were told */
	struct board board;
	struct board_screen *screen;
};

static struct lineup *
lineup(struct supervisor *s)
{
	return &s->out->lineup;
}

/* Nothing more is begun. */
static bool
is_over(const struct supervisor *s)
{
	return s->stopped || s->out->failed;
}

/* ---- processes ---- */

static void
close_others(const struct supervisor *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i].state != SLOT_FREE)
			close(s->slots[i].socket);
}

/* No signal is lost between fork and the child's own handlers. */
static pid_t
fork_worker(struct supervisor *s, struct slot *slot, int ends[2])
{
	sigset_t all, before;
	pid_t supervisor = getpid();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		close_others(s);
		worker_main(
		    s->plan, ends[1], &s->meters[slot - s->slots], supervisor);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);

	return pid;
}

static bool
start_worker(struct supervisor *s, struct slot *slot)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return err_errno(&s->out->err, ERR_RUN, "socketpair");
	pid_t pid = fork_worker(s, slot, ends);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return err_errno(&s->out->err, ERR_RUN, "fork");
	}
	*slot =
	    (struct slot){ .state = SLOT_IDLE, .pid = pid, .socket = ends[0] };

	return true;
}

/* A worker that has died is seen by its end of the socket. */
static void
order(struct slot *slot, const struct order *o)
{
	ssize_t n;
	do
		n = send(slot->socket, o, sizeof(*o), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
}

static void
finish(struct slot *slot, bool seal)
{
	struct order o = { .kind = ORDER_FINISH, .seal = seal };
	order(slot, &o);
	slot->state = SLOT_ENDING;
}

/* What an earlier try failed at, this one tells again or has mended. */
static void
forget_failures(struct fate *f)
{
	for (size_t i = 0; i < f->failure_count; i++)
		free(f->failures[i].mailbox);
	f->failure_count = 0;
}

static void
give(struct supervisor *s, struct slot *slot, struct fate *f)
{
	struct order o = { .kind = ORDER_ACCOUNT, .account = f->account };
	const char *secret = tenant_secret(s->plan->tenant, f->account);
	if (secret != NULL) {
		size_t len = strnlen(secret, sizeof(o.secret) - 1);
		memcpy(o.secret, secret, len);
		o.has_secret = true;
	}
	slot->state = SLOT_BUSY;
	slot->fate = f;
	slot->again = f->again;
	s->busy[slot - s->slots] = true;
	s->board.running++;
	lineup_begin(lineup(s), f);
	forget_failures(f);
	order(slot, &o);
	explicit_bzero(o.secret, sizeof(o.secret));
}

/* The slot's account is its no more, however it went. */
static struct fate *
take_back(struct supervisor *s, struct slot *slot)
{
	slot->state = SLOT_IDLE;
	s->busy[slot - s->slots] = false;
	s->board.running--;

	return slot->fate;
}

/* ---- work for each ---- */

static bool
runs_first_tries(const struct supervisor *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i].state == SLOT_BUSY && !s->slots[i].again)
			return true;

	return false;
}

/* Without a process there is nobody to wait for. */
static bool
is_empty(const struct supervisor *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i].state != SLOT_FREE)
			return false;

	return true;
}

static void
employ(struct supervisor *s, struct slot *slot)
{
	struct fate *f = is_over(s) ? NULL : lineup_first(lineup(s));
	/* A second try has a new process, which nothing has led astray. */
	if (f == NULL && !is_over(s) && slot->state == SLOT_FREE &&
	    !runs_first_tries(s))
		f = lineup_second(lineup(s));
	if (f == NULL) {
		/* Some may have to wait for a host's answer to others. */
		bool hold = !is_over(s) && !lineup_all_begun(lineup(s));
		if (slot->state == SLOT_IDLE && !hold)
			finish(slot, !is_over(s) && lineup(s)->to_come == 0);
		return;
	}
	if (slot->state == SLOT_IDLE && slot->again) {
		finish(slot, false);
		return;
	}
	if (slot->state == SLOT_FREE && !start_worker(s, slot)) {
		/* With the others there may be room again later. */
		s->out->failed |= is_empty(s);
		return;
	}
	give(s, slot, f);
}

static void
employ_all(struct supervisor *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i].state == SLOT_FREE ||
		    s->slots[i].state == SLOT_IDLE)
			employ(s, &s->slots[i]);
}

/* ---- what workers tell ---- */

static void
add_failure(struct fate *f, const struct told *told)
{
	f->failures =
	    mem_grow(f->failures, f->failure_count + 1, sizeof(*f->failures));
	f->failures[f->failure_count++] =
	    (struct haul_failure){ .mailbox = mem_str(told->mailbox),
		    .err = told->err };
}

static void
fail_run(struct supervisor *s, const struct err *err)
{
	if (s->out->failed)
		return;
	s->out->failed = true;
	s->out->err = *err;
}

static void
on_done(struct supervisor *s, struct slot *slot, const struct told *told)
{
	struct fate *f = take_back(s, slot);
	board_fold(&s->board, (size_t)(slot - s->slots));
	f->told = true;
	f->balanced = told->balanced;
	f->interrupted = told->interrupted;
	f->parked = told->parked;
	f->exit_code = told->exit_code;
	f->counts = told->counts;
	f->mailboxes = told->mailboxes;
	f->mailboxes_excluded = told->mailboxes_excluded;
	f->mailboxes_failed = told->mailboxes_failed;
	f->octets += told->octets;
	if (!told->ok && told->err.scope == ERR_RUN)
		fail_run(s, &told->err);
	lineup_end(lineup(s), f, told->ok ? NULL : &told->err, !is_over(s));
}

static void
hear(struct supervisor *s, struct slot *slot, const struct told *told)
{
	switch (told->kind) {
	case TOLD_IN:
		lineup_logged_in(lineup(s), slot->fate);
		break;
	case TOLD_MAILBOX:
		add_failure(slot->fate, told);
		break;
	case TOLD_DONE:
		on_done(s, slot, told);
		break;
	case TOLD_END:
		s->out->readback_ms += told->readback_ms;
		if (!told->ok)
			fail_run(s, &told->err);
		if (slot->state != SLOT_BUSY)
			slot->state = SLOT_ENDING;
		break;
	}
}

/* ---- a worker's end ---- */

static void
how_it_died(int status, struct err *err)
{
	if (WIFSIGNALED(status))
		err_set_transient(err, ERR_ACCOUNT, ERR_OTHER,
		    "the process that copied it was ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		err_set_transient(err, ERR_ACCOUNT, ERR_OTHER,
		    "the process that copied it ended with exit code %d",
		    WEXITSTATUS(status));
}

static void
lose_account(struct supervisor *s, struct slot *slot, int status)
{
	struct fate *f = take_back(s, slot);
	struct err err;
	how_it_died(status, &err);
	f->told = false;
	f->exit_code = EXIT_SOME_FAILED;
	lineup_end(lineup(s), f, &err, !is_over(s));
}

static void
bury(struct supervisor *s, struct slot *slot)
{
	int status = 0;
	close(slot->socket);
	while (waitpid(slot->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (slot->state == SLOT_BUSY)
		lose_account(s, slot, status);
	else if (status != 0)
		log_add(LOG_WARN,
		    "a process died while it ended (status %d); what it left "
		    "is sealed at the end",
		    status);
	slot->state = SLOT_FREE;
}

/* ---- the loop ---- */

static void
receive(struct supervisor *s, struct slot *slot)
{
	struct told told;
	ssize_t n;
	do
		n = recv(slot->socket, &told, sizeof(told), 0);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(told))
		hear(s, slot, &told);
	else
		bury(s, slot);
}

/* The first signal reaches each worker through here, and only here: those of a
 * terminal are no business of theirs. The second ends this process, and with
 * it all of them. */
static void
stop_workers(struct supervisor *s)
{
	s->stopped = true;
	log_add(LOG_INFO, "a signal asked for the end: finishing what is in "
			  "flight");
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i].state != SLOT_FREE)
			kill(s->slots[i].pid, WORKER_STOP);
}

/* An archive that can't be written is of no use to the others either. */
static void
stop_after_failure(struct supervisor *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i].state == SLOT_BUSY)
			kill(s->slots[i].pid, WORKER_STOP);
}

static void
wait_and_hear(struct supervisor *s, long ms)
{
	struct pollfd *fds = mem_array(s->slot_count + 1, sizeof(*fds));
	for (size_t i = 0; i < s->slot_count; i++)
		fds[i] = (struct pollfd){
			.fd = s->slots[i].state == SLOT_FREE
				  ? NOBODY
				  : s->slots[i].socket,
			.events = POLLIN,
		};
	fds[s->slot_count] = (struct pollfd){
		.fd = s->stopped ? NOBODY : stop_fd(),
		.events = POLLIN,
	};
	int n = poll(fds, s->slot_count + 1, (int)ms);
	for (size_t i = 0; n > 0 && i < s->slot_count; i++)
		if (fds[i].revents != 0)
			receive(s, &s->slots[i]);
	free(fds);
}

static void
look_around(struct supervisor *s)
{
	bool failed = s->out->failed;
	s->board.all_begun = lineup_all_begun(lineup(s));
	s->board.ended = lineup(s)->ended;
	s->board.failed = lineup(s)->failed;
	wait_and_hear(s, board_tick(s->screen));
	if (stop_asked() && !s->stopped)
		stop_workers(s);
	if (s->out->failed && !failed)
		stop_after_failure(s);
}

static void
set_up(struct supervisor *s)
{
	struct tenant *t = s->plan->tenant;
	lineup_set_up(lineup(s), t);
	s->slot_count = t->options.jobs < t->n ? t->options.jobs : t->n;
	s->slots = mem_array(s->slot_count, sizeof(*s->slots));
	s->busy = mem_array(s->slot_count, sizeof(*s->busy));
	s->meters = mmap(NULL, s->slot_count * sizeof(*s->meters),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->meters == MAP_FAILED)
		abort();
	s->board = (struct board){ .accounts = t->n,
		.meters = s->meters,
		.busy = s->busy,
		.slots = s->slot_count };
	s->screen = board_start(&t->options, &s->board);
}

static void
tear_down(struct supervisor *s)
{
	board_stop(&s->screen);
	munmap(s->meters, s->slot_count * sizeof(*s->meters));
	free(s->slots);
	free(s->busy);
}

void
supervise(const struct worker_plan *plan, struct supervision *out)
{
	struct supervisor s = { .plan = plan, .out = out };
	*out = (struct supervision){ 0 };
	set_up(&s);
	employ_all(&s);
	while (!is_empty(&s)) {
		look_around(&s);
		employ_all(&s);
	}
	tear_down(&s);
}
