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
	bool cut; /* MESSAGELIMIT (RFC 9738) on an untagged line */
	char mailbox_id[256];
};

/* RFC 2342: "personal", "other users'" and "shared", in this order. */
enum imap_space { IMAP_PERSONAL, IMAP_OTHER, IMAP_SHARED, IMAP_SPACES };

struct imap_prefix {
	enum imap_space space;
	char *name;
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
	bool told;          /* capabilities since the login began */
	struct imap_facts facts;
	/* What imap_setup_say asked for; true only once imap_session_settle
	 * or the answer to a later command was read. */
	bool condstore, qresync, utf8; /* ENABLEd */
	struct imap_prefix *prefixes;  /* NAMESPACE */
	size_t prefix_count;
	unsigned setup_last; /* its last tag; 0: all answered */
	bool selecting;      /* EXAMINE gave no UIDVALIDITY: warned of once */
	struct imap_selected selected;
	struct buf said; /* of the last reply: imap_words_take */
	unsigned alerts; /* shown; one more: that they are many */
	uint64_t lines;  /* since a tagged reply was read */
	bool dead;
	struct err why; /* of dead */
};

/* Connect, greeting, TLS, login, CAPABILITY; ID, ENABLE and NAMESPACE are sent
 * and answered when somebody reads. */
bool imap_session_new(
    struct imap_session **, const struct imap_options *, struct err *);
/* polite: LOGOUT; only while nothing is outstanding. */
void imap_session_close(struct imap_session **, bool polite);

bool imap_session_can(const struct imap_session *, const char *capability);
bool imap_session_ask_capabilities(struct imap_session *, struct err *);
/* The number behind a capability that starts so ("APPENDLIMIT="). False: it is
 * not offered, or without a number. */
bool imap_session_number(
    const struct imap_session *, const char *prefix, uint64_t *);
/* RFC 9738: messages that one command may name; UINT32_MAX: any. */
uint32_t imap_session_message_limit(const struct imap_session *);
/* Did the server stop half-way in what this reply ends (RFC 9738)? Asked once:
 * a mark on an untagged line is then used up. */
bool imap_session_was_cut(struct imap_session *, const struct imap_reply *);
/* Read the answers to what was said after the login. */
bool imap_session_settle(struct imap_session *, struct err *);

/* Give the connection up; returns false with *err as it is. */
bool imap_session_die(struct imap_session *, struct err *);

/* Write "TAG command", to be sent with the next one or before the next read
 * that has to wait; returns the tag's number, 0 on failure. */
unsigned imap_session_queue(
    struct imap_session *, const char *command, size_t len, struct err *);
/* The same without the line's end: literals follow, written to the wire. */
unsigned imap_session_open_command(
    struct imap_session *, const char *command, size_t len, struct err *);
/* As imap_session_queue, and send it now. */
unsigned imap_session_send(
    struct imap_session *, const char *command, size_t len, struct err *);
/*
 * Next response, whatever it is; EXISTS, EXPUNGE, VANISHED and the codes of
 * untagged OKs are noted in .selected.  BYE, "tag of nobody's" and too many
 * lines end the session.
 */
bool imap_session_read(
    struct imap_session *, struct imap_reply *, struct err *);
/* The same, but answers to imap_setup_say are told too. */
bool imap_session_read_one(
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
