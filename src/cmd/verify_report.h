#ifndef CMD_VERIFY_REPORT_H
#define CMD_VERIFY_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "options.h"
#include "ports.h"

/* What verify came to: the same facts for screen and report. */
struct verify_sums {
	const struct options *o;
	const char *archive;
	int64_t started; /* unix s */
	uint64_t volumes, messages, octets, findings;
	uint64_t every, whole; /* --read 1/every; whole: volumes it read */
	struct buf damage; /* owned: findings as they were shown, a line each */
	const struct err *failed; /* it could not go on; NULL: it came to its
				     end, or was interrupted */
	int exit_code;
};

/* One line for people. */
void verify_sums_text(struct buf *, const struct verify_sums *);
/* One object, without the findings. */
json_t *verify_sums_json(const struct verify_sums *);
/* --report FILE: .json (schemas/verify.schema.json) or text. */
bool verify_report(const struct verify_sums *, struct err *);

/* On standard error: what to do about damage. */
void verify_tell_repair(const struct archive_port *, const struct options *);

#endif
