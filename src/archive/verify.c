/*
 * One pass over a sealed volume: every frame is read once, hashed for the
 * file's SHA-256, inflated, and fed to libarchive, whose entries are hashed
 * and tallied; the catalog at the end is compared with the tally. Where a
 * frame is damaged the tar stream is taken up again at the next frame that
 * starts with a tar header: what lies between is found missing by the rows.
 */
#include "archive/inventory.h"
#include "archive/reader.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "entry.h"
#include "inflate.h"
#include "volume.h"
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAR_BLOCK = 512, TAR_CHECKSUM = 148, TAR_MAGIC = 257 };

struct verify {
	const char *dir, *volume;
	char *path;
	int fd;
	const struct frame_info *frames;
	size_t count;
	void (*finding)(void *arg, const struct archive_finding *);
	void *arg;
	struct archive_verified *sums;
	struct archive_reader *reader; /* who is told how far it is */

	struct inflate inflate;
	size_t next;    /* frame to be read */
	bool ready;     /* the frame before next is inflated and not fed yet */
	bool broken;    /* the stream being read met a damaged frame */
	uint64_t start; /* plain offset at which this tar stream began */
	struct digest *file, *entry;

	struct tally tally;
	struct check_rows rows;
	bool has_catalog, has_tsv;
	uint8_t tsv_sha256[DIGEST_SIZE]; /* as the catalog implies it */
	bool full;                       /* the tally is */
};

static void
report(void *arg, const char *entry, const char *what)
{
	struct verify *v = arg;
	v->sums->findings++;
	if (v->finding != NULL)
		v->finding(v->arg,
		    &(struct archive_finding){
			.volume = v->volume, .entry = entry, .what = what });
}

/* ---- frames ---- */

/* The next frame's plain octets; false if it is damaged (reported). */
static bool
read_frame(struct verify *v)
{
	struct err err;
	const struct frame_info *f = &v->frames[v->next++];
	bool ok = inflate_frame(&v->inflate, v->fd, v->path, f, &err);
	digest_add(v->file,
	    v->inflate.packed.data == NULL ? "" : v->inflate.packed.data,
	    v->inflate.packed.len);
	v->sums->frames++;
	archive_reader_was_read(v->reader, f->csize);
	if (!ok)
		report(v, NULL, err.text);

	return ok;
}

static la_ssize_t
on_read(struct archive *a, void *arg, const void **out)
{
	struct verify *v = arg;
	if (!v->ready && v->next == v->count)
		return 0;
	if (!v->ready && !read_frame(v)) {
		v->broken = true;
		archive_set_error(a, EIO, "a frame is damaged");
		return -1;
	}
	v->ready = false;
	*out = v->inflate.plain.data;

	return (la_ssize_t)v->inflate.plain.len;
}

/* ---- entries ---- */

static void
check_type(struct verify *v, struct archive_entry *e, const char *path)
{
	const char *link = archive_entry_hardlink(e);
	if (!entry_is_safe(path) || (link != NULL && !entry_is_safe(link)))
		report(v, path, "its name could lead outside the folder");
	if (link != NULL && tally_get(&v->tally, link) == 0)
		report(v, path, "it is a link to something not before it");
	if (link == NULL && archive_entry_filetype(e) != AE_IFREG &&
	    archive_entry_filetype(e) != AE_IFDIR)
		report(v, path, "it is neither a file nor a folder nor a link");
	if (archive_entry_sparse_count(e) > 0)
		report(v, path, "it is a sparse file");
}

/* The content hash in an entry's attributes. */
static bool
get_sha256(struct archive_entry *e, uint8_t sha256[DIGEST_SIZE])
{
	const char *name;
	const void *value;
	size_t n;
	archive_entry_xattr_reset(e);
	while (archive_entry_xattr_next(e, &name, &value, &n) == ARCHIVE_OK)
		if (name != NULL && strcmp(name, ENTRY_XATTR_SHA256) == 0)
			return digest_unhex(value, n, sha256, DIGEST_SIZE);

	return false;
}

/* All data of the entry: hashed, and the catalog's to the rows. */
static bool
read_data(struct verify *v, struct archive *a, const char *path,
    bool is_catalog, uint8_t sha256[DIGEST_SIZE])
{
	const void *data;
	size_t n;
	la_int64_t offset;
	uint64_t at = 0;
	int rc;
	digest_start(v->entry);
	while ((rc = archive_read_data_block(a, &data, &n, &offset)) ==
	       ARCHIVE_OK) {
		if (n > 0 && (uint64_t)offset != at)
			report(v, path, "it has holes");
		digest_add(v->entry, data, n);
		v->sums->octets += n;
		if (is_catalog)
			check_rows_add(&v->rows, data, n);
		at = (uint64_t)offset + n;
	}
	digest_end(v->entry, sha256);
	if (rc != ARCHIVE_EOF)
		report(v, path, "its octets are damaged");

	return rc == ARCHIVE_EOF;
}

