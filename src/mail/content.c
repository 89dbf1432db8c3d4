#include "mail/content.h"

#include "base/file.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FIRST_ROOM = 4 << 10,
	/* Digests kept for the next messages: about as many as lanes. */
	SPARE_MAX = 16,
	/* A piece that is read from the spool at a time. */
	PIECE = 256 << 10,
	/* Of a spooled message, collected before it is written; from STRAIGHT
	 * on a piece is worth a write of its own. */
	TAIL = 256 << 10,
	STRAIGHT = 64 << 10
};

/* Where the search for the empty line stands. */
enum line {
	LINE_START, /* at the first octet of a line */
	LINE_CR,    /* the line so far is one CR */
	LINE_TEXT,  /* the line holds something */
	LINE_FOUND  /* the header section has ended */
};

/*
 * In memory: memory[0, size) are the octets. Spooled: the file holds
 * [0, written), memory[0, CONTENT_HEADER_MAX) the first octets, and
 * memory[CONTENT_HEADER_MAX, ...) those of [written, size), TAIL at most.
 */
struct content {
	char *memory;
	size_t room;
	uint64_t size, written;
	uint64_t header_size;  /* once line is LINE_FOUND or it is finished */
	int64_t body_hash;     /* 0: not computed yet */
	struct digest *digest; /* of all so far, until it is finished; NULL:
				  hashed later */
	uint8_t sha256[DIGEST_SIZE];
	enum line line;
	uint64_t expected;
	int fd; /* -1: in memory */
	bool finished, hashed;
	bool forgotten; /* only the header section is left */
	char dir[];
};

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by spare_lock. */
static struct digest *spares[SPARE_MAX];
static size_t spare_count;

/* A small message must not pay for the allocation of a digest. */
static struct digest *
take_digest(void)
{
	struct digest *digest = NULL;

	pthread_mutex_lock(&spare_lock);
	if (spare_count > 0)
		digest = spares[--spare_count];
	pthread_mutex_unlock(&spare_lock);
	if (digest == NULL)
		digest = digest_new();
	digest_start(digest);

	return digest;
}

static void
give_digest(struct digest **digest)
{
	if (*digest == NULL)
		return;
	pthread_mutex_lock(&spare_lock);
	if (spare_count < SPARE_MAX) {
		spares[spare_count++] = *digest;
		*digest = NULL;
	}
	pthread_mutex_unlock(&spare_lock);
	digest_free(digest);
}

static const char *
spool_dir(const char *dir)
{
	if (dir == NULL)
		dir = getenv("TMPDIR");

	return dir != NULL && dir[0] != '\0' ? dir : "/tmp";
}

struct content *
content_new(const char *dir, uint64_t expected)
{
	const char *folder = spool_dir(dir);
	size_t len = strlen(folder);
	struct content *c = mem_new(sizeof(*c) + len + 1);

	memcpy(c->dir, folder, len + 1);
	c->fd = -1;
	c->expected = expected;
	if (expected > CONTENT_MEMORY)
		expected = CONTENT_HEADER_MAX + TAIL;
	if (expected > 0) {
		c->room = (size_t)expected;
		c->memory = mem_grow(NULL, c->room, 1);
	}

	return c;
}

/* Feed the search for the empty line: memchr, so each octet is seen once. */
static void
find_header_end(struct content *c, const char *data, size_t n)
{
	const char *p = data, *end = data + n;

	while (p < end && c->line != LINE_FOUND) {
		if (c->line == LINE_TEXT) {
			p = memchr(p, '\n', (size_t)(end - p));
			if (p == NULL)
				return;
			c->line = LINE_START;
		} else if (*p == '\n') {
			c->line = LINE_FOUND;
			c->header_size = c->size + (uint64_t)(p - data) + 1;
		} else if (*p == '\r' && c->line == LINE_START) {
			c->line = LINE_CR;
		} else {
			c->line = LINE_TEXT;
		}
		p++;
	}
}

static void
make_room(struct content *c, size_t need)
{
	if (need <= c->room)
		return;
	size_t room = c->room < FIRST_ROOM ? FIRST_ROOM : c->room * 2;
	while (room < need)
		room *= 2;
	if (room > CONTENT_MEMORY)
		room = CONTENT_MEMORY;
	c->memory = mem_grow(c->memory, room, 1);
	c->room = room;
}

