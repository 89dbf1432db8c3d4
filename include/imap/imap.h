#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "conf/secret.h"
#include "mail/place.h"
#include "mail/source.h"
#include "mail/target.h"
#include "net/wire.h"

/* COMPRESS=DEFLATE (RFC 4978), where the server offers it. */
enum imap_compress {
	IMAP_COMPRESS_AUTO, /* but not from this machine itself */
	IMAP_COMPRESS_ALWAYS,
	IMAP_COMPRESS_NEVER
};

struct imap_options {
	struct wire_options
	    wire; /* everything borrowed for the object's life */
	const char *user;
	const char *authzid; /* PLAIN only; NULL: none */
	const struct secret *secret;
	const char *auth;         /* --source-auth: one mechanism; NULL: best */
	const char *spool_dir;    /* for contents */
	const char *only_mailbox; /* UTF-8 display name; NULL: all */
	bool namespace_other, namespace_shared; /* personal always */
	bool allow_preauth;
	bool writes; /* a target's: nothing is ENABLEd */
	enum imap_compress compress;
	uint32_t window_messages; /* 0: 500 a FETCH command */
	uint64_t window_octets;   /* 0: 8 MiB a FETCH command */
};

/* What a session found out at login: for check and for logs. */
struct imap_facts {
	char mechanism[24];              /* "SCRAM-SHA-256", "LOGIN" … */
	char capabilities[1024];         /* after login */
	char server_id[256];             /* ID response, escaped; "" if none */
	const struct wire_tls_info *tls; /* borrowed; NULL: plaintext */
	bool compressed;                 /* COMPRESS=DEFLATE is in use */
};

/*
 * Connect, read the greeting, TLS, log in (once: a refusal is ERR_LOGIN,
 * final, with the server's words; a connection lost meanwhile is
 * ERR_STAGE_LOGIN). NAMESPACE and ID are asked.
 */
bool imap_source_new(
    struct source *, const struct imap_options *, struct err *);

const struct imap_facts *imap_source_facts(const struct source *);
const struct wire_counters *imap_source_counters(const struct source *);
/* STATUS (MESSAGES, UIDNEXT, UIDVALIDITY, SIZE where offered) for check.
 * size: UINT64_MAX if not told. */
bool imap_source_status(struct source *, const char *name,
    struct source_opened *, uint64_t *size, struct err *);
/* Mailboxes that the last list had to leave out, since their names hold
 * control characters or their lines can't be read (each was logged). */
uint64_t imap_source_unlisted(const struct source *);
/* QUOTA's STORAGE (RFC 9208) of INBOX in octets; false if not offered. */
bool imap_source_quota(struct source *, uint64_t *used, uint64_t *limit);

struct imap_target_options {
	struct imap_options imap; /* .wire.side "TARGET"; .writes is set */
	struct place_options place;
	bool assume_empty; /* what stands there is none of ours */
};
/* Connect and log in, as imap_source_new, and list the mailboxes. */
bool imap_target_new(
    struct target *, const struct imap_target_options *, struct err *);
/* Where each mailbox goes, as target_ops.plan found: from is its display name;
 * nothing before a plan. */
void imap_target_places(const struct target *,
    void (*each)(void *arg, const char *from, const struct place *), void *arg);

#endif
