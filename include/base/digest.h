#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32 };

/* SHA-256 (OpenSSL).  One object may be used again and again. */
struct digest;
struct digest *digest_new(void);
void digest_start(struct digest *);
void digest_add(struct digest *, const void *, size_t);
void digest_end(struct digest *, uint8_t out[DIGEST_SIZE]);
void digest_free(struct digest **);
void digest_of(const void *, size_t, uint8_t out[DIGEST_SIZE]);

/* Lower-case hex; out has 2 * n + 1 octets. Returns out. */
char *digest_hex(char *out, const uint8_t *, size_t n);
/* Exactly 2 * n hex digits of either case. */
bool digest_unhex(const char *, size_t len, uint8_t *out, size_t n);
/* The first 63 bits of a SHA-256, as the index keys them. */
int64_t digest_key(const uint8_t sha256[DIGEST_SIZE]);

/*
 * A fast 64-bit hash (XXH3) that only proposes: whoever gets a hit compares
 * octets. Never negative, never 0 (SQLite keys; 0 means "none").
 */
struct hash64;
struct hash64 *hash64_new(void);
void hash64_start(struct hash64 *);
void hash64_add(struct hash64 *, const void *, size_t);
int64_t hash64_end(struct hash64 *);
void hash64_free(struct hash64 **);
int64_t hash64_of(const void *, size_t);

#endif
