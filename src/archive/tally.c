#include "tally.h"

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int64_t
finish(struct buf *facts)
{
	int64_t hash = hash64_of(facts->data, facts->len);
	buf_free(facts);

	return hash;
}

int64_t
tally_file(
    const char *path, uint64_t plain, uint64_t size, const uint8_t *sha256)
{
	struct buf facts = { 0 };
	buf_fmt(&facts, "file %llu %llu ", (unsigned long long)plain,
	    (unsigned long long)size);
	if (sha256 != NULL)
		buf_add(&facts, sha256, DIGEST_SIZE);
	buf_str(&facts, path);

	return finish(&facts);
}

int64_t
tally_link(const char *path, const char *target)
{
	struct buf facts = { 0 };
	buf_fmt(&facts, "link %s", target);
	buf_add(&facts, path, strlen(path) + 1);

	return finish(&facts);
}

static struct tally_row *
find(const struct tally *t, int64_t path)
{
	size_t i = (uint64_t)path % t->cap;
	while (t->rows[i].path != 0 && t->rows[i].path != path)
		i = (i + 1) % t->cap;

	return &t->rows[i];
}

static void
grow(struct tally *t)
{
	struct tally old = *t;
	t->cap = old.cap == 0 ? 1024 : 2 * old.cap;
	t->rows = mem_array(t->cap, sizeof(*t->rows));
	for (size_t i = 0; i < old.cap; i++)
		if (old.rows[i].path != 0)
			*find(t, old.rows[i].path) = old.rows[i];
	free(old.rows);
}

bool
tally_put(struct tally *t, const char *path, int64_t facts)
{
	if (t->count >= TALLY_MAX)
		return false;
	if (4 * (t->count + 1) > 3 * t->cap)
		grow(t);

	int64_t key = hash64_of(path, strlen(path));
	struct tally_row *row = find(t, key);
	t->count += row->path == 0;
	*row = (struct tally_row){ .path = key, .facts = facts };

	return true;
}

int64_t
tally_get(const struct tally *t, const char *path)
{
	return t->cap == 0 ? 0 : find(t, hash64_of(path, strlen(path)))->facts;
}

void
tally_free(struct tally *t)
{
	free(t->rows);
	*t = (struct tally){ 0 };
}
