#include "place_rules.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

/* A FROM without a star. */
struct exact {
	char *key;      /* owned; FROM, its INBOX in capitals */
	char *composed; /* owned; that in NFC */
	const struct place_rule *rule;
	bool seen; /* a mailbox has just these octets */
};

struct glob {
	char *key, *composed; /* as above */
	const struct place_rule *rule;
	size_t literals, order;
};

struct place_rules {
	struct exact *exacts; /* by composed, then key */
	size_t exact_count;
	struct glob *globs; /* the one that decides first, first */
	size_t glob_count;
	size_t most_stars;
};

/* What one star stood for; borrowed from the name. */
struct capture {
	const char *start, *end;
};

static char *
key_of(const char *display)
{
	char *key = mem_str(display);

	if (strncasecmp(key, "INBOX", 5) == 0 &&
	    (key[5] == '\0' || key[5] == '/'))
		memcpy(key, "INBOX", 5);

	return key;
}

static char *
composed_of(const char *key)
{
	char *composed = (char *)utf8proc_NFC((const utf8proc_uint8_t *)key);

	return composed != NULL ? composed : mem_str(key);
}

/* Stars in a row are one. */
static size_t
count_stars(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '*' && text[1] != '*';

	return n;
}

static size_t
count_literals(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text != '*';

	return n;
}

static bool
has_empty_level(const char *text)
{
	size_t len = strlen(text);

	return len == 0 || text[0] == '/' || text[len - 1] == '/' ||
	       strstr(text, "//") != NULL;
}

static bool
check_rule(const struct place_rule *r, struct err *err)
{
	size_t from = count_stars(r->from), to = count_stars(r->to);

	if (r->from[0] == '\0' || has_empty_level(r->to))
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--map %s=%s: a mailbox, or a level of its name, is empty",
		    r->from, r->to);
	else if (to != 0 && to != from)
		err_set(err, ERR_RUN, ERR_USAGE,
		    "--map %s=%s: %zu stars can't become %zu", r->from, r->to,
		    from, to);
	else
		return true;

	return err_hint(err,
	    "FROM and TO are names with '/' between levels; TO has as many "
	    "stars as FROM, or none");
}

static int
by_composed(const void *a, const void *b)
{
	const struct exact *x = a, *y = b;
	int order = strcmp(x->composed, y->composed);

	return order != 0 ? order : strcmp(x->key, y->key);
}

static int
by_literals(const void *a, const void *b)
{
	const struct glob *x = a, *y = b;

	if (x->literals != y->literals)
		return x->literals > y->literals ? -1 : 1;

	return x->order < y->order ? -1 : x->order > y->order;
}

static void
add_rule(struct place_rules *rules, const struct place_rule *r, size_t order)
{
	char *key = key_of(r->from);
	size_t stars = count_stars(r->from);

	if (stars == 0) {
		rules->exacts[rules->exact_count++] = (struct exact){
			.key = key, .composed = composed_of(key), .rule = r
		};
		return;
	}
	if (stars > rules->most_stars)
		rules->most_stars = stars;
	rules->globs[rules->glob_count++] = (struct glob){
		.key = key,
		.composed = composed_of(key),
		.rule = r,
		.literals = count_literals(r->from),
		.order = order,
	};
}

static bool
check_twice(const struct place_rules *rules, struct err *err)
{
	for (size_t i = 1; i < rules->exact_count; i++) {
		const struct exact *a = &rules->exacts[i - 1];
		const struct exact *b = &rules->exacts[i];
		if (strcmp(a->key, b->key) == 0 &&
		    strcmp(a->rule->to, b->rule->to) != 0) {
			err_set(err, ERR_RUN, ERR_USAGE,
			    "--map sends %s to two mailboxes, %s and %s",
			    a->rule->from, a->rule->to, b->rule->to);
			return err_hint(err, "Leave one of the two out");
		}
	}

	return true;
}

bool
place_rules_new(struct place_rules **out, const struct place_rule *array,
    size_t n, struct err *err)
{
	struct place_rules *rules = mem_new(sizeof(*rules));
	bool ok = true;

	*out = rules;
	rules->exacts = mem_array(n + 1, sizeof(*rules->exacts));
	rules->globs = mem_array(n + 1, sizeof(*rules->globs));
	for (size_t i = 0; i < n && ok; i++) {
		ok = check_rule(&array[i], err);
		if (ok)
			add_rule(rules, &array[i], i);
	}
	qsort(rules->exacts, rules->exact_count, sizeof(*rules->exacts),
	    by_composed);
	qsort(rules->globs, rules->glob_count, sizeof(*rules->globs),
	    by_literals);
	if (ok && check_twice(rules, err))
		return true;
	place_rules_free(out);

	return false;
}

void
place_rules_free(struct place_rules **rules)
{
	struct place_rules *r = *rules;

	if (r == NULL)
		return;
	for (size_t i = 0; i < r->exact_count; i++) {
		free(r->exacts[i].key);
		free(r->exacts[i].composed);
	}
	for (size_t i = 0; i < r->glob_count; i++) {
		free(r->globs[i].key);
		free(r->globs[i].composed);
	}
	free(r->exacts);
	free(r->globs);
	free(r);
	*rules = NULL;
}

