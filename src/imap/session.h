#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include "imap/fetch.h"
#include "imap/frame.h"
#include "imap/imap.h"
#include "imap/reply.h"

enum {
	IMAP_JUNK_MAX = 4 << 20,        /* lines until a command is done */
	IMAP_EARLY_LINE_MAX = 64 << 10, /* before the login: octets a line */
	IMAP_EARLY_JUNK_MAX = 1000      /* and lines a command */
};

enum imap_phase {
	IMAP_GREETED, /* nothing the server said so far is believed */
	IMAP_READY,   /* logged in */
	IMAP_LEAVING  /* LOGOUT sent: BYE is expected */
};

/* What the selected mailbox tells between and inside of commands. */
struct imap_selected {
	uint64_t exists, expunged;
	uint64_t uidvalidity, uidnext, modseq;
	bool uid_not_sticky;
	char mailbox_id[256];
};

/*
 * One connection, one thread.  Once dead, every call fails with the error
 * that ended it (a pause becomes a broken connection).
 */
struct imap_session {
	const struct imap_options *options; /* borrowed */
	struct wire *wire;
	struct imap_frame frame;
	enum imap_phase phase;
	char where[300];  /* "SOURCE mail.example:993" */
	char tag_head[8]; /* differs from session to session, so that no
			     mail's text can pass for a tagged reply */
	unsigned tag_last;
	char *capabilities; /* " IMAP4REV1 … ", upper-case; NULL: unknown */
	struct imap_facts facts;
	struct imap_selected selected;
	uint64_t lines; /* since a tagged reply was read */
	bool dead;
	struct err why; /* of dead */
};

/* Connect, greeting, TLS, login, CAPABILITY, ID. */
bool imap_session_new(
    struct imap_session **, const struct imap_options *, struct err *);
/* polite: LOGOUT and a short wait; only while nothing is outstanding. */
void imap_session_close(struct imap_session **, bool polite);

bool imap_session_can(const struct imap_session *, const char *capability);
bool imap_session_ask_capabilities(struct imap_session *, struct err *);

/* Give the connection up; returns false with *err as it is. */
bool imap_session_die(struct imap_session *, struct err *);

/* Send "TAG command"; returns the tag's number, 0 on failure. */
unsigned imap_session_send(
    struct imap_session *, const char *command, size_t len, struct err *);
/*
 * Next response, whatever it is; EXISTS, EXPUNGE, VANISHED and the codes of
 * untagged OKs are noted in .selected.  BYE, "tag of nobody's" and too many
 * lines end the session.
 */
bool imap_session_read(
    struct imap_session *, struct imap_reply *, struct err *);
/* The number in one of our tags; 0: not ours. */
unsigned imap_session_tag(
    const struct imap_session *, const struct imap_text *);

/* Untagged lines of a command; false ends it (err set). */
typedef bool (*imap_each)(void *arg, const struct imap_reply *, struct err *);
/*
 * Send a command and read up to its tagged reply, which is OK, NO or BAD in
 * *done (borrowed until the next read).  Only while nothing is outstanding.
 */
bool imap_session_command(struct imap_session *, const struct buf *command,
    imap_each each, void *arg, struct imap_reply *done, struct err *);
/* The same of a constant command. */
bool imap_session_ask(struct imap_session *, const char *command,
    imap_each each, void *arg, struct imap_reply *done, struct err *);
/* Wait for "+" after a synchronizing literal's head was sent. */
bool imap_session_await_continue(struct imap_session *, struct err *);

/* "\"name\"" with escapes. */
void imap_add_quoted(struct buf *, const char *, size_t len);

#endif
