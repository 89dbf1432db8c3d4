#ifndef TEXT_EXTRACT_H
#define TEXT_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	TEXT_INPUT_MAX = 32 << 20, /* octets of a message that are looked at */
	TEXT_MAX = 1 << 20,        /* octets of text that are given */
	TEXT_PARTS = 100,          /* MIME parts looked at */
	TEXT_NESTING = 50,         /* multiparts within each other */
	TEXT_SECONDS = 5           /* for one message */
};

/*
 * The words of a message's text parts (text/plain; text/html without its
 * tags), decoded to UTF-8, for searching. MIME is read by a library in a
 * child process with limits on memory and time, because mail is hostile: a
 * message that crashes the child or takes too long costs that message, and
 * the next one gets a new child. The child is started by the first message;
 * only a process of one thread may use this.
 */
struct text_worker;
struct text_worker *text_worker_new(void);
void text_worker_free(struct text_worker **);

enum text_result {
	TEXT_WHOLE,
	TEXT_CUT,   /* a limit was reached: the text up to there */
	TEXT_FAILED /* why says it; no text */
};
/* begin, add*, end. Only a child that can't be started is an error (ERR_RUN).
 * add is a callback of what reads messages. text: replaced; valid UTF-8. */
bool text_begin(struct text_worker *, uint64_t size, struct err *);
bool text_add(void *worker, const void *, size_t, struct err *);
enum text_result text_end(
    struct text_worker *, struct buf *text, const char **why);

#endif
