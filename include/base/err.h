#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

/* What has to be given up. */
enum err_scope { ERR_MESSAGE, ERR_MAILBOX, ERR_ACCOUNT, ERR_RUN };

/* Decides exit code, outcome class and the report's "fix". */
enum err_code {
	ERR_OTHER,
	ERR_USAGE,
	ERR_LOGIN,
	ERR_NETWORK,
	ERR_TLS,
	ERR_PROTOCOL,
	ERR_THROTTLE,
	ERR_QUOTA,
	ERR_TOO_BIG,
	ERR_REFUSED,
	ERR_GONE,
	ERR_UIDVALIDITY,
	ERR_DISK_FULL,
	ERR_IO,
	ERR_LOCKED,
	ERR_DAMAGED,
	ERR_STOPPED,
	ERR_AMBIGUOUS,
	ERR_MISMATCH
};

/* How far a new connection came, where that decides whether it is tried again
 * at once. */
enum err_stage {
	ERR_STAGE_ANY,
	ERR_STAGE_DIAL, /* no TCP connection was made: perhaps a typo */
	ERR_STAGE_LOGIN /* the password may have left, no answer came */
};

/*
 * An error is a value: scope and code for the program, text for people.
 * Callers look at scope, code and transient, never at the text.
 */
struct err {
	enum err_scope scope;
	enum err_code code;
	enum err_stage stage;
	bool transient;  /* worth a retry later in this run */
	bool closed;     /* the peer ended the connection, in good order */
	int64_t until;   /* unix ms; ERR_THROTTLE: pause until then */
	char text[480];  /* one line, no final newline; safe on a terminal */
	char words[320]; /* the peer's own words, escaped; empty if none */
	char hint[1024]; /* what to do next, lines; empty if none */
};

/*
 * err_set(e, scope, code, fmt, ...) fills *e and is false, so that a failure is
 * one line.  Control characters that the arguments bring are escaped.
 * err_set_transient: the same, worth a retry.  err_errno(e, scope, fmt, ...):
 * for a failed system call; appends strerror(errno); ENOSPC, EDQUOT, EROFS and
 * EACCES become ERR_DISK_FULL (not writable), others ERR_IO.  They are macros
 * so that compilers and analysers see the false.
 */
#define err_set(...) (err_fill(__VA_ARGS__), err_false())
#define err_set_transient(...) (err_fill_transient(__VA_ARGS__), err_false())
#define err_errno(...) (err_fill_errno(__VA_ARGS__), err_false())

static inline bool
err_false(void)
{
	return false;
}

void err_fill(struct err *e, enum err_scope, enum err_code, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void err_fill_transient(struct err *e, enum err_scope, enum err_code,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void err_fill_errno(struct err *e, enum err_scope, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Add to an error already set; each returns false. */
bool err_words(struct err *e, const char *words, uint64_t len);
bool err_hint(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "login", "network" …: a stable word for JSON and logs. */
const char *err_code_word(enum err_code);

#endif
