#ifndef LOCAL_MAILDIR_H
#define LOCAL_MAILDIR_H

#include "mail/target.h"

/*
 * Writes messages into a tree of Maildirs: DIR/MAILBOX/{cur,new,tmp}, one
 * folder a level (Dovecot LAYOUT=fs), mailbox names made safe as in archives.
 * DIR must be missing or empty (ERR_USAGE). Files appear by rename, with
 * mtime = INTERNALDATE and flags in the name; a mailbox's first 26 keywords
 * are letters, named by its dovecot-keywords. All keywords, exact dates with
 * zone and true names go to DIR/mailhaul.jsonl (one object a message).
 * Dovecot opens it as maildir:DIR:LAYOUT=fs:UTF-8:INBOX=DIR/INBOX.
 * After a failure other than of maildir_export_open only close is of use.
 */
struct maildir_export;
bool maildir_export_open(
    struct maildir_export **, const char *dir, struct err *);
/* Begin a message; then its octets; then end (fsync'ed at close, batched). A
 * name that is taken gets a number; nothing is ever overwritten. */
bool maildir_export_begin(
    struct maildir_export *, const struct catalog_row *, struct err *);
bool maildir_export_add(
    void *maildir_export, const void *, size_t, struct err *);
/* keep false: remove what was written. path (or NULL): borrowed until the next
 * begin, relative to DIR. */
bool maildir_export_end(
    struct maildir_export *, bool keep, const char **path, struct err *);
/* A message begun and not ended is removed. What was kept is durable if this
 * is true. */
bool maildir_export_close(struct maildir_export **, struct err *);

#endif
