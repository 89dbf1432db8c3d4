#ifndef NET_VERDICT_H
#define NET_VERDICT_H

#include <openssl/types.h>

#include "net/peer.h"

enum { VERDICT_MAX = 8 };

/* All that is wrong with a certificate, not only what was found first. */
struct verdict {
	X509 *leaf; /* NULL: the server showed none */
	bool pin_failed;
	const char *pin; /* borrowed: the "sha256:…" asked for */
	int n;
	struct {
		int code, depth; /* X509_V_ERR_…; 0: the server's own */
	} faults[VERDICT_MAX];
};

/* One kind of fault is noted once; the rest beyond VERDICT_MAX is dropped. */
void verdict_note(struct verdict *, int code, int depth);
/* ERR_TLS with what is wrong, who issued what, and the option to accept it. */
bool verdict_refuse(const struct verdict *, const struct peer *, struct err *);
void verdict_clear(struct verdict *);

/* Who and until when; empty fields where the certificate has none. */
void verdict_describe(X509 *, struct wire_tls_info *);
/* "sha256:" and 64 hex digits of the SubjectPublicKeyInfo (RFC 7469, 2.4). */
void verdict_key(X509 *, char out[72]);

#endif
