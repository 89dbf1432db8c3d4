#include "search.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "as_of.h"
#include "commands.h"
#include "ids.h"
#include "index/search.h"
#include "mail/datetime.h"
#include "mail/flags.h"
#include "mail/msgid.h"
#include "rows.h"
#include "screen.h"

enum {
	RUN_SHARE = 50, /* of a run's time goes one part to this */
	/* What opening and committing costs: a run that found nothing new, in
	 * less than a quarter of a second, leaves all to find. */
	RUN_LEAST_MS = 5,
	KEYWORDS_MAX = 32
};

struct finding {
	const struct options *o;
	struct archive_port port;
	struct search *search;
	struct search_query query;
	struct buf message_id;
	const char *keywords[KEYWORDS_MAX], *no_keywords[KEYWORDS_MAX];
	uint8_t last[32]; /* of the last hit */
	bool any;
	struct err err; /* of a callback */
	bool failed;
};

/* ---- what is looked for ---- */

static const struct {
	const char *word;
	enum mail_flag flag;
} flags[] = {
	{ "answered", MAIL_ANSWERED },
	{ "flagged", MAIL_FLAGGED },
	{ "deleted", MAIL_DELETED },
	{ "seen", MAIL_SEEN },
	{ "draft", MAIL_DRAFT },
};

static uint8_t
flag_of(const char *word)
{
	word += *word == '\\';
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcasecmp(word, flags[i].word) == 0)
			return (uint8_t)flags[i].flag;

	return 0;
}

static bool
add_flag(struct finding *f, const char *word, struct err *err)
{
	struct search_query *q = &f->query;
	bool without = *word == '!';
	word += without;
	uint8_t flag = flag_of(word);
	size_t *n = without ? &q->no_keyword_count : &q->keyword_count;
	if (*word == '\0')
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "--flag takes seen, flagged, answered, deleted, draft or a "
		    "keyword; !seen: without it");
	if (flag != 0 && without)
		q->flags_clear |= flag;
	else if (flag != 0)
		q->flags_set |= flag;
	else if (*n == KEYWORDS_MAX)
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "more than %d keywords to look for", KEYWORDS_MAX);
	else
		(without ? f->no_keywords : f->keywords)[(*n)++] = word;

	return true;
}

static void
set_message_id(struct finding *f, const char *id)
{
	struct header_slice slice = { .data = id, .len = strlen(id) };
	msgid_canonical(&f->message_id, slice);
	f->query.message_id = f->message_id.data;
}

static bool
set_query(struct finding *f, struct err *err)
{
	const struct options *o = f->o;
	f->query = (struct search_query){
		.words = o->args + 1,
		.word_count = o->arg_count - 1,
		.from = o->from,
		.to = o->to,
		.cc = o->cc,
		.subject = o->subject,
		.body = o->body,
		.account = o->account,
		.mailbox = o->mailbox,
		.include = o->include.items,
		.include_count = o->include.n,
		.exclude = o->exclude.items,
		.exclude_count = o->exclude.n,
		.since = o->since,
		.before = o->before,
		.larger = o->larger,
		.smaller = o->smaller,
		.keywords = f->keywords,
		.no_keywords = f->no_keywords,
		.limit = o->count ? 0 : o->limit,
		.placements_alone = o->count && !o->json,
	};
	if (o->message_id != NULL)
		set_message_id(f, o->message_id);
	for (size_t i = 0; i < o->flags.n; i++)
		if (!add_flag(f, o->flags.items[i], err))
			return false;

	return as_of_set(
	    f->port.state.index, o, &f->query.as_of_run, &f->query.as_of, err);
}

/* ---- what is found ---- */

static void
set_text(json_t *object, const char *key, const char *value)
{
	struct buf clean = { 0 };
	if (*value == '\0')
		return;
	text_utf8(&clean, value, strlen(value));
	json_object_set_new(object, key, json_string(clean.data));
	buf_free(&clean);
}

static void
set_words(json_t *object, const char *key, const char *words)
{
	json_t *array = json_array();
	while (*words != '\0') {
		size_t n = strcspn(words, " ");
		json_array_append_new(array, json_stringn(words, n));
		words += n + (words[n] == ' ');
	}
	json_object_set_new(object, key, array);
}

static void
print_json(const struct search_hit *hit, const char *id)
{
	char hex[65], date[36];
	struct buf system = { 0 };
	json_t *o = json_object();
	set_text(o, "id", id);
	set_text(o, "sha256", digest_hex(hex, hit->sha256, 32));
	set_text(o, "account", hit->account);
	set_text(o, "mailbox", hit->mailbox);
	json_object_set_new(
	    o, "uidvalidity", json_integer((json_int_t)hit->uidvalidity));
	json_object_set_new(o, "uid", json_integer((json_int_t)hit->uid));
	flags_text(&system, hit->flags);
	set_words(o, "flags", system.data == NULL ? "" : system.data);
	buf_free(&system);
	set_words(o, "keywords", hit->keywords);
	if (hit->idate != DATETIME_NONE)
		set_text(o, "internaldate",
		    datetime_rfc3339(date, hit->idate, hit->zone));
	json_object_set_new(o, "size", json_integer((json_int_t)hit->size));
	set_text(o, "message_id", hit->message_id);
	set_text(o, "from", hit->from);
	set_text(o, "to", hit->to);
	set_text(o, "cc", hit->cc);
	set_text(o, "subject", hit->subject);
	set_text(o, "date", hit->date);
	rows_print_json(o);
}