static void
check_own(struct verify *v, const char *path, const uint8_t sha256[DIGEST_SIZE])
{
	if (strcmp(path, ENTRY_CATALOG_JSON) == 0) {
		if (v->has_catalog)
			report(v, path, "there are two of it");
		v->has_catalog = true;
		check_rows_end(&v->rows, v->tsv_sha256);
	} else if (strcmp(path, ENTRY_CATALOG_TSV) == 0) {
		v->has_tsv = true;
		if (v->has_catalog &&
		    memcmp(sha256, v->tsv_sha256, DIGEST_SIZE) != 0)
			report(v, path, "it differs from CATALOG.jsonl");
	}
}

static void
tally_entry(struct verify *v, const char *path, int64_t facts)
{
	if (!tally_put(&v->tally, path, facts) && !v->full) {
		v->full = true;
		report(v, path, "too many entries: not all can be checked");
	}
}

static void
check_file_entry(struct verify *v, struct archive *a, struct archive_entry *e,
    const char *path)
{
	uint8_t sha256[DIGEST_SIZE], stated[DIGEST_SIZE];
	uint64_t plain = v->start + (uint64_t)archive_filter_bytes(a, 0);
	uint64_t size = (uint64_t)archive_entry_size(e);
	bool shared = strncmp(path, ENTRY_SHARED, strlen(ENTRY_SHARED)) == 0;
	bool own = !shared && strncmp(path, ".mailhaul/", 10) == 0;
	bool is_catalog = strcmp(path, ENTRY_CATALOG_JSON) == 0;
	if (is_catalog)
		check_rows_start(&v->rows);
	if (!read_data(v, a, path, is_catalog, sha256))
		return;

	if (own) {
		check_own(v, path, sha256);
		return;
	}
	if (!get_sha256(e, stated))
		report(v, path, "it doesn't state its SHA-256");
	else if (!shared && memcmp(stated, sha256, sizeof(sha256)) != 0)
		report(v, path, "its octets have another SHA-256 than it says");
	tally_entry(
	    v, path, tally_file(path, plain, size, shared ? NULL : sha256));
}

static void
check_entry(struct verify *v, struct archive *a, struct archive_entry *e)
{
	const char *path = archive_entry_pathname(e);
	if (path == NULL || path[0] == '\0') {
		report(v, NULL, "an entry without a name");
		return;
	}
	/* The entry's strings don't outlive the data calls for sure. */
	char *name = mem_str(path);
	v->sums->entries++;
	check_type(v, e, name);
	if (archive_entry_hardlink(e) != NULL)
		tally_entry(
		    v, name, tally_link(name, archive_entry_hardlink(e)));
	else if (archive_entry_filetype(e) == AE_IFREG)
		check_file_entry(v, a, e, name);
	free(name);
}

/* ---- the stream ---- */

/* One tar stream, from the frame to be fed next to its end or a damage. */
static void
read_tar(struct verify *v)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int rc;
	if (a == NULL)
		abort();
	v->broken = false;
	archive_read_support_filter_none(a);
	archive_read_support_format_tar(a);
	rc = archive_read_open(a, v, NULL, on_read, NULL);
	while (rc >= ARCHIVE_WARN &&
	       (rc = archive_read_next_header(a, &e)) >= ARCHIVE_WARN &&
	       rc != ARCHIVE_EOF)
		check_entry(v, a, e);
	if (rc < ARCHIVE_WARN && !v->broken)
		report(v, NULL, "the tar stream is damaged");
	archive_read_free(a);
	v->ready = false;
}

/* Does the inflated frame start with a tar header? */
static bool
starts_entry(const struct inflate *i)
{
	const unsigned char *p = (const unsigned char *)i->plain.data;
	unsigned long sum = 0, stated;
	char digits[9] = { 0 };
	if (i->plain.len < TAR_BLOCK || memcmp(p + TAR_MAGIC, "ustar", 5) != 0)
		return false;
	for (size_t k = 0; k < TAR_BLOCK; k++)
		sum += k >= TAR_CHECKSUM && k < TAR_CHECKSUM + 8 ? ' ' : p[k];
	memcpy(digits, p + TAR_CHECKSUM, 8);
	stated = strtoul(digits, NULL, 8);

	return sum == stated;
}

static void
read_streams(struct verify *v)
{
	bool first = true;
	while (v->next < v->count) {
		v->ready = read_frame(v);
		if (!v->ready || (!first && !starts_entry(&v->inflate)))
			continue;
		first = false;
		v->start = v->frames[v->next - 1].plain;
		read_tar(v);
		if (v->next < v->count && !v->broken) {
			report(v, NULL, "octets follow the tar's end");
			while (v->next < v->count)
				read_frame(v);
		}
	}
	v->ready = false;
	if (!v->has_catalog)
		report(v, NULL, "it has no CATALOG.jsonl");
	if (!v->has_tsv)
		report(v, NULL, "it has no CATALOG.tsv");
}

