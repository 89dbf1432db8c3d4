#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "net/verdict.h"

/* One recv then fetches several records of 16 KiB. */
enum { RECORDS_AHEAD = 128 << 10 };

struct tls {
	SSL_CTX *ctx;
	const struct peer *peer; /* borrowed from the wire */
	char *pin;               /* "sha256:…" in lower case; NULL: none */
	struct verdict verdict;
};

/* Pins replace all other checks, names and dates too: exactly this key. The
 * handshake itself proves that the server holds it. */
static bool
pin_accepts(const struct tls *t)
{
	char key[72];
	verdict_key(t->verdict.leaf, key);

	return strcmp(key, t->pin) == 0;
}

/* Go on after a fault, so that the user reads about all of them at once. */
static int
note_fault(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);
	if (!ok)
		verdict_note(&t->verdict, X509_STORE_CTX_get_error(store),
		    X509_STORE_CTX_get_error_depth(store));

	return 1;
}

/* The only place that accepts a certificate. */
static int
judge(X509_STORE_CTX *store, void *tls)
{
	struct tls *t = tls;
	verdict_clear(&t->verdict);
	t->verdict.leaf = X509_STORE_CTX_get0_cert(store);
	if (t->verdict.leaf == NULL)
		return 0;
	X509_up_ref(t->verdict.leaf);

	if (t->pin != NULL) {
		t->verdict.pin_failed = !pin_accepts(t);
		X509_STORE_CTX_set_error(store, t->verdict.pin_failed
						    ? X509_V_ERR_CERT_UNTRUSTED
						    : X509_V_OK);
		return !t->verdict.pin_failed;
	}

	X509_STORE_CTX_set_verify_cb(store, note_fault);
	if (X509_verify_cert(store) == 1 && t->verdict.n == 0)
		return 1;
	if (t->verdict.n == 0)
		verdict_note(&t->verdict, X509_V_ERR_UNSPECIFIED, 0);
	/* Becomes the alert that the server gets. */
	X509_STORE_CTX_set_error(store, t->verdict.faults[0].code);

	return 0;
}

static bool
unusable(
    const struct peer *p, const char *what, const char *file, struct err *err)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);
	if (ERR_SYSTEM_ERROR(ERR_peek_error()))
		why = strerror(ERR_GET_REASON(ERR_peek_error()));
	err_set(err, ERR_ACCOUNT, ERR_USAGE,
	    "%s for the %s can't be used: %s: %s", what, p->side, file,
	    why != NULL ? why : "not PEM");
	ERR_clear_error();

	return false;
}

static bool
add_authorities(struct tls *t, const char *file, struct err *err)
{
	if (file == NULL)
		return true;
	ERR_clear_error();

	return SSL_CTX_load_verify_file(t->ctx, file) == 1 ||
	       unusable(t->peer, "the CA file", file, err);
}

/* OpenSSL would ask the terminal, also in a job that nobody watches. */
static int
no_passphrase(char *out, int size, int writing, void *user)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)user;

	return -1;
}

static bool
use_client_certificate(
    struct tls *t, const struct wire_options *o, struct err *err)
{
	if (o->cert_file == NULL)
		return true;

	const char *key = o->key_file != NULL ? o->key_file : o->cert_file;
	SSL_CTX_set_default_passwd_cb(t->ctx, no_passphrase);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(t->ctx, o->cert_file) != 1)
		return unusable(
		    t->peer, "the client certificate", o->cert_file, err);
	if (SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(t->ctx) != 1)
		return unusable(
		    t->peer, "the client certificate's key", key, err);

	return true;
}

static bool
set_pin(struct tls *t, const char *pin, struct err *err)
{
	uint8_t hash[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1];
	if (pin == NULL)
		return true;
	if (strncmp(pin, "sha256:", 7) != 0 ||
	    !digest_unhex(pin + 7, strlen(pin + 7), hash, sizeof(hash))) {
		err_set(err, ERR_ACCOUNT, ERR_USAGE,
		    "the TLS pin for the %s is not \"sha256:\" and 64 hex "
		    "digits: %s",
		    t->peer->side, pin);
		return err_hint(err,
		    "Without a pin, the refusal of a certificate shows its "
		    "key in this form.");
	}
	t->pin = mem_fmt("sha256:%s", digest_hex(hex, hash, sizeof(hash)));
	t->verdict.pin = t->pin;

	return true;
}

