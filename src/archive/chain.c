/* The chain of manifests: each names the SHA-256 of the one before. */
#include "archive/manifest.h"

#include "archive/archive.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "lines.h"
#include "volumes.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct link {
	const char *name; /* borrowed from the list */
	char *previous;   /* NULL: the first, or unknown */
	uint8_t sha256[DIGEST_SIZE], previous_sha256[DIGEST_SIZE];
	bool readable;
	size_t next; /* who names us; none: SIZE_MAX */
	bool walked;
};

struct chain {
	const char *dir;
	struct link *links;
	size_t count;
	void (*volume)(
	    void *arg, const char *run, const struct manifest_volume *);
	void (*finding)(void *arg, const char *run, const char *what);
	void (*link)(void *arg, const struct manifest_link *);
	void *arg;
};

/* One manifest being read. */
struct reading {
	const struct chain *chain;
	struct link *link;
	uint64_t lines;
	bool ended;      /* the end line was seen */
	const char *why; /* first thing wrong; NULL: none yet */
	bool tell;       /* second pass: volumes are told */
};

static void
find(const struct chain *c, const char *run, const char *what)
{
	if (c->finding != NULL)
		c->finding(c->arg, run, what);
}

/* ---- lines ---- */

static const char *
text_of(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static bool
hash_of(const json_t *line, const char *key, uint8_t out[DIGEST_SIZE])
{
	const char *hex = text_of(line, key);

	return hex != NULL && digest_unhex(hex, strlen(hex), out, DIGEST_SIZE);
}

static bool
take_run(struct reading *r, const json_t *line)
{
	const char *name = text_of(line, "name");
	const char *previous = text_of(line, "previous");
	if (name == NULL || strcmp(name, r->link->name) != 0) {
		r->why = "it is the manifest of another run";
		return false;
	}
	if (previous == NULL || r->link->previous != NULL)
		return true;
	if (!hash_of(line, "previous_sha256", r->link->previous_sha256)) {
		r->why = "it doesn't say which SHA-256 the run before has";
		return false;
	}
	r->link->previous = mem_str(previous);

	return true;
}

static bool
take_volume(struct reading *r, const json_t *line)
{
	struct manifest_volume v = { .name = text_of(line, "name") };
	const json_t *octets = json_object_get(line, "octets");
	const json_t *frames = json_object_get(line, "frames");
	if (v.name == NULL || !hash_of(line, "sha256", v.sha256) ||
	    !json_is_integer(octets) || !json_is_integer(frames)) {
		r->why = "a volume line lacks what it must have";
		return false;
	}
	v.octets = (uint64_t)json_integer_value(octets);
	v.frames = (uint64_t)json_integer_value(frames);
	if (r->tell && r->chain->volume != NULL)
		r->chain->volume(r->chain->arg, r->link->name, &v);

	return true;
}

static bool
take_replaced(struct reading *r, const json_t *line)
{
	struct manifest_volume v = { .name = text_of(line, "name"),
		.replaced_by = text_of(line, "by") };
	const json_t *octets = json_object_get(line, "octets");
	if (v.name == NULL || v.replaced_by == NULL ||
	    !hash_of(line, "sha256", v.sha256) || !json_is_integer(octets)) {
		r->why = "a line about a replaced volume lacks what it must "
			 "have";
		return false;
	}
	v.octets = (uint64_t)json_integer_value(octets);
	if (r->tell && r->chain->volume != NULL)
		r->chain->volume(r->chain->arg, r->link->name, &v);

	return true;
}

static bool
take_end(struct reading *r, const json_t *line)
{
	const json_t *lines = json_object_get(line, "lines");
	r->ended = true;
	if (json_is_integer(lines) &&
	    (uint64_t)json_integer_value(lines) == r->lines)
		return true;
	r->why = "it has lost lines";

	return false;
}

/* Whose message it is must be told, or the fold of the chain would lose it. */
static bool
take_placement(struct reading *r, const json_t *line)
{
	if (text_of(line, "account") != NULL &&
	    (text_of(line, "wire") != NULL ||
		text_of(line, "wire_hex") != NULL) &&
	    json_is_integer(json_object_get(line, "uidvalidity")) &&
	    json_is_integer(json_object_get(line, "uid")))
		return true;
	r->why = "a line doesn't say whose message it is";

	return false;
}

static bool
take_other(struct reading *r, const json_t *line)
{
	(void)r, (void)line;

	return true;
}

static const struct {
	const char *type;
	bool (*take)(struct reading *, const json_t *);
} types[] = {
	{ "run", take_run },
	{ "volume", take_volume },
	{ "replaced", take_replaced },
	{ "moved", take_other },
	{ "end", take_end },
	{ "account", take_other },
	{ "mailbox", take_other },
	{ "begun", take_placement },
	{ "ended", take_placement },
	{ "outcome", take_placement },
};

static bool
take_object(struct reading *r, const json_t *line)
{
	const char *type = text_of(line, "type");
	bool first = r->lines == 1;
	r->why = "it doesn't start with its run";
	if (first != (type != NULL && strcmp(type, "run") == 0))
		return false;
	r->why = "lines follow its end";
	if (r->ended)
		return false;

	r->why = NULL;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type == NULL ? "" : type, types[i].type) == 0)
			return types[i].take(r, line);
	r->why = "a line is of no known type";

	return false;
}

