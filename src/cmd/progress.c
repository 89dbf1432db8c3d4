#include "progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

enum { BAR_MS = 200, LINES_MS = 5000, JSON_MS = 1000, RATE_WINDOW = 32 };
enum { NAME_SIZE = 160, NAME_LEAST = 8 };

struct progress_screen {
	struct meter *meter;
	enum progress_how how;
	pthread_t thread;
	pthread_mutex_t lock; /* guards stop and the condition */
	pthread_cond_t woken;
	bool stop;
	/* Of the last RATE_WINDOW ticks: what the rate is taken from. */
	struct {
		int64_t ms;
		uint64_t octets, messages;
	} past[RATE_WINDOW];
	size_t ticks;
	size_t name_width; /* of the mailbox in hand, in characters */
	double octet_rate, message_rate; /* a second */
};

void
progress_clear_bar(void)
{
	static const char clear[] = "\r\033[K";
	ssize_t n = write(STDERR_FILENO, clear, sizeof(clear) - 1);
	(void)n;
}

/* Messages that ended in any way, and how many there are, if known. */
static void
count(const struct meter *m, uint64_t *done, uint64_t *all)
{
	*done = atomic_load(&m->known) + atomic_load(&m->excluded) +
		atomic_load(&m->fetched) + atomic_load(&m->failed);
	uint64_t expected = atomic_load(&m->expected);
	uint64_t listed = atomic_load(&m->listed);
	*all = expected > listed ? expected : listed;
}

static void
measure(struct progress_screen *s)
{
	struct meter *m = s->meter;
	size_t at = s->ticks % RATE_WINDOW;
	int64_t now = clock_mono_ms();
	uint64_t octets = atomic_load(&m->fetched_octets);
	uint64_t done, all, messages = atomic_load(&m->listed);
	count(m, &done, &all);
	if (m->reading)
		messages = done;
	size_t oldest =
	    s->ticks < RATE_WINDOW ? 0 : (s->ticks + 1) % RATE_WINDOW;
	s->past[at].ms = now;
	s->past[at].octets = octets;
	s->past[at].messages = messages;
	s->ticks++;
	double seconds = (double)(now - s->past[oldest].ms) / 1000;
	if (seconds <= 0)
		return;
	s->octet_rate = (double)(octets - s->past[oldest].octets) / seconds;
	s->message_rate =
	    (double)(messages - s->past[oldest].messages) / seconds;
}

/* Nothing is fetched, as all of it is known already, or only listed. */
static int64_t
eta_of_listing(const struct progress_screen *s, uint64_t all, uint64_t listed)
{
	if (s->message_rate < 1 || all <= listed)
		return -1;

	return (int64_t)((double)(all - listed) / s->message_rate + 0.5);
}

/* From what is known to be left to fetch or read; -1: nothing to tell. */
static int64_t
eta(const struct progress_screen *s, uint64_t all)
{
	const struct meter *m = s->meter;
	uint64_t wanted = atomic_load(&m->wanted_octets);
	uint64_t fetched = atomic_load(&m->fetched_octets);
	uint64_t messages = atomic_load(&m->fetched);
	uint64_t listed = atomic_load(&m->listed);
	double left = wanted > fetched ? (double)(wanted - fetched) : 0;
	if (s->octet_rate < 1 && left < 1 && !m->reading)
		return eta_of_listing(s, all, listed);
	if (s->octet_rate < 1 || wanted == 0)
		return -1;
	/* Of what is not listed yet each is thought to be to fetch. */
	if (all > listed && messages > 0 && !m->reading)
		left +=
		    (double)(all - listed) * (double)fetched / (double)messages;

	return (int64_t)(left / s->octet_rate + 0.5);
}

static size_t
characters(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;

	return n;
}

/* What tells one from the other mostly stands at the end. */
static void
add_name(struct buf *out, const struct progress_screen *s)
{
	char name[NAME_SIZE];
	const char *from = meter_mailbox(s->meter, name, sizeof(name));
	size_t n = characters(name);
	if (n > s->name_width) {
		buf_str(out, "…");
		for (n = n - s->name_width + 1; n > 0; n--)
			for (from++; ((unsigned char)*from & 0xc0) == 0x80;)
				from++;
	}
	buf_str(out, from);
}

static void
sealing_line(struct buf *out, const struct meter *m)
{
	char a[32], b[32];
	uint64_t all = atomic_load(&m->sealing_octets);
	if (all == 0)
		buf_str(out, "sealing the volume");
	else
		buf_fmt(out, "reading the sealed volume back  %s of %s",
		    text_size(a, sizeof(a), atomic_load(&m->sealed_octets)),
		    text_size(b, sizeof(b), all));
}

static void
add_eta(struct buf *out, int64_t left)
{
	char text[32];
	if (left >= 0)
		buf_fmt(
		    out, "  ETA %s", text_duration(text, sizeof(text), left));
}

