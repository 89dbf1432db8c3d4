#include "net/verdict.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "base/mem.h"

enum kind {
	KIND_OTHER,
	KIND_SELF_SIGNED,
	KIND_UNKNOWN_ISSUER,
	KIND_EXPIRED,
	KIND_NOT_YET,
	KIND_OTHER_NAME
};

static const struct {
	int code;
	enum kind kind;
} kinds[] = {
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, KIND_SELF_SIGNED },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, KIND_UNKNOWN_ISSUER },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, KIND_UNKNOWN_ISSUER },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, KIND_UNKNOWN_ISSUER },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, KIND_UNKNOWN_ISSUER },
	{ X509_V_ERR_CERT_UNTRUSTED, KIND_UNKNOWN_ISSUER },
	{ X509_V_ERR_CERT_HAS_EXPIRED, KIND_EXPIRED },
	{ X509_V_ERR_CERT_NOT_YET_VALID, KIND_NOT_YET },
	{ X509_V_ERR_HOSTNAME_MISMATCH, KIND_OTHER_NAME },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, KIND_OTHER_NAME },
};

static enum kind
kind_of(int code)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].code == code)
			return kinds[i].kind;

	return KIND_OTHER;
}

void
verdict_note(struct verdict *v, int code, int depth)
{
	enum kind kind = kind_of(code);
	for (int i = 0; i < v->n; i++)
		if (v->faults[i].code == code ||
		    (kind != KIND_OTHER && kind_of(v->faults[i].code) == kind))
			return;
	/* The chain of a self-signed certificate is "unknown" as well. */
	if (kind == KIND_UNKNOWN_ISSUER && v->n > 0 &&
	    kind_of(v->faults[0].code) == KIND_SELF_SIGNED)
		return;
	if (v->n == VERDICT_MAX)
		return;
	v->faults[v->n].code = code;
	v->faults[v->n++].depth = depth;
}

void
verdict_clear(struct verdict *v)
{
	X509_free(v->leaf);
	*v = (struct verdict){ .pin = v->pin };
}

void
verdict_key(X509 *cert, char out[72])
{
	uint8_t hash[DIGEST_SIZE];
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	if (len <= 0)
		mem_out(); /* it was parsed from DER */
	digest_of(der, (size_t)len, hash);
	OPENSSL_free(der);
	memcpy(out, "sha256:", 7);
	digest_hex(out + 7, hash, sizeof(hash));
}

/* A name's part, escaped; false if there is none. */
static bool
name_part(const X509_NAME *name, int nid, struct buf *out)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	if (at < 0)
		return false;

	ASN1_STRING *value =
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, value);
	if (len <= 0)
		return false;
	if (out->len > 0)
		buf_char(out, ' ');
	text_escape(out, utf8, (size_t)len);
	OPENSSL_free(utf8);

	return true;
}

/* "Let's Encrypt R3", "mail.example", or all of a name without those. */
static void
describe_name(const X509_NAME *name, bool organisation, char *out, size_t size)
{
	struct buf text = { 0 };
	if (organisation)
		name_part(name, NID_organizationName, &text);
	if (!name_part(name, NID_commonName, &text) && text.len == 0) {
		char *line = X509_NAME_oneline(name, NULL, 0);
		if (line != NULL)
			text_escape(&text, line, strlen(line));
		OPENSSL_free(line);
	}
	if (text.len == 0)
		buf_str(&text, "(no name)");
	/* Cuts between characters; nothing is left to escape. */
	text_escape_to(out, size, text.data, text.len);
	buf_free(&text);
}

static int64_t
unix_time(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void
verdict_describe(X509 *cert, struct wire_tls_info *info)
{
	verdict_key(cert, info->key_sha256);
	describe_name(X509_get_subject_name(cert), false, info->subject,
	    sizeof(info->subject));
	describe_name(X509_get_issuer_name(cert), true, info->issuer,
	    sizeof(info->issuer));
	info->not_after = unix_time(X509_get0_notAfter(cert));
}

static void
add_address(struct buf *out, const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN] = "?";
	int len = ASN1_STRING_length(ip);
	if (len == 4 || len == 16)
		inet_ntop(len == 4 ? AF_INET : AF_INET6,
		    ASN1_STRING_get0_data(ip), text, sizeof(text));
	buf_str(out, text);
}

/* What the certificate is for: enough names to recognise the server. */
static void
add_names(struct buf *out, X509 *cert)
{
	enum { SHOWN = 3, NAME_MAX_SHOWN = 64 };
	int shown = 0, more = 0;
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		if (shown == SHOWN) {
			more++;
			continue;
		}
		if (shown++ > 0)
			buf_str(out, ", ");
		if (name->type == GEN_IPADD) {
			add_address(out, name->d.iPAddress);
			continue;
		}
		char text[NAME_MAX_SHOWN];
		buf_str(out, text_escape_to(text, sizeof(text),
				 ASN1_STRING_get0_data(name->d.dNSName),
				 (size_t)ASN1_STRING_length(name->d.dNSName)));
	}
	GENERAL_NAMES_free(names);
	if (more > 0)
		buf_fmt(out, " and %d more", more);
	if (shown > 0)
		return;

	char subject[NAME_MAX_SHOWN];
	describe_name(
	    X509_get_subject_name(cert), false, subject, sizeof(subject));
	buf_str(out, subject);
}

