#include "nearest.h"

#include <string.h>

enum { NAME_MAX_LEN = 40 };

static char
fold(char c)
{
	if (c == '-')
		return '_';

	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's, row by row. Neither is longer than NAME_MAX_LEN. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t above = row[j];
			size_t changed =
			    diagonal + (fold(a[i - 1]) != fold(b[j - 1]));
			row[j] = least(changed, least(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}

	return row[b_len];
}

void
nearest_offer(struct nearest *n, const char *name)
{
	size_t len = strlen(n->word), far = len / 3 + 1;

	if (len > NAME_MAX_LEN || strlen(name) > NAME_MAX_LEN)
		return;
	size_t d = distance(n->word, name);
	if (d > far || d >= strlen(name) ||
	    (n->best != NULL && d >= n->distance))
		return;
	n->best = name;
	n->distance = d;
}
