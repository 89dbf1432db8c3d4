#ifndef ARCHIVE_RECEIPTS_H
#define ARCHIVE_RECEIPTS_H

#include "mail/target.h"

/* Deliveries whose receipts are not given yet, oldest first. {0} is empty. */
struct due {
	uint64_t ticket;
	uint32_t last; /* frame that holds the entry's last octet */
	uint32_t frame;
	uint64_t offset, size, header_size;
	uint8_t sha256[32];
	char *entry; /* owned */
};
struct receipts {
	struct due *rows; /* ring */
	size_t first, count, cap;
};

void receipts_push(
    struct receipts *, uint64_t ticket, uint32_t last, const struct kept *);
/* The oldest; NULL if none. */
const struct due *receipts_oldest(const struct receipts *);
/* It as a receipt of this volume; removes it. */
void receipts_pop(struct receipts *, const char *volume, struct receipt *);
void receipts_free(struct receipts *);

#endif
