/* Reading back what is kept: to compare bodies, and to prove a copy. */
#include "writer.h"

#include "base/digest.h"
#include "base/log.h"
#include "pool.h"

#include <string.h>

enum { PIECE = 64 << 10 };

struct comparison {
	const struct content *content;
	uint64_t at; /* of content */
	bool differs;
	bool content_failed;
	char piece[PIECE];
};

/* Stops at the first difference with a false that is no error. */
static bool
compare(void *arg, const void *data, size_t n, struct err *err)
{
	struct comparison *c = arg;
	const char *p = data;
	while (n > 0) {
		size_t part = n < PIECE ? n : PIECE;
		if (!content_read(c->content, c->at, c->piece, part, err)) {
			c->content_failed = true;
			return false;
		}
		if (memcmp(c->piece, p, part) != 0) {
			c->differs = true;
			return false;
		}
		c->at += part;
		p += part;
		n -= part;
	}

	return true;
}

static bool
is_open_volume(const struct writer *w, const struct kept *kept)
{
	return w->volume != NULL && strcmp(w->volume->name, kept->volume) == 0;
}

/* Octets [skip, size) of a whole copy, wherever it is by now. */
static bool
read_kept(struct writer *w, const struct kept *kept, uint64_t skip,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	uint64_t n = kept->size - skip;
	if (is_open_volume(w, kept))
		return frames_read(w->volume->frames, kept->frame, kept->offset,
		    skip, n, each, arg, err);
	if (w->reader == NULL && !pool_reader(w, err))
		return false;

	return archive_reader_data(w->reader, kept->volume, kept->frame,
	    kept->offset, skip, n, each, arg, err);
}

bool
writer_same_body(void *data, const struct kept *kept, struct content *content,
    bool *same, struct err *err)
{
	struct writer *w = data;
	struct comparison c = { .content = content,
		.at = content_header_size(content) };
	*same = false;
	if (w->failed) {
		*err = w->why;
		return false;
	}
	if (kept->header_size > kept->size ||
	    kept->size - kept->header_size != content_size(content) - c.at)
		return true;

	*same = read_kept(w, kept, kept->header_size, compare, &c, err);
	if (*same || c.differs)
		return true;
	if (c.content_failed || is_open_volume(w, kept)) {
		err->scope = ERR_RUN;
		return writer_fail(w, err);
	}

	/* An older volume that can't be read must not be relied on: the
	 * message is then stored whole. */
	log_add(LOG_WARN, "a kept body can't be compared: %s", err->text);

	return true;
}

static bool
hash(void *arg, const void *data, size_t n, struct err *err)
{
	(void)err;
	digest_add(arg, data, n);

	return true;
}

bool
writer_prove(void *data, const struct kept *kept, const uint8_t sha256[32],
    uint64_t size, struct err *err)
{
	struct writer *w = data;
	uint8_t found[DIGEST_SIZE];
	if (kept->size != size)
		return err_set(err, ERR_MESSAGE, ERR_MISMATCH,
		    "%s: %s has another size", kept->volume, kept->entry);

	struct digest *digest = digest_new();
	digest_start(digest);
	bool ok = read_kept(w, kept, 0, hash, digest, err);
	digest_end(digest, found);
	digest_free(&digest);
	if (ok && memcmp(found, sha256, sizeof(found)) != 0)
		ok = err_set(err, ERR_MESSAGE, ERR_MISMATCH,
		    "%s: %s has another SHA-256", kept->volume, kept->entry);

	return ok;
}
