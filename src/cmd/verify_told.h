#ifndef CMD_VERIFY_TOLD_H
#define CMD_VERIFY_TOLD_H

#include "index/index.h"

/*
 * What manifests told of messages, mailboxes and accounts, against what the
 * index says of the same runs. A line of a manifest costs one look-up.
 */
struct told {
	struct index *index; /* borrowed, as all of these */
	const char *dir;
	const struct index_run *run; /* its manifest is whole */
	bool last;                   /* no run came after it */
	void (*found)(
	    void *arg, const char *run, const char *where, const char *what);
	void *arg;
};
bool told_check(const struct told *, struct err *);

#endif
