#ifndef CMD_PORTS_H
#define CMD_PORTS_H

#include "archive/archive.h"
#include "archive/reader.h"
#include "base/buf.h"
#include "conf/endpoint.h"
#include "conf/secret.h"
#include "haul/meter.h"
#include "imap/imap.h"
#include "index/index.h"
#include "options.h"
#include "state.h"

/*
 * From words on the command line to the two roles: the only place that knows
 * every kind of endpoint.
 */

/* A server as one end, that can be connected to, again and again. */
struct server_port {
	bool is_target;
	struct endpoint endpoint;
	struct buf account; /* its key */
	struct buf text;    /* the URL, without secrets */
	struct buf check;   /* "check …" of it, to be pasted */
	bool is_checked;    /* by that very command */
	struct secret secret;
	struct imap_options imap; /* borrows from the above and the options */
	char *connect_host;
	bool connected; /* once: what was done since is not nothing */
	/* The other end, for what is said of a login; borrowed. NULL: it is no
	 * server. */
	const struct server_port *other;
};
/* Reads the URL and the options; ERR_USAGE for a kind that is no source. */
bool source_port_read(struct server_port *, const struct options *,
    const char *url, struct err *);
/* Gets its secret, as the options of its side say. */
bool server_port_ask(
    struct server_port *, const struct options *, struct err *);
/* Both. */
bool source_port_open(struct server_port *, const struct options *,
    const char *url, struct err *);
/* The same with the secret from elsewhere than the command line. */
bool source_port_open_from(struct server_port *, const struct options *,
    const char *url, const struct secret_from *, struct err *);
/* haul_options.connect: a new logged-in source. arg: the port. Until one has
 * succeeded, a connection lost in the login is final: the password may be
 * wrong. */
bool source_port_connect(void *arg, struct source *, struct err *);
/* What was and was not done before its first login. */
const char *server_port_so_far(const struct server_port *);
void server_port_close(struct server_port *);

/* A server to write to. */
struct target_port {
	struct server_port server;
	struct imap_target_options imap; /* borrows from it and the options */
	struct place_rule *rules;        /* of --map */
	char **names;                    /* what stands before each '=' */
	size_t rule_count;
};
/* As for a source; ERR_USAGE also if it is the same mailbox as the source's.
 * The two know each other from then on: neither may be moved. */
bool target_port_read(struct target_port *, const struct options *,
    const char *url, struct server_port *source, struct err *);
/* haul_options.connect_target, as source_port_connect. */
bool target_port_connect(void *arg, struct target *, struct err *);
void target_port_close(struct target_port *);
/* The target's key beside a source's: with its port where they would be the
 * same, as two servers on one host may have the same users. */
void target_port_account(
    struct buf *, const struct endpoint *, const char *source);

/* "imaps://…" or "imap://…", well-formed or not. */
bool server_is_meant(const char *arg);

/* An archive and its index. */
struct archive_port {
	struct state_dir state;
	int64_t began;        /* clock_mono_ms, when it was opened */
	uint64_t account;     /* the archive as a target */
	struct target target; /* .data NULL: only reading */
};
/* For looking: the index must be there. */
bool archive_port_read(struct archive_port *, const struct options *,
    const char *arg, struct err *);
/* The same; if --account names none that the archive knows: ERR_USAGE. */
bool archive_port_read_of(struct archive_port *, const struct options *,
    const char *arg, struct err *);
/*
 * For writing: made if it lacks, locked; what a killed run left behind is put
 * in order (interrupted runs closed with their manifests, its volume
 * continued); a new run begins. The meter is told of volumes read back.
 */
bool archive_port_write(struct archive_port *, const struct options *,
    const char *arg, const char *command, struct meter *, struct err *);
/* The same up to where everything is in order: no run begins. */
bool archive_port_lock(struct archive_port *, const struct options *,
    const char *arg, struct err *);
/* The target of a run that has begun. word: of the other writers; NULL: there
 * are none. */
bool archive_port_target(struct archive_port *, const struct options *,
    struct meter *, const struct archive_word *word, struct err *);
/* The run ends: state, manifest; what it brought is made known to find. */
bool archive_port_end_run(
    struct archive_port *, enum index_run_state, struct err *);
/* "index --rebuild …" of it, to be pasted. */
void archive_port_rebuild(
    struct buf *, const struct archive_port *, const struct options *);
void archive_port_close(struct archive_port *);

/* The path of "archive:DIR" or "DIR"; ERR_USAGE for anything else. */
bool archive_path(const char *arg, char **path, struct err *);

#endif
