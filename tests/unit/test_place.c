#include "base/mem.h"
#include "mail/name.h"
#include "mail/place.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_place(void);

enum { BOXES = 8, RULES = 5 };

/*
 * A world in one row. Mailboxes are wire names, with attributes behind a blank:
 * "Sent \\Sent". A place is written "NAME|why", then "|there" if it exists (and
 * its listed name if that is another), "|escaped" and "|ask ROLE".
 */
struct world {
	const char *title;
	char from_separator; /* 0 stands for '/' */
	const char *source_prefix;
	const char *from[BOXES];
	const char *displays[BOXES]; /* NULL: as name_display makes it */
	const char *before[BOXES];
	char separator; /* 0 stands for '/', '-' for a flat server */
	const char *prefix;
	const char *there[BOXES];
	bool create_special_use;
	struct place_rule rules[RULES];
	const char *into;
	const char *want[BOXES]; /* none: refused, and then: */
	const char *text, *hint; /* what err has to say, in part */
};

struct list {
	struct source_mailbox array[BOXES];
	size_t n;
};

static char
separator_of(char c)
{
	if (c == '-')
		return '\0';

	return c == '\0' ? '/' : c;
}

static void
fill(struct list *l, const char *const *texts, const char *const *displays,
    char separator)
{
	for (; l->n < BOXES && texts[l->n] != NULL; l->n++) {
		const char *text = texts[l->n], *end = strstr(text, " \\");
		size_t len = end == NULL ? strlen(text) : (size_t)(end - text);
		struct buf display = { 0 };
		struct source_mailbox *m = &l->array[l->n];
		m->name = mem_strn(text, len);
		m->separator = separator;
		for (; end != NULL; end = strstr(end + 1, " \\"))
			m->attributes |=
			    name_attribute(end + 1, strcspn(end + 1, " "));
		name_display(&display, text, len, separator);
		m->display = buf_steal(&display);
		if (displays != NULL && displays[l->n] != NULL) {
			free((void *)m->display);
			m->display = mem_str(displays[l->n]);
		}
	}
}

static void
empty(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((void *)l->array[i].name);
		free((void *)l->array[i].display);
	}
}

static void
tell(struct buf *out, const struct place *p)
{
	buf_clear(out);
	buf_fmt(out, "%s|%s", p->name, p->why);
	if (p->existing != NULL)
		buf_str(out, "|there");
	if (p->existing != NULL && strcmp(p->existing, p->name) != 0)
		buf_fmt(out, " %s", p->existing);
	if (p->escaped)
		buf_str(out, "|escaped");
	if (p->role != 0)
		buf_fmt(out, "|ask %s", name_special_use(p->role));
}

static size_t
count_rules(const struct world *w)
{
	size_t n = 0;

	while (n < RULES && w->rules[n].from != NULL)
		n++;

	return n;
}

static void
check_refused(const struct world *w, const struct err *err)
{
	ck_assert_int_eq(err->scope, ERR_RUN);
	ck_assert_int_eq(err->code, ERR_USAGE);
	ck_assert_msg(w->text != NULL && strstr(err->text, w->text) != NULL,
	    "%s: text is %s", w->title, err->text);
	ck_assert_msg(w->hint != NULL && strstr(err->hint, w->hint) != NULL,
	    "%s: hint is %s", w->title, err->hint);
}

static void
check_world(const struct world *w)
{
	struct list from = { 0 }, there = { 0 };
	struct place out[BOXES];
	struct buf said = { 0 };
	struct err err = { 0 };

	fill(&from, w->from, w->displays, separator_of(w->from_separator));
	fill(&there, w->there, NULL, separator_of(w->separator));
	const struct place_options options = {
		.rules = w->rules,
		.rule_count = count_rules(w),
		.into = w->into,
		.source_prefix = w->source_prefix,
		.before = w->before,
	};
	const struct place_target target = {
		.separator = separator_of(w->separator),
		.prefix = w->prefix,
		.boxes = there.array,
		.n = there.n,
		.create_special_use = w->create_special_use,
	};
	ck_assert_msg(from.n > 0, "%s: nothing to place", w->title);
	bool ok = place_plan(out, from.array, from.n, &options, &target, &err);
	ck_assert_msg(ok == (w->want[0] != NULL), "%s: %s", w->title,
	    ok ? "not refused" : err.text);
	if (!ok)
		check_refused(w, &err);
	for (size_t i = 0; ok && i < from.n; i++) {
		tell(&said, &out[i]);
		ck_assert_msg(
		    w->want[i] != NULL && strcmp(said.data, w->want[i]) == 0,
		    "%s: %s goes to %s", w->title, w->from[i], said.data);
		ck_assert(out[i].display != NULL);
	}
	for (size_t i = 0; i < from.n; i++)
		place_free(&out[i]);
	buf_free(&said);
	empty(&from);
	empty(&there);
}