static int
open_named(const char *dir)
{
	char *path = mem_fmt("%s/mailhaul-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		unlink(path);
	free(path);

	return fd;
}

static bool
spool_failed(struct err *err)
{
	err->scope = ERR_RUN;

	return err_hint(err, "Make room there, or name a folder on another "
			     "disk with TMPDIR.");
}

static bool
open_spool(struct content *c, struct err *err)
{
	c->fd = open(c->dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	/* Not every file system has unnamed files (open(2), O_TMPFILE). */
	if (c->fd < 0 &&
	    (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		c->fd = open_named(c->dir);
	if (c->fd >= 0)
		return true;
	err_errno(err, ERR_RUN, "cannot make a spool file in %s", c->dir);

	return spool_failed(err);
}

static bool
write_spool(struct content *c, const char *data, size_t n, struct err *err)
{
	if (!file_pwrite(c->fd, data, n, c->written, c->dir, err))
		return spool_failed(err);
	c->written += n;

	return true;
}

/* From now on memory holds the first octets and what is not yet written. */
static bool
move_to_file(struct content *c, struct err *err)
{
	return open_spool(c, err) &&
	       (c->size == 0 ||
		   write_spool(c, c->memory, (size_t)c->size, err));
}

static void
keep_head(struct content *c, const char *data, size_t n)
{
	if (c->size >= CONTENT_HEADER_MAX)
		return;
	size_t room = CONTENT_HEADER_MAX - (size_t)c->size;
	memcpy(c->memory + c->size, data, n < room ? n : room);
}

static bool
add_to_file(struct content *c, const char *data, size_t n, struct err *err)
{
	char *tail = c->memory + CONTENT_HEADER_MAX;
	size_t waiting = (size_t)(c->size - c->written);
	bool straight = n >= STRAIGHT;

	keep_head(c, data, n);
	if (waiting > 0 && (straight || waiting + n > TAIL)) {
		if (!write_spool(c, tail, waiting, err))
			return false;
		waiting = 0;
	}
	if (!straight)
		memcpy(tail + waiting, data, n);
	else if (!write_spool(c, data, n, err))
		return false;
	c->size += n;

	return true;
}

/* The octets at offset that lie in memory, as many as are in one piece. */
static const char *
in_memory(const struct content *c, uint64_t offset, uint64_t *n)
{
	if (c->fd < 0) {
		*n = c->size - offset;
		return c->memory + offset;
	}
	if (offset >= c->written) {
		*n = c->size - offset;
		return c->memory + CONTENT_HEADER_MAX + (offset - c->written);
	}
	*n = c->written - offset;

	return NULL;
}

static bool
each_of(const struct content *c, uint64_t offset, uint64_t n,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	char *piece = NULL;
	bool ok = true;

	while (ok && n > 0) {
		uint64_t there;
		const char *octets = in_memory(c, offset, &there);
		size_t step = there < n ? (size_t)there : (size_t)n;
		if (octets == NULL) {
			if (step > PIECE)
				step = PIECE;
			if (piece == NULL)
				piece = mem_grow(NULL, step, 1);
			ok =
			    file_pread(c->fd, piece, step, offset, c->dir, err);
			octets = piece;
		}
		ok = ok && each(arg, octets, step, err);
		offset += step;
		n -= step;
	}
	free(piece);

	return ok;
}

static bool
digest_piece(void *digest, const void *data, size_t n, struct err *err)
{
	(void)err;
	digest_add(digest, data, n);

	return true;
}

/* From CONTENT_HASH_LATER on whoever waits for the hash would wait long. */
static bool
hash_so_far(struct content *c, size_t n, struct err *err)
{
	if (c->digest != NULL || (c->expected <= CONTENT_HASH_LATER &&
				     c->size + n <= CONTENT_HASH_LATER))
		return true;
	c->digest = take_digest();

	return each_of(c, 0, c->size, digest_piece, c->digest, err);
}

bool
content_add(struct content *c, const void *data, size_t n, struct err *err)
{
	const char *octets = data;

	assert(!c->finished);
	if (n == 0)
		return true;
	if (c->line != LINE_FOUND)
		find_header_end(c, octets, n);
	if (c->fd < 0 && c->expected <= CONTENT_MEMORY) {
		size_t fits = CONTENT_MEMORY - (size_t)c->size;
		if (fits > n)
			fits = n;
		make_room(c, (size_t)c->size + fits);
		memcpy(c->memory + c->size, octets, fits);
		c->size += fits;
		if (fits == n)
			return true;
		octets += fits;
		n -= fits;
	}
	if ((c->fd < 0 && !move_to_file(c, err)) || !hash_so_far(c, n, err))
		return false;
	if (c->digest != NULL)
		digest_add(c->digest, octets, n);

	return add_to_file(c, octets, n, err);
}

static void
set_sha256(struct content *c)
{
	digest_end(c->digest, c->sha256);
	give_digest(&c->digest);
	c->hashed = true;
}

const uint8_t *
content_sha256(struct content *c)
{
	assert(c->finished);
	if (!c->hashed) {
		assert(c->fd < 0);
		c->digest = take_digest();
		digest_add(c->digest, c->memory, (size_t)c->size);
		set_sha256(c);
	}

	return c->sha256;
}

/* Give back what this message doesn't need; the queue holds many. */
static void
trim(struct content *c)
{
	size_t need = (size_t)c->size;

	if (c->fd >= 0) {
		struct err err;
		size_t waiting = (size_t)(c->size - c->written);
		/* If the disk is full now, the tail just stays in memory. */
		if (!write_spool(
			c, c->memory + CONTENT_HEADER_MAX, waiting, &err))
			return;
		need = c->header_size < CONTENT_HEADER_MAX
			   ? (size_t)c->header_size
			   : CONTENT_HEADER_MAX;
	}
	if (need > 0 && c->room > need + need / 4 + FIRST_ROOM) {
		c->memory = mem_grow(c->memory, need, 1);
		c->room = need;
	}
}

void
content_finish(struct content *c)
{
	if (c->finished)
		return;
	if (c->digest != NULL)
		set_sha256(c);
	if (c->line != LINE_FOUND)
		c->header_size = c->size;
	trim(c);
	c->finished = true;
}

void
content_forget_body(struct content *c)
{
	size_t header = c->header_size < CONTENT_HEADER_MAX
			    ? (size_t)c->header_size
			    : CONTENT_HEADER_MAX;

	content_sha256(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->forgotten = true;
	if (c->room > header + FIRST_ROOM) {
		c->memory = mem_grow(c->memory, header, 1);
		c->room = header;
	}
}

void
content_free(struct content **content)
{
	struct content *c = *content;

	if (c == NULL)
		return;
	give_digest(&c->digest);
	if (c->fd >= 0)
		close(c->fd);
	free(c->memory);
	free(c);
	*content = NULL;
}

uint64_t
content_size(const struct content *c)
{
	return c->size;
}

uint64_t
content_header_size(const struct content *c)
{
	assert(c->finished);

	return c->header_size;
}

const char *
content_header(const struct content *c, size_t *len)
{
	assert(c->finished);
	*len = c->header_size < CONTENT_HEADER_MAX ? (size_t)c->header_size
						   : CONTENT_HEADER_MAX;

	return *len > 0 ? c->memory : "";
}

static bool
hash_piece(void *hash, const void *data, size_t n, struct err *err)
{
	(void)err;
	hash64_add(hash, data, n);

	return true;
}

int64_t
content_body_hash(struct content *c)
{
	uint64_t n = c->size - c->header_size;

	assert(c->finished);
	if (c->body_hash != 0 || c->forgotten)
		return c->body_hash;
	if (c->fd < 0) {
		const char *body = n > 0 ? c->memory + c->header_size : "";
		c->body_hash = hash64_of(body, (size_t)n);
		return c->body_hash;
	}
	struct err err;
	struct hash64 *hash = hash64_new();
	hash64_start(hash);
	if (content_each(c, c->header_size, n, hash_piece, hash, &err))
		c->body_hash = hash64_end(hash);
	hash64_free(&hash);

	return c->body_hash;
}

/* Both in one reading. */
struct both {
	struct digest *digest;
	struct hash64 *body;
	uint64_t header; /* octets of it to come */
};

static bool
both_piece(void *arg, const void *data, size_t n, struct err *err)
{
	struct both *both = arg;
	size_t skip = both->header < n ? (size_t)both->header : n;
	(void)err;
	digest_add(both->digest, data, n);
	if (skip < n)
		hash64_add(both->body, (const char *)data + skip, n - skip);
	both->header -= skip;

	return true;
}

bool
content_hash(struct content *c, struct err *err)
{
	assert(c->finished);
	if (c->hashed || c->fd < 0)
		return true;
	struct both both = { .digest = take_digest(),
		.body = hash64_new(),
		.header = c->header_size };
	hash64_start(both.body);
	bool ok = content_each(c, 0, c->size, both_piece, &both, err);
	if (ok) {
		digest_end(both.digest, c->sha256);
		c->body_hash = hash64_end(both.body);
		c->hashed = true;
	}
	hash64_free(&both.body);
	give_digest(&both.digest);

	return ok || spool_failed(err);
}

static bool
check_range(
    const struct content *c, uint64_t offset, uint64_t n, struct err *err)
{
	assert(c->finished);
	assert(!c->forgotten);
	if (offset <= c->size && n <= c->size - offset)
		return true;

	return err_set(err, ERR_MESSAGE, ERR_OTHER,
	    "octets %llu+%llu asked of a message of %llu",
	    (unsigned long long)offset, (unsigned long long)n,
	    (unsigned long long)c->size);
}

bool
content_read(const struct content *c, uint64_t offset, void *out, size_t n,
    struct err *err)
{
	char *to = out;

	if (!check_range(c, offset, n, err))
		return false;
	while (n > 0) {
		uint64_t there;
		const char *octets = in_memory(c, offset, &there);
		size_t step = there < n ? (size_t)there : n;
		if (octets != NULL)
			memcpy(to, octets, step);
		else if (!file_pread(c->fd, to, step, offset, c->dir, err))
			return false;
		to += step;
		offset += step;
		n -= step;
	}

	return true;
}

bool
content_each(const struct content *c, uint64_t offset, uint64_t n,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	return check_range(c, offset, n, err) &&
	       each_of(c, offset, n, each, arg, err);
}