static void
add_date(struct buf *out, const ASN1_TIME *time)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(time, &tm) == 1)
		buf_fmt(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday);
	else
		buf_str(out, "an unreadable date");
}

static void
add_expiry(struct buf *out, X509 *cert)
{
	const ASN1_TIME *end = X509_get0_notAfter(cert);
	int64_t days = (clock_unix() - unix_time(end)) / 86400;
	buf_str(out, "expired on ");
	add_date(out, end);
	buf_fmt(
	    out, " (%lld day%s ago)", (long long)days, days == 1 ? "" : "s");
}

static void
add_fault(struct buf *out, const struct verdict *v, int i, const struct peer *p)
{
	bool own = v->faults[i].depth == 0;
	switch (kind_of(v->faults[i].code)) {
	case KIND_SELF_SIGNED:
		buf_str(out, "is self-signed");
		return;
	case KIND_UNKNOWN_ISSUER:
		buf_str(out, "is from an issuer unknown here");
		return;
	case KIND_EXPIRED:
		if (own)
			add_expiry(out, v->leaf);
		else
			buf_str(out, "hangs on an issuer's that expired");
		return;
	case KIND_NOT_YET:
		buf_str(
		    out, own ? "is not valid before "
			     : "hangs on an issuer's that is not valid yet");
		if (own)
			add_date(out, X509_get0_notBefore(v->leaf));
		return;
	case KIND_OTHER_NAME:
		buf_str(out, "is issued for ");
		add_names(out, v->leaf);
		buf_fmt(out, ", not for %s", p->host);
		return;
	case KIND_OTHER:
		break;
	}
	buf_fmt(out, "is refused: %s",
	    X509_verify_cert_error_string(v->faults[i].code));
}

/* "sha256:9f2c…e1": the whole stands in the option below it. */
static void
add_short_key(struct buf *out, const char *key)
{
	buf_fmt(out, "%.11s…%s", key, key + strlen(key) - 2);
}

static bool
hint(const struct wire_tls_info *info, const struct peer *p, const char *why,
    struct err *err)
{
	/* Both names are the server's: long ones must not crowd out the key. */
	enum { NAME_SHOWN = 120 };
	char subject[NAME_SHOWN], issuer[NAME_SHOWN];
	struct buf key = { 0 };
	add_short_key(&key, info->key_sha256);
	err_hint(err,
	    "issued to %s by %s; key %s (full value below)\n"
	    "No password was sent. %s\n"
	    "If you have checked this key with the server's owner: "
	    "--%s-tls-pin %s",
	    text_escape_to(
		subject, sizeof(subject), info->subject, strlen(info->subject)),
	    text_escape_to(
		issuer, sizeof(issuer), info->issuer, strlen(info->issuer)),
	    key.data, why, p->prefix, info->key_sha256);
	buf_free(&key);

	return false;
}

static const char *
advice(const struct verdict *v, const struct peer *p)
{
	for (int i = 0; i < v->n; i++)
		switch (kind_of(v->faults[i].code)) {
		case KIND_NOT_YET:
			return "Check this machine's clock.";
		case KIND_SELF_SIGNED:
		case KIND_UNKNOWN_ISSUER:
			return p->own_ca
				   ? "No CA in the --ca-file given has issued "
				     "it, and none of the system's."
				   : "A CA of your own is added with "
				     "--ca-file.";
		default:
			break;
		}

	return "The server's owner should renew or replace it.";
}

bool
verdict_refuse(const struct verdict *v, const struct peer *p, struct err *err)
{
	struct wire_tls_info info = { 0 };
	if (v->leaf == NULL)
		return err_set(err, ERR_ACCOUNT, ERR_TLS,
		    "the %s %s showed no certificate", p->side, p->name);
	verdict_describe(v->leaf, &info);
	if (v->pin_failed) {
		err_set(err, ERR_ACCOUNT, ERR_TLS,
		    "the %s %s has another key than the pinned %s", p->side,
		    p->name, v->pin);
		return hint(&info, p,
		    "Its owner changed the key, or this is another server.",
		    err);
	}

	struct buf faults = { 0 };
	for (int i = 0; i < v->n; i++) {
		if (i > 0)
			buf_str(&faults, i + 1 < v->n ? ", " : " and ");
		add_fault(&faults, v, i, p);
	}
	err_set(err, ERR_ACCOUNT, ERR_TLS, "certificate of the %s %s %s",
	    p->side, p->name, faults.data);
	buf_free(&faults);

	return hint(&info, p, advice(v, p), err);
}
