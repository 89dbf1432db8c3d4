#include "board.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "progress.h"

enum { RATE_WINDOW = 32, QUIET_MS = 1000 };

struct board_screen {
	struct board *board;
	enum progress_how how;
	int64_t started, next; /* clock_mono_ms */
	struct {
		int64_t ms;
		uint64_t octets, done;
	} past[RATE_WINDOW]; /* of the last ticks: what rates are taken from */
	size_t ticks;
	double octet_rate, message_rate; /* a second */
};

static void
add_meter(struct board_sums *sums, struct meter *m)
{
	uint64_t expected = atomic_load(&m->expected);
	uint64_t listed = atomic_load(&m->listed);
	sums->messages += expected > listed ? expected : listed;
	sums->done += atomic_load(&m->known) + atomic_load(&m->excluded) +
		      atomic_load(&m->fetched) + atomic_load(&m->failed);
	sums->octets += atomic_load(&m->fetched_octets);
	sums->settled += atomic_load(&m->settled);
}

void
board_fold(struct board *b, size_t slot)
{
	add_meter(&b->past, &b->meters[slot]);
}

static struct board_sums
sums_of(const struct board *b)
{
	struct board_sums sums = b->past;
	for (size_t i = 0; i < b->slots; i++)
		if (b->busy[i])
			add_meter(&sums, &b->meters[i]);

	return sums;
}

static void
measure(struct board_screen *s, const struct board_sums *now)
{
	size_t at = s->ticks % RATE_WINDOW;
	size_t oldest =
	    s->ticks < RATE_WINDOW ? 0 : (s->ticks + 1) % RATE_WINDOW;
	s->past[at].ms = clock_mono_ms();
	s->past[at].octets = now->octets;
	s->past[at].done = now->done;
	s->ticks++;
	double seconds = (double)(s->past[at].ms - s->past[oldest].ms) / 1000;
	/* A worker that died takes its account's sums along. */
	if (seconds <= 0 || now->octets < s->past[oldest].octets ||
	    now->done < s->past[oldest].done)
		return;
	s->octet_rate =
	    (double)(now->octets - s->past[oldest].octets) / seconds;
	s->message_rate = (double)(now->done - s->past[oldest].done) / seconds;
}

/* -1: accounts wait whose size nobody knows. */
static int64_t
eta(const struct board_screen *s, const struct board_sums *sums)
{
	if (!s->board->all_begun || s->message_rate < 1 ||
	    sums->done >= sums->messages)
		return -1;

	return (
	    int64_t)((double)(sums->messages - sums->done) / s->message_rate +
		     0.5);
}

static void
line(struct buf *out, struct board_screen *s, const struct board_sums *sums)
{
	const struct board *b = s->board;
	char x[32], y[32];
	int64_t left = eta(s, sums);
	buf_fmt(out, "%zu of %zu accounts, %zu running", b->ended, b->accounts,
	    b->running);
	if (b->failed > 0)
		buf_fmt(out, ", %zu failed", b->failed);
	buf_fmt(out, "  %s of %s messages",
	    text_count(x, sizeof(x), sums->done),
	    text_count(y, sizeof(y), sums->messages));
	buf_fmt(out, "  %s  %s/s", text_size(x, sizeof(x), sums->octets),
	    text_size(y, sizeof(y), (uint64_t)s->octet_rate));
	if (left >= 0)
		buf_fmt(out, "  ETA %s", text_duration(x, sizeof(x), left));
}

static void
json_line(
    struct buf *out, struct board_screen *s, const struct board_sums *sums)
{
	const struct board *b = s->board;
	buf_fmt(out,
	    "{\"seconds\":%.3f,\"accounts\":%zu,\"accounts_ended\":%zu,"
	    "\"accounts_running\":%zu,\"accounts_failed\":%zu,",
	    (double)(clock_mono_ms() - s->started) / 1000, b->accounts,
	    b->ended, b->running, b->failed);
	buf_fmt(out,
	    "\"messages\":%" PRIu64 ",\"messages_done\":%" PRIu64
	    ",\"octets\":%" PRIu64 ",\"settled\":%" PRIu64
	    ",\"octets_per_second\":%.0f,\"eta_seconds\":%" PRId64 "}",
	    sums->messages, sums->done, sums->octets, sums->settled,
	    s->octet_rate, eta(s, sums));
}

static void
draw(struct board_screen *s)
{
	struct buf text = { 0 };
	struct board_sums sums = sums_of(s->board);
	measure(s, &sums);
	if (s->how == PROGRESS_JSON)
		json_line(&text, s, &sums);
	else
		line(&text, s, &sums);
	progress_put(s->how, &text);
	buf_free(&text);
}

struct board_screen *
board_start(const struct options *o, struct board *b)
{
	struct board_screen *s = mem_new(sizeof(*s));
	s->board = b;
	s->how = progress_how(o);
	s->started = clock_mono_ms();
	s->next = s->started + progress_interval(s->how);
	/* Workers inherit it: their lines remove the bar too. */
	if (s->how == PROGRESS_BAR)
		log_set_screen(progress_clear_bar, NULL);

	return s;
}

long
board_tick(struct board_screen *s)
{
	int64_t now = clock_mono_ms();
	if (s->how == PROGRESS_NONE)
		return QUIET_MS;
	if (now >= s->next) {
		draw(s);
		s->next = now + progress_interval(s->how);
	}

	return (long)(s->next - now);
}

void
board_stop(struct board_screen **screen)
{
	struct board_screen *s = *screen;
	if (s == NULL)
		return;
	if (s->how == PROGRESS_JSON)
		draw(s);
	if (s->how == PROGRESS_BAR) {
		progress_clear_bar();
		log_set_screen(NULL, NULL);
	}
	free(s);
	*screen = NULL;
}
