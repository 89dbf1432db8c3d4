#ifndef TESTS_FUZZ_WIRE_H
#define TESTS_FUZZ_WIRE_H

#include <stdbool.h>
#include <stddef.h>

/* What the next wire_dial reaches; borrowed. step: octets at a time. */
void fuzz_server(const char *data, size_t len, size_t step, bool tls);

/* The guard refused something. It judges what arrives together with the end of
 * a login as well, so that this hangs on how octets arrive. */
bool fuzz_server_breached(void);

/* libetpan's own, in none of its headers: while one is held, SASL's plugins
 * stay loaded. */
void mailsasl_ref(void);

#endif
