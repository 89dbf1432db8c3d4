#ifndef ARCHIVE_LINES_H
#define ARCHIVE_LINES_H

#include "base/buf.h"
#include "base/digest.h"

/*
 * Octets cut into lines, pieces of any size in, whole lines out. The longest
 * line that we write is below LINE_LIMIT (six fields of mail headers, which
 * mail/header.h keeps short, 3 KiB of paths, a mailbox's name, which the source
 * keeps below 16 KiB on the wire, and 256 KiB of keywords): whoever has longer
 * ones wants our memory.
 */
enum { LINE_LIMIT = 1 << 20 };

struct lines {
	/* Without its newline; borrowed. False: stop. */
	bool (*each)(void *arg, const char *, size_t);
	void *arg;
	struct buf part; /* of a line that isn't whole yet */
	bool too_long;
};

/* False: each said so, or too_long. */
bool lines_add(struct lines *, const void *, size_t);
/* Nothing is left of an unfinished line. */
bool lines_at_end(const struct lines *);
void lines_free(struct lines *);

/*
 * The lines of a zstd file, from its start. The digest is of the compressed
 * octets, all of them, also if each stops. False: *why, or each stopped and
 * *why is NULL.
 */
bool lines_unpack(int fd, struct lines *, struct digest *, const char **why);

#endif
