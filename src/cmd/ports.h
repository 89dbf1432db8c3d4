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

/*
 * From words on the command line to the two roles: the only place that knows
 * every kind of endpoint.
 */

/* A server side that can be connected to, again and again. */
struct source_port {
	struct endpoint endpoint;
	struct buf account; /* its key */
	struct buf text;    /* the URL, without secrets */
	struct buf check;   /* "check …" of it, to be pasted */
	bool is_checked;    /* by that very command */
	struct secret secret;
	struct imap_options imap; /* borrows from the above and the options */
	char *connect_host;
	bool connected; /* once: what was done since is not nothing */
};
/* Reads the URL and gets the secret; ERR_USAGE for a kind that is no source. */
bool source_port_open(struct source_port *, const struct options *,
    const char *url, struct err *);
/* The same with the secret from elsewhere than the command line. */
bool source_port_open_from(struct source_port *, const struct options *,
    const char *url, const struct secret_from *, struct err *);
/* haul_options.connect: a new logged-in source. arg: the port. Until one has
 * succeeded, a connection lost in the login is final: the password may be
 * wrong. */
bool source_port_connect(void *arg, struct source *, struct err *);
void source_port_close(struct source_port *);

/* An archive and its index. */
struct archive_port {
	char *dir, *index_path;
	struct index *index;
	int lock;      /* fd; -1: only reading */
	uint64_t run;  /* 0: only reading */
	int64_t began; /* clock_mono_ms, when it was opened */
	char run_name[40], log_path[512];
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
