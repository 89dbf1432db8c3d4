#include "net/peer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
is_ip6(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1;
}

static bool
is_ip4(const char *host)
{
	struct in_addr address;

	return inet_pton(AF_INET, host, &address) == 1;
}

static char *
host_port(const char *host, uint16_t port)
{
	return mem_fmt(is_ip6(host) ? "[%s]:%u" : "%s:%u", host, port);
}

/* RFC 6066, 3: SNI and certificates know no final dot. */
static char *
without_final_dot(const char *host)
{
	size_t len = strlen(host);

	return mem_strn(host, len > 1 && host[len - 1] == '.' ? len - 1 : len);
}

static char *
lower(const char *text)
{
	char *copy = mem_str(text);
	for (char *c = copy; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);

	return copy;
}

static char *
full_name(const struct peer *p, const struct wire_options *o)
{
	char *name = host_port(p->host, o->port);
	if (o->connect_host == NULL && o->connect_port == 0)
		return name;

	char *dialled =
	    host_port(o->connect_host != NULL ? o->connect_host : p->host,
		o->connect_port != 0 ? o->connect_port : o->port);
	char *both = mem_fmt("%s (dialled at %s)", name, dialled);
	free(name);
	free(dialled);

	return both;
}

void
peer_set(struct peer *p, const struct wire_options *o)
{
	const char *side = o->side != NULL ? o->side : "SERVER";
	*p = (struct peer){
		.side = mem_str(side),
		.prefix = lower(side),
		.host = without_final_dot(o->host),
		.literal = is_ip4(o->host) || is_ip6(o->host),
		.own_ca = o->ca_file != NULL || o->ca_file_side != NULL,
	};
	p->name = full_name(p, o);
}

void
peer_free(struct peer *p)
{
	free(p->side);
	free(p->prefix);
	free(p->host);
	free(p->name);
	*p = (struct peer){ 0 };
}
