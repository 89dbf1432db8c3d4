#include "fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "mail/name.h"

enum { WINDOW_MAX = 16384, WINDOW_DEFAULT = 2000, FAILURES_KEPT = 100 };

static bool
is_over(void *arg)
{
	return queue_cancelled(arg);
}

bool
fetch_init(struct fetch *f, struct err *err)
{
	struct source_caps caps = { 0 };
	f->source->ops->capabilities(f->source->data, &caps);
	f->window = caps.window == 0 ? WINDOW_DEFAULT : caps.window;
	if (f->window > WINDOW_MAX)
		f->window = WINDOW_MAX;
	f->allow = f->window;
	f->okeys = mem_array(f->window, sizeof(*f->okeys));
	f->sizes = mem_array(f->window, sizeof(*f->sizes));
	f->connected = true;
	f->retry = (struct retry){
		.over = is_over,
		.over_arg = f->belt,
		.max_failures = f->o->retries == 0 ? 6 : f->o->retries,
		.first_ms =
		    f->o->retry_wait_ms == 0 ? 1000 : f->o->retry_wait_ms,
		.max_pause_ms =
		    f->o->max_pause_ms == 0 ? 3600000 : f->o->max_pause_ms,
	};

	return f->o->index_path == NULL ||
	       index_open(&f->index, f->o->index_path,
		   f->o->dry_run ? INDEX_READ : INDEX_WRITE, err);
}

void
fetch_free(struct fetch *f)
{
	wants_free(&f->wants);
	free(f->okeys);
	free(f->sizes);
	if (f->index != NULL)
		index_close(&f->index);
}

bool
fetch_push(struct fetch *f, struct belt **b)
{
	if (queue_push(f->belt, b))
		return true;
	belt_free(b);
	f->stopped = true;

	return false;
}

static bool
reconnect(struct fetch *f, struct err *err)
{
	if (f->connected)
		f->source->ops->close(&f->source->data, false);
	f->connected = false;
	meter_set_phase(f->meter, METER_CONNECTING);
	f->connected = f->o->connect(f->o->connect_arg, f->source, err);
	if (f->connected)
		log_add(LOG_INFO, "connected again");
	meter_set_phase(f->meter, METER_COPYING);

	return f->connected;
}

bool
fetch_recover(struct fetch *f, bool *reconnected, struct err *err)
{
	*reconnected = false;
	for (;;) {
		if (!retry_wait(&f->retry, err, f->meter, &f->result->parked)) {
			f->stopped = f->stopped || stop_asked() ||
				     queue_cancelled(f->belt);
			return false;
		}
		if (err->scope < ERR_ACCOUNT && f->connected)
			return true;
		if (reconnect(f, err)) {
			*reconnected = true;
			return true;
		}
	}
}

/* ---- the list of mailboxes ---- */

struct boxes {
	struct source_mailbox *array; /* strings owned */
	size_t n;
};

static bool
add_box(void *arg, const struct source_mailbox *box, struct err *err)
{
	struct boxes *boxes = arg;
	(void)err;
	boxes->array =
	    mem_grow(boxes->array, boxes->n + 1, sizeof(*boxes->array));
	struct source_mailbox *copy = &boxes->array[boxes->n++];
	*copy = *box;
	copy->name = mem_str(box->name);
	copy->display = mem_str(box->display);
	copy->mailbox_id = mem_str(box->mailbox_id);

	return true;
}

static void
free_boxes(struct boxes *boxes)
{
	for (size_t i = 0; i < boxes->n; i++) {
		free((void *)boxes->array[i].name);
		free((void *)boxes->array[i].display);
		free((void *)boxes->array[i].mailbox_id);
	}
	free(boxes->array);
	*boxes = (struct boxes){ 0 };
}

static bool
list(struct fetch *f, struct boxes *boxes, struct err *err)
{
	bool again = false;
	meter_set_phase(f->meter, METER_LISTING);
	while (!f->source->ops->list(f->source->data, add_box, boxes, err)) {
		free_boxes(boxes);
		if (!fetch_recover(f, &again, err))
			return false;
	}

	return true;
}