static void
add_message_rate(struct buf *out, const struct progress_screen *s)
{
	char text[32];
	buf_fmt(out, "  %s/s",
	    text_count(text, sizeof(text), (uint64_t)(s->message_rate + 0.5)));
}

static void
add_mailboxes(struct buf *out, const struct meter *m)
{
	buf_fmt(out, "%" PRIu64 "/%" PRIu64 " ",
	    (uint64_t)atomic_load(&m->mailboxes_done),
	    (uint64_t)atomic_load(&m->mailboxes));
}

static void
add_octets(struct buf *out, const struct progress_screen *s)
{
	const struct meter *m = s->meter;
	uint64_t octets = atomic_load(&m->fetched_octets);
	uint64_t wanted = atomic_load(&m->wanted_octets);
	char a[32];
	buf_fmt(out, "  %s", text_size(a, sizeof(a), octets));
	if (m->reading && wanted > 0)
		buf_fmt(out, " of %s", text_size(a, sizeof(a), wanted));
	buf_fmt(
	    out, "  %s/s", text_size(a, sizeof(a), (uint64_t)s->octet_rate));
}

static void
listing_line(struct buf *out, struct progress_screen *s)
{
	struct meter *m = s->meter;
	char name[NAME_SIZE], a[32];
	uint64_t done, all, listed = atomic_load(&m->listed);
	count(m, &done, &all);
	meter_mailbox(m, name, sizeof(name));
	if (name[0] == '\0') {
		buf_str(out, "listing mailboxes");
		return;
	}
	buf_str(out, "listing ");
	add_name(out, s);
	buf_fmt(out, "  %s", text_count(a, sizeof(a), listed));
	if (all > listed)
		buf_fmt(out, " of %s", text_count(a, sizeof(a), all));
	buf_str(out, " messages");
	add_message_rate(out, s);
	add_eta(out, eta_of_listing(s, all, listed));
}

static void
copying_line(struct buf *out, struct progress_screen *s)
{
	struct meter *m = s->meter;
	char a[32];
	uint64_t done, all;
	count(m, &done, &all);
	add_mailboxes(out, m);
	add_name(out, s);
	buf_fmt(out, "  %s", text_count(a, sizeof(a), done));
	buf_fmt(out, " of %s", text_count(a, sizeof(a), all));
	if (s->octet_rate < 1)
		add_message_rate(out, s);
	add_octets(out, s);
	if (done < all)
		add_eta(out, eta(s, all));
}

/* Volumes, of which it is known how much is read, or messages. */
static void
reading_line(struct buf *out, struct progress_screen *s)
{
	struct meter *m = s->meter;
	char a[32];
	uint64_t done, all, wanted = atomic_load(&m->wanted_octets);
	count(m, &done, &all);
	if (atomic_load(&m->mailboxes) > 0)
		add_mailboxes(out, m);
	else
		buf_str(out, "reading ");
	add_name(out, s);
	if (done > 0)
		buf_fmt(out, "  %s", text_count(a, sizeof(a), done));
	if (done > 0 && all > 0)
		buf_fmt(out, " of %s", text_count(a, sizeof(a), all));
	add_octets(out, s);
	if (wanted > 0)
		add_eta(out, eta(s, all));
}

static void
line(struct buf *out, struct progress_screen *s)
{
	struct meter *m = s->meter;
	char a[32];
	int64_t left;
	switch ((enum meter_phase)atomic_load(&m->phase)) {
	case METER_CONNECTING:
		buf_str(out, "connecting");
		break;
	case METER_LISTING:
		listing_line(out, s);
		break;
	case METER_COPYING:
		copying_line(out, s);
		break;
	case METER_PAUSED:
		left = (atomic_load(&m->paused_until) - clock_unix_ms()) / 1000;
		buf_fmt(out, "paused by the server, %s left",
		    text_duration(a, sizeof(a), left));
		break;
	case METER_SEALING:
		sealing_line(out, m);
		break;
	case METER_READING:
		reading_line(out, s);
		break;
	case METER_DONE:
		break;
	}
}

static void
json_line(struct buf *out, struct progress_screen *s)
{
	static const char *const phases[] = { "connecting", "listing",
		"copying", "paused", "sealing", "reading", "done" };
	struct meter *m = s->meter;
	uint64_t done, all;
	char name[NAME_SIZE];
	struct buf utf8 = { 0 };
	count(m, &done, &all);
	meter_mailbox(m, name, sizeof(name));
	for (const char *c = name; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_char(&utf8, '\\');
		buf_char(&utf8, *c);
	}
	buf_fmt(out,
	    "{\"seconds\":%.3f,\"phase\":\"%s\",\"mailbox\":\"%s\","
	    "\"mailboxes\":%" PRIu64 ",\"mailboxes_done\":%" PRIu64,
	    (double)(clock_mono_ms() - m->started) / 1000,
	    phases[atomic_load(&m->phase)], utf8.data == NULL ? "" : utf8.data,
	    (uint64_t)atomic_load(&m->mailboxes),
	    (uint64_t)atomic_load(&m->mailboxes_done));
	/* How many there are may not be known. */
	if (!m->reading || all > 0)
		buf_fmt(out, ",\"messages\":%" PRIu64, all);
	else
		buf_str(out, ",\"messages\":null");
	buf_fmt(out,
	    ",\"messages_done\":%" PRIu64 ",\"messages_per_second\":%.0f"
	    ",\"octets\":%" PRIu64 ",\"octets_wanted\":%" PRIu64
	    ",\"settled\":%" PRIu64 ",\"octets_per_second\":%.0f"
	    ",\"eta_seconds\":%" PRId64 "}",
	    done, s->message_rate, (uint64_t)atomic_load(&m->fetched_octets),
	    (uint64_t)atomic_load(&m->wanted_octets),
	    (uint64_t)atomic_load(&m->settled), s->octet_rate, eta(s, all));
	buf_free(&utf8);
}