static void
set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, RECORDS_AHEAD);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
}

bool
tls_new(struct tls **out, const struct wire_options *o, const struct peer *p,
    struct err *err)
{
	struct tls *t = mem_new(sizeof(*t));
	t->peer = p;
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL)
		mem_out();
	set_rules(t->ctx);
	SSL_CTX_set_cert_verify_callback(t->ctx, judge, t);

	if (SSL_CTX_set_default_verify_paths(t->ctx) != 1) {
		unusable(p, "the system's CA store", "OpenSSL", err);
		goto failed;
	}
	if (!add_authorities(t, o->ca_file, err) ||
	    !add_authorities(t, o->ca_file_side, err) ||
	    !use_client_certificate(t, o, err) || !set_pin(t, o->pin, err))
		goto failed;
	*out = t;

	return true;

failed:
	tls_free(&t);

	return false;
}

void
tls_free(struct tls **t)
{
	if (*t == NULL)
		return;
	verdict_clear(&(*t)->verdict);
	SSL_CTX_free((*t)->ctx);
	free((*t)->pin);
	free(*t);
	*t = NULL;
}

/* RFC 9525: the name as asked for; SNI only carries names (RFC 6066, 3). */
static bool
expect_name(SSL *ssl, const struct peer *p)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (p->literal)
		return X509_VERIFY_PARAM_set1_ip_asc(param, p->host) == 1;

	return X509_VERIFY_PARAM_set1_host(param, p->host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, p->host) == 1;
}

static bool
shake_hands(struct tls *t, struct link *l, struct err *err)
{
	for (;;) {
		ERR_clear_error();
		int r = SSL_connect(l->ssl);
		if (r == 1)
			return true;
		short events = 0;
		switch (SSL_get_error(l->ssl, r)) {
		case SSL_ERROR_WANT_READ:
			events = POLLIN;
			break;
		case SSL_ERROR_WANT_WRITE:
			events = POLLOUT;
			break;
		}
		if (events == 0 && (t->verdict.pin_failed || t->verdict.n > 0))
			return verdict_refuse(&t->verdict, t->peer, err);
		if (events == 0)
			return tls_failure(l, "during the TLS handshake", err);
		if (!link_wait(l, events, err))
			return false;
	}
}

static void
describe(SSL *ssl, const struct tls *t, struct wire_tls_info *info)
{
	*info = (struct wire_tls_info){ .pinned = t->pin != NULL };
	snprintf(
	    info->version, sizeof(info->version), "%s", SSL_get_version(ssl));
	snprintf(
	    info->cipher, sizeof(info->cipher), "%s", SSL_get_cipher_name(ssl));
	verdict_describe(t->verdict.leaf, info);
}

bool
tls_start(
    struct tls *t, struct link *l, struct wire_tls_info *info, struct err *err)
{
	l->ssl = SSL_new(t->ctx);
	if (l->ssl == NULL)
		mem_out();
	SSL_set_app_data(l->ssl, t);
	BIO *bio = link_bio(l);
	SSL_set_bio(l->ssl, bio, bio);
	if (!expect_name(l->ssl, t->peer))
		return err_set(err, ERR_ACCOUNT, ERR_USAGE,
		    "%s can't be the name in a certificate", t->peer->host);
	/* A fresh connection holds nothing to finish: a stop ends it. */
	int grace = l->grace_ms;
	l->grace_ms = 0;
	bool ok = shake_hands(t, l, err);
	l->grace_ms = grace;
	/* No certificate, no verdict: anonymous suites are off, but this is
	 * the line that must hold. */
	if (ok && t->verdict.leaf == NULL)
		ok = verdict_refuse(&t->verdict, t->peer, err);
	if (ok)
		describe(l->ssl, t, info);
	else
		l->in_broken = l->out_broken = true;
	if (!ok)
		l->in_err = l->out_err = *err;

	return ok;
}
