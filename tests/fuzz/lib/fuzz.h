#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

/* What every target needs: see tests/fuzz/run. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "imap/frame.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* An invariant: libFuzzer keeps the input that breaks it. */
#define MUST(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/*
 * Deep points of a target. A run over the seeds alone (FUZZ_SEEDS is set)
 * exits with 1 and names those that no seed has reached: a target whose seeds
 * are refused at the door tests nothing.
 */
void fuzz_marks(const char *const *marks, size_t n);
void fuzz_reach(unsigned mark);

/* A folder in $TMPDIR that is empty at first and removed at the end. */
const char *fuzz_dir(void);
/* Write it whole; "DIR/name" or "DIR/folder/name". */
void fuzz_put(const char *name, const void *, size_t n);

/* Cut the next part off, which ends at mark or the end. */
struct fuzz_part {
	const char *data;
	size_t len;
};
bool fuzz_part(struct fuzz_part *rest, char mark, struct fuzz_part *part);
/* A number below limit out of the input's first octet, which is cut off; 0
 * where nothing is left. */
unsigned fuzz_choose(struct fuzz_part *rest, unsigned limit);

/* Octets in memory for the framer, at most step at a time. */
struct fuzz_memory {
	const char *data;
	size_t len, at, step;
};
struct imap_input fuzz_input(struct fuzz_memory *);

#endif