/* Where only the chain is asked for, a line about a message counts as one, and
 * is looked at by whoever reads it: they are nearly all there is. */
static bool
is_passed_over(const struct reading *r, const char *data, size_t len)
{
	static const char begun[] = "{\"type\":\"begun\",";

	return r->chain->link != NULL && r->lines > 1 && !r->ended &&
	       len > sizeof(begun) &&
	       memcmp(data, begun, sizeof(begun) - 1) == 0;
}

static bool
take_line(void *arg, const char *data, size_t len)
{
	struct reading *r = arg;
	r->lines++;
	if (is_passed_over(r, data, len))
		return true;
	json_t *line = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(line)) {
		json_decref(line);
		r->why = "a line is no JSON object";
		return false;
	}
	bool ok = take_object(r, line);
	json_decref(line);

	return ok;
}

/* ---- files ---- */

static bool
read_stream(struct reading *r, int fd, struct digest *digest)
{
	struct lines lines = { .each = take_line, .arg = r };
	const char *why = NULL;
	bool ok = lines_unpack(fd, &lines, digest, &why);
	if (!ok && why != NULL)
		r->why = why;
	if (ok && !r->ended) {
		r->why = "its end is missing";
		ok = false;
	}
	lines_free(&lines);

	return ok;
}

/* False only if it can't be opened. */
static bool
read_manifest(const struct chain *c, struct link *link, bool tell,
    const char **why, struct err *err)
{
	struct reading r = { .chain = c, .link = link, .tell = tell };
	char *path =
	    mem_fmt("%s/%s/%s.jsonl.zst", c->dir, ARCHIVE_RUNS, link->name);
	int fd = file_open(path, O_RDONLY, ERR_RUN, err);
	free(path);
	*why = "it is not a file";
	if (fd < 0)
		return err->code == ERR_DAMAGED;

	struct digest *digest = digest_new();
	digest_start(digest);
	link->readable = read_stream(&r, fd, digest);
	digest_end(digest, link->sha256);
	digest_free(&digest);
	close(fd);
	*why = r.why;

	return true;
}

/* ---- the chain ---- */

static size_t
look_up(const struct chain *c, const char *name)
{
	size_t low = 0, high = c->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(c->links[mid].name, name);
		if (order == 0)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}

	return SIZE_MAX;
}

