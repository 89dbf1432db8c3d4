#include "ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "find.h"

static bool
add(struct ids *ids, struct index *index, const char *hex, struct err *err)
{
	if ((ids->n & (ids->n - 1)) == 0)
		ids->sha256 = mem_grow(ids->sha256,
		    ids->n == 0 ? 1 : ids->n * 2, sizeof(*ids->sha256));

	return find_hash(index, hex, ids->sha256[ids->n++], err);
}

/* What follows an ID in a line, as find prints it, is for people. */
static bool
add_line(struct ids *ids, struct index *index, char *line, struct err *err)
{
	line += strspn(line, " \t\r\n");
	line[strcspn(line, " \t\r\n")] = '\0';

	return *line == '\0' || add(ids, index, line, err);
}

static bool
read_lines(struct ids *ids, struct index *index, FILE *in, const char *name,
    struct err *err)
{
	char *line = NULL;
	size_t room = 0;
	bool ok = true;
	while (ok && getline(&line, &room, in) >= 0)
		ok = add_line(ids, index, line, err);
	if (ok && ferror(in))
		ok = err_errno(err, ERR_RUN, "reading %s", name);
	free(line);

	return ok;
}

static bool
read_file(
    struct ids *ids, struct index *index, const char *path, struct err *err)
{
	if (strcmp(path, "-") == 0)
		return read_lines(ids, index, stdin, "standard input", err);
	FILE *in = fopen(path, "re");
	if (in == NULL)
		return err_set(err, ERR_RUN, ERR_USAGE, "--ids-from %s: %s",
		    path, strerror(errno));
	bool ok = read_lines(ids, index, in, path, err);
	fclose(in);

	return ok;
}

static int
by_octets(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void
drop_repeats(struct ids *ids)
{
	size_t n = 0;
	if (ids->n == 0)
		return;
	qsort(ids->sha256, ids->n, sizeof(*ids->sha256), by_octets);
	for (size_t i = 1; i < ids->n; i++)
		if (memcmp(ids->sha256[n], ids->sha256[i], 32) != 0)
			memcpy(ids->sha256[++n], ids->sha256[i], 32);
	ids->n = n + 1;
}

bool
ids_read(struct ids *ids, struct index *index, const struct list *given,
    const char *from, struct err *err)
{
	*ids = (struct ids){ 0 };
	for (size_t i = 0; i < given->n; i++)
		if (!add(ids, index, given->items[i], err))
			return false;
	if (from != NULL && !read_file(ids, index, from, err))
		return false;
	drop_repeats(ids);

	return true;
}

void
ids_free(struct ids *ids)
{
	free(ids->sha256);
	*ids = (struct ids){ 0 };
}

bool
ids_text(struct index *index, const uint8_t sha256[32], char out[ID_TEXT],
    struct err *err)
{
	static const size_t lengths[] = { 12, 16, 24 };
	char hex[65];
	uint8_t first[32];
	digest_hex(hex, sha256, 32);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = 0;
		memcpy(out, hex, lengths[i]);
		out[lengths[i]] = '\0';
		if (!index_hash_by_prefix(index, out, first, &n, err))
			return false;
		if (n <= 1)
			return true;
	}
	memcpy(out, hex, sizeof(hex));

	return true;
}
