#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { ARGS_MAX = 64, OPTIONS_MAX = 112 };

/* A list of values that an option may be given many times; values borrowed
 * from argv. */
struct list {
	const char **items; /* owned */
	size_t n;
};

struct command;

/* One end of a copy; borrowed from argv, NULL: not given. */
struct side_options {
	const char *password_file, *password_command, *ca_file, *tls_pin, *tls,
	    *connect, *cert, *key, *auth, *authzid, *compress;
};

/* What the command line says; strings borrowed from argv. */
struct options {
	const struct command *command; /* borrowed */
	const char *args[ARGS_MAX];
	size_t arg_count;
	bool given[OPTIONS_MAX]; /* of each row; see options_given */
	/* many accounts */
	const char *config;
	struct list accounts; /* only these; --account, repeated */
	bool failed;          /* only those that did not end well last */
	uint64_t jobs, login_failures;
	/* the servers */
	struct side_options source, target;
	const char *ca_file; /* of both */
	bool allow_plaintext, allow_preauth;
	/* where it goes in a server */
	struct list map;  /* FROM=TO */
	const char *into; /* below this */
	bool assume_empty;
	const char *grace; /* not shown: tests would wait for it */
	/* what is copied */
	struct list include, exclude;
	const char *since_text, *before_text;
	int64_t since, before;
	uint64_t max_size;
	const char *namespaces;
	bool dry_run;
	/* where and how */
	const char *account, *index;
	uint64_t level, threads, volume_size, min_fill, min_free, retries,
	    window, timeout;
	const char *retry_wait;
	bool self_contained;
	/* what is looked for */
	const char *mailbox, *message_id, *sha256, *entry, *run, *outcome;
	uint64_t uid;
	bool raw_header;
	/* find, and what takes what it found */
	const char *from, *to, *cc, *subject, *body, *ids_from;
	struct list flags, id;
	uint64_t larger, smaller, limit;
	bool count, ids;
	/* another day's state; a span of days */
	const char *as_of, *until;
	/* verify, index */
	bool quick, rebuild;
	const char *read;
	/* screens */
	const char *progress, *log_format, *report;
	bool quiet, json;
	int verbose;
	bool help, version;
};

struct command {
	const char *name;
	unsigned bit; /* of the option rows */
	size_t args_min, args_max;
	const char *usage;   /* "SOURCE TARGET" */
	const char *summary; /* one line */
	const char *details; /* for --help; NULL: none */
	int (*run)(const struct options *);
};

/* argv[2…] of a command. ERR_USAGE says what is allowed. */
bool options_parse(struct options *, const struct command *, int argc,
    char **argv, struct err *);
#define OPTIONS_ROLES                                                         \
	"a role: special:junk, special:trash, special:sent, special:drafts, " \
	"special:archive, special:all, special:flagged, special:important"
/* The first "special:ROLE" of --include or --exclude whose role there is not;
 * NULL: none. */
const char *options_bad_role(const struct list *);
/* False: a size that nobody can have meant by this option. */
bool options_good_size(const char *name, uint64_t, struct err *);
/* Dates, words and roles; options_parse asks it. */
bool options_check(struct options *, struct err *);
void options_free(struct options *);
/* " --name value …": what was given, to be pasted behind the name of a command
 * of these bits; what those don't take is left out. A password command is a
 * placeholder: it may hold a secret. which: also the accounts that were named,
 * and --failed. */
void options_again(
    struct buf *, const struct options *, unsigned commands, bool which);
/* The same for a check of the target: as a check knows no target, what was
 * given for that side is told as the source's. */
void options_again_target(struct buf *, const struct options *);
/* ERR_USAGE if an option was given that such a target hasn't got: a server has
 * no volumes, and an archive keeps all mailboxes as they are. */
bool options_fit_target(const struct options *, bool server, struct err *);
/* True if the command line has this option; name without "--". */
bool options_given(const struct options *, const char *name);
/* The options a command takes, one a line, from the same rows. */
void options_help(const struct command *);
/* Every option of every command: for completion and tests. */
void options_list(const struct command *);

enum {
	IN_COPY = 1,
	IN_CHECK = 2,
	IN_LS = 4,
	IN_SHOW = 8,
	IN_VERIFY = 16,
	IN_EXPORT = 32,
	IN_STATUS = 64,
	IN_EXPLAIN = 128,
	IN_RUN = 1 << 16,
	IN_FIND = 1 << 17,
	IN_INDEX = 1 << 18,
	IN_RUNS = 1 << 19,
	IN_COVERAGE = 1 << 20,
	IN_REPACK = 1 << 21,
	IN_HISTORY = IN_RUNS | IN_COVERAGE,
	IN_HAUL = IN_COPY | IN_RUN,
	IN_SERVER = IN_HAUL | IN_CHECK,
	IN_CONFIG = IN_RUN | IN_CHECK,
	IN_SELECT = IN_HAUL | IN_LS | IN_EXPORT | IN_FIND,
	/* Rows of copy that only one kind of target has. */
	TO_ARCHIVE = 1 << 28,
	TO_SERVER = 1 << 29,
	IN_ALL = 255 | IN_RUN | IN_FIND | IN_INDEX | IN_HISTORY | IN_REPACK
};

#endif