static void
note_failure(struct fetch *f, const char *mailbox, const struct err *err)
{
	struct haul_result *r = f->result;
	log_add(LOG_ERROR, "%s: %s%s%s", mailbox, err->text,
	    err->words[0] == '\0' ? "" : "; server: ", err->words);
	r->mailboxes_failed++;
	if (r->failure_count == FAILURES_KEPT)
		return;
	r->failures =
	    mem_grow(r->failures, r->failure_count + 1, sizeof(*r->failures));
	r->failures[r->failure_count++] =
	    (struct haul_failure){ .mailbox = mem_str(mailbox), .err = *err };
}

/* A mailbox that can't even be named is still mail that was not copied. */
static void
count_unlisted(struct fetch *f)
{
	struct source_caps caps = { 0 };
	struct err err;
	f->source->ops->capabilities(f->source->data, &caps);
	if (caps.unlisted == 0)
		return;
	err_set(&err, ERR_MAILBOX, ERR_PROTOCOL,
	    "%" PRIu64 " left out: names with control characters, or lines "
	    "that can't be read (the log has each)",
	    caps.unlisted);
	note_failure(f, "mailboxes of the list", &err);
	f->result->mailboxes_failed += caps.unlisted - 1;
}

static bool
wanted(struct fetch *f, const struct source_mailbox *box)
{
	char rule[300];
	if ((box->attributes & (MAILBOX_NOSELECT | MAILBOX_NONEXISTENT)) != 0) {
		f->result->mailboxes_unselectable++;
		return false;
	}
	if (filter_mailbox(&f->o->filter, box, rule, sizeof(rule)) != NULL) {
		log_add(LOG_INFO, "%s skipped by rule: %s", box->display, rule);
		f->result->mailboxes_excluded++;
		return false;
	}

	return true;
}

/* Those to be read move to the front. */
static void
choose(struct fetch *f, struct boxes *boxes)
{
	uint64_t expected = 0;
	bool all_known = true;
	size_t n = 0;
	for (size_t i = 0; i < boxes->n; i++) {
		struct source_mailbox box = boxes->array[i];
		if (!wanted(f, &box))
			continue;
		boxes->array[i] = boxes->array[n];
		boxes->array[n++] = box;
		expected += box.messages;
		all_known = all_known && box.uidvalidity != 0;
	}
	if (n == 0 && f->o->filter.include_count > 0)
		log_add(LOG_WARN, "no mailbox matches --include");
	atomic_store(&f->meter->mailboxes, n);
	if (all_known)
		atomic_store(&f->meter->expected, expected);
}

/* False: no other mailbox can be read either. */
static bool
one(struct fetch *f, const struct source_mailbox *box, struct err *err)
{
	meter_set_mailbox(f->meter, box->display);
	bool ok = f->o->dry_run ? fetch_mailbox_dry(f, box, err)
				: fetch_mailbox(f, box, err);
	wants_clear(&f->wants);
	atomic_fetch_add(&f->meter->mailboxes_done, 1);
	if (ok || f->stopped)
		return true;
	/* The other mailboxes would only be told to wait as well. */
	if (f->result->parked && err->scope < ERR_ACCOUNT)
		err->scope = ERR_ACCOUNT;
	if (err->scope >= ERR_ACCOUNT)
		return false;
	note_failure(f, box->display, err);

	return true;
}

static bool
each_mailbox(struct fetch *f, struct err *err)
{
	struct boxes boxes = { 0 };
	bool ok = list(f, &boxes, err);
	if (ok) {
		count_unlisted(f);
		choose(f, &boxes);
	}
	uint64_t n = atomic_load(&f->meter->mailboxes);
	for (size_t i = 0; ok && i < n && !f->stopped; i++)
		ok = one(f, &boxes.array[i], err);
	free_boxes(&boxes);

	return ok;
}

bool
fetch_run(struct fetch *f, struct err *err)
{
	bool ok = each_mailbox(f, err);
	if (f->stopped && stop_asked()) {
		f->result->interrupted = true;
		ok = true;
	}
	struct belt *end = belt_new(BELT_END, 0);
	fetch_push(f, &end);

	return ok;
}