static size_t
columns(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
		return size.ws_col;

	return 80;
}

/* Cut to the screen's width at a character; wide ones may still wrap. */
static void
cut(struct buf *b)
{
	size_t width = columns() - 1, shown = 0;
	for (size_t i = 0; i < b->len; i++) {
		if (((unsigned char)b->data[i] & 0xc0) == 0x80)
			continue;
		if (shown++ == width) {
			b->len = i;
			b->data[i] = '\0';
			return;
		}
	}
}

void
progress_put(enum progress_how how, struct buf *text)
{
	struct buf out = { 0 };
	if (text->len == 0)
		return;
	if (how == PROGRESS_BAR) {
		cut(text);
		buf_str(&out, "\r");
	}
	buf_add(&out, text->data, text->len);
	buf_str(&out, how == PROGRESS_BAR ? "\033[K" : "\n");
	ssize_t n = write(STDERR_FILENO, out.data, out.len);
	(void)n;
	buf_free(&out);
}

/* On a bar the name gives way to the numbers. */
static void
fit(struct buf *text, struct progress_screen *s)
{
	size_t width = columns() - 1;
	s->name_width = NAME_SIZE;
	line(text, s);
	if (s->how != PROGRESS_BAR || text->len == 0)
		return;
	size_t all = characters(text->data);
	if (all <= width)
		return;
	char name[NAME_SIZE];
	size_t n = characters(meter_mailbox(s->meter, name, sizeof(name)));
	size_t over = all - width;
	s->name_width = n > over + NAME_LEAST ? n - over : NAME_LEAST;
	buf_clear(text);
	line(text, s);
}

static void
draw(struct progress_screen *s)
{
	struct buf text = { 0 };
	measure(s);
	if (s->how == PROGRESS_JSON)
		json_line(&text, s);
	else
		fit(&text, s);
	progress_put(s->how, &text);
	buf_free(&text);
}

long
progress_interval(enum progress_how how)
{
	switch (how) {
	case PROGRESS_LINES:
		return LINES_MS;
	case PROGRESS_JSON:
		return JSON_MS;
	default:
		return BAR_MS;
	}
}

static void *
show(void *arg)
{
	struct progress_screen *s = arg;
	long ms = progress_interval(s->how);
	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += ms / 1000;
		until.tv_nsec += ms % 1000 * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_cond_timedwait(&s->woken, &s->lock, &until);
		if (!s->stop)
			draw(s);
	}
	pthread_mutex_unlock(&s->lock);

	return NULL;
}

enum progress_how
progress_how(const struct options *o)
{
	const char *word = o->progress == NULL ? "auto" : o->progress;
	if (strcmp(word, "lines") == 0)
		return PROGRESS_LINES;
	if (strcmp(word, "json") == 0)
		return PROGRESS_JSON;
	if (strcmp(word, "none") == 0 || o->quiet || !isatty(STDERR_FILENO))
		return PROGRESS_NONE;

	return PROGRESS_BAR;
}

struct progress_screen *
progress_start(const struct options *o, struct meter *meter)
{
	struct progress_screen *s = mem_new(sizeof(*s));
	s->meter = meter;
	s->how = progress_how(o);
	if (s->how == PROGRESS_NONE)
		return s;
	if (s->how == PROGRESS_BAR)
		log_set_screen(progress_clear_bar, NULL);
	measure(s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->woken, NULL);
	if (pthread_create(&s->thread, NULL, show, s) != 0)
		abort();

	return s;
}

void
progress_stop(struct progress_screen **screen)
{
	struct progress_screen *s = *screen;
	if (s == NULL)
		return;
	if (s->how != PROGRESS_NONE) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->woken);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
		pthread_cond_destroy(&s->woken);
		pthread_mutex_destroy(&s->lock);
		if (s->how == PROGRESS_JSON)
			draw(s);
		if (s->how == PROGRESS_BAR)
			progress_clear_bar();
		log_set_screen(NULL, NULL);
	}
	free(s);
	*screen = NULL;
}