static void
join(struct chain *c, size_t i)
{
	struct link *link = &c->links[i];
	if (link->previous == NULL)
		return;

	size_t before = look_up(c, link->previous);
	if (before == SIZE_MAX)
		find(
		    c, link->name, "the manifest of the run before is missing");
	else if (memcmp(c->links[before].sha256, link->previous_sha256,
		     DIGEST_SIZE) != 0)
		find(c, link->name,
		    "the manifest of the run before has another SHA-256");
	if (before == SIZE_MAX)
		return;
	if (c->links[before].next != SIZE_MAX)
		find(c, link->name,
		    "another run names the same run as the one before");
	else
		c->links[before].next = i;
}

static void
tell_link(const struct chain *c, const struct link *link)
{
	struct manifest_link told = { .name = link->name,
		.readable = link->readable,
		.previous = link->previous };
	if (c->link == NULL)
		return;
	memcpy(told.sha256, link->sha256, DIGEST_SIZE);
	memcpy(told.previous_sha256, link->previous_sha256, DIGEST_SIZE);
	c->link(c->arg, &told);
}

static bool
tell_from(struct chain *c, size_t i,
    void (*run)(void *arg, const char *name, const uint8_t sha256[32]),
    struct err *err)
{
	for (; i != SIZE_MAX && !c->links[i].walked; i = c->links[i].next) {
		struct link *link = &c->links[i];
		const char *why;
		link->walked = true;
		tell_link(c, link);
		if (run != NULL)
			run(c->arg, link->name, link->sha256);
		if (c->volume != NULL && link->readable &&
		    !read_manifest(c, link, true, &why, err))
			return false;
	}

	return true;
}

/* From each start, then what hangs on nothing (a ring, a missing start). */
static bool
tell_all(struct chain *c,
    void (*run)(void *arg, const char *name, const uint8_t sha256[32]),
    struct err *err)
{
	size_t starts = 0;
	for (size_t i = 0; i < c->count; i++)
		if (c->links[i].readable && c->links[i].previous == NULL) {
			if (starts++ > 0)
				find(c, c->links[i].name,
				    "a second run says that it is the first");
			if (!tell_from(c, i, run, err))
				return false;
		}
	for (size_t i = 0; i < c->count; i++)
		if (!tell_from(c, i, run, err))
			return false;

	return true;
}

static bool
read_all(struct chain *c, char **names, struct err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		const char *why;
		c->links[i].name = names[i];
		c->links[i].next = SIZE_MAX;
		if (!read_manifest(c, &c->links[i], false, &why, err))
			return false;
		if (!c->links[i].readable)
			find(c, names[i], why);
	}
	for (size_t i = 0; i < c->count; i++)
		join(c, i);

	return true;
}

static bool
walk(struct chain *c,
    void (*run)(void *arg, const char *name, const uint8_t sha256[32]),
    struct err *err)
{
	char **names;
	if (!volumes_list(
		c->dir, ARCHIVE_RUNS, ".jsonl.zst", &names, &c->count, err))
		return false;

	c->links = mem_array(c->count + 1, sizeof(*c->links));
	bool ok = read_all(c, names, err) && tell_all(c, run, err);
	for (size_t i = 0; i < c->count; i++)
		free(c->links[i].previous);
	free(c->links);
	volumes_list_free(names, c->count);

	return ok;
}

bool
manifest_check(const char *dir,
    void (*volume)(void *arg, const char *run, const struct manifest_volume *),
    void (*run)(void *arg, const char *name, const uint8_t sha256[32]),
    void (*finding)(void *arg, const char *run, const char *what), void *arg,
    struct err *err)
{
	struct chain c = {
		.dir = dir, .volume = volume, .finding = finding, .arg = arg
	};

	return walk(&c, run, err);
}

bool
manifest_chain(const char *dir,
    void (*each)(void *arg, const struct manifest_link *),
    void (*finding)(void *arg, const char *run, const char *what), void *arg,
    struct err *err)
{
	struct chain c = {
		.dir = dir, .link = each, .finding = finding, .arg = arg
	};

	return walk(&c, NULL, err);
}
