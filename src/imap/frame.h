#ifndef IMAP_FRAME_H
#define IMAP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Cuts a stream of octets into responses, whatever they contain: a malformed
 * item costs that item, never the connection (WIRE 4).  Literals are counted
 * in 64 bits.  Octets come from anything that can peek and take, so the
 * framer runs over a wire and over memory alike.
 */
struct imap_input {
	void *arg;
	/* At least min octets at hand; false: none will come, *err is set. */
	bool (*peek)(
	    void *arg, size_t min, const char **, size_t *, struct err *);
	void (*take)(void *arg, size_t n);
};

/* Where message bodies go while they arrive. */
struct imap_sink {
	void *arg;
	/* The literal behind text is a BODY[] of size octets. */
	bool (*begin)(void *arg, const char *text, size_t len, uint64_t size,
	    struct err *);
	bool (*add)(void *arg, const void *, size_t, struct err *);
};

/* A literal that is not in the text, because it went to the sink (body) or
 * was longer than literal_max (then it was skipped). */
struct imap_hole {
	size_t at; /* offset in the text where its octets would start */
	bool body;
};

enum {
	IMAP_LINE_MAX = 8 << 20,    /* octets of a response without bodies */
	IMAP_LITERAL_MAX = 1 << 20, /* of a literal that is no body */
	IMAP_HOLES = 8
};

struct imap_frame {
	struct imap_input in;
	struct imap_sink sink; /* .begin NULL: bodies are kept in the text */
	size_t line_max, literal_max;
	/* The response as it came, without its final CRLF; a literal stands
	 * there as "{5}", CRLF and its octets, unless it is a hole. */
	struct buf text;
	struct imap_hole holes[IMAP_HOLES];
	unsigned hole_count;
	bool crowded; /* more than IMAP_HOLES: nothing behind is reliable */
};

/* Limits as above, empty text. */
void imap_frame_init(struct imap_frame *, struct imap_input);
void imap_frame_free(struct imap_frame *);

/*
 * Read one response.  False: the input's or the sink's error, or
 * ERR_PROTOCOL (ERR_ACCOUNT) for a line over line_max or a literal that no
 * 64-bit number counts; nothing more can be read then.
 */
bool imap_frame_read(struct imap_frame *, struct err *);

/* The hole at that offset of the text, or NULL. */
const struct imap_hole *imap_frame_hole(const struct imap_frame *, size_t at);

#endif
