#ifndef ARCHIVE_WRITER_H
#define ARCHIVE_WRITER_H

#include "archive/reader.h"
#include "receipts.h"
#include "seal.h"

/*
 * The archive as a target. Once failed is set every call repeats it: a volume
 * whose state is in doubt is never written again. told counts the frames
 * that progress has reported; told <= durable frames. A receipt is given only
 * with or after the progress that covers its entry's last frame.
 */
struct writer {
	char *dir, *run;
	struct volume_options set; /* .dir is dir */
	uint64_t limit;
	struct seal_watch watch;
	struct archive_word word; /* .open NULL: no other writers */

	/* Of the open mailbox; box: its path. */
	char *account, *display, *wire, *box;
	char separator;
	uint64_t uidvalidity;

	struct volume *volume; /* NULL: none open */
	char
	    reserved[KEPT_VOLUME_NAME]; /* an empty volume that the index
					   knows: the next one takes its name */
	bool known;                     /* the index knows volume's name */
	uint32_t told;
	int64_t synced;  /* clock_mono_ms of the last group */
	int64_t pace_ms; /* between groups */
	struct receipts receipts;
	struct frame_info *sealed_frames; /* lent with the last seal */

	struct archive_reader
	    *reader; /* of other volumes; opened when needed */
	bool failed;
	struct err why;
};

/* target_ops.same_body */
bool writer_same_body(
    void *, const struct kept *, struct content *, bool *same, struct err *);
/* target_ops.prove */
bool writer_prove(void *, const struct kept *, const uint8_t sha256[32],
    uint64_t size, struct err *);
/* Remember *err as final; returns false. */
bool writer_fail(struct writer *, struct err *);

#endif
