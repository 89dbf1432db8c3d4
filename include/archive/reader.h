#ifndef ARCHIVE_READER_H
#define ARCHIVE_READER_H

#include "mail/target.h"

/*
 * Random access to an archive's volumes, sealed or .part, through frames
 * only: never extracts by name. Memory: one frame. One thread.
 */
struct archive_reader;
bool archive_reader_open(
    struct archive_reader **, const char *dir, struct err *);
void archive_reader_close(struct archive_reader **);
/* The folder it was opened with; borrowed. */
const char *archive_reader_dir(const struct archive_reader *);

/*
 * The frames of a volume as the index holds them. Without this call those of
 * the volume's own seek table are used (sealed volumes).
 */
bool archive_reader_frames(struct archive_reader *, const char *volume,
    const struct frame_info *, size_t n, struct err *);
/*
 * Where frames of a .part come from that archive_reader_frames gave none of,
 * or too few: the index. All frames of that volume, *frames the reader's to
 * free. A volume that is sealed and renamed meanwhile stays readable.
 */
void archive_reader_ask(struct archive_reader *,
    bool (*frames)(void *arg, const char *volume, struct frame_info **frames,
	size_t *n, struct err *),
    void *arg);
/*
 * Where octets lie that a repack moved out of a volume that isn't there any
 * more: what catalogs of other volumes name as bodies. *found false: nobody
 * knows.
 */
void archive_reader_moved(struct archive_reader *,
    bool (*moved)(void *arg, const char *volume, uint32_t frame,
	uint64_t offset, struct kept *to, bool *found, struct err *),
    void *arg);
/* The same as another reader was told. */
void archive_reader_follow(
    struct archive_reader *, const struct archive_reader *other);
/* Frames taken from the seek table: *n, borrowed till the next volume. */
bool archive_reader_seek_table(struct archive_reader *, const char *volume,
    const struct frame_info **, size_t *n, struct err *);

/* Octets [skip, skip + n) of the data at (volume, frame, offset), in order,
 * reading only the frames concerned. */
bool archive_reader_data(struct archive_reader *, const char *volume,
    uint32_t frame, uint64_t offset, uint64_t skip, uint64_t n,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *);

/* The message's octets to each; afterwards compared with sha256:
 * ERR_MISMATCH if they differ (the octets have been given all the same). */
bool archive_reader_message(struct archive_reader *,
    const struct message_parts *,
    bool (*each)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *);

/* Whom archive_verify_volume tells of octets of the volume's file as it has
 * read them: so many more. Those that it reads once more are not told. */
void archive_reader_watch(struct archive_reader *,
    void (*was_read)(void *arg, uint64_t octets), void *arg);
/* For those that read with the reader's word. */
void archive_reader_was_read(const struct archive_reader *, uint64_t octets);

/* One finding of a verification. */
struct archive_finding {
	const char *volume;
	const char *entry; /* NULL: the volume itself */
	const char *what;  /* a sentence */
};
struct archive_verified {
	uint64_t volumes, frames, entries, octets; /* plain octets hashed */
	uint64_t catalog_rows; /* messages that the catalog names */
	uint64_t rows_sum;     /* of archive_row_sum over them, wrapping */
	uint64_t findings;
	uint64_t file_octets; /* of the volume's file */
};
/* A hash of what never changes about a row: whose message it is, its content
 * and where its entry lies. Sums tell whether two sets of rows are one. */
uint64_t archive_row_sum(const struct catalog_row *);
/*
 * Check one sealed volume by itself: every frame's checksum, the seek table
 * against the frames, the tar stream through libarchive, each entry's octets
 * against its content hash, the catalog against the entries (every row has
 * its entry; every .hdr joined with its body gives its hash), and the file's
 * SHA-256 if sha256 is not NULL. Findings are reported, errors only if the
 * check itself can't go on. Memory bounded; hostile volumes survived.
 */
bool archive_verify_volume(struct archive_reader *, const char *volume,
    const uint8_t *sha256, bool quick,
    void (*finding)(void *arg, const struct archive_finding *), void *arg,
    struct archive_verified *, struct err *);

/* Names of the sealed volumes in volumes/, sorted; free each and the array. */
bool archive_volumes(const char *dir, char ***names, size_t *n, struct err *);
/* SHA-256 of a sealed volume's file. */
bool archive_volume_digest(
    const char *dir, const char *volume, uint8_t sha256[32], struct err *);

#endif
