#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "commands.h"
#include "conf/secret.h"
#include "screen.h"

static const struct command commands[] = {
	{ "copy", IN_COPY, 2, 2, "SOURCE TARGET",
	    "copy an account into an archive or a server; again: only what is "
	    "new",
	    "SOURCE is imaps://USER@HOST[:PORT]/[MAILBOX] or imap://… "
	    "(STARTTLS);\n"
	    "TARGET is archive:DIR, a folder, or a server as SOURCE is. "
	    "Nothing is ever\n"
	    "deleted. Kill it at any time and run it again: nothing is lost, "
	    "nothing is\n"
	    "doubled. A password is taken from --source-password-file, from\n"
	    "--source-password-command, from MAILHAUL_SOURCE_PASSWORD, or "
	    "asked for;\n"
	    "of the target likewise, with target for source.",
	    command_copy },
	{ "run", IN_RUN, 0, 0, "",
	    "copy every account of a file; run again: only what is new",
	    "The file (-c) names an archive, a server and accounts, in it or "
	    "in a CSV:\n"
	    "    archive: ./archive\n"
	    "    source: { url: \"imaps://mail.example/\" }\n"
	    "    accounts: ./accounts.csv   # "
	    "source_user,source_password_file\n"
	    "    jobs: 4\n"
	    "Options here go before the file's. Kill it at any time and run it "
	    "again.\n"
	    "Exit code 3: some accounts failed, which are named.",
	    command_run },
	{ "check", IN_CHECK, 0, 1, "ENDPOINT | -c FILE",
	    "log in, list mailboxes with counts and sizes; write nothing",
	    "With -c: log in as every account of a file, a line for each.",
	    command_check },
	{ "ls", IN_LS, 1, 2, "ARCHIVE [MAILBOX]",
	    "list an archive's mailboxes, or the messages of one", NULL,
	    command_ls },
	{ "find", IN_FIND, 1, ARGS_MAX, "ARCHIVE [WORD…]",
	    "find messages by words, dates, sizes and flags; newest first",
	    "All words must be there, in From, To, Cc or Subject, in any case "
	    "and without\n"
	    "accents: word, begin*, '\"words in a row\"'. What is found has "
	    "an ID that show\n"
	    "and export take. Exit code 1: nothing found.",
	    command_find },
	{ "show", IN_SHOW, 1, 2, "ARCHIVE [ID]",
	    "write one message to standard output, octet for octet",
	    "ID is a content hash (or its first 8 or more digits), a "
	    "Message-ID in\n"
	    "angle brackets, or an entry's path. Only the frames it lies in "
	    "are read.",
	    command_show },
	{ "verify", IN_VERIFY, 1, 1, "ARCHIVE",
	    "check every frame, hash, catalog and manifest against the index",
	    NULL, command_verify },
	{ "export", IN_EXPORT, 2, 2, "ARCHIVE maildir:DIR",
	    "write messages out as Maildirs with flags and dates", NULL,
	    command_export },
	{ "status", IN_STATUS, 1, 2, "ENDPOINT…",
	    "what the runs did, and how the sums add up",
	    "ENDPOINT… is an archive, or SOURCE TARGET of a copy between "
	    "servers.",
	    command_status },
	{ "runs", IN_RUNS, 1, 1, "ARCHIVE",
	    "list the runs: what each copied, and what it saw go", NULL,
	    command_runs },
	{ "coverage", IN_COVERAGE, 1, 1, "ARCHIVE",
	    "which days have a complete run of each account",
	    "A day counts for an account if a run that was complete for it "
	    "ended on that\nday, in local time. Exit code 1: there is a gap.",
	    command_coverage },
	{ "explain", IN_EXPLAIN, 1, 3, "ENDPOINT… [ID]",
	    "what happened to a message, or to all that ended otherwise",
	    "ENDPOINT… is an archive, or SOURCE TARGET of a copy between "
	    "servers.",
	    command_explain },
	{ "repack", IN_REPACK, 1, 1, "ARCHIVE",
	    "merge small volumes into full ones",
	    "Sealed volumes below --min-fill are copied, oldest first, into "
	    "new ones of\n"
	    "--volume-size, which are read back and take their place; then the "
	    "old files\n"
	    "go. It needs room for the copies. Kill it at any time: nothing is "
	    "lost.",
	    command_repack },
	{ "index", IN_INDEX, 1, 1, "--rebuild ARCHIVE",
	    "make the index anew from volumes and manifests",
	    "The old index is kept beside it as mailhaul.db.before-TIME. What "
	    "can't be\n"
	    "known from the archive alone is said; what is damaged or lost is "
	    "named, and\n"
	    "the next run asks its source for it again. Exit code 9: "
	    "something is.",
	    command_index },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), USAGE_COLUMNS = 20 };

