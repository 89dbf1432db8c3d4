#ifndef NET_GUARD_H
#define NET_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads along with libetpan's parser and says stop before it gets octets that
 * could hurt it. It never trusts the peer's framing: a literal's octets are
 * scanned like all others, only the ends of lines inside them don't count as
 * the end of a response. {0} is the start of an answer.
 */
struct guard {
	uint64_t octets, lines; /* of the answer */
	uint64_t line;          /* octets of the line */
	uint64_t opened;        /* "(" of the response, wherever they stand */
	uint32_t depth;         /* of "(" outside quotes and literals */
	uint64_t announced;     /* size in a "{n}" being read or just read */
	uint64_t literal;       /* octets of a literal still to come */
	enum {
		GUARD_PLAIN,
		GUARD_NUMBER, /* after "{" */
		GUARD_CLOSED  /* after "}": a literal, if the line ends here */
	} brace;
	bool quoted, escaped;
	uint8_t matched; /* octets of "[BADCHARSET" seen */
};

/* NULL, or what is wrong: ends the sentence "the server sent …". */
const char *guard_scan(struct guard *, const void *, size_t n);

#endif
