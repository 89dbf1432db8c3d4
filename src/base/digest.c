#include "base/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

struct digest {
	EVP_MD_CTX *ctx;
};

static void
must(int ok)
{
	/* SHA-256 fails only without memory or with a broken provider. */
	if (ok != 1)
		mem_out();
}

struct digest *
digest_new(void)
{
	struct digest *d = mem_new(sizeof(*d));
	d->ctx = EVP_MD_CTX_new();
	must(d->ctx != NULL);
	must(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));

	return d;
}

void
digest_start(struct digest *d)
{
	must(EVP_DigestInit_ex(d->ctx, NULL, NULL));
}

void
digest_add(struct digest *d, const void *data, size_t n)
{
	must(EVP_DigestUpdate(d->ctx, data, n));
}

void
digest_end(struct digest *d, uint8_t out[DIGEST_SIZE])
{
	must(EVP_DigestFinal_ex(d->ctx, out, NULL));
}

void
digest_free(struct digest **d)
{
	if (*d == NULL)
		return;
	EVP_MD_CTX_free((*d)->ctx);
	free(*d);
	*d = NULL;
}

void
digest_of(const void *data, size_t n, uint8_t out[DIGEST_SIZE])
{
	must(EVP_Digest(data, n, out, NULL, EVP_sha256(), NULL));
}

char *
digest_hex(char *out, const uint8_t *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * n] = '\0';

	return out;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;

	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
digest_unhex(const char *s, size_t len, uint8_t *out, size_t n)
{
	if (len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = hex_value(s[2 * i]), low = hex_value(s[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}

	return true;
}

int64_t
digest_key(const uint8_t sha256[DIGEST_SIZE])
{
	uint64_t key = 0;
	for (size_t i = 0; i < 8; i++)
		key = key << 8 | sha256[i];

	return (int64_t)(key >> 1);
}

struct hash64 {
	XXH3_state_t *state;
};

struct hash64 *
hash64_new(void)
{
	struct hash64 *h = mem_new(sizeof(*h));
	h->state = XXH3_createState();
	must(h->state != NULL);
	hash64_start(h);

	return h;
}

void
hash64_start(struct hash64 *h)
{
	must(XXH3_64bits_reset(h->state) == XXH_OK);
}

void
hash64_add(struct hash64 *h, const void *data, size_t n)
{
	must(XXH3_64bits_update(h->state, data, n) == XXH_OK);
}

static int64_t
as_key(uint64_t hash)
{
	int64_t key = (int64_t)(hash >> 1);

	return key == 0 ? 1 : key;
}

int64_t
hash64_end(struct hash64 *h)
{
	return as_key(XXH3_64bits_digest(h->state));
}

void
hash64_free(struct hash64 **h)
{
	if (*h == NULL)
		return;
	XXH3_freeState((*h)->state);
	free(*h);
	*h = NULL;
}

int64_t
hash64_of(const void *data, size_t n)
{
	return as_key(XXH3_64bits(data, n));
}
