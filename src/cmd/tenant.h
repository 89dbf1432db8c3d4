#ifndef CMD_TENANT_H
#define CMD_TENANT_H

#include "conf/accounts.h"
#include "conf/config.h"
#include "conf/secret.h"
#include "options.h"
#include "ports.h"

/*
 * Many accounts and how they are copied: the file of -c with the command line
 * above it and the environment beside it.
 */
#define TENANT_FILE "mailhaul.yaml" /* unless -c names another */

struct tenant {
	const struct options *line; /* borrowed: the command line alone */
	/* All together, as far as the file could be read; borrows from both. */
	struct options options;
	struct config *config;
	struct accounts accounts;
	uint32_t *chosen; /* owned: of accounts.items, in their order */
	size_t n;
	char *target; /* "archive:DIR" */
	/* For accounts that name no password; .data NULL: there are none. */
	struct secret shared;
};

/* ERR_USAGE with the file's line. Half made after a failure: tenant_free. */
bool tenant_read(struct tenant *, const struct options *, struct err *);
/* Drop those for which keep says no; none may be left. */
void tenant_keep(struct tenant *,
    bool (*keep)(void *arg, const struct account *), void *arg);
void tenant_free(struct tenant *);

/* The password that has to travel with an account to whoever copies it: the
 * row's own or the shared one; NULL: a file or a command gives it there. */
const char *tenant_secret(const struct tenant *, uint32_t account);
/* The row's password is needed no more: wiped. */
void tenant_wipe(struct tenant *, uint32_t account);
/* All passwords: in a process that is told those it needs. */
void tenant_wipe_all(struct tenant *);
/*
 * The account's server side; secret: of tenant_secret, which may be gone here.
 * *o becomes the account's own options, to which the port refers.
 */
bool tenant_source(const struct tenant *, uint32_t account, const char *secret,
    struct options *o, struct server_port *, struct err *);

#endif
