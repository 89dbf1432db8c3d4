#ifndef NET_PEER_H
#define NET_PEER_H

#include "net/wire.h"

/* Who is at the other end, in the words of error texts. */
struct peer {
	char *side;   /* "SOURCE" */
	char *prefix; /* "source": how the side's options begin */
	char *host;   /* as asked for; without a final dot */
	char *name;   /* "mail.example:993", and what is dialled if other */
	bool literal; /* host is an IP address */
	bool own_ca;  /* authorities were added to the system's */
};

void peer_set(struct peer *, const struct wire_options *);
void peer_free(struct peer *);

#endif