/* The first whose composed name is not below this one. */
static size_t
lower_bound(const struct place_rules *rules, const char *composed)
{
	size_t low = 0, high = rules->exact_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(rules->exacts[middle].composed, composed) < 0)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

/* That FROM exactly, else one that composes to the same and is no other
 * mailbox's; NULL: neither. */
static struct exact *
find_exact(
    const struct place_rules *rules, const char *key, const char *composed)
{
	struct exact *like = NULL;

	for (size_t i = lower_bound(rules, composed);
	     i < rules->exact_count &&
	     strcmp(rules->exacts[i].composed, composed) == 0;
	     i++) {
		struct exact *e = &rules->exacts[i];
		if (strcmp(e->key, key) == 0)
			return e;
		if (like == NULL && !e->seen)
			like = e;
	}

	return like;
}

void
place_rules_see(struct place_rules *rules, const char *display)
{
	if (rules->exact_count == 0)
		return;
	char *key = key_of(display), *composed = composed_of(key);
	struct exact *e = find_exact(rules, key, composed);
	/* One FROM may be given twice, with one TO. */
	for (struct exact *end = rules->exacts + rules->exact_count;
	     e != NULL && e < end && strcmp(e->key, key) == 0; e++)
		e->seen = true;
	free(composed);
	free(key);
}

/* Where to go on if what follows a star doesn't match. */
struct retry {
	const char *pattern, *at; /* NULL: no such star yet */
	size_t star;
};

static bool
extend(struct retry *r, const char *stop, const char **pattern, const char **at,
    size_t *star, struct capture *captures)
{
	if (r->pattern == NULL || strchr(stop, *r->at) != NULL) {
		r->pattern = NULL;
		return false;
	}
	*pattern = r->pattern;
	*at = ++r->at;
	*star = r->star + 1;
	captures[r->star].end = *at;

	return true;
}

/*
 * Only the last '*' and the last '**' are ever tried longer: an earlier one
 * that takes less leaves no less to those behind it. Where a '*' fails up to
 * the end of its level, it would fail with the '**' before it anywhere in the
 * same level, too: as many '/' lie between the two in any case. So the steps
 * are bounded by the length of the name times that of the pattern.
 */
static bool
match(const char *pattern, const char *at, struct capture *captures)
{
	struct retry level = { 0 }, all = { 0 };
	size_t star = 0;

	while (*pattern != '\0' || *at != '\0') {
		if (*pattern == '*') {
			bool across = pattern[1] == '*';
			while (*pattern == '*')
				pattern++;
			captures[star] = (struct capture){ at, at };
			level = (struct retry){ pattern, at, star++ };
			if (across) {
				all = level;
				level.pattern = NULL;
			}
			continue;
		}
		if (*at != '\0' && *pattern == *at) {
			pattern++;
			at++;
			continue;
		}
		bool tried = level.pattern != NULL;
		if (extend(&level, "/", &pattern, &at, &star, captures))
			continue;
		if (tried && all.pattern != NULL)
			all.at += strcspn(all.at, "/");
		if (!extend(&all, "", &pattern, &at, &star, captures))
			return false;
	}

	return true;
}

/* As the mailbox's own, not as typed: a '%' that looks like an escape is no
 * escape, but for the %2F of a display name. */
static void
add_capture(struct buf *to, const struct capture *c)
{
	static const char hex[] = "0123456789ABCDEFabcdef";

	for (const char *p = c->start; p < c->end; p++) {
		buf_char(to, *p);
		if (*p == '%' && c->end - p > 2 && strncmp(p, "%2F", 3) != 0 &&
		    strspn(p + 1, hex) >= 2)
			buf_str(to, "25");
	}
}

static void
substitute(struct buf *to, const char *text, const struct capture *captures)
{
	buf_clear(to);
	buf_add(to, "", 0);
	while (*text != '\0') {
		if (*text != '*') {
			buf_char(to, *text++);
			continue;
		}
		while (*text == '*')
			text++;
		add_capture(to, captures++);
	}
}

const struct place_rule *
place_rules_find(
    const struct place_rules *rules, const char *display, struct buf *to)
{
	if (rules->exact_count == 0 && rules->glob_count == 0)
		return NULL;
	char *key = key_of(display), *composed = composed_of(key);
	const struct exact *e = find_exact(rules, key, composed);
	const struct place_rule *found = NULL;
	if (e != NULL) {
		found = e->rule;
		buf_clear(to);
		buf_str(to, found->to);
	}
	struct capture *captures =
	    mem_array(rules->most_stars + 1, sizeof(*captures));
	for (size_t i = 0; i < rules->glob_count && found == NULL; i++) {
		const struct glob *g = &rules->globs[i];
		if (!match(g->key, key, captures) &&
		    !match(g->composed, composed, captures))
			continue;
		substitute(to, g->rule->to, captures);
		/* A name that is nothing but what a star found is nothing. */
		if (to->len > strspn(to->data, "/"))
			found = g->rule;
	}
	free(captures);
	free(composed);
	free(key);

	return found;
}

bool
place_rule_fixed(const struct place_rule *r)
{
	return strchr(r->to, '*') == NULL;
}