/* printf counts octets: "…" is three of them. */
static int
blanks_behind(const char *usage)
{
	int columns = 0;
	for (const char *c = usage; *c != '\0'; c++)
		columns += (*c & 0xc0) != 0x80;

	return columns < USAGE_COLUMNS ? USAGE_COLUMNS - columns : 0;
}

static void
print_usage(FILE *to)
{
	fprintf(to, "usage: mailhaul COMMAND [OPTION…] ARGUMENT…\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s%*s %s\n", commands[i].name,
		    commands[i].usage, blanks_behind(commands[i].usage), "",
		    commands[i].summary);
	fprintf(to, "\n  mailhaul COMMAND --help   options of a command\n"
		    "  mailhaul --version\n"
		    "  man mailhaul              everything\n");
}

static int
print_help(const struct command *c)
{
	printf("usage: mailhaul %s [OPTION…] %s\n\n%s.\n", c->name, c->usage,
	    c->summary);
	if (c->details != NULL)
		printf("%s\n", c->details);
	printf("\n");
	options_help(c);

	return screen_close(EXIT_OK);
}

static void
set_up_screen(const struct options *o)
{
	enum log_format format =
	    o->log_format != NULL && strcmp(o->log_format, "json") == 0
		? LOG_JSON
		: LOG_TEXT;
	enum log_level level = LOG_WARN;
	if (o->quiet)
		level = LOG_ERROR;
	else if (o->verbose > 1)
		level = LOG_DEBUG;
	else if (o->verbose == 1)
		level = LOG_INFO;
	log_stderr(level, format);
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct options options;
	struct err err;
	if (!options_parse(&options, c, argc, argv, &err)) {
		options_free(&options);
		return screen_error(&err);
	}
	set_up_screen(&options);
	int code =
	    options.help ? print_help(c) : screen_close(c->run(&options));
	options_free(&options);

	return code;
}

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];

	return NULL;
}

/* A free descriptor below 3 would become the index or a volume, and then be
 * printed upon. What is written to a standard output that is closed fails. */
static bool
fill_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);

	return fd >= 0 && close(fd) == 0;
}

int
main(int argc, char **argv)
{
	if (!fill_descriptors())
		return EXIT_USAGE;
	/* libarchive crashes on UTF-8 names in the C locale. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
		fprintf(stderr, "mailhaul: the locale C.UTF-8 is missing\n");
		return EXIT_USAGE;
	}
	secret_guard_process();
	/* Out of memory aborts, in there too. */
	json_set_alloc_funcs(mem_new, free);
	stop_install();
	screen_open();
	const char *name = argc < 2 ? "" : argv[1];
	if (strcmp(name, "--version") == 0) {
		printf("mailhaul %s\n", MAILHAUL_VERSION);
		return screen_close(EXIT_OK);
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
	    strcmp(name, "help") == 0) {
		const struct command *of = argc > 2 ? find(argv[2]) : NULL;
		if (of != NULL)
			return print_help(of);
		print_usage(stdout);
		return screen_close(EXIT_OK);
	}
	if (strcmp(name, "--options") == 0) { /* for completion */
		for (size_t i = 0; i < COMMANDS; i++)
			options_list(&commands[i]);
		return screen_close(EXIT_OK);
	}
	const struct command *c = find(name);
	if (c == NULL) {
		if (argc >= 2)
			fprintf(
			    stderr, "mailhaul: no command \"%s\"\n\n", name);
		print_usage(stderr);
		return EXIT_USAGE;
	}
	int code = run(c, argc - 2, argv + 2);
	log_close();

	return code;
}
