#include "haul/meter.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Guards in_hand. One run a process has one screen. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char in_hand[160];

void
meter_start(struct meter *m)
{
	memset(m, 0, sizeof(*m));
	m->started = clock_mono_ms();
	meter_set_mailbox(m, "");
}

void
meter_set_mailbox(struct meter *m, const char *display)
{
	(void)m;
	pthread_mutex_lock(&lock);
	text_escape_to(in_hand, sizeof(in_hand), display, strlen(display));
	pthread_mutex_unlock(&lock);
}

char *
meter_mailbox(struct meter *m, char *out, size_t size)
{
	(void)m;
	pthread_mutex_lock(&lock);
	snprintf(out, size, "%s", in_hand);
	pthread_mutex_unlock(&lock);

	return out;
}

void
meter_set_phase(struct meter *m, enum meter_phase phase)
{
	atomic_store(&m->phase, (int)phase);
}