static void
print_line(const struct search_hit *hit, const char *id)
{
	char date[36] = "-";
	if (hit->idate != DATETIME_NONE) {
		datetime_rfc3339(date, hit->idate, hit->zone);
		date[16] = '\0';
		date[10] = ' ';
	}
	printf("%s  %-16s  ", id, date);
	if (hit->many_accounts) {
		rows_print_escaped(hit->account);
		printf("  ");
	}
	rows_print_escaped(hit->mailbox);
	printf("  ");
	rows_print_escaped(hit->from);
	printf("  ");
	rows_print_escaped(hit->subject);
	printf("\n");
}

static void
print_hash(struct finding *f, const struct search_hit *hit)
{
	char hex[65];
	if (!f->any || memcmp(f->last, hit->sha256, 32) != 0)
		puts(digest_hex(hex, hit->sha256, 32));
}

static bool
print_hit(void *arg, const struct search_hit *hit)
{
	struct finding *f = arg;
	char id[ID_TEXT];
	if (f->o->ids) {
		print_hash(f, hit);
	} else if (!ids_text(f->port.state.index, hit->sha256, id, &f->err)) {
		f->failed = true;
		return false;
	} else if (f->o->json) {
		print_json(hit, id);
	} else {
		print_line(hit, id);
	}
	memcpy(f->last, hit->sha256, 32);
	f->any = true;

	return !stop_asked() && !screen_failed();
}

static void
print_count(const struct finding *f, const struct search_found *found)
{
	json_t *o;
	if (!f->o->json) {
		printf("%" PRIu64 "\n", found->placements);
		return;
	}
	o = json_object();
	json_object_set_new(
	    o, "messages", json_integer((json_int_t)found->messages));
	json_object_set_new(
	    o, "placements", json_integer((json_int_t)found->placements));
	rows_print_json(o);
}

static int
finish(const struct finding *f, const struct search_found *found)
{
	if (f->o->count)
		print_count(f, found);
	fflush(stdout);
	if (stop_asked())
		return 128 + stop_signal();
	if (found->more && !f->o->quiet && !screen_failed())
		fprintf(stderr,
		    "mailhaul: there are more than %" PRIu64
		    "; --limit N shows N, --limit 0 all\n",
		    f->o->limit);
	if (found->placements == 0 && !f->o->count && !f->o->quiet)
		fprintf(stderr, "mailhaul: nothing found\n");

	return found->placements > 0 ? EXIT_OK : EXIT_SOME_FAILED;
}

/* ---- the command ---- */

static bool
show_indexing(void *arg, uint64_t done, uint64_t all)
{
	search_screen_show(arg, done, all);

	return !stop_asked();
}

static bool
stopped(struct err *err)
{
	err_set(err, ERR_RUN, ERR_STOPPED, "interrupted before searching");

	return err_hint(
	    err, "What was indexed is kept; the next find goes on.");
}

static bool
prepare(struct finding *f, struct err *err)
{
	struct search_screen screen = { .what = "indexing headers",
		.quiet = f->o->quiet };
	if (!search_open(
		&f->search, f->port.state.index, f->port.state.index_path, err))
		return false;
	bool ok = search_update(f->search, 0, show_indexing, &screen, err);
	search_screen_clear(&screen);
	if (search_note(f->search)[0] != '\0')
		log_add(LOG_WARN, "%s", search_note(f->search));
	if (!ok)
		return false;
	if (!stop_asked() && f->o->body != NULL &&
	    !bodies_update(&f->port, f->search, f->o, err))
		return false;

	return !stop_asked() || stopped(err);
}

int
command_find(const struct options *o)
{
	struct finding f = { .o = o };
	struct search_found found = { 0 };
	struct err err;
	bool ok = archive_port_read_of(&f.port, o, o->args[0], &err) &&
		  set_query(&f, &err) && prepare(&f, &err) &&
		  search_run(f.search, &f.query, o->count ? NULL : print_hit,
		      &f, &found, &err);
	if (ok && f.failed) {
		err = f.err;
		ok = false;
	}
	int code = ok ? finish(&f, &found) : screen_error(&err);
	search_close(&f.search);
	buf_free(&f.message_id);
	archive_port_close(&f.port);

	return code;
}

/* ---- after a run ---- */

void
search_after_run(const struct archive_port *p, int64_t took_ms)
{
	struct search *search = NULL;
	struct err err;
	int64_t budget = took_ms / RUN_SHARE;
	if (stop_asked() || budget < RUN_LEAST_MS)
		return;
	bool ok =
	    search_open(&search, p->state.index, p->state.index_path, &err);
	if (ok && search_is_kept(search))
		ok = search_update(search, budget, NULL, NULL, &err);
	/* Another find is at it. */
	if (!ok && err.code != ERR_LOCKED)
		log_add(LOG_WARN,
		    "what find looks words up in is not up to date: %s "
		    "(nothing else is concerned)",
		    err.text);
	search_close(&search);
}