/* What lies behind the frames is the seek table, which was read already. */
static bool
hash_tail(struct verify *v, struct err *err)
{
	struct stat st;
	char piece[4096];
	uint64_t at = v->count == 0 ? 0
				    : v->frames[v->count - 1].offset +
					  v->frames[v->count - 1].csize;
	if (fstat(v->fd, &st) < 0)
		return err_errno(err, ERR_RUN, "%s", v->path);
	while (at < (uint64_t)st.st_size) {
		uint64_t left = (uint64_t)st.st_size - at;
		size_t part = left < sizeof(piece) ? left : sizeof(piece);
		if (!file_pread(v->fd, piece, part, at, v->path, err))
			return false;
		digest_add(v->file, piece, part);
		archive_reader_was_read(v->reader, part);
		at += part;
	}

	return true;
}

/* As a rebuild of the index does: it looks for the catalog from the end and
 * reads it by itself. */
static bool
read_catalog_alone(struct verify *v, struct err *err)
{
	struct inventory_volume volume = { .sealed = true,
		.frames = (struct frame_info *)v->frames,
		.count = v->count };
	uint64_t rows;
	bool found;
	if (v->sums->findings > 0)
		return true;
	memcpy(volume.name, v->volume, strlen(v->volume) + 1);
	if (!inventory_catalog_count(v->dir, &volume, &rows, &found, err))
		return false;
	if (!found || rows != v->rows.rows)
		report(v, ENTRY_CATALOG_JSON,
		    "it can't be read without the entries before it");

	return true;
}

static void
compare_file(
    struct verify *v, const uint8_t found[DIGEST_SIZE], const uint8_t *sha256)
{
	if (sha256 != NULL && memcmp(found, sha256, DIGEST_SIZE) != 0)
		report(v, NULL,
		    "the file's SHA-256 is not the one that was recorded");
}

static bool
check_volume(struct verify *v, struct archive_reader *r,
    struct archive_reader *bodies, const uint8_t *sha256, struct err *err)
{
	uint8_t found[DIGEST_SIZE];
	v->file = digest_new();
	v->entry = digest_new();
	v->rows = (struct check_rows){ .volume = v->volume,
		.tally = &v->tally,
		.frames = v->frames,
		.frame_count = v->count,
		.headers = r,
		.bodies = bodies,
		.report = report,
		.arg = v };
	digest_start(v->file);
	read_streams(v);
	bool ok = hash_tail(v, err) && read_catalog_alone(v, err);
	digest_end(v->file, found);
	if (ok)
		compare_file(v, found, sha256);
	digest_free(&v->file);
	digest_free(&v->entry);
	v->sums->catalog_rows = v->rows.rows;
	v->sums->rows_sum = v->rows.sum;
	check_rows_free(&v->rows);
	tally_free(&v->tally);
	inflate_free(&v->inflate);

	return ok;
}

/* A copy: the rows' reads of other volumes may push the table out. */
static bool
take_frames(struct verify *v, struct archive_reader *r, struct err *err)
{
	const struct frame_info *frames;
	if (!archive_reader_seek_table(r, v->volume, &frames, &v->count, err))
		return false;

	struct frame_info *copy = mem_array(v->count + 1, sizeof(*copy));
	if (v->count > 0)
		memcpy(copy, frames, v->count * sizeof(*copy));
	v->frames = copy;

	return true;
}

static void
was_read(void *arg, uint64_t octets)
{
	archive_reader_was_read(arg, octets);
}

static bool
check_quick(struct verify *v, const uint8_t *sha256, struct err *err)
{
	uint8_t found[DIGEST_SIZE];
	if (sha256 == NULL)
		return true;
	if (!volumes_file_digest(v->path, found, was_read, v->reader, err))
		return false;
	compare_file(v, found, sha256);

	return true;
}

static bool
check_full(struct verify *v, struct archive_reader *r, const uint8_t *sha256,
    struct err *err)
{
	struct archive_reader *bodies = NULL;
	v->fd = file_open(v->path, O_RDONLY, ERR_RUN, err);
	if (v->fd < 0)
		return false;

	bool ok = archive_reader_open(&bodies, v->dir, err);
	if (ok)
		archive_reader_follow(bodies, r);
	ok = ok && check_volume(v, r, bodies, sha256, err);
	archive_reader_close(&bodies);
	close(v->fd);

	return ok;
}

bool
archive_verify_volume(struct archive_reader *r, const char *volume,
    const uint8_t *sha256, bool quick,
    void (*finding)(void *arg, const struct archive_finding *), void *arg,
    struct archive_verified *sums, struct err *err)
{
	struct err why;
	struct verify v = { .dir = archive_reader_dir(r),
		.volume = volume,
		.finding = finding,
		.arg = arg,
		.sums = sums,
		.reader = r };
	*sums = (struct archive_verified){ .volumes = 1 };
	if (!volume_name_ok(volume))
		return err_set(err, ERR_RUN, ERR_USAGE,
		    "impossible volume name %s", volume);
	if (!take_frames(&v, r, &why)) {
		report(&v, NULL, why.text);
		return true;
	}

	struct stat st;
	v.path = volume_path(v.dir, volume, ARCHIVE_SEALED);
	if (stat(v.path, &st) == 0)
		sums->file_octets = (uint64_t)st.st_size;
	bool ok = quick
		      ? check_quick(&v, sha256, err)
		      : libarchive_load(err) && check_full(&v, r, sha256, err);
	free(v.path);
	free((void *)v.frames);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}
