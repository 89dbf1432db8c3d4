#ifndef LOCAL_BOX_H
#define LOCAL_BOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { BOX_KEYWORDS = 26 }; /* Maildir letters 'a' to 'z' */

/*
 * One Maildir below the folder of an export. The folders are open only while
 * it is the current one: a tree may have more mailboxes than a process files.
 */
struct box {
	char *path; /* relative, by path_mailbox */
	char *keywords[BOX_KEYWORDS];
	size_t keyword_count;
	int dir, tmp, cur; /* -1: closed */
};

/* Opens path below root, making what lacks; follows no symbolic link. */
struct box *box_new(const char *path);
bool box_open(struct box *, int root, struct err *);
void box_close(struct box *);
void box_free(struct box **);

/* The letters of the keywords (blanks between) in ASCII order; those beyond
 * the 26th of this mailbox have none. */
void box_letters(struct box *, const char *keywords, struct buf *);
/* dovecot-keywords: "0 NAME", one a line. Nothing if there are none. */
bool box_write_keywords(struct box *, int root, struct err *);

#endif