/* --- paths -------------------------------------------------------------- */

static const struct world paths[] = {
	{ .title = "a name stays; what is listed is taken, the rest is made",
	    .from = { "INBOX", "Work", "Work/2020", "New" },
	    .there = { "INBOX", "Work", "Other" },
	    .want = { "INBOX|the same name|there", "Work|the same name|there",
		"Work/2020|the same name", "New|the same name" } },
	{ .title = "INBOX in all its spellings, listed or not",
	    .from = { "iNbOx" },
	    .there = { "Inbox" },
	    .want = { "INBOX|the same name|there Inbox" } },
	{ .title = "INBOX is never made",
	    .from = { "Inbox" },
	    .want = { "INBOX|the same name|there" } },
	{ .title = "below INBOX it is written in capitals",
	    .from = { "inbox/Work" },
	    .there = { "INBOX/Work" },
	    .want = { "INBOX/Work|the same name|there" } },
	{ .title = "INBOXES and xINBOX aren't INBOX",
	    .from = { "Inboxes", "xINBOX", "a/inbox" },
	    .want = { "Inboxes|the same name", "xINBOX|the same name",
		"a/inbox|the same name" } },
	{ .title = "another separator",
	    .from = { "a/b/c" },
	    .separator = '.',
	    .there = { "a.b" },
	    .want = { "a.b.c|the same name" } },
	{ .title = "the target's separator in a level",
	    .from = { "v1.2/a", "v1" },
	    .separator = '.',
	    .want = { "v1%2E2.a|the same name|escaped", "v1|the same name" } },
	{ .title = "a slash in a level of a '.' server",
	    .from_separator = '.',
	    .from = { "and/or.b", "and.or.b" },
	    .want = { "and%2For/b|the same name|escaped",
		"and/or/b|the same name" } },
	{ .title = "a slash in a level may stay where it is no separator",
	    .from_separator = '.',
	    .from = { "and/or.b" },
	    .separator = '\\',
	    .want = { "and/or\\b|the same name" } },
	{ .title = "%2F of a display that isn't the wire name's",
	    .from = { "u1" },
	    .displays = { "and%2For/b" },
	    .separator = '.',
	    .want = { "and/or.b|the same name" } },
	{ .title = "%2F written by the user's own hand stays",
	    .from = { "and%2For" },
	    .separator = '.',
	    .want = { "and%252For|the same name|escaped" } },
	{ .title = "a mark stays, or two that look the same would be one",
	    .from = { "a&", "a&-" },
	    .displays = { "a&%~0011223344556677", NULL },
	    .want = { "a&-%~0011223344556677|the same name",
		"a&-|the same name" } },
	{ .title = "the prefix comes before all but INBOX",
	    .from = { "INBOX", "Work", "Work/2020" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .there = { "INBOX", "INBOX.Work" },
	    .want = { "INBOX|the same name|there",
		"INBOX.Work|the same name|there",
		"INBOX.Work.2020|the same name" } },
	{ .title = "INBOX's children are the prefix's children",
	    .from = { "INBOX/Work", "inbox/a/b", "INBOX/INBOX" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .want = { "INBOX.Work|the same name", "INBOX.a.b|the same name",
		"INBOX.INBOX|the same name" } },
	{ .title = "another prefix",
	    .from = { "INBOX", "INBOX/a", "Work" },
	    .prefix = "Mail/",
	    .want = { "INBOX|the same name|there", "Mail/INBOX/a|the same name",
		"Mail/Work|the same name" } },
	{ .title = "the source's prefix is no level",
	    .from_separator = '.',
	    .source_prefix = "INBOX.",
	    .from = { "INBOX", "INBOX.Work", "inbox.a.b", "shared.x" },
	    .want = { "INBOX|the same name|there", "Work|the same name",
		"a/b|the same name", "shared/x|the same name" } },
	{ .title = "an INBOX below the source's prefix isn't INBOX",
	    .from_separator = '.',
	    .source_prefix = "INBOX.",
	    .from = { "INBOX", "INBOX.Inbox", "INBOX.INBOX.a" },
	    .want = { "INBOX|the same name|there", "INBOX/Inbox|the same name",
		"INBOX/INBOX/a|the same name" } },
	{ .title = "from prefix to prefix",
	    .from_separator = '.',
	    .source_prefix = "INBOX.",
	    .from = { "INBOX", "INBOX.Work.v1" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .want = { "INBOX|the same name|there",
		"INBOX.Work.v1|the same name" } },
	{ .title = "without the source's prefix its children stay INBOX's",
	    .from_separator = '.',
	    .from = { "INBOX.Work" },
	    .want = { "INBOX/Work|the same name" } },
	{ .title = "modified UTF-7 goes through",
	    .from_separator = '.',
	    .from = { "Entw&APw-rfe.a&-b", "&ZeVnLIqe-" },
	    .there = { "&ZeVnLIqe-" },
	    .want = { "Entw&APw-rfe/a&-b|the same name",
		"&ZeVnLIqe-|the same name|there" } },
	{ .title = "a separator among the digits of a shift is none",
	    .from = { "&U,BTFw-+a" },
	    .separator = '+',
	    .want = { "&U,BTFw-%2Ba|the same name|escaped" } },
	{ .title = "case makes another mailbox",
	    .from = { "work", "Work" },
	    .there = { "Work" },
	    .want = { "work|the same name", "Work|the same name|there" } },
	{ .title = "so does composition: ä and a with two dots",
	    .from = { "&AOQ-", "a&Awg-" },
	    .there = { "a&Awg-" },
	    .want = { "&AOQ-|the same name", "a&Awg-|the same name|there" } },
	{ .title = "one that can't be opened is made",
	    .from = { "a", "b" },
	    .there = { "a \\Noselect", "b \\NonExistent" },
	    .want = { "a|the same name", "b|the same name" } },
	{ .title = "a flat server has one level for all",
	    .from = { "a/b", "a%2Fb" },
	    .separator = '-',
	    .want = { "a%2Fb|the same name|escaped",
		"a%252Fb|the same name|escaped" } },
	{ .title = "what earlier runs did goes on",
	    .from = { "Gesendet", "INBOX", "b", "c" },
	    .before = { "Old", "Old", "gone", NULL },
	    .there = { "Old", "Sent \\Sent", "b" },
	    .want = { "Old|as before|there", "INBOX|the same name|there",
		"b|the same name|there", "c|the same name" } },
	{ .title = "nothing was before where all goes below a prefix",
	    .from = { "a" },
	    .before = { "Old" },
	    .there = { "Old" },
	    .into = "New",
	    .want = { "New/a|--into" } },
	{ .title = "what a rule put into INBOX isn't there without the rule",
	    .from = { "Spam" },
	    .before = { "INBOX" },
	    .there = { "INBOX" },
	    .want = { "Spam|the same name" } },
};

START_TEST(a_mailbox_keeps_its_path)
{
	check_world(&paths[_i]);
}
END_TEST

/* --- roles -------------------------------------------------------------- */

static const struct world uses[] = {
	{ .title = "special use by attribute",
	    .from = { "Versendet \\Sent", "Bozze \\Drafts", "Mist \\Junk",
		"Weg \\Trash", "Alt \\Archive" },
	    .there = { "S \\Sent", "D \\Drafts", "J \\Junk", "T \\Trash",
		"A \\Archive" },
	    .want = { "S|special use|there", "D|special use|there",
		"J|special use|there", "T|special use|there",
		"A|special use|there" } },
	{ .title = "attribute is stronger than a name that is there",
	    .from = { "Gesendet \\Sent" },
	    .there = { "Gesendet", "Sent \\Sent" },
	    .want = { "Sent|special use|there" } },
	{ .title = "\\All, \\Flagged and \\Important are views, no places",
	    .from = { "All Mail \\All", "Star \\Flagged", "I \\Important" },
	    .there = { "Alles \\All", "Stern \\Flagged", "W \\Important" },
	    .want = { "All Mail|the same name", "Star|the same name",
		"I|the same name" } },
	{ .title = "not below another mailbox, on the source",
	    .from = { "Work/Sent \\Sent" },
	    .there = { "Sent \\Sent" },
	    .create_special_use = true,
	    .want = { "Work/Sent|the same name" } },
	{ .title = "not below another mailbox, on the target",
	    .from = { "Gesendet \\Sent" },
	    .there = { "Work/Sent \\Sent" },
	    .want = { "Gesendet|the same name" } },
	{ .title = "INBOX is a mailbox, too",
	    .from = { "INBOX/Sent \\Sent" },
	    .there = { "Sent \\Sent" },
	    .want = { "INBOX/Sent|the same name" } },
	{ .title = "but not as the prefix, on either side",
	    .from_separator = '.',
	    .source_prefix = "INBOX.",
	    .from = { "INBOX.Gesendet \\Sent", "INBOX.Trash" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .there = { "INBOX.Sent \\Sent", "INBOX.Papierkorb \\Trash" },
	    .want = { "INBOX.Sent|special use|there",
		"INBOX.Papierkorb|by its name|there" } },
	{ .title = "[Gmail] is no mailbox where attributes speak",
	    .from = { "[Gmail]/Gesendet \\Sent", "[google mail]/Bin \\Trash",
		"[Gmail]/Spam" },
	    .there = { "Sent \\Sent", "Trash \\Trash", "Junk \\Junk" },
	    .want = { "Sent|special use|there", "Trash|special use|there",
		"[Gmail]/Spam|the same name" } },
	{ .title = "to [Gmail]",
	    .from = { "Sent \\Sent", "Junk" },
	    .there = { "[Gmail] \\Noselect", "[Gmail]/Gesendet \\Sent",
		"[Gmail]/Spam \\Junk" },
	    .want = { "[Gmail]/Gesendet|special use|there",
		"[Gmail]/Spam|by its name|there" } },
	{ .title = "a view that can't be opened serves nothing",
	    .from = { "Gesendet \\Sent" },
	    .there = { "Sent \\Sent \\Noselect" },
	    .want = { "Gesendet|the same name" } },
	{ .title = "by the source's name, and the target's attribute",
	    .from = { "Gesendete Elemente", "ENTWÜRFE" },
	    .there = { "Sent \\Sent", "Drafts \\Drafts" },
	    .want = { "Sent|by its name|there", "Drafts|by its name|there" } },
	{ .title = "by the source's attribute, and the target's name",
	    .from = { "Versendet \\Sent", "Weg \\Trash" },
	    .there = { "Sent Items", "Deleted Items" },
	    .want = { "Sent Items|by its name|there",
		"Deleted Items|by its name|there" } },
	{ .title = "by name on both sides",
	    .from = { "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Bulk Mail" },
	    .there = { "Sent Messages", "Junk E-mail" },
	    .want = { "Sent Messages|by its name|there",
		"Junk E-mail|by its name|there" } },
	{ .title = "not by the name of a level below",
	    .from = { "Work/Gesendet" },
	    .there = { "Sent \\Sent" },
	    .want = { "Work/Gesendet|the same name" } },
	{ .title = "a name that is there is taken before a guess",
	    .from = { "Gesendet" },
	    .there = { "Gesendet", "Sent \\Sent" },
	    .want = { "Gesendet|the same name|there" } },
	{ .title = "no guess takes another mailbox's place",
	    .from = { "Versendet \\Sent", "Sent Items" },
	    .there = { "Sent Items" },
	    .want = { "Versendet|the same name",
		"Sent Items|the same name|there" } },
	{ .title = "nor one that a rule has given away",
	    .from = { "Gesendet", "Work" },
	    .rules = { { "Work", "Sent" } },
	    .there = { "Sent \\Sent" },
	    .want = { "Gesendet|the same name", "Sent|--map|there" } },
	{ .title = "one mailbox a role: the one with the same name",
	    .from = { "Sent", "Sent Items", "Gesendet" },
	    .there = { "Sent Items \\Sent" },
	    .want = { "Sent|the same name", "Sent Items|the same name|there",
		"Gesendet|the same name" } },
	{ .title = "else the more usual name",
	    .from = { "Gesendet", "Sent Messages", "Sent Mail" },
	    .there = { "Verzonden \\Sent" },
	    .want = { "Gesendet|the same name", "Verzonden|by its name|there",
		"Sent Mail|the same name" } },
	{ .title = "who says so itself needs no guess about others",
	    .from = { "Mine \\Sent", "Gesendet" },
	    .there = { "Sent \\Sent" },
	    .want = { "Sent|special use|there", "Gesendet|the same name" } },
	{ .title = "two that say so: the one with the same name",
	    .from = { "A \\Junk", "Spam \\Junk" },
	    .there = { "Spam \\Junk" },
	    .want = { "A|the same name", "Spam|special use|there" } },
	{ .title = "two that say so: the first by name, whatever the order",
	    .from = { "B \\Junk", "A \\Junk" },
	    .there = { "Spam \\Junk" },
	    .want = { "B|the same name", "Spam|special use|there" } },
	{ .title = "two on the target: the one with the same name",
	    .from = { "Spam \\Junk" },
	    .there = { "Junk \\Junk", "Spam \\Junk" },
	    .want = { "Spam|special use|there" } },
	{ .title = "two on the target by name: the more usual one",
	    .from = { "Gesendet" },
	    .there = { "Sent Messages", "Sent Items" },
	    .want = { "Sent Items|by its name|there" } },
	{ .title = "an earlier run's choice keeps the role",
	    .from = { "Gesendet \\Sent", "Aaa \\Sent" },
	    .before = { "Sent" },
	    .there = { "Sent \\Sent" },
	    .want = { "Sent|as before|there", "Aaa|the same name" } },
	{ .title = "special use is asked for where there is none",
	    .from = { "Gesendet \\Sent", "Trash", "Work" },
	    .create_special_use = true,
	    .there = { "INBOX" },
	    .want = { "Gesendet|the same name|ask sent",
		"Trash|the same name|ask trash", "Work|the same name" } },
	{ .title = "not where the server doesn't offer it",
	    .from = { "Gesendet \\Sent" },
	    .want = { "Gesendet|the same name" } },
	{ .title = "not for a mailbox that is there",
	    .from = { "Versendet \\Sent" },
	    .create_special_use = true,
	    .there = { "Versendet" },
	    .want = { "Versendet|the same name|there" } },
	{ .title = "not where another serves already",
	    .from = { "A \\Sent", "Sent" },
	    .create_special_use = true,
	    .there = { "Sent" },
	    .want = { "A|the same name", "Sent|the same name|there" } },
	{ .title = "for one only",
	    .from = { "B \\Sent", "A \\Sent" },
	    .create_special_use = true,
	    .want = { "B|the same name", "A|the same name|ask sent" } },
	{ .title = "also for one that a rule moves, at the root",
	    .from = { "A \\Sent", "B \\Trash" },
	    .rules = { { "A", "Sent" }, { "B", "Old/Trash" } },
	    .create_special_use = true,
	    .want = { "Sent|--map|ask sent", "Old/Trash|--map" } },
	{ .title = "a free one before one that a rule moves",
	    .from = { "A \\Sent", "B \\Sent" },
	    .rules = { { "A", "Old" } },
	    .there = { "Sent \\Sent" },
	    .want = { "Old|--map", "Sent|special use|there" } },
	{ .title = "no roles below a prefix",
	    .from = { "Gesendet \\Sent", "Trash" },
	    .there = { "Sent \\Sent", "Papierkorb \\Trash" },
	    .create_special_use = true,
	    .into = "Old",
	    .want = { "Old/Gesendet|--into", "Old/Trash|--into" } },
};

START_TEST(special_use_finds_its_counterpart)
{
	check_world(&uses[_i]);
}
END_TEST

/* --- rules -------------------------------------------------------------- */

static const struct world rules[] = {
	{ .title = "one name, and not its children",
	    .from = { "Work", "Work/a", "work" },
	    .rules = { { "Work", "Job/Old" } },
	    .there = { "Job/Old" },
	    .want = { "Job/Old|--map|there", "Work/a|the same name",
		"work|the same name" } },
	{ .title = "INBOX without regard to case, and from it elsewhere",
	    .from = { "Inbox", "INBOX/a" },
	    .rules = { { "inbox", "Old" }, { "inbox/*", "Older/*" } },
	    .want = { "Old|--map", "Older/a|--map" } },
	{ .title = "into INBOX",
	    .from = { "Incoming" },
	    .rules = { { "Incoming", "Inbox" } },
	    .want = { "INBOX|--map|there" } },
	{ .title = "typed by a composing keyboard, made by another",
	    .from = { "a&Awg-" },
	    .rules = { { "ä", "b" } },
	    .want = { "b|--map" } },
	{ .title = "but the one with just these octets, if there is one",
	    .from = { "a&Awg-", "&AOQ-" },
	    .rules = { { "ä", "b" } },
	    .want = { "a&Awg-|the same name", "b|--map" } },
	{ .title = "to names of the target's own: prefix and separator",
	    .from = { "A", "B", "C" },
	    .rules = { { "A", "X/Y" }, { "B", "INBOX/X/Z" },
		{ "C", "shared/c" } },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .there = { "INBOX.X.Z", "shared.c" },
	    .want = { "INBOX.X.Y|--map", "INBOX.X.Z|--map|there",
		"shared.c|--map|there" } },
	{ .title = "escapes are meant as they are typed",
	    .from = { "A", "B" },
	    .rules = { { "A", "v1%2E2" }, { "B", "c.d" } },
	    .separator = '.',
	    .there = { "v1%2E2" },
	    .want = { "v1%2E2|--map|there", "c%2Ed|--map|escaped" } },
	{ .title = "exact before glob, whatever the order",
	    .from = { "a/b", "a/c" },
	    .rules = { { "a/*", "g/*" }, { "a/b", "e" } },
	    .want = { "e|--map", "g/c|--map" } },
	{ .title = "of globs the one with most literals, then the first",
	    .from = { "Work/2020/a", "Work/x", "b/x" },
	    .rules = { { "**", "1/**" }, { "Work/2020/**", "2/**" },
		{ "Work/**", "3/**" }, { "*rk/**", "4/*/**" },
		{ "*/x", "5/*" } },
	    .want = { "2/a|--map", "3/x|--map", "5/b|--map" } },
	{ .title = "of equals the one given first",
	    .from = { "ab" },
	    .rules = { { "a*", "1*" }, { "*b", "2*" } },
	    .want = { "1b|--map" } },
	{ .title = "one star doesn't cross levels, two do",
	    .from = { "a/b", "a/b/c" },
	    .rules = { { "a/*", "1/*" } },
	    .want = { "1/b|--map", "a/b/c|the same name" } },
	{ .title = "two do",
	    .from = { "a", "a/b", "a/b/c" },
	    .rules = { { "a/**", "1/**" } },
	    .want = { "a|the same name", "1/b|--map", "1/b/c|--map" } },
	{ .title = "several stars, each for itself",
	    .from = { "Lists/debian-devel/2020", "Lists/x-y-z/1/2" },
	    .rules = { { "Lists/*-*/**", "L/**/*/*" } },
	    .want = { "L/debian/devel/2020|--map", "L/x/y-z/1/2|--map" } },
	{ .title = "a star that has to take more than it would like",
	    .from = { "aXbXc", "p/q/r.d" },
	    .rules = { { "*Xc", "1/*" }, { "**/*.d", "2/*/*" } },
	    .want = { "1/aXb|--map", "2/p/q/r|--map" } },
	{ .title = "a star for nothing leaves no empty level",
	    .from = { "Work", "Work1" },
	    .rules = { { "Work*", "Job/*" } },
	    .want = { "Job|--map", "Job/1|--map" } },
	{ .title = "a rule that leaves no name is none",
	    .from = { "Work", "Work1" },
	    .rules = { { "Work*", "*" } },
	    .want = { "Work|the same name", "1|--map" } },
	{ .title = "what a star took is no escape",
	    .from = { "a/v%2Ex", "a/v.x" },
	    .rules = { { "a/*", "b/*" } },
	    .separator = '.',
	    .want = { "b.v%252Ex|--map", "b.v%2Ex|--map|escaped" } },
	{ .title = "but for a slash within a level",
	    .from_separator = '.',
	    .from = { "a.and/or" },
	    .rules = { { "a/*", "b/*" } },
	    .separator = '.',
	    .want = { "b.and/or|--map" } },
	{ .title = "a name with a star in it",
	    .from = { "a*b", "axb" },
	    .rules = { { "a*b", "c*d" } },
	    .want = { "c*d|--map", "cxd|--map" } },
	{ .title = "a question mark is one",
	    .from = { "a?", "ab" },
	    .rules = { { "a?", "c" } },
	    .want = { "c|--map", "ab|the same name" } },
	{ .title = "a rule goes before all else",
	    .from = { "Gesendet \\Sent", "b" },
	    .before = { "Old", "Old" },
	    .rules = { { "Gesendet", "Mine" } },
	    .there = { "Old", "Sent \\Sent" },
	    .want = { "Mine|--map", "Old|as before|there" } },
	{ .title = "all below a prefix, INBOX and rules too",
	    .from = { "INBOX", "Work", "A", "INBOX/b" },
	    .rules = { { "A", "B/C" } },
	    .there = { "Old/Work", "B/C" },
	    .into = "Old",
	    .want = { "Old/INBOX|--into", "Old/Work|--into|there",
		"Old/B/C|--map", "Old/INBOX/b|--into" } },
	{ .title = "below a prefix below the target's prefix",
	    .from = { "INBOX", "v1.2" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .into = "Old/2020",
	    .want = { "INBOX.Old.2020.INBOX|--into",
		"INBOX.Old.2020.v1%2E2|--into|escaped" } },
	{ .title = "below INBOX",
	    .from = { "INBOX", "a" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .into = "INBOX",
	    .want = { "INBOX.INBOX|--into", "INBOX.a|--into" } },
	{ .title = "--into without a name",
	    .from = { "a" },
	    .into = "",
	    .text = "--into :",
	    .hint = "--into Old/Mail" },
	{ .title = "--into with an empty level",
	    .from = { "a" },
	    .into = "a//b",
	    .text = "--into a//b: ",
	    .hint = "PREFIX" },
	{ .title = "FROM is empty",
	    .from = { "a" },
	    .rules = { { "", "b" } },
	    .text = "--map =b: ",
	    .hint = "FROM and TO" },
	{ .title = "TO is empty",
	    .from = { "a" },
	    .rules = { { "x", "y" }, { "a", "" } },
	    .text = "--map a=: ",
	    .hint = "FROM and TO" },
	{ .title = "TO has an empty level",
	    .from = { "a" },
	    .rules = { { "a", "b/" } },
	    .text = "--map a=b/: ",
	    .hint = "FROM and TO" },
	{ .title = "TO has other stars",
	    .from = { "a" },
	    .rules = { { "a/*", "b/*/**" } },
	    .text = "--map a/*=b/*/**: ",
	    .hint = "as many stars" },
	{ .title = "stars from nowhere",
	    .from = { "a" },
	    .rules = { { "a", "b*" } },
	    .text = "0 stars can't become 1",
	    .hint = "as many stars" },
	{ .title = "one FROM, two TOs",
	    .from = { "z" },
	    .rules = { { "a", "b" }, { "c", "d" }, { "a", "e" } },
	    .text = "sends a to two mailboxes",
	    .hint = "one of the two" },
	{ .title = "the same rule twice",
	    .from = { "a" },
	    .rules = { { "a", "b" }, { "a", "b" } },
	    .want = { "b|--map" } },
};

START_TEST(rules_decide_first)
{
	check_world(&rules[_i]);
}
END_TEST

/* --- two that meet ------------------------------------------------------ */

static const struct world meetings[] = {
	{ .title = "INBOX/Work and Work below the prefix INBOX.",
	    .from = { "INBOX/Work", "x", "Work" },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .text = "INBOX/Work: INBOX/Work and Work",
	    .hint = "--map INBOX/Work=INBOX/Work --map Work=INBOX/Work\n" },
	{ .title = "its hint, followed: all the same",
	    .from = { "INBOX/Work", "x", "Work" },
	    .rules = { { "INBOX/Work", "INBOX/Work" },
		{ "Work", "INBOX/Work" } },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .want = { "INBOX.Work|--map", "INBOX.x|the same name",
		"INBOX.Work|--map" } },
	{ .title = "its hint, followed: apart",
	    .from = { "INBOX/Work", "x", "Work" },
	    .rules = { { "Work", "INBOX/Work 2" } },
	    .separator = '.',
	    .prefix = "INBOX.",
	    .want = { "INBOX.Work|the same name", "INBOX.x|the same name",
		"INBOX.Work 2|--map" } },
	{ .title = "one rule isn't enough: the other never asked for it",
	    .from = { "INBOX", "Incoming" },
	    .rules = { { "Incoming", "INBOX" } },
	    .text = "INBOX: INBOX and Incoming",
	    .hint = "--map INBOX=INBOX --map Incoming=INBOX" },
	{ .title = "each said so",
	    .from = { "INBOX", "Incoming" },
	    .rules = { { "Incoming", "INBOX" }, { "INBOX", "INBOX" } },
	    .want = { "INBOX|--map|there", "INBOX|--map|there" } },
	{ .title = "a glob into one place says so",
	    .from = { "Lists/a", "Lists/b/c" },
	    .rules = { { "Lists/**", "Lists" } },
	    .want = { "Lists|--map", "Lists|--map" } },
	{ .title = "a glob with stars doesn't",
	    .from = { "a/x", "b/x" },
	    .rules = { { "a/*", "n/*" }, { "b/*", "n/*" } },
	    .text = "n/x: a/x and b/x",
	    .hint = "--map a/x=n/x --map b/x=n/x" },
	{ .title = "special use and a name",
	    .from = { "Versendet \\Sent", "Sent" },
	    .there = { "Sent \\Sent" },
	    .text = "Sent: Versendet and Sent",
	    .hint = "--map 'Sent=Sent 2'" },
	{ .title = "two INBOXes of a server that minds case",
	    .from = { "INBOX", "inbox" },
	    .there = { "Inbox" },
	    .text = "INBOX: INBOX and inbox",
	    .hint = "--map" },
	{ .title = "INBOX in two spellings as a parent",
	    .from = { "Inbox/a", "INBOX/a" },
	    .text = "INBOX/a: Inbox/a and INBOX/a",
	    .hint = "--map" },
	{ .title = "three, and others",
	    .from = { "a", "b", "c", "d", "e", "f", "g" },
	    .rules = { { "a", "z" }, { "b", "z" }, { "*", "z" }, { "d", "d/d" },
		{ "e", "d/d" } },
	    .want = { "z|--map", "z|--map", "z|--map", "d/d|--map", "d/d|--map",
		"z|--map", "z|--map" } },
	{ .title = "many at once, of which the first is told",
	    .from = { "a/1", "b/1", "c/1", "a/2", "b/2" },
	    .rules = { { "*/1", "*1" }, { "**", "z" } },
	    .there = { "z" },
	    .want = { "a1|--map", "b1|--map", "c1|--map", "z|--map|there",
		"z|--map|there" } },
	{ .title = "three and one more",
	    .from = { "a/1", "b/1", "c/1", "a/2", "b/2" },
	    .rules = { { "a/*", "n/*" }, { "b/*", "n/*" }, { "c/*", "n/*" } },
	    .text = "3 mailboxes of the source would become one of the target, "
		    "n/1: a/1 and b/1 and others; 1 more",
	    .hint = "--map c/1=n/1" },
	{ .title = "below a prefix; the hint's names are below it, too",
	    .from = { "INBOX/a", "x" },
	    .into = "Old",
	    .rules = { { "x", "INBOX/a" } },
	    .text = "Old/INBOX/a: INBOX/a and x",
	    .hint = "--map INBOX/a=INBOX/a --map x=INBOX/a\n" },
	{ .title = "an escape and the same written by hand",
	    .from = { "A", "v.x" },
	    .rules = { { "A", "v%2Ex" } },
	    .separator = '.',
	    .text = "v%2Ex: A and v.x",
	    .hint = "--map A=v%2Ex --map v.x=v%2Ex" },
	{ .title = "as before, and a new one of that name",
	    .from = { "Gesendet", "Sent" },
	    .before = { "Sent" },
	    .there = { "Sent" },
	    .text = "Sent: Gesendet and Sent",
	    .hint = "--map" },
};

START_TEST(two_that_meet_are_refused_unless_each_was_sent_there)
{
	check_world(&meetings[_i]);
}
END_TEST

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

Suite *
suite_place(void)
{
	Suite *suite = suite_create("place");
	TCase *tcase = tcase_create("place");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_mailbox_keeps_its_path, 0, ROWS(paths));
	tcase_add_loop_test(
	    tcase, special_use_finds_its_counterpart, 0, ROWS(uses));
	tcase_add_loop_test(tcase, rules_decide_first, 0, ROWS(rules));
	tcase_add_loop_test(tcase,
	    two_that_meet_are_refused_unless_each_was_sent_there, 0,
	    ROWS(meetings));
	suite_add_tcase(suite, tcase);

	return suite;
}
