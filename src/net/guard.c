#include "net/guard.h"

#include <ctype.h>
#include <string.h>

enum breach {
	BREACH_NONE,
	BREACH_LINE,
	BREACH_LINES,
	BREACH_ANSWER,
	BREACH_DEPTH,
	BREACH_OPENED,
	BREACH_LITERAL,
	BREACH_NUL,
	BREACH_BADCHARSET
};

/*
 * What the control plane may contain. Message data never passes here, so the
 * limits can be far below what a body needs and far above what any server
 * says about capabilities, mailboxes and states.
 */
static const struct {
	uint64_t limit;
	const char *text;
} limits[] = {
	[BREACH_NONE] = { 0, NULL },
	/* The longest honest lines: FLAGS with some thousands of keywords and
	 * SEARCH with 100,000 UIDs. libetpan keeps about 60 octets per item,
	 * so a line costs at most some 30 MiB. */
	[BREACH_LINE] = { 1 << 20, "a line of more than 1 MiB" },
	/* A LIST of a quarter of a million mailboxes; each becomes some 300
	 * octets of libetpan's lists. */
	[BREACH_LINES] = { 1 << 18, "more than 262,144 lines in one answer" },
	[BREACH_ANSWER] = { 64 << 20, "an answer of more than 64 MiB" },
	/* Its parser is recursive and dies at some 20,000 levels in an 8 MiB
	 * stack. NAMESPACE needs 3, an honest BODYSTRUCTURE under 20. */
	[BREACH_DEPTH] = { 32, "parentheses nested more than 32 deep" },
	/* Quotes can be made to hide the true depth, but not from a plain
	 * count: no response can nest deeper than this. */
	[BREACH_OPENED] = { 2000, "more than 2,000 lists in one response" },
	/* It allocates what the peer announces, and its sizes wrap at 2^32. */
	[BREACH_LITERAL] = { 1 << 20, "a literal of more than 1 MiB" },
	/* Its text is C strings. */
	[BREACH_NUL] = { 0, "a NUL octet" },
	/* It dereferences NULL on it, in any response. */
	[BREACH_BADCHARSET] = { 0, "a BADCHARSET response code" },
};

/* Blanks after "[" are skipped, as libetpan's own tokens do. "[" stands only
 * at the start, so a failed match can only begin anew at a "[". */
static bool
ends_badcharset(struct guard *g, char c)
{
	static const char word[] = "[BADCHARSET";

	if (g->matched == 1 && (c == ' ' || c == '\t'))
		return false;
	if (toupper((unsigned char)c) == word[g->matched])
		g->matched++;
	else
		g->matched = c == '[';
	if (word[g->matched] != '\0')
		return false;
	g->matched = 0;

	return true;
}

/* "{n}" with the blanks that libetpan forgives, and "{n+}". */
static enum breach
scan_brace(struct guard *g, char c)
{
	if (c == '{') {
		g->brace = GUARD_NUMBER;
		g->announced = 0;
	} else if (c == ' ' || c == '\t' || c == '\r') {
		return BREACH_NONE;
	} else if (g->brace == GUARD_NUMBER && c >= '0' && c <= '9') {
		/* Stays above the limit once there, without overflow. */
		if (g->announced <= limits[BREACH_LITERAL].limit)
			g->announced = g->announced * 10 + (uint64_t)(c - '0');
	} else if (g->brace == GUARD_NUMBER && c == '}') {
		g->brace = GUARD_CLOSED;
		if (g->announced > limits[BREACH_LITERAL].limit)
			return BREACH_LITERAL;
	} else if (g->brace != GUARD_NUMBER || c != '+') {
		g->brace = GUARD_PLAIN;
	}

	return BREACH_NONE;
}

static enum breach
scan_list(struct guard *g, char c)
{
	if (c == '(' && ++g->opened > limits[BREACH_OPENED].limit)
		return BREACH_OPENED;
	if (g->literal > 0)
		return BREACH_NONE;

	if (g->escaped)
		g->escaped = false;
	else if (g->quoted && c == '\\')
		g->escaped = true;
	else if (c == '"')
		g->quoted = !g->quoted;
	else if (!g->quoted && c == ')' && g->depth > 0)
		g->depth--;
	else if (!g->quoted && c == '(')
		g->depth++;

	return g->depth > limits[BREACH_DEPTH].limit ? BREACH_DEPTH
						     : BREACH_NONE;
}

/* A response ends with its line, unless a literal begins or goes on. */
static enum breach
end_line(struct guard *g)
{
	bool literal_begins = g->brace == GUARD_CLOSED;
	bool literal_goes_on = g->literal > 0;

	g->line = 0;
	g->brace = GUARD_PLAIN;
	g->quoted = g->escaped = false;
	if (literal_begins && !literal_goes_on)
		g->literal = g->announced;
	if (!literal_begins && !literal_goes_on) {
		g->depth = 0;
		g->opened = 0;
	}

	return ++g->lines > limits[BREACH_LINES].limit ? BREACH_LINES
						       : BREACH_NONE;
}

static enum breach
scan_octet(struct guard *g, char c)
{
	if (c == '\0')
		return BREACH_NUL;
	if (++g->octets > limits[BREACH_ANSWER].limit)
		return BREACH_ANSWER;
	if (++g->line > limits[BREACH_LINE].limit)
		return BREACH_LINE;
	if (ends_badcharset(g, c))
		return BREACH_BADCHARSET;

	enum breach breach;
	if (c == '\n')
		return end_line(g);
	if ((breach = scan_brace(g, c)) != BREACH_NONE ||
	    (breach = scan_list(g, c)) != BREACH_NONE)
		return breach;

	return BREACH_NONE;
}

const char *
guard_scan(struct guard *g, const void *data, size_t n)
{
	const char *octets = data;
	for (size_t i = 0; i < n; i++) {
		bool within = g->literal > 0;
		enum breach breach = scan_octet(g, octets[i]);
		if (breach != BREACH_NONE)
			return limits[breach].text;
		if (within)
			g->literal--;
	}

	return NULL;
}
