#include "readback.h"

#include "base/digest.h"
#include "base/file.h"
#include "inflate.h"
#include "seektable.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The frames carry checksums, the table behind them none: it is compared. */
static bool
read_tail(int fd, const char *path, uint64_t from, const struct buf *table,
    struct digest *digest, struct err *err)
{
	char piece[4096];
	for (size_t done = 0; done < table->len;) {
		size_t left = table->len - done;
		size_t part = left < sizeof(piece) ? left : sizeof(piece);
		if (!file_pread(fd, piece, part, from + done, path, err))
			return false;
		if (memcmp(piece, table->data + done, part) != 0)
			return err_set(err, ERR_RUN, ERR_DAMAGED,
			    "%s: its seek table is not what was written", path);
		digest_add(digest, piece, part);
		done += part;
	}

	return true;
}

static bool
read_frames(int fd, const char *path, const struct frame_info *frames, size_t n,
    uint64_t size, struct digest *digest,
    void (*progress)(void *arg, uint64_t done, uint64_t of), void *arg,
    struct err *err)
{
	struct inflate inflate = { 0 };
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++) {
		ok = inflate_frame(&inflate, fd, path, &frames[i], err);
		if (!ok)
			break;
		digest_add(digest, inflate.packed.data, inflate.packed.len);
		if (progress != NULL)
			progress(arg, frames[i].offset + frames[i].csize, size);
	}
	inflate_free(&inflate);

	return ok;
}

bool
readback(int fd, const char *path, const struct frame_info *frames, size_t n,
    uint64_t tail, uint8_t sha256[32],
    void (*progress)(void *arg, uint64_t done, uint64_t of), void *arg,
    struct err *err)
{
	struct stat st;
	uint64_t end = n == 0 ? 0 : frames[n - 1].offset + frames[n - 1].csize;
	if (fstat(fd, &st) < 0)
		return err_errno(err, ERR_RUN, "%s", path);
	uint64_t size = (uint64_t)st.st_size;
	if (size != end + tail)
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "%s holds %llu octets instead of %llu", path,
		    (unsigned long long)size, (unsigned long long)(end + tail));

	struct buf table = { 0 };
	seektable_build(&table, frames, n);
	if (table.len != tail) {
		buf_free(&table);
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "%s: what stands behind its frames is no seek table", path);
	}

	/* Only a hint, but where it is heard the disk has to answer. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	struct digest *digest = digest_new();
	digest_start(digest);
	bool ok = read_frames(
		      fd, path, frames, n, size, digest, progress, arg, err) &&
		  read_tail(fd, path, end, &table, digest, err);
	digest_end(digest, sha256);
	digest_free(&digest);
	buf_free(&table);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}
