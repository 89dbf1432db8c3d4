#ifndef HAUL_SUMS_H
#define HAUL_SUMS_H

#include "haul/haul.h"

/*
 * The sums of each mailbox of the account: what is printed and what the run's
 * row says (run_mailbox), which is always what was last saved of them.
 *
 * A mailbox may be read more than once in a run: because it moved, because its
 * UIDVALIDITY changed, or because the whole account is tried again. The row of
 * a repeat replaces the one before, nothing is added twice: the inventory is
 * the last one, and of what it calls already there, as many as the passes
 * before had copied count as copied. So "copied" is what the run copied, and
 * the sums balance. A generation that was left has a row of zeros. A repeat
 * that broke off behind a pass that was whole adds what it copied; behind
 * another one it doesn't take back what that had copied.
 */
struct sums;
struct sums *sums_new(const struct haul_options *, struct index *);
void sums_free(struct sums **);
/* What an earlier try of this account counted in this run: the rows as they
 * are. Nobody else takes anything off them. */
bool sums_load(struct sums *, struct err *);

/* The mailbox at hand: box is its number in the list. Inside a transaction. */
bool sums_open(struct sums *, size_t box, uint64_t mailbox, uint64_t inventory,
    struct err *);
void sums_add(struct sums *, const struct index_counts *);
void sums_one(struct sums *, enum outcome);
/* Messages that are already there. */
void sums_already(struct sums *);
/* It was seen to its end; *balanced: that comes out. */
void sums_close(struct sums *, uint64_t inventory, int scanned, bool *balanced);
const struct index_counts *sums_at_hand(const struct sums *);
/* The row of the mailbox at hand, if it isn't the same. In a transaction. */
bool sums_save(struct sums *, struct err *);
/* Nothing more of the mailbox at hand: what it lacks is unknown. */
bool sums_leave(struct sums *, struct err *);
void sums_committed(struct sums *);
/* All of them; after a rollback only what was committed, the rest unknown. */
void sums_result(struct sums *, bool rolled_back, struct haul_result *);

#endif
