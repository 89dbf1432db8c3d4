/*
 * Fetch and hash: every message of an account through the program's own
 * rooms, base to imap, as haul drives them (src/haul/mailbox.c): one thread
 * fetches, its belt hands over to another, which hashes and drops.  No index,
 * no archive.
 *
 *   fetchhash [--ca-file FILE] HOST PORT USER PASSWORD_FILE
 *
 * With a CA: TLS, verified; without: plaintext.  Standard error gets one line:
 * messages M octets O seconds S hash H, where H is all hashes XORed into
 * one, in whatever order they came.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "haul/queue.h"
#include "imap/imap.h"
#include "mail/name.h"

/* okeys and sizes: the `fresh` messages announced and not requested yet. */
struct reader {
	struct source source;
	uint32_t window; /* of the source: announced and unanswered at most */
	uint64_t *okeys, *sizes;
	size_t fresh, outstanding;
	bool announced;
	uint64_t messages, octets;
	struct queue *belt;
	uint8_t hash[DIGEST_SIZE]; /* the hashing thread's */
	char **boxes;
	size_t box_count;
};

static void
die(const struct err *err)
{
	fprintf(
	    stderr, "fetchhash: %s %s\n%s\n", err->text, err->words, err->hint);
	exit(1);
}

static bool
add_box(void *arg, const struct source_mailbox *box, struct err *err)
{
	struct reader *r = arg;
	(void)err;
	if ((box->attributes & (MAILBOX_NOSELECT | MAILBOX_NONEXISTENT)) != 0)
		return true;
	r->boxes = mem_grow(r->boxes, r->box_count + 1, sizeof(*r->boxes));
	r->boxes[r->box_count++] = mem_str(box->name);

	return true;
}

static bool
announce_some(struct reader *r, struct err *err)
{
	struct source_event e = { .kind = SOURCE_SEEN };
	while (!r->announced && e.kind != SOURCE_LATER &&
	       r->fresh + r->outstanding < r->window) {
		if (!r->source.ops->announce(r->source.data, &e, err))
			return false;
		r->announced = e.kind == SOURCE_END;
		if (e.kind == SOURCE_BAD)
			return err_set(err, ERR_MAILBOX, ERR_PROTOCOL,
			    "a message is listed badly: %s", e.why.text);
		if (e.kind != SOURCE_SEEN)
			continue;
		r->okeys[r->fresh] = e.placement.okey;
		r->sizes[r->fresh++] = e.placement.size;
	}

	return true;
}

/* In portions, as haul does. */
static bool
request_some(struct reader *r, struct err *err)
{
	size_t n = r->fresh;
	if (n == 0 ||
	    (n < r->window / 4 && !r->announced && r->outstanding > 0))
		return true;
	r->fresh = 0;
	r->outstanding += n;

	return r->source.ops->request(
	    r->source.data, r->okeys, r->sizes, n, err);
}

static bool
take_body(struct reader *r, struct err *err)
{
	struct source_body body = { 0 };
	if (!r->source.ops->body(r->source.data, &body, err))
		return false;
	r->outstanding--;
	if (body.kind != SOURCE_BODY)
		return err_set(err, ERR_MAILBOX, ERR_PROTOCOL,
		    "UID %" PRIu64 " did not come: %s", body.okey,
		    body.why.text);
	r->messages++;
	r->octets += content_size(body.content);
	struct belt *b = belt_new(BELT_MESSAGE, 0);
	b->content = body.content;

	return queue_push(r->belt, &b);
}

static void *
hash_all(void *arg)
{
	struct reader *r = arg;
	for (bool end = false; !end;) {
		struct belt *b = queue_pop(r->belt, -1);
		end = b->kind == BELT_END;
		struct err err;
		if (!end && !content_hash(b->content, &err))
			die(&err);
		if (!end) {
			const uint8_t *sha256 = content_sha256(b->content);
			for (size_t i = 0; i < DIGEST_SIZE; i++)
				r->hash[i] ^= sha256[i];
		}
		belt_free(&b);
	}

	return NULL;
}

static bool
read_mailbox(struct reader *r, const char *name, struct err *err)
{
	struct source_state from = { 0 };
	struct source_opened opened;
	if (!r->source.ops->open(r->source.data, name, &from, &opened, err))
		return false;
	r->announced = false;
	while (!r->announced || r->fresh + r->outstanding > 0)
		if (!announce_some(r, err) || !request_some(r, err) ||
		    (r->outstanding > 0 && !take_body(r, err)))
			return false;

	return true;
}

static bool
read_all(struct reader *r, const struct imap_options *o, struct err *err)
{
	struct source_caps caps = { 0 };
	if (!imap_source_new(&r->source, o, err) ||
	    !r->source.ops->list(r->source.data, add_box, r, err))
		return false;
	r->source.ops->capabilities(r->source.data, &caps);
	r->window = caps.window;
	r->okeys = mem_array(r->window, sizeof(*r->okeys));
	r->sizes = mem_array(r->window, sizeof(*r->sizes));
	for (size_t i = 0; i < r->box_count; i++)
		if (!read_mailbox(r, r->boxes[i], err))
			return false;
	r->source.ops->close(&r->source.data, true);

	return true;
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);

	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct reader r = { 0 };
	struct secret secret = { 0 };
	struct err err = { 0 };
	const char *ca = NULL;
	if (argc == 7 && strcmp(argv[1], "--ca-file") == 0)
		ca = argv[2];
	else if (argc != 5) {
		fputs("fetchhash: [--ca-file FILE] HOST PORT USER "
		      "PASSWORD_FILE\n",
		    stderr);
		return 2;
	}
	char **arg = argv + argc - 4;
	struct secret_from from = { .file = arg[3] };
	if (!secret_get(&secret, &from, "source", &err))
		die(&err);
	struct imap_options options = {
		.wire = { .side = "SOURCE",
		    .host = arg[0],
		    .port = (uint16_t)strtoul(arg[1], NULL, 10),
		    .tls = ca != NULL ? WIRE_TLS_IMPLICIT : WIRE_TLS_NONE,
		    .ca_file = ca },
		.user = arg[2],
		.secret = &secret,
	};

	double start = now();
	pthread_t hasher;
	r.belt = queue_new(BELT_COUNT_MAX, BELT_OCTETS_MAX);
	if (pthread_create(&hasher, NULL, hash_all, &r) != 0)
		return 1;
	if (!read_all(&r, &options, &err))
		die(&err);
	struct belt *end = belt_new(BELT_END, 0);
	if (!queue_push(r.belt, &end) || pthread_join(hasher, NULL) != 0)
		return 1;
	fprintf(stderr,
	    "messages %" PRIu64 " octets %" PRIu64 " seconds %.4f hash ",
	    r.messages, r.octets, now() - start);
	for (size_t i = 0; i < sizeof(r.hash); i++)
		fprintf(stderr, "%02x", r.hash[i]);
	fputc('\n', stderr);

	return 0;
}
