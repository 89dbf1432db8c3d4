#ifndef HAUL_METER_H
#define HAUL_METER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum meter_phase {
	METER_CONNECTING,
	METER_LISTING, /* mailboxes, or the messages of one */
	METER_COPYING,
	METER_PAUSED,
	METER_SEALING,
	METER_READING, /* what lies in an archive */
	METER_DONE
};

/*
 * What a run has done so far: written by its threads, read by a screen at any
 * time. Zero is a fresh meter but for its lock: meter_start first.
 */
struct meter {
	int64_t started; /* clock_mono_ms */
	/* Of an archive that is read: nothing is listed, and what is wanted is
	 * all. Set once, before the screen. */
	bool reading;
	atomic_int phase;
	atomic_uint_fast64_t mailboxes, mailboxes_done;
	atomic_uint_fast64_t expected; /* messages; 0: not known yet */
	atomic_uint_fast64_t listed;   /* seen at the source so far */
	atomic_uint_fast64_t known;    /* already there */
	atomic_uint_fast64_t excluded;
	atomic_uint_fast64_t wanted;        /* messages to fetch, so far */
	atomic_uint_fast64_t wanted_octets; /* or to read; 0: not known */
	atomic_uint_fast64_t fetched, fetched_octets;
	atomic_uint_fast64_t settled, settled_octets; /* durable */
	atomic_uint_fast64_t failed;
	atomic_uint_fast64_t sealed_octets, sealing_octets; /* read back / of */
	atomic_int_fast64_t paused_until;                   /* unix ms */
};

void meter_start(struct meter *);
/* The mailbox in hand, escaped for a screen; copies of at most size octets. */
void meter_set_mailbox(struct meter *, const char *display);
char *meter_mailbox(struct meter *, char *out, size_t size);
void meter_set_phase(struct meter *, enum meter_phase);

#endif
